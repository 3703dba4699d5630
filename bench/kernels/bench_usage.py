"""Time the usage kernel on single events and on a whole reply; nanoseconds in extra_info.

Run: pytest bench/kernels/bench_usage.py -o python_files='bench_*.py'
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.usage import ANTHROPIC, GEMINI, OPENAI, SSE, _bench_feed, _bench_read

ROUNDS = 10_000
EVENTS = {
    "openai_chunk": (
        OPENAI,
        b'data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1755691077,'
        b'"model":"gpt-4.1","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" lazy"},'
        b'"logprobs":null,"finish_reason":null}],"usage":null}\n\n',
    ),
    "anthropic_delta": (
        ANTHROPIC,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
        b'"text":" lazy dog"}}\n\n',
    ),
    "gemini_chunk": (
        GEMINI,
        b'data: {"candidates": [{"content": {"parts": [{"text": " lazy"}],"role": "model"}}],"usageMetadata": '
        b'{"promptTokenCount": 15,"totalTokenCount": 15,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 15}]'
        b'},"modelVersion": "gemini-2.0-flash"}\r\n\r\n',
    ),
}
REPLY = (
    b'{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","created":1755691077,"model":"gpt-4.1",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"'
    + b"The fox jumps over the lazy dog. "
    * 40
    + b'"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":14,"completion_tokens":13,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":0,'
    b'"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}'
)


@pytest.mark.parametrize("strip", [False, True], ids=["watch", "strip"])
@pytest.mark.parametrize("name", EVENTS)
def test_event(benchmark: BenchmarkFixture, name: str, strip: bool) -> None:
    """One event a piece, as providers send them."""
    dialect, event = EVENTS[name]
    args = (dialect, SSE, strip, event, ROUNDS)
    benchmark.pedantic(_bench_feed, args=args, rounds=20, warmup_rounds=2)  # type: ignore[no-untyped-call]  # it has no types
    assert benchmark.stats is not None
    benchmark.extra_info.update(event_bytes=len(event), ns=round(benchmark.stats.stats.median / ROUNDS * 1e9))


def test_whole_reply(benchmark: BenchmarkFixture) -> None:
    """One JSON reply of about 1.7 KB, checked and read."""
    args = (OPENAI, REPLY, ROUNDS)
    benchmark.pedantic(_bench_read, args=args, rounds=20, warmup_rounds=2)  # type: ignore[no-untyped-call]  # it has no types
    assert benchmark.stats is not None
    benchmark.extra_info.update(reply_bytes=len(REPLY), ns=round(benchmark.stats.stats.median / ROUNDS * 1e9))
