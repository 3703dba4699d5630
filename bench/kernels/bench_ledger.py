"""Time what the ledger does for one request: three accounts, each with a budget and both rates.

Run: pytest bench/kernels/bench_ledger.py -o python_files='bench_*.py'
"""
from pathlib import Path
from time import perf_counter

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.ledger import Ledger, Limits

NOW = 1_800_000_000_000_000_000
COUNT = 200_000
MILLION = 1_000_000
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


def test_join(benchmark: BenchmarkFixture, ledger: Ledger) -> None:
    """Admit with two accounts, join two more, move to two others, dispatch and settle."""
    chain, first, second = ([ledger.define(f"{name}-{number}", **LIMITED) for number in range(2)] for name in ("own", "a", "b"))
    count = COUNT // 10

    def run() -> None:
        for _ in range(count):
            slot = ledger.admit_chain(chain, NOW, 1000, 900)
            assert isinstance(slot, int)
            ledger.join_chain(slot, first, NOW, 1000, 900)
            ledger.join_chain(slot, second, NOW, 1000, 900)
            ledger.dispatch_slot(slot)
            ledger.settle_slot(slot, NOW, 1000, 900)

    benchmark.pedantic(run, rounds=5)  # type: ignore[no-untyped-call]
    state(benchmark, "admit, join, move, dispatch and settle from Python", count)


def test_million(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Define a million accounts that exist, and scan them for changes after each was settled."""
    ledger = Ledger(tmp_path / "million")
    names, limits = [f"key:{number}" for number in range(MILLION)], Limits(budget=10**9, window="month")
    started = perf_counter()
    ledger.define_many(names, limits)
    first_s = perf_counter() - started
    benchmark.pedantic(ledger.define_many, args=(names, limits), rounds=3)  # type: ignore[no-untyped-call]
    for index in range(MILLION):
        ledger._bench([index], NOW, 0, 1, 1, 1)
    started = perf_counter()
    found, _ = ledger.changed()
    scan_s = perf_counter() - started
    assert len(found) == MILLION
    benchmark.extra_info |= {"first_s": round(first_s, 3), "scan_ms": round(scan_s * 1000, 2)}
    print(f"\na million accounts: {first_s:.2f} s to define, {scan_s * 1000:.1f} ms to scan where all have changed")
    state(benchmark, "define an account that exists", MILLION)
