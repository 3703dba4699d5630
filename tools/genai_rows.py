"""Read `genai-prices`: what each of its models costs, as rows of integers, and by which rule a name finds it.

Rates are nano-dollars per million tokens. `period_of` and `spans_of` say how the source's data are read.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_CEILING, Decimal

from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint, TieredPrices

from tools.models_dev import is_called_free

MAX_TIERS = 4  # the kernel's
NANO = 10**9

# Our rates and the source's kinds that each must cover. The first is the kind itself; a reply's usage does not tell
# the others from it, so the dearest of them is charged and the row is marked rough.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("input", ("input_mtok", "input_image_mtok")),
    (
        "output",
        ("output_mtok", "output_image_mtok", "output_video_mtok", "output_reasoning_mtok", "output_citation_mtok"),
    ),
    ("cache_read", ("cache_read_mtok", "cache_image_read_mtok")),
    ("cache_write", ("cache_write_mtok",)),
    ("cache_write_1h", ("cache_write_1h_mtok",)),
    ("audio_input", ("input_audio_mtok",)),
    ("audio_output", ("output_audio_mtok",)),
)
REQUESTS = "requests_kcount"
# Charged beside tokens, by tools that a usage in tokens does not show; the price of the tokens holds.
TOOLS = frozenset(
    {"web_searches_kcount", "storage_searches_kcount", "social_searches_kcount", "code_executions_kcount"}
)
# Kinds that would falsify the price of everything else if it were raised to theirs (video input costs up to 60 times
# text): they are charged as plain input, and the row is rough.
PLAIN = frozenset({"input_video_mtok", "cache_audio_read_mtok"})

CLAUSES = (("starts_with", "^"), ("ends_with", "$"), ("contains", "~"), ("regex", "/"), ("equals", "="))

Json = str | int | bool | None | list["Json"]
Prices = Mapping[str, Decimal | TieredPrices | None]


def rule_of(clause: object) -> Json:
    """Write a matching clause as [sign, text] or [sign, clauses]; everything but regex is compared in lower case."""
    for attribute, sign in CLAUSES:
        if (text := getattr(clause, attribute, None)) is not None:
            return [sign, text if sign == "/" else text.lower()]
    for attribute, sign in (("or_", "|"), ("and_", "&")):
        if (parts := getattr(clause, attribute, None)) is not None:
            return [sign, [rule_of(part) for part in parts]]
    raise TypeError(f"unknown matching clause {clause!r}")


def nano(dollars: Decimal) -> int:
    """Dollars to nano-dollars, rounded up where the source is finer than that."""
    return int((dollars * NANO).to_integral_value(ROUND_CEILING))


def rate_at(price: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    """The rate for requests with more input than `start`."""
    if not isinstance(price, TieredPrices):
        return price
    return next((tier.price for tier in reversed(price.tiers) if tier.start <= start), price.base)


def dearest(rates: Iterable[Decimal | None]) -> int:
    known = [rate for rate in rates if rate is not None]
    return nano(max(known)) if known else -1


def tiers_of(prices: Prices) -> list[Json]:
    """Rows of (above_tokens, a rate for each of KINDS but the -1 at the end), one for each threshold that any kind has."""
    tiered = [price for price in prices.values() if isinstance(price, TieredPrices)]
    starts = sorted({0, *(tier.start for price in tiered for tier in price.tiers)})
    if len(starts) > MAX_TIERS:
        raise ValueError(f"expected at most {MAX_TIERS} tiers, got {starts}")
    tiers: list[Json] = []
    for start in starts:
        rates = [dearest(rate_at(prices.get(kind), start) for kind in kinds) for _, kinds in KINDS]
        # A kind without a rate is free of charge at the source when nothing broader has one: embeddings have no output.
        tier = [start, max(0, rates[0]), max(0, rates[1]), *rates[2:]]
        while tier[-1] == -1:
            tier.pop()
        tiers.append([*tier])
    return tiers


def stated_in(prices: Prices) -> set[str]:
    return {kind for kind, rate in prices.items() if rate is not None}


def period_of(start: str, prices: Prices, is_free: bool) -> Json:
    """One price from a day on: [first day or "", tiers, nano-dollars a request]; no tiers where tokens do not say it.

    A price without any entry is zero only where the source says in words that the model is free, else it is unknown. One for
    hours, characters or pages cannot be told from tokens, so it is unknown too.
    """
    stated = stated_in(prices)
    counted = {REQUESTS, *(kind for _, kinds in KINDS for kind in kinds)}
    is_unknown = stated - counted - TOOLS - PLAIN or not (stated & counted or (is_free and not stated))
    request = rate_at(prices.get(REQUESTS), 0)
    period: list[Json] = [start, [] if is_unknown else tiers_of(prices)]
    return [*period, nano(request / 1000)] if request else period


def is_rough(prices: Prices) -> bool:
    """Whether the source prices kinds of token that a usage does not show."""
    return bool(stated_in(prices) - TOOLS - {REQUESTS, *(kinds[0] for _, kinds in KINDS)})


def dearest_of_day(prices: Iterable[ModelPrice]) -> Prices:
    """Join prices of different hours: a budget must hold at any of them."""
    joined: dict[str, Decimal | TieredPrices | None] = {}
    for price in prices:
        for kind, rate in vars(price).items():
            if rate is None:
                continue
            known = joined.get(kind)
            if known is not None and (isinstance(known, TieredPrices) or isinstance(rate, TieredPrices)):
                raise ValueError(f"expected no tiers in prices by the hour, got {kind}")
            joined[kind] = rate if known is None else max(known, rate)
    return joined


def spans_of(model: ModelInfo, today: date) -> list[tuple[str, Prices]]:
    """What holds today and what is announced for later days, ascending by first day ("" where none is stated)."""
    if isinstance(model.prices, ModelPrice):
        return [("", vars(model.prices))]
    hours = [
        row.prices for row in model.prices if row.constraint and not isinstance(row.constraint, StartDateConstraint)
    ]
    dated: list[ConditionalPrice] = [
        row for row in model.prices if row.constraint is None or isinstance(row.constraint, StartDateConstraint)
    ]
    spans: list[tuple[str, Prices]] = []
    for row in dated:
        first = row.constraint.start_date if isinstance(row.constraint, StartDateConstraint) else None
        span = (str(first) if first else "", dearest_of_day([row.prices, *hours]) if hours else vars(row.prices))
        if first is None or first <= today:
            spans = [span]  # the last one that is in force wins
        else:
            spans.append(span)
    return [spans[0], *sorted(spans[1:], key=lambda span: span[0])]


def is_stated_free(model: ModelInfo) -> bool:
    """Whether the source says in words that a model costs nothing: in its name, or in what it writes about it."""
    return is_called_free(model.id) or any("free of charge" in (words or "").lower() for words in (model.description, model.price_comments))


def row_of(model: ModelInfo, limits: tuple[int, int], today: date) -> list[Json]:
    """The row of a model; its members as `fastgw.meter.shelf.Row` has them."""
    rule = rule_of(model.match)
    spans = spans_of(model, today)
    is_free = is_stated_free(model)
    periods: list[Json] = [period_of(start, prices, is_free) for start, prices in spans]
    row: list[Json] = [model.id, periods, *limits]
    rough = any(is_rough(prices) for _, prices in spans)
    # The plain case, a name that matches itself, is left out.
    plain = rule == ["=", model.id.lower()]
    if plain and not rough:
        return row
    return [*row, "", None if plain else rule, *([True] if rough else [])]
