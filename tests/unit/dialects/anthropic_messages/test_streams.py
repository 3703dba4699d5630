"""Streams are read and written event by event, in order and to one end, whatever comes."""

import json
from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.anthropic_messages import BEDROCK, DIALECT
from fastgw.dialects.assembly import Assembler
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Delta,
    Ended,
    Event,
    Failure,
    Media,
    PartBegan,
    PartEnded,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.sse import framed
from tests.feeding import same_however_fed
from tests.unit.dialects.anthropic_messages.hostile import BLOCK, JSON, an_object
from tests.unit.dialects.anthropic_messages.official import ASKED, events_of, members, rewritten, streamed

USED = Usage(100, 50, 30, 20, 5, 10)


def stream_of(*events: dict[str, Any]) -> bytes:
    return b"".join(framed(json.dumps(event).encode(), event["type"]) for event in events)


def assembled(events: list[Event]) -> Reply:
    assembler = Assembler()
    assembler.take(events)
    assert assembler.failure is None
    return assembler.finish()


def test_interleaved_calls_add_up() -> None:
    """Blocks are sequential, and a delta of one that was stopped goes out with its index: the client adds up both calls."""
    events: list[Event] = [
        Began("r", "m"), PartBegan(0, ToolCall("a", "f")), PartBegan(1, ToolCall("b", "g")), Delta(0, '{"x":'), Delta(1, '{"y":'),
        Delta(0, "1}"), Delta(1, "2}"), PartEnded(0), PartEnded(1), Ended("tool_calls"), UsageStated(USED),
    ]
    stream = rewritten(events)
    content = members(streamed(stream))["content"]
    assert [block["input"] for block in content] == [{"x": 1}, {"y": 2}]
    names = [line[7:] for line in stream.decode().splitlines() if line.startswith("event: ")]
    assert names == [
        "message_start", "content_block_start", "content_block_stop", "content_block_start", *["content_block_delta"] * 4,
        "content_block_stop", "message_delta", "message_stop"]


def test_proofs_that_come_late_follow_their_block() -> None:
    """A signature that is known only after its call began, or an encrypted thought at its end, still reaches the client."""
    content = members(streamed(rewritten([
        Began("r", "m"), PartBegan(0, Thinking(id="rs", summary=True, dialect="openai_responses")), Delta(0, "sum"),
        Delta(0, encrypted="gAA"), PartEnded(0), PartBegan(1, ToolCall("a", "f")), Delta(1, "{}", signature="s1"), PartEnded(1),
        PartBegan(2, Text()), Delta(2, "t"), Delta(2, signature="s2"), PartEnded(2), Ended("stop"),
    ])))["content"]
    assert [block.get("signature", block["type"]) for block in content] == [
        "fastgw:v1:thought:openai_responses:se:rs:gAA", "tool_use", "fastgw:v1:gemini:a:s1", "text", "fastgw:v1:gemini::s2"]


def test_images_come_whole_and_sounds_as_their_words() -> None:
    """The data of an image is put together before it goes out; of a sound its transcript is text. Other choices have no place."""
    content = members(streamed(rewritten([
        Began("r", "m"), PartBegan(0, Media("image", media_type="image/png")), Delta(0, "iVBO"), Delta(0, "Rw=="), PartEnded(0),
        PartBegan(1, Media("audio")), Delta(1, "UklG", transcript="Hel"), Delta(1, transcript="lo"), PartEnded(1),
        PartBegan(0, Text(), 1), Delta(0, "second choice", 1), Ended("stop", 1), Ended("stop"),
    ])))["content"]
    assert content == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}, {"type": "text", "text": "Hello"}]


def test_stream_that_breaks_ends_in_one_error_event() -> None:
    """The client raises the provider's error, and nothing follows it."""
    failure = Failure(529, "overloaded", "Overloaded", "overloaded_error")
    stream = rewritten([Began("r", "m"), PartBegan(0, Text()), Delta(0, "He"), Broke(failure), Delta(0, "y"), Ended("stop")])
    assert stream.endswith(framed(
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded","code":"overloaded_error"}}', "error"))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        streamed(stream)
    with pytest.raises(anthropic.APIStatusError, match="ended its answer with an error"):
        streamed(rewritten([Began("r", "m"), Ended("error")]))


def test_message_start_waits_for_the_usage_that_comes_with_it() -> None:
    """Where the provider states the input's tokens at once, message_start has them; else the client gets it all the same."""
    assert DIALECT.stream_writer is not None
    writer = DIALECT.stream_writer(ASKED)
    assert b'"input_tokens":50' in writer.write([Began("r", "m"), UsageStated(USED)])
    writer = DIALECT.stream_writer(ASKED)
    assert writer.write([]) == b"" and b"message_start" in writer.write([Began("r", "m")])


START: dict[str, Any] = {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}}
TEXT: dict[str, Any] = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
WORDS: dict[str, Any] = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
STOP: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}}
OVER: dict[str, Any] = {"type": "message_stop"}


@pytest.mark.parametrize(("stream", "message"), [
    (b"", "expected message_stop"),
    (stream_of(START, TEXT, WORDS), "expected message_stop"),
    (stream_of(START, WORDS), "expected a delta of a block that has begun"),
    (stream_of(START, TEXT, WORDS, START), "second message_start"),
    (stream_of(START) + b"data: {oops\n\n" + stream_of(STOP, OVER), "expected JSON"),
    (stream_of(START) + b"data: 5\n\n", "expected an object"),
    (stream_of(START) + b'data: {"type": "content_block_delta", "index": "0"}\n\n', "expected an event of a stream of messages"),
    (stream_of(START) + b'data: {"error": 1, "index": "x"}\n\n', "expected an event of a stream of messages"),
    (stream_of(START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, STOP, OVER), "Overloaded"),
    (stream_of(START, {"type": "error", "error": "plain"}), "plain"),
])
def test_streams_that_break_say_so_once(stream: bytes, message: str) -> None:
    """A stream that is cut, or is none of this dialect, ends in one Broke with what is wrong, however it is fed."""
    events = same_however_fed(lambda pieces: events_of(list(pieces)), stream)
    last = events[-1]
    assert isinstance(last, Broke) and message in last.failure.message
    assert sum(isinstance(event, Broke) for event in events) == 1


def test_odd_streams_are_read_tolerantly() -> None:
    """Pings, unknown events, a doubled beginning, open blocks and a forgotten message_stop do no harm."""
    unknown = {**WORDS, "delta": {"type": "new_delta"}}
    odd = stream_of(START, START, {"type": "ping"}, {"type": "novelty", "index": "x"}, TEXT, unknown, WORDS, STOP)
    assert events_of([odd + b"data: [DONE]\n\n"]) == [
        Began("m", "m"), UsageStated(Usage(3, 1)), PartBegan(0, Text()), Delta(0, "Hi"), PartEnded(0),
        Ended("stop", raw_finish="end_turn"), UsageStated(Usage(3, 5)),
    ]
    assert events_of([stream_of(START, OVER, STOP)])[-1] == Ended("stop")


def test_calls_without_pieces_have_their_arguments() -> None:
    """Arguments that stand in the block itself, or that never come, are those of the call; pieces take their place."""
    call = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}}
    end = {"type": "content_block_stop", "index": 0}
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"x":2}'}}
    for events, arguments in (([call, end], '{"x":1}'), ([call, piece, end], '{"x":2}'), ([call], '{"x":1}')):
        part = assembled(events_of([stream_of(START, *events, STOP, OVER)])).choices[0].parts[0]
        assert isinstance(part, ToolCall) and part.arguments == arguments


def test_exceptions_of_aws_break_the_stream() -> None:
    """AWS says between its messages what went wrong, and a message that is no chunk is no stream."""
    reader = BEDROCK.stream_reader()
    assert reader.read("exception:throttlingException", b'{"message": "Too many"}') == [
        Broke(Failure(429, "rate_limit", "Too many", "throttlingException"))]
    assert reader.read("chunk", b"{}") == [] and reader.finish() == []
    assert isinstance(BEDROCK.stream_reader().read("chunk", b'{"bytes": "e30"}')[0], Broke)


DELTA = an_object(
    "text_delta input_json_delta thinking_delta signature_delta citations_delta compaction_delta",
    "text partial_json thinking signature citation stop_reason",
)
FRAME = an_object(
    "message_start content_block_start content_block_delta content_block_stop message_delta message_stop error ping",
    "message usage error", index=st.integers(-1, 2) | JSON, content_block=BLOCK, delta=DELTA,
)


@given(st.lists(FRAME, max_size=8))
def test_odd_streams_break_at_most_once(frames: list[Any]) -> None:
    """Whatever events come in whatever order, reading ends, and Broke is the last event where it comes."""
    events = events_of([framed(json.dumps(frame).encode()) for frame in frames])
    assert sum(isinstance(event, Broke) for event in events[:-1]) == 0
    rewritten(events)
