"""Compile a configuration to a snapshot: everything that does not depend on the request is worked out here, once.

Pools of connections outlive a snapshot: an origin that the one before had with the same settings is taken over.
"""
import os
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from fastgw._core.digest import KeyTable
from fastgw._core.ledger import Ledger
from fastgw._core.poll import Poller
from fastgw._core.price import PriceRow
from fastgw._core.upstream import Origin
from fastgw.meter.catalog import Catalog
from fastgw.snapshot import config as written
from fastgw.snapshot.connections import Connections
from fastgw.snapshot.cors import Cors
from fastgw.snapshot.load import Document, price_row, priced
from fastgw.snapshot.types import Caller, Integration, Operation, Plan, Snapshot, Target

ADMISSIONS = {"strict": 0, "clamp": 1, "estimate": 2}
PAYLOADS = {"none": 0, "errors": 1, "all": 2}


class Compiler:
    """Makes snapshots for one worker."""

    def __init__(self, ledger: Ledger, poller: Poller, catalog: Catalog, environ: Mapping[str, str] | None = None) -> None:
        self.ledger = ledger
        self.poller = poller
        self.catalog = catalog
        self.environ = os.environ if environ is None else environ
        self.connections: Connections | None = None
        self.versions = 0

    def __repr__(self) -> str:
        return f"<Compiler of {self.versions} snapshots, {self.connections!r}>"

    def compile(self, document: Document) -> tuple[Snapshot, list[Origin]]:
        """Return the snapshot and the origins that it no longer needs, to be closed once it serves.

        raises  OSError, ssl.SSLError where a certificate cannot be read; SigningError where a key cannot
        """
        config = document.config
        catalog = priced(config, self.catalog)
        connections = Connections(self.poller, self.environ, self.connections)
        integrations = {name: connections.integration(name, row) for name, row in config.integrations.items()}
        aliases = {name.encode(): alias_plan(row, integrations, catalog) for name, row in config.models.items()}
        keys, callers = self._callers(document)
        served = tuple((model, integrations[name]) for name, row in config.integrations.items()
                       for model in row.models or catalog.names(row.provider))
        self.connections = connections
        self.versions += 1
        record, cors = config.gateway.record, config.gateway.cors
        snapshot = Snapshot(
            version=self.versions, loaded_ns=time.time_ns(), origin_path=document.path, keys=keys, callers=callers,
            integrations=integrations, aliases=aliases, resolver=resolver(config, catalog), payloads=PAYLOADS[record.payloads],
            max_payload_bytes=record.max_payload_bytes, buffer_reply_bytes=config.gateway.buffer_reply_bytes, served=served,
            cors=None if cors is None else Cors(frozenset(cors.origins), "*" in cors.origins, ", ".join(cors.headers), cors.max_age_s),
        )
        return snapshot, connections.retired()

    def _callers(self, document: Document) -> tuple[KeyTable, list[Caller]]:
        config = document.config
        table = KeyTable(len(config.keys))
        callers: list[Caller] = []
        for digest, key in zip(document.digests, config.keys, strict=True):
            workspace = config.workspaces.get(key.workspace) or written.Workspace()
            table.add(digest, len(callers))
            callers.append(self._caller(key, workspace))
        return table, callers

    def _caller(self, key: written.Key, workspace: written.Workspace) -> Caller:
        expires_ns = None if key.expires_at is None else int(key.expires_at.timestamp() * 1_000_000) * 1000
        chain = (
            self._account(f"workspace:{key.workspace}", workspace),
            self._account(f"key:{key.name}", key, expires_ns),
        )
        return Caller(
            key.name, key.workspace, chain=chain, account_names=(f"workspace {key.workspace!r}", f"key {key.name!r}"),
            enabled=key.enabled, admission=ADMISSIONS[key.admission or workspace.admission],
            has_budget=key.budget is not None or workspace.budget is not None,
            refuse_unknown_price=workspace.unknown_price == "refuse", models=both(key.models, workspace.models, str.encode),
            integrations=both(key.integrations, workspace.integrations, str), passthrough=key.integration,
        )

    def _account(self, name: str, limits: written.Key | written.Workspace, expires_ns: int | None = None) -> int:
        budget, rate = limits.budget, limits.rate or written.Rate()
        return self.ledger.define(
            name, budget_nano_usd=None if budget is None else budget.nano_usd, window="total" if budget is None else budget.window,
            requests_per_minute=rate.requests_per_minute, tokens_per_minute=rate.tokens_per_minute, max_parallel=limits.max_parallel,
            expires_ns=expires_ns,
        )


T = TypeVar("T")


def both(own: tuple[str, ...], shared: tuple[str, ...], convert: Callable[[str], T]) -> frozenset[T] | None:
    """What two allow lists have in common; an empty list allows all."""
    if own and shared:
        return frozenset(convert(name) for name in set(own) & set(shared))
    return frozenset(map(convert, own or shared)) if own or shared else None


def alias_plan(row: written.Model, integrations: dict[str, Integration], catalog: Catalog) -> Plan:
    targets = []
    for target in row.targets:
        integration = integrations[target.integration].for_model(target.model)
        known = catalog.find(integration.provider.name, target.model) or PriceRow()
        price = known
        if row.price is not None:
            price = price_row(row.price, "config", known.context_tokens, known.max_output_tokens)
        if row.context_tokens is not None or row.max_output_tokens is not None:
            price = PriceRow(price.tiers, price.request_nano_usd, row.context_tokens or price.context_tokens,
                             row.max_output_tokens or price.max_output_tokens, price.source, price.date)
        targets.append(Target(integration, target.model.encode(), price, weight=target.weight))
    return Plan(row.strategy, tuple(targets))


def resolver(config: written.Config, catalog: Catalog) -> Callable[[Snapshot, Operation, bytes | None, str | None], Plan | None]:
    """The function that finds who serves a name that is no alias."""

    def resolve(snapshot: Snapshot, operation: Operation, model: bytes | None, wanted: str | None) -> Plan | None:
        able = [row for name, row in snapshot.integrations.items() if row.does(operation) and wanted in (None, name)]
        if operation.name == "proxy" and wanted is None:
            able = able if len(able) == 1 else []
        name = None if model is None else model.decode("utf-8", "replace")
        if wanted is None and name is not None:
            able = serving(able, operation, name, config, catalog)
        elif wanted is None and len(able) != 1:
            return None
        if not able:
            return None
        return Plan("single", tuple(
            Target(row.for_model(name) if name else row, model or b"", (name and catalog.find(row.provider.name, name)) or PriceRow())
            for row in able))

    return resolve


def serving(able: list[Integration], operation: Operation, model: str, config: written.Config, catalog: Catalog) -> list[Integration]:
    """Who serves a model: those that state it, else those whose provider is known to have it, else the only open one.

    Those that speak the caller's dialect stand first, and are preferred where it is not known who has the model.
    """
    able = sorted(able, key=lambda row: row.translates(operation))
    stated = [row for row in able if model in config.integrations[row.name].models]
    if stated:
        return stated
    is_open = [row for row in able if not config.integrations[row.name].models]
    known = [row for row in is_open if catalog.serves(row.provider.name, model)]
    if known:
        return known
    own = [row for row in is_open if not row.translates(operation)]
    return next((rows for rows in (own, is_open) if len(rows) == 1), [])
