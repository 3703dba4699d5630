"""Nanoseconds for a request head, a response head and a chunked body."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.http1 import _bench_dechunk, _bench_request, _bench_response

ROUNDS = 10_000
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8787\r\n"
    b"Authorization: Bearer fgw-0123456789abcdef0123456789\r\n"
    b"Content-Type: application/json\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n"
    b"User-Agent: OpenAI/Python\r\nContent-Length: 123\r\n\r\n"
)
# What an SDK really sends: its fingerprint in fields that mean nothing to the gateway.
SDK_REQUEST = (
    REQUEST[:-2]
    + b"".join(
        b"X-Stainless-%s: %s\r\n" % row
        for row in [
            (b"Lang", b"python"),
            (b"Package-Version", b"1.99.0"),
            (b"OS", b"Linux"),
            (b"Arch", b"x64"),
            (b"Async", b"false"),
            (b"Runtime", b"CPython"),
            (b"Runtime-Version", b"3.12.4"),
            (b"Retry-Count", b"0"),
            (b"Read-Timeout", b"600"),
        ]
    )
    + b"\r\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: 452\r\n"
    b"Server: mock\r\nx-request-id: req_0123456789abcdef\r\n\r\n"
)
CHUNKED = b"".join(b"c8\r\n" + b"e" * 200 + b"\r\n" for _ in range(16)) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("kernel", "text"),
    [(_bench_request, REQUEST), (_bench_request, SDK_REQUEST), (_bench_response, RESPONSE), (_bench_dechunk, CHUNKED)],
    ids=["request", "sdk_request", "response", "chunked_16x200"],
)
def test_http1(benchmark: BenchmarkFixture, kernel: Callable[[bytes, int], int], text: bytes) -> None:
    """One call is 10,000 rounds; ns_per_operation and the size stand beside the result."""
    benchmark(kernel, text, ROUNDS)
    assert benchmark.stats is not None
    benchmark.extra_info["bytes"] = len(text)
    benchmark.extra_info["ns_per_operation"] = benchmark.stats.stats.median / ROUNDS * 1e9
