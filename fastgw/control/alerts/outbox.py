"""Keep an alert with its deliveries: one for each channel of the organisation that hears of it, and for each address."""

import json
import time
from collections.abc import Mapping, Sequence

from sqlalchemy import insert, or_, select

from fastgw.control.ids import make_id
from fastgw.control.store.engine import Transaction
from fastgw.control.store.tables import ALERTS, CHANNELS, DELIVERIES


async def keep_alert(
    transaction: Transaction, organisation_id: str, workspace_id: str | None, emails: Sequence[str], columns: Mapping[str, object],
) -> None:
    """raises  IntegrityError where there is that alert already, of this machine or another"""
    alert_id, now = make_id(), time.time_ns()
    whose = {"organisation_id": organisation_id, "workspace_id": workspace_id, "emails": json.dumps(emails)}
    await transaction.execute(insert(ALERTS).values(id=alert_id, at_ns=now, **whose, **columns))
    hears = or_(CHANNELS.c.workspace_id.is_(None), CHANNELS.c.workspace_id == workspace_id)
    channels = select(CHANNELS.c.id, CHANNELS.c.spec).where(CHANNELS.c.organisation_id == organisation_id, hears)
    names = [row.id for row in await transaction.execute(channels) if json.loads(row.spec).get("enabled", True)]
    names += [f"mailto:{address}" for address in dict.fromkeys(emails)]
    if names:
        pending = {"alert_id": alert_id, "state": "pending", "attempts": 0, "due_ns": now}
        await transaction.execute(insert(DELIVERIES), [{**pending, "channel_id": name} for name in names])
