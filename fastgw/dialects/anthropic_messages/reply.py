"""Read a reply of Anthropic, and write one for an Anthropic client.

The canonical usage counts all of the input; on the wire input_tokens is what was neither read from the cache nor written to it. A
compaction's tokens, which the API states beside the sums and charges, are a part of the usage that is read. An image that a model made,
for which the API has no answer, is written as an image block like those of requests; the client brings it back as it got it.
"""

from collections.abc import Callable
from uuid import uuid4

import msgspec

from fastgw.dialects.anthropic_messages import signature as proofs
from fastgw.dialects.anthropic_messages.content import read_citation, rest
from fastgw.dialects.anthropic_messages.naming import OUTPUT_PREFIX, TEXT_PREFIX, read_name
from fastgw.dialects.anthropic_messages.vocabulary import FINISH_OF, NAME, REPLY_TIERS, STOP_REASONS, TIERS_TO_STATE
from fastgw.dialects.canonical import (
    Choice,
    Citation,
    FinishReason,
    Media,
    Native,
    Part,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from fastgw.dialects.reading import Json, as_array, as_count, as_object, as_text

_decode = msgspec.json.decode
_encode = msgspec.json.encode
_TOOL_USE = frozenset({"type", "id", "name", "input"})
_OWN_MEMBERS = ("container", "context_management", "diagnostics")


def read_reply(body: Json) -> Reply:
    """A message. raises ValueError where it is none"""
    content = body.get("content")
    if not isinstance(content, list):
        raise ValueError(f"expected a message with an array of content, got an object of the type {body.get('type')!r:.60}")
    choice = Choice()
    calls = outputs = 0
    for item in content:
        block = as_object(item)
        part = part_of(block)
        choice.parts.append(part)
        if type(part) is ToolCall:
            calls += 1
        elif type(part) is Text and block.get("type") == "tool_use":
            outputs += 1
    word = as_text(body.get("stop_reason"))
    choice.raw_finish = word
    choice.finish = finish_of(word, outputs > 0 and calls == 0, calls > 0)
    choice.stop_sequence = as_text(body.get("stop_sequence"))
    refusal = refusal_of(body.get("stop_details"))
    if refusal is not None:
        choice.parts.append(refusal)
    usage = body.get("usage")
    reply = Reply(as_text(body.get("id")), as_text(body.get("model")), choices=[choice])
    if isinstance(usage, dict):
        reply.usage = usage_of(usage)
        tier = as_text(usage.get("service_tier"))
        reply.service_tier = REPLY_TIERS.get(tier, tier)
    for name in _OWN_MEMBERS:
        if body.get(name) is not None:
            reply.extra[name] = body[name]
    return reply


def part_of(block: Json) -> Part:
    """The part of a block of a reply, whole or as it begins in a stream; what is unknown is native."""
    kind = block.get("type")
    if kind == "text":
        words = as_text(block.get("text"))
        cited = as_array(block.get("citations"))
        return Text(words, [read_citation(item, len(words)) for item in cited if isinstance(item, dict)])
    if kind == "tool_use":
        return _call_of(block)
    if kind == "thinking":
        return Thinking(as_text(block.get("thinking")), as_text(block.get("signature")), dialect=NAME)
    if kind == "redacted_thinking":
        return Thinking(redacted=as_text(block.get("data")), dialect=NAME)
    if isinstance(block.get("text"), str):
        return Text(as_text(block["text"]))  # of a kind that is newer than this
    return Native(NAME, block)


def _call_of(block: Json) -> Part:
    name = as_text(block.get("name"))
    given = block.get("input")
    if name.startswith("fastgw_"):
        if name.startswith(OUTPUT_PREFIX):
            return Text(_encode(given).decode() if given else "")
        if name.startswith(TEXT_PREFIX):
            words = as_text(as_object(given).get("input"))
            return ToolCall(as_text(block.get("id")), read_name(name[len(TEXT_PREFIX) :]), words, custom=True)
    arguments = given if isinstance(given, str) else _encode({} if given is None else given).decode()
    call = ToolCall(as_text(block.get("id")), read_name(name), arguments)
    if len(block) > 4:
        call.native = rest(block, _TOOL_USE)
    return call


def refusal_of(details: object) -> Refusal | None:
    """The reason for a refusal, which the API gives beside the content; None where it gives none in words."""
    if not isinstance(details, dict):
        return None
    words = as_text(details.get("explanation"))
    return Refusal(words, Native(NAME, details)) if words else None


def finish_of(word: str, is_output: bool, calls: bool) -> FinishReason:
    """What a stop_reason says. is_output: the only tool that was called stands for the answer; calls: others were called."""
    finish = FINISH_OF.get(word, "tool_calls" if calls else "stop")
    return "stop" if is_output and finish == "tool_calls" else finish


def usage_of(stated: Json) -> Usage:
    """The usage, by what the API states."""
    usage = _counted(stated)
    usage.reasoning_tokens = as_count(as_object(stated.get("output_tokens_details")).get("thinking_tokens"))
    for iteration in as_array(stated.get("iterations")):
        if isinstance(iteration, dict) and iteration.get("type") == "compaction":
            more = _counted(iteration)
            usage.input_tokens += more.input_tokens
            usage.output_tokens += more.output_tokens
            usage.cache_read_tokens += more.cache_read_tokens
            usage.cache_write_tokens += more.cache_write_tokens
            usage.cache_write_1h_tokens += more.cache_write_1h_tokens
    return usage


def _counted(stated: Json) -> Usage:
    read = as_count(stated.get("cache_read_input_tokens"))
    written = as_count(stated.get("cache_creation_input_tokens"))
    long = as_count(as_object(stated.get("cache_creation")).get("ephemeral_1h_input_tokens"))
    return Usage(
        as_count(stated.get("input_tokens")) + read + written, as_count(stated.get("output_tokens")), read, written, min(long, written),
    )


def write_usage(usage: Usage | None) -> Json:
    """The usage as a client of this dialect counts it; zeros where none is stated, since clients need the members."""
    usage = usage or Usage()
    long = min(usage.cache_write_1h_tokens, usage.cache_write_tokens)
    written: Json = {
        "input_tokens": max(usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write_tokens - long, "ephemeral_1h_input_tokens": long},
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return written


def new_id() -> str:
    """An id for a reply that has none."""
    return "msg_" + uuid4().hex


def write_reply(reply: Reply, request: Request) -> Json:
    """The first answer as a message; the API has no more than one."""
    choice = reply.choices[0] if reply.choices else Choice()
    content: list[Json] = []
    details: Json | None = None
    for part in choice.parts:
        if isinstance(part, Refusal) and part.native is not None and part.native.dialect == NAME:
            details = part.native.value
        else:
            _WRITE[type(part)](part, content)
    usage = write_usage(reply.usage)
    tier = TIERS_TO_STATE.get(reply.service_tier)
    if tier:
        usage["service_tier"] = tier
    written: Json = {
        "id": reply.id or new_id(),
        "type": "message",
        "role": "assistant",
        "model": reply.model or request.model,
        "content": content,
        "stop_reason": STOP_REASONS[choice.finish],
        "stop_sequence": choice.stop_sequence or None,
        "usage": usage,
    }
    if details is not None:
        written["stop_details"] = details
    for name in _OWN_MEMBERS:
        if name in reply.extra:
            written[name] = reply.extra[name]
    return written


def thinking_block(signature: str, words: str = "") -> Json:
    """A block of thinking."""
    return {"type": "thinking", "thinking": words, "signature": signature}


def image_block(part: Media) -> Json:
    """An image that a model made."""
    if part.data:
        return {"type": "image", "source": {"type": "base64", "media_type": part.media_type or "image/png", "data": part.data}}
    return {"type": "image", "source": {"type": "url", "url": part.url}}


def use_block(call: ToolCall, given: object) -> Json:
    """A call of a tool."""
    block: Json = {"type": "tool_use", "id": call.id, "name": call.name, "input": given}
    if call.native is not None and call.native.dialect == NAME:
        block.update(call.native.value)
    return block


def write_citation(citation: Citation) -> Json:
    """A citation; one of another dialect as that of a page, or of a document of the request."""
    if citation.native is not None and citation.dialect == NAME:
        return citation.native
    if citation.url:
        return {"type": "web_search_result_location", "cited_text": citation.cited, "encrypted_index": "",
                "title": citation.title or None, "url": citation.url}
    return {"type": "char_location", "cited_text": citation.cited, "document_index": max(citation.document, 0),
            "document_title": citation.title or None, "start_char_index": 0, "end_char_index": len(citation.cited),
            "file_id": citation.file_id or None}


def _write_text(part: Text, content: list[Json]) -> None:
    block: Json = {"type": "text", "text": part.text}
    if part.citations:
        block["citations"] = [write_citation(citation) for citation in part.citations]
    content.append(block)
    if part.signature:
        content.append(thinking_block(proofs.of_part("", part.signature)))


def _write_call(part: ToolCall, content: list[Json]) -> None:
    if part.signature:
        content.append(thinking_block(proofs.of_part(part.id, part.signature)))
    given: object = {"input": part.arguments}
    if not part.custom:
        try:
            given = _decode(part.arguments) if part.arguments.strip() else {}
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            given = part.arguments  # cut short, or never JSON: the client gets what the model said
    content.append(use_block(part, given))


def write_thinking(part: Thinking) -> Json:
    """A block of a thought, with its proof in a form that comes back."""
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted if part.dialect == NAME else proofs.of_redacted(part)}
    return thinking_block(part.signature if part.dialect == NAME else proofs.of_thought(part), part.text)


def _write_media(part: Media, content: list[Json]) -> None:
    if part.kind == "image" and (part.data or part.url):
        content.append(image_block(part))
        if part.signature:
            content.append(thinking_block(proofs.of_part("", part.signature)))
    elif part.transcript:
        content.append({"type": "text", "text": part.transcript})


def _write_native(part: Native, content: list[Json]) -> None:
    if part.dialect == NAME:
        content.append(part.value)


_WRITE: dict[type, Callable[..., None]] = {
    Text: _write_text,
    ToolCall: _write_call,
    Thinking: lambda part, content: content.append(write_thinking(part)),
    Refusal: lambda part, content: content.append({"type": "text", "text": part.text}),
    Media: _write_media,
    Native: _write_native,
}
