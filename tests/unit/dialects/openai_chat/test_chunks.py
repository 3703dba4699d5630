"""Chunks of any make are read, and events are written as OpenAI's clients expect them: a case of our own for each."""

import json
from typing import Any

import pytest

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
    Logprob,
    Media,
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
from fastgw.dialects.openai_chat.request import read_request
from tests.unit.dialects.openai_chat.streaming import accumulated, assembled, chunks_in, events_in, written


def stream_of(*chunks: object) -> bytes:
    """A stream of these chunks."""
    return b"".join(b"data: " + (chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()) + b"\n\n" for chunk in chunks)


def delta(finish: str | None = None, **members: object) -> dict[str, object]:
    """A chunk of one delta."""
    return {"id": "c", "model": "m", "created": 7, "choices": [{"index": 0, "delta": members, "finish_reason": finish}]}


def parts_of(*chunks: object) -> list[Any]:
    """The parts that these chunks make, followed by [DONE]."""
    return list(assembled(events_in([stream_of(*chunks, b"[DONE]")])).choices[0].parts)


def call(number: object = None, **members: object) -> dict[str, object]:
    """An entry of tool_calls in a delta."""
    function = {name: members.pop(name) for name in ("name", "arguments") if name in members}
    return ({} if number is None else {"index": number}) | members | {"function": function}


@pytest.mark.parametrize(
    ("entries", "calls"),
    [
        ([call(0, id="a", name="f", arguments=""), call(0, arguments="{}")], [("a", "f", "{}")]),
        ([call(id="a", name="f", arguments="{}"), call(id="b", name="g", arguments="{}")], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(id="a", name="f"), call(arguments="{"), call(arguments="}")], [("a", "f", "{}")]),
        ([call(0, id="a", name="f", arguments="{"), call(0, id="a", name="f", arguments="}")], [("a", "f", "{}")]),
        (
            [
                call(0, id="a", name="f", arguments="1"),
                call(1, id="b", name="g", arguments="2"),
                call(0, arguments="3"),
                call(1, arguments="4"),
            ],
            [("a", "f", "13"), ("b", "g", "24")],
        ),
        ([call(0, id="a", name="f", arguments="{}"), call(0, id="b", name="g", arguments="{}")], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(0, id="a"), call(0, arguments="{"), call(0, name="f", arguments="}")], [("a", "f", "{}")]),
        ([call(0, id="a", name="f", arguments={"x": 1})], [("a", "f", '{"x":1}')]),
        ([call(5, id="a", name="f", arguments="{}")], [("a", "f", "{}")]),
        ([call(0, id="a", arguments="{}")], [("a", "", "{}")]),
    ],
)
def test_calls_of_any_make_are_put_together(entries: list[dict[str, object]], calls: list[tuple[str, str, str]]) -> None:
    """With or without an index, in turn, repeated, whole or in pieces: each call gets its own arguments."""
    found = parts_of(*(delta(tool_calls=[entry]) for entry in entries), delta("tool_calls"))
    assert [(part.id, part.name, part.arguments) for part in found] == calls


@pytest.mark.parametrize(
    ("chunks", "parts"),
    [
        ([delta(content="a"), delta(content="b")], [Text("ab")]),
        ([delta(reasoning_content="hm"), delta(content="a")], [Thinking("hm"), Text("a")]),
        ([delta(reasoning="hm", reasoning_content="hm"), delta(content="a")], [Thinking("hm"), Text("a")]),
        ([delta(content="a", reasoning="hm")], [Thinking("hm"), Text("a")]),
        (
            [
                delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
                delta(content=[{"type": "text", "text": "a"}]),
            ],
            [Thinking("hm"), Text("a")],
        ),
        # LiteLLM: pieces of blocks beside the words, the proof last
        (
            [
                delta(reasoning_content="h", thinking_blocks=[{"type": "thinking", "thinking": "h"}]),
                delta(reasoning_content="m", thinking_blocks=[{"type": "thinking", "thinking": "m"}]),
                delta(reasoning_content="", thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "s"}]),
                delta(content="a"),
            ],
            [Thinking("hm", "s", dialect="anthropic_messages"), Text("a")],
        ),
        (
            [delta(thinking_blocks=[{"type": "redacted_thinking", "data": "x"}]), delta(content="a")],
            [Thinking(redacted="x", dialect="anthropic_messages"), Text("a")],
        ),
        # OpenRouter: details that repeat the words
        (
            [
                delta(
                    reasoning="h", reasoning_details=[{"type": "reasoning.text", "text": "h", "format": "anthropic-claude-v1", "index": 0}]
                ),
                delta(
                    reasoning="m", reasoning_details=[{"type": "reasoning.text", "text": "m", "format": "anthropic-claude-v1", "index": 0}]
                ),
                delta(reasoning_details=[{"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 0}]),
                delta(content="a"),
            ],
            [Thinking("hm", "s", dialect="anthropic_messages"), Text("a")],
        ),
        (
            [
                delta(
                    reasoning_details=[
                        {"type": "reasoning.encrypted", "data": "e", "id": "rs", "format": "openai-responses-v1", "index": 0}
                    ]
                )
            ],
            [Thinking(id="rs", encrypted="e", dialect="openai_responses")],
        ),
        ([delta(refusal="no"), delta(refusal="pe")], [Refusal("nope")]),
        (
            [
                delta(content="a"),
                delta(annotations=[{"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}]),
            ],
            [Text("a", [Citation(0, 1, "u", "t")])],
        ),
        (
            [delta(images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}])],
            [Media("image", data="aGk=", media_type="image/png")],
        ),
        (
            [
                delta(audio={"id": "au"}),
                delta(audio={"transcript": "h"}),
                delta(audio={"transcript": "i", "data": "aG"}),
                delta(audio={"data": "k="}),
            ],
            [Media("audio", data="aGk=", transcript="hi", audio_id="au")],
        ),
        ([delta(function_call={"name": "f", "arguments": ""}), delta(function_call={"arguments": "{}"})], None),
        (
            [
                delta(tool_calls=[{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": ""}}]),
                delta(tool_calls=[{"index": 0, "custom": {"input": "words"}}]),
            ],
            [ToolCall("a", "f", "words", custom=True)],
        ),
        (
            [
                delta(
                    tool_calls=[
                        {
                            "index": 0,
                            "id": "a",
                            "function": {"name": "f", "arguments": "{}"},
                            "extra_content": {"google": {"thought_signature": "s"}},
                        }
                    ]
                )
            ],
            [ToolCall("a", "f", "{}", signature="s")],
        ),
        (
            [delta(content="a"), delta(tool_calls=[call(0, id="c", name="f", arguments="{}")]), delta(content="b")],
            [Text("a"), ToolCall("c", "f", "{}"), Text("b")],
        ),
    ],
)
def test_pieces_of_any_make_are_put_together(chunks: list[object], parts: list[Any] | None) -> None:
    """Thoughts, words, refusals, citations, pictures, sounds and calls in each provider's way of streaming them."""
    found = parts_of(*chunks, delta("stop"))
    if parts is None:
        assert [(part.name, part.arguments) for part in found] == [("f", "{}")] and found[0].id
    else:
        assert found == parts


def ends_of(*chunks: object) -> list[Event]:
    """The events after the words."""
    return [event for event in events_in([stream_of(*chunks)]) if isinstance(event, Ended | UsageStated | Broke)]


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(content="a"), delta("stop"), {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}, b"[DONE]"],
        [delta(content="a"), delta("stop") | {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, b"[DONE]"],
        [delta(content="a"), delta("stop") | {"x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}}, b"[DONE]"],
        [delta(content="a"), delta("stop"), delta() | {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}],
        [delta(content="a"), delta("stop"), {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, b" [DONE] "],
        [delta(content="a"), delta("stop") | {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, delta("stop"), b"[DONE]"],
    ],
)
def test_usage_may_come_anywhere(chunks: list[object]) -> None:
    """In the last chunk, in one of its own, beside the finish, with [DONE] or without: one end and the usage."""
    assert ends_of(*chunks) == [Ended("stop", 0, "stop"), UsageStated(Usage(1, 2))]


def test_cumulative_usage_is_stated_as_it_grows() -> None:
    """A provider that states its usage in every chunk is believed each time, so that a caller who leaves is charged what was used."""
    stated = [delta(content="a") | {"usage": {"prompt_tokens": 1, "completion_tokens": count}} for count in (1, 2, 2)]
    assert [event.usage.output_tokens for event in ends_of(*stated, delta("stop"), b"[DONE]") if isinstance(event, UsageStated)] == [1, 2]


@pytest.mark.parametrize(
    ("chunks", "finish"),
    [
        ([delta(content="a"), b"[DONE]"], "stop"),
        ([delta(tool_calls=[call(0, id="a", name="f", arguments="{}")]), b"[DONE]"], "tool_calls"),
        ([delta(tool_calls=[call(0, id="a", name="f", arguments="{}")]), delta("stop")], "tool_calls"),
        ([delta(content="a"), delta("eos")], "stop"),
        ([delta(content="a"), delta("model_length")], "context_window"),
        ([{"choices": []}, {"choices": [{"index": 0, "delta": None}]}, delta("length")], "length"),
        ([{"choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]}], "stop"),
    ],
)
def test_ends_of_any_make_are_understood(chunks: list[object], finish: str) -> None:
    """Without a reason but with [DONE], in another's words, after empty choices and null deltas, as a whole message: one end."""
    assert [event.finish for event in ends_of(*chunks) if isinstance(event, Ended)] == [finish]


@pytest.mark.parametrize(
    ("chunks", "message", "status"),
    [
        ([delta(content="a"), {"error": {"message": "busy", "code": 529}}], "busy", 529),
        ([delta(content="a"), {"error": "busy"}], "busy", 502),
        ([delta(content="a"), delta() | {"error": {"message": "busy", "code": "overloaded_error"}}, b"[DONE]"], "busy", 503),
        ([{"object": "error", "message": "busy", "code": 503}], "busy", 503),
        ([delta(content="a"), b"{not json"], "expected a chunk to be JSON, got {not json", 502),
        ([delta(content="a"), b"[1]"], "expected a chunk to be a JSON object, got [1]", 502),
        ([delta(content="a"), {"choices": {"0": 1}}], "expected choices of a chunk to be an array", 502),
        ([delta(content="a"), {"choices": [{"index": 10**9, "delta": {"content": "b"}}]}], "expected at most 128 choices", 502),
        ([delta(content="a")], "the stream was cut short: expected a finish reason or [DONE]", 502),
        ([], "the stream ended before its first chunk", 502),
        ([b"[DONE]"], "the stream ended before its first chunk", 502),
        ([b"[" * 100_000], "expected a chunk to be JSON, got " + "[" * 60, 502),
    ],
)
def test_broken_streams_end_in_one_broke(chunks: list[object], message: str, status: int) -> None:
    """An error in mid-stream, rubbish or an early end is said once, and nothing after it."""
    events = events_in(
        [
            stream_of(
                *chunks,
                *(
                    []
                    if not chunks or len(chunks) < 2
                    else [delta(content="late"), b"[DONE]"]
                    if message != ("the stream was cut short: expected a finish reason or [DONE]")
                    else []
                ),
            )
        ]
    )
    broke = [event for event in events if isinstance(event, Broke)]
    assert broke == events[-1:] and [(event.failure.message, event.failure.status) for event in broke] == [(message, status)]


def test_blanks_keep_a_connection_alive() -> None:
    """Comments, empty data and chunks that say nothing are passed over."""
    stream = b": PROCESSING\n\ndata:\n\n" + stream_of({}, delta(content="a"), {"type": "ping"}, delta("stop")) + b"data: [DONE]\n\n"
    assert assembled(events_in([stream])).choices[0].parts == [Text("a")]


REPLY = Reply(
    "r1",
    "m",
    7,
    [
        Choice(
            [
                Thinking("hm", "sig", dialect="anthropic_messages"),
                Thinking(redacted="opaque", dialect="anthropic_messages"),
                Text("Hello", [Citation(0, 5, "https://a.example", "A")], signature="s2"),
                ToolCall("c1", "f", '{"a": 1}', signature="s3"),
                ToolCall("c2", "g", "words", custom=True),
                Media("image", data="aGk=", media_type="image/png"),
            ],
            "tool_calls",
            "tool_use",
            "",
            [Logprob("Hello", -0.1, [72])],
        ),
        Choice([Refusal("no")], "refusal", "stop"),
    ],
    Usage(3, 4, 1, reasoning_tokens=2),
    "flex",
    "fp",
)


def test_reply_survives_being_streamed() -> None:
    """A reply of every kind of part is the same after it was streamed to a caller and read again."""
    again = assembled(events_in([written(events_of(REPLY))]))
    assert again == REPLY


def test_thoughts_of_several_blocks_survive_being_streamed() -> None:
    """Blocks of thought keep their own proofs, summaries their encrypted words, wherever these come in the stream."""
    parts: list[Part] = [
        Thinking("a", "s1", dialect="anthropic_messages"),
        Thinking("b", "s2", dialect="gemini_generate"),
        Text("x"),
        Thinking("c"),
        Thinking("", "s3", dialect="anthropic_messages"),
    ]
    reply = Reply("r", "m", 7, [Choice(parts, "stop", "stop")])
    assert assembled(events_in([written(events_of(reply))])) == reply


def test_encrypted_thoughts_survive_being_streamed() -> None:
    """A summary and its encrypted words, which come last, reach a client of OpenAI's, and are one thought again when it sends them back."""
    events: list[Event] = [
        Began("r", "m", 7),
        PartBegan(0, Thinking(id="rs", summary=True, dialect="openai_responses")),
        Delta(0, "su"),
        Delta(0, "m"),
        Delta(0, encrypted="e"),
        PartEnded(0),
        PartBegan(1, Text()),
        Delta(1, "a"),
        PartEnded(1),
        Ended("stop"),
    ]
    stream = written(events)
    message = accumulated(stream).choices[0].message.to_dict()
    sent = {"role": "assistant", **{name: value for name, value in message.items() if value is not None}}
    thought = Thinking("sum", id="rs", encrypted="e", summary=True, dialect="openai_responses")
    assert read_request({"model": "m", "messages": [sent]}, "", False).messages[0].parts == [thought, Text("a")]
    again = assembled(events_in([stream])).choices[0].parts
    assert [part.text for part in again if isinstance(part, Thinking)] == ["sum", ""]


@pytest.mark.parametrize(
    "parts",
    [
        [Thinking("a", "s1", dialect="anthropic_messages"), Thinking("b", "s2", dialect="anthropic_messages"), Text("Hello")],
        [Thinking(redacted="x", dialect="anthropic_messages"), Text("Hello"), ToolCall("c", "f", "{}")],
        [Thinking("a", "s", dialect="gemini_generate"), Text("Hello", signature="t")],
        [ToolCall("c1", "f", "{}", signature="s"), ToolCall("c2", "f", "{}")],
        [Thinking("sum", id="rs", encrypted="e", summary=True, dialect="openai_responses"), Text("Hello")],
    ],
)
def test_a_client_that_sends_a_stream_back_loses_nothing(parts: list[Part]) -> None:
    """What the official client puts together of a stream is a message that brings every proof back."""
    message = accumulated(written(events_of(Reply(choices=[Choice(parts)])))).choices[0].message.to_dict()
    sent = {"role": "assistant", **{name: value for name, value in message.items() if value is not None}}
    assert read_request({"model": "m", "messages": [sent]}, "", False).messages[0].parts == parts


def test_words_are_sent_as_they_come() -> None:
    """The role first, a chunk a delta, the finish, the usage with no choices, [DONE]."""
    events: list[Event] = [
        Began("c", "m", 7),
        PartBegan(0, Text()),
        Delta(0, "He"),
        Delta(0, "llo"),
        PartEnded(0),
        Ended("stop", 0, "stop"),
        UsageStated(Usage(1, 2)),
    ]
    chunks = chunks_in(written(events))
    assert [chunk["choices"][0]["delta"] if chunk["choices"] else None for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "He"},
        {"content": "llo"},
        {},
        None,
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None, None, None, "stop"]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 4 and chunks[-1]["usage"]["total_tokens"] == 3
    assert written(events).endswith(b"data: [DONE]\n\n")


def test_usage_is_sent_only_to_those_who_asked() -> None:
    """Without include_usage no chunk says anything of usage."""
    request = Request("openai_chat", "asked", [], stream=True)
    assert b"usage" not in written(events_of(REPLY), request)


def test_error_ends_a_callers_stream() -> None:
    """An error in mid-stream is the last thing the caller reads: no [DONE] follows, and the official client raises it."""
    stream = written([Began("c", "m", 7), PartBegan(0, Text()), Delta(0, "He"), Broke(Failure(529, "overloaded", "busy")), Delta(0, "llo")])
    assert chunks_in(stream)[-1] == {"error": {"message": "busy", "type": "server_error", "param": None, "code": None}}
    assert b"[DONE]" not in stream and b"llo" not in stream


def test_functions_get_their_own_stream() -> None:
    """A caller who stated functions gets function_call in pieces, and its end."""
    request = read_request({"model": "m", "messages": [], "functions": [{"name": "f"}]}, "", True)
    events: list[Event] = [PartBegan(0, ToolCall("c", "f")), Delta(0, "{"), Delta(0, "}"), PartEnded(0), Ended("tool_calls")]
    completion = accumulated(written(events, request))
    assert completion.choices[0].message.function_call.arguments == "{}"
    assert completion.choices[0].message.function_call.name == "f" and completion.choices[0].finish_reason == "function_call"


def test_lists_can_be_put_together_by_the_client() -> None:
    """Two blocks of thought, two citations and two pictures are two to the official client too, which adds entries of one index."""
    parts: list[Part] = [
        Thinking("a", "s1", dialect="anthropic_messages"),
        Thinking("b", "s2", dialect="anthropic_messages"),
        Text("Hello", [Citation(0, 1, "u1"), Citation(1, 2, "u2")]),
        Media("image", url="https://a"),
        Media("image", url="https://b"),
    ]
    message = accumulated(written(events_of(Reply(choices=[Choice(parts)])))).choices[0].message
    assert [(block["thinking"], block["signature"]) for block in message.thinking_blocks] == [("a", "s1"), ("b", "s2")]
    assert [annotation.url_citation.url for annotation in message.annotations] == ["u1", "u2"]
    assert [image["image_url"]["url"] for image in message.images] == ["https://a", "https://b"]


def test_perplexitys_sources_become_citations() -> None:
    """What every chunk states of sources is said once, when the words are whole."""
    sources = {"search_results": [{"title": "A", "url": "https://a.example"}]}
    found = parts_of(delta(content="a") | sources, delta(content="b") | sources, delta("stop") | sources)
    assert found == [Text("ab", [Citation(url="https://a.example", title="A")])]
