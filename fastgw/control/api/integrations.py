"""Integrations: a provider with a credential, of the organisation or of one workspace, and shared with workspaces."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

from msgspec import Meta, structs
from sqlalchemy import ColumnElement, and_, false, insert, or_, select

from fastgw.control.api.asking import Trial, Tried, try_out
from fastgw.control.api.call import Answer, Call, lacks
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.filed import filed_rows
from fastgw.control.api.known import find_workspace
from fastgw.control.api.lending import refuse_foreign
from fastgw.control.api.problem import Fault, invalid
from fastgw.control.api.resource import FILED, Resource, Shown, Stored
from fastgw.control.api.sharing import refuse_used, shares_of
from fastgw.control.api.spending import Spend, spend_of
from fastgw.control.api.workspaces import Slug, Text
from fastgw.control.api.written import SEALED, Document, merge, path_in, read_written, refused
from fastgw.control.ids import make_id
from fastgw.control.store.tables import INTEGRATIONS, SHARES, WORKSPACES
from fastgw.providers.settings import upstream_for
from fastgw.providers.table import ALIASES, PROVIDERS
from fastgw.snapshot.config import Integration
from fastgw.snapshot.hosts import HostRules
from fastgw.snapshot.integrations import check_integration
from fastgw.snapshot.names import Place
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.section import Section

LEAST_MASKED: Final = 20  # of a shorter key, four characters would tell too much
# Of the machine that runs the gateway: whoever keeps its configuration file says them.
OF_THE_FILE: Final[tuple[tuple[str, ...], ...]] = (("ca_file",), ("proxy",), ("azure", "token_file"))
# What those see who may use an integration and not look into it.
OPEN_MEMBERS: Final = (
    "id", "slug", "name", "description", "provider", "models", "workspace", "source", "version", "created_at", "updated_at",
)  # fmt: skip


class IntegrationWritten(Integration, frozen=True, kw_only=True):
    """What administrators write of an integration: all that the configuration file knows but what names files of the server."""

    slug: Annotated[Slug, Meta(description="its name in the data plane: in requests, records and limits")]
    name: Annotated[Text, Meta(description="its name for people")] = ""
    description: Annotated[Text, Meta(description="what it is for")] = ""
    workspace: Annotated[Slug | None, Meta(description="the only workspace that has it; without one it is the organisation's")] = None
    share_with: Annotated[tuple[Slug, ...], Meta(description='at creation: workspaces that may use it, or "all" that there are')] = ()


class Sharing(Section, frozen=True):
    """With whom an integration is shared when it is created."""

    share_with: tuple[Slug, ...]


class IntegrationShown(Shown, kw_only=True):
    """What is answered beside it."""

    source: Literal["store", "file"]
    masked_key: str | None
    spend: Spend


class Integrations(Resource):
    name, noun, table, scopes = "integrations", "integration", INTEGRATIONS, "organisation_integrations"
    written, shown = IntegrationWritten, IntegrationShown
    touches, frozen = ("config",), ("slug", "workspace", "share_with")

    def endpoints(self) -> list[Endpoint]:
        test = Endpoint(
            method="POST",
            path=f"/{self.name}/{{{self.noun}}}/test",
            run=self.test,
            summary="Ask an integration's provider for its models, or for one token",
            scope=f"{self.scopes}.update",
            uses="none",
            body=Trial,
            reply=Tried,
            tag=self.name,
        )
        return [structs.replace(row, or_scopes=in_workspaces(str(row.scope))) for row in (*super().endpoints(), test)]

    async def test(self, call: Call) -> Answer:
        """Outside of a transaction, as the provider may take its time."""
        trial = read_written(Trial, {} if call.body is None else merge({}, call.document), call.plane.sealer)
        name, file = call.path[self.noun], call.plane.file
        if file is not None and self.filed_as(call, name) is not None:
            call.need(f"{self.scopes}.update")
            return Answer(await try_out(file.integrations[name.removeprefix(FILED)], trial.model, None))
        async with call.plane.store.read() as call.connection:
            row = await self.find(call, "update")
        made = canonical(self.accept(call, self.document_of(row)))
        hosts = (call.plane.hosts() or HostRules()) if row["workspace_id"] is not None else None
        return Answer(await try_out(made, trial.model, hosts))

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        """Of the organisation, of the caller's workspaces, and to look at also what is shared with these."""
        verbs, columns, seen = {"read": ("read", "list")}.get(verb, (verb,)), INTEGRATIONS.c, list[ColumnElement[bool]]()
        for one in verbs:
            reach = call.principal.reach(f"workspace_integrations.{one}")
            if call.principal.may(f"{self.scopes}.{one}"):
                seen.append(columns.workspace_id.is_(None))
            if reach is None:
                seen.append(columns.workspace_id.is_not(None))
            elif reach:
                seen.append(columns.id.in_(select(SHARES.c.integration_id).where(SHARES.c.workspace_id.in_(reach))))
        return and_(columns.organisation_id == call.principal.organisation_id, or_(false(), *seen))

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        scope, workspace_id = scope_of(verb, columns)
        if not call.principal.may(scope, workspace_id):
            raise lacks(scope)

    def filed(self, call: Call) -> list[Document]:
        file = call.plane.file
        rows = filed_rows(call, self.by, {} if file is None else file.integrations)
        more: Document = {"masked_key": None, "spend": Spend(0, 0, 0, [])}
        rows = [row | more for row in rows]
        return rows if call.principal.may(f"{self.scopes}.read") else [opened(row) for row in rows]

    async def complete(self, call: Call, document: Document, before: Stored | None) -> Document:
        # what is kept of this member are the shares themselves
        wanted = document.pop("share_with", "all")
        if wanted != "all":
            read_written(Sharing, {"share_with": wanted}, call.plane.sealer)
        return document

    async def columns(self, call: Call, written: IntegrationWritten, before: Stored | None) -> dict[str, object]:
        refuse_files(written)
        made = canonical(written)
        problems, place = Problems(), self.place({"slug": written.slug})
        check_integration(place, made, problems)
        if problems.found:
            raise refused([Fault(path_in(where, place), one.expected, one.found, one.nearest) for where, one in problems.found])
        workspace_id = None
        if written.workspace is not None:
            workspace_id = (await find_workspace(call, written.workspace))["id"]
            if call.document.get("share_with"):
                raise invalid("$.share_with", "nothing, as an integration of a workspace is that workspace's alone", "workspaces")
            refuse_foreign(made, call.plane.hosts())
        if before is not None:
            self.refuse_moved(call, made, before)
        return {"slug": written.slug, "workspace_id": workspace_id, "masked": masked(written)}

    def refuse_moved(self, call: Call, made: Integration, before: Stored) -> None:
        """A credential that is not sent anew must not go where it did not go before. raises ApiError"""
        old = self.document_of(before)
        if going(made) == going(canonical(self.accept(call, old))):
            return
        kept = [place for place in sealed_in(old) if not is_sent(call.document, place)]
        if kept:
            expected = "the secret anew, or null, as the change lets it go to another address"
            raise refused([Fault(path_in(place, ()), expected, "nothing") for place in kept])

    async def after(self, call: Call, row: Stored, before: Stored | None) -> Document:
        if before is not None:
            return {}
        wanted, ids = call.document.get("share_with"), [row["workspace_id"]] if row["workspace_id"] is not None else []
        if wanted == "all":
            query = select(WORKSPACES.c.id).where(WORKSPACES.c.organisation_id == row["organisation_id"])
            ids = list((await call.reading.execute(query)).scalars())
        elif isinstance(wanted, list):
            ids = [(await find_workspace(call, slug, f"$.share_with[{index}]"))["id"] for index, slug in enumerate(wanted)]
        shared = {"integration_id": row["id"], "spec": "{}", "version": 1, "revision": row["revision"]}
        shared |= {"created_ns": call.now_ns, "updated_ns": call.now_ns}
        for workspace_id in dict.fromkeys(ids):
            await call.writing.execute(insert(SHARES).values(id=make_id(), workspace_id=workspace_id, **shared))
        return {}

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        shares = await shares_of(call, [row["id"] for row in rows])
        spends = await spend_of(call, [(share.account, share.limits) for share in shares])
        used = {row["id"]: Spend(0, 0, 0, []) for row in rows}
        for share, spend in zip(shares, spends, strict=True):
            total = used[share.integration_id]
            used[share.integration_id] = Spend(total.usd + spend.usd, total.tokens + spend.tokens, total.requests + spend.requests, [])
        return [{"masked_key": row["masked"] or None, "source": "store", "spend": used[row["id"]]} for row in rows]

    async def render(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        return [
            document if call.principal.may(*scope_of("read", row)) else opened(document)
            for row, document in zip(rows, await super().render(call, rows), strict=True)
        ]

    async def removing(self, call: Call, row: Stored) -> None:
        await refuse_used(call, row["slug"])


def canonical(written: Integration) -> Integration:
    """An integration with its provider called by the name of its row."""
    return structs.replace(written, provider=ALIASES.get(written.provider, written.provider))


def scope_of(verb: str, columns: Mapping[str, object]) -> tuple[str, str | None]:
    """What it takes to do something to an integration, and where: one of a workspace is that workspace's."""
    workspace_id = columns.get("workspace_id")
    if isinstance(workspace_id, str):
        return f"workspace_integrations.{verb}", workspace_id
    return f"organisation_integrations.{verb}", None


def in_workspaces(scope: str) -> tuple[str, ...]:
    """The scopes of workspaces that open the same endpoint; who may list may look at what it lists."""
    verb = scope.rpartition(".")[2]
    return tuple(f"workspace_integrations.{one}" for one in ((verb, "list") if verb == "read" else (verb,)))


def opened(document: Document) -> Document:
    return {name: document[name] for name in OPEN_MEMBERS if name in document}


def masked(written: Integration) -> str:
    """What people know a key by: its beginning up to a dash, and its end."""
    if written.api_key is None:
        return ""
    text = written.api_key.reveal()
    head, dash, _ = text[:8].partition("-")
    return "…" if len(text) < LEAST_MASKED else f"{head}-…{text[-4:]}" if dash else f"…{text[-4:]}"


def refuse_files(written: Integration) -> None:
    """raises ApiError where a member names a file of the server, or a proxy"""
    for place in OF_THE_FILE:
        value: object = written
        for name in place:
            value = getattr(value, name, None)
        if value is not None:
            expected = "nothing, as files of the server and proxies are named in its configuration file alone"
            raise invalid(path_in(place, ()), expected, "a value")


def going(made: Integration) -> tuple[object, ...]:
    """Where credentials go: the address with the beginning of its paths, and those of tokens."""
    return upstream_for(PROVIDERS[made.provider], made), made.token_url, made.metadata_url


def sealed_in(value: object, place: Place = ()) -> Iterator[Place]:
    """The places of the secrets in a document that is kept."""
    if isinstance(value, str) and value.startswith(SEALED):
        yield place
    for name, item in value.items() if isinstance(value, dict) else ():
        yield from sealed_in(item, (*place, name))


def is_sent(document: object, place: Place) -> bool:
    """Whether a change says anything of a place."""
    for step in place:
        if not isinstance(document, dict) or step not in document:
            return not isinstance(document, dict)  # the whole was replaced or taken away
        document = document[step]
    return True
