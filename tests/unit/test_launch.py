"""The supervisor: what it does with children that die, and what it says of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastgw import serve
from fastgw.launch import greeting, prepare_demo
from fastgw.place import CannotServe
from fastgw.serve import Child, Supervisor, death
from fastgw.snapshot.load import Document, parse


def document(state: Path) -> Document:
    return parse(f'[gateway]\nlisten = "127.0.0.1:0"\nstate = "{state}"\nlog_level = "error"\n', {})


class Scripted(Supervisor):
    """A supervisor whose workers do as they are told, by the number of their start."""

    def __init__(self, state: Path, lives: Callable[[int, int], int]) -> None:
        super().__init__(document(state))
        self.starts = 0
        self.pids: list[int] = []
        self.lives = lives

    def worker_run(self, index: int, lost: object) -> Callable[[int], int]:
        return lambda ready_fd: self.lives(self.starts, ready_fd)

    def drain_run(self) -> Callable[[int], int]:
        def run(ready_fd: int) -> int:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pause()
            return 0

        return run

    def start(self, child: Child) -> None:
        self.starts += child.worker is not None
        super().start(child)
        self.pids.append(child.pid)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A supervisor blocks the signals that it waits for."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_first_start_that_fails_is_fatal(tmp_path: Path) -> None:
    """A worker that dies before it was ever ready ends the gateway at once: nothing is tried again and again."""
    supervisor = Scripted(tmp_path, lambda number, ready_fd: 3)
    with pytest.raises(CannotServe, match="worker 0 could not start"):
        supervisor.run()
    assert supervisor.starts == 1
    assert len(supervisor.pids) == len(supervisor.children) > 1
    for pid in supervisor.pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_a_crash_loop_is_bounded_and_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was ready once and then cannot start any more is tried so often, less and less; then the
    gateway gives up.
    """
    monkeypatch.setattr(serve, "RESTART_SECONDS", (0.0, 0.001))

    def lives(number: int, ready_fd: int) -> int:
        if number == 1:
            os.write(ready_fd, b"1")
        return 7

    supervisor = Scripted(tmp_path, lives)
    with pytest.raises(
        CannotServe, match=f"worker 0 died {serve.MOST_FAILED_STARTS} times in a row before it could serve"
    ):
        supervisor.run()
    assert supervisor.starts == 1 + serve.MOST_FAILED_STARTS


def test_a_worker_that_serves_is_started_again_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that die after they were ready are replaced, the first time at once, and never make the gateway
    give up.
    """
    monkeypatch.setattr(serve, "RESTART_SECONDS", (0.0, 0.001))
    supervisor_pid = os.getpid()

    def lives(number: int, ready_fd: int) -> int:
        os.write(ready_fd, b"1")
        if number <= 3 * serve.MOST_FAILED_STARTS:
            return 7
        os.kill(supervisor_pid, signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pause()
        return 0

    supervisor = Scripted(tmp_path, lives)
    assert supervisor.run() == 0
    assert supervisor.starts == 3 * serve.MOST_FAILED_STARTS + 1


def test_restarts_come_less_and_less_often(tmp_path: Path) -> None:
    """The first restart is at once; each further one in short order waits longer, up to a bound."""
    supervisor = Supervisor(document(tmp_path))
    child = Child("worker 0", lambda ready_fd: 0, 0, started_s=time.monotonic(), is_ready=True)
    pauses = []
    for _ in range(8):
        before = time.monotonic()
        supervisor.plan_restart(child)
        pauses.append(round(child.due_s - before, 1))
    assert pauses == [0.0, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0, 5.0]
    child.started_s -= serve.HEALTHY_SECONDS + 1
    supervisor.plan_restart(child)
    assert child.due_s <= time.monotonic() and child.restarts == 1


def test_a_death_is_put_into_words() -> None:
    """The log names the exit status or the signal."""
    assert death(70) == "exit status 70"
    assert death(-signal.SIGSEGV) == "killed by SIGSEGV"


def test_rings_of_more_workers_are_read_out_and_removed(tmp_path: Path) -> None:
    """What a gateway with more workers left in its rings is drained by one with fewer, and its file is removed at
    a clean end.
    """
    supervisor = Supervisor(document(tmp_path))
    for number in (0, 1, 5):
        (tmp_path / f"ring-{number}.ring").touch()
    supervisor.remove_old_rings()
    assert sorted(path.name for path in tmp_path.glob("*.ring")) == ["ring-0.ring"]


def test_greeting_names_the_state_where_it_is_not_the_usual(tmp_path: Path) -> None:
    """The command that the demo proposes for its records finds them."""
    _, demo = prepare_demo(tmp_path, "127.0.0.1:1", is_stored=False)
    said = greeting("http://x", 2, demo)
    assert demo.key in said and said.endswith(f"fastgw logs --state {tmp_path}\n")
    assert greeting("http://x", 2) == "fastgw serves http://x with 2 workers"


def test_a_demo_key_that_got_lost_is_made_anew(tmp_path: Path) -> None:
    """An empty key file, as a full disk leaves it, does not make a demo without a key."""
    (tmp_path / "demo.key").write_text("")
    for is_stored in (True, False):
        config, demo = prepare_demo(tmp_path, "127.0.0.1:1", is_stored=is_stored)
        assert demo.key and prepare_demo(tmp_path, "127.0.0.1:2", is_stored=is_stored)[1].key == demo.key
        parse(config.read_text(), {})
