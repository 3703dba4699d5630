"""What a caller of the Responses API gets, whole or streamed, is what the official client reads, whatever dialect the answer came in."""

import copy
from typing import Any

import msgspec
import pytest
from openai import APIError
from openai.types.responses import Response

from fastgw.dialects.assembly import events_of
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Choice,
    Citation,
    Delta,
    Ended,
    Event,
    Failure,
    FinishReason,
    Logprob,
    Media,
    Native,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.openai_responses import DIALECT
from tests.unit.dialects.openai_responses.responses_seen import events_in, parsed, seen_by_client, streamed

BODY: dict[str, Any] = {
    "model": "asked", "input": "hi", "instructions": "be brief", "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 50,
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}], "tool_choice": "required",
    "parallel_tool_calls": False, "metadata": {"a": "b"}, "text": {"format": {"type": "text"}, "verbosity": "low"},
    "reasoning": {"effort": "low"}, "truncation": "auto", "safety_identifier": "u",
}


def asked(**body: Any) -> Request:
    assert DIALECT.read_request is not None
    return DIALECT.read_request({"input": "hi", "model": "asked", **body}, "", False)


def whole(parts: list[Part], finish: FinishReason = "stop", usage: Usage | None = None, logprobs: list[Logprob] | None = None) -> Response:
    """A reply, as the client parses it when it was not streamed; its types must hold."""
    assert DIALECT.write_reply is not None
    reply = Reply("resp_1", "gave", 5, [Choice(copy.deepcopy(parts), finish, logprobs=logprobs)], usage)
    written = msgspec.json.encode(DIALECT.write_reply(reply, asked()))
    Response.model_validate_json(written)
    return parsed(written)


def stream_of(events: list[Event], request: Request | None = None) -> bytes:
    assert DIALECT.stream_writer is not None
    writer = DIALECT.stream_writer(request or asked())
    return b"".join(writer.write([event]) for event in events) + writer.finish()


def without_ids(response: Any) -> list[Any]:
    return [(item[0], *item[2:]) if item[0] == "message" else item for item in seen_by_client(response)["items"]]


def test_reply_repeats_what_was_asked() -> None:
    """A response repeats the members of its request, and says that nothing is stored."""
    assert DIALECT.write_reply is not None
    written = DIALECT.write_reply(Reply(model="gave", choices=[Choice([Text("hi")])]), asked(**BODY))
    repeated = {name: value for name, value in BODY.items() if name not in ("input", "model", "reasoning")}
    assert {name: written[name] for name in repeated} == repeated
    assert (written["reasoning"], written["model"], written["store"]) == ({"effort": "low", "summary": None}, "gave", False)
    plain = DIALECT.write_reply(Reply(choices=[Choice([Text("hi")])]), asked())
    assert (plain["tools"], plain["tool_choice"], plain["metadata"], plain["model"]) == ([], "auto", {}, "asked")
    assert str(plain["id"]).startswith("resp_")
    assert plain["created_at"]


PARTS: list[tuple[list[Part], list[Any]]] = [
    ([Text("hello")], [("message", [("output_text", "hello", [])])]),
    ([Text("a"), Text("b"), Refusal("no")], [("message", [("output_text", "a", []), ("output_text", "b", []), ("refusal", "no", [])])]),
    ([ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", ""), ToolCall("c3", "h", "free", True)],
     [("call", "function_call", "c1", "f", '{"a":1}'), ("call", "function_call", "c2", "g", "{}"),
      ("call", "custom_tool_call", "c3", "h", "free")]),
    ([Thinking("hm", "c2ln", dialect="anthropic_messages"), Thinking(redacted="b3A=", dialect="anthropic_messages"), Text("so")],
     [("thought", ["hm"], [], "fastgw:1:anthropic_messages:thinking:c2ln"),
      ("thought", [], [], "fastgw:1:anthropic_messages:redacted:b3A="), ("message", [("output_text", "so", [])])]),
    ([Thinking("a", id="rs_1", summary=True, dialect="openai_responses"),
      Thinking("b", id="rs_1", encrypted="secret", summary=True, dialect="openai_responses")], [("thought", ["a", "b"], [], "secret")]),
    ([Thinking("raw", id="rs_1", dialect="openai_responses")], [("thought", [], ["raw"], None)]),
    ([Thinking("plain")], [("thought", ["plain"], [], "fastgw:1::thinking:")]),
    ([ToolCall("c1", "f", "{}", signature="c2ln"), Text("so", signature="dGV4dA==")],
     [("thought", [], [], "fastgw:1:gemini_generate:call:c1:c2ln"), ("call", "function_call", "c1", "f", "{}"),
      ("message", [("output_text", "so", [])]), ("thought", [], [], "fastgw:1:gemini_generate:text:dGV4dA==")]),
    ([Text("see", [Citation(0, 3, "https://a.example", "A"), Citation(title="doc", document=1, cited="x"), Citation(url="https://b.example")])],
     [("message", [("output_text", "see", [
         {"type": "url_citation", "start_index": 0, "end_index": 3, "url": "https://a.example", "title": "A"},
         {"type": "file_citation", "file_id": "", "filename": "doc", "index": 1},
         {"type": "url_citation", "start_index": 0, "end_index": 3, "url": "https://b.example", "title": ""}])])]),
    ([Media("image", "aGk=", media_type="image/png"), Media("audio", "aGk=", transcript="said")],
     [("native", "image_generation_call"), ("message", [("output_text", "said", [])])]),
    ([Native("openai_responses", {
        "type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}),
      Native("anthropic_messages", {"type": "server_tool_use"})], [("native", "web_search_call")]),
]


@pytest.mark.parametrize(("parts", "items"), PARTS)
def test_parts_are_items_to_the_client(parts: list[Part], items: list[Any]) -> None:
    """The client finds each part in its item, whether the reply came whole or streamed, and each event is as its types say."""
    assert without_ids(whole(parts)) == items
    stream = stream_of(events_of(Reply("resp_1", "gave", 5, [Choice(copy.deepcopy(parts))], Usage(3, 4))))
    events_in(stream)
    assert without_ids(streamed(stream)) == items


ENDS: list[tuple[FinishReason, list[Part], str, str | None]] = [
    ("stop", [Text("a")], "completed", None),
    ("stop_sequence", [Text("a")], "completed", None),
    ("tool_calls", [ToolCall("c", "f", "{}")], "completed", None),
    ("refusal", [Refusal("no")], "completed", None),
    ("refusal", [Text("a")], "incomplete", "content_filter"),
    ("length", [Text("a")], "incomplete", "max_output_tokens"),
    ("context_window", [Text("a")], "incomplete", "max_output_tokens"),
    ("content_filter", [], "incomplete", "content_filter"),
    ("pause", [Text("a")], "incomplete", None),
    ("error", [Text("a")], "failed", None),
]


@pytest.mark.parametrize(("finish", "parts", "status", "reason"), ENDS)
def test_ends_are_statuses(finish: FinishReason, parts: list[Part], status: str, reason: str | None) -> None:
    """Why a reply ended is its status, the reason of what is incomplete, and the last event of its stream."""
    response = whole(parts, finish)
    assert response.status == status
    assert (response.incomplete_details.reason if response.incomplete_details else None) == reason
    last = events_in(stream_of(events_of(Reply(choices=[Choice(parts, finish)]))))[-1]
    assert (last.type, last.response.status) == (f"response.{status}", status)
    if status == "incomplete" and parts:
        assert last.response.output[-1].status == "incomplete"


def test_usage_and_logprobs_reach_the_client() -> None:
    """Usage counts all of the input; log probabilities stand at the words."""
    usage = Usage(10, 5, 4, 3, 1, 2)
    logprobs = [Logprob("hi", -0.5, None, [Logprob("ho", -1.0, [104, 111])])]
    response = whole([Text("hi")], usage=usage, logprobs=logprobs)
    assert response.usage is not None
    assert response.usage.to_dict() == {
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}, "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 15}
    other = {"token": "ho", "logprob": -1.0, "bytes": [104, 111]}
    expected = [{"token": "hi", "logprob": -0.5, "bytes": [104, 105], "top_logprobs": [other]}]
    message: Any = response.output[0]
    assert [one.to_dict() for one in message.content[0].logprobs] == expected
    final: Any = streamed(stream_of(events_of(Reply(choices=[Choice([Text("hi")], logprobs=logprobs)])))).output[0]
    assert [one.to_dict() for one in final.content[0].logprobs] == expected


def test_stream_has_every_event_in_order() -> None:
    """The events of words, a thought and a call come in the order that OpenAI sends them in, numbered from 0."""
    parts: list[Part] = [Thinking("hm", "c2ln", dialect="a"), Text("hi", [Citation(0, 2, "https://a.example")]), Refusal("no"),
                         ToolCall("c", "f", "{}"), ToolCall("d", "g", "x", True)]
    stream = stream_of(events_of(Reply(choices=[Choice(parts, "tool_calls")])))
    summary, content = "response.reasoning_summary_", "response.content_part."
    assert [event.type for event in events_in(stream)] == [
        "response.created", "response.in_progress",
        "response.output_item.added", f"{summary}part.added", f"{summary}text.delta", f"{summary}text.done", f"{summary}part.done",
        "response.output_item.done",
        "response.output_item.added", f"{content}added", "response.output_text.delta", "response.output_text.annotation.added",
        "response.output_text.done", f"{content}done",
        f"{content}added", "response.refusal.delta", "response.refusal.done", f"{content}done", "response.output_item.done",
        "response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.done",
        "response.output_item.done",
        "response.output_item.added", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_late_deltas_are_not_lost() -> None:
    """Deltas of calls and words that interleave, or come when their part has ended, are in the final response; so are late proofs."""
    events: list[Event] = [
        Began("r", "m"), PartBegan(0, ToolCall("c1", "f")), Delta(0, '{"a"'), PartEnded(0),
        PartBegan(1, Text()), Delta(1, "so"), PartEnded(1),
        PartBegan(2, ToolCall("c2", "g")), Delta(0, ":1}"), Delta(2, "{}"), Delta(1, " far"), Delta(2, signature="c2ln"), PartEnded(2),
        PartBegan(3, Thinking(dialect="openai_responses", id="rs_1")), Delta(3, encrypted="secret"), Delta(3, "other", choice=1),
        UsageStated(Usage(1)), Ended("tool_calls"), UsageStated(Usage(1, 2)),
    ]
    response = streamed(stream_of(events))
    assert without_ids(response) == [
        ("call", "function_call", "c1", "f", '{"a":1}'), ("message", [("output_text", "so far", [])]),
        ("call", "function_call", "c2", "g", "{}"),
        ("thought", [], [], "fastgw:1:gemini_generate:call:c2:c2ln"), ("thought", [], [], "secret")]
    assert response.usage is not None
    assert response.usage.total_tokens == 3


def test_calls_may_interleave() -> None:
    """Calls that are announced before their arguments come keep them apart, and one without arguments has an empty object."""
    events: list[Event] = [
        Began("r", "m"), *(PartBegan(at, ToolCall(f"c{at}", "f")) for at in range(4)), PartEnded(0),
        Delta(1, "[1"), Delta(2, "[2"), Delta(1, "]"), Delta(0, "[0]"), PartEnded(1), Delta(2, "]"), PartEnded(2), PartEnded(3),
        Ended("tool_calls"),
    ]
    stream = stream_of(events)
    events_in(stream)
    assert [item[4] for item in without_ids(streamed(stream))] == ["[0]", "[1]", "[2]", "{}"]


def test_a_broken_stream_raises_in_the_client() -> None:
    """Broke ends the stream with an error that the official client raises, and with the failed response that others look for; once."""
    broke = Broke(Failure(429, "rate_limit", "try again later"))
    stream = stream_of([Began("r", "m"), PartBegan(0, Text()), Delta(0, "so far"), broke, Delta(0, "more"), Ended("stop")])
    *_, error, failed = events_in(stream)
    assert (error.type, error.message, error.code) == ("error", "try again later", "rate_limit_exceeded")
    assert (failed.type, failed.response.error.message, failed.response.output[0].content[0].text) == (
        "response.failed", "try again later", "so far")
    with pytest.raises(APIError, match="try again later"):
        streamed(stream)
    assert [event.type for event in events_in(stream_of([broke]))] == ["error", "response.failed"]


def test_an_empty_stream_is_a_response_without_output() -> None:
    """Where a stream has no part at all, the client still gets a whole response."""
    assert streamed(stream_of([Ended("stop")])).output == []
