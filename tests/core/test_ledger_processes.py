"""What the ledger promises to several processes, and after any of them was killed at any instruction."""
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fastgw._core.ledger import Denied, Ledger, Reclaimed
from tests.patience import PATIENCE_S
from tests.small_process import in_small_process

NOW = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000
FORK = multiprocessing.get_context("fork")
FUSE_BLEW = 9


def in_child(work: Callable[[], None]) -> int:
    """Run something in a forked process and return its number."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return child


def exit_of(child: int) -> int:
    """Wait for a child's end; its exit status, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def assert_nothing_is_left(ledger: Ledger, chain: list[int], now_ns: int = NOW) -> None:
    """What is committed is spent, nothing is in flight, and no budget is overspent."""
    for index in chain:
        view = ledger.read(index, now_ns=now_ns)
        assert view.in_flight == 0
        assert view.committed == view.spent
        assert view.budget is None or view.spent <= view.budget


def attack_together(path: Path, workers: int, work: Callable[[Ledger], int]) -> list[int]:
    """Run the same in several workers at once and return what each says."""
    gate, answers = FORK.Barrier(workers), FORK.SimpleQueue()

    def one(worker: int) -> None:
        ledger = Ledger(path, workers=workers, worker=worker)
        gate.wait()
        answers.put(work(ledger))

    children = [FORK.Process(target=one, args=(worker,)) for worker in range(workers)]
    for child in children:
        child.start()
    for child in children:
        child.join(PATIENCE_S)
        assert child.exitcode == 0
    return [answers.get() for _ in children]


@pytest.mark.parametrize(
    "limits",
    [{"budget": 4000 * 7}, {"max_parallel": 4000}, {"requests_per_minute": 4000}],
    ids=["budget", "parallel", "rate"],
)
def test_four_processes_are_admitted_exactly_as_often_as_one(tmp_path: Path, limits: dict[str, Any]) -> None:
    """A limit of K lets exactly K of many concurrent requests through, whoever sends them."""
    ledger = Ledger(tmp_path / "ledger", workers=4)
    chain = [ledger.define("workspace"), ledger.define("key", **limits)]
    counts = attack_together(tmp_path / "ledger", 4, lambda own: own._bench_admit(chain, NOW, 7, 1, 3000))
    assert sum(counts) == 4000
    assert sum(len(ledger.reclaim(worker, now_ns=NOW)) for worker in range(4)) == 4000
    assert_nothing_is_left(ledger, chain)


def test_processes_that_settle_spend_a_budget_to_the_last(tmp_path: Path) -> None:
    """Four workers that reserve and settle at full speed spend exactly what there is."""
    ledger = Ledger(tmp_path / "ledger", workers=4)
    chain = [ledger.define("organisation"), ledger.define("workspace"), ledger.define("key", budget=300_000)]
    counts = attack_together(tmp_path / "ledger", 4, lambda own: own._bench(chain, NOW, 0, 3, 1, 60_000))
    assert sum(counts) == 100_000
    assert ledger.read(chain[0], now_ns=NOW).spent == 300_000
    assert_nothing_is_left(ledger, chain)


def test_rate_is_never_above_burst_and_elapsed_time(tmp_path: Path) -> None:
    """Four workers, seconds apart by their clocks, get one burst and the pace of the time that passed, and no more."""
    ledger = Ledger(tmp_path / "ledger", workers=4)
    key = ledger.define("key", requests_per_minute=60_000)
    counts = attack_together(tmp_path / "ledger", 4, lambda own: own._bench([key], NOW, 300_000, 0, 0, 30_000))
    assert 69_000 - 4 <= sum(counts) <= 69_000


def test_processes_that_define_at_once_agree_on_every_account(tmp_path: Path) -> None:
    """Each name gets one account, whoever comes first, while the file grows under all of them."""
    names = [f"key-{number}" for number in range(1500)]

    Ledger(tmp_path / "ledger", capacity=1)
    gate = FORK.Barrier(4)

    def define_shuffled(worker: int) -> None:
        own = Ledger(tmp_path / "ledger", workers=4, worker=worker, capacity=1)
        gate.wait()
        for name in random.Random(worker).sample(names, len(names)):
            own.define(name)

    children = [in_child(partial(define_shuffled, worker)) for worker in range(4)]
    assert [exit_of(child) for child in children] == [0] * 4
    ledger = Ledger(tmp_path / "ledger")
    assert len(ledger) == 1500
    assert sorted(ledger.define(name) for name in names) == list(range(1500))


def test_lock_holds_between_a_parent_and_its_fork(tmp_path: Path) -> None:
    """A child that uses the ledger it was born with still waits for its parent's lock."""
    ledger = Ledger(tmp_path / "ledger")
    ledger.define("first")
    mine, theirs = os.pipe()
    with ledger.locked():
        child = in_child(lambda: (os.write(theirs, b"!"), ledger.define("second"), None)[-1])
        os.read(mine, 1)
        deadline = time.monotonic() + 0.05
        while time.monotonic() < deadline:
            assert len(ledger) == 1
    assert exit_of(child) == 0
    assert len(ledger) == 2
    os.close(mine)
    os.close(theirs)


def play(ledger: Ledger, chain: list[int], refusing: list[int]) -> None:
    """Go once through everything that a worker does with a slot."""
    tag = bytes(range(16))
    for number in range(3):
        slot = ledger.admit_chain(chain, NOW, 10, 5)
        assert isinstance(slot, int)
        ledger.tag_slot(slot, tag)
        if number != 1:
            ledger.dispatch_slot(slot)
        ledger.settle_slot(slot, NOW, (7, 0, 12)[number], 9, 4)
    assert isinstance(ledger.admit_chain(refusing, NOW, 10, 5), Denied)
    assert isinstance(ledger.admit_chain(chain, NOW, 10, 5), int)
    held = ledger.admit_chain(chain, NOW, 10, 5)
    assert isinstance(held, int)
    ledger.dispatch_slot(held)


def play_until(fuse: int, path: Path, chain: list[int], refusing: list[int]) -> None:
    """Play as worker 0, and die after so many stores."""
    own = Ledger(path, workers=2, worker=0, slots=64)
    own._light_fuse(fuse)
    play(own, chain, refusing)


def reclaim_until(fuse: int, path: Path) -> None:
    """Reclaim what worker 0 left, and die after so many stores."""
    own = Ledger(path, workers=2, worker=0, slots=64)
    own._light_fuse(fuse)
    own.reclaim(0, now_ns=NOW)


def define_accounts(ledger: Ledger) -> tuple[list[int], list[int]]:
    """A chain of four accounts, and one that the last of three refuses."""
    names = ["organisation", "workspace", "key", "tool"]
    chain = [ledger.define(name, budget=1000, tokens_per_minute=10**6) for name in names]
    return chain, [*chain[:2], ledger.define("closed", budget=0)]


def die_after_each_store(tmp_path: Path, meanwhile: str, dies_twice: bool) -> None:
    rng = random.Random(3)
    points = 0
    while True:
        points += 4 if dies_twice else 1
        path = tmp_path / f"ledger-{points}"
        ledger = Ledger(path, workers=2, worker=1, slots=64)
        chain, refusing = define_accounts(ledger)

        status = exit_of(in_child(partial(play_until, points, path, chain, refusing)))
        if meanwhile == "another worker":
            ledger._bench(chain[::-1], NOW, 0, 1, 1, 2)
        if dies_twice:
            assert exit_of(in_child(partial(reclaim_until, rng.randint(1, 12), path))) in (0, FUSE_BLEW)
            if meanwhile == "another worker":
                ledger._bench(chain, NOW, 0, 1, 1, 2)
        ledger.reclaim(0, now_ns=NOW)
        assert_nothing_is_left(ledger, [*chain, refusing[2]])
        spent = {ledger.read(index, now_ns=NOW).spent for index in chain}
        assert len(spent) == 1, f"accounts of one chain disagree after point {points}: {spent}"
        assert ledger.reclaim(0, now_ns=NOW) == []
        path.unlink()
        if status == 0:
            break
        assert status == FUSE_BLEW
    assert points > 60


@pytest.mark.parametrize("meanwhile", ["nobody", "another worker"])
@pytest.mark.parametrize("dies_twice", [False, True])
def test_death_after_any_store_is_put_right(tmp_path: Path, meanwhile: str, dies_twice: bool) -> None:
    """A worker killed after each of its stores in turn leaves what reclaim puts right, though others went on meanwhile.

    Also where whoever reclaims is killed in turn, at a store of its own, and another follows: every fourth store then.
    """
    in_small_process(die_after_each_store, tmp_path, meanwhile, dies_twice)


def test_mark_from_long_ago_is_not_taken_for_a_step_of_now(tmp_path: Path) -> None:
    """An account untouched while a slot's 262,144 epochs came round is still charged by whoever reclaims that slot."""
    path = tmp_path / "ledger"
    ledger = Ledger(path, workers=2, worker=1)
    key = ledger.define("key")

    def come_round_and_die() -> None:
        own = Ledger(path, workers=2, worker=0)
        own._bench([key], NOW, 0, 7, 1, 1)
        own._bench([], NOW, 0, 7, 1, (1 << 18) - 1)
        # Between its two steps at the settlement: what is committed is final, what is spent is not.
        own._light_fuse(7)
        own._bench([key], NOW, 0, 7, 1, 1)

    assert exit_of(in_child(come_round_and_die)) == FUSE_BLEW
    view = ledger.read(key, now_ns=NOW)
    assert (view.committed, view.spent) == (14, 7)
    ledger.reclaim(0, now_ns=NOW)
    assert ledger.read(key, now_ns=NOW).spent == 14
    assert_nothing_is_left(ledger, [key])


def test_reclaim_says_what_it_found(tmp_path: Path) -> None:
    """What was sent is charged as reserved, what was not is given back, and each is named by its tag."""
    ledger = Ledger(tmp_path / "ledger", workers=2, worker=1)
    chain, _ = define_accounts(ledger)

    def work() -> None:
        own = Ledger(tmp_path / "ledger", workers=2, worker=0)
        for number in range(3):
            slot = own.admit_chain(chain, NOW + number, 10, 5)
            assert isinstance(slot, int)
            own.tag_slot(slot, bytes([number]) * 16)
        own.dispatch_slot(1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert exit_of(in_child(work)) == -signal.SIGKILL
    mine = ledger.admit_chain(chain, NOW, 100)
    assert ledger.reclaim(0, now_ns=NOW) == [
        Reclaimed(0, 0, 0, bytes([0]) * 16, NOW, "reserved"),
        Reclaimed(1, 10, 5, bytes([1]) * 16, NOW + 1, "dispatched"),
        Reclaimed(2, 0, 0, bytes([2]) * 16, NOW + 2, "reserved"),
    ]
    view = ledger.read(chain[0], now_ns=NOW)
    assert (view.committed, view.spent, view.in_flight) == (110, 10, 1)
    assert isinstance(mine, int)


def test_kill_at_random_moments_loses_nothing_and_overspends_nothing(tmp_path: Path) -> None:
    """Thirty workers killed in full flight, beside one that goes on: after each, every number is exact."""
    rng = random.Random(11)
    ledger = Ledger(tmp_path / "ledger", workers=3, worker=2)
    chain = [ledger.define("organisation"), ledger.define("workspace"), ledger.define("key", budget=10**12)]
    kills = 30

    def storm(worker: int, ready: int) -> None:
        own = Ledger(tmp_path / "ledger", workers=3, worker=worker)
        os.write(ready, b"!")
        while True:
            own._bench(chain, NOW, 0, 3, 1, 1 << 40)

    for _ in range(kills):
        mine, theirs = os.pipe()
        children = [in_child(partial(storm, worker, theirs)) for worker in range(2)]
        awaited = 2
        while awaited:
            awaited -= len(os.read(mine, awaited))
        before = ledger.read(chain[0], now_ns=NOW).lifetime_requests
        stop_at = before + rng.randint(1, 20_000)
        while ledger.read(chain[0], now_ns=NOW).lifetime_requests < stop_at:
            ledger._bench(chain, NOW, 0, 5, 1, rng.randint(1, 50))
        # One dies while the other goes on; its slots are reclaimed under the other's hands.
        os.kill(children[0], signal.SIGKILL)
        assert exit_of(children[0]) == -signal.SIGKILL
        assert len(ledger.reclaim(0, now_ns=NOW)) <= 1
        os.kill(children[1], signal.SIGKILL)
        assert exit_of(children[1]) == -signal.SIGKILL
        ledger.reclaim(1, now_ns=NOW)
        assert_nothing_is_left(ledger, chain)
        assert len({ledger.read(index, now_ns=NOW).spent for index in chain}) == 1
        os.close(mine)
        os.close(theirs)


def test_recover_counts_afresh_after_all_are_dead(tmp_path: Path) -> None:
    """At the start of everything whatever was in flight is finished, and damage to the counts is healed."""
    path = tmp_path / "ledger"
    ledger = Ledger(path, workers=2, worker=0)
    chain, _ = define_accounts(ledger)
    ledger._bench_admit(chain, NOW, 1, 1, 20)
    ledger.dispatch_slot(4)
    accounts_at = 4096 + 64 * 16384 * 192 + 3 * 4 * 2**24
    with path.open("r+b") as file:
        file.seek(accounts_at)
        file.write((999).to_bytes(8, "little"))
    assert ledger.read(chain[0], now_ns=NOW).committed == 999
    assert len(Ledger(path, workers=2, worker=1).recover(now_ns=NOW)) == 20
    assert_nothing_is_left(ledger, chain)
    assert ledger.read(chain[0], now_ns=NOW).spent == 1
