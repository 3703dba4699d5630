"""Members: who has which role in a workspace."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, structs
from sqlalchemy import ColumnElement, and_, func, or_, select

from fastgw.control.access.roles import WORKSPACE_ROLES
from fastgw.control.api.call import Answer, Call, lacks
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.leaving import Left, disable_keys
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.resource import Resource, Shown, Stored
from fastgw.control.api.workspaces import Workspaces, workspace_of
from fastgw.control.api.written import Document, name_in
from fastgw.control.store.tables import KEYS, MEMBERS, USERS, WORKSPACES
from fastgw.snapshot.section import Section


class MemberWritten(Section, frozen=True, kw_only=True):
    """What is written of a member."""

    user_id: Annotated[str, Meta(description="a user of the organisation")]
    role: Annotated[Literal["admin", "manager", "member"], Meta(description="in the workspace")]


class MemberShown(Shown, kw_only=True):
    """What is answered beside it."""

    email: str
    name: str


class Members(Resource):
    """The path's workspace is looked up first: all else is within it."""

    name, noun, table, scopes, by = "members", "user", MEMBERS, "workspace_users", "user_id"
    written, shown = MemberWritten, MemberShown
    frozen = ("user_id",)

    def endpoints(self) -> list[Endpoint]:
        rows = [
            structs.replace(row, path=f"/workspaces/{{workspace}}{row.path}", summary=row.summary.replace("user", "member"))
            for row in super().endpoints()
        ]
        return [structs.replace(row, status=200, reply=Left) if row.method == "DELETE" else row for row in rows]

    async def workspace(self, call: Call, verb: str) -> str:
        """The id of the path's workspace. raises ApiError where the caller may not see it, or not its members"""
        return str((await workspace_of(call, call.path["workspace"], f"{self.scopes}.{verb}"))["id"])

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        # whether the caller may was decided when it was looked up
        named = and_(Workspaces().named(call.path["workspace"]), WORKSPACES.c.organisation_id == call.principal.organisation_id)
        return MEMBERS.c.workspace_id.in_(select(WORKSPACES.c.id).where(named))

    def named(self, name: str) -> ColumnElement[bool]:
        return or_(super().named(name), MEMBERS.c.user_id.in_(select(USERS.c.id).where(USERS.c.email == name.lower())))

    async def list_rows(self, call: Call) -> Answer:
        await self.workspace(call, "list")
        return await super().list_rows(call)

    async def create_row(self, call: Call) -> Answer:
        await self.workspace(call, "create")
        return await super().create_row(call)

    async def find(self, call: Call, verb: str, name: str | None = None) -> Stored:
        await self.workspace(call, verb)
        return await super().find(call, verb, name)

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        """Nobody gives a role with a scope that they have not there, nor touches one who has it."""
        super().permit(call, verb, columns)
        principal, workspace_id, role = call.principal, str(columns["workspace_id"]), str(columns["role"])
        if beyond := sorted(scope for scope in WORKSPACE_ROLES[role] if not principal.may(scope, workspace_id)):
            raise lacks(beyond[0])

    async def columns(self, call: Call, written: MemberWritten, before: Stored | None) -> dict[str, object]:
        if before is not None:
            return {"role": written.role}
        known = select(USERS.c.id).where(USERS.c.id == written.user_id, USERS.c.organisation_id == call.principal.organisation_id)
        if (await call.reading.execute(known)).first() is None:
            raise invalid("$.user_id", "the id of a user of the organisation", "another")
        workspace_id = await self.workspace(call, "create")
        return {"workspace_id": workspace_id, "user_id": written.user_id, "role": written.role}

    async def refuse_taken(self, call: Call, columns: Mapping[str, object], own_id: str = "") -> None:
        if not own_id:
            there = select(func.count()).where(
                MEMBERS.c.workspace_id == columns["workspace_id"], MEMBERS.c.user_id == columns["user_id"]
            )
            if (await call.reading.execute(there)).scalar_one():
                raise ApiError("exists", "expected a user who is no member yet, found one who is: change the role", path="$.user_id")

    async def removing(self, call: Call, row: Stored) -> Document:
        return await disable_keys(call, and_(KEYS.c.user_id == row["user_id"], KEYS.c.workspace_id == row["workspace_id"]))

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        users = await call.reading.execute(
            select(USERS.c.id, USERS.c.email, USERS.c.spec).where(USERS.c.id.in_([row["user_id"] for row in rows]))
        )
        found = {user.id: {"email": user.email, "name": name_in(user.spec)} for user in users}
        return [found[row["user_id"]] for row in rows]

    async def audit(self, call: Call, verb: str, row: Stored, told: Mapping[str, object]) -> None:
        """By their address, as an id says nothing to who reads it."""
        shown = (await self.view(call, [row]))[0]
        await call.audit(f"{self.name}.{verb}", self.name, row["id"], str(shown["email"]), told, row["workspace_id"])
