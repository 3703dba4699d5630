"""A browser that signs in at an identity provider, as far as the gateway sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from httpx2 import Response

from fastgw.snapshot.config import ControlPlane, Oidc
from fastgw.snapshot.secret import Secret
from tests.control.plane import Control, running
from tests.fakes.issuer import Issuer

ORIGIN = "http://127.0.0.1"


@contextmanager
def with_issuer(state: Path, url: str = "", secret: str | None = "s:cret", **settings: object) -> Iterator[tuple[Control, Issuer]]:
    """A control plane whose people sign in at an issuer of the test's own."""
    with Issuer() as issuer:
        oidc = Oidc(issuer=issuer.url, client_id="fastgw", client_secret=Secret(secret) if secret else None, **settings)  # type: ignore[arg-type]  # what the test says
        with running(url, state, ControlPlane(oidc=oidc)) as control:
            yield control, issuer


def begin(control: Control, following: str | None = None) -> tuple[Response, dict[str, str], str]:
    """Begin: the answer, the query that the provider would get, and the cookie that the browser keeps."""
    wish = "" if following is None else f"?next={quote(following, safe='')}"
    answer = control.client.get(f"/oauth/login{wish}", follow_redirects=False)
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers.get("location", "")).query).items()}
    control.client.cookies.clear()
    return answer, query, answer.headers["set-cookie"].partition(";")[0]


def finish(control: Control, query: str, cookie: str) -> Response:
    """Come back from the provider."""
    answer = control.client.get(f"/oauth/callback?{query}", headers={"cookie": cookie}, follow_redirects=False)
    control.client.cookies.clear()
    return answer


def sign_in(control: Control, issuer: Issuer, following: str | None = None) -> Response:
    """The whole way."""
    _, query, cookie = begin(control, following)
    issuer.nonces.append(query["nonce"])
    return finish(control, f"code=right&state={query['state']}", cookie)


def signed_in_as(control: Control, answer: Response) -> str:
    """Who somebody is after they came back."""
    assert answer.status_code == 303, answer.text
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("__Host-fastgw="))
    me = control.client.get("/api/v1/me", headers={"cookie": cookie.partition(";")[0]})
    control.client.cookies.clear()
    assert me.status_code == 200, me.text
    return str(me.json()["user"]["email"])
