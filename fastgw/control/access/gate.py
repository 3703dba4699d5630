"""Who calls: a user by the cookie of a sign-in, or a script by its token. Neither is kept but as a digest."""

import secrets
import time
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from fastgw.control.access.principal import Principal
from fastgw.control.access.roles import ORGANISATION_ONLY, ORGANISATION_ROLES, SCOPES, WORKSPACE_ROLES
from fastgw.control.api.problem import ApiError
from fastgw.control.plane import Plane
from fastgw.control.store.engine import Transaction
from fastgw.control.store.tables import MEMBERS, SESSIONS, TOKENS, USERS

COOKIE: Final = "__Host-fastgw"
TOKEN_PREFIX: Final = "fgt-"
SIGNED_IN_NS: Final = 12 * 3600 * 10**9
SEEN_NS: Final = 60 * 10**9  # how exactly a token's last use is known
SAFE: Final = frozenset(("GET", "HEAD"))
SIGN_IN: Final = "sign in at /console, or send an API token as Authorization: Bearer fgt-..."


async def identify(plane: Plane, request: Request) -> Principal:
    """Who sent a request. raises ApiError where nobody did, or a browser was made to"""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credential.strip():
        return await by_token(plane, credential.strip())
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise ApiError("not_signed_in", f"expected a sign-in or a token, found neither: {SIGN_IN}")
    async with plane.store.read() as connection:
        found = (
            await connection.execute(
                select(USERS, SESSIONS.c.csrf)
                .join(SESSIONS, SESSIONS.c.user_id == USERS.c.id)
                .where(SESSIONS.c.digest == digest_of(cookie), SESSIONS.c.expires_ns > time.time_ns())
            )
        ).first()
        if found is None or not is_active(found.spec):
            raise ApiError("not_signed_in", f"the sign-in has ended: {SIGN_IN}")
        principal = await user_principal(connection, found)
    if request.method not in SAFE:
        refuse_forged(request, found.csrf)
    return principal


def refuse_forged(request: Request, csrf: str) -> None:
    """raises ApiError for a request that another site made the browser send"""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ApiError("csrf", "expected a request of the console itself, found one of another site")
    if not compare_digest(request.headers.get("x-csrf-token", "").encode(), csrf.encode()):
        raise ApiError("csrf", "expected the x-csrf-token that /api/v1/me states, found another or none")


async def by_token(plane: Plane, token: str) -> Principal:
    async with plane.store.read() as connection:
        row = (await connection.execute(select(TOKENS).where(TOKENS.c.digest == digest_of(token)))).first()
    now = time.time_ns()
    if row is None or (row.expires_ns is not None and row.expires_ns <= now):
        raise ApiError("not_signed_in", f"the token is not known here, or has expired: {SIGN_IN}")
    if row.last_used_ns is None or row.last_used_ns < now - SEEN_NS:
        async with plane.store.write() as transaction:
            await transaction.execute(update(TOKENS).where(TOKENS.c.id == row.id).values(last_used_ns=now))
    held = SCOPES & frozenset(msgspec.json.decode(row.spec)["scopes"])
    return Principal(
        kind="token",
        id=row.id,
        name=row.name,
        organisation_id=row.organisation_id,
        scopes=held if row.workspace_id is None else frozenset(),
        workspaces={} if row.workspace_id is None else {row.workspace_id: held - ORGANISATION_ONLY},
    )


async def user_principal(connection: AsyncConnection, user: Row[Any]) -> Principal:
    """A user with the scopes that their roles give."""
    members = await connection.execute(select(MEMBERS.c.workspace_id, MEMBERS.c.role).where(MEMBERS.c.user_id == user.id))
    return Principal(
        kind="user",
        id=user.id,
        name=user.email,
        organisation_id=user.organisation_id,
        role=user.role,
        scopes=ORGANISATION_ROLES[user.role],
        workspaces={row.workspace_id: WORKSPACE_ROLES[row.role] for row in members},
        user_id=user.id,
    )


def is_active(spec: str) -> bool:
    return bool(msgspec.json.decode(spec).get("status", "active") == "active")


async def open_session(transaction: Transaction, user_id: str, address: str) -> tuple[str, str]:
    """Sign a user in: the cookie's value, and the token against forged requests."""
    cookie, csrf, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), time.time_ns()
    await transaction.execute(delete(SESSIONS).where(SESSIONS.c.expires_ns < now))
    await transaction.execute(
        insert(SESSIONS).values(
            digest=digest_of(cookie), user_id=user_id, csrf=csrf, expires_ns=now + SIGNED_IN_NS, address=address, created_ns=now
        )
    )
    await transaction.execute(update(USERS).where(USERS.c.id == user_id).values(last_login_ns=now))
    return cookie, csrf


def cookie_field(value: str) -> str:
    """The Set-Cookie that signs in; an empty value signs out."""
    age = SIGNED_IN_NS // 10**9 if value else 0
    return f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"


def address_of(request: Request) -> str:
    """Whence a request came, as the lane says, which is the last to say so."""
    return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()


def digest_of(secret: str) -> bytes:
    """What is kept of a secret of full entropy."""
    return sha256(secret.encode()).digest()
