"""The state of the gateway by the admin API."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastgw._core.ring import RingWriter
from fastgw.control.store.tables import ALERTS, DELIVERIES
from fastgw.record.daemon import SOCKET_NAME, open_metrics
from fastgw.record.drain import Drain
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.names import GAUGES
from tests.control.callers import organisation_of, put
from tests.control.plane import Control
from tests.control.records import many, write
from tests.patience import PATIENCE_S


@contextmanager
def draining(control: Control, rings: tuple[Path, ...]) -> Iterator[Drain]:
    """A drain of these rings with its metrics on the socket."""
    drain = Drain(rings, [SqliteLog(control.plane.state / "logs.db")])
    drain.start()
    servers: list[asyncio.Server | None] = []

    async def listen() -> None:
        servers.append(await open_metrics(control.plane.state / SOCKET_NAME, drain))

    async def leave() -> None:
        for server in servers:
            assert server is not None
            server.close()

    control.run(listen)
    try:
        yield drain
    finally:
        control.run(leave)
        drain.stop(5.0)


def test_the_status_is_what_is(control: Control) -> None:
    """Workers by their gauges, what is published, the log's size, what was lost, and alerts that wait."""
    write(control.plane.state, many(3))
    rings = tuple(control.plane.state / f"ring-{index}.ring" for index in range(2))
    writers = [RingWriter(path, 1 << 16, index) for index, path in enumerate(rings)]
    for name, value in (("pid", os.getpid()), ("in_flight", 3), ("snapshot_version", 5), ("snapshot_faulty", 1)):
        writers[1].set_gauge(GAUGES.index(name), value)
    alert = put(control, ALERTS, organisation_id=organisation_of(control), account="a", subject="s", kind="threshold", threshold_ppm=1,
                window="day", window_start_ns=0, unit="usd", spent=1, budget=1, at_ns=0, emails="[]")  # fmt: skip
    for channel, state in (("one", "pending"), ("two", "sent")):
        put(control, DELIVERIES, alert_id=alert, channel_id=channel, state=state, attempts=1, due_ns=0)
    with draining(control, rings):
        deadline = time.monotonic() + PATIENCE_S
        while (status := control.ask("GET", "/status"))["records"]["error"] is not None and time.monotonic() < deadline:
            pass
    writers[0].close()
    assert [(one["index"], one["in_flight"], one["snapshot_refused"]) for one in status["workers"]] == [(0, 0, False), (1, 3, True)]
    assert status["workers"][1]["pid"] == os.getpid() and status["version"] and status["uptime_s"] >= 0
    assert status["records"]["lost"] == 0 and status["records"]["log_bytes"] > 1000 and status["records"]["error"] is None
    assert status["store"] == {"kind": control.plane.store.kind, "ok": True, "error": None}
    assert status["alerts"] == {"pending": 1}
    assert (status["publish"]["revision"], status["publish"]["published_at"], status["publish"]["error"]) == (
        7, "2023-11-14T22:13:20.000Z", None)  # fmt: skip
    assert [one["index"] for one in control.ask("GET", "/status")["workers"]] == [1]
    writers[1].close()


def test_what_is_wrong_is_said(control: Control) -> None:
    """A drain that does not answer, and a configuration that is not published."""
    control.data.error = "OSError: no room"
    status = control.ask("GET", "/status")
    assert status["publish"]["error"] == "OSError: no room" and "drain" in status["records"]["error"]
    assert status["records"]["lost"] is None and status["workers"] == []


def test_only_operators_see_the_status(control: Control) -> None:
    """Not the people of a workspace; whether the process answers is open to all."""
    control.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    assert control.person("admin@example.com", team_a="admin").send("GET", "/status").status_code == 403
    assert control.client.get("/api/v1/health").json() == {"status": "ok"}
    assert control.client.get("/api/v1/status").status_code == 401
