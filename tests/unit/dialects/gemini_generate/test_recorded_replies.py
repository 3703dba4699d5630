"""What the official client reads of a recorded reply, it reads of the same one read and written by this dialect."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest

from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.canonical import Choice, Event, Media, Native, Request, Text, Thinking, ToolCall
from fastgw.dialects.gemini_generate.reply import read_reply, write_reply
from fastgw.dialects.gemini_generate.stream import StreamReader
from fastgw.dialects.gemini_generate.stream_writer import StreamWriter
from fastgw.dialects.sse import EventSplitter
from tests.feeding import same_however_fed
from tests.recordings import Recording, counted, recordings, skip_without_corpus
from tests.unit.dialects.gemini_generate.official import Official, Said, said

ASKED = Request("gemini_generate", "asked-model", [], True)


def whole(provider: str) -> Iterator[Recording]:
    """The recorded replies with status 200 that came in one piece."""
    return (one for one in recordings(provider, "generateContent") if one.status == 200)


def streams(provider: str) -> Iterator[tuple[Recording, bytes]]:
    """The recorded streams, as server-sent events; those that were one JSON array too."""
    for one in recordings(provider, "streamGenerateContent"):
        yield one, one.reply if one.is_sse or one.reply.startswith(b"data:") else b"".join(
            b"data: " + json.dumps(piece).encode() + b"\r\n\r\n" for piece in one.json())


def is_numbered(body: bytes) -> bool:
    """Whether words are numbers in it ($alt=json;enum-encoding=int), which the official client never asks for and cannot read."""
    return b'"finishReason": 1' in body or b'"finishReason":1' in body


def events_in(pieces: Iterable[bytes]) -> list[Event]:
    """What a new reader reads of a stream."""
    splitter, reader = EventSplitter(), StreamReader()
    events: list[Event] = []
    for piece in pieces:
        for name, data in splitter.feed(piece):
            events += reader.read(name, data)
    for name, data in splitter.finish():
        events += reader.read(name, data)
    return events + reader.finish()


def shape(choice: Choice) -> list[tuple[Any, ...]]:
    """A choice's parts as official.view has those of the client."""
    parts: list[tuple[Any, ...]] = []
    for part in choice.parts:
        if isinstance(part, Text):
            parts.append(("text", part.text))
        elif isinstance(part, Thinking):
            parts.append(("thought", part.text))
        elif isinstance(part, ToolCall):
            parts.append(("call", part.name, json.loads(part.arguments)))
        elif isinstance(part, Media):
            parts.append(("media", part.media_type))
        else:
            assert isinstance(part, Native)
            parts.append(("other",))
    return parts


def without_proof(answer: Said) -> list[tuple[Any, ...]]:
    """The client's parts, cut to what shape() says."""
    sizes = {"text": 2, "thought": 2, "call": 3, "media": 2, "other": 1}
    return [part[:sizes[part[0]]] for part in answer.parts]


@pytest.mark.parametrize(("provider", "least"), [("gemini", 280), ("vertex", 90)])
def test_recorded_replies_survive(provider: str, least: int) -> None:
    """Texts, thoughts, calls, their signatures, finish and usage are the same to the official client after being read and written."""
    skip_without_corpus()
    official = Official()
    seen = 0
    for recording in whole(provider):
        reply = read_reply(msgspec.json.decode(recording.reply))
        written = write_reply(reply, ASKED)
        seen += 1
        if is_numbered(recording.reply):
            assert written["candidates"][0]["finishReason"] == "STOP"  # type: ignore[index]  # that it is there is what is tested
            continue
        before = official.reply(recording.reply)
        after = official.reply(msgspec.json.encode(written))
        expected = said([before])
        if before.prompt_feedback is not None:  # a prompt that was refused is an answer that was
            expected = expected._replace(finish=before.prompt_feedback.block_reason.value)  # type: ignore[union-attr]
        assert said([after]) == expected, recording.name
        assert without_proof(expected) == shape(reply.choices[0]), recording.name
        assert (after.response_id, after.model_version) == (before.response_id, before.model_version)
        if before.create_time is not None:
            assert after.create_time == before.create_time.replace(microsecond=0)
        compare_sources(before, after, recording.name)
    counted(seen, least)


def compare_sources(before: Any, after: Any, name: str) -> None:
    """Every source, and the words that it is for, are the same; offsets where the recorded ones fit the words."""
    grounding = before.candidates[0].grounding_metadata if before.candidates else None
    if grounding is None or not grounding.grounding_chunks:
        return
    again = after.candidates[0].grounding_metadata

    def sources(metadata: Any) -> set[tuple[Any, ...]]:
        found = set()
        for support in metadata.grounding_supports or []:
            for index in support.grounding_chunk_indices or []:
                found.add((support.segment.text, json.dumps(metadata.grounding_chunks[index].model_dump(), sort_keys=True)))
        return found

    assert sources(again) == sources(grounding), name
    whole_text = "".join(part.text or "" for part in after.candidates[0].content.parts if not part.thought).encode()
    for support in again.grounding_supports or []:
        segment = support.segment
        assert whole_text[segment.start_index:segment.end_index].decode() == segment.text, name


@pytest.mark.parametrize(("provider", "least"), [("gemini", 30), ("vertex", 2)])
def test_recorded_streams_survive(provider: str, least: int) -> None:
    """A stream's events make the reply that the client makes of it; written as a stream again, the client makes the same."""
    skip_without_corpus()
    official = Official()
    seen = 0
    for recording, body in streams(provider):
        events = same_however_fed(events_in, body, seed=seen, splits=3)
        assembler = Assembler()
        assembler.take(events_in([body]))  # an assembler keeps the parts of its events
        reply = assembler.finish()
        seen += 1
        writer = StreamWriter(ASKED)
        written = b"".join(writer.write([event]) for event in events) + writer.finish()
        after = said(list(official.stream(written)))
        if is_numbered(body):
            assert without_proof(after) == shape(reply.choices[0])
            continue
        before = said(list(official.stream(body)))
        assert after == before, recording.name
        assert shape(reply.choices[0]) == without_proof(before), recording.name
        assert reply.usage is not None
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (before.input_tokens, before.output_tokens)
    counted(seen, least)


def test_a_whole_reply_is_streamed_as_it_is() -> None:
    """What the client reads of a whole reply, it reads of the stream that is made of it, and of the array."""
    skip_without_corpus()
    official = Official()
    seen = 0
    for recording in whole("gemini"):
        if is_numbered(recording.reply):
            continue
        reply = read_reply(msgspec.json.decode(recording.reply))
        expected = said([official.reply(msgspec.json.encode(write_reply(reply, ASKED)))])
        writer = StreamWriter(ASKED)
        assert said(list(official.stream(writer.write(events_of(reply)) + writer.finish()))) == expected, recording.name
        array = StreamWriter(Request("gemini_generate", "m", [], True, True))
        body = b"[" + b",".join(json.dumps(piece).encode() for piece in json.loads(array.write(events_of(reply)) + array.finish())) + b"]"
        as_events = b"".join(b"data: " + json.dumps(piece).encode() + b"\r\n\r\n" for piece in json.loads(body))
        assert said(list(official.stream(as_events))) == expected, recording.name
        seen += 1
    counted(seen, 270)
