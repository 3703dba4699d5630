"""Compile a configuration to a snapshot: everything that does not depend on the request is worked out here, once.

Pools of connections outlive a snapshot: an origin that the one before had with the same settings is taken over.
"""
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks it

from fastgw._core.digest import KeyTable
from fastgw._core.ledger import Ledger
from fastgw._core.poll import Poller
from fastgw._core.price import PriceRow
from fastgw._core.upstream import Origin
from fastgw.meter.catalog import Catalog
from fastgw.providers.table import PROVIDERS, upstream_of
from fastgw.snapshot import config as written
from fastgw.snapshot.certificates import client_context
from fastgw.snapshot.cors import Cors
from fastgw.snapshot.load import Document, price_row, priced
from fastgw.snapshot.types import Caller, Integration, Operation, Plan, Snapshot, Target

ADMISSIONS = {"strict": 0, "clamp": 1, "estimate": 2}
SHORTEST_SECRET = 8            # shorter ones are words that a reply's head may hold for other reasons
CREDENTIAL = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)
PAYLOADS = {"none": 0, "errors": 1, "all": 2}


class Compiler:
    """Makes snapshots for one worker; `origins` are those of the last one, by their settings."""

    def __init__(self, ledger: Ledger, poller: Poller, catalog: Catalog, environ: Mapping[str, str] | None = None) -> None:
        self.ledger = ledger
        self.poller = poller
        self.catalog = catalog
        self.environ = os.environ if environ is None else environ
        self.origins: dict[tuple[object, ...], Origin] = {}
        self.versions = 0

    def __repr__(self) -> str:
        return f"<Compiler of {self.versions} snapshots, {len(self.origins)} origins>"

    def compile(self, document: Document) -> tuple[Snapshot, list[Origin]]:
        """Return the snapshot and the origins that it no longer needs, to be closed once it serves.

        raises  OSError, ssl.SSLError where a certificate cannot be read
        """
        config = document.config
        catalog = priced(config, self.catalog)
        origins: dict[tuple[object, ...], Origin] = {}
        integrations = {name: self._integration(name, row, origins) for name, row in config.integrations.items()}
        aliases = {name.encode(): alias_plan(row, integrations, catalog) for name, row in config.models.items()}
        keys, callers = self._callers(document)
        served = tuple((model, integrations[name]) for name, row in config.integrations.items()
                       for model in row.models or catalog.names(row.provider))
        retired = [origin for key, origin in self.origins.items() if key not in origins]
        self.origins = origins
        self.versions += 1
        record, cors = config.gateway.record, config.gateway.cors
        snapshot = Snapshot(
            version=self.versions, loaded_ns=time.time_ns(), origin_path=document.path, keys=keys, callers=callers,
            integrations=integrations, aliases=aliases, resolver=resolver(config, catalog), payloads=PAYLOADS[record.payloads],
            max_payload_bytes=record.max_payload_bytes, buffer_reply_bytes=config.gateway.buffer_reply_bytes, served=served,
            cors=None if cors is None else Cors(frozenset(cors.origins), "*" in cors.origins, ", ".join(cors.headers), cors.max_age_s),
        )
        return snapshot, retired

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

    def _integration(self, name: str, row: written.Integration, origins: dict[tuple[object, ...], Origin]) -> Integration:
        provider = PROVIDERS[row.provider]
        upstream = upstream_of(provider, row.base_url or "", row.api_version or "")
        host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
        default_port = 443 if upstream.scheme == "https" else 80
        fields = [("host", host if upstream.port == default_port else f"{host}:{upstream.port}")]
        if row.api_key is not None:
            fields.append((provider.auth_field, provider.auth_prefix + row.api_key.reveal()))
        fields.extend((field, value.reveal()) for field, value in row.headers.items())
        own = {field.lower() for field, _ in fields}
        defaults = [(field, value) for field, value in provider.extra_fields if field not in own]
        versioned = bool(row.api_version and provider.version_query)
        return Integration(
            name, provider, self._origin(upstream.scheme, upstream.host, upstream.port, row, origins),
            prefix=upstream.prefix.encode(), cut=provider.cut.encode(), query=upstream.query.encode(), fields=lines(fields),
            default_fields=lines(defaults), operations=provider.operations - ({"responses"} if versioned else set()),
            ask_usage=provider.stream_options if row.stream_usage is None else row.stream_usage,
            output_limits=dict(provider.output_limit),
            own_names=frozenset(field.lower().encode() for field in row.headers),
            secrets=secrets_of(row),
        )

    def _origin(self, scheme: str, host: str, port: int, row: written.Integration,
                origins: dict[tuple[object, ...], Origin]) -> Origin:
        proxy = self._proxy(scheme, host, port, row)
        key = (scheme, host, port, row.ca_file, proxy, row.max_connections, row.timeouts)
        origin = origins.get(key) or self.origins.get(key)
        if origin is None:
            times = row.timeouts
            origin = Origin(
                self.poller, host, port, context=client_context(row.ca_file) if scheme == "https" else None, proxy=proxy,
                limit=row.max_connections, connect_ms=times.connect_ms, first_byte_ms=times.first_byte_ms, idle_ms=times.idle_ms,
                total_ms=times.total_ms,
            )
        origins[key] = origin
        return origin

    def _proxy(self, scheme: str, host: str, port: int, row: written.Integration) -> tuple[str, int, bytes | None] | None:
        """The forward proxy for an https origin: the integration's own, or that of the environment."""
        if scheme != "https":
            return None
        url = row.proxy.reveal() if row.proxy is not None else self.environ.get("HTTPS_PROXY") or self.environ.get("https_proxy")
        if not url:
            return None
        bypass = self.environ.get("NO_PROXY") or self.environ.get("no_proxy") or ""
        if row.proxy is None and proxy_bypass_environment(f"{host}:{port}", {"no": bypass}):
            return None
        parts = urlsplit(url if "://" in url else f"http://{url}")
        authorization = None
        if parts.username is not None:
            from base64 import b64encode
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + b64encode(pair.encode())
        return parts.hostname or "", parts.port or 80, authorization


def secrets_of(row: written.Integration) -> tuple[bytes, ...]:
    """The credentials of an integration, as they may come back in a reply's head."""
    values = [row.api_key, *(value for name, value in row.headers.items() if CREDENTIAL.search(name))]
    texts = [value.reveal() for value in values if value is not None]
    return tuple(text.encode("latin-1") for text in texts if len(text) >= SHORTEST_SECRET)


def lines(fields: list[tuple[str, str]]) -> bytes:
    """Field lines; the configuration has checked names and values."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")


T = TypeVar("T")


def both(own: tuple[str, ...], shared: tuple[str, ...], convert: Callable[[str], T]) -> frozenset[T] | None:
    """What two allow lists have in common; an empty list allows all."""
    if own and shared:
        return frozenset(convert(name) for name in set(own) & set(shared))
    return frozenset(map(convert, own or shared)) if own or shared else None


def alias_plan(row: written.Model, integrations: dict[str, Integration], catalog: Catalog) -> Plan:
    targets = []
    for target in row.targets:
        integration = integrations[target.integration]
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
            able = serving(able, name, config, catalog)
        elif wanted is None and len(able) != 1:
            return None
        if not able:
            return None
        return Plan("single", tuple(
            Target(row, model or b"", (name and catalog.find(row.provider.name, name)) or PriceRow()) for row in able))

    return resolve


def serving(able: list[Integration], model: str, config: written.Config, catalog: Catalog) -> list[Integration]:
    """Of these integrations, those that state the model, else those whose provider is known to have it, else the only open one."""
    stated = [row for row in able if model in config.integrations[row.name].models]
    if stated:
        return stated
    is_open = [row for row in able if not config.integrations[row.name].models]
    known = [row for row in is_open if catalog.serves(row.provider.name, model)]
    return known or (is_open if len(is_open) == 1 else [])
