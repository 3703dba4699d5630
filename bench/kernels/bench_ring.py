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


DETAIL = (
    b'{"attempts":"\\"openai-main/gpt-4.1\\";status=503;trouble=\\"overloaded\\";ms=312, \\"azure/gpt-4.1\\";status=200;ms=801",'
    b'"passed_over":"\\"azure/gpt-4.1-nano\\";why=\\"open\\"","metadata":{"team":"search","user":"4711"}}'
)


@pytest.mark.parametrize(("detail", "payload_bytes"), [(None, None), (DETAIL, None), (None, 500), (None, 4000)],
                         ids=["record", "detail", "500", "4000"])
def test_push(benchmark: Any, tmp_path: Path, detail: bytes | None, payload_bytes: int | None) -> None:
    """One push, the ring never full."""
    writer = RingWriter(tmp_path / "ring")
    payload = None if payload_bytes is None else b"x" * payload_bytes
    benchmark.extra_info["operations"] = TIMES
    benchmark(writer._bench, TIMES, ONE, payload, detail)  # type: ignore[attr-defined]


@pytest.mark.parametrize("detail", [None, DETAIL], ids=["record", "detail"])
def test_read(benchmark: Any, tmp_path: Path, detail: bytes | None) -> None:
    """One record read into a tuple (the figure is for 5,000)."""
    writer, reader = RingWriter(tmp_path / "ring", 8 << 20), RingReader(tmp_path / "ring")

    def fill() -> None:
        for _ in range(5000):
            writer.push_packed(ONE, detail=detail)

    benchmark.extra_info["operations"] = 5000
    benchmark.pedantic(lambda: reader.read(5000), setup=fill, rounds=20)
