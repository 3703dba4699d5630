"""Sign in, sign out, and who one is."""

import asyncio
import time
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from sqlalchemy import Row, delete, select

from fastgw import __version__
from fastgw.control.access.gate import COOKIE, cookie_field, digest_of, is_active, open_session, user_principal
from fastgw.control.access.passwords import MOST_CHARACTERS, is_password
from fastgw.control.access.throttle import Throttle
from fastgw.control.api.call import Answer, Call
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.problem import ApiError
from fastgw.control.api.written import name_in, read_written
from fastgw.control.store.tables import MEMBERS, ORGANISATIONS, SESSIONS, USERS, WORKSPACES
from fastgw.snapshot.section import Section

Entered = Annotated[str, Meta(max_length=MOST_CHARACTERS, extra={"expected": f"a text of at most {MOST_CHARACTERS} characters"})]


class Login(Section, frozen=True):
    """What a person enters."""

    email: Annotated[Entered, Meta(description="e-mail address")]
    password: Annotated[Entered, Meta(description="password")]


class Elsewhere(Struct, frozen=True):
    """An identity provider to sign in at."""

    name: str
    url: str


class Options(Struct, frozen=True):
    """The ways to sign in."""

    password: bool
    oidc: Elsewhere | None


class SignedInUser(Struct, frozen=True):
    """Who calls; of a token the name of the token."""

    id: str
    email: str
    name: str
    role: str
    kind: Literal["user", "token", "system"]
    has_password: bool


class SignedIn(Struct, frozen=True):
    """Who has signed in; `csrf` goes into x-csrf-token."""

    user: SignedInUser
    csrf: str


class Home(Struct, frozen=True):
    """The caller's organisation."""

    id: str
    slug: str
    name: str


class Place(Struct, frozen=True):
    """A workspace that the caller has a role in, and what that lets them do there."""

    id: str
    slug: str
    name: str
    role: str
    scopes: list[str]


class Me(Struct, frozen=True):
    """Who calls, and what they may do somewhere; `csrf` is null for a token."""

    user: SignedInUser
    role: str
    organisation: Home
    csrf: str | None
    scopes: list[str]
    is_organisation_wide: bool
    workspaces: list[Place]
    version: str
    demo: bool


async def sign_in(call: Call, user: Row[Any], by: str) -> tuple[str, str]:
    """Sign a user in, and leave a line in the audit: the cookie's value, and the token against forged requests."""
    call.principal = await user_principal(call.reading, user)
    await call.audit("users.sign_in", "users", user.id, user.email, {"by": [None, by]})
    return await open_session(call.writing, user.id, call.address)


class SignIn:
    """The endpoints of signing in, and who has failed to lately."""

    def __init__(self) -> None:
        self.throttle = Throttle()

    def __repr__(self) -> str:
        return f"<SignIn {self.throttle!r}>"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path="/login",
                run=self.login,
                summary="Sign in with e-mail and password",
                scope=None,
                uses="none",
                body=Login,
                reply=SignedIn,
                tag="sign-in",
                codes=("wrong_credentials", "too_many_logins"),
            ),
            Endpoint(
                method="GET",
                path="/login/options",
                run=self.options,
                summary="Show the ways to sign in",
                scope=None,
                uses="none",
                reply=Options,
                tag="sign-in",
            ),
            Endpoint(method="POST", path="/logout", run=self.logout, summary="Sign out", scope="", uses="write", status=204, tag="sign-in"),
            Endpoint(
                method="GET",
                path="/me",
                run=self.me,
                summary="Show who has signed in, and what they may do",
                scope="",
                reply=Me,
                tag="sign-in",
            ),
        ]

    async def login(self, call: Call) -> Answer:
        entered = read_written(Login, call.document, call.plane.sealer)
        email, now = entered.email.strip().lower(), time.monotonic()
        who = (email, call.address)
        self.throttle.admit(who, now)
        async with call.plane.store.read() as connection:
            user = (await connection.execute(select(USERS).where(USERS.c.email == email))).first()
        is_right = await asyncio.to_thread(is_password, entered.password, user.password_hash if user is not None else None)
        if user is None or not is_right or not is_active(user.spec):
            raise ApiError("wrong_credentials", "expected an e-mail address and its password, found a pair that does not go together")
        self.throttle.passed(who)
        async with call.plane.store.write() as transaction:
            call.transaction, call.connection = transaction, transaction.connection
            cookie, csrf = await sign_in(call, user, "password")
        known = SignedInUser(user.id, user.email, name_in(user.spec), user.role, "user", has_password=True)
        return Answer(SignedIn(known, csrf), fields={"set-cookie": cookie_field(cookie)})

    async def options(self, call: Call) -> Answer:
        oidc = call.plane.settings.oidc
        return Answer(Options(password=True, oidc=None if oidc is None else Elsewhere(oidc.name, "/oauth/login")))

    async def logout(self, call: Call) -> Answer:
        cookie = call.request.cookies.get(COOKIE, "")
        await call.writing.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest_of(cookie)))
        return Answer(status=204, fields={"set-cookie": cookie_field("")})

    async def me(self, call: Call) -> Answer:
        principal = call.principal
        organisation = (await call.reading.execute(select(ORGANISATIONS).where(ORGANISATIONS.c.id == principal.organisation_id))).one()
        places = await call.reading.execute(
            select(WORKSPACES, MEMBERS.c.role)
            .join(MEMBERS, MEMBERS.c.workspace_id == WORKSPACES.c.id)
            .where(MEMBERS.c.user_id == (principal.user_id or ""))
            .order_by(WORKSPACES.c.slug)
        )
        user = (await call.reading.execute(select(USERS.c.spec, USERS.c.password_hash).where(USERS.c.id == principal.id))).first()
        csrf = None
        if cookie := call.request.cookies.get(COOKIE):
            csrf = (await call.reading.execute(select(SESSIONS.c.csrf).where(SESSIONS.c.digest == digest_of(cookie)))).scalar_one_or_none()
        return Answer(
            Me(
                user=SignedInUser(
                    principal.id, principal.name, "" if user is None else name_in(user.spec), principal.role, principal.kind,
                    has_password=user is not None and user.password_hash is not None,
                ),  # fmt: skip
                role=principal.role,
                organisation=Home(organisation.id, organisation.slug, name_in(organisation.spec)),
                csrf=csrf,
                scopes=sorted(principal.scopes.union(*principal.workspaces.values())),
                is_organisation_wide=bool(principal.scopes),
                workspaces=[
                    Place(row.id, row.slug, name_in(row.spec), row.role, sorted(principal.workspaces.get(row.id, ()))) for row in places
                ],
                version=__version__,
                demo=call.plane.is_demo,
            )
        )
