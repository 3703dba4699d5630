"""Events as a stream of streamGenerateContent: server-sent events, or one JSON array where the caller did not ask for alt=sse.

Calls of functions are whole here. One goes out when it has ended and its arguments are an object; another waits for the end of its answer,
since more of them may come. The finish goes out with the usage, in the last piece, as Google has it.
"""

from base64 import b64decode, b64encode

import msgspec
from msgspec.structs import replace

from fastgw.dialects.canonical import (
    Began,
    Broke,
    Choice,
    Citation,
    Delta,
    Ended,
    Event,
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
from fastgw.dialects.gemini_generate.failure import write_failure
from fastgw.dialects.gemini_generate.grounding import write_citations, write_logprobs
from fastgw.dialects.gemini_generate.reply import TIERS, write_finish, write_head, write_part
from fastgw.dialects.gemini_generate.spelling import SIGNERS
from fastgw.dialects.gemini_generate.usage import write_usage
from fastgw.dialects.reading import Json

_encode = msgspec.json.encode


class Open:
    """A part that has begun, as it began, and what has come since: words, arguments or data in pieces, sources, proofs."""

    __slots__ = ("citations", "encrypted", "part", "pieces", "signature")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.pieces: list[str] = []
        self.citations: list[Citation] = []
        self.signature = ""
        self.encrypted = ""

    def __repr__(self) -> str:
        return f"<Open {type(self.part).__name__}>"


class StreamWriter:
    """See canonical.StreamWriter."""

    __slots__ = ("_broke", "_ended", "_first", "_head", "_is_array", "_model", "_parts", "_tail", "_tier", "_usage")

    def __init__(self, request: Request) -> None:
        self._is_array = request.stream_array
        self._model = request.model
        self._first = True
        self._broke = False
        self._tier = ""
        self._usage: Usage | None = None
        self._ended: dict[int, Json] = {}
        self._parts: dict[tuple[int, int], Open] = {}
        self._begin(Began())

    def __repr__(self) -> str:
        return f"<StreamWriter with {len(self._parts)} parts>"

    def write(self, events: list[Event]) -> bytes:
        if self._broke:
            return b""
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is Delta:
                self._more(event, out)  # type: ignore[arg-type]  # kind says it
            elif kind is PartBegan:
                self._part(event, out)  # type: ignore[arg-type]  # kind says it
            elif isinstance(event, PartEnded):
                self._close(event, out)
            elif isinstance(event, UsageStated):
                self._usage = event.usage
            elif isinstance(event, Ended):
                self._end(event, out)
            elif isinstance(event, Began):
                self._begin(event)
            elif isinstance(event, Broke):
                self._piece(_encode(write_failure(event.failure, "")), out)
                if self._is_array:
                    out.append(b"]")
                self._broke = True
                break
        return b"".join(out)

    def finish(self) -> bytes:
        if self._broke:
            return b""
        out: list[bytes] = []
        last: Json = {"candidates": list(self._ended.values())} if self._ended else {}
        if self._usage is not None:
            usage = last["usageMetadata"] = write_usage(self._usage)
            if self._tier in TIERS:
                usage["serviceTier"] = self._tier
        if last:
            self._piece(_encode(last | self._head), out)
        if self._is_array:
            out.append(b"[]" if self._first else b"\r\n]")
        return b"".join(out)

    def _begin(self, event: Began) -> None:
        self._tier = event.service_tier
        self._head = write_head(event.id, event.model or self._model, event.created)
        # what ends a piece with one part of the first answer
        self._tail = b'}],"role":"model"},"index":0}]' + (b"," + _encode(self._head)[1:] if self._head else b"}")

    def _piece(self, body: bytes, out: list[bytes]) -> None:
        if not self._is_array:
            out += (b"data: ", body, b"\r\n\r\n")
        else:
            out += (b"[" if self._first else b",\r\n", body)
            self._first = False

    def _say(self, choice: int, part: Json, out: list[bytes]) -> None:
        """A piece with one part."""
        candidate = {"content": {"parts": [part], "role": "model"}, "index": choice}
        self._piece(_encode({"candidates": [candidate], **self._head}), out)

    def _part(self, event: PartBegan, out: list[bytes]) -> None:
        part = event.part
        opened = self._parts[event.choice, event.index] = Open(part)
        if isinstance(part, Text | Thinking | Refusal):
            signature = "" if isinstance(part, Refusal) else part.signature
            citations = part.citations or None if isinstance(part, Text) else None
            if part.text or signature or citations:
                self._more(Delta(event.index, part.text, event.choice, signature, citations=citations), out)
        elif isinstance(part, ToolCall | Media):
            opened.pieces.append(part.arguments if isinstance(part, ToolCall) else part.data)
            opened.signature = part.signature
        elif isinstance(part, Native):
            written = write_part(part, [])
            if written is not None:
                self._say(event.choice, written, out)

    def _more(self, delta: Delta, out: list[bytes]) -> None:
        opened = self._parts.get((delta.choice, delta.index))
        if opened is None:
            return
        part, text = opened.part, delta.text
        kind = type(part)
        if text:
            opened.pieces.append(text)
        if kind is Text and text and not delta.signature and not delta.choice and delta.citations is None and delta.logprobs is None:
            self._piece(b'{"candidates":[{"content":{"parts":[{"text":' + _encode(text) + self._tail, out)
        elif isinstance(part, Text | Refusal):
            if delta.citations:
                opened.citations += delta.citations
            if text or delta.signature or delta.logprobs:
                written: Json = {"text": text, "thoughtSignature": delta.signature} if delta.signature else {"text": text}
                candidate: Json = {"content": {"parts": [written], "role": "model"}, "index": delta.choice}
                if delta.logprobs:
                    candidate["logprobsResult"] = write_logprobs(delta.logprobs)
                self._piece(_encode({"candidates": [candidate], **self._head}), out)
        elif isinstance(part, Thinking) and part.dialect in SIGNERS:
            thought: Json = {"text": text, "thought": True}
            if delta.signature:
                thought["thoughtSignature"] = delta.signature
            if text or delta.signature:
                self._say(delta.choice, thought, out)
        else:  # another's proof is sealed when all of it is known, at the thought's end
            opened.signature = delta.signature or opened.signature
            opened.encrypted = delta.encrypted or opened.encrypted
            if text and isinstance(part, Thinking):
                self._say(delta.choice, {"text": text, "thought": True}, out)

    def _close(self, event: PartEnded, out: list[bytes]) -> None:
        opened = self._parts.get((event.choice, event.index))
        if opened is None:
            return
        part = opened.part
        if isinstance(part, Thinking) and part.dialect not in SIGNERS:
            proof = replace(part, text="", signature=opened.signature or part.signature, encrypted=opened.encrypted or part.encrypted)
            written = write_part(proof, [])
            if written is not None:
                self._say(event.choice, written, out)
        elif isinstance(part, ToolCall):
            if not part.custom and any(opened.pieces) and self._call(event.choice, part, opened, [], out):
                del self._parts[event.choice, event.index]
        elif isinstance(part, Media):
            written = write_part(replace(part, data=joined(opened.pieces), signature=opened.signature), [])
            if written is not None:
                self._say(event.choice, written, out)

    def _call(self, choice: int, part: ToolCall, opened: Open, malformed: list[str], out: list[bytes]) -> bool:
        """Write a call, or add it to `malformed`."""
        written = write_part(replace(part, arguments="".join(opened.pieces), signature=opened.signature), malformed)
        if written is not None:
            self._say(choice, written, out)
        return written is not None

    def _end(self, event: Ended, out: list[bytes]) -> None:
        """An answer is whole: its calls go out, its finish waits for the usage."""
        malformed: list[str] = []
        texts: list[tuple[str, list[Citation]]] = []
        for (choice, _), opened in self._parts.items():
            if choice != event.choice:
                continue
            part = opened.part
            if isinstance(part, ToolCall):
                self._call(choice, part, opened, malformed, out)
            elif isinstance(part, Text | Refusal):
                texts.append(("".join(opened.pieces), opened.citations))
        finish = write_finish(Choice([], event.finish, event.raw_finish), malformed)
        candidate: Json = {"content": {"parts": [{"text": ""}], "role": "model"}, **finish, "index": event.choice}
        grounding, cited = write_citations(texts)
        if grounding:
            candidate["groundingMetadata"] = grounding
        if cited:
            candidate["citationMetadata"] = cited
        self._ended[event.choice] = candidate


def joined(pieces: list[str]) -> str:
    """Base64 that came in pieces, each of which may be padded for itself."""
    pieces = [piece for piece in pieces if piece]
    if len(pieces) < 2 or not any("=" in piece for piece in pieces[:-1]):
        return "".join(pieces)
    try:
        return b64encode(b"".join(b64decode(piece) for piece in pieces)).decode()
    except ValueError:
        return "".join(pieces)
