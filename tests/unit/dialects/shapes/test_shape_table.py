"""The table of shapes holds what the request path and the providers' rows count on."""

import random

import pytest
from msgspec.json import encode

import fastgw.dialects.shapes
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.shapes.table import SHAPES
from fastgw.dialects.shapes.translation import ShapeTranslation
from fastgw.dialects.translate import Asked, NotOfDialect, Translation, translate
from fastgw.errors import GatewayError
from fastgw.providers.operations import FAMILIES
from tests.unit.dialects.shapes.opening import open_json

BODIES: dict[str, dict[str, object]] = {
    "embeddings": {"input": ["a"]}, "embed": {"content": {"parts": [{"text": "a"}]}}, "cohere_embed": {"texts": ["a"]},
    "rerank": {"query": "q", "documents": ["a"]}, "images": {"prompt": "a"}, "speech": {"input": "a", "voice": "v"},
    "moderations": {"input": "a"},
}
OF_JSON = [names for names in SHAPES if names[0] in BODIES]


def test_families_of_operations_are_whole() -> None:
    """Callers of OpenAI's embeddings, of ranks and of pictures reach each operation of their family."""
    wanted = {("embeddings", name) for name in FAMILIES["embedding"]} | {("rerank", name) for name in FAMILIES["reranking"]}
    wanted |= {("images", name) for name in FAMILIES["images"]}
    assert {names for names in wanted if names[0] != names[1]} <= set(SHAPES)


def test_every_shape_is_in_the_list() -> None:
    """The package's own words name each operation."""
    said = fastgw.dialects.shapes.__doc__ or ""
    assert all(name in said for names in SHAPES for name in names)


def test_a_translation_has_the_face_of_the_other_kind() -> None:
    """What the request path uses of a translation between dialects is there by the same name."""
    chat = translate(DIALECT, DIALECT, b'{"messages": [{"role": "user", "content": "a"}]}', Asked("m", False))
    shape = open_json("embeddings", "embed", BODIES["embeddings"])
    # answer: what the cache keeps of a chat; of a shape it keeps the bytes
    used = {name for name in dir(Translation) if not name.startswith("_")} - {"answer"}
    assert used <= set(dir(ShapeTranslation))
    for name in ("body", "dropped", "usage", "failure", "content_type"):
        assert type(getattr(chat, name)) is type(getattr(shape, name))
    with pytest.raises(NotOfDialect):
        shape.stream()


@pytest.mark.parametrize(("operation", "upstream"), OF_JSON)
def test_shapes_end_in_a_reply_or_an_error(operation: str, upstream: str) -> None:
    """Whatever JSON a provider sends, there is a reply, NotOfDialect or the caller's error, and nothing else."""
    rng = random.Random(f"{operation} {upstream}")
    words = ["embeddings", "embedding", "values", "data", "results", "predictions", "candidates", "content", "parts", "index", "usage",
             "relevance_score", "float", "inlineData", "images", "image", "categories", "usageMetadata", "meta"]

    def value(depth: int) -> object:
        kind = rng.randrange(8 if depth else 5)
        if kind == 5:
            return [value(depth - 1) for _ in range(rng.randrange(3))]
        if kind > 5:
            return {rng.choice(words): value(depth - 1) for _ in range(rng.randrange(4))}
        return (None, True, -1.5, "AAAA", 7)[kind]

    for _ in range(150):
        translation = open_json(operation, upstream, BODIES[operation])
        try:
            assert isinstance(translation.reply(encode(value(5)), rng.choice(["application/json", ""])), bytes)
        except (NotOfDialect, GatewayError):
            pass
        assert isinstance(translation.error(rng.choice([400, 429, 500]), encode(value(3)), "id"), bytes)


@pytest.mark.parametrize(("operation", "upstream"), OF_JSON)
def test_shapes_take_or_refuse_a_request(operation: str, upstream: str) -> None:
    """Whatever a caller's members are, the request is written or refused with an error that says so."""
    rng = random.Random(f"{operation} {upstream}")
    values: list[object] = [None, True, -1.5, 0, "", "a", [], {}, ["a", 5], [{"text": "a"}], {"parts": [5]}, [[1]],
                            [{"content": {"parts": [{}]}}]]
    names = ["input", "content", "requests", "texts", "query", "documents", "prompt", "voice", "size", "n", "dimensions", "encoding_format",
             "taskType", "input_type", "embedding_types", "response_format", "return_documents", "rank_fields", "seed"]
    for _ in range(300):
        body = BODIES[operation] | {rng.choice(names): rng.choice(values) for _ in range(rng.randrange(1, 4))}
        try:
            assert isinstance(open_json(operation, upstream, body).body, bytes)
        except GatewayError as problem:
            assert problem.status == 400 and problem.message
