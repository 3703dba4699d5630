"""The scripted upstream and the raw client do what their names say, since all gateway tests trust them."""
from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence

import pytest

from tests.fakes.framing import BodyReader, FramingError, split_head
from tests.fakes.raw_client import RawClient, request
from tests.fakes.upstream import (
    Gate,
    Script,
    Step,
    Upstream,
    broken_chunk,
    bytes_reply,
    close,
    endless_body,
    endless_head,
    event,
    half_close,
    hang,
    head,
    json_reply,
    pause,
    reset_in_chunk,
    send,
    slow,
    sse_reply,
    stop_reading,
    trickle,
    wait_for_close,
    wait_for_request,
    wrong_length,
)
from tests.patience import PATIENCE_S, SLOW_DAY_S

NS_PER_MS = 1_000_000


def test_request_is_recorded_as_it_came() -> None:
    """Method, target, fields in their order, decoded body and raw bytes are kept."""
    with (
        Upstream(json_reply({"ok": True}, status=201, fields=[("x-a", "b")])) as upstream,
        RawClient(upstream.url) as client,
    ):
        sent = request("PUT", "/a?b=c", b"0123456789", [("X-One", "1"), ("X-Two", "2")], chunk_bytes=4)
        client.send(sent)
        reply = client.read_response()
        assert (reply.status, reply.json(), reply.field("X-A")) == (201, {"ok": True}, "b")
        received = upstream.wait(1)[0]
        assert (received.method, received.target, received.path, received.body) == (
            "PUT",
            "/a?b=c",
            "/a",
            b"0123456789",
        )
        assert received.raw == sent and [name for name, _ in received.fields][1:3] == ["X-One", "X-Two"]
        assert received.field("x-two") == "2" and received.field("x-three") is None


def test_connection_serves_one_request_after_another() -> None:
    """Requests on one connection, pipelined too, are told apart."""
    with Upstream(bytes_reply(b"hi", chunked=True)) as upstream, RawClient(upstream.url) as client:
        client.send(request("POST", "/1", b"one") + request("POST", "/2", b"two", chunk_bytes=1) + request("GET", "/3"))
        assert [client.read_response().body for _ in range(3)] == [b"hi"] * 3
        assert [one.body for one in upstream.wait(3)] == [b"one", b"two", b""]
        assert len(upstream.connections) == 1


def test_routes_choose_and_take_turns() -> None:
    """A path may have one script or several; the last of several stays."""
    routes: dict[str, Script | Sequence[Script]] = {
        "/a": json_reply(1),
        "/b": [json_reply(1, 500), json_reply(2, 503), json_reply(3)],
    }
    with Upstream(json_reply(0), routes=routes) as upstream, RawClient(upstream.url) as client:
        assert [client.ask("GET", path).body for path in ("/a", "/b", "/b", "/b", "/b", "/c")] == [
            b"1",
            b"1",
            b"2",
            b"3",
            b"3",
            b"0",
        ]
        upstream.play(json_reply(9), "/a")
        assert client.ask("GET", "/a").body == b"9"


@pytest.mark.parametrize("chunked", [True, False])
def test_sse_reply_streams_events(chunked: bool) -> None:
    """Each event is a chunk, or the stream ends with the connection."""
    with Upstream(sse_reply([{"a": 1}, event("x", name="ping"), "[DONE]"], chunked=chunked)) as upstream:
        with RawClient(upstream.url) as client:
            reply = client.ask("GET", "/")
            assert reply.events() == [b'data: {"a": 1}\n\n', b"event: ping\ndata: x\n\n", b"data: [DONE]\n\n"]
            assert len(reply.chunks) == (3 if chunked else 0)


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        (broken_chunk(), "chunk size"),
        (wrong_length(), "ended inside"),
        ([send(b"HTTP/1.1 200\r\n"), close()], "expected a head"),
    ],
)
def test_broken_replies_are_noticed(script: Script, wrong: str) -> None:
    """The raw client fails on what is not exact."""
    with Upstream(script) as upstream, RawClient(upstream.url) as client:
        client.send(request("GET", "/"))
        with pytest.raises(FramingError, match=wrong):
            client.read_response()


def test_reset_in_chunk_delivers_a_part_and_resets() -> None:
    """The bytes arrive, then the reset does."""
    with Upstream(reset_in_chunk(b"half")) as upstream, RawClient(upstream.url) as client:
        client.send(request("GET", "/"))
        client.read_until(b"half")
        with pytest.raises(ConnectionResetError):
            client.read_bytes(1)


def test_endless_replies_come_as_fast_as_they_are_read() -> None:
    """Nobody's memory grows: what is sent stays near what is read."""
    for script in (endless_head(1 << 28), endless_body(1 << 28)):
        with Upstream(script) as upstream, RawClient(upstream.url) as client:
            client.send(request("GET", "/"))
            client.read_bytes(1 << 21)
            assert upstream.connections[0].sent_bytes < 1 << 25


@pytest.mark.parametrize(
    "script", [hang(), [pause(Gate())], [send(head(200, [("content-length", "9")])), wait_for_close()]]
)
def test_close_of_the_peer_is_told_at_once(script: Script) -> None:
    """The time of a close is known to milliseconds, in the middle of a script too."""
    with Upstream(script) as upstream:
        with RawClient(upstream.url) as client:
            client.send(request("POST", "/", b"body"))
            received = upstream.wait(1)[0]
            assert not received.connection.closed.is_set()
            left_at_ns = time.monotonic_ns()
        assert received.connection.closed.wait(PATIENCE_S)
        assert received.closed_at_ns is not None and 0 <= received.closed_at_ns - left_at_ns < SLOW_DAY_S * 1e9


def test_reset_of_the_peer_is_told_apart() -> None:
    """A reset is a close that is known to be one."""
    with Upstream(hang()) as upstream:
        client = RawClient(upstream.url)
        client.send(request("GET", "/"))
        received = upstream.wait(1)[0]
        client.reset()
        assert received.connection.closed.wait(PATIENCE_S) and received.connection.was_reset


def test_script_waits_for_the_test() -> None:
    """A script stands at a gate until it is opened."""
    gate = Gate()
    with Upstream([send(head(200, [("content-length", "2")]) + b"a"), pause(gate), send(b"b")]) as upstream:
        with RawClient(upstream.url) as client:
            client.send(request("GET", "/"))
            client.read_until(b"\r\n\r\na")
            assert gate.reached.wait(PATIENCE_S)
            client.expect_nothing(20)
            gate.release()
            assert client.read_bytes(1) == b"b"


def test_script_can_answer_before_the_body() -> None:
    """With wait_for_request in it, a script begins at the head."""
    script = [send(b"HTTP/1.1 100 Continue\r\n\r\n"), wait_for_request(), *json_reply("late")]
    with Upstream(script) as upstream, RawClient(upstream.url) as client:
        whole = request("POST", "/", b"body")
        client.send(whole[:-4])
        assert client.read_interim().status == 100
        client.send(b"body")
        assert client.read_response().json() == "late"
        assert upstream.wait(1)[0].body == b"body"


def test_upstream_can_stop_reading() -> None:
    """An upstream that does not read makes its peer wait."""
    with Upstream([stop_reading(), wait_for_request()]) as upstream, RawClient(upstream.url, timeout_s=0.2) as client:
        client.send(request("POST", "/", b"")[:-2].replace(b"content-length: 0", b"content-length: 99999999") + b"\r\n")
        with pytest.raises(TimeoutError):
            client.send(bytes(99999999))
        assert upstream.connections[0].received_bytes < 1 << 24


@pytest.mark.parametrize("ending", [half_close, close])
def test_connection_can_be_ended_by_the_script(ending: Callable[[], Step]) -> None:
    """After a close or half-close the client reads the end."""
    with (
        Upstream([trickle(b"HTTP/1.1 200 OK\r\n\r\nbody", 5), ending()]) as upstream,
        RawClient(upstream.url) as client,
    ):
        assert client.ask("GET", "/").body == b"body"


def test_slow_reply_waits() -> None:
    """A slow script plays after its delay."""
    with Upstream(slow(json_reply(1), 30)) as upstream, RawClient(upstream.url) as client:
        client.send(request("GET", "/"))
        client.expect_nothing(15)
        assert client.read_response().status == 200


def test_on_connect_speaks_first() -> None:
    """A script can be played before any request."""
    with Upstream(on_connect=[send(b"early"), close()]) as upstream, RawClient(upstream.url) as client:
        assert client.read_until_close() == b"early"


def test_tls_is_served_with_an_authority_of_its_own() -> None:
    """The CA's file is what a client needs to trust the upstream, and no client trusts it without."""
    with Upstream(json_reply(1), tls=True) as upstream:
        assert upstream.url.startswith("https://")
        with RawClient(upstream.url, tls=ssl.create_default_context(cafile=str(upstream.ca_file))) as client:
            assert client.ask("GET", "/").json() == 1
        with pytest.raises(ssl.SSLCertVerificationError):
            RawClient(upstream.url, tls=ssl.create_default_context())


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n", b"HTTP/1.1 200 OK\r\n a: b\r\n\r\n", b"HTTP/1.1 200 OK\r\na: b\nc\r\n\r\n"],
)
def test_head_is_read_strictly(raw: bytes) -> None:
    """Field lines that are not exact fail."""
    with pytest.raises(FramingError):
        split_head(raw)


@pytest.mark.parametrize("fields", [
    [("content-length", "1"), ("transfer-encoding", "chunked")], [("content-length", "1"), ("content-length", "1")],
    [("content-length", "+1")], [("transfer-encoding", "gzip, chunked")],
])
def test_body_has_one_framing(fields: list[tuple[str, str]]) -> None:
    """Two framings, or none that is known, fail."""
    with pytest.raises(FramingError):
        BodyReader(fields, is_request=False)


@pytest.mark.parametrize(("raw", "is_good"), [
    (b"3\r\nabc\r\n0\r\n\r\n", True), (b"3;x=y\r\nabc\r\n0\r\nt: r\r\n\r\n", True), (b"3\r\nabcd\r\n0\r\n\r\n", False),
    (b"0x3\r\nabc\r\n0\r\n\r\n", False), (b"-3\r\nabc\r\n0\r\n\r\n", False), (b" 3\r\nabc\r\n0\r\n\r\n", False),
])
def test_chunks_are_read_strictly(raw: bytes, is_good: bool) -> None:
    """Whole and byte by byte, good chunks are read and others fail."""
    for size in (len(raw), 1):
        reader = BodyReader([("transfer-encoding", "chunked")], is_request=False)
        pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        if is_good:
            for piece in pieces:
                reader.feed(piece)
            assert reader.done and bytes(reader.body) == b"abc" and not reader.rest
        else:
            with pytest.raises(FramingError):
                for piece in pieces:
                    reader.feed(piece)


def test_bytes_leave_at_once() -> None:
    """No connection waits for an acknowledgement before it sends a small piece (TCP_NODELAY)."""
    with Upstream(json_reply({})) as upstream, RawClient(upstream.url) as client:
        client.ask_json("/", {}, [])
        accepted = upstream.wait_for_connections(1)[0]._transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
