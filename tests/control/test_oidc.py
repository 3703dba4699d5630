"""Sign in at an identity provider: who is let in, and what is not believed."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from httpx2 import Response
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.control.plane import Control
from tests.control.signing_in import begin, finish, sign_in, signed_in_as, with_issuer
from tests.fakes.issuer import Claims, Issuer

ANN: Claims = {"email": "Ann@Example.com", "email_verified": True, "name": "Ann"}


def refused(answer: Response, status: int, said: str) -> None:
    """A page for people, which runs nothing and says what is the matter."""
    text, fields = answer.text, answer.headers
    assert (answer.status_code, fields["content-type"]) == (status, "text/html; charset=utf-8"), text
    assert said in text and '<a href="/console/">' in text, text
    assert "default-src 'none'" in fields["content-security-policy"] and "<script" not in text and "style=" not in text
    assert "__Host-fastgw=" not in fields.get("set-cookie", "")


def test_people_are_known_by_subject_then_by_a_verified_address(store_url: str, tmp_path: Path) -> None:
    """The first sign-in ties the account of the provider to the user; from then on the address may change."""
    with with_issuer(tmp_path, store_url) as (control, issuer):
        assert control.client.get("/api/v1/login/options").json() == {
            "password": True, "oidc": {"name": "Single sign-on", "url": "/oauth/login"},
        }
        control.ask("POST", "/users", {"email": "ann@example.com", "role": "admin"}, 201)
        issuer.claims = ANN
        assert signed_in_as(control, sign_in(control, issuer)) == "ann@example.com"
        user = control.ask("GET", "/users/ann@example.com")
        assert user["oidc"] is True and user["role"] == "admin" and user["last_login_at"] is not None
        issuer.claims = {"email": "married@example.com", "email_verified": True}
        assert signed_in_as(control, sign_in(control, issuer)) == "ann@example.com"
        lines = control.ask("GET", "/audit?resource=ann@example.com")["data"]
        assert [line["action"] for line in lines] == ["users.sign_in", "users.sign_in", "users.update", "users.create"]
        assert lines[0]["actor"]["name"] == "ann@example.com" and lines[0]["changes"] == {"by": [None, "oidc"]}


@pytest.mark.parametrize("claims", [
    {"email": "ann@example.com"}, {"email": "ann@example.com", "email_verified": False}, {"email_verified": True},
    {"email": ["ann@example.com"], "email_verified": True},
])
def test_an_address_that_nobody_vouches_for_is_nobody_s(tmp_path: Path, claims: Claims) -> None:
    """Whoever may write any address into their account elsewhere does not become its owner here."""
    with with_issuer(tmp_path, auto_create=True) as (control, issuer):
        control.ask("POST", "/users", {"email": "ann@example.com"}, 201)
        issuer.claims, issuer.userinfo = claims, {"sub": "s-1"}
        refused(sign_in(control, issuer), 403, "vouches for no e-mail address")


def test_an_address_of_another_account_is_refused(tmp_path: Path) -> None:
    """Where a company gives an address to somebody else, they do not become their predecessor."""
    with with_issuer(tmp_path) as (control, issuer):
        control.ask("POST", "/users", {"email": "ann@example.com"}, 201)
        issuer.claims = ANN
        signed_in_as(control, sign_in(control, issuer))
        issuer.claims = {**ANN, "sub": "s-2"}
        refused(sign_in(control, issuer), 403, "belongs to another account")


def test_strangers_are_refused_or_become_members(store_url: str, tmp_path: Path) -> None:
    """As the setting says; of the domains that are named only, and who is disabled stays out."""
    with with_issuer(tmp_path / "closed") as (control, issuer):
        issuer.claims = ANN
        refused(sign_in(control, issuer), 403, "There is no account for ann@example.com here")
    with with_issuer(tmp_path / "open", store_url, auto_create=True, allowed_domains=("Example.com",)) as (control, issuer):
        issuer.claims = ANN
        assert signed_in_as(control, sign_in(control, issuer)) == "ann@example.com"
        user = control.ask("GET", "/users/ann@example.com")
        assert (user["role"], user["name"], user["has_password"]) == ("member", "Ann", False)
        issuer.claims = {**ANN, "sub": "s-2", "email": "eve@example.com.evil.example"}
        refused(sign_in(control, issuer), 403, "Addresses of example.com.evil.example may not sign in here")
        control.ask("PATCH", "/users/ann@example.com", {"status": "disabled"})
        issuer.claims = ANN
        refused(sign_in(control, issuer), 403, "disabled")


def test_roles_may_come_from_the_provider(tmp_path: Path) -> None:
    """The claim is taken over at each sign-in; owners are made and unmade here alone."""
    with with_issuer(tmp_path, auto_create=True, role_claim="groups") as (control, issuer):
        for groups, role in ((["staff", "admin"], "admin"), ("member", "member"), (["owner"], "member"), (None, "member")):
            issuer.claims = {**ANN, "groups": groups}
            signed_in_as(control, sign_in(control, issuer))
            assert control.ask("GET", "/users/ann@example.com")["role"] == role
        issuer.claims = {"sub": "s-2", "email": "owner@localhost", "email_verified": "true", "groups": "member"}
        signed_in_as(control, sign_in(control, issuer))
        assert control.ask("GET", "/users/owner@localhost")["role"] == "owner"


def test_the_code_is_bound_to_the_browser_that_asked(tmp_path: Path) -> None:
    """PKCE, state and nonce are of one attempt; the answer to another's, or to none, is refused before anybody is asked."""
    with with_issuer(tmp_path) as (control, issuer):
        answer, query, cookie = begin(control)
        assert answer.status_code == 302 and query["redirect_uri"] == "http://127.0.0.1/oauth/callback"
        assert (query["response_type"], query["code_challenge_method"], query["client_id"]) == ("code", "S256", "fastgw")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(answer.headers["set-cookie"].split("; "))
        issuer.asked.clear()
        other = begin(control)[1]
        for text, kept in (
            (f"code=right&state={query['state']}", ""), (f"code=right&state={other['state']}", cookie), ("code=right", cookie),
            (f"code=right&state={query['state']}", "__Host-fastgw-oidc=%00"), (f"code=right&state={query['state']}", cookie[:-4]),
        ):  # fmt: skip
            refused(finish(control, text, kept), 400, "was not begun in this browser")
        refused(finish(control, f"code=right&state={query['state']}&iss=https://evil.example", cookie), 400, "another identity provider")
        assert not [path for path, _, _ in issuer.asked if path == "/realm/token"]
        refused(finish(control, f"code=wrong&state={query['state']}", cookie), 403, "does not say who you are")
        path, fields, body = issuer.asked[-1]
        sent = parse_qs(body)
        assert part(sha256(sent["code_verifier"][0].encode()).digest()) == query["code_challenge"]
        assert sent["redirect_uri"] == [query["redirect_uri"]]
        assert base64.b64decode(fields["authorization"].removeprefix("Basic ")) == b"fastgw:s%3Acret" and "client_secret" not in sent


def test_an_attempt_is_over_after_ten_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that was left open does not finish it."""
    with with_issuer(tmp_path) as (control, issuer):
        _, query, cookie = begin(control)
        late = time.time() + 601
        monkeypatch.setattr("fastgw.control.api.oauth.time.time", lambda: late)
        refused(finish(control, f"code=right&state={query['state']}", cookie), 400, "took too long")


NOW = int(time.time())


@pytest.mark.parametrize("claims", [
    {"iss": "https://evil.example"}, {"aud": "another"}, {"aud": ["fastgw", "another"]},
    {"aud": ["fastgw", "another"], "azp": "another"}, {"aud": None},
    {"exp": NOW - 3600}, {"exp": None}, {"iat": NOW + 3600}, {"nonce": "another"}, {"nonce": None},
    {"sub": None}, {"sub": 5}, {"sub": "nul \x00"}, {"nbf": NOW + 3600}, {"exp": "tomorrow"},
], ids=str)
def test_a_token_for_another_time_place_or_attempt_is_refused(tmp_path: Path, claims: Claims) -> None:
    """Each claim is checked, though the signature is right."""
    with with_issuer(tmp_path, auto_create=True) as (control, issuer):
        issuer.claims = {**ANN, **claims}
        refused(sign_in(control, issuer), 403, "not one that can be trusted")


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def none_signed(issuer: Issuer, claims: Claims) -> str:
    return f"{part(json.dumps({'alg': 'none'}).encode())}.{part(json.dumps(claims).encode())}."


def signed_by_the_public_key(issuer: Issuer, claims: Claims) -> str:
    assert isinstance(issuer.key, RSAKey)
    text = f"{part(json.dumps({'alg': 'HS256', 'kid': 'first'}).encode())}.{part(json.dumps(claims).encode())}"
    return f"{text}.{part(hmac.digest(issuer.key.as_pem(private=False), text.encode(), 'sha256'))}"


def signed_by_another(issuer: Issuer, claims: Claims) -> str:
    return jwt.encode({"alg": "RS256", "kid": "first"}, claims, RSAKey.generate_key(2048))


def altered(issuer: Issuer, claims: Claims) -> str:
    head, _, signature = issuer.signed(claims).split(".")
    return f"{head}.{part(json.dumps({**claims, 'sub': 'x'}).encode())}.{signature}"


def own_key_in_the_head(issuer: Issuer, claims: Claims) -> str:
    key = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "jwk": key.as_dict(private=False)}, claims, key)


def no_token(issuer: Issuer, claims: Claims) -> str:
    return "not.a.token"


@pytest.mark.parametrize("forge", [none_signed, signed_by_the_public_key, signed_by_another, altered, own_key_in_the_head, no_token])
def test_a_token_that_the_provider_has_not_signed_is_refused(tmp_path: Path, forge: Callable[[Issuer, Claims], str]) -> None:
    """By none, by its public key as a secret, by a key of the forger's, or changed on the way."""
    with with_issuer(tmp_path, auto_create=True) as (control, issuer):
        issuer.claims, issuer.sign = ANN, lambda claims: forge(issuer, claims)
        refused(sign_in(control, issuer), 403, "not one that can be trusted")
        issuer.sign = issuer.signed
        signed_in_as(control, sign_in(control, issuer))


def test_keys_are_read_again_when_they_change(tmp_path: Path) -> None:
    """Once for many sign-ins, and again for a token of a younger key; kinds of keys that do not sign are passed over."""
    with with_issuer(tmp_path, auto_create=True) as (control, issuer):
        issuer.claims = ANN
        for _ in range(2):
            signed_in_as(control, sign_in(control, issuer))
        paths = [path for path, _, _ in issuer.asked]
        assert paths.count("/realm/keys") == paths.count("/realm/.well-known/openid-configuration") == 1
        issuer.key = ECKey.generate_key("P-256", {"kid": "second"})
        odd = [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, {"kty": "RSA", "use": "enc"}]
        issuer.published = [*odd, issuer.key.as_dict(private=False)]
        signed_in_as(control, sign_in(control, issuer))
        assert [path for path, _, _ in issuer.asked].count("/realm/keys") == 2


def test_what_the_token_lacks_is_asked_for(tmp_path: Path) -> None:
    """An address from userinfo counts, of the same subject only."""
    with with_issuer(tmp_path, auto_create=True) as (control, issuer):
        issuer.userinfo = {**ANN, "sub": "s-2"}
        refused(sign_in(control, issuer), 403, "not one that can be trusted")
        issuer.userinfo = {**ANN, "sub": "s-1"}
        assert signed_in_as(control, sign_in(control, issuer)) == "ann@example.com"
        assert next(fields for path, fields, _ in issuer.asked if path == "/realm/me")["authorization"] == "Bearer at"


@pytest.mark.parametrize(("following", "place"), [
    (None, "/console/"), ("/console/keys?x=1#y", "/console/keys?x=1#y"), ("//evil.example", "/console/"), ("/\\evil.example", "/console/"),
    ("https://evil.example", "/console/"), ("/a\r\nset-cookie: x=y", "/console/"), ("javascript:alert(1)", "/console/"), ("", "/console/"),
    ("/console/\\..\\x", "/console/"), ("/" + "x" * 3000, "/console/"),
])
def test_the_way_back_leads_nowhere_else(tmp_path: Path, following: str | None, place: str) -> None:
    """Only a path of ours is gone to after the sign-in."""
    with with_issuer(tmp_path, auto_create=True) as (control, issuer):
        issuer.claims = ANN
        answer = sign_in(control, issuer, following)
        assert answer.status_code == 303 and answer.headers["location"] == place


def test_what_the_provider_refuses_is_shown_as_text(tmp_path: Path) -> None:
    """Its own words, without effect in a page; those of anybody else are not shown at all."""
    with with_issuer(tmp_path) as (control, issuer):
        _, query, cookie = begin(control)
        words = f"error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state={query['state']}"
        refused(finish(control, words, cookie), 403, "&lt;script&gt;alert(1)&lt;/script&gt;")
        stranger = finish(control, "error=access_denied&error_description=call+0800+555&state=x", cookie)
        refused(stranger, 400, "was not begun in this browser")
        assert "0800" not in stranger.text


def description_of_another(issuer: Issuer) -> None:
    issuer.description = {"issuer": "https://evil.example"}


def fault(issuer: Issuer) -> None:
    issuer.refusal = (500, b"oops")


def nonsense(issuer: Issuer) -> None:
    issuer.refusal = (200, b"<html>")


def moved(issuer: Issuer) -> None:
    issuer.refusal = (302, b"")


@pytest.mark.parametrize(("spoil", "status", "said"), [
    (description_of_another, 403, "not one that can be trusted"), (fault, 502, "cannot be asked"), (nonsense, 502, "cannot be asked"),
    (moved, 502, "cannot be asked"),
])
def test_a_provider_that_fails_is_a_page(tmp_path: Path, spoil: Callable[[Issuer], None], status: int, said: str) -> None:
    """Whether it is away, is another, or says nothing that can be read; and it is asked again the next time."""
    with with_issuer(tmp_path, auto_create=True) as (control, issuer):
        spoil(issuer)
        refused(begin(control)[0], status, said)
        issuer.refusal, issuer.description, issuer.claims = None, {}, ANN
        signed_in_as(control, sign_in(control, issuer))


def test_a_public_client_and_one_that_posts_its_secret(tmp_path: Path) -> None:
    """Where there is no secret none is sent; where the provider takes it in the form only, it is sent there."""
    with with_issuer(tmp_path / "public", secret=None, auto_create=True) as (control, issuer):
        issuer.claims = ANN
        signed_in_as(control, sign_in(control, issuer))
        _, fields, body = next(asked for asked in issuer.asked if asked[0] == "/realm/token")
        assert "authorization" not in fields and parse_qs(body)["client_id"] == ["fastgw"] and "client_secret" not in parse_qs(body)
    with with_issuer(tmp_path / "post", auto_create=True) as (control, issuer):
        issuer.claims, issuer.description = ANN, {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        signed_in_as(control, sign_in(control, issuer))
        _, fields, body = next(asked for asked in issuer.asked if asked[0] == "/realm/token")
        assert "authorization" not in fields and parse_qs(body)["client_secret"] == ["s:cret"]


def test_without_a_provider_there_is_no_such_way(control: Control) -> None:
    """The console offers none, and nothing is served there."""
    assert control.client.get("/api/v1/login/options").json() == {"password": True, "oidc": None}
    assert control.client.get("/oauth/login").status_code == 404
