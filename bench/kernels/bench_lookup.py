"""Time finding a key among a thousand, in the table of the file's keys and in the file of issued ones.

Run: pytest bench/kernels/bench_lookup.py -o python_files='bench_*.py'

bench_digest and bench_keyfile do the same among a million, which instructions cannot be counted of: making them takes too long.
"""
import hashlib
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.digest import KeyTable
from fastgw._core.digest import _bench_find as find_in_table
from fastgw._core.keyfile import KeyFile, KeyFileWriter
from fastgw._core.keyfile import _bench_find as find_in_file

KEYS = [b"fgw-%046d" % number for number in range(1000)]
JOINED, KEY_BYTES = b"".join(KEYS), 50


def test_find_in_table(benchmark: BenchmarkFixture) -> None:
    """Hash and find each of them once."""
    table = KeyTable(len(KEYS))
    for index, key in enumerate(KEYS):
        table.add(hashlib.sha256(key).digest(), index)
    assert benchmark(find_in_table, table, JOINED, KEY_BYTES) == len(KEYS)


def test_find_in_file(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The same in the memory-mapped file."""
    writer = KeyFileWriter(tmp_path / "keys")
    writer.replace_all((hashlib.sha256(key).digest(), b"{}", True, 0) for key in KEYS)
    assert benchmark(find_in_file, KeyFile(tmp_path / "keys"), JOINED, KEY_BYTES) == len(KEYS)
