"""The Python face of the ring: what tests, the drain and callers without Cython use."""
import os
from typing import Any

MAGIC: bytes
LEAST_BYTES: int
MOST_BYTES: int
RECORD_BYTES: int
ENTRY_BYTES: int

class RingError(OSError):
    """A ring file that is not one, not ready yet, in use by another process, or of another layout."""

class RingWriter:
    """The producer's end; one a worker, one thread. Open it after forking."""

    path: str
    worker: int
    moved_aside: str | None
    def __init__(self, path: str | os.PathLike[str], capacity_bytes: int = ..., worker: int = 0) -> None:
        """Create the file, or take over the one that is there. capacity_bytes: a power of two from 8 KiB to 1 GiB.

        Raises RingError where another process writes to it, OSError where the disk has no room.
        """
    @property
    def capacity_bytes(self) -> int: ...
    def push_packed(
        self, record: bytes, request: bytes | None = None, reply: bytes | None = None, *, detail: bytes | None = None,
    ) -> int:
        """Push what pack_record made; return 2 whole, 1 with something left out, 0 dropped."""
    def set_gauge(self, gauge: int, value: int) -> None:
        """Set one of the worker's gauges, by its index in ring.pxd."""
    def let_pages_go(self) -> None:
        """Take the pages out of this process's memory until they are touched; what is in them stays, as it is the file's."""

    def close(self) -> None:
        """Let go of the file, which stays with what is unread. A push after this is dropped."""

def filling(path: str | os.PathLike[str]) -> tuple[float, float]:
    """How full a ring is, 0 to 1, and how many ringfuls have ever been pushed, as anybody may see it.

    What was read but is not given back yet counts as used. Raises FileNotFoundError; RingError where it is of another layout.
    """

def gauges_of(path: str | os.PathLike[str]) -> list[int] | None:
    """The gauges of the worker that has a ring open, by index, as anybody may see them; None where none has.

    Raises FileNotFoundError; RingError where it is of another layout.
    """

class RingReader:
    """The consumer's end; one a ring. It reads ahead of the tail; release() gives the space back."""

    path: str
    damaged: int
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        outcomes: tuple[str, ...] = (),
        operations: tuple[str, ...] = (),
        errors: tuple[str, ...] = (),
        caches: tuple[str, ...] = (),
        flags: tuple[str, ...] = (),
    ) -> None:
        """Open an existing ring. The tables turn indexes into names.

        Raises FileNotFoundError; RingError where it is not ready, of another layout, or has a reader already.
        """
    @property
    def position(self) -> int: ...
    @property
    def unread_bytes(self) -> int: ...
    @property
    def used_bytes(self) -> int: ...
    @property
    def capacity_bytes(self) -> int: ...
    @property
    def created_ns(self) -> int: ...
    @property
    def worker(self) -> int: ...
    def read(self, most: int = 1000, release: bool = True) -> list[tuple[Any, ...]]:
        """Return up to `most` records, oldest first, as tuples: the Record's fields in order, then detail, request and reply.

        These three are bytes or None. With release=False their space stays taken until release().
        """
    def release(self, position: int | None = None) -> None:
        """Give back the space of everything up to `position` (by default all that was read)."""
    def seek(self, position: int) -> bool:
        """Skip to a position that an earlier reader of this very file had reached; False where it is not there."""
    def gauges(self) -> list[int]:
        """The worker's gauges, by index."""
    def pushed(self) -> int:
        """Records pushed since the file was made."""
    def dropped(self) -> tuple[int, int, int]:
        """(payloads, details, records) dropped since the file was made; a piece dropped with its record counts in both."""
    def writer_alive(self) -> bool:
        """True while some process holds the producer's end."""
    def is_replaced(self) -> bool:
        """True once the path leads to another file than the one that is mapped, or to none."""
    def let_pages_go(self) -> None:
        """Take the pages out of this process's memory until they are touched; what is in them stays, as it is the file's."""

    def close(self) -> None:
        """Let go of the file; what was not released will be read again by the next reader."""

def record_layout() -> tuple[tuple[str, str, int, int], ...]:
    """Return (name, kind, size in bytes, offset) of each field of the Record; kind is int, uint, bytes or text."""

def pack_record(**values: int | str | bytes) -> bytes:
    """Lay out a Record from named values: integers, 16 bytes for id and trace, text for names (cut to fit)."""
