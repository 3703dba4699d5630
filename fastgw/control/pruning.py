"""Let go of rows that cannot matter any more: revocations that data planes have heard of, and alerts of windows long past."""

import time
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, false, func, literal, or_, select, update

from fastgw.control.rotating import ROTATION_DUE
from fastgw.control.store.engine import Store, Transaction
from fastgw.control.store.tables import ALERTS, KEYS, REVOCATIONS, STATE
from fastgw.snapshot.accounts import WINDOW_DAYS

DAY_NS: Final = 86_400 * 10**9
REVOCATION_DAYS: Final = 7      # a machine that was away for longer publishes all keys anew
ALERT_DAYS: Final = 90          # after the end of the window


class Pruner:
    """Looks at the clock for the rows of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"<Pruner of {self.store!r}>"

    async def turn(self) -> tuple[int, int]:
        """Return how many revocations and alerts went."""
        now = time.time_ns()
        async with self.store.write() as transaction:
            return await prune_revocations(transaction, now), await prune_alerts(transaction, now)


async def prune_revocations(transaction: Transaction, now_ns: int) -> int:
    old = select(func.max(REVOCATIONS.c.revision)).where(REVOCATIONS.c.at_ns < now_ns - REVOCATION_DAYS * DAY_NS)
    revision = (await transaction.execute(old)).scalar_one()
    if revision is None:
        return 0
    # must be in the same transaction: whoever has heard of less than this must not believe that what is left is all there was
    await transaction.execute(update(STATE).values(forgotten_revision=revision))
    return (await transaction.execute(delete(REVOCATIONS).where(REVOCATIONS.c.revision <= revision))).rowcount


async def prune_alerts(transaction: Transaction, now_ns: int) -> int:
    """An alert keeps another from being made of the same window, or of a key that is still due; so these go when that has passed."""
    columns = ALERTS.c
    ended: list[ColumnElement[bool]] = [false()]
    for window in (await transaction.execute(select(columns.window).where(columns.window.not_in(("", "total"))).distinct())).scalars():
        days = (WINDOW_DAYS.get(window) or int(window[:-1])) + ALERT_DAYS
        ended.append(and_(columns.window == window, columns.window_start_ns < now_ns - days * DAY_NS))
    is_due = select(KEYS.c.id).where(KEYS.c.rotate_at_ns == columns.window_start_ns, columns.account == literal("key:") + KEYS.c.id)
    past = and_(columns.kind == ROTATION_DUE, columns.at_ns < now_ns - ALERT_DAYS * DAY_NS, ~is_due.exists())
    return (await transaction.execute(delete(ALERTS).where(or_(past, *ended)))).rowcount
