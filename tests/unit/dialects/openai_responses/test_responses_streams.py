"""A provider's stream is read whatever it leaves out, and ends in one Broke where it breaks; hostile input never crashes anything."""

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.dialects.assembly import Assembler
from fastgw.dialects.canonical import Broke, Event, Native, Refusal, Reply, Text, Thinking, ToolCall
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_responses import DIALECT
from fastgw.errors import GatewayError

NAME = "openai_responses"
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
WORDS = {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": ""}
USAGE = {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 2,
         "output_tokens_details": {"reasoning_tokens": 1}}
Told = dict[str, Any]


def created(**members: Any) -> Told:
    return {"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 5, **members}}


def completed(*output: Told, **members: Any) -> Told:
    response = {"id": "resp_1", "status": "completed", "output": list(output), "usage": USAGE, **members}
    return {"type": "response.completed", "response": response}


def added(item: Told, at: int = 0) -> Told:
    return {"type": "response.output_item.added", "output_index": at, "item": item}


def done(item: Told, at: int = 0) -> Told:
    return {"type": "response.output_item.done", "output_index": at, "item": item}


def delta(kind: str, words: str, at: int = 0, **place: int) -> Told:
    return {"type": f"response.{kind}.delta", "output_index": at, "delta": words, **place}


def read(*told: Told | bytes) -> list[Event]:
    reader = DIALECT.stream_reader()
    events: list[Event] = []
    for one in told:
        events += reader.read("", one if isinstance(one, bytes) else json.dumps(one).encode())
    return events + reader.finish()


def reply_of(*told: Told) -> Reply:
    assembler = Assembler()
    assembler.take(read(*told))
    assert assembler.failure is None
    return assembler.finish()


def parts_of(*told: Told) -> list[Any]:
    return reply_of(created(), *told, completed()).choices[0].parts


def native(**value: object) -> Native:
    return Native(NAME, value)


STREAMS: list[tuple[list[Told], list[Any]]] = [
    # no content_part.added, no dones
    ([added(MESSAGE), delta("output_text", "hel"), delta("output_text", "lo")],
     [Text("hello", native=native(id="msg_1", status="in_progress"))]),
    # no deltas, only what is done
    ([added(MESSAGE), {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hello"}],
     [Text("hello", native=native(id="msg_1", status="in_progress"))]),
    # nothing but the item at its end; its status is the last
    ([added(MESSAGE), done({**MESSAGE, "status": "completed", "content": [WORDS, {"type": "refusal", "refusal": "no"}]})],
     [Text("hello", native=native(id="msg_1", status="completed")), Refusal("no", native(id="msg_1", status="completed"))]),
    ([done({**MESSAGE, "status": "completed", "content": [WORDS]})], [Text("hello", native=native(id="msg_1", status="completed"))]),
    ([added(MESSAGE), delta("refusal", "no"), done({**MESSAGE, "status": "completed"})],
     [Refusal("no", native(id="msg_1", status="completed"))]),
    ([added(CALL), delta("function_call_arguments", '{"a"'), delta("function_call_arguments", ":1}"),
      done({**CALL, "arguments": '{"a":1}'})],
     [ToolCall("c1", "f", '{"a":1}', native=native(id="fc_1"))]),
    ([added(CALL), done({**CALL, "arguments": "{}", "status": "completed"})],
     [ToolCall("c1", "f", "{}", native=native(id="fc_1", status="completed"))]),
    ([added({"type": "custom_tool_call", "call_id": "c1", "name": "g", "input": ""}), delta("custom_tool_call_input", "free")],
     [ToolCall("c1", "g", "free", True, native=native())]),
    ([added({**CALL, "call_id": "call_0"})], [ToolCall("call_0_resp_1", "f", native=native(id="fc_1"))]),
    # a thought in two entries, its secret at the end
    ([added(REASONING), delta("reasoning_summary_text", "a", summary_index=0), delta("reasoning_summary_text", "b", summary_index=1),
      done({**REASONING, "encrypted_content": "secret"})],
     [Thinking("a", id="rs_1", summary=True, dialect=NAME), Thinking("b", id="rs_1", encrypted="secret", summary=True, dialect=NAME)]),
    ([added(REASONING), delta("reasoning_text", "raw", content_index=0)], [Thinking("raw", id="rs_1", dialect=NAME)]),
    ([added(REASONING), done({**REASONING, "encrypted_content": "secret"})], [Thinking(id="rs_1", encrypted="secret", dialect=NAME)]),
    # a fastgw before another: proofs of third dialects
    ([added({**REASONING, "encrypted_content": "fastgw:1:anthropic_messages:thinking:"}), delta("reasoning_summary_text", "hm"),
      done({**REASONING, "encrypted_content": "fastgw:1:anthropic_messages:thinking:c2ln"})],
     [Thinking("hm", "c2ln", dialect="anthropic_messages")]),
    ([done({**REASONING, "encrypted_content": "fastgw:1:gemini_generate:call:c1:c2ln"}), added(CALL, 1),
      done({**CALL, "arguments": "{}"}, 1), done({**MESSAGE, "content": [WORDS]}, 2),
      done({**REASONING, "encrypted_content": "fastgw:1:gemini_generate:text:dGV4dA=="}, 3)],
     [ToolCall("c1", "f", "{}", signature="c2ln", native=native(id="fc_1")),
      Text("hello", signature="dGV4dA==", native=native(id="msg_1", status="in_progress"))]),
    ([added({"type": "web_search_call", "id": "ws_1"}), {"type": "response.web_search_call.searching", "output_index": 0},
      done({"type": "web_search_call", "id": "ws_1", "status": "completed"})],
     [native(type="web_search_call", id="ws_1", status="completed")]),
    ([done(MESSAGE), done(MESSAGE), {"type": "response.later", "delta": 5}, added({})], []),
]


@pytest.mark.parametrize(("told", "parts"), STREAMS)
def test_streams_are_read_with_what_they_leave_out(told: list[Told], parts: list[Any]) -> None:
    """Whatever events a provider leaves out or adds, the parts are those that it means."""
    assert parts_of(*told) == parts


def test_annotations_come_once() -> None:
    """An annotation that had an event of its own is not taken from the item again; one that had none is."""
    first, second = {"type": "url_citation", "url": "https://a.example"}, {"type": "url_citation", "url": "https://b.example"}
    event = {"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": first}
    whole = {**MESSAGE, "content": [{**WORDS, "annotations": [first, second]}]}
    [text] = parts_of(added(MESSAGE), delta("output_text", "hello"), event, done(whole))
    assert [citation.native for citation in text.citations] == [first, second]


def test_items_are_known_by_their_ids() -> None:
    """Where events count items from elsewhere than the response does, none is read twice."""
    whole = {**MESSAGE, "content": [WORDS]}
    events = [created(), added(MESSAGE, 5), delta("output_text", "hello", 5), done(whole, 5), completed(whole)]
    assert [part.text for part in reply_of(*events).choices[0].parts if isinstance(part, Text)] == ["hello"]


def test_a_response_that_comes_only_at_the_end_is_read() -> None:
    """Where the last event is the only one, its output is the reply."""
    reply = reply_of(completed({**MESSAGE, "content": [WORDS]}, {**CALL, "arguments": "{}"}, model="m"))
    assert [type(part) for part in reply.choices[0].parts] == [Text, ToolCall]
    assert (reply.id, reply.model, reply.choices[0].finish) == ("resp_1", "m", "tool_calls")
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.cache_read_tokens, reply.usage.reasoning_tokens) == (3, 1, 1)


ENDS = [
    ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length", "max_output_tokens"),
    ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter", "content_filter"),
    ({"status": "incomplete", "incomplete_details": None}, "length", "incomplete"),
    ({"status": "completed"}, "stop", "completed"),
]


@pytest.mark.parametrize(("members", "finish", "raw"), ENDS)
def test_statuses_are_ends(members: Told, finish: str, raw: str) -> None:
    """Why a response is incomplete is why the reply ended, streamed or not."""
    choice = reply_of(created(), {**completed(**members), "type": f"response.{members['status']}"}).choices[0]
    assert (choice.finish, choice.raw_finish) == (finish, raw)
    whole = DIALECT.read_reply({"object": "response", "output": [], **members}).choices[0]
    assert (whole.finish, whole.raw_finish) == (finish, raw)


BREAKS: list[tuple[list[Told | bytes], str, str]] = [
    ([created(), b"garbage"], "server", "garbage"),
    ([created(), b'{"type": "response.output_text.delta", "delta": 5}'], "server", "Expected `str`"),
    ([created(), b'{"type": "response.output_text.delta", "output_index": "0"}'], "server", "Expected `int`"),
    ([created(), b'{"type": "response.output_item.done", "item": "\xff"}'], "server", "expected an event"),
    ([b"[1]"], "server", "expected an event"),
    ([b"{}"], "server", "no type"),
    ([created(), {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}], "rate_limit", "slow down"),
    ([created(), {"type": "error", "error": {"type": "invalid_request_error", "code": "context_length_exceeded", "message": "too long"}}],
     "context_window", "too long"),
    ([{"error": {"code": 429, "message": "slow down"}}], "rate_limit", "slow down"),
    ([created(), {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "oops"}}}], "server", "oops"),
]


@pytest.mark.parametrize(("told", "kind", "message"), BREAKS)
def test_a_stream_breaks_once(told: list[Told | bytes], kind: str, message: str) -> None:
    """An error or garbage is exactly one Broke, says what it was, and is the last event whatever follows."""
    events = read(*told, delta("output_text", "more"), completed())
    [broke] = [event for event in events if isinstance(event, Broke)]
    assert broke is events[-1]
    assert (broke.failure.kind, message in broke.failure.message) == (kind, True), broke.failure.message


@pytest.mark.parametrize("told", [[], [created(), added(MESSAGE), delta("output_text", "hel")]])
def test_a_stream_that_ends_early_breaks(told: list[Told]) -> None:
    """A stream without its last event ends in one Broke, after what there was."""
    *before, broke = read(*told)
    assert isinstance(broke, Broke)
    assert "ended before its response was completed" in broke.failure.message
    assert not any(isinstance(event, Broke) for event in before)


def test_done_of_chat_completions_is_passed_over() -> None:
    """Some servers end the stream as that of the other dialect ends."""
    assert not [event for event in read(created(), completed(), b"[DONE]") if isinstance(event, Broke)]
    assert not [event for event in read(created(), b"[DONE]", completed()) if isinstance(event, Broke)]


@pytest.mark.parametrize("body", [
    {}, {"object": "list", "data": []}, {"output": "hi"}, {"output": [], "status": "in_progress"},
    {"output": [], "status": "failed", "error": {"code": "server_error", "message": "oops"}},
])
def test_what_is_no_finished_response_is_refused(body: Told) -> None:
    """A body that is no response, or a response that failed or goes on, is a ValueError."""
    with pytest.raises(ValueError, match="expected a"):
        DIALECT.read_reply(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
        ["", "hi", "message", "function_call", "reasoning", "output_text", "fastgw:1:", "fastgw:1:a:call:x", "call_0", "completed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "role", "content", "text", "id", "call_id", "summary", "output", "arguments", "encrypted_content"]),
        inner, max_size=4), max_leaves=8)
REQUEST: Told = {
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": "https://a.example"}]},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"}],
    "tools": [{"type": "function", "name": "f", "parameters": {}}], "tool_choice": {"type": "function", "name": "f"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}, "reasoning": {"effort": "low"}, "include": ["x"],
}
TOLD: list[Told] = [
    created(), added(REASONING), delta("reasoning_summary_text", "a", summary_index=0), done({**REASONING, "encrypted_content": "e"}),
    added(MESSAGE, 1), {"type": "response.content_part.added", "output_index": 1, "content_index": 0, "part": {**WORDS, "text": ""}},
    delta("output_text", "hello", 1, content_index=0), done({**MESSAGE, "content": [WORDS]}, 1), added(CALL, 2),
    delta("function_call_arguments", "{}", 2), done({**CALL, "arguments": "{}"}, 2), completed(),
]


def changed(value: Any, choices: list[int], other: Any) -> Any:
    """The value with one of its members, found by the choices, put in place by another."""
    value = copy.deepcopy(value)
    at = value
    for choice in choices:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return value
        key = keys[choice % len(keys)]
        if choice is choices[-1] or not isinstance(at[key], dict | list):
            at[key] = other
            return value
        at = at[key]
    return value


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), JSON)
def test_hostile_requests_are_refused_or_written(choices: list[int], other: Any) -> None:
    """A request with anything in the place of any member is an InvalidRequest, or can be written."""
    assert DIALECT.read_request is not None
    try:
        request = DIALECT.read_request(changed(REQUEST, choices, other), "m", False)
    except GatewayError as refused:
        assert refused.code == "invalid_request"
        assert refused.param is not None
        return
    msgspec.json.encode(DIALECT.write_request(request, Notes(), frozenset({"calls_last"})))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), JSON)
def test_hostile_replies_are_refused_or_written(choices: list[int], other: Any) -> None:
    """A response with anything in the place of any member is a ValueError, or can be written."""
    assert DIALECT.read_request is not None
    assert DIALECT.write_reply is not None
    output: list[Told] = [{**REASONING, "encrypted_content": "e"}, {**MESSAGE, "content": [WORDS]}, {**CALL, "arguments": "{}"}]
    try:
        reply = DIALECT.read_reply(changed({"object": "response", **completed(*output)["response"]}, choices, other))
    except ValueError:
        return
    msgspec.json.encode(DIALECT.write_reply(reply, DIALECT.read_request({"input": "hi"}, "m", False)))


@settings(max_examples=500, deadline=None)
@given(st.lists(st.integers(0, 15), min_size=1, max_size=5), JSON, st.permutations(range(len(TOLD))) | st.just(list(range(len(TOLD)))))
def test_hostile_streams_end_once(choices: list[int], other: Any, order: list[int]) -> None:
    """Events in any order, with anything in the place of any member, end in at most one Broke, which is the last; all can be written."""
    assert DIALECT.read_request is not None
    assert DIALECT.stream_writer is not None
    told = changed(TOLD, choices, other)
    events = read(*(json.dumps(told[at]).encode() for at in order))
    assert all(not isinstance(event, Broke) for event in events[:-1])
    writer = DIALECT.stream_writer(DIALECT.read_request({"input": "hi"}, "m", True))
    assert writer.write(events) + writer.finish()
