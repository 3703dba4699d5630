"""Make the integration of a leaf: the provider's row, with the credentials and the address that the config states.

What comes from a request is taken as it stands, never as a reference to the environment or a file, and is signed with what it states
itself, never with an identity that the gateway has of its own.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from fastgw.portkey.config import Config
from fastgw.portkey.refusal import BAD_CONFIG, BAD_HOST, Refused
from fastgw.providers.row import Provider
from fastgw.providers.table import find_provider
from fastgw.snapshot.config import Integration, Secret
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
        "snowflake_account": "settings.account",
    }
)
SIGNED_BY: Final = MappingProxyType({"aws": "aws", "google": "google", "azure": "entra", "oracle": "oci"})
ADDRESSES: Final = MappingProxyType({"azure_foundry_url": "azure-ai", "huggingface_base_url": "huggingface"})
# Settings that are fields of the request to the provider, by the rows that they are for.
FIELDS: Final = MappingProxyType(
    {
        "openai_organization": ("openai-organization", ("openai",)),
        "openai_project": ("openai-project", ("openai",)),
        "openai_beta": ("openai-beta", ("openai", "azure-openai")),
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
    document = document_of(one, provider)
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


def document_of(one: Config, provider: Provider) -> dict[str, object]:
    """The leaf as a table of the configuration file would state it."""
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
    azure = document.get("azure")
    mode = one.settings.get("azure_auth_mode", "entra" if isinstance(azure, dict) and "client_secret" in azure else "")
    if mode in IDENTITIES and provider.auth == "entra":
        document["azure"] = (azure if isinstance(azure, dict) else {}) | {"identity": IDENTITIES[mode]}
    if one.custom_host:
        document["base_url"] = one.custom_host
    return document


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
        "entra": ("azure", ("tenant_id", "client_id", "client_secret"), "azure_entra_ tenant_id, client_id and client_secret, or api_key"),
        "oci": ("oracle", ("user", "private_key"), "the oracle_ settings of a user's key, or api_key"),
    }
    table, names, words = needed.get(provider.auth, ("", ("",), "api_key, or the name of a stored integration"))
    stated = tables.get(table, {})
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
