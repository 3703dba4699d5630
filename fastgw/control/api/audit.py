"""The audit: who changed what, when and from where."""

from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, and_, func, or_, select

from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.resource import MOST_LISTED, USUAL_LISTED, read_cursor, write_cursor
from fastgw.control.api.written import decode
from fastgw.control.store.tables import AUDIT, WORKSPACES

SCOPE = "audit_logs.list"


class Actor(Struct):
    """Who did it."""

    kind: Literal["user", "token", "system"]
    id: str
    name: str


class Concerned(Struct):
    """What it was done to."""

    type: str
    id: str
    name: str


class AuditLine(Struct):
    """One change; of members: what they were and what they became."""

    id: str
    at: str
    actor: Actor
    action: str
    resource: Concerned
    workspace: str | None
    changes: dict[str, object]
    address: str
    request_id: str


class Audit:
    """The list of changes, newest first; it cannot be written but by changing something."""

    def __repr__(self) -> str:
        return "<Audit>"

    def endpoints(self) -> list[Endpoint]:
        query = ("limit", "cursor", "since", "until", "actor", "action", "resource", "workspace")
        return [
            Endpoint(method="GET", path="/audit", run=self.list_lines, summary="List changes, newest first", scope=SCOPE, reply=AuditLine,
                     is_list=True, query=query, tag="audit"),
        ]  # fmt: skip

    async def list_lines(self, call: Call) -> Answer:
        limit = call.integer("limit", USUAL_LISTED, 1, MOST_LISTED)
        wanted = [visible(call), *filters(call)]
        joined = AUDIT.outerjoin(WORKSPACES, WORKSPACES.c.id == AUDIT.c.workspace_id)
        total = (await call.reading.execute(select(func.count()).select_from(joined).where(*wanted))).scalar_one()
        if cursor := call.query.get("cursor"):
            wanted.append(AUDIT.c.id < read_cursor(cursor))
        found = select(AUDIT, WORKSPACES.c.slug).select_from(joined).where(*wanted).order_by(AUDIT.c.id.desc()).limit(limit + 1)
        rows = (await call.reading.execute(found)).all()
        following = write_cursor(rows[limit - 1].id) if len(rows) > limit else None
        return Answer({"data": [line_of(row) for row in rows[:limit]], "next": following, "total": total})


def visible(call: Call) -> ColumnElement[bool]:
    """Of the caller's organisation, and of the workspaces where the scope holds."""
    own = AUDIT.c.organisation_id == call.principal.organisation_id
    reach = call.principal.reach(SCOPE)
    return own if reach is None else and_(own, AUDIT.c.workspace_id.in_(reach))


def filters(call: Call) -> list[ColumnElement[bool]]:
    """What the query asks for. raises ApiError"""
    columns, found = AUDIT.c, []
    if (since := call.instant("since")) is not None:
        found.append(columns.at_ns >= since)
    if (until := call.instant("until")) is not None:
        found.append(columns.at_ns < until)
    for name, sought in (
        ("actor", (columns.actor_id, columns.actor_name)),
        ("action", (columns.action,)),
        ("resource", (columns.resource_type, columns.resource_id, columns.resource_name)),
        ("workspace", (columns.workspace_id, WORKSPACES.c.slug)),
    ):
        if text := call.query.get(name):
            found.append(or_(*(column == text for column in sought)))
    return found


def line_of(row: Row[Any]) -> AuditLine:
    told = decode(row.changes.encode())
    assert isinstance(told, dict)  # as it was written
    return AuditLine(
        id=row.id,
        at=moment(row.at_ns) or "",
        actor=Actor(row.actor_kind, row.actor_id, row.actor_name),
        action=row.action,
        resource=Concerned(row.resource_type, row.resource_id, row.resource_name),
        workspace=row.slug or row.workspace_id,
        changes=told,
        address=row.address,
        request_id=row.request_id,
    )
