"""The accounts behind what people write: one for each budget of a key, a workspace or an integration in a workspace.

The principal account, called `key:NAME` and the like, is always there: it holds rates, counts requests in flight and dollars spent, and
has the dollar budget of the longest window. Every other budget is an account of its own, `key:NAME#day:tokens`, so that its name says what
it counts and the order in which budgets are written says nothing.
"""
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from fastgw._core.ledger import MAX_CHAIN, AccountView, Ledger, Limits
from fastgw.snapshot import config as written
from fastgw.snapshot.names import Place
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.shares import Share

UNITS = {"usd": "nano_usd", "tokens": "tokens", "requests": "requests"}
WINDOW_DAYS = {"total": 1_000_000, "month": 31, "week": 7, "day": 1}

MOST_ALIKE: Final = 1024        # limits that are kept, as many keys have the same

Limited = written.Key | written.Workspace | written.ShareLimits


class Owner(NamedTuple):
    """Whose accounts these are, what messages call it, and what it is held to."""

    name: str
    words: str
    limits: Limited
    expires_ns: int | None = None


class Chain(Struct, frozen=True):
    """Accounts that are charged together, and what their budgets count; the principal of the last owner stands last."""

    indexes: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    has_budget: bool = False
    counts_tokens: bool = False

    def __add__(self, other: "Chain") -> "Chain":
        return Chain(
            self.indexes + other.indexes, self.names + other.names, self.has_budget or other.has_budget,
            self.counts_tokens or other.counts_tokens,
        )


def principal_budget(budgets: Sequence[written.Budget]) -> written.Budget | None:
    """The dollar budget of the longest window; None where no dollars are limited."""
    return max((budget for budget in budgets if budget.unit == "usd"), key=length_of, default=None)


def length_of(budget: written.Budget) -> tuple[int, str]:
    return WINDOW_DAYS.get(budget.window) or int(budget.window[:-1]), budget.window


def extra_name(owner: str, unit: str, window: str) -> str:
    """The account of a budget beside the principal's."""
    return f"{owner}#{window}:{unit}"


def accounts_of(owner: str, limits: Limited, expires_ns: int | None = None) -> list[tuple[str, Limits]]:
    """The accounts of an owner by name, with their limits; the principal last."""
    held = held_to(limits.budget, limits.rate, limits.max_parallel, expires_ns)
    return [(owner + ending, one) for ending, one in held]


@lru_cache(MOST_ALIKE)
def held_to(
    budgets: Sequence[written.Budget], rate: written.Rate | None, max_parallel: int | None, expires_ns: int | None,
) -> tuple[tuple[str, Limits], ...]:
    """The same by how the names end."""
    own, rate = principal_budget(budgets), rate or written.Rate()
    extras = [
        (extra_name("", budget.unit, budget.window), Limits(unit=UNITS[budget.unit], budget=budget.amount, window=budget.window))
        for budget in sorted(budgets, key=length_of) if budget is not own
    ]
    principal = Limits(
        budget=None if own is None else own.amount, window="total" if own is None else own.window,
        requests_per_minute=rate.requests_per_minute, tokens_per_minute=rate.tokens_per_minute, max_parallel=max_parallel,
        expires_ns=expires_ns,
    )
    return *extras, ("", principal)


@lru_cache(MOST_ALIKE)
def units_of(budgets: Sequence[written.Budget]) -> frozenset[str]:
    return frozenset(budget.unit for budget in budgets)


def define_chain(ledger: Ledger, owner: str, words: str, limits: Limited, expires_ns: int | None = None) -> Chain:
    """Find or make the accounts of an owner, whom messages call by `words`."""
    return define_chains(ledger, [Owner(owner, words, limits, expires_ns)])[0]


def define_chains(ledger: Ledger, owners: Sequence[Owner]) -> list[Chain]:
    """The same for many, each there once, under one lock; the chain of each."""
    held = [accounts_of(one.name, one.limits, one.expires_ns) for one in owners]
    chains, at = [], 0
    with ledger.locked():
        for one, accounts in zip(owners, held, strict=True):
            move_budgets(ledger, one, accounts)
        indexes = ledger.define_many(
            [name for accounts in held for name, _ in accounts], [limits for accounts in held for _, limits in accounts])
        for one, accounts in zip(owners, held, strict=True):
            own = tuple(indexes[at : at + len(accounts)])
            at += len(accounts)
            units = units_of(one.limits.budget)
            chains.append(Chain(own, (one.words,) * len(own), "usd" in units, "tokens" in units))
    return chains


def move_budgets(ledger: Ledger, owner: Owner, accounts: Sequence[tuple[str, Limits]]) -> None:
    """Let counts go on in other accounts of their owner, where a longer window came or went."""
    moved = moved_budgets(ledger, owner.name, owner.limits.budget)
    if not moved:
        return
    # each owner by itself, since workers go on counting: what they add between reading a count and writing it elsewhere is lost
    names = [name for name, _ in accounts]
    indexes = dict(zip(names, ledger.define_many(names, [held for _, held in accounts]), strict=True))
    for source, name, view in moved:
        ledger.set_spent(indexes[name], view.spent)
        # the window it began in, too; each account keeps its own lifetimes, or days would show what was counted before
        ledger.restore(indexes[name], view._replace(lifetime=0, lifetime_tokens=0, lifetime_requests=0))
        if source not in indexes:
            ledger.define(source)           # its count has gone on elsewhere, and must not come back


def moved_budgets(ledger: Ledger, owner: str, budgets: Sequence[written.Budget]) -> list[tuple[str, str, AccountView]]:
    """Which dollar budgets are counted elsewhere from now on, as a longer window came or went: (account, account to be, count)."""
    principal = ledger.find(owner)
    if principal is None:
        return []
    found = []
    own, was = principal_budget(budgets), ledger.read(principal)
    for budget in budgets:
        extra, was_here = extra_name(owner, "usd", budget.window), was.budget is not None and was.window == budget.window
        if budget.unit != "usd":
            continue
        if budget is not own:
            found += [(owner, extra, was)] if was_here else []
        elif not was_here and (index := ledger.find(extra)) is not None and ledger.read(index).budget is not None:
            found.append((extra, owner, ledger.read(index)))
    return found


def define_shares(ledger: Ledger, name: str, workspace: written.Workspace) -> dict[str, Share]:
    """What a workspace's use of each integration is held to, by the integration's name."""
    shares = {}
    for integration, limits in workspace.limits.items():
        chain = Chain()
        if limits.budget or limits.rate is not None or limits.max_parallel is not None:
            words = f"integration {integration!r} in workspace {name!r}"
            chain = define_chain(ledger, f"integration:{integration}@{name}", words, limits)
        models = frozenset(model.encode() for model in limits.models) or None
        shares[integration] = Share(
            chain=chain.indexes, account_names=chain.names, has_budget=chain.has_budget, counts_tokens=chain.counts_tokens, models=models)
    return shares


def check_limits(place: Place, limits: Limited, problems: Problems) -> None:
    """Each budget counts one thing, and no two the same thing in the same window."""
    if problems.touch((*place, "budget")):
        return
    seen = set()
    for index, budget in enumerate(limits.budget):
        here = (*place, "budget") if len(limits.budget) == 1 else (*place, "budget", index)
        stated = [name for name in UNITS if getattr(budget, name) is not None]
        if len(stated) != 1:
            problems.add(here, "one of usd, tokens and requests", " and ".join(stated) or "none")
        elif (budget.unit, budget.window) in seen:
            problems.add(here, "another unit or window than in the budgets before it", f'{budget.unit} in "{budget.window}" twice')
        else:
            seen.add((budget.unit, budget.window))


def check_depth(place: Place, owners: Sequence[Limited], problems: Problems) -> None:
    """The accounts that are charged together fit into one chain."""
    if problems.found:
        return                              # of budgets that do not hold there is nothing to count
    depth = sum(len(accounts_of("", limits)) for limits in owners)
    if depth > MAX_CHAIN:
        problems.add((*place, "budget"), f"at most {MAX_CHAIN} accounts, one for each budget and one for each of whom they are", f"{depth}")
