"""Promises of the lists of models that the gateway answers itself, in each dialect."""

import json
from collections.abc import Mapping
from typing import cast

import anthropic
import openai
import pytest
from anthropic.types import ModelInfo
from google.genai.types import Model
from openai.types import Model as OpenAIModel

from fastgw._core.price import PriceRow
from fastgw.errors import GatewayError
from fastgw.meter.cards import Card
from fastgw.meter.details import Detail
from fastgw.surfaces.local import list_models, one_model, released_at

OPENAI, ANTHROPIC, GEMINI = 0, 1, 2
NAMES = [("a", "openai"), ("b-embed", "gemini"), ("c", "anthropic"), ("d", "openai"), ("e", "openai")]
ROW = PriceRow([(0, 2_000_000_000, 8_000_000_000, 500_000_000, -1, -1, -1, -1)], 5_000_000, 1_047_576, 32_768, "x", "2026-01-01")
CARDS: Mapping[str, Card] = {
    "a": Card("openai", "a-1", ROW, Detail("a-1", "Model A", "ti", "t", "tsa", "2025-04-14")),
    "b-embed": Card("gemini", "b-embed", PriceRow(context_tokens=2048), Detail("b-embed", "", "t", "t", "", "2024-05")),
    "c": Card("anthropic", "c", PriceRow(), None, is_deprecated=True),
    "d": Card("openai", "d", PriceRow([(0, 0, 0, -1, -1, -1, -1, -1)])),
}


def describe(name: str, owner: str) -> Card | None:
    return CARDS.get(name)


def listed(speaks: int, query: bytes | None = None) -> dict[str, object]:
    return cast("dict[str, object]", json.loads(list_models(NAMES, speaks, describe, query)))


def rows(reply: Mapping[str, object], member: str) -> dict[str, dict[str, object]]:
    name = "name" if member == "models" else "id"
    return {str(row[name]): row for row in cast("list[dict[str, object]]", reply[member])}


def test_list_of_openai_says_what_is_known() -> None:
    """Context, output limit, modalities, parameters and price stand under the names that other providers use; unknown is left out."""
    found = rows(listed(OPENAI), "data")
    assert found["a"] == {
        "id": "a", "object": "model", "created": 1_744_588_800, "owned_by": "openai", "name": "Model A",
        "context_window": 1_047_576, "context_length": 1_047_576, "max_completion_tokens": 32_768,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "supported_parameters": ["tools", "tool_choice", "structured_outputs"],
        "pricing": {"prompt": "0.000002", "completion": "0.000008", "input_cache_read": "0.0000005", "request": "0.005"},
    }  # fmt: skip
    assert found["c"] == {"id": "c", "object": "model", "created": 0, "owned_by": "anthropic"}
    assert found["e"] == {"id": "e", "object": "model", "created": 0, "owned_by": "openai"}


def test_unknown_price_is_not_zero() -> None:
    """A free model has a price of 0, an unknown one has none."""
    found = rows(listed(OPENAI), "data")
    assert found["d"]["pricing"] == {"prompt": "0", "completion": "0"}
    assert "pricing" not in found["b-embed"]


def test_list_of_anthropic_says_what_is_known() -> None:
    """Limits stand where Anthropic has them, null where they are unknown; an old model is deprecated."""
    reply = listed(ANTHROPIC)
    found = rows(reply, "data")
    assert found["a"] == {
        "type": "model", "id": "a", "display_name": "Model A", "created_at": "2025-04-14T00:00:00Z", "max_input_tokens": 1_047_576,
        "max_tokens": 32_768, "lifecycle": "active",
    }  # fmt: skip
    assert (found["c"]["max_tokens"], found["c"]["lifecycle"], found["c"]["created_at"]) == (None, "deprecated", "1970-01-01T00:00:00Z")
    assert (reply["has_more"], reply["first_id"], reply["last_id"]) == (False, "a", "e")


def test_list_of_gemini_says_what_is_known() -> None:
    """Limits stand where Gemini has them; an embedding model embeds."""
    found = rows(listed(GEMINI), "models")
    assert found["models/a"] == {
        "name": "models/a", "displayName": "Model A", "inputTokenLimit": 1_047_576, "outputTokenLimit": 32_768, "thinking": False,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    }  # fmt: skip
    assert found["models/b-embed"]["supportedGenerationMethods"] == ["embedContent", "batchEmbedContents", "countTokens"]
    assert "inputTokenLimit" not in found["models/c"]


def test_clients_read_the_lists() -> None:
    """The types of the three clients take every row."""
    for row in rows(listed(OPENAI), "data").values():
        assert OpenAIModel.model_validate(row).id == row["id"]
    for row in rows(listed(ANTHROPIC), "data").values():
        assert ModelInfo.construct(**row).max_tokens == row.get("max_tokens")  # type: ignore[arg-type]  # as the client does it
    for row in rows(listed(GEMINI), "models").values():
        assert Model.model_validate({"name": row["name"], "input_token_limit": row.get("inputTokenLimit")}).name == row["name"]
    assert openai.__version__ and anthropic.__version__


@pytest.mark.parametrize("speaks", [OPENAI, ANTHROPIC, GEMINI])
def test_list_without_cards_has_names(speaks: int) -> None:
    """Nobody has to describe models: the names stand alone."""
    reply = json.loads(list_models(NAMES, speaks))
    found = [row.get("id", row["name"] if speaks == GEMINI else None) for row in reply["models" if speaks == GEMINI else "data"]]
    assert [name.removeprefix("models/") for name in found] == [name for name, _ in NAMES]
    assert json.loads(list_models([], speaks))["models" if speaks == GEMINI else "data"] == []


@pytest.mark.parametrize(
    ("query", "names", "more"),
    [
        (None, "abcde", False),
        (b"limit=2", "ab", True),
        (b"limit=2&after_id=b-embed", "cd", True),
        (b"limit=2&after_id=d", "e", False),
        (b"limit=1000", "abcde", False),
        (b"limit=9999999999999", "abcde", False),
        (b"before_id=c", "ab", False),
        (b"before_id=d&limit=2", "bc", True),
        (b"before_id=a", "", False),
        (b"after_id=e", "", False),
        (b"beta=true", "abcde", False),
    ],
)
def test_pages_of_anthropic(query: bytes | None, names: str, more: bool) -> None:
    """limit, after_id and before_id cut the list, and has_more says whether that goes on."""
    reply = listed(ANTHROPIC, query)
    found = list(rows(reply, "data"))
    assert ("".join(name[0] for name in found), reply["has_more"]) == (names, more)
    assert (reply["first_id"], reply["last_id"]) == ((found[0], found[-1]) if found else (None, None))


def test_pages_of_gemini_lead_through_the_list() -> None:
    """pageSize and pageToken go through all models, each once."""
    found: list[str] = []
    query = b"pageSize=2"
    for _ in NAMES:
        reply = listed(GEMINI, query)
        found += rows(reply, "models")
        if "nextPageToken" not in reply:
            break
        query = f"pageSize=2&pageToken={reply['nextPageToken']}".encode()
    assert found == [f"models/{name}" for name, _ in NAMES]
    assert len(rows(listed(GEMINI, b"pageSize=0"), "models")) == len(NAMES)


@pytest.mark.parametrize(
    ("speaks", "query"),
    [
        (ANTHROPIC, b"limit=0"),
        (ANTHROPIC, b"limit=-1"),
        (ANTHROPIC, b"limit=x"),
        (ANTHROPIC, b"after_id=none"),
        (ANTHROPIC, b"before_id=none"),
        (GEMINI, b"pageSize=-2"),
        (GEMINI, b"pageToken=none"),
    ],
)
def test_wrong_pages_are_refused(speaks: int, query: bytes) -> None:
    """A page that there is not is a caller's error that names the field."""
    with pytest.raises(GatewayError) as refused:
        listed(speaks, query)
    assert refused.value.status == 400 and refused.value.param == query.partition(b"=")[0].decode()


@pytest.mark.parametrize("speaks", [OPENAI, ANTHROPIC, GEMINI])
def test_one_model_is_a_row_of_the_list(speaks: int) -> None:
    """A model asked for by name is what the list has of it; another is not found."""
    member = "models" if speaks == GEMINI else "data"
    assert json.loads(one_model(NAMES, "a", speaks, describe)) == next(iter(rows(listed(speaks), member).values()))
    with pytest.raises(GatewayError) as refused:
        one_model(NAMES, "none", speaks, describe)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("released", "day"), [("2025-04-14", "2025-04-14"), ("2024-05", "2024-05-01"), ("", "1970-01-01"), ("soon", "1970-01-01")]
)
def test_day_of_release(released: str, day: str) -> None:
    """A month is its first day; what is unknown is 1970."""
    assert str(released_at(Card("p", "m", PriceRow(), Detail("m", released=released))).date()) == day


def test_answer_depends_on_its_arguments_only() -> None:
    """The same names, cards and query give the same bytes, so an answer may be kept."""
    assert list_models(NAMES, OPENAI, describe) == list_models(tuple(NAMES), OPENAI, describe, None)
