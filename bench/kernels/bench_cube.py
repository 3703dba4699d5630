"""Time the kernel that sums records: folding 1,000 of them, encoding what came of it, merging the body again.

Run: pytest bench/kernels/bench_cube.py -o python_files='bench_*.py'
"""
import pytest
from msgspec.structs import astuple
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.cube import Cube
from fastgw.record.schema import ROW
from tests.unit.record.making import record_of

NAMES = ("workspace", "model", "status")
RECORDS = [
    (10**18 + at, record_of(
        workspace=f"team-{at % 12}", model=f"model-{at % 20}", status=200 if at % 50 else 429, finished_ns=10**9 + at * 10**6,
        first_byte_ns=10**8 + at * 10**5, gateway_ns=50_000 + at, cost_nano_usd=at * 1000, input_tokens=at, output_tokens=at // 3))
    for at in range(1000)
]
ROWS = [(seq, *astuple(record)[:-3], "") for seq, record in RECORDS]


@pytest.fixture
def cube() -> Cube:
    """The records, folded."""
    cube = Cube(NAMES, ROW)
    cube.fold(ROWS)
    return cube


def test_fold(benchmark: BenchmarkFixture) -> None:
    """1,000 records into some 70 cells."""
    cube = Cube(NAMES, ROW)
    benchmark(cube.fold, ROWS)


def test_encode(benchmark: BenchmarkFixture, cube: Cube) -> None:
    """The cells as a body."""
    benchmark(cube.encode)


def test_merge(benchmark: BenchmarkFixture, cube: Cube) -> None:
    """A body, grouped by one of its names."""
    body = cube.encode()
    benchmark(lambda: Cube(("model",)).merge(body, keep=(1,)))
