"""Providers of one thing (vectors, ranks, pictures), and those whose API only passes."""

from types import MappingProxyType

from fastgw.providers.making import compatible, named, passing, prefix_of
from fastgw.providers.row import Provider, UsageDialect


def single(
    name: str, title: str, base_url: str, docs_url: str, operations: str, *, aliases: str = "", catalog: str = "",
    auth_field: str = "authorization", auth_prefix: str = "Bearer ",
) -> Provider:
    """A provider that generates no text."""
    return Provider(
        name=name,
        title=title,
        docs_url=docs_url,
        aliases=tuple(aliases.split()),
        base_url=base_url,
        prefix=prefix_of(base_url),
        auth="bearer" if auth_prefix == "Bearer " else "field",
        auth_field=auth_field,
        auth_prefix=auth_prefix,
        operations=named(operations),
        output_limit=MappingProxyType({}),
        usage=UsageDialect.NONE,
        catalog_ids=tuple(catalog.split()),
    )


SPECIAL = (
    single("voyage", "Voyage AI", "https://api.voyageai.com/v1", "https://docs.voyageai.com/reference", "voyage_embed voyage_rerank",
           aliases="voyageai voyage-ai", catalog="voyageai"),
    single("jina", "Jina AI", "https://api.jina.ai/v1", "https://jina.ai/embeddings", "jina_embed jina_rerank", aliases="jina-ai"),
    single("nomic", "Nomic Atlas", "https://api-atlas.nomic.ai/v1", "https://docs.nomic.ai/reference", "nomic_embed", aliases="nomic-ai"),
    single("stability-ai", "Stability AI", "https://api.stability.ai", "https://platform.stability.ai/docs/api-reference",
           "stability_image", aliases="stability"),
    compatible("recraft-ai", "Recraft", "https://external.api.recraft.ai/v1", "https://www.recraft.ai/docs", operations="images",
               aliases="recraft"),
    passing("segmind", "Segmind", "https://api.segmind.com/v1", "https://docs.segmind.com", auth_field="x-api-key", auth_prefix="",
            note="one path for each model"),
    passing("replicate", "Replicate", "https://api.replicate.com/v1", "https://replicate.com/docs/reference/http", note="predictions"),
    passing("fal-ai", "fal", "https://fal.run", "https://docs.fal.ai", auth_prefix="Key ", note="one path for each model", aliases="fal"),
    single("deepgram", "Deepgram", "https://api.deepgram.com/v1", "https://developers.deepgram.com/reference",
           "deepgram_speech deepgram_transcription", auth_prefix="Token "),
    single("elevenlabs", "ElevenLabs", "https://api.elevenlabs.io/v1", "https://elevenlabs.io/docs/api-reference",
           "elevenlabs_speech elevenlabs_transcription", auth_field="xi-api-key", auth_prefix=""),
    passing("meshy", "Meshy", "https://api.meshy.ai/openapi/v2", "https://docs.meshy.ai", note="three-dimensional models"),
    passing("tripo3d", "Tripo", "https://api.tripo3d.ai/v2/openapi", "https://platform.tripo3d.ai/docs", note="three-dimensional models"),
    passing("scenario-ai", "Scenario", "https://api.cloud.scenario.com/v1", "https://docs.scenario.com", auth_prefix="Basic ",
            note="pictures; api_key is base64 of KEY:SECRET", aliases="scenario"),
    passing("qdrant", "Qdrant", "", "https://api.qdrant.tech", auth_field="api-key", auth_prefix="", note="a vector database"),
    passing("milvus", "Milvus, Zilliz Cloud", "", "https://milvus.io/api-reference/restful", note="a vector database"),
    passing("pinecone", "Pinecone", "https://api.pinecone.io", "https://docs.pinecone.io/reference", auth_field="api-key", auth_prefix="",
            note="a vector database, with embeddings and ranks; an index has an address of its own"),
    passing("latitude", "Latitude", "https://gateway.latitude.so/api/v3", "https://docs.latitude.so", note="runs prompts that it keeps"),
    passing("palm", "Google PaLM API", "https://generativelanguage.googleapis.com/v1beta3", "https://ai.google.dev/palm_docs",
            auth_field="x-goog-api-key", auth_prefix="", note="shut down by Google; use `gemini`"),
)  # fmt: skip
