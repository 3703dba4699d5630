"""Others than the owner who call the control plane: people with roles in workspaces, tokens with scopes, another organisation."""

import secrets
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Table, insert, select

from fastgw.control.ids import make_id
from fastgw.control.store.tables import AUDIT, MEMBERS, ORGANISATIONS, REPLAYS, SESSIONS, TOKENS, USERS, WORKSPACES
from tests.control.plane import Control, Json

Row = dict[str, Any]


def put(control: Control, table: Table, **columns: Any) -> str:
    """Write a row as the API would, and return its id."""
    now = time.time_ns()
    row: Row = {"id": make_id(), "spec": "{}", "version": 1, "revision": 1, "created_ns": now, "updated_ns": now, **columns}

    async def write() -> None:
        async with control.plane.store.write() as transaction:
            await transaction.execute(insert(table).values({name: value for name, value in row.items() if name in table.c}))

    assert control.client.portal is not None
    control.client.portal.call(write)
    return str(row["id"])


def rows_of(control: Control, table: Table) -> list[Row]:
    """All rows of a table."""

    async def read() -> list[Row]:
        async with control.plane.store.read() as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]

    assert control.client.portal is not None
    return control.client.portal.call(read)


def organisation_of(control: Control) -> str:
    return str(rows_of(control, ORGANISATIONS)[0]["id"])


def workspace_id(control: Control, slug: str) -> str:
    return str(next(row["id"] for row in rows_of(control, WORKSPACES) if row["slug"] == slug))


def member(control: Control, roles: Mapping[str, str], organisation_id: str = "", role: str = "member") -> Control:
    """A person with roles in workspaces, by their slugs, signed in."""
    user_id = make_id()
    email = f"{user_id}@example.com"
    organisation_id = organisation_id or organisation_of(control)
    put(control, USERS, id=user_id, organisation_id=organisation_id, email=email, role=role, spec=f'{{"email":"{email}"}}')
    for slug, role_there in roles.items():
        put(control, MEMBERS, workspace_id=workspace_id(control, slug), user_id=user_id, role=role_there)
    cookie, csrf = secrets.token_hex(8), secrets.token_hex(8)
    digest = sha256(cookie.encode()).digest()
    put(control, SESSIONS, digest=digest, user_id=user_id, csrf=csrf, expires_ns=time.time_ns() + 10**12, address="")
    other = Control(control.client, control.plane, control.data, "")
    other.fields = {"cookie": f"__Host-fastgw={cookie}", "x-csrf-token": csrf}
    return other


def stranger(control: Control, slug: str = "elsewhere") -> Control:
    """The owner of another organisation, which has a workspace of its own."""
    organisation_id = put(control, ORGANISATIONS, slug=slug)
    put(control, WORKSPACES, organisation_id=organisation_id, slug=f"{slug}-team")
    return member(control, {}, organisation_id, "owner")


def token(control: Control, *scopes: str, workspace: str | None = None) -> dict[str, str]:
    """The fields of a script that holds scopes."""
    text = "fgt-" + secrets.token_hex(8)
    put(
        control, TOKENS, organisation_id=organisation_of(control), name="script", masked="", digest=sha256(text.encode()).digest(),
        workspace_id=None if workspace is None else workspace_id(control, workspace), spec=msgspec.json.encode({"scopes": scopes}).decode(),
    )  # fmt: skip
    return {"authorization": f"Bearer {text}", "cookie": "", "x_csrf_token": ""}


def everything_told(control: Control) -> str:
    """All that the audit and the kept replies hold, as one text."""
    return repr([rows_of(control, AUDIT), rows_of(control, REPLAYS)])


def error_of(control: Control, method: str, path: str, body: object, status: int = 422, **fields: str) -> Json:
    """The error that a request is refused with."""
    answer = control.ask(method, path, body, status, **fields)
    assert isinstance(answer["error"], dict)
    return answer["error"]
