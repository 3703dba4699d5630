"""OpenID Connect at one provider: what it says of itself, where to send a browser, and whom the code that comes back is of.

Source: OpenID Connect Core 1.0 (3.1), Discovery 1.0 (4), RFC 7636 (PKCE), RFC 9207 (issuer in the response).
"""

import base64
import secrets
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet
from msgspec import Struct

from fastgw.control.access.attempt import Attempt, Person, SignInFailed
from fastgw.snapshot.config import Oidc

ALGORITHMS: Final = ("RS256", "ES256")
KEPT_SECONDS: Final = 3600.0  # how long what the provider says of itself is believed
WAIT_SECONDS: Final = 10.0
LEEWAY_SECONDS: Final = 60
SCOPES: Final = "openid email profile"
Kind = TypeVar("Kind")


class Metadata(Struct, frozen=True):
    """What is needed of a provider's description of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Tokens(Struct, frozen=True):
    """What a code was exchanged for."""

    id_token: str
    access_token: str = ""


class KeyDocument(Struct, frozen=True):
    """The provider's public keys, of whatever kinds."""

    keys: tuple[dict[str, object], ...]


class OidcProvider:
    """The company's provider; remembers for an hour what it says of itself, and reads its keys again when they change."""

    def __init__(self, settings: Oidc) -> None:
        self.settings = settings
        self.metadata: Metadata | None = None
        self.keys: list[Key] = []
        self.read_s = 0.0

    def __repr__(self) -> str:
        return f"<OidcProvider {self.settings.issuer}, {len(self.keys)} keys>"

    async def begin(self, redirect_uri: str, following: str) -> tuple[str, Attempt]:
        """Where to send the browser, and what it is to keep. raises SignInFailed"""
        async with client() as web:
            metadata = await self._described(web)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, following, int(time.time()))
        challenge = base64.urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(query)}", attempt

    async def finish(self, code: str, attempt: Attempt, redirect_uri: str) -> Person:
        """Whom a code is of. raises SignInFailed"""
        async with client() as web:
            metadata = await self._described(web)
            tokens = await self._exchange(web, metadata, code, attempt, redirect_uri)
            claims = await self._claims(web, metadata, tokens.id_token, attempt.nonce)
            if "email" not in claims and metadata.userinfo_endpoint and tokens.access_token:
                told = await fetch(web, metadata.userinfo_endpoint, dict[str, object], {"authorization": f"Bearer {tokens.access_token}"})
                if told.get("sub") != claims["sub"]:
                    raise untrusted("its userinfo is of another subject")
                claims = {**told, **claims}
        return self._person(claims)

    def _person(self, claims: Mapping[str, object]) -> Person:
        email = claims.get("email")
        # some write it as text
        is_vouched = isinstance(email, str) and claims.get("email_verified") in (True, "true")
        found = claims.get(self.settings.role_claim or "")
        roles = found if isinstance(found, list) else [found]
        return Person(
            subject=f"{self.settings.issuer} {claims['sub']}",
            email=str(email).strip().lower() if is_vouched else "",
            name="".join(filter(str.isprintable, str(claims.get("name") or "")))[:200],
            role=next((role for role in ("admin", "member") if role in roles), ""),
        )

    async def _described(self, web: httpx2.AsyncClient) -> Metadata:
        if self.metadata is None or time.monotonic() > self.read_s + KEPT_SECONDS:
            issuer = self.settings.issuer
            found = await fetch(web, f"{issuer.rstrip('/')}/.well-known/openid-configuration", Metadata)
            if found.issuer != issuer:
                raise untrusted(f"expected the issuer {issuer!r}, found {found.issuer!r} in its description")
            places = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint or "https://")
            if issuer.startswith("https://") and not all(place.startswith("https://") for place in places):
                raise untrusted("expected endpoints with https://, found others in its description")
            self.metadata, self.read_s, self.keys = found, time.monotonic(), []
        return self.metadata

    async def _exchange(self, web: httpx2.AsyncClient, metadata: Metadata, code: str, attempt: Attempt, redirect_uri: str) -> Tokens:
        settings = self.settings
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": attempt.verifier}
        fields = {}
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # both are encoded as in a form before they are joined: RFC 6749, 2.3.1
            pair = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret.reveal(), safe='')}"
            fields["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret.reveal()}
        return await fetch(web, metadata.token_endpoint, Tokens, fields, form)

    async def _claims(self, web: httpx2.AsyncClient, metadata: Metadata, id_token: str, nonce: str) -> dict[str, object]:
        """The claims of a token that was made by this provider, for us, now, for this attempt. raises SignInFailed"""
        expected = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.settings.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": self.settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = await self._opened(web, metadata, id_token)
            expected.validate(claims)
        except (JoseError, ValueError) as error:
            raise untrusted(f"its token is refused: {type(error).__name__}: {error}") from error
        if not isinstance(claims["sub"], str) or not claims["sub"].isprintable():
            raise untrusted("its token's subject is no plain text")
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self.settings.client_id:
            raise untrusted("its token is for several, and another was the one that asked")
        return claims

    async def _opened(self, web: httpx2.AsyncClient, metadata: Metadata, id_token: str) -> dict[str, object]:
        if self.keys:
            try:
                return dict(jwt.decode(id_token, KeySet(self.keys), ALGORITHMS).claims)
            except (JoseError, ValueError):
                pass  # signed by a key that is younger than what is remembered, if it is any good
        found = await fetch(web, metadata.jwks_uri, KeyDocument)
        self.keys = [key for row in found.keys if (key := key_of(row)) is not None]
        return dict(jwt.decode(id_token, KeySet(self.keys), ALGORITHMS).claims)


def key_of(row: dict[str, object]) -> Key | None:
    """A key that may have signed; None for the others that a provider publishes."""
    if row.get("kty") not in ("RSA", "EC") or row.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(row)  # type: ignore[arg-type]  # of JSON
    except (JoseError, ValueError):
        return None


def client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=WAIT_SECONDS, follow_redirects=False)


async def fetch(
    web: httpx2.AsyncClient, url: str, kind: type[Kind], fields: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
) -> Kind:
    """Ask the provider. raises SignInFailed"""
    try:
        if form is None:
            answer = await web.get(url, headers={"accept": "application/json", **(fields or {})})
        else:
            answer = await web.post(url, headers={"accept": "application/json", **(fields or {})}, data=dict(form))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise unreachable(f"{url}: {type(error).__name__}: {error}") from error
    if answer.status_code != 200:
        reason = f"{url} answered {answer.status_code}: {answer.text[:200]!r}"
        if answer.is_client_error:
            raise SignInFailed("The identity provider does not say who you are. Begin again, or tell your administrator.", reason)
        raise unreachable(reason)
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreachable(f"{url} answered something else than was expected: {error}") from error


def unreachable(reason: str) -> SignInFailed:
    return SignInFailed("The identity provider cannot be asked at the moment. Try again, or tell your administrator.", reason, 502)


def untrusted(reason: str) -> SignInFailed:
    return SignInFailed("The identity provider's answer is not one that can be trusted. Try again, or tell your administrator.", reason)
