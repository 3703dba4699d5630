"""Time the key file with a million keys: the making, the opening, the lookup, a change, and the next generation.

Run: pytest bench/kernels/bench_keyfile.py -o python_files='bench_*.py'
"""
import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.keyfile import KeyFile, KeyFileWriter, _bench_find

KEYS = 1_000_000
KEY_BYTES = 50
LOOKUPS = 400_000
PUTS = 20_000
ENTRY = b"e" * 200
MOST_MAKE_S = 3.0


def key_of(number: int) -> bytes:
    return b"fgw-%046d" % number


@pytest.fixture(scope="module")
def digests() -> list[bytes]:
    return [hashlib.sha256(key_of(number)).digest() for number in range(KEYS)]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory, digests: list[bytes]) -> Iterator[KeyFileWriter]:
    """A file of a million keys."""
    writer = KeyFileWriter(tmp_path_factory.mktemp("keys") / "keys")
    started = time.perf_counter()
    writer.replace_all((digest, ENTRY, True, 0) for digest in digests)
    took_s = time.perf_counter() - started
    print(f"\nfile of {KEYS} keys made in {took_s:.2f} s: {Path(writer.path).stat().st_size >> 20} MiB long")
    assert took_s < MOST_MAKE_S
    yield writer
    writer.close()


def state(benchmark: BenchmarkFixture, what: str, count: int) -> None:
    """Say what one operation took by the median of the rounds."""
    each_ns = benchmark.stats.stats.median / count * 1e9  # type: ignore[union-attr]  # set once it has run
    benchmark.extra_info["ns_each"] = round(each_ns, 1)
    print(f"\n{what}: {each_ns:.1f} ns")


def test_open_for_reading(benchmark: BenchmarkFixture, writer: KeyFileWriter) -> None:
    """What a worker does at its start, and when a next generation comes."""
    benchmark.pedantic(lambda: KeyFile(writer.path).close(), rounds=20)  # type: ignore[no-untyped-call]
    state(benchmark, "open and close", 1)


def test_key_lookup_among_a_million(benchmark: BenchmarkFixture, writer: KeyFileWriter) -> None:
    """Hash and find, keys in random order; the first round brings the pages in."""
    reader = KeyFile(writer.path)
    keys = b"".join(key_of(number) for number in random.Random(7).sample(range(KEYS), LOOKUPS))
    found = benchmark.pedantic(_bench_find, args=(reader, keys, KEY_BYTES), rounds=7, warmup_rounds=1)  # type: ignore[no-untyped-call]
    assert found == LOOKUPS
    state(benchmark, f"key lookup among {KEYS}", LOOKUPS)


def test_change_of_a_key(benchmark: BenchmarkFixture, writer: KeyFileWriter, digests: list[bytes]) -> None:
    """Entries of keys all over the file, as the control process changes them."""
    wanted = random.Random(8).sample(digests, PUTS)

    def put_all() -> None:
        for digest in wanted:
            writer.put(digest, ENTRY)

    benchmark.pedantic(put_all, rounds=3)  # type: ignore[no-untyped-call]
    state(benchmark, "put", PUTS)


def test_next_generation(benchmark: BenchmarkFixture, writer: KeyFileWriter) -> None:
    """Copy what is alive, as the writer does by itself when space runs out."""
    benchmark.pedantic(writer.compact, rounds=2)  # type: ignore[no-untyped-call]
    state(benchmark, f"next generation of {KEYS}", 1)
