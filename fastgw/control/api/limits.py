"""Limits as administrators write them, wherever they stand, and what of them is used up."""

from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, field

from fastgw.control.api.problem import invalid
from fastgw.control.api.written import Document, encode
from fastgw.snapshot.config import Dollars, Parallel, Rate, Window
from fastgw.snapshot.section import Section

MOST_ANNOTATED_BYTES: Final = 16 << 10

Annotations = Annotated[dict[str, object], Meta(description="whatever programs want kept beside it; nothing here reads it")]
Share = Annotated[Decimal, Meta(extra={"expected": "a share of the budget from 0.01 to 1", "most": 1})]
Amount = Annotated[int, Meta(ge=0, le=10**15)]


class LimitBudget(Section, frozen=True):
    """The most that may be used in a window of time: one of dollars, tokens and requests."""

    usd: Annotated[Dollars | None, Meta(description="dollars")] = None
    tokens: Annotated[Amount | None, Meta(description="tokens, input and output")] = None
    requests: Annotated[Amount | None, Meta(description="requests")] = None
    window: Annotated[Window, Meta(description='"total", or a calendar "day", "week", "month" in UTC, or "Nd"')] = "total"
    alert_at: Annotated[tuple[Share, ...], Meta(description="shares of the budget at which an alert goes out, such as 0.8")] = (Decimal(1),)


class Limited(Section, frozen=True):
    """What limits there are; each is one more bound, and all hold at once."""

    budgets: Annotated[tuple[LimitBudget, ...], Meta(description="budgets that hold at once")] = ()
    rate: Annotated[Rate | None, Meta(description="the most in a minute")] = None
    max_parallel: Annotated[Parallel | None, Meta(description="requests at once")] = None


class Owned(Limited, frozen=True):
    """Whoever is held to limits, with what programs note of them."""

    annotations: Annotations = field(default_factory=dict)


LIMIT_MEMBERS = ("budgets", "rate", "max_parallel")


def refuse_long(annotations: object) -> None:
    """raises ApiError for annotations that are longer than a note should be"""
    if annotations and len(encode(annotations)) > MOST_ANNOTATED_BYTES:
        raise invalid("$.annotations", f"at most {MOST_ANNOTATED_BYTES} bytes of JSON", "more")


def refuse_unclear(written: object) -> None:
    """raises ApiError for a budget of nothing, or of several things at once"""
    for index, budget in enumerate(written.budgets if isinstance(written, Limited) else ()):
        stated = [name for name in ("usd", "tokens", "requests") if getattr(budget, name) is not None]
        if len(stated) != 1:
            raise invalid(f"$.budgets[{index}]", "one of usd, tokens and requests", " and ".join(stated) or "none")


def published_limits(document: Document) -> Document:
    """The limits of a document as the data plane's configuration has them."""
    limits: Document = {name: document[name] for name in ("rate", "max_parallel") if document.get(name) is not None}
    budgets = document.get("budgets")
    if isinstance(budgets, list) and budgets:
        limits["budget"] = [{name: value for name, value in one.items() if name != "alert_at"} for one in budgets]
    return limits
