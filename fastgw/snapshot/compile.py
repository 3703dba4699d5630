"""Compile a configuration to a snapshot: everything that does not depend on the request is worked out here, once.

Pools of connections outlive a snapshot: an origin that the one before had with the same settings is taken over.
"""
import os
import time
from collections.abc import Mapping

from msgspec import structs

from fastgw._core.keyfile import KeyFile
from fastgw._core.ledger import Ledger
from fastgw._core.poll import Poller
from fastgw._core.price import PriceRow
from fastgw._core.route import TargetTable
from fastgw._core.upstream import Origin
from fastgw.cache.key import route_mark
from fastgw.meter.catalog import Catalog
from fastgw.providers.table import find_provider
from fastgw.route.build import Placed, build_route, leaves_below
from fastgw.route.plan import Route
from fastgw.snapshot import config as written
from fastgw.snapshot import routes
from fastgw.snapshot.callers import CallerMaker
from fastgw.snapshot.connections import Connections
from fastgw.snapshot.cors import Cors
from fastgw.snapshot.hosts import check_address, read_rules
from fastgw.snapshot.load import Document, price_row, priced
from fastgw.snapshot.offers import Offers
from fastgw.snapshot.types import Integration, Operation, Snapshot, Target

PAYLOADS = {"none": 0, "errors": 1, "all": 2}


class Compiler:
    """Makes snapshots for one worker."""

    def __init__(
        self, ledger: Ledger, poller: Poller, catalog: Catalog, table: TargetTable, environ: Mapping[str, str] | None = None,
        keys: KeyFile | None = None,
    ) -> None:
        self.ledger = ledger
        self.table = table
        self.keys = keys
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
        hosts = config.gateway.inline_hosts
        rules = read_rules(hosts.allow, hosts.public)

        def check(address: str, host: str) -> None:
            check_address(address, host, rules)

        integrations = {
            name: connections.integration(name, row, check if row.guarded else None) for name, row in config.integrations.items()}
        paths = Routes(config, catalog, self.table, integrations)
        aliases = {name.encode(): paths.alias(name, row) for name, row in config.models.items()}
        maker = CallerMaker(config, self.ledger)
        keys, callers = maker.stated(document)
        served = tuple((model, integrations[name]) for name, row in config.integrations.items()
                       for model in row.models or catalog.names(row.provider))
        self.connections = connections
        self.versions += 1
        record, cors = config.gateway.record, config.gateway.cors
        snapshot = Snapshot(
            version=self.versions, loaded_ns=time.time_ns(), origin_path=document.path, keys=keys, callers=callers,
            integrations=integrations, aliases=aliases, resolver=paths.resolve, payloads=PAYLOADS[record.payloads],
            max_payload_bytes=record.max_payload_bytes, buffer_reply_bytes=config.gateway.buffer_reply_bytes, served=served,
            paths=paths, issued=self.keys, maker=maker, describe=Offers(config, catalog).describe,
            cached={name: (row.cache, route_mark(row)) for name, row in config.models.items() if row.cache is not None},
            cors=None if cors is None else Cors(frozenset(cors.origins), "*" in cors.origins, ", ".join(cors.headers), cors.max_age_s),
        )
        return snapshot, connections.retired()


class Routes:
    """Compiles the routes of one snapshot."""

    def __init__(self, config: written.Config, catalog: Catalog, table: TargetTable, integrations: dict[str, Integration]) -> None:
        self.config = config
        self.catalog = catalog
        self.table = table
        self.integrations = integrations

    def __repr__(self) -> str:
        return f"<Routes over {len(self.integrations)} integrations>"

    def alias(self, name: str, model: written.Model) -> Route:
        """The route of a name of the configuration."""

        def place(leaf: routes.Target) -> Placed:
            assert leaf.integration is not None and leaf.model is not None  # the check has seen to it
            price = self.price(leaf.integration, leaf.model)
            if model.price is not None:
                price = price_row(model.price, "config", price.context_tokens, price.max_output_tokens)
            if model.context_tokens is not None or model.max_output_tokens is not None:
                price = PriceRow(price.tiers, price.request_nano_usd, model.context_tokens or price.context_tokens,
                                 model.max_output_tokens or price.max_output_tokens, price.source, price.date)
            return self.placed(leaf, leaf.model, price)

        return with_limits(build_route(name, model, self.table, place))

    def resolve(self, snapshot: Snapshot, operation: Operation, model: bytes | None, wanted: str | None) -> Route | None:
        """Who serves a name that is no alias, or whom a request names; None where nobody does."""
        name = None if model is None else model.decode("utf-8", "replace")
        alias = self.config.models.get(name or "")
        if alias is not None and wanted is not None:
            return self.at(name or "", alias, wanted)
        found, bare = self.serving(operation, name, wanted)
        if not found:
            return None
        # callers choose the names, so that the targets of the table are the integrations alone
        section = routes.Route(targets=tuple(routes.Target(integration=row.name, name=row.name) for row in found))

        def place(leaf: routes.Target) -> Placed:
            price = PriceRow() if bare is None else self.price(leaf.integration or "", bare)
            return self.placed(leaf, bare, price)

        return with_limits(build_route(name or operation.name, section, self.table, place))

    def at(self, name: str, alias: written.Model, wanted: str) -> Route | None:
        """Of an alias, the targets at the integration that is named beside it."""
        targets = tuple(leaf for leaf in leaves_below(alias) if leaf.integration == wanted)
        if not targets:
            return None
        return self.alias(name, structs.replace(alias, strategy="fallback", targets=targets, conditions=(), default=None, sticky=None))

    def serving(self, operation: Operation, name: str | None, wanted: str | None) -> tuple[list[Integration], str | None]:
        """The integrations that serve a model, and its name there."""
        able = [row for row in self.integrations.values() if wanted in (None, row.name) and may_serve(row, operation, name)]
        if operation.name == "proxy" and wanted is None:
            return (able if len(able) == 1 else []), name
        if name is None or wanted is not None:
            return (able if wanted is not None or len(able) == 1 else []), name
        slug, slash, bare = name.removeprefix("@").partition("/")
        if name.startswith("@") and slash:
            return [row for row in able if row.name == slug], bare
        found = serving(able, operation, name, self.config, self.catalog)
        if slash and not any(self.knows(row, name) for row in found):
            provider = find_provider(slug)
            named = [row for row in able if row.name == slug or (provider is not None and row.provider.name == provider.name)]
            if named:
                return serving(named, operation, bare, self.config, self.catalog) or named[:1], bare
        return found, name

    def knows(self, row: Integration, name: str) -> bool:
        """Whether it is known to have a model of that whole name."""
        return name in self.config.integrations[row.name].models or self.catalog.serves(row.provider.name, name)

    def price(self, integration: str, model: str) -> PriceRow:
        return self.catalog.find(self.integrations[integration].provider.name, model) or PriceRow()

    def placed(self, leaf: routes.Target, model: str | None, price: PriceRow) -> Placed:
        integration = self.integrations[leaf.integration or ""]
        if model is not None:
            integration = integration.for_model(model)
        rates = price.tiers[0] if price.tiers else (0, -1, -1)
        return Placed(Target(integration, (model or "").encode(), price, unsupported=leaf.unsupported), rates[1], rates[2])


def with_limits(route: Route) -> Route:
    """Tell the targets of a route the limits of time that hold for them there."""
    for leaf in route.leaves:
        assert isinstance(leaf.target, Target)
        leaf.target.limit(**structs.asdict(leaf.timeouts))
    return route


def may_serve(row: Integration, operation: Operation, model: str | None) -> bool:
    """Whether an integration has the operation, for all of its models or for this one, which may be written behind a provider's name."""
    names = () if model is None else (model, model.partition("/")[2])
    return row.does(operation) or any(row.for_model(name).does(operation) for name in names)


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
