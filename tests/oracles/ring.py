"""A ring in plain Python: what is accepted, what is dropped and what is read, without a file."""
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

ENTRY_BYTES = 16
MOST_DETAIL_BYTES = 4096


class Pushed(NamedTuple):
    """One entry as a reader gets it; the detail and the payloads are None where they were dropped or never there."""

    number: int
    detail: bytes | None = None
    request: bytes | None = None
    reply: bytes | None = None
    detail_dropped: bool = False


@dataclass
class ModelRing:
    """The same rules as the kernel, with whole entries in a deque instead of bytes."""

    capacity: int
    record_bytes: int
    head: int = 0
    tail: int = 0
    pushed: int = 0
    dropped_payloads: int = 0
    dropped_details: int = 0
    dropped_records: int = 0
    entries: deque[tuple[int, Pushed]] = field(default_factory=deque)

    def push(self, wanted: Pushed) -> int:
        """Return 2 whole, 1 with something left out, 0 dropped."""
        entry = wanted
        if len(entry.detail or b"") > MOST_DETAIL_BYTES:
            entry = self.without_detail(entry)
        has_payload = entry.request is not None or entry.reply is not None
        if has_payload:
            payload = len(entry.request or b"") + len(entry.reply or b"")
            if payload <= self.capacity // 8 and self.put(entry, self.capacity // 8):
                return 2 if entry == wanted else 1
            self.dropped_payloads += 1
            entry = entry._replace(request=None, reply=None)
        if self.put(entry, 0):
            return 2 if entry == wanted else 1
        if entry.detail:
            entry = self.without_detail(entry)
            if self.put(entry, 0):
                return 1
        self.dropped_records += 1
        return 0

    def without_detail(self, entry: Pushed) -> Pushed:
        self.dropped_details += 1
        return entry._replace(detail=None, detail_dropped=True)

    def put(self, entry: Pushed, spare: int) -> bool:
        need = ENTRY_BYTES + self.record_bytes + sum(len(piece or b"") for piece in (entry.detail, entry.request, entry.reply))
        need += -need % 8
        to_end = self.capacity - self.head % self.capacity
        padding = to_end if need > to_end else 0
        if self.capacity - (self.head - self.tail) < need + padding + spare:
            return False
        self.head += padding + need
        self.entries.append((self.head, entry))
        self.pushed += 1
        return True

    def read(self, most: int) -> list[Pushed]:
        """Take up to `most` entries; the tail moves past what was taken."""
        taken: list[Pushed] = []
        while self.entries and len(taken) < most:
            self.tail, entry = self.entries.popleft()
            taken.append(entry)
        return taken
