"""Streams of Cohere's chat are read as its own client reads them, however they come and however they break."""

import json
from collections.abc import Iterable

import pytest
from cohere import V2ChatStreamResponse
from cohere.core.unchecked_base_model import construct_type
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.assembly import Assembler
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Citation,
    Delta,
    Ended,
    Event,
    Logprob,
    Part,
    PartBegan,
    PartEnded,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.cohere_chat import DIALECT
from fastgw.dialects.sse import EventSplitter, framed
from tests.feeding import same_however_fed
from tests.recordings import counted, recordings, skip_without_corpus


def event(kind: str, index: int | None = None, **members: object) -> bytes:
    body = {"type": kind} | ({} if index is None else {"index": index}) | members
    return framed(json.dumps(body).encode(), kind)


def message(kind: str, index: int | None = None, **members: object) -> bytes:
    return event(kind, index, delta={"message": members})


def read(pieces: Iterable[bytes]) -> list[Event]:
    splitter, reader = EventSplitter(), DIALECT.stream_reader()
    events = [found for piece in pieces for name, payload in splitter.feed(piece) for found in reader.read(name, payload)]
    for name, payload in splitter.finish():
        events += reader.read(name, payload)
    return events + reader.finish()


def parts_by_client(stream: bytes) -> tuple[list[Part], str, Usage]:
    """What Cohere's client makes of the events, put together as its users do."""
    plan, texts, calls = "", dict[int, str](), dict[int, ToolCall]()
    reason, usage = "", Usage()
    splitter = EventSplitter()
    for _, payload in splitter.feed(stream) + splitter.finish():
        if payload == b"[DONE]":
            continue
        found = construct_type(object_=json.loads(payload), type_=V2ChatStreamResponse)  # type: ignore[arg-type]  # an annotated union is none
        if found.type == "tool-plan-delta":
            plan += found.delta.message.tool_plan
        elif found.type in ("content-start", "content-delta"):
            texts[found.index] = texts.get(found.index, "") + found.delta.message.content.text
        elif found.type == "tool-call-start":
            call = found.delta.message.tool_calls
            calls[found.index] = ToolCall(call.id, call.function.name, call.function.arguments)
        elif found.type == "tool-call-delta":
            calls[found.index].arguments += found.delta.message.tool_calls.function.arguments
        elif found.type == "message-end":
            reason, billed = found.delta.finish_reason, found.delta.usage.billed_units
            usage = Usage(int(billed.input_tokens), int(billed.output_tokens))
    thoughts: list[Part] = [Thinking(plan, dialect="cohere_chat")] if plan else []
    return [*thoughts, *map(Text, texts.values()), *calls.values()], reason, usage


def test_recorded_streams_are_what_its_client_reads() -> None:
    """Texts, plans, calls, reason and usage of every recorded stream are those that Cohere's client finds, in whatever pieces it comes."""
    skip_without_corpus()
    count = 0
    for recording in recordings("cohere", "v2.chat"):
        if not recording.is_sse:
            continue
        assembler = Assembler()
        assembler.take(same_however_fed(read, recording.reply, splits=2))
        reply = assembler.finish()
        parts, reason, usage = parts_by_client(recording.reply)
        assert (reply.choices[0].parts, reply.choices[0].raw_finish, reply.usage) == (parts, reason, usage), recording.name
        assert reply.id and assembler.failure is None
        count += 1
    counted(count, 3)


CITED = {"start": 0, "end": 2, "text": "Hi", "content_index": 1, "sources": [{"type": "tool", "id": "t:0"}]}
PLANNED = {"start": 0, "type": "PLAN"}
BEGIN = event("message-start", id="r1", delta={"message": {"role": "assistant"}})
END = event("message-end", delta={"finish_reason": "COMPLETE", "usage": {"billed_units": {"input_tokens": 1, "output_tokens": 2}}})


def test_everything_in_a_stream_is_read() -> None:
    """A plan, thoughts, texts with citations and logprobs, and calls that interleave come as parts in the order they begin."""
    stream = b"".join([
        BEGIN, message("tool-plan-delta", tool_plan="I "), message("tool-plan-delta", tool_plan="look"),
        message("citation-start", citations=PLANNED),
        message("content-start", 0, content={"type": "thinking", "thinking": ""}), message("content-delta", 0, content={"thinking": "Hm"}),
        event("content-end", 0),
        message("content-start", 1, content={"type": "text", "text": ""}), message("content-delta", 1, content={"text": "Hi"}),
        event("content-delta", 1, delta={"message": {"content": {"text": "!"}}},
              logprobs={"text": "!", "token_ids": [1], "logprobs": [-0.5]}),
        message("citation-start", 0, citations=CITED), event("citation-end", 0), event("content-end", 1),
        message("tool-call-start", 0, tool_calls={"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}),
        message("tool-call-start", 1, tool_calls={"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{"}}),
        message("tool-call-delta", 0, tool_calls={"function": {"arguments": "{}"}}),
        message("tool-call-delta", 1, tool_calls={"function": {"arguments": "}"}}), event("tool-call-end", 0), event("debug", prompt="x"),
        END, framed(b"[DONE]"),
    ])
    assert same_however_fed(read, stream) == [
        Began("r1"), PartBegan(0, Thinking(dialect="cohere_chat")), Delta(0, "I "), Delta(0, "look"), PartEnded(0),
        PartBegan(1, Thinking(dialect="cohere_chat")), Delta(1, "Hm"), PartEnded(1),
        PartBegan(2, Text()), Delta(2, "Hi"), Delta(2, "!", logprobs=[Logprob("!", -0.5)]),
        Delta(2, citations=[Citation(0, 2, dialect="cohere_chat", native=CITED)]), PartEnded(2),
        PartBegan(3, ToolCall("c1", "f")), PartBegan(4, ToolCall("c2", "g")), Delta(4, "{"), Delta(3, "{}"), Delta(4, "}"), PartEnded(3),
        PartEnded(4), Ended("stop", raw_finish="COMPLETE"), UsageStated(Usage(1, 2))]


def test_events_without_names_are_told_by_their_type() -> None:
    """Where the framing has no names, the type in the data says what an event is."""
    stream = b"".join([framed(json.dumps(body).encode()) for body in (
        {"type": "message-start", "id": "r1"}, {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "a"}}}},
        {"type": "message-end", "delta": {"finish_reason": "MAX_TOKENS"}})])
    assert read([stream]) == [Began("r1"), PartBegan(0, Text()), Delta(0, "a"), PartEnded(0), Ended("length", raw_finish="MAX_TOKENS")]


@pytest.mark.parametrize(("broken", "words"), [
    (event("message-end", delta={"finish_reason": "ERROR", "error": "model died"}), "model died"),
    (framed(b'{"message": "internal server error"}'), "internal server error"),
    (framed(b"<html>", "content-delta"), "content-delta"),
    (event("content-delta", 0, delta={"message": {"content": {"text": 5}}}), "content-delta"),
    (framed(b"[1]"), "Cohere"),
    (b"", "message-end"),
])
def test_broken_stream_ends_in_one_failure(broken: bytes, words: str) -> None:
    """An error, garbage or an early end is one Broke with a message, and nothing comes after it."""
    rest = message("content-delta", 0, content={"text": "b"}) + END if broken else b""
    events = same_however_fed(read, BEGIN + message("content-delta", 0, content={"text": "a"}) + broken + rest)
    assert events[:3] == [Began("r1"), PartBegan(0, Text()), Delta(0, "a")] and len(events) == 4
    last = events[-1]
    assert isinstance(last, Broke) and last.failure.kind == "server" and words in last.failure.message


KEYS = st.sampled_from(["delta", "message", "content", "text", "thinking", "tool_calls", "function", "arguments", "citations", "index",
                        "content_index", "logprobs", "usage", "error", "type"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)
KINDS = st.sampled_from([
    "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start", "tool-call-delta",
    "tool-call-end", "citation-start", "message-end", ""])


@given(st.lists(st.tuples(KINDS, ANYTHING, ANYTHING), max_size=8))
def test_random_events_end_in_order(asked: list[tuple[str, object, object]]) -> None:
    """Whatever the events hold, the reader gives events in order and at most one failure, which is the last."""
    reader = DIALECT.stream_reader()
    bodies = [(kind, json.dumps({"delta": {"message": value}, "index": index} if kind else value)) for kind, value, index in asked]
    events = [found for kind, body in bodies for found in reader.read(kind, body.encode())] + reader.finish()
    broke = [found for found in events if isinstance(found, Broke)]
    assert len(broke) <= 1 and (not broke or events[-1] is broke[0])
    assembler = Assembler()
    assembler.take(events)
    assembler.finish()
