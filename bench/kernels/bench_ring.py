"""What a push and a read cost; nanoseconds an operation are the figure divided by TIMES."""
from pathlib import Path
from typing import Any

import pytest

from fastgw._core.ring import RingReader, RingWriter, pack_record

TIMES = 100_000
ONE = pack_record(
    id=bytes(range(16)), started_ns=1, key="app-1", workspace="default", integration="openai-main", provider="openai",
    model="gpt-4.1", upstream_model="gpt-4.1-2025-04-14", dialect="openai", status=200, input_tokens=100,
)


@pytest.mark.parametrize("payload_bytes", [None, 500, 4000])
def test_push(benchmark: Any, tmp_path: Path, payload_bytes: int | None) -> None:
    """One push, the ring never full."""
    writer = RingWriter(tmp_path / "ring")
    payload = None if payload_bytes is None else b"x" * payload_bytes
    benchmark.extra_info["operations"] = TIMES
    benchmark(writer._bench, TIMES, ONE, payload)  # type: ignore[attr-defined]


def test_read(benchmark: Any, tmp_path: Path) -> None:
    """One record read into a tuple (the figure is for 5,000)."""
    writer, reader = RingWriter(tmp_path / "ring"), RingReader(tmp_path / "ring")

    def fill() -> None:
        for _ in range(5000):
            writer.push_packed(ONE)

    benchmark.extra_info["operations"] = 5000
    benchmark.pedantic(lambda: reader.read(5000), setup=fill, rounds=20)
