"""What the caller is told, and what is recorded, when a provider misbehaves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.script import (
    Gate,
    Script,
    bytes_reply,
    chunk,
    close,
    endless_head,
    event,
    flood,
    flush_then_reset,
    hang,
    head,
    json_reply,
    pause,
    reset,
    send,
    wait_for_close,
    wrong_length,
)
from tests.fakes.upstream import SSE_FIELDS, Upstream
from tests.gateway.asking import ANTHROPIC, DIALECTS, GEMINI, LONG_TIMES, OPENAI, TIMES, Asker, Dialect, configuration, integration
from tests.gateway.running import RunningGateway

JSON_CHUNKED = [("content-type", "application/json"), ("transfer-encoding", "chunked")]
SSE_CHUNKED = [*SSE_FIELDS, ("transfer-encoding", "chunked")]
FIRST_EVENT = {
    "openai": event({"choices": [{"index": 0, "delta": {"content": "Paris is"}}]}),
    "anthropic": event(
        {"type": "message_start", "message": {"usage": {"input_tokens": 21, "output_tokens": 1}}}, "message_start"
    ),
    "gemini": event({"candidates": [{"content": {"parts": [{"text": "Paris is"}]}}]}),
}
# what is billed of the first event: the text that went by, or what the provider said so far
SEEN: dict[str, dict[str, int]] = {
    "openai": {"output_tokens": 3},
    "anthropic": {"input_tokens": 21, "output_tokens": 1},
    "gemini": {"output_tokens": 3},
}

BEFORE_THE_REPLY: dict[str, tuple[Script, int, str]] = {
    "hangs": (hang(), 504, "upstream_timeout"),
    "head that stops": ([send(b"HTTP/1.1 200 OK\r\ncontent-le"), wait_for_close()], 504, "upstream_timeout"),
    "only interim replies": ([send(head(100) + head(103)), wait_for_close()], 504, "upstream_timeout"),
    "closes": ([close()], 502, "upstream_reset"),
    "resets": ([reset()], 502, "upstream_reset"),
    "closes in the head": ([send(b"HTTP/1.1 200 OK\r\ncontent-"), close()], 502, "upstream_reset"),
    "is no HTTP": ([send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")], 502, "upstream_bad_reply"),
    "two lengths": (
        [send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")],
        502,
        "upstream_bad_reply",
    ),
    "length and chunked": (
        [send(head(200, [("content-length", "1"), ("transfer-encoding", "chunked")]))],
        502,
        "upstream_bad_reply",
    ),
    "unknown coding": ([send(head(200, [("transfer-encoding", "gzip, chunked")]))], 502, "upstream_bad_reply"),
    "201 fields": ([send(head(200, [(f"x-{at}", "1") for at in range(201)]))], 502, "upstream_bad_reply"),
    "endless head": (endless_head(), 502, "upstream_bad_reply"),
    "head of 100 MB": (
        [send(b"HTTP/1.1 200 OK\r\nx-a: "), flood(b"a" * 65536, 100_000_000)],
        502,
        "upstream_bad_reply",
    ),
    "switches protocols": (
        [send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")],
        502,
        "upstream_bad_reply",
    ),
    "short JSON": (wrong_length(), 502, "upstream_reset"),
    "JSON that stops": (
        [send(head(200, [("content-type", "application/json"), ("content-length", "100")]) + b"{"), wait_for_close()],
        504,
        "upstream_timeout",
    ),
    "broken chunk in JSON": ([send(head(200, JSON_CHUNKED) + chunk(b'{"id":') + b"zz\r\n")], 502, "upstream_bad_reply"),
    "chunk without its end": ([send(head(200, JSON_CHUNKED) + b"2\r\n{}xx0\r\n\r\n")], 502, "upstream_bad_reply"),
    "reset in a chunk of JSON": (
        [send(head(200, JSON_CHUNKED) + b"ff\r\n{"), *flush_then_reset()],
        502,
        "upstream_reset",
    ),
    "close without last chunk": ([send(head(200, JSON_CHUNKED) + chunk(b"{}")), close()], 502, "upstream_reset"),
}
IN_THE_STREAM: dict[str, tuple[Script, str]] = {
    "reset in a chunk": ([send(b"ff\r\ndata: {"), *flush_then_reset()], "upstream_reset"),
    "closes": ([close()], "upstream_reset"),
    "broken chunk": ([send(b"zz\r\nrubbish\r\n")], "upstream_bad_reply"),
    "stops": ([wait_for_close()], "upstream_timeout"),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def asker(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    tables = [
        integration(f"{manner}-{dialect.name}", upstream.url, dialect.provider, times)
        for dialect in DIALECTS
        for manner, times in (("hasty", TIMES), ("patient", LONG_TIMES))
    ]
    with RunningGateway(tmp_path_factory.mktemp("faults"), configuration(*tables)) as gateway:
        asker = Asker(gateway)
        workers = gateway.worker_pids()
        yield asker
        asker.check_records()
        assert gateway.worker_pids() == workers
        assert "Traceback" not in gateway.log()


def integration_for(code: str, dialect: Dialect) -> str:
    """One that waits for long, so that what the machine takes is not taken for a fault, but where a timeout is expected."""
    return f"{'hasty' if code == 'upstream_timeout' else 'patient'}-{dialect.name}"


@pytest.mark.parametrize("fault", BEFORE_THE_REPLY)
def test_fault_before_a_reply_is_told_in_the_callers_dialect(asker: Asker, upstream: Upstream, fault: str) -> None:
    """A provider that breaks before its reply is there costs the caller one clear error, and leaves one record."""
    script, status, code = BEFORE_THE_REPLY[fault]
    upstream.play(script)
    # a timeout takes its time: one dialect is enough there
    for dialect in (OPENAI, ANTHROPIC, GEMINI) if status == 502 else (DIALECTS[len(fault) % 3],):
        before = len(upstream.received)
        asker.refused(integration_for(code, dialect), dialect, status, code, attempts=1)
        assert len(upstream.received) == before + 1


@pytest.mark.parametrize("fault", IN_THE_STREAM)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_fault_in_a_stream_ends_it_with_an_error_event(
    asker: Asker, upstream: Upstream, dialect: Dialect, fault: str
) -> None:
    """After the first byte: an error event in the caller's dialect and no last chunk; what was seen is billed."""
    script, code = IN_THE_STREAM[fault]
    first = FIRST_EVENT[dialect.name]
    gate = Gate()
    upstream.play([send(head(200, SSE_CHUNKED) + chunk(first)), pause(gate), *script])
    with asker.connect() as client:
        asked = asker.send(
            client,
            integration_for(code, dialect),
            dialect,
            stream=True,
            **({"stream_options": {"include_usage": True}} if dialect is OPENAI else {}),
        )
        begun = client.read_until(first)
        gate.release()
        body = asked.broken_reply(begun)
    assert body.startswith(first)
    last = body[len(first) :].split(b"\n\n")[-2]
    if dialect is ANTHROPIC:
        assert last.startswith(b"event: error\ndata: ")
    assert dialect.code(json.loads(last.rpartition(b"data: ")[2])) == code
    asker.expect(
        asked.trace,
        status=200,
        error=code,
        outcome="failed",
        upstream_status=200,
        flags="streamed,estimated",
        **SEEN[dialect.name],
    )


def test_wrong_length_that_is_too_short_loses_nothing_of_the_next_reply(asker: Asker, upstream: Upstream) -> None:
    """Bytes beyond Content-Length are not passed on, and their connection serves nobody else."""
    upstream.play(
        [send(head(200, [("content-type", "application/json"), ("content-length", "2")]) + b'{}{"stray":true}')]
    )
    first, _ = asker.ask("patient-openai")
    upstream.play(json_reply({"id": 2}))
    second, _ = asker.ask("patient-openai")
    assert (first.body, json.loads(second.body)) == (b"{}", {"id": 2})
    assert upstream.received[-1].connection is not upstream.received[-2].connection


def test_garbage_after_the_last_chunk_is_dropped(asker: Asker, upstream: Upstream) -> None:
    """What follows the last chunk reaches neither this caller nor the next."""
    upstream.play(
        [send(head(200, JSON_CHUNKED) + chunk(b"{}") + b"0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]
    )
    first, _ = asker.ask("patient-openai")
    upstream.play(bytes_reply(b'{"id":3}', fields=[("content-type", "application/json")]))
    second, _ = asker.ask("patient-openai")
    assert (first.body, second.body) == (b"{}", b'{"id":3}')
    assert upstream.received[-1].connection is not upstream.received[-2].connection


def test_memory_stays_bounded_through_faults(asker: Asker, upstream: Upstream) -> None:
    """Heads and bodies without an end do not stay in the worker's memory."""
    before = asker.pss_kib()
    endless_json = [send(head(200, JSON_CHUNKED)), flood(chunk(b" " * 16384), 1 << 28)]
    for script in (endless_head(1 << 26), endless_json):
        upstream.play(script)
        for _ in range(3):
            with asker.connect() as client:
                asker.send(client, "patient-openai")
                client.read_bytes(400)
    assert asker.pss_kib() < before + 16 * 1024
