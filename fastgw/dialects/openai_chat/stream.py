"""The events of a provider's stream, read from chunks of whatever make.

A chunk may state its usage, an error, a finish or nothing at all; a call may come without an index, whole or in pieces, under an id that
is repeated or under none; what is read here is what all of these have in common. One state machine for each choice: at most one part
is open, and a delta of another kind ends it.
"""

import os

import msgspec

from fastgw.dialects.canonical import Began, Broke, Citation, Delta, Ended, Event, Failure, Logprob, UsageStated
from fastgw.dialects.openai_chat.citations import read_sources
from fastgw.dialects.openai_chat.failure import failure_of
from fastgw.dialects.openai_chat.pieces import TAKERS, Turn
from fastgw.dialects.openai_chat.usage import finish_of, met_sequence, raw_of, read_logprobs, read_usage, usage_in
from fastgw.dialects.reading import Json, as_count, as_object, as_text

MOST_CHOICES = 128  # what OpenAI allows in n; the number of a choice comes from outside
DONE = b"[DONE]"
_decode = msgspec.json.decode


class ChatReader:
    """Reads the chunks of one stream; see canonical.StreamReader."""

    __slots__ = ("_began", "_cited", "_over", "_said", "_seed", "_sources", "_turns")

    def __init__(self) -> None:
        self._began = False
        self._cited = False
        self._over = False
        self._turns: dict[int, Turn] = {}
        self._seed = ""
        self._said: Json | None = None  # the usage object that was read last: some state it in every chunk
        self._sources: list[Citation] = []

    def __repr__(self) -> str:
        return f"<ChatReader of {len(self._turns)} choices{', over' if self._over else ''}>"

    def read(self, event: str, data: bytes) -> list[Event]:
        """The events of one chunk."""
        if self._over:
            return []
        if data == DONE:
            return self._close()
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._odd(event, data)
        if type(chunk) is not dict:
            return self._break([], f"expected a chunk to be a JSON object, got {data[:60].decode('utf-8', 'replace')}")
        events: list[Event] = []
        choices = chunk.get("choices")
        if not choices or event == "error" or chunk.get("error"):
            return self._bare(event, chunk, events)
        if not isinstance(choices, list):
            return self._break(events, "expected choices of a chunk to be an array")
        if not self._began:
            self._begin(chunk, events)
        if not self._cited and ("citations" in chunk or "search_results" in chunk):
            self._sources = read_sources(chunk)
        for choice in choices:
            if type(choice) is dict and not self._choice(choice, events):
                return self._break(events, f"expected at most {MOST_CHOICES} choices")
        self._tally(chunk, events)
        return events

    def finish(self) -> list[Event]:
        """What remains to be said at the stream's end. Some providers leave [DONE] out, none that ends well the finish reason too."""
        if self._over:
            return []
        if self._turns and all(turn.ended for turn in self._turns.values()):
            return self._close()
        return self._break([], "the stream was cut short: expected a finish reason or [DONE]" if self._began
                           else "the stream ended before its first chunk")

    def _odd(self, event: str, data: bytes) -> list[Event]:
        """What is no JSON: blanks that keep a connection alive, a padded [DONE], or rubbish."""
        data = data.strip()
        if not data:
            return []
        if data == DONE:
            return self._close()
        found = data[:200].decode("utf-8", "replace")
        return self._break([], found if event == "error" else f"expected a chunk to be JSON, got {found[:60]}")

    def _bare(self, event: str, chunk: Json, events: list[Event]) -> list[Event]:
        """A chunk without choices, or with an error."""
        self._tally(chunk, events)
        error = chunk.get("error")
        if error or event == "error" or chunk.get("object") == "error":
            stated = as_object(error) or ({"message": error} if isinstance(error, str) else chunk)
            self._over = True
            events.append(Broke(failure_of(stated, 0)))
            return events
        if not self._cited and ("citations" in chunk or "search_results" in chunk):
            self._sources = read_sources(chunk)
        return events

    def _begin(self, chunk: Json, events: list[Event]) -> None:
        self._began = True
        identity = as_text(chunk.get("id"))
        self._seed = identity or os.urandom(8).hex()
        events.append(Began(identity, as_text(chunk.get("model")), as_count(chunk.get("created")), as_text(chunk.get("service_tier")),
                            as_text(chunk.get("system_fingerprint"))))

    def _choice(self, choice: Json, events: list[Event]) -> bool:
        number = choice.get("index")
        turn = self._turns.get(number) if type(number) is int else self._turns.get(0)
        if turn is None:
            number = number if type(number) is int and number >= 0 else 0
            if number >= MOST_CHOICES:
                return False
            turn = self._turns.setdefault(number, Turn(number, f"{self._seed}/{number}"))
        delta = choice.get("delta")
        if type(delta) is not dict:
            # null, or a whole message in the place of a delta
            delta = as_object(choice.get("message"))
        logprobs = read_logprobs(choice["logprobs"]) if choice.get("logprobs") else None
        content = delta.get("content")
        alone = len(delta) == 1 or len(delta) == 2 and "role" in delta
        if alone and turn.in_text and content and type(content) is str and logprobs is None:
            events.append(Delta(turn.open, content, turn.number))
        elif delta:
            _take(turn, delta, logprobs, events)
        reason = choice.get("finish_reason")
        if reason and not turn.ended:
            self._end(turn, choice, events)
        return True

    def _end(self, turn: Turn, choice: Json, events: list[Event]) -> None:
        turn.ended = True
        turn.flush(events)
        self._cite(turn, events)
        turn.close(events)
        finish = finish_of(choice.get("finish_reason"), bool(turn.calls), turn.refused)
        events.append(Ended(finish, turn.number, raw_of(choice), met_sequence(choice)))

    def _cite(self, turn: Turn, events: list[Event]) -> None:
        """Perplexity states its sources in every chunk; they are said once, when the words are whole."""
        if self._sources and not self._cited and turn.words >= 0:
            events.append(Delta(turn.words, choice=turn.number, citations=self._sources))
            self._cited = True

    def _tally(self, chunk: Json, events: list[Event]) -> None:
        usage = usage_in(chunk)
        if usage is not None and usage != self._said:
            self._said = usage
            events.append(UsageStated(read_usage(usage)))

    def _close(self) -> list[Event]:
        events: list[Event] = []
        if not self._turns:
            return self._break(events, "the stream ended before its first chunk")
        self._over = True
        for turn in self._turns.values():
            if not turn.ended:  # Snowflake states no reason
                self._end(turn, {}, events)
            self._cite(turn, events)
            turn.close(events)
        return events

    def _break(self, events: list[Event], message: str) -> list[Event]:
        self._over = True
        events.append(Broke(Failure(502, "server", message)))
        return events


def _take(turn: Turn, delta: Json, logprobs: list[Logprob] | None, events: list[Event]) -> None:
    """A delta that is more than words to words."""
    for name, taker in TAKERS:
        value = delta.get(name)
        if value:
            taker(turn, value, delta, events)
    if logprobs:
        turn.odds(logprobs, events)
