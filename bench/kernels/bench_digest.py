"""Time the digest of a key and its lookup among a million: one round is 100,000 or more operations.

Run: pytest bench/kernels/bench_digest.py -o python_files='bench_*.py'
"""
import hashlib
import random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.digest import KeyTable, _bench_find, _bench_sha256

KEYS = 1_000_000
KEY_BYTES = 50
HASHES = 200_000
KEY = b"k" * KEY_BYTES


@pytest.fixture(scope="module")
def table_and_keys() -> tuple[KeyTable, bytes]:
    """A table of a million keys, and 400,000 of them in random order, each visited once."""
    rng = random.Random(7)
    keys = [b"fgw-%046d" % number for number in range(KEYS)]
    table = KeyTable(KEYS)
    for index, key in enumerate(keys):
        table.add(hashlib.sha256(key).digest(), index)
    return table, b"".join(rng.sample(keys, 400_000))


def state(benchmark: BenchmarkFixture, what: str, count: int) -> None:
    """Say what one operation took by the median of the rounds."""
    each_ns = benchmark.stats.stats.median / count * 1e9  # type: ignore[union-attr]  # set once it has run
    benchmark.extra_info["ns_each"] = round(each_ns, 1)
    print(f"\n{what}: {each_ns:.1f} ns")


def test_sha256_of_a_key(benchmark: BenchmarkFixture) -> None:
    """Hash a key of one block."""
    benchmark.pedantic(_bench_sha256, args=(KEY, HASHES), rounds=7, warmup_rounds=1)  # type: ignore[no-untyped-call]
    state(benchmark, f"sha256 of {KEY_BYTES} bytes", HASHES)


def test_key_lookup_among_a_million(benchmark: BenchmarkFixture, table_and_keys: tuple[KeyTable, bytes]) -> None:
    """Hash and find, keys in random order."""
    table, keys = table_and_keys
    count = len(keys) // KEY_BYTES
    found = benchmark.pedantic(_bench_find, args=(table, keys, KEY_BYTES), rounds=7)  # type: ignore[no-untyped-call]
    assert found == count
    state(benchmark, f"key lookup among {KEYS}", count)
