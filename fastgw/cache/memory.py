"""What one worker keeps: the latest used, within a bound of bytes.

Plain and synchronous: a put evicts what it needs room for, a get drops what has grown too old, nothing runs in between.
"""

from collections import OrderedDict
from typing import Final

# What CPython holds beside the bytes of a key and a value: the heads of both, a tuple, a number, a node of the table at its emptiest.
ENTRY_BYTES: Final = 360


class MemoryStore:
    """Values by key, evicted by last use.

    max_bytes    of keys, values and ENTRY_BYTES for each
    used_bytes   exactly that, at any time
    evicted      how many had to make room
    """

    __slots__ = ("_slots", "evicted", "max_bytes", "used_bytes")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self.evicted = 0
        self._slots: OrderedDict[bytes, tuple[bytes, int]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._slots)} in {self.used_bytes} of {self.max_bytes} bytes>"

    def __len__(self) -> int:
        return len(self._slots)

    def get(self, key: bytes, now_ms: int) -> bytes | None:
        """The value, as the latest used from now on; None where there is none or its time is over."""
        slot = self._slots.get(key)
        if slot is None:
            return None
        if now_ms >= slot[1]:
            self.drop(key)
            return None
        self._slots.move_to_end(key)
        return slot[0]

    def put(self, key: bytes, value: bytes, expires_ms: int) -> bool:
        """Keep a value in the place of the one before; False where it alone is more than there is room for (then neither is there)."""
        self.drop(key)
        size = len(key) + len(value) + ENTRY_BYTES
        if size > self.max_bytes:
            return False
        while self.used_bytes + size > self.max_bytes:
            oldest, (gone, _) = self._slots.popitem(last=False)
            self.used_bytes -= len(oldest) + len(gone) + ENTRY_BYTES
            self.evicted += 1
        self._slots[key] = value, expires_ms
        self.used_bytes += size
        return True

    def drop(self, key: bytes) -> None:
        """Forget one."""
        slot = self._slots.pop(key, None)
        if slot is not None:
            self.used_bytes -= len(key) + len(slot[0]) + ENTRY_BYTES

    def clear(self) -> None:
        """Forget all."""
        self._slots.clear()
        self.used_bytes = 0
