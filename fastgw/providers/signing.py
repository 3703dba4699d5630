"""Which signer an integration needs: none where a key in a field is enough."""

import os
from collections.abc import Mapping
from functools import partial

from fastgw.providers.aws import AwsSigner
from fastgw.providers.entra import identity_token
from fastgw.providers.fetch import Ways
from fastgw.providers.google import Account, account_token, metadata_token, read_account
from fastgw.providers.ibm import key_token
from fastgw.providers.oci import OciSigner
from fastgw.providers.row import Provider
from fastgw.providers.settings import settings_of
from fastgw.providers.signer import Signer, SigningError, Token, TokenSigner
from fastgw.snapshot.config import Integration
from fastgw.snapshot.credentials import Aws, Google

__all__ = ["Signer", "SigningError", "signer_of"]


def signer_of(provider: Provider, integration: Integration, environ: Mapping[str, str] | None = None) -> Signer | None:
    """Make the signer of an integration; None where `api_key`, if there is one, goes into the provider's `auth_field` as it is.

    Where there is a signer, it alone writes the credential. Nothing is fetched here.

    raises  SigningError where a key cannot be read, or the package is missing that signs by it
    """
    known = os.environ if environ is None else environ
    proxy = integration.proxy
    ways = Ways(integration.ca_file, None if proxy is None else proxy.reveal())
    if provider.auth == "ibm" and integration.api_key is not None:
        return TokenSigner("IBM Cloud", partial(key_token, integration.api_key.reveal(), integration.token_url, ways))
    if integration.api_key is not None:
        return None
    if provider.auth == "aws":
        return AwsSigner(
            integration.aws or Aws(),
            region=settings_of(provider, integration)["region"],
            service=provider.aws_service,
            token_url=integration.token_url,
            metadata_url=integration.metadata_url,
            environ=known,
            ways=ways,
        )
    if provider.auth == "google":
        return TokenSigner("Google Cloud", partial(google_token, integration, known, ways))
    if provider.auth == "entra" and integration.azure is not None and integration.azure.identity is not None:
        fetch = partial(
            identity_token,
            integration.azure,
            token_url=integration.token_url,
            metadata_url=integration.metadata_url,
            environ=known,
            ways=ways,
        )
        return TokenSigner("Entra", fetch)
    if provider.auth == "oci" and integration.oracle is not None:
        return OciSigner(integration.oracle)
    return None


def google_token(integration: Integration, environ: Mapping[str, str], ways: Ways) -> Token:
    """A token by the account that the configuration states, else by the environment's, else by the instance's. raises SigningError"""
    account = account_of(integration.google or Google(), environ)
    if account is None:
        return metadata_token(integration.metadata_url, environ)
    return account_token(account, integration.token_url, ways)


def account_of(google: Google, environ: Mapping[str, str]) -> Account | None:
    """The credentials that are stated, here or by the environment. raises SigningError"""
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    try:
        if google.service_account is not None:
            return read_account(google.service_account.reveal())
        if path:
            with open(path, encoding="utf-8") as file:
                return read_account(file.read())
    except OSError as error:
        raise SigningError(f"expected credentials in {path}, got {error.strerror}") from None
    except ValueError as error:
        raise SigningError(f"{error}, got something else") from None
    return None
