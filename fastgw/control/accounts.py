"""The accounts of the ledger behind what the store states: made when it is published, read when it is shown."""

import os
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from fastgw._core.ledger import AccountView, Ledger
from fastgw.control.api.call import moment
from fastgw.control.api.spending import BudgetSpend, Spend
from fastgw.control.api.written import Document
from fastgw.snapshot import config as written
from fastgw.snapshot.accounts import MOST_ALIKE, Chain, Owner, accounts_of, define_chain, define_chains, extra_name, principal_budget

NANO: Final = 10**9
SCALES: Final = {"usd": NANO, "tokens": 1, "requests": 1}


class StoredBudget(Struct, frozen=True, gc=False):
    """A budget as it is kept."""

    usd: Decimal | None = None
    tokens: int | None = None
    requests: int | None = None
    window: str = "total"
    alert_at: tuple[Decimal, ...] = (Decimal(1),)


class StoredLimits(Struct, frozen=True):
    """The limits of what is kept, without its other members; what was checked when it was written need not be again."""

    budgets: tuple[StoredBudget, ...] = ()
    rate: written.Rate | None = None
    max_parallel: int | None = None


NO_LIMITS: Final = written.ShareLimits()


def limits_of(stored: StoredLimits) -> written.ShareLimits:
    """The same as the data plane's configuration has it."""
    if not stored.budgets and stored.rate is None and stored.max_parallel is None:
        return NO_LIMITS
    return written.ShareLimits(budget=budgets_of(stored.budgets), rate=stored.rate, max_parallel=stored.max_parallel)


@lru_cache(MOST_ALIKE)
def budgets_of(budgets: tuple[StoredBudget, ...]) -> tuple[written.Budget, ...]:
    return tuple(written.Budget(usd=one.usd, tokens=one.tokens, requests=one.requests, window=one.window) for one in budgets)


def read_limits(document: Document) -> StoredLimits:
    """The limits in a document of the store."""
    return msgspec.convert(document, StoredLimits)


class LedgerAccounts:
    """The accounts of this machine's ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def __repr__(self) -> str:
        return f"<LedgerAccounts in {self.ledger!r}>"

    @property
    def identity(self) -> str:
        """What tells this ledger's file from another: indexes of one mean nothing in the other."""
        status = os.stat(self.ledger.path)
        return f"{status.st_dev}:{status.st_ino}"

    def define(self, owner: str, words: str, stored: StoredLimits, expires_ns: int | None = None) -> Chain:
        """Find or make the accounts of an owner, with these limits."""
        return define_chain(self.ledger, owner, words, limits_of(stored), expires_ns)

    def define_each(self, owners: Iterable[tuple[str, str, StoredLimits, int | None]]) -> list[Chain]:
        """The same for many, who are all there once."""
        return define_chains(self.ledger, [Owner(name, words, limits_of(stored), ends_ns) for name, words, stored, ends_ns in owners])

    def spend(self, owner: str, limits: Document) -> Spend:
        """What was used of the limits that a document states."""
        stored = read_limits(limits)
        held, principal = limits_of(stored), self.view(owner)
        own = principal_budget(held.budget)
        budgets = [
            budget_spend(budget, principal if budget is own else self.view(extra_name(owner, budget.unit, budget.window)))
            for budget in held.budget
        ]
        if principal is None:
            return Spend(0.0, 0, 0, budgets)
        return Spend(principal.lifetime / NANO, principal.lifetime_tokens, principal.lifetime_requests, budgets)

    def view(self, account: str) -> AccountView | None:
        index = self.ledger.find(account)
        return None if index is None else self.ledger.read(index)

    def reset(self, owner: str, limits: Document) -> None:
        """Begin all budgets of an owner afresh."""
        for name, _ in accounts_of(owner, limits_of(read_limits(limits))):
            if (index := self.ledger.find(name)) is not None:
                self.ledger.reset(index)


def budget_spend(budget: written.Budget, view: AccountView | None) -> BudgetSpend:
    unit, scale = budget.unit, SCALES[budget.unit]
    limit = budget.amount / scale
    if view is None:
        return BudgetSpend(unit, budget.window, limit, 0, 0, limit, None, None, False)
    reserved, remaining = (view.committed - view.spent) / scale, max(budget.amount - view.committed, 0) / scale
    start, end = moment(view.window_start_ns), moment(view.window_end_ns)
    return BudgetSpend(unit, budget.window, limit, view.spent / scale, reserved, remaining, start, end, view.is_exhausted)
