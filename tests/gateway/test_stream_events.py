"""Streams pass through byte for byte and at once; what the gateway asked for itself it takes out again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient
from tests.fakes.script import LAST_CHUNK, SSE_FIELDS, Gate, Step, chunk, close, event, head, pause, send, trickle
from tests.fakes.upstream import Upstream
from tests.gateway.asking import (
    ANTHROPIC,
    DIALECTS,
    GEMINI,
    LONG_TIMES,
    OPENAI,
    Asker,
    Dialect,
    configuration,
    integration,
)
from tests.gateway.running import RunningGateway

SSE_HEAD = head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")])
JSON_HEAD = head(200, [("content-type", "application/json"), ("transfer-encoding", "chunked")])
WANTED: dict[str, Any] = {"stream_options": {"include_usage": True}}


def delta(text: str, **more: object) -> bytes:
    return event({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}], **more})


USAGE_EVENT = event(
    {"id": "c", "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
)
DONE = event("[DONE]")
OPENAI_EVENTS = [delta("Par", usage=None), delta("is \u00e9\u4e16", usage=None), USAGE_EVENT, DONE]
ANTHROPIC_EVENTS = [
    event({"type": "message_start", "message": {"usage": {"input_tokens": 11, "output_tokens": 1}}}, "message_start"),
    event({"type": "ping"}, "ping"),
    event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris"}},
        "content_block_delta",
    ),
    event(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}, "message_delta"
    ),
    event({"type": "message_stop"}, "message_stop"),
]
GEMINI_PIECES: list[dict[str, object]] = [
    {
        "candidates": [{"content": {"parts": [{"text": "Par"}]}}],
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 3},
    },
    {
        "candidates": [{"content": {"parts": [{"text": "is"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7},
    },
]
STREAMS: dict[str, tuple[Dialect, bytes]] = {
    "openai": (OPENAI, b"".join(OPENAI_EVENTS)),
    "openai with CRLF": (OPENAI, b": hello\r\n\r\n" + b"".join(OPENAI_EVENTS).replace(b"\n", b"\r\n")),
    "anthropic": (ANTHROPIC, b"".join(ANTHROPIC_EVENTS)),
    "gemini": (GEMINI, b"".join(event(piece) for piece in GEMINI_PIECES)),
    "gemini with CRLF": (GEMINI, b"".join(event(piece) for piece in GEMINI_PIECES).replace(b"\n", b"\r\n")),
}
COUNTED = {"input_tokens": 11, "output_tokens": 7, "flags": "streamed", "outcome": "served", "cost_nano_usd": 25_000}


def pieces(body: bytes, size: int) -> list[Step]:
    """A stream whose chunks have a size, each sent in one write."""
    chunks = [chunk(body[at : at + size]) for at in range(0, len(body), size)]
    return [send(SSE_HEAD), *(send(piece) for piece in chunks), send(LAST_CHUNK)]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def asker(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    tables = [integration(dialect.name, upstream.url, dialect.provider, times=LONG_TIMES) for dialect in DIALECTS]
    with RunningGateway(
        tmp_path_factory.mktemp("events"), configuration(*tables, gateway="buffer_reply_bytes = 20000")
    ) as gateway:
        asker = Asker(gateway)
        yield asker
        asker.check_records()
        assert "Traceback" not in gateway.log()


@pytest.mark.parametrize("split", ["whole", "7 bytes", "byte by byte", "until close"])
@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_passes_byte_for_byte(asker: Asker, upstream: Upstream, stream: str, split: str) -> None:
    """Not a byte of a stream is changed, however it is cut; its usage stands in the record."""
    dialect, body = STREAMS[stream]
    if split == "until close":
        upstream.play([send(head(200, SSE_FIELDS)), send(body), close()])
    elif split == "byte by byte":
        upstream.play([trickle(SSE_HEAD + chunk(body[:99]) + chunk(body[99:]) + LAST_CHUNK)])
    else:
        upstream.play(pieces(body, len(body) if split == "whole" else 7))
    with asker.connect() as client:
        asked = asker.send(client, dialect.name, dialect, stream=True, **(WANTED if dialect is OPENAI else {}))
        response = asked.reply()
    assert response.body == body and response.is_chunked
    assert response.field("content-type") == "text/event-stream; charset=utf-8"
    asker.expect(asked.trace, **COUNTED)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
def test_the_usage_event_nobody_asked_for_is_taken_out(
    asker: Asker, upstream: Upstream, ending: bytes, size: int
) -> None:
    """The gateway asks for usage itself and takes out exactly the event that only carries it."""
    body = b"".join(OPENAI_EVENTS).replace(b"\n", ending)
    upstream.play(pieces(body, size))
    with asker.connect() as client:
        asked = asker.send(client, "openai", stream=True, stream_options={"include_obfuscation": False})
        response = asked.reply()
    assert response.body == body.replace(USAGE_EVENT.replace(b"\n", ending), b"")
    assert json.loads(upstream.received[-1].body)["stream_options"] == {
        "include_usage": True,
        "include_obfuscation": False,
    }
    asker.expect(asked.trace, **COUNTED)


def test_a_stream_of_known_length_loses_its_length_with_its_event(asker: Asker, upstream: Upstream) -> None:
    """Where an event is taken out of a body with Content-Length, the caller still gets a whole reply."""
    body = b"".join(OPENAI_EVENTS)
    upstream.play([send(head(200, [*SSE_FIELDS, ("content-length", str(len(body)))]) + body)])
    with asker.connect() as client:
        asked = asker.send(client, "openai", stream=True)
        assert asked.reply().body == body.replace(USAGE_EVENT, b"")
        assert asker.send(client, "openai", stream=True, **WANTED).reply().body == body
    asker.expect(asked.trace, **COUNTED)


@pytest.mark.parametrize("text", [b'data: {"half":', b"data: {}\n", b"data: {}\n\n", b"data: {}\r\n\r\n", b"d"])
def test_an_error_event_stands_on_its_own(asker: Asker, upstream: Upstream, text: bytes) -> None:
    """Where a stream breaks within an event, that event is ended first: the error is never glued to half a line."""
    upstream.play([send(SSE_HEAD + chunk(text)), close()])
    with asker.connect() as client:
        asked = asker.send(client, "openai", stream=True, **WANTED)
        body = asked.broken_reply()
    assert body.startswith(text)
    assert body[len(text) :].lstrip(b"\n").startswith(b'data: {"error":')
    assert b'\n\ndata: {"error"' in body or b'\r\n\r\ndata: {"error"' in body
    asker.expect(asked.trace, error="upstream_reset", outcome="failed")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_an_event_is_not_held_back(asker: Asker, upstream: Upstream, dialect: Dialect) -> None:
    """Each event is at the caller before the provider sends the next one; the head is there before the first."""
    events = {
        OPENAI: [*OPENAI_EVENTS[:2], DONE],
        ANTHROPIC: ANTHROPIC_EVENTS,
        GEMINI: [event(piece) for piece in GEMINI_PIECES],
    }[dialect]
    gates = [Gate() for _ in range(len(events) + 1)]
    steps: list[Step] = [send(SSE_HEAD), pause(gates[0])]
    for text, gate in zip(events, gates[1:], strict=True):
        steps += [send(chunk(text)), pause(gate)]
    upstream.play([*steps, send(LAST_CHUNK)])
    with asker.connect(timeout_s=3) as client:
        asker.send(client, dialect.name, dialect, stream=True)
        assert b"200 OK" in client.read_until(b"\r\n\r\n")
        for text, gate in zip(events, gates, strict=False):
            gate.release()
            assert client.read_until(b"\n\n\r\n").endswith(text + b"\r\n")
        gates[-1].release()
        assert client.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"


def test_an_array_of_pieces_streams_as_it_comes(asker: Asker, upstream: Upstream) -> None:
    """Gemini without alt=sse: pieces of a JSON array pass at once and unchanged, with usage in the record."""
    first = b"[" + json.dumps(GEMINI_PIECES[0]).encode()
    rest = b",\r\n" + json.dumps(GEMINI_PIECES[1]).encode() + b"]"
    gate = Gate()
    upstream.play(
        [
            send(JSON_HEAD + chunk(first)),
            pause(gate),
            *(send(chunk(rest[at : at + 5])) for at in range(0, len(rest), 5)),
            send(LAST_CHUNK),
        ]
    )
    trace, fields = asker.fields(GEMINI)
    with asker.connect(timeout_s=3) as client:
        body = json.dumps(GEMINI.body("gemini", True)).encode()
        client.send(
            b"POST /v1beta/models/gemini:streamGenerateContent HTTP/1.1\r\nhost: test\r\n",
            *field_lines(fields),
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body),
            body,
        )
        client.read_until(b"\r\n\r\n")
        assert client.read_until(b"\r\n") + client.read_bytes(len(first)) == b"%x\r\n%b" % (len(first), first)
        gate.release()
        client.read_until(b"0\r\n\r\n")
    asker.expect(trace, **COUNTED)


def field_lines(fields: list[tuple[str, str]]) -> list[bytes]:
    return [f"{name}: {value}\r\n".encode() for name, value in fields]


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("size", [100, 19_000, 400_000])
def test_long_replies_stream_through_with_their_usage(
    asker: Asker, upstream: Upstream, size: int, chunked: bool
) -> None:
    """A JSON reply longer than buffer_reply_bytes is not held; either way it is whole and its usage is recorded."""
    text = json.dumps(
        {"choices": [{"message": {"content": "a" * size}}], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}
    ).encode()
    fields = [("content-type", "application/json")]
    upstream.play(
        [send(JSON_HEAD), *(send(chunk(text[at : at + 9000])) for at in range(0, len(text), 9000)), send(LAST_CHUNK)]
        if chunked
        else [send(head(200, [*fields, ("content-length", str(len(text)))]) + text)]
    )
    with asker.connect() as client:
        asked = asker.send(client, "openai")
        response = asked.reply()
    assert response.body == text
    assert response.field("x-fastgw-cost-usd") == ("0.000025" if len(text) <= 20_000 else None)
    asker.expect(asked.trace, **{**COUNTED, "flags": ""}, reply_bytes=len(text))


def test_an_encoded_body_passes_unchanged(asker: Asker, upstream: Upstream) -> None:
    """What a provider compresses all the same is passed on as it is; the usage is estimated."""
    for fields, stream in (([("content-type", "application/json")], False), (SSE_FIELDS, True)):
        body = gzip.compress(b"".join(OPENAI_EVENTS))
        upstream.play(
            [send(head(200, [*fields, ("content-encoding", "gzip"), ("content-length", str(len(body)))]) + body)]
        )
        with asker.connect() as client:
            asked = asker.send(client, "openai", stream=stream, **(WANTED if stream else {}))
            response = asked.reply()
        assert (response.body, response.field("content-encoding")) == (body, "gzip")
        asker.expect(asked.trace, flags="streamed,estimated" if stream else "estimated", outcome="served")
    upstream.play(
        [
            send(
                head(200, [*SSE_FIELDS, ("content-encoding", "gzip"), ("transfer-encoding", "chunked")])
                + chunk(body[:20])
            ),
            close(),
        ]
    )
    with asker.connect() as client:
        assert asker.send(client, "openai", stream=True, **WANTED).broken_reply() == body[:20]


def test_bodies_that_are_no_json_are_not_held(asker: Asker, upstream: Upstream) -> None:
    """Speech comes as it is made: the first bytes are at the caller before the last ones exist."""
    gate = Gate()
    upstream.play(
        [
            send(
                head(200, [("content-type", "audio/mpeg"), ("transfer-encoding", "chunked")]) + chunk(b"\xff\xfb first")
            ),
            pause(gate),
            send(chunk(b"second") + LAST_CHUNK),
        ]
    )
    trace, fields = asker.fields()
    with asker.connect(timeout_s=3) as client:
        speak(client, fields)
        client.read_until(b"first\r\n")
        gate.release()
        assert client.read_until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"
    asker.expect(trace, outcome="served", status=200)


def speak(client: RawClient, fields: list[tuple[str, str]]) -> None:
    body = b'{"model":"openai","input":"hello","voice":"alloy"}'
    client.send(
        b"POST /v1/audio/speech HTTP/1.1\r\nhost: test\r\n",
        *field_lines(fields),
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body),
        body,
    )
