"""Read records back from logs.db: filtered, page by page, or as they come in."""
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from fastgw.record.exporters.sqlite import BLOCK_COLUMNS, block_word
from fastgw.record.fields import COLUMNS, FIELDS, PAYLOADS, Record

MOST_RECORDS = 10_000
LAST_SEQ = 2**63 - 1
DEFAULTS = {"INTEGER": "0", "TEXT": "''"}


class RecordsUnavailable(Exception):
    """There is no log at the path, or it cannot be read; the message says which."""


class Filters(Struct, frozen=True, kw_only=True):
    """What to list. Times are when an exchange ended, in nanoseconds since 1970; None filters nothing."""

    since_ns: int | None = None
    until_ns: int | None = None
    key: str | None = None
    workspace: str | None = None
    model: str | None = None
    status: int | None = None
    status_class: int | None = None      # 4 for 400 to 499
    outcome: str | None = None
    limit: int = 100
    after: int | None = None             # cursor: `seq` of the last one of the page before
    payloads: bool = False


class Listed(Struct, frozen=True):
    """A record and its place in the log, which is the cursor."""

    seq: int
    record: Record


def list_records(path: Path, filters: Filters) -> list[Listed]:
    """Return up to `limit` records, the latest first; the next page follows the last one's seq."""
    connection = open_log(path)
    try:
        found: list[Listed] = []
        for first, last in ranges(connection, filters):
            found += select(connection, filters, "DESC", first, last, filters.limit - len(found))
            if len(found) >= filters.limit:
                break
        return found
    except sqlite3.Error as error:
        raise RecordsUnavailable(f"cannot read {path}: {error}") from error
    finally:
        connection.close()


def follow_records(
    path: Path, filters: Filters, poll_seconds: float = 0.5, is_over: Callable[[], bool] = lambda: False,
) -> Iterator[Listed]:
    """Yield records as they come in, oldest first, from `after` (by default from now on) until `is_over`."""
    connection = open_log(path)
    try:
        seq = filters.after
        if seq is None:
            seq = connection.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[0]
        while not is_over():
            page = select(connection, filters, "ASC", seq + 1, LAST_SEQ, filters.limit)
            for listed in page:
                seq = listed.seq
                yield listed
            if len(page) < filters.limit:
                time.sleep(poll_seconds)
    except sqlite3.Error as error:
        raise RecordsUnavailable(f"cannot read {path}: {error}") from error
    finally:
        connection.close()


def open_log(path: Path) -> sqlite3.Connection:
    """Open the log for reading only."""
    if not path.exists():
        raise RecordsUnavailable(f"expected a log at {path}, found nothing: has the gateway run with this state?")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
    try:
        connection.execute("SELECT seq FROM records LIMIT 1").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise RecordsUnavailable(f"cannot read {path}: {error}") from error
    return connection


def ranges(connection: sqlite3.Connection, filters: Filters) -> Iterator[tuple[int, int]]:
    """Yield (first seq, last seq), the latest first, of the stretches that may hold what the filters want."""
    first = filters.since_ns or 0
    last = min(LAST_SEQ if bound is None else bound - 1 for bound in (filters.until_ns, filters.after))
    words = [
        block_word(column, value) for column in BLOCK_COLUMNS if (value := getattr(filters, column)) is not None
    ]
    if not words:
        yield first, last
        return
    covered = connection.execute("SELECT coalesce(max(last_seq), 0) FROM blocks").fetchone()[0]
    yield max(first, covered + 1), last           # the youngest records are in no block yet
    found = connection.execute(
        f"SELECT first_seq, last_seq FROM blocks WHERE first_seq <= ? AND last_seq >= ? "
        f"{'AND instr(names, ?) ' * len(words)}ORDER BY first_seq DESC", (last, first, *words))
    for block_first, block_last in found:
        yield max(first, block_first), min(last, block_last)


def select(
    connection: sqlite3.Connection, filters: Filters, order: str, first: int, last: int, limit: int,
) -> list[Listed]:
    """Return the matching records of one stretch."""
    where, values = conditions(filters)
    columns = ", ".join(["seq", *fields_of(connection), *(PAYLOADS if filters.payloads else ("NULL", "NULL"))])
    source = "records LEFT JOIN payloads USING (seq)" if filters.payloads else "records"
    text = f"SELECT {columns} FROM {source} WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"
    rows = connection.execute(text, (first, last, *values, min(max(1, limit), MOST_RECORDS)))
    return [Listed(seq, Record(*(*values, parse_detail(detail), request, reply))) for seq, *values, detail, request, reply in rows]


def parse_detail(text: str) -> dict[str, object] | None:
    return msgspec.json.decode(text, type=dict[str, object]) if text else None


def fields_of(connection: sqlite3.Connection) -> list[str]:
    """Return what to select for each field: a file that the drain has not migrated yet lacks some, and may be migrated any time."""
    present = {row[1] for row in connection.execute("PRAGMA table_info(records)")}
    return [name if name in present else DEFAULTS[COLUMNS[name].sql_type] for name in FIELDS]


def conditions(filters: Filters) -> tuple[list[str], list[int | str]]:
    """Return the conditions of a WHERE, the first two for the stretch, and the values of the others."""
    where = ["seq >= ?", "seq <= ?"]
    values: list[int | str] = []
    for column in BLOCK_COLUMNS:
        value: int | str | None = getattr(filters, column)
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    if filters.status_class is not None:
        where.append("status BETWEEN ? AND ?")
        values += [100 * filters.status_class, 100 * filters.status_class + 99]
    return where, values
