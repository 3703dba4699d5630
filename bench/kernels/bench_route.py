"""Time a choice among ten targets, for every strategy, and what the table does for one attempt.

Run: pytest bench/kernels/bench_route.py -o python_files='bench_*.py'
"""
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.route import STRATEGIES, BreakerRule, TargetTable
from fastgw.route.build import Placed, build_route
from fastgw.snapshot.routes import Route as WrittenRoute
from fastgw.snapshot.routes import Target

NOW = 1_000_000_000_000
COUNT = 100_000
TARGETS = 10
WORKERS = 2


def make_table(path: Path) -> tuple[TargetTable, tuple[int, ...]]:
    """Ten targets that have all answered before, with a few requests in flight."""
    table = TargetTable(path, workers=WORKERS, worker=0, fresh=True)
    held = table.hold(f"integration\0model-{number}" for number in range(TARGETS))
    rule = BreakerRule()
    for place, slot in enumerate(held.slots):
        for _ in range(place % 3 + 1):
            assert table.begin_at(slot, rule, NOW) == 0
        table.end_at(slot, 0, 0, rule, NOW, first_byte_ns=200_000_000 + place * 10_000_000, tokens=100, duration_ns=2_000_000_000)
    return table, held.slots


def state(benchmark: BenchmarkFixture, what: str) -> None:
    """Say what one operation took by the median of the rounds."""
    each_ns = benchmark.stats.stats.median / COUNT * 1e9  # type: ignore[union-attr]  # set once it has run
    benchmark.extra_info["ns_each"] = round(each_ns, 1)
    print(f"\n{what}: {each_ns:.1f} ns")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_choose(benchmark: BenchmarkFixture, tmp_path: Path, strategy: str) -> None:
    """Choose among ten targets that all serve; the promise is less than 300 ns."""
    table, slots = make_table(tmp_path / "targets")
    weights = [1 + place % 4 for place in range(TARGETS)]
    prices = [100 + place % 5 for place in range(TARGETS)]

    def run() -> list[int]:
        return table._bench_choose(strategy, slots, NOW, COUNT, weights=weights, numbers=prices)

    assert sum(benchmark.pedantic(run, rounds=9)) == COUNT  # type: ignore[no-untyped-call]
    state(benchmark, f"choose by {strategy} among {TARGETS}")


def test_attempt(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Begin an attempt and end it, with both means learnt."""
    table, slots = make_table(tmp_path / "targets")
    rule = BreakerRule()
    run = table._bench_attempts
    assert benchmark.pedantic(run, args=(slots[0], rule, NOW, 1000, COUNT), rounds=9) == COUNT  # type: ignore[no-untyped-call]
    state(benchmark, "begin and end an attempt")


def test_walk(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """One request's way through a flat route, from Python: begin, first attempt, its end."""
    targets = tuple(Target(integration="main", model=f"model-{number}") for number in range(TARGETS))
    table = TargetTable(tmp_path / "targets", fresh=True)
    route = build_route("bench", WrittenRoute(strategy="latency", targets=targets), table, lambda target: Placed(target))

    def run() -> None:
        for number in range(COUNT):
            walk = route.walk(NOW)
            walk.start_at(number * 0x9E3779B97F4A7C15 & (1 << 64) - 1, NOW)
            walk.end_attempt(NOW, status=200, first_byte_ns=200_000_000, tokens=100)

    benchmark.pedantic(run, rounds=5)  # type: ignore[no-untyped-call]
    state(benchmark, f"walk by latency among {TARGETS}, through Python's calls")
