"""Read records back from logs.db: filtered and page by page, one by its id, as they come in, or all of them."""
import re
import sqlite3
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from fastgw.record.blocks import unblocked_after, worded_after
from fastgw.record.fields import PAYLOADS, Record
from fastgw.record.filters import LAST_SEQ, NAME_COLUMNS, Filters, OwnKey, block_conditions, conditions, fields_of
from fastgw.record.schema import is_current, progress_of
from fastgw.record.search import NEVER, has_fts5, matching

MOST_RECORDS = 10_000
MOST_HITS = 10_000             # of the index of texts, for one page
STEPS_BETWEEN_LOOKS = 5000     # of SQLite's machine, in one statement: how often it is asked whether the time is over
SECONDS = 5.0
LONGEST_EXCHANGE_NS = 3_600_000_000_000        # how long after its start a search for an id goes on
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class RecordsUnavailable(Exception):
    """There is no log at the path, or it cannot be read; the message says which."""


class QueryTooLong(Exception):
    """The time for an answer is over; a shorter range or fewer filters help."""


class Listed(Struct, frozen=True):
    """A record and its place in the log, which is the cursor."""

    seq: int
    record: Record


class Page(Struct, frozen=True):
    """Records in order, and the cursor from which the next page goes on; None at the end."""

    records: list[Listed]
    after: int | None
    is_cut: bool = False       # the time was over before the page was full: the next one goes on from there


def list_page(path: Path, filters: Filters, seconds: float = SECONDS) -> Page:
    """Return up to `limit` records, the latest first, as far as the time allows."""
    with reading(path, seconds) as (connection, deadline):
        listing = Listing(connection, filters, deadline)
        found: list[Listed] = []
        reached: int | None = None
        try:
            for first, last in listing.stretches():
                found += listing.select("DESC", first, last, listing.limit - len(found))
                if len(found) >= listing.limit:
                    return Page(found, found[-1].seq)
                reached = first
        except (QueryTooLong, sqlite3.OperationalError) as error:
            if reached is None or not (isinstance(error, QueryTooLong) or is_interrupted(error)):
                raise
            return Page(found, reached, is_cut=True)
        return Page(found, listing.first, is_cut=True) if listing.has_more_hits else Page(found, None)


def list_records(path: Path, filters: Filters, seconds: float = SECONDS) -> list[Listed]:
    """Return up to `limit` records, the latest first; the next page follows the last one's seq. Raises QueryTooLong."""
    return list(all_records(path, filters, filters.limit, seconds))


def all_records(path: Path, filters: Filters, most: int | None = None, seconds: float = SECONDS) -> Iterator[Listed]:
    """Yield records, the latest first, up to `most`; `limit` is how many are read at a time.

    No transaction lasts longer than one reading. Raises QueryTooLong where nothing comes of one within `seconds`.
    """
    left = most
    while left is None or left > 0:
        page = list_page(path, filters if left is None else structs.replace(filters, limit=min(filters.limit, left)), seconds)
        yield from page.records
        if page.after is None:
            return
        left = None if left is None else left - len(page.records)
        filters = structs.replace(filters, after=page.after)


def export_records(path: Path, filters: Filters, most: int | None = None, seconds: float = SECONDS) -> Iterator[bytes]:
    """Yield a line of JSON for each of `all_records`."""
    for listed in all_records(path, filters, most, seconds):
        yield json_line(listed) + b"\n"


def find_record(
    path: Path, record_id: str, workspaces: frozenset[str] | None = None, own_keys: tuple[OwnKey, ...] = (), seconds: float = SECONDS,
) -> Listed | None:
    """Return the record with this id, with its payloads."""
    with reading(path, seconds) as (connection, deadline):
        listing = Listing(connection, Filters(workspaces=workspaces, own_keys=own_keys, payloads=True, limit=1), deadline)
        listing.where.append("id = ?")
        listing.values.append(record_id)
        found = listing.select("ASC", started_ns(record_id), LAST_SEQ, 1)
        return found[0] if found else None


def started_ns(record_id: str) -> int:
    """No record with this id has a lesser seq: a UUIDv7 begins with the milliseconds of the request's start."""
    return int(record_id[:8] + record_id[9:13], 16) * 1_000_000 if UUID7.fullmatch(record_id) else 0


def list_since(path: Path, filters: Filters, seconds: float = SECONDS) -> Page:
    """Return up to `limit` records after the cursor `after`, the oldest first; without one, only the cursor of now.

    The page's cursor is never None, and goes on past records that the filters leave out.
    """
    with reading(path, seconds) as (connection, deadline):
        last = last_seq(connection)
        if filters.after is None:
            return Page([], last)
        first = max(filters.after + 1, filters.since_ns or 0)
        listing = Listing(connection, structs.replace(filters, since_ns=first, after=None), deadline)
        found = listing.select("ASC", first, min(last, listing.last), listing.limit)
        return Page(found, found[-1].seq if len(found) >= listing.limit else max(last, filters.after))


def follow_records(
    path: Path, filters: Filters, poll_seconds: float = 0.5, is_over: Callable[[], bool] = lambda: False,
) -> Iterator[Listed]:
    """Yield records as they come in, oldest first, from `after` (by default from now on) until `is_over`."""
    page = Page([], filters.after) if filters.after is not None else list_since(path, filters)
    while not is_over():
        page = list_since(path, structs.replace(filters, after=page.after))
        yield from page.records
        if len(page.records) < filters.limit:
            time.sleep(poll_seconds)


def json_line(listed: Listed) -> bytes:
    """Return a record as one JSON object, with its seq."""
    return msgspec.json.encode({"seq": listed.seq, **structs.asdict(listed.record)})


# -- the file

@contextmanager
def reading(path: Path, seconds: float) -> Iterator[tuple[sqlite3.Connection, float]]:
    """Open the log for reading only, at one moment of it, until a deadline on the monotonic clock.

    Raises RecordsUnavailable, and QueryTooLong when the time is over.
    """
    if not path.exists():
        raise RecordsUnavailable(f"expected a log at {path}, found nothing: has the gateway run with this state?")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0, isolation_level=None)
    deadline = time.monotonic() + seconds
    try:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
        connection.execute("BEGIN")
        connection.execute("SELECT seq FROM records LIMIT 1").fetchone()
        yield connection, deadline
    except sqlite3.Error as error:
        if is_interrupted(error):
            raise QueryTooLong(f"expected an answer within {seconds:g} s") from error
        raise RecordsUnavailable(f"cannot read {path}: {error}") from error
    finally:
        connection.close()


def is_interrupted(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def last_seq(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[0])


class Listing:
    """One search: which stretches may hold what is wanted, and what of them is."""

    def __init__(self, connection: sqlite3.Connection, filters: Filters, deadline: float) -> None:
        self.connection = connection
        self.deadline = deadline
        self.filters = filters
        self.first = filters.since_ns or 0
        self.last = min(LAST_SEQ if bound is None else bound - 1 for bound in (filters.until_ns, filters.after))
        self.limit = min(max(1, filters.limit), MOST_RECORDS)
        self.fields = fields_of(connection)
        self.is_current = is_current(connection)
        self.where, self.values = conditions(filters, self.fields)
        self.hits: list[int] = []                 # of the index of texts, ascending
        self.has_more_hits = False                # older ones, than `first` then
        self.unindexed = NEVER                    # up to here payloads are looked through themselves
        self.text = filters.text.replace("\0", " ") if filters.text else None     # where SQLite's LIKE would end
        if self.text:
            self.search(self.text)

    def __repr__(self) -> str:
        return f"Listing({self.filters})"

    def search(self, text: str) -> None:
        if self.is_current and has_fts5(self.connection):
            self.unindexed = progress_of(self.connection, "searched")
            self.hits = matching(self.connection, text, self.first, self.last, MOST_HITS)[::-1]
            if len(self.hits) == MOST_HITS:
                self.has_more_hits, self.first = True, self.hits[0]
        if started := started_ns(text):
            named = self.connection.execute(
                "SELECT seq FROM records WHERE seq BETWEEN ? AND ? AND id = ? LIMIT 1", (started, started + LONGEST_EXCHANGE_NS, text))
            self.hits = sorted({*self.hits, *(seq for (seq,) in named if self.first <= seq <= self.last)})

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Yield (first seq, last seq), the latest first, of what may hold something."""
        where, values = block_conditions(self.filters, worded_after(self.connection, self.is_current))
        text = self.text
        if not where and not text and not self.where:
            yield self.first, self.last
            return
        covered = unblocked_after(self.connection)
        if covered < self.last:
            yield max(self.first, covered + 1), self.last       # the youngest records are in no block yet
        said = " AND ".join(["first_seq <= ?", "last_seq >= ?", *where])
        blocks = self.connection.execute(
            f"SELECT first_seq, last_seq, {'names' if text else 'NULL'} FROM blocks WHERE {said} ORDER BY first_seq DESC",
            (self.last, self.first, *values))
        for block_first, block_last, names in blocks:
            if time.monotonic() > self.deadline:
                raise QueryTooLong("expected to be through before the time is over")
            if text is None or self.may_hold(text, block_first, block_last, names):
                yield max(self.first, block_first), min(self.last, block_last)

    def may_hold(self, text: str, first: int, last: int, names: str) -> bool:
        """Whether a block may have a record with the text: by its names, by the index, or because it is older than both."""
        return (first <= max(self.unindexed, worded_after(self.connection, self.is_current))
                or bool(self.hits_in(first, last)) or text.lower() in names.lower())

    def hits_in(self, first: int, last: int) -> list[int]:
        return self.hits[bisect_left(self.hits, first):bisect_right(self.hits, last)]

    def select(self, order: str, first: int, last: int, limit: int) -> list[Listed]:
        """Return the matching records of one stretch."""
        payloads = self.filters.payloads
        columns = ["seq", *self.fields.values(), *(PAYLOADS if payloads else ("NULL", "NULL"))]
        rows = self.rows(columns, order, first, last, limit, "LEFT JOIN payloads USING (seq)" if payloads else "")
        return [Listed(seq, Record(*(*values, parse_detail(detail), request, reply))) for seq, *values, detail, request, reply in rows]

    def rows(self, columns: list[str], order: str, first: int, last: int, limit: int = -1, join: str = "") -> sqlite3.Cursor:
        where, values = ["seq BETWEEN ? AND ?", *self.where], [first, last, *self.values]
        if self.text:
            said, more = self.text_condition(self.text, first, last)
            where.append(said)
            values += more
        return self.connection.execute(
            f"SELECT {', '.join(columns)} FROM records {join} WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?",
            (*values, limit))

    def text_condition(self, text: str, first: int, last: int) -> tuple[str, list[object]]:
        """A name has the text in it, or the index has its words; where there is no index, a payload has it in it."""
        like = "%{}%".format(re.sub(r"([\\%_])", r"\\\1", text))
        hits = self.hits_in(first, last)
        said = [f"{self.fields[column]} LIKE ? ESCAPE '\\'" for column in (*NAME_COLUMNS, "detail")]
        values: list[object] = [like] * len(said)
        if hits:
            said.append(f"seq IN ({', '.join(map(str, hits))})")
        if first <= self.unindexed:
            said.append("EXISTS (SELECT 1 FROM payloads WHERE payloads.seq = records.seq AND seq <= ?"
                        " AND (request LIKE ? ESCAPE '\\' OR reply LIKE ? ESCAPE '\\'))")
            values += [self.unindexed, like, like]
        return f"({' OR '.join(said)})", values


def parse_detail(text: str) -> dict[str, object] | None:
    return msgspec.json.decode(text, type=dict[str, object]) if text else None

