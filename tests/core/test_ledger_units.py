"""What the ledger promises of units, lifetimes, exhaustion, scans for changes, restored spend and many accounts at once."""
import random
from functools import partial
from pathlib import Path

import pytest

from fastgw._core.ledger import MAX_CHAIN, Denied, Ledger, Limits
from tests.core.test_ledger import NOW, SECOND_NS, admitted, denied, moment
from tests.core.test_ledger_processes import FORK, FUSE_BLEW, exit_of, in_child
from tests.patience import PATIENCE_S

DAY = moment(2026, 1, 29)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger(tmp_path / "ledger", capacity=8)


def three_units(ledger: Ledger, **limits: int) -> list[int]:
    """One account of each unit."""
    return [ledger.define(unit, unit=unit, budget=limits.get(unit), window="day") for unit in ("nano_usd", "tokens", "requests")]


def spent(ledger: Ledger, chain: list[int], now_ns: int = NOW) -> list[int]:
    """What each account has spent in its window."""
    return [ledger.read(index, now_ns=now_ns).spent for index in chain]


def test_each_account_is_charged_in_its_own_unit(ledger: Ledger) -> None:
    """One request reserves and settles dollars, tokens and one request, each where that is counted."""
    chain = three_units(ledger)
    slot = admitted(ledger.admit_chain(chain, NOW, 500, 70, 90))
    assert [ledger.read(index, now_ns=NOW).committed for index in chain] == [500, 90, 1]
    ledger.settle_slot(slot, NOW, 400, 60, 20)
    assert spent(ledger, chain) == [400, 60, 1]


@pytest.mark.parametrize(("unit", "place"), [("nano_usd", 0), ("tokens", 1), ("requests", 2)])
def test_refusal_says_its_unit(ledger: Ledger, unit: str, place: int) -> None:
    """The budget that does not pay is named with its unit, and nothing is taken from the others."""
    chain = three_units(ledger, **{unit: (10, 10, 1)[place]})
    ledger.settle_slot(admitted(ledger.admit_chain(chain, NOW, 10, 10, 10)), NOW, 6, 6)
    no = denied(ledger.admit_chain(chain, NOW, 5, 1, 5))
    assert no == ("budget", chain[place], (10, 10, 1)[place], (4, 4, 0)[place], DAY - NOW, DAY, unit)
    assert [ledger.read(index, now_ns=NOW).committed for index in chain] == [6, 6, 1]


def test_remaining_is_told_by_unit(ledger: Ledger) -> None:
    """The tightest budget of dollars says nothing of tokens."""
    chain = [*three_units(ledger, nano_usd=100, tokens=50), ledger.define("more", unit="tokens", budget=40)]
    assert ledger.remaining_of(chain, NOW) == 100
    assert ledger.remaining_of(chain, NOW, "tokens") == 40
    assert ledger.remaining_of(chain, NOW, "requests") is None


def test_unit_of_an_account_never_changes(ledger: Ledger) -> None:
    """What was counted in dollars is not taken for tokens."""
    ledger.define("key", budget=5)
    with pytest.raises(ValueError, match="expected nano_usd, which account 'key' was made to count, got tokens"):
        ledger.define("key", unit="tokens", budget=5)
    with pytest.raises(ValueError, match="expected one of nano_usd, tokens, requests as unit, got 'euros'"):
        ledger.define("other", unit="euros")


def test_death_charges_what_was_sent_as_reserved_in_each_unit(tmp_path: Path) -> None:
    """Dollars, tokens and the request itself; what was not sent is given back."""
    ledger = Ledger(tmp_path / "ledger", workers=2, worker=1)
    chain = three_units(ledger)

    def work() -> None:
        own = Ledger(tmp_path / "ledger", workers=2, worker=0)
        own.dispatch_slot(admitted(own.admit_chain(chain, NOW, 500, 70, 90)))
        own.admit_chain(chain, NOW, 50, 7, 9)

    assert exit_of(in_child(work)) == 0
    assert [(one.was, one.charged_nano_usd, one.tokens) for one in ledger.reclaim(0, now_ns=NOW)] == [
        ("dispatched", 500, 90), ("reserved", 0, 0)]
    views = [ledger.read(index, now_ns=NOW) for index in chain]
    assert [(view.committed, view.spent, view.in_flight, view.lifetime_requests) for view in views] == [
        (500, 500, 0, 1), (90, 90, 0, 1), (1, 1, 0, 1)]


def test_chain_of_sixteen_is_charged_and_reclaimed_whole(tmp_path: Path) -> None:
    """The longest chain works to its end, alive and dead; one more is refused."""
    ledger = Ledger(tmp_path / "ledger")
    chain = [ledger.define(str(number), budget=100) for number in range(MAX_CHAIN)]
    ledger.settle_slot(admitted(ledger.admit_chain(chain, NOW, 5)), NOW, 3)
    ledger.dispatch_slot(admitted(ledger.admit_chain(chain, NOW, 5)))
    Ledger(tmp_path / "ledger").reclaim(0, now_ns=NOW)
    assert spent(ledger, chain) == [8] * MAX_CHAIN
    with pytest.raises(ValueError, match="expected a chain of at most 16 accounts, got 17"):
        ledger.admit_chain([*chain, 0], NOW)


def test_lifetimes_outlast_every_window(ledger: Ledger) -> None:
    """Dollars, tokens and requests since ever only grow, so that days can be told from two looks."""
    key = ledger.define("key", budget=100, window="day")
    for when in (NOW, DAY):
        ledger.settle_slot(admitted(ledger.admit_chain([key], when, 40)), when, 40, 7)
    ledger.reset(key, now_ns=DAY)
    view = ledger.read(key, now_ns=DAY)
    assert (view.spent, view.lifetime, view.lifetime_tokens, view.lifetime_requests) == (0, 80, 14, 2)


def test_spent_budget_is_exhausted_until_it_is_raised_or_renewed(ledger: Ledger) -> None:
    """Nothing has to be refused first; what is only reserved exhausts nothing."""
    key = ledger.define("key", budget=10, window="day")
    slot = admitted(ledger.admit_chain([key], NOW, 10))
    assert not ledger.read(key, now_ns=NOW).is_exhausted
    ledger.settle_slot(slot, NOW, 10)
    assert ledger.read(key, now_ns=NOW).is_exhausted
    assert not ledger.read(key, now_ns=DAY).is_exhausted
    ledger.define("key", budget=11, window="day")
    assert not ledger.read(key, now_ns=NOW).is_exhausted


@pytest.mark.parametrize("cure", ["raise", "reset", "renew", "settle"])
def test_budget_that_pays_for_no_typical_request_is_exhausted(ledger: Ledger, cure: str) -> None:
    """Once it has refused with nothing in flight, until anything changes: even where what is left stays as small."""
    key = ledger.define("key", budget=100, window="day")
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 80)), NOW, 80)
    assert not ledger.read(key, now_ns=NOW).is_exhausted
    held = admitted(ledger.admit_chain([key], NOW, 10))
    denied(ledger.admit_chain([key], NOW, 80))
    ledger.settle_slot(held, NOW, 0)
    assert not ledger.read(key, now_ns=NOW).is_exhausted
    denied(ledger.admit_chain([key], NOW, 80))
    view = ledger.read(key, now_ns=NOW)
    assert view.is_exhausted and (view.spent, view.remaining, view.mean_cost_nano_usd) == (80, 20, 80)
    now_ns = DAY if cure == "renew" else NOW
    if cure == "raise":
        ledger.define("key", budget=101, window="day")
    elif cure == "reset":
        ledger.reset(key, now_ns=NOW)
    elif cure == "settle":
        ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 1)), NOW, 1)
    assert not ledger.read(key, now_ns=now_ns).is_exhausted


def test_refusal_of_one_great_request_exhausts_nothing(ledger: Ledger) -> None:
    """What is left still pays for the usual."""
    key = ledger.define("key", unit="tokens", budget=1000)
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 0, 50)), NOW, 0, 50)
    denied(ledger.admit_chain([key], NOW, 0, 5000))
    assert not ledger.read(key, now_ns=NOW).is_exhausted


def test_scan_finds_what_was_settled_since_the_last(ledger: Ledger) -> None:
    """Each reader has its own cursor; what was reserved, refused or defined is no change, what was set is."""
    keys = [ledger.define(f"key-{number}", budget=10) for number in range(5000)]
    assert list(ledger.changed()[0]) == []
    slots = [admitted(ledger.admit_chain([key], NOW, 1)) for key in (7, 4999)]
    found, mine = ledger.changed()
    assert list(found) == []
    for slot in slots:
        ledger.settle_slot(slot, NOW, 1)
    found, theirs = ledger.changed(mine)
    assert list(found) == [7, 4999] == list(ledger.changed(mine)[0])
    assert list(ledger.changed(theirs)[0]) == []
    ledger.set_spent(3, 5, now_ns=NOW)
    assert list(ledger.changed(theirs)[0]) == [3]
    assert list(ledger.changed()[0]) == [3, 7, 4999]
    assert len(keys) == 5000
    with pytest.raises(ValueError, match="expected a cursor from an earlier scan, or 0, got -1"):
        ledger.changed(-1)


def test_scan_misses_nothing_that_workers_settle_meanwhile(tmp_path: Path) -> None:
    """Who copies only what a scan names has every number right at the end."""
    ledger = Ledger(tmp_path / "ledger", workers=3, worker=2)
    keys = [ledger.define(f"key-{number}") for number in range(40)]
    gate = FORK.Barrier(3)

    def settle(worker: int) -> None:
        own = Ledger(tmp_path / "ledger", workers=3, worker=worker)
        gate.wait()
        rng = random.Random(worker)
        for _ in range(3000):
            own._bench(rng.sample(keys, 3), NOW, 0, 1, 1, rng.randint(1, 3))

    children = [FORK.Process(target=settle, args=(worker,)) for worker in range(2)]
    for child in children:
        child.start()
    gate.wait()
    copy: dict[int, int] = {}
    cursor, scans = 0, 0
    while any(child.is_alive() for child in children):
        found, cursor = ledger.changed(cursor)
        copy.update((index, ledger.read(index, now_ns=NOW).lifetime) for index in found)
        scans += 1
    found, cursor = ledger.changed(cursor)
    copy.update((index, ledger.read(index, now_ns=NOW).lifetime) for index in found)
    for child in children:
        child.join(PATIENCE_S)
        assert child.exitcode == 0
    assert scans > 5 and copy == {key: ledger.read(key, now_ns=NOW).lifetime for key in keys}


@pytest.mark.parametrize("window", ["total", "day", "month", "30d"])
def test_lost_ledger_is_restored_from_what_a_store_knew(tmp_path: Path, window: str) -> None:
    """Spend, lifetimes and the beginning of a period come back; a second time changes nothing."""
    old, fresh = Ledger(tmp_path / "old"), Ledger(tmp_path / "fresh")
    for ledger in (old, fresh):
        ledger.define("key", budget=1000, window=window)
    for when in (NOW - 86_400 * SECOND_NS * 10, NOW):
        old.settle_slot(admitted(old.admit_chain([0], when, 90)), when, 90, 8)
    known = old.read(0, now_ns=NOW)
    later = NOW + 3600 * SECOND_NS
    for _ in range(2):
        fresh.restore(0, known, now_ns=later)
        assert fresh.read(0, now_ns=later) == old.read(0, now_ns=later)._replace(mean_cost_nano_usd=0)


def test_greater_spend_wins(ledger: Ledger) -> None:
    """Neither what the store missed nor what the file missed is lost; the spend of another window is not taken over."""
    key = ledger.define("key", budget=1000, window="day")
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 50)), NOW, 50, 5)
    mine = ledger.read(key, now_ns=NOW)
    ledger.restore(key, mine._replace(spent=20, lifetime=500, lifetime_tokens=1), now_ns=NOW)
    view = ledger.read(key, now_ns=NOW)
    assert (view.spent, view.lifetime, view.lifetime_tokens) == (50, 500, 5)
    ledger.restore(key, mine._replace(spent=70), now_ns=NOW)
    assert spent(ledger, [key]) == [70]
    ledger.restore(key, mine._replace(spent=900), now_ns=DAY)
    ledger.restore(key, mine._replace(spent=900, window="month"), now_ns=NOW)
    assert spent(ledger, [key], DAY) == [0]
    with pytest.raises(ValueError, match="expected an account that counts nano_usd, got tokens"):
        ledger.restore(key, mine._replace(unit="tokens"), now_ns=NOW)


def test_many_accounts_are_defined_as_one_by_one(tmp_path: Path) -> None:
    """The same names have the same indexes in whatever order, with limits for all or for each; find makes none."""
    ledger = Ledger(tmp_path / "ledger", capacity=1)
    names = [f"key:{number}" for number in range(10_000)]
    first = ledger.define_many(names[::-1], Limits(budget=5))
    again = Ledger(tmp_path / "ledger").define_many(names, [Limits(budget=number) for number in range(10_000)])
    assert list(first)[::-1] == list(again) == [ledger.define(name, budget=7) for name in names] == [ledger.find(name) for name in names]
    assert ledger.find("key:none") is None and len(ledger) == 10_000
    with pytest.raises(ValueError, match="expected 2 limits, one for each name, got 1"):
        ledger.define_many(["a", "b"], [Limits()])


def test_many_names_at_once_may_hold_one_twice(ledger: Ledger) -> None:
    """A name that is written twice is one account, and the later limits hold."""
    assert list(ledger.define_many(["a", "b", "a"], [Limits(budget=1), Limits(budget=2), Limits(budget=3)])) == [0, 1, 0]
    assert ledger.read(0, now_ns=NOW).budget == 3


def test_worker_charges_what_another_process_defines_while_it_runs(tmp_path: Path) -> None:
    """Accounts beyond what the file held when the worker opened it are found by name and charged."""
    ledger = Ledger(tmp_path / "ledger", workers=2, worker=1, capacity=1)
    mine, theirs = FORK.Pipe()

    def work() -> None:
        own = Ledger(tmp_path / "ledger", workers=2, worker=0, capacity=1)
        theirs.send("open")
        theirs.recv()
        index = own.find("key:9999")
        assert index is not None and own._bench([index], NOW, 0, 3, 1, 10) == 10

    child = FORK.Process(target=work)
    child.start()
    assert mine.recv() == "open"
    ledger.define_many([f"key:{number}" for number in range(10_000)], Limits(budget=1000))
    mine.send("defined")
    child.join(PATIENCE_S)
    assert child.exitcode == 0
    assert spent(ledger, [9999]) == [30]


def test_death_while_defining_leaves_a_ledger_that_finds_and_makes(tmp_path: Path) -> None:
    """Wherever the definer dies, every name has one account afterwards, also when the index of names was being made anew."""
    names = [f"key:{number}" for number in range(600)]

    def define_until(fuse: int, path: Path) -> None:
        own = Ledger(path, capacity=1)
        own._light_fuse(fuse)
        own.define_many(names, Limits(budget=1))

    for fuse in (*range(1, 9), 600, 601, 1201, 1202, 1203):
        path = tmp_path / f"ledger-{fuse}"
        before = Ledger(path, capacity=1)
        before.define_many([f"early:{number}" for number in range(300)], Limits())
        status = exit_of(in_child(partial(define_until, fuse, path)))
        assert status == (0 if fuse == 1203 else FUSE_BLEW)
        seen = [before.find(name) for name in names]
        indexes = list(before.define_many(names, Limits()))
        assert sorted(indexes) == list(range(300, 900)), f"after point {fuse}"
        assert all(index in (None, found) for index, found in zip(seen, indexes, strict=True))
        assert isinstance(before.admit_chain(indexes[-1:], NOW), int)
        path.unlink()


def test_limits_say_what_they_are() -> None:
    """The representation shows unit, amount and window."""
    assert repr(Limits(unit="tokens", budget=5, window="30d")) == "<Limits 5 tokens in 30d>"
    assert repr(Limits()) == "<Limits no budget>"


def test_denied_is_a_tuple_of_seven(ledger: Ledger) -> None:
    """Expiry and a full table have a unit too, for one shape."""
    key = ledger.define("key", unit="requests", expires_ns=NOW)
    assert ledger.admit_chain([key], NOW) == Denied("expired", key, 0, 0, -1, -1, "requests")
