"""What the mock's connections promise: framing, order, pace, counters, and the process around them."""
from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fastgw.mock import MockOptions
from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.raw_client import RawClient, json_request, request
from tests.patience import PATIENCE_S

SERVE = "from fastgw.mock import MockOptions, serve; raise SystemExit(serve(MockOptions({})))"
CHAT: dict[str, object] = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "four and twenty"}]}
STREAM = {**CHAT, "stream": True}
MESSAGE: dict[str, object] = {**CHAT, "model": "claude-sonnet-4-6", "max_tokens": 99}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "four and twenty"}]}]}
Json = Any


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


@pytest.fixture()
def client(mock: RunningMock) -> Iterator[RawClient]:
    with RawClient(mock.url) as connected:
        yield connected


def wait_until(holds: Any, what: str, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.002)


@pytest.mark.parametrize("chunk_bytes", [0, 1, 7, 4096])
def test_body_is_read_in_either_framing(client: RawClient, chunk_bytes: int) -> None:
    """Content-Length and chunks of any size bring the same reply."""
    body = json.dumps(CHAT).encode()
    client.send(request("POST", "/v1/chat/completions", body, chunk_bytes=chunk_bytes))
    assert client.read_response().raw == client.ask("POST", "/v1/chat/completions", body).raw


@pytest.mark.parametrize("chunk_bytes", [0, 10])
def test_request_is_read_byte_by_byte(client: RawClient, chunk_bytes: int) -> None:
    """A request in pieces of one byte is the same request."""
    whole = request("POST", "/v1/chat/completions", json.dumps(CHAT).encode(), chunk_bytes=chunk_bytes)
    client.send(*(whole[at : at + 1] for at in range(len(whole))))
    assert client.read_response().status == 200


@pytest.mark.parametrize("delay_ms", [0, 1])
def test_pipelined_requests_are_answered_in_order(client: RawClient, delay_ms: int) -> None:
    """Many requests in one write get their replies in order, quick or slow, more than the buffer holds too."""
    count = 400
    asked = [
        {"model": "m", "messages": [{"role": "user", "content": f"{at}" + "x" * 300}], "max_tokens": at % 7}
        for at in range(count)
    ]
    fields = [("x-mock", f"slow-{delay_ms}ms")]
    sender = threading.Thread(
        target=client.send, args=(b"".join(json_request("/v1/chat/completions", one, fields) for one in asked),)
    )
    sender.start()
    for at in range(count):
        reply: Json = client.read_response().json()
        assert reply["usage"]["completion_tokens"] == at % 7
    sender.join()


@pytest.mark.parametrize("chunk_bytes", [0, 1 << 20])
def test_body_of_64_mib_is_taken(client: RawClient, chunk_bytes: int) -> None:
    """A file of 64 MiB goes up and is counted, in either framing."""
    file = b"ab" * (32 << 20)
    form = b'--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n' \
           b'--B\r\ncontent-disposition: form-data; name="file"; filename="big"\r\n\r\n' + file + b"\r\n--B--\r\n"
    client.send(
        request(
            "POST", "/v1/files", form, [("content-type", "multipart/form-data; boundary=B")], chunk_bytes=chunk_bytes
        )
    )
    made: Json = client.read_response().json()
    assert (made["bytes"], made["filename"], made["purpose"]) == (len(file), "big", "batch")
    deleted: Json = client.ask("DELETE", f"/v1/files/{made['id']}").json()
    assert deleted["deleted"] is True


def test_continue_is_sent_before_the_body(client: RawClient) -> None:
    """A client that expects 100-continue gets it, then the reply."""
    body = json.dumps(CHAT).encode()
    whole = request("POST", "/v1/chat/completions", body, [("expect", "100-continue")])
    client.send(whole[: -len(body)])
    assert client.read_interim().status == 100
    client.send(body)
    assert client.read_response().status == 200


def test_close_is_said_and_done(client: RawClient) -> None:
    """A client that says close is told so and sees the end."""
    reply = client.ask("POST", "/v1/chat/completions", json.dumps(CHAT).encode(), [("connection", "close")])
    assert reply.field("connection") == "close" and reply.status == 200
    client.expect_close()


@pytest.mark.parametrize("wish", ["", "gap-1ms"])
def test_http_1_0_gets_an_unchunked_stream(client: RawClient, wish: str) -> None:
    """A stream to HTTP/1.0 has no chunks and ends with the connection."""
    whole = json_request("/v1/chat/completions", STREAM, [("x-mock", wish)]).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    client.send(whole)
    got = client.read_until_close()
    assert b"transfer-encoding" not in got and got.endswith(b"\n\ndata: [DONE]\n\n")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        (b"BREW / HTTP/1.1\r\nhost: a\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 70000, 431),
    ],
)
def test_what_is_no_request_is_refused_and_closed(client: RawClient, head: bytes, status: int) -> None:
    """A broken request gets its status, and nothing after it is read."""
    client.send(head)
    assert client.read_response().status == status
    client.read_until_close()
    assert client.is_closed_by_peer


def events_of(body: bytes) -> list[Json]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]


@pytest.mark.parametrize("wish", ["", "gap-1ms", "ttft-1ms", "cut-999"])
def test_stream_is_the_same_at_any_pace(mock: RunningMock, wish: str) -> None:
    """Pace changes when bytes come, not which."""
    with RawClient(mock.url) as plain, RawClient(mock.url) as paced:
        wanted = plain.ask_json("/v1/messages", {**MESSAGE, "stream": True})
        paced.send(json_request("/v1/messages", {**MESSAGE, "stream": True}, [("x-mock", wish)]))
        if wish.startswith("cut"):
            assert paced.read_until_close().endswith(wanted.chunks[-1] + b"\r\n")
        else:
            assert paced.read_response().chunks == wanted.chunks


def test_messages_stream_has_the_events_of_a_real_one(client: RawClient) -> None:
    """From message_start to message_stop, with usage at both ends."""
    events = events_of(client.ask_json("/v1/messages", {**MESSAGE, "stream": True}).body)
    kinds = [event["type"] for event in events]
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * 10,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["usage"]["input_tokens"] == 3
    assert events[-2]["usage"]["output_tokens"] == 10


def test_gemini_streams_an_array_or_events(client: RawClient) -> None:
    """alt=sse changes the form and nothing else."""
    array: Json = client.ask_json("/v1beta/models/g:streamGenerateContent", CONTENTS)
    events = client.ask_json("/v1beta/models/g:streamGenerateContent?alt=sse", CONTENTS)
    assert array.field("content-type").startswith("application/json") and len(array.chunks) == 10
    assert array.json() == events_of(events.body)


def test_gap_keeps_its_pace(client: RawClient) -> None:
    """Events come one by one, at the pace told, without adding up the timer's coarseness."""
    took_s: list[float] = []
    while not took_s or (min(took_s) >= 0.6 and len(took_s) < 10):     # a busy machine may hold up some
        started = time.monotonic()
        reply = client.ask_json("/v1/chat/completions", {**STREAM, "model": "mock-gap-10ms"})
        took_s.append(time.monotonic() - started)
        assert len(reply.chunks) == 13
    assert 0.115 <= min(took_s) < 0.6


def test_delays_are_those_of_the_options() -> None:
    """Latency stands before the head, ttft before the first event."""
    with running_mock(MockOptions(latency_ms=60, ttft_ms=600)) as slow, RawClient(slow.url) as client:
        started = time.monotonic()
        client.send(json_request("/v1/chat/completions", STREAM))
        client.read_until(b"\r\n\r\n")
        head_s = time.monotonic() - started
        client.read_until(b"[DONE]")
        assert 0.055 <= head_s < 0.6 and time.monotonic() - started >= 0.655


def test_cut_stream_ends_without_its_last_chunk(client: RawClient) -> None:
    """A model mock-cut-2 sends two events and closes."""
    client.send(json_request("/v1/chat/completions", {**STREAM, "model": "mock-cut-2"}))
    got = client.read_until_close()
    assert got.count(b"data: ") == 2 and not got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(("target", "body", "mark"), [
    ("/v1/chat/completions", STREAM, "error"), ("/v1/messages", {**MESSAGE, "stream": True}, "error"),
    ("/v1beta/models/g:streamGenerateContent?alt=sse", CONTENTS, "error"),
])
def test_failing_stream_ends_in_an_error_event(client: RawClient, target: str, body: Json, mark: str) -> None:
    """A wish fail-2 sends two events and then an error in the dialect's shape."""
    events = events_of(client.ask_json(target, body, [("x-mock", "fail-2")]).body)
    assert len(events) == 3 and mark in events[-1]


def test_slow_reader_holds_the_stream_up() -> None:
    """A long stream to a client that does not read stays with the mock, and is whole once it reads."""
    with running_mock() as mock, RawClient(mock.url, receive_buffer_bytes=65536) as client:
        client.send(json_request("/v1/chat/completions", {**STREAM, "model": "mock-tokens-40000"}))
        wait_until(lambda: mock.stats()["in_flight"] == 1, "the stream to begin")
        client.read_until(b"\r\n\r\n")
        assert mock.stats()["in_flight"] == 1
        assert client.read_until(b"[DONE]").count(b'"content":" ') > 30000


def test_stats_count_what_happened() -> None:
    """Requests, streams, bytes and paths are counted; asking for the counts is not."""
    with running_mock() as mock, RawClient(mock.url) as client:
        client.ask_json("/v1/chat/completions", CHAT)
        client.ask_json("/v1/chat/completions", STREAM)
        client.ask("GET", "/v1/files/file-1")
        client.ask("GET", "/nowhere")
        stats: Json = client.ask("GET", "/mock/stats").json()
        assert stats == mock.stats()
        assert stats["by_path"] == {"other": 1, "/v1/chat/completions": 2, "/v1/files/{id}": 1}
        assert (stats["requests"], stats["streams"], stats["aborted"], stats["in_flight"]) == (4, 1, 0, 0)
        assert stats["bytes_in"] > 2 * len(json.dumps(CHAT))


@pytest.mark.parametrize("wish", ["hang", "slow-60000ms", "gap-60000ms"])
def test_client_that_goes_away_is_counted_at_once(wish: str) -> None:
    """An exchange whose client leaves is aborted and no more in flight."""
    with running_mock() as mock:
        with RawClient(mock.url) as client:
            client.send(json_request("/v1/chat/completions", STREAM, [("x-mock", wish)]))
            wait_until(lambda: mock.stats()["in_flight"] == 1, "the request")
        wait_until(lambda: mock.stats()["in_flight"] == 0, "the abort")
        assert mock.stats()["aborted"] == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_runs_until_it_is_told_to_stop(workers: int) -> None:
    """serve() says where it listens, sums the counts of its workers, and ends with 0 at SIGTERM."""
    code = SERVE.format(f"listen='127.0.0.1:0', workers={workers}")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.fullmatch(r"mock provider listening on (http://\S+)\n", process.stdout.readline())
            assert found is not None
            for _ in range(8):
                with RawClient(found[1]) as client:
                    assert client.ask_json("/v1/chat/completions", CHAT).status == 200
            with RawClient(found[1]) as client:
                stats: Json = client.ask("GET", "/mock/stats").json()
            assert stats["requests"] == 8
        finally:
            process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_serve_says_why_it_cannot_listen() -> None:
    """An address that is no address ends with 1 and one line."""
    code = SERVE.format("listen='nowhere'")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert (
        ended.returncode == 1
        and ended.stderr.startswith("expected HOST:PORT")
        and "'nowhere'" in ended.stderr
        and ended.stderr.count("\n") == 1
    )
