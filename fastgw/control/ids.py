"""Identifiers that sort by the time they were made: UUIDv7, RFC 9562, 5.7."""

import os
import time
from uuid import UUID


def make_id() -> str:
    """A UUIDv7 in its usual text form; later ones sort after earlier ones, but for those of one millisecond."""
    random = int.from_bytes(os.urandom(10), "big")
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return str(UUID(int=number))
