"""Workspaces: what keys share, and where people have roles."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta
from sqlalchemy import ColumnElement, and_, func, select

from fastgw.control.api.call import Call
from fastgw.control.api.limits import Owned
from fastgw.control.api.problem import ApiError, invalid, missing
from fastgw.control.api.resource import Owner, Resource, Shown, Stored
from fastgw.control.api.spending import Spend, spend_of
from fastgw.control.api.written import Document
from fastgw.control.store.tables import KEYS, MEMBERS, WORKSPACES
from fastgw.snapshot.config import Admission
from fastgw.snapshot.names import shown

Slug = Annotated[
    str, Meta(pattern=r"\A[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z", extra={"expected": "1 to 32 of a-z, 0-9 and -, not at its ends"})
]
Text = Annotated[str, Meta(max_length=1000, extra={"expected": "a text of at most 1,000 characters"})]


class WorkspaceWritten(Owned, frozen=True, kw_only=True):
    """What administrators write of a workspace."""

    slug: Annotated[Slug, Meta(description="its name in the data plane: in records and limits")]
    name: Annotated[Text, Meta(description="its name for people")] = ""
    description: Annotated[Text, Meta(description="what it is for")] = ""
    admission: Annotated[Admission, Meta(description="what a request without an output limit reserves")] = "clamp"
    unknown_price: Annotated[Literal["refuse", "allow"], Meta(description="a model without a price, where a budget applies")] = "refuse"
    models: Annotated[tuple[str, ...], Meta(description="models it may use; none named: all")] = ()
    inline: Annotated[Literal["allow", "saved"], Meta(description="saved: requests name saved configs and integrations only")] = "allow"


class WorkspaceShown(Shown, kw_only=True):
    """What is answered beside it."""

    status: Literal["active", "exhausted"]
    keys: int
    members: int
    spend: Spend


class Workspaces(Resource):
    name, noun, table, scopes = "workspaces", "workspace", WORKSPACES, "workspaces"
    written, shown = WorkspaceWritten, WorkspaceShown
    touches, frozen, whole, has_limits = ("config",), ("slug",), ("annotations",), True

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        own = WORKSPACES.c.organisation_id == call.principal.organisation_id
        reach = call.principal.reach(f"{self.scopes}.{verb}")
        return own if reach is None else and_(own, WORKSPACES.c.id.in_(reach))

    def permit(self, call: Call, verb: str, columns: Any) -> None:
        super().permit(call, verb, {"workspace_id": columns.get("id")})

    async def owner(self, call: Call, row: Stored) -> Owner:
        return Owner(f"workspace:{row['slug']}", f"workspace {row['slug']!r}", row["id"])

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        ids = [row["id"] for row in rows]
        keys = await count_by(call, KEYS.c.workspace_id, KEYS.c.workspace_id.in_(ids), KEYS.c.removed.is_(False))
        members = await count_by(call, MEMBERS.c.workspace_id, MEMBERS.c.workspace_id.in_(ids))
        spends = await spend_of(call, [(f"workspace:{row['slug']}", self.document_of(row)) for row in rows])
        return [
            {
                "keys": keys.get(row["id"], 0),
                "members": members.get(row["id"], 0),
                "spend": spend,
                "status": "exhausted" if spend.is_exhausted else "active",
            }
            for row, spend in zip(rows, spends, strict=True)
        ]

    async def removing(self, call: Call, row: Stored) -> None:
        used = select(func.count()).where(KEYS.c.workspace_id == row["id"], KEYS.c.removed.is_(False))
        if count := (await call.reading.execute(used)).scalar_one():
            raise ApiError("in_use", f"workspace {row['slug']!r} has {count} keys: revoke or move them first")


async def workspace_of(call: Call, name: str, scope: str, path: str = "") -> Stored:
    """A workspace by id or slug, in which the caller has a scope; `path`: of the member of the body that names it. raises ApiError"""
    named = select(WORKSPACES).where(Workspaces().named(name), WORKSPACES.c.organisation_id == call.principal.organisation_id)
    row = (await call.reading.execute(named)).mappings().first()
    if row is None or not (call.principal.may("workspaces.read", row["id"]) or call.principal.may(scope, row["id"])):
        raise invalid(path, "a workspace that there is, by id or slug", f'"{shown(name)}"') if path else missing("workspace", name)
    call.need(scope, row["id"])
    return dict(row)


async def count_by(call: Call, column: ColumnElement[str], *wanted: ColumnElement[bool]) -> dict[str, int]:
    """How many rows there are of each value of a column."""
    rows = await call.reading.execute(select(column, func.count()).where(*wanted).group_by(column))
    return {value: count for value, count in rows}
