"""Promises of captures: a stream becomes the answer that it was, however it came, or nothing."""

from collections.abc import Iterable

import msgspec
import pytest
from msgspec import structs

from fastgw.cache.capture import FRAME_BYTES, Capture
from fastgw.cache.entry import FINISHES
from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.canonical import Broke, Choice, Delta, Ended, Event, Failure, Media, Native, PartBegan, Refusal, Reply, Text
from fastgw.dialects.framing import SPLITTERS
from fastgw.dialects.table import dialect_of
from tests.feeding import same_however_fed, ways_to_feed
from tests.recordings import Recording, counted, recordings, skip_without_corpus
from tests.unit.cache.asking import RICH, reply

CHUNK = b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[%s]}\n\n'
WORDS = CHUNK % b'{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}'
MORE = CHUNK % b'{"index":0,"delta":{"content":" there"},"finish_reason":null}'
STOP = CHUNK % b'{"index":0,"delta":{},"finish_reason":"stop"}'
LENGTH = CHUNK % b'{"index":0,"delta":{},"finish_reason":"length"}'
SECOND = CHUNK % b'{"index":1,"delta":{"content":"Hi"},"finish_reason":null}'
SECOND_STOP = CHUNK % b'{"index":1,"delta":{},"finish_reason":"stop"}'
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'


def capture_of(dialect: str, most_bytes: int = 1_000_000) -> Capture:
    """A capture as the pipeline makes it."""
    upstream = dialect_of(dialect)
    return Capture(Assembler(), most_bytes, SPLITTERS[upstream.stream_framing](), upstream.stream_reader())


def captured(dialect: str, pieces: Iterable[bytes], most_bytes: int = 1_000_000) -> tuple[Reply | None, str]:
    capture = capture_of(dialect, most_bytes)
    for piece in pieces:
        capture.feed(piece)
    return capture.finish(), capture.flaw


def words_of(found: Reply | None) -> list[str]:
    assert found is not None
    return ["".join(part.text for part in choice.parts if isinstance(part, Text)) for choice in found.choices]


@pytest.mark.parametrize("pieces", list(ways_to_feed(WORDS + MORE + STOP + DONE, seed=3)))
def test_stream_becomes_its_answer_however_it_comes(pieces: list[bytes]) -> None:
    """Whole, byte by byte or split at random, the same words come out."""
    found, flaw = captured("openai_chat", pieces)
    assert (words_of(found), flaw) == (["Hello there"], "")


@pytest.mark.parametrize(
    ("stream", "flaw"),
    [
        (WORDS + MORE, "broke"),
        (WORDS + STOP + ERROR, "broke"),
        (WORDS + ERROR, "broke"),
        (WORDS + LENGTH + DONE, "length"),
        (WORDS + SECOND + STOP, "broke"),
        (WORDS + b"data: rubbish\n\n", "broke"),
        (b"", "broke"),
        (STOP + DONE, "no words"),
    ],
)
def test_what_did_not_end_as_it_should_is_nothing(stream: bytes, flaw: str) -> None:
    """Cut, broken, unfinished and empty streams give no answer, however they come, and say why."""
    found = same_however_fed(lambda pieces: captured("openai_chat", pieces), stream)
    assert found == (None, flaw)


def test_every_choice_must_have_ended() -> None:
    """Two choices are kept when both are whole."""
    found, _ = captured("openai_chat", [WORDS, SECOND, STOP, SECOND_STOP, DONE])
    assert words_of(found) == ["Hello", "Hi"]


def test_choice_that_never_ended_is_nothing() -> None:
    """Where a reader tells of no break, a choice without an end still spoils the answer."""
    capture = Capture(Assembler(), 1_000)
    capture.take([PartBegan(0, Text("a")), Ended("stop"), PartBegan(0, Text("b"), 1)])
    assert (capture.finish(), capture.flaw) == (None, "cut short")


@pytest.mark.parametrize("cut", range(1, len(WORDS + MORE + STOP), 7))
def test_stream_cut_anywhere_is_nothing(cut: int) -> None:
    """Without its end, no beginning of a stream is an answer."""
    assert captured("openai_chat", [(WORDS + MORE + STOP)[:cut]])[0] is None or cut > len(WORDS + MORE)


def test_events_do_as_well_as_bytes() -> None:
    """Without a splitter and a reader, events that are given make the answer."""
    capture = Capture(Assembler(), 10_000)
    for event in events_of(RICH):
        capture.take([event])
    capture.feed(b"is not looked at")
    assert capture.finish() == structs.replace(RICH, extra={}), "events have no place for what only a whole reply says"


def test_break_among_events_is_nothing() -> None:
    """An error in mid-stream spoils the answer."""
    capture = Capture(Assembler(), 1_000)
    capture.take([*events_of(reply()), Broke(Failure(529, "overloaded", "busy"))])
    assert (capture.finish(), capture.flaw) == (None, "broke")
    assert repr(capture) == "<Capture of 1 choices, given up: broke>"


@pytest.mark.parametrize(
    "events",
    [
        [PartBegan(0, Text()), Delta(0, "x" * 1_001)],
        [PartBegan(0, Text()), *(Delta(0, "x" * 10) for _ in range(101))],
        [PartBegan(0, Media("image", data="x" * 1_001))],
        [PartBegan(0, Native("d", {"x": "x" * 1_001}))],
        [PartBegan(0, Refusal("x" * 1_001))],
    ],
)  # fmt: skip
def test_answer_that_is_too_long_is_given_up(events: list[Event]) -> None:
    """Once the words, pictures and native parts are more than may be kept, nothing of them is held."""
    capture = Capture(Assembler(), 1_000)
    capture.take(events)
    assert capture.flaw == "too long"
    capture.take([Ended("stop")])
    assert capture.finish() is None


def test_event_that_never_ends_is_given_up() -> None:
    """Bytes without the end of an event are not collected for ever."""
    capture = capture_of("openai_chat", 1_000)
    for _ in range(FRAME_BYTES // 1_000 + 3):
        capture.feed(b"x" * 1_000)
    assert capture.flaw == "too long"


STREAMS = (
    ("openai", "chat.completions", "openai_chat"), ("groq", "chat.completions", "openai_chat"), ("openai", "responses", "openai_responses"),
    ("anthropic", "messages", "anthropic_messages"), ("gemini", "streamGenerateContent", "gemini_generate"),
)  # fmt: skip


def assembled(one: Recording, dialect: str) -> Reply:
    """The answer of a recorded stream, put together without a capture."""
    upstream = dialect_of(dialect)
    splitter, reader, assembler = SPLITTERS["sse"](), upstream.stream_reader(), Assembler()
    for name, payload in splitter.feed(one.reply) + splitter.finish():
        assembler.take(reader.read(name, payload))
    assembler.take(reader.finish())
    return assembler.finish()


@pytest.mark.parametrize(("provider", "api", "dialect"), STREAMS)
def test_recorded_streams_become_their_answers(provider: str, api: str, dialect: str) -> None:
    """Of each recorded stream the capture keeps exactly what it said, or names a flaw that it has."""
    skip_without_corpus()
    kept = 0
    for one in recordings(provider, api):
        if not one.is_sse or one.status != 200:
            continue
        found, flaw = captured(dialect, [one.reply[at : at + 700] for at in range(0, len(one.reply), 700)])
        if found is None:
            assert flaw and flaw not in FINISHES, one.name
        else:
            kept += 1
            # ids that a reader makes up differ from one reading to the next
            assert len(found.choices) == len(assembled(one, dialect).choices), one.name
            assert words_of(found) == words_of(assembled(one, dialect)), one.name
            assert all(choice.finish in FINISHES and choice.parts for choice in found.choices), one.name
    counted(kept, 5)


def test_bedrock_streams_are_captured_in_their_framing() -> None:
    """Streams that come in Amazon's framing become answers as well."""
    skip_without_corpus()
    found = [
        captured("bedrock_converse", [one.reply])[0] for one in recordings("bedrock", "converse-stream")
        if one.status == 200 and "amazon.eventstream" in one.fields.get("content-type", "")
    ]  # fmt: skip
    counted(sum(one is not None for one in found), 5)
    assert all(isinstance(choice, Choice) for one in found if one is not None for choice in one.choices)
    assert msgspec.json.encode([one for one in found if one is not None])
