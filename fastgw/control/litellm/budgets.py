"""/budget/*: limits by an id, which keys, teams and users are given; a change of one changes all that have it."""

from typing import Final

from sqlalchemy import select

from fastgw.control.api.budgets import Budgets
from fastgw.control.api.call import Answer, Call
from fastgw.control.api.keys import Keys
from fastgw.control.api.problem import ApiError
from fastgw.control.api.written import Document
from fastgw.control.ids import make_id
from fastgw.control.litellm.asking import answered, document_in, inner, page_of
from fastgw.control.litellm.words import LIMITS, SAID, limits_of, note_of, noted, pick, text_of, texts_of, told_limits
from fastgw.control.store.tables import KEYS

FIELDS: Final = ("budget_id", *LIMITS)
MOST_LISTED: Final = 500


class BudgetRoutes:
    def __init__(self, keys: Keys) -> None:
        self.budgets = Budgets()
        self.keys = keys

    def __repr__(self) -> str:
        return "<BudgetRoutes>"

    async def make(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, FIELDS)
        name = text_of(sent.get("budget_id") or make_id(), "$.budget_id")
        made = {"name": name, **limits_of(sent), "annotations": noted({}, said(sent))}
        return answered(budget_row(document_in(await self.budgets.create_row(inner(call, made)))), ignored)

    async def change(self, call: Call) -> Answer:
        sent, ignored = pick(call.document, FIELDS)
        name = text_of(sent.get("budget_id"), "$.budget_id")
        before = self.budgets.document_of(await self.budgets.find(call, "update", name))
        fields = told_limits(before) | sent
        patch: Document = {**limits_of(fields), "annotations": noted(before, said(fields))}
        changed = document_in(await self.budgets.change_row(inner(call, patch, budget=name)))
        await self.hand_on(call, name, fields)
        return answered(budget_row(changed), ignored)

    async def hand_on(self, call: Call, name: str, fields: Document) -> None:
        """Change the keys that have the budget. raises ApiError where the caller may not"""
        wanted = KEYS.c.spec.like('%"budget_id":%'), KEYS.c.removed.is_(False), self.keys.visible(call, "read")
        for row_id, spec in (await call.reading.execute(select(KEYS.c.id, KEYS.c.spec).where(*wanted))).all():
            document = self.keys.document_of({"spec": spec})
            if note_of(document).get("budget_id") == name:
                patch: Document = {**limits_of(fields, document), "annotations": noted(document, said(fields))}
                await self.keys.change_row(inner(call, patch, key=str(row_id)))

    async def show(self, call: Call) -> Answer:
        """Those of the ids that there are."""
        found = []
        for name in texts_of(call.document.get("budgets"), "$.budgets"):
            try:
                row = await self.budgets.find(call, "read", name)
            except ApiError as error:
                if error.code != "not_found":
                    raise
                continue
            found += await self.budgets.render(call, [row])
        return answered([budget_row(one) for one in found])

    async def list_all(self, call: Call) -> Answer:
        rows, _ = await page_of(self.budgets, inner(call), 1, MOST_LISTED)
        return answered([budget_row(row) for row in rows])

    async def delete(self, call: Call) -> Answer:
        name = text_of(call.document.get("id"), "$.id")
        shown = (await self.budgets.render(call, [await self.budgets.find(call, "read", name)]))[0]
        await self.budgets.delete_row(inner(call, budget=name))
        return answered(budget_row(shown))

    async def of(self, call: Call, budget_id: object) -> Document:
        """The limits of a budget, in these routes' words. raises ApiError"""
        if budget_id is None:
            return {}
        name = text_of(budget_id, "$.budget_id")
        row = await self.budgets.find(call, "read", name)
        return {name: value for name, value in told_limits(self.budgets.document_of(row)).items() if value is not None}


def said(fields: Document) -> Document:
    """What is kept so that it can be told again as it was said."""
    return {name: fields.get(name) for name in SAID}


def budget_row(document: Document) -> Document:
    return {
        "budget_id": document["name"],
        **told_limits(document),
        "model_max_budget": None,
        "budget_reset_at": None,
        "created_at": document["created_at"],
        "updated_at": document["updated_at"],
    }
