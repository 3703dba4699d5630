"""What a scripted upstream can do: steps, and ready-made scripts of honest and broken replies."""
from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.upstream import Connection

Step = Callable[["Connection"], Awaitable[None]]
Script = Sequence[Step]


class Gate:
    """Hold a script at `pause(gate)` until the test calls release(); `reached` is set when the script stands there."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()

    def release(self) -> None:
        """Let the script go on, now and whenever it comes by again."""
        self._released.set()

    async def wait(self) -> None:
        """Stand at the gate (called by the script)."""
        self.reached.set()
        while not self._released.is_set():
            await asyncio.sleep(0.001)


def send(payload: bytes) -> Step:
    """Send bytes as one write; waits while the peer does not read."""

    async def step(connection: Connection) -> None:
        await connection.send(payload)

    return step


def trickle(payload: bytes, size_bytes: int = 1, gap_ms: float = 0.0) -> Step:
    """Send bytes in pieces of a size, each in a segment of its own."""

    async def step(connection: Connection) -> None:
        for at in range(0, len(payload), size_bytes):
            await connection.send(payload[at : at + size_bytes])
            await asyncio.sleep(gap_ms / 1000)

    return step


def flood(piece: bytes, total_bytes: int) -> Step:
    """Send a piece over and over, as fast as the peer reads; `Connection.sent_bytes` tells how far it came."""

    async def step(connection: Connection) -> None:
        block = piece * max(1, 65536 // len(piece))
        for _ in range(0, total_bytes, len(block)):
            await connection.send(block)

    return step


def pause(gate: Gate) -> Step:
    """Stand still until the test opens the gate."""

    async def step(connection: Connection) -> None:
        await gate.wait()

    return step


def wait_ms(time_ms: float) -> Step:
    """Let time pass."""

    async def step(connection: Connection) -> None:
        await asyncio.sleep(time_ms / 1000)

    return step


def wait_for_request() -> Step:
    """Read the whole request. A script with this step begins after the head, one without it after the body."""

    async def step(connection: Connection) -> None:
        await connection.wait_for_request()

    return step


def wait_for_close() -> Step:
    """Do nothing until the peer closes."""

    async def step(connection: Connection) -> None:
        await connection.wait_for_close()

    return step


def stop_reading() -> Step:
    """Take no more bytes from the peer, so that its writes back up."""

    async def step(connection: Connection) -> None:
        connection.pause_reading()

    return step


def resume_reading() -> Step:
    """Take bytes from the peer again."""

    async def step(connection: Connection) -> None:
        connection.resume_reading()

    return step


def reset() -> Step:
    """Break the connection with a TCP reset, at once; what was sent before may be lost."""

    async def step(connection: Connection) -> None:
        connection.reset()

    return step


def close() -> Step:
    """Send what is left and close the connection."""

    async def step(connection: Connection) -> None:
        connection.close()

    return step


def half_close() -> Step:
    """Send the end of our side and go on reading (not with TLS)."""

    async def step(connection: Connection) -> None:
        connection.half_close()

    return step


def flush_then_reset(delay_ms: float = 20.0) -> list[Step]:
    """Reset after the bytes before it had time to arrive, since a reset discards what the peer has not read."""
    return [wait_ms(delay_ms), reset()]


def chunk(payload: bytes) -> bytes:
    """Frame one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


LAST_CHUNK = b"0\r\n\r\n"


def head(status: int = 200, fields: Iterable[tuple[str, str]] = (), reason: str = "Whatever") -> bytes:
    """Write a reply's head."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def bytes_reply(
    body: bytes, status: int = 200, fields: Iterable[tuple[str, str]] = (), chunked: bool = False
) -> list[Step]:
    """Reply with a body of any kind."""
    if chunked:
        return [send(head(status, [*fields, ("transfer-encoding", "chunked")]) + chunk(body) + LAST_CHUNK)]
    return [send(head(status, [*fields, ("content-length", str(len(body)))]) + body)]


def json_reply(obj: object, status: int = 200, fields: Iterable[tuple[str, str]] = ()) -> list[Step]:
    """Reply with a JSON document."""
    return bytes_reply(json.dumps(obj).encode(), status, [("content-type", "application/json"), *fields])


def event(payload: object, name: str | None = None) -> bytes:
    """Write one server-sent event; bytes and str go as they are, anything else as JSON."""
    text = (
        payload
        if isinstance(payload, bytes)
        else (payload if isinstance(payload, str) else json.dumps(payload)).encode()
    )
    return (b"event: %b\n" % name.encode() if name else b"") + b"data: %b\n\n" % text


SSE_FIELDS = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]


def sse_reply(events: Iterable[object], chunked: bool = True, gap_ms: float = 0.0) -> list[Step]:
    """Stream events, each in a write of its own: bytes as they stand, else JSON data; unchunked ends by close."""
    fields = [*SSE_FIELDS, ("transfer-encoding", "chunked")] if chunked else [*SSE_FIELDS, ("connection", "close")]
    steps = [send(head(200, fields))]
    for item in events:
        text = item if isinstance(item, bytes) else event(item)
        steps += [send(chunk(text) if chunked else text), wait_ms(gap_ms)]
    return [*steps, send(LAST_CHUNK) if chunked else close()]


def reset_in_chunk(sent: bytes = b'data: {"half":') -> list[Step]:
    """Begin a chunk, deliver a part of it, reset."""
    promised = b"%x\r\n" % (len(sent) + 100)
    return [send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + promised + sent), *flush_then_reset()]


def broken_chunk(good: bytes = b"data: {}\n\n") -> list[Step]:
    """Send one good chunk and then a chunk whose size is no number."""
    return [send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + chunk(good) + b"zz\r\nrubbish\r\n")]


def wrong_length(promised_bytes: int = 1000, body: bytes = b'{"short":true}') -> list[Step]:
    """Promise more bytes than are sent, then close."""
    fields = [("content-type", "application/json"), ("content-length", str(promised_bytes))]
    return [send(head(200, fields) + body), close()]


def endless_head(total_bytes: int = 1 << 24) -> list[Step]:
    """Send a head that does not end."""
    return [send(b"HTTP/1.1 200 OK\r\n"), flood(b"x-filler: " + b"a" * 50 + b"\r\n", total_bytes)]


def endless_body(total_bytes: int = 1 << 30) -> list[Step]:
    """Send a chunked stream that does not end."""
    filler = chunk(b"data: " + b"a" * 1000 + b"\n\n")
    return [send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")])), flood(filler, total_bytes)]


def hang() -> list[Step]:
    """Take the request and never answer."""
    return [wait_for_close()]


def slow(script: Script, delay_ms: float) -> list[Step]:
    """Play a script after a while."""
    return [wait_ms(delay_ms), *script]
