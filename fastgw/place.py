"""The places in a state directory: one gateway's as a whole, or one of many for workers that no supervisor started."""
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fastgw._core.ledger import LayoutError, Ledger, Reclaimed
from fastgw._core.route import TargetTable
from fastgw.admit.upgrade import upgrade

LOCK_SECONDS = 5.0             # children of a supervisor that was killed notice within a second
LOCK_LOOK_SECONDS = 0.1
MOST_WORKERS = 64


class CannotServe(Exception):
    """The gateway cannot start, or cannot go on; the message says why and what to do."""


class StateInUse(CannotServe):
    """Another gateway runs on this state directory."""


def ring_path(state: Path, index: int) -> Path:
    """Where the records of a worker go."""
    return state / f"ring-{index}.ring"


def targets_path(state: Path) -> Path:
    """Where the workers of a machine keep how their targets fare."""
    return state / "targets"


def hold_state(state: Path) -> TextIO:
    """Make the state directory where there is none, and hold it alone. raises CannotServe"""
    with explained(state):
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return take_lock(state / "lock", fcntl.LOCK_EX)


def take_lock(path: Path, kind: int) -> TextIO:
    """Hold the state directory; the lock is the processes' own and ends with the last of them. raises StateInUse"""
    deadline = time.monotonic() + LOCK_SECONDS
    while (handle := try_lock(path, kind)) is None:
        if time.monotonic() >= deadline:
            raise StateInUse(f"{path.parent} is in use by another fastgw; stop it, or name another directory with --state")
        time.sleep(LOCK_LOOK_SECONDS)
    return handle


def try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> TextIO | None:
    """A lock, where nobody has it."""
    handle = path.open("a")
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
        return handle
    except BlockingIOError:
        handle.close()
        return None


@contextmanager
def explained(state: Path) -> Iterator[None]:
    """Say of what the system refuses that it is about the state directory. raises CannotServe"""
    try:
        yield
    except LayoutError as error:
        raise CannotServe(str(error)) from error
    except OSError as error:
        raise CannotServe(f"cannot use the state directory {state}: {error.strerror or error}") from error


class Place:
    """A worker's own, in a state directory that it may share with others like it, of this process or of others.

    Whoever comes when nobody is there settles what dead workers had in hand, as a supervisor does; later ones settle what the
    last worker of their place had.
    """

    def __init__(self, state: Path, index: int, lost: list[Reclaimed], locks: list[TextIO]) -> None:
        self.state = state
        self.index = index
        self.lost = lost
        self.locks = locks
        self.drains = False            # the records of all places

    def __repr__(self) -> str:
        return f"<Place {self.index} in {self.state}{', which drains' if self.drains else ''}>"

    def sit(self, is_first: bool) -> None:
        """Find the free place, and settle what its last worker left, or what all did. raises CannotServe"""
        for index in range(MOST_WORKERS):
            if (lock := try_lock(self.state / f"worker-{index}.lock")) is not None:
                self.locks.append(lock)
                self.index = index
                break
        else:
            raise CannotServe(f"all {MOST_WORKERS} places in {self.state} are taken; stop a worker, or name another state directory")
        if is_first:
            upgrade(self.state / "ledger")
        ledger = Ledger(self.state / "ledger", workers=self.index + 1, worker=self.index)
        if is_first:
            # how targets fared before is old news: breakers start closed
            TargetTable(targets_path(self.state), workers=self.index + 1, worker=-1, fresh=True)
            self.lost = ledger.recover()
            fcntl.flock(self.locks[0], fcntl.LOCK_SH)
        else:
            self.lost = ledger.reclaim(self.index)

    def take_drain(self) -> bool:
        """Whether the drain is this place's business: nobody else's who is alive."""
        if not self.drains and (lock := try_lock(self.state / "drain.lock")) is not None:
            self.locks.append(lock)
            self.drains = True
        return self.drains

    def leave(self) -> None:
        """Make room."""
        while self.locks:
            self.locks.pop().close()


def take_place(state: Path) -> Place:
    """Take the first place that is free. raises CannotServe"""
    with explained(state):
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with take_lock(state / "places.lock", fcntl.LOCK_EX):
            # alone: what is there was left by the dead
            whole = try_lock(state / "lock")
            is_first = whole is not None
            place = Place(state, -1, [], [whole or take_lock(state / "lock", fcntl.LOCK_SH)])
            try:
                place.sit(is_first)
            except BaseException:
                place.leave()
                raise
            return place
