"""What was spent, by day or by account: what the ledgers of all machines have settled, as the store knows it."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.resource import MOST_LISTED, USUAL_LISTED
from fastgw.control.api.sharing import account_of
from fastgw.control.api.spending import DAY_NS, NANO
from fastgw.control.ids import account_digest
from fastgw.control.store.tables import ACCOUNT_DAYS, INTEGRATIONS, KEYS, ORGANISATIONS, SHARES, USERS, WORKSPACES

SCOPE: Final = "analytics.view"
USUAL_DAYS: Final = 30
MOST_DAYS: Final = 1100
MOST_OWNERS: Final = 100_000    # whose accounts are looked for

Kind = Literal["organisation", "workspace", "user", "key", "integration"]


class SpendOwner(Struct):
    """Whose account it is; an integration's is that in one workspace."""

    type: Kind
    id: str
    name: str
    workspace: str | None


Owned = tuple[str, SpendOwner]      # an account's name, and whose it is


class SpendLine(Struct):
    """What one day or one account comes to. day: of UTC, where it is asked for by day"""

    usd: float
    tokens: int
    requests: int
    day: str | None = None
    account: SpendOwner | None = None


class SpendLines(Struct):
    """Days in their order, or accounts, the dearest first; total: how many there are."""

    data: list[SpendLine]
    total: int


class SpendReport:
    """Spend over days."""

    def __repr__(self) -> str:
        return "<SpendReport>"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(method="GET", path="/spend", run=self.report, summary="What was spent, by account or by day", scope=SCOPE,
                     reply=SpendLines, query=("workspace", "since", "until", "by", "limit"), tag="spend", codes=("query_too_long",)),
        ]  # fmt: skip

    async def report(self, call: Call) -> Answer:
        if (by := call.query.get("by", "account")) not in ("account", "day"):
            raise invalid("?by", "account or day", repr(by[:40]))
        limit = call.integer("limit", USUAL_LISTED, 1, MOST_LISTED)
        first, last = days_of(call)
        workspaces = await workspaces_of(call)
        if by == "day":
            settled = await by_day(call.reading, [account_digest(name) for name, _ in await places_of(call, workspaces)], first, last)
            return Answer(SpendLines([line_of(settled.get(day), day=day_text(day)) for day in range(first, last + 1)], last - first + 1))
        owners = await owners_of(call, workspaces)
        named = await asyncio.to_thread(lambda: {account_digest(name): owner for name, owner in owners})
        rows = [row for row in await call.reading.execute(by_account(first, last)) if row.account in named]
        return Answer(SpendLines([line_of(tuple(row[1:]), account=named[row.account]) for row in rows[:limit]], len(rows)))


def days_of(call: Call) -> tuple[int, int]:
    """The first and the last day, in days since 1970. raises ApiError"""
    until_ns = call.instant("until")
    last = (call.now_ns if until_ns is None else until_ns - 1) // DAY_NS
    since_ns = call.instant("since")
    first = last - USUAL_DAYS + 1 if since_ns is None else since_ns // DAY_NS
    if not 0 <= first <= last or last - first >= MOST_DAYS or last > call.now_ns // DAY_NS + 1:
        raise invalid("?since", f"up to {MOST_DAYS} days that end with today at the latest", f"{last - first + 1} days")
    return first, last


async def workspaces_of(call: Call) -> dict[str, str] | None:
    """The workspaces that are asked for and may be seen, ids to slugs; None for the whole organisation. raises ApiError"""
    reach, wanted = call.principal.reach(SCOPE), call.query.get("workspace")
    if reach is None and wanted is None:
        return None
    columns = WORKSPACES.c
    bounds: list[ColumnElement[bool]] = [columns.organisation_id == call.principal.organisation_id]
    if reach is not None:
        bounds.append(columns.id.in_(reach))
    if wanted is not None:
        bounds.append((columns.id == wanted) | (columns.slug == wanted))
    return {row.id: row.slug for row in await call.reading.execute(select(columns.id, columns.slug).where(*bounds))}


async def places_of(call: Call, workspaces: dict[str, str] | None) -> list[Owned]:
    """The accounts that all spend goes through once: of the organisation, or of some of its workspaces."""
    if workspaces is None:
        own = select(ORGANISATIONS.c.id, ORGANISATIONS.c.slug).where(ORGANISATIONS.c.id == call.principal.organisation_id)
        rows = await call.reading.execute(own)
        return [(f"organisation:{slug}", SpendOwner("organisation", row_id, slug, None)) for row_id, slug in rows]
    return [(f"workspace:{slug}", SpendOwner("workspace", row_id, slug, slug)) for row_id, slug in workspaces.items()]


async def owners_of(call: Call, workspaces: dict[str, str] | None) -> list[Owned]:
    """The name of each account with its owner, in the organisation or some of its workspaces. raises ApiError"""
    found = await places_of(call, workspaces)
    own = WORKSPACES.c.organisation_id == call.principal.organisation_id
    inside, slug = [own], WORKSPACES.c.slug
    if workspaces is None:
        users = select(USERS.c.id, USERS.c.email).where(USERS.c.organisation_id == call.principal.organisation_id)
        found += [(f"user:{row_id}", SpendOwner("user", row_id, email, None)) for row_id, email in await call.reading.execute(users)]
        rows = await call.reading.execute(select(WORKSPACES.c.id, slug).where(own))
        found += await places_of(call, {row_id: name for row_id, name in rows})
    else:
        inside.append(WORKSPACES.c.id.in_(workspaces))
    shares = select(INTEGRATIONS.c.id, INTEGRATIONS.c.slug, slug.label("workspace")).select_from(
        SHARES.join(INTEGRATIONS, INTEGRATIONS.c.id == SHARES.c.integration_id).join(WORKSPACES, WORKSPACES.c.id == SHARES.c.workspace_id))
    found += [(account_of(name, place), SpendOwner("integration", row_id, name, place))
              for row_id, name, place in await call.reading.execute(shares.where(*inside))]  # fmt: skip
    query = select(KEYS.c.id, KEYS.c.name, slug).join(WORKSPACES, WORKSPACES.c.id == KEYS.c.workspace_id).where(*inside)
    keys = (await call.reading.execute(query.limit(MOST_OWNERS + 1))).all()
    if len(keys) > MOST_OWNERS:
        raise ApiError("query_too_long", f"expected up to {MOST_OWNERS} keys to tell apart, found more: name one ?workspace")
    return found + [(f"key:{row_id}", SpendOwner("key", row_id, name, place)) for row_id, name, place in keys]


def sums() -> tuple[ColumnElement[Any], ...]:
    return tuple(func.sum(column) for column in (ACCOUNT_DAYS.c.amount, ACCOUNT_DAYS.c.tokens, ACCOUNT_DAYS.c.requests))


def by_account(first: int, last: int) -> Select[Any]:
    columns = ACCOUNT_DAYS.c
    return select(columns.account, *sums()).where(columns.day.between(first, last)).group_by(columns.account).order_by(sums()[0].desc())


async def by_day(connection: AsyncConnection, digests: Iterable[str], first: int, last: int) -> dict[int, tuple[Any, ...]]:
    columns = ACCOUNT_DAYS.c
    query = select(columns.day, *sums()).where(columns.day.between(first, last), columns.account.in_(digests)).group_by(columns.day)
    return {row.day: tuple(row[1:]) for row in await connection.execute(query)}


def line_of(settled: tuple[Any, ...] | None, day: str | None = None, account: SpendOwner | None = None) -> SpendLine:
    amount, tokens, requests = settled or (0, 0, 0)
    return SpendLine(int(amount) / NANO, int(tokens), int(requests), day, account)


def day_text(day: int) -> str:
    return str(datetime.fromtimestamp(day * DAY_NS // 10**9, UTC).date())
