"""Check an integration: its provider and address, the settings that go into it, and that its credentials are whole."""

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

from fastgw.providers.address import split_address
from fastgw.providers.fetch import is_token_url
from fastgw.providers.google import read_account
from fastgw.providers.row import Provider
from fastgw.providers.settings import EXPECTED, missing_settings, unknown_settings, wrong_settings
from fastgw.providers.table import ALIASES, PROVIDERS
from fastgw.snapshot.config import Integration
from fastgw.snapshot.names import Place, shown
from fastgw.snapshot.problem import Problems

# The gateway writes these itself; a configured one would frame a request twice or send it elsewhere.
OWN_FIELDS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# The sub-table that goes with a way to sign.
TABLES = {"aws": "aws", "google": "google", "entra": "azure", "oci": "oracle"}
# What a signer writes, which would otherwise stand twice.
SIGNED_FIELDS = frozenset({"authorization", "date", "opc-compartment-id", "x-amz-date", "x-amz-security-token", "x-content-sha256"})


def check_integration(place: Place, integration: Integration, problems: Problems) -> None:
    """Add all that is wrong with an integration."""
    provider = PROVIDERS.get(integration.provider)
    if provider is None:
        known = sorted((*PROVIDERS, *ALIASES))
        problems.add((*place, "provider"), "a known provider", f'"{shown(integration.provider)}"', integration.provider, known)
    check_base_url(place, integration, provider, problems)
    if provider is not None:
        if integration.api_version is not None and not provider.version_query:
            problems.add((*place, "api_version"), f"nothing, as {provider.name} has no versions", "a version")
        check_settings(place, integration, provider, problems)
        check_credentials(place, integration, provider, problems)
    is_signed = provider is not None and provider.auth in ("aws", "google", "oci", "ibm") and integration.api_key is None
    is_signed = is_signed or integration.azure is not None and (integration.azure.token or integration.azure.identity) is not None
    for name in integration.headers:
        if name.lower() in OWN_FIELDS or (is_signed and name.lower() in SIGNED_FIELDS):
            problems.add((*place, "headers", name), "a field that the gateway does not write itself", f'"{name}"')
    if integration.ca_file is not None:
        check_file(problems, (*place, "ca_file"), integration.ca_file)
    if integration.proxy is not None and not is_proxy(integration.proxy.reveal()):
        problems.add((*place, "proxy"), "http://[USER:PASSWORD@]HOST:PORT", "another form")
    for field, url in (("token_url", integration.token_url), ("metadata_url", integration.metadata_url)):
        if url is not None and not is_token_url(url, is_local=field == "metadata_url"):
            expected = "http(s)://HOST[:PORT][/PATH]" if field == "metadata_url" else "https://HOST[:PORT][/PATH], http:// at loopback"
            problems.add((*place, field), expected, "another form")


def check_base_url(place: Place, integration: Integration, provider: Provider | None, problems: Problems) -> None:
    if integration.base_url is not None:
        try:
            split_address(integration.base_url)
        except ValueError as error:
            # `split` and `port` state their own reasons, which may hold parts of the address
            reason = str(error)
            expected = reason.removeprefix("expected ") if reason.startswith("expected ") else "a valid host and port"
            problems.add((*place, "base_url"), expected, "another form")
    elif provider is not None and not provider.base_url and not problems.touch((*place, "base_url")):
        problems.add((*place, "base_url"), f"an address, as {provider.name} has none of its own", "nothing")


def check_settings(place: Place, integration: Integration, provider: Provider, problems: Problems) -> None:
    """What goes into hosts and paths is there, and is nothing that leads elsewhere."""
    for missing in missing_settings(provider, integration):
        setting = missing.setting
        stated = f'{setting.place} = "{setting.example}"'
        if missing.in_host and not problems.touch((*place, "base_url")):
            expected = f"an address, as {provider.name} has none of its own, or {setting.place}, such as {stated}"
            problems.add((*place, "base_url"), expected, "nothing")
        elif not missing.in_host and not problems.touch((*place, *setting.place.split("."))):
            expected = f"the {setting.meaning} that {provider.name} needs, such as {stated}"
            problems.add((*place, *setting.place.split(".")), expected, "nothing")
    for setting in wrong_settings(provider, integration):
        problems.add((*place, *setting.place.split(".")), EXPECTED[setting.kind], "another form")
    for name in unknown_settings(provider, integration):
        known = [row.removeprefix("settings.") for row in provider.requires if row.startswith("settings.")]
        problems.add((*place, "settings", name), f"a setting of {provider.name}", f'"{shown(name)}"', name, known)


def check_credentials(place: Place, integration: Integration, provider: Provider, problems: Problems) -> None:
    """The sub-tables are those of the provider's way to sign, and each credential is whole."""
    for auth, table in TABLES.items():
        if getattr(integration, table) is not None and provider.auth != auth:
            problems.add((*place, table), f"nothing, as {provider.name} does not sign that way", "a table")
    if provider.auth == "aws":
        check_aws(place, integration, problems)
    elif provider.auth == "entra":
        check_azure(place, integration, problems)
    elif provider.auth == "oci" and integration.api_key is None and not problems.touch((*place, "api_key")):
        for name in ("tenancy", "user", "fingerprint", "private_key"):
            if getattr(integration.oracle, name, None) is None and not problems.touch((*place, "oracle", name)):
                problems.add((*place, "oracle", name), f"the {name} of an API key, or api_key", "nothing")
        check_package((*place, "oracle"), "oracle", problems)
    elif provider.auth == "google" and integration.google is not None and integration.google.service_account is not None:
        try:
            read_account(integration.google.service_account.reveal())
        except ValueError as error:
            problems.add((*place, "google", "service_account"), str(error).removeprefix("expected "), "something else")
        check_package((*place, "google", "service_account"), "google", problems)
    elif provider.auth == "ibm" and integration.api_key is None and not problems.touch((*place, "api_key")):
        problems.add((*place, "api_key"), f"the key that {provider.name} exchanges for tokens", "nothing")


def check_aws(place: Place, integration: Integration, problems: Problems) -> None:
    aws = integration.aws
    if aws is None:
        return
    for one, other in (("access_key_id", "secret_access_key"), ("secret_access_key", "access_key_id"), ("session_token", "access_key_id"),
                       ("external_id", "role_arn")):  # fmt: skip
        if getattr(aws, one) is not None and getattr(aws, other) is None and not problems.touch((*place, "aws", other)):
            problems.add((*place, "aws", other), f"what goes with {one}", "nothing")
    if integration.api_key is not None and aws.access_key_id is not None:
        problems.add((*place, "api_key"), "either api_key or aws.access_key_id", "both")


def check_azure(place: Place, integration: Integration, problems: Problems) -> None:
    azure = integration.azure
    if azure is None:
        return
    for name in ("tenant_id", "client_id", "client_secret"):
        is_missing = azure.identity == "client_secret" and getattr(azure, name) is None
        if is_missing and not problems.touch((*place, "azure", name)):
            problems.add((*place, "azure", name), 'what identity = "client_secret" needs', "nothing")
    if azure.client_secret is not None and azure.identity != "client_secret":
        problems.add((*place, "azure", "identity"), '"client_secret", as a secret is stated', "another or none")
    stated = {"api_key": integration.api_key, "azure.identity": azure.identity, "azure.token": azure.token}
    one, *others = [name for name, value in stated.items() if value is not None] or [""]
    if others:
        problems.add((*place, *one.split(".")), f"either {one} or {others[0]}", "both")
    if azure.token_file is not None:
        check_file(problems, (*place, "azure", "token_file"), azure.token_file)


def check_package(place: Place, extra: str, problems: Problems) -> None:
    if find_spec("cryptography") is None:
        problems.add(place, f'the package cryptography: pip install "fastgw[{extra}]"', "none")


def check_file(problems: Problems, place: Place, path: str) -> None:
    """A file that is named can be read."""
    if not os.access(path, os.R_OK) or os.path.isdir(path):
        problems.add(place, "a file that can be read", f"{shown(path)}: it cannot")


def is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        return False
