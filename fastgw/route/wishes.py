"""What a caller may ask of routing for one request: another order of the targets, and a highest price."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from msgspec import Struct

from fastgw.errors import GatewayError, error

Sort = Literal["price", "latency", "throughput"]
SORTS: Final = ("price", "latency", "throughput")
SORT_FIELD: Final = "x-fastgw-sort"
PRICE_FIELD: Final = "x-fastgw-max-price"
# of a body, and the providers that have it in their own API: others refuse a member that they do not know
MEMBER: Final = "provider"
HEEDING: Final = frozenset(("openrouter",))
# OpenRouter's words, and ours
SIDES: Final = {"input": "input", "prompt": "input", "output": "output", "completion": "output"}
NANO: Final = 10**9
MOST_DOLLARS: Final = 10**6


class Wishes(Struct, frozen=True):
    """sort: None is the route's own way; prices: nano-dollars per million tokens, -1 any."""

    sort: Sort | None = None
    max_input_price: int = -1
    max_output_price: int = -1


def wishes_in_fields(sort: str | None, max_price: str | None) -> Wishes | None:
    """The wishes of x-fastgw-sort ("price") and x-fastgw-max-price ("2.5", or "input=1, output=4"); None where there are none.

    raises  InvalidRequest
    """
    if sort is None and max_price is None:
        return None
    prices: dict[str, object] = {}
    text = (max_price or "").strip()
    if "=" in text:
        for member in text.split(","):
            name, _, value = member.partition("=")
            prices[name.strip()] = value.strip()
    elif max_price is not None:
        prices = {"input": text, "output": text}
    return made(sort.strip() if sort is not None else None, prices, SORT_FIELD, PRICE_FIELD)


def wishes_in_body(provider: object) -> Wishes | None:
    """The wishes of a body's `provider` member, as OpenRouter has it: `sort` and `max_price`; None where there are none.

    raises  InvalidRequest
    """
    if not isinstance(provider, Mapping):
        return None
    sort, prices = provider.get("sort"), provider.get("max_price")
    if isinstance(sort, Mapping):
        sort = sort.get("by")
    if sort is None and prices is None:
        return None
    if prices is not None and not isinstance(prices, Mapping):
        raise wrong("$.provider.max_price", "an object of prices", prices)
    return made(sort, prices or {}, "$.provider.sort", "$.provider.max_price")


def made(sort: object, prices: Mapping[str, object], sort_place: str, price_place: str) -> Wishes:
    if sort is not None and sort not in SORTS:
        raise wrong(sort_place, " or ".join(SORTS), sort)
    limits = {"input": -1, "output": -1}
    for name, value in prices.items():
        if name not in SIDES:
            # of requests or images, which no target has
            raise wrong(price_place, "input or output", name)
        limits[SIDES[name]] = nano_usd(value, price_place)
    return Wishes(sort, limits["input"], limits["output"])


def nano_usd(value: object, place: str) -> int:
    """Dollars per million tokens as nano-dollars, rounded down: a price above is above."""
    try:
        dollars = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or not 0 <= dollars <= MOST_DOLLARS:
        raise wrong(place, f"dollars per million tokens from 0 to {MOST_DOLLARS}", value)
    return int(dollars * NANO)


def wrong(place: str, expected: str, found: object) -> GatewayError:
    return error("InvalidRequest", f"expected {expected}, got {str(found)[:64]!r} at {place}", param=place)
