"""Replies as callers of Portkey ask for them by `strict_open_ai_compliance`: OpenAI's members only, or content blocks beside them.

strict   what OpenAI does not define stays out: thoughts, their proofs, pictures, the provider's own words
blocks   `content_blocks`: thoughts and words in their order, as Portkey's users read them and send them back

Both rewrite what the writers of this dialect have written, as few callers ask for either; others pay nothing.
"""

from typing import Final

import msgspec
from msgspec import structs

from fastgw.dialects.canonical import Dialect, Event, Reply, Request, StreamWriter
from fastgw.dialects.openai_chat.chunks import ChatWriter
from fastgw.dialects.openai_chat.reply import write_reply
from fastgw.dialects.reading import Json, as_array, as_object, as_text

REPLY: Final = frozenset({"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "error"})
CHOICE: Final = frozenset({"index", "message", "delta", "logprobs", "finish_reason"})
MESSAGE: Final = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "annotations", "audio"})
CALL: Final = frozenset({"index", "id", "type", "function", "custom"})


def strict(body: Json) -> Json | None:
    """A reply or chunk with OpenAI's members only; None where a chunk has nothing left to say."""
    kept = {name: value for name, value in body.items() if name in REPLY}
    choices = as_array(kept.get("choices"))
    kept_choices = [_strict_choice(as_object(choice)) for choice in choices]
    if choices:
        kept["choices"] = kept_choices
    for choice in kept_choices:
        if "message" in choice or choice.get("delta") or choice.get("finish_reason") or choice.get("logprobs"):
            return kept
    return None if choices else kept


def _strict_choice(choice: Json) -> Json:
    kept = {name: value for name, value in choice.items() if name in CHOICE}
    for name in ("message", "delta"):
        if name in kept:
            said = kept[name] = {member: value for member, value in as_object(kept[name]).items() if member in MESSAGE}
            calls = as_array(said.get("tool_calls"))
            if calls:
                bare = [{member: value for member, value in as_object(call).items() if member in CALL} for call in calls]
                said["tool_calls"] = [call for call in bare if len(call) > 1]  # more than an index
                if not said["tool_calls"]:
                    del said["tool_calls"]
    return kept


def with_blocks(body: Json) -> Json:
    """A whole reply with the content blocks of each message."""
    for choice in as_array(body.get("choices")):
        message = as_object(as_object(choice).get("message"))
        thoughts = map(as_object, as_array(message.get("thinking_blocks")))
        blocks: list[object] = [{name: value for name, value in thought.items() if name != "index"} for thought in thoughts]
        if not blocks and message.get("reasoning_content"):
            blocks = [{"type": "thinking", "thinking": message["reasoning_content"]}]
        if message.get("content"):
            blocks.append({"type": "text", "text": message["content"]})
        if blocks:
            message["content_blocks"] = blocks
    return body


class Blocks:
    """Numbers the content blocks of one choice's stream: a block ends where another kind begins, a thought's with its proof."""

    __slots__ = ("_kind", "_number")

    def __init__(self) -> None:
        self._number = -1
        self._kind = ""

    def __repr__(self) -> str:
        return f"<Blocks: {self._number + 1}>"

    def add(self, delta: Json) -> None:
        """Put the blocks that a delta is of beside it."""
        pieces: list[object] = []
        if "reasoning_content" in delta:
            pieces.append(self._piece("thinking", {"thinking": delta["reasoning_content"]}))
        for block in map(as_object, as_array(delta.get("thinking_blocks"))):
            if block.get("type") == "redacted_thinking":
                self._kind = ""
                pieces.append(self._piece("redacted_thinking", {"data": block.get("data")}))
            elif block.get("signature"):
                pieces.append(self._piece("thinking", {"signature": block["signature"]}))
                self._kind = ""
        if as_text(delta.get("content")):
            pieces.append(self._piece("text", {"text": delta["content"]}))
        if pieces:
            delta["content_blocks"] = pieces

    def _piece(self, kind: str, delta: Json) -> Json:
        if kind != self._kind:
            self._number += 1
            self._kind = kind
        return {"index": self._number, "delta": delta}


class CompliantWriter:
    """A stream's chunks, written by this dialect's writer and then rewritten one by one; see canonical.StreamWriter."""

    __slots__ = ("_choices", "_strict", "_writer")

    def __init__(self, writer: StreamWriter, is_strict: bool) -> None:
        self._writer = writer
        self._strict = is_strict
        self._choices: dict[object, Blocks] = {}

    def __repr__(self) -> str:
        return f"<CompliantWriter of {self._writer!r}>"

    def write(self, events: list[Event]) -> bytes:
        return self._rewritten(self._writer.write(events))

    def finish(self) -> bytes:
        return self._rewritten(self._writer.finish())

    def _rewritten(self, written: bytes) -> bytes:
        out: list[bytes] = []
        for line in written.split(b"\n\n"):
            if not line.startswith(b"data: {"):
                out.append(line)
                continue
            chunk: Json | None = msgspec.json.decode(line[6:])
            assert chunk is not None
            if self._strict:
                chunk = strict(chunk)
            else:
                for choice in map(as_object, as_array(chunk.get("choices"))):
                    self._choices.setdefault(choice.get("index"), Blocks()).add(as_object(choice.get("delta")))
            if chunk is not None:
                out.append(b"data: " + msgspec.json.encode(chunk))
        return b"\n\n".join(out)


def _write_strict(reply: Reply, request: Request) -> Json:
    return strict(write_reply(reply, request)) or {}


def _write_blocks(reply: Reply, request: Request) -> Json:
    return with_blocks(write_reply(reply, request))


def comply(dialect: Dialect, compliance: str) -> Dialect:
    """This dialect as a caller of Portkey wants it: "strict" or "blocks"."""
    is_strict = compliance == "strict"
    return structs.replace(
        dialect,
        write_reply=_write_strict if is_strict else _write_blocks,
        stream_writer=lambda request: CompliantWriter(ChatWriter(request), is_strict),
    )
