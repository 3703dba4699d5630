"""Run the mock: sockets, worker processes, counters."""
from __future__ import annotations

import asyncio
import gc
import mmap
import os
import random
import signal
import socket
import sys

import uvloop

from fastgw.mock.connection import FIRST_ROW_COUNTER, Connection, Desk
from fastgw.mock.options import MockOptions
from fastgw.mock.table import Table

COUNTER_NAMES = ("requests", "streams", "aborted", "bytes_in", "in_flight")
COUNTERS_PER_WORKER = 128
BACKLOG = 4096


class Counters:
    """Numbers that all workers see, in memory that is made before they are."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._memory = memoryview(mmap.mmap(-1, workers * COUNTERS_PER_WORKER * 8)).cast("q")

    def of_worker(self, worker: int) -> memoryview[int]:
        """The part that one worker writes."""
        return self._memory[worker * COUNTERS_PER_WORKER : (worker + 1) * COUNTERS_PER_WORKER]

    def stats(self, labels: list[str]) -> dict[str, object]:
        """Sum them up; by_path leaves out what nobody asked for."""
        sums = [sum(self._memory[at::COUNTERS_PER_WORKER].tolist()) for at in range(FIRST_ROW_COUNTER + len(labels))]
        by_path = {label: count for label, count in zip(labels, sums[FIRST_ROW_COUNTER:], strict=True) if count}
        return {**dict(zip(COUNTER_NAMES, sums, strict=False)), "by_path": by_path}


class MockServer:
    """A mock on the running loop, to be started and closed by whoever embeds it."""

    def __init__(self, options: MockOptions, counters: Counters | None = None, worker: int = 0) -> None:
        self.options = options
        self._counters = counters or Counters(1)
        self._worker = worker
        self._table = Table(options, self.stats)

    def stats(self) -> dict[str, object]:
        """What GET /mock/stats says."""
        return self._counters.stats(self._table.labels)

    async def start(self, listener: socket.socket) -> None:
        """Begin to accept on a listening socket."""
        options = self.options
        loop = asyncio.get_running_loop()
        self._desk = Desk(
            loop, self._table.answer, self._table.fail, random.Random(self._worker).random,
            self._counters.of_worker(self._worker), latency_s=options.latency_ms / 1000, ttft_s=options.ttft_ms / 1000,
            gap_s=options.gap_ms / 1000, error_rate=options.error_rate)
        self._server = await loop.create_server(lambda: Connection(self._desk), sock=listener, backlog=BACKLOG)

    async def close(self) -> None:
        """Stop accepting and break what is open."""
        self._server.close()
        self._desk.close_all()
        await self._server.wait_closed()


def open_listener(listen: str) -> socket.socket:
    """Listen on HOST:PORT, so that several processes can share it and nobody is refused while they start."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, int(port)))
    listener.listen(BACKLOG)
    return listener


def serve(options: MockOptions) -> int:
    """Serve until SIGTERM or SIGINT and return the exit status. The first line of output says where it listens."""
    try:
        listeners = [open_listener(options.listen)]
    except OSError as error:
        print(f"cannot listen on {options.listen}: {error.strerror or error}", file=sys.stderr)
        return 1
    except (ValueError, OverflowError):
        print(f"expected HOST:PORT with a port from 0 to 65535, found {options.listen!r}", file=sys.stderr)
        return 1
    host, port = listeners[0].getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    workers = max(1, options.workers)
    listeners += [open_listener(address) for _ in range(workers - 1)]
    counters = Counters(workers)
    print(f"mock provider listening on http://{address}", flush=True)
    if workers == 1:
        run_worker(options, counters, 0, listeners[0])
        return 0
    return run_workers(options, counters, listeners)


def run_workers(options: MockOptions, counters: Counters, listeners: list[socket.socket]) -> int:
    """Fork a process for each listener and wait for them; one that dies ends all, with status 1."""
    children: set[int] = set()
    is_stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal is_stopping
        is_stopping = True
        for pid in children:
            os.kill(pid, signal.SIGTERM)

    # Before the first fork, so that no signal finds children that nobody stops.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for worker, listener in enumerate(listeners):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            for other in listeners:
                if other is not listener:
                    other.close()
            run_worker(options, counters, worker, listener)
            os._exit(0)
        children.add(pid)
    for listener in listeners:
        listener.close()
    has_failed = False
    while children:
        pid, ended = os.wait()
        children.discard(pid)
        if not is_stopping:
            has_failed = bool(ended)
            stop(signal.SIGTERM, None)
    return int(has_failed)


def run_worker(options: MockOptions, counters: Counters, worker: int, listener: socket.socket) -> None:
    """Serve on one listener until a signal."""

    async def main() -> None:
        server = MockServer(options, counters, worker)
        await server.start(listener)
        done = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, done.set)
        # What is there now stays: a collection would only walk it again.
        gc.collect()
        gc.freeze()
        await done.wait()
        await server.close()

    uvloop.run(main())
