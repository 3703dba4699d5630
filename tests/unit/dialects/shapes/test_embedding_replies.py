"""Vectors come back to callers as their official clients read them, and to the last digit."""

import base64
import json
import struct
from typing import Any

import openai
import pytest

from fastgw.dialects.canonical import Usage
from fastgw.dialects.translate import NotOfDialect
from tests.unit.dialects.shapes.opening import Provider, open_json, replied

# Numbers that a float32 holds exactly, among them ones that JSON may write in other ways.
FIRST, SECOND = [0.5, -0.25, 3.0], [1.0, 2.0, -0.0078125]
PACKED = [base64.b64encode(struct.pack("<3f", *vector)).decode() for vector in (FIRST, SECOND)]
REPLIES: dict[str, tuple[Any, int]] = {
    "embeddings": ({"object": "list", "data": [{"object": "embedding", "index": 1, "embedding": SECOND},
                                               {"object": "embedding", "index": 0, "embedding": PACKED[0]}],
                    "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7}}, 7),
    "embed": ({"embeddings": [{"values": FIRST}, {"values": SECOND}], "usageMetadata": {"promptTokenCount": 7}}, 7),
    "cohere_embed": ({"id": "i", "embeddings": {"float": [FIRST, SECOND]}, "texts": ["a", "b"],
                      "meta": {"billed_units": {"input_tokens": 5, "image_tokens": 2}}, "response_type": "embeddings_by_type"}, 7),
    "voyage_embed": ({"object": "list", "data": [{"embedding": PACKED[0], "index": 0}, {"embedding": SECOND, "index": 1}],
                      "model": "m", "usage": {"total_tokens": 7}}, 7),
    "jina_embed": ({"model": "m", "object": "list", "usage": {"total_tokens": 7}, "data": [
        {"object": "embedding", "index": 0, "embedding": FIRST}, {"object": "embedding", "index": 1, "embedding": SECOND}]}, 7),
    "nomic_embed": ({"embeddings": [FIRST, SECOND], "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7}}, 7),
    "vertex_embed": ({"predictions": [{"embeddings": {"values": FIRST, "statistics": {"token_count": 4, "truncated": False}}},
                                      {"embeddings": {"values": SECOND, "statistics": {"token_count": 3.0}}}]}, 7),
}


@pytest.mark.parametrize("upstream", [name for name in REPLIES if name != "embeddings"])
@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_the_client_of_openai_reads_every_reply(upstream: str, encoding: str | None) -> None:
    """By OpenAI's client, which asks for base64 unless told otherwise, each provider's vectors are the same numbers in order."""
    reply, tokens = REPLIES[upstream]
    provider = Provider(upstream, reply)
    given: dict[str, Any] = {} if encoding is None else {"encoding_format": encoding}
    found = provider.openai().embeddings.create(model="x", input=["a", "b"], **given)
    vectors: list[object] = [one.embedding for one in found.data]
    assert vectors == (PACKED if encoding == "base64" else [FIRST, SECOND])
    assert [one.index for one in found.data] == [0, 1]
    assert (found.model, found.object, found.usage.prompt_tokens, found.usage.total_tokens) == ("m", "list", tokens, tokens)
    assert provider.translation.usage == Usage(tokens)


def test_titan_and_the_listed_reply_of_cohere_are_read() -> None:
    """Titan has one vector; Cohere's older models on Bedrock list theirs without a type, and state no usage in the body."""
    provider = Provider("titan_embed", {"embedding": FIRST, "embeddingsByType": {"float": FIRST}, "inputTextTokenCount": 5})
    found = provider.openai().embeddings.create(model="x", input="a")
    assert (found.data[0].embedding, found.usage.prompt_tokens) == (FIRST, 5)
    provider = Provider("cohere_embed", {"embeddings": [FIRST], "id": "i", "response_type": "embeddings_floats"}, quirks="bedrock")
    found = provider.openai().embeddings.create(model="x", input="a")
    assert (found.data[0].embedding, found.usage.prompt_tokens) == (FIRST, 0)
    assert provider.translation.usage is None


@pytest.mark.parametrize("upstream", [name for name in REPLIES if name != "embed"])
def test_the_client_of_gemini_reads_every_reply(upstream: str) -> None:
    """By Google's client, which asks in a batch, each provider's vectors are the same numbers in order."""
    client = Provider(upstream, REPLIES[upstream][0]).gemini()
    contents: list[Any] = ["a", "b"]  # of a type that depends on what else is installed
    found = client.models.embed_content(model="x", contents=contents)
    assert [one.values for one in found.embeddings or []] == [FIRST, SECOND]


def test_one_content_has_one_vector() -> None:
    """A caller of embedContent gets `embedding`, not a list."""
    translation = open_json("embed", "nomic_embed", {"content": {"parts": [{"text": "a"}]}})
    assert replied(translation, {"embeddings": [FIRST], "usage": {"prompt_tokens": 2}}) == {
        "embedding": {"values": FIRST}, "usageMetadata": {"promptTokenCount": 2, "totalTokenCount": 2}}


@pytest.mark.parametrize("upstream", [name for name in REPLIES if name != "cohere_embed"])
def test_the_client_of_cohere_reads_every_reply(upstream: str) -> None:
    """By Cohere's client each provider's vectors are there in the types that were asked for."""
    found = Provider(upstream, REPLIES[upstream][0]).cohere().embed(
        model="x", texts=["a", "b"], input_type="search_query", embedding_types=["float", "base64"])
    assert (found.embeddings.float_, found.embeddings.base64) == ([FIRST, SECOND], PACKED)
    assert found.meta is not None and found.meta.billed_units is not None
    assert (found.texts, found.meta.billed_units.input_tokens) == (["a", "b"], 7)


def test_numbers_keep_every_digit() -> None:
    """Where both sides write numbers, they are handed on as they were written."""
    written = "[-0.042236328, 1e-05, 0.100000000000000005551, 12345678901234567890, -0.0]"
    translation = open_json("embeddings", "nomic_embed", {"input": "a"})
    assert written.encode() in translation.reply(b'{"embeddings":[%b]}' % written.encode())


def test_base64_is_float32_in_little_endian() -> None:
    """A number that float32 cannot hold is rounded to the nearest that it can, as providers themselves compute."""
    translation = open_json("embeddings", "nomic_embed", {"input": "a", "encoding_format": "base64"})
    found = replied(translation, {"embeddings": [[0.1, 1]]})["data"][0]["embedding"]
    assert base64.b64decode(found) == bytes.fromhex("cdcccc3d0000803f")


BROKEN: list[tuple[str, bytes]] = [
    ("nomic_embed", b"no JSON"),
    ("nomic_embed", b"[]"),
    ("nomic_embed", b'{"embeddings": [[1], [2]]}'),
    ("nomic_embed", b'{"embeddings": [{}]}'),
    ("voyage_embed", b'{"data": []}'),
    ("embed", b'{"embeddings": []}'),
    ("cohere_embed", b'{"embeddings": {"int8": [[1]]}}'),
    ("cohere_embed", b'{"embeddings": 5}'),
    ("vertex_embed", b'{"predictions": [{}]}'),
    ("titan_embed", b'{"message": "no"}'),
]


@pytest.mark.parametrize(("upstream", "reply"), BROKEN)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_reply_of_another_shape_is_an_error(upstream: str, reply: bytes, encoding: str) -> None:
    """What is no reply of the provider's, or has not a vector for each input, is never taken for one."""
    translation = open_json("embeddings", upstream, {"input": "a", "encoding_format": encoding})
    with pytest.raises(NotOfDialect):
        translation.reply(reply)


@pytest.mark.parametrize(("vector", "encoding"), [
    ('"AAA="', "float"), ('"no base64"', "float"), ('[1, "2"]', "base64"), ("[1e300]", "base64"), ("[null]", "base64"),
    ('"AADAfw=="', "float"), ('"AACAfw=="', "float"),  # NaN and infinity
])
def test_a_vector_that_cannot_be_converted_is_an_error(vector: str, encoding: str) -> None:
    """Between numbers and base64, what float32 has not or is no such thing is never taken for a vector."""
    translation = open_json("embeddings", "nomic_embed", {"input": "a", "encoding_format": encoding})
    with pytest.raises(NotOfDialect):
        translation.reply(b'{"embeddings": [%b]}' % vector.encode())


ERRORS: list[tuple[str, int, Any, type[openai.APIStatusError], str]] = [
    ("cohere_embed", 404, {"id": "i", "message": "model 'x' not found"}, openai.NotFoundError, "model 'x' not found"),
    ("embed", 400, {"error": {"code": 400, "message": "bad content", "status": "INVALID_ARGUMENT"}}, openai.BadRequestError,
     "bad content"),
    ("voyage_embed", 400, {"detail": "Model x is not supported."}, openai.BadRequestError, "Model x is not supported."),
    ("jina_embed", 422, {"detail": [{"loc": ["body", "input"], "msg": "field required"}]}, openai.UnprocessableEntityError,
     "field required at body.input"),
    ("titan_embed", 429, {"message": "Too many requests"}, openai.RateLimitError, "Too many requests"),
    ("vertex_embed", 500, b"<html>", openai.InternalServerError, "<html>"),
]


@pytest.mark.parametrize(("upstream", "status", "body", "kind", "words"), ERRORS)
def test_errors_are_those_of_openai(upstream: str, status: int, body: Any, kind: type[openai.APIStatusError], words: str) -> None:
    """OpenAI's client raises what the provider's status means, with the provider's words."""
    provider = Provider(upstream, body, status=status)
    with pytest.raises(kind) as caught:
        provider.openai().embeddings.create(model="x", input="a")
    assert words in json.dumps(caught.value.body)
    assert provider.translation.failure is not None and provider.translation.failure.status == status


def test_errors_of_gemini_callers_are_geminis() -> None:
    """A caller of Gemini's gets Google's shape of an error."""
    translation = open_json("embed", "voyage_embed", {"content": {"parts": [{"text": "a"}]}})
    written = json.loads(translation.error(400, b'{"detail": "too long"}', "id"))
    assert (written["error"]["code"], written["error"]["message"], written["error"]["status"]) == (400, "too long", "INVALID_ARGUMENT")
