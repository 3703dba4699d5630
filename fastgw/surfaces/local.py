"""The answers the gateway gives itself: which models there are, in the list of each dialect.

Every function here is pure: for the same names, cards and query it gives the same bytes, so whoever asks may keep them for as long as the
snapshot lasts. Without cards the lists hold names alone.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from fastgw.errors import error
from fastgw.meter.cards import Card

Names = Sequence[tuple[str, str]]
Describe = Callable[[str, str], Card | None]

JSON: Final = b"content-type: application/json\r\n"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOST_PAGE: Final = 1000  # Anthropic's and Gemini's
NANO_MILLION: Final = 10**15
# OpenRouter's names of rates, in the order of a tier's numbers, and of what a model understands, by what it can do.
RATES: Final = ("prompt", "completion", "input_cache_read", "input_cache_write", "input_cache_write_1h", "audio", "audio_output")
PARAMETERS: Final = MappingProxyType(
    {"tools": ("tools", "tool_choice"), "reasoning": ("reasoning",), "structured_output": ("structured_outputs",), "attachment": ()}
)
_encode = msgspec.json.encode


def undescribed(name: str, owner: str) -> Card | None:
    """No card for any name."""
    return None


def list_models(names: Names, speaks: int, describe: Describe = undescribed, query: bytes | None = None) -> bytes:
    """The model list of a dialect; names are (model, who serves it).

    query   where it asks for a page, that page; the whole list otherwise
    raises  InvalidRequest where it asks for a page that there is not
    """
    asked = dict(parse_qsl((query or b"").decode("latin-1")))
    if speaks == 1:
        page, more = anthropic_page(names, asked)
        rows = [_anthropic_model(name, describe(name, owner)) for name, owner in page]
        first, last = (page[0][0], page[-1][0]) if page else (None, None)
        return _encode({"data": rows, "has_more": more, "first_id": first, "last_id": last})
    if speaks == 2:
        page, token = gemini_page(names, asked)
        rows = [_gemini_model(name, describe(name, owner)) for name, owner in page]
        return _encode({"models": rows} | ({"nextPageToken": token} if token else {}))
    return _encode({"object": "list", "data": [_openai_model(name, owner, describe(name, owner)) for name, owner in names]})


def one_model(names: Names, wanted: str, speaks: int, describe: Describe = undescribed) -> bytes:
    """One model of the list. raises ModelNotFound"""
    for name, owner in names:
        if name == wanted:
            card = describe(name, owner)
            if speaks == 1:
                return _encode(_anthropic_model(name, card))
            return _encode(_gemini_model(name, card) if speaks == 2 else _openai_model(name, owner, card))
    raise error("ModelNotFound", f"no model {wanted!r}; GET /v1/models lists what this key may use", param="model")


def anthropic_page(names: Names, asked: Mapping[str, str]) -> tuple[Names, bool]:
    """The models after `after_id` or before `before_id`, at most `limit` of them, and whether more follow that way."""
    limit = number(asked, "limit", 1) or len(names)
    if "before_id" in asked:
        end = place_of(names, asked["before_id"], "before_id")
        return names[max(end - limit, 0) : end], end > limit
    start = place_of(names, asked["after_id"], "after_id") + 1 if "after_id" in asked else 0
    return names[start : start + limit], start + limit < len(names)


def gemini_page(names: Names, asked: Mapping[str, str]) -> tuple[Names, str]:
    """The models after the one that `pageToken` names, at most `pageSize`, and the token of the next page."""
    size = min(number(asked, "pageSize", 0) or len(names), MOST_PAGE) if "pageSize" in asked else len(names)
    start = place_of(names, asked["pageToken"], "pageToken") + 1 if asked.get("pageToken") else 0
    page = names[start : start + size]
    return page, page[-1][0] if page and start + size < len(names) else ""


def number(asked: Mapping[str, str], field: str, least: int) -> int:
    """A number out of the query; 0 where it is not there. A page never has more than MOST_PAGE."""
    text = asked.get(field, "")
    if field in asked and not (text.isascii() and text.isdecimal() and int(text[:9]) >= least):
        raise error("InvalidRequest", f"expected a number of at least {least}, got {text[:20]!r} at {field} of the query", param=field)
    return min(int(text[:9]), MOST_PAGE) if text else 0


def place_of(names: Names, wanted: str, field: str) -> int:
    """The index of a model in the list."""
    place = next((index for index, (name, _) in enumerate(names) if name == wanted), None)
    if place is None:
        raise error("InvalidRequest", f"expected a model of the list, got {wanted[:64]!r} at {field} of the query", param=field)
    return place


def released_at(card: Card | None) -> datetime:
    """The day a model came out; its month's first where only that is known, 1970 where nothing is."""
    text = card.detail.released if card is not None and card.detail is not None else ""
    try:
        return datetime.fromisoformat(f"{text}-01"[:10]).replace(tzinfo=UTC)
    except ValueError:
        return EPOCH


def _openai_model(name: str, owner: str, card: Card | None) -> dict[str, object]:
    model: dict[str, object] = {"id": name, "object": "model", "created": int(released_at(card).timestamp()), "owned_by": owner}
    if card is None:
        return model
    row, detail = card.row, card.detail
    if card.title != card.model:
        model["name"] = card.title
    if row.context_tokens:
        model["context_window"] = model["context_length"] = row.context_tokens
    if row.max_output_tokens:
        model["max_completion_tokens"] = row.max_output_tokens
    if detail is not None:
        model["architecture"] = {"input_modalities": detail.inputs, "output_modalities": detail.outputs}
        model["supported_parameters"] = [name for ability in detail.abilities for name in PARAMETERS[ability]]
    if row.known:
        model["pricing"] = _pricing(card)
    return model


def _pricing(card: Card) -> dict[str, str]:
    """Dollars for one token, and for a request, as text; of the price for short requests."""
    rates = zip(RATES, card.row.tiers[0][1:], strict=True)
    pricing = {name: f"{Decimal(rate) / NANO_MILLION:f}" for name, rate in rates if rate >= 0}
    if card.row.request_nano_usd:
        pricing["request"] = f"{Decimal(card.row.request_nano_usd) / 10**9:f}"
    return pricing


def _anthropic_model(name: str, card: Card | None) -> dict[str, object]:
    model: dict[str, object] = {
        "type": "model", "id": name, "display_name": name if card is None else card.title,
        "created_at": f"{released_at(card).date()}T00:00:00Z",
    }  # fmt: skip
    if card is None:
        return model
    limits = {"max_input_tokens": card.row.context_tokens or None, "max_tokens": card.row.max_output_tokens or None}
    return model | limits | {"lifecycle": "deprecated" if card.is_deprecated else "active"}


def _gemini_model(name: str, card: Card | None) -> dict[str, object]:
    actions = ["generateContent", "streamGenerateContent", "countTokens"]
    # Neither source states which models embed, but their makers all say it in the name.
    if card is not None and "embed" in card.model.lower():
        actions = ["embedContent", "batchEmbedContents", "countTokens"]
    model: dict[str, object] = {"name": f"models/{name}", "displayName": name if card is None else card.title}
    if card is not None and card.row.context_tokens:
        model["inputTokenLimit"] = card.row.context_tokens
    if card is not None and card.row.max_output_tokens:
        model["outputTokenLimit"] = card.row.max_output_tokens
    if card is not None and card.detail is not None:
        model["thinking"] = "reasoning" in card.detail.abilities
    return model | {"supportedGenerationMethods": actions}
