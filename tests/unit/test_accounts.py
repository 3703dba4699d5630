"""Accounts behind budgets: many are defined as each would be by itself, and what is counted meanwhile stays."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fastgw._core.ledger import AccountView, Ledger, Limits
from fastgw.snapshot.accounts import Owner, define_chain, define_chains
from fastgw.snapshot.config import Budget, Rate, ShareLimits

DAY, MONTH = Budget(usd=Decimal(1), window="day"), Budget(usd=Decimal(20), window="month")
NOW, OTHER = ShareLimits(budget=(DAY,)), ShareLimits(budget=(DAY, Budget(tokens=5, window="total")), rate=Rate(requests_per_minute=9))


class Busy:
    """A ledger on which others go on spending: 7 more of one account, just before accounts are defined."""

    def __init__(self, ledger: Ledger, spending: str, at_least: int) -> None:
        self.ledger, self.spending, self.at_least = ledger, spending, at_least

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.ledger.locked():
            yield

    def define_many(self, names: Sequence[str], limits: Sequence[Limits]) -> object:
        if len(names) >= self.at_least:
            index = self.ledger.find(self.spending)
            assert index is not None
            self.ledger.set_spent(index, self.ledger.read(index).spent + 7)
        return self.ledger.define_many(names, limits)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


def view(ledger: Ledger, name: str) -> AccountView:
    index = ledger.find(name)
    assert index is not None
    return ledger.read(index)


def test_many_are_defined_as_each_by_itself(ledger: Ledger, tmp_path: Path) -> None:
    """Chains, limits and counts are the same one by one and at once, whether accounts are new, stay, or move."""
    single, now_ns = Ledger(tmp_path / "single"), time.time_ns()
    stages = [[NOW] * 4, [NOW, OTHER, ShareLimits(budget=(DAY, MONTH)), ShareLimits()], [OTHER, NOW, NOW, ShareLimits(budget=(MONTH,))]]
    for limits in stages:
        owners = [Owner(f"key:{number}", f"key {number}", one, 10**18 * 4 if number == 3 else None) for number, one in enumerate(limits)]
        at_once = define_chains(ledger, owners)
        one_by_one = [define_chain(single, *owner) for owner in owners]
        for ours, theirs, owner in zip(at_once, one_by_one, owners, strict=True):
            assert (ours.names, ours.has_budget, ours.counts_tokens) == (theirs.names, theirs.has_budget, theirs.counts_tokens)
            for here, there in zip(ours.indexes, theirs.indexes, strict=True):
                assert ledger.read(here, now_ns=now_ns) == single.read(there, now_ns=now_ns)._replace(account=here), owner
            # the principal stands last
            ledger.set_spent(ours.indexes[-1], 100, now_ns=now_ns)
            single.set_spent(theirs.indexes[-1], 100, now_ns=now_ns)


def test_what_is_spent_while_others_are_defined_is_kept(ledger: Ledger) -> None:
    """A count that goes on in another account has all that was spent while the accounts of a thousand others were defined."""
    define_chain(ledger, "key:0", "key 0", ShareLimits(budget=(DAY, MONTH)))
    day = ledger.find("key:0#day:usd")
    assert day is not None
    ledger.set_spent(day, 100)
    others = [Owner(f"key:{number}", f"key {number}", NOW) for number in range(1, 1000)]
    define_chains(Busy(ledger, "key:0", 500), [Owner("key:0", "key 0", NOW), *others])  # type: ignore[arg-type]  # it stands in for one
    assert view(ledger, "key:0").spent == 107
