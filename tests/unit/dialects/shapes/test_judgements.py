"""Mistral judges texts for callers who speak as OpenAI's client does."""

from typing import Any

import pytest

from fastgw.dialects.canonical import Usage
from fastgw.dialects.translate import NotOfDialect
from fastgw.errors import GatewayError
from tests.unit.dialects.shapes.opening import Provider, open_json, replied, sent

CLEAN = {"sexual": False, "hate_and_discrimination": False, "violence_and_threats": False, "dangerous_and_criminal_content": False,
         "selfharm": False, "health": False, "financial": False, "law": False, "pii": False}
SCORES = dict.fromkeys(CLEAN, 0.001)
REPLY = {"id": "i", "model": "mistral-moderation-latest", "usage": {"prompt_tokens": 9, "total_tokens": 9}, "results": [
    {"categories": CLEAN | {"violence_and_threats": True, "dangerous_and_criminal_content": True},
     "category_scores": SCORES | {"violence_and_threats": 0.97}},
    {"categories": CLEAN, "category_scores": SCORES},
]}


def test_the_client_of_openai_reads_the_judgements() -> None:
    """By OpenAI's client there is a judgement for each input in OpenAI's categories, and Mistral's own beside them."""
    provider = Provider("mistral_moderations", REPLY)
    found = provider.openai().moderations.create(input=["a", "b"])
    first, second = found.results
    assert (first.flagged, second.flagged) == (True, False)
    assert (first.categories.violence, first.categories.illicit, first.categories.hate, first.categories.harassment) == (
        True, True, False, False)
    assert (first.category_scores.violence, first.category_scores.sexual_minors) == (0.97, 0.0)
    assert first.categories.model_dump()["pii"] is False
    assert provider.sent == {"model": "m", "input": ["a", "b"]}
    assert provider.translation.usage == Usage(9)


def test_any_category_flags() -> None:
    """What Mistral finds by a category that OpenAI has not is flagged too."""
    reply = {"results": [{"categories": CLEAN | {"pii": True}, "category_scores": SCORES}]}
    assert replied(open_json("moderations", "mistral_moderations", {"input": "a"}), reply)["results"][0]["flagged"] is True


def test_parts_are_one_input() -> None:
    """OpenAI judges an array of parts as one thing."""
    asked = {"input": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    assert sent(open_json("moderations", "mistral_moderations", asked))["input"] == ["a\nb"]


@pytest.mark.parametrize(("body", "code"), [
    ({"input": [{"type": "image_url", "image_url": {"url": "https://host/a.png"}}]}, "unsupported_parameter"),
    ({}, "invalid_request"), ({"input": []}, "invalid_request"), ({"input": [5]}, "invalid_request"),
])
def test_what_cannot_be_judged_is_refused(body: dict[str, Any], code: str) -> None:
    """A picture that is not looked at must not pass for harmless."""
    with pytest.raises(GatewayError) as caught:
        open_json("moderations", "mistral_moderations", body, policy="pass")
    assert caught.value.code == code


@pytest.mark.parametrize("reply", [{}, {"results": []}, {"results": [{"categories": {"a": "yes"}}]}])
def test_a_reply_of_another_shape_is_an_error(reply: Any) -> None:
    """An input without a judgement is never taken for harmless."""
    with pytest.raises(NotOfDialect):
        replied(open_json("moderations", "mistral_moderations", {"input": "a"}), reply)
