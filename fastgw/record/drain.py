"""Read the workers' rings and give their records to the exporters.

One thread polls the rings, copies records out and masks details and payloads; each exporter has a queue and a thread of its own.
The space of a record is given back to its ring once every durable exporter has it, or when the ring is half full; so a
drain that is killed loses and doubles nothing in the SQLite file, unless it had fallen far behind.
"""
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fastgw._core.ring import RingError, RingReader
from fastgw.record.exporters import Batch, Exporter, Mark
from fastgw.record.feed import Feed
from fastgw.record.fields import Record
from fastgw.record.names import CACHES, FLAG_SETS, OPERATIONS, OUTCOMES
from fastgw.record.redact import redact

SHORTEST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.2
LOOK_SECONDS = 1.0             # how often rings that are missing or replaced are looked for
OPEN_SECONDS = 5.0             # how long to wait for what the durable exporters have already
MOST_A_READ = 2000
RECORD_COST_BYTES = 2500       # what a record by itself takes in memory, roughly
DETAIL = msgspec.json.Decoder(dict[str, object])
DETAIL_COST = 4                # and a detail, as objects: times its bytes
NO_PIECES = (None, None, None)  # detail, request and reply

log = logging.getLogger("fastgw.record")


class Drain:
    """From rings to exporters, until stopped. All methods but stop's waiting are cheap."""

    def __init__(
        self,
        rings: Sequence[Path],
        exporters: Sequence[Exporter],
        *,
        errors: tuple[str, ...] = ("",),
        queue_records: int = 100_000,
        queue_bytes: int = 128 << 20,
        state: Path | None = None,
    ) -> None:
        self.state = state                        # where a control process says how it is
        self.paths = [str(path) for path in rings]
        self.errors = errors
        self.feeds = [Feed(exporter, queue_records, queue_bytes) for exporter in exporters]
        self.durable = [feed for feed in self.feeds if feed.exporter.durable]
        self.readers: dict[str, RingReader] = {}
        self.faulty: set[str] = set()             # paths whose ring cannot be opened, logged once
        self.read_records = 0
        self.faults = 0
        self.deadline = float("inf")              # of a stop
        self.looked_at = float("-inf")
        self.stopping = threading.Event()
        self.rings_lock = threading.Lock()        # the metrics read the rings' counters from another thread
        self.thread = threading.Thread(target=self.run, name="drain", daemon=True)

    def __repr__(self) -> str:
        return f"Drain({len(self.readers)} of {len(self.paths)} rings, {self.feeds})"

    def start(self) -> None:
        for feed in self.feeds:
            feed.thread.start()
        self.thread.start()

    def stop(self, seconds: float = 10.0) -> bool:
        """Read the rings out, let the exporters finish and close; False where that took too long and was cut short."""
        deadline = time.monotonic() + seconds
        self.deadline = deadline
        self.stopping.set()
        self.thread.join(max(0.0, deadline - time.monotonic()))
        for feed in self.feeds:
            feed.finish(deadline)
        for feed in self.feeds:
            feed.thread.join(max(0.0, deadline - time.monotonic()) + 0.1)
        late = [
            feed.exporter.name for feed in self.feeds
            if feed.thread.is_alive() or feed.queued_records or feed.gave_up
        ]
        if late:
            log.error("exporters %s did not finish within %.1f s", ", ".join(late), seconds)
        with self.rings_lock:
            for path, reader in self.readers.items():
                self.release(path, reader, may_hurry=False)
                reader.close()
            self.readers.clear()
        return not late and not self.thread.is_alive()

    # -- the poller, on its thread

    def run(self) -> None:
        deadline = time.monotonic() + OPEN_SECONDS
        for feed in self.durable:
            # Must come before the first read: it tells what need not be read again.
            while not (feed.opened.wait(0.05) or self.stopping.is_set() or time.monotonic() > deadline):
                pass
        pause = SHORTEST_PAUSE_SECONDS
        while not self.stopping.is_set():
            total = self.poll_safely()
            if not total and pause < LONGEST_PAUSE_SECONDS <= 1.3 * pause:
                # it has become quiet
                for reader in self.readers.values():
                    reader.let_pages_go()
            pause = SHORTEST_PAUSE_SECONDS if total else min(1.3 * pause, LONGEST_PAUSE_SECONDS)
            if total < MOST_A_READ:
                self.stopping.wait(pause)
        self.looked_at = float("-inf")
        while self.poll_safely() and time.monotonic() < self.deadline:
            pass

    def poll_safely(self) -> int:
        """Poll; a fault of ours is counted and logged, and the polling goes on."""
        try:
            return self.poll()
        except Exception:
            self.faults += 1
            log.exception("the drain had a fault")
            self.stopping.wait(LOOK_SECONDS)
            return 0

    def poll(self) -> int:
        """Read what there is in each ring, up to a bound, give it to the feeds, return how many records it was."""
        if time.monotonic() - self.looked_at >= LOOK_SECONDS:
            self.look()
        records: list[Record] = []
        marks: dict[str, Mark] = {}
        size_bytes = 0
        for path, reader in self.readers.items():
            rows = reader.read(MOST_A_READ, release=False)
            if rows:
                marks[path] = Mark(reader.created_ns, reader.position)
            for values in rows:
                record = Record(*values)
                if values[-3:] != NO_PIECES:
                    size_bytes += mask(record, *values[-3:])
                records.append(record)
        if records:
            batch = Batch(records, marks, size_bytes + RECORD_COST_BYTES * len(records))
            for feed in self.feeds:
                feed.offer(batch)
            self.read_records += len(records)
        for path, reader in self.readers.items():
            self.release(path, reader, may_hurry=True)
        return len(records)

    def release(self, path: str, reader: RingReader, may_hurry: bool) -> None:
        """Give back what every durable exporter has; all that was read where the ring is half full."""
        position = reader.position
        for feed in self.durable:
            mark = feed.kept.get(path)
            position = min(position, mark.position if mark and mark.created_ns == reader.created_ns else 0)
        if may_hurry and reader.used_bytes * 2 > reader.capacity_bytes:
            position = reader.position
        reader.release(position)

    # -- rings that come and go

    def look(self) -> None:
        """Open rings that were not there, and follow a path that leads to another file once the old one is read out."""
        self.looked_at = time.monotonic()
        for path in self.paths:
            reader = self.readers.get(path)
            if reader is not None and reader.unread_bytes == 0 and reader.is_replaced():
                with self.rings_lock:
                    self.readers.pop(path).close()
                reader = None
            if reader is None:
                self.open_ring(path)

    def open_ring(self, path: str) -> None:
        try:
            reader = RingReader(path, outcomes=OUTCOMES, operations=OPERATIONS, errors=self.errors, caches=CACHES, flags=FLAG_SETS)
        except FileNotFoundError:
            return                                # its worker has not started yet
        except RingError as error:
            if path not in self.faulty:
                log.warning("ring %s cannot be read yet: %s", path, error)
                self.faulty.add(path)
            return
        self.faulty.discard(path)
        marks = [feed.kept.get(path) for feed in self.durable]
        if marks and all(mark is not None and mark.created_ns == reader.created_ns for mark in marks):
            reader.seek(min(mark.position for mark in marks if mark is not None))
        with self.rings_lock:
            self.readers[path] = reader


def mask(record: Record, detail: bytes | None, request: bytes | None, reply: bytes | None) -> int:
    """Put the detail and the payloads in, masked; return how much memory they take, roughly."""
    record.detail = None if detail is None else read_detail(detail)
    record.request = None if request is None else redact(request)
    record.reply = None if reply is None else redact(reply)
    return DETAIL_COST * len(detail or b"") + len(request or b"") + len(reply or b"")


def read_detail(detail: bytes) -> dict[str, object]:
    """Return a masked detail; one that is no JSON object, which is a fault of ours, stands in one as text."""
    masked = redact(detail)
    try:
        return DETAIL.decode(masked)
    except (msgspec.MsgspecError, RecursionError):
        return {"unreadable": masked}
