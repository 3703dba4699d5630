"""Callers that go away, at any point, are noticed, recorded and forgotten; faults are contained."""
from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient, json_request, request
from tests.fakes.upstream import SSE_FIELDS, Upstream, chunk, event, hang, head, json_reply, send, wait_for_close
from tests.gateway.lane_gateway import (
    CHAT,
    REPLY,
    arrived,
    auth,
    chat,
    code_of,
    config,
    get,
    metric,
    pss_kib,
    record_of,
    trace_of,
)
from tests.gateway.running import ROOT, RunningGateway
from tests.patience import PATIENCE_S

STREAM = [send(head(200, SSE_FIELDS + [("transfer-encoding", "chunked")]) + chunk(event({"choices": []}))), wait_for_close()]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    routes = {"/v1/hang": hang(), "/v1/stream": STREAM, "/v1/completions": STREAM}
    with Upstream(json_reply(REPLY), routes=routes) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path_factory.mktemp("endings"), config(upstream.url)) as running:
        yield running


def rows_of(gateway: RunningGateway, trace: str) -> list[dict[str, Any]]:
    """The records of one trace id, once there is one."""

    def found() -> list[dict[str, Any]]:
        return [row for row in gateway.records() if row["trace_id"] == trace]

    gateway.wait_until(found, f"a record of {trace}")
    return found()


@pytest.mark.parametrize("path", ["/v1/hang", "/v1/stream"])
@pytest.mark.parametrize("how", ["half_close", "close", "reset"])
def test_a_client_that_goes_ends_its_request_at_the_provider(
    gateway: RunningGateway, upstream: Upstream, path: str, how: str
) -> None:
    """Half-closing, closing and resetting all count as gone: before the reply or in the middle of a stream, recorded once."""
    before = len(upstream.received)
    trace = f"{how}{path}"
    client = RawClient(gateway.url)
    client.send(get(path, trace))
    received = arrived(upstream, before)
    if path == "/v1/stream":
        client.read_until(b"\n\n")
    getattr(client, how)()
    assert received.connection.closed.wait(PATIENCE_S)
    if how == "half_close":
        client.read_until_close()
        client.close()
    assert [(row["outcome"], row["error"]) for row in rows_of(gateway, trace)] == [("cancelled", "client_gone")]


def test_a_client_that_goes_while_it_uploads(gateway: RunningGateway, upstream: Upstream) -> None:
    """A client that breaks off a streamed upload breaks it off at the provider, which never sees an end."""
    for chunk_bytes in (0, 1000):
        before = len(upstream.received)
        client = RawClient(gateway.url)
        wire = request("POST", "/v1/files", b"u" * 50_000, auth(f"upload{chunk_bytes}"), chunk_bytes=chunk_bytes)
        client.send(wire[:-100])
        received = arrived(upstream, before)
        client.close()
        assert received.connection.closed.wait(PATIENCE_S) and not received.whole.is_set()
        assert [row["outcome"] for row in rows_of(gateway, f"upload{chunk_bytes}")] == ["cancelled"]


def test_a_client_that_goes_with_requests_in_its_queue(gateway: RunningGateway, upstream: Upstream) -> None:
    """Of pipelined requests only those that had begun are recorded and sent."""
    before = len(upstream.received)
    client = RawClient(gateway.url)
    client.send(get("/v1/hang", "queue") + b"".join(get("/v1/queued", "queue") for _ in range(10)))
    hanging = arrived(upstream, before)
    client.reset()
    assert hanging.connection.closed.wait(PATIENCE_S)
    assert [row["outcome"] for row in rows_of(gateway, "queue")] == ["cancelled"]
    assert [received.target for received in upstream.received[before:]] == ["/v1/hang"]


def test_resets_at_any_byte_leave_the_worker_up(gateway: RunningGateway) -> None:
    """A reset after any number of bytes of any request leaves a record where an exchange had begun, and nothing behind."""
    pids = gateway.worker_pids()
    draw = random.Random(2)
    count = 0
    for kind, wire in enumerate((
        chat("r", "x" * 300), request("POST", "/v1/files", b"z" * 500, auth("r"), chunk_bytes=50), get("/v1/stream", "r"),
        request("POST", "/v1/completions", b'{"model":"m","prompt":"","stream":true}', auth("r")), get("/v1/models", "r") * 5,
        request("POST", CHAT, b"q" * 400, [("authorization", "Bearer wrong"), ("x-portkey-trace-id", "r")]),
    )):
        for cut in sorted(draw.sample(range(1, len(wire) + 1), 40)) + [len(wire)]:
            client = RawClient(gateway.url)
            client.send(wire[: cut // 2], wire[cut // 2 : cut])
            if (cut + kind) % 2:
                client.reset()
            else:
                client.close()
            count += 1
    gateway.wait_until(lambda: metric(gateway, "fastgw_connections") <= 1, "no connections but the one that asks")
    gateway.wait_until(lambda: metric(gateway, "fastgw_in_flight") <= 1, "nothing in flight")
    assert gateway.worker_pids() == pids and metric(gateway, "fastgw_faults_total") == 0
    with RawClient(gateway.url) as client:
        client.send(chat("after the resets"))
        assert trace_of(client.read_response()) == "after the resets"
    ids = [row["id"] for row in gateway.records()]
    assert len(ids) == len(set(ids)) <= count * 5


def open_and_close(gateway: RunningGateway, count: int) -> None:
    for turn in range(count):
        client = RawClient(gateway.url)
        if turn % 5 == 0:
            client.send(chat("many"))
            assert client.read_response().status == 200
        elif turn % 5 == 1:
            client.send(b"GET / HTTP/1.1\r\nhos")
        elif turn % 5 == 2:
            client.send(b"broken\r\n\r\n")
            assert client.read_response().status == 400
        elif turn % 5 == 3:
            client.send(request("POST", CHAT, b"x" * 1000))
        if turn % 2:
            client.reset()
        else:
            client.close()


def test_connections_are_forgotten(gateway: RunningGateway) -> None:
    """Five thousand connections, ended in every way, leave no memory and no gauge behind."""
    pid = gateway.worker_pids()[0]
    open_and_close(gateway, 1000)
    gateway.wait_until(lambda: metric(gateway, "fastgw_connections") <= 1, "no connections")
    before = pss_kib(pid)
    open_and_close(gateway, 5000)
    gateway.wait_until(lambda: metric(gateway, "fastgw_connections") <= 1, "no connections")
    assert pss_kib(pid) - before < 2048       # 5,000 connections that stay are some 20 MiB
    assert metric(gateway, "fastgw_in_flight") <= 1


FAULTS = """
from fastgw.snapshot import cors
from fastgw.surfaces import local

calls = 0


def list_models(names, speaks, describe, query):
    raise RuntimeError("a bug while answering")


def reply_fields(self, origin):
    global calls
    calls += 1
    if "always" in origin or ("once" in origin and calls % 2):
        raise RuntimeError("a bug while replying")
    return b""


local.list_models = list_models
cors.Cors.reply_fields = reply_fields
"""


@pytest.fixture(scope="module")
def faulty(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with bugs: sitecustomize is imported by every Python that finds it."""
    patches = tmp_path_factory.mktemp("patches")
    (patches / "sitecustomize.py").write_text(FAULTS)
    environ = {"PYTHONPATH": f"{patches}:{ROOT}"}
    text = config(upstream.url, '[gateway.cors]\norigins = ["*"]\n')
    with RunningGateway(tmp_path_factory.mktemp("faulty"), text, environ=environ) as running:
        yield running


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("wire, goes_on", [
    (get("/v1/models", "fault"), False), (get("/v1/known", "fault", [("origin", "https://once")]), True),
    (json_request(CHAT, {"model": "m", "messages": []}, [*auth("fault"), ("origin", "https://once")]), True)])
def test_a_fault_is_answered_and_recorded(
    faulty: RunningGateway, upstream: Upstream, wire: bytes, goes_on: bool, pieces: int
) -> None:
    """A bug costs its request a 500 with a record; the connection goes on only where the bug was not in reading it."""
    before = len(upstream.received)
    with RawClient(faulty.url) as neighbour, RawClient(faulty.url) as client:
        neighbour.send(chat("before"))
        assert neighbour.read_response().status == 200
        third = len(wire) // 3 if pieces == 3 else len(wire)
        client.send(wire[:third], wire[third:] + get("/v1/next", "next"))
        reply = client.read_response()
        assert (reply.status, code_of(reply)) == (500, "internal")
        if goes_on:
            assert trace_of(client.read_response()) == "next"
            client.expect_nothing(20)
        else:
            assert reply.field("connection") == "close" and client.read_until_close() == b""
        neighbour.send(chat("after"))
        assert trace_of(neighbour.read_response()) == "after"
    row = record_of(faulty, reply)
    assert (row["outcome"], row["error"], row["status"]) == ("failed", "internal", 500)
    assert ("/v1/next" in {received.target for received in upstream.received[before:]}) == goes_on


def test_a_fault_while_answering_a_fault_ends_the_connection(faulty: RunningGateway) -> None:
    """Where not even the error can be told, the caller sees the end, the record is left, and nothing stays in flight."""
    for wire in (get("/v1/known", "twice", [("origin", "https://always")]), get("/nowhere", "twice", [("origin", "https://always")])):
        with RawClient(faulty.url) as client:
            client.send(wire)
            assert client.read_until_close() == b""
    faulty.wait_until(lambda: len([row for row in faulty.records() if row["error"] == "internal"]) >= 2, "two records")
    faulty.wait_until(lambda: metric(faulty, "fastgw_in_flight") <= 1, "nothing in flight")
    assert metric(faulty, "fastgw_faults_total") > 0
    assert "a bug while replying" in faulty.log()
