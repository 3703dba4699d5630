"""The events of Cohere's chat as they come: a plan, blocks of content, calls of tools and citations, each numbered by itself."""

import msgspec
from msgspec import Struct

from fastgw.dialects.canonical import (
    Began,
    Broke,
    Delta,
    Ended,
    Event,
    Failure,
    Part,
    PartBegan,
    PartEnded,
    Text,
    Thinking,
    ToolCall,
    UsageStated,
)
from fastgw.dialects.cohere_chat.messages import NAME
from fastgw.dialects.cohere_chat.reply import OF_THOUGHTS, citations_of, finish_of, logprobs_of, usage_of
from fastgw.dialects.reading import Json, as_count, as_object, as_text, event_reader


class Words(Struct):
    """More of a block of content."""

    text: str | None = None
    thinking: str | None = None


class Holder(Struct):
    """What the wire has around them."""

    content: Words


class Around(Struct):
    """And around that."""

    message: Holder


class ContentDelta(Struct):
    """What most of a stream is made of."""

    delta: Around
    index: int = 0
    logprobs: Json | None = None


read_delta = event_reader(ContentDelta)
_decode = msgspec.json.Decoder(Json).decode


class ChatReader:
    """Reads one stream; parts are numbered in the order they begin."""

    __slots__ = ("_broken", "_calls", "_contents", "_ended", "_next", "_open", "_plan", "_texts")

    def __init__(self) -> None:
        self._broken = self._ended = False
        self._next = 0
        # Cohere's number of a block or a call to that of its part
        self._contents: dict[int, int] = {}
        self._calls: dict[int, int] = {}
        self._plan = -1
        self._texts: dict[int, int] = {}  # those of the contents that may be cited
        self._open: set[int] = set()

    def __repr__(self) -> str:
        return f"<ChatReader of {self._next} parts>"

    def read(self, event: str, data: bytes) -> list[Event]:
        """See StreamReader. Events of another type are passed over."""
        if self._broken or self._ended:
            return []
        try:
            if event == "content-delta":
                return self._content(read_delta(data))
            if data == b"[DONE]":
                return []
            body = _decode(data)
            kind = event or as_text(body.get("type"))
            return self._content(read_delta(data)) if kind == "content-delta" else self._rare(kind, body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            return self._break(Failure(502, "server", f"expected an event {event} of Cohere's chat, got another: {problem}"))

    def finish(self) -> list[Event]:
        """A stream is whole once it had its message-end."""
        if self._ended or self._broken:
            return []
        return self._break(Failure(502, "server", "expected message-end before the end of the stream of Cohere, got none"))

    def _break(self, failure: Failure) -> list[Event]:
        self._broken = True
        return [Broke(failure)]

    def _content(self, event: ContentDelta) -> list[Event]:
        words = event.delta.message.content
        text = words.text if words.thinking is None else words.thinking
        part = self._contents.get(event.index)
        if part is None:
            opened = self._begin(Text() if words.thinking is None else Thinking(dialect=NAME), self._contents, event.index)
            part = self._contents[event.index]
        else:
            opened = []
        if event.logprobs is not None:
            return [*opened, Delta(part, text or "", logprobs=logprobs_of(event.logprobs) or None)]
        return [*opened, Delta(part, text)] if text else opened

    def _rare(self, kind: str, body: Json) -> list[Event]:
        message = as_object(as_object(body.get("delta")).get("message"))
        number = as_count(body.get("index"))
        if kind == "tool-call-delta":
            words = as_text(as_object(as_object(message.get("tool_calls")).get("function")).get("arguments"))
            known = self._calls.get(number)
            return [Delta(known, words)] if known is not None and words else []
        if kind == "tool-call-start":
            call = as_object(message.get("tool_calls"))
            function = as_object(call.get("function"))
            events = self._begin(ToolCall(as_text(call.get("id")), as_text(function.get("name"))), self._calls, number)
            words = as_text(function.get("arguments"))
            return [*events, Delta(self._calls[number], words)] if words else events
        if kind == "tool-plan-delta":
            return self._planned(as_text(message.get("tool_plan")))
        if kind == "content-start":
            content = as_object(message.get("content"))
            thinks = content.get("type") == "thinking"
            events = self._begin(Thinking(dialect=NAME) if thinks else Text(), self._contents, number)
            words = as_text(content.get("thinking" if thinks else "text"))
            return [*events, Delta(self._contents[number], words)] if words else events
        if kind == "content-end":
            return self._end(self._contents.get(number, -1))
        if kind == "tool-call-end":
            return self._end(self._calls.get(number, -1))
        if kind == "citation-start":
            return self._cited(as_object(message.get("citations")))
        if kind == "message-start":
            return [Began(as_text(body.get("id")))]
        if kind == "message-end":
            return self._message_end(as_object(body.get("delta")))
        if not kind and isinstance(body.get("message"), str):
            return self._break(Failure(502, "server", as_text(body["message"])))
        return []

    def _begin(self, part: Part, parts: dict[int, int], number: int) -> list[Event]:
        ended = self._end(self._plan)
        parts[number] = index = self._next
        self._next += 1
        self._open.add(index)
        if isinstance(part, Text):
            self._texts[number] = index
        return [*ended, PartBegan(index, part)]

    def _end(self, part: int) -> list[Event]:
        if part not in self._open:
            return []
        self._open.remove(part)
        return [PartEnded(part)]

    def _planned(self, words: str) -> list[Event]:
        if not words:
            return []
        if self._plan >= 0:
            return [Delta(self._plan, words)]
        plan: dict[int, int] = {}
        events = self._begin(Thinking(dialect=NAME), plan, 0)
        self._plan = plan[0]
        return [*events, Delta(self._plan, words)]

    def _cited(self, citation: Json) -> list[Event]:
        if citation.get("type") in OF_THOUGHTS or not self._texts:
            return []
        index = citation.get("content_index")
        part = self._texts.get(index) if isinstance(index, int) else None
        return [Delta(next(iter(self._texts.values())) if part is None else part, citations=citations_of(citation))]

    def _message_end(self, delta: Json) -> list[Event]:
        problem = as_text(delta.get("error"))
        usage = usage_of(delta.get("usage"))
        stated: list[Event] = [] if usage is None else [UsageStated(usage)]
        if problem:
            return stated + self._break(Failure(502, "server", problem))
        self._ended = True
        ended = [event for part in sorted(self._open) for event in self._end(part)]
        raw = as_text(delta.get("finish_reason"))
        return [*ended, Ended(finish_of(raw, bool(self._calls)), raw_finish=raw), *stated]
