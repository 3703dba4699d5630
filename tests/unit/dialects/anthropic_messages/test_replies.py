"""Replies and streams of other providers as an Anthropic client reads them, and Anthropic's as the canonical types have them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.anthropic_messages import DIALECT
from fastgw.dialects.assembly import Assembler
from fastgw.dialects.assembly import events_of as events_of_reply
from fastgw.dialects.canonical import (
    Began,
    Choice,
    Citation,
    Delta,
    Ended,
    Event,
    FinishReason,
    Media,
    Native,
    Part,
    PartBegan,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.sse import framed
from tests.unit.dialects.anthropic_messages.hostile import BLOCK, JSON
from tests.unit.dialects.anthropic_messages.official import ASKED, client_of, events_of, members, rewritten, streamed, whole

NAME = "anthropic_messages"
USED = Usage(100, 50, 30, 20, 5, 10)


def written(reply: Reply) -> bytes:
    assert DIALECT.write_reply is not None
    return json.dumps(DIALECT.write_reply(reply, ASKED)).encode()


def stream_of(*events: dict[str, Any]) -> bytes:
    return b"".join(framed(json.dumps(event).encode(), event["type"]) for event in events)


def assembled(events: list[Event]) -> Reply:
    assembler = Assembler()
    assembler.take(events)
    assert assembler.failure is None
    return assembler.finish()


def sealed(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "", "signature": signature}


PARTS: list[tuple[Part, list[dict[str, Any]]]] = [
    (Text("Hello"), [{"type": "text", "text": "Hello"}]),
    (Text("Hi", signature="c2ln"), [{"type": "text", "text": "Hi"}, sealed("fastgw:v1:gemini::c2ln")]),
    (Text("A", [Citation(0, 1, "https://a.example", "T", "q")]), [{"type": "text", "text": "A", "citations": [
        {"type": "web_search_result_location", "url": "https://a.example", "title": "T", "cited_text": "q", "encrypted_index": ""}]}]),
    (Text("B", [Citation(document=2, title="D", cited="quoted")]), [{"type": "text", "text": "B", "citations": [
        {"type": "char_location", "cited_text": "quoted", "document_index": 2, "document_title": "D", "start_char_index": 0,
         "end_char_index": 6, "file_id": None}]}]),
    (ToolCall("call_1", "f", '{"a": [1, "ü"]}'), [{"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": [1, "ü"]}}]),
    (ToolCall("c2", "f", "", signature="c2ln"),
     [sealed("fastgw:v1:gemini:c2:c2ln"), {"type": "tool_use", "id": "c2", "name": "f", "input": {}}]),
    (ToolCall("c3", "patch", 'a "b"\n', custom=True), [{"type": "tool_use", "id": "c3", "name": "patch", "input": {"input": 'a "b"\n'}}]),
    (Thinking("hm", "Eo==", dialect=NAME), [{"type": "thinking", "thinking": "hm", "signature": "Eo=="}]),
    (Thinking("sum", id="rs_1", encrypted="gAA", summary=True, dialect="openai_responses"),
     [{"type": "thinking", "thinking": "sum", "signature": "fastgw:v1:thought:openai_responses:se:rs_1:gAA"}]),
    (Thinking("deep", dialect="openai_chat"), [{"type": "thinking", "thinking": "deep", "signature": "fastgw:v1:thought:openai_chat:::"}]),
    (Thinking(redacted="Em==", dialect=NAME), [{"type": "redacted_thinking", "data": "Em=="}]),
    (Thinking(redacted="b3Bh", dialect="bedrock_converse"),
     [{"type": "redacted_thinking", "data": "fastgw:v1:redacted:bedrock_converse:b3Bh"}]),
    (Refusal("I won't."), [{"type": "text", "text": "I won't."}]),
    (Media("image", data="iVBORw0KGgo=", media_type="image/png"),
     [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]),
    (Media("audio", data="UklGRg==", transcript="Spoken."), [{"type": "text", "text": "Spoken."}]),
    (Native(NAME, {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}),
     [{"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}]),
    (Native("openai_responses", {"type": "web_search_call"}), []),
]


@pytest.mark.parametrize(("part", "blocks"), PARTS)
def test_parts_are_blocks(part: Part, blocks: list[dict[str, Any]]) -> None:
    """The client finds the same blocks for a part, whether the reply comes whole or streamed."""
    reply = Reply("r1", "gpt-x", choices=[Choice([part, Text("End")])], usage=USED)
    expected = [*blocks, {"type": "text", "text": "End"}]
    for message in (whole(written(reply)), streamed(rewritten(events_of_reply(reply)))):
        content = members(message)["content"]
        for block in content:
            if not block.get("citations"):
                block.pop("citations", None)
        assert content == expected


@pytest.mark.parametrize("part", [part for part, blocks in PARTS if blocks and not isinstance(part, Refusal)])
def test_parts_come_back_in_the_next_request(part: Part) -> None:
    """What a client got and sends again has the proofs that its provider wants to see."""
    reply = Reply("r1", "m", choices=[Choice([part])])
    content = json.loads(written(reply))["content"]
    assert DIALECT.read_request is not None
    request = DIALECT.read_request({"messages": [{"role": "assistant", "content": content}]}, "m", False)
    again = request.messages[0].parts
    if isinstance(part, Text):
        assert isinstance(again[0], Text) and (again[0].text, again[0].signature) == (part.text, part.signature)
    elif isinstance(part, ToolCall) and not part.custom:
        assert isinstance(again[0], ToolCall) and (again[0].id, again[0].name, again[0].signature) == (part.id, part.name, part.signature)
    elif isinstance(part, Thinking | Native) or (isinstance(part, Media) and part.kind == "image"):
        assert again == [part]


def test_a_reply_has_what_the_client_requires() -> None:
    """Id, model and usage are there even where the provider stated none; a stop sequence is named."""
    message = whole(written(Reply(choices=[Choice([Text("x")], "stop_sequence", stop_sequence="END")])))
    assert message.id.startswith("msg_") and message.model == "claude-opus-5" and message.usage.input_tokens == 0
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    assert whole(written(Reply())).content == []


def test_usage_is_what_the_client_counts() -> None:
    """input_tokens is what was neither read from a cache nor written to one, whole and streamed."""
    reply = Reply("r", "m", choices=[Choice([Text("x")])], usage=USED, service_tier="default")
    usage = whole(written(reply)).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.output_tokens) == (50, 30, 20, 50)
    assert usage.cache_creation is not None and usage.cache_creation.ephemeral_1h_input_tokens == 5
    assert usage.output_tokens_details is not None and usage.output_tokens_details.thinking_tokens == 10
    assert usage.service_tier == "standard"
    late = streamed(rewritten([Began("r", "m"), PartBegan(0, Text()), Delta(0, "x"), Ended("stop"), UsageStated(USED)])).usage
    assert (late.input_tokens, late.cache_read_input_tokens, late.cache_creation_input_tokens, late.output_tokens) == (50, 30, 20, 50)
    assert DIALECT.read_reply(json.loads(written(reply))).usage == USED


@pytest.mark.parametrize(("finish", "word"), [
    ("stop", "end_turn"), ("stop_sequence", "stop_sequence"), ("length", "max_tokens"), ("tool_calls", "tool_use"), ("refusal", "refusal"),
    ("content_filter", "refusal"), ("pause", "pause_turn"), ("context_window", "model_context_window_exceeded"),
])
def test_ends_have_their_words(finish: FinishReason, word: str) -> None:
    """Every way to end is one of the words that the client knows, and is read again as what it was."""
    body = json.loads(written(Reply(choices=[Choice([], finish)])))
    assert body["stop_reason"] == word
    assert DIALECT.read_reply(body).choices[0].finish == (finish if finish != "content_filter" else "refusal")


def test_unknown_ends_keep_their_word() -> None:
    """A stop_reason that is not known ends the reply and stays readable."""
    choice = DIALECT.read_reply({"content": [], "stop_reason": "brand_new"}).choices[0]
    assert (choice.finish, choice.raw_finish) == ("stop", "brand_new")


def test_explained_refusals_survive() -> None:
    """The explanation that Anthropic gives beside the content is a refusal for others, and comes back to its own clients."""
    details: dict[str, object] = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    body: dict[str, object] = {"id": "m", "type": "message", "content": [], "model": "m", "stop_reason": "refusal", "stop_details": details}
    reply = DIALECT.read_reply(body)
    assert reply.choices[0].parts == [Refusal("Not this.", Native(NAME, details))]
    assert json.loads(written(reply))["stop_details"] == details and json.loads(written(reply))["content"] == []
    stream = stream_of(
        {"type": "message_start", "message": {"id": "m", "model": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 0}}},
        {"type": "message_delta", "usage": {"output_tokens": 1}, "delta": {
            "stop_reason": "refusal", "stop_sequence": None, "stop_details": details}},
        {"type": "message_stop"},
    )
    assert assembled(events_of([stream])).choices[0].parts == reply.choices[0].parts
    final = streamed(rewritten(events_of([stream])))
    assert final.stop_details is not None and final.stop_details.explanation == "Not this." and final.content == []


def test_answers_in_a_forced_tool_are_text() -> None:
    """Where a schema was a forced tool, its arguments are the answer's text, whole and streamed; free text is what it was."""
    calls = [
        {"type": "tool_use", "id": "t1", "name": "fastgw_output_n", "input": {"a": "ü"}},
        {"type": "tool_use", "id": "t2", "name": "fastgw_text_patch", "input": {"input": "*** a\n"}},
        {"type": "tool_use", "id": "t3", "name": "ns_x2e_f", "input": {}},
    ]
    reply = DIALECT.read_reply({"content": calls, "stop_reason": "tool_use"})
    assert reply.choices[0].parts == [Text('{"a":"ü"}'), ToolCall("t2", "patch", "*** a\n", custom=True), ToolCall("t3", "ns.f", "{}")]
    assert reply.choices[0].finish == "tool_calls"
    assert DIALECT.read_reply({"content": calls[:1], "stop_reason": "tool_use"}).choices[0].finish == "stop"
    assert DIALECT.read_reply({"content": calls[:1], "stop_reason": "max_tokens"}).choices[0].finish == "length"

    def streamed_calls(count: int) -> Reply:
        events: list[dict[str, Any]] = [{"type": "message_start", "message": {"content": []}}]
        for index, call in enumerate(calls[:count]):
            events.append({"type": "content_block_start", "index": index, "content_block": {**call, "input": {}}})
            text = json.dumps(call["input"], ensure_ascii=False, separators=(",", ":")) if call["input"] else ""
            events += [{"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": piece}}
                       for piece in (text[:4], text[4:])]
            events.append({"type": "content_block_stop", "index": index})
        events.append({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 1}})
        return assembled(events_of([stream_of(*events, {"type": "message_stop"})]))

    assert streamed_calls(3).choices == reply.choices
    assert streamed_calls(1).choices[0].finish == "stop"


def test_arguments_that_are_no_json_are_kept() -> None:
    """A call that was cut short reaches the client as the model said it."""
    body = json.loads(written(Reply(choices=[Choice([ToolCall("c", "f", '{"a": "b')], "length")])))
    assert body["content"][0]["input"] == '{"a": "b'
    part = DIALECT.read_reply(body).choices[0].parts[0]
    assert isinstance(part, ToolCall) and part.arguments == '{"a": "b'


def test_plain_client_reads_both_ways() -> None:
    """The client's plain methods, without betas, read what is written: create, stream and raw events."""
    reply = Reply("r1", "m", choices=[Choice([Text("Hi"), ToolCall("c", "f", '{"a":1}')], "tool_calls")], usage=USED)
    question: Any = [{"role": "user", "content": "?"}]
    message = client_of(written(reply)).messages.create(model="claude-opus-5", max_tokens=9, messages=question)
    stream = rewritten(events_of_reply(reply))
    with client_of(stream, "text/event-stream").messages.stream(model="claude-opus-5", max_tokens=9, messages=question) as told:
        assert "".join(told.text_stream) == "Hi"
        final = told.get_final_message()
    assert [block.type for block in message.content] == [block.type for block in final.content] == ["text", "tool_use"]
    assert (message.stop_reason, final.stop_reason, final.usage.output_tokens) == ("tool_use", "tool_use", 50)
    raw = client_of(stream, "text/event-stream").messages.create(model="claude-opus-5", max_tokens=9, messages=question, stream=True)
    assert [event.type for event in raw][-1] == "message_stop"


@pytest.mark.parametrize("body", [{}, {"content": "text"}, {"type": "error", "error": {}}])
def test_what_is_no_reply_is_refused(body: dict[str, Any]) -> None:
    """An object without content is no message."""
    with pytest.raises(ValueError, match="expected a message"):
        DIALECT.read_reply(body)


@given(st.lists(BLOCK, max_size=4), JSON, JSON, JSON)
def test_odd_replies_are_read(content: list[Any], usage: Any, reason: Any, details: Any) -> None:
    """Members of other types than expected are as if they were not there, and the client can read what is written."""
    reply = DIALECT.read_reply({"content": content, "usage": usage, "stop_reason": reason, "stop_details": details})
    json.loads(written(reply))
    rewritten(events_of_reply(reply))
