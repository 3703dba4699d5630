"""What the official client makes of bytes, and the same told of a canonical reply, so that both compare by ==."""

import json
import re
from types import SimpleNamespace
from typing import Any

import httpx2 as httpx  # what the official client is made with
from openai import OpenAI
from openai.types.responses import ParsedResponse, Response, ResponseStreamEvent
from pydantic import TypeAdapter

from fastgw.dialects.canonical import Native, Refusal, Reply, Text, Thinking, ToolCall
from tests.recordings import Recording, recordings

PROVIDERS = ("openai", "deepseek", "azure", "bedrock-mantle", "openrouter")
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
Seen = dict[str, Any]


def exchanges() -> list[Recording]:
    """The recorded calls of POST /v1/responses, not of what lies below it."""
    return [one for provider in PROVIDERS for one in recordings(provider, "responses") if one.url.split("?")[0].endswith("/responses")]


def client_of(body: bytes, kind: str) -> OpenAI:
    """The official client before a provider that answers so; nothing goes out."""
    answer = httpx.MockTransport(lambda request: httpx.Response(200, headers={"content-type": kind}, content=body))
    return OpenAI(api_key="none", base_url="http://127.0.0.1:1/v1", max_retries=0, http_client=httpx.Client(transport=answer))


def parsed(body: bytes) -> Response:
    """A response as the client gives it."""
    return client_of(body, "application/json").responses.create(model="any", input="any")


def streamed(body: bytes) -> ParsedResponse[Any]:
    """What the client has put together at the end of a stream."""
    with client_of(body, "text/event-stream").responses.stream(model="any", input="any") as stream:
        return stream.get_final_response()


def seen_by_client(response: Any) -> Seen:
    """What an application reads of a response."""
    usage = response.usage
    return {
        "items": [_item(item) for item in response.output],
        "status": response.status if response.status in ("completed", "incomplete") else "completed",
        "reason": response.incomplete_details.reason if response.incomplete_details else None,
        "usage": None if usage is None else (
            usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens,
            usage.output_tokens_details.reasoning_tokens),
    }


def _item(item: Any) -> tuple[Any, ...]:
    if item.type == "message":
        return ("message", item.id, [(part.type, part.text if part.type == "output_text" else part.refusal,
                                      [note.to_dict() for note in getattr(part, "annotations", None) or []]) for part in item.content])
    if item.type in ("function_call", "custom_tool_call"):
        return ("call", item.type, item.call_id, item.name, item.arguments if item.type == "function_call" else item.input)
    if item.type == "reasoning":
        content = getattr(item, "content", None) or []
        return ("thought", [part.text for part in item.summary], [part.text for part in content], item.encrypted_content or None)
    return ("native", item.type)


def seen_in_reply(reply: Reply) -> Seen:
    """The same of a canonical reply."""
    usage, choice = reply.usage, reply.choices[0]
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    items: list[tuple[Any, ...]] = []
    last: object = None
    for part in choice.parts:
        if isinstance(part, Text | Refusal):
            assert part.native is not None
            if last is not part.native:
                items.append(("message", part.native.value["id"], []))
            kind = "output_text" if isinstance(part, Text) else "refusal"
            items[-1][2].append((kind, part.text, [note.native for note in part.citations] if isinstance(part, Text) else []))
            last = part.native
            continue
        if isinstance(part, Thinking):
            if not isinstance(last, Thinking) or last.id != part.id:
                items.append(("thought", [], [], None))
            if part.text:
                items[-1][1 if part.summary else 2].append(part.text)
            items[-1] = (*items[-1][:3], part.encrypted or None)
        elif isinstance(part, ToolCall):
            items.append(("call", "custom_tool_call" if part.custom else "function_call", part.id, part.name, part.arguments))
        elif isinstance(part, Native):
            items.append(("native", part.value["type"]))
        last = part
    return {
        "items": items,
        "status": "incomplete" if choice.finish in reasons else "completed",
        "reason": reasons.get(choice.finish),
        "usage": None if usage is None else (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens),
    }


def comparable(seen: Seen, is_stream: bool = False) -> Seen:
    """What must be the same on both sides.

    Ids of calls that bedrock-mantle counts anew in each response are made unique when they are read: they are put back. An item of a
    stream is encrypted anew for its end and for the end of the response: that there is a secret is all that is compared.
    """
    items = []
    for item in seen["items"]:
        if item[0] == "call":
            items.append((*item[:2], re.sub(r"^(call_\d{1,4})_.{24}$", r"\1", item[2]), *item[3:]))
        else:
            items.append((*item[:3], bool(item[3])) if item[0] == "thought" and is_stream else item)
    return {**seen, "items": items}


def events_in(stream: bytes, is_checked: bool = True) -> list[Any]:
    """The events of a stream, each checked against the client's own types; else only their order is."""
    found = []
    for block in stream.decode().split("\n\n"):
        if block:
            name, line = block.split("\n")
            data = line.removeprefix("data: ")
            event = EVENTS.validate_json(data) if is_checked else SimpleNamespace(**json.loads(data))
            assert name == f"event: {event.type}"
            found.append(event)
    assert [event.sequence_number for event in found] == list(range(len(found)))
    return found
