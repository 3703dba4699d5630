"""What a provider may add to its replies and streams one day: the rest is read as ever, and no words are lost."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from fastgw.dialects.assembly import Assembler
from fastgw.dialects.canonical import Failure, Refusal, Reply, Text, ToolCall
from fastgw.dialects.framing import SPLITTERS
from fastgw.dialects.sse import framed
from fastgw.dialects.table import dialect_of
from tests.feeding import same_however_fed
from tests.messages import event as aws_event

NEW: dict[str, Any] = {"type": "brand_new", "index": None, "more": {"a": [1]}}
WORDS = {"type": "new_text", "text": "Hi"}


def said(reply: Reply) -> tuple[str, list[str], str]:
    """Words, names of calls and the end of the first answer."""
    choice = reply.choices[0]
    words = "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))
    return words, [part.name for part in choice.parts if isinstance(part, ToolCall)], choice.finish


def streamed(dialect: str, pieces: Iterable[bytes]) -> tuple[tuple[str, list[str], str], int, Failure | None]:
    """What a stream says, its output tokens, and how it broke."""
    upstream = dialect_of(dialect)
    splitter, reader, assembler = SPLITTERS[upstream.stream_framing](), upstream.stream_reader(), Assembler()
    for piece in pieces:
        for name, payload in splitter.feed(piece):
            assembler.take(reader.read(name, payload))
    for name, payload in splitter.finish():
        assembler.take(reader.read(name, payload))
    assembler.take(reader.finish())
    reply = assembler.finish()
    return said(reply), reply.usage.output_tokens if reply.usage else -1, assembler.failure


@pytest.mark.parametrize(("dialect", "body", "words", "finish"), [
    ("openai_chat", {"choices": [{"message": {"content": [NEW, WORDS]}, "finish_reason": "new"}]}, "Hi", "stop"),
    ("openai_chat", {"choices": [{"message": {"content": [{"type": "refusal", "refusal": "No"}]}}]}, "No", "refusal"),
    ("anthropic_messages", {"content": [NEW, WORDS], "stop_reason": "new"}, "Hi", "stop"),
    ("anthropic_messages", {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "compaction"}, "Hi", "pause"),
    ("openai_responses", {"output": [NEW, {"type": "message", "content": [NEW, WORDS]}], "status": "new"}, "Hi", "stop"),
    ("gemini_generate", {"candidates": [{"content": {"parts": [NEW, {"text": "Hi", "new": 1}]}, "finishReason": "NEW"}]}, "Hi", "stop"),
    ("gemini_generate", {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "CONTINUATION"}]}, "Hi", "length"),
    ("gemini_generate", {"candidates": [{"finishReason": "PUP_LIMITED_DISABLED"}]}, "", "content_filter"),
    ("bedrock_converse", {"output": {"message": {"content": [{"brandNew": {}}, {"text": "Hi"}]}}, "stopReason": "new"}, "Hi", "stop"),
    ("cohere_chat", {"message": {"content": [NEW, WORDS]}, "finish_reason": "NEW"}, "Hi", "stop"),
])
def test_newer_pieces_of_replies_leave_the_words(dialect: str, body: dict[str, object], words: str, finish: str) -> None:
    """A block, an item, a part or an end of a kind that is not known takes nothing from the answer, and its own words are words."""
    assert said(dialect_of(dialect).read_reply(body)) == (words, [], finish)


@pytest.mark.parametrize(("dialect", "body"), [
    ("openai_chat", {"choices": [{"message": {"tool_calls": [{"id": "c", "function": {"name": "f"}}]}, "finish_reason": "new"}]}),
    ("anthropic_messages", {"content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}], "stop_reason": "new"}),
    ("openai_responses", {"output": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}], "status": "new"}),
    ("gemini_generate", {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "NEW"}]}),
    ("bedrock_converse", {"output": {"message": {"content": [{"toolUse": {"toolUseId": "c", "name": "f"}}]}}, "stopReason": "new"}),
    ("cohere_chat", {"message": {"tool_calls": [{"id": "c", "function": {"name": "f"}}]}, "finish_reason": "NEW"}),
])
def test_newer_ends_with_calls_end_as_calls(dialect: str, body: dict[str, object]) -> None:
    """A caller runs the calls of an answer that ended for a reason that is not known."""
    assert said(dialect_of(dialect).read_reply(body)) == ("", ["f"], "tool_calls")


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(framed(json.dumps(event).encode(), event.get("type", "")) for event in events)


def aws(*events: tuple[str, dict[str, Any]]) -> bytes:
    return b"".join(aws_event(name, body) for name, body in events)


TEXT_DELTA = "response.output_text.delta"
STREAMS = {
    "openai_chat": sse(
        {"choices": [], "new": 1},
        {"choices": [{"index": 0, "delta": {"content": [NEW, {"type": "new_text", "text": "H"}]}, "finish_reason": None}], "usage": None},
        {"choices": [{"index": 0, "delta": {"content": "i", "refusal": None, "tool_calls": None}, "logprobs": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "new"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
    "anthropic_messages": sse(
        {"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 0}}}, NEW,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "new_text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "text": {"a": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "H", "citation": None}, "usage": None},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_text_delta", "text": "i"}},
        {"type": "content_block_stop", "index": 0, "content_block": None},
        {"type": "message_delta", "index": None, "delta": {"type": None, "stop_reason": "new"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop", "index": None}),
    "openai_responses": sse(
        {"type": "response.created", "response": {"id": "r"}, "delta": None, "output_index": None},
        {"type": "response.new.delta", "delta": {"a": 1}, "item": 7},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "m"}},
        {"type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": {"type": "output_text"}, "text": None},
        {"type": TEXT_DELTA, "output_index": 0, "content_index": 0, "delta": "H", "refusal": None, "logprobs": None},
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "H", "refusal": None, "arguments": None},
        {"type": "response.output_item.done", "output_index": 0, "input": None, "item": {"type": "message", "id": "m", "content": [
            {"type": "output_text", "text": "H"}, {"type": "new_text", "text": "i"}]}},
        {"type": "response.completed", "response": {"status": "new", "usage": {"input_tokens": 1, "output_tokens": 2}}, "text": None}),
    "gemini_generate": sse(
        {"candidates": [{"content": {"parts": [{"brandNew": {"a": 1}}]}, "index": None}], "responseId": None},
        {"candidates": [{"content": {"parts": [{"text": "H", "thought": None, "thoughtSignature": None}]}, "finishReason": None}]},
        {"candidates": [{"content": {"parts": [{"text": "i"}]}, "finishReason": "NEW"}],
         "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": None}, "new": {}}),
    "bedrock_converse": aws(
        ("messageStart", {"role": "assistant"}), ("brandNew", {"a": [1]}),
        ("contentBlockDelta", {"contentBlockIndex": None, "delta": {"text": "H", "toolUse": None, "new": 1}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "i", "reasoningContent": {"text": None}}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"brandNew": {"a": 1}}}),
        ("messageStop", {"stopReason": "new"}),
        ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": None}})),
    "cohere_chat": sse(
        {"type": "message-start", "id": "r"}, NEW,
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "new_text", "text": ""}}}},
        {"type": "content-delta", "index": None, "delta": {"message": {"content": {"text": "H", "thinking": None}}}, "logprobs": None},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "i", "new": 1}, "new": 1}}},
        {"type": "message-end", "delta": {"finish_reason": "NEW", "error": None, "usage": {
            "billed_units": {"input_tokens": 1, "output_tokens": 2}}}}),
}


@pytest.mark.parametrize("dialect", STREAMS)
def test_newer_pieces_of_streams_leave_the_words(dialect: str) -> None:
    """Events, deltas and ends of kinds that are not known, and members that are null, take nothing from the answer."""
    found = same_however_fed(lambda pieces: streamed(dialect, pieces), STREAMS[dialect], splits=3)
    assert found == (("Hi", [], "stop"), 2, None)


def test_response_that_failed_states_its_usage() -> None:
    """What a response used before it failed is known."""
    stream = sse({"type": "response.failed", "response": {
        "error": {"code": "server_error", "message": "no"}, "usage": {"input_tokens": 5, "output_tokens": 2}}})
    reader, assembler = dialect_of("openai_responses").stream_reader(), Assembler()
    for name, payload in SPLITTERS["sse"]().feed(stream):
        assembler.take(reader.read(name, payload))
    assert assembler.failure is not None and assembler.failure.message == "no"
    assert assembler.reply.usage is not None and assembler.reply.usage.output_tokens == 2
