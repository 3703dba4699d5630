"""Replies are framed as the caller's version and method want them; Expect, OPTIONS, CORS and Upgrade are answered as HTTP has it."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.raw_client import RawClient, Response, request
from tests.fakes.upstream import LAST_CHUNK, SSE_FIELDS, Upstream, bytes_reply, chunk, close, head, json_reply, send, sse_reply
from tests.gateway.lane_gateway import CHAT, REPLY, arrived, assert_untouched, auth, chat, code_of, config, get, record_of, trace_of
from tests.gateway.running import KEY, RunningGateway

ORIGIN = "https://app.example"
EVENTS = [{"choices": []}, {"choices": []}, b"data: [DONE]\n\n"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    routes = {
        "/v1/known": bytes_reply(b"known length", fields=[("content-type", "text/plain")]),
        "/v1/chunked": [send(head(200, [("transfer-encoding", "chunked")]) + chunk(b"two ")), send(chunk(b"chunks") + LAST_CHUNK)],
        "/v1/until-close": [send(head(200, [("connection", "close")]) + b"until close"), close()],
        "/v1/empty": bytes_reply(b""),
        "/v1/204": [send(head(204))],
        "/v1/304": [send(head(304, [("etag", '"x"'), ("content-length", "12")]))],
        "/v1/head-known": [send(head(200, [("content-length", "12345"), ("x-kept", "yes")]))],
        "/v1/head-chunked": [send(head(200, [("transfer-encoding", "chunked")]))],
        "/v1/error": json_reply({"error": "no"}, 500),
        "/v1/broken": [send(head(200, SSE_FIELDS + [("transfer-encoding", "chunked")]) + chunk(b"data: 1\n\n")), close()],
        "/v1/cut": [send(head(200, [("transfer-encoding", "chunked")]) + chunk(b"some")), close()],
    }
    with Upstream(json_reply(REPLY), routes=routes) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path_factory.mktemp("framing"), config(upstream.url)) as running:
        yield running


@pytest.fixture(scope="module")
def browsing(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    text = config(upstream.url, f'[gateway.cors]\norigins = ["{ORIGIN}"]\nmax_age_s = 5\n')
    with RunningGateway(tmp_path_factory.mktemp("browsing"), text) as running:
        yield running


def old(path: str, more: str = "") -> bytes:
    """A GET of HTTP/1.0."""
    return f"GET {path} HTTP/1.0\r\nauthorization: Bearer {KEY}\r\n{more}\r\n".encode()


def read_until_close(client: RawClient) -> tuple[str, bytes]:
    """(head, body) of a reply that ends with its connection."""
    first, _, body = client.read_until_close().partition(b"\r\n\r\n")
    return first.decode().lower(), body


@pytest.mark.parametrize("path, body, is_chunked", [
    ("/v1/known", b"known length", False), ("/v1/chunked", b"two chunks", True), ("/v1/until-close", b"until close", True),
    ("/v1/empty", b"", False)])
def test_http_1_1_replies_have_a_length_or_chunks(gateway: RunningGateway, path: str, body: bytes, is_chunked: bool) -> None:
    """A reply to HTTP/1.1 has the provider's length where it said one, else chunks; the connection goes on either way."""
    with RawClient(gateway.url) as client:
        for turn in range(3):
            client.send(get(path, f"t{turn}"))
            reply = client.read_response()
            assert (reply.status, reply.body, reply.is_chunked, trace_of(reply)) == (200, body, is_chunked, f"t{turn}")
            assert reply.field("connection") is None


@pytest.mark.parametrize("path, body", [
    ("/v1/known", b"known length"), ("/v1/chunked", b"two chunks"), ("/v1/until-close", b"until close")])
def test_http_1_0_replies_end_with_the_connection(gateway: RunningGateway, path: str, body: bytes) -> None:
    """A reply to HTTP/1.0 is never chunked, and the connection closes after it."""
    with RawClient(gateway.url) as client:
        client.send(old(path))
        first, found = read_until_close(client)
    assert found == body
    assert "transfer-encoding" not in first and "connection: close" in first


def test_http_1_0_is_kept_alive_where_asked_and_possible(gateway: RunningGateway) -> None:
    """keep-alive is granted to HTTP/1.0 for a reply of known length and withdrawn for one that must end with the connection."""
    with RawClient(gateway.url) as client:
        for _ in range(3):
            client.send(old("/v1/known", "connection: keep-alive\r\n"))
            reply = client.read_response()
            assert (reply.body, reply.field("connection")) == (b"known length", "keep-alive")
        client.send(old("/v1/chunked", "connection: keep-alive\r\n"))
        first, found = read_until_close(client)
        assert found == b"two chunks" and "connection: close" in first


def test_connection_close_is_heeded(gateway: RunningGateway) -> None:
    """After a request with Connection: close comes one reply that says so, then the end, whatever was pipelined behind."""
    with RawClient(gateway.url) as client:
        client.send(get("/v1/known", "one", [("connection", "close")]) + get("/v1/known", "two") * 50)
        reply = client.read_response()
        assert (trace_of(reply), reply.field("connection")) == ("one", "close")
        assert client.read_until_close() == b""


@pytest.mark.parametrize("path, body", [("/v1/broken", b"data: 1\n\n"), ("/v1/cut", b"some")])
def test_a_reply_that_broke_cannot_be_taken_for_whole(gateway: RunningGateway, path: str, body: bytes) -> None:
    """A provider's broken stream ends without the last chunk, and with a reset where only the end would tell; nothing follows."""
    with RawClient(gateway.url) as client:
        client.send(get(path) + get("/v1/known"))
        found = client.read_until_close()
        assert chunk(body) in found and not found.endswith(LAST_CHUNK) and b"known length" not in found
    with RawClient(gateway.url) as client:
        client.send(old(path))
        client.read_until(body)
        with pytest.raises(ConnectionResetError):
            while client.socket.recv(65536):
                pass


@pytest.mark.parametrize("path, length", [("/v1/head-known", "12345"), ("/v1/head-chunked", None), ("/v1/models", "88")])
def test_head_has_the_fields_and_no_body(gateway: RunningGateway, path: str, length: str | None) -> None:
    """HEAD is answered with the fields of GET and without a body, from the provider as from the gateway itself."""
    with RawClient(gateway.url) as client:
        for _ in range(2):
            client.send(request("HEAD", path, b"", auth()))
            reply = client.read_response("HEAD")
            assert (reply.status, reply.body) == (200, b"")
            if path == "/v1/models":
                client.send(get(path))
                length = str(len(client.read_response().body))
            assert reply.field("content-length") == length
        client.send(get("/v1/known"))
        assert client.read_response().body == b"known length"


def test_head_of_a_refusal_has_no_body(gateway: RunningGateway) -> None:
    """An error to HEAD is its head alone."""
    with RawClient(gateway.url) as client:
        client.send(request("HEAD", "/v1/models") + request("HEAD", "/v1/nothing") + request("HEAD", "/nowhere"))
        found = [client.read_response("HEAD") for _ in range(3)]
        assert [(reply.status, reply.body) for reply in found] == [(401, b""), (401, b""), (404, b"")]
        assert all(int(reply.field("content-length") or 0) > 0 for reply in found)
        client.expect_nothing(20)


@pytest.mark.parametrize("status", [204, 304])
def test_replies_without_a_body_stay_without(gateway: RunningGateway, status: int) -> None:
    """204 and 304 pass without a body and without chunked coding."""
    with RawClient(gateway.url) as client:
        client.send(get(f"/v1/{status}") + get("/v1/known"))
        reply = client.read_response()
        assert (reply.status, reply.body, reply.field("transfer-encoding")) == (status, b"", None)
        assert client.read_response().body == b"known length"


def test_stream_to_both_versions(gateway: RunningGateway, upstream: Upstream) -> None:
    """A stream is chunked to HTTP/1.1 and plain to HTTP/1.0, with the same bytes."""
    upstream.play(sse_reply(EVENTS), CHAT)
    try:
        with RawClient(gateway.url) as client:
            client.send(chat(stream=True, stream_options={"include_usage": True}))
            streamed = client.read_response()
            assert streamed.is_chunked and len(streamed.events()) == 3
        with RawClient(gateway.url) as client:
            client.send(chat(stream=True, stream_options={"include_usage": True}).replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert read_until_close(client)[1] == streamed.body
    finally:
        upstream.play(json_reply(REPLY), CHAT)


# Expect

def expecting(body: bytes, key: str, target: str = CHAT) -> bytes:
    """The head of a request that waits for 100 Continue."""
    fields = [("authorization", f"Bearer {key}"), ("content-type", "application/json"), ("expect", "100-continue")]
    return request("POST", target, body, fields)[: -len(body)]


@pytest.mark.parametrize("target", [CHAT, "/v1/files"])
def test_100_continue_is_sent_to_callers_with_a_key(gateway: RunningGateway, target: str) -> None:
    """A body that waits for 100 Continue is called for once the caller is known, and the final reply follows."""
    body = b'{"model": "m", "messages": []}'
    with RawClient(gateway.url) as client:
        for _ in range(2):
            client.send(expecting(body, KEY, target))
            assert client.read_interim().status == 100
            client.send(body)
            assert client.read_response().status == 200
        client.send(expecting(body, KEY, target) + body)
        assert client.read_interim().status == 200      # the body was there: nothing to call for


def test_100_continue_is_not_sent_to_strangers(gateway: RunningGateway, upstream: Upstream) -> None:
    """A caller without a key, and one whose body is too long, hears the refusal at once and need not send its body."""
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        client.send(expecting(b"x" * 100, "wrong"))
        reply = client.read_interim()
        assert (reply.status, code_of(reply), reply.field("connection")) == (401, "invalid_key", "close")
    for target in (CHAT, "/v1/files"):
        with RawClient(gateway.url) as client:
            client.send(expecting(b"x", KEY, target).replace(b"content-length: 1\r\n", b"content-length: 99999999999\r\n"))
            reply = client.read_interim()
            assert (reply.status, code_of(reply)) == (413, "body_too_large")
            assert record_of(gateway, reply)["error"] == "body_too_large"
    assert_untouched(upstream, before)


def test_other_expectations_are_refused(gateway: RunningGateway) -> None:
    """An expectation that nobody knows is answered 417."""
    with RawClient(gateway.url) as client:
        client.send(get("/v1/known", fields=[("expect", "miracles")]))
        reply = client.read_response()
        assert (reply.status, code_of(reply)) == (417, "expectation_failed")


# Upgrade

@pytest.mark.parametrize("protocol", ["websocket", "h2c, websocket", "TLS/1.3"])
def test_a_request_to_switch_protocols_is_refused(gateway: RunningGateway, upstream: Upstream, protocol: str) -> None:
    """Upgrade is refused with a JSON body and a record, and never goes to the provider."""
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        client.send(get("/v1/realtime", fields=[("connection", "upgrade"), ("upgrade", protocol)]))
        reply = client.read_response()
        assert (reply.status, code_of(reply)) == (501, "upgrade_not_supported")
    assert record_of(gateway, reply)["outcome"] == "refused"
    assert_untouched(upstream, before)


def test_an_offer_of_http_2_is_passed_over(gateway: RunningGateway, upstream: Upstream) -> None:
    """Upgrade: h2c, which the JDK's client sends with every plain request, is served over HTTP/1.1 and not passed on."""
    before = len(upstream.received)
    offer = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAEAAEAAAAIAAAABAAMAAABk")]
    with RawClient(gateway.url) as client:
        client.send(get("/v1/known", fields=offer))
        assert client.read_response().body == b"known length"
    raw = arrived(upstream, before).raw.lower()
    assert b"upgrade" not in raw and b"http2-settings" not in raw


# OPTIONS and CORS

def preflight(origin: str = ORIGIN, path: str = CHAT) -> bytes:
    """What a browser asks first."""
    fields = [("origin", origin), ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")]
    return request("OPTIONS", path, b"", fields)


def ask(gateway: RunningGateway, wire: bytes) -> Response:
    with RawClient(gateway.url) as client:
        client.send(wire)
        return client.read_response()


def test_options_says_the_methods(gateway: RunningGateway, upstream: Upstream) -> None:
    """OPTIONS without [gateway.cors] names the methods and allows no browser; nothing of it goes to the provider."""
    before = len(upstream.received)
    for wire in (preflight(), request("OPTIONS", "*"), request("OPTIONS", CHAT)):
        reply = ask(gateway, wire)
        assert (reply.status, reply.body) == (204, b"") and "POST" in (reply.field("allow") or "")
        assert not [name for name, _ in reply.fields if name.lower().startswith("access-control-")]
    assert_untouched(upstream, before)


def test_preflight_is_answered_for_the_origins_of_the_configuration(browsing: RunningGateway) -> None:
    """A preflight of a configured origin is allowed without a key, that of another one is not."""
    reply = ask(browsing, preflight())
    assert reply.status == 204 and reply.field("access-control-allow-origin") == ORIGIN
    assert "POST" in (reply.field("access-control-allow-methods") or "")
    assert reply.field("access-control-allow-headers") == "authorization"
    assert reply.field("access-control-max-age") == "5" and reply.field("vary") == "origin"
    assert ask(browsing, preflight("https://evil.example")).field("access-control-allow-origin") is None


@pytest.mark.parametrize("wire, status", [
    (chat(), 200), (get("/v1/models"), 200), (get("/v1/known"), 200), (get("/v1/error"), 500),
    (request("GET", "/v1/models"), 401), (get("/nowhere"), 404), (get(CHAT), 405),
    (request("POST", CHAT, b"{", [("content-type", "application/json"), *auth()]), 400),
    (get("/v1/realtime", fields=[("connection", "upgrade"), ("upgrade", "websocket")]), 501),
])
def test_browsers_may_read_every_reply(browsing: RunningGateway, wire: bytes, status: int) -> None:
    """Replies and errors alike carry the origin's permission, else the page could not read what went wrong."""
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        reply = ask(browsing, wire.replace(b"host: test\r\n", f"host: test\r\norigin: {origin}\r\n".encode()))
        assert (reply.status, reply.field("access-control-allow-origin")) == (status, allowed)
        assert reply.field("vary") == "origin"


def test_a_preflight_cannot_inject_fields(browsing: RunningGateway) -> None:
    """What a preflight asks for is echoed as one value; bytes that are not ASCII do no harm."""
    wire = preflight().replace(b"access-control-request-headers: authorization", b"access-control-request-headers: a\tb, \xff\xfe")
    assert ask(browsing, wire).status == 204
    assert ask(browsing, preflight("https://\xff.example")).status == 204
