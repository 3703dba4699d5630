"""Connections to a provider are kept, bounded, handed on at once, and retried where nothing can be done twice."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from random import Random
from select import select

import pytest

from tests.fakes.script import Gate, bytes_reply, close, head, json_reply, pause, reset, send, sse_reply, wait_for_close
from tests.fakes.upstream import Upstream
from tests.gateway.asking import LONG_TIMES, OPENAI, Asker, configuration, integration
from tests.gateway.running import RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

LIMIT = 2
QUEUE = 16 * LIMIT
BUSY_MS = 1500
OK = json_reply({"id": "ok", "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
JSON_HEAD = head(200, [("content-type", "application/json"), ("content-length", "9")])


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(OK) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def asker(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    tables = [
        integration("small", upstream.url, times={**LONG_TIMES, "connect_ms": BUSY_MS}, max_connections=LIMIT),
        integration("wide", upstream.url, times=LONG_TIMES),
        integration("chaos", upstream.url, times={**LONG_TIMES, "connect_ms": 2000}, max_connections=LIMIT),
        integration("old", upstream.url, times={**LONG_TIMES, "connect_ms": 9000}, max_connections=LIMIT),
    ]
    with RunningGateway(tmp_path_factory.mktemp("pool"), configuration(*tables)) as gateway:
        asker = Asker(gateway)
        yield asker
        asker.check_records()
        assert "Traceback" not in gateway.log()


def test_a_connection_serves_one_request_after_another(asker: Asker, upstream: Upstream) -> None:
    """Replies of every framing leave a connection that the next request takes."""
    upstream.play(OK)
    asker.ask("wide")
    first = upstream.received[-1].connection
    for script in (
        OK,
        bytes_reply(b"{}", chunked=True),
        sse_reply([{"choices": []}]),
        [send(head(204))],
        json_reply({"error": {}}, status=418),
        [send(head(103)), *OK],
    ):
        upstream.play(script)
        with asker.connect() as client:
            asked = asker.send(client, "wide")
            asked.reply()
        assert upstream.received[-1].connection is first


@pytest.mark.parametrize(
    "script",
    [
        [send(head(200, [("content-length", "2"), ("connection", "close")]) + b"{}"), wait_for_close()],
        [send(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"), wait_for_close()],
    ],
    ids=["Connection: close", "HTTP/1.0"],
)
def test_a_connection_that_ends_is_closed_by_the_gateway(
    asker: Asker, upstream: Upstream, script: list[object]
) -> None:
    """What the provider will not keep is closed at once, and the reply is whole."""
    upstream.play(script)  # type: ignore[arg-type]  # steps of different origin
    with asker.connect() as client:
        assert asker.send(client, "wide").reply().body == b"{}"
    assert upstream.received[-1].connection.closed.wait(PATIENCE_S)
    upstream.play(OK)


def test_requests_beyond_the_bound_wait_their_turn(asker: Asker, upstream: Upstream) -> None:
    """max_connections holds; who waits gets a released connection at once, in the order of arrival."""
    upstream.play(OK)
    asker.ask("small")  # so that nobody's turn depends on a connection being made
    gates = [Gate() for _ in range(LIMIT)]
    clients = [asker.connect() for _ in range(LIMIT + 2)]
    for at in range(LIMIT):
        upstream.play([pause(gates[at]), *OK])
        asker.send(clients[at], "small")
        assert gates[at].reached.wait(PATIENCE_S)
    upstream.play(OK)
    count = len(upstream.received)
    waiting = []
    for client in clients[LIMIT:]:
        waiting.append(asker.send(client, "small"))
        client.expect_nothing(20)
    assert len(upstream.received) == count
    gates[0].release()
    assert [asked.reply().status for asked in waiting] == [200, 200]
    assert len(upstream.received) == count + 2
    assert {item.connection.number for item in upstream.received[count:]} <= {
        item.connection.number for item in upstream.received[count - LIMIT : count]
    }
    gates[1].release()
    for client in clients:
        client.close()


def test_who_waits_too_long_is_told_that_the_provider_is_busy(asker: Asker, upstream: Upstream) -> None:
    """No connection within connect_ms is 503 upstream_busy, not before that; a full queue says so at once."""
    gate = Gate()
    upstream.play([pause(gate), *OK])
    holders = [asker.connect() for _ in range(LIMIT)]
    for client in holders:
        asker.send(client, "small")
    asker.gateway.wait_until(
        lambda: sum(not item.connection.closed.is_set() for item in upstream.received) >= LIMIT, "busy connections"
    )
    started = time.monotonic()
    asker.refused("small", OPENAI, 503, "upstream_busy", attempts=0, upstream_status=0)
    assert BUSY_MS - 50 <= (time.monotonic() - started) * 1000 < BUSY_MS + SLOW_DAY_S * 1000
    crowd = [asker.connect() for _ in range(QUEUE)]
    queued = [asker.send(client, "small") for client in crowd]
    asker.refused("small", OPENAI, 503, "upstream_busy")
    assert not select([client.socket for client in crowd], [], [], 0)[0], "before anybody who waits is told"
    assert {asked.reply().status for asked in queued} == {503}
    gate.release()
    for client in holders:
        assert client.read_response().status == 200
    for client in crowd + holders:
        client.close()
    upstream.play(OK)
    assert asker.ask("small")[0].status == 200


def test_a_waiting_caller_that_leaves_gives_up_its_place(asker: Asker, upstream: Upstream) -> None:
    """A caller that goes away while it waits is never sent upstream and costs nothing."""
    gate = Gate()
    upstream.play([pause(gate), *OK])
    holders = [asker.connect() for _ in range(LIMIT)]
    for client in holders:
        asker.send(client, "small")
    assert gate.reached.wait(PATIENCE_S)
    count = len(upstream.wait(len(upstream.received)))
    with asker.connect() as client:
        asked = asker.send(client, "small")
        client.expect_nothing(20)
    record = asker.record(asked.trace)
    assert (record["outcome"], record["error"], record["attempts"]) == ("cancelled", "client_gone", 0)
    assert (record["cost_nano_usd"], record["sent_ns"]) == (0, -1)
    gate.release()
    for client in holders:
        assert client.read_response().status == 200
        client.close()
    assert len(upstream.received) <= count + LIMIT
    assert all(item.connection.closed_at_ns is None for item in upstream.received[-LIMIT:])


def test_a_reused_connection_that_dies_unanswered_is_replaced_once(asker: Asker, upstream: Upstream) -> None:
    """A kept connection that ends before a byte of the reply costs the caller nothing; the record says retried."""
    upstream.play(OK)
    asker.ask("wide")
    for end in (reset(), close()):
        upstream.play(OK)
        asker.ask("wide")
        kept, count = upstream.received[-1].connection, len(upstream.received)
        dying: list[bool] = []

        async def die_once(connection: object, end: object = end, dying: list[bool] = dying) -> None:
            if not dying:
                dying.append(True)
                await end(connection)  # type: ignore[operator]  # a step

        upstream.play([die_once, *OK])
        response, record = asker.ask("wide")
        assert (response.status, record["flags"], record["outcome"]) == (200, "retried", "served")
        sent = upstream.received[count:]
        assert len(sent) == 2 and sent[0].connection is kept and sent[1].connection is not kept
        assert sent[0].body == sent[1].body


def test_a_second_death_is_not_retried(asker: Asker, upstream: Upstream) -> None:
    """Where the fresh connection dies too, the caller is told: two requests went up, no third."""
    upstream.play(OK)
    asker.ask("wide")
    count = len(upstream.received)
    upstream.play([reset()])
    asker.refused("wide", OPENAI, 502, "upstream_reset", flags="retried")
    assert len(upstream.received) == count + 2


@pytest.mark.parametrize("sent", [b"H", head(100), JSON_HEAD], ids=["a byte", "interim reply", "head"])
def test_no_retry_after_a_byte_of_the_reply(asker: Asker, upstream: Upstream, sent: bytes) -> None:
    """Once a provider has begun to answer, the request is not repeated."""
    upstream.play(OK)
    asker.ask("wide")
    count = len(upstream.received)
    upstream.play([send(sent), close()])
    asker.refused("wide", OPENAI, 502, "upstream_reset", flags="estimated" if sent == JSON_HEAD else "")
    assert len(upstream.received) == count + 1


def test_no_retry_on_a_fresh_connection(asker: Asker, upstream: Upstream) -> None:
    """A provider that closes a connection on which it never answered is not asked again."""
    upstream.play([reset()])
    asker.ask("wide")  # closes what may be idle
    count = len(upstream.received)
    asker.refused("wide", OPENAI, 502, "upstream_reset", flags="")
    assert len(upstream.received) == count + 1


def test_a_request_without_a_body_is_retried_as_well(asker: Asker, upstream: Upstream) -> None:
    """GET on a passed-through path has nothing that would be gone."""
    upstream.play(OK)
    trace, fields = asker.fields()
    with asker.connect() as client:
        assert client.ask("GET", "/v1/files/f-1", fields=[*fields, ("x-fastgw-integration", "wide")]).status == 200
    dying: list[bool] = []

    async def die_once(connection: object) -> None:
        if not dying:
            dying.append(True)
            await reset()(connection)  # type: ignore[arg-type]  # a Connection

    upstream.play([die_once, *OK])
    trace, fields = asker.fields()
    with asker.connect() as client:
        assert client.ask("GET", "/v1/files/f-1", fields=[*fields, ("x-fastgw-integration", "wide")]).status == 200
    asker.expect(trace, flags="retried", status=200)


def test_unsolicited_bytes_close_an_idle_connection(asker: Asker, upstream: Upstream) -> None:
    """What a provider says on an idle connection is not believed: it is closed, and the next reply is the right one."""
    upstream.play(OK)
    asker.ask("wide")
    kept = upstream.received[-1].connection
    poison = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
    upstream._loop.call_soon_threadsafe(kept._transport.write, poison)
    assert kept.closed.wait(PATIENCE_S)
    response, record = asker.ask("wide")
    assert response.body != b"poison" and record["flags"] == ""
    assert upstream.received[-1].connection is not kept


def test_a_queue_of_refused_connections_is_answered_whole(asker: Asker) -> None:
    """Where the provider is down, everybody who waited is told so, each once, and the worker stays up."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        config = asker.gateway.config_path.read_text()
        down = integration("down", f"http://127.0.0.1:{reserved.getsockname()[1]}", times=LONG_TIMES, max_connections=4)
        asker.gateway.write_config(config.replace("[[keys]]", f"{down}\n[[keys]]"))
        asker.gateway.wait_until(lambda: "is in force as version 2" in asker.gateway.log(), "the new file")
        clients = [asker.connect() for _ in range(60)]
        asked = [asker.send(client, "down") for client in clients]
        assert [OPENAI.code(item.reply().json()) for item in asked] == ["upstream_unreachable"] * 60
        for client in clients:
            client.close()


def test_a_reload_lets_running_requests_end_and_closes_their_connections(asker: Asker, upstream: Upstream) -> None:
    """A pool that a new file no longer has serves who is in it or waits for it, then closes."""
    gate = Gate()
    upstream.play([pause(gate), *OK])
    clients = [asker.connect() for _ in range(LIMIT + 1)]
    first_new = len(upstream.received)
    for client in clients[:LIMIT]:
        asker.send(client, "old")
    upstream.wait(first_new + LIMIT)
    asker.send(clients[LIMIT], "old")
    clients[LIMIT].expect_nothing(20)
    config = asker.gateway.config_path.read_text()
    version = asker.gateway.log().count("is in force as version") + 2
    asker.gateway.write_config(config.replace("connect_ms = 9000", "connect_ms = 9001"))
    asker.gateway.wait_until(lambda: f"is in force as version {version}" in asker.gateway.log(), "the new file")
    gate.release()
    assert [client.read_response().status for client in clients] == [200] * (LIMIT + 1)
    for received in upstream.received[first_new:]:
        assert received.connection.closed.wait(PATIENCE_S)
    for client in clients:
        client.close()


def still_open(upstream: Upstream) -> int:
    return sum(not connection.closed.is_set() for connection in upstream.connections)


def test_no_connection_is_lost_whatever_happens(asker: Asker, upstream: Upstream) -> None:
    """After hundreds of faults and departures in any order the pool has all its connections, and not one more."""
    random = Random(7)
    before = still_open(upstream)
    stream = [send(head(200, [("content-type", "text/event-stream")]) + b"data: {}\n\n"), wait_for_close()]
    scripts = [
        OK,
        [reset()],
        [close()],
        stream,
        [send(b"HTTP/1.1 2")],
        [send(b"rubbish\r\n\r\n")],
        [send(head(204)), close()],
    ]
    for _ in range(40):
        upstream.play(random.choice(scripts))
        clients = [asker.connect() for _ in range(5)]
        for client in clients:
            asker.send(client, "chaos", stream=random.random() < 0.5)
            if random.random() < 0.3:
                client.close()  # a reset could overtake the request, which then was never made
        for client in clients:
            if client.socket.fileno() >= 0 and random.random() < 0.5:
                select([client.socket], [], [], random.random() / 50)
            client.close()
    upstream.play(OK)
    with asker.connect() as client:
        for _ in range(20):
            assert asker.send(client, "chaos").reply().status == 200
    gate = Gate()
    upstream.play([pause(gate), *OK])
    clients = [asker.connect() for _ in range(LIMIT + 1)]
    count = len(upstream.received)
    for client in clients:
        asker.send(client, "chaos")
    upstream.wait(count + LIMIT)
    clients[-1].expect_nothing(20)
    assert len(upstream.received) == count + LIMIT
    asker.gateway.wait_until(lambda: still_open(upstream) <= before + LIMIT, "no more connections than the bound", PATIENCE_S)
    gate.release()
    for client in clients:
        assert client.read_response().status == 200
        client.close()
