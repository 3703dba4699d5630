"""Time the price kernel; nanoseconds per operation stand in extra_info.

Run: pytest bench/kernels/bench_price.py
"""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.price import PriceRow, _bench_admission, _bench_charge

ROUNDS = 100_000
FLAT = PriceRow([(0, 2_000_000_000, 8_000_000_000, 500_000_000, -1, -1, -1, -1)])
TIERED = PriceRow([(start, 10**9 + start, 10**10, 10**8, -1, -1, -1, -1) for start in (0, 32_000, 128_000, 256_000)])


@pytest.mark.parametrize("row", [FLAT, TIERED], ids=["one tier", "four tiers"])
@pytest.mark.parametrize(
    "loop", [_bench_charge, _bench_admission], ids=["charge", "charge_at_most and affordable_output"]
)
def test_price(benchmark: BenchmarkFixture, loop: Callable[[PriceRow, int], int], row: PriceRow) -> None:
    """Price ROUNDS usages in one call of the loop."""
    benchmark(loop, row, ROUNDS)
    assert benchmark.stats is not None
    benchmark.extra_info["ns_per_operation"] = round(benchmark.stats.stats.median / ROUNDS * 1e9, 1)
