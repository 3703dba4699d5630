"""Publish virtual keys to the workers of this machine: what the control process calls.

Each change is there for all workers from their next request on; nothing waits for anything. What a name in an entry leads to must have been
published before it: accounts in the ledger, workspaces and configs in the published document.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from fastgw._core.keyfile import KeyFileWriter

KEYS: Final = "keys"
KEYS_MARK: Final = "keys.mark"      # up to where those of a store are published: there once all of them are

_encode = msgspec.msgpack.Encoder().encode


class KeyEntry(Struct, frozen=True, kw_only=True, array_like=True):
    """What a worker needs to know of a key; fields are added at the end, with defaults.

    id       another one for every key, kept when a key is rotated
    chain    its accounts in the ledger beside those of its workspace, widest first, each with the name that refusals have for it:
             (3, "key 'app-1'")
    models   and integrations: what it may use of what its workspace may; empty: all of that
    integration   where unknown paths go; config: the saved config that holds where a request names none
    admission     None: the workspace's; has_budget: whether any account of the chain has one of dollars; counts_tokens: or of tokens
    """

    name: str
    id: str
    workspace: str
    chain: tuple[tuple[int, str], ...]
    organisation: str = ""
    user: str | None = None
    models: tuple[str, ...] = ()
    integrations: tuple[str, ...] = ()
    integration: str | None = None
    metadata: dict[str, str] = {}
    config: str | None = None
    allow_config_override: bool = True
    admission: Literal["strict", "clamp", "estimate"] | None = None
    has_budget: bool = False
    counts_tokens: bool = False


class KeyRow(NamedTuple):
    """A key as it is published.

    digest    SHA-256 of the key, 32 bytes; two digests may lead to one entry while a key is rotated
    until_ns  from then on this digest is refused, as its key was replaced; 0: never (a key's own end is its account's)
    """

    digest: bytes
    entry: KeyEntry
    enabled: bool = True
    until_ns: int = 0


class KeyRing:
    """The one publisher of keys on a state directory; may be called from several threads.

    raises  BlockingIOError where another process publishes; OSError
    """

    def __init__(self, state: Path) -> None:
        self._lock = Lock()
        self._writer = KeyFileWriter(state / KEYS)

    def __repr__(self) -> str:
        return f"<KeyRing of {self._writer!r}>"

    def __len__(self) -> int:
        return len(self._writer)

    @property
    def damage(self) -> str:
        """Why keys cannot be changed until `replace_all` has been called; "" where they can."""
        return self._writer.damage

    def replace_all(self, rows: Iterable[KeyRow], count: int = 0) -> int:
        """Publish these keys and no others; return how many. What was published serves until they are all there.

        count   how many there will be, roughly: spares work
        """
        with self._lock:
            return self._writer.replace_all(
                ((row.digest, _encode(row.entry), row.enabled, row.until_ns) for row in rows), count)

    def put(self, digest: bytes, entry: KeyEntry, *, enabled: bool = True, until_ns: int = 0) -> None:
        """Publish a key, or a change of it. raises OSError where the disk is full"""
        with self._lock:
            self._writer.put(digest, _encode(entry), enabled, until_ns)

    def set_enabled(self, digest: bytes, enabled: bool) -> bool:
        """Refuse a key, or let it in again; return whether it is published."""
        with self._lock:
            return self._writer.set_enabled(digest, enabled)

    def remove(self, digest: bytes) -> bool:
        """Take a key out; return whether it was published."""
        with self._lock:
            return self._writer.remove(digest)

    def sync(self) -> None:
        """Have the disk take what was published, so that a machine that dies does not undo it; may take long. raises OSError

        Must come before it is noted anywhere that the store is published up to a revision.
        """
        self._writer.sync()

    def rows(self) -> Iterator[KeyRow]:
        """What is published, read from the file."""
        for digest, entry, enabled, until_ns in self._writer.items():
            yield KeyRow(digest, msgspec.msgpack.decode(entry, type=KeyEntry), enabled, until_ns)

    def close(self) -> None:
        """Let another process publish; what is published stays."""
        with self._lock:
            self._writer.close()
