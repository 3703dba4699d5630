"""/team/*: teams are workspaces, and their members members."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.members import Members
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.resource import Stored
from fastgw.control.api.users import Users
from fastgw.control.api.workspaces import Workspaces
from fastgw.control.api.written import Document
from fastgw.control.litellm.asking import answered, document_in, inner, page_of, rendered
from fastgw.control.litellm.budgets import said
from fastgw.control.litellm.keys import KeyRoutes
from fastgw.control.litellm.places import slug_of, told_spend, user_of
from fastgw.control.litellm.words import (
    LIMITS,
    check_id,
    limits_of,
    listed_in,
    models_of,
    note_of,
    noted,
    pick,
    text_of,
    texts_of,
    told,
    told_limits,
)
from fastgw.control.store.tables import KEYS, MEMBERS, WORKSPACES

FIELDS: Final = (
    "team_id", "team_alias", "organization_id", "models", "metadata", "tags", "blocked", "members_with_roles", "members", "admins", *LIMITS,
)  # fmt: skip
MEMBER_FIELDS: Final = ("team_id", "member", "user_id", "user_email", "role")
# A team that is blocked may send no request more.
BLOCK: Final[Document] = {"requests": 0, "window": "total"}
ROLES: Final = {"admin": "admin", "user": "member"}
TOLD_ROLES: Final = {"admin": "admin", "manager": "user", "member": "user"}
MOST_LISTED: Final = 500


class TeamRoutes:
    def __init__(self, keys: KeyRoutes) -> None:
        self.workspaces = Workspaces()
        self.members = Members()
        self.users = Users()
        self.keys = keys

    def __repr__(self) -> str:
        return "<TeamRoutes>"

    async def make(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, FIELDS)
        await self.keys.refuse_beyond(call, {name: value for name, value in sent.items() if name == "organization_id"})
        team_id = None if not sent.get("team_id") else check_id(sent["team_id"], "$.team_id")
        alias = sent.get("team_alias") or team_id or "team"
        slug = await self.free_slug(call, team_id, text_of(alias, "$.team_alias"))
        asking = inner(call, {"slug": slug, "name": alias, **self.written({}, sent)})
        asking.given_id = team_id or ""
        made = document_in(await self.workspaces.create_row(asking))
        people: list[object] = [*listed_in(sent.get("members_with_roles"))]
        people += [{"role": "user", "user_id": one} for one in listed_in(sent.get("members"))]
        people += [{"role": "admin", "user_id": one} for one in listed_in(sent.get("admins"))]
        await self.add(call, str(made["id"]), people)
        return answered(await self.told(call, str(made["id"])), ignored)

    async def free_slug(self, call: Call, team_id: str | None, alias: str) -> str:
        """A slug after the id where it can be one, else after the alias, else of no meaning. raises ApiError where the id is taken"""
        if team_id is not None:
            taken = select(WORKSPACES.c.id).where(self.workspaces.named(team_id))
            if (await call.reading.execute(taken)).first() is not None:
                raise ApiError("exists", f"expected a team_id that no other team has, found {told(team_id)}", path="$.team_id")
            if slug_of(team_id) == team_id:
                return team_id
        wished = slug_of(alias)
        taken = select(WORKSPACES.c.id).where(self.workspaces.named(wished))
        is_free = wished and (await call.reading.execute(taken)).first() is None
        return wished if is_free else f"team-{secrets.token_hex(8)}"

    def written(self, before: Document, sent: Document) -> Document:
        """Our members for their fields. raises ApiError"""
        patch: Document = {}
        note: Document = {}
        if set(LIMITS) & sent.keys() or sent.get("blocked") is not None:
            fields = told_limits(before) | {name: value for name, value in sent.items() if name in LIMITS}
            patch |= limits_of(fields, before)
            note |= said(fields)
            is_blocked = has_block(before) if sent.get("blocked") is None else bool(sent["blocked"])
            budgets = [one for one in listed_in(patch["budgets"]) if not is_block(one)]
            patch["budgets"] = [*budgets, *([BLOCK] if is_blocked else [])] or None
        if "models" in sent:
            patch["models"] = models_of(sent["models"] or [])
        if "metadata" in sent or "tags" in sent:
            metadata = sent.get("metadata", note_of(before).get("metadata")) or {}
            if not isinstance(metadata, dict):
                raise invalid("$.metadata", "an object", "something else")
            note["metadata"] = metadata
            note["tags"] = sent.get("tags", note_of(before).get("tags"))
        if note:
            patch["annotations"] = noted(before, note)
        return patch

    async def change(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, FIELDS)
        row = await self.find(call, "update", sent.get("team_id"))
        patch = self.written(self.workspaces.document_of(row), sent)
        if sent.get("team_alias"):
            patch["name"] = sent["team_alias"]
        if patch:
            await self.workspaces.change_row(inner(call, patch, workspace=row["id"]))
        told_now = await self.told(call, row["id"])
        return answered({"team_id": row["id"], "data": told_now, **told_now}, ignored)

    async def block(self, call: Call) -> Answer:
        return await self.switch(call, is_blocked=True)

    async def unblock(self, call: Call) -> Answer:
        return await self.switch(call, is_blocked=False)

    async def switch(self, call: Call, is_blocked: bool) -> Answer:
        row = await self.find(call, "update", call.document.get("team_id"))
        patch = self.written(self.workspaces.document_of(row), {"blocked": is_blocked})
        await self.workspaces.change_row(inner(call, patch, workspace=row["id"]))
        return answered(await self.told(call, row["id"]))

    async def delete(self, call: Call) -> Answer:
        """Their keys go with them, as they do there."""
        gone = []
        for team_id in dict.fromkeys(texts_of(call.document.get("team_ids"), "$.team_ids")):
            row = await self.find(call, "delete", team_id)
            gone.append(await self.told(call, row["id"]))
            keys = select(KEYS.c.id).where(KEYS.c.workspace_id == row["id"], KEYS.c.removed.is_(False))
            for key_id in (await call.reading.execute(keys)).scalars().all():
                await self.keys.keys.delete_row(inner(call, key=key_id))
            await self.workspaces.delete_row(inner(call, workspace=row["id"]))
        return answered(gone)

    async def show(self, call: Call) -> Answer:
        row = await self.find(call, "read", call.query.get("team_id"), "?team_id")
        rows, _ = await page_of(self.keys.keys, inner(call, query={"workspace": row["id"]}), 1, MOST_LISTED)
        keys = await self.keys.rows(call, rows)
        return answered({"team_id": row["id"], "team_info": await self.told(call, row["id"]), "keys": keys, "team_memberships": []})

    async def list_all(self, call: Call) -> Answer:
        rows, _ = await page_of(self.workspaces, inner(call), 1, MOST_LISTED)
        people = await self.people(call, [row["id"] for row in rows])
        teams = [team_row(row, people.get(str(row["id"]), [])) | {"keys": [], "team_memberships": []} for row in rows]
        if user_id := call.query.get("user_id"):
            wanted = await user_of(call, user_id, "?user_id")
            teams = [team for team in teams if any(one["user_id"] == wanted for one in listed_in(team["members_with_roles"]))]
        return answered(teams)

    async def permissions(self, call: Call) -> Answer:
        row = await self.find(call, "read", call.query.get("team_id"), "?team_id")
        return answered(permissions_of(row))

    async def change_permissions(self, call: Call) -> Answer:
        """That members have none of their own can be said; Terraform says it with every change of a team."""
        sent, ignored = pick(call.document, ("team_id",))
        return answered(permissions_of(await self.find(call, "update", sent.get("team_id"))), ignored)

    # members

    async def add_members(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, MEMBER_FIELDS)
        row = await self.find(call, "read", sent.get("team_id"))
        member = sent.get("member")
        people: list[object] = member if isinstance(member, list) else [member if isinstance(member, dict) else sent]
        added = await self.add(call, row["id"], people)
        team = await self.told(call, row["id"])
        return answered({**team, "updated_users": [{"user_id": one} for one in added], "updated_team_memberships": []}, ignored)

    async def add(self, call: Call, workspace_id: str, people: Sequence[object]) -> list[str]:
        """Make users members of a team, and those who are not yet known by their address users. raises ApiError"""
        added = []
        for person in people:
            if not isinstance(person, dict) or person.get("role", "user") not in ROLES:
                raise invalid("$.member", "an object with a role of admin or user, and user_id or user_email", "another")
            try:
                user_id = await user_of(call, person.get("user_id") or person.get("user_email"), "$.member")
            except ApiError:
                if not person.get("user_email"):
                    raise
                made = inner(call, {"email": person["user_email"], "role": "member"})
                made.given_id = "" if not person.get("user_id") else check_id(person["user_id"], "$.member.user_id")
                user_id = str(document_in(await self.users.create_row(made))["id"])
            body: Document = {"user_id": user_id, "role": ROLES[str(person.get("role", "user"))]}
            await self.members.create_row(inner(call, body, workspace=workspace_id))
            added.append(user_id)
        return added

    async def change_member(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, MEMBER_FIELDS)
        row = await self.find(call, "read", sent.get("team_id"))
        user_id = await user_of(call, sent.get("user_id") or sent.get("user_email"))
        if (role := sent.get("role")) is not None:
            if role not in ROLES:
                raise invalid("$.role", "admin or user", told(role))
            await self.members.change_row(inner(call, {"role": ROLES[str(role)]}, workspace=row["id"], user=user_id))
        told_as = {"team_id": row["id"], "user_id": user_id, "user_email": sent.get("user_email"), "max_budget_in_team": None}
        return answered(told_as, ignored)

    async def remove_member(self, call: Call) -> Answer:
        row = await self.find(call, "read", call.document.get("team_id"))
        user_id = await user_of(call, call.document.get("user_id") or call.document.get("user_email"))
        await self.members.delete_row(inner(call, workspace=row["id"], user=user_id))
        return answered(await self.told(call, row["id"]))

    # pieces

    async def find(self, call: Call, verb: str, team_id: object, path: str = "$.team_id") -> Stored:
        return await self.workspaces.find(call, verb, text_of(team_id, path))

    async def told(self, call: Call, row_id: str) -> Document:
        row = await self.workspaces.find(inner(call), "read", row_id)
        return team_row(await rendered(self.workspaces, call, row), (await self.people(call, [row_id])).get(row_id, []))

    async def people(self, call: Call, ids: Sequence[object]) -> dict[str, list[Document]]:
        """The members of teams."""
        columns = MEMBERS.c
        query = select(columns.workspace_id, columns.user_id, columns.role).where(columns.workspace_id.in_(ids))
        found: dict[str, list[Document]] = {}
        for row in await call.reading.execute(query):
            found.setdefault(row.workspace_id, []).append({"user_id": row.user_id, "user_email": None, "role": TOLD_ROLES[row.role]})
        return found


def is_block(budget: Document) -> bool:
    return budget.get("requests") == 0 and budget.get("window") == "total"


def has_block(document: Document) -> bool:
    return any(is_block(one) for one in listed_in(document.get("budgets")))


def team_row(document: Document, people: list[Document]) -> Document:
    note = note_of(document)
    return {
        "team_id": document["id"], "team_alias": document.get("name") or document["slug"], "organization_id": None,
        "admins": [], "members": [], "members_with_roles": people, "metadata": note.get("metadata") or {}, "tags": note.get("tags"),
        **told_spend(document), **told_limits(document), "models": document.get("models") or [], "blocked": has_block(document),
        "model_aliases": None, "model_id": None, "created_at": document["created_at"], "updated_at": document["updated_at"],
    }  # fmt: skip


def permissions_of(row: Mapping[str, object]) -> Document:
    return {"team_id": row["id"], "team_member_permissions": [], "all_available_permissions": []}
