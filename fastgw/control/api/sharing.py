"""What is shared with whom, and who refers to an integration."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, or_, select

from fastgw.control.api.call import Call
from fastgw.control.api.problem import ApiError
from fastgw.control.api.written import Document
from fastgw.control.store.tables import CONFIGS, INTEGRATIONS, KEYS, MODELS, SHARES, WORKSPACES

MOST_READ: Final = 10_000  # rows that may refer to an integration
NAMING: Final = ("integration", "virtual_key", "virtualKey")  # members that hold an integration's name


class Share(Struct, frozen=True):
    """An integration in a workspace, and the limits it has there."""

    integration_id: str
    account: str
    limits: Document


def account_of(integration: str, workspace: str) -> str:
    """The ledger's name of a share, by both slugs."""
    return f"integration:{integration}@{workspace}"


async def shares_of(call: Call, integration_ids: Sequence[str]) -> list[Share]:
    """The shares of integrations that the caller may look at."""
    query = select(SHARES.c.integration_id, SHARES.c.spec, INTEGRATIONS.c.slug, WORKSPACES.c.slug.label("workspace"))
    query = query.join(INTEGRATIONS, INTEGRATIONS.c.id == SHARES.c.integration_id).join(
        WORKSPACES, WORKSPACES.c.id == SHARES.c.workspace_id
    )
    rows = await call.reading.execute(query.where(SHARES.c.integration_id.in_(integration_ids), *own_shares(call)))
    return [Share(row.integration_id, account_of(row.slug, row.workspace), msgspec.json.decode(row.spec)) for row in rows]


def own_shares(call: Call) -> list[ColumnElement[bool]]:
    """What holds of the shares that the caller may look at."""
    reach = call.principal.reach("workspace_integrations.read")
    if reach is None or call.principal.may("organisation_integrations.read"):
        return []
    return [SHARES.c.workspace_id.in_(reach)]


async def refuse_used(call: Call, slug: str, workspace_id: str | None = None) -> None:
    """raises ApiError where a model, a config or a key, of one workspace or of all, refers to an integration"""
    # keys name it as it is: to look for one text through a million of them takes long enough
    at = f'%"@{slug}"%'
    for noun, table, name, more in (("model", MODELS, "name", [at]), ("config", CONFIGS, "slug", [at]), ("key", KEYS, "name", [])):
        if workspace_id is not None and "workspace_id" not in table.c:
            continue
        spec = table.c.spec
        wanted = [table.c.organisation_id == call.principal.organisation_id, or_(*(spec.like(one) for one in (f'%"{slug}"%', *more)))]
        if workspace_id is not None:
            wanted.append(table.c.workspace_id == workspace_id)
        if "removed" in table.c:
            wanted.append(table.c.removed.is_(False))
        for row in await call.reading.execute(select(table.c[name], spec).where(*wanted).limit(MOST_READ)):
            if refers(msgspec.json.decode(row[1]), slug):
                raise ApiError("in_use", f"{noun} {row[0]!r} refers to integration {slug!r}: change that first")


async def refuse_listed(call: Call, member: str, name: str, noun: str) -> None:
    """raises ApiError where a key or a workspace has a name in a member, or among the items of one"""
    pattern = f"%{msgspec.json.encode(name).decode()}%"
    for kind, table, by in (("workspace", WORKSPACES, "slug"), ("key", KEYS, "name")):
        wanted = [table.c.organisation_id == call.principal.organisation_id, table.c.spec.like(pattern)]
        if "removed" in table.c:
            wanted.append(table.c.removed.is_(False))
        for row in await call.reading.execute(select(table.c[by], table.c.spec).where(*wanted).limit(MOST_READ)):
            value = msgspec.json.decode(row[1]).get(member)
            if value == name or (isinstance(value, list) and name in value):
                raise ApiError("in_use", f"{kind} {row[0]!r} refers to {noun} {name!r}: change that first")


def refers(value: object, slug: str) -> bool:
    """Whether a document of a model, a config or a key names an integration."""
    if isinstance(value, list):
        return any(refers(item, slug) for item in value)
    if not isinstance(value, dict):
        return False
    return any(
        (name in NAMING and item == slug)
        or (name == "provider" and item == f"@{slug}")
        or (name == "integrations" and isinstance(item, list) and slug in item)
        or (name != "metadata" and refers(item, slug))
        for name, item in value.items()
    )
