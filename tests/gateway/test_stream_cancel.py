"""Callers that leave, and sides that are slow: requests end at once, and memory stays bounded."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.framing import Fields
from tests.fakes.raw_client import RawClient, request
from tests.fakes.script import (
    Gate,
    Script,
    chunk,
    close,
    event,
    flood,
    hang,
    head,
    json_reply,
    pause,
    resume_reading,
    send,
    stop_reading,
    wait_for_close,
    wait_for_request,
)
from tests.fakes.upstream import SSE_FIELDS, Connection, Upstream
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
from tests.gateway.running import SERVER, RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

# Granian has buffers of its own between its threads and ours.
GROWTH_KIB = 16_384 if SERVER else 4096

OK = json_reply({"id": "ok", "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
SSE_HEAD = head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")])
FIRST = {
    OPENAI: event({"choices": [{"index": 0, "delta": {"content": "Paris is"}}]}),
    ANTHROPIC: event(
        {"type": "message_start", "message": {"usage": {"input_tokens": 21, "output_tokens": 1}}}, "message_start"
    ),
    GEMINI: event({"candidates": [{"content": {"parts": [{"text": "Paris is"}]}}]}),
}
MIB = 1 << 20
UPLOAD_BYTES = 48 * MIB
CANCEL_NS = 50_000_000
PATIENT = {**LONG_TIMES, "connect_ms": 60_000}
MOST_ROUNDS = 8       # on a busy machine each may be late, but not all of them


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(OK) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def asker(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second, socket.socket() as third:
        # its queue is full: whoever connects gets no answer
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for filler in (first, second, third):
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
        tables = [integration(dialect.name, upstream.url, dialect.provider, times=LONG_TIMES) for dialect in DIALECTS]
        tables.append(
            integration("silent", f"http://127.0.0.1:{silent.getsockname()[1]}", times=PATIENT, max_connections=1)
        )
        with RunningGateway(tmp_path_factory.mktemp("cancel"), configuration(*tables)) as gateway:
            asker = Asker(gateway)
            yield asker
            asker.check_records()
            assert "Traceback" not in gateway.log()


def quickest_cancel(upstream: Upstream, begin: Callable[[RawClient], None], asker: Asker) -> int:
    """Nanoseconds from a caller's leaving to the end of its upstream connection: the best of three, or of more where all were slow."""
    found: list[int] = []
    for leave in (RawClient.close, RawClient.reset, RawClient.half_close) * MOST_ROUNDS:
        if len(found) >= 3 and min(found) < CANCEL_NS:
            break
        client = asker.connect()
        begin(client)
        connection = upstream.received[-1].connection
        left = time.monotonic_ns()
        leave(client)
        assert connection.closed.wait(PATIENCE_S) and connection.closed_at_ns is not None
        found.append(connection.closed_at_ns - left)
        client.close()
    return min(found)


def test_a_caller_that_leaves_before_the_head_ends_the_request(asker: Asker, upstream: Upstream) -> None:
    """Close, reset or half-close: the upstream request ends within 50 ms; the record is cancelled and estimated."""
    upstream.play(hang())

    def begin(client: RawClient) -> None:
        count = len(upstream.received)
        asked = asker.send(client, "openai")
        upstream.wait(count + 1)
        asker.expect(
            asked.trace, outcome="cancelled", error="client_gone", status=0, upstream_status=0, flags="estimated"
        )

    assert quickest_cancel(upstream, begin, asker) < CANCEL_NS


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_caller_that_leaves_in_mid_stream_pays_for_what_it_saw(
    asker: Asker, upstream: Upstream, dialect: Dialect
) -> None:
    """The upstream request ends within 50 ms; what went by is billed, marked estimated."""
    upstream.play([send(SSE_HEAD + chunk(FIRST[dialect])), wait_for_close()])
    tokens = {"input_tokens": 21, "output_tokens": 1} if dialect is ANTHROPIC else {"output_tokens": 3}

    def begin(client: RawClient) -> None:
        asked = asker.send(
            client,
            dialect.name,
            dialect,
            stream=True,
            **({"stream_options": {"include_usage": True}} if dialect is OPENAI else {}),
        )
        client.read_until(FIRST[dialect])
        asker.expect(
            asked.trace,
            outcome="cancelled",
            error="client_gone",
            status=200,
            upstream_status=200,
            flags="streamed,estimated",
            **tokens,
        )

    assert quickest_cancel(upstream, begin, asker) < CANCEL_NS


def test_a_caller_that_leaves_while_connecting_frees_its_place(asker: Asker, upstream: Upstream) -> None:
    """A connection that is still being made ends with its caller, and who waited behind it is no longer in the way."""
    with asker.connect() as first, asker.connect() as second:
        traces = [asker.send(first, "silent").trace, asker.send(second, "silent").trace]
        first.expect_nothing(30)
    for trace in traces:
        record = asker.record(trace)
        assert (record["outcome"], record["error"], record["attempts"], record["cost_nano_usd"]) == (
            "cancelled",
            "client_gone",
            0,
            0,
        )
        assert record["finished_ns"] < SLOW_DAY_S * 1e9


def test_a_caller_that_leaves_in_its_upload_ends_it(asker: Asker, upstream: Upstream) -> None:
    """An upload that breaks off breaks off upstream as well: the provider never sees it as whole."""
    upstream.play([wait_for_request(), *OK])
    count = len(upstream.received)
    trace, fields = asker.fields()
    with asker.connect() as client:
        client.send(upload_head(fields, 1000) + b"x" * 400)
        asker.gateway.wait_until(lambda: len(upstream.received) > count, "the upload's head")
    assert upstream.received[-1].connection.closed.wait(PATIENCE_S)
    assert not upstream.received[-1].whole.is_set()
    asker.expect(trace, outcome="cancelled", error="client_gone", request_bytes=400)


def upload_head(fields: Fields, size: int) -> bytes:
    whole = request(
        "POST",
        "/v1/files",
        b"x",
        [*fields, ("x-fastgw-integration", "openai"), ("content-type", "application/octet-stream")],
    )
    return whole.removesuffix(b"x").replace(
        b"content-length: 1\r\n", b"content-length: %d\r\n" % size if size else b"transfer-encoding: chunked\r\n"
    )


def test_a_slow_caller_pauses_the_provider(asker: Asker, upstream: Upstream) -> None:
    """A stream of 200 MB to a caller that does not read stops at the provider; once it reads, it gets every byte."""
    total = 200 * MIB
    piece = chunk(b"data: " + b"a" * 65522 + b"\n\n")
    upstream.play([send(SSE_HEAD), flood(piece, total), send(b"0\r\n\r\n")])
    before = asker.pss_kib()
    with asker.connect(receive_buffer_bytes=65536) as client:
        trace = asker.send(client, "anthropic", ANTHROPIC, stream=True).trace
        client.read_until(b"\r\n\r\n")
        connection = upstream.received[-1].connection
        assert settles(lambda: connection.sent_bytes) < 32 * MIB
        assert asker.pss_kib() < before + GROWTH_KIB
        peak, looks, got = 0, 0, len(client.unread)
        while not client.unread.endswith(b"\r\n0\r\n\r\n"):
            client.unread[:] = client.unread[-16:]
            size = len(client.unread)
            assert client._receive()
            got += len(client.unread) - size
            if got >> 25 > looks:
                looks = got >> 25
                peak = max(peak, asker.pss_kib())
    assert total * 0.999 < got < total * 1.01      # whoever merges chunks needs less framing
    assert max(peak, asker.pss_kib()) < before + GROWTH_KIB
    asker.expect(trace, outcome="served", status=200)


def settles(read: Callable[[], int]) -> int:
    """The value that stays as it is for a while."""
    value, since = read(), time.monotonic()
    while time.monotonic() - since < 0.15:
        time.sleep(0.005)
        if read() != value:
            value, since = read(), time.monotonic()
    return value


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_a_slow_provider_pauses_an_uploading_caller(asker: Asker, upstream: Upstream, chunked: bool) -> None:
    """An upload is streamed: it stops in the kernel while the provider does not read, and arrives whole."""
    gate = Gate()
    upstream.play([stop_reading(), pause(gate), resume_reading(), wait_for_request(), *OK])
    before = asker.pss_kib()
    trace, fields = asker.fields()
    piece = b"x" * 65536
    framed = chunk(piece) if chunked else piece
    body = memoryview(framed * (UPLOAD_BYTES // len(piece)) + (b"0\r\n\r\n" if chunked else b""))
    with asker.connect() as client:
        client.send(upload_head(fields, 0 if chunked else UPLOAD_BYTES))
        assert gate.reached.wait(PATIENCE_S)
        client.socket.setblocking(False)
        sent = 0

        def push() -> int:
            nonlocal sent
            try:
                sent += client.socket.send(body[sent:])
            except BlockingIOError:
                pass
            return sent

        assert settles(push) < 24 * MIB + GROWTH_KIB * 1024
        assert asker.pss_kib() < before + GROWTH_KIB
        gate.release()
        client.socket.settimeout(PATIENCE_S)
        client.socket.sendall(body[sent:])
        assert client.read_response().status == 200
    received = upstream.received[-1]
    assert len(received.body) == UPLOAD_BYTES and received.body.count(b"x") == UPLOAD_BYTES
    assert asker.pss_kib() < before + GROWTH_KIB
    asker.expect(trace, outcome="served", request_bytes=UPLOAD_BYTES, operation="files")


@pytest.mark.parametrize("ending", [[wait_for_close()], [close()]], ids=["stays open", "closes"])
def test_a_reply_before_the_upload_is_done_reaches_the_caller(asker: Asker, upstream: Upstream, ending: Script) -> None:
    """A provider that has seen enough is heard at once; the rest of the upload goes nowhere."""
    refusal = json_reply({"error": {"message": "too large"}}, status=413)

    async def begin_early(connection: Connection) -> None:
        return None

    begin_early.__qualname__ = "wait_for_request of nothing"  # the script begins with the head
    upstream.play([begin_early, *refusal, *ending])
    trace, fields = asker.fields()
    with asker.connect() as client:
        client.send(upload_head(fields, UPLOAD_BYTES) + b"x" * 100_000)
        response = client.read_response()
        assert (response.status, response.field("connection")) == (413, "close")
        assert response.json() == {"error": {"message": "too large"}}
    assert upstream.received[-1].connection.closed.wait(PATIENCE_S)
    asker.expect(trace, status=413, upstream_status=413, outcome="failed", error="upstream_status")
    upstream.play(OK)


def test_an_upload_waits_for_its_connection(asker: Asker, upstream: Upstream) -> None:
    """What of an upload comes before there is a connection goes first once there is one."""
    upstream.play([wait_for_request(), *OK])
    for at in range(3):
        trace, fields = asker.fields()
        body = bytes(range(256)) * 40
        with asker.connect() as client:
            client.send(upload_head(fields, len(body)) + body[: at * 100])
            client.send(body[at * 100 : 5000], body[5000:])
            assert client.read_response().status == 200
        assert upstream.received[-1].body == body
        asker.expect(trace, outcome="served", request_bytes=len(body))
