"""Teams and users as other routes name them: found by the ids that LiteLLM's callers know."""

import re
from collections.abc import Iterable
from typing import Final

from sqlalchemy import or_, select

from fastgw.control.api.call import Call
from fastgw.control.api.known import find_workspace
from fastgw.control.api.problem import invalid
from fastgw.control.api.resource import Stored
from fastgw.control.api.spending import Spend
from fastgw.control.api.written import Document
from fastgw.control.litellm.words import text_of, told
from fastgw.control.store.tables import USERS, WORKSPACES

DEFAULT: Final = "default"  # where keys without a team are


async def place_of(call: Call, team_id: object, path: str = "$.team_id") -> Stored:
    """The workspace of a team; without one, the only one that the caller has to do with, or the default one. raises ApiError"""
    if team_id is None:
        own = [] if call.principal.scopes else list(call.principal.workspaces)
        return await find_workspace(call, own[0] if len(own) == 1 else DEFAULT, path)
    return await find_workspace(call, text_of(team_id, path), path)


async def teams_of(call: Call, slugs: Iterable[object]) -> dict[str, str]:
    """The ids of teams by their slugs."""
    found = await call.reading.execute(select(WORKSPACES.c.slug, WORKSPACES.c.id).where(WORKSPACES.c.slug.in_({str(one) for one in slugs})))
    return {row.slug: row.id for row in found}


async def user_of(call: Call, name: object, path: str = "$.user_id") -> str:
    """The id of a user, by it or by the e-mail address. raises ApiError"""
    text = text_of(name, path)
    wanted = or_(USERS.c.id == text, USERS.c.email == text.lower()), USERS.c.organisation_id == call.principal.organisation_id
    found = (await call.reading.execute(select(USERS.c.id).where(*wanted).order_by(USERS.c.id != text))).scalars().first()
    if found is None:
        raise invalid(path, "a user that there is (POST /user/new makes one)", told(text))
    return str(found)


def slug_of(text: str) -> str:
    """A name as a workspace's slug may be; "" where nothing of it is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:32].strip("-")


def told_spend(document: Document) -> Document:
    """What was spent: in the budget's window where there is one, else ever."""
    spend = document.get("spend")
    if not isinstance(spend, Spend):
        return {"spend": 0.0, "budget_reset_at": None}
    budget = next((one for one in spend.budgets if one.unit == "usd"), None)
    if budget is None or budget.window == "total":
        return {"spend": spend.usd, "budget_reset_at": None}
    return {"spend": budget.spent, "budget_reset_at": budget.resets_at}
