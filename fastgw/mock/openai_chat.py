"""Chat completions, and the older plain completions."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard, cast

from fastgw.mock.answers import CREATED_AT, data_event, encode, json_reply, stream_reply
from fastgw.mock.asked import Asked, Json, Object
from fastgw.mock.connection import Reply
from fastgw.mock.faults import OPENAI, Fault, fault_object
from fastgw.mock.words import example_of, pieces_of, say

DONE = b"data: [DONE]\n\n"
Delta = dict[str, object]


def answer_chat(asked: Asked) -> Reply:
    """POST /v1/chat/completions."""
    messages = asked.items("messages")
    model = asked.text("model", asked.params.get("deployment"))
    limit = asked.number("max_completion_tokens", "max_tokens")
    count = asked.output_tokens(limit)
    choices = min(asked.number("n") or 1, 128)
    usage = usage_of(asked, count * choices)
    tool = wanted_tool(asked, messages)
    finish = (
        "tool_calls"
        if tool
        else ("length" if limit is not None and limit < told_tokens(asked) else "stop")
    )
    frame: Object = {
        "id": asked.name("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": CREATED_AT,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
    }
    if asked.is_stream:
        deltas = tool_deltas(tool) if tool else text_deltas(content_pieces(asked, count))
        return stream_reply(asked, chat_events(asked, frame, list(deltas), finish, choices, usage), failure_event())
    message: dict[str, object] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    if tool:
        message["tool_calls"] = [tool]
    else:
        message["content"] = "".join(content_pieces(asked, count))
    found = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": finish} for index in range(choices)
    ]
    reply: dict[str, object] = {**frame, "object": "chat.completion", "choices": found}
    if usage is not None:
        reply["usage"] = usage
    return json_reply(reply)


def told_tokens(asked: Asked) -> int:
    """How many tokens there would be without the request's limit."""
    return asked.output_tokens(None)


def content_pieces(asked: Asked, count: int) -> list[str]:
    """The reply's text in pieces: words, or a JSON document where the request asks for one."""
    shape = asked.content.get("response_format")
    if isinstance(shape, dict) and shape.get("type") in ("json_object", "json_schema"):
        wrapped = shape.get("json_schema")
        schema: Json = {"type": "object", "properties": {"mock": {}}}
        if isinstance(wrapped, dict):
            schema = wrapped.get("schema")
        return pieces_of(encode(example_of(schema)).decode())
    return say(count)


def usage_of(asked: Asked, count: int) -> dict[str, object] | None:
    """What a reply of `count` tokens says it used; None where the wish is no-usage."""
    if asked.wish.no_usage:
        return None
    prompt, output = asked.input_tokens(), count + asked.wish.reasoning
    return {
        "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": min(prompt, asked.wish.cached), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": asked.wish.reasoning, "audio_tokens": 0,
                                      "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    }


def wanted_tool(asked: Asked, messages: list[Object]) -> dict[str, object] | None:
    """The call of the first tool, where one is required or a user's message says "call"."""
    tools = asked.content.get("tools")
    choice = asked.content.get("tool_choice")
    if not isinstance(tools, list) or not tools or choice == "none" or messages[-1].get("role") == "tool":
        return None
    says_call = any(message.get("role") == "user" and "call" in str(message.get("content")) for message in messages)
    if not says_call and choice != "required" and not isinstance(choice, dict):
        return None
    tool = tools[0]
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        raise Fault(400, "Missing required parameter: 'tools[0].function'", param="tools[0].function")
    arguments = encode(example_of(function.get("parameters"))).decode() if "parameters" in function else "{}"
    return {
        "id": asked.name("call_"),
        "type": "function",
        "function": {"name": function.get("name"), "arguments": arguments},
    }


def text_deltas(pieces: list[str]) -> Iterator[Delta]:
    """The deltas of a text."""
    yield {"role": "assistant", "content": "", "refusal": None}
    for piece in pieces:
        yield {"content": piece}


def tool_deltas(tool: dict[str, object]) -> Iterator[Delta]:
    """The deltas of a tool call: its name first, its arguments in pieces."""
    function = cast(dict[str, str], tool["function"])
    opening = {"index": 0, **tool, "function": {"name": function["name"], "arguments": ""}}
    yield {"role": "assistant", "content": None, "tool_calls": [opening], "refusal": None}
    for piece in pieces_of(function["arguments"]):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def chat_events(asked: Asked, frame: Object, deltas: list[Delta], finish: str, choices: int,
                usage: dict[str, object] | None) -> Iterator[bytes]:
    """The events of a stream; the usage stands in one of its own, with no choices, and only where it was asked for."""
    wants_usage = asks_for_usage(asked) and usage is not None
    # Every event but the last has the same bytes around its delta, so these are written once.
    opening = encode(frame)[:-1]
    closing = b'}],"usage":null}\n\n' if wants_usage else b"}]}\n\n"
    for index in range(choices):
        for delta in [*deltas, None]:
            body = b'"delta":%b,"logprobs":null,"finish_reason":%b' % (
                (b"{}", encode(finish)) if delta is None else (encode(delta), b"null"))
            yield b'data: %b,"choices":[{"index":%d,%b%b' % (opening, index, body, closing)
    if wants_usage:
        yield data_event({**frame, "choices": [], "usage": usage})
    yield DONE


def asks_for_usage(asked: Asked) -> bool:
    """Whether stream_options.include_usage is set."""
    options = asked.content.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def failure_event() -> bytes:
    """An error inside a stream."""
    return data_event(fault_object(OPENAI, Fault(500)))


def answer_completions(asked: Asked) -> Reply:
    """POST /v1/completions."""
    prompt = asked.content.get("prompt", "")
    model = asked.text("model", asked.params.get("deployment"))
    limit = asked.number("max_tokens")
    count = asked.output_tokens(16 if limit is None else limit)
    choices = min((asked.number("n") or 1) * (len(prompt) if is_list_of_texts(prompt) else 1), 128)
    finish = "length" if limit is not None and limit < told_tokens(asked) else "stop"
    frame: Object = {"id": asked.name("cmpl-"), "object": "text_completion", "created": CREATED_AT, "model": model}
    usage = usage_of(asked, count * choices)
    if not asked.is_stream:
        found = [choice(index, "".join(say(count)), finish) for index in range(choices)]
        return json_reply({**frame, "choices": found, **({} if usage is None else {"usage": usage})})
    wants_usage = asks_for_usage(asked) and usage is not None
    rest = {"usage": None} if wants_usage else {}
    events = [data_event({**frame, "choices": [choice(index, piece, None if piece else finish)], **rest})
              for index in range(choices) for piece in [*say(count), ""]]
    if wants_usage:
        events.append(data_event({**frame, "choices": [], "usage": usage}))
    return stream_reply(asked, [*events, DONE], failure_event())


def is_list_of_texts(prompt: Json) -> TypeGuard[list[Json]]:
    """Whether a prompt is several prompts; a list of numbers is one, in tokens."""
    return isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)


def choice(index: int, text: str, finish: str | None) -> dict[str, object]:
    """One choice of a plain completion."""
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
