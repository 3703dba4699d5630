"""/spend/logs: what exchanges cost, one by one or by the day, out of the records."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import structs
from sqlalchemy import select

from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.problem import invalid
from fastgw.control.api.written import Document
from fastgw.control.litellm.asking import answered, inner
from fastgw.control.litellm.keys import KeyRoutes
from fastgw.control.litellm.places import teams_of, user_of
from fastgw.control.store.tables import KEYS, USERS, WORKSPACES
from fastgw.record.fields import Record
from fastgw.record.filters import USER, Filters
from fastgw.record.query import QueryTooLong, RecordsUnavailable, all_records, find_record, list_page

NANO: Final = 10**9
MOST_LISTED: Final = 1000
MOST_SUMMED: Final = 1_000_000
SECONDS: Final = 20.0


class SpendRoutes:
    def __init__(self, keys: KeyRoutes) -> None:
        self.keys = keys

    def __repr__(self) -> str:
        return "<SpendRoutes>"

    async def list_all(self, call: Call) -> Answer:
        """With start_date and end_date, sums by the day; else the latest exchanges."""
        query = call.query
        filters = await self.filters(call)
        path = call.plane.state / "logs.db"
        try:
            if request_id := query.get("request_id"):
                found = await asyncio.to_thread(find_record, path, request_id, filters.workspaces)
                return answered([] if found is None else await self.rows(call, [found.record]))
            if filters.since_ns is not None and query.get("summarize", "true").lower() != "false":
                return answered(await asyncio.to_thread(days, (one.record for one in all_records(path, filters, MOST_SUMMED, SECONDS))))
            page = await asyncio.to_thread(list_page, path, filters)
        except RecordsUnavailable:
            return answered([])  # nothing has come by yet
        except QueryTooLong as error:
            raise invalid("?start_date", "a range that can be summed up in time", str(error)) from None
        return answered(await self.rows(call, [one.record for one in page.records]))

    async def filters(self, call: Call) -> Filters:
        """What the query asks for, within what the caller may see. raises ApiError"""
        query, reach = call.query, call.principal.reach("logs.list")
        allowed = select(WORKSPACES.c.slug).where(WORKSPACES.c.organisation_id == call.principal.organisation_id)
        if reach is not None:
            allowed = allowed.where(WORKSPACES.c.id.in_(reach))
        filters = Filters(workspaces=frozenset((await call.reading.execute(allowed)).scalars()), limit=MOST_LISTED)
        if api_key := query.get("api_key"):
            row = await self.keys.keys.find(inner(call), "read", await self.keys.find(call, api_key, "?api_key"))
            filters = structs.replace(filters, key=row["name"], workspace=str(self.keys.keys.document_of(row)["workspace"]))
        if user_id := query.get("user_id"):
            known = await user_of(call, user_id, "?user_id")
            email = (await call.reading.execute(select(USERS.c.email).where(USERS.c.id == known))).scalar_one()
            filters = structs.replace(filters, user=email)
        since, until = (day_of(query.get(name), f"?{name}") for name in ("start_date", "end_date"))
        if since is not None and until is not None:
            end = until + timedelta(days=1)
            filters = structs.replace(filters, since_ns=int(since.timestamp()) * NANO, until_ns=int(end.timestamp()) * NANO)
        return filters

    async def rows(self, call: Call, records: list[Record]) -> list[Document]:
        """Exchanges as LiteLLM logs them."""
        teams = await teams_of(call, [record.workspace for record in records])
        names = {record.key for record in records}
        found = await call.reading.execute(
            select(KEYS.c.name, KEYS.c.digest, WORKSPACES.c.slug).join(WORKSPACES, WORKSPACES.c.id == KEYS.c.workspace_id)
            .where(KEYS.c.name.in_(names), KEYS.c.removed.is_(False))
        )  # fmt: skip
        hashes = {(row.slug, row.name): row.digest.hex() for row in found}
        return [log_row(record, hashes.get((record.workspace, record.key), ""), teams.get(record.workspace)) for record in records]


def log_row(record: Record, token: str, team_id: str | None) -> Document:
    metadata = metadata_of(record)
    return {
        "request_id": record.id, "call_type": record.operation, "api_key": token, "spend": max(0, record.cost_nano_usd) / NANO,
        "total_tokens": record.input_tokens + record.output_tokens, "prompt_tokens": record.input_tokens,
        "completion_tokens": record.output_tokens, "startTime": moment(record.started_ns), "endTime": moment(record.recorded_ns),
        "completionStartTime": None if record.first_byte_ns < 0 else moment(record.started_ns + record.first_byte_ns),
        "model": record.upstream_model or record.model, "model_group": record.model, "model_id": None, "api_base": None,
        "user": metadata.get(USER, ""), "end_user": metadata.get(USER, ""), "team_id": team_id, "custom_llm_provider": record.provider,
        "metadata": {"user_api_key_alias": record.key, **metadata}, "cache_hit": str(record.cache == "hit"), "cache_key": None,
        "request_tags": [], "requester_ip_address": None, "status": "success" if record.outcome == "served" else "failure",
        "messages": {}, "response": {},
    }  # fmt: skip


def metadata_of(record: Record) -> dict[str, object]:
    metadata = (record.detail or {}).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def days(records: Iterator[Record]) -> list[Document]:
    """Sums of each day, the first first: of all, and of each model and user."""
    sums: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for record in records:
        day = datetime.fromtimestamp(record.started_ns // NANO, UTC).date().isoformat()
        models, users = sums.setdefault(day, ({}, {}))
        cost = max(0, record.cost_nano_usd)
        for table, name in ((models, record.upstream_model or record.model), (users, str(metadata_of(record).get(USER, "")))):
            table[name] = table.get(name, 0) + cost
    return [
        {"startTime": day, "spend": sum(models.values()) / NANO, "models": dollars(models), "users": dollars(users)}
        for day, (models, users) in sorted(sums.items())
    ]


def dollars(sums: dict[str, int]) -> dict[str, float]:
    return {name: amount / NANO for name, amount in sums.items()}


def day_of(text: str | None, path: str) -> datetime | None:
    """A day of the query, in UTC. raises ApiError"""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise invalid(path, "a day such as 2026-11-27", repr(text[:40])) from None
