"""Between the Responses API and other dialects: conversations keep their thoughts, and what cannot be carried is refused or named."""

from typing import Any

import msgspec
import pytest

from fastgw.dialects.anthropic_messages import DIALECT as ANTHROPIC
from fastgw.dialects.canonical import Dialect
from fastgw.dialects.gemini_generate import DIALECT as GEMINI
from fastgw.dialects.openai_chat import DIALECT as CHAT
from fastgw.dialects.openai_responses import DIALECT as RESPONSES
from fastgw.dialects.translate import Asked, translate
from fastgw.errors import GatewayError
from tests.unit.dialects.openai_responses.responses_seen import events_in, parsed

SCHEMA = {"type": "object", "properties": {}}
TOOLS = [{"type": "function", "name": "f", "parameters": SCHEMA}]
USER = {"role": "user", "content": "hi"}


def asked(client: Dialect, upstream: Dialect, body: dict[str, Any], **fields: Any) -> Any:
    """The body that the provider gets, as the translation of it."""
    return translate(client, upstream, msgspec.json.encode(body), Asked("m", bool(body.get("stream")), **fields))


def sent(client: Dialect, upstream: Dialect, body: dict[str, Any]) -> Any:
    return msgspec.json.decode(asked(client, upstream, body).body)


def next_turn(upstream: Dialect, reply: dict[str, Any]) -> tuple[Any, Any]:
    """The response to a caller, and what the provider is sent when the caller sends its items again with a result."""
    first = asked(RESPONSES, upstream, {"input": [USER], "tools": TOOLS})
    response = msgspec.json.decode(first.reply(msgspec.json.encode(reply)))
    parsed(msgspec.json.encode(response))
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    results = [{"type": "function_call_output", "call_id": call["call_id"], "output": "1"} for call in calls]
    return response, sent(RESPONSES, upstream, {"input": [USER, *response["output"], *results], "tools": TOOLS})


@pytest.mark.parametrize(("member", "value"), [
    ("previous_response_id", "resp_1"), ("conversation", {"id": "conv_1"}), ("background", True), ("prompt", {"id": "pmpt_1"}),
    ("input", [{"type": "item_reference", "id": "msg_1"}]),
])
def test_what_a_provider_keeps_cannot_go_to_another_dialect(member: str, value: object) -> None:
    """Whatever the policy: the answer would be to another question."""
    for policy in ("pass", "drop", "error"):
        with pytest.raises(GatewayError) as caught:
            asked(RESPONSES, ANTHROPIC, {"input": "hi", member: value}, policy=policy, target="claude")
        assert caught.value.code == "unsupported_parameter"
        assert (caught.value.param or "").startswith(member)
        assert "cannot go to claude" in caught.value.message


def test_built_in_tools_are_named_or_refused() -> None:
    """A tool that the provider runs is nothing to another: by the policy it is named, or refused."""
    body = {"input": "hi", "tools": [*TOOLS, {"type": "web_search"}]}
    translation = asked(RESPONSES, CHAT, body)
    assert [tool["function"]["name"] for tool in msgspec.json.decode(translation.body)["tools"]] == ["f"]
    assert translation.dropped == ["tools[1]"]
    with pytest.raises(GatewayError, match=r"tools\[1\]"):
        asked(RESPONSES, CHAT, body, policy="error")


def test_what_changes_nothing_elsewhere_is_not_named() -> None:
    """The members that every client of this API sends, and that other providers need not know, are not called dropped."""
    body = {"input": "hi", "include": ["reasoning.encrypted_content"], "store": False, "truncation": "disabled", "background": False,
            "previous_response_id": None, "text": {"format": {"type": "text"}}}
    assert [name for name in asked(RESPONSES, ANTHROPIC, body).dropped if name != "store"] == []


def test_signed_thoughts_of_anthropic_come_back() -> None:
    """A caller of responses that sends its items again brings Claude's thoughts back with their signatures."""
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "b3BhcXVl"},
        {"type": "text", "text": "so"}, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]
    reply = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": blocks, "stop_reason": "tool_use",
             "usage": {"input_tokens": 3, "output_tokens": 4}}
    response, body = next_turn(ANTHROPIC, reply)
    assert [item["type"] for item in response["output"]] == ["reasoning", "reasoning", "message", "function_call"]
    assert body["messages"][1] == {"role": "assistant", "content": blocks}


def test_thought_signatures_of_gemini_come_back() -> None:
    """The signature on a call of Gemini's comes back on that call."""
    part = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}
    reply = {"candidates": [{"content": {"role": "model", "parts": [{"text": "hm", "thought": True}, part]}, "finishReason": "STOP"}],
             "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}, "modelVersion": "gemini", "responseId": "r"}
    _, body = next_turn(GEMINI, reply)
    calls = [one for content in body["contents"] for one in content["parts"] if "functionCall" in one]
    assert [(call["functionCall"]["args"], call["thoughtSignature"]) for call in calls] == [({"a": 1}, "c2ln")]


def test_encrypted_thoughts_survive_a_caller_of_another_dialect() -> None:
    """A caller of Anthropic's dialect brings the encrypted thoughts of a Responses provider back to it."""
    first = {"model": "m", "max_tokens": 50, "messages": [USER], "tools": [{"name": "f", "input_schema": SCHEMA}]}
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "secret"}
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
    reply = {"id": "resp_1", "object": "response", "status": "completed", "output": [reasoning, {**call, "id": "fc_1"}]}
    answer = msgspec.json.decode(asked(ANTHROPIC, RESPONSES, first).reply(msgspec.json.encode(reply)))
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "1"}]}
    body = sent(ANTHROPIC, RESPONSES, {**first, "messages": [USER, {"role": "assistant", "content": answer["content"]}, result]})
    assert body["input"] == [USER, reasoning, call, {"type": "function_call_output", "call_id": "c1", "output": "1"}]
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])


def test_a_stream_of_chat_completions_is_a_stream_of_responses() -> None:
    """Chunks come out as the events of a response, with usage at their end."""
    translation = asked(RESPONSES, CHAT, {"input": "hi", "stream": True})
    stream = translation.stream()
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m"}
    told: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "hel"}}]},
        {"choices": [{"index": 0, "delta": {"content": "lo"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
    ]
    written = b"".join(stream.feed(b"data: " + msgspec.json.encode({**chunk, **one}) + b"\n\n") for one in told)
    last = events_in(written + stream.feed(b"data: [DONE]\n\n") + stream.finish())[-1]
    assert (last.type, last.response.output_text, last.response.usage.total_tokens) == ("response.completed", "hello", 5)
