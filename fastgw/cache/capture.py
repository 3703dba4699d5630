"""Make an answer out of a stream that goes by, to keep it: only if it ends as it should and is not too long."""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from msgspec import structs

from fastgw.cache.entry import flaw
from fastgw.dialects.canonical import Broke, Delta, Ended, Event, Failure, Native, Part, PartBegan, Reply, StreamReader

LOGPROB_BYTES: Final = 64  # of a token and each of its others
CITATION_BYTES: Final = 256
FRAME_BYTES: Final = 65_536  # of an event beside its words


class Splitter(Protocol):
    """Splits a stream into its events, as dialects.framing has it."""

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]: ...

    def finish(self) -> list[tuple[str, bytes]]: ...


class Assembles(Protocol):
    """Makes a reply of events, as dialects.assembly has it."""

    failure: Failure | None

    def take(self, events: list[Event]) -> None: ...

    def finish(self) -> Reply: ...


class Capture:
    """One stream of a provider's: its bytes are fed as they come, or events are given.

    flaw   why it will not be kept; "" while it may be. After that it holds nothing and costs nothing
    Memory: the answer so far, at most `most_bytes` and one event of at most FRAME_BYTES more.
    """

    __slots__ = ("_assembler", "_choices", "_ended", "_held", "_reader", "_room", "_splitter", "flaw")

    def __init__(
        self, assembler: Assembles, most_bytes: int, splitter: Splitter | None = None, reader: StreamReader | None = None
    ) -> None:
        self._assembler: Assembles | None = assembler
        self._splitter = splitter
        self._reader = reader
        self._room = most_bytes
        self._held = 0
        self._choices: set[int] = set()
        self._ended: set[int] = set()
        self.flaw = ""

    def __repr__(self) -> str:
        return f"<Capture of {len(self._choices)} choices{f', given up: {self.flaw}' if self.flaw else ''}>"

    def feed(self, piece: bytes) -> None:
        """The next bytes of the stream."""
        if self._splitter is None or self._reader is None:
            return
        self._read(self._splitter.feed, piece)

    def _read(self, split: Callable[..., list[tuple[str, bytes]]], *piece: bytes) -> None:
        assert self._reader is not None
        try:
            framed = split(*piece)
        except ValueError:
            self._give_up("framing")
            return
        self._held = 0 if framed else self._held + sum(map(len, piece))
        if self._held > self._room + FRAME_BYTES:
            self._give_up("too long")
            return
        for name, payload in framed:
            if self.flaw:
                return
            self.take(self._reader.read(name, payload))

    def take(self, events: list[Event]) -> None:
        """The next events of the stream; their parts are taken over and added to, so a writer must not have the same."""
        if self._assembler is None:
            return
        for event in events:
            if isinstance(event, Delta | PartBegan):
                self._choices.add(event.choice)
                self._room -= size_of(event)
            elif isinstance(event, Ended):
                self._choices.add(event.choice)
                self._ended.add(event.choice)
            elif isinstance(event, Broke):
                self._give_up("broke")
                return
        if self._room < 0:
            self._give_up("too long")
            return
        self._assembler.take(events)

    def finish(self) -> Reply | None:
        """The stream has ended and all of it was fed: the answer, if it is one to keep."""
        if self._splitter is not None:
            self._read(self._splitter.finish)
        if self._reader is not None:
            self.take(self._reader.finish())
        assembler = self._assembler
        if assembler is None:
            return None
        reply = assembler.finish()
        found = "cut short" if self._choices != self._ended or assembler.failure is not None else flaw(reply)
        self._give_up(found)
        return None if found else reply

    def _give_up(self, found: str) -> None:
        self.flaw = found
        self._assembler = self._splitter = self._reader = None


def size_of(event: Delta | PartBegan) -> int:
    """Characters of what an event adds; those of msgpack around them are in nobody's way."""
    if isinstance(event, PartBegan):
        return size_of_part(event.part)
    size = len(event.text) + len(event.signature) + len(event.transcript) + len(event.encrypted)
    if event.logprobs:
        size += LOGPROB_BYTES * sum(1 + len(one.top) for one in event.logprobs)
    if event.citations:
        size += CITATION_BYTES * len(event.citations)
    return size


def size_of_part(part: Part) -> int:
    """Characters of a part as it begins: few, but for pictures and what only its own dialect knows."""
    if isinstance(part, Native):
        return len(msgspec.json.encode(part.value))
    return sum(len(value) for value in structs.astuple(part) if isinstance(value, str))
