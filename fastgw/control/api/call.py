"""One request to the admin API while it is carried out."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from fastgw.control.access.principal import Principal
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.written import Document, encode
from fastgw.control.ids import make_id
from fastgw.control.plane import Plane
from fastgw.control.store.engine import Transaction
from fastgw.control.store.tables import AUDIT

INSTANT: Final = "a time such as 2026-11-27T05:00:00Z"


class Answer(Struct):
    """What goes back."""

    body: object = None
    status: int = 200
    fields: dict[str, str] = {}


class Call:
    """Who asks for what, the transaction it runs in, and what it leaves in the audit."""

    def __init__(self, plane: Plane, request: Request, principal: Principal, request_id: str, address: str, body: object = None) -> None:
        self.plane = plane
        self.request = request
        self.principal = principal
        self.request_id = request_id
        self.address = address
        self.body = body
        self.path: Mapping[str, str] = request.path_params
        self.query = request.query_params
        self.now_ns = time.time_ns()
        self.connection: AsyncConnection | None = None
        self.transaction: Transaction | None = None
        self.once: list[str] = []  # secrets of the reply, which no replay may tell again
        self.given_id = self.given_key = ""  # what callers of LiteLLM's routes choose for themselves

    def __repr__(self) -> str:
        return f"<Call {self.request.method} {self.request.url.path} by {self.principal!r}>"

    @property
    def reading(self) -> AsyncConnection:
        assert self.connection is not None  # the dispatcher opens it for every endpoint that uses the store
        return self.connection

    @property
    def writing(self) -> Transaction:
        assert self.transaction is not None  # the dispatcher opens it for every endpoint that writes
        return self.transaction

    @property
    def document(self) -> Document:
        """The body as an object. raises ApiError"""
        if not isinstance(self.body, dict):
            raise invalid("$", "an object", "nothing" if self.body is None else "something else")
        return self.body

    def need(self, scope: str, workspace_id: str | None = None) -> None:
        """raises ApiError where the caller lacks a scope"""
        if not self.principal.may(scope, workspace_id):
            raise lacks(scope)

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """A number of the query. raises ApiError"""
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            raise invalid(f"?{name}", f"an integer from {least} to {most}", repr(text[:40]))
        return int(text)

    def instant(self, name: str) -> int | None:
        """A point in time of the query, in nanoseconds since 1970. raises ApiError"""
        text = self.query.get(name)
        if text is None:
            return None
        try:
            return instant_ns(text)
        except ValueError:
            raise invalid(f"?{name}", INSTANT, repr(text[:40])) from None

    async def audit(
        self,
        action: str,
        kind: str,
        resource_id: str,
        name: str,
        changes: Mapping[str, object],
        workspace_id: str | None = None,
    ) -> None:
        """Leave a trace of what was changed, in the transaction that changes it."""
        await self.writing.execute(
            insert(AUDIT).values(
                id=make_id(),
                organisation_id=self.principal.organisation_id or None,
                workspace_id=workspace_id,
                at_ns=self.now_ns,
                actor_kind=self.principal.kind,
                actor_id=self.principal.id,
                actor_name=self.principal.name,
                action=action,
                resource_type=kind,
                resource_id=resource_id,
                resource_name=name,
                changes=encode(changes).decode(),
                address=self.address,
                request_id=self.request_id,
            )
        )


def lacks(scope: str) -> ApiError:
    return ApiError("forbidden", f"expected a caller with the scope {scope}, found one without", scope=scope)


def instant_ns(text: str) -> int:
    """A point in time with its zone, in nanoseconds since 1970. raises ValueError"""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return max(-(2**63), min(int(at.timestamp() * 1000) * 1_000_000, 2**63 - 1))


def moment(at_ns: int | None) -> str | None:
    """A point in time as the API writes it."""
    if at_ns is None:
        return None
    seconds, fraction_ns = divmod(at_ns, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction_ns // 1_000_000:03}Z"
