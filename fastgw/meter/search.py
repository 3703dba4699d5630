"""Search the cards of models: by words of their names, by what they can do, by size and price."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from fastgw.meter.cards import Card

NANO: Final = 10**9
NEAREST: Final = 5


class Wanted(Struct, frozen=True):
    """What a model must be; what is empty asks for nothing.

    words         each must be in "provider/model" or in the title, whatever its case
    modality      goes in or comes out
    min_context   in tokens
    max_nano_usd  the most that a million tokens of plain input or of output may cost; an unknown price does not fit
    """

    words: tuple[str, ...] = ()
    provider: str = ""
    modality: str = ""
    abilities: frozenset[str] = frozenset()
    min_context: int = 0
    max_nano_usd: int | None = None

    def fits(self, card: Card) -> bool:
        """Whether a model is all of it."""
        detail = card.detail
        name = f"{card.provider}/{card.model} {card.title}".lower()
        return (
            self.provider in ("", card.provider)
            and all(word.lower() in name for word in self.words)
            and (not self.modality or (detail is not None and self.modality in (*detail.inputs, *detail.outputs)))
            and (not self.abilities or (detail is not None and self.abilities <= set(detail.abilities)))
            and card.row.context_tokens >= self.min_context
            and (self.max_nano_usd is None or 0 <= dearest(card) <= self.max_nano_usd)
        )


def rates(card: Card) -> tuple[int, int] | None:
    """Nano-dollars for a million tokens of plain input and of output, in short requests; None where the price is unknown."""
    tiers = card.row.tiers
    return (tiers[0][1], tiers[0][2]) if tiers else None


def dearest(card: Card) -> int:
    """The greater of the two rates; -1 where the price is unknown."""
    return max(rates(card) or (-1,))


def by_name(card: Card) -> tuple[object, ...]:
    return card.provider, card.model.lower()


def by_price(card: Card) -> tuple[object, ...]:
    """The cheapest first, by what a million tokens in and a million out cost together; unknown prices last."""
    known = rates(card)
    return known is None, sum(known or ()), *by_name(card)


def by_context(card: Card) -> tuple[object, ...]:
    """The greatest first."""
    return -card.row.context_tokens, *by_name(card)


ORDERS: Final[Mapping[str, Callable[[Card], tuple[object, ...]]]] = MappingProxyType(
    {"name": by_name, "price": by_price, "context": by_context}
)


def search(cards: Iterable[Card], wanted: Wanted, order: str = "name") -> list[Card]:
    """The cards that fit, in an order of ORDERS."""
    return sorted((card for card in cards if wanted.fits(card)), key=ORDERS[order])


def nearest(words: Iterable[str], cards: Iterable[Card]) -> list[str]:
    """Names of models that look most like what was asked for, the nearest first, with or without what stands before a slash."""
    asked = "-".join(words).lower()
    names: dict[str, str] = {}
    for card in cards:
        for name in (card.model, card.model.rpartition("/")[2]):
            names.setdefault(name.lower(), name)
    return [names[name] for name in get_close_matches(asked, names, n=NEAREST, cutoff=0.6)]
