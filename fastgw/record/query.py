"""Read records back from logs.db: filtered, page by page, or as they come in."""
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from fastgw.record.fields import COLUMNS, FIELDS, PAYLOADS, Record

MOST_RECORDS = 10_000


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
        return select(connection, filters, "DESC")
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
            page = select(connection, filters, "ASC", seq)
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
        raise RecordsUnavailable(f"expected a log at {path}, found nothing; has the gateway run with this state directory?")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
    try:
        connection.execute("SELECT seq FROM records LIMIT 1").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise RecordsUnavailable(f"cannot read {path}: {error}") from error
    return connection


def select(connection: sqlite3.Connection, filters: Filters, order: str, above: int | None = None) -> list[Listed]:
    where, values = conditions(filters)
    if above is not None:
        where.append("seq > ?")
        values.append(above)
    elif filters.after is not None:
        where.append("seq < ?")
        values.append(filters.after)
    columns = ", ".join(["seq", *FIELDS, *(PAYLOADS if filters.payloads else ("NULL", "NULL"))])
    source = "records LEFT JOIN payloads USING (seq)" if filters.payloads else "records"
    text = f"SELECT {columns} FROM {source} WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"
    try:
        rows = connection.execute(text, (*values, max(1, min(filters.limit, MOST_RECORDS)))).fetchall()
    except sqlite3.Error as error:
        raise RecordsUnavailable(f"cannot list records: {error}") from error
    return [Listed(row[0], Record(*row[1:])) for row in rows]


def conditions(filters: Filters) -> tuple[list[str], list[int | str]]:
    """Return the conditions of a WHERE and their values."""
    where: list[str] = ["1"]
    values: list[int | str] = []
    for text, value in (
        ("seq >= ?", filters.since_ns), ("seq < ?", filters.until_ns), ("key = ?", filters.key),
        ("workspace = ?", filters.workspace), ("model = ?", filters.model), ("status = ?", filters.status),
        ("outcome = ?", filters.outcome),
    ):
        if value is not None:
            assert text.partition(" ")[0] in COLUMNS or text.startswith("seq")
            where.append(text)
            values.append(value)
    if filters.status_class is not None:
        where.append("status BETWEEN ? AND ?")
        values += [100 * filters.status_class, 100 * filters.status_class + 99]
    if filters.outcome not in (None, "served"):
        where.append("outcome <> 'served'")       # says the same again, so that the partial index may be used
    return where, values
