"""Check what types cannot say: references, addresses, duplicates, and fields that exclude one another."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from fastgw.auth.keys import digest_in, digest_of
from fastgw.meter.catalog import Catalog
from fastgw.providers.table import ALIASES, PROVIDERS
from fastgw.route.check import objections_to
from fastgw.snapshot.accounts import check_depth, check_limits
from fastgw.snapshot.config import Config, Key, Model, Price, ShareLimits, Workspace
from fastgw.snapshot.hosts import read_rules
from fastgw.snapshot.integrations import check_file, check_integration
from fastgw.snapshot.names import Place, shown
from fastgw.snapshot.problem import Problems

DEFAULT_WORKSPACE: Final = "default"
# int64 nanoseconds end in 2262
LAST_EXPIRY: Final = datetime(2262, 1, 1, tzinfo=UTC)
FIRST_EXPIRY: Final = datetime(1970, 1, 1, tzinfo=UTC)
LISTEN = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.*_-]+):([0-9]{1,5})\Z")
ORIGIN = re.compile(r"(?:\*|https?://[A-Za-z0-9._\[\]:-]+)\Z")


class Checker:
    """Checks one document.

    raw       what was written: names in it are known also where their section was refused
    indices   where each of config.keys stands in the document
    catalog   is asked for only when a name is neither an alias nor listed
    """

    def __init__(
        self,
        config: Config,
        raw: Mapping[str, object],
        indices: Sequence[int],
        problems: Problems,
        catalog: Callable[[], Catalog],
    ) -> None:
        self.indices = indices
        self.config = config
        self.problems = problems
        self.catalog = catalog
        self.integrations = names_in(raw, "integrations")
        self.aliases = names_in(raw, "models")
        self.configs = names_in(raw, "configs")
        self.workspaces = {*names_in(raw, "workspaces"), DEFAULT_WORKSPACE}

    def run(self) -> None:
        self.gateway()
        for name, integration in self.config.integrations.items():
            check_integration(("integrations", name), integration, self.problems)
        for name, model in self.config.models.items():
            self.model(("models", name), model)
        for name, price in self.config.prices.items():
            self.price(("prices", name), name, price)
        for name, workspace in self.config.workspaces.items():
            place = ("workspaces", name)
            self.each(place, "integrations", workspace.integrations or (), "a known integration", self.integrations)
            self.each(place, "configs", workspace.configs, "a saved config", self.configs)
            self.reachable(place, workspace.models, workspace.reach(self.integrations))
            check_limits(place, workspace, self.problems)
            for shared, limits in workspace.limits.items():
                self.share((*place, "limits", shared), shared, workspace, limits)
        for index, key in zip(self.indices, self.config.keys, strict=True):
            self.key(("keys", index), key)
        self.unique()

    def share(self, place: Place, integration: str, workspace: Workspace, limits: ShareLimits) -> None:
        allowed = workspace.reach(self.integrations)
        if integration not in allowed:
            self.unknown(place, "an integration of the workspace", integration, allowed)
        else:
            self.reachable(place, limits.models, (integration,))
        check_limits(place, limits, self.problems)
        check_depth(place, (limits,), self.problems)

    def gateway(self) -> None:
        gateway = self.config.gateway
        match = LISTEN.match(gateway.listen)
        if match is None or int(match[1]) > 65_535:
            self.problems.add(
                ("gateway", "listen"), '"HOST:PORT" with a port from 0 to 65535', f'"{shown(gateway.listen)}"'
            )
        if gateway.tls is not None:
            check_file(self.problems, ("gateway", "tls", "cert"), gateway.tls.cert)
            check_file(self.problems, ("gateway", "tls", "key"), gateway.tls.key)
        for index, host in enumerate(gateway.inline_hosts.allow):
            try:
                read_rules((host,))
            except ValueError:
                place = ("gateway", "inline_hosts", "allow", index)
                self.problems.add(place, "a name, *.SUFFIX, an address or a network such as 10.0.0.0/8", f'"{shown(host)}"')
        for index, origin in enumerate(gateway.cors.origins if gateway.cors else ()):
            if not ORIGIN.match(origin):
                place = ("gateway", "cors", "origins", index)
                self.problems.add(place, 'an origin such as "https://app.example", or "*"', f'"{shown(origin)}"')

    def model(self, place: Place, model: Model) -> None:
        """The route holds together, and its leaves lead to integrations and models that there are."""
        if self.problems.touch((*place, "targets")):
            return  # what is left of the list has other indices
        stated = {name: () for name in self.integrations} | {name: row.models for name, row in self.config.integrations.items()}
        for one in objections_to(model, place, stated):
            if not self.problems.touch(one.place):
                self.problems.add(one.place, one.expected, one.found, one.name, sorted(one.known))

    def price(self, place: Place, name: str, price: Price) -> None:
        provider, slash, model = name.partition("/")
        if not slash or not model:
            self.problems.add(place, '"PROVIDER/MODEL"', f'"{shown(name)}"')
        elif provider not in PROVIDERS:
            self.unknown(place, "a known provider before the slash", provider, (*PROVIDERS, *ALIASES))

    def key(self, place: Place, key: Key) -> None:
        if not self.problems.touch((*place, "key")) and not self.problems.touch((*place, "hash")):
            if (key.key is None) == (key.hash is None):
                self.problems.add(place, "either key or hash", "neither" if key.key is None else "both")
        if key.config is not None and key.config not in self.configs:
            self.unknown((*place, "config"), "a saved config", key.config, self.configs)
        if key.workspace not in self.workspaces:
            self.unknown((*place, "workspace"), "a known workspace", key.workspace, self.workspaces)
        workspace = self.config.workspaces.get(key.workspace)
        allowed = (workspace or Workspace()).reach(self.integrations)
        self.each(place, "integrations", key.integrations, "an integration of the workspace", allowed)
        if key.integration is not None and key.integration not in (set(key.integrations) or allowed):
            known = set(key.integrations) or allowed
            self.unknown((*place, "integration"), "an integration that the key may use", key.integration, known)
        self.reachable(place, key.models, key.integrations or tuple(allowed))
        check_limits(place, key, self.problems)
        check_depth(place, (workspace or Workspace(), key), self.problems)
        if key.expires_at is not None and not FIRST_EXPIRY <= key.expires_at < LAST_EXPIRY:
            self.problems.add((*place, "expires_at"), "a time from 1970 to 2261", f"the year {key.expires_at.year}")

    def unique(self) -> None:
        """No two keys share a name or a secret."""
        names: set[str] = set()
        digests: dict[bytes, str] = {}
        for index, key in zip(self.indices, self.config.keys, strict=True):
            if key.name in names:
                self.problems.add(("keys", index, "name"), "another name for each key", f'"{key.name}" twice')
            names.add(key.name)
            digest = key_digest(key)
            if digest is not None and digest in digests:
                self.problems.add(("keys", index), "another secret for each key", f'that of "{digests[digest]}"')
            elif digest is not None:
                digests[digest] = key.name

    def reachable(self, place: Place, models: Iterable[str], integrations: Iterable[str]) -> None:
        """Every model is an alias or is served by one of the integrations; none named means all."""
        names = set(integrations) or self.integrations
        if self.problems.touch((*place, "models")):
            return
        for index, model in enumerate(models):
            if model not in self.aliases and not self.is_served(model, names):
                known = {*self.aliases, *(name for one in self.config.integrations.values() for name in one.models)}
                self.unknown((*place, "models", index), "a model that is served", model, known)

    def is_served(self, model: str, integrations: Iterable[str]) -> bool:
        for name in integrations:
            integration = self.config.integrations.get(name)
            if integration is None:
                if name in self.integrations:
                    return True  # it was refused, and its own problem is enough
            elif integration.models:
                if model in integration.models:
                    return True
            elif f"{integration.provider}/{model}" in self.config.prices:
                return True
            elif integration.provider in PROVIDERS and self.catalog().serves(integration.provider, model):
                return True
        return False

    def each(self, place: Place, field: str, found: Iterable[str], kind: str, known: Iterable[str]) -> None:
        if self.problems.touch((*place, field)):
            return
        for index, name in enumerate(found):
            if name not in known:
                self.unknown((*place, field, index), kind, name, known)

    def unknown(self, place: Place, kind: str, name: str, known: Iterable[str]) -> None:
        self.problems.add(place, kind, f'"{shown(name)}"', name, sorted(known))

    def __repr__(self) -> str:
        return f"Checker({len(self.integrations)} integrations, {len(self.config.keys)} keys)"


def key_digest(key: Key) -> bytes | None:
    """What the key is looked up by; None where it has neither key nor hash."""
    if key.key is not None:
        return digest_of(key.key.reveal())
    return digest_in(key.hash) if key.hash is not None else None


def names_in(raw: Mapping[str, object], section: str) -> set[str]:
    table = raw.get(section)
    return set(table) if isinstance(table, dict) else set()
