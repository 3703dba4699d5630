"""What is kept: a whole answer in canonical form, so that any caller's dialect can write it, and what it cost."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from fastgw.dialects.canonical import Dialect, Event, Media, Refusal, Reply, Request
from fastgw.snapshot.caching import MOST_AGE_S

FORMAT: Final = 1  # of packed entries: one that older releases could not read, or would misread, needs a greater one
FINISHES: Final = frozenset(("stop", "stop_sequence", "tool_calls"))

EventsOf = Callable[[Reply], list[Event]]


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer.

    operation      which was asked for
    created_ms     wall clock in Unix milliseconds when it was put in; kept for max_age_ms from then on
    model          as the provider was asked for it; integration, provider: which answered
    cost_nano_usd  what it cost, -1 unknown
    reply          of an operation that dialects write; None of others: then body is JSON, as the provider sent it
    """

    operation: str
    created_ms: int = 0
    max_age_ms: int = MOST_AGE_S * 1000
    integration: str = ""
    provider: str = ""
    model: str = ""
    cost_nano_usd: int = -1
    reply: Reply | None = None
    body: bytes = b""

    def age_ms(self, now_ms: int) -> int:
        """How old it is; never below 0, as clocks of two machines differ."""
        return max(now_ms - self.created_ms, 0)

    def is_fresh(self, now_ms: int, max_age_ms: int) -> bool:
        """Whether it is younger than both the one who kept it and the one who asks will have it."""
        return self.age_ms(now_ms) < min(self.max_age_ms, max_age_ms)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode
_encode_json = msgspec.json.encode


def pack(entry: Entry) -> bytes | None:
    """An entry as bytes; None where it holds what msgpack cannot (an integer beyond 64 bits, in what only one dialect knows)."""
    try:
        return _encode(entry)
    except (OverflowError, RecursionError):
        return None


def unpack(packed: bytes) -> Entry | None:
    """The entry of these bytes; None where they are none."""
    try:
        return _decode(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def flaw(reply: Reply) -> str:
    """Why an answer is not kept, "" where it is: it must be whole, an answer, and good for as long as it is kept."""
    if not reply.choices:
        return "no answer"
    for choice in reply.choices:
        if choice.finish not in FINISHES:
            return choice.finish
        if not choice.parts:
            return "no words"
        for part in choice.parts:
            if isinstance(part, Refusal):
                return "refusal"
            if isinstance(part, Media) and (part.audio_id or part.file_id or part.expires_at):
                return "media that the provider keeps"
    return ""


def body_flaw(body: bytes) -> str:
    """The same of a reply that no dialect reads: it must be a JSON object that is no error."""
    try:
        decoded = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "no JSON object"
    found = decoded.get("error")
    return "error" if found is not None and bytes(found) != b"null" else ""


def write(entry: Entry, dialect: Dialect, request: Request, events_of: EventsOf) -> bytes:
    """The answer as a caller of that dialect wants it: a whole reply, or a stream in which each part comes in one piece."""
    assert entry.reply is not None and dialect.write_reply is not None and dialect.stream_writer is not None
    if not request.stream:
        return _encode_json(dialect.write_reply(entry.reply, request))
    writer = dialect.stream_writer(request)
    return writer.write(events_of(entry.reply)) + writer.finish()
