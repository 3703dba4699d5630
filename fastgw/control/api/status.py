"""How the gateway is: its workers, what was published, records, the store and alerts."""

import asyncio
import re
import time
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from fastgw import __version__
from fastgw._core.ring import RingError, gauges_of
from fastgw.control.api.asked import LOG
from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.store.engine import StoreUnavailable
from fastgw.control.store.tables import ALERTS, DELIVERIES, STATE
from fastgw.record.daemon import SOCKET_NAME
from fastgw.record.names import GAUGES

DRAIN_SECONDS: Final = 2.0
MOST_METRICS_BYTES: Final = 16 << 20
ASKED: Final = b"GET /metrics HTTP/1.1\r\nhost: drain\r\nconnection: close\r\n\r\n"
RING: Final = re.compile(r"ring-([0-9]+)\.ring")
LOST: Final = re.compile(rb"^fastgw_(?:ring|exporter)_dropped_records_total\{[^}]*\} ([0-9.e+]+)$", re.M)
FAILING: Final = re.compile(rb'^fastgw_exporter_up\{exporter="([^"]+)"\} 0(?:\.0)?$', re.M)


class Worker(Struct):
    """A worker that runs; snapshot_refused: the latest configuration is, and it serves by the one before."""

    index: int
    pid: int
    in_flight: int
    connections: int
    snapshot_version: int
    snapshot_refused: bool
    faults: int


class Publishing(Struct):
    """What of the store the data plane has; is_current: it is all there is."""

    revision: int
    published_at: str | None
    is_current: bool
    error: str | None


class Records(Struct):
    """The log's size, how many records were lost since the drain's start or that of the rings, and what is wrong with keeping them."""

    log_bytes: int
    lost: int | None
    error: str | None


class StoreState(Struct):
    """Whether the store answers."""

    kind: str
    ok: bool
    error: str | None


class Pending(Struct):
    """Alerts that are still to be delivered."""

    pending: int


class StatusShown(Struct):
    """How everything is at this moment."""

    version: str
    uptime_s: int
    workers: list[Worker]
    publish: Publishing
    records: Records
    store: StoreState
    alerts: Pending


class Healthy(Struct):
    """The control process answers."""

    status: str = "ok"


class Status:
    """What an operator looks at first."""

    def __repr__(self) -> str:
        return "<Status>"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(method="GET", path="/status", run=self.show, summary="How the gateway is", scope="status.view", uses="none",
                     reply=StatusShown, tag="status"),
            Endpoint(method="GET", path="/health", run=self.answer, summary="Whether the control process answers", scope=None, uses="none",
                     reply=Healthy, tag="status"),
        ]  # fmt: skip

    async def answer(self, call: Call) -> Answer:
        return Answer(Healthy())

    async def show(self, call: Call) -> Answer:
        plane = call.plane
        workers, size, (lost, trouble) = await asyncio.gather(
            asyncio.to_thread(workers_in, plane.state), asyncio.to_thread(log_bytes, plane.state), drained(plane.state / SOCKET_NAME))
        revision, pending, error = await stored(call)
        published = plane.publisher
        return Answer(StatusShown(
            version=__version__,
            uptime_s=(time.time_ns() - plane.started_ns) // 10**9,
            workers=workers,
            publish=Publishing(published.config_revision, moment(published.published_ns or None),
                               published.config_revision == revision, published.error or None),
            records=Records(size, lost, trouble),
            store=StoreState(plane.store.kind, error is None, error),
            alerts=Pending(pending),
        ))  # fmt: skip


async def stored(call: Call) -> tuple[int, int, str | None]:
    """What the store says: the revision of its configuration and how many alerts wait; and why it says nothing."""
    waiting = select(func.count()).select_from(DELIVERIES.join(ALERTS, ALERTS.c.id == DELIVERIES.c.alert_id)).where(
        DELIVERIES.c.state == "pending", ALERTS.c.organisation_id == call.principal.organisation_id)
    try:
        async with call.plane.store.read() as connection:
            revision = (await connection.execute(select(STATE.c.config_revision))).scalar_one()
            return revision, (await connection.execute(waiting)).scalar_one(), None
    except (StoreUnavailable, SQLAlchemyError) as error:
        return -1, 0, str(error)


def workers_in(state: Path) -> list[Worker]:
    """Those whose rings are open, by number."""
    found = []
    for path in state.glob("ring-*.ring"):
        name = RING.fullmatch(path.name)
        try:
            gauges = gauges_of(path)
        except (OSError, RingError):
            continue
        if name and gauges is not None:
            told = dict(zip(GAUGES, gauges, strict=False))
            found.append(Worker(int(name[1]), told["pid"], told["in_flight"], told["connections"], told["snapshot_version"],
                                bool(told["snapshot_faulty"]), told["faults"]))  # fmt: skip
    return sorted(found, key=lambda worker: worker.index)


def log_bytes(state: Path) -> int:
    parts = (state / (LOG + suffix) for suffix in ("", "-wal", "-shm"))
    return sum(part.stat().st_size for part in parts if part.exists())


async def drained(path: Path) -> tuple[int | None, str | None]:
    """How many records were lost, and what is wrong, as the drain has it; None where it does not answer."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(ASKED)
                await writer.drain()
                content = bytearray()
                while (piece := await reader.read(1 << 16)) and len(content) < MOST_METRICS_BYTES:
                    content += piece
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return None, f"the drain does not answer, so records wait in the rings: {str(error) or 'no answer in time'}"
    failing = [name.decode() for name in FAILING.findall(content)]
    lost = sum(int(float(number)) for number in LOST.findall(content))
    return lost, f"records are not kept by {', '.join(failing)}; the gateway's log says why" if failing else None
