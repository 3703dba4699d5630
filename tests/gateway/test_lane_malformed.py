"""What is not well-formed HTTP is answered in words, recorded once, and never forwarded."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient, request
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.lane_gateway import CHAT, REPLY, arrived, assert_untouched, auth, chat, code_of, config, get, record_of, trace_of
from tests.gateway.running import KEY, RunningGateway

MIB = 1 << 20
HOST = b"host: test\r\nauthorization: Bearer " + KEY.encode() + b"\r\n"
POST = b"POST /v1/files HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    text = config(upstream.url, f"[gateway]\nmax_body_bytes = {MIB}\n")
    with RunningGateway(tmp_path_factory.mktemp("malformed"), text) as running:
        yield running


BROKEN = {
    "no request line": (b"\x00\x01\x02\x03\r\n\r\n", 400, "malformed_http"),
    "a TLS greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 500, 400, "malformed_http"),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400, "malformed_http"),
    "a tab in the request line": (b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed_http"),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed_http"),
    "a bare line feed": (b"GET / HTTP/1.1\nhost: x\n\n", 400, "malformed_http"),
    "a space before the colon": (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400, "malformed_http"),
    "a folded field": (b"GET / HTTP/1.1\r\n" + HOST + b"x: a\r\n b\r\n\r\n", 400, "malformed_http"),
    "a zero byte in a value": (b"GET / HTTP/1.1\r\n" + HOST + b"x: a\x00b\r\n\r\n", 400, "malformed_http"),
    "a bare CR in a value": (b"GET / HTTP/1.1\r\n" + HOST + b"x: a\rb\r\n\r\n", 400, "malformed_http"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed_http"),
    "two hosts": (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, "malformed_http"),
    "another host in the target": (b"GET http://evil/ HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed_http"),
    "CONNECT": (b"CONNECT evil:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501, "method_unknown"),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 501, "method_unknown"),
    "a small method": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 501, "method_unknown"),
    "HTTP/2.0": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501, "method_unknown"),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505, "http_version_unknown"),
    "a negative length": (POST + b"content-length: -1\r\n\r\n", 400, "malformed_http"),
    "a length with a plus": (POST + b"content-length: +5\r\n\r\nhello", 400, "malformed_http"),
    "a length in hex": (POST + b"content-length: 0x5\r\n\r\nhello", 400, "malformed_http"),
    "a length beyond 2**53": (POST + b"content-length: 99999999999999999999\r\n\r\n", 400, "malformed_http"),
    "a chunk size that is none": (POST + CHUNKED + b"\r\nzz\r\n", 400, "malformed_http"),
    "a chunk without its end": (POST + CHUNKED + b"\r\n3\r\nabcdef\r\n0\r\n\r\n", 400, "malformed_http"),
    "a chunk of 2**60": (POST + CHUNKED + b"\r\n1000000000000000\r\n", 400, "malformed_http"),
    "a broken trailer": (POST + CHUNKED + b"\r\n0\r\nx y: z\r\n\r\n", 400, "malformed_http"),
    "201 fields": (b"GET / HTTP/1.1\r\n" + b"host: x\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431, "head_too_large"),
    "a head of 64 KiB": (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", 431, "head_too_large"),
    "a target of 64 KiB": (b"GET /" + b"a" * 70_000, 431, "head_too_large"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_requests_are_refused_in_words(gateway: RunningGateway, upstream: Upstream, name: str) -> None:
    """A request that is not well-formed gets a JSON error, leaves one record and ends the connection, alone or pipelined."""
    wire, status, code = BROKEN[name]
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        client.send(get("/v1/models", "good") + wire + SMUGGLED)
        assert trace_of(client.read_response()) == "good"
        reply = client.read_response()
        assert (reply.status, code_of(reply), reply.field("connection")) == (status, code, "close")
        assert client.read_until_close() == b""
    assert all(received.target == "/v1/files" for received in upstream.received[before:])


def test_each_malformed_request_leaves_one_record(gateway: RunningGateway) -> None:
    """Each of them is recorded exactly once, as refused, with its status and its code."""
    expected: dict[str | None, tuple[int, str, str]] = {}
    for wire, status, code in BROKEN.values():
        with RawClient(gateway.url) as client:
            client.send(wire)
            expected[client.read_response().field("x-fastgw-request-id")] = (status, code, "refused")

    def found() -> list[dict[str, Any]]:
        return [row for row in gateway.records() if row["id"] in expected]

    gateway.wait_until(lambda: len(found()) >= len(expected), "a record of each")
    assert len(found()) == len(expected)
    assert {row["id"]: (row["status"], row["error"], row["outcome"]) for row in found()} == expected


AMBIGUOUS = {
    "length and chunked": POST + b"content-length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and length": POST + CHUNKED + b"content-length: 400\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"content-length: 0\r\ncontent-length: 400\r\n\r\n" + SMUGGLED,
    "the same length twice": POST + b"content-length: 1\r\ncontent-length: 1\r\n\r\nx" + SMUGGLED,
    "a list of lengths": POST + b"content-length: 1, 1\r\n\r\nx" + SMUGGLED,
    "two codings": POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
    "gzip, chunked": POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "identity": POST + b"transfer-encoding: identity\r\n\r\n" + SMUGGLED,
    "xchunked": POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked after a tab and a CR": POST + b"transfer-encoding:\tchunked\r\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked after 0x0b": POST + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a coding's name with a space": POST + b"transfer-encoding : chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a folded coding": POST + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
    "a length behind a bare LF": POST + b"x: y\ncontent-length: 400\r\n\r\n" + SMUGGLED,
    "a length behind a bare CR": POST + b"x: y\rcontent-length: 400\r\n\r\n" + SMUGGLED,
    "a chunk size with a space": POST + CHUNKED + b"\r\n0 \r\n\r\n" + SMUGGLED,
    "a chunk size with 0x": POST + CHUNKED + b"\r\n0x0\r\n\r\n" + SMUGGLED,
    "an extension with a bare LF": POST + CHUNKED + b"\r\n0;a\n\r\n\r\n" + SMUGGLED,
    "a chunk that ends with LF alone": POST + CHUNKED + b"\r\n1\r\nx\n0\r\n\r\n" + SMUGGLED,
    "a space in the target": b"POST /v1/files HTTP/1.1 /x HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a fragment in the target": b"POST /v1/files#x HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_nothing_ambiguous_reaches_the_provider(gateway: RunningGateway, upstream: Upstream, name: str) -> None:
    """What two servers could read differently is refused, whole or byte by byte, and what hides behind it is never served."""
    wire = AMBIGUOUS[name]
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        with RawClient(gateway.url) as client:
            try:
                client.send(*pieces)
            except ConnectionError:
                pass            # refused before the last of it was sent
            reply = client.read_response()
            assert (reply.status, code_of(reply)) == (400, "malformed_http")
            assert client.read_until_close() == b""
    assert not [received for received in upstream.received if "smuggled" in received.target]
    assert not upstream.errors


HIDDEN = [
    POST + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    POST + CHUNKED + b"\r\n%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n",
    b"POST /v1/files HTTP/1.1\r\n" + HOST.replace(b"Bearer", b"Bearer wrong") + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    b"POST /v1/models HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    b"GET /v1/models HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    b"GET /healthz HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n",
    b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
]


@pytest.mark.parametrize("wire", HIDDEN)
@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_a_body_is_never_taken_for_a_request(gateway: RunningGateway, upstream: Upstream, wire: bytes, size: int) -> None:
    """A request hidden in the body of another is a body, whether that one is served, refused or answered by the gateway."""
    with RawClient(gateway.url) as client:
        try:
            client.send(*[wire[at : at + size] for at in range(0, len(wire), size)], get("/v1/models", "last"))
        except ConnectionError:
            pass
        found = client.read_until(b"\r\n\r\n")
        assert found
        client.half_close()
        client.read_until_close()
    assert not [received for received in upstream.received if "smuggled" in received.target]
    assert not upstream.errors


@pytest.mark.parametrize("chunk_bytes", [0, 60_000])
@pytest.mark.parametrize("target", [CHAT, "/v1/files"])
def test_bodies_beyond_the_limit_are_refused(
    gateway: RunningGateway, upstream: Upstream, target: str, chunk_bytes: int
) -> None:
    """A body of max_body_bytes passes, one byte more is answered 413, which the client sees even while it is still sending."""
    fields = [("content-type", "application/json"), *auth()]
    fill = MIB - len(b'{"model":"m","messages":[],"pad":""}')
    whole = b'{"model":"m","messages":[],"pad":"%b"}' % (b"p" * fill)
    assert len(whole) == MIB
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        client.send(request("POST", target, whole, fields, chunk_bytes=chunk_bytes))
        assert client.read_response().status == 200
    arrived(upstream, before)
    for size in (MIB + 1, 3 * MIB):
        with RawClient(gateway.url) as client:
            client.send(request("POST", target, b"x" * size, fields, chunk_bytes=chunk_bytes))
            reply = client.read_response()
            assert (reply.status, code_of(reply), reply.field("connection")) == (413, "body_too_large", "close")
            assert client.read_until_close() == b"" and record_of(gateway, reply)["outcome"] == "refused"
    if chunk_bytes == 0:
        assert_untouched(upstream, before + 1)


@pytest.mark.parametrize("wire, status", [
    (request("POST", CHAT, b"x" * (MIB // 2), [("authorization", "Bearer wrong")]), 401),
    (request("POST", CHAT, b"x" * (MIB // 2), [("authorization", "Bearer wrong")], chunk_bytes=1000), 401),
    (request("POST", "/nowhere", b"x" * (MIB // 2)), 404),
    (b"BROKEN\r\n" + b"x" * (MIB // 2), 400),
])
def test_the_whole_error_reaches_a_client_that_is_still_sending(gateway: RunningGateway, wire: bytes, status: int) -> None:
    """A refused client that sends its body to the end, and only then reads, finds the whole reply and an orderly end."""
    for _ in range(10):
        with RawClient(gateway.url, receive_buffer_bytes=4096) as client:
            client.send(*[wire[at : at + 20_000] for at in range(0, len(wire), 20_000)])
            reply = client.read_response()
            assert reply.status == status and code_of(reply)
            assert client.socket.recv(1) == b""


def test_heads_up_to_the_limits_are_served(gateway: RunningGateway, upstream: Upstream) -> None:
    """200 fields, and a head one byte below 64 KiB, are served and passed on whole."""
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        plain = get("/v1/files/x")
        client.send(get("/v1/files/x", fields=[(f"x-{number}", "v") for number in range(200 - plain.count(b": "))]))
        assert client.read_response().status == 200
        for size in (65_535, 65_536):
            client.send(get("/v1/files/x", fields=[("x-long", "v" * (size - len(plain) - len("x-long: \r\n")))]))
            assert client.read_response().status == 200
        client.send(chat("after"))
        assert trace_of(client.read_response()) == "after"
    many, longest = upstream.received[before : before + 2]
    assert b"x-150: v\r\n" in many.raw and len(longest.raw) > 60_000


def test_an_empty_line_before_a_request_is_forgiven(gateway: RunningGateway) -> None:
    """One CRLF between two requests, as old clients leave it, does no harm; an idle one starts no exchange."""
    with RawClient(gateway.url) as client:
        client.send(b"\r\n" + get("/v1/models", "a") + b"\r\n", get("/v1/models", "b"))
        assert [trace_of(client.read_response()) for _ in range(2)] == ["a", "b"]
