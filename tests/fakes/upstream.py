"""A provider that does what a script says, on a port of its own, for tests that are ordinary blocking functions.

    with Upstream(json_reply({"ok": True})) as upstream:
        ...                                  # point the gateway at upstream.url
        received = upstream.wait(1)[0]       # what came in
        received.connection.closed.wait(30)  # and when the gateway let go of it

One thread with one event loop serves all connections. A script is a list of steps (tests/fakes/script.py); it is played
for each request, chosen by path, and the connection stays open after it unless a step closed it.
"""
from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from tests.fakes.framing import BodyReader, Fields, FramingError, split_head, values
from tests.fakes.script import (
    LAST_CHUNK,
    SSE_FIELDS,
    Gate,
    Script,
    Step,
    broken_chunk,
    bytes_reply,
    chunk,
    close,
    endless_body,
    endless_head,
    event,
    flood,
    flush_then_reset,
    half_close,
    hang,
    head,
    json_reply,
    pause,
    reset,
    reset_in_chunk,
    resume_reading,
    send,
    slow,
    sse_reply,
    stop_reading,
    trickle,
    wait_for_close,
    wait_for_request,
    wait_ms,
    wrong_length,
)
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from trustme import CA

__all__ = [
    "LAST_CHUNK",
    "SSE_FIELDS",
    "Connection",
    "Gate",
    "Received",
    "Script",
    "Step",
    "Upstream",
    "broken_chunk",
    "bytes_reply",
    "chunk",
    "close",
    "endless_body",
    "endless_head",
    "event",
    "flood",
    "flush_then_reset",
    "half_close",
    "hang",
    "head",
    "json_reply",
    "pause",
    "reset",
    "reset_in_chunk",
    "resume_reading",
    "send",
    "slow",
    "sse_reply",
    "stop_reading",
    "trickle",
    "wait_for_close",
    "wait_for_request",
    "wait_ms",
    "wrong_length",
]


@dataclass
class Received:
    """One request as it came in; body and raw grow until `whole` is set."""

    method: str
    target: str
    fields: Fields
    connection: Connection = field(repr=False)
    at_ns: int
    body: bytes = b""
    raw: bytes = field(default=b"", repr=False)
    whole: threading.Event = field(default_factory=threading.Event, repr=False)

    def field(self, name: str) -> str | None:
        """Return the value of a field, None where it is absent; more than one fails the test."""
        found = values(self.fields, name)
        assert len(found) <= 1, f"expected one {name}, got {found}"
        return found[0] if found else None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def closed_at_ns(self) -> int | None:
        """When the peer ended the connection of this request (time.monotonic_ns), None while it is open."""
        return self.connection.closed_at_ns


class Connection(asyncio.Protocol):
    """One connection of the gateway. `closed` is set, with its time, as soon as the peer ends or breaks it."""

    def __init__(self, upstream: Upstream) -> None:
        self.number = 0
        self.closed = threading.Event()
        self.closed_at_ns: int | None = None
        self.was_reset = False
        self.sent_bytes = 0
        self.received_bytes = 0
        self.error: Exception | None = None
        self._upstream = upstream
        self._unread = bytearray()
        self._wake = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._reader: BodyReader | None = None
        self._received: Received | None = None
        self._raw = bytearray()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=65536)
        # asyncio sets it for sockets whose protocol it knows to be TCP, which one that was accepted does not say
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self._upstream._add(self)
        self._task = asyncio.ensure_future(self._serve())

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self._unread += data
        self._wake.set()

    def eof_received(self) -> bool:
        self._mark_closed()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.was_reset = isinstance(exc, ConnectionError)
        self._mark_closed()
        self._writable.set()
        self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _mark_closed(self) -> None:
        if self.closed_at_ns is None:
            self.closed_at_ns = time.monotonic_ns()
        self.closed.set()
        self._wake.set()

    # What steps call.

    async def send(self, payload: bytes) -> None:
        """Write, then wait until the buffer has room; a step of a lost connection ends its script."""
        if self._transport.is_closing():
            raise ConnectionResetError("the peer has gone")
        self._transport.write(payload)
        self.sent_bytes += len(payload)
        await self._writable.wait()

    async def wait_for_request(self) -> None:
        """Read the request in hand to its end."""
        reader, received = self._reader, self._received
        assert reader is not None and received is not None
        while True:
            fed = bytes(self._unread)
            self._unread.clear()
            reader.feed(fed)
            self._raw += fed
            if reader.done:
                break
            await self._more()
        self._unread[:0] = reader.rest
        received.body = bytes(reader.body)
        received.raw = bytes(self._raw[: len(self._raw) - len(reader.rest)])
        reader.rest.clear()
        self._raw = bytearray(received.raw)
        received.whole.set()

    async def wait_for_close(self) -> None:
        """Wait until the peer ends the connection."""
        while not self.closed.is_set():
            await self._more(may_end=True)

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        plain = self._transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def close(self) -> None:
        """Send what is left, then close."""
        self._transport.close()

    def half_close(self) -> None:
        """End our side only."""
        self._transport.write_eof()

    def pause_reading(self) -> None:
        """Leave the peer's bytes in the kernel."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    # The life of a connection.

    async def _more(self, may_end: bool = False) -> None:
        if self.closed.is_set() and not may_end and not self._unread:
            raise ConnectionResetError("the peer has gone")
        self._wake.clear()
        if not self._unread or may_end:
            await self._wake.wait()

    async def _serve(self) -> None:
        try:
            for step in self._upstream.on_connect:
                await step(self)
            while not self._transport.is_closing():
                script = await self._read_head()
                if script is None:
                    break
                if not any(getattr(step, "__qualname__", "").startswith("wait_for_request") for step in script):
                    await self.wait_for_request()
                for step in script:
                    await step(self)
                received = self._received
                if received is not None and not received.whole.is_set():
                    await self.wait_for_request()
        except (ConnectionError, asyncio.CancelledError):
            pass
        except (FramingError, RuntimeError, OSError) as error:
            self.error = error
            self._upstream.errors.append(error)
        if not self._transport.is_closing():
            self._transport.close()

    async def _read_head(self) -> Script | None:
        while (split := split_head(self._unread)) is None:
            if self.closed.is_set():
                return None
            self._wake.clear()
            await self._wake.wait()
        start_line, fields, length = split
        method, target, version = start_line.split(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise FramingError(f"expected HTTP/1.1, got {version!r}")
        self._raw = bytearray(self._unread[:length])
        del self._unread[:length]
        self._reader = BodyReader(fields, is_request=True)
        self._received = Received(method, target, fields, self, time.monotonic_ns())
        return self._upstream._take(self._received)


class Upstream:
    """The scripted provider; a context manager. `url` is where it listens, without a path.

    script    is played for every request that no route names.
    routes    maps a path to one script, or to a list of scripts that are played in turn, the last one for ever.
    tls       serves with a certificate of an authority of its own, whose file is `ca_file`.
    """

    def __init__(self, script: Script = (), *, routes: Mapping[str, Script | Sequence[Script]] | None = None,
                 on_connect: Script = (), tls: bool = False, backlog: int = 512) -> None:
        self.received: list[Received] = []
        self.connections: list[Connection] = []
        self.errors: list[Exception] = []
        self.on_connect = on_connect
        self.port = 0
        self.ca_file: Path | None = None
        self._script = script
        self._turns: dict[str, list[Script]] = {path: _as_turns(told) for path, told in (routes or {}).items()}
        self._tls = tls
        self._backlog = backlog
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    def __repr__(self) -> str:
        return f"<Upstream {self.url} received={len(self.received)} connections={len(self.connections)}>"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def play(self, script: Script, path: str | None = None) -> None:
        """Change what is played from the next request on, for one path or for all others."""
        if path is None:
            self._script = script
        else:
            self._turns[path] = [script]

    def wait(self, count: int, timeout_s: float = PATIENCE_S) -> list[Received]:
        """Return the requests once `count` of them are whole; fails the test after the timeout."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while len(self.received) < count:
                assert self._changed.wait(deadline - time.monotonic()), (
                    f"expected {count} requests, got {self.received}"
                )
            found = self.received[:count]
        for received in found:
            assert received.whole.wait(max(0.0, deadline - time.monotonic())), (
                f"expected a whole request, got {received}"
            )
        return found

    def wait_for_connections(self, count: int, timeout_s: float = PATIENCE_S) -> list[Connection]:
        """Return the connections once there are `count`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while len(self.connections) < count:
                assert self._changed.wait(deadline - time.monotonic()), f"expected {count} connections, got {self!r}"
            return list(self.connections)

    def die(self) -> None:
        """Stop listening and break every connection, as a process that was killed."""

        async def stop() -> None:
            for listener in self._server.sockets:
                self._loop.remove_reader(listener.fileno())
            await asyncio.sleep(0.01)       # what was accepted is not a connection yet
            self._server.close()
            for connection in self.connections:
                connection._transport.abort()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(PATIENCE_S)

    def revive(self) -> None:
        """Listen at the same place again."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=self._backlog)
        self._server = asyncio.run_coroutine_threadsafe(
            self._loop.create_server(lambda: Connection(self), sock=listener), self._loop).result(PATIENCE_S)

    def __enter__(self) -> Upstream:
        context = None
        if self._tls:
            import trustme

            context = self._make_context(trustme.CA())
        listener = socket.create_server(("127.0.0.1", 0), backlog=self._backlog)
        self.port = listener.getsockname()[1]
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: Connection(self), sock=listener, ssl=context))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        if self.ca_file is not None:
            self._directory.cleanup()

    def _make_context(self, authority: CA) -> ssl.SSLContext:
        self._directory = tempfile.TemporaryDirectory(prefix="upstream-")
        self.ca_file = Path(self._directory.name) / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        return context

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        for connection in self.connections:
            connection._transport.abort()
        await asyncio.gather(*(connection._task for connection in self.connections), return_exceptions=True)
        await asyncio.sleep(0)

    def _add(self, connection: Connection) -> int:
        with self._changed:
            self.connections.append(connection)
            self._changed.notify_all()
            return len(self.connections) - 1

    def _take(self, received: Received) -> Script:
        with self._changed:
            self.received.append(received)
            self._changed.notify_all()
        turns = self._turns.get(received.path)
        if turns is None:
            return self._script
        return turns.pop(0) if len(turns) > 1 else turns[0]


def _as_turns(told: Script | Sequence[Script]) -> list[Script]:
    if told and not callable(told[0]):
        return list(cast(Sequence[Script], told))
    return [cast(Script, told)]
