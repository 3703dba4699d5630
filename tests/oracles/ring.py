"""A ring in plain Python: what is accepted, what is dropped and what is read, without a file."""
from collections import deque
from dataclasses import dataclass, field

ENTRY_BYTES = 16


@dataclass
class ModelRing:
    """The same rules as the kernel, with whole entries in a deque instead of bytes."""

    capacity: int
    record_bytes: int
    head: int = 0
    tail: int = 0
    pushed: int = 0
    dropped_payloads: int = 0
    dropped_records: int = 0
    entries: deque[tuple[int, int, bytes | None, bytes | None]] = field(default_factory=deque)

    def push(self, number: int, request: bytes | None, reply: bytes | None) -> int:
        """Return 2 whole, 1 without payload, 0 dropped."""
        if request is not None or reply is not None:
            payload = len(request or b"") + len(reply or b"")
            if payload <= self.capacity // 8 and self.put(number, request, reply, self.capacity // 8):
                return 2
            self.dropped_payloads += 1
            if self.put(number, None, None, 0):
                return 1
        elif self.put(number, None, None, 0):
            return 2
        self.dropped_records += 1
        return 0

    def put(self, number: int, request: bytes | None, reply: bytes | None, spare: int) -> bool:
        need = ENTRY_BYTES + self.record_bytes + len(request or b"") + len(reply or b"")
        need += -need % 8
        to_end = self.capacity - self.head % self.capacity
        padding = to_end if need > to_end else 0
        if self.capacity - (self.head - self.tail) < need + padding + spare:
            return False
        self.head += padding + need
        self.entries.append((self.head, number, request, reply))
        self.pushed += 1
        return True

    def read(self, most: int) -> list[tuple[int, bytes | None, bytes | None]]:
        """Take up to `most` entries; the tail moves past what was taken."""
        taken: list[tuple[int, bytes | None, bytes | None]] = []
        while self.entries and len(taken) < most:
            self.tail, number, request, reply = self.entries.popleft()
            taken.append((number, request, reply))
        return taken
