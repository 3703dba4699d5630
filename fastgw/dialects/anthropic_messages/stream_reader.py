"""Read the events of a stream of Anthropic's: message_start, blocks with their deltas, message_delta, message_stop; pings between.

A block that only this dialect knows, or whose arguments must be whole before they can be read, comes when it is whole. What the API adds
and is not known here is passed over. Source: Anthropic, streaming messages (platform.claude.com).
"""

from base64 import b64decode
from binascii import Error

import msgspec

from fastgw.dialects.anthropic_messages.content import read_citation
from fastgw.dialects.anthropic_messages.failure import EXCEPTIONS, read_failure, read_streamed
from fastgw.dialects.anthropic_messages.reply import finish_of, part_of, refusal_of, usage_of
from fastgw.dialects.anthropic_messages.vocabulary import NAME, REPLY_TIERS
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Delta,
    Ended,
    Event,
    Failure,
    Native,
    PartBegan,
    PartEnded,
    Text,
    Thinking,
    ToolCall,
    UsageStated,
)
from fastgw.dialects.reading import Json, as_object, as_text, without_nulls

_decode = msgspec.json.decode
_encode = msgspec.json.encode


class Fragment(msgspec.Struct):
    """The delta of a content_block_delta or a message_delta."""

    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: dict[str, object] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: dict[str, object] | None = None


class Frame(msgspec.Struct):
    """Any event."""

    type: str = ""
    index: int = 0
    delta: Fragment | None = None
    content_block: dict[str, object] | None = None
    message: dict[str, object] | None = None
    usage: dict[str, object] | None = None
    error: object = None


_frame = msgspec.json.Decoder(Frame).decode
_DELTAS = ("text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta")
_KNOWN = frozenset({
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop", "error",
})


def read_frame(data: bytes) -> Frame:
    """An event, whose members may be null. raises DecodeError, UnicodeError, RecursionError"""
    try:
        return _frame(data)
    except msgspec.ValidationError:
        return _frame(_encode(without_nulls(_decode(data))))


class Block:
    """A block that has begun.

    index    of its part, -1 where the part waits until it is whole
    begun    the block as it began
    given    arguments that it began with, for as long as none come in pieces
    pieces   of a part that waits: its input
    """

    __slots__ = ("begun", "given", "index", "is_open", "pieces")

    def __init__(self, begun: Json) -> None:
        self.begun = begun
        self.index = -1
        self.is_open = True
        self.given = ""
        self.pieces: list[str] = []

    def __repr__(self) -> str:
        return f"<Block {self.index} of {self.begun.get('type')}>"


class StreamReader:
    """See canonical.StreamReader."""

    __slots__ = ("_blocks", "_calls", "_has_begun", "_has_ended", "_is_over", "_outputs", "_parts", "_usage")

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}
        self._parts = 0
        self._calls = 0
        self._outputs = 0
        self._usage: Json = {}
        self._has_begun = False
        self._has_ended = False
        self._is_over = False

    def __repr__(self) -> str:
        return f"<StreamReader of {NAME}: {self._parts} parts>"

    def read(self, event: str, data: bytes) -> list[Event]:
        if self._is_over:
            return []
        try:
            frame = read_frame(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
            return self._misread(data, problem)
        kind = frame.type
        if kind == "content_block_delta":
            fragment = frame.delta
            block = self._blocks.get(frame.index)
            if fragment is None or block is None:
                return self._broken(f"expected a delta of a block that has begun, got one of block {frame.index}")
            if block.index < 0:
                return self._keep(block, fragment, data)
            text = fragment.text
            if text is not None and fragment.type == "text_delta":
                return [Delta(block.index, text)] if text else []
            return self._more(block, fragment)
        if kind == "content_block_start":
            return self._begin(frame)
        if kind == "content_block_stop":
            ended = self._blocks.get(frame.index)
            return [] if ended is None or not ended.is_open else self._end(ended)
        if kind == "message_start":
            return self._start(frame)
        if kind == "message_delta":
            return self._conclude(frame)
        if kind == "message_stop":
            events = [] if self._has_ended else self._conclude(Frame())
            self._is_over = True
            return events
        if kind == "error":
            return self._fail(read_streamed(frame.error))
        return []

    def finish(self) -> list[Event]:
        if self._is_over or self._has_ended:
            return []
        return self._broken("expected message_stop at the end of the stream, got the end before it")

    def _misread(self, data: bytes, problem: Exception) -> list[Event]:
        """What is JSON, but of another shape than expected, matters only where the event is one of those that are known."""
        try:
            decoded = _decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return [] if data.strip() == b"[DONE]" else self._broken(f"expected JSON in an event of the stream: {problem}")
        if not isinstance(decoded, dict):
            return self._broken("expected an object in an event of the stream, got another value")
        kind = decoded.get("type")
        delta = as_text(as_object(decoded.get("delta")).get("type"))
        if kind == "content_block_delta" and delta and delta not in _DELTAS:
            return []
        if not isinstance(kind, str) or kind in _KNOWN:
            return self._broken(f"expected an event of a stream of messages: {problem}")
        return []

    def _broken(self, message: str) -> list[Event]:
        return self._fail(Failure(502, "server", message))

    def _fail(self, failure: Failure) -> list[Event]:
        self._is_over = True
        return [Broke(failure)]

    def _start(self, frame: Frame) -> list[Event]:
        if self._has_begun:
            if not self._blocks:
                return []  # some relays say it twice
            return self._broken("expected one message in a stream, got a second message_start after parts of the first")
        message = as_object(frame.message)
        self._has_begun = True
        self._usage = as_object(message.get("usage"))
        tier = as_text(self._usage.get("service_tier"))
        began = Began(as_text(message.get("id")), as_text(message.get("model")), 0, REPLY_TIERS.get(tier, tier))
        return [began, UsageStated(usage_of(self._usage))] if self._usage else [began]

    def _begin(self, frame: Frame) -> list[Event]:
        begun = as_object(frame.content_block)
        earlier = self._blocks.get(frame.index)
        events = self._end(earlier) if earlier is not None and earlier.is_open else []
        part = part_of(begun)
        block = self._blocks[frame.index] = Block(begun)
        if isinstance(part, ToolCall):
            self._calls += 1
            if part.custom:
                return events
            block.given, part.arguments = part.arguments, ""
        elif isinstance(part, Text):
            if begun.get("type") == "tool_use":
                self._outputs += 1
                block.given, part.text = part.text, ""
        elif isinstance(part, Native):
            return events
        block.index = self._parts
        self._parts += 1
        if isinstance(part, Text | Thinking):
            return [*events, *self._words_of(part, block.index)]
        return [*events, PartBegan(block.index, part)]

    def _words_of(self, part: Text | Thinking, index: int) -> list[Event]:
        """The part without its words, and these as a delta: most blocks begin without any."""
        words, part.text = part.text, ""
        return [PartBegan(index, part), Delta(index, words)] if words else [PartBegan(index, part)]

    def _keep(self, block: Block, fragment: Fragment, data: bytes) -> list[Event]:
        """More of a block that waits: pieces of its input, or members as they are now."""
        if fragment.type == "input_json_delta":
            block.pieces.append(fragment.partial_json or "")
        else:
            try:
                decoded = as_object(_decode(data))
            except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:  # of a member that was only passed over before
                return self._broken(f"expected JSON in an event of the stream: {problem}")
            delta = as_object(decoded.get("delta"))
            block.begun = {**block.begun, **{name: value for name, value in delta.items() if name != "type"}}
        return []

    def _more(self, block: Block, fragment: Fragment) -> list[Event]:
        kind = fragment.type
        if kind == "input_json_delta":
            if fragment.partial_json:
                block.given = ""
                return [Delta(block.index, fragment.partial_json)]
        elif kind == "thinking_delta":
            return [Delta(block.index, fragment.thinking)] if fragment.thinking else []
        elif kind == "signature_delta":
            return [Delta(block.index, signature=fragment.signature)] if fragment.signature else []
        elif kind == "citations_delta":
            return [Delta(block.index, citations=[read_citation(fragment.citation)])] if fragment.citation is not None else []
        elif fragment.text:
            return [Delta(block.index, fragment.text)]  # of a kind that is newer than this
        return []

    def _end(self, block: Block) -> list[Event]:
        block.is_open = False
        if block.index >= 0:
            ended = PartEnded(block.index)
            return [Delta(block.index, block.given), ended] if block.given else [ended]
        begun = block.begun
        pieces = "".join(block.pieces)
        if pieces:
            begun = {**begun, "input": _input_of(pieces)}
        part = part_of(begun)
        block.index = self._parts
        self._parts += 1
        if isinstance(part, ToolCall):
            words, part.arguments = part.arguments, ""
            return [PartBegan(block.index, part), Delta(block.index, words), PartEnded(block.index)]
        return [PartBegan(block.index, part), PartEnded(block.index)]

    def _conclude(self, frame: Frame) -> list[Event]:
        events: list[Event] = []
        for block in self._blocks.values():
            if block.is_open:
                events += self._end(block)
        if frame.usage is not None:
            stated = {name: value for name, value in frame.usage.items() if value is not None}
            self._usage = {**self._usage, **stated}
        fragment = frame.delta or Fragment()
        if not self._has_ended and (fragment.stop_reason or frame.delta is None):
            self._has_ended = True
            refusal = refusal_of(fragment.stop_details)
            if refusal is not None:
                index, self._parts = self._parts, self._parts + 1
                words, refusal.text = refusal.text, ""
                events += [PartBegan(index, refusal), Delta(index, words), PartEnded(index)]
            word = fragment.stop_reason or ""
            finish = finish_of(word, self._outputs > 0 and self._calls == 0, self._calls > 0)
            events.append(Ended(finish, raw_finish=word, stop_sequence=fragment.stop_sequence or ""))
        if frame.usage is not None:
            events.append(UsageStated(usage_of(self._usage)))
        return events


def _input_of(arguments: str) -> object:
    """The arguments of a block as they would stand in a whole reply; text that is no JSON stays one."""
    try:
        decoded: object = _decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return arguments
    return decoded


class Chunk(msgspec.Struct):
    """The payload of a message of InvokeModelWithResponseStream: one event of Anthropic's in base64."""

    bytes: str


_chunk = msgspec.json.Decoder(Chunk).decode


class BedrockStreamReader(StreamReader):
    """Reads the same events out of AWS's messages, and AWS's exceptions between them."""

    __slots__ = ()

    def read(self, event: str, data: bytes) -> list[Event]:
        if self._is_over:
            return []
        if event.startswith("exception:"):
            name = event[10:]
            try:
                said: object = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                said = data[:2000].decode("utf-8", "replace")
            kind, status = EXCEPTIONS.get(name, ("server", 500))
            failure = read_failure(status, said)
            return self._fail(Failure(status, failure.kind if kind == "invalid_request" else kind, failure.message, name))
        try:
            inner = b64decode(_chunk(data).bytes)
        except (msgspec.DecodeError, UnicodeError, Error, ValueError, RecursionError) as problem:
            return self._broken(f"expected a chunk of a stream of messages: {problem}")
        return super().read("", inner)
