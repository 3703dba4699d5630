"""A caller of HTTP/2 for tests that speak HTTP/1.1: each connection to it is one of HTTP/2 to the gateway, each request a stream."""
from __future__ import annotations

import asyncio
import logging
import threading
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.framing import BodyReader, split_head, values
from tests.patience import PATIENCE_S

HOPS = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "te")
PHRASES = {one.value: one.phrase for one in HTTPStatus}
READ_BYTES = 65536


class H2Bridge:
    """Listens on a free port, in a thread; a context manager."""

    def __init__(self, url: str) -> None:
        self.target = urlsplit(url)
        self.url = ""
        self.loop = asyncio.new_event_loop()
        self.is_up = threading.Event()
        self.thread = threading.Thread(target=self._run, name="h2-bridge", daemon=True)
        self.thread.start()
        assert self.is_up.wait(PATIENCE_S)

    def close(self) -> None:
        """Stop, and end every connection."""
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(PATIENCE_S)

    def _run(self) -> None:
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        self.stopping = asyncio.Event()
        self.crossings: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.is_up.set()
        await self.stopping.wait()
        server.close()
        for crossing in self.crossings:
            crossing.cancel()
        await asyncio.gather(*self.crossings, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self.loop.create_task(self._cross(reader, writer))
        self.crossings.add(task)
        task.add_done_callback(self.crossings.discard)

    async def _cross(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection(self.target.hostname, self.target.port)
        except OSError:
            writer.close()
            return
        crossing = Crossing(reader, writer, to_reader, to_writer)
        ways = [self.loop.create_task(crossing.to_gateway()), self.loop.create_task(crossing.to_caller())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for ended in await asyncio.gather(*ways, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, ConnectionError):
                    logging.getLogger("h2_bridge").error("the bridge broke", exc_info=ended)
            to_writer.transport.abort()
            writer.close()


class Crossing:
    """One connection on both sides."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_reader: asyncio.StreamReader,
                 to_writer: asyncio.StreamWriter) -> None:
        # here: only the runs that go over HTTP/2 need it
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.reader, self.writer = reader, writer
        self.to_reader, self.to_writer = to_reader, to_writer
        self.h2: Any = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
        self.h2.initiate_connection()
        self.flush()
        self.unread = bytearray()
        self.window = asyncio.Event()
        self.done = asyncio.Event()        # of the reply in hand
        self.reading: asyncio.Future[bool] | None = None
        self.stream = 0
        self.is_head = self.is_last = self.is_chunked = False

    def flush(self) -> None:
        self.to_writer.write(self.h2.data_to_send())

    async def more(self) -> bool:
        """Read more of the caller; False at its end."""
        got = await self.reader.read(READ_BYTES)
        self.unread += got
        return bool(got)

    async def to_gateway(self) -> None:
        """Requests, one after the other; ends with the caller's connection."""
        while True:
            while (split := split_head(self.unread)) is None:
                if not await self.more():
                    return
            start_line, fields, length = split
            del self.unread[:length]
            method, target, _ = start_line.split(" ")
            body = BodyReader(fields, is_request=True)
            self.is_head, self.is_last = method == "HEAD", "close" in values(fields, "connection")
            self.done.clear()
            self.stream = self.h2.get_next_available_stream_id()
            pseudo = [(":method", method), (":scheme", "http"), (":path", target), (":authority", (values(fields, "host") or ["test"])[0])]
            self.h2.send_headers(self.stream, [*pseudo, *((name.lower(), value) for name, value in fields if name.lower() not in HOPS)],
                                 end_stream=body.done)
            self.flush()
            if not await self.send_body(body):
                return
            while not self.done.is_set():
                # whoever ends the reply wakes the reading too, which goes on where it was
                self.reading = asyncio.ensure_future(self.more())
                try:
                    if not await self.reading:
                        return
                except asyncio.CancelledError:
                    if not self.done.is_set():
                        raise
            if self.is_last:
                await self.writer.drain()
                return

    async def send_body(self, body: BodyReader) -> bool:
        """Send it as it comes; False where the caller went away."""
        sent, was_done = 0, body.done
        while not was_done:
            body.feed(bytes(self.unread))
            self.unread.clear()
            while sent < len(body.body) or (body.done and not was_done):
                room = min(self.h2.local_flow_control_window(self.stream), self.h2.max_outbound_frame_size)
                if room <= 0 and sent < len(body.body):
                    self.window.clear()
                    await self.window.wait()
                    continue
                piece = bytes(body.body[sent : sent + room])
                sent += len(piece)
                was_done = body.done and sent == len(body.body)
                if self.done.is_set():
                    return True         # answered before it was read: the rest is of no interest
                self.h2.send_data(self.stream, piece, end_stream=was_done)
                self.flush()
                await self.to_writer.drain()
            if not body.done and not await self.more():
                return False
        self.unread = body.rest + self.unread
        return True

    async def to_caller(self) -> None:
        """Replies; ends with the gateway's connection, or where it breaks a stream off."""
        while data := await self.to_reader.read(READ_BYTES):
            for event in self.h2.receive_data(data):
                if not self.take(event):
                    return
                await self.writer.drain()
                if (size := getattr(event, "flow_controlled_length", None)) and event.stream_id == self.stream:
                    self.h2.acknowledge_received_data(size, event.stream_id)
            self.flush()

    def take(self, event: Any) -> bool:
        """Write what an event says; False for the end."""
        kind = type(event).__name__
        self.window.set()
        if kind == "ResponseReceived":
            fields = dict(event.headers)
            status = int(fields[":status"])
            self.is_chunked = "content-length" not in fields and not self.is_head and status not in (204, 304)
            lines = [f"HTTP/1.1 {status} {PHRASES.get(status, '')}", *(f"{name}: {value}" for name, value in event.headers[1:])]
            lines += ["transfer-encoding: chunked"] * self.is_chunked + ["connection: close"] * self.is_last
            self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        elif kind == "DataReceived" and event.data:
            self.writer.write(b"%x\r\n%b\r\n" % (len(event.data), event.data) if self.is_chunked else event.data)
        elif kind == "StreamEnded":
            if self.is_chunked:
                self.writer.write(b"0\r\n\r\n")
            self.done.set()
            if self.reading is not None:
                self.reading.cancel()
        return kind not in ("StreamReset", "ConnectionTerminated")
