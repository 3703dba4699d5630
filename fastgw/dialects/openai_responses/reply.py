"""A provider's Response as a canonical reply, read tolerantly; `answer` is the way back."""

import re

from fastgw.dialects.canonical import Choice, FinishReason, Logprob, Native, Part, Refusal, Reply, Text, ToolCall, Usage
from fastgw.dialects.openai_responses.citation import read_citation, read_logprobs
from fastgw.dialects.openai_responses.content import PART_KEY
from fastgw.dialects.openai_responses.items import BESIDE_CALL, BESIDE_WORDS, beside
from fastgw.dialects.openai_responses.proof import NAME, sign, thoughts_of
from fastgw.dialects.reading import Json, as_array, as_count, as_object, as_text

# Why a response is incomplete, in canonical words.
REASONS: dict[str, FinishReason] = {
    "max_output_tokens": "length", "max_messages": "length", "content_filter": "content_filter", "steered": "pause",
}
UNFINISHED = ("queued", "in_progress", "failed", "cancelled")
# bedrock-mantle counts the calls of each response from call_0, so that ids meet again in the next turn of the conversation.
COUNTED = re.compile(r"call_\d{1,4}")


class Output:
    """The parts of an output, item by item. calls: by id; pending: signatures whose call has not come."""

    __slots__ = ("calls", "logprobs", "parts", "pending", "response_id")

    def __init__(self, response_id: str) -> None:
        self.response_id = response_id
        self.parts: list[Part] = []
        self.logprobs: list[Logprob] = []
        self.calls: dict[str, ToolCall] = {}
        self.pending: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Output of {self.response_id}: {len(self.parts)} parts>"

    def add(self, item: Json) -> None:
        """Add the parts of one item."""
        kind = item.get("type")
        if kind == "message":
            native = beside(item, BESIDE_WORDS)
            for entry in as_array(item.get("content")):
                content = as_object(entry)
                self.parts.append(read_part(content, native))
                if content.get("logprobs"):
                    self.logprobs += read_logprobs(content["logprobs"])
        elif kind in ("function_call", "custom_tool_call"):
            call = read_call(item, self.response_id)
            call.arguments = as_text(item.get("input" if call.custom else "arguments"))
            call.signature = self.pending.pop(call.id, "")
            self.calls[call.id] = call
            self.parts.append(call)
        elif kind == "reasoning":
            thoughts, proof = thoughts_of(item)
            self.parts.extend(thoughts)
            if proof is not None:
                sign(self.parts, proof, self.calls, self.pending)
        elif isinstance(kind, str):
            self.parts.append(Native(NAME, item))


def read_part(content: Json, native: Native) -> Part:
    """A part of a message's content."""
    kind = content.get("type")
    if kind == "output_text":
        annotations = as_array(content.get("annotations"))
        citations = [read_citation(annotation) for annotation in annotations] if annotations else []
        return Text(as_text(content.get("text")), citations, native=native)
    if kind == "refusal":
        return Refusal(as_text(content.get("refusal")), native)
    if isinstance(content.get("text"), str):
        return Text(as_text(content["text"]), native=native)  # of a kind that is newer than this
    return Native(NAME, {PART_KEY: content})


def read_reply(body: Json) -> Reply:
    """See canonical.Dialect. raises ValueError also where the response has failed or is not finished"""
    if not isinstance(body.get("output"), list) or body.get("object") not in ("response", None):
        raise ValueError(f"expected a response, got an object with {', '.join(list(body)[:8]) or 'nothing'}")
    status = as_text(body.get("status"))
    if status in UNFINISHED:
        problem = as_object(body.get("error"))
        raise ValueError(f"expected a finished response, got one that is {status}"
                         + (f": {as_text(problem.get('code'))}: {as_text(problem.get('message'))}" if problem else ""))
    output = Output(as_text(body.get("id")))
    for item in as_array(body["output"]):
        output.add(as_object(item))
    finish, raw = finish_of(body, {type(part) for part in output.parts})
    return Reply(
        as_text(body.get("id")), as_text(body.get("model")), as_count(body.get("created_at")),
        [Choice(output.parts, finish, raw, logprobs=output.logprobs or None)],
        read_usage(body.get("usage")), as_text(body.get("service_tier")),
    )


def read_call(item: Json, response_id: str) -> ToolCall:
    """A call without its arguments, its id unique in the conversation."""
    call_id = as_text(item.get("call_id")) or as_text(item.get("id"))
    if COUNTED.fullmatch(call_id) and response_id:
        call_id = f"{call_id}_{response_id[-24:]}"
    return ToolCall(call_id, as_text(item.get("name")), "", item.get("type") == "custom_tool_call", native=beside(item, BESIDE_CALL))


def finish_of(body: Json, kinds: set[type]) -> tuple[FinishReason, str]:
    """Why it ended, and the provider's own word for it: the reason of an incomplete response, else its status. kinds: of its parts"""
    status = as_text(body.get("status"))
    if status == "incomplete":
        reason = as_text(as_object(body.get("incomplete_details")).get("reason"))
        return REASONS.get(reason, "length"), reason or status
    if ToolCall in kinds:
        return "tool_calls", status
    return ("refusal" if Refusal in kinds else "stop"), status


def read_usage(value: object) -> Usage | None:
    """Usage as the Responses API counts it: all of the input, cached or not, and all of the output."""
    if not isinstance(value, dict) or not value:
        return None
    given, made = as_object(value.get("input_tokens_details")), as_object(value.get("output_tokens_details"))
    return Usage(
        as_count(value.get("input_tokens")), as_count(value.get("output_tokens")), as_count(given.get("cached_tokens")),
        as_count(given.get("cache_write_tokens")), 0, as_count(made.get("reasoning_tokens")),
        as_count(given.get("audio_tokens")), as_count(made.get("audio_tokens")),
    )


def write_usage(usage: Usage) -> Json:
    """The same, written."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
