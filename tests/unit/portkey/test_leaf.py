"""Promises of a leaf: what a request states of a provider becomes the integration, the settings and the fields that Portkey would use."""

from collections.abc import Mapping

import pytest

from fastgw.snapshot.config import Secret
from tests.unit.portkey.test_plan import only, planned, refusal


@pytest.mark.parametrize(
    ("fields", "document"),
    [
        ({"provider": "bedrock", "aws_access_key_id": "a", "aws_secret_access_key": "s", "aws_region": "eu-west-1"},
         {"aws": {"region": "eu-west-1"}}),
        ({"provider": "azure-openai", "azure_resource_name": "res", "azure_deployment_id": "dep", "azure_api_version": "2024-10-21",
          "authorization": "Bearer k"}, {"api_version": "2024-10-21", "azure": {"resource": "res"}}),
        ({"provider": "azure-openai", "azure_resource_name": "r", "azure_entra_tenant_id": "t", "azure_entra_client_id": "c",
          "azure_entra_client_secret": "s", "azure_auth_mode": "entra"}, {"azure": {"identity": "client_secret", "tenant_id": "t"}}),
        ({"provider": "vertex-ai", "vertex_project_id": "p", "vertex_region": "us-central1", "authorization": "Bearer ya29"},
         {"google": {"project": "p", "region": "us-central1"}}),
        ({"provider": "workers-ai", "workers_ai_account_id": "acc", "authorization": "Bearer k"}, {"settings": {"account_id": "acc"}}),
        ({"provider": "fireworks-ai", "fireworks_account_id": "acc", "authorization": "Bearer k"}, {"settings": {"account_id": "acc"}}),
        ({"provider": "azure-openai", "azure_resource_name": "r", "azure_ad_token": "Bearer ey.J", "authorization": "k",
          "azure_entra_tenant_id": "t", "azure_entra_client_id": "c", "azure_entra_client_secret": "s", "azure_auth_mode": "managed"},
         {"azure": {"token": Secret("ey.J"), "identity": None}, "api_key": None}),
        ({"provider": "azure-ai", "azure_foundry_url": "https://r.services.ai.azure.com/models", "azure_ad_token": "ey.J"},
         {"azure": {"token": Secret("ey.J")}, "base_url": "https://r.services.ai.azure.com/models"}),
        ({"provider": "azure-ai", "azure_endpoint_name": "Ours", "azure_region": "eastus2", "authorization": "k"},
         {"azure": {"token": Secret("k")}, "api_key": None, "base_url": "https://ours.eastus2.inference.ml.azure.com/score"}),
        ({"provider": "azure-ai", "azure_deployment_type": "serverless", "azure_deployment_name": "Llama-70b", "azure_region": "westus",
          "azure_ad_token": "ey.J"}, {"azure": {"token": Secret("ey.J")}, "base_url": "https://llama-70b.westus.models.ai.azure.com/v1"}),
        ({"provider": "azure-ai", "azure_endpoint_name": "x", "azure_foundry_url": "https://r.services.ai.azure.com/models",
          "authorization": "k"}, {"api_key": Secret("k"), "base_url": "https://r.services.ai.azure.com/models"}),
        ({"provider": "azure-openai", "azure_resource_name": "r", "azure_endpoint_name": "x", "authorization": "k"}, {"base_url": None}),
        ({"provider": "bedrock", "aws_s3_bucket": "b", "aws_s3_object_key": "o", "aws_region": "us-east-1", "authorization": "k",
          "provider_file_name": "f", "provider_batch_endpoint": "/v1/embeddings", "file_purpose": "batch"},
         {"aws": {"region": "us-east-1"}, "settings": {}}),
        ({"provider": "ollama", "custom_host": "https://o.example"}, {"base_url": "https://o.example"}),
        ({"provider": "huggingface", "huggingface_base_url": "https://h.example/v1", "authorization": "k"}, {"base_url": "https://h.example/v1"}),
        ({"provider": "mistral-ai", "authorization": "Bearer k", "aws_region": "ignored"}, {"provider": "mistral-ai"}),
        ({"provider": "together-ai", "authorization": "Bearer k"}, {}),
        ({"provider": "google", "authorization": "Bearer k"}, {"provider": "gemini"}),
    ],
)  # fmt: skip
def test_credentials_of_every_kind_become_integrations(fields: dict[str, str], document: dict[str, object]) -> None:
    """The provider's settings in the fields are those of an integration of the file."""
    _, integration = only(planned(**fields))
    for name, value in document.items():
        found = getattr(integration, name)
        if isinstance(value, dict) and not isinstance(found, Mapping):
            assert {inner: getattr(found, inner) for inner in value} == value
        else:
            assert found == value


@pytest.mark.parametrize("stated", [{"mistral_fim_completion": "true"}, {"mistralFimCompletion": True}])
@pytest.mark.parametrize(
    ("leaf", "settings"),
    [
        ({"provider": "mistral-ai", "api_key": "k"}, {"chat": "fim"}), ({"virtual_key": "codestral"}, {"chat": "fim"}),
        ({"provider": "@codestral"}, {"chat": "fim"}), ({"provider": "openai", "api_key": "k"}, {}),
    ],
)  # fmt: skip
def test_fill_in_the_middle_is_asked_of_mistral_alone(leaf: dict[str, object], settings: object, stated: dict[str, object]) -> None:
    """Whose ever the key is, a leaf of Mistral that wants it has its chats asked there; one of another provider does not."""
    assert planned(leaf | stated).leaves[0].settings == settings
    assert planned(leaf | {"mistral_fim_completion": "false"}).leaves[0].settings == {}


def test_fill_in_the_middle_is_asked_by_a_field() -> None:
    """The field says the same as the member of a config."""
    assert planned(provider="@codestral", mistral_fim_completion="true").leaves[0].settings == {"chat": "fim"}


@pytest.mark.parametrize(
    "fields",
    [{"azure_endpoint_name": "x"}, {"azure_endpoint_name": "x.evil.example/", "azure_region": "r"},
     {"azure_endpoint_name": "x", "azure_region": "r#"}, {"azure_deployment_type": "serverless", "azure_region": "r"}],
)  # fmt: skip
def test_endpoint_of_azure_is_whole_and_leads_nowhere_else(fields: dict[str, str]) -> None:
    """An endpoint without its region, or with what is no label, is refused and not asked for."""
    assert "as a label of a host name" in refusal(provider="azure-ai", authorization="k", **fields).errors[0]


def test_settings_of_azures_models_are_fields_of_the_request() -> None:
    """The deployment behind an endpoint and what becomes of unknown members are told to azure-ai in fields."""
    place = {"azure_endpoint_name": "x", "azure_region": "r"}
    leaf = planned(provider="azure-ai", authorization="k", azure_deployment_name="blue", azure_extra_params="drop", **place).leaves[0]
    assert leaf.fields == (("azureml-model-deployment", "blue"), ("extra-parameters", "drop"))


def test_deployment_is_the_model() -> None:
    """Azure's deployment is what stands in the path, unless the config overrides the model."""
    fields = {"provider": "azure-openai", "azure_resource_name": "r", "azure_deployment_id": "dep", "authorization": "k"}
    assert planned(**fields).route.targets[0].model == "dep"
    assert planned({"override_params": {"model": "m"}}, **fields).route.targets[0].model == "m"


def test_organisation_and_project_are_fields_of_the_request() -> None:
    """What OpenAI wants in fields is sent in fields, and only to it."""
    routed = planned(provider="openai", authorization="k", openai_organization="o", openai_project="p", anthropic_beta="b")
    assert routed.leaves[0].fields == (("openai-organization", "o"), ("openai-project", "p"))
