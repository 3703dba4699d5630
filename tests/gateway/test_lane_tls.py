"""HTTPS towards callers: the same lane behind TLS."""
from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.fakes.raw_client import RawClient, request
from tests.fakes.upstream import LAST_CHUNK, SSE_FIELDS, Upstream, bytes_reply, chunk, close, flood, head, json_reply, send
from tests.gateway.lane_gateway import CHAT, REPLY, arrived, auth, chat, code_of, config, get, pss_kib, record_of, trace_of
from tests.gateway.running import RunningGateway
from tests.patience import SLOW_DAY_S

HEAD_MS, WRITE_MS = 500, 700
MIB = 1 << 20


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    routes = {
        "/v1/endless": [send(head(200, SSE_FIELDS + [("transfer-encoding", "chunked")])), flood(chunk(b"x" * 4000), 1 << 30)],
        "/v1/big": bytes_reply(bytes(range(256)) * 8000),
        "/v1/chunked": [send(head(200, [("transfer-encoding", "chunked")]) + chunk(b"whole") + LAST_CHUNK)],
        "/v1/cut": [send(head(200, [("transfer-encoding", "chunked")]) + chunk(b"some")), close()],
    }
    with Upstream(json_reply(REPLY), routes=routes) as running:
        yield running


@pytest.fixture(scope="module")
def tls() -> Iterator[tuple[trustme.CA, ssl.SSLContext]]:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    yield authority, context


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, tls: tuple[trustme.CA, ssl.SSLContext], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    directory: Path = tmp_path_factory.mktemp("tls")
    certificate = tls[0].issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(directory / "cert.pem"), append=True)
    text = config(upstream.url, f"""[gateway.tls]
cert = "{directory}/cert.pem"
key = "{directory}/key.pem"
[gateway.timeouts]
head_ms = {HEAD_MS}
write_ms = {WRITE_MS}
""")
    with RunningGateway(directory, text) as running:
        assert running.url.startswith("https://")
        yield running


@pytest.fixture
def client(gateway: RunningGateway, tls: tuple[trustme.CA, ssl.SSLContext]) -> Iterator[RawClient]:
    with RawClient(gateway.url, tls=tls[1]) as connected:
        yield connected


def test_requests_are_served_over_tls(client: RawClient, upstream: Upstream) -> None:
    """Keep-alive, pipelining, bodies of any size and any split work over TLS 1.3 with ALPN http/1.1."""
    assert isinstance(client.socket, ssl.SSLSocket)
    assert (client.socket.version(), client.socket.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    client.send(b"".join(chat(f"t{turn}", "x" * 3000 * turn) for turn in range(30)))
    for turn in range(30):
        reply = client.read_response()
        assert (reply.status, trace_of(reply)) == (200, f"t{turn}")
    for chunk_bytes in (0, 3000):
        before = len(upstream.received)
        body = bytes(range(256)) * 4000
        client.send(request("POST", "/v1/files", body, auth(), chunk_bytes=chunk_bytes))
        assert client.read_response().status == 200
        assert arrived(upstream, before).body == body
    wire = chat("bytes")
    client.send(*[wire[at : at + 1] for at in range(len(wire))])
    assert trace_of(client.read_response()) == "bytes"
    client.send(get("/v1/big") * 3)
    for _ in range(3):
        assert client.read_response().body == bytes(range(256)) * 8000


def test_tls_1_2_is_served_and_older_is_not(gateway: RunningGateway, tls: tuple[trustme.CA, ssl.SSLContext]) -> None:
    """TLS 1.2 is the oldest version."""
    context = ssl.create_default_context()
    tls[0].configure_trust(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with RawClient(gateway.url, tls=context) as client:
        client.send(get("/v1/big"))
        assert len(client.read_response().body) == 8000 * 256


def test_the_end_is_told_by_tls_too(gateway: RunningGateway, tls: tuple[trustme.CA, ssl.SSLContext]) -> None:
    """A connection that closes after a whole reply ends with close_notify; one that was cut does not."""
    for path, version in (("/v1/chunked", b"1.1"), ("/v1/chunked", b"1.0")):
        with RawClient(gateway.url, tls=tls[1]) as client:
            client.send(get(path, fields=[("connection", "close")]).replace(b"HTTP/1.1", b"HTTP/" + version))
            assert b"whole" in client.read_until_close() and client.socket.recv(1) == b""
            assert isinstance(client.socket, ssl.SSLSocket)
            client.socket.unwrap()          # raises where the peer has not sent its close_notify
    with RawClient(gateway.url, tls=tls[1]) as client:
        client.send(get("/v1/cut"))
        assert client.read_until_close().endswith(b"some\r\n")
        assert isinstance(client.socket, ssl.SSLSocket)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            client.socket.unwrap()


def test_plain_http_to_the_tls_port_is_told_so(gateway: RunningGateway) -> None:
    """A client that speaks plain HTTP is answered in plain HTTP what is wrong, with a record."""
    with RawClient(gateway.url) as client:
        client.send(chat())
        reply = client.read_response()
        assert (reply.status, code_of(reply)) == (400, "malformed_http")
        assert b"https" in reply.body and client.read_until_close() == b""
    assert record_of(gateway, reply)["outcome"] == "refused"


@pytest.mark.parametrize("garbage", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01\x00\x05hello", b"\x00" * 300])
def test_a_handshake_that_stalls_or_breaks_ends(gateway: RunningGateway, garbage: bytes) -> None:
    """A client that does not get its handshake done is dropped within head_ms, without a record."""
    before = len(gateway.records())
    with RawClient(gateway.url, timeout_s=HEAD_MS / 1000 + SLOW_DAY_S) as client:
        client.send(garbage)
        client.read_until_close()
    assert len(gateway.records()) == before


def test_a_refusal_reaches_a_client_that_is_still_sending(gateway: RunningGateway, tls: tuple[trustme.CA, ssl.SSLContext]) -> None:
    """The whole error is read by a client that sends its refused body to the end first."""
    for _ in range(5):
        with RawClient(gateway.url, tls=tls[1]) as client:
            client.send(request("POST", CHAT, b"x" * 300_000, [("authorization", "Bearer wrong")]))
            reply = client.read_response()
            assert (reply.status, code_of(reply)) == (401, "invalid_key")


def test_a_silent_reader_is_bounded_over_tls(
    gateway: RunningGateway, upstream: Upstream, tls: tuple[trustme.CA, ssl.SSLContext]
) -> None:
    """Backpressure and the write timeout work through TLS."""
    pid = gateway.worker_pids()[0]
    idle_kib = pss_kib(pid)
    before = len(upstream.received)
    with RawClient(gateway.url, tls=tls[1], receive_buffer_bytes=4096) as client:
        client.send(get("/v1/endless"))
        received = arrived(upstream, before)
        while not received.connection.closed.wait(0.05):
            assert received.connection.sent_bytes < 64 * MIB
        assert pss_kib(pid) - idle_kib < 6144


def test_connections_are_forgotten_over_tls(gateway: RunningGateway, tls: tuple[trustme.CA, ssl.SSLContext]) -> None:
    """Connections that end before, in and after their handshake leave nothing behind."""
    where = gateway.url.rpartition("//")[2].split(":")
    pid = gateway.worker_pids()[0]

    def turn(count: int) -> None:
        for number in range(count):
            if number % 3 == 0:
                with socket.create_connection((where[0], int(where[1]))) as plain:
                    plain.send(b"\x16\x03\x01"[: number % 4])
            else:
                with RawClient(gateway.url, tls=tls[1]) as client:
                    client.send(get("/v1/models") if number % 2 else b"GET / HT")
                    if number % 4 == 1:
                        client.read_response()
                    if number % 5 == 0:
                        client.reset()

    turn(100)
    before = pss_kib(pid)
    turn(300)
    assert pss_kib(pid) - before < 3072


