"""The providers: one row each, with what it takes to reach one, sign for it, ask it, bound it and price it.

The rows stand in files by kind; docs/providers.md is rendered from this table. Names, aliases and their spellings with "_" for "-" are one
space: `find_provider` knows them all, and everything behind the configuration only the names.
"""

from types import MappingProxyType

from fastgw.providers.address import Upstream, upstream_of
from fastgw.providers.clouds import CLOUDS
from fastgw.providers.hosted import HOSTED
from fastgw.providers.local import LOCAL
from fastgw.providers.makers import ANTHROPIC_COMPATIBLE, MAKERS, OPENAI_COMPATIBLE
from fastgw.providers.operations import OPERATIONS
from fastgw.providers.regional import REGIONAL
from fastgw.providers.routers import ROUTERS
from fastgw.providers.row import Provider, UsageDialect, Variant, apply_variant, row_for
from fastgw.providers.special import SPECIAL

__all__ = [
    "ALIASES", "KINDS", "OPERATIONS", "PROVIDERS", "ROWS", "Provider", "Upstream", "UsageDialect", "Variant", "apply_variant",
    "find_provider", "row_for", "upstream_of",
]  # fmt: skip

KINDS: tuple[tuple[str, tuple[Provider, ...]], ...] = (
    ("Makers", MAKERS),
    ("Clouds", CLOUDS),
    ("Hosts", HOSTED),
    ("Hosts in China and its neighbours", REGIONAL),
    ("Gateways and resellers", ROUTERS),
    ("One's own servers", (OPENAI_COMPATIBLE, ANTHROPIC_COMPATIBLE, *LOCAL)),
    ("For one thing, or only passing", SPECIAL),
)
ROWS = tuple(row for _, rows in KINDS for row in rows)
PROVIDERS = MappingProxyType({row.name: row for row in ROWS})
ALIASES = MappingProxyType(
    {
        spelling: row.name
        for row in ROWS
        for name in (row.name, *row.aliases)
        for spelling in (name, name.replace("-", "_"))
        if spelling != row.name
    }
)


def find_provider(name: str) -> Provider | None:
    """The row of a name or an alias."""
    return PROVIDERS.get(ALIASES.get(name, name))
