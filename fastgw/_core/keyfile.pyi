"""A memory-mapped file of keys: digests to entries, one writer, any number of readers."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from typing_extensions import disjoint_base

MOST_ENTRY_BYTES: int

class KeyView(NamedTuple):
    """What the file has of one key; version: another number after every change, until_ns: 0 where it does not end."""

    entry: bytes
    version: int
    enabled: bool
    until_ns: int

class LayoutError(ValueError):
    """The file is damaged, or no key file of this version."""

@disjoint_base
class KeyFile:
    """The file for reading, one generation after another.

    turn    how often a file was mapped: slots and versions belong to one turn
    maps    False: nothing is found until `refresh`
    raises  OSError where it cannot be opened; LayoutError
    """

    path: str
    generation: int
    turn: int
    def __init__(self, path: str | os.PathLike[str], maps: bool = True) -> None: ...
    def __len__(self) -> int: ...
    def is_current(self) -> bool:
        """Whether no other file has taken this one's place; one call of the system."""

    def find_digest(self, digest: bytes) -> int:
        """Return the slot of a digest, or -1."""

    def view(self, slot: int) -> KeyView:
        """Return what the file has at a slot. raises LayoutError where that is damaged"""

    def items(self) -> Iterator[tuple[bytes, bytes, bool, int]]:
        """Yield the digest of every key with what `put` was given.

        raises  LayoutError where one is damaged; RuntimeError where another file is mapped meanwhile
        """

    def refresh(self) -> None:
        """Map the file that is there now in the place of what is mapped; may run in a thread beside lookups.

        raises  OSError, LayoutError; what was mapped stays then
        """

    def close(self) -> None:
        """Unmap it: nothing is found from here on."""

@disjoint_base
class KeyFileWriter(KeyFile):
    """The one writer; it makes the file where there is none.

    damage   why the file that is there cannot be changed, until `replace_all` puts another in its place; "" where it can
    raises   OSError; BlockingIOError where another process writes
    """

    damage: str
    def __init__(self, path: str | os.PathLike[str]) -> None: ...
    def put(self, digest: bytes, entry: bytes, enabled: bool = True, until_ns: int = 0) -> None:
        """Add a key, or put this in the place of what is there. raises OSError where the disk is full; LayoutError"""

    def set_enabled(self, digest: bytes, enabled: bool) -> bool:
        """Refuse a key, or let it in again; return whether it is there."""

    def remove(self, digest: bytes) -> bool:
        """Take a key out; return whether it was there."""

    def replace_all(self, keys: Iterable[tuple[bytes, bytes, bool, int]], count: int = 0) -> int:
        """Put a file of these keys, as put takes them, in the place of the one that is there; return how many.

        count   how many there will be, roughly: spares the growing of the table
        """

    def sync(self) -> None:
        """Have the disk take what was changed; takes as long as the disk does. raises OSError"""

    def compact(self) -> None:
        """Write what is alive to a next generation."""

    def _light_fuse(self, points: int) -> None:
        """End this process without any clean-up at the so-many-th store from here: for the crash tests."""

def _bench_find(file: KeyFile, keys: bytes, key_bytes: int) -> int: ...
