"""Which accounts are watched, and at which shares of their budgets: kept beside what administrators write, in its transaction."""

import json
from typing import Final

from sqlalchemy import delete, insert

from fastgw.control.accounts import StoredBudget, limits_of, read_limits
from fastgw.control.api.written import Document
from fastgw.control.ids import account_digest
from fastgw.control.store.engine import Transaction
from fastgw.control.store.tables import ALERT_RULES
from fastgw.snapshot.accounts import extra_name, principal_budget

MILLION: Final = 1_000_000


async def keep_rules(
    transaction: Transaction, owner: str, subject: str, organisation_id: str, workspace_id: str | None, document: Document,
) -> None:
    """Watch the budgets that a document states, and no others of that owner.

    owner     its principal account; subject: what people call it
    """
    await drop_rules(transaction, owner)
    stored = read_limits(document)
    limits = limits_of(stored)
    own = principal_budget(limits.budget)
    emails = document.get("alert_emails") or []
    rows = [
        {
            "account": account_digest(owner if budget is own else extra_name(owner, budget.unit, budget.window)), "owner": owner,
            "subject": subject, "organisation_id": organisation_id, "workspace_id": workspace_id, "window": budget.window,
            "thresholds": json.dumps(thresholds(one)), "emails": json.dumps(emails),
        }
        for one, budget in zip(stored.budgets, limits.budget, strict=True)
    ]
    if rows:
        await transaction.execute(insert(ALERT_RULES), rows)


async def drop_rules(transaction: Transaction, owner: str) -> None:
    await transaction.execute(delete(ALERT_RULES).where(ALERT_RULES.c.owner == owner))


def thresholds(budget: StoredBudget) -> list[int]:
    """In millionths of the budget, the least first."""
    return sorted({int(share * MILLION) for share in budget.alert_at})
