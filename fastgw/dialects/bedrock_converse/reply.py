"""A reply of Converse: its blocks as parts, why it ended, what it used."""

from base64 import b64decode
from binascii import Error

import msgspec

from fastgw.dialects.anthropic_messages.naming import TEXT_PREFIX, read_name
from fastgw.dialects.bedrock_converse.media import TYPES
from fastgw.dialects.canonical import (
    Choice,
    Citation,
    FinishReason,
    Media,
    MediaKind,
    Native,
    Part,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from fastgw.dialects.reading import as_array, as_count, as_object, as_text

FINISHES: dict[str, FinishReason] = {
    "end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter", "content_filtered": "content_filter", "malformed_model_output": "error",
    "malformed_tool_use": "error", "model_context_window_exceeded": "context_window", "refusal": "refusal", "pause_turn": "pause",
}
KINDS: tuple[MediaKind, ...] = ("image", "audio", "video", "document")
EXTRA = ("trace", "performanceConfig", "additionalModelResponseFields", "metrics")


def read_reply(body: dict[str, object]) -> Reply:
    """raises ValueError where there is no output.message"""
    message = as_object(body.get("output")).get("message")
    if not isinstance(message, dict):
        raise ValueError("expected a reply of Converse with output.message")
    parts = [part_of(block) for block in as_array(message.get("content")) if isinstance(block, dict) and block]
    raw = as_text(body.get("stopReason"))
    calls = any(type(part) is ToolCall for part in parts)
    choice = Choice(parts, finish_of(raw, calls), raw, stop_sequence(body.get("additionalModelResponseFields")))
    return Reply(
        choices=[choice], usage=usage_of(body.get("usage")), service_tier=as_text(as_object(body.get("serviceTier")).get("type")),
        extra={name: body[name] for name in EXTRA if body.get(name) is not None},
    )


def finish_of(word: str, calls: bool) -> FinishReason:
    """What a stopReason says; one that is not known is the end of the calls, where there are some."""
    return FINISHES.get(word, "tool_calls" if calls else "stop")


def part_of(block: dict[str, object]) -> Part:
    """One block of content. What the caller must not answer, such as the call of a tool that AWS runs, is kept as it is."""
    text = block.get("text")
    if isinstance(text, str):
        return Text(text)
    use = block.get("toolUse")
    if isinstance(use, dict) and use.get("type") != "server_tool_use":
        return call_of(as_text(use.get("toolUseId")), as_text(use.get("name")), use.get("input", {}))
    reasoning = block.get("reasoningContent")
    if isinstance(reasoning, dict):
        redacted = reasoning.get("redactedContent")
        if isinstance(redacted, str):
            return redacted_thinking(redacted)
        said = as_object(reasoning.get("reasoningText"))
        return Thinking(as_text(said.get("text")), as_text(said.get("signature")), dialect="anthropic_messages")
    cited = block.get("citationsContent")
    if isinstance(cited, dict):
        words = "".join([as_text(as_object(piece).get("text")) for piece in as_array(cited.get("content"))])
        return Text(words, [citation_of(one) for one in as_array(cited.get("citations")) if isinstance(one, dict)])
    for kind in KINDS:
        media = block.get(kind)
        if isinstance(media, dict):
            return media_of(kind, media)
    return Native("bedrock_converse", block)


def call_of(identity: str, name: str, asked: object) -> ToolCall:
    """A call with all of its arguments; that of a tool that takes free text is told by its name."""
    if name.startswith(TEXT_PREFIX):
        words = asked if isinstance(asked, str) else as_text(as_object(asked).get("input"))
        return ToolCall(identity, read_name(name[len(TEXT_PREFIX) :]), words, custom=True)
    return ToolCall(identity, read_name(name), msgspec.json.encode(asked).decode())


def redacted_thinking(redacted: str) -> Thinking:
    """Thoughts that are not shown. Claude's are the text that Anthropic itself sends, in base64; others' are bytes that stay Bedrock's."""
    try:
        return Thinking(redacted=b64decode(redacted, validate=True).decode("ascii"), dialect="anthropic_messages")
    except (Error, ValueError):
        return Thinking(redacted=redacted, dialect="bedrock_converse")


def media_of(kind: MediaKind, block: dict[str, object]) -> Media:
    """An image or the like that a model made."""
    source = as_object(block.get("source"))
    form = as_text(block.get("format"))
    return Media(
        kind, data=as_text(source.get("bytes")), url=as_text(as_object(source.get("s3Location")).get("uri")),
        media_type=TYPES.get((kind, form), f"{kind}/{form}" if form else ""), name=as_text(block.get("name")),
    )


def citation_of(citation: dict[str, object]) -> Citation:
    """Where a block's words come from; the place within the source stays in `native`."""
    location = as_object(citation.get("location"))
    web = as_object(location.get("web"))
    document = -1
    for place in location.values():
        index = as_object(place).get("documentIndex")
        if isinstance(index, int):
            document = index
    cited = "".join([as_text(as_object(piece).get("text")) for piece in as_array(citation.get("sourceContent"))])
    source = as_text(citation.get("source"))
    return Citation(
        url=as_text(web.get("url")) or (source if "://" in source else ""), title=as_text(citation.get("title")), cited=cited,
        document=document, dialect="bedrock_converse", native=citation,
    )


def stop_sequence(fields: object) -> str:
    """The stop sequence that was met, which Claude states where it was asked to."""
    return as_text(as_object(fields).get("stop_sequence"))


def usage_of(stated: object) -> Usage | None:
    """Bedrock's inputTokens exclude what was read from and written to the cache: all of the input is the sum."""
    if not isinstance(stated, dict):
        return None
    read, written = as_count(stated.get("cacheReadInputTokens")), as_count(stated.get("cacheWriteInputTokens"))
    details = [as_object(detail) for detail in as_array(stated.get("cacheDetails"))]
    return Usage(
        input_tokens=as_count(stated.get("inputTokens")) + read + written,
        output_tokens=as_count(stated.get("outputTokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=sum(as_count(detail.get("inputTokens")) for detail in details if detail.get("ttl") == "1h"),
    )
