"""The drain: every record to every exporter, once, in order; and nobody stops anybody."""
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastgw._core.ring import RingReader, RingWriter
from fastgw.record.drain import Drain
from fastgw.record.exporters import Batch, ExportFailed, Mark
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.filters import Filters
from fastgw.record.query import list_records
from tests.patience import PATIENCE_S, SLOW_DAY_S
from tests.unit.record.making import packed, wait_until

ROOT = Path(__file__).parents[3]


class Scripted:
    """An exporter that does as it is told."""

    linger_seconds = 0.0
    most_records = 1000

    def __init__(self, name: str = "scripted", durable: bool = False) -> None:
        self.name = name
        self.durable = durable
        self.seen: list[int] = []
        self.payloads: list[str | None] = []
        self.details: list[dict[str, object] | None] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.is_closed = False
        self.marks: dict[str, Mark] = {}

    def open(self) -> None:
        pass

    def export(self, batch: Batch) -> None:
        self.gate.wait()
        if self.error is not None:
            raise self.error
        self.seen += [record.input_tokens for record in batch.records]
        self.payloads += [record.request for record in batch.records]
        self.details += [record.detail for record in batch.records]

    def close(self) -> None:
        self.is_closed = True

    def kept_marks(self) -> dict[str, Mark]:
        return self.marks


def wait_for(exporter: Scripted, count: int) -> None:
    wait_until(lambda: len(exporter.seen) == count)


def wait_for_log(log: Path, least: int) -> None:
    wait_until(lambda: len(list_numbers(log)) >= least)


def push(writer: RingWriter, *numbers: int) -> None:
    for number in numbers:
        assert writer.push_packed(packed(input_tokens=number)) == 2


def test_every_record_reaches_every_exporter_once_in_order(tmp_path: Path, writer: RingWriter) -> None:
    """Two rings, two exporters: each ring's order is kept and a stop leaves nothing behind."""
    second = RingWriter(tmp_path / "ring-1", 1 << 20, 1)
    one, two = Scripted("one"), Scripted("two")
    drain = Drain([tmp_path / "ring-0", tmp_path / "ring-1"], [one, two])
    drain.start()
    for start in range(0, 3000, 300):
        push(writer, *range(start, start + 300))
        push(second, *range(10_000 + start, 10_000 + start + 300))
        if start % 900 == 0:
            wait_for(one, 2 * (start + 300))      # the ring holds 2,000: what it drops is another test's promise
    assert drain.stop() and one.is_closed and two.is_closed
    for exporter in (one, two):
        assert [number for number in exporter.seen if number < 10_000] == list(range(3000))
        assert [number for number in exporter.seen if number >= 10_000] == list(range(10_000, 13_000))
    assert drain.faults == 0


def test_failing_exporter_stops_no_other_and_catches_up(writer: RingWriter, caplog: pytest.LogCaptureFixture) -> None:
    """While one fails the other goes on; the failing one gets its records later; each change is logged once."""
    bad, good = Scripted("bad"), Scripted("good")
    bad.error = ExportFailed("no room")
    drain = Drain([Path(writer.path)], [bad, good])
    drain.start()
    push(writer, 1, 2, 3)
    wait_until(lambda: good.seen == [1, 2, 3] and drain.feeds[0].failures >= 3)
    bad.error = None
    wait_until(lambda: bad.seen == [1, 2, 3])
    assert drain.stop()
    assert caplog.text.count("bad fails") == 1 and caplog.text.count("bad works again") == 1


def test_slow_exporter_has_a_bounded_queue(writer: RingWriter) -> None:
    """What the queue cannot hold is dropped and counted, and nothing else is."""
    slow, quick = Scripted("slow"), Scripted("quick")
    slow.gate.clear()
    drain = Drain([Path(writer.path)], [slow, quick], queue_records=100)
    drain.start()
    for number in range(500):
        push(writer, number)
        if number % 50 == 49:
            wait_for(quick, number + 1)
    feed = drain.feeds[0]
    assert feed.queued_records <= 100 and feed.dropped_records >= 350
    slow.gate.set()
    assert drain.stop()
    assert len(slow.seen) + feed.dropped_records == 500 and drain.feeds[1].dropped_records == 0


def test_fault_of_an_exporter_costs_one_batch(writer: RingWriter) -> None:
    """An exception that is a bug is not tried again for ever."""
    faulty = Scripted()
    faulty.error = KeyError("a bug")
    drain = Drain([Path(writer.path)], [faulty])
    drain.start()
    push(writer, 1)
    wait_until(lambda: drain.feeds[0].dropped_records == 1)
    faulty.error = None
    push(writer, 2)
    assert drain.stop() and faulty.seen == [2]


def test_stop_is_bounded_in_time(writer: RingWriter) -> None:
    """An exporter that hangs cannot hold a stop up, and a durable one's records stay in the ring."""
    stuck = Scripted(durable=True)
    stuck.gate.clear()
    drain = Drain([Path(writer.path)], [stuck])
    drain.start()
    push(writer, 1, 2)
    wait_until(lambda: drain.read_records == 2)
    started = time.monotonic()
    assert not drain.stop(0.3)
    assert time.monotonic() - started < 0.3 + SLOW_DAY_S
    reader = RingReader(writer.path)
    assert len(reader.read()) == 2
    stuck.gate.set()
    wait_until(lambda: stuck.is_closed)


def test_failing_at_the_deadline_leaves_records_for_the_next_drain(writer: RingWriter) -> None:
    """What a durable exporter could not keep is read again after a restart; what it kept is not."""
    first = Scripted(durable=True)
    drain = Drain([Path(writer.path)], [first])
    drain.start()
    push(writer, 1)
    wait_until(lambda: first.seen == [1])
    first.error = OSError("disk full")
    push(writer, 2)
    assert not drain.stop(0.3)
    second = Scripted(durable=True)
    drain = Drain([Path(writer.path)], [second])
    drain.start()
    assert drain.stop() and second.seen == [2]


def test_failing_durable_exporter_does_not_fill_the_ring(writer: RingWriter) -> None:
    """Beyond half of the ring, space is given back although the durable exporter still fails."""
    durable, other = Scripted("durable", durable=True), Scripted("other")
    durable.error = ExportFailed("locked")
    drain = Drain([Path(writer.path)], [durable, other])
    drain.start()
    for start in range(0, 10_000, 500):
        push(writer, *range(start, start + 500))
        wait_for(other, start + 500)
    durable.error = None
    assert drain.stop() and durable.seen == other.seen == list(range(10_000))


def test_rings_come_late_and_are_replaced(tmp_path: Path) -> None:
    """A ring that a worker makes after the drain has started is read, and so is its successor of another size."""
    seen = Scripted()
    drain = Drain([tmp_path / "ring-0"], [seen])
    drain.start()
    for number, capacity in enumerate([8192, 16384]):
        writer = RingWriter(tmp_path / "ring-0", capacity)
        assert writer.capacity_bytes == capacity
        push(writer, number)
        wait_for(seen, number + 1)
        wait_until(lambda: next(iter(drain.readers.values())).used_bytes == 0)
        writer.close()
    assert drain.stop() and seen.seen == [0, 1]


def test_payloads_and_details_are_masked_before_any_exporter(writer: RingWriter) -> None:
    """No exporter ever sees a secret of a payload or of a detail."""
    exporter = Scripted()
    drain = Drain([Path(writer.path)], [exporter])
    drain.start()
    writer.push_packed(packed(), b'{"api_key": "hunter2", "n": 1}', b"\xff", detail=b'{"metadata": {"password": "hunter2"}}')
    writer.push_packed(packed())
    assert drain.stop()
    assert exporter.payloads == ['{"api_key": "[masked]", "n": 1}', None]
    assert exporter.details == [{"metadata": {"password": "[masked]"}}, None]


@pytest.mark.parametrize("detail", [b'{"attempts": "cut', b"[1]", b"\xff", b'{"metadata": ' + b"[" * 3000])
def test_detail_that_is_no_object_costs_no_record(writer: RingWriter, detail: bytes) -> None:
    """Whatever stands in the ring as a detail, exporters get an object, which has it as text."""
    exporter = Scripted()
    drain = Drain([Path(writer.path)], [exporter])
    drain.start()
    writer.push_packed(packed(input_tokens=1), detail=detail)
    assert drain.stop() and drain.faults == 0
    assert exporter.details == [{"unreadable": detail.decode(errors="replace")}] and exporter.seen == [1]


def test_ring_of_an_earlier_layout_gives_way_to_a_fresh_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A drain that finds an earlier release's ring says so once and waits; the worker puts it aside, and its own is read."""
    path = tmp_path / "ring-0"
    early = struct.pack("<8sIIQqI", b"FGWRING\n", 1, 512, 8192, 1, 0).ljust(4096 + 8192, b"\0")
    path.write_bytes(early)
    seen = Scripted()
    drain = Drain([path], [seen])
    for _ in range(3):
        drain.look()
    assert caplog.text.count("found layout 1 with 512") == 1 and drain.readers == {}
    drain.start()
    writer = RingWriter(path)
    assert writer.moved_aside is not None and Path(writer.moved_aside).read_bytes() == early
    push(writer, 1)
    wait_for(seen, 1)
    assert drain.stop() and seen.seen == [1]


DRAINER = """
import sys
from pathlib import Path
from fastgw.record.daemon import run_drain
from fastgw.record.options import DrainOptions
state = Path(sys.argv[1])
sys.exit(run_drain(DrainOptions(rings=(state / "ring-0",), state=state)))
"""


@contextmanager
def start_drain(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a drain in a process of its own, killed at the latest at the end."""
    process = subprocess.Popen([sys.executable, "-c", DRAINER, str(state)], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_killed_drain_loses_and_doubles_nothing(tmp_path: Path, writer: RingWriter) -> None:
    """kill -9 of the drain at any moment: in the SQLite file every record is there once."""
    pushed = 0
    log = tmp_path / "logs.db"
    for turn in range(3):
        with start_drain(tmp_path) as process:
            wait_for_log(log, pushed - 299)
            for _ in range(300):
                push(writer, pushed)
                pushed += 1
            if turn:
                wait_for_log(log, pushed - 299)
                push(writer, pushed)
                pushed += 1
            os.kill(process.pid, signal.SIGKILL)
    with start_drain(tmp_path) as process:
        wait_until(lambda: len(list_numbers(log)) >= pushed)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert list_numbers(log) == list(range(pushed))


def list_numbers(log: Path) -> list[int]:
    if not log.exists():
        return []
    try:
        return sorted(one.record.input_tokens for one in list_records(log, Filters(limit=10_000)))
    except Exception:        # not made yet
        return []


def test_sqlite_marks_say_where_to_go_on(tmp_path: Path, writer: RingWriter) -> None:
    """Records that are committed but not released are skipped by the next drain."""
    push(writer, 1, 2)
    reader = RingReader(writer.path)
    reader.read(1, release=False)
    mark = Mark(reader.created_ns, reader.position)
    reader.close()
    seen = Scripted(durable=True)
    seen.marks = {writer.path: mark}
    drain = Drain([Path(writer.path)], [seen, SqliteLog(tmp_path / "logs.db", retention_days=36_500)])
    drain.durable = drain.durable[:1]
    drain.start()
    assert drain.stop() and seen.seen == [2]
    assert len(list_records(tmp_path / "logs.db", Filters())) == 1
