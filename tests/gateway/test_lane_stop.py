"""Workers share one port, and a gateway that is told to stop finishes what runs."""
from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.framing import FramingError
from tests.fakes.raw_client import RawClient, request
from tests.fakes.upstream import (
    LAST_CHUNK,
    SSE_FIELDS,
    Gate,
    Script,
    Upstream,
    chunk,
    event,
    hang,
    head,
    json_reply,
    pause,
    send,
)
from tests.gateway.lane_gateway import CHAT, REPLY, arrived, auth, chat, config, get, trace_of
from tests.gateway.running import RunningGateway
from tests.patience import PATIENCE_S


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY), routes={"/v1/hang": hang()}) as running:
        yield running


def stream(gate: Gate) -> Script:
    """One event, then the rest when the gate opens."""
    return [send(head(200, SSE_FIELDS + [("transfer-encoding", "chunked")]) + chunk(event({"n": 1}))), pause(gate),
            send(chunk(event({"n": 2})) + LAST_CHUNK)]


def tell_to_stop(gateway: RunningGateway) -> None:
    """SIGTERM, and wait until no listener is left."""
    gateway.process.send_signal(signal.SIGTERM)
    gateway.wait_until(lambda: gateway.ready() == 0, "no listener")


def test_two_workers_share_one_port(upstream: Upstream, tmp_path: Path) -> None:
    """With two workers both are ready on the one port and both get connections; records say which."""
    with RunningGateway(tmp_path, config(upstream.url), workers=2) as gateway:
        assert gateway.ready() == 2 and len(set(gateway.worker_pids())) == 2
        for turn in range(40):
            with RawClient(gateway.url) as client:
                client.send(chat(f"t{turn}"))
                assert client.read_response().status == 200
        rows = gateway.records(40)
        assert len(rows) == 40 and {row["worker"] for row in rows} == {0, 1}
        assert gateway.stop() == 0


def test_a_stop_finishes_what_runs(upstream: Upstream, tmp_path: Path) -> None:
    """After SIGTERM a stream goes on to its end, idle connections close at once, no further one is accepted; status 0."""
    gate = Gate()
    upstream.play(stream(gate), "/v1/stream")
    with RunningGateway(tmp_path, config(upstream.url)) as gateway:
        with RawClient(gateway.url) as running, RawClient(gateway.url) as idle, RawClient(gateway.url) as silent:
            idle.send(get("/v1/models"))
            assert idle.read_response().status == 200
            running.send(get("/v1/stream", "runs") + get("/v1/models", "behind"))
            running.read_until(b'"n": 1}\n\n')
            tell_to_stop(gateway)
            idle.expect_close()
            silent.expect_close()
            with pytest.raises(ConnectionRefusedError):
                RawClient(gateway.url)
            assert gateway.process.poll() is None
            gate.release()
            assert running.read_until(b'"n": 2}\n\n') and running.read_until(LAST_CHUNK)
            assert running.read_until_close() == b""        # what was behind has not begun, and its caller may ask again
        assert gateway.process.wait(PATIENCE_S) == 0
        outcomes = {row["trace_id"]: row["outcome"] for row in gateway.records(2)}
        assert outcomes["runs"] == "served" and "behind" not in outcomes


def test_a_stop_finishes_what_has_arrived(upstream: Upstream, tmp_path: Path) -> None:
    """A request whose head is half here, or whose body is, is still served; its reply says that the connection closes."""
    wire = chat("late")
    with RunningGateway(tmp_path, config(upstream.url)) as gateway:
        with RawClient(gateway.url) as half_a_head, RawClient(gateway.url) as half_a_body:
            for client in (half_a_head, half_a_body):
                client.send(get("/v1/models"))
                assert client.read_response().status == 200
            half_a_head.send(wire[:30])
            half_a_body.send(wire[:-10])
            half_a_body.expect_nothing(30)
            tell_to_stop(gateway)
            half_a_head.send(wire[30:])
            half_a_body.send(wire[-10:])
            for client in (half_a_head, half_a_body):
                reply = client.read_response()
                assert (reply.status, trace_of(reply), reply.field("connection")) == (200, "late", "close")
                assert client.read_until_close() == b""
        assert gateway.process.wait(PATIENCE_S) == 0


def test_no_request_is_lost_when_a_gateway_stops(upstream: Upstream, tmp_path: Path) -> None:
    """Callers in full swing see whole replies, or a close between two requests, or a refused connection: never half a reply."""
    broken: list[str] = []
    served: list[int] = []

    def call(url: str) -> None:
        count = 0
        while True:
            try:
                client = RawClient(url)
            except ConnectionError:
                break
            with client:
                try:
                    while True:
                        client.send(chat("swing"))
                        assert client.read_response().status == 200
                        count += 1
                except (ConnectionError, FramingError) as error:
                    if client.unread:
                        broken.append(repr(error))
        served.append(count)

    with RunningGateway(tmp_path, config(upstream.url)) as gateway:
        threads = [threading.Thread(target=call, args=(gateway.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        gateway.wait_until(lambda: len(upstream.received) > 200, "some traffic")
        assert gateway.stop() == 0
        for thread in threads:
            thread.join(PATIENCE_S)
        assert not broken and len(served) == 4
        rows = gateway.records()
        assert len(rows) == len(upstream.received) and all(row["outcome"] == "served" for row in rows)


def test_a_stop_is_bounded(upstream: Upstream, tmp_path: Path) -> None:
    """What does not end within shutdown_ms is cut off and recorded, and the exit status says so."""
    with RunningGateway(tmp_path, config(upstream.url, "[gateway.timeouts]\nshutdown_ms = 400\n")) as gateway:
        with RawClient(gateway.url) as hanging, RawClient(gateway.url) as uploading:
            hanging.send(get("/v1/hang", "cut off"))
            uploading.send(request("POST", CHAT, b"x" * 100, auth("cut off"))[:-1])
            received = arrived(upstream, 0)
            begun = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(PATIENCE_S) == 1
            assert 0.3 < time.monotonic() - begun and "is killed" not in gateway.log()
            assert hanging.read_until_close() == b"" and uploading.read_until_close() == b""
            assert received.connection.closed.wait(PATIENCE_S)
        rows = gateway.records(2)
        assert [row["outcome"] for row in rows] == ["cancelled", "cancelled"]
