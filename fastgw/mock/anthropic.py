"""Anthropic's messages."""
from __future__ import annotations

from collections.abc import Iterator

from fastgw.mock.answers import encode, json_reply, named_event, stream_reply
from fastgw.mock.asked import Asked, Object
from fastgw.mock.connection import Reply
from fastgw.mock.faults import ANTHROPIC, Fault, fault_object
from fastgw.mock.words import example_of, pieces_of, say

Thing = dict[str, object]


def answer_messages(asked: Asked) -> Reply:
    """POST /v1/messages."""
    messages = asked.items("messages")
    limit = asked.number("max_tokens")
    if limit is None:
        raise Fault(400, "max_tokens: Field required")
    count = asked.output_tokens(limit)
    tool = tool_block(asked, messages)
    stop = "tool_use" if tool else ("max_tokens" if limit < asked.output_tokens(None) else "end_turn")
    message: Thing = {
        "id": asked.name("msg_"), "type": "message", "role": "assistant", "model": asked.text("model"),
        "content": [tool or {"type": "text", "text": "".join(say(count))}], "stop_reason": stop, "stop_sequence": None,
    }
    usage = usage_of(asked, count)
    if usage is not None:
        message["usage"] = usage
    if not asked.is_stream:
        return json_reply(message, fields=b"request-id: req_mock\r\n")
    events = (named_event(event) for event in stream_events(asked, message, tool, say(count), usage))
    failure = {key: value for key, value in fault_object(ANTHROPIC, Fault(529)).items() if key != "request_id"}
    return stream_reply(asked, events, named_event(failure))


def answer_count_tokens(asked: Asked) -> Reply:
    """POST /v1/messages/count_tokens."""
    asked.items("messages")
    return json_reply({"input_tokens": asked.input_tokens()})


def usage_of(asked: Asked, count: int) -> Thing | None:
    """What it used; input_tokens leaves out what came from the cache. None where the wish is no-usage."""
    if asked.wish.no_usage:
        return None
    given = asked.input_tokens()
    cached = min(given, asked.wish.cached)
    return {
        "input_tokens": given - cached, "cache_creation_input_tokens": 0, "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": count + asked.wish.reasoning, "service_tier": "standard",
    }


def tool_block(asked: Asked, messages: list[Object]) -> Thing | None:
    """The use of the first tool, where one is required or a user's message says "call"."""
    tools, choice = asked.content.get("tools"), asked.content.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else None
    tool = tools[0] if isinstance(tools, list) and tools else None
    if not isinstance(tool, dict) or kind == "none" or "tool_result" in str(messages[-1].get("content")):
        return None
    says_call = any(message.get("role") == "user" and "call" in str(message.get("content")) for message in messages)
    if not says_call and kind not in ("any", "tool"):
        return None
    return {
        "type": "tool_use",
        "id": asked.name("toolu_"),
        "name": tool.get("name"),
        "input": example_of(tool.get("input_schema")),
    }


def stream_events(
    asked: Asked, message: Thing, tool: Thing | None, pieces: list[str], usage: Thing | None
) -> Iterator[Thing]:
    """The events from message_start to message_stop."""
    begun = {**message, "content": [], "stop_reason": None}
    if usage is not None:
        begun["usage"] = {**usage, "output_tokens": 1}
    yield {"type": "message_start", "message": begun}
    block: Thing = {**tool, "input": {}} if tool else {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "ping"}
    for piece in pieces_of(encode(tool["input"]).decode()) if tool else pieces:
        delta = {"type": "input_json_delta", "partial_json": piece} if tool else {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    final: Thing = {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}}
    if usage is not None:
        final["usage"] = {name: usage[name] for name in (
            "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")}
    yield final
    yield {"type": "message_stop"}
