"""The Responses API, with the events that a real stream has."""
from __future__ import annotations

from collections.abc import Iterator

from fastgw.mock.answers import CREATED_AT, encode, json_reply, named_event, stream_reply
from fastgw.mock.asked import Asked
from fastgw.mock.connection import Reply
from fastgw.mock.faults import Fault
from fastgw.mock.words import example_of, pieces_of, say

Thing = dict[str, object]


def answer_responses(asked: Asked) -> Reply:
    """POST /v1/responses."""
    if not isinstance(asked.content.get("input"), (str, list)):
        raise Fault(400, "Missing required parameter: 'input'", param="input")
    limit = asked.number("max_output_tokens")
    count = asked.output_tokens(limit)
    is_cut = limit is not None and limit < asked.output_tokens(None)
    item = tool_item(asked) or message_item(asked, say(count))
    if item["type"] == "message" and is_cut:
        item["status"] = "incomplete"
    response = response_of(asked, "incomplete" if is_cut else "completed", [item], usage_of(asked, count))
    if not asked.is_stream:
        return json_reply(response)
    begun = response_of(asked, "in_progress", [], None)
    pieces = pieces_of(str(item["arguments"])) if item["type"] == "function_call" else say(count)
    events: list[Thing] = [
        {**event, "sequence_number": number}
        for number, event in enumerate(stream_events(begun, item, pieces, response))
    ]
    failed: Thing = {
        "type": "error",
        "code": "server_error",
        "message": Fault(500).message,
        "param": None,
        "sequence_number": 0,
    }
    return stream_reply(asked, [named_event(event) for event in events], named_event(failed))


def response_of(asked: Asked, status: str, output: list[Thing], usage: Thing | None) -> Thing:
    """A response in one of its states."""
    content = asked.content
    return {
        "id": asked.name("resp_"),
        "object": "response",
        "created_at": CREATED_AT,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": content.get("instructions"),
        "max_output_tokens": content.get("max_output_tokens"),
        "model": asked.text("model", asked.params.get("deployment")),
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": content.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": content.get("store", True),
        "temperature": content.get("temperature", 1.0),
        "text": content.get("text") or {"format": {"type": "text"}},
        "tool_choice": content.get("tool_choice", "auto"),
        "tools": content.get("tools", []),
        "top_p": content.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": usage,
        "user": None,
        "metadata": content.get("metadata") or {},
    }


def usage_of(asked: Asked, count: int) -> Thing | None:
    """What it used; None where the wish is no-usage."""
    if asked.wish.no_usage:
        return None
    given, output = asked.input_tokens(), count + asked.wish.reasoning
    return {
        "input_tokens": given, "input_tokens_details": {"cached_tokens": min(given, asked.wish.cached)},
        "output_tokens": output, "output_tokens_details": {"reasoning_tokens": asked.wish.reasoning},
        "total_tokens": given + output,
    }


def message_item(asked: Asked, pieces: list[str]) -> Thing:
    """An output item that is a text."""
    part = {"type": "output_text", "text": "".join(pieces), "annotations": [], "logprobs": []}
    return {"id": asked.name("msg_"), "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def tool_item(asked: Asked) -> Thing | None:
    """An output item that calls the first function, where a call is required or the input says "call"."""
    tools, choice, given = asked.content.get("tools"), asked.content.get("tool_choice"), asked.content["input"]
    if not isinstance(tools, list) or choice == "none":
        return None
    functions = [tool for tool in tools if isinstance(tool, dict) and tool.get("type") == "function"]
    last = given[-1] if isinstance(given, list) and given else None
    has_result = isinstance(last, dict) and last.get("type") == "function_call_output"
    is_required = choice == "required" or isinstance(choice, dict)
    if not functions or has_result or not (is_required or "call" in str(given)):
        return None
    arguments = encode(example_of(functions[0].get("parameters"))).decode() if "parameters" in functions[0] else "{}"
    return {"id": asked.name("fc_"), "type": "function_call", "status": "completed", "arguments": arguments,
            "call_id": asked.name("call_"), "name": functions[0].get("name")}


def stream_events(begun: Thing, item: Thing, pieces: list[str], response: Thing) -> Iterator[Thing]:
    """The events from created to completed, without their numbers."""
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    where: Thing = {"item_id": item["id"], "output_index": 0}
    if item["type"] == "function_call":
        yield {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "arguments": ""},
        }
        for piece in pieces:
            yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
        yield {
            "type": "response.function_call_arguments.done",
            **where,
            "name": item["name"],
            "arguments": item["arguments"],
        }
    else:
        yield {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        }
        part: Thing = {"type": "output_text", "text": "".join(pieces), "annotations": [], "logprobs": []}
        where["content_index"] = 0
        yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
        for piece in pieces:
            yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **where, "part": part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}
