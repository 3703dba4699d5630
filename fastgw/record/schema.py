"""The tables of logs.db: made in an empty file, migrated in one of an earlier release, refused in any other."""
import sqlite3

from fastgw.record.fields import COLUMNS, FIELDS

APPLICATION_ID = 0x66677763
SCHEMA_VERSION = 3
ROW = ("seq", *FIELDS)                    # a record as a row

LATER_TABLES = """
CREATE TABLE progress (name TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE rollups (cube TEXT NOT NULL, step_s INTEGER NOT NULL, start_s INTEGER NOT NULL, body BLOB NOT NULL,
                      PRIMARY KEY (cube, step_s, start_s));
CREATE TABLE shards (number INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, documents INTEGER NOT NULL,
                     characters INTEGER NOT NULL);
"""
FIELD_COLUMNS = ", ".join(f"{name} {COLUMNS[name].sql_type} NOT NULL" for name in FIELDS)
TABLES = f"""
CREATE TABLE records (seq INTEGER PRIMARY KEY, {FIELD_COLUMNS});
CREATE TABLE blocks (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, names TEXT NOT NULL);
CREATE TABLE payloads (seq INTEGER PRIMARY KEY, request TEXT, reply TEXT);
CREATE TABLE rings (path TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, position INTEGER NOT NULL);
{LATER_TABLES}
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
    2: f"""
{LATER_TABLES}
INSERT INTO progress SELECT 'worded', coalesce(max(last_seq), 0) FROM blocks;
INSERT INTO progress SELECT 'searched', coalesce(max(seq), 0) FROM records;
""",
}


class UnusableFile(Exception):
    """The file is not a log of this program, or of a later version, or damaged."""


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


def progress_of(connection: sqlite3.Connection, name: str) -> int:
    """How far something has come: `rolled` up, with all `worded` blocks from then on, `searched` from then on; 0 at first."""
    row = connection.execute("SELECT seq FROM progress WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def keep_progress(connection: sqlite3.Connection, name: str, seq: int) -> None:
    connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (name, seq))


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the tables are this release's; a reader may come before the drain has migrated them."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION)
