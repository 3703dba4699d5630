"""Write the ledger through to the store: what every account has settled, as absolute numbers, and what of it today.

The file on this machine is the truth of the moment. The store is for what must outlive the machine: where a ledger is lost, what it
knew is taken over again, and of two numbers the greater counts.
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from fastgw._core.ledger import AccountView, Ledger
from fastgw.control.ids import make_id
from fastgw.control.store.engine import Store
from fastgw.control.store.tables import ACCOUNT_DAYS, ACCOUNTS

WRITE_SECONDS: Final = 1.0
DAY_NS: Final = 86_400 * 10**9
BATCH: Final = 500  # accounts of one transaction
RESTORED: Final = 5_000  # accounts of one query; SQLite takes 32,766 parameters
MACHINE: Final = "machine.id"
NEAR: Final = 10                # the end of a budget: less than a tenth is left,
NEAR_REQUESTS: Final = 8        # or no more than so many requests use on the average

log = logging.getLogger("fastgw.control")


Counts = tuple[int, int, int]  # ever settled: amount, tokens, requests


Tell = Callable[[list[tuple[str, AccountView]]], Awaitable[object]]      # who hears of accounts, each by its digest


class Opened(Struct):
    """Where an account stood when the day began, and when it was last written."""

    day: int
    first: Counts = (0, 0, 0)
    last: Counts = (0, 0, 0)


class WriteThrough:
    """Brings the accounts of this machine's ledger to the store."""

    def __init__(self, store: Store, ledger: Ledger, state: Path, tell: Tell | None = None) -> None:
        self.store = store
        self.ledger = ledger
        self.machine = machine_id(state)
        self.tell = tell
        self.cursor = 0
        self.near: set[int] = set()                 # accounts whose budgets come to an end: a refusal settles nothing, and may be the end
        self.restored = 0                           # accounts, by index, that were held against what the store knows
        self.opened: dict[int, Opened] = {}

    def __repr__(self) -> str:
        return f"<WriteThrough of machine {self.machine}, {self.restored} accounts>"

    async def restore(self) -> int:
        """Take over what the store knows beyond what the ledger does; return of how many accounts.

        Accounts that are defined later are looked at as they come.
        """
        found = 0
        while self.restored < (total := len(self.ledger)):
            accounts = {digest.hex(): index for index, digest in islice(self.ledger.accounts(self.restored), RESTORED)}
            wanted = ACCOUNTS.c.machine == self.machine, ACCOUNTS.c.account.in_(list(accounts))
            async with self.store.read() as connection:
                rows = (await connection.execute(select(ACCOUNTS).where(*wanted))).mappings()
                found += sum(self.take_over(accounts[row["account"]], dict(row)) for row in rows)
            self.restored = min(self.restored + RESTORED, total)
        return found

    def digest(self, index: int) -> str:
        """What the store knows an account by."""
        return next(self.ledger.accounts(index))[1].hex()

    def take_over(self, index: int, row: Mapping[str, Any]) -> bool:
        view = self.ledger.read(index)
        is_behind: bool = view.unit == row["unit"] and (
            row["lifetime"] > view.lifetime or row["lifetime_requests"] > view.lifetime_requests
        )
        if is_behind:
            self.ledger.restore(
                index,
                view._replace(
                    window=row["window"],
                    window_start_ns=row["window_start_ns"],
                    spent=row["spent"],
                    lifetime=row["lifetime"],
                    lifetime_tokens=row["lifetime_tokens"],
                    lifetime_requests=row["lifetime_requests"],
                ),
            )
        return is_behind

    async def write(self) -> int:
        """Write what was settled since the last time; return of how many accounts."""
        await self.restore()
        changed, cursor = self.ledger.changed(self.cursor)
        for start in range(0, len(changed), BATCH):
            await self.write_some(changed[start : start + BATCH])
        await self.tell_of(list(self.near))
        # only now: what could not be written, or told of, is so the next time
        self.cursor = cursor
        return len(changed)

    async def write_some(self, indexes: Sequence[int]) -> None:
        now, views = time.time_ns(), [self.ledger.read(index) for index in indexes]
        await self.open_day(indexes, now // DAY_NS)
        accounts, days = [self.row(view, now) for view in views], [self.day_row(view) for view in views]
        async with self.store.write() as transaction:
            await upsert(transaction.connection, self.store.kind, ACCOUNTS, accounts)
            await upsert(transaction.connection, self.store.kind, ACCOUNT_DAYS, days)
        for view in views:
            self.opened[view.account].last = counts(view)
        await self.tell_of(indexes)

    async def tell_of(self, indexes: Sequence[int]) -> None:
        """Have the budgets looked at that may have crossed a threshold, and go on to look at those that come to their end."""
        views = {index: view for index in indexes if (view := self.ledger.read(index)).budget is not None}
        if self.tell is not None and views:
            await self.tell([(self.digest(index), view) for index, view in views.items()])
        self.near.difference_update(indexes)
        self.near.update(index for index, view in views.items() if is_near(view))

    async def open_day(self, indexes: Sequence[int], day: int) -> None:
        """Know of each account where it stood when the day began."""
        fresh = [index for index in indexes if index not in self.opened]
        for start in range(0, len(fresh), BATCH):
            await self.open_from_store(fresh[start : start + BATCH], day)
        for index in indexes:
            opened = self.opened[index]
            if opened.day != day:
                opened.day, opened.first = day, opened.last

    async def open_from_store(self, indexes: list[int], day: int) -> None:
        accounts = {self.digest(index): index for index in indexes}
        query = (
            select(ACCOUNTS, ACCOUNT_DAYS.c.amount, ACCOUNT_DAYS.c.tokens, ACCOUNT_DAYS.c.requests)
            .join(
                ACCOUNT_DAYS,
                (ACCOUNT_DAYS.c.machine == ACCOUNTS.c.machine)
                & (ACCOUNT_DAYS.c.account == ACCOUNTS.c.account)
                & (ACCOUNT_DAYS.c.day == day),
                isouter=True,
            )
            .where(ACCOUNTS.c.machine == self.machine, ACCOUNTS.c.account.in_(accounts))
        )
        self.opened.update((index, Opened(day)) for index in indexes)
        async with self.store.read() as connection:
            for row in await connection.execute(query):
                last = (row.lifetime, row.lifetime_tokens, row.lifetime_requests)
                today = (row.amount or 0, row.tokens or 0, row.requests or 0)
                self.opened[accounts[row.account]] = Opened(day, minus(last, today), last)

    def row(self, view: AccountView, now_ns: int) -> dict[str, object]:
        return {
            "machine": self.machine,
            "account": self.digest(view.account),
            "unit": view.unit,
            "window": view.window,
            "window_start_ns": view.window_start_ns,
            "spent": view.spent,
            "lifetime": view.lifetime,
            "lifetime_tokens": view.lifetime_tokens,
            "lifetime_requests": view.lifetime_requests,
            "updated_ns": now_ns,
        }

    def day_row(self, view: AccountView) -> dict[str, object]:
        opened = self.opened[view.account]
        amount, tokens, requests = minus(counts(view), opened.first)
        return {
            "machine": self.machine,
            "account": self.digest(view.account),
            "day": opened.day,
            "amount": amount,
            "tokens": tokens,
            "requests": requests,
        }


def is_near(view: AccountView) -> bool:
    """Whether a refusal, which settles nothing, may be the end of a budget."""
    assert view.budget is not None and view.remaining is not None  # the caller has looked
    average = max(view.lifetime // max(view.lifetime_requests, 1), view.mean_cost_nano_usd if view.unit == "nano_usd" else 0)
    return not view.is_exhausted and (view.remaining * NEAR < view.budget or view.remaining <= NEAR_REQUESTS * average)


def counts(view: AccountView) -> Counts:
    return view.lifetime, view.lifetime_tokens, view.lifetime_requests


def minus(these: Counts, those: Counts) -> Counts:
    return these[0] - those[0], these[1] - those[1], these[2] - those[2]


async def upsert(connection: AsyncConnection, kind: str, table: Table, rows: Iterable[dict[str, object]]) -> None:
    """Write rows in the place of those of the same primary key."""
    insert = postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
    await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=others), list(rows))


def machine_id(state: Path) -> str:
    """What this machine's accounts are told from others' by; made once."""
    path = state / MACHINE
    if not path.exists():
        # as a whole or not at all: a disk that is full, or a kill, must not leave a machine without a name
        aside = path.with_suffix(".tmp")
        aside.write_text(make_id() + "\n")
        os.replace(aside, path)
    return path.read_text().strip()
