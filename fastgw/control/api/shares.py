"""Shares: which workspaces may use an integration, within which limits."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, ClassVar

from msgspec import Meta
from sqlalchemy import ColumnElement, Table, and_, or_, select

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.integrations import Integrations, in_workspaces
from fastgw.control.api.known import Offered, each_unknown, find_workspace, named, offers
from fastgw.control.api.limits import Limited
from fastgw.control.api.problem import ApiError, invalid, missing
from fastgw.control.api.resource import Owner, Resource, Shown, Stored
from fastgw.control.api.sharing import account_of, own_shares, refuse_used
from fastgw.control.api.spending import Spend, spend_of
from fastgw.control.api.written import Document, changes, merge, refused
from fastgw.control.store.tables import INTEGRATIONS, SHARES, WORKSPACES


class ShareWritten(Limited, frozen=True, kw_only=True):
    """What administrators write of a share."""

    enabled: Annotated[bool, Meta(description="false takes it away from the workspace for the time being")] = True
    models: Annotated[tuple[str, ...], Meta(description="models of the integration that the workspace may use; none named: all")] = ()


class ShareShown(Shown, kw_only=True):
    """What is answered beside it."""

    integration: str
    workspace: str
    workspace_id: str
    spend: Spend


class Shares(Resource):
    name, noun, table, scopes, by = "shares", "share", SHARES, "organisation_integrations", "id"
    written, shown = ShareWritten, ShareShown
    touches = ("config",)
    integrations: ClassVar[Integrations] = Integrations()

    def endpoints(self) -> list[Endpoint]:
        path, tag = "/integrations/{integration}/workspaces", "integrations"
        one = path + "/{workspace}"
        read, update = f"{self.scopes}.read", f"{self.scopes}.update"
        reading, writing = in_workspaces(read), in_workspaces(update)
        return [
            Endpoint(
                method="GET", path=path, run=self.list_rows, summary="List the workspaces that may use an integration", scope=read,
                or_scopes=reading, reply=self, is_list=True, query=("limit", "cursor"), tag=tag,
            ),
            Endpoint(
                method="GET", path=one, run=self.read_row, summary="Show an integration's share in a workspace", scope=read,
                or_scopes=reading, reply=self, tag=tag,
            ),
            Endpoint(
                method="PUT", path=one, run=self.put_row, summary="Let a workspace use an integration", scope=update, or_scopes=writing,
                uses="write", body=self.written, reply=self, tag=tag,
            ),
            Endpoint(
                method="DELETE", path=one, run=self.delete_row, summary="Take an integration away from a workspace", scope=update,
                or_scopes=writing, uses="write", status=204, tag=tag,
            ),
        ]  # fmt: skip

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        name, columns = call.path["integration"], INTEGRATIONS.c
        own = select(columns.id).where(or_(columns.id == name, columns.slug == name), self.integrations.visible(call, "read"))
        return and_(SHARES.c.integration_id.in_(own), *own_shares(call))

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        """What it takes is asked of the integration."""

    async def list_rows(self, call: Call) -> Answer:
        if self.integrations.filed_as(call, call.path["integration"]) is None:
            await self.integrations.find(call, "read")
        return await super().list_rows(call)

    async def find(self, call: Call, verb: str, name: str | None = None) -> Stored:
        integration = await self.integrations.find(call, "read" if verb == "read" else "update")
        workspace = await find_workspace(call, call.path["workspace"], "")
        found = await self.between(call, integration, workspace)
        if found is None:
            raise missing("share of it with", workspace["slug"])
        return found

    async def between(self, call: Call, integration: Stored, workspace: Stored) -> Stored | None:
        wanted = SHARES.c.integration_id == integration["id"], SHARES.c.workspace_id == workspace["id"], *own_shares(call)
        found = (await call.reading.execute(select(SHARES).where(*wanted))).mappings().first()
        return None if found is None else dict(found)

    async def put_row(self, call: Call) -> Answer:
        integration = await self.integrations.find(call, "update")
        workspace = await find_workspace(call, call.path["workspace"], "")
        if integration["workspace_id"] not in (None, workspace["id"]):
            raise invalid("workspace", "the workspace whose integration it is", "another")
        document = merge({}, call.document)
        written: ShareWritten = self.accept(call, document)
        one = Offered(named(self.integrations.document_of(integration)))
        wrong = {model for model in written.models if not offers(call, one, model)}
        if wrong:
            known = one.integration.models or call.plane.catalog().names(one.integration.provider)
            raise refused(each_unknown("$.models", "a model of the integration", written.models, {*known, *written.models} - wrong))
        await call.writing.revision(*self.touches)
        before = await self.between(call, integration, workspace)
        if before is not None:
            await self.match(call, before)
            await self.keep(call, before, document, {})
        else:
            await self.insert(call, {"integration_id": integration["id"], "workspace_id": workspace["id"]}, document)
        stored = await self.between(call, integration, workspace)
        assert stored is not None  # as it was just written
        old = {} if before is None else self.document_of(before)
        await self.audit(call, "create" if before is None else "update", stored, changes(old, document))
        answer = await self.answer(call, stored)
        return Answer(answer.body, 201 if before is None else 200, answer.fields)

    async def delete_row(self, call: Call) -> Answer:
        row = await self.find(call, "delete")
        integration = await self.integrations.find(call, "update")
        if integration["workspace_id"] is not None:
            raise ApiError("in_use", f"integration {integration['slug']!r} is this workspace's own: delete it, or disable its share")
        await refuse_used(call, integration["slug"], row["workspace_id"])
        return await super().delete_row(call)

    async def owner(self, call: Call, row: Stored) -> Owner:
        integration = (await slugs_of(call, INTEGRATIONS, {row["integration_id"]}))[row["integration_id"]]
        workspace = (await slugs_of(call, WORKSPACES, {row["workspace_id"]}))[row["workspace_id"]]
        words = f"integration {integration!r} in workspace {workspace!r}"
        return Owner(account_of(integration, workspace), words, row["workspace_id"])

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        integrations = await slugs_of(call, INTEGRATIONS, {row["integration_id"] for row in rows})
        workspaces = await slugs_of(call, WORKSPACES, {row["workspace_id"] for row in rows})
        names = [(integrations[row["integration_id"]], workspaces[row["workspace_id"]]) for row in rows]
        spends = await spend_of(call, [(account_of(*pair), self.document_of(row)) for pair, row in zip(names, rows, strict=True)])
        return [
            {"integration": integration, "workspace": workspace, "workspace_id": row["workspace_id"], "spend": spend}
            for (integration, workspace), row, spend in zip(names, rows, spends, strict=True)
        ]

    async def audit(self, call: Call, verb: str, row: Stored, told: Mapping[str, object]) -> None:
        shown = (await self.view(call, [row]))[0]
        label = f"{shown['integration']}:{shown['workspace']}"
        await call.audit(f"{self.name}.{verb}", self.name, row["id"], label, told, row["workspace_id"])


async def slugs_of(call: Call, table: Table, ids: Collection[str]) -> dict[str, str]:
    """The slugs of rows by their ids."""
    rows = await call.reading.execute(select(table.c.id, table.c.slug).where(table.c.id.in_(ids)))
    return {row.id: row.slug for row in rows}
