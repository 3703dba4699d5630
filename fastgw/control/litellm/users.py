"""/user/*: people, and the keys that they are given."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.users import Users
from fastgw.control.api.written import Document
from fastgw.control.ids import make_id
from fastgw.control.litellm.asking import answered, document_in, inner, page_of, rendered
from fastgw.control.litellm.budgets import said
from fastgw.control.litellm.keys import KeyRoutes
from fastgw.control.litellm.places import place_of, told_spend, user_of
from fastgw.control.litellm.teams import TeamRoutes
from fastgw.control.litellm.words import LIMITS, check_id, limits_of, note_of, noted, pick, texts_of, told, told_limits
from fastgw.control.store.tables import MEMBERS, USERS

FIELDS: Final = (
    "user_id", "user_email", "user_alias", "user_role", "teams", "metadata", "auto_create_key", "organization_id", "models", *LIMITS,
)  # fmt: skip
# What the key that a new user is given takes from the same request.
KEY_FIELDS: Final = ("models", "key_alias", "duration", "metadata")
ROLES: Final = {"proxy_admin": "admin", "internal_user": "member"}
TOLD_ROLES: Final = {"owner": "proxy_admin", "admin": "proxy_admin", "member": "internal_user"}
# Of users without an address: of a name that nobody can have (RFC 2606), and so no mail goes there.
NOWHERE: Final = "@users.invalid"
MOST_PAGE: Final = 100
USUAL_PAGE: Final = 25


class UserRoutes:
    def __init__(self, keys: KeyRoutes, teams: TeamRoutes) -> None:
        self.users = Users()
        self.keys = keys
        self.teams = teams

    def __repr__(self) -> str:
        return "<UserRoutes>"

    async def make(self, call: Call) -> Answer:
        """They are members of the teams that are named, else of the one where keys without a team are; a key is made unless told not to."""
        sent, ignored = pick(call.document, (*FIELDS, "key_alias", "duration"))
        user_id = make_id() if not sent.get("user_id") else check_id(sent["user_id"], "$.user_id")
        await self.refuse_taken(call, user_id)
        email = sent.get("user_email") or (user_id if "@" in user_id else f"{user_id}{NOWHERE}")
        asking = inner(call, {"email": email, "role": "member", **self.written({}, sent)})
        asking.given_id = user_id
        made = document_in(await self.users.create_row(asking))
        teams: list[str | None] = [*self.team_ids(sent)] or [None]
        for team_id in teams:
            place = await place_of(call, team_id, "$.teams")
            await self.teams.members.create_row(inner(call, {"user_id": user_id, "role": "member"}, workspace=str(place["id"])))
        row = await self.told(call, str(made["id"]))
        if sent.get("auto_create_key", True):
            key: Document = {name: value for name, value in sent.items() if name in KEY_FIELDS}
            given = await self.keys.make(call, {"team_id": teams[0], "user_id": user_id, **key})
            row |= {name: given[name] for name in ("key", "key_name", "token", "expires", "models")}
        elif sent.get("models"):
            raise invalid("$.models", "nothing, as keys have models and users have none", "models")
        return answered(row, ignored)

    async def refuse_taken(self, call: Call, user_id: str) -> None:
        taken = select(USERS.c.id).where(self.users.named(user_id))
        if (await call.reading.execute(taken)).first() is not None:
            raise ApiError("exists", f"expected a user_id that no other user has, found {told(user_id)}", path="$.user_id")

    def team_ids(self, sent: Document) -> list[str]:
        """Teams by their ids, which may stand in objects."""
        teams = sent.get("teams") or []
        listed = [one.get("team_id") if isinstance(one, dict) else one for one in teams] if isinstance(teams, list) else teams
        return texts_of(listed, "$.teams") if listed else []

    def written(self, before: Document, sent: Document) -> Document:
        """Our members for their fields. raises ApiError"""
        patch: Document = {}
        note: Document = {}
        if set(LIMITS) & sent.keys():
            fields = told_limits(before) | {name: value for name, value in sent.items() if name in LIMITS}
            patch |= limits_of(fields, before)
            note |= said(fields)
        if sent.get("user_email"):
            patch["email"] = sent["user_email"]
        if "user_alias" in sent:
            patch["name"] = sent["user_alias"]
        if sent.get("user_role") is not None:
            if sent["user_role"] not in ROLES:
                hint = "roles that may only look are given in a team: PUT them there by /api/v1/workspaces/{workspace}/members"
                raise invalid("$.user_role", f"{' or '.join(ROLES)}; {hint}", told(sent["user_role"]))
            patch["role"] = ROLES[str(sent["user_role"])]
        if "metadata" in sent:
            if not isinstance(sent["metadata"] or {}, dict):
                raise invalid("$.metadata", "an object", "something else")
            note["metadata"] = sent["metadata"] or {}
        if note:
            patch["annotations"] = noted(before, note)
        return patch

    async def change(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, FIELDS)
        if sent.get("models"):
            raise invalid("$.models", "nothing, as keys have models and users have none", "models")
        user_id = await user_of(call, sent.get("user_id") or sent.get("user_email"))
        before = self.users.document_of(await self.users.find(call, "update", user_id))
        patch = self.written(before, sent)
        if patch:
            await self.users.change_row(inner(call, patch, user=user_id))
        row = await self.told(call, user_id)
        return answered({"user_id": user_id, "data": row, **row}, ignored)

    async def delete(self, call: Call) -> Answer:
        """How many there were; their keys stop."""
        ids = [await user_of(call, one, "$.user_ids") for one in dict.fromkeys(texts_of(call.document.get("user_ids"), "$.user_ids"))]
        for user_id in ids:
            await self.users.delete_row(inner(call, user=user_id))
        return answered(len(ids))

    async def show(self, call: Call) -> Answer:
        user_id = call.query.get("user_id") or call.principal.user_id
        if user_id is None:
            raise invalid("?user_id", "the id of a user, as a token is nobody's", "nothing")
        row = await self.users.find(inner(call), "read", user_id)
        rows, _ = await page_of(self.keys.keys, inner(call, query={"user": str(row["id"])}), 1, 500)
        keys = await self.keys.rows(call, rows)
        told_now = await self.told(call, str(row["id"]))
        teams = [await self.teams.told(call, team_id) for team_id in self.team_ids(told_now) if self.may_see(call, team_id)]
        return answered({"user_id": row["id"], "user_info": told_now, "keys": keys, "teams": teams})

    def may_see(self, call: Call, team_id: str) -> bool:
        return call.principal.may("workspaces.read", team_id)

    async def list_all(self, call: Call) -> Answer:
        number, size = call.integer("page", 1, 1, 10**6), call.integer("page_size", USUAL_PAGE, 1, MOST_PAGE)
        query = {"search": call.query["user_email"]} if call.query.get("user_email") else {}
        rows, total = await page_of(self.users, inner(call, query=query), number, size)
        teams = await self.teams_of(call, [row["id"] for row in rows])
        users = [user_row(row, teams.get(str(row["id"]), [])) for row in rows]
        return answered({"users": users, "total": total, "page": number, "page_size": size, "total_pages": -(-total // size)})

    async def told(self, call: Call, user_id: str) -> Document:
        row = await self.users.find(inner(call), "read", user_id)
        return user_row(await rendered(self.users, call, row), (await self.teams_of(call, [user_id])).get(user_id, []))

    async def teams_of(self, call: Call, ids: Sequence[object]) -> dict[str, list[str]]:
        """The ids of the teams that users are members of."""
        found: dict[str, list[str]] = {}
        for row in await call.reading.execute(select(MEMBERS.c.user_id, MEMBERS.c.workspace_id).where(MEMBERS.c.user_id.in_(ids))):
            found.setdefault(row.user_id, []).append(row.workspace_id)
        return found


def user_row(document: Document, teams: list[str]) -> Document:
    email = str(document["email"])
    return {
        "user_id": document["id"], "user_email": None if email.endswith(NOWHERE) else email, "user_alias": document.get("name") or None,
        "user_role": TOLD_ROLES[str(document["role"])], "teams": teams, "models": [], "metadata": note_of(document).get("metadata") or {},
        **told_spend(document), **told_limits(document), "organization_id": None, "model_max_budget": {}, "model_spend": {},
        "blocked": document["status"] == "disabled", "created_at": document["created_at"], "updated_at": document["updated_at"],
    }  # fmt: skip
