"""Sign in at oidc-provider, a certified OpenID provider that others wrote: the same way as with a company's own."""

from pathlib import Path

import pytest

from fastgw.snapshot.config import ControlPlane, Oidc
from fastgw.snapshot.secret import Secret
from tests.control.plane import Control, running
from tests.control.signing_in import begin, finish, signed_in_as
from tests.fakes.oidc_provider import RealProvider, why_absent

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent() or "it is there")

CALLBACK = "https://gateway.example/oauth/callback"
SECRET = "a secret: with %41 + &" + "0" * 24  # which has to be encoded to be sent
ANN = {"sub": "ann", "email": "ann@example.com", "email_verified": True, "name": "Ann"}


def settings(provider: RealProvider, secret: str = SECRET) -> ControlPlane:
    oidc = Oidc(issuer=provider.url, client_id="fastgw", client_secret=Secret(secret), auto_create=True)
    return ControlPlane(public_url="https://gateway.example/", oidc=oidc)


def go(control: Control, provider: RealProvider) -> tuple[str, str]:
    """Begin, and be sent back by the provider: the query, and the cookie that the browser has kept."""
    answer, _, cookie = begin(control)
    return provider.browse(answer.headers["location"]), cookie


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_people_sign_in_and_keys_may_be_replaced(tmp_path: Path, algorithm: str) -> None:
    """The address is in no token but in userinfo; a provider that comes back with other keys is believed again."""
    provider = RealProvider(tmp_path, CALLBACK, algorithm, SECRET)
    with provider:
        with running("", tmp_path, settings(provider)) as control:
            for _ in range(2):
                provider.act_as(ANN)
                assert signed_in_as(control, finish(control, *go(control, provider))) == "ann@example.com"
            provider.__exit__(None, None, None)
            provider.__enter__()
            provider.act_as(ANN)
            assert signed_in_as(control, finish(control, *go(control, provider))) == "ann@example.com"
            user = control.ask("GET", "/users/ann@example.com")
            assert (user["name"], user["role"], user["oidc"]) == ("Ann", "member", True)


def test_what_goes_wrong_at_the_provider_is_a_page(tmp_path: Path) -> None:
    """Who says no, a code that was used, and a secret that is none."""
    with RealProvider(tmp_path, CALLBACK, "RS256", SECRET) as provider:
        with running("", tmp_path, settings(provider)) as control:
            provider.act_as(None)
            page = finish(control, *go(control, provider))
            assert page.status_code == 403 and "the person said no" in page.text
            provider.act_as(ANN)
            query, cookie = go(control, provider)
            signed_in_as(control, finish(control, query, cookie))
            assert finish(control, query, cookie).status_code == 403
        with running("", tmp_path / "other", settings(provider, "another")) as control:
            page = finish(control, *go(control, provider))
            assert page.status_code == 403 and "does not say who you are" in page.text
