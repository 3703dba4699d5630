"""Run the gateway: a supervisor that starts the workers and the drain, restarts what dies, and stops everything in order."""
import fcntl
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from fastgw._core.ledger import LayoutError, Ledger, Reclaimed
from fastgw.errors import CODES
from fastgw.record.daemon import run_drain
from fastgw.record.options import DrainOptions
from fastgw.snapshot.load import Document
from fastgw.worker import WorkerOptions, ring_path, run_worker

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
LOCK_SECONDS = 5.0             # children of a supervisor that was killed notice within a second
RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)
HEALTHY_SECONDS = 30.0         # a child that lived this long died by accident
DRAIN_STOP_SECONDS = 15.0

log = logging.getLogger("fastgw.serve")


class StateInUse(Exception):
    """Another gateway runs on this state directory."""


class Child(Struct):
    """A process that the supervisor keeps alive."""

    name: str
    run: Callable[[], int]
    worker: int | None = None
    pid: int = 0
    started_s: float = 0.0
    restarts: int = 0
    due_s: float = 0.0

    def __repr__(self) -> str:
        return f"<Child {self.name}, pid {self.pid}, {self.restarts} restarts>"


class Supervisor:
    """The parent of all processes of a gateway; single-threaded, so that forking is safe."""

    def __init__(self, document: Document, *, started: Callable[["Supervisor"], None] | None = None) -> None:
        self.document = document
        self.gateway = document.config.gateway
        self.state = Path(self.gateway.state).absolute()
        self.workers = self.gateway.workers or os.cpu_count() or 1
        self.children: list[Child] = []
        self.started = started
        self.host, self.port = "", 0

    def __repr__(self) -> str:
        return f"<Supervisor of {self.children!r}>"

    def run(self) -> int:
        """Serve until told to stop; return the exit status.

        raises  StateInUse, LayoutError, OSError (the address is taken, the state directory cannot be written)
        """
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = take_lock(self.state / "lock")
        reserved = self.reserve_address()
        ledger = Ledger(self.state / "ledger", workers=self.workers)
        lost = ledger.recover()
        if lost:
            log.warning("%d exchanges were in hand when the gateway died; what was on its way is charged as reserved", len(lost))
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for index in range(self.workers):
            self.children.append(Child(f"worker {index}", self.worker_run(index, tuple(lost) if index == 0 else ()), index))
        self.children.append(Child("drain", self.drain_run()))
        for child in self.children:
            self.start(child)
        if self.started:
            self.started(self)
        self.watch(ledger)
        is_clean = self.stop()
        reserved.close()
        lock.close()
        return 0 if is_clean else 1

    def reserve_address(self) -> socket.socket:
        """Hold the address with a socket that takes no connections: a port 0 is settled, and a taken one is found out now."""
        host, _, port = self.gateway.listen.rpartition(":")
        host = host.strip("[]")
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            # without SO_REUSEPORT, so that another gateway's port is not shared by accident
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
            bound = probe.getsockname()
        reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(bound)
        self.host, self.port = host, bound[1]
        return reserved

    def worker_run(self, index: int, lost: tuple[Reclaimed, ...]) -> Callable[[], int]:
        def run() -> int:
            return run_worker(WorkerOptions(
                document=self.document, host=self.host, port=self.port, state=self.state, index=index, workers=self.workers,
                parent_pid=os.getppid(), watch=bool(self.document.path), lost=lost))
        return run

    def drain_run(self) -> Callable[[], int]:
        record = self.gateway.record
        options = DrainOptions(
            rings=tuple(ring_path(self.state, index) for index in range(self.workers)), state=self.state, errors=CODES,
            sqlite=record.sqlite, retention_days=record.retention_days, retention_bytes=record.retention_bytes,
            jsonl_path=Path(record.jsonl.path) if record.jsonl else None,
            jsonl_rotate_bytes=record.jsonl.rotate_bytes if record.jsonl else 256 << 20,
            jsonl_keep=record.jsonl.keep if record.jsonl else 5, parent_pid=os.getpid())
        return lambda: run_drain(options)

    def start(self, child: Child) -> None:
        child.started_s = time.monotonic()
        child.due_s = 0.0
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
                status = child.run()
            except BaseException:       # the edge of a process
                log.exception("%s failed", child.name)
            finally:
                logging.shutdown()
                os._exit(status)
        child.pid = pid

    def watch(self, ledger: Ledger) -> None:
        """Until told to stop: pass SIGHUP on, and restart what dies."""
        while True:
            caught = signal.sigtimedwait(SIGNALS, self.next_restart())
            if caught is not None and caught.si_signo in (signal.SIGTERM, signal.SIGINT):
                return
            if caught is not None and caught.si_signo == signal.SIGHUP:
                self.tell(signal.SIGHUP, lambda child: child.worker is not None)
            for child in self.reap():
                if child.worker is not None:
                    self.give_up_on(child, ledger)
                lived_s = time.monotonic() - child.started_s
                child.restarts = 0 if lived_s > HEALTHY_SECONDS else child.restarts + 1
                child.due_s = time.monotonic() + RESTART_SECONDS[min(child.restarts, len(RESTART_SECONDS) - 1)]
            for child in self.children:
                if child.due_s and child.due_s <= time.monotonic():
                    self.start(child)

    def give_up_on(self, child: Child, ledger: Ledger) -> None:
        """Settle what a dead worker had in hand; the one that takes its place leaves the records of it."""
        assert child.worker is not None
        lost = ledger.reclaim(child.worker)
        child.run = self.worker_run(child.worker, tuple(lost))

    def next_restart(self) -> float:
        due = [child.due_s for child in self.children if child.due_s]
        return max(min(due) - time.monotonic(), 0.0) if due else 3600.0

    def reap(self) -> list[Child]:
        """The children that have died since the last look."""
        dead = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return dead
            if pid == 0:
                return dead
            for child in self.children:
                if child.pid == pid:
                    log.error("%s (pid %d) died: status %d", child.name, pid, os.waitstatus_to_exitcode(status))
                    child.pid = 0
                    dead.append(child)

    def tell(self, number: int, whom: Callable[[Child], bool]) -> None:
        for child in self.children:
            if child.pid and whom(child):
                try:
                    os.kill(child.pid, number)
                except ProcessLookupError:
                    continue

    def stop(self) -> bool:
        """Workers first, so that the drain reads the last of their records."""
        self.tell(signal.SIGTERM, lambda child: child.worker is not None)
        is_clean = self.wait_for(lambda child: child.worker is not None, self.gateway.timeouts.shutdown_ms / 1e3 + 5)
        self.tell(signal.SIGTERM, lambda child: child.worker is None)
        return self.wait_for(lambda child: True, DRAIN_STOP_SECONDS) and is_clean

    def wait_for(self, whom: Callable[[Child], bool], patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        is_clean = True
        waiting = [child for child in self.children if child.pid and whom(child)]
        while waiting and time.monotonic() < deadline:
            for child in list(waiting):
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    is_clean = is_clean and os.waitstatus_to_exitcode(status) == 0
                    child.pid = 0
                    waiting.remove(child)
            if waiting:
                signal.sigtimedwait({signal.SIGCHLD}, 0.2)
        for child in waiting:
            log.error("%s did not stop in time and is killed", child.name)
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            child.pid = 0
        return is_clean and not waiting


def take_lock(path: Path) -> TextIO:
    """Hold the state directory; the lock is the processes' own and ends with the last of them. raises StateInUse"""
    handle = path.open("a")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() >= deadline:
                handle.close()
                raise StateInUse(f"{path.parent} is in use by another fastgw; stop it, or name another directory with --state") from None
            time.sleep(0.1)


__all__ = ["LayoutError", "StateInUse", "Supervisor"]
