"""Write the events of a stream as an Anthropic client expects them: one block after the other, each stopped before the next begins.

A delta that comes late, of a block that was stopped, goes out with that block's index: the clients add up by index. How it ended and what
was used stand in one message_delta at the end, since other providers state the usage last. Proofs of other providers (`signature`) go into
thinking blocks, before the call that they belong to where they are known by then, and after the block else.
"""

import msgspec
from msgspec.structs import replace

from fastgw.dialects.anthropic_messages import signature as proofs
from fastgw.dialects.anthropic_messages.failure import error_of
from fastgw.dialects.anthropic_messages.reply import (
    image_block,
    new_id,
    thinking_block,
    use_block,
    write_citation,
    write_thinking,
    write_usage,
)
from fastgw.dialects.anthropic_messages.vocabulary import NAME, STOP_REASONS, TIERS_TO_STATE
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Delta,
    Ended,
    Event,
    Failure,
    Media,
    Native,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.reading import Json
from fastgw.dialects.sse import framed

_encode = msgspec.json.encode
END = b"}}\n\n"
# what a delta of a block says, by what the block is
TEXT = b'"delta":{"type":"text_delta","text":'
THINKING = b'"delta":{"type":"thinking_delta","thinking":'
ARGUMENTS = b'"delta":{"type":"input_json_delta","partial_json":'


class Block:
    """A part on its way out.

    number   index of the block, -1 where there is none (yet)
    lead     what stands before the words of a delta
    prefix   the same where words go out as they are, else b""
    pieces   of the data of an image
    """

    __slots__ = ("encrypted", "lead", "number", "part", "pieces", "prefix", "signature")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.number = -1
        self.lead = self.prefix = b""
        self.signature = ""
        self.encrypted = ""
        self.pieces: list[str] = []

    def __repr__(self) -> str:
        return f"<Block {self.number} of {type(self.part).__name__}>"


class StreamWriter:
    """See canonical.StreamWriter."""

    __slots__ = ("_began", "_blocks", "_broke", "_details", "_ended", "_next", "_open", "_out", "_proofs", "_request", "_started", "_usage")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._blocks: dict[int, Block] = {}
        self._open: Block | None = None
        self._next = 0
        self._out: list[bytes] = []
        self._began = Began()
        self._started = False
        self._usage: Usage | None = None
        self._ended = Ended("stop")
        self._details: Json | None = None
        self._proofs: list[str] = []
        self._broke = False

    def __repr__(self) -> str:
        return f"<StreamWriter of {NAME}: {self._next} blocks>"

    def write(self, events: list[Event]) -> bytes:
        if self._broke:
            return b""
        for event in events:
            if isinstance(event, Delta):
                block = self._blocks.get(event.index)
                if block is None or event.choice:
                    continue
                if event.text and block.prefix:
                    self._out.append(block.prefix + _encode(event.text) + END)
                    if not (event.signature or event.encrypted or event.citations or event.transcript):
                        continue
                self._more(block, event)
            elif isinstance(event, UsageStated):
                self._usage = event.usage
            elif isinstance(event, Began):
                self._began = event
            elif isinstance(event, Broke):
                self._fail(event.failure)
                return self._take()
            elif not event.choice:
                self._turn(event)
        if not self._started and events:
            self._start()  # not before, since the usage may come with the beginning
        return self._take()

    def finish(self) -> bytes:
        if self._broke:
            return b""
        self._between()
        if self._ended.finish == "error":
            self._fail(Failure(502, "server", "the provider ended its answer with an error"))
            return self._take()
        delta: Json = {"stop_reason": STOP_REASONS[self._ended.finish], "stop_sequence": self._ended.stop_sequence or None}
        if self._details is not None:
            delta["stop_details"] = self._details
        usage = write_usage(self._usage)
        del usage["cache_creation"]  # only message_start has it
        self._say("message_delta", {"delta": delta, "usage": usage})
        self._say("message_stop", {})
        return self._take()

    def _take(self) -> bytes:
        out = self._out
        if len(out) == 1:
            return out.pop()
        written = b"".join(out)
        out.clear()
        return written

    def _say(self, kind: str, members: Json) -> None:
        self._out.append(framed(_encode({"type": kind, **members}), kind))

    def _start(self) -> None:
        began = self._began
        self._started = True
        usage = write_usage(self._usage)
        tier = TIERS_TO_STATE.get(began.service_tier)
        if tier:
            usage["service_tier"] = tier
        self._say("message_start", {"message": {
            "id": began.id or new_id(), "type": "message", "role": "assistant", "model": began.model or self._request.model, "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": usage,
        }})

    def _fail(self, failure: Failure) -> None:
        self._broke = True
        self._say("error", {"error": error_of(failure)})

    def _turn(self, event: PartBegan | PartEnded | Ended) -> None:
        if isinstance(event, PartBegan):
            self._begin(event.index, event.part)
        elif isinstance(event, PartEnded):
            block = self._blocks.get(event.index)
            if block is None:
                return
            if isinstance(block.part, Media) and block.pieces:
                self._whole(block, image_block(replace(block.part, data="".join(block.pieces))))
            elif block is self._open:
                self._stop(block)
        else:
            self._between()
            self._ended = event

    def _begin(self, index: int, part: Part) -> None:
        block = self._blocks[index] = Block(part)
        if isinstance(part, ToolCall):
            if part.signature:
                self._proofs.append(proofs.of_part(part.id, part.signature))
            self._open_block(block, use_block(part, {}), ARGUMENTS)
            if part.custom:
                block.prefix = b""
                self._words(block, '{"input":"')
            self._argue(block, part, part.arguments)
        elif isinstance(part, Thinking) and part.redacted:
            self._whole(block, write_thinking(part))
        elif isinstance(part, Thinking):
            block.signature, block.encrypted = part.signature, part.encrypted
            self._open_block(block, {"type": "thinking", "thinking": "", "signature": ""}, THINKING)
            self._words(block, part.text)
        elif isinstance(part, Refusal) and part.native is not None and part.native.dialect == NAME:
            self._details = part.native.value
        elif isinstance(part, Text | Refusal):
            self._open_block(block, {"type": "text", "text": ""}, TEXT)
            self._words(block, part.text)
            if isinstance(part, Text) and (part.citations or part.signature):
                self._more(block, Delta(index, signature=part.signature, citations=part.citations))
        elif isinstance(part, Media):
            self._begin_media(block, part, index)
        elif isinstance(part, Native) and part.dialect == NAME:
            self._native(block, part.value)

    def _begin_media(self, block: Block, part: Media, index: int) -> None:
        """An image goes out once it is whole, of a sound only what was said."""
        if part.kind == "image":
            if part.data:
                block.pieces.append(part.data)
            elif part.url:
                self._whole(block, image_block(part))
        elif part.transcript:
            self._more(block, Delta(index, transcript=part.transcript))
        if part.signature:
            self._proofs.append(proofs.of_part("", part.signature))

    def _native(self, block: Block, value: Json) -> None:
        """A block of this dialect's own; a call of a server's tool says its input in a delta, where the clients look for it."""
        given = value.get("input")
        if not given:
            self._whole(block, value)
            return
        self._open_block(block, {**value, "input": {}}, ARGUMENTS)
        self._words(block, _encode(given).decode())
        self._stop(block)

    def _more(self, block: Block, delta: Delta) -> None:
        """What of a delta is more than words, and words that do not go out as they are."""
        part = block.part
        if not block.prefix and delta.text:
            if isinstance(part, ToolCall):
                self._argue(block, part, delta.text)
            elif isinstance(part, Media) and part.kind == "image":
                block.pieces.append(delta.text)
        if delta.citations and block.number >= 0:
            for citation in delta.citations:
                said = {"type": "citations_delta", "citation": write_citation(citation)}
                self._say("content_block_delta", {"index": block.number, "delta": said})
        if delta.transcript and isinstance(part, Media) and part.kind != "image":
            if block.number < 0:
                self._open_block(block, {"type": "text", "text": ""}, TEXT)
            self._words(block, delta.transcript)
        if delta.signature or delta.encrypted:
            self._prove(block, part, delta)

    def _argue(self, block: Block, part: ToolCall, arguments: str) -> None:
        """More of the arguments; free text is escaped into the string that it is."""
        self._words(block, _encode(arguments)[1:-1].decode() if part.custom else arguments)

    def _prove(self, block: Block, part: Part, delta: Delta) -> None:
        if not isinstance(part, Thinking):
            self._proofs.append(proofs.of_part(part.id if isinstance(part, ToolCall) else "", delta.signature))
            return
        block.signature = delta.signature or block.signature
        block.encrypted = delta.encrypted or block.encrypted
        if block is not self._open:
            self._sign(block, part)

    def _sign(self, block: Block, part: Thinking) -> None:
        signature = block.signature if part.dialect == NAME else proofs.of_thought(part, block.signature, block.encrypted)
        if signature:
            self._say("content_block_delta", {"index": block.number, "delta": {"type": "signature_delta", "signature": signature}})

    def _words(self, block: Block, words: str) -> None:
        if words:
            self._out.append(block.lead + _encode(words) + END)

    def _open_block(self, block: Block, begun: Json, delta: bytes) -> None:
        self._between()
        block.number = self._next
        self._next += 1
        block.lead = block.prefix = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,%b' % (block.number, delta)
        self._open = block
        self._say("content_block_start", {"index": block.number, "content_block": begun})

    def _whole(self, block: Block, begun: Json) -> None:
        """A block without deltas."""
        self._open_block(block, begun, b"")
        block.prefix = b""
        block.pieces.clear()
        self._stop(block)

    def _stop(self, block: Block) -> None:
        part = block.part
        if isinstance(part, Thinking) and not part.redacted:
            self._sign(block, part)
        elif isinstance(part, ToolCall) and part.custom:
            self._words(block, '"}')
        self._open = None
        self._say("content_block_stop", {"index": block.number})

    def _between(self) -> None:
        """Come to a place between two blocks: stop the open one, and write the proofs that wait."""
        if not self._started:
            self._start()
        if self._open is not None:
            self._stop(self._open)
        for proof in self._proofs:
            number = self._next
            self._next += 1
            self._say("content_block_start", {"index": number, "content_block": thinking_block("")})
            self._say("content_block_delta", {"index": number, "delta": {"type": "signature_delta", "signature": proof}})
            self._say("content_block_stop", {"index": number})
        self._proofs.clear()
