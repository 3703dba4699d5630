"""Time the scan kernel; nanoseconds and bytes a second in extra_info.

Run: pytest bench/kernels/bench_scan.py -o python_files='bench_*.py'
"""

import json

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.scan import _bench

CHAT = (
    b'{"model":"gpt-4.1","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user",'
    b'"content":"Hello! Please summarise the following paragraph in one sentence: The quick brown fox jumps over the '
    b'lazy dog, and the dog, being lazy, does not react at all to the fox."}],"temperature":0.7,"max_tokens":256}'
)
ENGLISH = 'The quick brown fox jumps over the lazy dog, and says: "hello".\n' * 4
CHINESE = "敏捷的棕色狐狸跳过了懒狗，而懒狗毫无反应。" * 12


def messages(text: str, body_bytes: int) -> bytes:
    """A chat of about so many bytes, each message `text`."""
    count = body_bytes // (len(text.encode()) + 40)
    chat = [{"role": "user" if number % 2 else "assistant", "content": text} for number in range(count)]
    return json.dumps({"model": "gpt-4.1", "messages": chat, "max_tokens": 256}, ensure_ascii=False).encode()


BODIES = {
    "chat_of_323_bytes": (CHAT, 20_000),
    "english_128_kib": (messages(ENGLISH, 131_072), 50),
    "chinese_128_kib": (messages(CHINESE, 131_072), 50),
    "token_numbers_128_kib": (json.dumps({"model": "m", "input": list(range(20_000))}).encode(), 50),
}


@pytest.mark.parametrize("name", BODIES)
def test_scan(benchmark: BenchmarkFixture, name: str) -> None:
    """One whole body; every round scans it many times."""
    body, rounds = BODIES[name]
    benchmark.pedantic(_bench, args=(body, rounds), rounds=20, warmup_rounds=2)  # type: ignore[no-untyped-call]  # it has no types
    assert benchmark.stats is not None
    nanoseconds = benchmark.stats.stats.median / rounds * 1e9
    benchmark.extra_info.update(body_bytes=len(body), ns=round(nanoseconds), gb_per_s=round(len(body) / nanoseconds, 2))
