"""`serve --edge`: one process that serves and drains, to whatever its configuration says, and ends as a whole gateway does."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastgw.granian import OPTIONS
from tests.fakes.collector import Collector
from tests.fakes.raw_client import RawClient
from tests.fakes.script import Gate, json_reply, pause
from tests.fakes.upstream import Upstream
from tests.gateway.lane_gateway import REPLY, chat, config
from tests.gateway.running import ROOT
from tests.patience import PATIENCE_S

RECORDS = {
    "json lines": '[gateway.record]\nsqlite = false\n[gateway.record.jsonl]\npath = "{lines}"\n',
    "SQLite": "[gateway.record]\nsqlite = true\n",
    "nothing": "[gateway.record]\nsqlite = false\n",
}


@contextmanager
def edge(directory: Path, text: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running edge, and its address."""
    path = directory / "fastgw.toml"
    path.write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "fastgw", "serve", "--edge", "--config", str(path), "--listen", "127.0.0.1:0", "--state",
         str(directory / "state")],
        cwd=directory, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().split("serves ")[1].split(" ")[0]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        process.stdout.close()


def threads_and_children(pid: int) -> int:
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@pytest.mark.parametrize("kind", RECORDS)
def test_one_process_serves_and_records(tmp_path: Path, kind: str) -> None:
    """It answers, has no child, shows its metrics, and every record of it is where the configuration says, at the latest when it ends."""
    lines = tmp_path / "records.jsonl"
    with Upstream(json_reply(REPLY)) as upstream:
        with edge(tmp_path, config(upstream.url, RECORDS[kind].format(lines=lines))) as (process, url), RawClient(url) as client:
            for _ in range(20):
                client.send(chat())
                assert client.read_response("POST").status == 200
            assert not threads_and_children(process.pid)
            deadline = time.monotonic() + PATIENCE_S
            while b"fastgw_requests_total{" not in client.ask("GET", "/metrics").body:
                assert time.monotonic() < deadline
        assert process.returncode == 0
    assert lines.exists() is (kind == "json lines")
    if kind == "json lines":
        assert len([json.loads(line) for line in lines.read_text().splitlines()]) == 20
    assert (tmp_path / "state" / "logs.db").exists() is (kind == "SQLite")
    if kind == "SQLite":
        with sqlite3.connect(tmp_path / "state" / "logs.db") as store:
            assert store.execute("select count(*) from records").fetchone() == (20,)


def test_spans_of_an_edge_reach_a_collector(tmp_path: Path) -> None:
    """Each exchange is a span in the trace of its caller, those of the last second before the end too; a refusal is an error."""
    with Collector() as collector, Upstream(json_reply(REPLY)) as upstream:
        text = config(upstream.url, f'[gateway.record]\nsqlite = false\n[gateway.record.otlp]\nendpoint = "{collector.url}"\n')
        with edge(tmp_path, text) as (process, url), RawClient(url) as client:
            for number in range(1, 21):
                client.send(chat().replace(b"\r\n", b"\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n" % number, 1))
                assert client.read_response("POST").status == 200
            assert client.ask("GET", "/nowhere").status == 404
        assert process.returncode == 0
        served, refused = collector.spans()[:20], collector.spans()[20:]
    assert [int(span.trace_id.hex(), 16) for span in served] == list(range(1, 21)) and {span.status.code for span in served} == {0}
    assert {span.name.split(" ")[0] for span in served} == {"chat"}
    assert {event.name for event in served[0].events} >= {"sent", "reply whole"}
    assert [span.status.code for span in refused] == [2]


def test_a_killed_edge_leaves_a_record_of_what_it_had_in_hand(tmp_path: Path) -> None:
    """What was on its way when it was killed is charged and recorded by the next one."""
    lines = tmp_path / "records.jsonl"
    gate = Gate()
    with Upstream([pause(gate)]) as upstream:
        text = config(upstream.url, RECORDS["json lines"].format(lines=lines))
        with edge(tmp_path, text) as (process, url), RawClient(url) as client:
            client.send(chat())
            assert gate.reached.wait(PATIENCE_S)
            process.kill()
            process.wait(PATIENCE_S)
        with edge(tmp_path, text) as (process, _):
            pass
        gate.release()
    assert [json.loads(line)["outcome"] for line in lines.read_text().splitlines()] == ["lost"]


@pytest.mark.parametrize(("options", "said"), [
    (["--edge", "--server", "granian"], "--edge is one worker with the lane"),
    (["--edge", "--workers", "2"], "--edge is one worker with the lane"),
    (["--granian", "http=2"], "--granian is for --server granian"),
    (["--server", "granian", "--granian", "htp=2"], "did you mean http?"),
    (["--server", "granian", "--granian", "http=3"], "expected auto, 1 or 2, found '3'"),
    (["--server", "granian", "--granian", "runtime-threads=0"], "expected a number from 1 on, found '0'"),
])
def test_options_that_cannot_be_are_named(tmp_path: Path, options: list[str], said: str) -> None:
    """A wrong option ends the start with one line and status 2."""
    done = subprocess.run([sys.executable, "-m", "fastgw", "serve", "--demo", *options], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_the_page_has_every_option_of_granian() -> None:
    """docs/asgi.md tells of each option what the table says."""
    page = (ROOT / "docs" / "asgi.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{option.name}` | {option.meaning} |" for option in OPTIONS]
