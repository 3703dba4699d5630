"""What callers want embedded reaches each provider in its own words."""

from typing import Any

import pytest

from fastgw.errors import GatewayError
from tests.unit.dialects.shapes.opening import open_json, sent

OPENAI = {"model": "x", "input": ["a", "b"], "dimensions": 256, "input_type": "query"}
PNG = "data:image/png;base64,iVBORw0KGgo="

WRITTEN: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("embed", "", OPENAI, {"requests": [
        {"model": "models/m", "content": {"parts": [{"text": text}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 256}
        for text in ("a", "b")]}),
    ("embed", "vertex", {"input": "a", "dimensions": 5}, {
        "content": {"parts": [{"text": "a"}]}, "embedContentConfig": {"outputDimensionality": 5}}),
    ("embed", "vertex", {"input": ["a", "b"]}, {"requests": [{"content": {"parts": [{"text": text}]}} for text in ("a", "b")]}),
    ("embed", "", {"input": [{"text": "cat", "image": PNG}]}, {"requests": [{"model": "models/m", "content": {"parts": [
        {"text": "cat"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]}}]}),
    ("cohere_embed", "", OPENAI, {"model": "m", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"],
                                  "output_dimension": 256}),
    ("cohere_embed", "", {"input": "a"}, {"model": "m", "texts": ["a"], "input_type": "search_document", "embedding_types": ["float"]}),
    ("cohere_embed", "", {"input": [{"image": PNG}]}, {"model": "m", "images": [PNG], "input_type": "image",
                                                       "embedding_types": ["float"]}),
    ("cohere_embed", "", {"input": ["a", {"type": "image_url", "image_url": {"url": PNG}}]}, {
        "model": "m", "input_type": "search_document", "embedding_types": ["float"],
        "inputs": [{"content": [{"type": "text", "text": "a"}]}, {"content": [{"type": "image_url", "image_url": {"url": PNG}}]}]}),
    ("cohere_embed", "bedrock", {"input": "a", "truncate": "END"}, {
        "texts": ["a"], "input_type": "search_document", "embedding_types": ["float"], "truncate": "END"}),
    ("voyage_embed", "", OPENAI, {"model": "m", "input": ["a", "b"], "input_type": "query", "output_dimension": 256}),
    ("voyage_embed", "", {"input": "a", "encoding_format": "base64", "truncation": False}, {
        "model": "m", "input": ["a"], "encoding_format": "base64", "truncation": False}),
    ("jina_embed", "", OPENAI, {"model": "m", "input": ["a", "b"], "task": "retrieval.query", "dimensions": 256}),
    ("jina_embed", "", {"input": [{"text": "a"}, {"image": "https://host/cat.png"}], "task": "text-matching", "late_chunking": True}, {
        "model": "m", "input": ["a", {"image": "https://host/cat.png"}], "task": "text-matching", "late_chunking": True}),
    ("nomic_embed", "", OPENAI, {"model": "m", "texts": ["a", "b"], "task_type": "search_query", "dimensionality": 256}),
    ("titan_embed", "", {"input": ["a"], "dimensions": 256, "normalize": True}, {"inputText": "a", "dimensions": 256, "normalize": True}),
    ("vertex_embed", "", OPENAI, {
        "instances": [{"content": text, "task_type": "RETRIEVAL_QUERY"} for text in ("a", "b")],
        "parameters": {"outputDimensionality": 256}}),
]


@pytest.mark.parametrize(("upstream", "quirks", "body", "expected"), WRITTEN)
def test_requests_of_openai_are_written(upstream: str, quirks: str, body: dict[str, Any], expected: dict[str, Any]) -> None:
    """Inputs, dimensions, the task and what the provider knows by its own name are written as it wants them, and nothing is dropped."""
    translation = open_json("embeddings", upstream, body, quirks=quirks)
    assert sent(translation) == expected
    assert translation.dropped == []
    assert translation.request_content_type == "application/json"


def test_titan_takes_pictures_where_its_model_does() -> None:
    """The model of texts and pictures has other names for both and for the dimensions."""
    body = {"input": [{"text": "cat", "image": PNG}], "dimensions": 384}
    translation = open_json("embeddings", "titan_embed", body, model="amazon.titan-embed-image-v1")
    assert sent(translation) == {
        "inputText": "cat", "inputImage": "iVBORw0KGgo=", "embeddingConfig": {"outputEmbeddingLength": 384}}


FOREIGN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("embed", {"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8},
     {"model": "m", "texts": ["a\nb"], "task_type": "search_query", "dimensionality": 8}),
    ("embed", {"requests": [{"model": "models/x", "content": {"parts": [{"text": text}]}, "task_type": "CLUSTERING"} for text in "ab"]},
     {"model": "m", "texts": ["a", "b"], "task_type": "clustering"}),
    ("embed", {"content": {"parts": [{"text": "a"}]}, "embedContentConfig": {"outputDimensionality": 8}},
     {"model": "m", "texts": ["a"], "dimensionality": 8}),
    ("cohere_embed", {"texts": ["a", "b"], "input_type": "search_query", "output_dimension": 8},
     {"model": "m", "texts": ["a", "b"], "task_type": "search_query", "dimensionality": 8}),
    ("cohere_embed", {"inputs": [{"content": [{"type": "text", "text": "a"}]}]}, {"model": "m", "texts": ["a"]}),
]


@pytest.mark.parametrize(("operation", "body", "expected"), FOREIGN)
def test_requests_of_other_callers_are_read(operation: str, body: dict[str, Any], expected: dict[str, Any]) -> None:
    """Callers of Gemini and Cohere reach other providers too."""
    assert sent(open_json(operation, "nomic_embed", body)) == expected


DROPPED = [
    ("embed", {"input": "a", "user": "u"}, ["user"]),
    ("embeddings", {"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING", "title": "t"}, ["taskType", "title"]),
    ("voyage_embed", {"input": "a", "input_type": "clustering", "truncate": "END"}, ["input_type", "truncate"]),
    ("titan_embed", {"input": "a", "task": "query"}, ["task"]),
]


@pytest.mark.parametrize(("upstream", "body", "dropped"), DROPPED)
def test_what_a_provider_has_not_is_named(upstream: str, body: dict[str, Any], dropped: list[str]) -> None:
    """What only shades the vectors is left out and named, refused by the policy of errors."""
    operation = "embed" if "content" in body else "embeddings"
    assert open_json(operation, upstream, body).dropped == dropped
    with pytest.raises(GatewayError) as caught:
        open_json(operation, upstream, body, policy="error")
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", dropped[0])


def test_unknown_members_pass_where_the_target_says_so() -> None:
    """By the policy `pass` a member that no shape knows goes to the provider as it is."""
    assert sent(open_json("embeddings", "nomic_embed", {"input": "a", "later": 1}, policy="pass"))["later"] == 1
    assert "later" not in sent(open_json("embeddings", "nomic_embed", {"input": "a", "later": 1}))


def test_words_of_the_provider_itself_pass() -> None:
    """A task that no other provider knows is for the provider to judge."""
    assert sent(open_json("embeddings", "jina_embed", {"input": "a", "task": "code.passage"}))["task"] == "code.passage"


REFUSED: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("embeddings", "embed", {"input": [1, 2, 3]}, "invalid_request", "got token numbers at $.input"),
    ("embeddings", "embed", {"input": [[1, 2], [3]]}, "invalid_request", "got token numbers at $.input"),
    ("embeddings", "embed", {"input": []}, "invalid_request", "$.input"),
    ("embeddings", "embed", {"input": ["a", 5]}, "invalid_request", "$.input[1]"),
    ("embeddings", "embed", {"input": [{"sound": "x"}]}, "invalid_request", "$.input[0]"),
    ("embeddings", "embed", {"input": "a", "encoding_format": "hex"}, "invalid_request", "$.encoding_format"),
    ("embeddings", "embed", {"input": "a", "dimensions": "many"}, "invalid_request", "$.dimensions"),
    ("embeddings", "embed", {}, "invalid_request", "$.input"),
    ("embeddings", "titan_embed", {"input": ["a", "b"]}, "invalid_request", "embeds one a call, got 2"),
    ("embeddings", "voyage_embed", {"input": ["a", {"image": PNG}]}, "unsupported_parameter", "there cannot take pictures"),
    ("embeddings", "titan_embed", {"input": [{"image": PNG}]}, "unsupported_parameter", "pictures"),
    ("embed", "embeddings", {"requests": []}, "invalid_request", "$.requests"),
    ("embed", "embeddings", {"content": {"parts": []}}, "invalid_request", "$.content"),
    ("embed", "embeddings", {"requests": [
        {"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"}, {"content": {"parts": [{"text": "b"}]}}]},
     "invalid_request", "$.requests[1]"),
    ("cohere_embed", "embeddings", {"texts": ["a"], "embedding_types": ["int8"]}, "invalid_request", "$.embedding_types[0]"),
    ("cohere_embed", "embeddings", {}, "invalid_request", "texts, images or inputs"),
]


@pytest.mark.parametrize(("operation", "upstream", "body", "code", "words"), REFUSED)
def test_what_cannot_be_embedded_is_refused(operation: str, upstream: str, body: dict[str, Any], code: str, words: str) -> None:
    """Tokens, several inputs where one is taken, pictures where none is, and what is no request say what and where, by any policy."""
    with pytest.raises(GatewayError) as caught:
        open_json(operation, upstream, body, policy="pass")
    assert caught.value.code == code
    assert words in caught.value.message


def test_paths_are_those_of_a_batch() -> None:
    """Google AI is asked by batchEmbedContents, Vertex AI for one input by embedContent; no other path changes."""
    template = "/v1beta/models/{model}:embedContent"
    assert open_json("embeddings", "embed", {"input": "a"}).path(template) == "/v1beta/models/{model}:batchEmbedContents"
    assert open_json("embeddings", "embed", {"input": "a"}, quirks="vertex").path(template) == template
    assert open_json("embeddings", "nomic_embed", {"input": "a"}).path("/v1/embedding/text") == "/v1/embedding/text"
