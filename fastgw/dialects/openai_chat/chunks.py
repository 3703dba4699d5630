"""The events of a stream, written as chunks for OpenAI's clients.

The order is OpenAI's: the role first, then one chunk for each delta, the finish, the usage if the caller asked for it, and [DONE]. Entries
of lists carry an index, because OpenAI's own client puts lists together by it. Nearly all events are words: for these what stands around
them is encoded once, when their part begins.
"""

import os
import time

import msgspec

from fastgw.dialects.canonical import (
    Began,
    Broke,
    Citation,
    Delta,
    Ended,
    Event,
    Media,
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
from fastgw.dialects.openai_chat.citations import write_annotation, write_citations
from fastgw.dialects.openai_chat.failure import write_failure
from fastgw.dialects.openai_chat.parts import write_picture
from fastgw.dialects.openai_chat.thinking import RESPONSES, apart, block_of, details_of, is_block
from fastgw.dialects.openai_chat.tools import extra_content
from fastgw.dialects.openai_chat.usage import TIERS, rare_members, word_for, write_logprobs, write_usage
from fastgw.dialects.reading import Json

_encode = msgspec.json.encode
PLAIN_TAIL = b'},"logprobs":null,"finish_reason":null}]'


class Piece:
    """A part on its way. before, after: what stands around a delta's words; held: the words of thoughts and pictures, needed whole."""

    __slots__ = ("after", "announced", "before", "citations", "encrypted", "ended", "held", "length", "part", "signature", "slot", "start")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.before = self.after = b""
        self.held: list[str] | None = None
        self.citations: list[Citation] = []
        self.signature = self.encrypted = ""
        self.announced = False
        self.length = 0
        self.start = 0
        self.slot = 0
        self.ended = False

    def __repr__(self) -> str:
        return f"<Piece of {type(self.part).__name__}>"


class Choice:
    """One choice. words: characters said so far; calls, blocks, details, images, pages, files: entries of lists that went out."""

    __slots__ = ("blocks", "calls", "details", "files", "head", "images", "pages", "pieces", "refused", "words")

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.pieces: dict[int, Piece] = {}
        self.refused = False
        self.words = self.calls = self.blocks = self.details = self.images = self.pages = self.files = 0

    def __repr__(self) -> str:
        return f"<Choice of {len(self.pieces)} parts>"


class ChatWriter:
    """Writes the chunks of one stream; see canonical.StreamWriter."""

    __slots__ = ("_broken", "_choices", "_legacy", "_model", "_opening", "_tail", "_usage", "_wants_usage")

    def __init__(self, request: Request) -> None:
        self._model = request.model
        self._legacy = "functions" in request.echo
        self._wants_usage = request.include_usage
        # OpenAI states a null usage in every chunk but the last where usage is asked for.
        self._tail = b',"usage":null}\n\n' if request.include_usage else b"}\n\n"
        self._opening = b""
        self._choices: dict[int, Choice] = {}
        self._usage: Usage | None = None
        self._broken = False

    def __repr__(self) -> str:
        return f"<ChatWriter of {len(self._choices)} choices>"

    def write(self, events: list[Event]) -> bytes:
        """The chunks of these events."""
        if self._broken:
            return b""
        out: list[bytes] = []
        for event in events:
            if type(event) is Delta:
                self._delta(event, out)
            elif isinstance(event, PartBegan):
                self._begin(event, out)
            elif isinstance(event, PartEnded):
                self._end_part(event, out)
            elif isinstance(event, Ended):
                self._end(event, out)
            elif isinstance(event, UsageStated):
                self._usage = event.usage
            elif isinstance(event, Began):
                self._open(event)
            elif isinstance(event, Broke):
                out.append(b"data: " + _encode(write_failure(event.failure, "")) + b"\n\n")
                self._broken = True
                break
        return b"".join(out)

    def finish(self) -> bytes:
        """The usage, if the caller asked for it, and [DONE]."""
        if self._broken:
            return b""
        if not self._opening:
            self._open(Began())
        if self._wants_usage and self._usage is not None:
            return self._opening + b'"choices":[],"usage":' + _encode(write_usage(self._usage)) + b"}\n\ndata: [DONE]\n\n"
        return b"data: [DONE]\n\n"

    def _open(self, began: Began) -> None:
        shared: Json = {
            "id": began.id or f"chatcmpl-{os.urandom(12).hex()}", "object": "chat.completion.chunk",
            "created": began.created or int(time.time()), "model": began.model or self._model,
        }
        if began.service_tier in TIERS:
            shared["service_tier"] = TIERS[began.service_tier]
        shared["system_fingerprint"] = began.system_fingerprint or None
        self._opening = b"data: " + _encode(shared)[:-1] + b","

    def _choice(self, number: int, out: list[bytes], content: bytes = b"null") -> Choice:
        choice = self._choices.get(number)
        if choice is None:
            if not self._opening:
                self._open(Began())
            head = self._opening + b'"choices":[{"index":' + str(number).encode() + b',"delta":{'
            choice = self._choices[number] = Choice(head)
            out.append(head + b'"role":"assistant","content":' + content + b',"refusal":null' + PLAIN_TAIL + self._tail)
        return choice

    def _chunk(self, choice: Choice, delta: Json, out: list[bytes]) -> None:
        out.append(choice.head + _encode(delta)[1:-1] + PLAIN_TAIL + self._tail)

    def _begin(self, event: PartBegan, out: list[bytes]) -> None:
        part = event.part
        words = type(part) is Text
        choice = self._choice(event.choice, out, b'""' if words else b"null")
        piece = choice.pieces[event.index] = Piece(part)
        if isinstance(part, ToolCall):
            self._begin_call(choice, piece, part, out)
            return
        if isinstance(part, Text):
            self._around(choice, piece, b'"content":', b"")
            piece.start = choice.words
        elif isinstance(part, Thinking):
            self._around(choice, piece, b'"reasoning_content":', b"")
            piece.held = []
            if part.dialect not in ("", RESPONSES) and not part.redacted and not part.encrypted:
                # Says early whose proof will come, so that a reader knows it before the words.
                piece.announced = True
                self._chunk(choice, {"reasoning_content": "", "thinking_blocks": [block_of(_bare(part), choice.blocks)]}, out)
        elif isinstance(part, Refusal):
            self._around(choice, piece, b'"refusal":', b"")
            choice.refused = True
        elif isinstance(part, Media):
            if part.kind == "audio":
                self._around(choice, piece, b'"audio":{"data":', b"}")
                whole = {"id": part.audio_id, "data": part.data, "transcript": part.transcript, "expires_at": part.expires_at}
                self._chunk(choice, {"audio": {name: value for name, value in whole.items() if value}}, out)
            else:
                piece.held = [part.data]
            return
        else:
            return  # a part that only its own dialect knows
        if part.text:
            self._delta(Delta(event.index, part.text, event.choice), out)

    def _begin_call(self, choice: Choice, piece: Piece, part: ToolCall, out: list[bytes]) -> None:
        slot = piece.slot = choice.calls
        choice.calls += 1
        if self._legacy:
            if slot:
                return  # function_call has room for one
            self._around(choice, piece, b'"function_call":{"arguments":', b"}")
            self._chunk(choice, {"function_call": {"name": part.name, "arguments": part.arguments}}, out)
            return
        number = str(slot).encode()
        call: Json = {"index": slot, "id": part.id}
        if part.custom:
            self._around(choice, piece, b'"tool_calls":[{"index":' + number + b',"custom":{"input":', b"}}]")
            call |= {"type": "custom", "custom": {"name": part.name, "input": part.arguments}}
        else:
            self._around(choice, piece, b'"tool_calls":[{"index":' + number + b',"function":{"arguments":', b"}}]")
            call |= {"type": "function", "function": {"name": part.name, "arguments": part.arguments}}
        if part.signature:
            call["extra_content"] = extra_content(part.signature)
        self._chunk(choice, {"tool_calls": [call]}, out)

    def _around(self, choice: Choice, piece: Piece, before: bytes, after: bytes) -> None:
        piece.before = choice.head + before
        piece.after = after + PLAIN_TAIL + self._tail

    def _delta(self, event: Delta, out: list[bytes]) -> None:
        choice = self._choices.get(event.choice)
        piece = None if choice is None else choice.pieces.get(event.index)
        if choice is None or piece is None:
            return
        text = event.text
        if event.logprobs and type(piece.part) in (Text, Refusal):
            refused = type(piece.part) is Refusal
            name = b'"refusal":' if refused else b'"content":'
            likely = _encode(write_logprobs(event.logprobs, refused))
            piece.length += len(text)
            out.append(choice.head + name + _encode(text) + b'},"logprobs":' + likely + b',"finish_reason":null}]' + self._tail)
        elif text:
            if piece.held is not None:
                piece.held.append(text)
            piece.length += len(text)
            if piece.before:
                out.append(piece.before + _encode(text) + piece.after)
        if event.citations:
            piece.citations += event.citations
            if piece.ended:
                self._cite(choice, piece, out)
        if event.transcript:
            self._chunk(choice, {"audio": {"transcript": event.transcript}}, out)
        if event.encrypted:
            piece.encrypted = event.encrypted
        if event.signature:
            self._sign(choice, piece, event.signature, out)

    def _sign(self, choice: Choice, piece: Piece, signature: str, out: list[bytes]) -> None:
        part = piece.part
        if isinstance(part, Thinking):
            piece.signature = signature
            if piece.ended:
                self._prove(choice, piece, part, out)
        elif isinstance(part, ToolCall):
            if not self._legacy:
                self._chunk(choice, {"tool_calls": [{"index": piece.slot, "extra_content": extra_content(signature)}]}, out)
        else:
            self._chunk(choice, {"extra_content": extra_content(signature)}, out)

    def _end_part(self, event: PartEnded, out: list[bytes]) -> None:
        choice = self._choices.get(event.choice)
        piece = None if choice is None else choice.pieces.get(event.index)
        if choice is None or piece is None or piece.ended:
            return
        piece.ended = True
        part = piece.part
        if isinstance(part, Text):
            choice.words += piece.length
            if piece.citations or part.citations:
                piece.citations = part.citations + piece.citations
                self._cite(choice, piece, out)
            if part.signature:
                self._chunk(choice, {"extra_content": extra_content(part.signature)}, out)
        elif isinstance(part, Thinking):
            self._prove(choice, piece, part, out)
        elif isinstance(part, Media) and part.kind == "image":
            picture = Media("image", "".join(piece.held or []), part.url, media_type=part.media_type)
            if picture.data or picture.url:
                self._chunk(choice, {"images": [write_picture(picture, choice.images)]}, out)
                choice.images += 1
            if part.signature:
                self._chunk(choice, {"extra_content": extra_content(part.signature)}, out)

    def _prove(self, choice: Choice, piece: Piece, part: Thinking, out: list[bytes]) -> None:
        """What a client must send back so that its provider believes the thought."""
        whole = Thinking("".join(piece.held or []), piece.signature or part.signature, part.redacted, part.id,
                         piece.encrypted or part.encrypted, part.summary, part.dialect)
        if is_block(whole):
            if piece.announced:
                whole.dialect = ""  # said already, and OpenAI's client would add it to that
            self._chunk(choice, {"thinking_blocks": [block_of(whole, choice.blocks)]}, out)
            choice.blocks += 1
        elif whole.encrypted or whole.id:
            details = apart(details_of(whole, 0), choice.details)
            self._chunk(choice, {"reasoning_details": details}, out)
            choice.details += len(details)

    def _cite(self, choice: Choice, piece: Piece, out: list[bytes]) -> None:
        """Citations go out when their part is whole: only then is it known what one is about that says nothing of it."""
        pages: list[object] = []
        files: list[object] = []
        for citation in piece.citations:
            written = write_annotation(citation, piece.start, piece.start + piece.length)
            if citation.url:
                pages.append(written | {"index": choice.pages + len(pages)})
            else:
                files.append(written | {"index": choice.files + len(files)})
        choice.pages += len(pages)
        choice.files += len(files)
        piece.citations = []
        self._chunk(choice, write_citations(pages, files), out)

    def _end(self, event: Ended, out: list[bytes]) -> None:
        choice = self._choice(event.choice, out, b'""')
        word = word_for(event.finish, choice.refused, self._legacy and choice.calls > 0)
        ending: Json = {"logprobs": None, "finish_reason": word} | rare_members(word, event.raw_finish, event.stop_sequence)
        out.append(choice.head + b"}," + _encode(ending)[1:] + b"]" + self._tail)


def _bare(thought: Thinking) -> Thinking:
    """A thought of which only the owner is known yet."""
    return Thinking(dialect=thought.dialect)
