"""What is wanted of the log, and how it is said: to SQLite, to the blocks, and to the sums."""
import sqlite3
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct, structs

from fastgw.record.blocks import ANY_METADATA, BLOCK_COLUMNS, FIRST_COLUMNS, metadata_word, word
from fastgw.record.fields import COLUMNS, FIELDS
from fastgw.record.rollups import DIMENSIONS

USER = "_user"                 # the member of the metadata that names the user
LAST_SEQ = 2**63 - 1
MOST_WORDS = 50                # looked for in blocks; of more, nearly every block has one
DEFAULTS = {"INTEGER": "0", "TEXT": "''"}
# Texts in which a search looks for the whole of what it was given; the others are in the index of texts.
NAME_COLUMNS = ("id", "key", "model", "upstream_model", "provider", "integration", "error", "trace", "trace_id")

Wanted = str | frozenset[str] | None


class OwnKey(Struct, frozen=True):
    """A key while it was somebody's: another one had its name before, or has it now."""

    workspace: str
    key: str
    since_ns: int
    until_ns: int = LAST_SEQ


class Filters(Struct, frozen=True, kw_only=True):
    """What to list or sum up. None filters nothing; a set of names is any of them; all that is given must hold.

    `workspaces` and `own_keys` are for the caller's rights: nothing outside of the two is ever shown or counted, whatever the other
    filters say.
    """

    workspaces: frozenset[str] | None = None
    own_keys: tuple[OwnKey, ...] = ()    # beside the workspaces that are theirs as a whole
    since_ns: int | None = None          # when an exchange ended, in nanoseconds since 1970
    until_ns: int | None = None          # not itself
    workspace: Wanted = None
    key: Wanted = None
    model: Wanted = None                 # as callers name it
    upstream_model: Wanted = None
    provider: Wanted = None
    integration: Wanted = None
    operation: Wanted = None
    outcome: Wanted = None
    error: Wanted = None                 # code
    cache: Wanted = None
    status: int | frozenset[int] | None = None
    status_class: int | None = None      # 4 for 400 to 499
    user: str | None = None              # `_user` of the metadata
    metadata: tuple[tuple[str, str], ...] = ()
    trace: str | None = None             # W3C trace id, or x-portkey-trace-id
    is_streamed: bool | None = None
    text: str | None = None              # part of a name or an id, or words of what was recorded
    min_cost_nano_usd: int | None = None
    max_cost_nano_usd: int | None = None
    min_latency_ns: int | None = None
    max_latency_ns: int | None = None
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None
    min_tokens: int | None = None        # input and output
    max_tokens: int | None = None
    limit: int = 100
    after: int | None = None             # cursor: where the page before ended
    payloads: bool = False

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The metadata that is wanted, the user's name included."""
        return self.metadata if self.user is None else ((USER, self.user), *self.metadata)


NAMES = ("workspace", "key", "model", "upstream_model", "provider", "integration", "operation", "outcome", "error", "cache")
# From the ends of filters min_ and max_ to what is compared.
MEASURED = {
    "cost_nano_usd": "cost_nano_usd", "latency_ns": "finished_ns", "input_tokens": "input_tokens", "tokens": "input_tokens + output_tokens",
}
# What only the records themselves can answer.
UNSUMMED = (
    "upstream_model", "trace", "is_streamed", "text", *(f"{end}_{name}" for name in MEASURED for end in ("min", "max")),
)
OWN_KEY = (
    "EXISTS (SELECT 1 FROM json_each(?) AS own WHERE json_extract(own.value, '$[0]') = records.workspace"
    " AND json_extract(own.value, '$[1]') = records.key"
    " AND records.seq BETWEEN json_extract(own.value, '$[2]') AND json_extract(own.value, '$[3]'))"
)


def names_of(wanted: Wanted) -> frozenset[str] | None:
    return frozenset((wanted,)) if isinstance(wanted, str) else wanted


def statuses_of(filters: Filters) -> frozenset[int] | None:
    """The statuses that pass both filters; None for all."""
    statuses = frozenset((filters.status,)) if isinstance(filters.status, int) else filters.status
    if filters.status_class is None:
        return statuses
    first = 100 * filters.status_class
    of_class = frozenset(range(first, first + 100))
    return of_class if statuses is None else of_class & statuses


def wanted_names(filters: Filters) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each column of names that is restricted, with the names that pass."""
    for column in NAMES:
        wanted = names_of(getattr(filters, column))
        if column == "workspace" and filters.workspaces is not None:
            allowed = filters.workspaces.union(own.workspace for own in filters.own_keys)
            wanted = allowed if wanted is None else wanted & allowed
        if wanted is not None:
            yield column, wanted


# -- for SQLite

def conditions(filters: Filters, fields: dict[str, str]) -> tuple[list[str], list[object]]:
    """Return the conditions of a WHERE with their values, but for the stretch and the text; `fields` as fields_of gives them."""
    where: list[str] = []
    values: list[object] = []

    def one_of(column: str, wanted: Sequence[object]) -> None:
        where.append(f"{fields[column]} IN ({', '.join('?' * len(wanted))})")
        values.extend(wanted)

    for column, names in wanted_names(filters):
        one_of(column, sorted(names))
    if filters.workspaces is not None and filters.own_keys:
        one_of("workspace", sorted(filters.workspaces))
        whole = where.pop()
        one_of("key", sorted({own.key for own in filters.own_keys}))
        # the names come first, because they are cheap
        where.append(f"({whole} OR {where.pop()} AND {OWN_KEY})")
        values.append(msgspec.json.encode([structs.astuple(own) for own in filters.own_keys]).decode())
    if (statuses := statuses_of(filters)) is not None:
        one_of("status", sorted(statuses))
    for name, expression in MEASURED.items():
        for end, sign in (("min", ">="), ("max", "<=")):
            if (bound := getattr(filters, f"{end}_{name}")) is not None:
                where.append(f"{expression} {sign} ?")
                values.append(bound)
    if filters.max_cost_nano_usd is not None:
        where.append("cost_nano_usd >= 0")        # -1 is no cost, but none that is known
    if filters.is_streamed is not None:
        where.append(f"instr(flags, 'streamed') {'>' if filters.is_streamed else '='} 0")
    if filters.trace is not None:
        where.append("? IN (trace, trace_id)")
        values.append(filters.trace)
    for name, value in filters.pairs:
        # must come before the look into the JSON, because it is cheap: the member as the drain writes it
        detail = fields["detail"]
        where.append(
            f"instr({detail}, ?) AND EXISTS (SELECT 1 FROM json_each({detail}, '$.metadata') WHERE key = ? AND value = ?)")
        values += [msgspec.json.encode({name: value}).decode()[1:-1], name, value]
    return where, values


def fields_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what to select for each field: a file that the drain has not migrated yet lacks some, and may be migrated any time."""
    present = {row[1] for row in connection.execute("PRAGMA table_info(records)")}
    return {name: name if name in present else DEFAULTS[COLUMNS[name].sql_type] for name in FIELDS}


# -- for the blocks

def block_conditions(filters: Filters, worded_after: int) -> tuple[list[str], list[object]]:
    """Return the conditions on `blocks` and their values; blocks up to `worded_after` have the words of FIRST_COLUMNS only."""
    where: list[str] = []
    values: list[object] = []

    def any_of(words: Sequence[str], are_first: bool) -> None:
        if len(words) > MOST_WORDS:
            return
        said = " OR ".join(["instr(names, ?)"] * len(words)) or "0"
        where.append(f"({said})" if are_first else f"(last_seq <= ? OR {said})")
        values.extend(words if are_first else (worded_after, *words))

    for column, names in wanted_names(filters):
        if column in BLOCK_COLUMNS:
            any_of([word(column, name) for name in sorted(names)], column in FIRST_COLUMNS)
    if (statuses := statuses_of(filters)) is not None:
        if filters.status is None:
            any_of([f"\nstatus={filters.status_class}"], True)
        else:
            any_of([word("status", status) for status in sorted(statuses)], True)
    if filters.trace is not None:
        any_of([word("trace", filters.trace), word("trace_id", filters.trace)], False)
    for name, value in filters.pairs:
        any_of([metadata_word(name, value), ANY_METADATA], False)
    return where, values


# -- for the sums

def is_summed(filters: Filters) -> bool:
    """Whether the sums by sets of names can tell."""
    return not filters.pairs and not filters.own_keys and all(getattr(filters, name) is None for name in UNSUMMED)


def allowed_sets(filters: Filters) -> tuple[tuple[int, frozenset[str]], ...]:
    """The names that pass, by their place in the sets' dimensions."""
    places = {name: at for at, name in enumerate(DIMENSIONS["sets"])}
    allowed = [(places[column], names) for column, names in wanted_names(filters) if column in places]
    if (statuses := statuses_of(filters)) is not None:
        allowed.append((places["status"], frozenset(map(str, statuses))))
    return tuple(allowed)


def allowed_pairs(filters: Filters, name: str | None) -> tuple[tuple[int, frozenset[str]], ...] | None:
    """The same for the pairs, of metadata `name` or of the only pair that is wanted; None where pairs cannot tell."""
    plain = structs.replace(filters, user=None, metadata=())
    wanted = filters.pairs
    columns = dict(wanted_names(plain))
    if name is None and not wanted:
        return None
    if not is_summed(plain) or statuses_of(plain) is not None or columns.keys() - {"workspace"} or len(wanted) > 1:
        return None
    if wanted and name not in (None, wanted[0][0]):
        return None
    allowed = [(1, frozenset((name or wanted[0][0],)))]
    if wanted:
        allowed.append((2, frozenset((wanted[0][1],))))
    if "workspace" in columns:
        allowed.append((0, columns["workspace"]))
    return tuple(allowed)
