"""Render what docs/models.md says of the catalogue in numbers, between two marks; the prose around them stays.

Run: python -m tools.render_models [PATH]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from fastgw.meter.cards import Card, Cards
from fastgw.meter.catalog import Catalog
from fastgw.meter.details import Details
from fastgw.meter.shelf import MODELS_DEV
from fastgw.providers.table import PROVIDERS
from tools.compile_prices import Merge, compile_prices
from tools.render_providers import table

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
BEGIN = "<!-- rendered from the compiled tables by python -m tools.render_models; do not edit -->"
END = "<!-- end of what is rendered -->"


def own_cards(cards: Cards) -> Iterator[Card]:
    """Each model that a source has of this very provider; what is only guessed from its maker does not count."""
    for provider in cards.catalog.table.providers:
        makers = set(PROVIDERS[provider].catalog_ids[1:])
        for card in cards.of(provider):
            place = cards.catalog.place(provider, card.model)
            if place is not None and place[0] not in makers:
                yield card


def is_complete(card: Card) -> bool:
    """Whether price, context, output limit and modalities are known."""
    row, detail = card.row, card.detail
    return row.known and row.context_tokens > 0 and row.max_output_tokens > 0 and detail is not None and bool(detail.takes and detail.gives)


def rendered(cards: Cards, merge: Merge) -> Iterator[str]:
    """The lines between the marks."""
    found = list(own_cards(cards))
    names = {card.model.lower() for card in found}
    complete = {card.model.lower() for card in found if is_complete(card)}
    dev = [card for card in found if card.row.source.startswith(MODELS_DEV)]
    priced = [card for card in found if card.row.known]
    conflicts = cards.details.conflicts()
    numbers = {
        "distinct names of models": len(names),
        'of these, without what stands before a slash ("openai/gpt-4.1" is "gpt-4.1")': len({name.rpartition("/")[2] for name in names}),
        "distinct names with known price, context, output limit and modalities": len(complete),
        "models of providers": len(found),
        "providers that have some": len({card.provider for card in found}),
        "with a known price": len(priced),
        "of these, stated as free": sum(not any(card.row.tiers[0][1:3]) and not card.row.request_nano_usd for card in priced),
        "known to models.dev only": len(dev),
        "of these, with a known price": sum(card.row.known for card in dev),
        "with a known context": sum(card.row.context_tokens > 0 for card in found),
        "with a known output limit": sum(card.row.max_output_tokens > 0 for card in found),
        "with known modalities": sum(card.detail is not None for card in found),
        "prices on which the sources are more than 1 % apart": len(conflicts),
        "models that these belong to": len({(one.provider, one.model) for one in conflicts}),
        "prices of models.dev that are not believed": len(merge.doubtful),
    }
    yield f"From {' and '.join(f'{name} {version}' for name, version in cards.catalog.table.sources.items())}:"
    yield ""
    yield from table(("what", "how many"), ((what, f"{number:,}") for what, number in numbers.items()))


def render(page: str, cards: Cards, merge: Merge) -> str:
    """The page with its numbers rendered anew.

    raises  ValueError where the marks are not there
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the marks {BEGIN!r} and {END!r}")
    return "\n".join([f"{before}{BEGIN}", "", *rendered(cards, merge)]) + f"{END}{after}"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    merge = compile_prices()
    target.write_text(render(target.read_text(encoding="utf-8"), Cards(Catalog.load(), Details.load()), merge), encoding="utf-8")
