"""Event streams and lines of JSON are split the same however they come."""

from collections.abc import Iterable
from time import process_time

import pytest

from fastgw.dialects import sse
from fastgw.dialects.sse import EventSplitter, EventTooLarge, LineSplitter, framed
from tests.feeding import same_however_fed


def events(pieces: Iterable[bytes]) -> list[tuple[str, bytes]]:
    splitter = EventSplitter()
    return [event for piece in pieces for event in splitter.feed(piece)] + splitter.finish()


def lines(pieces: Iterable[bytes]) -> list[tuple[str, bytes]]:
    splitter = LineSplitter()
    return [event for piece in pieces for event in splitter.feed(piece)] + splitter.finish()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_are_the_same_however_they_come(end: bytes) -> None:
    """Names, data of several lines, comments and every kind of line end come out the same from pieces of any size."""
    stream = end.join([b"data: {\"a\":1}", b"", b": ping", b"", b"event: message_stop", b"data:x", b"data: y", b"id: 7", b"", b"retry: 5",
                       b"", b"data: [DONE]", b"", b""])
    assert same_however_fed(events, stream) == [("", b'{"a":1}'), ("message_stop", b"x\ny"), ("", b"[DONE]")]


def test_last_event_may_lack_its_blank_line() -> None:
    """What a provider did not end is delivered at the end of the stream."""
    assert same_however_fed(events, b"data: 1\n\ndata: 2\n") == [("", b"1"), ("", b"2")]
    assert same_however_fed(events, b"data: 1\r\n\r\ndata: 2") == [("", b"1"), ("", b"2")]


def test_byte_order_mark_is_no_part_of_a_field() -> None:
    """A stream may begin with a byte order mark."""
    assert events([b"\xef\xbb\xbfdata: 1\n\n"]) == [("", b"1")]


def test_framed_events_are_read_again() -> None:
    """What is framed comes out of the splitter as it went in."""
    assert same_however_fed(events, framed(b"{}", "ping") + framed(b"[DONE]")) == [("ping", b"{}"), ("", b"[DONE]")]


def test_lines_are_the_same_however_they_come() -> None:
    """Lines of JSON come out without blank ones; the last may lack its end."""
    assert same_however_fed(lines, b'{"a":1}\n\n{"b":2}\r\n{"c":3}') == [("", b'{"a":1}'), ("", b'{"b":2}'), ("", b'{"c":3}')]


@pytest.mark.parametrize("splitter", [EventSplitter, LineSplitter])
def test_event_without_end_is_bounded(splitter: type[EventSplitter] | type[LineSplitter], monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that never ends an event does not fill the memory."""
    monkeypatch.setattr(sse, "MOST_EVENT_BYTES", 1000)
    found = splitter()
    with pytest.raises(EventTooLarge):
        for _ in range(20):
            found.feed(b"data: " + b"x" * 100)


def test_long_event_is_copied_and_searched_once() -> None:
    """A long event costs what its bytes cost, in however small pieces it comes: none of them is copied or searched with each piece."""
    piece, pieces = b"x" * 2048, 8192
    started = process_time()
    for splitter, end in ((EventSplitter(), b"\n\n"), (LineSplitter(), b"\n")):
        splitter.feed(b"data: ")
        assert not any(splitter.feed(piece) for _ in range(pieces))
        assert [len(data) >= len(piece) * pieces for _, data in splitter.feed(end)] == [True]
    assert process_time() - started < 2  # 67 GB are copied where each piece copies all before it
