"""What can be asked of a provider: each operation with the dialect of its body and the path that it usually has."""

from types import MappingProxyType

OPERATIONS = MappingProxyType(
    {
        # what a caller may ask for, and the dialect that its body is in
        "chat": "openai_chat",
        "completions": "openai_completions",
        "embeddings": "openai_embeddings",
        "responses": "openai_responses",
        "moderations": "openai_moderations",
        "images": "openai_images",
        "audio": "openai_audio",
        "files": "proxy",
        "batches": "proxy",
        "models": "proxy",
        "messages": "anthropic_messages",
        "count_tokens": "proxy",
        "generate": "gemini_generate",
        "embed": "gemini_embed",
        "rerank": "rerank",
        # parts of audio, as not every provider has all three
        "speech": "openai_audio",
        "transcriptions": "openai_audio",
        "translations": "openai_audio",
        # what only providers are asked for: a caller's request is translated to it
        "converse": "bedrock_converse",
        "cohere_chat": "cohere_chat",
        "cohere_embed": "cohere_embed",
        "voyage_embed": "voyage_embed",
        "jina_embed": "jina_embed",
        "nomic_embed": "nomic_embed",
        "titan_embed": "titan_embed",
        "vertex_embed": "vertex_embed",
        "cohere_rerank": "cohere_rerank",
        "jina_rerank": "jina_rerank",
        "voyage_rerank": "voyage_rerank",
        "stability_image": "stability_image",
        "vertex_image": "vertex_image",
        "elevenlabs_speech": "elevenlabs_speech",
        "elevenlabs_transcription": "elevenlabs_transcription",
        "deepgram_speech": "deepgram_speech",
        "deepgram_transcription": "deepgram_transcription",
        "mistral_moderations": "mistral_moderations",
    }
)

# Operations that answer the same question in other shapes: a request for one may be translated to another of its family.
FAMILIES = MappingProxyType(
    {
        "generation": ("chat", "responses", "messages", "generate", "converse", "cohere_chat"),
        "embedding": (
            "embeddings", "embed", "cohere_embed", "voyage_embed", "jina_embed", "nomic_embed", "titan_embed", "vertex_embed",
        ),
        "reranking": ("rerank", "cohere_rerank", "jina_rerank", "voyage_rerank"),
        "images": ("images", "stability_image", "vertex_image"),
        "speech": ("speech", "elevenlabs_speech", "deepgram_speech"),
        "transcription": ("transcriptions", "elevenlabs_transcription", "deepgram_transcription"),
        "moderation": ("moderations", "mistral_moderations"),
    }
)  # fmt: skip
AUDIO = frozenset({"speech", "transcriptions", "translations"})

# After a provider's prefix, unless its row says otherwise.
PATHS = MappingProxyType(
    {
        "chat": "/chat/completions",
        "completions": "/completions",
        "embeddings": "/embeddings",
        "responses": "/responses",
        "moderations": "/moderations",
        "images": "/images/generations",
        "messages": "/messages",
        "count_tokens": "/messages/count_tokens",
        "generate": "/v1beta/models/{model}:generateContent",
        "embed": "/v1beta/models/{model}:embedContent",
        "rerank": "/rerank",
        "speech": "/audio/speech",
        "transcriptions": "/audio/transcriptions",
        "translations": "/audio/translations",
        "converse": "/model/{model}/converse",
        "cohere_chat": "/v2/chat",
        "cohere_embed": "/v2/embed",
        "voyage_embed": "/embeddings",
        "jina_embed": "/embeddings",
        "nomic_embed": "/embedding/text",
        "titan_embed": "/model/{model}/invoke",
        "vertex_embed": "/publishers/google/models/{model}:predict",
        "cohere_rerank": "/v2/rerank",
        "jina_rerank": "/rerank",
        "voyage_rerank": "/rerank",
        "stability_image": "/v2beta/stable-image/generate/{model}",
        "vertex_image": "/publishers/google/models/{model}:predict",
        "elevenlabs_speech": "/text-to-speech",
        "elevenlabs_transcription": "/speech-to-text",
        "deepgram_speech": "/speak",
        "deepgram_transcription": "/listen",
        "mistral_moderations": "/moderations",
    }
)
# Instead of these where a stream is asked for by the path.
STREAM_PATHS = MappingProxyType(
    {
        "generate": "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        "converse": "/model/{model}/converse-stream",
    }
)
# Where a body states the most tokens to generate, as the path of members.
LIMITS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "chat": ("max_tokens",),
        "completions": ("max_tokens",),
        "responses": ("max_output_tokens",),
        "messages": ("max_tokens",),
        "generate": ("generationConfig", "maxOutputTokens"),
        "converse": ("inferenceConfig", "maxTokens"),
        "cohere_chat": ("max_tokens",),
    }
)


def family_of(operation: str) -> tuple[str, ...]:
    """The operations that a request for this one may be translated to, itself among them."""
    return next((family for family in FAMILIES.values() if operation in family), (operation,))
