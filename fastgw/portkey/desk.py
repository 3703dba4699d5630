"""Routes of requests that speak Portkey: planned, compiled and kept for as long as a snapshot serves.

A request names a saved config, states one, or names a provider; with it may come credentials and hosts of the caller's own. What is made of
that is kept by what it was made of, so that the next request of its kind finds pools and routes ready. Memory: MOST_KEPT routes.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct, structs

from fastgw._core.poll import Poller
from fastgw._core.price import PriceRow
from fastgw._core.upstream import Origin
from fastgw.cache.key import route_mark
from fastgw.errors import error
from fastgw.portkey.config import Config
from fastgw.portkey.headers import Asked, digest_of, forwarded, read_headers
from fastgw.portkey.models import address_of
from fastgw.portkey.plan import plan, read_saved
from fastgw.portkey.route import Allowed, Leaf, Routed
from fastgw.route.build import Placed, build_route
from fastgw.route.plan import Route
from fastgw.snapshot import config as written
from fastgw.snapshot import routes
from fastgw.snapshot.caching import Caching
from fastgw.snapshot.compile import Routes, with_limits
from fastgw.snapshot.connections import Connections
from fastgw.snapshot.hosts import HostRules, check_address, read_rules
from fastgw.snapshot.types import Caller, Integration, Target

MOST_KEPT: Final = 512
KEPT_S: Final = 604_800  # Portkey's default age of what is cached


class Served(Struct, frozen=True):
    """A compiled route with what Portkey's leaves ask for beside it, in the order of the route's leaves.

    model    without its "@slug/" or "provider/"; caching: what the config says of the cache, with a mark that tells this route from others
    """

    route: Route
    leaves: tuple[Leaf, ...]
    model: str
    origins: tuple[Origin, ...]
    caching: tuple[Caching, bytes] | None = None


class Desk:
    """Plans and compiles for one snapshot; `close` lets go of the connections that only its routes had."""

    def __init__(self, paths: Routes, poller: Poller, environ: Mapping[str, str]) -> None:
        gateway = paths.config.gateway.inline_hosts
        self.paths = paths
        self.poller = poller
        self.environ = environ
        self.saved: dict[str, Config] = read_saved(paths.config.configs)
        self.owners = {config: name for name, row in paths.config.workspaces.items() for config in row.configs}
        self.rules: HostRules = read_rules(gateway.allow, gateway.public)
        self.hosts = gateway.enabled
        self._kept: OrderedDict[tuple[Caller, str, bytes], Served] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Desk of {len(self.saved)} saved configs, {len(self._kept)} routes>"

    def serve(self, caller: Caller, fields: Mapping[str, str], model: str, is_own: Callable[[str], bool]) -> Served:
        """The route of a request: its fields by lower-case name, its body's model; is_own: whether a text is a key of the gateway.

        raises  portkey.refusal.Refused, ModelNotAllowed, IntegrationNotAllowed
        """
        place = caller, model, digest_of(fields, is_own)
        served = self._kept.get(place)
        if served is None:
            asked = read_headers(fields, is_own)
            try:
                served = self._made(caller, asked, model)
            except OverflowError:
                # callers choose the names of targets: those that others have left are given up
                self.close()
                served = self._made(caller, asked, model)
            self._kept[place] = served
            if len(self._kept) > MOST_KEPT:
                _, oldest = self._kept.popitem(last=False)
                release(oldest)
        else:
            self._kept.move_to_end(place)
        return served

    def close(self) -> None:
        """Let go of all connections; what is on its way ends first."""
        for served in self._kept.values():
            release(served)
        self._kept.clear()

    def saved_for(self, workspace: str) -> Mapping[str, Config]:
        """The saved configs that keys of a workspace may name: not those of another one alone."""
        if not self.owners:
            return self.saved
        return {name: config for name, config in self.saved.items() if self.owners.get(name) in (None, workspace)}

    def _made(self, caller: Caller, asked: Asked, model: str) -> Served:
        address = address_of(model)
        workspace = self.paths.config.workspaces.get(caller.workspace) or written.Workspace()
        is_free = workspace.inline == "allow"
        routed = plan(
            asked, saved=self.saved_for(caller.workspace), stored=self.paths.config.integrations, hosts=self.rules, environ=self.environ,
            allowed=Allowed(configs=is_free, providers=is_free, hosts=is_free and self.hosts, forwarding=is_free),
            slug=address.integration, default=caller.config or "", may_override=caller.allow_config_override,
        )
        bare = address.model if address.integration or address.provider else model
        check_models(caller, routed.route, bare)
        return self._compiled(routed, bare, asked)

    def _compiled(self, routed: Routed, model: str, asked: Asked) -> Served:
        connections = Connections(self.poller, self.environ)
        leaves = iter(routed.leaves)

        def place(target: routes.Target) -> Placed:
            leaf = next(leaves)
            name = target.integration or ""
            row = routed.integrations.get(name) or self.paths.config.integrations[name]
            integration = self._integration(connections, name, row, leaf)
            wanted = target.model or model
            price = self.paths.catalog.find(row.provider, wanted) or PriceRow()
            rates = price.tiers[0] if price.tiers else (0, -1, -1)
            found = integration.for_model(wanted) if wanted else integration
            return Placed(Target(found, wanted.encode(), price, unsupported=target.unsupported), rates[1], rates[2])

        route = with_limits(build_route("portkey", routed.route, self.paths.table, place))
        caching = None
        cache = next((leaf.cache for leaf in routed.leaves if leaf.cache is not None), None)
        if cache is not None and cache.mode or asked.cache_mode:
            age = cache.max_age_s if cache is not None and cache.max_age_s else KEPT_S
            caching = Caching(mode="exact", max_age_s=age), route_mark(routed.route)
        return Served(route, routed.leaves, model, tuple(connections.origins.values()), caching)

    def _integration(self, connections: Connections, name: str, row: written.Integration, leaf: Leaf) -> Integration:
        """A stored one as it is; one of the request alone with its own pool, whose addresses are checked where a caller named the host."""
        fields = {field: written.Secret(value) for field, value in leaf.fields if field.lower() not in {one.lower() for one in row.headers}}
        if name in self.paths.integrations and not fields and not leaf.settings:
            return self.paths.integrations[name]
        row = structs.replace(row, headers={**row.headers, **fields}, settings={**row.settings, **leaf.settings})
        check = None
        if leaf.is_checked:

            def check(address: str, host: str) -> None:
                check_address(address, host, self.rules)

        return connections.integration(name, row, check)


def release(served: Served) -> None:
    """Close what only this route had; a leg that is busy ends its reply first."""
    for origin in served.origins:
        origin.close()


def check_models(caller: Caller, route: routes.Route, model: str) -> None:
    """Every model that the route may ask for is one that the caller may use. raises ModelNotAllowed"""
    if caller.models is None:
        return
    for leaf in leaves_of(route.targets):
        wanted = leaf.model or model
        if wanted.encode() not in caller.models:
            known = ", ".join(sorted(name.decode() for name in caller.models))
            raise error("ModelNotAllowed", f"key {caller.name!r} may not use model {wanted!r}; it may use {known}", param="model")


def leaves_of(targets: tuple[routes.Target, ...]) -> list[routes.Target]:
    """The leaves below targets, in their order."""
    return [leaf for target in targets for leaf in (leaves_of(target.targets) if target.targets else [target])]


def forwards(leaf: Leaf, fields: Mapping[str, str], is_own: Callable[[str], bool]) -> bytes:
    """Lines of the caller's fields that the leaf sends on."""
    found = forwarded(fields, leaf.forward, is_own)
    return "".join(f"{name}: {value}\r\n" for name, value in found.items()).encode("latin-1", "replace")
