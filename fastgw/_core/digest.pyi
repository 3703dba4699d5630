"""SHA-256 of short secrets and a table from digest to index."""

from typing import Self

from typing_extensions import disjoint_base

@disjoint_base
class KeyTable:
    """Map 32-byte digests to indexes; the comparison takes the same time wherever two digests differ."""

    @property
    def capacity(self) -> int: ...
    def __new__(cls, capacity_hint: int = 0) -> Self: ...
    def add(self, digest: bytes, index: int) -> None:
        """Add a digest, or give it another index.

        raises  ValueError for a digest that is not 32 bytes long, or an index below 0
        """

    def remove(self, digest: bytes) -> bool:
        """Take a digest out; return whether it was there."""

    def find_digest(self, digest: bytes) -> int:
        """Return the index of a digest, or -1."""

    def find_key(self, key: bytes) -> int:
        """Return the index of the digest of a key, or -1."""

    def __len__(self) -> int: ...

def sha256_digest(message: bytes) -> bytes:
    """Return the SHA-256 of a message by the way this machine uses."""

def portable_digest(message: bytes) -> bytes:
    """Return the SHA-256 of a message by the plain C way, whatever the processor can do."""

def is_native() -> bool:
    """Whether this processor's own SHA-256 instructions are used."""

def _bench_sha256(message: bytes, count: int) -> int: ...
def _bench_find(table: KeyTable, keys: bytes, key_bytes: int) -> int: ...
