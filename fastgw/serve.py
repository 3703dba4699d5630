"""Run the gateway: a supervisor that starts workers and drain, restarts what dies, and stops everything in order."""
import errno
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from fastgw._core.ledger import Ledger, Reclaimed
from fastgw._core.route import TargetTable
from fastgw.admit.upgrade import upgrade
from fastgw.control.demo import Demo
from fastgw.dialects.loading import load_all
from fastgw.place import MOST_WORKERS, CannotServe, explained, hold_state, ring_path, targets_path
from fastgw.record.options import DrainOptions, drain_options
from fastgw.record.pace import LOOK_SECONDS as PACE_LOOK_SECONDS
from fastgw.record.pace import Pace
from fastgw.snapshot.keyring import KEYS, KEYS_MARK
from fastgw.snapshot.load import Document
from fastgw.snapshot.seal import KEY_FILE, SealError, Vault, open_vault
from fastgw.worker import WorkerOptions, run_worker

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
READY_LOOK_SECONDS = 0.05
RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)
HEALTHY_SECONDS = 30.0         # a child that lived this long died by accident
MOST_FAILED_STARTS = 8         # of a worker, in a row; then whoever started the gateway should know
DRAIN_STOP_SECONDS = 15.0
DRAIN = "drain"
STORE_FILE = "store.db"
QUIET = ("aiosqlite", "alembic", "httpcore2", "httpx2")     # they would log addresses and rows, of which some are secrets
AFRESH = "ledger.afresh"       # there from before a ledger is made until it has taken over what the store knows
CONTROL_PACKAGES = ("alembic", "cryptography", "granian", "sqlalchemy", "starlette")

log = logging.getLogger("fastgw.serve")


class Child(Struct):
    """A process that the supervisor keeps alive."""

    name: str
    run: Callable[[int], int]      # with the file descriptor to write a byte to when ready
    worker: int | None = None
    pid: int = 0
    started_s: float = 0.0
    restarts: int = 0              # in a row, none of which lived for long
    failed_starts: int = 0         # in a row, none of which got ready
    due_s: float = 0.0
    ready_fd: int = -1
    is_ready: bool = False

    def __repr__(self) -> str:
        return f"<Child {self.name}, pid {self.pid}, {self.restarts} restarts>"


class Supervisor:
    """The parent of all processes of a gateway; single-threaded, so that forking is safe."""

    def __init__(
        self, document: Document, *, started: Callable[["Supervisor"], None] | None = None, lock: TextIO | None = None,
        vault: Vault | None = None, demo: Demo | None = None, run_worker: Callable[[WorkerOptions], int] = run_worker,
    ) -> None:
        self.document = document
        self.demo = demo
        self.gateway = document.config.gateway
        self.state = Path(self.gateway.state).absolute()
        self.workers = self.gateway.workers or min(len(os.sched_getaffinity(0)), MOST_WORKERS)
        self.children: list[Child] = []
        self.pace = Pace([ring_path(self.state, index) for index in range(self.workers)])
        self.started = started
        self.lock = lock
        self.run_worker = run_worker
        self.vault = vault         # children have it by the fork, and by no other way
        self.host, self.port = "", 0

    def __repr__(self) -> str:
        return f"<Supervisor of {self.children!r}>"

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.gateway.tls else 'http'}://{host}:{self.port}"

    def run(self) -> int:
        """Serve until told to stop; return the exit status: 0 where nothing was cut off.

        raises  CannotServe
        """
        with self.lock or hold_state(self.state), self.reserve_address():
            return self.serve()

    def serve(self) -> int:
        """Start everything, watch it, stop it."""
        is_fresh = self.begin_afresh()
        ledger, lost = self.take_up()
        has_control = self.has_control()
        if has_control:
            self.make_vault()
        if is_fresh:
            self.recover_ledger(has_control)
        load_all()                 # before the forks, which share it
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for index in range(self.workers):
            run = self.worker_run(index, lost if index == 0 else ())
            self.children.append(Child(f"worker {index}", run, index))
        self.children.append(Child(DRAIN, self.drain_run()))
        if has_control:
            self.children.append(Child("control", self.control_run()))
        try:
            for child in self.children:
                self.start(child)
            if self.wait_until_ready():
                if self.started:
                    self.started(self)
                self.watch(ledger)
        finally:
            is_clean = self.stop()
        if is_clean:
            self.remove_old_rings()
        return 0 if is_clean else 1

    def take_up(self) -> tuple[Ledger, tuple[Reclaimed, ...]]:
        """The ledger, and what the last gateway had in hand when it died. raises CannotServe"""
        ledger = self.open_ledger()
        # how targets fared before is old news: breakers start closed
        self.targets = TargetTable(targets_path(self.state), workers=self.workers, worker=-1, fresh=True)
        lost = tuple(ledger.recover())
        if lost:
            log.warning("%d exchanges were in hand when the gateway died; those on their way are charged", len(lost))
        return ledger, lost

    def reserve_address(self) -> socket.socket:
        """Hold the address with a socket that takes no connections: a port 0 is settled, and a taken one is found
        out now.
        """
        host, _, port = self.gateway.listen.rpartition(":")
        host = "0.0.0.0" if host == "*" else host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                # without SO_REUSEPORT, so that another gateway's port is not shared by accident
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, int(port)))
                bound = probe.getsockname()
            reserved = socket.socket(family)
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            reserved.bind(bound)
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            hint = "; stop what listens there, or name another address with --listen" if is_taken else ""
            raise CannotServe(f"cannot listen on {self.gateway.listen}: {error.strerror}{hint}") from error
        self.host, self.port = host, bound[1]
        return reserved

    def open_ledger(self) -> Ledger:
        with explained(self.state):
            if upgrade(self.state / "ledger"):
                log.info("the ledger in %s was of layout 1: every account's spend is carried over", self.state)
            return Ledger(self.state / "ledger", workers=self.workers)

    def worker_run(self, index: int, lost: tuple[Reclaimed, ...]) -> Callable[[int], int]:
        supervisor_pid = os.getpid()

        def run(ready_fd: int) -> int:
            return self.run_worker(WorkerOptions(
                document=self.document, host=self.host, port=self.port, state=self.state, index=index,
                workers=self.workers, parent_pid=supervisor_pid, watch=bool(self.document.path), lost=lost, vault=self.vault,
                has_control=self.document.config.control.enabled, ready=partial(tell_ready, ready_fd)))
        return run

    def drain_options(self, parent_pid: int) -> DrainOptions:
        return drain_options(self.gateway.record, self.state, [ring_path(self.state, index) for index in range(self.workers)], parent_pid)

    def drain_run(self) -> Callable[[int], int]:
        # here, before the fork: an edge does without, and a drain is there at once where it need not load anything
        import fastgw.record.exposition  # noqa: F401
        from fastgw.record.daemon import run_drain

        options = self.drain_options(os.getpid())

        def run(ready_fd: int) -> int:
            os.close(ready_fd)
            return run_drain(options)
        return run

    def has_control(self) -> bool:
        """Whether the control plane is wanted and installed."""
        if not self.document.config.control.enabled:
            return False
        if missing := missing_packages():
            log.info("no control plane: it needs %s; pip install 'fastgw[control]', or say enabled = false under [control]",
                     ", ".join(missing))
        return not missing

    def make_vault(self) -> None:
        """What is stored is sealed, whether or not the file holds anything that is. raises CannotServe"""
        if self.vault is None:
            try:
                self.vault = open_vault(f"file:{self.state / KEY_FILE}", self.state, os.environ)
            except SealError as error:
                raise CannotServe(f"cannot use the key that secrets are sealed with: {error}") from error

    def control_run(self, is_recovery: bool = False) -> Callable[[int], int]:
        assert self.vault is not None  # it was made
        vault, parent_pid = self.vault, os.getpid()
        rings = tuple(ring_path(self.state, index) for index in range(self.workers))

        def run(ready_fd: int) -> int:
            # what it needs is for its own process alone, and takes a while to import
            for name in QUIET:
                logging.getLogger(name).setLevel(logging.WARNING)
            from fastgw.control.daemon import run_control, run_recovery
            from fastgw.control.options import ControlOptions

            os.close(ready_fd)
            options = ControlOptions(self.document, self.state, vault, rings, self.url, parent_pid, self.demo)
            return run_recovery(options) if is_recovery else run_control(options)
        return run

    def begin_afresh(self) -> bool:
        """Whether there is no ledger, or one that was not finished when the gateway died. raises CannotServe"""
        afresh = self.state / AFRESH
        if (self.state / "ledger").exists() and not afresh.exists():
            return False
        try:
            # must come before the ledger is made: its file may be the next to have the old one's number, by which the mark knows it
            (self.state / KEYS_MARK).unlink(missing_ok=True)
            afresh.touch()
        except OSError as error:
            raise CannotServe(f"cannot use the state directory {self.state}: {error.strerror or error}") from error
        return True

    def recover_ledger(self, has_control: bool) -> None:
        """Before anything is served by a ledger that was made afresh: what the store knows of its accounts counts.

        Keys that were published lead into the ledger that is no more: where the store cannot be asked they are forgotten until it can.
        """
        status = 1
        if has_control and (self.document.config.control.store_url or (self.state / STORE_FILE).exists()):
            child = Child("recovery", self.control_run(is_recovery=True))
            self.start(child)
            _, status = os.waitpid(child.pid, 0)
            os.close(child.ready_fd)
        if status != 0:
            for name in (KEYS, KEYS_MARK):
                (self.state / name).unlink(missing_ok=True)
        (self.state / AFRESH).unlink(missing_ok=True)

    def remove_old_rings(self) -> None:
        """Rings of workers that this gateway does not have: the drain has read them out."""
        rings = {ring_path(self.state, index) for index in range(self.workers)}
        for path in set(self.state.glob("ring-*.ring")) - rings:
            path.unlink(missing_ok=True)

    def start(self, child: Child) -> None:
        child.started_s = time.monotonic()
        child.due_s = 0.0
        child.is_ready = False
        child.ready_fd, ready_fd = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                # Ctrl-C and a terminal that ends reach the whole process group: the supervisor passes on what is meant.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
                status = child.run(ready_fd)
            except OSError as error:
                log.error("%s failed: %s", child.name, error)
            except BaseException:       # the edge of a process
                log.exception("%s failed", child.name)
            finally:
                logging.shutdown()
                os._exit(status)
        os.close(ready_fd)
        child.pid = pid

    def wait_until_ready(self) -> bool:
        """Wait for all workers to accept; False where the gateway is told to stop meanwhile. raises CannotServe
        where one dies
        """
        waiting = [child for child in self.children if child.worker is not None]
        while waiting:
            if signal.sigtimedwait(STOP_SIGNALS, 0) is not None:
                return False
            readable, _, _ = select.select([child.ready_fd for child in waiting], [], [], READY_LOOK_SECONDS)
            for child in [child for child in waiting if child.ready_fd in readable]:
                if not has_byte(child.ready_fd):
                    raise CannotServe(f"{child.name} could not start; what it said is above")
                child.is_ready = True
                waiting.remove(child)
        return True

    def watch(self, ledger: Ledger) -> None:
        """Until told to stop: pass SIGHUP on, and restart what dies. raises CannotServe where a worker does not
        start any more
        """
        while True:
            caught = signal.sigtimedwait(SIGNALS, min(self.next_restart(), PACE_LOOK_SECONDS))
            self.pace.look(next(child.pid for child in self.children if child.name == DRAIN))
            if caught is not None and caught.si_signo in STOP_SIGNALS:
                log.info("stopping; a second signal cuts off what still runs")
                return
            if caught is not None and caught.si_signo == signal.SIGHUP:
                self.tell(signal.SIGHUP, lambda child: child.worker is not None)
            for child in self.reap():
                self.plan_restart(child)
                if child.worker is not None:
                    self.give_up_on(child, ledger)
            for child in self.children:
                if child.due_s and child.due_s <= time.monotonic():
                    self.start(child)

    def plan_restart(self, child: Child) -> None:
        """Say when a child that died starts again: at once, then less and less often."""
        is_worker = child.worker is not None
        child.failed_starts = child.failed_starts + 1 if is_worker and not child.is_ready else 0
        if child.failed_starts >= MOST_FAILED_STARTS:
            raise CannotServe(
                f"{child.name} died {MOST_FAILED_STARTS} times in a row before it could serve; what it said is above")
        if time.monotonic() - child.started_s > HEALTHY_SECONDS:
            child.restarts = 0
        pause_s = RESTART_SECONDS[min(child.restarts, len(RESTART_SECONDS) - 1)]
        child.restarts += 1
        child.due_s = time.monotonic() + pause_s
        log.warning("%s starts again in %s s; it has died %d times in short order", child.name, pause_s, child.restarts)

    def give_up_on(self, child: Child, ledger: Ledger) -> None:
        """Settle what a dead worker had in hand; the one that takes its place leaves the records of it."""
        assert child.worker is not None
        lost = ledger.reclaim(child.worker)
        self.targets.reclaim(child.worker)
        child.run = self.worker_run(child.worker, tuple(lost))

    def next_restart(self) -> float:
        due = [child.due_s for child in self.children if child.due_s]
        return max(min(due) - time.monotonic(), 0.0) if due else 3600.0

    def reap(self) -> list[Child]:
        """The children that have died since the last look."""
        dead: list[Child] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return dead
            if pid == 0:
                return dead
            for child in self.children:
                if child.pid == pid:
                    log.error("%s (pid %d) died: %s", child.name, pid, death(os.waitstatus_to_exitcode(status)))
                    self.forget(child)
                    dead.append(child)

    def forget(self, child: Child) -> None:
        """Note that a child has died, and whether it had been ready."""
        child.is_ready = child.is_ready or has_byte(child.ready_fd)
        os.close(child.ready_fd)
        child.ready_fd = -1
        child.pid = 0

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
        self.pace.set(is_idle=False)
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
                    # before a child listens to signals, SIGTERM ends it as it ends any process
                    is_clean = is_clean and os.waitstatus_to_exitcode(status) in (0, -signal.SIGTERM)
                    self.forget(child)
                    waiting.remove(child)
            caught = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, 0.2) if waiting else None
            if caught is not None and caught.si_signo in STOP_SIGNALS:
                self.tell(signal.SIGTERM, lambda child: child.worker is not None)
        for child in waiting:
            log.error("%s did not stop in time and is killed", child.name)
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            self.forget(child)
        return is_clean and not waiting


def missing_packages() -> list[str]:
    """What the control plane needs and is not installed."""
    return [name for name in CONTROL_PACKAGES if find_spec(name) is None]


def death(status: int) -> str:
    """How a child ended, in words."""
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def tell_ready(fd: int) -> None:
    """Write the byte that says ready."""
    os.write(fd, b"1")
    os.close(fd)


def has_byte(fd: int) -> bool:
    """Whether the byte that says ready is in the pipe; False at its end and where nothing has come."""
    return bool(select.select([fd], [], [], 0)[0]) and os.read(fd, 1) == b"1"
