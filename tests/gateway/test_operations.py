"""What an operator relies on: probes, a drain that may fail in any way without harm, stops that lose nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.raw_client import RawClient, Response, json_request
from tests.fakes.script import Gate, json_reply, pause
from tests.fakes.upstream import Upstream
from tests.gateway.running import KEY, ROOT, RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

CONFIG = """
[gateway.timeouts]
shutdown_ms = 60000

[integrations.main]
provider = "openai"
base_url = "{url}/v1"
api_key = "sk-provider"
{more}
[[keys]]
name = "app-1"
key = "{key}"
"""
AUTH = [("authorization", f"Bearer {KEY}")]
CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


def config(url: str, more: str = "") -> str:
    return CONFIG.format(url=url, key=KEY, more=more)


def get(gateway: RunningGateway, path: str) -> Response:
    with RawClient(gateway.url) as client:
        return client.ask("GET", path)


def send_chats(gateway: RunningGateway, count: int, at_once: int = 50) -> set[str]:
    """Serve so many requests over one connection; returns their ids."""
    ids: set[str] = set()
    with RawClient(gateway.url) as client:
        for start in range(0, count, at_once):
            some = min(at_once, count - start)
            client.send(json_request("/v1/chat/completions", CHAT, AUTH) * some)
            for _ in range(some):
                response = client.read_response()
                assert response.status == 200
                ids.add(str(response.field("x-fastgw-request-id")))
    assert len(ids) == count
    return ids


def drain_pid(gateway: RunningGateway) -> int:
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    others = set(map(int, children)) - set(gateway.worker_pids())
    return others.pop() if others else 0


def rows(gateway: RunningGateway) -> list[str]:
    """The ids in logs.db, in their order; none while the drain has not made it yet."""
    if not (gateway.state / "logs.db").exists():
        return []
    connection = sqlite3.connect(f"file:{gateway.state / 'logs.db'}?mode=ro", uri=True)
    try:
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'records'").fetchone()[0]:
            return []
        return [row[0] for row in connection.execute("SELECT id FROM records ORDER BY seq")]
    finally:
        connection.close()


def wait_for_rows(gateway: RunningGateway, ids: set[str]) -> None:
    """Wait until logs.db has these records, each once, and no others."""
    gateway.wait_until(lambda: len(rows(gateway)) >= len(ids), f"{len(ids)} rows", PATIENCE_S)
    found = rows(gateway)
    assert len(found) == len(set(found)) == len(ids) and set(found) == ids


def test_probes_need_no_key_and_leave_no_record(mock: RunningMock, tmp_path: Path) -> None:
    """/healthz, /readyz and /metrics answer GET and HEAD without a key, refuse other methods, and are not recorded."""
    with RunningGateway(tmp_path, config(mock.url)) as gateway:
        assert (get(gateway, "/healthz").status, get(gateway, "/healthz").json()) == (200, {"status": "ok"})
        ready = get(gateway, "/readyz")
        body = ready.json()
        assert ready.status == 200 and isinstance(body, dict)
        assert body["status"] == "ready" and body["snapshot"]["version"] == 1
        assert get(gateway, "/metrics").status == 200
        for path in ("/healthz", "/readyz", "/metrics"):
            with RawClient(gateway.url) as client:
                head = client.ask("HEAD", path)
                assert (head.status, head.body) == (200, b"")
                refused = client.ask("POST", path)
                assert (refused.status, refused.field("allow")) == (405, "GET, HEAD")
        ids = send_chats(gateway, 1)
        wait_for_rows(gateway, ids)


def test_not_ready_while_stopping(tmp_path: Path) -> None:
    """While a gateway stops, connections that it still has are told 503 and closed, what runs is finished, and no
    other gets in.
    """
    gate = Gate()
    with Upstream([pause(gate), *json_reply({"id": "c", "choices": []})]) as upstream:
        with RunningGateway(tmp_path, config(upstream.url)) as gateway, RawClient(gateway.url) as client:
            # the probe waits behind a request that runs: it is asked before the stop, and answered after it
            client.send(json_request("/v1/chat/completions", CHAT, AUTH) + b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert gate.reached.wait(PATIENCE_S)
            gateway.process.send_signal(signal.SIGTERM)
            gateway.wait_until(lambda: gateway.ready() == 0, "no listener")
            gate.release()
            assert client.read_response().status == 200
            rest = client.read_until_close()
            assert rest == b"" or rest.startswith(b"HTTP/1.1 503 ")
            assert gateway.process.wait(PATIENCE_S) == 0
        assert len(gateway.records()) == 1


def test_a_second_signal_cuts_off(tmp_path: Path) -> None:
    """A gateway that waits for a request to end stops at once when told again; the request is recorded, the
    status is 1.
    """
    gate = Gate()
    with Upstream([pause(gate)]) as upstream:
        with RunningGateway(tmp_path, config(upstream.url)) as gateway, RawClient(gateway.url) as client:
            client.send(json_request("/v1/chat/completions", CHAT, AUTH))
            assert gate.reached.wait(PATIENCE_S)
            os.killpg(gateway.process.pid, signal.SIGINT)
            gateway.wait_until(lambda: gateway.ready() == 0, "no listener")
            os.killpg(gateway.process.pid, signal.SIGINT)
            assert gateway.process.wait(PATIENCE_S) == 1, "long before shutdown_ms"
            assert client.read_until_close() == b""
            (row,) = gateway.records()
            assert (row["outcome"], row["error"]) == ("cancelled", "client_gone")
        gate.release()


def test_metrics_are_unavailable_without_the_drain(mock: RunningMock, tmp_path: Path) -> None:
    """While the drain is away /metrics says so with 503, traffic flows on, and what came meanwhile is recorded
    once it is back.
    """
    with RunningGateway(tmp_path, config(mock.url)) as gateway:
        ids = send_chats(gateway, 10)
        drain = drain_pid(gateway)
        os.kill(drain, signal.SIGSTOP)
        ids |= send_chats(gateway, 200)
        os.kill(drain, signal.SIGKILL)
        gateway.wait_until(lambda: "drain (pid" in gateway.log(), "the drain's death in the log")
        ids |= send_chats(gateway, 20)
        gateway.wait_until(lambda: drain_pid(gateway) != drain, "another drain")
        wait_for_rows(gateway, ids)
        gateway.wait_until(lambda: get(gateway, "/metrics").status == 200, "metrics")
        os.kill(drain_pid(gateway), signal.SIGKILL)  # the second time it is started again after a while only
        gateway.wait_until(lambda: drain_pid(gateway) == 0, "no drain")
        refused = get(gateway, "/metrics")
        body = refused.json()
        assert refused.status == 503 and isinstance(body, dict)
        assert body["error"]["code"] == refused.field("x-fastgw-error") == "unavailable"
        gateway.wait_until(lambda: get(gateway, "/metrics").status == 200, "metrics")
        wait_for_rows(gateway, ids)


def test_killing_the_drain_loses_and_doubles_nothing(mock: RunningMock, tmp_path: Path) -> None:
    """SIGKILL of the drain again and again under traffic: every record is in logs.db exactly once."""
    with RunningGateway(tmp_path, config(mock.url), workers=2) as gateway:
        ids: set[str] = set()
        for _ in range(3):
            ids |= send_chats(gateway, 300)
            gateway.wait_until(lambda: drain_pid(gateway), "a drain")
            drain = drain_pid(gateway)
            os.kill(drain, signal.SIGKILL)
            ids |= send_chats(gateway, 100)
            gateway.wait_until(lambda died=f"drain (pid {drain}) died": died in gateway.log(), "its end")
        wait_for_rows(gateway, ids)


def test_killing_everything_loses_no_record(mock: RunningMock, tmp_path: Path) -> None:
    """SIGKILL of all processes, and a start with fewer workers: what had been served is in logs.db exactly once."""
    with RunningGateway(tmp_path, config(mock.url), workers=2) as gateway:
        os.kill(drain_pid(gateway), signal.SIGSTOP)
        ids = {name for _ in range(8) for name in send_chats(gateway, 25)}
        gateway.kill_everything()
        assert gateway.process.stdout is not None
        gateway.process.stdout.close()
        gateway.workers = 1
        gateway.start()
        wait_for_rows(gateway, ids)
        assert gateway.stop() == 0
        assert sorted(path.name for path in gateway.state.glob("ring-*")) == ["ring-0.ring"]


def test_a_locked_log_does_not_slow_the_lane(mock: RunningMock, tmp_path: Path) -> None:
    """While somebody holds logs.db, requests are served as ever, JSON lines go on, and the rows come when it is
    free.
    """
    with RunningGateway(tmp_path, config(mock.url)) as gateway:
        ids = send_chats(gateway, 20)
        wait_for_rows(gateway, ids)
        began = time.monotonic()
        ids |= send_chats(gateway, 300)
        usual_s = time.monotonic() - began
        holder = sqlite3.connect(gateway.state / "logs.db", isolation_level=None)
        try:
            holder.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            ids |= send_chats(gateway, 300)
            assert time.monotonic() - began < 3 * usual_s + SLOW_DAY_S
            gateway.wait_until(lambda: len(gateway.records()) == len(ids), "JSON lines")
            gateway.wait_until(lambda: "exporter sqlite fails" in gateway.log(), "the trouble in the log")
            assert b'fastgw_exporter_up{exporter="sqlite"} 0.0' in get(gateway, "/metrics").body
            holder.execute("ROLLBACK")
        finally:
            holder.close()
        wait_for_rows(gateway, ids)
        gateway.wait_until(
            lambda: b'fastgw_exporter_up{exporter="sqlite"} 1.0' in get(gateway, "/metrics").body, "health"
        )


def test_what_a_full_ring_drops_is_counted(mock: RunningMock, tmp_path: Path) -> None:
    """While the drain stands still and the ring is full, traffic flows on; kept and dropped records add up to
    what was served.
    """
    with RunningGateway(tmp_path, config(mock.url, "[gateway.record]\nring_bytes = 65536\n")) as gateway:
        ids = send_chats(gateway, 1)
        wait_for_rows(gateway, ids)
        drain = drain_pid(gateway)
        os.kill(drain, signal.SIGSTOP)
        ids |= send_chats(gateway, 400)
        os.kill(drain, signal.SIGCONT)
        gateway.wait_until(lambda: len(rows(gateway)) + dropped(gateway) == len(ids), "all of them, kept or counted")
        kept = rows(gateway)
        assert len(kept) == len(set(kept)) < len(ids) and set(kept) < ids
        last = send_chats(gateway, 20)
        gateway.wait_until(lambda: last <= set(rows(gateway)), "the ring at work again")


def dropped(gateway: RunningGateway) -> int:
    text = get(gateway, "/metrics").body.decode()
    return int(float(text.split('fastgw_ring_dropped_records_total{worker="0"} ')[1].split("\n")[0]))


def test_json_lines_rotate(mock: RunningMock, tmp_path: Path) -> None:
    """A file of JSON lines that is large enough is followed by another, and no line is lost or cut."""
    path = tmp_path / "records.jsonl"
    more = f'[gateway.record.jsonl]\npath = "{path}"\nrotate_bytes = 65536\nkeep = 20\n'
    with RunningGateway(tmp_path, config(mock.url, more)) as gateway:
        ids = set()
        for _ in range(4):
            ids |= send_chats(gateway, 100)
            last = max(ids).encode()  # ids are ordered by time
            gateway.wait_until(
                lambda last=last: any(last in file.read_bytes() for file in tmp_path.glob("records.jsonl*")),
                "the lines",
            )
        assert gateway.stop() == 0
        files = sorted(tmp_path.glob("records.jsonl*"))
        assert len(files) > 1 and all(file.stat().st_size < 200_000 for file in files)
        found = [json.loads(line)["id"] for file in files for line in file.read_text().splitlines()]
        assert len(found) == len(ids) and set(found) == ids


def test_logs_list_filter_and_follow(mock: RunningMock, tmp_path: Path) -> None:
    """`fastgw logs` lists the latest last, filters, prints JSON, and follows without losing what came between."""
    with RunningGateway(tmp_path, config(mock.url)) as gateway:
        first = send_chats(gateway, 5)
        with RawClient(gateway.url) as client:
            lost = client.ask_json("/v1/chat/completions", {**CHAT, "model": 7}, AUTH).field("x-fastgw-request-id")
        gateway.wait_until(lambda: len(rows(gateway)) == 6, "6 rows")
        command = [sys.executable, "-m", "fastgw", "logs", "--state", str(gateway.state)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

        def listed(*words: str) -> list[str]:
            return subprocess.check_output([*command, *words], env=environ, text=True).splitlines()

        table = listed()
        assert len(table) == 7 and table[0].split()[0] == "TIME" and table[-1].endswith("invalid_request")
        assert [json.loads(line)["id"] for line in listed("--json")] == rows(gateway)
        assert [json.loads(line)["id"] for line in listed("--json", "-n", "1")] == [lost]
        assert {json.loads(line)["id"] for line in listed("--json", "--status", "2xx", "--since", "5m")} == first
        assert [json.loads(line)["id"] for line in listed("--json", "--outcome", "refused", "--key", "app-1")] == [lost]
        assert listed("--json", "--model", "absent") == listed("--json", "--since", "2100-01-01") == []
        follower = subprocess.Popen(
            [*command, "--json", "-f", "--status", "200"], env=environ, text=True, stdout=subprocess.PIPE
        )
        assert follower.stdout is not None
        try:
            seen = [json.loads(follower.stdout.readline())["id"] for _ in first]
            more = send_chats(gateway, 30)
            seen += [json.loads(follower.stdout.readline())["id"] for _ in more]
            assert set(seen) == first | more and len(seen) == 35
            follower.send_signal(signal.SIGINT)
            assert follower.wait(PATIENCE_S) == 0
        finally:
            follower.kill()
            follower.wait()
            follower.stdout.close()


def test_a_dead_worker_is_replaced_at_once(mock: RunningMock, tmp_path: Path) -> None:
    """A worker that is killed is in service again within a second; what it had served is recorded."""
    with RunningGateway(tmp_path, config(mock.url)) as gateway:
        ids = send_chats(gateway, 10)
        (worker,) = gateway.worker_pids()
        began = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        port = int(gateway.url.rpartition(":")[2])
        gateway.wait_until(
            # in this order: the port is open until the death is seen as well
            lambda: f"worker 0 (pid {worker}) died: killed by SIGKILL" in gateway.log() and not is_refused(port),
            "service",
        )
        assert time.monotonic() - began < 1 + SLOW_DAY_S
        ids |= send_chats(gateway, 10)
        wait_for_rows(gateway, ids)


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_bad_file_leaves_the_old_configuration_in_force(mock: RunningMock, tmp_path: Path) -> None:
    """A file that does not hold, certificates included, is refused in the log, /readyz and a metric; the next
    good one is taken.
    """
    with RunningGateway(tmp_path, config(mock.url)) as gateway:
        (tmp_path / "empty.pem").write_text("no certificate\n")
        gateway.write_config(config(mock.url, f'ca_file = "{tmp_path / "empty.pem"}"\n'))
        gateway.wait_until(lambda: b"config_refused" in get(gateway, "/readyz").body, "the refusal")
        said = get(gateway, "/readyz").body.decode()
        assert "integrations.main.ca_file: expected certificates of authorities" in said and str(tmp_path) in said
        assert "ca_file: expected certificates" in gateway.log()
        gateway.wait_until(
            lambda: b'fastgw_snapshot_faulty{worker="0"} 1.0' in get(gateway, "/metrics").body, "the metric"
        )
        ids = send_chats(gateway, 1)
        gateway.write_config(config(mock.url, "max_connections = 9\n"))
        gateway.wait_until(lambda: b'"version":2' in get(gateway, "/readyz").body, "the next one")
        assert b"config_refused" not in get(gateway, "/readyz").body
        wait_for_rows(gateway, ids | send_chats(gateway, 1))
