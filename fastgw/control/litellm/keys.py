"""/key/*: virtual keys."""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select

from fastgw.auth.keys import digest_of
from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.keys import Keys
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.written import Document
from fastgw.control.litellm.asking import answered, document_in, inner, page_of
from fastgw.control.litellm.budgets import BudgetRoutes, said
from fastgw.control.litellm.places import place_of, teams_of, told_spend, user_of
from fastgw.control.litellm.words import (
    KEY_TYPES,
    LIMITS,
    LLM_ROUTES,
    as_metadata,
    limits_of,
    models_of,
    name_of,
    note_of,
    noted,
    pick,
    seconds_of,
    text_of,
    texts_of,
    told,
    told_limits,
)
from fastgw.control.store.tables import KEYS

FIELDS: Final = (
    "key", "key_alias", "team_id", "user_id", "models", "duration", "metadata", "tags", "blocked", "budget_id", "organization_id",
    "allowed_routes", "key_type", "auto_rotate", "rotation_interval", *LIMITS,
)  # fmt: skip
REGENERATED: Final = (*FIELDS, "new_key", "grace_period", "new_master_key")
OWN_KEY: Final = re.compile(r"sk-[!-~]{13,253}")
HASH: Final = re.compile(r"[0-9a-f]{64}")
HOUR_SECONDS: Final = 3600
MOST_PAGE: Final = 100
USUAL_PAGE: Final = 10


class KeyRoutes:
    def __init__(self, keys: Keys, budgets: BudgetRoutes) -> None:
        self.keys = keys
        self.budgets = budgets

    def __repr__(self) -> str:
        return "<KeyRoutes>"

    async def generate(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, FIELDS)
        return answered(await self.make(call, sent), ignored)

    async def make(self, call: Call, sent: Document) -> Document:
        """Make a key; the reply of /key/generate. raises ApiError"""
        place = await place_of(call, sent.get("team_id"))
        template = await self.budgets.of(call, sent.get("budget_id"))
        alias = sent.get("key_alias") or f"key-{secrets.token_hex(4)}"
        document: Document = {
            **await self.written(call, {}, template | sent),
            "name": name_of(alias),
            "workspace": place["slug"],
        }
        asking = inner(call, document)
        asking.given_key = own_key(sent.get("key"), "$.key")
        made = document_in(await self.keys.create_row(asking))
        return await self.generated(call, made)

    async def generated(self, call: Call, made: Document) -> Document:
        """What is told of a key when it is made or made anew: all, and the key itself, once."""
        row = await self.told(call, str(made["id"]))
        return row | {"key": made["key"], "token_id": row["token"], "duration": None, "litellm_budget_table": None}

    async def written(self, call: Call, before: Document, sent: Document) -> Document:
        """Our members for their fields; `before` is what the key has. raises ApiError"""
        await self.refuse_beyond(call, sent)
        patch: Document = {}
        note: Document = {name: sent[name] for name in ("budget_id",) if name in sent}
        if set(LIMITS) & sent.keys():
            fields = told_limits(before) | {name: value for name, value in sent.items() if name in LIMITS}
            patch |= limits_of(fields, before)
            note |= said(fields)
        if "models" in sent:
            patch["models"] = models_of(sent["models"] or [])
        if sent.get("user_id") is not None:
            patch["user"] = await user_of(call, sent["user_id"])
        if "duration" in sent:
            patch["expires_at"] = expiry(call, sent["duration"])
        if sent.get("blocked") is not None:
            patch["enabled"] = not sent["blocked"]
        if "auto_rotate" in sent or "rotation_interval" in sent:
            patch["rotation"] = rotation(sent)
        if "metadata" in sent or "tags" in sent:
            metadata = sent.get("metadata", note_of(before).get("metadata")) or {}
            if not isinstance(metadata, dict):
                raise invalid("$.metadata", "an object", "something else")
            told_as: Document = metadata | ({"tags": sent["tags"]} if sent.get("tags") else {})
            note["metadata"], patch["metadata"] = told_as, as_metadata(told_as)
        if note:
            patch["annotations"] = noted(before, note)
        return patch

    async def refuse_beyond(self, call: Call, sent: Document) -> None:
        """raises ApiError for what keys here cannot be"""
        if (routes := sent.get("allowed_routes")) and (not isinstance(routes, list) or set(map(str, routes)) - set(LLM_ROUTES)):
            raise invalid("$.allowed_routes", "nothing or llm_api_routes, as virtual keys reach the data plane alone", "others")
        if (kind := sent.get("key_type")) is not None and kind not in KEY_TYPES:
            raise invalid("$.key_type", f"{' or '.join(KEY_TYPES)}; for management, POST /api/v1/tokens", told(kind))
        if (organisation := sent.get("organization_id")) not in (None, "", call.principal.organisation_id):
            raise invalid("$.organization_id", "the organisation of the caller, or nothing", told(organisation))

    async def find(self, call: Call, name: object, path: str = "$.key") -> str:
        """The id of a key, by the key, its hash or its id; whether the caller may do what they want is asked later. raises ApiError"""
        text = text_of(name, path)
        digest = bytes.fromhex(text) if HASH.fullmatch(text) else digest_of(text)
        # one after the other: asked for both at once, a database may go through all keys
        for wanted in (KEYS.c.digest == digest, KEYS.c.id == text):
            found = (await call.reading.execute(select(KEYS.c.id).where(wanted, self.keys.visible(call, "read")))).scalar_one_or_none()
            if found is not None:
                return str(found)
        # never the name, as it may be a key
        raise ApiError("not_found", "there is no such key that you may see")

    async def change(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, (*FIELDS, "spend"))
        row_id = await self.find(call, sent.get("key"))
        await self.patch(call, row_id, sent)
        return answered({**await self.told(call, row_id), "key": sent["key"]}, ignored)

    async def patch(self, call: Call, row_id: str, sent: Document) -> None:
        """raises ApiError"""
        before = self.keys.document_of(await self.keys.find(call, "update", row_id))
        template = await self.budgets.of(call, sent.get("budget_id"))
        patch = await self.written(call, before, template | sent)
        if "key_alias" in sent:
            patch["name"] = name_of(sent["key_alias"])
        if sent.get("team_id") is not None:
            patch["workspace"] = (await place_of(call, sent["team_id"]))["slug"]
        if (spend := sent.get("spend")) is not None:
            if spend != 0:
                raise invalid("$.spend", "0, which begins the budgets afresh", "another amount")
            await self.keys.reset(inner(call, key=row_id))
        if patch:
            await self.keys.change_row(inner(call, patch, key=row_id))

    async def delete(self, call: Call) -> Answer:
        keys, aliases = (texts_of(call.document.get(name) or [], f"$.{name}") for name in ("keys", "key_aliases"))
        if not keys and not aliases:
            raise invalid("$.keys", "keys or key_aliases", "neither")
        ids = [await self.find(call, key, "$.keys") for key in keys]
        for row_id in (*ids, *(name_of(alias) for alias in aliases)):
            await self.keys.delete_row(inner(call, key=row_id))
        return answered({"deleted_keys": [*keys, *aliases]})

    async def show(self, call: Call) -> Answer:
        name = call.query.get("key")
        if not name:
            raise invalid("?key", "a key or its hash, as an API token is no virtual key", "nothing")
        return answered({"key": name, "info": await self.told(call, await self.find(call, name, "?key"))})

    async def list_all(self, call: Call) -> Answer:
        number, size = call.integer("page", 1, 1, 10**6), call.integer("size", USUAL_PAGE, 1, MOST_PAGE)
        query: dict[str, str] = {}
        if team_id := call.query.get("team_id"):
            query["workspace"] = str((await place_of(call, team_id, "?team_id"))["id"])
        if user_id := call.query.get("user_id"):
            query["user"] = await user_of(call, user_id, "?user_id")
        if alias := call.query.get("key_alias"):
            query["search"] = name_of(alias)
        rows, total = await page_of(self.keys, inner(call, query=query), number, size)
        hashes = await self.hashes(call, [row["id"] for row in rows])
        shown: list[object] = [hashes[str(row["id"])] for row in rows]
        if call.query.get("return_full_object", "").lower() in ("true", "1"):
            shown = [*await self.rows(call, rows)]
        pages = -(-total // size)
        return answered({"keys": shown, "total_count": total, "current_page": number, "total_pages": pages})

    async def block(self, call: Call) -> Answer:
        return await self.switch(call, is_on=False)

    async def unblock(self, call: Call) -> Answer:
        return await self.switch(call, is_on=True)

    async def switch(self, call: Call, is_on: bool) -> Answer:
        row_id = await self.find(call, call.document.get("key"))
        await self.keys.change_row(inner(call, {"enabled": is_on}, key=row_id))
        return answered(await self.told(call, row_id))

    async def regenerate(self, call: Call) -> Answer:
        sent, ignored = pick({} if call.body is None else call.document, REGENERATED)
        if sent.get("new_master_key"):
            raise invalid("$.new_master_key", "nothing, as there is no master key: POST /api/v1/tokens makes tokens", "a key")
        row_id = await self.find(call, call.path.get("key") or sent.get("key"))
        fields = {name: value for name, value in sent.items() if name not in ("key", "new_key", "grace_period")}
        if fields:
            await self.patch(call, row_id, fields)
        # the old one ends at once unless a grace period is asked for, in whole hours
        grace = sent.get("grace_period") or None
        hours = 0 if grace is None else -(-seconds_of(grace, "$.grace_period") // HOUR_SECONDS)
        asking = inner(call, {"overlap_hours": hours}, key=row_id)
        asking.given_key = own_key(sent.get("new_key"), "$.new_key")
        return answered(await self.generated(call, document_in(await self.keys.rotate(asking))), ignored)

    async def reset_spend(self, call: Call) -> Answer:
        if call.document.get("reset_to", 0) != 0:
            raise invalid("$.reset_to", "0, as what was spent is counted and not set", "another amount")
        row_id = await self.find(call, call.path["key"])
        await self.keys.reset(inner(call, key=row_id))
        return answered(await self.told(call, row_id))

    async def told(self, call: Call, row_id: str) -> Document:
        """A key as LiteLLM shows one."""
        row = await self.keys.find(inner(call), "read", row_id)
        return (await self.rows(call, await self.keys.render(call, [row])))[0]

    async def hashes(self, call: Call, ids: Sequence[object]) -> dict[str, str]:
        found = await call.reading.execute(select(KEYS.c.id, KEYS.c.digest).where(KEYS.c.id.in_(ids)))
        return {row.id: row.digest.hex() for row in found}

    async def rows(self, call: Call, documents: Sequence[Document]) -> list[Document]:
        hashes = await self.hashes(call, [one["id"] for one in documents])
        teams = await teams_of(call, [one.get("workspace") for one in documents])
        return [key_row(one, hashes[str(one["id"])], teams) for one in documents]


def key_row(document: Document, token: str, teams: Mapping[str, str]) -> Document:
    note = note_of(document)
    metadata = note.get("metadata", document.get("metadata") or {})
    rotation = document.get("rotation")
    interval = f"{rotation['every_days']}d" if isinstance(rotation, dict) else None
    return {
        "token": token, "key_name": document.get("masked"), "key_alias": document["name"], **told_spend(document),
        **told_limits(document), "expires": document.get("expires_at"), "models": document.get("models") or [],
        "aliases": {}, "config": {}, "permissions": {}, "allowed_routes": [], "model_max_budget": {}, "model_spend": {},
        "user_id": document.get("user"), "team_id": teams.get(str(document.get("workspace"))),
        "metadata": metadata, "tags": metadata.get("tags") if isinstance(metadata, dict) else None,
        "blocked": document.get("status") == "disabled", "budget_id": note.get("budget_id"), "organization_id": None,
        "auto_rotate": interval is not None, "rotation_interval": interval, "key_rotation_at": document.get("rotate_at"),
        "last_active": document.get("last_used_at"), "created_at": document["created_at"], "updated_at": document["updated_at"],
    }  # fmt: skip


def own_key(value: object, path: str) -> str:
    """A key that the caller brings along; "" for none. raises ApiError"""
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not OWN_KEY.fullmatch(value):
        raise invalid(path, '"sk-" and 13 to 253 visible characters', "something else")
    return value


def expiry(call: Call, duration: object) -> str | None:
    """When a key that lasts so long from now on ends; null and "-1" are for ever. raises ApiError"""
    if duration in (None, "", "-1"):
        return None
    return moment(call.now_ns + seconds_of(duration, "$.duration") * 10**9)


def rotation(sent: Document) -> Document | None:
    """raises ApiError"""
    if sent.get("auto_rotate") is False or sent.get("rotation_interval") in (None, ""):
        return None
    days, left = divmod(seconds_of(sent["rotation_interval"], "$.rotation_interval"), 24 * HOUR_SECONDS)
    if left or not days:
        raise invalid("$.rotation_interval", "whole days", told(sent["rotation_interval"]))
    return {"every_days": days}
