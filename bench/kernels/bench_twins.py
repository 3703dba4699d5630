"""Time kernels beside their plain twins in Python, which the tests hold them to: both of a pair in one run, a table for each pair.

Run: pytest bench/kernels/bench_twins.py -o python_files='bench_*.py'
"""
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.kernels.bench_cube import NAMES, RECORDS, ROWS
from bench.kernels.bench_http1 import REQUEST, RESPONSE
from bench.kernels.bench_price import TIERED
from bench.kernels.bench_scan import CHAT
from bench.kernels.bench_usage import REPLY
from fastgw._core import http1, scan, usage
from fastgw._core.cube import Cube
from fastgw.record.schema import ROW
from tests.oracles import cube as plain_cube
from tests.oracles import http1 as plain_http1
from tests.oracles import price as plain_price
from tests.oracles import scan as plain_scan
from tests.oracles import usage as plain_usage

USAGE = {name: 0 for name in plain_usage.NAMES} | {"input_tokens": 40_000, "output_tokens": 900}


def folded() -> None:
    Cube(NAMES, ROW).fold(ROWS)


def summed() -> None:
    plain_cube.summed(RECORDS, lambda record: (record.workspace, record.model, str(record.status)))


PAIRS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "fold 1,000 records": (folded, summed),
    "request head": (lambda: http1.parse_request_head(REQUEST), lambda: plain_http1.parse_request(REQUEST)),
    "response head": (lambda: http1.parse_response_head(RESPONSE), lambda: plain_http1.parse_response(RESPONSE)),
    "scan a chat": (lambda: scan.scan(CHAT), lambda: plain_scan.scan(CHAT)),
    "usage of a reply": (
        lambda: usage.read_usage_of(usage.OPENAI, REPLY), lambda: plain_usage.watch_json(usage.OPENAI, REPLY)),
    "charge": (lambda: TIERED.charge(40_000, 900), lambda: plain_price.charge(TIERED.tiers, 0, USAGE)),
}


@pytest.mark.parametrize("which", ["kernel", "twin"])
@pytest.mark.parametrize("pair", PAIRS)
def test_pair(benchmark: BenchmarkFixture, pair: str, which: str) -> None:
    """The kernel as Python calls it, objects made of its results included, and the twin; the tests show that both find the same."""
    benchmark.group = pair
    benchmark(PAIRS[pair][which == "twin"])
