"""Read recorded requests of Cohere's chat into the canonical types, so that the writer can be held to what real clients send."""

from typing import Any

from fastgw.dialects.canonical import (
    Media,
    Message,
    Native,
    OutputFormat,
    Part,
    Reasoning,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from fastgw.dialects.cohere_chat.request import OWN
from tests.recordings import Recording


def request_of(recording: Recording) -> Request:
    """A recorded request as a client of another dialect would have made it."""
    body = recording.request
    choice, thinking, form = body.get("tool_choice"), body.get("thinking"), body.get("response_format") or {}
    strict = body.get("strict_tools")
    functions = [tool["function"] for tool in body.get("tools") or []]
    return Request(
        "", body["model"], [message_of(message) for message in body["messages"]], bool(body.get("stream")),
        max_tokens=body.get("max_tokens"), temperature=body.get("temperature"), top_p=body.get("p"), top_k=body.get("k"),
        seed=body.get("seed"), stop=body.get("stop_sequences") or [], logprobs=body.get("logprobs"),
        presence_penalty=body.get("presence_penalty"), frequency_penalty=body.get("frequency_penalty"),
        tools=[Tool(one["name"], one.get("description", ""), one.get("parameters"), strict) for one in functions],
        tool_choice=ToolChoice("none" if choice == "NONE" else "required") if choice else None,
        reasoning=Reasoning(budget_tokens=thinking.get("token_budget"), off=thinking.get("type") == "disabled") if thinking else None,
        output=OutputFormat("json_object", schema=form.get("json_schema")) if form.get("type") == "json_object" else None,
        extra={name: body[name] for name in OWN if name in body})


def message_of(message: dict[str, Any]) -> Message:
    """One message; what a tool said is a part of a user's."""
    content = message.get("content") or []
    parts = [part_of(block) for block in ([{"type": "text", "text": content}] if isinstance(content, str) else content)]
    if message.get("tool_plan"):
        parts.insert(0, Thinking(message["tool_plan"], dialect="cohere_chat"))
    parts += [ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or []]
    if message["role"] == "tool":
        return Message("user", [ToolResult(message["tool_call_id"], parts=parts)])
    return Message(message["role"], parts)


def part_of(block: dict[str, Any]) -> Part:
    """One block of content."""
    if block["type"] == "text":
        return Text(block["text"])
    if block["type"] == "thinking":
        return Thinking(block["thinking"], dialect="cohere_chat")
    if block["type"] == "image_url":
        return Media("image", url=block["image_url"]["url"], detail=block["image_url"].get("detail", ""))
    data = block.get("document", {}).get("data")
    if isinstance(data, dict) and "text" in data:
        return Media("document", text=data["text"], name=data.get("title", ""))
    return Native("cohere_chat", block)
