"""Read HTTP/1.1 messages strictly and slowly, for both ends of the tests: whatever is not exact fails the test."""
from __future__ import annotations

import re

Fields = list[tuple[str, str]]

NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}(;[^\r\n]*)?\Z")


class FramingError(AssertionError):
    """The peer sent bytes that are not one well-formed HTTP/1.1 message."""


def split_head(raw: bytes | bytearray) -> tuple[str, Fields, int] | None:
    """Split the head off the front: (start line, fields, length of the head), or None where it is not whole yet."""
    end = raw.find(b"\r\n\r\n")
    if end < 0:
        return None
    start_line, *lines = bytes(raw[:end]).split(b"\r\n")
    fields: Fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not NAME.match(name) or b"\r" in value or b"\n" in value or b"\0" in value:
            raise FramingError(f"expected a field line, got {line!r}")
        fields.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    return start_line.decode("latin-1"), fields, end + 4


def values(fields: Fields, name: str) -> list[str]:
    """List the values of a field, in their order."""
    return [value for key, value in fields if key.lower() == name.lower()]


class BodyReader:
    """Collect one body by its framing; feed it bytes until `done`, what follows the message stays in `rest`."""

    def __init__(self, fields: Fields, *, is_request: bool, is_bodiless: bool = False) -> None:
        lengths, codings = values(fields, "content-length"), values(fields, "transfer-encoding")
        if len(lengths) + len(codings) > 1 or any(coding.lower() != "chunked" for coding in codings):
            raise FramingError(f"expected one framing, got content-length {lengths}, transfer-encoding {codings}")
        if lengths and not re.fullmatch("[0-9]+", lengths[0]):
            raise FramingError(f"expected digits in content-length, got {lengths[0]!r}")
        self.body = bytearray()
        self.chunks: list[bytes] = []
        self.trailers: list[bytes] = []
        self.rest = bytearray()
        self.is_chunked = len(codings) == 1 and not is_bodiless
        self.until_close = not is_request and not lengths and not codings and not is_bodiless
        self._left = int(lengths[0]) if lengths and not is_bodiless else 0
        self.done = not self.is_chunked and not self.until_close and self._left == 0
        self._in_trailer = False

    def feed(self, data: bytes) -> None:
        """Take more bytes of the connection."""
        if self.done:
            self.rest += data
        elif self.until_close:
            self.body += data
        elif self.is_chunked:
            self.rest += data
            while self._take_chunk():
                pass
        else:
            taken = data[: self._left]
            self.body += taken
            self._left -= len(taken)
            self.rest += data[len(taken) :]
            self.done = self._left == 0

    def feed_eof(self) -> None:
        """Take the end of the connection; raises FramingError where the body was not whole."""
        if self.until_close:
            self.done = True
        elif not self.done:
            raise FramingError(f"the connection ended inside a body, after {len(self.body)} bytes")

    def _take_chunk(self) -> bool:
        """Take one chunk, or one line of the trailer; False where there is none to take."""
        if self.done:
            return False
        end = self.rest.find(b"\r\n")
        if end < 0:
            if len(self.rest) > 4096:
                raise FramingError(f"expected the end of a chunk's first line, got {bytes(self.rest[:64])!r}...")
            return False
        line = bytes(self.rest[:end])
        if self._in_trailer:
            del self.rest[: end + 2]
            if line:
                self.trailers.append(line)
            self.done = not line
            return True
        if not SIZE.match(line):
            raise FramingError(f"expected a chunk size, got {line!r}")
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            del self.rest[: end + 2]
            self._in_trailer = True
            return True
        if len(self.rest) < end + 2 + size + 2:
            return False
        if self.rest[end + 2 + size : end + 4 + size] != b"\r\n":
            raise FramingError("expected CRLF after a chunk")
        chunk = bytes(self.rest[end + 2 : end + 2 + size])
        del self.rest[: end + 4 + size]
        self.chunks.append(chunk)
        self.body += chunk
        return True
