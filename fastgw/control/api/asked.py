"""What a request asks of the records, and which of them its caller may see."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct, structs
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fastgw.control.api.call import INSTANT, Call, instant_ns
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.store.tables import AUDIT, KEYS, ORGANISATIONS, WORKSPACES
from fastgw.record.analytics import WrongQuery
from fastgw.record.filters import LAST_SEQ, Filters, OwnKey
from fastgw.record.names import CACHES, OUTCOMES
from fastgw.record.query import QueryTooLong, RecordsUnavailable
from fastgw.snapshot.names import nearest, shown

LOG: Final = "logs.db"
TURN_SECONDS: Final = 5.0
MOST_NAMES: Final = 100         # of one filter
MOST_CHARACTERS: Final = 500    # of one text
METADATA: Final = "metadata."
OF_OWN_KEYS: Final = ("logs.list", "logs.view", "logs.export")     # where only their own keys are theirs to see, of these only
ALL_KEYS: Final = "workspace_service_api_keys.list"
NARROWER: Final = "take a shorter range (since, until), or filter by workspace, key, model, status or user"

Answered = TypeVar("Answered")


class Sight(Struct, frozen=True):
    """The records that a caller may see: whole workspaces, by their slugs, or None for all; and those of keys of their own."""

    workspaces: frozenset[str] | None
    own_keys: tuple[OwnKey, ...] = ()

    def restrict(self, filters: Filters) -> Filters:
        return structs.replace(filters, workspaces=self.workspaces, own_keys=self.own_keys)

    def is_whole(self, workspace: str) -> bool:
        """Whether all of a workspace is theirs to see, bodies of requests included."""
        return self.workspaces is None or workspace in self.workspaces


class Parameter(NamedTuple):
    """One filter of a query: the member of Filters, how its texts are read (a ValueError refuses them), and what is expected.

    member   "" where what is read are several of them
    """

    member: str
    read: Callable[[Sequence[str]], object]
    expected: str


# -- how texts are read

def one(texts: Sequence[str]) -> str:
    text, = texts
    return text


def any_of(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(texts)


def out_of(names: Iterable[str]) -> Callable[[Sequence[str]], object]:
    known = frozenset(names)

    def read(texts: Sequence[str]) -> frozenset[str]:
        if not known.issuperset(texts):
            raise ValueError
        return frozenset(texts)

    return read


def statuses(texts: Sequence[str]) -> frozenset[int]:
    found: set[int] = set()
    for text in texts:
        if len(text) == 3 and text[0] in "12345" and text[1:].lower() == "xx":
            found.update(range(100 * int(text[0]), 100 * int(text[0]) + 100))
        else:
            found.add(number(1, 999)((text,)))
    return frozenset(found)


def number(scale: int = 1, most: int = LAST_SEQ) -> Callable[[Sequence[str]], int]:
    """A decimal number, at least 0, times `scale`, as an integer."""

    def read(texts: Sequence[str]) -> int:
        text = one(texts)
        try:
            value = Decimal(text) * scale
        except InvalidOperation as error:
            raise ValueError from error
        if not text.isascii() or "_" in text or not value.is_finite() or not 0 <= value <= most or scale == 1 and value != int(value):
            raise ValueError
        return int(value)

    return read


def moment_of(texts: Sequence[str]) -> int:
    return instant_ns(one(texts))


def truth(texts: Sequence[str]) -> bool:
    return ("false", "true").index(one(texts)) == 1


def names(member: str) -> Parameter:
    return Parameter(member, any_of, "names")


USD: Final = "a number of dollars"
MS: Final = "a number of milliseconds"
WHOLE: Final = "a whole number"
FILTERS: Final[dict[str, Parameter]] = {
    "since": Parameter("since_ns", moment_of, INSTANT),
    "until": Parameter("until_ns", moment_of, INSTANT),
    **{name: names(name) for name in ("workspace", "key", "model", "upstream_model", "provider", "integration", "operation", "error")},
    "outcome": Parameter("outcome", out_of(OUTCOMES), " or ".join(OUTCOMES)),
    "cache": Parameter("cache", out_of(CACHES[1:]), " or ".join(CACHES[1:])),
    "status": Parameter("status", statuses, "a status such as 429, or a class of them such as 4xx"),
    "user": Parameter("user", one, "one user, as `_user` of the metadata names them"),
    "trace": Parameter("trace", one, "one trace id"),
    "q": Parameter("text", one, "one text"),
    "streamed": Parameter("is_streamed", truth, "true or false"),
    "min_cost_usd": Parameter("min_cost_nano_usd", number(10**9), USD),
    "max_cost_usd": Parameter("max_cost_nano_usd", number(10**9), USD),
    "min_ms": Parameter("min_latency_ns", number(10**6), MS),
    "max_ms": Parameter("max_latency_ns", number(10**6), MS),
    "min_tokens": Parameter("min_tokens", number(), WHOLE),
    "max_tokens": Parameter("max_tokens", number(), WHOLE),
}
QUERY: Final = (*FILTERS, f"{METADATA}NAME")


def filters_of(call: Call, also: tuple[str, ...] = (), rows: Mapping[str, Parameter] = FILTERS) -> Filters:
    """What the query asks for; `also`: parameters that are the endpoint's own. raises ApiError that names what is wrong"""
    wanted: dict[str, object] = {}
    metadata: list[tuple[str, str]] = []
    for name in call.query:
        texts = call.query.getlist(name)
        if name in also:
            continue
        if len(texts) > MOST_NAMES or any(len(text) > MOST_CHARACTERS for text in texts):
            raise invalid(f"?{name}", f"at most {MOST_NAMES} values of at most {MOST_CHARACTERS} characters", "more")
        if name.startswith(METADATA) and name != METADATA:
            metadata += [(name.removeprefix(METADATA), text) for text in texts]
        elif (row := rows.get(name)) is not None:
            try:
                read = row.read(texts)
            except ValueError:
                raise invalid(f"?{name}", row.expected, repr(", ".join(texts)[:40])) from None
            wanted.update(read if isinstance(read, dict) and not row.member else {row.member: read})
        else:
            like = nearest(name, (*rows, *also))
            raise invalid(f"?{shown(name)}", "a parameter that there is" + (f", such as {like}" if like else ""), "another")
    pairs = wanted.pop("metadata", ())
    assert isinstance(pairs, tuple)  # as its row reads it
    return Filters(metadata=(*pairs, *metadata), **wanted)  # type: ignore[arg-type]  # members by their names


# -- who may see what

async def sight_of(call: Call, scope: str) -> Sight:
    """Which records a scope lets the caller see."""
    principal = call.principal
    async with call.plane.store.read() as connection:
        reach = principal.reach(scope)
        own = WORKSPACES.c.organisation_id == principal.organisation_id
        if reach is None:
            if (await connection.execute(select(func.count()).select_from(ORGANISATIONS))).scalar_one() == 1:
                return Sight(None)
            return Sight(frozenset((await connection.execute(select(WORKSPACES.c.slug).where(own))).scalars()))
        # people see all of those workspaces where all keys are theirs to see; a token has no keys of its own
        is_by_key = principal.kind != "token" and scope in OF_OWN_KEYS
        whole = frozenset(one for one in reach if not is_by_key or principal.may(ALL_KEYS, one))
        slugs = await connection.execute(select(WORKSPACES.c.slug).where(own, WORKSPACES.c.id.in_(whole)))
        return Sight(frozenset(slugs.scalars()), await own_keys(connection, principal.user_id, reach - whole))


async def own_keys(connection: AsyncConnection, user_id: str | None, workspace_ids: frozenset[str]) -> tuple[OwnKey, ...]:
    """The keys of a user in some workspaces, each since it was theirs under its name."""
    if user_id is None or not workspace_ids:
        return ()
    mine = [KEYS.c.user_id == user_id, KEYS.c.workspace_id.in_(workspace_ids)]
    rows = (await connection.execute(select(KEYS, WORKSPACES.c.slug).join(WORKSPACES).where(*mine))).all()
    # a key may have had another name, workspace or user before
    became = or_(*(AUDIT.c.changes.like(f'%"{member}":%') for member in ("name", "workspace", "user")))
    changed = select(AUDIT.c.resource_id, func.max(AUDIT.c.at_ns)).join(KEYS, KEYS.c.id == AUDIT.c.resource_id).where(
        *mine, AUDIT.c.resource_type == "keys", AUDIT.c.action == "keys.update", became).group_by(AUDIT.c.resource_id)
    since = {row[0]: row[1] for row in await connection.execute(changed)}
    return tuple(
        OwnKey(row.slug, row.name, since.get(row.id, row.created_ns), row.updated_ns if row.removed else LAST_SEQ) for row in rows)


async def asked_of(call: Call, scope: str, also: tuple[str, ...] = (), rows: Mapping[str, Parameter] = FILTERS) -> tuple[Filters, Sight]:
    """What the query asks for, bounded by what the caller may see by a scope. raises ApiError"""
    filters = await named(call, filters_of(call, also, rows), scope)
    sight = await sight_of(call, scope)
    return sight.restrict(filters), sight


async def named(call: Call, filters: Filters, scope: str) -> Filters:
    """The same filters where workspaces and keys were named by their ids."""
    reach = call.principal.reach(scope)
    for member, column, place in (("workspace", WORKSPACES.c.slug, WORKSPACES.c.id), ("key", KEYS.c.name, KEYS.c.workspace_id)):
        wanted = getattr(filters, member)
        if wanted:
            table = column.table
            seen = [table.c.organisation_id == call.principal.organisation_id, *([] if reach is None else [place.in_(reach)])]
            async with call.plane.store.read() as connection:
                rows = await connection.execute(select(table.c.id, column).where(table.c.id.in_(wanted), *seen))
                found: dict[str, str] = {row[0]: row[1] for row in rows}
            filters = structs.replace(filters, **{member: frozenset(found.get(name, name) for name in wanted)})
    return filters


# -- asking

async def ask(call: Call, nothing: Answered, question: Callable[[Path], Answered]) -> Answered:
    """Put a question to the log, in a thread; `nothing` is the answer where there is no log yet. raises ApiError"""
    path = call.plane.state / LOG
    if not path.exists():
        return nothing
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await call.plane.questions.acquire()
    except TimeoutError:
        raise ApiError("unavailable", "too many others ask of the log at this moment; try again") from None
    try:
        return await asyncio.to_thread(question, path)
    except QueryTooLong as error:
        raise ApiError("query_too_long", f"{error}: {NARROWER}") from None
    except WrongQuery as error:
        raise ApiError("invalid_field", str(error), path="?step") from None
    except RecordsUnavailable as error:
        raise ApiError("unavailable", str(error)) from None
    finally:
        call.plane.questions.release()
