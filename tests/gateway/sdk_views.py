"""What the official clients read: of a recording, and of what comes through the gateway, as one value that compares by ==.

A view is the words of all texts, the thoughts, the calls with their arguments parsed, the client's own word for the end, and the usage in
OpenAI's sense: all of the input, all of the output, and of these what was cached and what was reasoning.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from cohere import V2ChatResponse
from cohere.core.unchecked_base_model import construct_type
from google.genai import types

Usage = tuple[int, int, int, int]
# What servers that were asked for numbers mean by them; the official client never asks for these.
NUMBERED = ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")


class Said(NamedTuple):
    """An answer as its caller has it. refused: the words, or some of them, are a refusal's (OpenAI)."""

    text: str
    thoughts: str
    calls: list[tuple[str, Any]]
    finish: str
    usage: Usage | None
    refused: bool = False


def arguments_of(text: str) -> Any:
    """Arguments as a value; free text as it is."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def chat_said(reply: Any) -> Said:
    """A whole chat completion of the openai client; the words of a refusal are words, a call without a name (Snowflake) is none."""
    choice = reply.choices[0]
    message = choice.message
    calls = [called(call) for call in message.tool_calls or []]
    if getattr(message, "function_call", None):
        calls.append((message.function_call.name, arguments_of(message.function_call.arguments)))
    return Said(words_of(message.content) + (message.refusal or ""), thoughts_of(message) or details_of(message),
                [call for call in calls if call[0]], choice.finish_reason or "", chat_usage(reply),
                bool(message.refusal))


def words_of(content: Any) -> str:
    """A content that is text, or (Mistral) an array of chunks."""
    if isinstance(content, list):
        return "".join(chunk.get("text", "") for chunk in content if chunk.get("type") == "text")
    return content or ""


def thoughts_of(message: Any) -> str:
    """Thoughts as the providers of this dialect write them beside the words, or as a chunk of them."""
    found = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or ""
    if not found and isinstance(message.content, list):
        found = "".join(piece.get("text", "") for chunk in message.content if chunk.get("type") == "thinking"
                        for piece in chunk["thinking"] if isinstance(piece, dict))
    return found if isinstance(found, str) else ""


def details_of(message: Any) -> str:
    """The thoughts in reasoning_details (OpenRouter, Snowflake), which may stand in the place of the others or beside them."""
    return "".join(detail.get("text") or detail.get("summary") or "" for detail in getattr(message, "reasoning_details", None) or [])


def called(call: Any) -> tuple[str, Any]:
    """Name and arguments of a call, a custom tool's as they are."""
    if call.type == "custom":
        return call.custom.name, call.custom.input
    return call.function.name, arguments_of(call.function.arguments)


def chat_usage(reply: Any) -> Usage | None:
    """The usage of a reply or chunk; Groq's of a stream, Mistral's and DeepSeek's cached tokens are where these providers put them.

    Google leaves thoughts out of completion_tokens, and has them in the total.
    """
    usage = reply.usage
    if usage is None:
        stated = (getattr(reply, "x_groq", None) or {}).get("usage")
        return None if stated is None else (stated["prompt_tokens"], stated["completion_tokens"], 0, 0)
    asked, given = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = (asked and asked.cached_tokens) or getattr(usage, "num_cached_tokens", 0) or getattr(usage, "prompt_cache_hit_tokens", 0)
    output = max(usage.completion_tokens, (usage.total_tokens or 0) - usage.prompt_tokens)
    return usage.prompt_tokens, output, cached or 0, (given and given.reasoning_tokens) or 0


def chat_stream_said(chunks: Iterable[Any]) -> Said:
    """All chunks of a stream of the openai client."""
    text, thoughts, details, finish, refusal = "", "", "", "", ""
    calls: dict[Any, list[str]] = {}
    usage = None
    for chunk in chunks:
        usage = chat_usage(chunk) or usage
        for choice in chunk.choices or []:
            if choice.index:
                continue
            delta = choice.delta
            text += words_of(delta.content) + (delta.refusal or "")
            refusal += delta.refusal or ""
            thoughts += thoughts_of(delta)
            details += details_of(delta)
            finish = choice.finish_reason or finish
            for at, call in enumerate(delta.tool_calls or []):
                piece = calls.setdefault(at if call.index is None else call.index, ["", ""])
                piece[0] += call.function.name or ""
                piece[1] += call.function.arguments or ""
            if delta.function_call is not None:
                piece = calls.setdefault("older", ["", ""])
                piece[0] += delta.function_call.name or ""
                piece[1] += delta.function_call.arguments or ""
    return Said(text, thoughts or details, [(name, arguments_of(words)) for name, words in calls.values() if name], finish, usage,
                bool(refusal))


def message_said(message: Any) -> Said:
    """A message of the anthropic client."""
    blocks = message.content
    usage = message.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = getattr(usage, "output_tokens_details", None)
    return Said(
        "".join(block.text for block in blocks if block.type == "text"),
        "".join(block.thinking for block in blocks if block.type == "thinking"),
        [(block.name, block.input) for block in blocks if block.type == "tool_use"],
        message.stop_reason or "", (usage.input_tokens + cached + written, usage.output_tokens, cached,
                                    (details and details.thinking_tokens) or 0))


def generated_said(pieces: Iterable[types.GenerateContentResponse]) -> Said:
    """A reply of the google-genai client, or all pieces of a stream."""
    text, thoughts, finish = "", "", ""
    calls: list[tuple[str, Any]] = []
    stated: types.GenerateContentResponseUsageMetadata | None = None
    for piece in pieces:
        stated = piece.usage_metadata or stated
        if piece.prompt_feedback is not None and piece.prompt_feedback.block_reason:
            finish = piece.prompt_feedback.block_reason.value
        for candidate in piece.candidates or []:
            if candidate.index:
                continue
            finish = candidate.finish_reason.value if candidate.finish_reason else finish
            for part in (candidate.content and candidate.content.parts) or []:
                if part.function_call is not None:
                    calls.append((part.function_call.name or "", part.function_call.args or {}))
                elif part.thought:
                    thoughts += part.text or ""
                else:
                    text += part.text or ""
    return Said(text, thoughts, calls, finish, generated_usage(stated))


def generated_usage(stated: types.GenerateContentResponseUsageMetadata | None) -> Usage | None:
    if stated is None:
        return None
    thought = stated.thoughts_token_count or 0
    asked = (stated.prompt_token_count or 0) + (stated.tool_use_prompt_token_count or 0)
    return asked, (stated.candidates_token_count or 0) + thought, stated.cached_content_token_count or 0, thought


def generated(body: dict[str, Any]) -> types.GenerateContentResponse:
    """A decoded reply as the google-genai client parses it; words that are numbers are said, or left out where nothing here reads them."""
    for candidate in body.get("candidates") or []:
        if isinstance(candidate.get("finishReason"), int):
            candidate["finishReason"] = NUMBERED[candidate["finishReason"]]
        if any(isinstance(rating.get("category"), int) for rating in candidate.get("safetyRatings") or []):
            del candidate["safetyRatings"]
    stated = body.get("usageMetadata") or {}
    if isinstance(stated.get("trafficType"), int):
        del stated["trafficType"]
    for name in ("promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails"):
        if any(isinstance(detail["modality"], int) for detail in stated.get(name) or []):
            stated.pop(name)
    return types.GenerateContentResponse._from_response(response=body, kwargs={})


def gemini_said(body: bytes) -> Said:
    """A recorded reply of Gemini's, whole, as events or as one array."""
    if body.startswith(b"data:"):
        pieces = [json.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data:")]
    else:
        decoded = json.loads(body)
        pieces = decoded if isinstance(decoded, list) else [decoded]
    return generated_said([generated(piece) for piece in pieces])


def response_said(response: Any) -> Said:
    """A response of the openai client."""
    text, thoughts = "", ""
    calls: list[tuple[str, Any]] = []
    for item in response.output:
        if item.type == "message":
            text += "".join(part.text if part.type == "output_text" else part.refusal for part in item.content)
        elif item.type == "reasoning":
            thoughts += "".join(part.text for part in [*item.summary, *(item.content or [])])
        elif item.type == "function_call":
            calls.append((item.name, arguments_of(item.arguments)))
        elif item.type == "custom_tool_call":
            calls.append((item.name, item.input))
    reason = response.incomplete_details.reason if response.incomplete_details else None
    usage = response.usage
    return Said(text, thoughts, calls, reason or response.status or "", None if usage is None else (
        usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens),
        any(part.type == "refusal" for item in response.output if item.type == "message" for part in item.content))


def converse_said(reply: dict[str, Any]) -> Said:
    """A reply of Converse as boto3 returns it."""
    blocks = reply["output"]["message"]["content"]
    text, thoughts = "", ""
    calls: list[tuple[str, Any]] = []
    for block in blocks:
        text += block.get("text", "") + "".join(piece["text"] for piece in block.get("citationsContent", {}).get("content", []))
        thoughts += block.get("reasoningContent", {}).get("reasoningText", {}).get("text", "")
        if "toolUse" in block and block["toolUse"].get("type") != "server_tool_use":
            calls.append((block["toolUse"]["name"], block["toolUse"]["input"]))
    return Said(text, thoughts, calls, reply["stopReason"], converse_usage(reply["usage"]))


def converse_stream_said(events: Iterable[dict[str, Any]]) -> Said:
    """The events of ConverseStream as boto3 yields them."""
    text, thoughts, finish = "", "", ""
    calls: dict[int, list[str]] = {}
    usage = None
    for event in events:
        if "contentBlockStart" in event and "toolUse" in event["contentBlockStart"]["start"]:
            began = event["contentBlockStart"]
            if began["start"]["toolUse"].get("type") != "server_tool_use":
                calls[began["contentBlockIndex"]] = [began["start"]["toolUse"]["name"], ""]
        elif "contentBlockDelta" in event:
            delta = event["contentBlockDelta"]["delta"]
            text += delta.get("text", "")
            thoughts += delta.get("reasoningContent", {}).get("text", "")
            if "toolUse" in delta and event["contentBlockDelta"]["contentBlockIndex"] in calls:
                calls[event["contentBlockDelta"]["contentBlockIndex"]][1] += delta["toolUse"]["input"]
        elif "messageStop" in event:
            finish = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = converse_usage(event["metadata"]["usage"])
    return Said(text, thoughts, [(name, arguments_of(words)) for name, words in calls.values()], finish, usage)


def converse_usage(usage: dict[str, Any]) -> Usage:
    cached = usage.get("cacheReadInputTokens", 0)
    return usage["inputTokens"] + cached + usage.get("cacheWriteInputTokens", 0), usage["outputTokens"], cached, 0


def cohere_said(body: bytes) -> Said:
    """A recorded reply of Cohere's chat, whole or as events, as its client's types have it."""
    if body.lstrip().startswith(b"{"):
        reply: Any = construct_type(object_=json.loads(body), type_=V2ChatResponse)
        blocks = reply.message.content or []
        text = "".join(block.text for block in blocks if block.type == "text")
        thoughts = (reply.message.tool_plan or "") + "".join(block.thinking for block in blocks if block.type == "thinking")
        calls = [called(call) for call in reply.message.tool_calls or []]
        return Said(text, thoughts, calls, reply.finish_reason, cohere_usage(reply.usage.billed_units))
    text, thoughts, finish = "", "", ""
    pieces: dict[int, list[str]] = {}
    usage = None
    for line in re.findall(rb"^data: ?(\{.*?)\r?$", body, re.MULTILINE):
        event = json.loads(line)
        message = (event.get("delta") or {}).get("message") or {}
        if event["type"] == "content-delta":
            text += message["content"].get("text") or ""
            thoughts += message["content"].get("thinking") or ""
        elif event["type"] == "tool-plan-delta":
            thoughts += message["tool_plan"]
        elif event["type"] in ("tool-call-start", "tool-call-delta"):
            piece, function = pieces.setdefault(event["index"], ["", ""]), message["tool_calls"]["function"]
            piece[0] += function.get("name") or ""
            piece[1] += function.get("arguments") or ""
        elif event["type"] == "message-end":
            finish = event["delta"]["finish_reason"]
            billed = event["delta"]["usage"]["billed_units"]
            usage = int(billed["input_tokens"]), int(billed["output_tokens"]), 0, 0
    return Said(text, thoughts, [(name, arguments_of(words)) for name, words in pieces.values()], finish, usage)


def cohere_usage(billed: Any) -> Usage:
    return int(billed.input_tokens), int(billed.output_tokens), 0, 0
