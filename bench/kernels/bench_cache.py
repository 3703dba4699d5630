"""What a hit costs: read a chat of 1 KB, make its key, find the entry, read it, write it for the caller; and what a capture costs."""

import json
from collections.abc import Callable

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw.cache.capture import Capture
from fastgw.cache.entry import Entry, pack, unpack, write
from fastgw.cache.inquiry import ResponseCache
from fastgw.cache.key import Space, body_key, request_key
from fastgw.cache.wish import Terms
from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.canonical import Choice, Reply, Request, Text, Usage
from fastgw.dialects.sse import EventSplitter
from fastgw.dialects.table import dialect_of
from fastgw.snapshot.caching import CacheSettings

ROUNDS = 1_000
NOW_MS = 1_800_000_000_000
WORDS = "Lorem ipsum dolor sit amet consectetur. " * 20
BODY = json.dumps({
    "model": "gpt-4.1", "temperature": 0.2, "max_tokens": 200,
    "messages": [{"role": "system", "content": "You are terse."}, {"role": "user", "content": WORDS}],
}).encode()  # fmt: skip
SPACE = Space("default", "", "gpt-4.1", bytes(32))
TERMS = Terms("miss", 60_000, 60_000)
CHAT = dialect_of("openai_chat")
ENTRY = Entry(
    operation="chat", created_ms=NOW_MS, max_age_ms=60_000, reply=Reply("id", "gpt-4.1", 1, [Choice([Text(WORDS)])], Usage(200, 200))
)
PACKED = pack(ENTRY) or b""




def read(stream: bool = False) -> Request:
    """The body as a canonical request."""
    assert CHAT.read_request is not None
    return CHAT.read_request(msgspec.json.decode(BODY), "", stream)


REQUEST, STREAM = read(), read(stream=True)


def warm_cache() -> ResponseCache:
    """A cache that has the answer, and no event loop: a hit needs none."""
    cache = ResponseCache(CacheSettings(), lambda: NOW_MS, int, int)  # type: ignore[arg-type]  # never called
    key = request_key(REQUEST, SPACE)
    assert key is not None and cache.put(key, ENTRY)
    return cache


CACHE = warm_cache()


def hit(stream: bool) -> bytes:
    """The whole way of a hit."""
    request = read(stream)
    found = CACHE.ask(request_key(request, SPACE), TERMS, print).entry
    assert found is not None
    return write(found, CHAT, request, events_of)


STREAMED = b"".join(
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word"},'
    b'"finish_reason":%s}]}\n\n' % finish for finish in [b"null"] * 99 + [b'"stop"']
) + b"data: [DONE]\n\n"  # fmt: skip


def capture() -> Reply:
    """A stream of 100 events that goes by."""
    one = Capture(Assembler(), 100_000, EventSplitter(), CHAT.stream_reader())
    one.feed(STREAMED)
    found = one.finish()
    assert found is not None
    return found


PARTS: dict[str, Callable[[], object]] = {
    "read_request": read,
    "key": lambda: request_key(REQUEST, SPACE),
    "key_of_plain_body": lambda: body_key("embeddings", BODY, SPACE),
    "read_entry": lambda: unpack(PACKED),
    "write": lambda: write(ENTRY, CHAT, REQUEST, events_of),
    "write_stream": lambda: write(ENTRY, CHAT, STREAM, events_of),
    "pack": lambda: pack(ENTRY),
    "capture_100_events": capture,
    "hit": lambda: hit(False),
    "hit_stream": lambda: hit(True),
}


@pytest.mark.parametrize("part", list(PARTS))
def test_cache(benchmark: BenchmarkFixture, part: str) -> None:
    """One call is 1,000 rounds; us_per_operation stands beside the result."""
    act = PARTS[part]

    def rounds() -> None:
        for _ in range(ROUNDS):
            act()

    benchmark.pedantic(rounds, rounds=9, warmup_rounds=2)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    benchmark.extra_info["us_per_operation"] = benchmark.stats.stats.median / ROUNDS * 1e6
    print(f"\n{part}: {benchmark.extra_info['us_per_operation']:.2f} us")
