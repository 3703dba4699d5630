"""Find the budgets that have crossed a threshold, among the accounts that have just been settled."""

import json
import logging
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError

from fastgw._core.ledger import AccountView
from fastgw.control.alerts.outbox import keep_alert
from fastgw.control.alerts.rules import MILLION
from fastgw.control.store.engine import Store
from fastgw.control.store.tables import ALERT_RULES

MOST_REMEMBERED: Final = 100_000
Crossing = tuple[str, int, int, int]        # account, threshold in millionths, start of the window, budget

log = logging.getLogger("fastgw.control")


class AlertFinder:
    """Makes an alert of every threshold that is crossed, once in a window; the store knows which ones there were."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.known: set[Crossing] = set()       # so that the store is not asked again each second

    def __repr__(self) -> str:
        return f"<AlertFinder, {len(self.known)} known>"

    async def look(self, accounts: Iterable[tuple[str, AccountView]]) -> int:
        """Look at accounts, each by its digest, and return how many alerts there are of them."""
        views = {digest: view for digest, view in accounts if view.budget is not None}
        if not views:
            return 0
        async with self.store.read() as connection:
            rules = (await connection.execute(select(ALERT_RULES).where(ALERT_RULES.c.account.in_(list(views))))).all()
        made = 0
        for rule in rules:
            for threshold in crossed(views[rule.account], json.loads(rule.thresholds)):
                made += await self.alert(rule, views[rule.account], threshold)
        return made

    async def alert(self, rule: Row[Any], view: AccountView, threshold: int) -> bool:
        """Keep an alert with its deliveries; False where there is one already, of this machine or another."""
        assert view.budget is not None  # or nothing is crossed
        crossing = (rule.account, threshold, view.window_start_ns or 0, view.budget)
        if crossing in self.known:
            return False
        kind = "exhausted" if threshold >= MILLION else "threshold"
        columns = {
            "account": rule.account, "subject": rule.subject, "kind": kind, "threshold_ppm": threshold, "window": rule.window,
            "window_start_ns": crossing[2], "unit": view.unit, "spent": view.spent, "budget": view.budget,
        }
        try:
            async with self.store.write() as transaction:
                await keep_alert(transaction, rule.organisation_id, rule.workspace_id, json.loads(rule.emails), columns)
        except IntegrityError:
            self.remember(crossing)
            return False
        log.warning("%s has used %s of its budget of %s %s", rule.subject, share(threshold), view.budget, view.unit)
        self.remember(crossing)
        return True

    def remember(self, crossing: Crossing) -> None:
        if len(self.known) >= MOST_REMEMBERED:
            self.known.clear()
        self.known.add(crossing)


def crossed(view: AccountView, thresholds: list[int]) -> list[int]:
    """The thresholds, in millionths, that an account has reached; one that is exhausted has reached all."""
    assert view.budget is not None  # the caller has looked
    return [one for one in thresholds if view.is_exhausted or view.spent * MILLION >= view.budget * one]


def share(threshold: int) -> str:
    return f"{threshold / 10_000:.6g} %"
