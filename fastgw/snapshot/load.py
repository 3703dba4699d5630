"""Read a configuration file: TOML to checked, frozen Structs with resolved secrets, or the list of all that is wrong.

Relative paths in the file, of secrets and certificates too, are relative to the working directory.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from fastgw._core.price import PriceRow
from fastgw.meter.catalog import Catalog
from fastgw.providers.table import ALIASES
from fastgw.snapshot.check import Checker, key_digest
from fastgw.snapshot.config import Config, Price
from fastgw.snapshot.problem import ConfigError, Problem, Problems, explain
from fastgw.snapshot.published import Published, check_configs, merge, published_path, read_published
from fastgw.snapshot.read import Reader
from fastgw.snapshot.seal import Vault

__all__ = ["ConfigError", "Document", "Problem", "explain", "load", "mark_of", "parse", "price_row", "priced"]

Mark = tuple[int, int, int]
Marks = tuple[Mark | None, Mark | None]

POSITION = re.compile(r"(.*) \(at line (\d+), column (\d+)\)\Z", re.DOTALL)


class Document(Struct, frozen=True):
    """A configuration that holds: its sections, and each key's digest in the order of config.keys.

    marks     what told the file, and the published document, from others when they were read; None where there is none
    shadowed  "section.name" of what is published, but managed by the file
    refused   why what is published is not in it, or ""
    """

    config: Config
    digests: tuple[bytes, ...]
    path: str = ""
    marks: Marks = (None, None)
    shadowed: tuple[str, ...] = ()
    refused: str = ""

    def __repr__(self) -> str:
        config = self.config
        return f"Document({self.path!r}, {len(config.integrations)} integrations, {len(config.keys)} keys)"


def load(
    path: str | Path, environ: Mapping[str, str], catalog: Catalog | None = None, *, state: Path | None = None, vault: Vault | None = None,
) -> Document:
    """Read, resolve and check a file, and with it what is published in a state directory.

    vault   opens sealed secrets
    raises  ConfigError with every problem that can be found
    """
    # before they are read: a file that changes meanwhile is seen to have changed
    marks = marks_of(path, state)
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise refused(path, "a file that can be read", f"none: {reason}") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refused(path, "UTF-8", "other bytes", line) from None
    published = None if state is None else read_published(state)
    return msgspec.structs.replace(parse(text, environ, str(path), catalog, published, vault), marks=marks)


def marks_of(path: str | Path, state: Path | None) -> Marks:
    """The marks of a file and of what is published in a state directory."""
    return mark_of(path), None if state is None else mark_of(published_path(state))


def mark_of(path: str | Path) -> Mark | None:
    """What tells one state of a file from another; None where it cannot be looked at."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def parse(
    text: str, environ: Mapping[str, str], path: str = "", catalog: Catalog | None = None, published: Published | None = None,
    vault: Vault | None = None,
) -> Document:
    """Resolve and check a text; without a catalog, the compiled one is read when the name of a model asks for it.

    raises  ConfigError with every problem that can be found
    """
    merged = merge(parse_toml(text, path), published)
    raw = merged.raw
    problems = Problems()
    reader = Reader(environ, problems, vault, merged.own)
    config = reader.read(Config, raw, ())
    assert isinstance(config, Config)  # no field of it is required
    config = by_own_names(config)
    known = cache(Catalog.load) if catalog is None else (lambda: catalog)
    Checker(config, raw, reader.kept.get(("keys",), ()), problems, known).run()
    check_configs(merged, problems)
    if problems.found:
        raise ConfigError(problems.located(text, path, merged.own, merged.path))
    digests = tuple(digest for key in config.keys if (digest := key_digest(key)) is not None)
    return Document(config, digests, path, shadowed=merged.shadowed)


def by_own_names(config: Config) -> Config:
    """The configuration with each provider called by the name of its row, whatever alias was written."""
    integrations = {
        name: msgspec.structs.replace(row, provider=ALIASES.get(row.provider, row.provider))
        for name, row in config.integrations.items()
    }
    prices: dict[str, Price] = {}
    for name, price in config.prices.items():
        provider, slash, model = name.partition("/")
        prices[f"{ALIASES.get(provider, provider)}{slash}{model}"] = price
    return msgspec.structs.replace(config, integrations=integrations, prices=prices)


def price_row(price: Price, source: str, context_tokens: int = 0, max_output_tokens: int = 0) -> PriceRow:
    """The row of a price that the configuration states."""
    return PriceRow(price.tiers, price.request_nano_usd, context_tokens, max_output_tokens, source)


def priced(config: Config, catalog: Catalog) -> Catalog:
    """A catalog of its own for a configuration: the table of today with [prices] before it."""
    own = catalog.copy()
    for name, price in config.prices.items():
        provider, _, model = name.partition("/")
        own.override(provider, model, price_row(price, "config"))
    return own


def parse_toml(text: str, path: str) -> dict[str, object]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        # Older versions state the position in the message only.
        match = POSITION.match(str(error))
        reason, line = (match[1], int(match[2])) if match else (str(error), 0)
        column = f" at column {match[3]}" if match else ""
        raise refused(path, f"TOML{column}", reason[:1].lower() + reason[1:], line) from None
    except (ValueError, ArithmeticError):
        # an integer of more digits than Python converts, or a day that no calendar has
        raise refused(path, "TOML", "a number or a date out of range") from None
    except RecursionError:
        raise refused(path, "TOML", "lists or tables nested too deeply") from None


def refused(path: str | Path, expected: str, found: str, line: int = 0) -> ConfigError:
    return ConfigError([Problem("", expected, found, line=line, path=str(path))])
