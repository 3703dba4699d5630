"""A conversation as Converse has it: system blocks apart, user and assistant in turn, each block an object with one member."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import cast

import msgspec

from fastgw.dialects.anthropic_messages.naming import TEXT_PREFIX, written_name
from fastgw.dialects.bedrock_converse.media import Blocks
from fastgw.dialects.bedrock_converse.models import Model
from fastgw.dialects.canonical import Cache, Media, Message, Native, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.marks import note_parts
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.errors import error

CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
NOT_OF_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
UNCACHED = (Thinking, Refusal, Native)


class MessageWriter:
    """Writes the messages of one request. system, messages: what was written; tools: names of the tools that were called."""

    __slots__ = ("_blocks", "_model", "_notes", "messages", "system", "tools")

    def __init__(self, notes: Notes, model: Model) -> None:
        self._notes = notes
        self._model = model
        self._blocks = Blocks()
        self.system: list[Json] = []
        self.messages: list[Json] = []
        self.tools: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<MessageWriter of {len(self.messages)} messages>"

    def write(self, messages: list[Message]) -> None:
        """Add the messages. Some models refuse two of one role in a row, so they become one; blank texts are refused, and left out.

        System messages in the middle go to the system blocks with the others: what stands in a conversation only some models take.
        """
        for number, message in enumerate(messages):
            if message.role == "user" or message.role == "assistant":
                last = self.messages[-1] if self.messages else None
                if last is not None and last["role"] == message.role:
                    self._content(message, f"messages[{number}]", cast(list[Json], last["content"]))
                    continue
                content: list[Json] = []
                self._content(message, f"messages[{number}]", content)
                if content:
                    self.messages.append({"role": message.role, "content": content})
            else:
                self._system(message, f"messages[{number}]")

    def goes_on_without_thought(self) -> bool:
        """Whether the last turn answers calls that were made without a thought."""
        if len(self.messages) < 2 or not any("toolResult" in block for block in cast(list[Json], self.messages[-1]["content"])):
            return False
        return "reasoningContent" not in cast(list[Json], self.messages[-2]["content"])[0]

    def _content(self, message: Message, path: str, content: list[Json]) -> None:
        for number, part in enumerate(message.parts):
            if isinstance(part, Text):  # by far the commonest
                block: Json | None = {"text": part.text} if part.text.strip() else None
            else:
                block = self._block(part, f"{path}.content[{number}]")
            if block is not None:
                content.append(block)
            if not isinstance(part, UNCACHED) and part.cache is not None and content:
                self._cache(part.cache, content, f"{path}.content[{number}]")

    def _system(self, message: Message, path: str) -> None:
        for number, part in enumerate(message.parts):
            if isinstance(part, Text):
                if part.text.strip():
                    self.system.append({"text": part.text})
                    if part.cache is not None:
                        self._cache(part.cache, self.system, f"{path}.content[{number}]")
            elif isinstance(part, Native) and part.dialect == "bedrock_converse":
                self.system.append(part.value)
            else:
                self._notes.drop(f"{path}.content[{number}]")

    def _block(self, part: Part, path: str) -> Json | None:
        if isinstance(part, ToolCall):
            name = name_on_wire(part.name, part.custom)
            self.tools[name] = None
            return {"toolUse": {"toolUseId": call_id(part.id), "name": name, "input": input_of(part, path, self._notes)}}
        if isinstance(part, ToolResult):
            return self._result(part, path)
        if isinstance(part, Thinking):
            return thought(part, self._model)
        if isinstance(part, Refusal):
            return {"text": part.text} if part.text.strip() else None
        block = None
        if isinstance(part, Media):
            block = self._blocks.write(part)
        elif isinstance(part, Native) and part.dialect == "bedrock_converse":
            block = part.value
        if block is None:
            self._notes.drop(path)
        return block

    def _result(self, result: ToolResult, path: str) -> Json:
        if result.name:
            self.tools[name_on_wire(result.name, result.custom)] = None
        content: list[Json] = []
        for number, part in enumerate(result.parts):
            block: Json | None = None
            if isinstance(part, Text):
                block = {"text": part.text}
            elif isinstance(part, Media):
                block = self._blocks.write(part)
            if block is None:
                self._notes.drop(f"{path}.content[{number}]")
            else:
                content.append(block)
        note_parts(result.parts, path, self._notes)  # a result's own mark is a cache point, which cannot stand in it
        written: Json = {"toolUseId": call_id(result.call_id), "content": content}
        if result.is_error:
            written["status"] = "error"
        return {"toolResult": written}

    def _cache(self, cache: Cache, content: list[Json], path: str) -> None:
        if self._model.caches:
            if "cachePoint" not in content[-1]:
                content.append(cache_point(cache, self._model))
        else:
            self._notes.drop(f"{path}.cache_control")


def cache_point(cache: Cache, model: Model) -> Json:
    """The block that marks what is before it as worth caching: for five minutes, or an hour where the model knows hours."""
    return {"cachePoint": {"type": "default", "ttl": "1h"} if cache.ttl == "1h" and model.maker != "amazon" else {"type": "default"}}


def thought(part: Thinking, model: Model) -> Json | None:
    """A thought with its proof, for a model that may check it; None for others, who need none of it.

    Only Claude signs, and in Anthropic's own words: a signature that came through Bedrock is good for Anthropic and the other way round.
    What Claude thought encrypted is Anthropic's text in Bedrock's bytes.
    """
    if part.dialect == "bedrock_converse" and part.redacted and model.maker != "anthropic":
        return {"reasoningContent": {"redactedContent": part.redacted}}
    if part.dialect != "anthropic_messages" or model.maker not in ("", "anthropic"):
        return None
    if part.redacted:
        return {"reasoningContent": {"redactedContent": b64encode(part.redacted.encode()).decode()}}
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}} if part.signature else None


def input_of(call: ToolCall, path: str, notes: Notes) -> object:
    """The arguments as an object. raises InvalidRequest where they are none"""
    if call.custom:
        return {"input": call.arguments}
    if not call.arguments.strip():
        return {}
    try:
        found: object = msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        where = "$." + notes.name(f"{path}.arguments")
        raise error("InvalidRequest", f"expected the text of a JSON object as the arguments of {call.name} at {where}", param=where)
    return found


def name_on_wire(name: str, custom: bool) -> str:
    """A tool's name as Bedrock takes it; of one that takes free text, one by which the way back knows it."""
    return written_name(TEXT_PREFIX + name if custom else name, "$.tools")


def call_id(stated: str) -> str:
    """The id of a call, as it is where Bedrock takes it, else one made from it, the same for call and result."""
    if CALL_ID.fullmatch(stated):
        return stated
    return NOT_OF_ID.sub("_", stated)[:40] + "_" + sha256(stated.encode()).hexdigest()[:16]
