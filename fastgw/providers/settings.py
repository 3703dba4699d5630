"""Settings that a provider's address needs: where the configuration has them, what they may be, and which are missing."""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

from fastgw.providers.address import VARIABLE, Upstream, address_of, upstream_of
from fastgw.providers.row import Provider, apply_variant
from fastgw.snapshot.config import Integration
from fastgw.snapshot.credentials import LABEL_PATTERN, SEGMENT_PATTERN

LABEL: Final = LABEL_PATTERN.removeprefix(r"\A").removesuffix(r"\Z")
# of names and numbers alike, but never of a port, a path or a user before an "@"
HOST_PATTERN: Final = rf"\A{LABEL}(?:\.{LABEL}){{0,16}}\Z"


class Setting(Struct, frozen=True):
    """What stands in an address: as a label of the host, as a host, or as a segment of the path.

    place     where it is written below the integration: "aws.region"
    """

    place: str
    kind: Literal["label", "host", "segment"]
    meaning: str
    example: str

    @property
    def name(self) -> str:
        """What templates call it."""
        return self.place.rpartition(".")[2]

    def takes(self, value: str) -> bool:
        """Whether a value may stand there; nothing else must get into a host or a path."""
        return re.match(PATTERNS[self.kind], value) is not None


PATTERNS: Final = MappingProxyType({"label": LABEL_PATTERN, "host": HOST_PATTERN, "segment": SEGMENT_PATTERN})
EXPECTED: Final = MappingProxyType(
    {
        "label": "a label of a host name: 1 to 63 letters, digits and -",
        "host": "a host name",
        "segment": "1 to 255 letters, digits and . _ : ~ -",
    }
)
SETTINGS: Final = MappingProxyType(
    {
        row.place: row
        for row in (
            Setting("aws.region", "label", "region", "us-east-1"),
            Setting("google.project", "segment", "id of the project", "my-project"),
            Setting("google.region", "label", "region", "europe-west4"),
            Setting("azure.resource", "label", "name of the resource", "my-resource"),
            Setting("oracle.region", "label", "region", "us-chicago-1"),
            Setting("settings.account_id", "segment", "id of the account", "0123456789abcdef0123456789abcdef"),
            Setting("settings.gateway_id", "segment", "name of the gateway", "my-gateway"),
            Setting("settings.chat", "segment", "kind of completions that chats are asked for", "fim"),
            Setting("settings.account", "host", "identifier of the account", "myorg-myaccount"),
            Setting("settings.host", "host", "host of the workspace", "dbc-a1b2345c-d6e7.cloud.databricks.com"),
            Setting("settings.region", "label", "region", "us-south"),
            Setting("settings.tenant", "segment", "id of the tenant", "a1b2c3"),
        )
    }
)


class Missing(Struct, frozen=True):
    """A setting that an integration needs and does not state; in_host: stating base_url would do as well."""

    setting: Setting
    in_host: bool


def value_of(place: str, integration: Integration) -> str | None:
    """What the configuration states at a place of SETTINGS."""
    group, _, name = place.partition(".")
    if group == "settings":
        return integration.settings.get(name)
    section = getattr(integration, group)
    return None if section is None else getattr(section, name)


def settings_of(provider: Provider, integration: Integration) -> dict[str, str]:
    """The values that the provider's templates are filled with, by their names in the templates."""
    found = {SETTINGS[place].name: value_of(place, integration) or provider.defaults.get(place) for place in provider.requires}
    return {name: value for name, value in found.items() if value is not None}


def upstream_for(provider: Provider, integration: Integration) -> Upstream:
    """Where an integration's requests go, by all that the configuration says.

    raises  ValueError where a setting is missing, which the check of the configuration has told before
    """
    return upstream_of(provider, integration.base_url or "", integration.api_version or "", settings_of(provider, integration))


def missing_settings(provider: Provider, integration: Integration) -> Iterator[Missing]:
    """Which settings the integration lacks for the addresses in use, and for a signature."""
    known = settings_of(provider, integration)
    in_paths = {name for template in paths_in_use(provider, integration) for name in VARIABLE.findall(template)}
    in_host = set(VARIABLE.findall(address_of(provider, known))) if integration.base_url is None else set()
    if provider.auth == "aws" and integration.api_key is None:
        in_paths.add("region")
    for place in provider.requires:
        setting = SETTINGS[place]
        if setting.name not in known and setting.name in in_host | in_paths:
            yield Missing(setting, setting.name not in in_paths)


def paths_in_use(provider: Provider, integration: Integration) -> Iterator[str]:
    """The templates of the paths, with the prefix where the configuration states no path of its own."""
    if not (integration.base_url or "").partition("://")[2].rstrip("/").partition("/")[2]:
        yield provider.versioned_prefix if integration.api_version and provider.version_query else provider.prefix
    for row in (provider, *(apply_variant(provider, variant) for variant in provider.variants)):
        yield from (*row.paths.values(), *row.stream_paths.values())


def wrong_settings(provider: Provider, integration: Integration) -> Iterator[Setting]:
    """The settings whose values must not get into an address."""
    for place in provider.requires:
        value = value_of(place, integration)
        if value is not None and not SETTINGS[place].takes(value):
            yield SETTINGS[place]


def unknown_settings(provider: Provider, integration: Integration) -> Iterator[str]:
    """Names under `settings` that the provider's address has no place for."""
    known = {place.removeprefix("settings.") for place in provider.requires}
    yield from (name for name in integration.settings if name not in known)
