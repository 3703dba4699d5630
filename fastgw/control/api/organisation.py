"""The organisation: its name for people, and the limits of all its workspaces together."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, structs
from sqlalchemy import ColumnElement

from fastgw.control.api.call import Call
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.limits import Limited
from fastgw.control.api.resource import Owner, Resource, Shown, Stored
from fastgw.control.api.spending import Spend, spend_of
from fastgw.control.api.workspaces import Text
from fastgw.control.api.written import Document
from fastgw.control.store.tables import ORGANISATIONS


class OrganisationWritten(Limited, frozen=True, kw_only=True):
    """What its owners write of it."""

    name: Annotated[Text, Meta(description="its name for people")] = ""


class OrganisationShown(Shown, kw_only=True):
    """What is answered beside it."""

    slug: str
    spend: Spend


class Organisations(Resource):
    """One for each caller: their own, which no path names."""

    name, noun, table, scopes = "organisation", "organisation", ORGANISATIONS, "organisation_settings"
    written, shown = OrganisationWritten, OrganisationShown
    touches, has_limits = ("keys",), True  # keys are published with the limits of their organisation

    def endpoints(self) -> list[Endpoint]:
        one, summaries = "/organisation/{organisation}", {
            ("GET", ""): "Show the organisation",
            ("PATCH", ""): "Change the organisation",
            ("POST", "/reset"): "Begin the budgets of the organisation afresh",
        }
        return [
            structs.replace(row, path=row.path.replace(one, "/organisation"), summary=summary)
            for row in super().endpoints()
            if row.path.startswith(one) and (summary := summaries.get((row.method, row.path.removeprefix(one))))
        ]

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        return ORGANISATIONS.c.id == call.principal.organisation_id

    async def find(self, call: Call, verb: str, name: str | None = None) -> Stored:
        return await super().find(call, verb, call.principal.organisation_id)

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        call.need(f"{self.scopes}.{verb}")

    async def columns(self, call: Call, written: OrganisationWritten, before: Stored | None) -> dict[str, object]:
        return {}

    async def owner(self, call: Call, row: Stored) -> Owner:
        return Owner(f"organisation:{row['slug']}", f"organisation {row['slug']!r}", None)

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        spends = await spend_of(call, [(f"organisation:{row['slug']}", self.document_of(row)) for row in rows])
        return [{"slug": row["slug"], "spend": spend} for row, spend in zip(rows, spends, strict=True)]
