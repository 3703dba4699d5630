"""Granian in the lane's place: HTTP/2 and what else it brings, in the worker processes of our own supervisor."""
from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fastgw._core import memory
from fastgw._core.asgi import AsgiFront
from fastgw.asgi import AsgiGateway, Scope
from fastgw.snapshot.names import nearest
from fastgw.worker import GC_THRESHOLDS, STOP_LOOK_SECONDS, Worker, WorkerOptions

if TYPE_CHECKING:
    from granian._granian import WorkerSignal

HEAD_BYTES = 65536             # as the lane has it
READY_SECONDS = 0.01           # from the start to Granian's listening, which it does before it turns to the event loop again
CUT_SECONDS = 0.05             # for what was written to leave Granian before the connection is shut
STOP_SECONDS = 1.0             # for Granian to end once nothing runs any more

LOGGING = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}     # to where all of our log goes


class WrongGranian(Exception):
    """An option for Granian says what cannot be; or Granian is not installed."""


class Option(NamedTuple):
    """One of Granian's options that may be set; named as its own command line has it."""

    name: str
    place: str                     # "server", or the settings of one version: "http1", "http2"
    read: Callable[[str], object]
    meaning: str


def one_of(*words: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        if text not in words:
            raise ValueError(f"expected {', '.join(words[:-1])} or {words[-1]}, found {text!r}")
        return text
    return read


def at_least(least: int) -> Callable[[str], object]:
    def read(text: str) -> object:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise ValueError(f"expected a number from {least} on, found {text!r}")
        return int(text)
    return read


OPTIONS = (
    Option("http", "server", one_of("auto", "1", "2"), "versions of HTTP; auto: both"),
    Option("runtime-mode", "server", one_of("auto", "mt", "st"), "one event loop of Rust for all its threads, or one for each"),
    Option("runtime-threads", "server", at_least(1), "threads of Rust in a worker"),
    Option("backpressure", "server", at_least(1), "connections of a worker; by default max_connections"),
    Option("backlog", "server", at_least(128), "connections that wait to be accepted"),
    Option("ssl-protocol-min", "server", one_of("tls1.2", "tls1.3"), "least version of TLS; by default tls1.2"),
    Option("http1-max-buffer-size", "http1", at_least(8192), "bytes of a connection that are held, its head among them"),
    Option("http2-max-concurrent-streams", "http2", at_least(1), "requests at once of a connection"),
    Option("http2-initial-stream-window-size", "http2", at_least(1024), "bytes of a request's body before they are read"),
    Option("http2-initial-connection-window-size", "http2", at_least(1024), "the same for all requests of a connection"),
    Option("http2-keep-alive-interval", "http2", at_least(1), "milliseconds between pings"),
)


def read_options(pairs: Iterable[str]) -> dict[str, dict[str, object]]:
    """NAME=VALUE, as arguments of Granian by their place. raises WrongGranian"""
    found: dict[str, dict[str, object]] = {"server": {}, "http1": {}, "http2": {}}
    rows = {row.name: row for row in OPTIONS}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        row = rows.get(name)
        if not equals or row is None:
            meant = nearest(name, tuple(rows))
            raise WrongGranian(f"--granian: expected NAME=VALUE with a name of docs/asgi.md, found {pair!r}"
                               + (f"; did you mean {meant}?" if meant and meant != name else ""))
        try:
            value = row.read(text)
        except ValueError as problem:
            raise WrongGranian(f"--granian {name}: {problem}") from problem
        found[row.place][name.removeprefix(f"{row.place}-").replace("-", "_")] = value
    return found


def runner(pairs: Iterable[str]) -> Callable[[WorkerOptions], int]:
    """What runs a worker under Granian. raises WrongGranian"""
    chosen = read_options(pairs)
    try:
        import granian  # noqa: F401  # to say now that it is missing
    except ImportError as error:
        raise WrongGranian("--server granian: Granian is not installed; pip install 'fastgw[granian]'") from error

    def run(options: WorkerOptions) -> int:
        memory.tune()
        gc.set_threshold(*GC_THRESHOLDS)
        from granian._granian import WorkerSignal

        app = SupervisedGateway(options, WorkerSignal())
        serve_here(app, options, chosen)
        return 0 if app.is_clean else 1
    return run


class SupervisedGateway(AsgiGateway):
    """The gateway of one worker process, whose place is the supervisor's business; it ends as a worker with a lane does."""

    def __init__(self, options: WorkerOptions, told: WorkerSignal) -> None:
        super().__init__(options.document)
        self.options = options
        self.told = told               # a signal of Granian's: it is to accept no more, and to end once nothing runs
        self.is_clean = True

    async def open(self) -> AsgiFront:
        worker = Worker(self.options)
        stopping = worker.heed_signals()
        front = self.begin(worker, cut_connection)
        # what was made to serve by stays for good: no collection need look at it
        gc.collect()
        gc.freeze()
        loop = asyncio.get_running_loop()
        loop.call_later(READY_SECONDS, self.options.ready)
        self.ending = loop.create_task(self.end(stopping, worker))
        return front

    async def end(self, stopping: asyncio.Event, worker: Worker) -> None:
        """Once told to: accept no more, let what runs end, cut off what takes too long."""
        await stopping.wait()
        worker.health.stopping = True
        self.told.set()                 # once: a third time would wait for ever, with the interpreter's lock held
        loop = asyncio.get_running_loop()
        started = loop.time()
        while worker.front.open_count and loop.time() < started + worker.patience_s:
            await asyncio.sleep(STOP_LOOK_SECONDS)
        if worker.front.open_count:
            self.is_clean = await worker.stop() and self.is_clean
        await asyncio.sleep(STOP_SECONDS)
        # connections that take nothing of what was written keep Granian from ending
        self.is_clean = await self.stop() and self.is_clean
        os._exit(0 if self.is_clean else 1)

    async def stop(self) -> bool:
        self.is_clean = await super().stop() and self.is_clean
        return self.is_clean


def serve_here(app: SupervisedGateway, options: WorkerOptions, chosen: Mapping[str, Mapping[str, object]]) -> None:
    """Run one worker of Granian in this process, until it ends."""
    from granian import _signals
    from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, SSLProtocols
    from granian.http import HTTP1Settings, HTTP2Settings
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    class Here(MPServer):
        """Granian without a process of its own above its worker: the supervisor is that."""

        def startup(self, spawn_target: object, target_loader: object) -> None:
            self._init_shared_socket()  # type: ignore[no-untyped-call]  # Granian's own
            self._spawn_worker(0, spawn_target, target_loader).inner.run()

        def _serve_loop(self, spawn_target: object, target_loader: object) -> None:
            """It has ended already."""

        def shutdown(self, exit_code: int = 0) -> None:
            """Nothing was started that would have to be."""

    # signals are the worker's own to heed: Granian would end at the first, whatever runs
    _signals.set_loop_signals = lambda loop: app.told
    gateway = options.document.config.gateway
    server: dict[str, Any] = {"http": "auto", "runtime_mode": "auto", "ssl_protocol_min": "tls1.2",
                              "backpressure": gateway.max_connections, **chosen["server"]}
    for name, kind in (("http", HTTPModes), ("runtime_mode", RuntimeModes), ("ssl_protocol_min", SSLProtocols)):
        server[name] = kind(server[name])
    if gateway.tls is not None:
        server |= {"ssl_cert": Path(gateway.tls.cert), "ssl_key": Path(gateway.tls.key)}
    http1: dict[str, Any] = {"header_read_timeout": gateway.timeouts.head_ms, **chosen["http1"]}
    http2: dict[str, Any] = {"max_headers_size": HEAD_BYTES, **chosen["http2"]}
    Here(
        "fastgw.asgi:app", address=options.host, port=options.port, interface=Interfaces.ASGI, loop=Loops.uvloop, websockets=False,
        log_level=LogLevels.warning, log_dictconfig=LOGGING, http1_settings=HTTP1Settings(**http1), http2_settings=HTTP2Settings(**http2),
        **server,
    ).serve(target_loader=lambda: app, wrap_loader=False)


async def cut_connection(scope: Scope) -> None:
    """Shut the connection of a reply that broke off. Granian ends a reply in good order whatever the application does, so that a
    caller would take a part for the whole; of HTTP/2, where a connection has other requests, the end has to be in what was sent.
    """
    client, version = scope["client"], str(scope["http_version"])
    if version.startswith("1") and isinstance(client, tuple):
        await asyncio.sleep(CUT_SECONDS)
        # HTTP/1.0 knows no end but that of the connection, so that only a reset says that it came too early
        await asyncio.to_thread(shut, str(client[0]), int(client[1]), version != "1.1")


def shut(host: str, port: int, reset: bool) -> None:
    """End the connection of this process with that peer."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.family in (socket.AF_INET, socket.AF_INET6) and one.getpeername()[:2] == (host, port):
                    if reset:
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        except OSError:
            continue                    # it went away, or has no peer
