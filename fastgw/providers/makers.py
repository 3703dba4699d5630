"""The makers whose dialects others speak, and those who have one of their own."""

from fastgw.providers.making import OPENAI_OPERATIONS, compatible, limits, named, only, paths, quirks
from fastgw.providers.row import Provider, UsageDialect

OPENAI = compatible(
    "openai", "OpenAI", "https://api.openai.com/v1", "https://platform.openai.com/docs/api-reference",
    operations=" ".join(OPENAI_OPERATIONS), chat="", catalog="openai",
)  # fmt: skip

ANTHROPIC = Provider(
    name="anthropic",
    title="Anthropic",
    docs_url="https://docs.claude.com/en/api",
    note="adds `anthropic-version: 2023-06-01` where the caller sent none",
    base_url="https://api.anthropic.com/v1",
    prefix="/v1",
    auth="field",
    auth_field="x-api-key",
    auth_prefix="",
    extra_fields=(("anthropic-version", "2023-06-01"),),
    operations=named("messages count_tokens files batches models"),
    generation=("messages",),
    output_limit=limits(frozenset({"messages"})),
    usage=UsageDialect.ANTHROPIC,
    catalog_ids=("anthropic",),
)

GEMINI = Provider(
    name="gemini",
    title="Google AI Studio (Gemini API)",
    docs_url="https://ai.google.dev/api",
    note="callers write `/v1` or `/v1beta` themselves, so it has no prefix",
    aliases=("google", "google-ai-studio"),
    base_url="https://generativelanguage.googleapis.com",
    prefix="",
    cut="",
    auth="field",
    auth_field="x-goog-api-key",
    auth_prefix="",
    operations=named("generate embed count_tokens files batches models"),
    generation=("generate",),
    paths=paths(count_tokens="/v1beta/models/{model}:countTokens"),
    output_limit=limits(frozenset({"generate"})),
    usage=UsageDialect.GEMINI,
    catalog_ids=("google",),
    variants=(only("imagen", r"^imagen", "vertex_image", "/v1beta/models/{model}:predict"),),
)

MISTRAL = compatible(
    "mistral-ai", "Mistral AI", "https://api.mistral.ai/v1", "https://docs.mistral.ai/api/",
    aliases="mistral mistralai", also="embeddings mistral_moderations transcriptions files batches", catalog="mistral",
    chat="mistral max_tokens system_role", unsupported="stream_options metadata", stream_options=False,
    paths=paths(chat="/{chat}/completions"), requires=("settings.chat",), defaults={"settings.chat": "chat"},
    note="states the usage of every stream unasked, and refuses members that it does not know; with `settings.chat = \"fim\"`, chats are"
    " asked at `/fim/completions` and have `prompt` and `suffix`",
)  # fmt: skip

COHERE = Provider(
    name="cohere",
    title="Cohere",
    docs_url="https://docs.cohere.com/reference/about",
    aliases=("cohere-chat",),
    note="callers write `/v1` or `/v2` themselves, so it has no prefix",
    base_url="https://api.cohere.com",
    prefix="",
    cut="",
    operations=named("cohere_chat cohere_embed cohere_rerank models"),
    generation=("cohere_chat",),
    paths=paths(models="/v1/models"),
    unsupported=frozenset({"logit_bias", "n", "parallel_tool_calls", "user", "service_tier"}),
    output_limit=limits(frozenset({"cohere_chat"})),
    usage=UsageDialect.COHERE,
    catalog_ids=("cohere",),
)

DEEPSEEK = compatible(
    "deepseek", "DeepSeek", "https://api.deepseek.com", "https://api-docs.deepseek.com",
    also="responses messages", prefix="", paths=paths(messages="/anthropic/v1/messages"), generation=("chat", "messages"),
    chat="max_tokens system_role no_json_schema text_content thinking_type echo_reasoning_content", catalog="deepseek",
    unsupported="parallel_tool_calls logit_bias n seed user service_tier",
)  # fmt: skip

XAI = compatible(
    "x-ai", "xAI", "https://api.x.ai/v1", "https://docs.x.ai/docs/api-reference",
    aliases="xai grok", also="completions embeddings responses images", chat="", catalog="x-ai", unsupported="logit_bias",
)  # fmt: skip

PERPLEXITY = compatible(
    "perplexity-ai", "Perplexity", "https://api.perplexity.ai", "https://docs.perplexity.ai/api-reference",
    aliases="perplexity perplexity-agent", also="responses embeddings", prefix="", catalog="perplexity",
    paths=paths(responses="/v1/responses", embeddings="/v1/embeddings"), generation=("chat",),
    chat="max_tokens system_role", unsupported="tools tool_choice parallel_tool_calls logit_bias n seed user",
)  # fmt: skip

MAKERS = (OPENAI, ANTHROPIC, GEMINI, MISTRAL, COHERE, DEEPSEEK, XAI, PERPLEXITY)

# Of no maker: whoever speaks OpenAI's dialect at an address that the config states.
OPENAI_COMPATIBLE = compatible(
    "openai-compatible", "any server that speaks OpenAI's dialect", "", "https://platform.openai.com/docs/api-reference",
    operations=" ".join((*OPENAI_OPERATIONS, "rerank")), generation=("chat",), prefix="/v1", aliases="custom custom-openai",
    note="has no price table: state prices under `[prices.\"openai-compatible/MODEL\"]` or in the alias",
)  # fmt: skip
ANTHROPIC_COMPATIBLE = Provider(
    name="anthropic-compatible",
    title="any server that speaks Anthropic's dialect",
    docs_url="https://docs.claude.com/en/api",
    prefix="/v1",
    auth="field",
    auth_field="x-api-key",
    auth_prefix="",
    extra_fields=(("anthropic-version", "2023-06-01"),),
    operations=named("messages count_tokens models"),
    generation=("messages",),
    quirks=quirks(messages="no_output_format"),
    output_limit=limits(frozenset({"messages"})),
    usage=UsageDialect.ANTHROPIC,
)
