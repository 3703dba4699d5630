"""Models for a terminal: from the options of `fastgw models` to lines."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastgw.meter.cards import Card, Cards
from fastgw.meter.catalog import Catalog
from fastgw.meter.details import Details
from fastgw.meter.listing import alias_lines, as_object, conflict_lines, conflict_object, table_lines
from fastgw.meter.search import NANO, Wanted, nearest, search
from fastgw.providers.table import ALIASES, PROVIDERS, find_provider
from fastgw.snapshot.load import load, priced
from fastgw.snapshot.names import nearest as nearest_name
from fastgw.snapshot.offers import Offers


class WrongFilter(ValueError):
    """An option names something that there is not."""


class NotFound(LookupError):
    """Nothing is what was asked for."""


def show(
    words: tuple[str, ...],
    *,
    provider: str | None = None,
    modality: str | None = None,
    tools: bool = False,
    reasoning: bool = False,
    min_context: int = 0,
    max_price: float | None = None,
    order: str = "name",
    as_json: bool = False,
    conflicts: bool = False,
    config: Path | None = None,
) -> Iterator[str]:
    """Yield the lines.

    raises  WrongFilter; NotFound; ConfigError where the configuration does not hold; FileNotFoundError where a table was not built
    """
    wanted = Wanted(
        words=words,
        provider=provider_named(provider),
        modality=modality or "",
        abilities=frozenset(name for name, is_wanted in (("tools", tools), ("reasoning", reasoning)) if is_wanted),
        min_context=min_context,
        max_nano_usd=None if max_price is None else round(max_price * NANO),
    )
    if conflicts:
        yield from conflicts_shown(wanted, as_json)
        return
    if config is None:
        yield from cards_shown(Cards(Catalog.load(), Details.load()), wanted, order, as_json, None)
        return
    catalog = Catalog.load()
    written = load(config, os.environ, catalog).config
    offers = Offers(written, priced(written, catalog))
    yield from cards_shown(offers.served(), wanted, order, as_json, offers)


def provider_named(name: str | None) -> str:
    """The name of a provider's row by any name that it answers to; "" for none."""
    row = None if name is None else find_provider(name)
    if name is not None and row is None:
        meant = nearest_name(name, (*PROVIDERS, *ALIASES))
        raise WrongFilter(f"no provider {name!r}" + (f"; did you mean {meant}?" if meant else ""))
    return "" if row is None else row.name


def cards_shown(cards: Iterable[Card], wanted: Wanted, order: str, as_json: bool, offers: Offers | None) -> Iterator[str]:
    every = list(cards)
    found = search(every, wanted, order)
    aliases = {} if offers is None else offers.aliases(wanted.words)
    if not found and not (aliases and wanted.words):
        meant = nearest(wanted.words, every) if wanted.words else []
        raise NotFound("no model is all of that" + (f"; the nearest names are {', '.join(meant)}" if meant else ""))
    if as_json:
        yield from (json.dumps({"alias": name, "leads_to": targets}, ensure_ascii=False) for name, targets in aliases.items())
        for card in found:
            served = {} if offers is None else {"served_by": offers.serving(card.provider, card.model)}
            yield json.dumps(as_object(card) | served, ensure_ascii=False)
        return
    if aliases:
        yield from alias_lines(aliases)
    if found:
        yield from table_lines(found, None if offers is None else offers.serving)


def conflicts_shown(wanted: Wanted, as_json: bool) -> Iterator[str]:
    """The prices on which the sources differ, of the models that the words and the provider fit."""
    found = [
        one
        for one in Details.load().conflicts()
        if wanted.provider in ("", one.provider) and all(word.lower() in f"{one.provider}/{one.model}".lower() for word in wanted.words)
    ]
    if not found:
        raise NotFound("the sources agree on all of that")
    yield from (json.dumps(conflict_object(one)) for one in found) if as_json else conflict_lines(found)
