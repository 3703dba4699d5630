"""Replies and errors of Cohere's chat are read as its own client reads them."""

from typing import Any

import pytest
from cohere import V2ChatResponse
from cohere.core.unchecked_base_model import construct_type

from fastgw.dialects.canonical import Citation, FailureKind, FinishReason, Logprob, Part, Reply, Text, Thinking, ToolCall, Usage
from fastgw.dialects.cohere_chat import DIALECT
from fastgw.dialects.cohere_chat.reply import KINDS
from tests.recordings import counted, recordings, skip_without_corpus


def reply_with(message: dict[str, object], **members: object) -> dict[str, object]:
    return {"id": "r1", "message": {"role": "assistant"} | message, "finish_reason": "COMPLETE"} | members


def parts_by_client(message: Any) -> list[Part]:
    """The parts that Cohere's client finds, without citations."""
    parts: list[Part] = [Thinking(message.tool_plan, dialect="cohere_chat")] if message.tool_plan else []
    for block in message.content or []:
        parts.append(Text(block.text) if block.type == "text" else Thinking(block.thinking, dialect="cohere_chat"))
    return parts + [ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]


def test_recorded_replies_are_what_its_client_reads() -> None:
    """Texts, calls, plans, citations, reason and usage of every recorded reply are those that Cohere's client finds in it."""
    skip_without_corpus()
    count = 0
    for recording in recordings("cohere", "v2.chat"):
        if recording.is_sse:
            continue
        expected = construct_type(object_=recording.json(), type_=V2ChatResponse)
        reply = DIALECT.read_reply(recording.json())
        choice = reply.choices[0]
        cited = [(one.start, one.end, one.native) for part in choice.parts if isinstance(part, Text) for one in part.citations]
        assert cited == [(one.start, one.end, raw) for one, raw in zip(
            expected.message.citations or [], recording.json()["message"].get("citations", []), strict=True)]
        for part in choice.parts:
            if isinstance(part, Text):
                part.citations = []
        assert choice.parts == parts_by_client(expected.message), recording.name
        assert (reply.id, choice.raw_finish) == (expected.id, expected.finish_reason)
        billed = expected.usage.billed_units
        assert reply.usage == Usage(int(billed.input_tokens), int(billed.output_tokens))
        count += 1
    counted(count, 18)


def test_recorded_errors_keep_their_message() -> None:
    """Errors of Cohere have one message and no code, and are of the kind that their status says."""
    skip_without_corpus()
    failed = [recording for recording in recordings("cohere") if recording.status >= 400]
    counted(len(failed), 3)
    for recording in failed:
        failure, stated = DIALECT.read_failure(recording.status, recording.decoded()), recording.decoded()
        assert failure.kind in (KINDS.get(recording.status, failure.kind), "context_window"), recording.name
        assert failure.message == (stated["message"] if isinstance(stated, dict) else stated or failure.message), recording.name


def test_everything_in_a_reply_is_read() -> None:
    """A plan, thoughts, texts with their citations, calls and logprobs come in order; a citation of a thought has no place here."""
    citations: list[dict[str, Any]] = [
        {"start": 0, "end": 2, "text": "Hi", "content_index": 2, "type": "TEXT_CONTENT", "sources": [
            {"type": "document", "id": "doc:3", "document": {"title": "T", "url": "https://a.example"}},
            {"type": "document", "id": "mine", "document": {"snippet": "s"}},
            {"type": "tool", "id": "t:0", "tool_output": {"content": "x"}}]},
        {"text": "first", "sources": None}, {"start": 0, "type": "PLAN"}, {"start": 0, "type": "THINKING_CONTENT", "content_index": 0}]
    body = reply_with({
        "tool_plan": "I look",
        "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "A"}, {"type": "text", "text": "Hi"}],
        "citations": citations, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
    }, logprobs=[{"text": "Hi", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}, {"text": "!", "token_ids": [3]}])
    first = citations[0]
    assert DIALECT.read_reply(body).choices[0].parts == [
        Thinking("I look", dialect="cohere_chat"), Thinking("Hm", dialect="cohere_chat"),
        Text("A", [Citation(dialect="cohere_chat", native=citations[1])]),
        Text("Hi", [Citation(0, 2, "https://a.example", "T", document=3, dialect="cohere_chat", native=first),
                    Citation(0, 2, file_id="mine", dialect="cohere_chat", native=first),
                    Citation(0, 2, dialect="cohere_chat", native=first)]),
        ToolCall("c1", "f", '{"a":1}')]
    assert DIALECT.read_reply(body).choices[0].logprobs == [Logprob("Hi", -0.75)]


@pytest.mark.parametrize(("raw", "finish"), [
    ("COMPLETE", "stop"), ("STOP_SEQUENCE", "stop_sequence"), ("MAX_TOKENS", "length"), ("TOOL_CALL", "tool_calls"), ("ERROR", "error"),
    ("TIMEOUT", "error"), ("NEW", "stop"),
])
def test_reasons_to_stop(raw: str, finish: FinishReason) -> None:
    """Each reason has its word, and Cohere's own stays beside it."""
    choice = DIALECT.read_reply(reply_with({}, finish_reason=raw)).choices[0]
    assert (choice.finish, choice.raw_finish) == (finish, raw)


@pytest.mark.parametrize(("stated", "usage"), [
    ({"billed_units": {"input_tokens": 1, "output_tokens": 9}, "tokens": {"input_tokens": 496, "output_tokens": 11}}, Usage(1, 9)),
    ({"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 9, "output_tokens": 4}, "cached_tokens": 5}, Usage(9, 4, 5)),
    ({"tokens": {"input_tokens": 5.0}, "cached_tokens": 9}, Usage(5, 0, 5)),
    (None, None),
])
def test_usage_is_what_is_billed(stated: object, usage: Usage | None) -> None:
    """Billed tokens count where they are stated, else all."""
    assert DIALECT.read_reply(reply_with({}, usage=stated)).usage == usage


@pytest.mark.parametrize("body", [{}, {"message": "no"}, {"text": "v1"}])
def test_other_json_is_no_reply(body: dict[str, object]) -> None:
    """What has no message is said to be no reply."""
    with pytest.raises(ValueError, match="message"):
        DIALECT.read_reply(body)


@pytest.mark.parametrize("noise", [None, 7, "x", [], [7], {}, {"a": 1}])
def test_odd_replies_are_read(noise: object) -> None:
    """A member of another type than it should be is as if it were not there."""
    members: dict[str, object] = {name: noise for name in ("tool_plan", "content", "tool_calls", "citations")}
    assert isinstance(DIALECT.read_reply(reply_with(members, usage=noise, logprobs=noise, finish_reason=noise)), Reply)
    blocks = {"content": [{"type": "text", "text": "a"}, {"text": noise}, noise], "tool_calls": [{"id": noise, "function": noise}],
              "citations": [{"start": noise, "sources": noise, "content_index": noise}, {"sources": [{"document": noise, "id": noise}]}]}
    assert isinstance(DIALECT.read_reply(reply_with(blocks)), Reply)


@pytest.mark.parametrize(("status", "body", "kind"), [
    (400, {"message": "invalid request: p must be between 0 and 0.99 inclusive."}, "invalid_request"),
    (400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"}, "context_window"),
    (401, {"message": "invalid api token"}, "authentication"), (402, {}, "billing"), (429, {"message": "slow"}, "rate_limit"),
    (409, {}, "invalid_request"), (529, {}, "overloaded"),
    (498, {"message": "blocked"}, "content_policy"), (500, "<html>", "server"), (503, None, "overloaded"),
])
def test_errors_have_their_kind(status: int, body: object, kind: FailureKind) -> None:
    """An error is told by its status and always has a message."""
    failure = DIALECT.read_failure(status, body)
    assert (failure.status, failure.kind) == (status, kind) and failure.message
