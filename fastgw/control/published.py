"""What of the store goes to the data plane, in the shapes that it reads: sections of its configuration, and keys."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fastgw.control.accounts import LedgerAccounts, StoredLimits
from fastgw.control.api.limits import published_limits
from fastgw.control.api.written import Document, decode
from fastgw.control.store.tables import CONFIGS, INTEGRATIONS, KEYS, MODELS, ORGANISATIONS, PRICES, SHARES, USERS, WORKSPACES
from fastgw.snapshot.accounts import Chain
from fastgw.snapshot.config import Admission, Integration, Model, Price
from fastgw.snapshot.keyring import KeyEntry, KeyRow
from fastgw.snapshot.read import fields_of

Tables = dict[str, dict[str, object]]
KEYS_AT_ONCE: Final = 2_000       # in memory
POLICIES: Final = ("admission", "unknown_price", "models", "inline")


async def read_tables(connection: AsyncConnection) -> Tables:
    """The sections of the data plane's configuration, without keys."""
    # those that workspaces have made themselves lead only where the operator lets callers go
    integrations: Document = {
        row.slug: {**part(Integration, row.spec), "guarded": row.workspace_id is not None}
        for row in await connection.execute(select(INTEGRATIONS))
    }
    workspaces: dict[str, Document] = {}
    for row in await connection.execute(select(WORKSPACES)):
        document = document_in(row.spec)
        policies = {name: document[name] for name in POLICIES if document.get(name) is not None}
        workspaces[row.slug] = {**published_limits(document), **policies, "integrations": [], "limits": {}}
    shares = select(SHARES.c.spec, WORKSPACES.c.slug, INTEGRATIONS.c.slug.label("integration")).join(
        WORKSPACES, WORKSPACES.c.id == SHARES.c.workspace_id).join(INTEGRATIONS, INTEGRATIONS.c.id == SHARES.c.integration_id)
    for row in await connection.execute(shares.order_by(SHARES.c.id)):
        share(workspaces[row.slug], row.integration, document_in(row.spec))
    models: Document = {row.name: part(Model, row.spec) for row in await connection.execute(select(MODELS))}
    prices: Document = {row.name: part(Price, row.spec) for row in await connection.execute(select(PRICES))}
    configs: Document = {}
    slugs = {row.id: row.slug for row in await connection.execute(select(WORKSPACES.c.id, WORKSPACES.c.slug))}
    for row in await connection.execute(select(CONFIGS)):
        configs[row.slug] = document_in(row.spec)["config"]
        if row.workspace_id is not None:
            own = workspaces[slugs[row.workspace_id]].setdefault("configs", [])
            assert isinstance(own, list)  # as it was made
            own.append(row.slug)
    return {"integrations": integrations, "workspaces": dict(workspaces), "models": models, "prices": prices, "configs": configs}


def share(workspace: Document, integration: str, document: Document) -> None:
    """Let a workspace use an integration, within the limits of the share."""
    if not document.get("enabled", True):
        return
    names, limits = workspace["integrations"], workspace["limits"]
    assert isinstance(names, list) and isinstance(limits, dict)  # as they were made
    names.append(integration)
    bounds = published_limits(document)
    if document.get("models"):
        bounds["models"] = document["models"]
    if bounds:
        limits[integration] = bounds


def part(kind: Any, spec: str) -> Document:
    """What of a document is the section's own; the rest is for people."""
    return {name: value for name, value in document_in(spec).items() if name in fields_of(kind)}


def document_in(spec: str) -> Document:
    document = decode(spec.encode())
    assert isinstance(document, dict)  # as it was written
    return document


class StoredKey(StoredLimits, frozen=True):
    """A key as it is kept, as far as the data plane needs it."""

    models: tuple[str, ...] = ()
    integrations: tuple[str, ...] = ()
    integration: str | None = None
    expires_at: datetime | None = None
    metadata: dict[str, str] = {}
    config: str | None = None
    allow_config_override: bool = True
    enabled: bool = True
    admission: Admission | None = None


class StoredOwner(StoredLimits, frozen=True):
    """A user or an organisation likewise."""

    status: Literal["active", "disabled"] = "active"


class Above(NamedTuple):
    """What keys have in common that are of one organisation or user: its accounts, and whether it may call at all."""

    chain: Chain
    is_active: bool


STORED_KEY: Final = msgspec.json.Decoder(StoredKey)
STORED_OWNER: Final = msgspec.json.Decoder(StoredOwner)


def expires_ns(stored: StoredKey) -> int | None:
    return None if stored.expires_at is None else int(stored.expires_at.timestamp() * 1_000_000) * 1000


def organisation_words(slug: str) -> tuple[str, str]:
    """An organisation's name in the ledger, and for people."""
    return f"organisation:{slug}", f"organisation {slug!r}"


def organisation_chain(slug: str, spec: str, accounts: LedgerAccounts) -> Chain:
    """The accounts of an organisation, held to its limits from now on."""
    return accounts.define(*organisation_words(slug), STORED_OWNER.decode(spec))


class ReadKey(NamedTuple):
    """A key with what stands elsewhere: the slugs above it, and the limits of its user and organisation."""

    id: str
    name: str
    digest: bytes
    previous_digest: bytes | None
    previous_until_ns: int | None
    spec: str
    user_id: str | None
    workspace: str
    email: str | None           # of its user, where it has one
    user_spec: str
    organisation: str
    organisation_spec: str


async def read_keys(connection: AsyncConnection, wanted: ColumnElement[bool]) -> Sequence[ReadKey]:
    """The first of some keys."""
    query = (
        select(
            KEYS.c.id, KEYS.c.name, KEYS.c.digest, KEYS.c.previous_digest, KEYS.c.previous_until_ns, KEYS.c.spec, KEYS.c.user_id,
            WORKSPACES.c.slug, USERS.c.email, USERS.c.spec, ORGANISATIONS.c.slug, ORGANISATIONS.c.spec)
        .join(WORKSPACES, WORKSPACES.c.id == KEYS.c.workspace_id)
        .join(ORGANISATIONS, ORGANISATIONS.c.id == KEYS.c.organisation_id)
        .join(USERS, USERS.c.id == KEYS.c.user_id, isouter=True)
        .where(KEYS.c.removed.is_(False), wanted)
        .order_by(KEYS.c.id)
        .limit(KEYS_AT_ONCE)
    )  # fmt: skip
    return [ReadKey._make(row) for row in await connection.execute(query)]


def key_rows(rows: Sequence[ReadKey], accounts: LedgerAccounts) -> Iterator[KeyRow]:
    """What is published of keys: each of them, and for a while the one that it replaced."""
    above: dict[str, Above] = {}        # many keys have the same

    def shared(owner: str, words: str, spec: str) -> Above:
        if owner not in above:
            stored = STORED_OWNER.decode(spec)
            above[owner] = Above(accounts.define(owner, words, stored), stored.status == "active")
        return above[owner]

    documents = [STORED_KEY.decode(row.spec) for row in rows]
    chains = accounts.define_each(
        (f"key:{row.id}", f"key {row.name!r}", stored, expires_ns(stored)) for row, stored in zip(rows, documents, strict=True))
    for row, stored, own in zip(rows, documents, chains, strict=True):
        chain, _ = shared(*organisation_words(row.organisation), row.organisation_spec)
        metadata, enabled = stored.metadata, stored.enabled
        if row.email is not None:
            user = shared(f"user:{row.user_id}", f"user {row.email!r}", row.user_spec)
            chain, enabled = chain + user.chain, enabled and user.is_active
            metadata = {"_user": row.email, **metadata}
        chain += own
        entry = KeyEntry(
            name=row.name, id=row.id, workspace=row.workspace, chain=tuple(zip(chain.indexes, chain.names, strict=True)),
            organisation=row.organisation, user=row.email, models=stored.models, integrations=stored.integrations,
            integration=stored.integration, metadata=metadata, config=stored.config, allow_config_override=stored.allow_config_override,
            admission=stored.admission, has_budget=chain.has_budget, counts_tokens=chain.counts_tokens)
        yield KeyRow(row.digest, entry, enabled)
        if row.previous_digest is not None and row.previous_until_ns is not None:
            yield KeyRow(row.previous_digest, entry, enabled, row.previous_until_ns)
