"""What has been used of limits: read from the ledger, which is the truth of the moment."""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct, structs
from sqlalchemy import func, select

from fastgw.control.api.call import Call
from fastgw.control.api.written import Document
from fastgw.control.ids import account_digest
from fastgw.control.store.tables import ACCOUNT_DAYS

DAY_NS: Final = 86_400 * 10**9
NANO: Final = 10**9


class BudgetSpend(Struct):
    """One budget and what is left of it; amounts in the budget's unit."""

    unit: Literal["usd", "tokens", "requests"]
    window: str
    limit: float
    spent: float
    reserved: float
    remaining: float
    window_start: str | None
    resets_at: str | None
    is_exhausted: bool


class Spend(Struct):
    """What an account has used since it was made, of each of its budgets, and today (UTC; on all machines, as of a moment ago)."""

    usd: float
    tokens: int
    requests: int
    budgets: list[BudgetSpend]
    today_usd: float = 0.0

    @property
    def is_exhausted(self) -> bool:
        return any(budget.is_exhausted for budget in self.budgets)


async def spend_of(call: Call, accounts: Sequence[tuple[str, Document]]) -> list[Spend]:
    """The spend of each account, given its name and the document with its limits."""
    today = await settled_today(call, [name for name, _ in accounts])
    spends = [call.plane.accounts.spend(name, document) for name, document in accounts]
    return [structs.replace(spend, today_usd=usd / NANO) for spend, usd in zip(spends, today, strict=True)]


async def settled_today(call: Call, names: Sequence[str]) -> list[int]:
    """What accounts have settled since midnight, in nano-USD."""
    columns, digests = ACCOUNT_DAYS.c, [account_digest(name) for name in names]
    query = select(columns.account, func.sum(columns.amount)).where(columns.day == call.now_ns // DAY_NS, columns.account.in_(digests))
    settled = {account: int(amount) for account, amount in await call.reading.execute(query.group_by(columns.account))}
    return [settled.get(digest, 0) for digest in digests]
