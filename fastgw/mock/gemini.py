"""Gemini's generateContent and what stands beside it."""
from __future__ import annotations

from collections.abc import Callable, Iterator

from fastgw.mock.answers import encode, json_reply, stream_reply
from fastgw.mock.asked import Asked, Object, text_bytes
from fastgw.mock.connection import Reply
from fastgw.mock.faults import GEMINI, Fault, fault_object
from fastgw.mock.openai_small import vector_of
from fastgw.mock.words import example_of, say

Thing = dict[str, object]
DIMENSIONS = 768


def answer_generate(asked: Asked) -> Reply:
    """POST /v1beta/models/{model}:generateContent."""
    pieces, limit = pieces_of_reply(asked), limit_of(asked)
    call = function_call(asked)
    parts: list[Thing] = [call] if call else [{"text": "".join(pieces)}]
    return json_reply(chunk_of(asked, parts, finish_of(asked, limit), len(pieces)))


def answer_stream(asked: Asked) -> Reply:
    """POST ...:streamGenerateContent: events with alt=sse, else a JSON array that grows."""
    pieces, limit = pieces_of_reply(asked), limit_of(asked)
    call = function_call(asked)
    turns: list[list[Thing]] = [[call]] if call else [[{"text": piece}] for piece in pieces] or [[{"text": ""}]]
    chunks: list[Thing] = [chunk_of(asked, parts, None, at + 1) for at, parts in enumerate(turns[:-1])]
    chunks.append(chunk_of(asked, turns[-1], finish_of(asked, limit), len(pieces)))
    failure = fault_object(GEMINI, Fault(503))
    if asked.query.get("alt") == "sse":
        return stream_reply(asked, [event(chunk) for chunk in chunks], event(failure))
    return stream_reply(
        asked, array_pieces(chunks), b",\r\n" + encode(failure) + b"]", b"application/json; charset=UTF-8"
    )


def event(obj: object) -> bytes:
    """Write an event with the line ends that Google sends."""
    return b"data: %b\r\n\r\n" % encode(obj)


def array_pieces(chunks: list[Thing]) -> Iterator[bytes]:
    """The pieces of a JSON array, one an element; the last one closes it."""
    for at, chunk in enumerate(chunks):
        yield (b",\r\n" if at else b"[") + encode(chunk) + (b"]" if at == len(chunks) - 1 else b"")


def config_of(asked: Asked) -> Object:
    """generationConfig, under either of its names."""
    config = asked.content.get("generationConfig", asked.content.get("generation_config"))
    return config if isinstance(config, dict) else {}


def limit_of(asked: Asked) -> int | None:
    """maxOutputTokens, None where there is none. Raises Fault where it is no number."""
    config = config_of(asked)
    limit = config.get("maxOutputTokens", config.get("max_output_tokens"))
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise Fault(400, f"Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), {limit!r}")
    return limit


def pieces_of_reply(asked: Asked) -> list[str]:
    """The words of the reply."""
    asked.items("contents")
    return say(asked.output_tokens(limit_of(asked)))


def finish_of(asked: Asked, limit: int | None) -> str:
    """Why it ended."""
    return "MAX_TOKENS" if limit is not None and limit < asked.output_tokens(None) else "STOP"


def function_call(asked: Asked) -> Thing | None:
    """A part that calls the first function, where one is required or the contents say "call"."""
    tools = asked.content.get("tools")
    tool = tools[0] if isinstance(tools, list) and tools else None
    declared = tool.get("functionDeclarations", tool.get("function_declarations")) if isinstance(tool, dict) else None
    function = declared[0] if isinstance(declared, list) and declared else None
    if not isinstance(function, dict):
        return None
    config = str(asked.content.get("toolConfig", asked.content.get("tool_config")))
    contents = asked.items("contents")
    if "'NONE'" in config or "functionResponse" in str(contents[-1]):
        return None
    if "'ANY'" not in config and "call" not in str(contents):
        return None
    # Google's own Python client writes the last of these.
    schema = next(
        (function[key] for key in ("parameters", "parametersJsonSchema", "parameters_json_schema") if key in function),
        None,
    )
    return {"functionCall": {"name": function.get("name"), "args": example_of(schema) if schema else {}}}


def chunk_of(asked: Asked, parts: list[Thing], finish: str | None, count: int) -> Thing:
    """A reply, or one piece of it; `count` is the tokens so far."""
    candidate: Thing = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    reply: Thing = {"candidates": [candidate]}
    if not asked.wish.no_usage:
        reply["usageMetadata"] = usage_of(asked, count)
    return {**reply, "modelVersion": asked.params["model"], "responseId": asked.name("")}


def usage_of(asked: Asked, count: int) -> Thing:
    """What it used; thoughts stand beside the candidates' tokens."""
    given, thoughts = asked.input_tokens(), asked.wish.reasoning
    usage: Thing = {
        "promptTokenCount": given,
        "candidatesTokenCount": count,
        "totalTokenCount": given + count + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": given}],
    }
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    if asked.wish.cached:
        usage["cachedContentTokenCount"] = min(given, asked.wish.cached)
    return usage


def answer_count_tokens(asked: Asked) -> Reply:
    """POST ...:countTokens, of contents or of a whole generateContentRequest."""
    whole = asked.content.get("generateContentRequest")
    count = max(1, text_bytes(whole if whole is not None else asked.content) // 4)
    return json_reply({"totalTokens": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}]})


def values_of(request: Object) -> list[float]:
    """The vector of one embedding request."""
    dimensions = request.get("outputDimensionality")
    return vector_of(
        str(request.get("content")),
        dimensions if isinstance(dimensions, int) and 0 < dimensions <= 8192 else DIMENSIONS,
    )


def answer_embed(asked: Asked) -> Reply:
    """POST ...:embedContent."""
    return json_reply({"embedding": {"values": values_of(asked.content)}})


def answer_batch_embed(asked: Asked) -> Reply:
    """POST ...:batchEmbedContents."""
    return json_reply({"embeddings": [{"values": values_of(request)} for request in asked.items("requests")]})


VERBS: dict[str, Callable[[Asked], Reply]] = {
    "generateContent": answer_generate,
    "streamGenerateContent": answer_stream,
    "countTokens": answer_count_tokens,
    "embedContent": answer_embed,
    "batchEmbedContents": answer_batch_embed,
}
