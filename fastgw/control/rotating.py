"""Keys that are due to be rotated, of which people are told, and keys before a rotation, which go when their overlap has passed.

A key is not rotated by itself: it is shown once, and there would be nobody to show the next one to.
"""

import json
import time
from typing import Any, Final

from sqlalchemy import Row, and_, literal, select
from sqlalchemy.exc import IntegrityError

from fastgw.control.alerts.outbox import keep_alert
from fastgw.control.revoking import retire_previous
from fastgw.control.store.engine import Store
from fastgw.control.store.tables import ALERTS, KEYS

AT_ONCE: Final = 100
ROTATION_DUE: Final = "rotation_due"


class Rotator:
    """Looks at the clock for the keys of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"<Rotator of {self.store!r}>"

    async def turn(self) -> int:
        """Let go of keys that were replaced, and return how many alerts of keys that are due there are from now on."""
        now = time.time_ns()
        async with self.store.read() as connection:
            has_passed = (await connection.execute(select(KEYS.c.id).where(KEYS.c.previous_until_ns <= now).limit(1))).first()
        if has_passed is not None:
            async with self.store.write() as transaction:
                await retire_previous(transaction, now)
        return await self.tell(now)

    async def tell(self, now_ns: int) -> int:
        """Make an alert of each key that has become due."""
        told = and_(
            ALERTS.c.account == literal("key:") + KEYS.c.id, ALERTS.c.kind == ROTATION_DUE, ALERTS.c.window_start_ns == KEYS.c.rotate_at_ns)
        query = select(KEYS).join(ALERTS, told, isouter=True).where(
            KEYS.c.rotate_at_ns <= now_ns, KEYS.c.removed.is_(False), ALERTS.c.id.is_(None)).limit(AT_ONCE)
        async with self.store.read() as connection:
            rows = (await connection.execute(query)).all()
        return sum([await self.alert(row) for row in rows])

    async def alert(self, row: Row[Any]) -> bool:
        """False where another machine was quicker."""
        columns = {
            "account": f"key:{row.id}", "subject": f"key {row.name!r}", "kind": ROTATION_DUE, "threshold_ppm": 0, "window": "",
            "window_start_ns": row.rotate_at_ns, "unit": "", "spent": 0, "budget": 0,
        }
        emails = json.loads(row.spec).get("alert_emails") or []
        try:
            async with self.store.write() as transaction:
                await keep_alert(transaction, row.organisation_id, row.workspace_id, emails, columns)
        except IntegrityError:
            return False
        return True
