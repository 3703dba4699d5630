"""Documents are ranked by any provider for callers who speak as Cohere's and Jina's clients do."""

from typing import Any

import cohere
import pytest

from fastgw.dialects.canonical import Usage
from fastgw.dialects.translate import NotOfDialect
from fastgw.errors import GatewayError
from tests.unit.dialects.shapes.opening import Provider, open_json, replied, sent

ASKED = {"model": "x", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True}
UPSTREAMS = ("cohere_rerank", "jina_rerank", "voyage_rerank")
REPLIES: dict[str, Any] = {
    "cohere_rerank": {"id": "i", "results": [{"index": 1, "relevance_score": 0.9999989}, {"index": 0, "relevance_score": 0.5}],
                      "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}},
    "jina_rerank": {"model": "m", "usage": {"total_tokens": 9}, "results": [{"index": 1, "relevance_score": 0.9999989},
                                                                            {"index": 0, "relevance_score": 0.5}]},
    "voyage_rerank": {"object": "list", "model": "m", "usage": {"total_tokens": 9}, "data": [
        {"relevance_score": 0.9999989, "index": 1}, {"relevance_score": 0.5, "index": 0}]},
}


@pytest.mark.parametrize(("upstream", "quirks", "expected"), [
    ("cohere_rerank", "", {"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 1}),
    ("cohere_rerank", "bedrock", {"api_version": 2, "query": "q", "documents": ["a", "b"], "top_n": 1}),
    ("jina_rerank", "", {"model": "m", "query": "q", "documents": ["a", "b"], "return_documents": False, "top_n": 1}),
    ("voyage_rerank", "", {"model": "m", "query": "q", "documents": ["a", "b"], "top_k": 1}),
])
def test_requests_are_written(upstream: str, quirks: str, expected: dict[str, Any]) -> None:
    """The query, the documents' texts and how many are wanted go up; the documents of the reply need not come back."""
    translation = open_json("rerank", upstream, ASKED, quirks=quirks)
    assert (sent(translation), translation.dropped) == (expected, [])


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_the_client_of_cohere_reads_every_reply(upstream: str) -> None:
    """By Cohere's client each provider's order and scores are there, and something it bills by."""
    provider = Provider(upstream, REPLIES[upstream])
    found = provider.cohere().rerank(model="x", query="q", documents=["a", "b"], top_n=2)
    assert isinstance(found, cohere.V2RerankResponse)
    assert [(one.index, one.relevance_score) for one in found.results] == [(1, 0.9999989), (0, 0.5)]
    assert found.id and found.meta is not None
    if upstream == "cohere_rerank":
        assert found.id == "i" and found.meta.billed_units is not None and found.meta.billed_units.search_units == 1
        assert provider.translation.usage is None
    else:
        assert found.meta.tokens is not None and found.meta.tokens.input_tokens == 9
        assert provider.translation.usage == Usage(9)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_documents_of_the_reply_are_the_callers(upstream: str) -> None:
    """Who asks for the documents gets their own, a text as an object; who does not gets none."""
    shown = replied(open_json("rerank", upstream, ASKED), REPLIES[upstream])
    assert [one["document"] for one in shown["results"]] == [{"text": "b"}, {"text": "a"}]
    assert shown["model"] == "m"
    plain = replied(open_json("rerank", upstream, ASKED | {"return_documents": False}), REPLIES[upstream])
    assert all("document" not in one for one in plain["results"])


def test_structured_documents_are_lines() -> None:
    """Of an object without a text, or where fields are named, each member is a line, as Cohere wants structured documents."""
    documents = [{"title": "T", "year": 2024, "text": "body"}, {"title": "U", "tags": ["x"]}]
    assert sent(open_json("rerank", "cohere_rerank", {"query": "q", "documents": documents}))["documents"] == [
        "body", 'title: U\ntags: ["x"]']
    asked = {"query": "q", "documents": documents, "rank_fields": ["title", "year"]}
    assert sent(open_json("rerank", "cohere_rerank", asked))["documents"] == ["title: T\nyear: 2024", "title: U"]


def test_pictures_go_where_they_are_ranked() -> None:
    """Jina ranks pictures; for the others such a document is refused, as it cannot be left out."""
    asked = {"query": "q", "documents": ["a", {"image": "https://host/cat.png"}]}
    assert sent(open_json("rerank", "jina_rerank", asked))["documents"] == asked["documents"]
    with pytest.raises(GatewayError) as caught:
        open_json("rerank", "voyage_rerank", asked)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "documents[1]")


def test_what_a_provider_has_not_is_named() -> None:
    """Members of the provider's own go up; others are named."""
    asked = {"query": "q", "documents": ["a"], "truncation": False, "max_chunks_per_doc": 3}
    translation = open_json("rerank", "voyage_rerank", asked)
    assert (sent(translation)["truncation"], translation.dropped) == (False, ["max_chunks_per_doc"])


@pytest.mark.parametrize(("body", "words"), [
    ({"documents": ["a"]}, "$.query"),
    ({"query": "q"}, "$.documents"),
    ({"query": "q", "documents": []}, "$.documents"),
    ({"query": "q", "documents": [5]}, "$.documents[0]"),
    ({"query": "q", "documents": ["a"], "top_n": "all"}, "$.top_n"),
    ({"query": "q", "documents": [{"text": 5}]}, "$.documents[0].text"),
])
def test_what_is_no_request_is_refused(body: dict[str, Any], words: str) -> None:
    """The message says where the request is wrong."""
    with pytest.raises(GatewayError) as caught:
        open_json("rerank", "cohere_rerank", body)
    assert caught.value.code == "invalid_request" and words in caught.value.message


@pytest.mark.parametrize("reply", [b"{}", b"no JSON", b'{"results": [{"index": 7, "relevance_score": 1}]}', b'{"results": [{"index": 0}]}'])
def test_a_reply_of_another_shape_is_an_error(reply: bytes) -> None:
    """A rank of a document that is not there, or no ranks at all, is never handed on."""
    with pytest.raises(NotOfDialect):
        open_json("rerank", "jina_rerank", ASKED).reply(reply)


def test_errors_keep_the_words_of_the_provider() -> None:
    """Cohere's client raises what the status means."""
    with pytest.raises(cohere.BadRequestError) as caught:
        Provider("voyage_rerank", {"detail": "too many documents"}, status=400).cohere().rerank(model="x", query="q", documents=["a"])
    assert caught.value.body["error"]["message"] == "too many documents"
