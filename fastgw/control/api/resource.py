"""What all admin resources have in common: to list, read, create, change and delete rows whose `spec` is what was written.

A resource is one subclass: its table, its types, and whichever of the hooks below it needs.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, and_, delete, false, func, insert, or_, select, true, update

from fastgw.control.alerts.rules import drop_rules, keep_rules
from fastgw.control.api.call import Answer, Call, lacks, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.limits import refuse_long, refuse_unclear
from fastgw.control.api.problem import ApiError, invalid, missing
from fastgw.control.api.written import Document, changes, decode, encode, merge, read_written, seal_secrets, without_secrets
from fastgw.control.ids import make_id
from fastgw.snapshot.names import Place

MOST_LISTED: Final = 500
USUAL_LISTED: Final = 50
FILED: Final = "file:"  # begins the ids of what stands in the configuration file
Stored = Mapping[str, Any]  # a row of a table, as SQLAlchemy gives it


class Shown(Struct, kw_only=True):
    """What every object carries beside what was written."""

    id: str
    version: int
    created_at: str
    updated_at: str


class Owner(NamedTuple):
    """Who is held to limits: the account in the ledger, what people call it, and the workspace it belongs to."""

    account: str
    words: str
    workspace_id: str | None


class Resource:
    """A kind of object that administrators write."""

    name: ClassVar[str]  # in paths and in the audit, plural
    noun: ClassVar[str]  # in messages, singular
    table: ClassVar[Table]
    written: ClassVar[type[Struct]]  # what is written
    shown: ClassVar[type[Shown]] = Shown  # what is answered beside it
    spelt: ClassVar[str] = ""  # ":path" where names hold slashes
    by: ClassVar[str] = "slug"  # the column that paths may name it by, and its member
    scopes: ClassVar[str]  # resource of the scopes
    touches: ClassVar[tuple[str, ...]] = ()  # what data planes have to hear of
    frozen: ClassVar[tuple[str, ...]] = ()  # members that cannot be changed later
    whole: ClassVar[tuple[str, ...]] = ()  # members that a change replaces rather than merges
    sought: ClassVar[tuple[str, ...]] = ()  # columns that ?search= looks into, beside `by`
    has_limits: ClassVar[bool] = False  # whether budgets stand in it, which can begin afresh

    def __repr__(self) -> str:
        return f"<Resource {self.name}>"

    # hooks

    async def columns(self, call: Call, written: Any, before: Stored | None) -> dict[str, object]:
        """What the row's own columns hold, beside those that all have; refuses what cannot be. raises ApiError"""
        return {self.by: getattr(written, self.by)}

    async def complete(self, call: Call, document: Document, before: Stored | None) -> Document:
        """The document with what the gateway itself puts in."""
        return document

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        """The members that are answered beside what was written, for each row."""
        return [{} for _ in rows]

    async def after(self, call: Call, row: Stored, before: Stored | None) -> Document:
        """What else a change brings about; what it returns is told in this one reply only."""
        return {}

    async def removing(self, call: Call, row: Stored) -> Document | None:
        """Refuse to delete what others need, or take along what goes with it, and say what that was. raises ApiError"""
        return None

    def named(self, name: str) -> ColumnElement[bool]:
        """The rows that a path may mean by a name."""
        return or_(self.table.c.id == name, self.table.c[self.by] == name)

    async def owner(self, call: Call, row: Stored) -> Owner | None:
        """Whose limits stand in the row; None where no limits do."""
        return None

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        """The rows that the caller may see or do something to."""
        return within(self.table, call, f"{self.scopes}.{verb}")

    def filters(self, call: Call) -> list[ColumnElement[bool]]:
        """What the query asks for beyond ?search=. raises ApiError"""
        return []

    def filed(self, call: Call) -> list[Document]:
        """Those of the configuration file, as they are answered, in the order of their names; nothing here changes them."""
        return []

    def place(self, document: Document) -> Place:
        """Where the document stands in what is published; secrets are sealed for there."""
        return (self.name, str(document.get(self.by, "")))

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        """Refuse a caller without the scope where the row is to be. raises ApiError"""
        workspace_id = columns.get("workspace_id")
        scope = f"{self.scopes}.{verb}"
        if not call.principal.may(scope, workspace_id if isinstance(workspace_id, str) else None):
            raise lacks(scope)

    # what is served

    def endpoints(self) -> list[Endpoint]:
        path, one, tag = f"/{self.name}", f"/{self.name}/{{{self.noun}{self.spelt}}}", self.name
        return [
            Endpoint(
                method="GET",
                path=path,
                run=self.list_rows,
                summary=f"List {self.name}",
                scope=f"{self.scopes}.list",
                reply=self,
                is_list=True,
                query=("limit", "cursor", "search"),
                tag=tag,
            ),
            Endpoint(
                method="POST",
                path=path,
                run=self.create_row,
                summary=f"Create a {self.noun}",
                scope=f"{self.scopes}.create",
                uses="write",
                status=201,
                body=self.written,
                reply=self,
                tag=tag,
            ),
            Endpoint(
                method="GET", path=one, run=self.read_row, summary=f"Show a {self.noun}", scope=f"{self.scopes}.read", reply=self, tag=tag
            ),
            Endpoint(
                method="PATCH",
                path=one,
                run=self.change_row,
                summary=f"Change a {self.noun}",
                scope=f"{self.scopes}.update",
                uses="write",
                body=self.written,
                reply=self,
                tag=tag,
            ),
            Endpoint(
                method="DELETE",
                path=one,
                run=self.delete_row,
                summary=f"Delete a {self.noun}",
                scope=f"{self.scopes}.delete",
                uses="write",
                status=204,
                tag=tag,
            ),
            *([self.reset_endpoint(one)] if self.has_limits else ()),
        ]

    def reset_endpoint(self, one: str) -> Endpoint:
        return Endpoint(
            method="POST", path=f"{one}/reset", run=self.reset, summary=f"Begin the budgets of a {self.noun} afresh",
            scope=f"{self.scopes}.update", uses="write", reply=self, tag=self.name,
        )  # fmt: skip

    async def list_rows(self, call: Call) -> Answer:
        limit = call.integer("limit", USUAL_LISTED, 1, MOST_LISTED)
        wanted = self.wanted(call)
        total = (await call.reading.execute(select(func.count()).select_from(self.table).where(*wanted))).scalar_one()
        filed = [row for row in self.filed(call) if call.query.get("search", "").lower() in str(row[self.by]).lower()]
        cursor = read_cursor(call.query.get("cursor", ""))
        is_filed = cursor.startswith(FILED)
        rows = [] if is_filed else await self.rows(call, wanted, cursor, limit + 1)
        rest = [] if len(rows) > limit else [row for row in filed if not is_filed or str(row["id"]) > cursor]
        shown = [*await self.render(call, rows[:limit]), *rest[: limit - len(rows[:limit])]]
        has_more = len(rows) > limit or len(rows) + len(rest) > limit
        return Answer({"data": shown, "next": write_cursor(str(shown[-1]["id"])) if has_more else None, "total": total + len(filed)})

    def wanted(self, call: Call) -> list[ColumnElement[bool]]:
        """What holds of the rows that the query asks for."""
        conditions = [self.visible(call, "list"), *self.filters(call)]
        if search := call.query.get("search"):
            pattern = "%" + search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
            conditions.append(or_(*(self.table.c[name].ilike(pattern, escape="\\") for name in (self.by, *self.sought))))
        return conditions

    async def rows(self, call: Call, wanted: Sequence[ColumnElement[bool]], cursor: str, most: int) -> list[Stored]:
        """The rows after a cursor, the latest first."""
        column = self.table.c.id
        after = [column < cursor] if cursor else []
        found = await call.reading.execute(select(self.table).where(*wanted, *after).order_by(column.desc()).limit(most))
        return [dict(row) for row in found.mappings()]

    async def read_row(self, call: Call) -> Answer:
        if (filed := self.filed_as(call, call.path.get(self.noun, ""))) is not None:
            return Answer(filed)
        return await self.answer(call, await self.find(call, "read"))

    async def create_row(self, call: Call) -> Answer:
        # a null says nothing, as in a change
        sent = merge({}, call.document)
        document = self.seal(call, await self.complete(call, sent, None), sent)
        written = self.accept(call, document)
        columns = await self.columns(call, written, None)
        self.permit(call, "create", columns)
        await self.refuse_taken(call, columns)
        stored = await self.insert(call, columns, document)
        once = await self.after(call, stored, None)
        shown = await self.render(call, [stored])
        await self.audit(call, "create", stored, changes({}, without_secrets(self.written, document)))  # type: ignore[arg-type]  # a document
        location = f"{call.request.url.path}/{stored['id']}"
        return Answer({**shown[0], **once}, 201, {"location": location, "etag": '"1"'})

    async def change_row(self, call: Call) -> Answer:
        before = await self.find(call, "update")
        await self.match(call, before)
        old = self.document_of(before)
        patch = call.document
        for name in self.frozen:
            if name in patch and patch[name] != old.get(name):
                raise invalid(f"$.{name}", "what it was created with, as it cannot be changed", "another value")
        kept = {name: value for name, value in old.items() if name not in self.whole or name not in patch}
        document = merge(kept, self.seal(call, patch, old))
        document = await self.complete(call, document, before)
        written = self.accept(call, document)
        columns = await self.columns(call, written, before)
        self.permit(call, "update", {**before, **columns})
        await self.refuse_taken(call, columns, str(before["id"]))
        await self.keep(call, before, document, columns)
        stored = await self.reread(call, str(before["id"]))
        once = await self.after(call, stored, before)
        await self.audit(call, "update", stored, self.differences(old, document))
        answer = await self.answer(call, stored)
        assert isinstance(answer.body, dict)  # of one row
        return Answer({**answer.body, **once}, answer.status, answer.fields)

    async def delete_row(self, call: Call) -> Answer:
        row = await self.find(call, "delete")
        await self.match(call, row)
        told = await self.removing(call, row)
        await call.writing.revision(*self.touches)
        if (owner := await self.owner(call, row)) is not None:
            await drop_rules(call.writing, owner.account)
        await call.writing.execute(delete(self.table).where(self.table.c.id == row["id"]))
        await self.audit(call, "delete", row, {})
        return Answer(status=204) if told is None else Answer(told)

    async def reset(self, call: Call) -> Answer:
        """What was spent counts as nothing from now on, in each window."""
        row = await self.find(call, "update")
        owner = await self.owner(call, row)
        assert owner is not None  # as budgets stand in it
        await self.audit(call, "reset", row, {})
        call.plane.accounts.reset(owner.account, self.document_of(row))
        return await self.answer(call, row)

    # the pieces

    def seal(self, call: Call, document: Document, whole: Document) -> Document:
        """The secrets of what was sent, sealed for the place of the whole. raises ApiError"""
        place = self.place(whole)
        sealed = seal_secrets(self.written, document, call.plane.sealer, place, place)
        assert isinstance(sealed, dict)  # as it was
        return sealed

    def accept(self, call: Call, document: Document) -> Any:
        """What a document says. raises ApiError with all that is wrong with it"""
        refuse_long(document.get("annotations"))
        written = read_written(self.written, document, call.plane.sealer, self.place(document))
        refuse_unclear(written)
        return written

    async def insert(self, call: Call, columns: Mapping[str, object], document: Document) -> Stored:
        """Write the first version of a row."""
        row = {
            "id": call.given_id or make_id(),
            "spec": encode(document).decode(),
            "version": 1,
            "revision": await call.writing.revision(*self.touches),
            "created_ns": call.now_ns,
            "updated_ns": call.now_ns,
            **columns,
        }
        if "organisation_id" in self.table.c:
            row.setdefault("organisation_id", call.principal.organisation_id)
        await call.writing.execute(insert(self.table).values(row))
        return await self.watch(call, await self.reread(call, str(row["id"])))

    async def keep(self, call: Call, before: Stored, document: Document, columns: Mapping[str, object]) -> None:
        """Write the next version of a row."""
        revision = await call.writing.revision(*self.touches)
        await call.writing.execute(
            update(self.table)
            .where(self.table.c.id == before["id"])
            .values(spec=encode(document).decode(), version=before["version"] + 1, revision=revision, updated_ns=call.now_ns, **columns)
        )
        await self.watch(call, await self.reread(call, before["id"]))

    async def watch(self, call: Call, row: Stored) -> Stored:
        """Have alerts go out by the limits that a row states."""
        if (owner := await self.owner(call, row)) is not None:
            organisation_id = call.principal.organisation_id
            await keep_rules(call.writing, owner.account, owner.words, organisation_id, owner.workspace_id, self.document_of(row))
        return row

    async def find(self, call: Call, verb: str, name: str | None = None) -> Stored:
        """The row that the path names, by id or name. raises ApiError where there is none that the caller may see"""
        name = call.path[self.noun] if name is None else name
        if verb != "read" and self.filed_as(call, name) is not None:
            raise ApiError("managed_by_file", f"{self.noun} {name!r} stands in the configuration file: change it there")
        # an id that was given may be another's name: the id goes first
        query = select(self.table).where(self.named(name), self.visible(call, "read")).order_by(self.table.c.id != name)
        if call.transaction is not None and call.plane.store.kind == "postgresql":
            query = query.with_for_update()
        found = (await call.reading.execute(query)).mappings().first()
        if found is None:
            raise missing(self.noun, name)
        row = dict(found)
        if verb != "read":
            self.permit(call, verb, row)
        return row

    def filed_as(self, call: Call, name: str) -> Document | None:
        """The one of the configuration file that has a name or an id."""
        return next((row for row in self.filed(call) if name in (row["id"], row[self.by])), None)

    async def reread(self, call: Call, row_id: str) -> Stored:
        return dict((await call.reading.execute(select(self.table).where(self.table.c.id == row_id))).mappings().one())

    async def refuse_taken(self, call: Call, columns: Mapping[str, object], own_id: str = "") -> None:
        """raises ApiError where another row has the name that must be unique"""
        # from here on writers take turns, so that of two with one name the later sees the earlier
        await call.writing.revision(*self.touches)
        if self.filed_as(call, str(columns.get(self.by, ""))) is not None:
            raise ApiError("managed_by_file", f"{self.noun} {columns[self.by]!r} stands in the configuration file", path=f"$.{self.by}")
        column = self.table.c[self.by]
        if column.unique and self.by in columns:
            taken = select(self.table.c.id).where(column == columns[self.by], self.table.c.id != own_id)
            if (await call.reading.execute(taken)).first() is not None:
                raise ApiError(
                    "exists", f"expected a {self.by} that no other {self.noun} has, found {columns[self.by]!r}", path=f"$.{self.by}"
                )

    async def match(self, call: Call, row: Stored) -> None:
        """raises ApiError with both versions where If-Match names another than there is"""
        wanted = call.request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
        if wanted and wanted != "*" and wanted != str(row["version"]):
            current = (await self.render(call, [row]))[0]
            yours = without_secrets(self.written, call.body)
            raise ApiError(
                "conflict",
                f"expected version {row['version']} of {self.noun} {row[self.by]!r}, found If-Match {wanted!r}: it was changed meanwhile",
                current=current,
                yours=yours,
            )

    def document_of(self, row: Stored) -> Document:
        document = decode(row["spec"].encode())
        assert isinstance(document, dict)  # as it was written
        return document

    def differences(self, old: Document, new: Document) -> Document:
        """What the audit says of a change; of secrets only that they were changed."""
        told: Document = dict(changes(without_secrets(self.written, old), without_secrets(self.written, new)))  # type: ignore[arg-type]  # documents
        for name in changes(old, new).keys() - told.keys():
            told[name] = ["(secret)", "(secret)"]
        return told

    async def render(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        """Rows as they are answered."""
        rendered: list[Document] = []
        for row, more in zip(rows, await self.view(call, rows), strict=True):
            document = without_secrets(self.written, self.document_of(row))
            assert isinstance(document, dict)  # as it was
            rendered.append(
                {
                    "id": row["id"],
                    **document,
                    **more,
                    "version": row["version"],
                    "created_at": moment(row["created_ns"]),
                    "updated_at": moment(row["updated_ns"]),
                }
            )
        return rendered

    async def answer(self, call: Call, row: Stored) -> Answer:
        return Answer((await self.render(call, [row]))[0], fields={"etag": f'"{row["version"]}"'})

    async def audit(self, call: Call, verb: str, row: Stored, told: Mapping[str, object]) -> None:
        workspace_id = row.get("workspace_id")
        await call.audit(f"{self.name}.{verb}", self.name, row["id"], str(row[self.by]), told, workspace_id)


def within(table: Table, call: Call, scope: str) -> ColumnElement[bool]:
    """Rows of the caller's organisation, and of those workspaces where the scope holds."""
    of_organisation = table.c.organisation_id == call.principal.organisation_id
    reach = call.principal.reach(scope)
    if reach is None:
        return of_organisation
    return and_(of_organisation, table.c.workspace_id.in_(reach)) if "workspace_id" in table.c and reach else false()


def within_or_shared(table: Table, call: Call, scope: str) -> ColumnElement[bool]:
    """The same, and what is of no one workspace for whoever has the scope anywhere: to be looked at by all."""
    reach = call.principal.reach(scope)
    if reach is not None and not reach:
        return false()
    shared = table.c.workspace_id.is_(None) if "workspace_id" in table.c else true()
    return and_(table.c.organisation_id == call.principal.organisation_id, or_(within(table, call, scope), shared))


def write_cursor(row_id: str) -> str:
    return base64.urlsafe_b64encode(row_id.encode()).decode().rstrip("=")


def read_cursor(text: str) -> str:
    try:
        cursor = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        cursor = "\n"
    if not cursor.isprintable():
        raise invalid("?cursor", "what `next` of the page before said", repr(text[:40]))
    return cursor
