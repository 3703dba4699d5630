"""What the table of targets promises to several processes, and when one of them is killed."""
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fastgw._core.route import BreakerRule, TargetTable

FORK = multiprocessing.get_context("fork")
NOW = 5_000_000_000_000_000
SECOND = 1_000_000_000
WORKERS = 4


def at_once(path: Path, work: Callable[[TargetTable], int]) -> list[int]:
    """Run the same in every worker at the same moment; what each says."""
    gate, answers = FORK.Barrier(WORKERS), FORK.SimpleQueue()

    def one(worker: int) -> None:
        table = TargetTable(path, workers=WORKERS, worker=worker)
        gate.wait()
        answers.put(work(table))

    children = [FORK.Process(target=one, args=(worker,)) for worker in range(WORKERS)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    return [answers.get() for _ in children]


@pytest.fixture
def table(tmp_path: Path) -> TargetTable:
    """A fresh table, seen by one that only looks."""
    TargetTable(tmp_path / "targets", workers=WORKERS, capacity=64, fresh=True)
    return TargetTable(tmp_path / "targets", workers=WORKERS, worker=-1)


def test_processes_count_exactly(table: TargetTable) -> None:
    """Four workers at full speed lose no attempt, and end with nothing in flight."""
    breaker = BreakerRule(failures=0, failure_percent=0)

    def hammer(own: TargetTable) -> int:
        slot = own.hold(["a"]).slots[0]
        return own._bench_attempts(slot, breaker, NOW, 0, 50_000, 5)

    assert at_once(Path(table.path), hammer) == [50_000] * WORKERS
    view = table.read(0, NOW)
    assert (view.succeeded, view.failed, view.recent_failed, view.in_flight) == (160_000, 40_000, 40_000, 0)


@pytest.mark.parametrize("probes", [1, 7])
def test_probes_are_handed_out_exactly(table: TargetTable, probes: int) -> None:
    """Of four workers that all want in when the cooldown is over, exactly so many requests get in."""
    breaker = BreakerRule(failures=1, probes=probes)
    path = Path(table.path)
    owner = TargetTable(path, workers=WORKERS, worker=0)
    slot = owner.hold(["a"]).slots[0]
    assert owner._bench_attempts(slot, breaker, NOW, 0, 1, 1) == 1

    def rush(own: TargetTable, now_ns: int) -> int:
        return own._bench_probes(slot, breaker, now_ns, 5000)

    for second in (30, 60):
        assert sum(at_once(path, partial(rush, now_ns=NOW + second * SECOND))) == probes
        for worker in range(WORKERS):
            owner.reclaim(worker)
    assert table.read(slot, NOW).state == "half_open"


def test_breaker_opens_once_for_all_workers(table: TargetTable) -> None:
    """However many fail at the same moment, the breaker opens once, and every worker sees it."""
    breaker = BreakerRule(failures=3)

    def fail(own: TargetTable) -> int:
        slot = own.hold(["a"]).slots[0]
        return own._bench_attempts(slot, breaker, NOW, 0, 1000, 1)

    assert 3 <= sum(at_once(Path(table.path), fail)) <= 3 + WORKERS
    view = table.read(0, NOW)
    assert (view.state, view.opened, view.in_flight) == ("open", 1, 0)


def test_workers_agree_on_slots(table: TargetTable) -> None:
    """Each name has one slot, whoever asks first."""
    names = [f"target-{number}" for number in range(64)]

    def hold(own: TargetTable) -> int:
        shuffled = random.Random(own.worker).sample(names, len(names))
        held = own.hold(shuffled)
        return hash(tuple(sorted(zip(shuffled, held.slots, strict=True))))

    # hashes of text differ between interpreters, not between forks of one
    assert len(set(at_once(Path(table.path), hold))) == 1
    assert len(table) == 64


def test_dead_worker_leaves_nothing_in_flight(table: TargetTable) -> None:
    """A worker killed in full flight: what it had in hand is gone once it is reclaimed, what others have is not."""
    path, breaker = Path(table.path), BreakerRule(failures=0, failure_percent=0)
    mine = TargetTable(path, workers=WORKERS, worker=1)
    held = mine.hold(["a"])
    slot = held.slots[0]
    assert mine.begin_at(slot, breaker, NOW) == 0
    for kill in range(10):
        child = os.fork()
        if child == 0:
            own = TargetTable(path, workers=WORKERS, worker=0)
            own_held = own.hold(["a", f"b-{kill}"])
            own._bench_probes(own_held.slots[0], breaker, NOW, 1000)
            while True:
                own._bench_attempts(own_held.slots[0], breaker, NOW, 0, 1000)
        deadline = time.monotonic() + 20
        while table.read(slot, NOW).in_flight < 1001 and time.monotonic() < deadline:
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert table.read(slot, NOW).in_flight in (1001, 1002)
        mine.reclaim(0)
        assert table.read(slot, NOW).in_flight == 1
    # nor does it keep slots for itself: more names than the table has room for come and go
    for number in range(0, 640, 60):
        assert len(mine.hold(f"c-{number + place}" for place in range(60)).slots) == 60
    assert mine.hold(["a"]).slots == (slot,)


def test_fork_does_not_give_back_what_its_parent_holds(table: TargetTable) -> None:
    """A child that lets go of its copy leaves the parent's slots alone."""
    own = TargetTable(table.path, workers=WORKERS, worker=0)
    held = own.hold(["a"])
    child = os.fork()
    if child == 0:
        del held
        os._exit(0)
    os.waitpid(child, 0)
    others = [own.hold(f"b-{number}" for number in range(63))]
    with pytest.raises(OverflowError):
        own.hold(["c"])
    assert len(others) == 1 and own.hold(["a"]).slots == held.slots


def test_successor_begins_with_nothing_in_flight(table: TargetTable) -> None:
    """Whoever takes a worker's number does not inherit what its predecessor had in hand."""
    path, breaker = Path(table.path), BreakerRule()
    first = TargetTable(path, workers=WORKERS, worker=2)
    slot = first.hold(["a"]).slots[0]
    first.begin_at(slot, breaker, NOW)
    assert table.read(slot, NOW).in_flight == 1
    TargetTable(path, workers=WORKERS, worker=2)
    assert table.read(slot, NOW).in_flight == 0
