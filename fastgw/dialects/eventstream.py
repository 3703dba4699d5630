"""Split a stream of AWS (application/vnd.amazon.eventstream) into its messages, and check both of their sums.

A message is: its length and that of its headers (4 bytes each), the CRC32 of these, headers, payload, the CRC32 of all before. Source:
AWS, "Event stream encoding" (docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html).
"""

from struct import Struct, error, unpack_from
from zlib import crc32

import msgspec

from fastgw.dialects.sse import MOST_EVENT_BYTES, EventTooLarge

PRELUDE = Struct(">III")
LEAST_BYTES = 16  # no headers, no payload
MOST_HEADER_BYTES = 131_072
# by the type of a header's value: how many bytes it has; 6 and 7 state it in two bytes before
SIZES = (0, 0, 1, 2, 4, 8, -1, -1, 8, 16)
BYTES, TEXT = 6, 7


class MessageSplitter:
    """Feed it the bytes of a stream in pieces of any size; it returns (event name, payload) pairs as they become whole.

    An event's name is its `:event-type`. An exception is called "exception:" and its type, with its payload; what AWS calls an error is
    called so with its code, and its payload is {"message": ...} as an exception's is. Memory: one message.

    raises  ValueError where the stream is broken, once the messages before were returned; EventTooLarge
    """

    __slots__ = ("_broken", "_headers", "_held", "_length", "_name")

    def __init__(self) -> None:
        self._held = bytearray()
        self._length = 0  # of the message that is awaited, 0 unknown
        self._broken: ValueError | None = None
        # most messages have the headers of the one before
        self._headers = b""
        self._name = ""

    def __repr__(self) -> str:
        return f"<MessageSplitter holding {len(self._held)} bytes>"

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        if self._broken is not None:
            raise self._broken
        held = self._held
        held += piece
        if len(held) < (self._length or 12):
            return []
        messages: list[tuple[str, bytes]] = []
        start = 0
        try:
            while len(held) - start >= 12:
                length, header_length, checksum = PRELUDE.unpack_from(held, start)
                if not self._length:
                    check_prelude(bytes(held[start : start + 8]), length, header_length, checksum)
                    self._length = length
                if len(held) - start < length:
                    break
                messages.append(self._message(bytes(held[start : start + length]), header_length))
                start += length
                self._length = 0
        except ValueError as problem:
            self._broken = problem
            if not messages:
                raise
        del held[:start]
        return messages

    def finish(self) -> list[tuple[str, bytes]]:
        """raises ValueError where the last message is not whole"""
        if self._broken is not None:
            raise self._broken
        if self._held:
            raise ValueError(f"expected a whole message at the end of the event stream, got {len(self._held)} bytes of it")
        return []

    def _message(self, message: bytes, header_length: int) -> tuple[str, bytes]:
        stated = int.from_bytes(message[-4:], "big")
        if crc32(message[:-4]) != stated:
            raise ValueError(f"expected a message of {len(message)} bytes with the checksum {stated:08x}, got another in the event stream")
        headers = message[12 : 12 + header_length]
        payload = message[12 + header_length : -4]
        if headers == self._headers:
            return self._name, payload
        named = headers_of(headers)
        kind = named.get(":message-type", "event")
        if kind == "event":
            self._headers, self._name = headers, named.get(":event-type", "")
            return self._name, payload
        if kind == "exception":
            return "exception:" + named.get(":exception-type", ""), payload
        said = {"message": named.get(":error-message", "")}
        return "exception:" + named.get(":error-code", ""), msgspec.json.encode(said)


def check_prelude(lengths: bytes, length: int, header_length: int, checksum: int) -> None:
    """raises ValueError where the two lengths are not those that were sent, or cannot be"""
    if crc32(lengths) != checksum:
        raise ValueError(f"expected the lengths of a message with the checksum {checksum:08x}, got others in the event stream")
    if length > MOST_EVENT_BYTES:
        raise EventTooLarge(f"expected messages of at most {MOST_EVENT_BYTES} bytes, got one of {length}")
    if length < LEAST_BYTES or header_length > min(MOST_HEADER_BYTES, length - LEAST_BYTES):
        raise ValueError(f"expected a message longer than its headers in the event stream, got {length} bytes and {header_length} of them")


def headers_of(headers: bytes) -> dict[str, str]:
    """The text headers of a message; those of the nine other types are passed over. raises ValueError where they are no headers"""
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(headers):
            value_at = at + 2 + headers[at]
            name = headers[at + 1 : value_at - 1].decode()
            kind = headers[value_at - 1]
            size = SIZES[kind]
            if size < 0:
                (size,) = unpack_from(">H", headers, value_at)
                value_at += 2
            at = value_at + size
            if at > len(headers):
                raise IndexError
            if kind == TEXT:
                found[name] = headers[value_at:at].decode()
    except (IndexError, error, UnicodeDecodeError) as problem:
        raise ValueError(f"expected headers of a message, got {len(headers)} bytes of another kind in the event stream") from problem
    return found
