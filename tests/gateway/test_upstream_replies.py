"""Replies that are unusual and right: every framing, interim ones, ones without a body; and those that take long."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.fakes.script import (
    Script,
    bytes_reply,
    chunk,
    close,
    flush_then_reset,
    head,
    json_reply,
    reset,
    send,
    trickle,
)
from tests.fakes.upstream import SSE_FIELDS, Upstream
from tests.gateway.asking import LONG_TIMES, OPENAI, Asker, configuration, integration
from tests.gateway.running import RunningGateway
from tests.patience import SLOW_DAY_S

BODY = b'{"id":"ok","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}'
JSON = [("content-type", "application/json")]
CHUNKED = [*JSON, ("transfer-encoding", "chunked")]
OK = bytes_reply(BODY, fields=JSON)
HASTY = {**LONG_TIMES, "first_byte_ms": 600, "total_ms": 900}
EXTENDED = b"%x;name=value\r\n%b\r\n0\r\nx-trailer: yes\r\n\r\n" % (len(BODY), BODY)

FRAMINGS: dict[str, tuple[Script, bool]] = {
    "known length": (OK, True),
    "chunked": (bytes_reply(BODY, fields=JSON, chunked=True), True),
    "chunk extensions and trailers": ([send(head(200, CHUNKED) + EXTENDED)], True),
    "byte by byte": ([trickle(head(200, CHUNKED) + chunk(BODY[:9]) + chunk(BODY[9:]) + b"0\r\n\r\n")], True),
    "until close": ([send(head(200, JSON) + BODY[:5]), send(BODY[5:]), close()], False),
    "until close, HTTP/1.0": (
        [send(b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + BODY), close()],
        False,
    ),
    "interim replies": ([send(head(100)), send(head(103, [("link", "</x>")]) * 3 + head(102)), *OK], True),
    "interim reply in pieces": (
        [trickle(head(103, [("link", "</x>")]) + head(200, [*JSON, ("content-length", str(len(BODY)))])), send(BODY)],
        True,
    ),
    "no reason phrase": (
        [send(b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)],
        True,
    ),
    "200 fields": (
        [send(head(200, [*JSON, ("content-length", str(len(BODY))), *((f"x-{at}", "v") for at in range(198))]) + BODY)],
        True,
    ),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(OK) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def asker(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    with RunningGateway(
        tmp_path_factory.mktemp("replies"),
        configuration(integration("openai", upstream.url, times=LONG_TIMES), integration("hasty", upstream.url, times=HASTY)),
    ) as gateway:
        asker = Asker(gateway)
        yield asker
        asker.check_records()
        assert "Traceback" not in gateway.log()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_reply_of_any_framing_arrives_whole(asker: Asker, upstream: Upstream, framing: str) -> None:
    """However a provider frames its reply, the caller gets one body; the connection is kept where it can be."""
    script, is_kept = FRAMINGS[framing]
    upstream.play(script)
    for _ in range(2):
        with asker.connect() as client:
            asked = asker.send(client, "openai")
            response = asked.reply()
        assert (response.status, response.body, response.field("content-length")) == (200, BODY, str(len(BODY)))
        assert response.field("x-trailer") is None and response.field("link") is None
        asker.expect(asked.trace, outcome="served", input_tokens=3, output_tokens=4, flags="", attempts=1)
    first, second = upstream.received[-2:]
    assert (first.connection is second.connection) == is_kept


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("fields", [[], [("etag", '"x"')]], ids=["bare", "with fields"])
def test_a_reply_without_a_body_has_none(
    asker: Asker, upstream: Upstream, status: int, fields: list[tuple[str, str]]
) -> None:
    """204 and 304 end with their head, whatever is on the connection after them."""
    upstream.play([send(head(status, fields))])
    with asker.connect() as client:
        for _ in range(2):
            trace, more = asker.fields()
            response = client.ask("GET", "/v1/files/f", fields=[*more, ("x-fastgw-integration", "openai")])
            assert (response.status, response.body, response.field("transfer-encoding")) == (status, b"", None)
            asker.expect(trace, status=status, upstream_status=status, outcome="served", reply_bytes=0)
    assert upstream.received[-1].connection is upstream.received[-2].connection


def test_a_reply_to_head_has_fields_and_no_body(asker: Asker, upstream: Upstream) -> None:
    """HEAD is passed on as HEAD; the length it states is not waited for, on either side."""
    upstream.play([send(head(200, [("content-type", "text/plain"), ("content-length", "5000")]))])
    with asker.connect() as client:
        for _ in range(2):
            trace, more = asker.fields()
            response = client.ask("HEAD", "/v1/files/f", fields=[*more, ("x-fastgw-integration", "openai")])
            assert (response.status, response.body, response.field("content-length")) == (200, b"", "5000")
            asker.expect(trace, status=200, outcome="served")
    assert [item.method for item in upstream.received[-2:]] == ["HEAD", "HEAD"]
    assert upstream.received[-1].connection is upstream.received[-2].connection


def test_a_body_after_204_is_not_the_next_reply(asker: Asker, upstream: Upstream) -> None:
    """A provider that sends a body where there is none loses the connection, not the next caller its reply."""
    upstream.play([send(head(204) + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")])
    with asker.connect() as client:
        _, more = asker.fields()
        assert client.ask("DELETE", "/v1/files/f", fields=[*more, ("x-fastgw-integration", "openai")]).status == 204
    upstream.play(OK)
    assert asker.ask("openai")[0].body == BODY


def test_a_reply_that_trickles_ends_with_total_ms(asker: Asker, upstream: Upstream) -> None:
    """A provider that sends a byte now and then keeps nobody beyond total_ms or, before the head, first_byte_ms."""
    upstream.play([send(head(200, CHUNKED)), trickle(chunk(b" ") * 400, 6, gap_ms=20)])
    started = time.monotonic()
    asker.refused("hasty", OPENAI, 504, "upstream_timeout", upstream_status=200, flags="estimated")
    assert 0.85 <= time.monotonic() - started < 0.9 + SLOW_DAY_S
    upstream.play([trickle(head(200, [("x", "y" * 400)]), 1, gap_ms=20)])
    started = time.monotonic()
    asker.refused("hasty", OPENAI, 504, "upstream_timeout", upstream_status=0, flags="", input_tokens=0)
    assert 0.55 <= time.monotonic() - started < 0.6 + SLOW_DAY_S


def test_a_stream_that_breaks_where_it_could_end_is_not_taken_for_whole(asker: Asker, upstream: Upstream) -> None:
    """A body that lasts until the connection ends is whole with its FIN, and broken with a reset."""
    upstream.play([send(head(200, SSE_FIELDS) + b"data: {}\n\n"), *flush_then_reset()])
    with asker.connect() as client:
        asked = asker.send(client, "openai", stream=True, stream_options={"include_usage": True})
        assert b"upstream_reset" in asked.broken_reply()
    asker.expect(asked.trace, outcome="failed", error="upstream_reset", status=200)


def test_a_connection_of_a_caller_outlives_its_providers_faults(asker: Asker, upstream: Upstream) -> None:
    """After an error the next request on the same connection is served."""
    with asker.connect() as client:
        for script, status in (([reset()], 502), (OK, 200), ([send(b"rubbish\r\n\r\n")], 502), (OK, 200)):
            upstream.play(script)
            assert asker.send(client, "openai").reply().status == status
        upstream.play(json_reply({"error": {"message": "busy"}}, status=429, fields=[("retry-after", "7")]))
        response = asker.send(client, "openai").reply()
        assert (response.status, response.field("retry-after")) == (429, "7")
