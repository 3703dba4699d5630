"""Keep records in a SQLite file, bounded by age and by size; listings and analytics read it.

`seq` is when an exchange ended, in nanoseconds, moved on where two would be the same: one number is primary key,
order of time, cursor of listings and bound of retention, and needs no index of its own. What takes the place of indexes (`blocks`), the
sums (`rollups`) and the index of texts (`search`) are written in the transaction of the records they are about.
"""
import logging
import sqlite3
import time
from pathlib import Path

import msgspec
from msgspec.structs import astuple

from fastgw.record.blocks import BLOCK_RECORDS, Tagged, insert_block, unblocked_after
from fastgw.record.exporters import Batch, ExportFailed, Mark
from fastgw.record.fields import Record
from fastgw.record.rollups import Rollups, tagged_rows
from fastgw.record.schema import ROW, UnusableFile, prepare
from fastgw.record.search import Index, text_of

ROWS_A_STATEMENT = 16          # one statement for several rows: each costs a turn of the interpreter lock
DAY_NS = 86_400_000_000_000
TIDY_SECONDS = 1.0
LEAST_DELETED = 500
DELETED_AT_ONCE = 50
ROLLUPS_SHARE = 4             # of the bytes, how much the sums may take: a quarter

VALUES = "(" + ", ".join("?" * len(ROW)) + ")"
INSERT_ONE = f"INSERT INTO records ({', '.join(ROW)}) VALUES {VALUES}"
INSERT_MANY = f"{INSERT_ONE}, {', '.join([VALUES] * (ROWS_A_STATEMENT - 1))}"
INSERT_PAYLOAD = "INSERT INTO payloads VALUES (?, ?, ?)"
KEEP_MARK = "INSERT OR REPLACE INTO rings VALUES (?, ?, ?)"

log = logging.getLogger("fastgw.record")


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
        self.block: list[tuple[object, ...]] = []     # the records that no row of `blocks` covers yet
        self.block_tagged: list[Tagged] = []          # those of them that have metadata
        self.rollups = Rollups()
        self.index = Index()
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
            self.open_block(self.connection)
            self.index.open(self.connection, self.last_seq)
            self.rollups.open(self.connection, self.retention_days, self.retention_bytes // ROLLUPS_SHARE)
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

    def open_block(self, connection: sqlite3.Connection) -> None:
        """Take up the records after the last block."""
        self.block = connection.execute(
            f"SELECT {', '.join(ROW)} FROM records WHERE seq > ? ORDER BY seq", (unblocked_after(connection),)).fetchall()
        self.block_tagged = tagged_rows(self.block)

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
        tagged: list[Tagged] = []
        documents: list[tuple[int, str]] = []
        seq = self.last_seq
        for record in records:
            recorded_ns = record.recorded_ns
            seq = recorded_ns if recorded_ns > seq else seq + 1
            *values, detail, request, reply = astuple(record)
            if detail is None:
                rows.append((seq, *values, ""))
            else:
                rows.append((seq, *values, msgspec.json.encode(detail).decode()))
                metadata = detail.get("metadata")
                if isinstance(metadata, dict):
                    tagged.append((rows[-1], metadata))
            if request is not None or reply is not None:
                payloads.append((seq, request, reply))
            if (detail is not None or request is not None or reply is not None) and (text := text_of(record)):
                documents.append((seq, text))
        insert_rows(connection, rows)
        if payloads:
            connection.executemany(INSERT_PAYLOAD, payloads)
        self.index.add(connection, documents)
        self.rollups.add(connection, rows, tagged, self.last_seq)
        self.last_seq = seq
        self.block += rows
        self.block_tagged += tagged
        if len(self.block) >= BLOCK_RECORDS:
            insert_block(connection, self.block, self.block_tagged)
            self.block, self.block_tagged = [], []

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
        first_seq = connection.execute("SELECT coalesce(min(seq), 0) FROM records").fetchone()[0]
        connection.execute("DELETE FROM blocks WHERE last_seq < ?", (first_seq,))
        self.index.tidy(connection, first_seq)

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


def insert_rows(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    whole = len(rows) - len(rows) % ROWS_A_STATEMENT
    for start in range(0, whole, ROWS_A_STATEMENT):
        flat: list[object] = []
        for row in rows[start:start + ROWS_A_STATEMENT]:
            flat += row
        connection.execute(INSERT_MANY, flat)
    connection.executemany(INSERT_ONE, rows[whole:])


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
