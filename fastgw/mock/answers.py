"""Turn plain objects into replies: one JSON document, or a stream of events."""
from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fastgw.mock.asked import Asked
from fastgw.mock.connection import Reply

encode = msgspec.json.encode
JSON_FIELDS = b"content-type: application/json\r\n"
STREAM_FIELDS = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
CREATED_AT = 1741569952
"""When everything here was made: a fixed second, so that the same request gets the same reply."""


def json_reply(obj: object, *, fields: bytes = b"", is_shared: bool = True) -> Reply:
    """Reply with a JSON document; is_shared: the same request may get the very same reply."""
    return Reply(200, JSON_FIELDS + fields, encode(obj), is_shared=is_shared)


def bytes_reply(body: bytes, content_type: bytes, *, is_shared: bool = True) -> Reply:
    """Reply with bytes of some type."""
    return Reply(200, b"content-type: %b\r\n" % content_type, body, is_shared=is_shared)


def stream_reply(asked: Asked, events: Iterable[bytes], failure: bytes, content_type: bytes | None = None) -> Reply:
    """Reply with a stream; where the wish is fail-N, an error event stands in the place of event N and is the last."""
    told = tuple(events)
    if asked.wish.fail is not None:
        told = (*told[: asked.wish.fail], failure)
    fields = STREAM_FIELDS if content_type is None else b"content-type: %b\r\n" % content_type
    return Reply(200, fields, events=told, is_shared=True)


def data_event(obj: object) -> bytes:
    """Write an event without a name."""
    return b"data: %b\n\n" % encode(obj)


def named_event(obj: dict[str, object]) -> bytes:
    """Write an event that is named after its type."""
    return b"event: %b\ndata: %b\n\n" % (str(obj["type"]).encode(), encode(obj))
