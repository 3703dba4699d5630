"""Show models: as a table for people and as objects for programs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from fastgw.meter.cards import Card
from fastgw.meter.details import Conflict
from fastgw.meter.search import NANO, rates

HEAD: Final = ("PROVIDER", "MODEL", "$ IN", "$ OUT", "CONTEXT", "OUTPUT", "TAKES > GIVES", "SOURCE", "DATE")
Serving = Callable[[str, str], Sequence[str]]  # provider and model to the integrations that serve it
RIGHT: Final = frozenset({"$ IN", "$ OUT", "CONTEXT", "OUTPUT"})
RATES: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_output")
UNKNOWN: Final = "?"


def dollars(nano_usd: int) -> str:
    """Nano-dollars as dollars, with two digits at least."""
    value = (Decimal(nano_usd) / NANO).normalize()
    return f"{value:.2f}" if value.as_tuple().exponent in range(-2, 20) else f"{value:f}"


def tokens(count: int) -> str:
    return f"{count:,}" if count else UNKNOWN


def cells(card: Card) -> tuple[str, ...]:
    """The line of a model."""
    known = rates(card)
    detail = card.detail
    prices = (UNKNOWN, UNKNOWN) if known is None else (dollars(known[0]), dollars(known[1]))
    return (
        card.provider,
        f"{card.model} (deprecated)" if card.is_deprecated else card.model,
        *prices,
        tokens(card.row.context_tokens),
        tokens(card.row.max_output_tokens),
        f"{' '.join(detail.inputs)} > {' '.join(detail.outputs)}" if detail else UNKNOWN,
        card.source or UNKNOWN,
        card.row.date or UNKNOWN,
    )


def columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table whose columns are as wide as their longest cell."""
    table = [head, *rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    for line in table:
        padded = (cell.rjust(width) if name in RIGHT else cell.ljust(width) for name, cell, width in zip(head, line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def table_lines(cards: Sequence[Card], serving: Serving | None = None) -> Iterator[str]:
    """One line a model; `serving` adds the integrations that serve it."""
    if serving is None:
        yield from columns(HEAD, map(cells, cards))
    else:
        lines = ((*cells(card), " ".join(serving(card.provider, card.model))) for card in cards)
        yield from columns((*HEAD, "SERVED BY"), lines)


def alias_lines(aliases: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """One line an alias, and an empty one after them all."""
    yield from columns(("ALIAS", "LEADS TO"), ((name, ", ".join(targets)) for name, targets in aliases.items()))
    yield ""


def as_object(card: Card) -> dict[str, object]:
    """A card as JSON has it; what is unknown is null, prices are dollars for a million tokens as text."""
    detail = card.detail
    tiers = [
        {"above_tokens": tier[0]} | {name: dollars(rate) for name, rate in zip(RATES, tier[1:], strict=True) if rate >= 0}
        for tier in card.row.tiers
    ]
    price = {"tiers": tiers} | ({"request": dollars(card.row.request_nano_usd)} if card.row.request_nano_usd else {})
    return {
        "provider": card.provider,
        "model": card.model,
        "title": card.title,
        "price": price if tiers else None,
        "context_tokens": card.row.context_tokens or None,
        "max_output_tokens": card.row.max_output_tokens or None,
        "input_modalities": detail.inputs if detail else None,
        "output_modalities": detail.outputs if detail else None,
        "abilities": detail.abilities if detail else None,
        "released": (detail.released if detail else "") or None,
        "updated": (detail.updated or detail.released if detail else "") or None,
        "knowledge": (detail.knowledge if detail else "") or None,
        "status": "deprecated" if card.is_deprecated else (detail.status if detail else "") or None,
        "source": card.row.source or None,
        "date": card.row.date or None,
    }


def conflict_lines(conflicts: Iterable[Conflict]) -> Iterator[str]:
    """Where the sources of prices differ, one price a line."""
    head = ("PROVIDER", "MODEL", "TOKENS", "ABOVE", "$ CHARGED", "BY", "$ OTHER", "SAYS")
    yield from columns(
        head,
        (
            (
                *(one.provider, one.model, one.kind, f"{one.above_tokens:,}" if one.above_tokens else ""),
                *(dollars(one.used_nano_usd), one.used, dollars(one.other_nano_usd), one.other),
            )
            for one in conflicts
        ),
    )


def conflict_object(one: Conflict) -> dict[str, object]:
    """A difference as JSON has it; prices are dollars for a million tokens as text."""
    prices = {"charged": dollars(one.used_nano_usd), "by": one.used, "other": dollars(one.other_nano_usd), "says": one.other}
    return {"provider": one.provider, "model": one.model, "tokens": one.kind, "above_tokens": one.above_tokens} | prices
