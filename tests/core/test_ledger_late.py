"""What the ledger promises of accounts that join a reservation later, and of its moves between them, whoever dies at whatever store."""
import os
import random
import signal
from functools import partial
from pathlib import Path

import pytest

from fastgw._core.ledger import Ledger
from tests.core.test_ledger import NOW, admitted
from tests.core.test_ledger_processes import FORK, FUSE_BLEW, assert_nothing_is_left, exit_of, in_child
from tests.patience import PATIENCE_S
from tests.small_process import in_small_process


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger(tmp_path / "ledger", slots=64)


def committed(ledger: Ledger, accounts: list[int]) -> list[tuple[int, int]]:
    """What is committed and in flight in each account."""
    return [(view.committed, view.in_flight) for view in (ledger.read(index, now_ns=NOW) for index in accounts)]


def test_joined_accounts_are_settled_with_the_slot(ledger: Ledger) -> None:
    """They reserve what they are told, and are charged the truth once."""
    key, first, tokens = ledger.define("key"), ledger.define("first", budget=50), ledger.define("tokens", unit="tokens", budget=60)
    slot = admitted(ledger.admit_chain([key], NOW, 40, 30, 45))
    assert ledger.join_chain(slot, [first, tokens], NOW, 35, 30, 44) is None
    assert committed(ledger, [key, first, tokens]) == [(40, 1), (35, 1), (44, 1)]
    ledger.dispatch_slot(slot)
    ledger.settle_slot(slot, NOW, 7, 9, 4)
    ledger.settle_slot(slot, NOW, 7, 9, 4)
    assert ledger.join_chain(slot, [first], NOW, 1) is None     # too late: nothing joins what is settled
    assert committed(ledger, [key, first, tokens]) == [(7, 0), (7, 0), (9, 0)]
    assert ledger.read(first, now_ns=NOW).lifetime_requests == 1


def test_reservation_moves_whole_or_stays(ledger: Ledger) -> None:
    """The others are reserved before the first are let go; where they refuse, all is as it was."""
    key, first, open_, closed = (ledger.define(name, budget=budget) for name, budget in [("k", 100), ("a", 50), ("b", 50), ("c", 10)])
    slot = admitted(ledger.admit_chain([key], NOW, 20))
    assert ledger.join_chain(slot, [first], NOW, 20) is None
    no = ledger.join_chain(slot, [open_, closed], NOW, 20)
    assert no is not None and (no.reason, no.account) == ("budget", closed)
    assert committed(ledger, [key, first, open_, closed]) == [(20, 1), (20, 1), (0, 0), (0, 0)]
    assert ledger.join_chain(slot, [open_], NOW, 20) is None
    assert committed(ledger, [key, first, open_]) == [(20, 1), (0, 0), (20, 1)]
    assert ledger.join_chain(slot, [], NOW) is None
    ledger.settle_slot(slot, NOW, 5)
    assert committed(ledger, [key, first, open_]) == [(5, 0), (0, 0), (0, 0)]


def test_withdrawn_request_takes_nothing_from_anyone(ledger: Ledger) -> None:
    """Budget, place and rates come back, as if it had been refused at once; what has been sent stays."""
    key = ledger.define("key", budget=100, requests_per_minute=60, tokens_per_minute=600, max_parallel=2)
    late = ledger.define("late", budget=100, max_parallel=1)
    before = [ledger.read(index, now_ns=NOW) for index in (key, late)]
    slot = admitted(ledger.admit_chain([key], NOW, 20, 100))
    assert ledger.join_chain(slot, [late], NOW, 20, 100) is None
    ledger.withdraw_slot(slot)
    assert [ledger.read(index, now_ns=NOW) for index in (key, late)] == before
    slot = admitted(ledger.admit_chain([key], NOW, 20, 100))
    ledger.dispatch_slot(slot)
    ledger.withdraw_slot(slot)
    assert committed(ledger, [key]) == [(20, 1)]


def test_moves_use_no_slots_up(ledger: Ledger) -> None:
    """A thousand moves of one reservation, then as many requests at once as there were places before."""
    key, *late = (ledger.define(name) for name in ("key", "a", "b"))
    slot = admitted(ledger.admit_chain([key], NOW))
    for turn in range(1000):
        assert ledger.join_chain(slot, [late[turn % 2]], NOW) is None
    ledger.settle_slot(slot, NOW)
    assert ledger._bench_admit([key], NOW, 0, 0, 100) == 64


def play(ledger: Ledger, chain: list[int], late: list[int], closed: int) -> None:
    """Go once through everything that a worker does with accounts that join; each request is charged in one of `late`, too."""
    for turn in range(4):
        slot = admitted(ledger.admit_chain(chain, NOW, 10, 5))
        assert ledger.join_chain(slot, late[:1], NOW, 10, 5) is None
        if turn == 1:
            ledger.withdraw_slot(slot)
            continue
        ledger.dispatch_slot(slot)
        if turn >= 2:
            assert ledger.join_chain(slot, [late[1], closed], NOW, 10, 5) is not None
            assert ledger.join_chain(slot, late[1:], NOW, 10, 5) is None
        if turn < 3:
            ledger.settle_slot(slot, NOW, (7, 0, 12)[turn], 9, 4)


def play_until(fuse: int, path: Path, chain: list[int], late: list[int], closed: int) -> None:
    """Play as worker 0, and die after so many stores."""
    own = Ledger(path, workers=2, worker=0, slots=64)
    own._light_fuse(fuse)
    play(own, chain, late, closed)


def reclaim_until(fuse: int, path: Path) -> None:
    """Reclaim what worker 0 left, and die after so many stores."""
    own = Ledger(path, workers=2, worker=0, slots=64)
    own._light_fuse(fuse)
    own.reclaim(0, now_ns=NOW)


def die_after_each_store(tmp_path: Path, meanwhile: str, dies_twice: bool) -> None:
    rng = random.Random(5)
    points = 0
    while True:
        points += 3 if dies_twice else 1
        path = tmp_path / f"ledger-{points}"
        ledger = Ledger(path, workers=2, worker=1, slots=64)
        chain = [ledger.define(name, budget=1000) for name in ("workspace", "key")]
        late = [ledger.define(name, budget=1000) for name in ("first", "second")]
        closed = ledger.define("closed", budget=0)
        status = exit_of(in_child(partial(play_until, points, path, chain, late, closed)))
        if meanwhile == "another worker":
            ledger._bench([*late, *chain], NOW, 0, 0, 1, 2)
        if dies_twice:
            assert exit_of(in_child(partial(reclaim_until, rng.randint(1, 16), path))) in (0, FUSE_BLEW)
            if meanwhile == "another worker":
                ledger._bench([*chain, *late], NOW, 0, 0, 1, 2)
        ledger.reclaim(0, now_ns=NOW)
        assert_nothing_is_left(ledger, [*chain, *late, closed])
        spends = [ledger.read(index, now_ns=NOW).spent for index in [*chain, *late]]
        assert spends[0] == spends[1] == spends[2] + spends[3], f"after point {points}: {spends}"
        assert ledger.reclaim(0, now_ns=NOW) == []
        path.unlink()
        if status == 0:
            break
        assert status == FUSE_BLEW
    assert points > 90


@pytest.mark.parametrize("meanwhile", ["nobody", "another worker"])
@pytest.mark.parametrize("dies_twice", [False, True])
def test_death_after_any_store_counts_each_request_in_one_place(tmp_path: Path, meanwhile: str, dies_twice: bool) -> None:
    """A worker killed after each of its stores in turn, and whoever reclaims too: what the chain spent, one of the late accounts did."""
    in_small_process(die_after_each_store, tmp_path, meanwhile, dies_twice)


def test_kill_amid_moves_counts_each_request_in_one_place(tmp_path: Path) -> None:
    """Twelve workers killed in full flight between two integrations, beside one that goes on with the same accounts."""
    rng = random.Random(13)
    ledger = Ledger(tmp_path / "ledger", workers=2, worker=1)
    key, first, second = (ledger.define(name, budget=10**12) for name in ("key", "first", "second"))
    chain, late = [key], [first, second]

    def storm() -> None:
        own = Ledger(tmp_path / "ledger", workers=2, worker=0)
        while True:
            slot = admitted(own.admit_chain(chain, NOW, 10))
            for turn in range(3):
                own.join_chain(slot, late[turn % 2 : turn % 2 + 1], NOW, 10)
                own.dispatch_slot(slot)
            own.settle_slot(slot, NOW, 7)
            started.set()

    for _ in range(12):
        started = FORK.Event()
        child = FORK.Process(target=storm)
        child.start()
        assert started.wait(PATIENCE_S)
        stop_at = ledger.read(key, now_ns=NOW).lifetime_requests + rng.randint(500, 3000)
        while ledger.read(key, now_ns=NOW).lifetime_requests < stop_at:
            ledger._bench([key, rng.choice(late)], NOW, 0, 5, 1, rng.randint(1, 20))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(PATIENCE_S)
        ledger.reclaim(0, now_ns=NOW)
        assert_nothing_is_left(ledger, [*chain, *late])
        assert ledger.read(key, now_ns=NOW).spent == sum(ledger.read(index, now_ns=NOW).spent for index in late)
