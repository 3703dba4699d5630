"""Import config JSON of Portkey: each config becomes a saved one, and the credentials in it integrations.

Callers go on sending x-portkey-config with the config's name, or the slug that it has.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastgw.imports import values
from fastgw.imports.deployments import Table
from fastgw.imports.names import BEGINNINGS
from fastgw.imports.report import Report, Unreadable, free_name
from fastgw.imports.source import read_json
from fastgw.portkey.config import Config, read_config
from fastgw.portkey.leaf import PLACING, document_of
from fastgw.portkey.models import address_of
from fastgw.portkey.names import LEGACY_SETTINGS, camel
from fastgw.portkey.refusal import Refused
from fastgw.providers.table import find_provider

# Members that an integration takes over from a leaf with credentials.
PLACED: Final = frozenset({*PLACING, *(old for old, name in LEGACY_SETTINGS.items() if name in PLACING)})
MOVED: Final = frozenset({"provider", "api_key", "custom_host", *PLACED})
MOVED_ALIKE: Final = MOVED | {camel(name) for name in MOVED}
NESTED: Final = frozenset({"strategy", "retry", "cache", "sticky", "cb_config"})


def import_portkey(path: Path, name: str = "") -> tuple[Table, Report]:
    """The document with the configs of a file: one config, one that the console or API exported, or a list of those.

    name    of the config where the file says none; by default that of the file
    raises  Unreadable
    """
    report = Report()
    found = list(configs_in(read_json(path), name or path.stem, path))
    maker = Maker(report)
    configs: dict[str, Table] = {}
    for stated, raw in found:
        own = free_name(values.name_of(stated), configs)
        try:
            config = read_config(raw)
        except Refused as error:
            raise Unreadable(f"{path}: {own}: {error.message}" + "".join(f"; {issue}" for issue in error.errors)) from None
        if own != stated:
            report.warn(f'the config {stated} is called "{own}" here: callers must name it so')
        place = own if len(found) > 1 else ""
        made = maker.node(config, raw, place)
        maker.say(raw, place, frozenset(config.unknown), "")
        configs[own] = made if is_toml(made) else {"json": json.dumps(made)}
    return {"integrations": maker.integrations, "configs": configs}, report


def configs_in(value: object, name: str, path: Path) -> list[tuple[str, Table]]:
    """(name, config) of all that the file holds. raises Unreadable"""
    rows = value if isinstance(value, list) else values.table(value).get("data")
    if isinstance(rows, list):
        return [pair for at, row in enumerate(rows) for pair in configs_in(row, f"{name}-{at + 1}", path)]
    table = values.table(value)
    inner = table.get("config")
    if isinstance(inner, str):
        try:
            inner = json.loads(inner)
        except ValueError:
            raise Unreadable(f"{path}: expected JSON in the member config, found something else") from None
    if isinstance(inner, dict):
        stated = next((text for key in ("slug", "name", "id") if isinstance(text := table.get(key), str) and text), name)
        return [(stated, values.table(inner))]
    if not table:
        raise Unreadable(f"{path}: expected a config of Portkey, a JSON object, found {type(value).__name__}")
    return [(name, table)]


class Maker:
    """Makes the integrations that the leaves of configs need."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.integrations: dict[str, Table] = {}
        self._names: dict[str, str] = {}

    def node(self, config: Config, raw: Mapping[str, object], place: str) -> Table:
        """A node of the saved config: what was stated, with an integration's name for credentials."""
        made = dict(raw)
        if config.targets:
            rows = raw["targets"]
            assert isinstance(rows, list)
            made["targets"] = [
                self.node(target, values.table(row), f"{place}{'.' if place else ''}targets[{at}]")
                for at, (target, row) in enumerate(zip(config.targets, rows, strict=True))
            ]
        elif config.virtual_key or config.provider.startswith("@"):
            self.stored(config.virtual_key or config.provider[1:], config)
        elif (slug := address_of(str(config.override_params.get("model", ""))).integration):
            self.stored(slug, config)
        elif config.provider and any(name in raw for name in MOVED_ALIKE - {"provider"}):
            made = {name: value for name, value in raw.items() if name not in MOVED_ALIKE}
            made["virtual_key"] = self.own(config, place)
        return made

    def own(self, config: Config, place: str) -> str:
        """The integration of a leaf with credentials of its own."""
        provider = find_provider(config.provider)
        if provider is None:
            raise Unreadable(f"{place or 'the config'}: expected a provider that fastgw has, found {config.provider}")
        try:
            table = document_of(config, provider, place or "config")
        except Refused as error:
            raise Unreadable(f"{place or 'the config'}: {error.detail}") from None
        if config.api_key:
            self.report.warn(f"{place or 'the config'} has a secret in plain text, and so has its integration: write env:NAME instead")
        identity = json.dumps(table, sort_keys=True)
        if identity not in self._names:
            self._names[identity] = free_name(provider.name, self.integrations)
            self.integrations[self._names[identity]] = table
        return self._names[identity]

    def stored(self, slug: str, config: Config) -> None:
        """An integration for a slug, whose provider and key stand in Portkey's vault only: it must be completed."""
        if slug in self.integrations:
            return
        words = slug.lower().replace("_", "-").split("-")
        guesses = ["-".join(words[:end]) for end in range(len(words), 0, -1)]
        model = address_of(str(config.override_params.get("model", ""))).model
        guesses += [row for beginnings, row in BEGINNINGS if model.startswith(beginnings)]
        row = next((row for guess in guesses if (row := find_provider(guess)) is not None), None)
        name = row.name if row else "openai"
        variable = "".join(character if character.isalnum() else "_" for character in slug.upper()) + "_API_KEY"
        self.integrations[slug] = {"provider": name, "api_key": f"env:{variable}"}
        certain = "its name says" if row else "nothing says"
        self.report.warn(f"integration {slug}: {certain} that its provider is {name}, correct it if it is another; its key is {variable}")

    def say(self, raw: Mapping[str, object], place: str, unknown: frozenset[str], within: str) -> None:
        """Report every member of a config."""
        for name, value in raw.items():
            here, inner = f"{place}{'.' if place else ''}{name}", f"{within}{'.' if within else ''}{name}"
            if inner in unknown:
                self.report.add(here, "left", "Portkey's config has no such member, or it means nothing to fastgw")
            elif name == "targets" and isinstance(value, list):
                for at, row in enumerate(value):
                    self.say(values.table(row), f"{here}[{at}]", unknown, f"{inner}.{at}")
            elif name in NESTED and isinstance(value, dict):
                self.say(values.table(value), here, unknown, inner)
            elif name in MOVED_ALIKE and "targets" not in raw and not str(raw.get("provider", "")).startswith("@"):
                self.report.add(here, "changed", "a part of the integration")
            else:
                self.report.add(here, "taken")

    def __repr__(self) -> str:
        return f"Maker({len(self.integrations)} integrations)"


def is_toml(value: object) -> bool:
    """Whether TOML has all of a value: it has no null."""
    if isinstance(value, dict):
        return all(map(is_toml, value.values()))
    if isinstance(value, list):
        return all(map(is_toml, value))
    return value is not None
