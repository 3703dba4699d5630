"""Users: who may sign in, with which role, and with which password."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from msgspec import Meta, structs
from sqlalchemy import ColumnElement, and_, delete, select, update

from fastgw.control.access.gate import COOKIE, digest_of
from fastgw.control.access.passwords import LEAST_CHARACTERS, MOST_CHARACTERS, hash_password, is_password
from fastgw.control.access.roles import ORGANISATION_ROLES
from fastgw.control.access.throttle import Throttle
from fastgw.control.api.call import Answer, Call, lacks, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.leaving import Left, disable_keys
from fastgw.control.api.limits import Owned
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.resource import Owner, Resource, Shown, Stored
from fastgw.control.api.spending import Spend, spend_of
from fastgw.control.api.workspaces import Text
from fastgw.control.api.written import Document, read_written
from fastgw.control.store.tables import KEYS, SESSIONS, USERS
from fastgw.snapshot.secret import Secret
from fastgw.snapshot.section import Section

EMAIL: Final = r"\A(?=.{3,254}\Z)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\Z"
Email = Annotated[str, Meta(pattern=EMAIL, extra={"expected": "an e-mail address"})]


class UserWritten(Owned, frozen=True, kw_only=True):
    """What administrators write of a user."""

    email: Annotated[Email, Meta(description="whom it is; kept in lower case")]
    name: Annotated[Text, Meta(description="the name for people")] = ""
    role: Annotated[Literal["owner", "admin", "member"], Meta(description="in the organisation")] = "member"
    status: Annotated[Literal["active", "disabled"], Meta(description="disabled: cannot sign in, and their keys are refused")] = "active"
    password: Annotated[Secret | None, Meta(description="12 to 256 characters; null: none, to sign in by OIDC only")] = None


class UserShown(Shown, kw_only=True):
    """What is answered beside it."""

    has_password: bool
    oidc: bool
    last_login_at: str | None
    spend: Spend


class PasswordChange(Section, frozen=True):
    """What people send to change their own password."""

    current: Annotated[str, Meta(max_length=MOST_CHARACTERS, description="the one of now", extra={"expected": "the password of now"})]
    password: Annotated[str, Meta(description="the one to be", extra={"expected": f"{LEAST_CHARACTERS} to {MOST_CHARACTERS} characters"})]


class Users(Resource):
    name, noun, table, scopes, by = "users", "user", USERS, "organisation_users", "email"
    written, shown = UserWritten, UserShown
    # keys are published with the status, the address and the limits of their user
    touches, whole, has_limits = ("keys",), ("annotations",), True

    def __init__(self) -> None:
        self.throttle = Throttle()

    def endpoints(self) -> list[Endpoint]:
        rows = {endpoint.method + endpoint.path: endpoint for endpoint in super().endpoints()}
        for row in ("GET/users", "GET/users/{user}"):
            rows[row] = structs.replace(rows[row], scope="")  # everyone sees themselves
        rows["DELETE/users/{user}"] = structs.replace(rows["DELETE/users/{user}"], status=200, reply=Left)
        change = Endpoint(
            method="POST",
            path="/users/{user}/password",
            run=self.change_password,
            summary="Change one's own password",
            scope="",
            uses="none",
            status=204,
            body=PasswordChange,
            tag="users",
            codes=("too_many_logins",),
        )
        return [*rows.values(), change]

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        principal = call.principal
        own = USERS.c.organisation_id == principal.organisation_id
        if principal.may(f"{self.scopes}.{verb}"):
            return own
        if principal.user_id is None:
            raise lacks(f"{self.scopes}.{verb}")
        return and_(own, USERS.c.id == principal.user_id)

    def named(self, name: str) -> ColumnElement[bool]:
        return super().named(name.lower())

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        """Nobody gives a role with a scope that they have not, nor touches one who has it."""
        super().permit(call, verb, {})
        if beyond := ORGANISATION_ROLES[str(columns["role"])] - call.principal.scopes:
            raise lacks(sorted(beyond)[0])

    def seal(self, call: Call, document: Document, whole: Document) -> Document:
        # it is kept as a hash, in a column of its own
        return super().seal(call, {name: value for name, value in document.items() if name != "password"}, whole)

    async def complete(self, call: Call, document: Document, before: Stored | None) -> Document:
        email = document.get("email")
        return {**document, "email": email.strip().lower()} if isinstance(email, str) else document

    async def columns(self, call: Call, written: UserWritten, before: Stored | None) -> dict[str, object]:
        is_owner = written.role == "owner" and written.status == "active"
        if before is not None and not is_owner:
            await self.keep_an_owner(call, before)
        columns: dict[str, object] = {"email": written.email, "role": written.role}
        if "password" in call.document:
            if before is not None and before["id"] == call.principal.user_id:
                raise invalid("$.password", "POST /users/{user}/password, with the current one, for your own", "a change of it")
            columns["password_hash"] = await hash_entered(call.document["password"])
        return columns

    async def after(self, call: Call, row: Stored, before: Stored | None) -> Document:
        if "password" in call.document or self.document_of(row).get("status") == "disabled":
            await end_sign_ins(call, row["id"])
        return {}

    async def removing(self, call: Call, row: Stored) -> Document:
        await self.keep_an_owner(call, row)
        return await disable_keys(call, KEYS.c.user_id == row["id"], is_gone=True)

    async def keep_an_owner(self, call: Call, row: Stored) -> None:
        """raises ApiError where a user is the last owner who can sign in"""
        if row["role"] != "owner":
            return
        await call.writing.revision()  # two owners who send one another away take turns
        others = await call.writing.execute(
            select(USERS.c.spec).where(
                USERS.c.organisation_id == row["organisation_id"], USERS.c.role == "owner", USERS.c.id != row["id"]
            )
        )
        if not any(self.document_of({"spec": spec}).get("status", "active") == "active" for spec in others.scalars()):
            raise ApiError("last_owner", f"expected another active owner beside {row['email']!r}, found none: make one first")

    async def owner(self, call: Call, row: Stored) -> Owner:
        return Owner(f"user:{row['id']}", f"user {row['email']!r}", None)

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        documents = [self.document_of(row) for row in rows]
        spends = await spend_of(call, [(f"user:{row['id']}", document) for row, document in zip(rows, documents, strict=True)])
        return [
            {
                "role": row["role"],
                "status": document.get("status", "active"),
                "has_password": row["password_hash"] is not None,
                "oidc": row["oidc_subject"] is not None,
                "last_login_at": moment(row["last_login_ns"]),
                "spend": spend,
            }
            for row, document, spend in zip(rows, documents, spends, strict=True)
        ]

    async def audit(self, call: Call, verb: str, row: Stored, told: Mapping[str, object]) -> None:
        if isinstance(call.body, dict) and "password" in call.body:
            told = {**told, "password": ["(secret)", "(secret)"]}
        await super().audit(call, verb, row, told)

    async def change_password(self, call: Call) -> Answer:
        """Of oneself, by whoever knows the current one; all other sign-ins end."""
        async with call.plane.store.read() as call.connection:
            row = await self.find(call, "read")
        if row["id"] != call.principal.user_id:
            raise lacks(f"{self.scopes}.update, which sets it by PATCH; this is for one's own")
        entered = read_written(PasswordChange, call.document, call.plane.sealer)
        who, now = (str(row["id"]),), time.monotonic()
        self.throttle.admit(who, now)
        if not await asyncio.to_thread(is_password, entered.current, row["password_hash"]):
            raise invalid("$.current", "the password of now", "another")
        self.throttle.passed(who)
        kept = await hash_entered(entered.password)
        async with call.plane.store.write() as transaction:
            call.transaction, call.connection = transaction, transaction.connection
            await transaction.execute(update(USERS).where(USERS.c.id == row["id"]).values(password_hash=kept, updated_ns=call.now_ns))
            await end_sign_ins(call, row["id"])
            await self.audit(call, "update", row, {})
        return Answer(status=204)


async def hash_entered(password: object) -> str | None:
    """What is kept of a password. raises ApiError where it is too short or too long"""
    if password is None:
        return None
    if not isinstance(password, str) or not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        found = f"{len(password)} characters" if isinstance(password, str) else "something else"
        raise invalid("$.password", f"{LEAST_CHARACTERS} to {MOST_CHARACTERS} characters", found)
    return await asyncio.to_thread(hash_password, password)


async def end_sign_ins(call: Call, user_id: str) -> None:
    """All of a user, but for the one that asks for it."""
    own = digest_of(call.request.cookies.get(COOKIE, ""))
    await call.writing.execute(delete(SESSIONS).where(SESSIONS.c.user_id == user_id, SESSIONS.c.digest != own))
