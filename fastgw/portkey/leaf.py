"""Make the integration of a leaf: the provider's row, with the credentials and the address that the config states.

What comes from a request is taken as it stands, never as a reference to the environment or a file, and is signed with what it states
itself, never with an identity that the gateway has of its own.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from fastgw.portkey.config import Config
from fastgw.portkey.refusal import BAD_CONFIG, BAD_HOST, Refused
from fastgw.providers.row import Provider
from fastgw.providers.table import find_provider
from fastgw.snapshot.config import Integration, Secret
from fastgw.snapshot.credentials import LABEL_PATTERN
from fastgw.snapshot.hosts import HostRefused, HostRules, check_url
from fastgw.snapshot.integrations import check_integration
from fastgw.snapshot.names import Place
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.read import MISSING, Reader

# A setting of Portkey's to its place in an integration. Which of them count is the provider's row's to say.
PLACES: Final = MappingProxyType(
    {
        "aws_region": "aws.region",
        "aws_access_key_id": "aws.access_key_id",
        "aws_secret_access_key": "aws.secret_access_key",
        "aws_session_token": "aws.session_token",
        "aws_role_arn": "aws.role_arn",
        "aws_external_id": "aws.external_id",
        "vertex_project_id": "google.project",
        "vertex_region": "google.region",
        "vertex_service_account_json": "google.service_account",
        "azure_resource_name": "azure.resource",
        "azure_entra_tenant_id": "azure.tenant_id",
        "azure_entra_client_id": "azure.client_id",
        "azure_managed_client_id": "azure.client_id",
        "azure_workload_client_id": "azure.client_id",
        "azure_entra_client_secret": "azure.client_secret",
        "azure_entra_scope": "azure.scope",
        "azure_ad_token": "azure.token",
        "azure_api_version": "api_version",
        "azure_foundry_url": "base_url",
        "huggingface_base_url": "base_url",
        "oracle_region": "oracle.region",
        "oracle_tenancy": "oracle.tenancy",
        "oracle_user": "oracle.user",
        "oracle_fingerprint": "oracle.fingerprint",
        "oracle_private_key": "oracle.private_key",
        "oracle_key_passphrase": "oracle.passphrase",
        "oracle_compartment_id": "oracle.compartment",
        "workers_ai_account_id": "settings.account_id",
        "fireworks_account_id": "settings.account_id",
        "snowflake_account": "settings.account",
    }
)
SIGNED_BY: Final = MappingProxyType({"aws": "aws", "google": "google", "azure": "entra", "oracle": "oci"})
ADDRESSES: Final = MappingProxyType({"azure_foundry_url": "azure-ai", "huggingface_base_url": "huggingface"})
# Where models of azure-ai run that have no resource: by the kind of deployment, the setting that begins the host, and the address.
ENDPOINTS: Final = MappingProxyType(
    {
        "managed": ("azure_endpoint_name", "https://{}.{}.inference.ml.azure.com/score"),
        "serverless": ("azure_deployment_name", "https://{}.{}.models.ai.azure.com/v1"),
    }
)
# Settings that say where an integration is and how it signs; the others are said beside one.
PLACING: Final = frozenset({*PLACES, "azure_auth_mode", "azure_deployment_type", "azure_endpoint_name", "azure_region"})
# Settings that are fields of the request to the provider, by the rows that they are for.
FIELDS: Final = MappingProxyType(
    {
        "openai_organization": ("openai-organization", ("openai",)),
        "openai_project": ("openai-project", ("openai",)),
        "openai_beta": ("openai-beta", ("openai", "azure-openai")),
        "azure_deployment_name": ("azureml-model-deployment", ("azure-ai",)),
        "azure_extra_params": ("extra-parameters", ("azure-ai", "github")),
        "anthropic_beta": ("anthropic-beta", ("anthropic",)),
        "anthropic_version": ("anthropic-version", ("anthropic",)),
        "stability_client_id": ("stability-client-id", ("stability-ai",)),
        "stability_client_user_id": ("stability-client-user-id", ("stability-ai",)),
        "stability_client_version": ("stability-client-version", ("stability-ai",)),
        "amzn_sagemaker_custom_attributes": ("x-amzn-sagemaker-custom-attributes", ("sagemaker",)),
        "amzn_sagemaker_target_model": ("x-amzn-sagemaker-target-model", ("sagemaker",)),
        "amzn_sagemaker_target_variant": ("x-amzn-sagemaker-target-variant", ("sagemaker",)),
        "amzn_sagemaker_target_container_hostname": ("x-amzn-sagemaker-target-container-hostname", ("sagemaker",)),
        "amzn_sagemaker_inference_id": ("x-amzn-sagemaker-inference-id", ("sagemaker",)),
        "amzn_sagemaker_enable_explanations": ("x-amzn-sagemaker-enable-explanations", ("sagemaker",)),
        "amzn_sagemaker_inference_component": ("x-amzn-sagemaker-inference-component", ("sagemaker",)),
        "amzn_sagemaker_session_id": ("x-amzn-sagemaker-session-id", ("sagemaker",)),
    }
)
# Settings that name the model where the body's name is none that the provider knows.
MODELS: Final = MappingProxyType({"azure-openai": "azure_deployment_id", "sagemaker": "amzn_sagemaker_model_name"})
# What a value of a setting puts into a setting of the integration, a stored one's too, and for which row.
MADE_OF: Final = MappingProxyType({"mistral_fim_completion": ("mistral-ai", "chat", MappingProxyType({"true": "fim"}))})
IDENTITIES: Final = MappingProxyType({"entra": "client_secret", "managed": "managed", "workload": "workload"})
TOKEN_HOSTS: Final = ("oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com")


class LiteralReader(Reader):
    """Reads what a caller wrote: a text that would name a variable or a file of the gateway's is refused."""

    def secret(self, kind: type[Secret], value: object, place: Place) -> object:
        if isinstance(value, str) and value.startswith(("env:", "file:")):
            self.problems.add(place, "a credential", "a reference")
            return MISSING
        return super().secret(kind, value, place)


def ad_hoc(one: Config, path: str, hosts: HostRules, environ: Mapping[str, str]) -> Integration:
    """The integration of a leaf that names a provider.

    environ  where "env:" of an operator's config is looked up
    raises   Refused
    """
    provider = find_provider(one.provider)
    if provider is None:
        raise wrong(path, f"the gateway has no provider {one.provider} yet")
    document = document_of(one, provider, path)
    if one.is_callers:
        if isinstance(url := document.get("base_url"), str) and not one.custom_host:
            check_callers_url(url, hosts)
        refuse_borrowed(provider, document, path)
    problems = Problems()
    reader: Reader = (LiteralReader if one.is_callers else Reader)(environ, problems)
    made = reader.read(Integration, document, ())
    if isinstance(made, Integration) and not problems.found:
        check_integration((), made, problems)
    if problems.found or not isinstance(made, Integration):
        place, first = problems.found[0]
        raise wrong(path, f"{first.place}: expected {first.expected}, found {first.found}")
    return made


def wrong(path: str, detail: str) -> Refused:
    """A leaf that cannot be asked, with the place that Portkey calls it by."""
    steps = path.removeprefix("config").removeprefix(".").replace("[", ",").replace("].", ",").replace("]", "")
    return Refused(BAD_CONFIG, [f"path: {steps}, message: {detail}"], field="x-portkey-config", detail=detail)


def check_callers_url(url: str, hosts: HostRules) -> None:
    """raises  Refused"""
    try:
        check_url(url, hosts)
    except HostRefused as error:
        raise Refused(BAD_HOST, field="x-portkey-custom-host", detail=str(error)) from None


def document_of(one: Config, provider: Provider, path: str) -> dict[str, object]:
    """The leaf as a table of the configuration file would state it. raises Refused"""
    document: dict[str, object] = {"provider": provider.name}
    if one.api_key:
        document["api_key"] = one.api_key
    for setting, place in PLACES.items():
        value = one.settings.get(setting)
        if value is None or not counts(setting, place, provider):
            continue
        group, dot, name = place.partition(".")
        if dot:
            table = document.setdefault(group, {})
            assert isinstance(table, dict)
            table[name] = value
        else:
            document[place] = value
    if provider.auth == "entra":
        settle_azure(one, provider, document, path)
    if one.custom_host:
        document["base_url"] = one.custom_host
    return document


def settle_azure(one: Config, provider: Provider, document: dict[str, object], path: str) -> None:
    """One of the credentials, in Portkey's order, and the address of an endpoint that has no resource. raises Refused"""
    written = document.get("azure")
    azure = written if isinstance(written, dict) else {}
    mode = one.settings.get("azure_auth_mode", "entra" if "client_secret" in azure else "")
    if provider.name == "azure-ai" and "base_url" not in document and not one.custom_host and (url := endpoint_of(one, path)):
        document["base_url"] = url
        if "token" not in azure and mode not in IDENTITIES and (key := document.get("api_key")):
            azure["token"] = key  # an endpoint reads its key there
    if "token" in azure:
        resource = {name: value for name, value in azure.items() if name == "resource"}
        azure = resource | {"token": str(azure["token"]).removeprefix("Bearer ")}
        document.pop("api_key", None)
    elif mode in IDENTITIES:
        azure["identity"] = IDENTITIES[mode]
    if azure:
        document["azure"] = azure


def endpoint_of(one: Config, path: str) -> str:
    """The address of an endpoint of Azure Machine Learning or of a serverless deployment; "" where the leaf names none. raises Refused"""
    kind = one.settings.get("azure_deployment_type", "managed" if "azure_endpoint_name" in one.settings else "")
    if kind not in ENDPOINTS:
        return ""
    setting, address = ENDPOINTS[kind]
    parts = [one.settings.get(name, "") for name in (setting, "azure_region")]
    for name, part in zip((setting, "azure_region"), parts, strict=True):
        if re.match(LABEL_PATTERN, part) is None:
            found = "another" if part else "nothing"
            raise wrong(path, f"expected {name} as a label of a host name for a {kind} deployment, found {found}")
    return address.format(*parts).lower()


def settings_of(one: Config, provider: Provider | None) -> Mapping[str, str]:
    """What a leaf's settings add to those of its integration, a stored one's too."""
    name = provider.name if provider else ""
    made = {place: values.get(one.settings.get(setting, "").lower()) for setting, (row, place, values) in MADE_OF.items() if row == name}
    return {place: value for place, value in made.items() if value is not None}


def counts(setting: str, place: str, provider: Provider) -> bool:
    """Whether a setting says anything of a provider."""
    group, dot, _ = place.partition(".")
    if setting in ADDRESSES:
        return ADDRESSES[setting] == provider.name
    if not dot:
        return bool(provider.version_query)
    return place in provider.requires if group == "settings" else SIGNED_BY[group] == provider.auth


def refuse_borrowed(provider: Provider, document: Mapping[str, object], path: str) -> None:
    """A caller's leaf must bring all that it is signed with: what it leaves out would be the gateway's own identity.

    raises  Refused
    """
    if provider.auth == "none" or "api_key" in document:
        return
    tables = {name: table for name in SIGNED_BY if isinstance(table := document.get(name), dict)}
    needed = {
        "aws": ("aws", ("access_key_id", "secret_access_key"), "aws_access_key_id and aws_secret_access_key, or api_key"),
        "google": ("google", ("service_account",), "vertex_service_account_json, or api_key"),
        "entra": ("azure", ("tenant_id", "client_id", "client_secret"),
                  "azure_ad_token, or azure_entra_ tenant_id, client_id and client_secret, or api_key"),
        "oci": ("oracle", ("user", "private_key"), "the oracle_ settings of a user's key, or api_key"),
    }
    table, names, words = needed.get(provider.auth, ("", ("",), "api_key, or the name of a stored integration"))
    stated = tables.get(table, {})
    if provider.auth == "entra" and stated.get("token"):
        return
    if not all(stated.get(name) for name in names) or stated.get("identity") in ("managed", "workload"):
        raise wrong(path, f"expected {words} for {provider.name}, found nothing: the gateway's own credentials are not lent")
    if table == "google":
        refuse_token_host(str(stated["service_account"]), path)


def refuse_token_host(account: str, path: str) -> None:
    """A service account says where its tokens are fetched, which must be at Google."""
    try:
        decoded = json.loads(account)
        url = decoded.get("token_uri") if isinstance(decoded, dict) else None
        host = urlsplit(url).netloc if isinstance(url, str) else TOKEN_HOSTS[0] if url is None else ""
    except (ValueError, RecursionError):
        raise wrong(path, "expected vertex_service_account_json as JSON, found something else") from None
    if host not in TOKEN_HOSTS or isinstance(url, str) and not url.startswith("https://"):
        raise wrong(path, f"expected a token_uri at {TOKEN_HOSTS[0]}, found another host")


def fields_of(one: Config, provider: Provider | None, path: str) -> tuple[tuple[str, str], ...]:
    """The fields that a leaf's settings add to each request.

    raises  Refused for a value that would not be one field (RFC 9110, 5.5)
    """
    name = provider.name if provider else ""
    fields = tuple((field, value) for setting, (field, rows) in FIELDS.items() if name in rows and (value := one.settings.get(setting)))
    for field, value in fields:
        if any(not " " <= character <= "~" for character in value):
            raise wrong(path, f"expected visible ASCII characters for {field}, found others")
    return fields
