"""Compare the prices that two sources state of one model, and write down where they are more than 1 % apart."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from genai_prices.types import TieredPrices

from fastgw.meter.details import Conflict
from tools.genai_rows import KINDS, Prices, nano, rate_at

MOST_APART: Final = Decimal("0.01")


def starts_of(prices: Prices) -> set[int]:
    """Where prices change; who writes 199,999 means the same as who writes 200,000."""
    tiered = [price for price in prices.values() if isinstance(price, TieredPrices)]
    return {tier.start + (tier.start % 1000 == 999) for price in tiered for tier in price.tiers}


def charged(prices: Prices, kinds: Iterable[str], start: int) -> Decimal | None:
    """What a kind of token is charged at: the dearest of what it stands for."""
    return max((rate for kind in kinds if (rate := rate_at(prices.get(kind), start)) is not None), default=None)


def differences(one: Prices, other: Prices) -> Iterator[tuple[str, int, Decimal, Decimal]]:
    """The kinds of token that both price and price differently: (kind, above_tokens, rate, rate)."""
    for kind, sources in KINDS:
        last: tuple[Decimal | None, Decimal | None] | None = None
        for start in sorted({0, *starts_of(one), *starts_of(other)}):
            pair = charged(one, sources, start), charged(other, sources, start)
            if pair[0] is None or pair[1] is None or pair == last:
                continue
            last = pair
            if abs(pair[0] - pair[1]) > MOST_APART * max(pair[0], pair[1]):
                yield kind, start, pair[0], pair[1]


def is_same_offer(one: Prices, other: Prices) -> bool:
    """Whether plain input and output of a short request cost the same."""
    return not any(kind in ("input", "output") and start == 0 for kind, start, _, _ in differences(one, other))


def conflicts_of(provider: str, model: str, used: tuple[str, Prices], other: tuple[str, Prices]) -> list[Conflict]:
    """Every difference of two sources about a model; each source is its name and its prices."""
    found = differences(used[1], other[1])
    return [Conflict(provider, model, used[0], other[0], kind, start, nano(one), nano(two)) for kind, start, one, two in found]


def dollars(nano_usd: int) -> str:
    return f"{Decimal(nano_usd) / 10**9:f}"


def report(conflicts: Sequence[Conflict], doubtful: Iterable[str]) -> str:
    """The page that the build writes for people to read."""
    lines = [
        "Prices on which genai-prices and models.dev are more than 1 % apart, in dollars per million tokens.",
        "The first is charged.",
        "",
    ]
    for one in conflicts:
        above = f" above {one.above_tokens}" if one.above_tokens else ""
        kind = f"{one.kind}{above}"
        prices = f"{dollars(one.used_nano_usd)} ({one.used}), {dollars(one.other_nano_usd)} ({one.other})"
        lines.append(f"{one.provider}/{one.model} {kind}: {prices}")
    lines += ["", "Prices of models.dev that are not believed: zeros that nothing calls free, and other units than tokens.", ""]
    return "\n".join([*lines, *sorted(doubtful), ""])


def summary(conflicts: Sequence[Conflict], doubtful: Sequence[str]) -> str:
    """One line for the terminal."""
    models = len({(one.provider, one.model) for one in conflicts})
    apart = f"{len(conflicts)} prices of {models} models are more than 1 % apart between genai-prices and models.dev"
    return f"{apart}, {len(doubtful)} prices of models.dev are not believed"
