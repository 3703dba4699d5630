"""Ask the admin API's resources on behalf of a request in LiteLLM's words: in its transaction, with its rights, and into its audit."""

import copy
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from starlette.datastructures import QueryParams

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.resource import Resource, Stored
from fastgw.control.api.written import Document

IGNORED = "x-fastgw-ignored"


def inner(call: Call, body: Document | None = None, query: Mapping[str, str] | None = None, **path: str) -> Call:
    """The same call with another body, query and path."""
    other = copy.copy(call)
    other.body, other.path, other.query = body, path, QueryParams(dict(query or {}))
    other.given_id = other.given_key = ""
    return other


def document_in(answer: Answer) -> Document:
    """The object that a resource answered."""
    assert isinstance(answer.body, dict)  # of one row
    return answer.body


async def rendered(resource: Resource, call: Call, row: Stored) -> Document:
    return (await resource.render(call, [row]))[0]


async def page_of(resource: Resource, call: Call, number: int, size: int) -> tuple[list[Document], int]:
    """One page of what the caller may list, by its number, and how many there are in all."""
    wanted, table = resource.wanted(call), resource.table
    total = (await call.reading.execute(select(func.count()).select_from(table).where(*wanted))).scalar_one()
    query = select(table).where(*wanted).order_by(table.c.id.desc()).limit(size).offset((number - 1) * size)
    rows: Sequence[Stored] = [dict(row) for row in (await call.reading.execute(query)).mappings()]
    return await resource.render(call, rows), total


def answered(body: object, ignored: Sequence[str] = (), status: int = 200) -> Answer:
    """A reply that names what was not heeded."""
    return Answer(body, status, {IGNORED: ", ".join(name for name in ignored if name.isascii() and name.isprintable())} if ignored else {})
