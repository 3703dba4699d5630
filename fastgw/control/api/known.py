"""What there is in an organisation, and what of it a workspace may use: for references between objects, with the nearest name as a hint."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, FromClause, or_, select

from fastgw.control.api.call import Call
from fastgw.control.api.problem import Fault, missing
from fastgw.control.api.resource import Stored
from fastgw.control.api.written import refused
from fastgw.control.store.tables import CONFIGS, INTEGRATIONS, MODELS, PRICES, SHARES, WORKSPACES
from fastgw.providers.table import find_provider
from fastgw.snapshot.config import Integration
from fastgw.snapshot.names import nearest, shown

MOST_NAMED = 1000  # of what is looked through for the nearest name


async def find_workspace(call: Call, name: str, path: str = "$.workspace") -> Stored:
    """A workspace that a member names, by slug or id. raises ApiError where there is none that the caller has to do with"""
    columns = WORKSPACES.c
    wanted: list[ColumnElement[bool]] = [columns.organisation_id == call.principal.organisation_id]
    if not call.principal.scopes:
        wanted.append(columns.id.in_(call.principal.workspaces))
    found = (
        (await call.reading.execute(select(WORKSPACES).where(*wanted, or_(columns.slug == name, columns.id == name)))).mappings().first()
    )
    if found is None:
        if not path:
            raise missing("workspace", name)
        known = (await call.reading.execute(select(columns.slug).where(*wanted).limit(MOST_NAMED))).scalars()
        raise refused([unknown(path, "a workspace that you may use", name, known)])
    return dict(found)


class Offered(Struct, frozen=True):
    """An integration as it is offered: whose it is, and the models that may be asked of it; none named: all that it serves."""

    integration: Integration
    models: tuple[str, ...] = ()


class Known(Struct, frozen=True):
    """The names that may be referred to."""

    integrations: Mapping[str, Offered]
    aliases: frozenset[str]
    configs: frozenset[str]
    prices: frozenset[str]

    def __repr__(self) -> str:
        return f"Known({len(self.integrations)} integrations, {len(self.aliases)} models, {len(self.configs)} configs)"


async def known_in(call: Call, workspace_id: str | None = None) -> Known:
    """What an organisation has; with a workspace, what is shared with that one."""
    organisation_id, file = call.principal.organisation_id, call.plane.file
    wanted: list[ColumnElement[bool]] = [INTEGRATIONS.c.organisation_id == organisation_id]
    columns: list[ColumnElement[Any]] = [INTEGRATIONS.c.slug, INTEGRATIONS.c.spec]
    rows: FromClause = INTEGRATIONS
    own_configs: list[ColumnElement[bool]] = [CONFIGS.c.organisation_id == organisation_id]
    if workspace_id is not None:
        columns.append(SHARES.c.spec.label("share"))
        rows = INTEGRATIONS.join(SHARES, SHARES.c.integration_id == INTEGRATIONS.c.id)
        wanted.append(SHARES.c.workspace_id == workspace_id)
        own_configs.append(or_(CONFIGS.c.workspace_id.is_(None), CONFIGS.c.workspace_id == workspace_id))
    offered = {} if file is None else {name: Offered(row) for name, row in file.integrations.items()}
    for row in (await call.reading.execute(select(*columns).select_from(rows).where(*wanted))).mappings():
        share = msgspec.json.decode(row.get("share", "{}"))
        if share.get("enabled", True):
            offered[row["slug"]] = Offered(named(msgspec.json.decode(row["spec"])), tuple(share.get("models", ())))
    aliases = (await call.reading.execute(select(MODELS.c.name).where(MODELS.c.organisation_id == organisation_id))).scalars()
    configs = (await call.reading.execute(select(CONFIGS.c.slug).where(*own_configs))).scalars()
    prices = (await call.reading.execute(select(PRICES.c.name).where(PRICES.c.organisation_id == organisation_id))).scalars()
    return Known(
        offered,
        frozenset((*aliases, *(file.models if file is not None else ()))),
        frozenset((*configs, *(file.configs if file is not None else ()))),
        frozenset((*prices, *(file.prices if file is not None else ()))),
    )


def named(spec: Mapping[str, object]) -> Integration:
    """An integration by what it serves alone, without its credentials."""
    provider, models = str(spec["provider"]), spec.get("models", [])
    row = find_provider(provider)
    assert isinstance(models, list)  # as it was checked when it was written
    return Integration(provider=provider if row is None else row.name, models=tuple(models))


def serves(call: Call, known: Known, model: str, among: Collection[str]) -> bool:
    """Whether a name is an alias, or one of some integrations is known to serve it."""
    if model in known.aliases:
        return True
    return any(offers(call, one, model, known.prices) for name, one in known.integrations.items() if name in among)


def offers(call: Call, one: Offered, model: str, prices: Collection[str] = ()) -> bool:
    """Whether a model may be asked of an integration; one that states none, of a provider whose models are not known, may have any."""
    provider, catalog = one.integration.provider, call.plane.catalog()
    if one.models or one.integration.models:
        return model in (one.models or one.integration.models)
    return f"{provider}/{model}" in prices or catalog.serves(provider, model) or not catalog.names(provider)


def models_of(call: Call, known: Known, among: Collection[str]) -> Iterator[str]:
    """Every model that may be named."""
    yield from known.aliases
    for name, one in known.integrations.items():
        if name in among:
            yield from one.models or one.integration.models or call.plane.catalog().names(one.integration.provider)


def unknown(path: str, expected: str, name: str, known: Iterable[str]) -> Fault:
    return Fault(path, expected, f'"{shown(name)}"', nearest(name, known))


def each_unknown(path: str, expected: str, names: Iterable[str], known: Collection[str]) -> list[Fault]:
    """A fault for each item of a list that is not known."""
    return [unknown(f"{path}[{index}]", expected, name, known) for index, name in enumerate(names) if name not in known]
