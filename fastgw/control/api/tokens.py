"""API tokens: what scripts call the admin API with. Each has the scopes that it names, and never more than who made it."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, structs
from sqlalchemy import ColumnElement, and_, false, or_

from fastgw.control.access.gate import TOKEN_PREFIX, digest_of
from fastgw.control.access.roles import ORGANISATION_ONLY, SCOPES
from fastgw.control.api.call import Call, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.problem import Fault, invalid
from fastgw.control.api.resource import Resource, Shown, Stored
from fastgw.control.api.workspaces import workspace_of
from fastgw.control.api.written import Document, refused
from fastgw.control.store.tables import TOKENS
from fastgw.snapshot.names import nearest, shown
from fastgw.snapshot.section import Section

Name = Annotated[str, Meta(min_length=1, max_length=200, extra={"expected": "a name of at most 200 characters"})]
Scope = Annotated[str, Meta(extra={"expected": "a scope"})]


class TokenWritten(Section, frozen=True, kw_only=True):
    """What is written of a token."""

    name: Annotated[Name, Meta(description="what it is for")]
    scopes: Annotated[tuple[Scope, ...], Meta(description="what it may do")]
    workspace: Annotated[str | None, Meta(description="where it may; none: in the whole organisation")] = None
    expires_at: Annotated[Annotated[datetime, Meta(tz=True)] | None, Meta(description="from then on it is refused")] = None


class TokenShown(Shown, kw_only=True):
    """What is answered beside it.

    token   in the reply to its creation only
    """

    masked: str
    last_used_at: str | None
    token: str = ""


class Tokens(Resource):
    """Those of the organisation and those of workspaces have scopes of their own."""

    name, noun, table, by = "tokens", "token", TOKENS, "name"
    written, shown = TokenWritten, TokenShown
    frozen = ("workspace",)
    scopes = "organisation_service_api_keys"
    workspace_scopes = "workspace_service_api_keys"

    def endpoints(self) -> list[Endpoint]:
        verbs = {row: (row.scope or "").rpartition(".")[2] for row in super().endpoints()}
        return [structs.replace(row, or_scopes=(f"{self.workspace_scopes}.{verb}",)) for row, verb in verbs.items()]

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        principal = call.principal
        reach = principal.reach(f"{self.workspace_scopes}.{verb}")
        there = TOKENS.c.workspace_id.is_not(None) if reach is None else TOKENS.c.workspace_id.in_(reach)
        here = TOKENS.c.workspace_id.is_(None) if principal.may(f"{self.scopes}.{verb}") else false()
        return and_(TOKENS.c.organisation_id == principal.organisation_id, or_(here, there))

    def named(self, name: str) -> ColumnElement[bool]:
        return TOKENS.c.id == name  # names are not unique

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        workspace_id = columns.get("workspace_id")
        if isinstance(workspace_id, str):
            call.need(f"{self.workspace_scopes}.{verb}", workspace_id)
        else:
            call.need(f"{self.scopes}.{verb}")

    async def columns(self, call: Call, written: TokenWritten, before: Stored | None) -> dict[str, object]:
        columns: dict[str, Any] = {"name": written.name, "expires_ns": expiry_ns(call, written, before)}
        if before is None:
            token = TOKEN_PREFIX + secrets.token_urlsafe(32)
            call.once.append(token)
            place = None if written.workspace is None else (await self.workspace(call, written.workspace))["id"]
            columns |= {"workspace_id": place, "digest": digest_of(token), "masked": f"{TOKEN_PREFIX}…{token[-4:]}"}
        else:
            place = before["workspace_id"]
        self.permit(call, "create" if before is None else "update", {"workspace_id": place})
        held = () if before is None else self.document_of(before)["scopes"]
        assert isinstance(held, list | tuple)  # as it was written
        check_scopes(call, written.scopes, place, frozenset(held))
        return columns

    async def complete(self, call: Call, document: Document, before: Stored | None) -> Document:
        place = document.get("workspace")
        if before is None and isinstance(place, str):
            return {**document, "workspace": (await self.workspace(call, place))["slug"]}
        return document

    async def workspace(self, call: Call, name: str) -> Stored:
        return await workspace_of(call, name, f"{self.workspace_scopes}.create", "$.workspace")

    async def after(self, call: Call, row: Stored, before: Stored | None) -> Document:
        return {"token": call.once[-1]} if before is None else {}

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        return [
            {
                "workspace": document.get("workspace"),
                "expires_at": document.get("expires_at"),
                "masked": row["masked"],
                "last_used_at": moment(row["last_used_ns"]),
            }
            for row, document in zip(rows, map(self.document_of, rows), strict=True)
        ]


def expiry_ns(call: Call, written: TokenWritten, before: Stored | None) -> int | None:
    """raises ApiError for a token that would be of no use"""
    if written.expires_at is None:
        return None
    at_ns = int(written.expires_at.timestamp()) * 10**9
    if not call.now_ns < at_ns < 2**63 and (before is None or before["expires_ns"] != at_ns):
        raise invalid("$.expires_at", "a time to come, up to the year 2261", "another")
    return at_ns


def check_scopes(call: Call, wanted: Sequence[str], workspace_id: str | None, held: frozenset[str]) -> None:
    """raises ApiError for scopes that are not known, or do not hold where the token does, or that the caller has not"""
    if not wanted:
        raise invalid("$.scopes", "at least one scope", "none")
    known = SCOPES if workspace_id is None else SCOPES - ORGANISATION_ONLY
    kind = "a scope" if workspace_id is None else "a scope that holds in a workspace"
    unknown = [(index, scope) for index, scope in enumerate(wanted) if scope not in known]
    if faults := [Fault(f"$.scopes[{index}]", kind, f'"{shown(scope)}"', nearest(scope, known)) for index, scope in unknown]:
        raise refused(faults)
    for scope in wanted:
        if scope not in held:
            call.need(scope, workspace_id)
