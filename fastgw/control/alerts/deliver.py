"""Deliver alerts: each to its channels, again and again until it is taken or has failed for an hour."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select, update

from fastgw.control.alerts.senders import SENDERS, DeliveryFailed, Way
from fastgw.control.alerts.words import Alert
from fastgw.control.api.call import moment
from fastgw.control.api.written import Sealer
from fastgw.control.store.engine import Store
from fastgw.control.store.tables import ALERTS, CHANNELS, DELIVERIES, WORKSPACES
from fastgw.snapshot.config import Config
from fastgw.snapshot.hosts import read_rules
from fastgw.snapshot.seal import label_of

PAUSES_SECONDS: Final = (5, 15, 60, 300, 900, 1800)     # after each failure; then it has failed for good
LEASE_NS: Final = 60 * 10**9            # of whoever sends; after it another one may
AT_ONCE: Final = 20
MAIL: Final = "mailto:"

log = logging.getLogger("fastgw.control")


class Deliverer:
    """Sends what is due."""

    def __init__(self, store: Store, config: Config, sealer: Sealer) -> None:
        self.store = store
        self.config = config
        self.sealer = sealer

    def __repr__(self) -> str:
        return f"<Deliverer of {self.store!r}>"

    async def deliver(self) -> int:
        """Send what is due now, and return how many deliveries there were."""
        due = await self.claim()
        await asyncio.gather(*(self.attempt(row) for row in due))
        return len(due)

    async def claim(self) -> list[Mapping[str, Any]]:
        """Take deliveries that are due, so that no other machine sends them meanwhile."""
        now = time.time_ns()
        is_due = (DELIVERIES.c.state == "pending") & (DELIVERIES.c.due_ns <= now)
        async with self.store.read() as connection:
            if (await connection.execute(select(DELIVERIES.c.alert_id).where(is_due).limit(1))).first() is None:
                return []
        async with self.store.write() as transaction:
            query = select(
                ALERTS, DELIVERIES.c.channel_id, DELIVERIES.c.attempts, CHANNELS.c.spec, CHANNELS.c.name, WORKSPACES.c.slug).join(
                DELIVERIES, DELIVERIES.c.alert_id == ALERTS.c.id).join(
                CHANNELS, CHANNELS.c.id == DELIVERIES.c.channel_id, isouter=True).join(
                WORKSPACES, WORKSPACES.c.id == ALERTS.c.workspace_id, isouter=True).where(is_due).limit(AT_ONCE)
            if self.store.kind == "postgresql":
                query = query.with_for_update(of=DELIVERIES, skip_locked=True)
            rows: list[Mapping[str, Any]] = [dict(row) for row in (await transaction.execute(query)).mappings()]
            for row in rows:
                await transaction.execute(update(DELIVERIES).where(is_of(row)).values(due_ns=now + LEASE_NS, attempts=row["attempts"] + 1))
        return rows

    async def attempt(self, row: Mapping[str, Any]) -> None:
        """Send one, and keep how it went."""
        error = ""
        try:
            kind, way = self.way_of(row)
            await SENDERS[kind](way, alert_of(row))
        except DeliveryFailed as problem:
            error = str(problem)
        except Exception as problem:        # the edge of a background task
            log.exception("a delivery had a fault")
            error = type(problem).__name__
        attempts = row["attempts"] + 1
        values: dict[str, object] = {"state": "sent", "error": None}
        if error:
            is_over = attempts > len(PAUSES_SECONDS)
            pause_s = 0 if is_over else PAUSES_SECONDS[attempts - 1]
            values = {"state": "failed" if is_over else "pending", "error": error[:500], "due_ns": time.time_ns() + pause_s * 10**9}
            whither = row["name"] or row["channel_id"]
            log.warning("the alert of %s to %s did not get out (attempt %d): %s", row["subject"], whither, attempts, error)
        async with self.store.write() as transaction:
            await transaction.execute(update(DELIVERIES).where(is_of(row)).values(values))
            await transaction.execute(update(CHANNELS).where(CHANNELS.c.id == row["channel_id"]).values(last_error=error[:500] or None))

    def way_of(self, row: Mapping[str, Any]) -> tuple[str, Way]:
        """The kind of the channel, and what it says. raises DeliveryFailed where it is gone"""
        if row["channel_id"].startswith(MAIL):
            return "email", Way(to=(row["channel_id"].removeprefix(MAIL),), smtp=self.config.control.smtp)
        if row["spec"] is None:
            raise DeliveryFailed("the channel is no more")
        return way_in(json.loads(row["spec"]), self.config, self.sealer)


def way_in(document: Mapping[str, Any], config: Config, sealer: Sealer) -> tuple[str, Way]:
    """The kind of a channel and what sending by it takes, given what is kept of it."""
    hosts = config.gateway.inline_hosts
    opened = {
        name: sealer.open(document[name], label_of(("channels", document["name"], name)))
        for name in ("url", "secret") if document.get(name)
    }
    return document["kind"], Way(
        url=opened.get("url", ""), to=tuple(document.get("to") or ()), secret=opened.get("secret", ""), smtp=config.control.smtp,
        rules=read_rules(hosts.allow, hosts.public))


def is_of(row: Mapping[str, Any]) -> Any:
    return (DELIVERIES.c.alert_id == row["id"]) & (DELIVERIES.c.channel_id == row["channel_id"])


def alert_of(row: Mapping[str, Any]) -> Alert:
    return Alert(
        id=row["id"], at=moment(row["at_ns"]) or "", kind=row["kind"], subject=row["subject"], workspace=row["slug"], unit=row["unit"],
        window=row["window"], window_start=moment(row["window_start_ns"]) if row["window_start_ns"] else None,
        threshold=row["threshold_ppm"] / 1_000_000, spent=row["spent"], budget=row["budget"])
