"""What has been used of limits: read from the ledger, which is the truth of the moment."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from fastgw.control.api.call import Call
from fastgw.control.api.written import Document


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
    """What an account has used since it was made, and of each of its budgets."""

    usd: float
    tokens: int
    requests: int
    budgets: list[BudgetSpend]

    @property
    def is_exhausted(self) -> bool:
        return any(budget.is_exhausted for budget in self.budgets)


async def spend_of(call: Call, accounts: Sequence[tuple[str, Document]]) -> list[Spend]:
    """The spend of each account, given its name and the document with its limits."""
    return [call.plane.accounts.spend(name, document) for name, document in accounts]
