"""LiteLLM's names: its providers, parameters, variables and prices, and why some of them have no place here."""

import re
from types import MappingProxyType
from typing import Final

# Prefixes of LiteLLM's that our table has under another name.
PREFIXES: Final = MappingProxyType(
    {
        "ollama_chat": "ollama", "text-completion-openai": "openai", "azure_text": "azure-openai", "vertex_ai_beta": "vertex-ai",
        "openai_like": "openai-compatible", "anthropic_text": "anthropic", "text-completion-codestral": "mistral-ai",
        "codestral": "mistral-ai",
    }
)  # fmt: skip
# What a model without a prefix is taken for.
BEGINNINGS: Final = (
    (("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "dall-e", "whisper", "tts-", "ft:gpt-", "omni-moderation"), "openai"),
    (("claude-",), "anthropic"),
    (("gemini-",), "vertex-ai"),
    (("command-", "embed-english", "embed-multilingual", "rerank-"), "cohere"),
)
# Where LiteLLM looks for a key that is not stated.
KEYS: Final = MappingProxyType(
    {
        "openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "azure-openai": "AZURE_API_KEY", "azure-ai": "AZURE_AI_API_KEY",
        "gemini": "GEMINI_API_KEY", "mistral-ai": "MISTRAL_API_KEY", "cohere": "COHERE_API_KEY", "groq": "GROQ_API_KEY",
        "together-ai": "TOGETHERAI_API_KEY", "fireworks-ai": "FIREWORKS_API_KEY", "deepseek": "DEEPSEEK_API_KEY", "x-ai": "XAI_API_KEY",
        "perplexity-ai": "PERPLEXITYAI_API_KEY", "openrouter": "OPENROUTER_API_KEY", "huggingface": "HUGGINGFACE_API_KEY",
        "nvidia-nim": "NVIDIA_NIM_API_KEY", "cerebras": "CEREBRAS_API_KEY", "deepinfra": "DEEPINFRA_API_KEY", "voyage": "VOYAGE_API_KEY",
        "jina": "JINA_AI_API_KEY", "databricks": "DATABRICKS_API_KEY", "replicate": "REPLICATE_API_KEY", "sambanova": "SAMBANOVA_API_KEY",
    }
)  # fmt: skip
# Parameters to places in an integration; those of the second kind are credentials.
PLACES: Final = MappingProxyType(
    {
        "aws_region_name": "aws.region", "aws_role_name": "aws.role_arn", "aws_session_name": "aws.role_session",
        "aws_external_id": "aws.external_id", "vertex_project": "google.project", "vertex_ai_project": "google.project",
        "vertex_location": "google.region", "vertex_ai_location": "google.region", "tenant_id": "azure.tenant_id",
        "client_id": "azure.client_id", "oci_region": "oracle.region", "oci_user": "oracle.user", "oci_tenancy": "oracle.tenancy",
        "oci_fingerprint": "oracle.fingerprint", "oci_compartment_id": "oracle.compartment",
    }
)  # fmt: skip
SECRETS: Final = MappingProxyType(
    {
        "aws_access_key_id": "aws.access_key_id", "aws_secret_access_key": "aws.secret_access_key",
        "aws_session_token": "aws.session_token", "client_secret": "azure.client_secret", "oci_key": "oracle.private_key",
    }
)  # fmt: skip
GROUPS: Final = MappingProxyType({"aws": "aws", "google": "google", "azure": "entra", "oracle": "oci"})
# Where LiteLLM looks for a place that is not stated, by the ways to sign that need it.
FROM_ENVIRONMENT: Final = MappingProxyType(
    {
        "aws.region": ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
        "google.project": ("VERTEXAI_PROJECT", "GOOGLE_CLOUD_PROJECT"),
        "google.region": ("VERTEXAI_LOCATION",),
        "oracle.region": ("OCI_REGION",),
    }
)
PRICES: Final = MappingProxyType(
    {
        "input_cost_per_token": "input", "output_cost_per_token": "output", "cache_read_input_token_cost": "cache_read",
        "cache_creation_input_token_cost": "cache_write", "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
        "input_cost_per_audio_token": "audio_input", "output_cost_per_audio_token": "audio_output",
    }
)  # fmt: skip
REASONS: Final = MappingProxyType(
    {
        "rpm": "a hint for LiteLLM's router only: limits are set for keys and workspaces (`rate`)",
        "tpm": "a hint for LiteLLM's router only: limits are set for keys and workspaces (`rate`)",
        "tags": "no routing by tags: use a conditional model with metadata",
        "tag_regex": "no routing by tags: use a conditional model with metadata",
        "max_parallel_requests": "limits of requests at once are set for keys and workspaces (`max_parallel`)",
        "mock_response": "use `fastgw mock` as a provider",
        "max_budget": "budgets are set for keys and workspaces",
        "budget_duration": "budgets are set for keys and workspaces",
        "cooldown_time": "set `breaker` at the model",
        "azure_ad_token": "state `azure.token`, or what tokens are fetched by: tenant_id, client_id and client_secret, or an identity",
        "region_name": "no routing by region",
    }
)
INFO_REASONS: Final = MappingProxyType(
    {
        "id": "integrations and aliases have names",
        "base_model": "the price table has no one price for it: state it under [prices]",
        "access_groups": "list the models that a key may use in its `models`",
        "team_id": "list the models that a workspace may use in its `models`",
        "health_check_model": "targets are judged by the requests that they serve",
    }
)
LIMITS: Final = (("max_input_tokens", "context_tokens"), ("max_output_tokens", "max_output_tokens"), ("max_tokens", "max_output_tokens"))
RATES: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_output")
REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]")
# Parts of a model's name that only say how LiteLLM asks for it.
WAYS: Final = MappingProxyType(
    {
        "bedrock": ("converse", "converse_like", "invoke"),
        "azure-openai": ("responses", "o_series", "gpt5_series"),
        "openai": ("responses", "chat"),
    }
)
