"""Time what the ledger does for one request: three accounts, each with a budget and both rates.

Run: pytest bench/kernels/bench_ledger.py -o python_files='bench_*.py'
"""
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.ledger import Ledger

NOW = 1_800_000_000_000_000_000
COUNT = 200_000
LIMITED = {"budget": 10**17, "requests_per_minute": 6 * 10**9, "tokens_per_minute": 10**12}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger with room for every request of a round."""
    return Ledger(tmp_path / "ledger", slots=16384)


def chain_of(ledger: Ledger, limits: dict[str, int]) -> list[int]:
    """Three accounts with three kinds of window."""
    windows = {"organisation": "month", "workspace": "day", "key": "30d"}
    return [ledger.define(name, window=window, **limits) for name, window in windows.items()]


def state(benchmark: BenchmarkFixture, what: str, count: int) -> None:
    """Say what one operation took by the median of the rounds."""
    each_ns = benchmark.stats.stats.median / count * 1e9  # type: ignore[union-attr]  # set once it has run
    benchmark.extra_info["ns_each"] = round(each_ns, 1)
    print(f"\n{what}: {each_ns:.1f} ns")


@pytest.mark.parametrize("limits", [LIMITED, {}], ids=["limited", "unlimited"])
def test_admit_dispatch_settle(benchmark: BenchmarkFixture, ledger: Ledger, limits: dict[str, int]) -> None:
    """One request at a time, through the same slot: everything is in the nearest cache."""
    chain = chain_of(ledger, limits)
    run = ledger._bench
    admitted = benchmark.pedantic(run, args=(chain, NOW, 1000, 1000, 900, COUNT), rounds=9)  # type: ignore[no-untyped-call]
    assert admitted == COUNT
    state(benchmark, f"admit, dispatch and settle, {len(chain)} accounts, {len(limits)} limits each", COUNT)


def test_admit(benchmark: BenchmarkFixture, ledger: Ledger) -> None:
    """Admit 16,384 requests that all stay: every one takes a slot that was not in the cache."""
    chain = chain_of(ledger, LIMITED)
    args = (chain, NOW, 1000, 900, 16384)
    run = ledger._bench_admit
    empty = lambda: ledger.reclaim(0, now_ns=NOW) and None  # noqa: E731
    admitted = benchmark.pedantic(run, args=args, setup=empty, rounds=9)  # type: ignore[no-untyped-call]
    assert admitted == 16384
    state(benchmark, f"admit, {len(chain)} accounts, {len(LIMITED)} limits each", 16384)


def test_refuse(benchmark: BenchmarkFixture, ledger: Ledger) -> None:
    """Refuse at the last of three accounts, and give back what the first two had taken."""
    chain = chain_of(ledger, LIMITED)
    ledger.define("key", budget=0)
    admitted = benchmark.pedantic(ledger._bench, args=(chain, NOW, 1000, 1000, 900, COUNT), rounds=9)  # type: ignore[no-untyped-call]
    assert admitted == 0
    state(benchmark, "refuse at the third of three accounts", COUNT)
