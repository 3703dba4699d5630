"""Keep records in a SQLite file, bounded by age and by size; the listing reads it.

`seq` is when an exchange ended, in nanoseconds, moved on where two would be the same: one number is primary key,
order of time, cursor of listings and bound of retention, and needs no index of its own. An index by key, workspace or
model would cost more than the rest of the insert, for it dirties a page for nearly every row. Instead each run of
BLOCK_RECORDS records gets one row in `blocks` with the names that occur in it, and a listing reads only the blocks that
name what it looks for.
"""
import logging
import sqlite3
import time
from pathlib import Path

import msgspec
from msgspec.structs import astuple

from fastgw.record.exporters import Batch, ExportFailed, Mark
from fastgw.record.fields import COLUMNS, FIELDS, Record

APPLICATION_ID = 0x66677763
SCHEMA_VERSION = 2
BLOCK_RECORDS = 2000
BLOCK_COLUMNS = ("key", "workspace", "model", "status", "outcome")
ROWS_A_STATEMENT = 16          # one statement for several rows: each costs a turn of the interpreter lock
DAY_NS = 86_400_000_000_000
TIDY_SECONDS = 1.0
LEAST_DELETED = 500
DELETED_AT_ONCE = 50

FIELD_COLUMNS = ", ".join(f"{name} {COLUMNS[name].sql_type} NOT NULL" for name in FIELDS)
TABLES = f"""
CREATE TABLE records (seq INTEGER PRIMARY KEY, {FIELD_COLUMNS});
CREATE TABLE blocks (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, names TEXT NOT NULL);
CREATE TABLE payloads (seq INTEGER PRIMARY KEY, request TEXT, reply TEXT);
CREATE TABLE rings (path TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, position INTEGER NOT NULL);
"""

# From each version to the next; TABLES is always the newest. A column that is added stands last in the file, and rows of before have its
# default.
MIGRATIONS = {
    1: """
ALTER TABLE records ADD COLUMN saved_nano_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN cache TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN detail TEXT NOT NULL DEFAULT '';
""",
}

ROW = "(" + ", ".join("?" * (len(FIELDS) + 1)) + ")"
INSERT_ONE = f"INSERT INTO records (seq, {', '.join(FIELDS)}) VALUES {ROW}"
INSERT_MANY = f"{INSERT_ONE}, {', '.join([ROW] * (ROWS_A_STATEMENT - 1))}"
INSERT_PAYLOAD = "INSERT INTO payloads VALUES (?, ?, ?)"
KEEP_MARK = "INSERT OR REPLACE INTO rings VALUES (?, ?, ?)"

log = logging.getLogger("fastgw.record")


Names = tuple[str, str, str, int, str]     # by BLOCK_COLUMNS


class UnusableFile(Exception):
    """The file is not a log of this program, or of a later version, or damaged."""


class SqliteLog:
    """The file `logs.db`. An unusable file is moved aside, never deleted, and a fresh one is made."""

    name = "sqlite"
    durable = True
    linger_seconds = 0.5
    most_records = 5000

    def __init__(self, path: Path, retention_days: int = 30, retention_bytes: int = 1 << 30) -> None:
        self.path = path
        self.retention_days = retention_days
        self.retention_bytes = retention_bytes
        self.connection: sqlite3.Connection | None = None
        self.last_seq = 0
        self.block: list[Names] = []              # of the records that no row of `blocks` covers yet
        self.tidied_at = 0.0
        self.untidied = 0
        self.moved_aside: list[Path] = []

    def __repr__(self) -> str:
        return f"SqliteLog({str(self.path)!r})"

    # -- opening

    def open(self) -> None:
        try:
            try:
                self.connection = self.connect()
            except UnusableFile as why:
                self.move_aside(str(why))
                self.connection = self.connect()
            self.last_seq = self.connection.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[0]
            self.block = open_block(self.connection)
        except (sqlite3.Error, UnusableFile) as error:
            self.give_up(error)
            raise ExportFailed(f"cannot open {self.path}: {error}") from error

    def connect(self) -> sqlite3.Connection:
        """Open the file and bring it to this version's schema; raise UnusableFile where that cannot be."""
        connection = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            self.path.chmod(0o600)
            prepare(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
                raise UnusableFile(f"expected a SQLite file, found a damaged one or another: {error}") from error
            raise
        return connection

    def move_aside(self, why: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.aside-{time.time_ns()}")
        log.error("%s cannot be used (%s); it is kept as %s and a fresh one is made", self.path, why, aside.name)
        for suffix in ("-wal", "-shm", ""):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self.moved_aside.append(aside)

    # -- writing

    def export(self, batch: Batch) -> None:
        """Insert a batch in one transaction, with how far it takes each ring."""
        if self.connection is None:
            self.open()
        assert self.connection is not None
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            self.insert(self.connection, batch.records)
            if batch.marks:
                self.connection.executemany(KEEP_MARK, [(path, *mark) for path, mark in batch.marks.items()])
            self.tidy(self.connection, len(batch.records))
            self.connection.execute("COMMIT")
            self.vacuum(self.connection)
        except sqlite3.Error as error:
            self.give_up(error)
            raise ExportFailed(f"cannot write {self.path}: {error}") from error

    def insert(self, connection: sqlite3.Connection, records: list[Record]) -> None:
        rows: list[tuple[object, ...]] = []
        payloads: list[tuple[int, str | None, str | None]] = []
        seq, block = self.last_seq, self.block
        for record in records:
            recorded_ns = record.recorded_ns
            seq = recorded_ns if recorded_ns > seq else seq + 1
            *values, detail, request, reply = astuple(record)
            rows.append((seq, *values, "" if detail is None else msgspec.json.encode(detail).decode()))
            block.append((record.key, record.workspace, record.model, record.status, record.outcome))
            if request is not None or reply is not None:
                payloads.append((seq, request, reply))
        whole = len(rows) - len(rows) % ROWS_A_STATEMENT
        for start in range(0, whole, ROWS_A_STATEMENT):
            flat: list[object] = []
            for row in rows[start:start + ROWS_A_STATEMENT]:
                flat += row
            connection.execute(INSERT_MANY, flat)
        connection.executemany(INSERT_ONE, rows[whole:])
        if payloads:
            connection.executemany(INSERT_PAYLOAD, payloads)
        self.last_seq = seq
        if len(self.block) >= BLOCK_RECORDS:
            connection.execute(
                "INSERT INTO blocks SELECT coalesce(max(last_seq), 0) + 1, ?, ? FROM blocks",
                (seq, block_text(self.block)),
            )
            self.block = []

    def give_up(self, error: Exception) -> None:
        """Undo the transaction by closing: the next export opens again and sees what is really there."""
        self.close()
        if is_damage(error):
            self.move_aside(str(error))

    # -- retention

    def tidy(self, connection: sqlite3.Connection, inserted: int) -> None:
        """Delete what is too old or too much, at most about twice as many rows as came in since the last time."""
        self.untidied += inserted
        at = time.monotonic()
        if at - self.tidied_at < TIDY_SECONDS:
            return
        most = max(LEAST_DELETED, 2 * self.untidied)
        self.tidied_at, self.untidied = at, 0
        deleted = delete_before(connection, time.time_ns() - self.retention_days * DAY_NS, most)
        while deleted < most and used_bytes(connection) > self.retention_bytes:
            row = connection.execute(
                "SELECT seq FROM records ORDER BY seq LIMIT 1 OFFSET ?", (DELETED_AT_ONCE,)).fetchone()
            if row is None:
                break
            deleted += delete_before(connection, row[0], DELETED_AT_ONCE)
        connection.execute("DELETE FROM blocks WHERE last_seq < (SELECT min(seq) FROM records)")

    def vacuum(self, connection: sqlite3.Connection) -> None:
        """Give free pages back to the disk, some at a time, once they are a sixteenth of the file."""
        if self.untidied == 0:
            free, pages = (
                connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("freelist_count", "page_count"))
            if free * 16 > pages:
                connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def kept_marks(self) -> dict[str, Mark]:
        """How far each ring's records are in the file."""
        if self.connection is None:
            return {}
        rows = self.connection.execute("SELECT path, created_ns, position FROM rings")
        return {path: Mark(created_ns, position) for path, created_ns, position in rows}


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty file, migrate those of an older one, refuse a later or a foreign one."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_empty and owner != APPLICATION_ID:
        raise UnusableFile("expected a log of this program, found another program's tables")
    if version > SCHEMA_VERSION:
        raise UnusableFile(f"expected a schema up to version {SCHEMA_VERSION}, found {version} of a later release")
    if is_empty:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")   # must come before the first table
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 33554432")
    steps = [TABLES] if is_empty else [MIGRATIONS[number] for number in range(version, SCHEMA_VERSION)]
    if steps:
        title = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        connection.executescript(f"BEGIN IMMEDIATE; {' '.join(steps)} {title} COMMIT;")


def open_block(connection: sqlite3.Connection) -> list[Names]:
    """Read the names of the records after the last block."""
    return connection.execute(
        f"SELECT {', '.join(BLOCK_COLUMNS)} FROM records WHERE seq > (SELECT coalesce(max(last_seq), 0) FROM blocks)"
    ).fetchall()


def block_text(block: list[Names]) -> str:
    """Return every `column=value` that occurs, each between line ends; block_word makes what to look for."""
    words = {
        block_word(column, value) for column, values in zip(BLOCK_COLUMNS, zip(*block, strict=True), strict=True)
        for value in set(values)
    }
    return "".join(sorted(words))


def block_word(column: str, value: str | int) -> str:
    return f"\n{column}={value}\n"


def is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def delete_before(connection: sqlite3.Connection, seq: int, most: int) -> int:
    """Delete up to `most` of the oldest records before `seq`, with their payloads; return how many records."""
    delete = "DELETE FROM {0} WHERE seq IN (SELECT seq FROM {0} WHERE seq < ? ORDER BY seq LIMIT ?)"
    connection.execute(delete.format("payloads"), (seq, most))
    return connection.execute(delete.format("records"), (seq, most)).rowcount


def used_bytes(connection: sqlite3.Connection) -> int:
    """The file's size without its free pages."""
    pages, free, page_bytes = (
        connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_bytes)
