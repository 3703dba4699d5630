"""Sign in at an identity provider: where the browser is sent, what it comes back with, and pages for people where that fails."""

import base64
import logging
import re
import time
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from html import escape
from typing import Any, Final

import msgspec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fastgw.control.access.attempt import Attempt, Person, SignInFailed
from fastgw.control.access.gate import address_of, cookie_field, is_active
from fastgw.control.access.principal import Principal
from fastgw.control.api.call import Call
from fastgw.control.api.signin import sign_in
from fastgw.control.api.users import EMAIL, Users
from fastgw.control.api.written import encode
from fastgw.control.ids import make_id
from fastgw.control.plane import Plane
from fastgw.control.store.engine import StoreUnavailable
from fastgw.control.store.tables import ORGANISATIONS, USERS
from fastgw.snapshot.config import Oidc

COOKIE: Final = "__Host-fastgw-oidc"
ATTEMPT_SECONDS: Final = 600
CONSOLE: Final = "/console/"
# A path of ours: "//" and "/\" would be another host's for a browser.
OWN_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}\Z")
FIELDS: Final = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<h1>{title}</h1>
<p>{message}</p>
<p><a href="/console/">Back to the console</a></p>
<p><small>Request {request_id}</small></p>
</html>
"""
log = logging.getLogger("fastgw.control")


def oauth_routes(plane: Plane) -> list[BaseRoute]:
    """What is served under /oauth, where a provider is named."""
    if plane.settings.oidc is None:
        return []
    # its packages take a while to import, and most installations have no provider
    from fastgw.control.access.oidc import OidcProvider

    provider = OidcProvider(plane.settings.oidc)

    async def begin(request: Request) -> Response:
        following = request.query_params.get("next", CONSOLE)
        place, attempt = await provider.begin(redirect_uri(plane, request), following if OWN_PATH.match(following) else CONSOLE)
        return RedirectResponse(place, 302, {**FIELDS, "set-cookie": attempt_field(kept(attempt), ATTEMPT_SECONDS)})

    async def finish(request: Request) -> Response:
        query = request.query_params
        attempt = attempt_of(request)
        if attempt is None or not compare_digest(query.get("state", "").encode(), attempt.state.encode()):
            raise SignInFailed("This sign-in was not begun in this browser, or took too long. Begin it again.", "no such attempt", 400)
        if query.get("iss", provider.settings.issuer) != provider.settings.issuer:
            raise SignInFailed("The answer came from another identity provider. Begin again.", f"iss is {query['iss']!r}", 400)
        if "error" in query or not query.get("code"):
            code, told = query.get("error", "no code")[:100], query.get("error_description", "")[:300]
            raise SignInFailed(f"The identity provider did not sign you in: {told or code}", f"{code}: {told}")
        person = await provider.finish(query["code"], attempt, redirect_uri(plane, request))
        cookie = await admit(plane, request, person)
        response = RedirectResponse(attempt.following, 303, FIELDS)
        response.headers.append("set-cookie", cookie_field(cookie))
        response.headers.append("set-cookie", attempt_field("", 0))
        return response

    def paged(run: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            request_id = request.headers.get("x-fastgw-request-id") or make_id()
            try:
                return await run(request)
            except SignInFailed as error:
                log.warning("request %s: sign-in refused: %s", request_id, error.reason)
                return page(str(error), error.status, request_id)
            except StoreUnavailable as error:
                log.warning("request %s: %s", request_id, error)
                return page("The gateway's store cannot be reached at the moment. Try again in a while.", 503, request_id)

        return serve

    return [Route("/oauth/login", paged(begin), methods=["GET"]), Route("/oauth/callback", paged(finish), methods=["GET"])]


def page(message: str, status: int, request_id: str) -> Response:
    text = PAGE.format(title="You are not signed in", message=escape(message), request_id=escape(request_id))
    return HTMLResponse(text, status, {**FIELDS, "set-cookie": attempt_field("", 0)})


def redirect_uri(plane: Plane, request: Request) -> str:
    """Where the provider sends the browser back to; it refuses what was not registered with it."""
    origin = plane.settings.public_url
    if origin is None:
        origin = f"{request.headers.get('x-forwarded-proto', request.url.scheme)}://{request.headers.get('host', '')}"
    return f"{origin.rstrip('/')}/oauth/callback"


def attempt_field(value: str, age: int) -> str:
    return f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"


def kept(attempt: Attempt) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(attempt)).decode().rstrip("=")


def attempt_of(request: Request) -> Attempt | None:
    """The attempt that this browser began, while it holds."""
    text = request.cookies.get(COOKIE, "")
    try:
        attempt = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Attempt)
    except (ValueError, msgspec.DecodeError):
        return None
    return attempt if 0 <= time.time() - attempt.began_s <= ATTEMPT_SECONDS else None


async def admit(plane: Plane, request: Request, person: Person) -> str:
    """Sign in the user that a person is, by subject, else by an address that is vouched for; the cookie's value. raises SignInFailed"""
    settings = plane.settings.oidc
    assert settings is not None  # or nobody is sent here
    call = Call(plane, request, gateway_in(""), request.headers.get("x-fastgw-request-id") or make_id(), address_of(request))
    domain = person.email.rpartition("@")[2]
    if settings.allowed_domains and domain not in {name.lower() for name in settings.allowed_domains}:
        raise SignInFailed(f"Addresses of {domain or 'an unknown domain'} may not sign in here.", f"domain of {person!r}")
    try:
        async with plane.store.write() as transaction:
            call.transaction, call.connection = transaction, transaction.connection
            user = await find_user(call, person)
            if user is None:
                user = await make_user(call, person, settings)
            if not is_active(user.spec):
                raise SignInFailed("Your account here is disabled. Ask your administrator.", f"{user.email} is disabled")
            user = await follow_role(call, user, person)
            cookie, _ = await sign_in(call, user, "oidc")
    except IntegrityError as error:  # two first sign-ins of one person at once
        raise SignInFailed("Somebody signed in with this account at the same moment. Try again.", str(error.orig)) from None
    if transaction.touched:
        plane.publisher.wake()
    return cookie


def gateway_in(organisation_id: str) -> Principal:
    """The gateway itself, as the audit names it where nobody has signed in yet."""
    return Principal(kind="system", id="", name="sign-in", organisation_id=organisation_id)


async def find_user(call: Call, person: Person) -> Row[Any] | None:
    found = (await call.reading.execute(select(USERS).where(USERS.c.oidc_subject == person.subject))).first()
    if found is not None or not person.email:
        return found
    found = (await call.reading.execute(select(USERS).where(USERS.c.email == person.email))).first()
    if found is None:
        return None
    if found.oidc_subject is not None:
        # the address may have been given to somebody else since
        raise SignInFailed("Your address belongs to another account of the identity provider here. Ask your administrator.",
                      f"{person.email} is {found.oidc_subject}, found {person.subject}")  # fmt: skip
    call.principal = gateway_in(found.organisation_id)
    await call.writing.execute(update(USERS).where(USERS.c.id == found.id).values(oidc_subject=person.subject))
    await call.audit("users.update", "users", found.id, found.email, {"oidc": [False, True]})
    return found


async def make_user(call: Call, person: Person, settings: Oidc) -> Row[Any]:
    """A member for somebody whom nobody knows yet, where that is wished for."""
    if not person.email or not re.match(EMAIL, person.email):
        raise SignInFailed("The identity provider vouches for no e-mail address of yours, and you are not known here yet.", f"{person!r}")
    if not settings.auto_create:
        raise SignInFailed(f"There is no account for {person.email} here. Ask your administrator for one.", f"{person.email} is not known")
    organisation = (await call.reading.execute(select(ORGANISATIONS.c.id).order_by(ORGANISATIONS.c.created_ns).limit(1))).scalar_one()
    call.principal = gateway_in(organisation)
    document = {"email": person.email, "name": person.name, "role": "member"}
    user_id = make_id()
    await call.writing.execute(
        insert(USERS).values(
            id=user_id, organisation_id=organisation, email=person.email, role="member", oidc_subject=person.subject,
            spec=encode(document).decode(), version=1, revision=await call.writing.revision(), created_ns=call.now_ns,
            updated_ns=call.now_ns,
        )
    )  # fmt: skip
    await call.audit("users.create", "users", user_id, person.email, {name: [None, value] for name, value in document.items()})
    return await reread(call, user_id)


async def follow_role(call: Call, user: Row[Any], person: Person) -> Row[Any]:
    """The user with the role that the provider says; owners are made and unmade here alone."""
    if not person.role or user.role in ("owner", person.role):
        return user
    call.principal = gateway_in(user.organisation_id)
    row = dict(user._mapping)
    await Users().keep(call, row, {**Users().document_of(row), "role": person.role}, {"role": person.role})
    await call.audit("users.update", "users", user.id, user.email, {"role": [user.role, person.role]})
    return await reread(call, user.id)


async def reread(call: Call, user_id: str) -> Row[Any]:
    return (await call.reading.execute(select(USERS).where(USERS.c.id == user_id))).one()
