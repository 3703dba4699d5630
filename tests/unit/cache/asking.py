"""Requests of four dialects, answers and terms, for the tests of the cache."""

import json
from typing import Any

from fastgw.cache.entry import Entry
from fastgw.cache.key import Space
from fastgw.cache.wish import Terms
from fastgw.dialects.canonical import Choice, Logprob, Media, Native, Reply, Request, Text, Thinking, ToolCall, Usage
from fastgw.dialects.table import dialect_of

SPACE = Space("team", "", "fast", b"route")
TERMS = Terms("miss", 60_000, 60_000)
NOW_MS = 1_800_000_000_000

TOOL: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "integer"}}}
# One question in each dialect: a system's words, a call of a tool, its result, a limit and a temperature.
SAME: dict[str, dict[str, object]] = {
    "openai_chat": {
        "model": "fast", "max_tokens": 99, "temperature": 1,
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "Will it rain?"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "dry"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "Ask.", "parameters": TOOL}}],
    },
    "anthropic_messages": {
        "model": "fast", "max_tokens": 99, "temperature": 1.0, "system": "Be terse.",
        "messages": [
            {"role": "user", "content": "Will it rain?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "dry"}]},
        ],
        "tools": [{"name": "weather", "description": "Ask.", "input_schema": TOOL}],
    },
    "openai_responses": {
        "model": "fast", "max_output_tokens": 99, "temperature": 1, "instructions": "Be terse.",
        "input": [
            {"role": "user", "content": "Will it rain?"},
            {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c1", "name": "weather",
             "arguments": '{"city":"Oslo"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "dry"},
        ],
        "tools": [{"type": "function", "name": "weather", "description": "Ask.", "strict": False, "parameters": TOOL}],
    },
    "gemini_generate": {
        "systemInstruction": {"parts": [{"text": "Be terse."}]}, "generationConfig": {"maxOutputTokens": 99, "temperature": 1},
        "contents": [
            {"role": "user", "parts": [{"text": "Will it rain?"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Oslo"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "weather", "response": {"result": "dry"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "weather", "description": "Ask.", "parametersJsonSchema": TOOL}]}],
    },
}  # fmt: skip


def read(dialect: str, body: dict[str, Any], stream: bool = False) -> Request:
    """The body as its dialect reads it; decoded anew, so that no two tests share a member."""
    reader = dialect_of(dialect).read_request
    assert reader is not None
    return reader(json.loads(json.dumps(body)), "fast", stream)


def chat(**members: object) -> Request:
    """A chat of a word, with these members beside."""
    return read("openai_chat", {"model": "fast", "messages": [{"role": "user", "content": "Hi"}], **members})


RICH = Reply(
    id="r1", model="m", created=7, service_tier="default", system_fingerprint="fp", extra={"x": {"y": [1, 2.5, None]}},
    choices=[Choice(parts=[
        Thinking("hm", "sig", id="rs_1", encrypted="e", summary=True, dialect="anthropic_messages"),
        Text("Hello", signature="s2", native=Native("gemini_generate", {"a": 1})),
        ToolCall("c1", "f", '{"a": 1}', signature="s3"),
        Media("image", data="aGk=", media_type="image/png"),
        Native("gemini_generate", {"executableCode": {"code": "1"}}),
    ], finish="tool_calls", raw_finish="tool_use", logprobs=[Logprob("Hello", -0.1, [72], [Logprob("Hi", -2.0)])])],
    usage=Usage(3, 4, reasoning_tokens=2),
)  # fmt: skip


def reply(words: str = "Hello") -> Reply:
    """A plain answer."""
    return Reply("r1", "m", 7, [Choice([Text(words)], raw_finish="stop")], Usage(3, 4))


def entry(words: str = "Hello", **fields: Any) -> Entry:
    """The same, to keep."""
    return Entry(operation="chat", integration="main", provider="openai", model="m", cost_nano_usd=5_000, reply=reply(words), **fields)
