"""The clouds: their own ways to sign, addresses with settings in them, and models that are asked in their maker's dialect."""

from types import MappingProxyType

from msgspec.structs import replace

from fastgw.providers.making import OPENAI_OPERATIONS, compatible, limits, named, only, paths, quirks
from fastgw.providers.row import Provider, UsageDialect, Variant

CLAUDE_VERSION = (("anthropic-version", "2023-06-01"),)
GOOGLE_MODELS = "/publishers/google/models/{model}"
PROJECT = "/v1/projects/{project}/locations/{region}"


def claude(pattern: str, path: str, stream_path: str = "", *, body: str = "", auth_field: str | None = None) -> Variant:
    """Claude models, which are asked in Anthropic's dialect; body: the quirk of a body that is not quite that."""
    operations = frozenset({"messages"})
    return Variant(
        name="anthropic",
        pattern=pattern,
        operations=operations,
        generation=("messages",),
        paths=paths(messages=path),
        stream_paths=paths(messages=stream_path) if stream_path else paths(),
        quirks=quirks(messages=body) if body else MappingProxyType({}),
        rewritten=operations if body else frozenset(),
        extra_fields=() if body else CLAUDE_VERSION,
        unsupported=frozenset(),
        output_limit=limits(operations),
        usage=UsageDialect.ANTHROPIC,
        stream_options=False,
        auth_field=auth_field,
    )


def chats(name: str, pattern: str, chat: str, stream: str = "", *, responses: str = "", quirk: str = "max_tokens") -> Variant:
    """Models that are asked in OpenAI's chat dialect, and by its Responses API where there is a path for that."""
    asked = {"chat": chat} | ({"responses": responses} if responses else {})
    operations = frozenset(asked)
    return Variant(
        name=name,
        pattern=pattern,
        operations=operations,
        generation=("chat",),
        paths=MappingProxyType(asked),
        stream_paths=paths(chat=stream) if stream else paths(),
        quirks=quirks(chat=quirk),
        output_limit=limits(operations),
        usage=UsageDialect.OPENAI,
        unsupported=frozenset({"stream_options"}) if "mistral" in quirk.split() else None,
        stream_options="mistral" not in quirk.split(),
    )


AZURE_OPENAI = replace(
    compatible(
        "azure-openai", "Azure OpenAI", "https://{resource}.openai.azure.com",
        "https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        aliases="azure", operations=" ".join(OPENAI_OPERATIONS - {"moderations"}), chat="", auth="entra", auth_field="api-key",
        auth_prefix="", prefix="/openai/v1", requires=("azure.resource",),
        # Its own table holds what it sells otherwise than the makers do.
        catalog="azure openai deepseek x-ai moonshotai",
        note="with `api_version`, requests go to `/openai/deployments/MODEL/...?api-version=VERSION`; without it, to `/openai/v1`",
    ),
    versioned_prefix="/openai/deployments/{model}",
    version_query="api-version",
)  # fmt: skip

AZURE_AI = compatible(
    "azure-ai", "Microsoft Foundry (Azure AI)", "https://{resource}.services.ai.azure.com/openai/v1",
    "https://learn.microsoft.com/azure/ai-foundry/foundry-models/concepts/endpoints",
    aliases="azure-ai-inference azure-ai-foundry azure-cognitive-services foundry", auth="entra", auth_field="api-key", auth_prefix="",
    also="completions embeddings responses images speech transcriptions translations files batches", requires=("azure.resource",),
    chat="", catalog="azure openai anthropic deepseek x-ai moonshotai mistral cohere", models_dev="azure",
    variants=(
        claude("claude", "^/anthropic/v1/messages", auth_field="x-api-key"),
        only("cohere", r"rerank", "cohere_rerank", "^/providers/cohere/v2/rerank"),
    ),
)  # fmt: skip

BEDROCK = Provider(
    name="bedrock",
    title="Amazon Bedrock",
    docs_url="https://docs.aws.amazon.com/bedrock/latest/APIReference/",
    note="`model` may be the id, an inference profile or the ARN of either",
    aliases=("aws-bedrock", "amazon-bedrock", "bedrock-converse"),
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    prefix="",
    auth="aws",
    aws_service="bedrock",
    requires=("aws.region",),
    native="bedrock",
    operations=named("converse"),
    generation=("converse",),
    output_limit=limits(frozenset({"converse"})),
    usage=UsageDialect.NONE,
    catalog_ids=("aws",),
    variants=(
        chats("openai", r"(^|\.)openai\.", "/openai/v1/chat/completions", responses="/openai/v1/responses"),
        only("titan", r"amazon\.titan-embed", "titan_embed", "/model/{model}/invoke"),
        only("cohere", r"cohere\.embed", "cohere_embed", "/model/{model}/invoke", "bedrock"),
        only("rerank", r"cohere\.rerank", "cohere_rerank", "/model/{model}/invoke", "bedrock"),
        only("stability", r"stability\.", "stability_image", "/model/{model}/invoke", "bedrock"),
    ),
)

BEDROCK_MANTLE = compatible(
    "bedrock-mantle", "Amazon Bedrock (Mantle)", "https://bedrock-mantle.{region}.api.aws/v1",
    "https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html",
    also="responses", chat="max_tokens", auth="aws", aws_service="bedrock-mantle", requires=("aws.region",), catalog="aws",
    models_dev="amazon-bedrock",
    variants=(
        claude(r"anthropic\.", "^/anthropic/v1/messages"),
        # these are refused on the other route
        Variant(
            name="openai", pattern=r"openai\.gpt-[5-9]|^xai\.",
            paths=paths(chat="^/openai/v1/chat/completions", responses="^/openai/v1/responses"),
        ),
    ),
)  # fmt: skip

CLAUDE_AWS = Provider(
    name="claude-platform-aws",
    title="Claude Platform on AWS",
    docs_url="https://platform.claude.com/docs/en/build-with-claude/claude-platform-on-aws",
    note="the workspace goes into `headers = { anthropic-workspace-id = \"...\" }`",
    base_url="https://aws-external-anthropic.{region}.api.aws/v1",
    prefix="/v1",
    auth="aws",
    auth_field="x-api-key",
    auth_prefix="",
    aws_service="aws-external-anthropic",
    requires=("aws.region",),
    extra_fields=CLAUDE_VERSION,
    operations=named("messages count_tokens models"),
    generation=("messages",),
    output_limit=limits(frozenset({"messages"})),
    usage=UsageDialect.ANTHROPIC,
    catalog_ids=("anthropic",),
    models_dev_ids=("anthropic",),
)

SAGEMAKER = replace(
    compatible(
        "sagemaker", "Amazon SageMaker", "https://runtime.sagemaker.{region}.amazonaws.com",
        "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html",
        aliases="sagemaker-chat", operations="chat", auth="aws", aws_service="sagemaker", requires=("aws.region",), prefix="",
        paths=paths(chat="/endpoints/{model}/invocations"), unsupported="stream stream_options", stream_options=False,
        note="`model` is the endpoint, whose container must speak OpenAI's dialect (vLLM, TGI, LMI); replies are asked for whole",
    ),
    rewritten=frozenset({"chat"}),
)  # fmt: skip

VERTEX = Provider(
    name="vertex-ai",
    title="Google Vertex AI",
    docs_url="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest",
    note="publishers google, anthropic, mistralai, ai21, those of the openapi endpoint (`meta/...`), and `endpoints/ID` of one's own",
    aliases=("google-vertex", "google-vertex-ai", "google-vertex-anthropic", "vertex"),
    base_url="https://{region}-aiplatform.googleapis.com",
    regional=MappingProxyType(
        {
            "global": "https://aiplatform.googleapis.com",
            "us": "https://aiplatform.us.rep.googleapis.com",
            "eu": "https://aiplatform.eu.rep.googleapis.com",
        }
    ),
    prefix=PROJECT,
    cut="",
    auth="google",
    auth_field="x-goog-api-key",
    auth_prefix="",
    requires=("google.project", "google.region"),
    defaults=MappingProxyType({"google.region": "global"}),
    operations=named("generate embed count_tokens"),
    generation=("generate",),
    paths=paths(
        generate=f"{GOOGLE_MODELS}:generateContent", embed=f"{GOOGLE_MODELS}:embedContent", count_tokens=f"{GOOGLE_MODELS}:countTokens"
    ),
    stream_paths=paths(generate=f"{GOOGLE_MODELS}:streamGenerateContent?alt=sse"),
    quirks=quirks(generate="vertex"),
    output_limit=limits(frozenset({"generate"})),
    usage=UsageDialect.GEMINI,
    catalog_ids=("google", "anthropic", "mistral"),
    variants=(
        chats("endpoint", r"^endpoints/", "/{model_path}/chat/completions"),
        claude(
            r"^claude", "/publishers/anthropic/models/{model}:rawPredict", "/publishers/anthropic/models/{model}:streamRawPredict",
            body="vertex",
        ),
        chats(
            "mistral", r"^(mistral|codestral|ministral)", "/publishers/mistralai/models/{model}:rawPredict",
            "/publishers/mistralai/models/{model}:streamRawPredict", quirk="mistral max_tokens system_role",
        ),
        chats("ai21", r"^jamba", "/publishers/ai21/models/{model}:rawPredict", "/publishers/ai21/models/{model}:streamRawPredict"),
        # gemini-embedding-2 and later are asked by embedContent, the row's own way
        only("embedding", r"^(gemini-embedding-001|text-embedding|text-multilingual|textembedding)", "vertex_embed",
             f"{GOOGLE_MODELS}:predict"),
        only("imagen", r"^imagen", "vertex_image", f"{GOOGLE_MODELS}:predict"),
        chats("openapi", r"^(?!google/)[a-z0-9-]+/|-maas$", "/endpoints/openapi/chat/completions"),
    ),
)  # fmt: skip

VERTEX_EXPRESS = Provider(
    name="vertex-ai-express",
    title="Google Vertex AI, express mode (API key)",
    docs_url="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/start/express-mode/overview",
    aliases=("vertex-express",),
    base_url="https://aiplatform.googleapis.com/v1",
    prefix="/v1",
    cut="",
    auth="field",
    auth_field="x-goog-api-key",
    auth_prefix="",
    operations=named("generate count_tokens"),
    generation=("generate",),
    paths=paths(generate=f"{GOOGLE_MODELS}:generateContent", count_tokens=f"{GOOGLE_MODELS}:countTokens"),
    stream_paths=paths(generate=f"{GOOGLE_MODELS}:streamGenerateContent?alt=sse"),
    quirks=quirks(generate="vertex"),
    output_limit=limits(frozenset({"generate"})),
    usage=UsageDialect.GEMINI,
    catalog_ids=("google",),
)

ORACLE = compatible(
    "oracle", "Oracle Cloud (OCI Generative AI)", "https://inference.generativeai.{region}.oci.oraclecloud.com/openai/v1",
    "https://docs.oracle.com/en-us/iaas/Content/generative-ai/openai-compatible-api.htm",
    aliases="oci", also="responses", auth="oci", requires=("oracle.region",),
    note="by its OpenAI-compatible API; models that only the native one serves are not reached",
)  # fmt: skip

DATABRICKS = compatible(
    "databricks", "Databricks", "https://{host}/serving-endpoints",
    "https://docs.databricks.com/aws/en/machine-learning/model-serving/score-foundation-models",
    also="embeddings responses messages", paths=paths(messages="/anthropic/v1/messages"), generation=("chat",),
    requires=("settings.host",), catalog="databricks",
)  # fmt: skip

SNOWFLAKE = compatible(
    "snowflake", "Snowflake Cortex", "https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
    "https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api",
    aliases="cortex snowflake-cortex", also="messages", chat="reasoning_object echo_reasoning_details", generation=("chat",),
    requires=("settings.account",),
)  # fmt: skip

WATSONX = compatible(
    "watsonx", "IBM watsonx.ai (model gateway)", "https://{region}.ml.cloud.ibm.com/ml/gateway/v1",
    "https://www.ibm.com/docs/en/watsonx/saas?topic=generation-inferencing-gateway-models",
    aliases="ibm-watsonx watson", also="completions embeddings", auth="ibm", requires=("settings.region",),
    note="`api_key` is the IBM Cloud API key, which is exchanged for tokens",
)  # fmt: skip

WORKERS_AI = compatible(
    "workers-ai", "Cloudflare Workers AI", "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1",
    "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/",
    aliases="cloudflare cloudflare-workers-ai", also="embeddings responses", requires=("settings.account_id",), catalog="cloudflare",
)  # fmt: skip

CLOUDFLARE_GATEWAY = compatible(
    "cloudflare-ai-gateway", "Cloudflare AI Gateway", "https://gateway.ai.cloudflare.com/v1/{account_id}/{gateway_id}/compat",
    "https://developers.cloudflare.com/ai-gateway/usage/chat-completion/",
    auth="field", auth_field="cf-aig-authorization", requires=("settings.account_id", "settings.gateway_id"),
)  # fmt: skip

HEROKU = compatible(
    "heroku", "Heroku Managed Inference", "https://{region}.inference.heroku.com/v1",
    "https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions",
    also="embeddings images", requires=("settings.region",), defaults={"settings.region": "us"},
)  # fmt: skip

PREDIBASE = compatible(
    "predibase", "Predibase", "https://serving.app.predibase.com", "https://docs.predibase.com/user-guide/inference/rest_api",
    operations="chat", prefix="", requires=("settings.tenant",),
    paths=paths(chat="/{tenant}/deployments/v2/llms/{model}/v1/chat/completions"),
)  # fmt: skip

CLOUDS = (
    AZURE_OPENAI, AZURE_AI, BEDROCK, BEDROCK_MANTLE, CLAUDE_AWS, SAGEMAKER, VERTEX, VERTEX_EXPRESS, ORACLE, DATABRICKS, SNOWFLAKE,
    WATSONX, WORKERS_AI, CLOUDFLARE_GATEWAY, HEROKU, PREDIBASE,
)  # fmt: skip
