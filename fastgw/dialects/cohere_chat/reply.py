"""A reply of Cohere's chat, and its errors.

The usage is what Cohere bills. Its `tokens` count a hidden prompt of hundreds of tokens that nobody pays for ("hello" is 496 tokens, of
which 1 is billed), and the prices that the gateway has are per billed token, as genai-prices reads them; `tokens` are taken where no
billed_units are stated.

What a model plans before it calls tools (tool_plan) is a thought: Cohere's SDK calls it a "chain-of-thought style reflection and plan".
"""

import re

from fastgw.dialects.canonical import (
    Choice,
    Citation,
    Failure,
    FailureKind,
    FinishReason,
    Logprob,
    Part,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from fastgw.dialects.cohere_chat.messages import NAME
from fastgw.dialects.reading import Json, as_array, as_count, as_object, as_text

FINISHES: dict[str, FinishReason] = {
    "COMPLETE": "stop", "STOP_SEQUENCE": "stop_sequence", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls", "ERROR": "error",
    "TIMEOUT": "error", "ERROR_TOXIC": "content_filter", "ERROR_LIMIT": "context_window",
}
KINDS: dict[int, FailureKind] = {
    400: "invalid_request", 401: "authentication", 402: "billing", 403: "permission", 404: "not_found", 408: "timeout", 413: "too_large",
    422: "invalid_request", 429: "rate_limit", 498: "content_policy", 503: "overloaded", 504: "timeout",
    529: "overloaded",
}
TOO_LONG = "too many tokens"  # Cohere has no code for it, and callers need to know
OF_THOUGHTS = ("PLAN", "THINKING_CONTENT")
DOCUMENT = re.compile(r"doc:(\d{1,6})\Z")


def read_reply(body: Json) -> Reply:
    """raises ValueError where there is no message"""
    message = body.get("message")
    if not isinstance(message, dict):
        raise ValueError("expected a reply of Cohere's chat with a message")
    parts: list[Part] = []
    plan = as_text(message.get("tool_plan"))
    if plan:
        parts.append(Thinking(plan, dialect=NAME))
    content = [part_of(as_object(block)) for block in as_array(message.get("content"))]
    for citation in as_array(message.get("citations")):
        text = cited_text(as_object(citation), content)
        if text is not None:
            text.citations += citations_of(as_object(citation))
    parts += [part for part in content if part is not None]
    parts += [call_of(as_object(call)) for call in as_array(message.get("tool_calls"))]
    raw = as_text(body.get("finish_reason"))
    logprobs = [one for item in as_array(body.get("logprobs")) for one in logprobs_of(item)]
    choice = Choice(parts, finish_of(raw, any(type(part) is ToolCall for part in parts)), raw, logprobs=logprobs or None)
    return Reply(as_text(body.get("id")), choices=[choice], usage=usage_of(body.get("usage")))


def finish_of(word: str, calls: bool) -> FinishReason:
    """What a finish_reason says; one that is not known is the end of the calls, where there are some."""
    return FINISHES.get(word, "tool_calls" if calls else "stop")


def part_of(block: Json) -> Text | Thinking | None:
    """One block of content, None of an unknown kind."""
    if isinstance(block.get("thinking"), str):
        return Thinking(as_text(block["thinking"]), dialect=NAME)
    return Text(as_text(block["text"])) if isinstance(block.get("text"), str) else None


def call_of(call: Json) -> ToolCall:
    """One call of a tool."""
    function = as_object(call.get("function"))
    return ToolCall(as_text(call.get("id")), as_text(function.get("name")), as_text(function.get("arguments")))


def cited_text(citation: Json, content: list[Text | Thinking | None]) -> Text | None:
    """The text that a citation belongs to, the first where it does not say; None where it is a thought or a plan, which have none here."""
    if citation.get("type") in OF_THOUGHTS:
        return None
    index = citation.get("content_index")
    stated = content[index] if isinstance(index, int) and 0 <= index < len(content) else None
    return stated if isinstance(stated, Text) else next((part for part in content if isinstance(part, Text)), None)


def citations_of(citation: Json) -> list[Citation]:
    """One citation for each of its sources: documents of the request have an index, tools' results only Cohere's own form."""
    start, end = citation.get("start"), citation.get("end")
    found = []
    for source in as_array(citation.get("sources")) or [{}]:
        document = as_object(as_object(source).get("document"))
        name = as_text(as_object(source).get("id")) if document else ""
        number = DOCUMENT.match(name)
        found.append(Citation(
            start if isinstance(start, int) else -1, end if isinstance(end, int) else -1, as_text(document.get("url")),
            as_text(document.get("title")), document=int(number[1]) if number else -1, file_id="" if number else name, dialect=NAME,
            native=citation,
        ))
    return found


def logprobs_of(item: object) -> list[Logprob]:
    """A piece of text of one token or more; of more, its logarithm is their sum."""
    said = as_object(item)
    values = [value for value in as_array(said.get("logprobs")) if isinstance(value, int | float)]
    return [Logprob(as_text(said.get("text")), float(sum(values)))] if values else []


def usage_of(stated: object) -> Usage | None:
    """What was billed, else what was counted."""
    if not isinstance(stated, dict):
        return None
    billed, counted = as_object(stated.get("billed_units")), as_object(stated.get("tokens"))
    if "input_tokens" in billed or "output_tokens" in billed:
        return Usage(as_count(billed.get("input_tokens")), as_count(billed.get("output_tokens")))
    read = as_count(counted.get("input_tokens"))
    return Usage(read, as_count(counted.get("output_tokens")), min(as_count(stated.get("cached_tokens")), read))


def read_failure(status: int, body: object) -> Failure:
    """An error reply: {"message": ...}."""
    stated = as_object(body)
    # the second is of what stands before Cohere, or in its place
    said = body if isinstance(body, str) else as_text(stated.get("message")) or as_text(as_object(stated.get("error")).get("message"))
    kind = KINDS.get(status, "invalid_request" if 400 <= status < 500 else "server")
    if kind == "invalid_request" and TOO_LONG in said.lower():
        kind = "context_window"
    return Failure(status, kind, said or f"Cohere answered {status} without a reason")
