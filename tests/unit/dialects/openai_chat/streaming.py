"""How a stream is read, written and put together, by us and by the official client."""

import copy
import json
from collections.abc import Iterable
from typing import Any

import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from fastgw.dialects.assembly import Assembler
from fastgw.dialects.canonical import (
    Event,
    Reply,
    Request,
)
from fastgw.dialects.openai_chat.chunks import ChatWriter
from fastgw.dialects.openai_chat.stream import ChatReader
from fastgw.dialects.sse import EventSplitter

ASKED = Request("openai_chat", "asked", [], stream=True, include_usage=True)


def events_in(pieces: Iterable[bytes]) -> list[Event]:
    """What the reader makes of a stream that comes in these pieces."""
    splitter, reader = EventSplitter(), ChatReader()
    events: list[Event] = []
    for piece in pieces:
        for name, payload in splitter.feed(piece):
            events += reader.read(name, payload)
    for name, payload in splitter.finish():
        events += reader.read(name, payload)
    return events + reader.finish()


def assembled(events: list[Event]) -> Reply:
    """The reply that events add up to; these stay as they are."""
    assembler = Assembler()
    assembler.take(copy.deepcopy(events))
    return assembler.finish()


def written(events: list[Event], request: Request = ASKED) -> bytes:
    """The stream that a caller gets."""
    writer = ChatWriter(request)
    return b"".join(writer.write([event]) for event in events) + writer.finish()


def chunks_in(stream: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream, decoded."""
    splitter = EventSplitter()
    return [json.loads(payload) for _, payload in splitter.feed(stream) + splitter.finish() if payload != b"[DONE]"]


def accumulated(stream: bytes) -> Any:
    """What the official client puts together of a stream. raises what it raises"""
    state = ChatCompletionStreamState()
    for chunk in chunks_in(stream):
        if chunk.get("error"):
            raise openai.APIError("in mid-stream", None, body=chunk["error"])  # type: ignore[arg-type]  # no request here
        for choice in chunk.get("choices") or []:
            # What the client does not survive without an index: Mistral's calls, OpenRouter's annotations and details.
            for name in ("tool_calls", "annotations", "reasoning_details"):
                for at, item in enumerate((choice.get("delta") or {}).get(name) or []):
                    item.setdefault("index", at)
        if chunk.get("object") or chunk.get("choices"):
            state.handle_chunk(ChatCompletionChunk.construct(**chunk))
    return state.current_completion_snapshot


def seen(completion: Any) -> list[object]:
    """What a user of the official client sees."""
    found: list[object] = []
    for choice in completion.choices:
        message = choice.message
        content = message.content
        if isinstance(content, list):
            content = "".join(chunk.get("text", "") for chunk in content)
        calls = [(call.function.name, call.function.arguments) for call in message.tool_calls or []]
        finish = choice.finish_reason or ("tool_calls" if calls else "stop")
        found.append((content or "", message.refusal or "", calls, finish))
    usage = completion.usage
    return [*found, (usage.prompt_tokens, usage.completion_tokens) if usage else None]
