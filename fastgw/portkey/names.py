"""The names that Portkey's wire has: header fields, settings of providers, providers.

source  Portkey-AI/gateway 1.15.2 and 2.2.3, docs-core of 2026-08-21; docs/portkey.md has them all
"""

from typing import Final

PREFIX: Final = "x-portkey-"
# What portkey-ai puts into Authorization where it was given no key of a provider.
PLACEHOLDER: Final = "OPENAI_API_KEY"

PROVIDERS: Final = frozenset(
    "302ai ai21 aibadgr anthropic anyscale azure-ai azure-openai bedrock bytez cerebras cohere cometapi cortex dashscope databricks"
    " deepbricks deepinfra deepseek featherless-ai fireworks-ai github google groq huggingface hyperbolic inference-net iointelligence"
    " jina kluster-ai krutrim lambda latitude lemonfox-ai lepton lingyi matterai meshy milvus mistral-ai modal monsterapi moonshot"
    " ncompass nebius nextbit nomic novita-ai nscale ollama openai openrouter oracle ovhcloud palm perplexity-ai pinecone portkey"
    " predibase qdrant recraft-ai reka-ai replicate sagemaker sambanova segmind siliconflow stability-ai together-ai tripo3d triton"
    " upstage vertex-ai voyage workers-ai x-ai z-ai zhipu".split()
)

# Settings of providers: as members of a config, and with dashes for underscores as x-portkey-* fields.
SETTINGS: Final = frozenset(
    "azure_resource_name azure_deployment_id azure_api_version azure_ad_token azure_auth_mode azure_managed_client_id"
    " azure_workload_client_id azure_entra_client_id azure_entra_client_secret azure_entra_tenant_id azure_entra_scope azure_model_name"
    " azure_endpoint_name azure_foundry_url azure_extra_params azure_region azure_deployment_type azure_deployment_name"
    " aws_access_key_id aws_secret_access_key aws_session_token aws_region aws_role_arn aws_auth_type aws_external_id aws_s3_bucket"
    " aws_s3_object_key aws_bedrock_model amz_server_side_encryption amz_server_side_encryption_aws_kms_key_id"
    " amzn_sagemaker_custom_attributes amzn_sagemaker_target_model amzn_sagemaker_target_variant"
    " amzn_sagemaker_target_container_hostname amzn_sagemaker_inference_id amzn_sagemaker_enable_explanations"
    " amzn_sagemaker_inference_component amzn_sagemaker_session_id amzn_sagemaker_model_name"
    " vertex_project_id vertex_region vertex_storage_bucket_name vertex_service_account_json vertex_auth_type"
    " vertex_skip_ptu_cost_attribution workers_ai_account_id huggingface_base_url fireworks_account_id stability_client_id"
    " stability_client_user_id stability_client_version snowflake_account oracle_api_version oracle_region oracle_compartment_id"
    " oracle_serving_mode oracle_tenancy oracle_user oracle_fingerprint oracle_private_key oracle_key_passphrase openai_organization"
    " openai_project openai_beta anthropic_beta anthropic_version provider_model provider_file_name provider_batch_endpoint"
    " file_purpose file_upload_size mistral_fim_completion".split()
)
# Older names of members of a config.
LEGACY_SETTINGS: Final = {
    "resource_name": "azure_resource_name", "deployment_id": "azure_deployment_id", "api_version": "azure_api_version",
}  # fmt: skip

# Fields that say something of one request only: they change neither where it goes nor how.
PASSING: Final = frozenset(
    "api-key trace-id span-id span-name parent-span-id metadata package-version runtime runtime-version audio-file-duration"
    " cache-force-refresh cache-namespace cache-ttl debug sensitive-headers ignore-service-log override-service-log-usage".split()
)
# Known, and without a meaning here; docs/portkey.md says why.
IDLE: Final = frozenset(
    "mode config-slug config-id config-version refresh-prompt-cache prompt-id prompt-slug prompt-version-id nitro-mode beta"
    " fetch-integrated-models calculate-audio-duration".split()
)


def field_name(setting: str) -> str:
    """The header field of a setting."""
    return PREFIX + setting.replace("_", "-")


def camel(name: str) -> str:
    """A snake_case name in camelCase: on_status_codes is onStatusCodes."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
