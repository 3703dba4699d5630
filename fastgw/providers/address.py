"""Where requests go: an integration's origin, and the path of each operation."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from msgspec import Struct

from fastgw.providers.operations import PATHS, STREAM_PATHS
from fastgw.providers.row import Provider

VARIABLE: Final = re.compile(r"\{([a-z_]+)\}")
MODEL: Final = frozenset({"model", "model_path"})
NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})


class Upstream(Struct, frozen=True):
    """Where an integration's requests go: an origin, the beginning of every path, and what is added to every query."""

    scheme: str
    host: str
    port: int
    prefix: str
    query: str


def fill(template: str, settings: Mapping[str, str]) -> str:
    """Put settings into a template; {model} and {model_path} stay.

    raises  ValueError where one is not known
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name in MODEL:
            return match[0]
        if name not in settings:
            raise ValueError(f"expected a value for {{{name}}}")
        return settings[name]

    return VARIABLE.sub(value_of, template)


def fill_model(template: str, model: str) -> str:
    """Put a model into a path: {model} as one segment, {model_path} with its slashes.

    raises  ValueError where a segment would be "." or "..", which leads elsewhere (RFC 3986, 5.2.4)
    """
    if not MODEL.isdisjoint(VARIABLE.findall(template)) and any(part in (".", "..") for part in model.split("/")):
        raise ValueError("expected a model without dot segments")
    return template.replace("{model}", quote(model, safe="@")).replace("{model_path}", quote(model, safe="@/"))


def address_of(provider: Provider, settings: Mapping[str, str] = NO_SETTINGS) -> str:
    """The provider's own address as a template: that of the region where it differs; "" where there is none."""
    return provider.regional.get(settings.get("region", ""), provider.base_url)


def split_address(url: str) -> SplitResult:
    """The parts of an address.

    raises  ValueError where it is not http(s)://host[:port][/path]
    """
    # Before it is split, as splitting drops line ends.
    if any(character <= " " or character > "~" for character in url):
        raise ValueError("expected visible ASCII only")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http:// or https:// and a host")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("expected an address without query and fragment")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected an address without user and password")
    if parts.port == 0:
        raise ValueError("expected a port from 1 to 65535")
    return parts


def upstream_of(provider: Provider, base_url: str = "", api_version: str = "", settings: Mapping[str, str] = NO_SETTINGS) -> Upstream:
    """Resolve an integration's address; `prefix` may hold {model}.

    raises  ValueError where the address is not http(s)://host[:port][/path], or none is known
    """
    parts = split_address(base_url or fill(address_of(provider, settings), settings))
    own_path = parts.path.rstrip("/") if base_url else ""
    versioned = bool(api_version and provider.version_query)
    return Upstream(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        prefix=own_path or fill(provider.versioned_prefix if versioned else provider.prefix, settings),
        query=f"{provider.version_query}={api_version}" if versioned else "",
    )


def template_of(provider: Provider, operation: str, stream: bool = False) -> str:
    """The path of an operation as the row or the common table has it, "^" included.

    raises  KeyError for an operation that has no path of its own (files, batches, models, audio)
    """
    if stream and operation in provider.stream_paths:
        return provider.stream_paths[operation]
    if operation in provider.paths:
        return provider.paths[operation]
    return STREAM_PATHS[operation] if stream and operation in STREAM_PATHS else PATHS[operation]


def path_of(
    provider: Provider, upstream: Upstream, operation: str, stream: bool = False, settings: Mapping[str, str] = NO_SETTINGS
) -> str:
    """The whole path of an operation, query included; {model} and {model_path} stay for `fill_model`.

    raises  KeyError for an operation that has no path of its own, ValueError for a setting that is not known
    """
    template = template_of(provider, operation, stream)
    path = fill(template[1:] if template.startswith("^") else upstream.prefix + template, settings)
    if not upstream.query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{upstream.query}"
