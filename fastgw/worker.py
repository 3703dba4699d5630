"""One worker of the data plane: an event loop, what requests come in by, its ring and its place in the ledger."""
import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

import uvloop
from msgspec import Struct

from fastgw._core import memory
from fastgw._core.aside import run_aside
from fastgw._core.lane import Lane, listening_socket
from fastgw._core.ledger import Ledger, Reclaimed
from fastgw._core.poll import Poller
from fastgw._core.price import PriceRow
from fastgw._core.ring import RingWriter
from fastgw._core.route import TargetTable
from fastgw._core.upstream import Origin
from fastgw.cache.inquiry import ResponseCache
from fastgw.cache.remote import RemoteStore, open_client
from fastgw.dialects.loading import load_all
from fastgw.errors import GatewayError
from fastgw.meter.catalog import Catalog
from fastgw.pipeline import Gateway, Pipeline
from fastgw.place import ring_path, targets_path
from fastgw.providers.table import PROVIDERS
from fastgw.record.names import GAUGES
from fastgw.record.options import DrainOptions
from fastgw.snapshot.certificates import server_context
from fastgw.snapshot.compile import Compiler
from fastgw.snapshot.health import Health
from fastgw.snapshot.keyring import KEYS, KEYS_MARK
from fastgw.snapshot.keywatch import KeyWatch
from fastgw.snapshot.load import Document
from fastgw.snapshot.seal import Vault
from fastgw.snapshot.types import Integration, Snapshot, Target
from fastgw.snapshot.watch import LOOK_SECONDS, Watch

GAUGE_SECONDS = 0.1
QUIET_SECONDS = 1.0
RENEW_SECONDS = 5.0
RENEW_AHEAD_SECONDS = 120.0    # of a token's end
STOP_LOOK_SECONDS = 0.02
ORPHAN_SECONDS = 2.0           # for what runs to end when the supervisor was killed: the next gateway waits for the state
# One collection of the oldest generation looks at every object there is: that is for quiet moments only.
GC_THRESHOLDS = (50_000, 20, 1_000_000)

log = logging.getLogger("fastgw.worker")


class Front(Protocol):
    """Where requests come in: the lane, or an ASGI server."""

    @property
    def open_count(self) -> int: ...
    @property
    def refused_count(self) -> int: ...
    def stop(self) -> None: ...
    def abort(self) -> None: ...


class WorkerOptions(Struct, frozen=True, kw_only=True):
    """What a worker is told by whoever starts it."""

    document: Document
    state: Path
    host: str = ""                 # of the lane
    port: int = 0
    index: int = 0
    workers: int = 1
    parent_pid: int = 0            # stop when this process is no longer the parent; 0: never
    watch: bool = True             # follow the file
    lost: tuple[Reclaimed, ...] = ()
    drain: DrainOptions | None = None      # of a drain in this process
    is_small: bool = False         # what only some requests need is loaded by the first of them
    has_control: bool = False      # whether a control plane listens on its socket
    vault: Vault | None = None     # opens the sealed secrets of the file and of what is published
    ready: Callable[[], object] = int      # called once connections are accepted


def run_worker(options: WorkerOptions) -> int:
    """Serve until SIGTERM or SIGINT, or until the parent is gone; return the exit status."""
    memory.tune()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Worker(options).serve())


class Worker:
    """The parts of a worker and their life."""

    def __init__(self, options: WorkerOptions) -> None:
        self.options = options
        self.health = Health()
        self.patience_s = options.document.config.gateway.timeouts.shutdown_ms / 1e3
        self.served_when_trimmed = self.served_before = 0
        self.remote: RemoteStore | None = None
        self.acts: list[tuple[float, Callable[[], object]]] = []       # what is done again and again, and how often
        self.tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Worker {self.options.index} of {self.options.workers}>"

    async def serve(self) -> int:
        """Run the lane until told to stop; return the exit status: 0 where nothing was cut off."""
        stopping = self.heed_signals()
        options = self.options
        self.open()
        lane = self.make_lane()
        # what was made to serve by stays for good: no collection need look at it
        gc.collect()
        gc.freeze()
        lane.listen(listening_socket(options.host, options.port))
        self.begin(lane)
        options.ready()
        drain = None
        if options.drain is not None:
            # here, and in a thread, while the first requests come: what records need is a third of what there is to load
            daemon = await run_aside(import_module, "fastgw.record.daemon")
            drain = await daemon.start_drain(options.drain)
        await stopping.wait()
        is_clean = await self.stop()
        self.close()
        if drain is not None:
            is_clean = await drain.stop() and is_clean
        return 0 if is_clean else 1

    def heed_signals(self) -> asyncio.Event:
        """What is set when this process is told to stop, or its parent is gone; told twice, it waits for nobody."""
        loop, options = asyncio.get_running_loop(), self.options
        stopping = asyncio.Event()

        def told_to_stop() -> None:
            if stopping.is_set():
                self.patience_s = 0.0
            stopping.set()

        def look_for_parent() -> None:
            if os.getppid() != options.parent_pid and not stopping.is_set():
                log.warning("the supervisor is gone: stopping")
                self.patience_s = min(self.patience_s, ORPHAN_SECONDS)
                stopping.set()

        # with a parent, Ctrl-C is the parent's to judge
        for number in (signal.SIGTERM,) if options.parent_pid else (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self.watch.reload())
        if options.parent_pid:
            self.acts.append((QUIET_SECONDS, look_for_parent))
        return stopping

    def open(self) -> None:
        """Take this worker's place, and compile what it serves by; on the event loop. raises OSError and what compiling raises"""
        options, gateway = self.options, self.options.document.config.gateway
        if not options.is_small:
            load_all()
        self.poller = Poller(asyncio.get_running_loop())
        self.ledger = Ledger(options.state / "ledger", workers=options.workers, worker=options.index)
        self.ring = RingWriter(ring_path(options.state, options.index), gateway.record.ring_bytes, options.index)
        if self.ring.moved_aside is not None:
            log.warning("%s is damaged or of another release: it is kept as %s, and a fresh one is made",
                        self.ring.path, self.ring.moved_aside)
        self.own = [self.own_target(name) for name in ("drain", "control")]
        self.pipeline = Pipeline(self.poller, self.ledger, self.ring, self.health, options.index, self.own[0],
                                 gateway.max_body_bytes, self.own[1] if options.has_control else None)
        self.pipeline.record_lost(list(options.lost))
        self.pipeline.use_cache(self.make_cache(), gateway.cache)
        self.table = TargetTable(targets_path(options.state), workers=options.workers, worker=options.index)
        self.keys = KeyWatch(options.state / KEYS, self.health)
        self.keys.refresh()
        # a store of this machine alone, which it has just made, has no keys
        has_shared_store = options.has_control and bool(options.document.config.control.store_url)
        self.health.awaits_keys = has_shared_store and not (options.state / KEYS_MARK).exists()
        self.compiler = Compiler(self.ledger, self.poller, Catalog.load(), self.table, keys=self.keys.file)
        self.watch = Watch(options.document.path, self.compiler, self.publish, self.health, options.state, options.vault)
        self.watch.start(options.document)

    def begin(self, front: Front) -> None:
        """Requests come in from here on: do what is done again and again."""
        self.front = front
        self.ring.set_gauge(GAUGES.index("pid"), os.getpid())
        self.acts += [(GAUGE_SECONDS, self.show_gauges), (QUIET_SECONDS, self.tidy), (RENEW_SECONDS, self.renew_tokens),
                      (LOOK_SECONDS, self.look_for_keys)]
        if self.options.watch:
            self.acts.append((LOOK_SECONDS, self.watch.look))
        self.tasks = [asyncio.get_running_loop().create_task(self.every(seconds, act)) for seconds, act in self.acts]

    def look_for_keys(self) -> None:
        """Follow the file of keys; what makes ready is that all are there, and that what they lead to, published before them, serves."""
        self.keys.look()
        if self.health.awaits_keys and (self.options.state / KEYS_MARK).exists() and not self.keys.is_behind():
            self.health.awaits_keys = self.watch.settled != self.watch.marks()

    def close(self) -> None:
        """Leave; nothing may run any more."""
        for task in self.tasks:
            task.cancel()
        self.show_gauges()
        for origin in {row.origin for row in self.pipeline.snapshot.integrations.values()} | {row.integration.origin for row in self.own}:
            origin.close()
        self.poller.close()
        self.ring.close()

    def own_target(self, name: str) -> Target:
        """The socket of another process of the gateway, as a target that requests are passed on to."""
        origin = Origin(self.poller, name, 0, unix_path=str(self.options.state / f"{name}.sock"), connect_ms=1000, first_byte_ms=60_000)
        fields = b"host: drain\r\n" if name == "drain" else b""       # who talks to the control plane names the host that it was reached by
        integration = Integration(
            name, PROVIDERS["openai-compatible"], origin, host=name.encode(), prefix=b"", cut=b"", query=b"", fields=fields,
            default_fields=b"", ask_usage=False, ways={}, output_limits={})
        return Target(integration, b"", PriceRow())

    def make_lane(self) -> Lane:
        gateway = self.options.document.config.gateway
        times = gateway.timeouts
        return Lane(
            self.poller, Gateway(self.pipeline), max_connections=gateway.max_connections, max_body_bytes=gateway.max_body_bytes,
            head_ms=times.head_ms, body_ms=times.body_ms, idle_ms=times.idle_ms, write_ms=times.write_ms,
            tls=server_context(gateway.tls.cert, gateway.tls.key) if gateway.tls else None,
        )

    def make_cache(self) -> ResponseCache:
        """What keeps replies: in this worker, and in Redis for all; what is wrong with that costs only the cache."""
        settings, loop = self.options.document.config.gateway.cache, asyncio.get_running_loop()
        if settings.redis is not None:
            try:
                self.remote = RemoteStore(open_client(settings.redis.reveal(), settings), settings)
            except GatewayError as problem:
                log.error("replies are kept in this worker only: %s", problem)
        return ResponseCache(settings, lambda: time.time_ns() // 1_000_000, loop.call_soon, loop.call_later, self.remote)

    def publish(self, snapshot: Snapshot, retired: list[Origin]) -> None:
        self.pipeline.publish(snapshot)
        for origin in retired:
            origin.close()

    async def stop(self) -> bool:
        """Accept no more, let what runs end, cut off what takes too long; True where nothing was cut off."""
        self.health.stopping = True
        self.front.stop()
        started = asyncio.get_running_loop().time()
        while self.front.open_count and asyncio.get_running_loop().time() < started + self.patience_s:
            await asyncio.sleep(STOP_LOOK_SECONDS)
        is_clean = not self.front.open_count
        if not is_clean:
            log.warning("%d connections did not end in time and are cut off", self.front.open_count)
        self.front.abort()
        if self.remote is not None:
            await self.remote.close()
        return is_clean

    async def every(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something again and again; a failure is logged, not fatal."""
        while True:
            try:
                done = act()
                if asyncio.iscoroutine(done):
                    await done
            except Exception:           # the edge of a background task
                log.exception("fault in %r", act)
            await asyncio.sleep(seconds)

    def show_gauges(self) -> None:
        origins = {id(row.origin): row.origin for row in self.pipeline.snapshot.integrations.values()}.values()
        values = {
            "connections": self.front.open_count, "in_flight": self.pipeline.in_flight,
            "upstream_idle": sum(origin.idle_count for origin in origins), "upstream_busy": sum(origin.busy_count for origin in origins),
            "refused_connections": self.front.refused_count, "snapshot_version": self.health.version,
            "snapshot_refused": self.watch.refusals, "snapshot_faulty": int(self.health.refused is not None),
            "published_ns": (self.watch.settled[1] or (0,))[0],
            "faults": self.poller.faults,
        }
        for name, value in values.items():
            self.ring.set_gauge(GAUGES.index(name), value)

    def renew_tokens(self) -> None:
        """Fetch the next token of a provider before the one in use expires, so that no request waits for it."""
        connections = self.compiler.connections
        for _, _, signer in connections.signers if connections is not None else ():
            if 0 < signer.expires_s < time.time() + RENEW_AHEAD_SECONDS:
                self.pipeline.renew(signer)

    def tidy(self) -> None:
        """Once nothing has been asked for a while: collect the oldest generation and give memory back, which take milliseconds."""
        served = self.pipeline.served
        is_quiet = not self.pipeline.in_flight and served == self.served_before
        self.served_before = served
        if is_quiet and served != self.served_when_trimmed:
            self.served_when_trimmed = served
            gc.collect()
            memory.trim()
            self.ring.let_pages_go()
            self.table.let_pages_go()
