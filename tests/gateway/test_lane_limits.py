"""What a caller's connection may cost: time, memory and number."""
from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.raw_client import RawClient, request
from tests.fakes.upstream import SSE_FIELDS, Upstream, bytes_reply, chunk, flood, hang, head, json_reply, send
from tests.gateway.lane_gateway import (
    CHAT,
    REPLY,
    arrived,
    auth,
    chat,
    code_of,
    config,
    cpu_seconds,
    get,
    pss_kib,
    record_of,
    trace_of,
)
from tests.gateway.running import RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

MOST = 40
HEAD_MS, BODY_MS, IDLE_MS, WRITE_MS = 300, 800, 500, 1000
SLOW_DAY_MS = SLOW_DAY_S * 1000
LIMITS = f"""[gateway]
max_connections = {MOST}
[gateway.timeouts]
head_ms = {HEAD_MS}
body_ms = {BODY_MS}
idle_ms = {IDLE_MS}
write_ms = {WRITE_MS}
"""
MIB = 1 << 20

@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    endless = [send(head(200, SSE_FIELDS + [("transfer-encoding", "chunked")])), flood(chunk(b"data: " + b"x" * 4000 + b"\n\n"), 1 << 30)]
    routes = {"/v1/endless": endless, "/v1/hang": hang(), "/v1/big": bytes_reply(b"b" * 900_000)}
    with Upstream(json_reply(REPLY), routes=routes) as running:
        yield running

@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path_factory.mktemp("limits"), config(upstream.url, LIMITS)) as running:
        yield running

def seconds_until_end(client: RawClient) -> float:
    """How long the gateway keeps a connection open, whatever it sends meanwhile."""
    begun = time.monotonic()
    client.read_until_close()
    return time.monotonic() - begun

def test_a_connection_that_says_nothing_is_closed(gateway: RunningGateway) -> None:
    """A new connection has head_ms for its first request, an old one idle_ms for its next; neither leaves a record."""
    before = len(gateway.records())
    with RawClient(gateway.url) as client:
        assert HEAD_MS * 0.8 < seconds_until_end(client) * 1000 < HEAD_MS + SLOW_DAY_MS
    with RawClient(gateway.url) as client:
        client.send(get("/healthz"))
        assert client.read_response().status == 200
        assert IDLE_MS * 0.8 < seconds_until_end(client) * 1000 < IDLE_MS + SLOW_DAY_MS
    assert len(gateway.records()) == before

@pytest.mark.parametrize("drip", [b"x", b"x: y\r\n"])
def test_a_head_that_trickles_is_refused_in_time(gateway: RunningGateway, drip: bytes) -> None:
    """A head has head_ms as a whole, however busily its client drips bytes or fields into it (slow loris)."""
    with RawClient(gateway.url) as client:
        client.send(get("/v1/models"))
        assert client.read_response().status == 200
        client.send(b"GET / HTTP/1.1\r\nx: ")
        begun = time.monotonic()
        client.socket.settimeout(0.02)
        while time.monotonic() < begun + 3 * SLOW_DAY_S:
            try:
                client.unread += client.socket.recv(65536)
                break
            except TimeoutError:
                client.send(drip)
        assert time.monotonic() - begun < HEAD_MS / 1000 + SLOW_DAY_S
        client.socket.settimeout(PATIENCE_S)
        reply = client.read_response()
    assert (reply.status, code_of(reply)) == (408, "request_timeout")
    assert record_of(gateway, reply)["error"] == "request_timeout"

@pytest.mark.parametrize("target", [CHAT, "/v1/files"])
@pytest.mark.parametrize("chunk_bytes", [0, 10])
def test_a_body_that_stops_is_refused_in_time(gateway: RunningGateway, target: str, chunk_bytes: int) -> None:
    """A body has body_ms from one read to the next; the refusal says so, and is recorded."""
    whole = request("POST", target, b"y" * 100, auth(), chunk_bytes=chunk_bytes)
    with RawClient(gateway.url) as client:
        client.send(whole[:-30])
        begun = time.monotonic()
        reply = client.read_response()
        assert (reply.status, code_of(reply)) == (408, "request_timeout")
        assert BODY_MS * 0.8 < (time.monotonic() - begun) * 1000 < BODY_MS + SLOW_DAY_MS
    assert record_of(gateway, reply)["outcome"] == "refused"

def test_a_body_that_goes_on_is_waited_for(gateway: RunningGateway) -> None:
    """A body that takes longer than body_ms as a whole, but keeps coming, is served."""
    whole = request("POST", "/v1/files", b"y" * 100, auth())
    with RawClient(gateway.url) as client:
        client.send(whole[:-6])
        client.socket.settimeout(BODY_MS / 4000)
        for at in range(-6, 0):
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.send(whole[at : at + 1 or None])
        client.socket.settimeout(PATIENCE_S)
        assert client.read_response().status == 200

def test_a_request_may_wait_longer_than_an_idle_connection(gateway: RunningGateway, upstream: Upstream) -> None:
    """While a provider thinks, none of the caller's timeouts runs; when the caller goes, the provider's request ends."""
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        client.send(get("/v1/hang"))
        client.expect_nothing(max(HEAD_MS, BODY_MS, IDLE_MS, WRITE_MS) + 300)
    assert arrived(upstream, before).connection.closed.wait(PATIENCE_S)

def test_a_client_that_never_reads_is_cut_off(gateway: RunningGateway, upstream: Upstream) -> None:
    """An endless stream to a client that does not read costs bounded memory, stops the provider, and ends after write_ms."""
    before = len(upstream.received)
    pid = gateway.worker_pids()[0]
    idle_kib = pss_kib(pid)
    with RawClient(gateway.url, receive_buffer_bytes=4096) as client:
        client.send(get("/v1/endless", "silent"))
        received = arrived(upstream, before)
        peak_kib = 0
        while not received.connection.closed.wait(0.05):
            peak_kib = max(peak_kib, pss_kib(pid))
            assert received.connection.sent_bytes < 64 * MIB
        assert peak_kib - idle_kib < 4096
    gateway.wait_until(lambda: any(row["trace_id"] == "silent" for row in gateway.records()), "a record")
    rows = [row for row in gateway.records() if row["trace_id"] == "silent"]
    assert [row["outcome"] for row in rows] == ["cancelled"]

@pytest.mark.parametrize("wire", [get("/v1/models"), request("GET", "/v1/models"), get("/v1/big")])
def test_a_client_that_only_sends_is_held_back(gateway: RunningGateway, wire: bytes) -> None:
    """Endless pipelined requests of a client that reads no replies fill no memory: it is read no further, then cut off."""
    pid = gateway.worker_pids()[0]
    idle_kib = pss_kib(pid)
    sent = 0
    block = wire * (60_000 // len(wire))
    with RawClient(gateway.url, receive_buffer_bytes=4096) as client:
        client.socket.settimeout(PATIENCE_S)
        with pytest.raises(ConnectionError):
            while sent < 256 * MIB:
                sent += client.socket.send(block)
        assert pss_kib(pid) - idle_kib < 8192
    assert sent < 32 * MIB

def test_a_slow_reader_gets_everything(gateway: RunningGateway) -> None:
    """A client that reads slowly, but reads, gets all replies to its pipelined requests, though write_ms passes many times."""
    with RawClient(gateway.url, receive_buffer_bytes=4096) as client:
        client.send(get("/v1/big") * 5)
        begun = time.monotonic()
        for turn in range(5):
            while time.monotonic() < begun + (turn + 1) * WRITE_MS * 0.4 / 1000:
                client.unread += client.socket.recv(2000)
                time.sleep(0.01)        # the pace of the reader is what is tested
            assert len(client.read_response().body) == 900_000

@pytest.fixture
def patient(upstream: Upstream, tmp_path: Path) -> Iterator[RunningGateway]:
    """As many connections, of which none is closed for its silence."""
    with RunningGateway(tmp_path, config(upstream.url, f"[gateway]\nmax_connections = {MOST}\n")) as running:
        yield running

def test_no_more_connections_than_max_connections(patient: RunningGateway) -> None:
    """Beyond max_connections a caller is told to try again, those that are there are served on, and places become free."""
    clients = [RawClient(patient.url) for _ in range(MOST)]
    try:
        for client in clients:
            client.send(get("/healthz"))
            assert client.read_response().status == 200
        for _ in range(5):
            with RawClient(patient.url) as late:
                reply = late.read_response()
                assert (reply.status, reply.field("connection"), reply.field("retry-after")) == (503, "close", "1")
                assert code_of(reply) == "too_many_connections"
                assert late.read_until_close() == b""
        clients[0].send(chat("there"))
        assert trace_of(clients[0].read_response()) == "there"
        clients.pop().close()
        patient.wait_until(lambda: is_served(patient), "a free place")
    finally:
        for client in clients:
            client.close()

def test_a_worker_without_descriptors_waits_for_some(patient: RunningGateway) -> None:
    """When no descriptor is left, callers wait in the kernel's queue, those that are there are served, and no processor burns."""
    pid = patient.worker_pids()[0]
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    free = [number for number in range(limits[0]) if number not in used]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[10], limits[1]))
    clients = [RawClient(patient.url) for _ in range(30)]
    try:
        clients[0].send(get("/v1/models", "there"))
        assert trace_of(clients[0].read_response()) == "there"
        clients[-1].send(get("/v1/models", "waited"))
        before = cpu_seconds(pid)
        clients[-1].expect_nothing(200)
        assert cpu_seconds(pid) - before < 0.1
        for client in clients[:-1]:
            client.close()      # makes room
        assert trace_of(clients[-1].read_response()) == "waited"
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for client in clients:
            client.close()


def is_served(gateway: RunningGateway) -> bool:
    with RawClient(gateway.url) as client:
        try:
            client.send(get("/healthz"))
            return client.read_response().status == 200
        except ConnectionError:
            return False


def test_an_idle_gateway_uses_no_cpu(gateway: RunningGateway, upstream: Upstream) -> None:
    """Clients that are half closed, unread or paused do not keep the event loop busy."""
    pid = gateway.worker_pids()[0]
    with RawClient(gateway.url, receive_buffer_bytes=4096) as unread, RawClient(gateway.url) as waiting:
        unread.send(get("/v1/big", fields=[("connection", "close")]))
        unread.read_bytes(10)
        unread.half_close()
        number = len(upstream.received)
        waiting.send(get("/v1/hang") + chat("x", "x" * 300_000))
        hanging = arrived(upstream, number)
        before = cpu_seconds(pid)
        waiting.expect_nothing(400)
        assert cpu_seconds(pid) - before < 0.1
        waiting.reset()         # an orderly end would wait behind the bytes that are not read
        assert hanging.connection.closed.wait(PATIENCE_S)

