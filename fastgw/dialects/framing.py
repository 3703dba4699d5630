"""The framings that streams of providers come in, by the name that a dialect states."""

from collections.abc import Callable

from fastgw.dialects.eventstream import MessageSplitter
from fastgw.dialects.sse import EventSplitter, LineSplitter

Splitter = EventSplitter | LineSplitter | MessageSplitter
SPLITTERS: dict[str, Callable[[], Splitter]] = {"sse": EventSplitter, "ndjson": LineSplitter, "aws": MessageSplitter}
