"""Tokens of Google Cloud: of a service account, of a user's credentials that gcloud left, or of the instance.

Source: developers.google.com/identity/protocols/oauth2/service-account; cloud.google.com/compute/docs/access/authenticate-workloads
"""

import base64
import json
import time
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from fastgw.providers.fetch import Ways, ask_json, is_token_url, seconds_at, text_at
from fastgw.providers.rsa import rsa_signer
from fastgw.providers.signer import Token

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URL: Final = "https://oauth2.googleapis.com/token"
METADATA_URL: Final = "http://metadata.google.internal"
JWT_LIFE_S: Final = 3600
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCOUNT: Final = ("client_email", "private_key")
USER: Final = ("client_id", "client_secret", "refresh_token")


class Account(Struct, frozen=True):
    """A file of credentials: members of one of its kinds, and where it says that tokens are had."""

    kind: str
    members: dict[str, str]
    token_url: str

    def __repr__(self) -> str:
        return f"Account({self.kind})"


def read_account(text: str) -> Account:
    """Read the JSON of a service account's key, or of a user's application default credentials.

    raises  ValueError
    """
    try:
        found = json.loads(text)
    except ValueError:
        raise ValueError("expected the JSON of a service account's key") from None
    kind = found.get("type") if isinstance(found, dict) else None
    if kind not in ("service_account", "authorized_user"):
        raise ValueError('expected credentials of the type "service_account" or "authorized_user"')
    wanted = ACCOUNT if kind == "service_account" else USER
    for name in wanted:
        if not isinstance(found.get(name), str) or not found[name]:
            raise ValueError(f"expected the member {name} in credentials of Google")
    members = {name: value for name, value in found.items() if name in (*wanted, "private_key_id") and isinstance(value, str)}
    token_url = found.get("token_uri", TOKEN_URL)
    if not isinstance(token_url, str) or not is_token_url(token_url):
        raise ValueError("expected https:// in the member token_uri")
    return Account(kind, members, token_url)


def account_token(account: Account, token_url: str | None = None, ways: Ways | None = None) -> Token:
    """Exchange credentials for a token. raises SigningError"""
    url = token_url or account.token_url
    if account.kind == "service_account":
        form = {"grant_type": GRANT, "assertion": assertion(account, account.token_url, int(time.time()))}
    else:
        form = {"grant_type": "refresh_token", **account.members}
    return token_in(ask_json(url, form=form, ways=ways), url)


def metadata_token(metadata_url: str | None = None, environ: Mapping[str, str] | None = None) -> Token:
    """The token of the instance's account. raises SigningError"""
    host = (environ or {}).get("GCE_METADATA_HOST")
    root = metadata_url or (f"http://{host}" if host else METADATA_URL)
    url = f"{root}/computeMetadata/v1/instance/service-accounts/default/token"
    return token_in(ask_json(url, fields={"metadata-flavor": "Google"}, is_metadata=True), url)


def token_in(found: dict[str, object], url: str) -> Token:
    return Token(text_at(found, "access_token", url), time.time() + seconds_at(found, "expires_in", url))


def assertion(account: Account, audience: str, now_s: int) -> str:
    """A JWT (RFC 7519) that says who asks, signed in RS256.

    raises  SigningError where the key is none, or nothing is there to sign with
    """
    sign = rsa_signer(account.members["private_key"], extra="google")
    header = {"alg": "RS256", "typ": "JWT", "kid": account.members.get("private_key_id", "")}
    claims = {
        "iss": account.members["client_email"], "scope": SCOPE, "aud": audience, "iat": now_s, "exp": now_s + JWT_LIFE_S,
    }  # fmt: skip
    text = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{text}.{encoded(sign(text.encode()))}"


def encoded(content: bytes) -> str:
    """Base64 for URLs without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
