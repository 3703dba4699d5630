"""Whole replies: read from providers, whatever they make of this dialect, and written as OpenAI's clients expect them.

Reference: https://platform.openai.com/docs/api-reference/chat/object
"""

import os
import time

import msgspec

from fastgw.dialects.canonical import Choice, Citation, Media, Part, Refusal, Reply, Request, Text, Thinking, ToolCall
from fastgw.dialects.openai_chat.citations import citations_in, read_sources, write_annotation, write_citations
from fastgw.dialects.openai_chat.history import sign
from fastgw.dialects.openai_chat.parts import from_url, read_pictures, write_picture
from fastgw.dialects.openai_chat.thinking import thinking_chunk, thoughts_of, write_thoughts
from fastgw.dialects.openai_chat.tools import digest_of, extra_content, signature_of, write_call
from fastgw.dialects.openai_chat.usage import (
    TIERS,
    finish_members,
    finish_of,
    met_sequence,
    raw_of,
    read_logprobs,
    read_usage,
    usage_in,
    write_logprobs,
    write_usage,
)
from fastgw.dialects.reading import Json, as_array, as_count, as_object, as_text

# Members of a reply that are about all of it and that only this dialect has; OpenAI's, Azure's, OpenRouter's, Perplexity's.
KEPT = ("moderation", "prompt_filter_results", "provider", "citations", "search_results", "images", "related_questions")


def read_reply(body: Json) -> Reply:
    """A provider's reply. raises ValueError where it is none: no choices"""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise ValueError("expected a chat completion: no choices in the reply")
    reply = Reply(as_text(body.get("id")), as_text(body.get("model")), as_count(body.get("created")),
                  service_tier=as_text(body.get("service_tier")), system_fingerprint=as_text(body.get("system_fingerprint")))
    sources = read_sources(body)
    seed = reply.id or os.urandom(8).hex()
    reply.choices = [_choice(as_object(item), f"{seed}/{at}", sources) for at, item in enumerate(choices)]
    usage = usage_in(body)
    if usage is not None:
        reply.usage = read_usage(usage)
    reply.extra = {name: body[name] for name in KEPT if body.get(name)}
    return reply


def _choice(choice: Json, seed: str, sources: list[Citation]) -> Choice:
    message = as_object(choice.get("message"))
    said = _content(message)
    calls = _calls(message, seed)
    signature = signature_of(message)
    if signature:
        sign(said, calls, signature)
    _cite(said, citations_in(message) or sources)
    return Choice([*said, *calls], finish_of(choice.get("finish_reason"), bool(calls), any(type(part) is Refusal for part in said)),
                  raw_of(choice), met_sequence(choice), read_logprobs(choice.get("logprobs")))


def _content(message: Json) -> list[Part]:
    """Thoughts, words, refusal, pictures and sound of a message."""
    parts: list[Part] = list(thoughts_of(message))
    content = message.get("content")
    if isinstance(content, list):
        for chunk in map(as_object, content):
            part = chunk_part(chunk)
            if part is not None:
                parts.append(part)
    elif content and isinstance(content, str):
        parts.append(Text(content))
    refusal = message.get("refusal")
    if refusal and isinstance(refusal, str):
        parts.append(Refusal(refusal))
    parts += read_pictures(message.get("images"))
    audio = as_object(message.get("audio"))
    if audio.get("data") or audio.get("id"):
        parts.append(Media("audio", data=as_text(audio.get("data")), transcript=as_text(audio.get("transcript")),
                           audio_id=as_text(audio.get("id")), expires_at=as_count(audio.get("expires_at"))))
    return parts


def chunk_part(chunk: Json) -> Part | None:
    """One chunk of a content that is an array (Mistral); None for what says nothing, such as a reference."""
    kind = chunk.get("type")
    if kind == "refusal":
        words = as_text(chunk.get("refusal"))
        return Refusal(words) if words else None
    if kind in ("thinking", "redacted_thinking"):
        return thinking_chunk(chunk)
    if kind == "image_url":
        holder = chunk.get("image_url")
        url = as_text(holder) or as_text(as_object(holder).get("url"))
        return from_url("image", url) if url else None
    words = as_text(chunk.get("text"))  # of a kind that is newer than this too
    return Text(words) if words else None


def _calls(message: Json, seed: str) -> list[ToolCall]:
    calls = []
    for at, call in enumerate(map(as_object, as_array(message.get("tool_calls")))):
        name, arguments, custom = called(call)
        if name:
            calls.append(ToolCall(as_text(call.get("id")) or made_id(seed, at), name, arguments, custom, signature_of(call)))
    older = as_object(message.get("function_call"))
    if as_text(older.get("name")) and not calls:
        calls.append(ToolCall(made_id(seed, 0), as_text(older.get("name")), argument_text(older.get("arguments"))))
    return calls


def called(call: Json) -> tuple[str, str, bool]:
    """Name and arguments of a call, and whether it is of a custom tool. Snowflake has both kinds in one, the other empty."""
    function, custom = as_object(call.get("function")), as_object(call.get("custom"))
    if custom and (call.get("type") == "custom" or as_text(custom.get("name")) or as_text(custom.get("input"))):
        return as_text(custom.get("name")), as_text(custom.get("input")), True
    return as_text(function.get("name")), argument_text(function.get("arguments")), False


def argument_text(value: object) -> str:
    """Arguments as text; a few servers send the object itself."""
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else as_text(value)


def made_id(seed: str, number: int) -> str:
    """An id for a call that has none (Gemini's OpenAI-compatible API), unique in the conversation since the reply's id is."""
    return f"call_{digest_of(f'{seed}/{number}')}"


def _cite(parts: list[Part], citations: list[Citation]) -> None:
    if citations:
        for part in parts:
            if isinstance(part, Text):
                part.citations = citations
                return


def write_reply(reply: Reply, request: Request) -> Json:
    """A reply for a caller."""
    legacy = "functions" in request.echo
    body: Json = {
        "id": reply.id or f"chatcmpl-{os.urandom(12).hex()}",
        "object": "chat.completion",
        "created": reply.created or int(time.time()),
        "model": reply.model or request.model,
        "choices": [_write_choice(choice, at, legacy) for at, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        body["usage"] = write_usage(reply.usage)
    if reply.service_tier in TIERS:
        body["service_tier"] = TIERS[reply.service_tier]
    body["system_fingerprint"] = reply.system_fingerprint or None
    for name, value in reply.extra.items():
        body.setdefault(name, value)
    return body


def _write_choice(choice: Choice, index: int, legacy: bool) -> Json:
    parts = choice.parts
    return {"index": index, "message": write_message(parts, legacy),
            "logprobs": write_logprobs(choice.logprobs, bool(parts) and all(type(part) is Refusal for part in parts)),
            **finish_members(choice, parts, legacy)}


def write_message(parts: list[Part], legacy: bool) -> Json:
    """The message of a choice. What this wire has no place for (a server's own tool and its result) stays out."""
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    words: list[str] = []
    length = 0
    pages: list[object] = []
    files: list[object] = []
    thoughts: list[Thinking] = []
    calls: list[ToolCall] = []
    for part in parts:
        if isinstance(part, Text):
            words.append(part.text)
            end = length + len(part.text)
            for citation in part.citations:
                (pages if citation.url else files).append(write_annotation(citation, length, end))
            length = end
            if part.signature:
                message["extra_content"] = extra_content(part.signature)
        elif isinstance(part, ToolCall):
            calls.append(part)
        elif isinstance(part, Thinking):
            thoughts.append(part)
        elif isinstance(part, Refusal):
            message["refusal"] = as_text(message["refusal"]) + part.text
        elif isinstance(part, Media):
            _write_media(part, message)
    if words or len(message) == 3 and not calls and not message["refusal"]:
        message["content"] = "".join(words)
    message |= write_citations(pages, files)
    if thoughts:
        write_thoughts(thoughts, message)
    if calls:
        _write_calls(calls, message, legacy)
    return message


def _write_calls(calls: list[ToolCall], message: Json, legacy: bool) -> None:
    if legacy:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
        return
    message["tool_calls"] = [
        write_call(call, call.id) | ({"extra_content": extra_content(call.signature)} if call.signature else {}) for call in calls
    ]


def _write_media(media: Media, message: Json) -> None:
    if media.kind == "audio":
        message["audio"] = {"id": media.audio_id, "data": media.data, "expires_at": media.expires_at, "transcript": media.transcript}
    elif media.kind == "image" and (media.data or media.url):
        images = message.setdefault("images", [])
        assert isinstance(images, list)
        images.append(write_picture(media, len(images)))
        if media.signature:
            message["extra_content"] = extra_content(media.signature)
