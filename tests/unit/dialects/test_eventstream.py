"""AWS event streams are split the same however they come, and broken ones are told."""

import random
from collections.abc import Iterable
from struct import pack
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects import eventstream
from fastgw.dialects.eventstream import MessageSplitter
from fastgw.dialects.sse import EventTooLarge
from tests.botocore_oracle import messages_of
from tests.feeding import same_however_fed
from tests.messages import event, exception, message, text_header
from tests.recordings import recordings, skip_without_corpus

ALL_TYPES = b"".join([
    b"\x01t\x00", b"\x01f\x01", b"\x01b\x02\x7f", b"\x01s\x03\x00\x01", b"\x01i\x04" + bytes(4), b"\x01l\x05" + bytes(8),
    b"\x01y\x06\x00\x03abc", b"\x01d\x08" + bytes(8), b"\x01u\x09" + bytes(16),
])


def split(pieces: Iterable[bytes]) -> tuple[list[tuple[str, bytes]], str]:
    """What comes out of the pieces, and how it broke."""
    splitter = MessageSplitter()
    found = []
    try:
        for piece in pieces:
            found += splitter.feed(piece)
        found += splitter.finish()
    except ValueError as problem:
        return found, str(problem)
    return found, ""


def test_messages_are_the_same_however_they_come() -> None:
    """Events, exceptions and errors come out of pieces of any size with their names and payloads."""
    failure = message(text_header(":message-type", "error") + text_header(":error-code", "InternalError")
                      + text_header(":error-message", 'it "broke"'), b"")
    stream = event("messageStart", {"role": "assistant"}) + event("messageStart", {}) + exception("throttlingException", {"message": "a"})
    assert same_however_fed(split, stream + failure + message(b"", b"x")) == ([
        ("messageStart", b'{"role": "assistant"}'), ("messageStart", b"{}"), ("exception:throttlingException", b'{"message": "a"}'),
        ("exception:InternalError", b'{"message":"it \\"broke\\""}'), ("", b"x")], "")


def test_headers_of_every_type_are_read_past() -> None:
    """The nine other types of headers before and after do not hide the name."""
    framed = message(ALL_TYPES + text_header(":event-type", "metadata") + ALL_TYPES, b"{}")
    assert same_however_fed(split, framed) == ([("metadata", b"{}")], "")


@pytest.mark.parametrize("broken", [
    pytest.param(event("a", {})[:-1] + b"\x00", id="sum of the message"),
    pytest.param(b"\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00" + bytes(20), id="sum of the lengths"),
    pytest.param(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", id="no message at all"),
    pytest.param(message(b"\x05", b""), id="header without a name"),
    pytest.param(message(b"\x01a\x0a", b""), id="header of an unknown type"),
    pytest.param(message(b"\x01a\x07\x00\x09abc", b""), id="header longer than all"),
    pytest.param(message(b"\x01a\x07\x00\x01\xff", b""), id="header that is no text"),
    pytest.param(event("a", {})[:-3], id="end in a message"),
    pytest.param(event("a", {})[:7], id="end in the lengths"),
])
def test_broken_message_is_told_after_those_before_it(broken: bytes) -> None:
    """What came whole is delivered, then the stream is said to be broken, however it came."""
    found, problem = same_however_fed(split, event("messageStart", {}) + broken)
    assert found == [("messageStart", b"{}")]
    assert problem.startswith("expected ") and "event stream" in problem


def test_impossible_lengths_are_refused_before_they_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A length that is too large, too small or less than the headers' breaks the stream at its first twelve bytes."""
    monkeypatch.setattr(eventstream, "MOST_EVENT_BYTES", 1000)
    for length, header_length in ((1001, 0), (15, 0), (40, 25)):
        lengths = pack(">II", length, header_length)
        splitter = MessageSplitter()
        with pytest.raises(EventTooLarge if length > 1000 else ValueError):
            splitter.feed(lengths + pack(">I", crc32(lengths)))


def test_broken_splitter_stays_broken() -> None:
    """Whoever goes on feeding is told again."""
    splitter = MessageSplitter()
    for call in (splitter.feed, splitter.feed):
        with pytest.raises(ValueError, match="checksum"):
            call(bytes(12))
    with pytest.raises(ValueError, match="checksum"):
        splitter.finish()


@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_random_bytes_never_do_worse_than_break(noise: bytes, seed: int) -> None:
    """Noise, and a whole message with one byte changed, give messages or a ValueError, nothing else."""
    split([noise])
    rng = random.Random(seed)
    framed = bytearray(event("contentBlockDelta", {"p": "abc"}))
    framed[rng.randrange(len(framed))] ^= 1 << rng.randrange(8)
    assert split([bytes(framed)])[0] == []


def test_recorded_streams_are_split_as_botocore_does() -> None:
    """Every recorded stream gives the events that botocore finds in it."""
    skip_without_corpus()
    for recording in recordings("bedrock", "converse-stream", "invoke-stream"):
        if recording.status != 200:
            continue
        assert same_however_fed(split, recording.reply, splits=2) == (messages_of(recording.reply), ""), recording.name
