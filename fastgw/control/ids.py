"""Identifiers that sort by the time they were made: UUIDv7, RFC 9562, 5.7."""

import os
import time
from hashlib import sha256
from uuid import UUID


def make_id() -> str:
    """A UUIDv7 as text; of one process, later ones sort after earlier ones, to a quarter of a microsecond (6.2, method 3)."""
    milliseconds, rest_ns = divmod(time.time_ns(), 1_000_000)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | (rest_ns << 12) // 1_000_000 << 64 | 0b10 << 62 | random))


def account_digest(name: str) -> str:
    """What the ledger and the store know an account by: the first half of the SHA-256 of its name, in hexadecimal."""
    return sha256(name.encode()).digest()[:16].hex()
