"""Which shapes there are: by the operation that a caller asks for and the one that the provider is asked, how to open a translation."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import json

from fastgw.dialects.shapes import (
    cohere_embed,
    cohere_rerank,
    deepgram_speech,
    deepgram_transcription,
    elevenlabs_speech,
    elevenlabs_transcription,
    gemini_embed,
    gemini_image,
    gemini_speech,
    gemini_transcription,
    image,
    jina_embed,
    jina_rerank,
    mistral_moderations,
    nomic_embed,
    openai_embeddings,
    rerank,
    speech,
    stability_image,
    titan_embed,
    transcription,
    vertex_embed,
    vertex_image,
    voyage_embed,
    voyage_rerank,
)
from fastgw.dialects.shapes.embedding import EmbedRequest, Vectors
from fastgw.dialects.shapes.rerank import Ranks, RerankRequest
from fastgw.dialects.shapes.translation import Caller, Opener, Provider, ShapeTranslation, pair
from fastgw.dialects.translate import Asked

EMBEDDING_CALLERS: Mapping[str, Caller[EmbedRequest, Vectors]] = MappingProxyType({
    "embeddings": openai_embeddings.CALLER,
    "embed": gemini_embed.CALLER,
    "cohere_embed": cohere_embed.CALLER,
})
EMBEDDING_PROVIDERS: Mapping[str, Provider[EmbedRequest, Vectors]] = MappingProxyType({
    "embeddings": openai_embeddings.PROVIDER,
    "embed": gemini_embed.PROVIDER,
    "cohere_embed": cohere_embed.PROVIDER,
    "voyage_embed": voyage_embed.PROVIDER,
    "jina_embed": jina_embed.PROVIDER,
    "nomic_embed": nomic_embed.PROVIDER,
    "titan_embed": titan_embed.PROVIDER,
    "vertex_embed": vertex_embed.PROVIDER,
})
RERANK_PROVIDERS: Mapping[str, Provider[RerankRequest, Ranks]] = MappingProxyType({
    "cohere_rerank": cohere_rerank.PROVIDER,
    "jina_rerank": jina_rerank.PROVIDER,
    "voyage_rerank": voyage_rerank.PROVIDER,
})
SHAPES: Mapping[tuple[str, str], Opener] = MappingProxyType({
    (asked, upstream): pair(caller, provider)
    for asked, caller in EMBEDDING_CALLERS.items()
    for upstream, provider in EMBEDDING_PROVIDERS.items()
    if asked != upstream or asked == "cohere_embed"     # on Bedrock it is written otherwise
} | {
    (asked, upstream): pair(rerank.CALLER, provider)
    for asked in ("rerank", "cohere_rerank")
    for upstream, provider in RERANK_PROVIDERS.items()
} | {
    ("images", "stability_image"): pair(image.CALLER, stability_image.PROVIDER),
    ("images", "generate"): pair(image.CALLER, gemini_image.PROVIDER),
    ("images", "vertex_image"): pair(image.CALLER, vertex_image.PROVIDER),
    ("speech", "generate"): pair(speech.CALLER, gemini_speech.PROVIDER),
    ("speech", "elevenlabs_speech"): pair(speech.CALLER, elevenlabs_speech.PROVIDER),
    ("speech", "deepgram_speech"): pair(speech.CALLER, deepgram_speech.PROVIDER),
    ("transcriptions", "generate"): pair(transcription.TRANSCRIBER, gemini_transcription.PROVIDER),
    ("transcriptions", "elevenlabs_transcription"): pair(transcription.TRANSCRIBER, elevenlabs_transcription.PROVIDER),
    ("transcriptions", "deepgram_transcription"): pair(transcription.TRANSCRIBER, deepgram_transcription.PROVIDER),
    ("translations", "generate"): pair(transcription.TRANSLATOR, gemini_transcription.PROVIDER),
    ("moderations", "mistral_moderations"): pair(mistral_moderations.CALLER, mistral_moderations.PROVIDER),
})  # fmt: skip

# Pairs whose paths are the same: the members that tell a body of the provider's own from such a caller's.
SIGNS: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType({
    ("embeddings", "voyage_embed"): voyage_embed.SIGNS, ("rerank", "voyage_rerank"): voyage_rerank.SIGNS,
})


def is_signed(body: bytes, signs: frozenset[str]) -> bool:
    """Whether a body, which is a JSON object, has all of these members."""
    return all(f'"{name}"'.encode() in body for name in signs) and signs <= json.decode(body).keys()


def open_shape(operation: str, upstream_operation: str, body: bytes, content_type: bytes, asked: Asked) -> ShapeTranslation:
    """One attempt at a provider; content_type: of the body, which matters for forms.

    raises  InvalidRequest, UnsupportedParameter; KeyError for a pair that is not in SHAPES
    """
    return SHAPES[operation, upstream_operation](body, content_type, asked)
