"""A bounded queue in front of one exporter, and the thread that empties it."""
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from fastgw.record.exporters import Batch, Exporter, ExportFailed, ExportRefused, Mark

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
PASSING = (ExportFailed, OSError)     # worth another try; anything else is a fault and costs the batch

log = logging.getLogger("fastgw.record")


class Feed:
    """Feeds one exporter, whatever happens to the others.

    The poller offers batches and never waits. What does not fit is dropped and counted. `kept` says how far each ring's
    records need not be offered again.
    """

    def __init__(self, exporter: Exporter, most_records: int = 100_000, most_bytes: int = 128 << 20) -> None:
        self.exporter = exporter
        self.most_records = most_records
        self.most_bytes = most_bytes
        self.waiting: deque[Batch] = deque()
        self.changed = threading.Condition()
        self.opened = threading.Event()
        self.kept: dict[str, Mark] = {}
        self.queued_records = self.queued_bytes = 0
        self.exported_records = self.dropped_records = self.failures = 0
        self.is_healthy = True
        self.is_refused = False                   # the latest batch, or some of it
        self.gave_up = False                      # the deadline came while the exporter was failing
        self.deadline: float | None = None        # once set: finish by then
        self.thread = threading.Thread(target=self.run, name=f"export-{exporter.name}", daemon=True)

    def __repr__(self) -> str:
        return f"Feed({self.exporter.name}, {self.queued_records} queued, {self.dropped_records} dropped)"

    # -- the poller's side

    def offer(self, batch: Batch) -> bool:
        """Queue a batch; False where the queue is full and the batch is dropped."""
        with self.changed:
            if (self.queued_records + len(batch.records) > self.most_records
                    or self.queued_bytes + batch.size_bytes > self.most_bytes):
                self.dropped_records += len(batch.records)
                return False
            self.waiting.append(batch)
            self.queued_records += len(batch.records)
            self.queued_bytes += batch.size_bytes
            self.changed.notify()
        return True

    def finish(self, deadline: float) -> None:
        """Take no more and export what is queued, until `deadline` on the monotonic clock."""
        with self.changed:
            self.deadline = deadline
            self.changed.notify()

    # -- the exporter's side, all on its thread

    def run(self) -> None:
        try:
            if self.persist(self.open):
                while not self.gave_up and (batch := self.take()) is not None:
                    if not self.persist(partial(self.export, batch)):
                        self.drop(batch)
        finally:
            self.opened.set()
            self.close()

    def open(self) -> None:
        self.exporter.open()
        self.kept.update(self.exporter.kept_marks())
        self.opened.set()

    def take(self) -> Batch | None:
        """Wait for a batch, gather what comes in while lingering, return all as one; None at the end."""
        with self.changed:
            while not self.waiting:
                if self.deadline is not None:
                    return None
                self.changed.wait()
            until = time.monotonic() + self.exporter.linger_seconds
            while self.deadline is None and self.queued_records < self.exporter.most_records:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(left)
            batches = [self.waiting.popleft()]
            gathered = len(batches[0].records)
            while self.waiting and gathered + len(self.waiting[0].records) <= self.exporter.most_records:
                batches.append(self.waiting.popleft())
                gathered += len(batches[-1].records)
        return batches[0] if len(batches) == 1 else join(batches)

    def export(self, batch: Batch) -> None:
        refused = 0
        try:
            self.exporter.export(batch)
        except ExportRefused as error:
            refused = error.records
            self.fail(error, "loses what is refused")
        self.dropped_records += refused
        self.exported_records += len(batch.records) - refused
        self.done(batch)
        self.is_refused = bool(refused)

    def drop(self, batch: Batch) -> None:
        self.dropped_records += len(batch.records)
        # After a fault the batch is lost; at the deadline its records stay in the rings for the next drain.
        if self.gave_up:
            self.forget(batch)
        else:
            self.done(batch)

    def done(self, batch: Batch) -> None:
        self.forget(batch)
        self.kept.update(batch.marks)

    def forget(self, batch: Batch) -> None:
        with self.changed:
            self.queued_records -= len(batch.records)
            self.queued_bytes -= batch.size_bytes

    def persist(self, step: Callable[[], None]) -> bool:
        """Do a step until it succeeds; False where it cannot, or the deadline came first."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                step()
            except PASSING as error:
                self.fail(error)
            except Exception:
                self.failures += 1
                log.exception("exporter %s: a fault cost a batch", self.exporter.name)
                return False
            else:
                if not self.is_refused:
                    self.recover()
                return True
            with self.changed:
                if self.deadline is not None and time.monotonic() + pause > self.deadline:
                    self.gave_up = True
                    return False
                self.changed.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def fail(self, error: Exception, then: str = "fails, trying again") -> None:
        """Count every failure, log only the first of a row."""
        self.failures += 1
        if self.is_healthy:
            log.error("exporter %s %s: %s", self.exporter.name, then, error)
        self.is_healthy = False

    def recover(self) -> None:
        if not self.is_healthy:
            log.warning("exporter %s works again, %d records dropped so far", self.exporter.name, self.dropped_records)
        self.is_healthy = True

    def close(self) -> None:
        try:
            self.exporter.close()
        except Exception:
            log.exception("exporter %s: could not close", self.exporter.name)


def join(batches: list[Batch]) -> Batch:
    """Put batches together; of two marks of one ring the later counts."""
    marks: dict[str, Mark] = {}
    for batch in batches:
        marks.update(batch.marks)
    records = [record for batch in batches for record in batch.records]
    return Batch(records, marks, sum(batch.size_bytes for batch in batches))
