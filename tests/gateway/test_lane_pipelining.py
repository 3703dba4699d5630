"""Requests of one connection are read whatever their split, and answered in their order."""
from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.fakes.raw_client import RawClient, json_request, request
from tests.fakes.upstream import Upstream, bytes_reply, json_reply, wait_ms
from tests.gateway.lane_gateway import CHAT, REPLY, auth, chat, code_of, config, get, trace_of
from tests.gateway.running import RunningGateway


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    routes = {
        "/v1/slow": [wait_ms(30), *json_reply({"slow": True})],
        "/v1/chunked": bytes_reply(b"in one chunk", chunked=True),
        "/v1/big": bytes_reply(b"b" * 300_000),
    }
    with Upstream(json_reply(REPLY), routes=routes) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path_factory.mktemp("pipelining"), config(upstream.url)) as running:
        yield running


def test_connection_is_kept_from_one_request_to_the_next(gateway: RunningGateway, upstream: Upstream) -> None:
    """Fifty requests one after another go over one connection on either side."""
    before = len(upstream.connections)
    with RawClient(gateway.url) as client:
        for turn in range(50):
            client.send(chat(f"t{turn}"))
            reply = client.read_response()
            assert (reply.status, trace_of(reply), reply.field("connection")) == (200, f"t{turn}", None)
    assert len(upstream.connections) - before <= 1


def mixed(turn: int) -> tuple[bytes, int]:
    """A request of one of many kinds, and the status of its reply."""
    trace = f"t{turn}"
    kinds = [
        (chat(trace), 200),
        (get("/v1/slow", trace), 200),
        (request("POST", "/v1/files", b"f" * 3000, auth(trace), chunk_bytes=700), 200),
        (get("/v1/models", trace), 200),
        (get("/v1/chunked", trace), 200),
        (json_request(CHAT, {"model": "unknown", "messages": []}, auth(trace)), 404),
        (json_request(CHAT, {"no model": 1}, auth(trace)), 400),
        (request("PUT", "/v1/files/x", b"known length", auth(trace)), 200),
        (request("POST", CHAT, b"{not json", [("content-type", "application/json"), *auth(trace)]), 400),
        (get("/v1/big", trace), 200),
        (request("OPTIONS", "/v1/models", b"", auth(trace)), 204),
        (json_request(CHAT, {"model": "m", "messages": [], "pad": "p" * 5000}, auth(trace)), 200),
    ]
    return kinds[turn % len(kinds)]


def test_a_hundred_pipelined_requests_are_answered_in_order(gateway: RunningGateway) -> None:
    """A hundred requests in one write, with and without bodies, some refused, some slow, are answered in their order."""
    requests = [mixed(turn) for turn in range(100)]
    with RawClient(gateway.url, timeout_s=20) as client:
        client.send(b"".join(wire for wire, _ in requests))
        for turn, (_, status) in enumerate(requests):
            reply = client.read_response()
            assert reply.status == status, (turn, reply)
            if status != 204:
                assert trace_of(reply) == f"t{turn}"
        client.expect_nothing()


@pytest.mark.parametrize("seed", range(3))
def test_pipelined_requests_survive_any_split(gateway: RunningGateway, seed: int) -> None:
    """The same in pieces of random sizes, which end anywhere in heads, bodies and chunks."""
    draw = random.Random(seed)
    requests = [mixed(turn) for turn in range(36)]
    wire = b"".join(wire for wire, _ in requests)
    with RawClient(gateway.url, timeout_s=20) as client:
        at = 0
        while at < len(wire):
            size = draw.choice((1, 3, 20, 150, 1000, 6000))
            client.send(wire[at : at + size])
            at += size
        for turn, (_, status) in enumerate(requests):
            reply = client.read_response()
            assert reply.status == status, (turn, reply)


@pytest.mark.parametrize("chunk_bytes", [0, 7])
def test_a_request_split_at_every_byte_is_the_same_request(
    gateway: RunningGateway, upstream: Upstream, chunk_bytes: int
) -> None:
    """Wherever a request is cut in two, and byte by byte, the provider gets the same body, and the next request follows."""
    body = b'{"model": "m", "messages": []}'
    fields = [("content-type", "application/json"), *auth()]
    wire = request("POST", CHAT, body, fields, chunk_bytes=chunk_bytes)
    with RawClient(gateway.url, timeout_s=20) as client:
        for cut in range(1, len(wire)):
            before = len(upstream.received)
            client.send(wire[:cut], wire[cut:])
            assert client.read_response().status == 200, wire[:cut]
            assert upstream.wait(before + 1)[before].body == body
        for byte in range(len(wire)):
            client.send(wire[byte : byte + 1])
        assert client.read_response().status == 200


@pytest.mark.parametrize("size", [70_000, 131_072, 400_000])
def test_what_comes_right_behind_a_large_body_is_read(gateway: RunningGateway, size: int) -> None:
    """A request that is already there when a large body before it has been read whole is served."""
    large = json_request(CHAT, {"model": "m", "messages": [], "pad": "p" * size}, auth("large"))
    with RawClient(gateway.url, timeout_s=20) as client:
        for _ in range(20):
            client.send(large + chat("behind"))
            assert [trace_of(client.read_response()) for _ in range(2)] == ["large", "behind"]


@pytest.mark.parametrize("chunk_bytes", [0, 1, 5000])
@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 400_000])
def test_bodies_of_every_size_arrive_whole(
    gateway: RunningGateway, upstream: Upstream, size: int, chunk_bytes: int
) -> None:
    """A body around the size of a read, known length or chunked, buffered or streamed, arrives unchanged."""
    if chunk_bytes == 1 and size > 1:
        size //= 16
    draw = random.Random(size)
    streamed = draw.randbytes(size)
    text = "x" * size
    buffered = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % text.encode()
    before = len(upstream.received)
    with RawClient(gateway.url, timeout_s=20) as client:
        client.send(request("POST", "/v1/files", streamed, auth(), chunk_bytes=chunk_bytes))
        assert client.read_response().status == 200
        client.send(request("POST", CHAT, buffered, [("content-type", "application/json"), *auth()], chunk_bytes=chunk_bytes))
        assert client.read_response().status == 200
    bodies = [received.body for received in upstream.wait(before + 2)[before:]]
    assert bodies == [streamed, buffered]


def test_trailers_are_accepted_and_do_not_go_on(gateway: RunningGateway, upstream: Upstream) -> None:
    """A chunked body may end with trailers and chunks may have extensions; neither reaches the provider."""
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        client.send(request("POST", "/v1/files", b"", [*auth(), ("transfer-encoding", "chunked"), ("trailer", "x-sum")])
                    .replace(b"content-length: 0\r\n", b"")
                    + b"5;name=value\r\nhello\r\n0\r\nx-sum: 1\r\nauthorization: Bearer other\r\n\r\n" + chat("next"))
        assert client.read_response().status == 200
        assert trace_of(client.read_response()) == "next"
    received = upstream.wait(before + 2)[before]
    assert received.body == b"hello"
    assert b"x-sum" not in received.raw and b"other" not in received.raw and b"name=value" not in received.raw


def test_refused_requests_keep_their_place_and_the_connection(gateway: RunningGateway, upstream: Upstream) -> None:
    """Refusals before the body is read answer in order as long as the body came along, and its bytes are no request."""
    hidden = get("/v1/smuggled")
    refused = request("POST", CHAT, hidden, [("authorization", "Bearer wrong"), ("x-portkey-trace-id", "no")])
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        client.send((refused + chat("yes")) * 20)
        for _ in range(20):
            reply = client.read_response()
            assert (reply.status, code_of(reply)) == (401, "invalid_key")
            assert trace_of(client.read_response()) == "yes"
    assert {received.target for received in upstream.wait(before + 20)[before:]} == {CHAT}


def test_a_refused_request_whose_body_is_awaited_ends_the_connection(gateway: RunningGateway, upstream: Upstream) -> None:
    """Where the refused body had not come along, the connection closes after the reply, and what follows is not served."""
    before = len(upstream.received)
    for cut in range(1, 150, 7):
        head = request("POST", CHAT, b"", [("authorization", "Bearer wrong"), ("expect-not", "x" * 100)])
        head = head.replace(b"content-length: 0", b"content-length: 100")
        with RawClient(gateway.url) as client:
            client.send(head[:cut])
            client.expect_nothing(3)        # so that the two are read apart
            client.send(head[cut:])
            reply = client.read_response()
            assert (reply.status, reply.field("connection")) == (401, "close")
            client.send(b"x" * 100 + get("/v1/after"))
            assert client.read_until_close() == b""
    assert len(upstream.received) == before
    assert gateway.log() == ""


def test_a_client_that_floods_while_it_waits_is_held_back(gateway: RunningGateway, upstream: Upstream) -> None:
    """Behind a slow request a megabyte of pipelined ones waits in the kernel, and each is answered in its turn."""
    requests = [get("/v1/slow", "first"), *(chat(f"t{turn}", "x" * 10_000) for turn in range(100))]
    with RawClient(gateway.url, timeout_s=20) as client:
        client.send(b"".join(requests))
        assert trace_of(client.read_response()) == "first"
        for turn in range(100):
            assert trace_of(client.read_response()) == f"t{turn}"


def test_an_upload_that_no_provider_took_leaves_the_connection_usable(tmp_path_factory: pytest.TempPathFactory) -> None:
    """After a streamed upload was refused for want of a provider, the next upload of the connection is read all the same."""
    with RunningGateway(tmp_path_factory.mktemp("nobody"), config("http://127.0.0.1:9")) as gateway:
        with RawClient(gateway.url) as client:
            for _ in range(3):
                client.send(request("POST", "/v1/files", b"whole", auth()))
                assert code_of(client.read_response()) == "upstream_unreachable"
            wire = chat()
            client.send(wire[:-5], wire[-5:])
            assert code_of(client.read_response()) == "upstream_unreachable"
