"""Who asks, as a number: what keeps the same callers at the same target."""

import time
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from fastgw.route.facts import ABSENT, Facts, field_of
from fastgw.snapshot.routes import Sticky


class StickyRule:
    """A Sticky section, made ready to be asked; what is not a field was refused when the configuration was read."""

    __slots__ = ("fields", "now_s", "ttl_s")

    def __init__(self, section: Sticky, now_s: Callable[[], float] = time.time) -> None:
        self.fields = tuple(field for name in section.fields if (field := field_of(name)) is not None)
        self.ttl_s = section.ttl_s
        self.now_s = now_s

    def __repr__(self) -> str:
        return f"<StickyRule of {len(self.fields)} fields>"

    def draw(self, facts: Facts) -> int | None:
        """64 bits for this caller; None where the request has none of the fields, so that nothing tells it from others.

        With a ttl the number changes every so many seconds, for each caller at a moment of its own.
        """
        values = [field(facts) for field in self.fields]
        if all(value is ABSENT for value in values):
            return None
        # absent is another thing than null or an empty string
        who = digest(msgspec.json.encode([[] if value is ABSENT else [value] for value in values], order="sorted"))
        if self.ttl_s:
            turn = (int(self.now_s()) + who % self.ttl_s) // self.ttl_s
            who = digest(b"%d %d" % (who, turn))
        return who


def digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
