"""The events of ConverseStream as they come: text opens its part with its first delta, only tools are announced."""

import msgspec
from msgspec import Struct

from fastgw.dialects.anthropic_messages.naming import TEXT_PREFIX, read_name
from fastgw.dialects.bedrock_converse.failure import exception
from fastgw.dialects.bedrock_converse.reply import call_of, citation_of, finish_of, media_of, redacted_thinking, stop_sequence, usage_of
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Delta,
    Ended,
    Event,
    Failure,
    Native,
    Part,
    PartBegan,
    PartEnded,
    Text,
    Thinking,
    ToolCall,
    UsageStated,
)
from fastgw.dialects.reading import Json, as_count, as_object, as_text, event_reader


class ToolUse(Struct):
    """More of a call's arguments."""

    input: str = ""


class Reasoning(Struct):
    """More of a thought, or its signature, or all of one that is not shown (base64)."""

    text: str = ""
    signature: str = ""
    redactedContent: str = ""


class BlockDelta(Struct):
    """One of these; citation, result and image are rare and read as they are."""

    text: str | None = None
    toolUse: ToolUse | None = None
    reasoningContent: Reasoning | None = None
    citation: Json | None = None
    toolResult: list[Json] | None = None
    image: Json | None = None


class ContentBlockDelta(Struct):
    """What most of a stream is made of."""

    delta: BlockDelta
    contentBlockIndex: int = 0


class Gathered(Struct):
    """Pieces of one part: what a tool that AWS runs was asked or said, an image, the call of a tool that takes free text.

    start   the block as it was announced
    """

    start: Json = {}
    input: str = ""
    content: list[Json] = []
    image: Json = {}

    def part(self) -> Part:
        """The part, now that it is whole."""
        if self.image or "image" in self.start:
            return media_of("image", as_object(self.start.get("image")) | self.image)
        if self.content or "toolResult" in self.start:
            return Native("bedrock_converse", {"toolResult": as_object(self.start.get("toolResult")) | {"content": self.content}})
        use = self.start.get("toolUse")
        if not isinstance(use, dict):
            return Native("bedrock_converse", self.start)
        try:
            asked: object = _decode(self.input)
        except (msgspec.DecodeError, RecursionError):
            asked = self.input
        if use.get("type") == "server_tool_use":
            return Native("bedrock_converse", {"toolUse": use | {"input": asked}})
        return call_of(as_text(use.get("toolUseId")), as_text(use.get("name")), asked)


read_delta = event_reader(ContentBlockDelta)
_decode = msgspec.json.Decoder(Json).decode


class ConverseReader:
    """Reads one stream. Blocks of Bedrock's are numbered as it likes and may be empty; parts are numbered in the order they begin."""

    __slots__ = ("_began", "_broken", "_called", "_calls", "_next", "_stopped", "_texts", "_thoughts", "_whole")

    def __init__(self) -> None:
        self._began = self._stopped = self._broken = self._called = False
        self._next = 0
        # the number of a block to that of its part, by what the part is
        self._texts: dict[int, int] = {}
        self._calls: dict[int, int] = {}
        self._thoughts: dict[int, int] = {}
        self._whole: dict[int, Gathered] = {}  # blocks that become one part once they are complete

    def __repr__(self) -> str:
        return f"<ConverseReader of {self._next} parts>"

    def read(self, event: str, data: bytes) -> list[Event]:
        """See StreamReader; the event is one of the splitter's of event streams. Events of another name are passed over."""
        if self._broken or (self._stopped and event != "metadata"):
            return []
        try:
            if event == "contentBlockDelta":
                return self._delta(read_delta(data))
            return self._rare(event, _decode(data) if data else {})
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            return self._break(Failure(502, "server", f"expected an event {event} of ConverseStream, got another: {problem}"))

    def finish(self) -> list[Event]:
        """A stream is whole once it had its messageStop."""
        if self._stopped or self._broken:
            return []
        return self._break(Failure(502, "server", "expected messageStop before the end of the stream of Bedrock, got none"))

    def _break(self, failure: Failure) -> list[Event]:
        self._broken = True
        return [Broke(failure)]

    def _delta(self, event: ContentBlockDelta) -> list[Event]:
        delta, block = event.delta, event.contentBlockIndex
        if delta.text is not None:
            part = self._texts.get(block)
            if part is not None:
                return [Delta(part, delta.text)] if delta.text else []
            return self._open(self._texts, block, Text(), Delta(0, delta.text)) if delta.text else []
        if delta.toolUse is not None and block not in self._whole:
            return self._extend(self._calls, block, ToolCall(), Delta(0, delta.toolUse.input))
        if delta.reasoningContent is not None:
            said = delta.reasoningContent
            if said.redactedContent:
                return self._one(redacted_thinking(said.redactedContent))
            thinking = Thinking(dialect="anthropic_messages")
            return self._extend(self._thoughts, block, thinking, Delta(0, said.text, signature=said.signature))
        if delta.citation is not None:
            return self._extend(self._texts, block, Text(), Delta(0, citations=[citation_of(delta.citation)]))
        if delta.toolUse is None and delta.toolResult is None and delta.image is None:
            return []  # of a kind that is not known here
        whole = self._whole.setdefault(block, Gathered())
        whole.input += delta.toolUse.input if delta.toolUse is not None else ""
        whole.content += delta.toolResult or []
        whole.image |= delta.image or {}
        return []

    def _begin(self) -> list[Event]:
        if self._began:
            return []
        self._began = True
        return [Began()]

    def _open(self, parts: dict[int, int], block: int, part: Part, delta: Delta) -> list[Event]:
        parts[block] = delta.index = self._next
        self._next += 1
        return [*self._begin(), PartBegan(delta.index, part), delta]

    def _extend(self, parts: dict[int, int], block: int, part: Part, delta: Delta) -> list[Event]:
        known = parts.get(block)
        if known is None:
            return self._open(parts, block, part, delta)
        delta.index = known
        return [delta]

    def _rare(self, event: str, body: Json) -> list[Event]:
        if event == "contentBlockStart":
            return self._start(as_count(body.get("contentBlockIndex")), as_object(body.get("start")))
        if event == "contentBlockStop":
            return self._stop(as_count(body.get("contentBlockIndex")))
        if event == "messageStart":
            return self._begin()
        if event == "messageStop":
            open_blocks = {*self._texts, *self._calls, *self._thoughts, *self._whole}
            events = [ended for block in sorted(open_blocks) for ended in self._stop(block)]
            self._stopped = True
            raw = as_text(body.get("stopReason"))
            met = stop_sequence(body.get("additionalModelResponseFields"))
            return [*self._begin(), *events, Ended(finish_of(raw, self._called), raw_finish=raw, stop_sequence=met)]
        if event == "metadata":
            usage = usage_of(body.get("usage"))
            return [] if usage is None else [UsageStated(usage)]
        if event.startswith("exception:"):
            return self._break(exception(event.removeprefix("exception:"), body))
        return []

    def _start(self, block: int, start: Json) -> list[Event]:
        use = start.get("toolUse")
        if not isinstance(use, dict) or use.get("type") == "server_tool_use" or as_text(use.get("name")).startswith(TEXT_PREFIX):
            if start:  # some announce their texts with nothing
                self._whole[block] = Gathered(start)
            return []
        part = self._calls[block] = self._next
        self._next += 1
        self._called = True
        return [*self._begin(), PartBegan(part, ToolCall(as_text(use.get("toolUseId")), read_name(as_text(use.get("name")))))]

    def _one(self, part: Part) -> list[Event]:
        number, self._next = self._next, self._next + 1
        words: list[Event] = []
        if isinstance(part, ToolCall):
            self._called = True
            words.append(Delta(number, part.arguments))
            part.arguments = ""
        return [*self._begin(), PartBegan(number, part), *words, PartEnded(number)]

    def _stop(self, block: int) -> list[Event]:
        ended = [parts.pop(block) for parts in (self._texts, self._thoughts, self._calls) if block in parts]
        events: list[Event] = [PartEnded(part) for part in sorted(ended)]
        return events + self._one(self._whole.pop(block).part()) if block in self._whole else events
