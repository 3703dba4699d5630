"""What the mock provider promises: framing, counts, delays, wishes and errors."""
from __future__ import annotations

import base64
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
from fastgw.mock.asked import read_wish, text_bytes
from fastgw.mock.table import Table
from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.raw_client import RawClient, json_request, request

CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "four and twenty"}]}
STREAM = {**CHAT, "stream": True}
MESSAGE = {"model": "claude-sonnet-4-6", "max_tokens": 99, "messages": [{"role": "user", "content": "four and twenty"}]}
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


# Counting.


@pytest.mark.parametrize(("node", "count"), [
    ("four", 4), ("€", 3), (["ab", "cd"], 4), ({"content": "abc", "role": "user"}, 3), (7, 0), (None, 0), ({}, 0),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "abc"}, {"type": "image_url", "image_url": {"url": "x" * 99}}]}]}, 3),
    ({"systemInstruction": {"parts": [{"text": "ab"}]}, "contents": [{"parts": [{"text": "cd"}]}]}, 4),
])
def test_input_is_counted_by_the_bytes_of_its_text(node: Json, count: int) -> None:
    """Only text counts: no roles, no addresses, no keys."""
    assert text_bytes(node) == count


@pytest.mark.parametrize(("target", "body", "path"), [
    ("/v1/chat/completions", CHAT, ("usage", "prompt_tokens")),
    ("/v1/completions", {"model": "m", "prompt": "four and twenty"}, ("usage", "prompt_tokens")),
    ("/v1/embeddings", {"model": "m", "input": "four and twenty"}, ("usage", "prompt_tokens")),
    ("/v1/responses", {"model": "m", "input": "four and twenty"}, ("usage", "input_tokens")),
    ("/v1/messages", MESSAGE, ("usage", "input_tokens")),
    ("/v1/messages/count_tokens", MESSAGE, ("input_tokens",)),
    ("/v1beta/models/gemini-2.5-flash:generateContent", CONTENTS, ("usageMetadata", "promptTokenCount")),
    ("/v1/models/gemini-2.5-flash:countTokens", CONTENTS, ("totalTokens",)),
    ("/openai/v1/chat/completions", CHAT, ("usage", "prompt_tokens")),
    ("/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", {"messages": CHAT["messages"]}, ("usage", "prompt_tokens")),
])
def test_every_dialect_counts_the_same(client: RawClient, target: str, body: Json, path: tuple[str, ...]) -> None:
    """The same text is the same number of tokens wherever it is sent."""
    reply: Json = client.ask_json(target, body).json()
    for name in path:
        reply = reply[name]
    assert reply == len("four and twenty") // 4


@pytest.mark.parametrize(("limit", "count", "finish"), [(None, 10, "stop"), (3, 3, "length"), (10, 10, "stop"), (500, 10, "stop")])
def test_output_is_what_the_request_allows(client: RawClient, limit: int | None, count: int, finish: str) -> None:
    """The output is ten tokens or the request's limit, whichever is less."""
    reply: Json = client.ask_json("/v1/chat/completions", {**CHAT, "max_completion_tokens": limit}).json()
    assert reply["usage"]["completion_tokens"] == count
    assert reply["choices"][0]["finish_reason"] == finish


def test_the_same_request_gets_the_same_bytes(client: RawClient) -> None:
    """A reply depends on the request alone."""
    first = client.ask_json("/v1/chat/completions", STREAM)
    assert client.ask_json("/v1/chat/completions", STREAM).raw == first.raw
    other = client.ask_json("/v1/chat/completions", {**STREAM, "messages": [{"role": "user", "content": "else"}]})
    assert other.raw != first.raw


def test_wish_counts_cached_and_reasoning_tokens(client: RawClient) -> None:
    """Cached input and reasoning are said in each dialect's own way."""
    fields = [("x-mock", "cached-2,reasoning-5")]
    chat: Json = client.ask_json("/v1/chat/completions", CHAT, fields).json()
    assert chat["usage"]["prompt_tokens_details"]["cached_tokens"] == 2
    assert (chat["usage"]["completion_tokens"], chat["usage"]["total_tokens"]) == (15, 18)
    message: Json = client.ask_json("/v1/messages", MESSAGE, fields).json()
    assert (message["usage"]["input_tokens"], message["usage"]["cache_read_input_tokens"]) == (1, 2)
    gemini: Json = client.ask_json("/v1beta/models/g:generateContent", CONTENTS, fields).json()
    assert gemini["usageMetadata"]["thoughtsTokenCount"] == 5 and gemini["usageMetadata"]["totalTokenCount"] == 18


def test_wish_without_usage_has_none(client: RawClient) -> None:
    """A model mock-no-usage never says what it used."""
    for target, body in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGE), ("/v1/responses", {"input": "a"})]:
        for is_stream in (False, True):
            reply = client.ask_json(target, {**body, "model": "mock-no-usage", "stream": is_stream,
                                             "stream_options": {"include_usage": True}})
            assert reply.status == 200 and b"_tokens\":" not in reply.body.replace(b"max_output_tokens", b"")


@pytest.mark.parametrize(("text", "name", "value"), [
    ("mock-slow-500ms", "slow_ms", 500), ("mock-ttft-1ms", "ttft_ms", 1), ("gap-20ms", "gap_ms", 20), ("mock-status-429", "status", 429),
    ("mock-tokens-64", "tokens", 64), ("mock-cut-3", "cut", 3), ("mock-hang", "hang", True), ("mock-slow-1ms-fail-0", "fail", 0),
    ("mock-plain", "hang", False),
])
def test_wish_is_read(text: str, name: str, value: object) -> None:
    """Each word of a wish sets what it names."""
    assert getattr(read_wish(text), name) == value


# Framing.


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
    asked = [{"model": "m", "messages": [{"role": "user", "content": f"{at}" + "x" * 300}], "max_tokens": at % 7} for at in range(count)]
    fields = [("x-mock", f"slow-{delay_ms}ms")]
    sender = threading.Thread(target=client.send, args=(b"".join(json_request("/v1/chat/completions", one, fields) for one in asked),))
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
    client.send(request("POST", "/v1/files", form, [("content-type", "multipart/form-data; boundary=B")], chunk_bytes=chunk_bytes))
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
    client.expect_close(within_ms=2000)


@pytest.mark.parametrize("wish", ["", "gap-1ms"])
def test_http_1_0_gets_an_unchunked_stream(client: RawClient, wish: str) -> None:
    """A stream to HTTP/1.0 has no chunks and ends with the connection."""
    whole = json_request("/v1/chat/completions", STREAM, [("x-mock", wish)]).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    client.send(whole)
    got = client.read_until_close()
    assert b"transfer-encoding" not in got and got.endswith(b"\n\ndata: [DONE]\n\n")


@pytest.mark.parametrize(("head", "status"), [
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505), (b"BREW / HTTP/1.1\r\nhost: a\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000000\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 70000, 431),
])
def test_what_is_no_request_is_refused_and_closed(client: RawClient, head: bytes, status: int) -> None:
    """A broken request gets its status, and nothing after it is read."""
    client.send(head)
    assert client.read_response().status == status
    client.read_until_close()
    assert client.is_closed_by_peer


# Streams.


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
    assert kinds == ["message_start", "content_block_start", "ping", *["content_block_delta"] * 10, "content_block_stop",
                     "message_delta", "message_stop"]
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
    started = time.monotonic()
    reply = client.ask_json("/v1/chat/completions", {**STREAM, "model": "mock-gap-10ms"})
    took_s = time.monotonic() - started
    assert len(reply.chunks) == 13
    assert 0.115 <= took_s < 0.6


def test_delays_are_those_of_the_options() -> None:
    """Latency stands before the head, ttft before the first event."""
    with running_mock(MockOptions(latency_ms=60, ttft_ms=60)) as slow, RawClient(slow.url) as client:
        started = time.monotonic()
        client.send(json_request("/v1/chat/completions", STREAM))
        client.read_until(b"\r\n\r\n")
        head_s = time.monotonic() - started
        client.read_until(b"[DONE]")
        assert 0.055 <= head_s < 0.115 <= time.monotonic() - started


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


# Errors.


@pytest.mark.parametrize(("target", "path", "wanted"), [
    ("/v1/chat/completions", ("error", "type"), "invalid_request_error"),
    ("/v1/messages", ("error", "type"), "invalid_request_error"),
    ("/v1beta/models/g:generateContent", ("error", "status"), "INVALID_ARGUMENT"),
])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"messages":[],"contents":[]}', b'{"model":1,"messages":[{}],"max_tokens":1}'])
def test_bad_body_is_refused_in_the_dialects_shape(client: RawClient, target: str, path: tuple[str, str], wanted: str,
                                                   body: bytes) -> None:
    """What is no JSON object, or lacks what it must have, gets 400."""
    reply = client.ask("POST", target, body)
    found: Json = reply.json()
    assert reply.status == 400 and found[path[0]][path[1]] == wanted


@pytest.mark.parametrize(("method", "target", "status"), [
    ("GET", "/v1/nothing", 404), ("GET", "/v1/chat/completions", 405), ("GET", "/v1/files/file-none", 404),
    ("GET", "/v1/batches/none", 404), ("GET", "/v1/models/no-such-model", 404), ("HEAD", "/v1/nothing", 404),
])
def test_unknown_path_is_an_error(client: RawClient, method: str, target: str, status: int) -> None:
    """A path that is not served says so, and the connection lives on."""
    assert client.ask(method, target).status == status
    assert client.ask("GET", "/v1/models").status == 200


def test_error_rate_hits_its_share() -> None:
    """About the told share fails, with 500, 429 and 529 or 503, the same in each run."""
    runs = []
    for _ in range(2):
        with running_mock(MockOptions(error_rate=0.3)) as mock, RawClient(mock.url) as client:
            runs.append([client.ask_json("/v1/messages", MESSAGE).status for _ in range(300)])
    assert runs[0] == runs[1]
    assert 60 <= sum(status != 200 for status in runs[0]) <= 120
    assert set(runs[0]) == {200, 500, 429, 529}


def test_error_status_is_the_one_told() -> None:
    """With a rate of 1 and a status, every request gets it, but /mock/stats."""
    with running_mock(MockOptions(error_rate=1, error_status=503)) as mock, RawClient(mock.url) as client:
        reply = client.ask_json("/v1/chat/completions", CHAT)
        assert (reply.status, reply.field("retry-after")) == (503, "1")
        assert client.ask("GET", "/mock/stats").status == 200


# Counters.


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


# The smaller operations.


def test_embedding_has_the_dimensions_asked_for(client: RawClient) -> None:
    """Vectors have 1536 numbers or as many as asked for, and about unit length."""
    for dimensions in (None, 64, 256, 3072):
        reply: Json = client.ask_json("/v1/embeddings", {"model": "m", "input": "a", "dimensions": dimensions}).json()
        vector = reply["data"][0]["embedding"]
        assert len(vector) == (dimensions or 1536)
        assert 0.5 < sum(number * number for number in vector) ** 0.5 < 2


def test_moderation_flags_one_word(client: RawClient) -> None:
    """Text with the word is flagged, other text is not."""
    reply: Json = client.ask_json("/v1/moderations", {"input": ["peace", "violence"]}).json()
    assert [result["flagged"] for result in reply["results"]] == [False, True]


def test_media_are_what_they_say(client: RawClient) -> None:
    """Speech is a WAV and a picture is a PNG."""
    speech = client.ask_json("/v1/audio/speech", {"model": "tts-1", "input": "a", "voice": "alloy"})
    assert speech.field("content-type") == "audio/wav" and speech.body.startswith(b"RIFF")
    picture: Json = client.ask_json("/v1/images/generations", {"prompt": "a", "n": 2}).json()
    assert [base64.b64decode(item["b64_json"])[:4] for item in picture["data"]] == [b"\x89PNG"] * 2


def test_models_speak_the_clients_dialect(client: RawClient) -> None:
    """The same path answers each client in its own words."""
    openai: Json = client.ask("GET", "/v1/models").json()
    anthropic: Json = client.ask("GET", "/v1/models", fields=[("anthropic-version", "2023-06-01")]).json()
    gemini: Json = client.ask("GET", "/v1beta/models").json()
    assert openai["object"] == "list" and anthropic["data"][0]["type"] == "model" and gemini["models"][0]["displayName"]
    one: Json = client.ask("GET", "/v1/models/openai/gpt-4.1").json()
    assert one["id"] == "openai/gpt-4.1"


def test_structured_output_fits_its_schema(client: RawClient) -> None:
    """A chat that asks for JSON gets what fits its schema, whole and streamed."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "ages": {"type": "array", "items": {"type": "integer"}}}}
    shape = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    whole: Json = client.ask_json("/v1/chat/completions", {**CHAT, "response_format": shape}).json()
    assert json.loads(whole["choices"][0]["message"]["content"]) == {"name": "mock", "ages": [1]}
    streamed = events_of(client.ask_json("/v1/chat/completions", {**STREAM, "response_format": shape}).body)
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in streamed)
    assert text == whole["choices"][0]["message"]["content"]


def test_several_choices_are_all_paid_for(client: RawClient) -> None:
    """Two choices are twice the output."""
    reply: Json = client.ask_json("/v1/chat/completions", {**CHAT, "n": 2}).json()
    assert len(reply["choices"]) == 2 and reply["usage"]["completion_tokens"] == 20


def test_every_row_has_a_counter_of_its_own() -> None:
    """Paths are told apart in the stats."""
    table = Table(MockOptions(), dict)
    assert len(table.labels) == len(set(table.labels)) > 20


# The process.


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_runs_until_it_is_told_to_stop(workers: int) -> None:
    """serve() says where it listens, sums the counts of its workers, and ends with 0 at SIGTERM."""
    code = f"from fastgw.mock import MockOptions, serve; raise SystemExit(serve(MockOptions(listen='127.0.0.1:0', workers={workers})))"
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
        assert process.wait(10) == 0


def test_serve_says_why_it_cannot_listen() -> None:
    """An address that is no address ends with 1 and one line."""
    code = "from fastgw.mock import MockOptions, serve; raise SystemExit(serve(MockOptions(listen='nowhere')))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1 and ended.stderr.startswith("cannot listen on nowhere: ") and ended.stderr.count("\n") == 1
