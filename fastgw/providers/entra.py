"""Tokens of Microsoft Entra: an application's secret, a workload's federated token, or a managed identity.

Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow; learn.microsoft.com/entra/identity,
"How to use managed identities to acquire an access token"; learn.microsoft.com/azure/app-service/overview-managed-identity
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastgw.providers.fetch import Ways, ask_json, is_token_url, seconds_at, text_at
from fastgw.providers.signer import SigningError, Token
from fastgw.snapshot.credentials import Azure

AUTHORITY: Final = "https://login.microsoftonline.com"
METADATA_URL: Final = "http://169.254.169.254"
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def identity_token(
    azure: Azure,
    *,
    token_url: str | None = None,
    metadata_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    ways: Ways | None = None,
) -> Token:
    """Fetch a token by the identity that the configuration names. raises SigningError"""
    known = environ or {}
    if azure.identity == "managed":
        return managed_token(azure, metadata_url, known)
    tenant = azure.tenant_id or known.get("AZURE_TENANT_ID")
    client = azure.client_id or known.get("AZURE_CLIENT_ID")
    if not tenant or not client:
        raise SigningError("expected azure.tenant_id and azure.client_id, or AZURE_TENANT_ID and AZURE_CLIENT_ID, got neither")
    form = {"grant_type": "client_credentials", "client_id": client, "scope": azure.scope}
    if azure.identity == "workload":
        form |= {"client_assertion_type": ASSERTION, "client_assertion": federated_token(azure, known)}
    elif azure.client_secret is not None:
        form["client_secret"] = azure.client_secret.reveal()
    authority = token_url or known.get("AZURE_AUTHORITY_HOST") or AUTHORITY
    url = f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
    if not is_token_url(url):
        raise SigningError("expected https:// in AZURE_AUTHORITY_HOST, got another address")
    found = ask_json(url, form=form, ways=ways)
    return Token(text_at(found, "access_token", url), time.time() + seconds_at(found, "expires_in", url))


def federated_token(azure: Azure, environ: Mapping[str, str]) -> str:
    """What Kubernetes puts into a file and renews there: read anew each time. raises SigningError"""
    path = azure.token_file or environ.get("AZURE_FEDERATED_TOKEN_FILE")
    if not path:
        raise SigningError("expected azure.token_file or AZURE_FEDERATED_TOKEN_FILE, got neither")
    return read_token_file(path)


def read_token_file(path: str) -> str:
    """A token out of a file. raises SigningError"""
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise SigningError(f"expected a token in {path}, got {reason}") from None


def managed_token(azure: Azure, metadata_url: str | None, environ: Mapping[str, str]) -> Token:
    """The token of the machine's identity: of App Service where its variables are set, else of the instance's metadata."""
    query = {"resource": azure.scope.removesuffix("/.default")}
    if azure.client_id:
        query["client_id"] = azure.client_id
    if metadata_url is None and environ.get("IDENTITY_ENDPOINT") and environ.get("IDENTITY_HEADER"):
        url, fields = environ["IDENTITY_ENDPOINT"], {"x-identity-header": environ["IDENTITY_HEADER"]}
        query["api-version"] = "2019-08-01"
    else:
        url, fields = f"{metadata_url or METADATA_URL}/metadata/identity/oauth2/token", {"metadata": "true"}
        query["api-version"] = "2018-02-01"
    found = ask_json(url, query=query, fields=fields, is_metadata=True)
    return Token(text_at(found, "access_token", url), seconds_at(found, "expires_on", url))
