"""Whole replies of generateContent."""

from datetime import UTC, datetime

from fastgw.dialects.canonical import (
    Choice,
    Media,
    Native,
    Part,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
)
from fastgw.dialects.gemini_generate import proof
from fastgw.dialects.gemini_generate.arguments import Ids, compact, object_of
from fastgw.dialects.gemini_generate.grounding import read_citations, read_logprobs, write_citations, write_logprobs
from fastgw.dialects.gemini_generate.media import read_media, write_media
from fastgw.dialects.gemini_generate.spelling import NAME
from fastgw.dialects.gemini_generate.usage import loose_metadata, read_usage, write_usage
from fastgw.dialects.gemini_generate.vocabulary import finish_of, reason_of
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, as_array, as_object, as_text

MEMBERS = frozenset(("candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime"))
TIERS = frozenset(("standard", "flex", "priority"))
LAST_SECOND = 253_402_300_800  # of the year 9999


def read_reply(body: Json) -> Reply:
    """See Dialect."""
    if MEMBERS.isdisjoint(body):
        raise ValueError(f"expected a reply of generateContent, got an object with {', '.join(list(body)[:5]) or 'nothing'}")
    reply = Reply(as_text(body.get("responseId")), as_text(body.get("modelVersion")), seconds(body.get("createTime")))
    ids = Ids(reply.id)
    for item in as_array(body.get("candidates")):
        reply.choices.append(read_candidate(as_object(item), ids))
    if not reply.choices:
        reply.choices.append(blocked(body.get("promptFeedback")))
    stated = loose_metadata(body.get("usageMetadata"))
    if stated is not None:
        reply.usage = read_usage(stated)
        reply.service_tier = stated.service_tier
    return reply


def read_candidate(candidate: Json, ids: Ids) -> Choice:
    """One answer, with its parts as they are."""
    choice = Choice()
    for item in as_array(as_object(candidate.get("content")).get("parts")):
        part = read_part(as_object(item), ids)
        if part is not None:
            choice.parts.append(part)
    calls = any(type(part) is ToolCall for part in choice.parts)
    choice.finish, choice.raw_finish = finish_of(candidate.get("finishReason"), calls)
    choice.logprobs = read_logprobs(candidate.get("logprobsResult"))
    grounding, cited = candidate.get("groundingMetadata"), candidate.get("citationMetadata")
    if grounding or cited:
        texts = [part for part in choice.parts if isinstance(part, Text)]
        if texts:
            for number, citation in read_citations(grounding, cited, [part.text for part in texts]):
                texts[number].citations = [*texts[number].citations, citation]
    return choice


def blocked(feedback: object) -> Choice:
    """What stands for an answer where the prompt was refused."""
    reason = as_object(feedback).get("blockReason")
    return Choice([], "content_filter", as_text(reason) if reason else "")


def read_part(part: Json, ids: Ids) -> Part | None:
    """One part of an answer; None for one that says nothing."""
    text = part.get("text")
    signature = as_text(part.get("thoughtSignature"))
    if isinstance(text, str):
        if part.get("thought") is True:
            return proof.unseal(text, signature)
        return Text(text, signature=signature) if text or signature else None
    call = part.get("functionCall")
    if isinstance(call, dict):
        return ToolCall(as_text(call.get("id")) or ids.make(), as_text(call.get("name")), words_of(call.get("args")), signature=signature)
    for name in ("inlineData", "fileData"):
        blob = part.get(name)
        if isinstance(blob, dict) and part.get("thought") is not True:
            return read_media({name: blob}, blob, signature, {})
    if signature and len(part) == 1:
        return Text(signature=signature)
    return Native(NAME, part) if any(member is not None for member in part.values()) else None


def words_of(args: object) -> str:
    """Arguments as text, "{}" where a call has none."""
    if args is None:
        return "{}"
    try:
        return compact(args)
    except ValueError:
        return "{}"


def seconds(created: object) -> int:
    """A createTime (RFC 3339) as Unix seconds, 0 where it is none."""
    if not isinstance(created, str):
        return 0
    try:
        return int(datetime.fromisoformat(created).timestamp())
    except (ValueError, OverflowError):
        return 0


def write_reply(reply: Reply, request: Request) -> Json:
    """See Dialect."""
    written: Json = {"candidates": [write_candidate(choice, number) for number, choice in enumerate(reply.choices)]}
    if reply.usage is not None:
        usage = written["usageMetadata"] = write_usage(reply.usage)
        if reply.service_tier in TIERS:
            usage["serviceTier"] = reply.service_tier
    return written | write_head(reply.id, reply.model or request.model, reply.created)


def write_head(identity: str, model: str, created: int) -> Json:
    """The members that every reply and every piece of a stream has."""
    head: Json = {}
    if model:
        head["modelVersion"] = model
    if 0 < created < LAST_SECOND:
        head["createTime"] = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if identity:
        head["responseId"] = identity
    return head


def write_candidate(choice: Choice, number: int) -> Json:
    """One answer. A call whose arguments are no object cannot be one here: it is told as Google tells a call that went wrong."""
    parts: list[Json] = []
    texts = []
    malformed: list[str] = []
    for part in choice.parts:
        written = write_part(part, malformed)
        if written is not None:
            parts.append(written)
        if isinstance(part, Text):
            texts.append((part.text, part.citations))
        elif isinstance(part, Refusal):
            texts.append((part.text, []))
    candidate: Json = {"content": {"parts": parts, "role": "model"}, **write_finish(choice, malformed), "index": number}
    grounding, cited = write_citations(texts)
    if grounding:
        candidate["groundingMetadata"] = grounding
    if cited:
        candidate["citationMetadata"] = cited
    if choice.logprobs:
        candidate["logprobsResult"] = write_logprobs(choice.logprobs)
    return candidate


def write_finish(choice: Choice, malformed: list[str]) -> Json:
    """finishReason, and the message that goes with calls that went wrong."""
    if not malformed:
        return {"finishReason": reason_of(choice.finish, choice.raw_finish)}
    stopped = choice.finish in ("stop", "tool_calls")
    reason = "MALFORMED_FUNCTION_CALL" if stopped else reason_of(choice.finish, choice.raw_finish)
    return {"finishReason": reason, "finishMessage": f"Malformed function call: {'; '.join(malformed)}"}


def write_part(part: Part, malformed: list[str]) -> Json | None:
    """One part, None for what Gemini's callers cannot have; a call whose arguments are no object is added to `malformed` instead."""
    if isinstance(part, Text):
        return {"text": part.text, "thoughtSignature": part.signature} if part.signature else {"text": part.text}
    if isinstance(part, ToolCall):
        arguments: Json | None = {"input": part.arguments} if part.custom else object_of(part.arguments)
        if arguments is None:
            malformed.append(f"{part.name}({part.arguments})")
            return None
        call: Json = {"name": part.name, "args": arguments}
        if part.id:
            call["id"] = part.id
        return {"functionCall": call, "thoughtSignature": part.signature} if part.signature else {"functionCall": call}
    if isinstance(part, Thinking):
        signature = proof.seal(part)
        thought: Json = {"text": part.text, "thought": True}
        if signature:
            thought["thoughtSignature"] = signature
        return thought if part.text or signature else None
    if isinstance(part, Refusal):
        return {"text": part.text}
    if isinstance(part, Media):
        return write_media(part, Notes(), "")
    return part.value if isinstance(part, Native) and part.dialect == NAME else None
