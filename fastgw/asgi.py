"""The gateway as an ASGI 3 application, for any server of them: `granian --interface asgi fastgw.asgi:app`.

FASTGW_CONFIG names the configuration; make_app(config=...) makes one of its own. Nothing is opened before the server says that it
starts (lifespan) or, where it does not say so, before the first request.
"""
import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastgw._core.asgi import AsgiFront
from fastgw.pipeline import Gateway
from fastgw.place import MOST_WORKERS, CannotServe, Place, ring_path, take_place
from fastgw.record.daemon import RunningDrain, start_drain
from fastgw.record.options import drain_options
from fastgw.snapshot.load import ConfigError, Document, explain
from fastgw.snapshot.opening import open_first
from fastgw.snapshot.seal import Vault
from fastgw.worker import Worker, WorkerOptions

Scope = Mapping[str, object]
Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DEFAULT_CONFIG = "fastgw.toml"
DRAIN_LOOK_SECONDS = 1.0       # how often a worker looks whether the one that drains is gone

log = logging.getLogger("fastgw.asgi")


class AsgiGateway:
    """One gateway in this process, which shares nothing with another; of one event loop."""

    def __init__(self, config: str | os.PathLike[str] | Document | None = None) -> None:
        self.config = config
        self.front: AsgiFront | None = None
        self.starting: asyncio.Task[AsgiFront] | None = None
        self.worker: Worker | None = None
        self.place: Place | None = None
        self.drain: RunningDrain | None = None

    def __repr__(self) -> str:
        return f"<AsgiGateway {self.front!r}, {self.place!r}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (self.front or await self.start()).serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.follow_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": "no WebSocket is served here"})
        else:
            raise ValueError(f"expected a scope of http, lifespan or websocket, got {scope['type']!r}")

    async def follow_lifespan(self, receive: Receive, send: Send) -> None:
        """Start and stop with the server."""
        await receive()
        try:
            await self.start()
        except Exception as error:          # whatever it is, the server has to be told
            if not isinstance(error, CannotServe):
                log.exception("the gateway could not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """For an application that this one is mounted in: Starlette(..., lifespan=gateway.lifespan). raises CannotServe"""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> AsgiFront:
        """Open everything, once, however many ask. raises CannotServe"""
        if self.starting is None:
            self.starting = asyncio.get_running_loop().create_task(self.open())
        try:
            return await asyncio.shield(self.starting)
        except Exception:
            self.starting = None            # the next one tries again
            raise

    async def stop(self) -> bool:
        """Let what runs end, within timeouts.shutdown_ms, then close everything; True where nothing was cut off."""
        worker, self.front, self.starting, self.worker = self.worker, None, None, None
        is_clean = True
        if worker is not None:
            is_clean = await worker.stop()
            worker.close()
        if self.drain is not None:
            is_clean = await self.drain.stop() and is_clean
            self.drain = None
        if self.place is not None:
            self.place.leave()
            self.place = None
        return is_clean

    async def open(self) -> AsgiFront:
        """Take a place in the state directory, and begin to serve from it. raises CannotServe"""
        document, vault = self.read()
        state = Path(document.config.gateway.state).absolute()
        place = self.place = await asyncio.to_thread(take_place, state)
        try:
            worker = Worker(WorkerOptions(
                document=document, state=state, index=place.index, workers=place.index + 1, watch=bool(document.path),
                lost=tuple(place.lost), vault=vault))
            worker.acts.append((DRAIN_LOOK_SECONDS, self.look_for_drain))
            return self.begin(worker)
        except BaseException:
            await self.stop()
            raise

    def begin(self, worker: Worker, cut: Callable[[Scope], Awaitable[None]] | None = None) -> AsgiFront:
        """Open a worker, on the running event loop, and let requests in."""
        gateway = worker.options.document.config.gateway
        worker.open()
        self.worker = worker
        self.front = AsgiFront(
            worker.poller, Gateway(worker.pipeline), max_connections=gateway.max_connections, max_body_bytes=gateway.max_body_bytes,
            body_ms=gateway.timeouts.body_ms, write_ms=gateway.timeouts.write_ms, cut=cut)
        worker.begin(self.front)
        return self.front

    async def look_for_drain(self) -> None:
        """Drain the records of all workers of this state directory, where no other process does."""
        if self.drain is None and self.worker is not None and self.place is not None and self.place.take_drain():
            options = self.worker.options
            rings = [ring_path(options.state, index) for index in range(MOST_WORKERS)]
            self.drain = await start_drain(drain_options(options.document.config.gateway.record, options.state, rings))

    def read(self) -> tuple[Document, Vault | None]:
        """The configuration, with every file that it names, and what opens its secrets. raises CannotServe"""
        config = self.config
        if isinstance(config, Document):
            return config, None
        try:
            return open_first(Path(config or os.environ.get("FASTGW_CONFIG") or DEFAULT_CONFIG), os.environ)
        except ConfigError as error:
            raise CannotServe(explain(error.problems)) from error


def make_app(config: str | os.PathLike[str] | Document | None = None) -> AsgiGateway:
    """An application of its own; config is a file, by default the one that FASTGW_CONFIG names, or ./fastgw.toml."""
    return AsgiGateway(config)


app = make_app()
