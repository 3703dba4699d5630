"""Which shapes there are: by the operation that a caller asks for and the one that the provider is asked, how to open a translation."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from msgspec import json

from fastgw.dialects.shapes.translation import Opener, ShapeTranslation, pair
from fastgw.dialects.translate import Asked

EMBEDDING_CALLERS = {"embeddings": "openai_embeddings", "embed": "gemini_embed", "cohere_embed": "cohere_embed"}
EMBEDDING_PROVIDERS = {
    "embeddings": "openai_embeddings", "embed": "gemini_embed", "cohere_embed": "cohere_embed", "voyage_embed": "voyage_embed",
    "jina_embed": "jina_embed", "nomic_embed": "nomic_embed", "titan_embed": "titan_embed", "vertex_embed": "vertex_embed",
}
RERANK_PROVIDERS = ("cohere_rerank", "jina_rerank", "voyage_rerank")
# By a caller's operation and a provider's: the file and the name in it of the caller's shape, and the file of the provider's, whose
# name is PROVIDER. A file is imported when it is first needed (see dialects.loading).
SHAPES: Mapping[tuple[str, str], tuple[str, str, str]] = MappingProxyType({
    (asked, upstream): (caller, "CALLER", provider)
    for asked, caller in EMBEDDING_CALLERS.items()
    for upstream, provider in EMBEDDING_PROVIDERS.items()
    if asked != upstream or asked == "cohere_embed"     # on Bedrock it is written otherwise
} | {
    (asked, upstream): ("rerank", "CALLER", upstream)
    for asked in ("rerank", "cohere_rerank")
    for upstream in RERANK_PROVIDERS
} | {
    ("images", "stability_image"): ("image", "CALLER", "stability_image"),
    ("images", "generate"): ("image", "CALLER", "gemini_image"),
    ("images", "vertex_image"): ("image", "CALLER", "vertex_image"),
    ("speech", "generate"): ("speech", "CALLER", "gemini_speech"),
    ("speech", "elevenlabs_speech"): ("speech", "CALLER", "elevenlabs_speech"),
    ("speech", "deepgram_speech"): ("speech", "CALLER", "deepgram_speech"),
    ("transcriptions", "generate"): ("transcription", "TRANSCRIBER", "gemini_transcription"),
    ("transcriptions", "elevenlabs_transcription"): ("transcription", "TRANSCRIBER", "elevenlabs_transcription"),
    ("transcriptions", "deepgram_transcription"): ("transcription", "TRANSCRIBER", "deepgram_transcription"),
    ("translations", "generate"): ("transcription", "TRANSLATOR", "gemini_transcription"),
    ("moderations", "mistral_moderations"): ("mistral_moderations", "CALLER", "mistral_moderations"),
})  # fmt: skip

# Pairs whose paths are the same: the members that tell a body of the provider's own from such a caller's.
SIGNS: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType({
    # what Voyage's own client always writes, and no caller of OpenAI's: such a body is Voyage's, and so is the reply that it wants
    ("embeddings", "voyage_embed"): frozenset({"input_type", "truncation", "output_dtype", "output_dimension"}),
    # others say top_n: who says this wants Voyage's own reply
    ("rerank", "voyage_rerank"): frozenset({"top_k"}),
})


def is_signed(body: bytes, signs: frozenset[str]) -> bool:
    """Whether a body, which is a JSON object, has all of these members."""
    return all(f'"{name}"'.encode() in body for name in signs) and signs <= json.decode(body).keys()


@cache
def opener_of(operation: str, upstream_operation: str) -> Opener:
    """How to open a translation. raises KeyError for a pair that is not in SHAPES"""
    caller, name, provider = SHAPES[operation, upstream_operation]
    files = [import_module(f"fastgw.dialects.shapes.{file}") for file in (caller, provider)]
    return pair(getattr(files[0], name), files[1].PROVIDER)


def open_shape(operation: str, upstream_operation: str, body: bytes, content_type: bytes, asked: Asked) -> ShapeTranslation:
    """One attempt at a provider; content_type: of the body, which matters for forms.

    raises  InvalidRequest, UnsupportedParameter; KeyError for a pair that is not in SHAPES
    """
    return opener_of(operation, upstream_operation)(body, content_type, asked)
