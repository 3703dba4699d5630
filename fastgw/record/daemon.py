"""The drain where it runs: rings, exporters, and the metrics on a Unix socket; as a process of its own, or inside a worker's."""
import asyncio
import logging
import os
import signal
import socket
from pathlib import Path

from fastgw.record.drain import Drain
from fastgw.record.exporters.table import make_exporters
from fastgw.record.options import DrainOptions

SOCKET_NAME = "drain.sock"
HEAD_SECONDS = 75.0
HEAD_BYTES = 16384
PARENT_SECONDS = 1.0

log = logging.getLogger("fastgw.record")


def run_drain(options: DrainOptions) -> int:
    """Drain until SIGTERM or SIGINT, or until the parent is gone; return the exit status."""
    return asyncio.run(serve(options))


async def serve(options: DrainOptions) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    # with a parent, Ctrl-C is the parent's to judge: the workers' last records are still to come
    for number in (signal.SIGTERM,) if options.parent_pid else (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    running = await start_drain(options)
    while not stopping.is_set():
        try:
            await asyncio.wait_for(stopping.wait(), PARENT_SECONDS if options.parent_pid else None)
        except TimeoutError:
            if os.getppid() != options.parent_pid:
                log.warning("the parent process is gone: reading the rings out and stopping")
                break
    return 0 if await running.stop() else 1


class RunningDrain:
    """A drain in threads of this process, and its metrics on this event loop."""

    def __init__(self, options: DrainOptions, drain: Drain, server: asyncio.Server | None) -> None:
        self.options = options
        self.drain = drain
        self.server = server

    def __repr__(self) -> str:
        return f"<RunningDrain {self.drain!r}>"

    async def stop(self) -> bool:
        """Read the rings out and close; False where that took too long."""
        is_clean = await asyncio.to_thread(self.drain.stop, self.options.stop_seconds)
        if self.server is not None:
            self.server.close()                   # last, so that the end of a drain can be watched too
            (self.options.state / SOCKET_NAME).unlink(missing_ok=True)
        return is_clean


async def start_drain(options: DrainOptions) -> RunningDrain:
    """Start to drain."""
    drain = Drain(
        options.rings, make_exporters(options), errors=options.errors,
        queue_records=options.queue_records, queue_bytes=options.queue_bytes, state=options.state,
    )
    drain.start()
    return RunningDrain(options, drain, await open_metrics(options.state / SOCKET_NAME, drain))


async def open_metrics(path: Path, drain: Drain) -> asyncio.Server | None:
    """Listen on a Unix socket that only this user may open; None where that fails, since records matter more."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)                         # before listen: nobody can connect until then

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answer_all(reader, writer, drain)

        return await asyncio.start_unix_server(answer, sock=listener, limit=HEAD_BYTES)
    except OSError as error:
        listener.close()
        log.error("metrics cannot be served on %s: %s", path, error)
        return None


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drain: Drain) -> None:
    """Answer requests on one connection until it closes, is idle for long, or sends what is not understood."""
    try:
        while True:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            response, keep_alive = respond(head, drain)
            writer.write(response)
            await writer.drain()
            if not keep_alive:
                break
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()


def respond(head: bytes, drain: Drain) -> tuple[bytes, bool]:
    """Return the whole response to a request head, and whether the connection stays open."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if len(words) != 3 or "transfer-encoding" in fields or fields.get("content-length", "0") != "0":
        return reply(400, b"expected a request without a body\n", False), False
    method, target, version = words
    wish = fields.get("connection", "").lower()
    keep_alive = wish != "close" and (version == "HTTP/1.1" or wish == "keep-alive")
    if method not in ("GET", "HEAD"):
        return reply(405, b"expected GET\n", keep_alive), keep_alive
    if target.partition("?")[0] != "/metrics":
        return reply(404, b"expected /metrics\n", keep_alive, method == "HEAD"), keep_alive
    # here: what it takes is a tenth of an edge's memory, and nobody may ever ask
    from fastgw.record.exposition import Exposition, metrics_text

    return reply(200, metrics_text(Exposition(drain)), keep_alive, method == "HEAD"), keep_alive


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


def reply(status: int, body: bytes, keep_alive: bool, is_head: bool = False) -> bytes:
    fields = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        f"content-type: {CONTENT_TYPE}",
        f"content-length: {len(body)}",
        f"connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    if status == 405:
        fields.append("allow: GET, HEAD")
    return "\r\n".join([*fields, "", ""]).encode() + (b"" if is_head else body)
