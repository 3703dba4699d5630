"""A blocking HTTP/1.1 client for tests that sends any bytes and reads replies strictly."""
from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

from tests.fakes.framing import BodyReader, Fields, FramingError, split_head, values
from tests.patience import PATIENCE_S, SLOW_DAY_S


@dataclass
class Response:
    """One reply: decoded body, its chunks where it was chunked, and every byte as it came."""

    status: int
    reason: str
    fields: Fields
    body: bytes
    raw: bytes = field(repr=False)
    chunks: list[bytes] = field(default_factory=list, repr=False)
    is_chunked: bool = False

    def field(self, name: str) -> str | None:
        """Return the value of a field, None where it is absent; more than one fails the test."""
        found = values(self.fields, name)
        assert len(found) <= 1, f"expected one {name}, got {found}"
        return found[0] if found else None

    def json(self) -> object:
        """Parse the body."""
        return json.loads(self.body)

    def events(self) -> list[bytes]:
        """Split a stream into its events, each with the empty line that ends it."""
        *whole, rest = self.body.split(b"\n\n")
        assert not rest, f"expected a whole event at the end, got {rest[-80:]!r}"
        return [text + b"\n\n" for text in whole]


def request(
    method: str, target: str, body: bytes = b"", fields: Fields | None = None, *, chunk_bytes: int = 0
) -> bytes:
    """Write a request: Host and the framing are added, chunked in pieces of chunk_bytes where that is given."""
    lines = [f"{method} {target} HTTP/1.1", "host: test", *(f"{name}: {value}" for name, value in fields or [])]
    if chunk_bytes:
        lines.append("transfer-encoding: chunked")
        pieces = [body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes)]
        payload = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"content-length: {len(body)}")
        payload = body
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + payload


def json_request(target: str, obj: object, fields: Fields | None = None, method: str = "POST") -> bytes:
    """Write a request with a JSON body."""
    return request(method, target, json.dumps(obj).encode(), [("content-type", "application/json"), *(fields or [])])


class RawClient:
    """One connection; a context manager. Every wait has a limit, and running into it fails the test."""

    def __init__(self, url: str, *, timeout_s: float = PATIENCE_S, tls: ssl.SSLContext | None = None,
                 receive_buffer_bytes: int | None = None) -> None:
        where = urlsplit(url)
        assert where.hostname is not None and where.port is not None
        self._timeout_s = timeout_s
        plain = socket.socket()
        if receive_buffer_bytes is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        plain.settimeout(timeout_s)
        try:
            plain.connect((where.hostname, where.port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = tls.wrap_socket(plain, server_hostname=where.hostname) if tls else plain
        except OSError:
            plain.close()
            raise
        self.unread = bytearray()
        self.is_closed_by_peer = False

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *pieces: bytes) -> None:
        """Send each piece in a write of its own."""
        for piece in pieces:
            self.socket.sendall(piece)

    def ask(self, method: str, target: str, body: bytes = b"", fields: Fields | None = None) -> Response:
        """Send one request and read its reply."""
        self.send(request(method, target, body, fields))
        return self.read_response(method)

    def ask_json(self, target: str, obj: object, fields: Fields | None = None, method: str = "POST") -> Response:
        """Send one request with a JSON body and read its reply."""
        self.send(json_request(target, obj, fields, method))
        return self.read_response(method)

    def read_response(self, method: str = "GET") -> Response:
        """Read exactly one final reply, dropping 1xx before it. Raises FramingError where it is not exact."""
        while True:
            response = self._read_one(method)
            if response.status >= 200:
                return response

    def read_interim(self) -> Response:
        """Read one reply, which may be a 1xx."""
        return self._read_one("GET")

    def read_bytes(self, count: int) -> bytes:
        """Read exactly so many bytes."""
        while len(self.unread) < count:
            if not self._receive():
                raise FramingError(f"expected {count} bytes, got {bytes(self.unread)!r} and the end")
        found = bytes(self.unread[:count])
        del self.unread[:count]
        return found

    def read_until(self, mark: bytes) -> bytes:
        """Read up to and with a mark."""
        seen = 0
        while (at := self.unread.find(mark, max(0, seen - len(mark)))) < 0:
            seen = len(self.unread)
            if not self._receive():
                raise FramingError(f"expected {mark!r}, got {bytes(self.unread)!r} and the end")
        return self.read_bytes(at + len(mark))

    def read_until_close(self) -> bytes:
        """Read all there is until the peer ends the connection, with FIN or with a reset."""
        try:
            while self._receive():
                pass
        except ConnectionError:
            self.is_closed_by_peer = True
        found = bytes(self.unread)
        self.unread.clear()
        return found

    def expect_nothing(self, time_ms: float = 50.0) -> None:
        """Fail the test where any byte, or the end, comes within a time."""
        assert not self.unread, f"expected nothing, got {bytes(self.unread)!r}"
        ready, _, _ = select.select([self.socket], [], [], time_ms / 1000)
        if ready:
            raise AssertionError(f"expected nothing for {time_ms} ms, got {self.socket.recv(4096)!r}")

    def expect_close(self, within_s: float = SLOW_DAY_S) -> None:
        """Fail the test where the peer does not end the connection within a time, or sends anything before."""
        deadline = time.monotonic() + within_s
        self.socket.settimeout(within_s)
        try:
            got = self.socket.recv(4096)
        except ConnectionError:
            got = b""
        finally:
            self.socket.settimeout(self._timeout_s)
        assert not got and not self.unread, f"expected the end, got {bytes(self.unread) + got!r}"
        assert time.monotonic() <= deadline
        self.is_closed_by_peer = True

    def half_close(self) -> None:
        """End our side only."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def _receive(self) -> bool:
        try:
            got = self.socket.recv(1 << 18)
        except TimeoutError:
            raise AssertionError(f"waited {self._timeout_s} s in vain, having {bytes(self.unread[-200:])!r}") from None
        self.unread += got
        self.is_closed_by_peer = self.is_closed_by_peer or not got
        return bool(got)

    def _read_one(self, method: str) -> Response:
        while (split := split_head(self.unread)) is None:
            if not self._receive():
                raise FramingError(f"expected a head, got {bytes(self.unread)!r} and the end")
        start_line, fields, length = split
        version, status, reason = start_line.split(" ", 2)
        if version != "HTTP/1.1" or len(status) != 3:
            raise FramingError(f"expected a status line of HTTP/1.1, got {start_line!r}")
        raw = bytearray(self.unread)
        is_bodiless = method == "HEAD" or int(status) < 200 or int(status) in (204, 304)
        reader = BodyReader(fields, is_request=False, is_bodiless=is_bodiless)
        reader.feed(bytes(self.unread[length:]))
        while not reader.done:
            self.unread.clear()
            if not self._receive():
                reader.feed_eof()
                break
            raw += self.unread
            reader.feed(bytes(self.unread))
        self.unread = bytearray(reader.rest)
        whole = bytes(raw[: len(raw) - len(reader.rest)])
        return Response(int(status), reason, fields, bytes(reader.body), whole, reader.chunks, reader.is_chunked)
