"""Say which names occur in a stretch of records, in place of indexes.

An index by key, workspace or model would cost more than the rest of an insert, for it dirties a page for nearly every row. Instead each
run of BLOCK_RECORDS records gets one row in `blocks` with the names that occur in it, and a listing reads only the blocks that name what
it looks for.
"""
import sqlite3
from collections.abc import Iterable, Sequence

from fastgw.record.schema import ROW, progress_of

BLOCK_RECORDS = 2000
FIRST_COLUMNS = ("key", "workspace", "model", "status", "outcome")            # the only ones in blocks of schema version 2 and before
BLOCK_COLUMNS = (*FIRST_COLUMNS, "provider", "integration", "operation", "error", "cache", "trace", "trace_id")
PLACES = tuple((column, ROW.index(column)) for column in BLOCK_COLUMNS)
MOST_METADATA_CHARACTERS = 200_000    # of a block; one with more is read whatever the metadata

Tagged = tuple[tuple[object, ...], dict[str, object]]     # a row and the metadata of its detail


def word(column: str, value: object) -> str:
    """What stands in a block's names for a value that occurs."""
    return f"\n{column}={value}\n"


ANY_METADATA = word("metadata", "*")


def metadata_word(name: str, value: object) -> str:
    return word(f"metadata.{name}", value)


def block_text(rows: Sequence[tuple[object, ...]], tagged: Iterable[Tagged]) -> str:
    """Return every word of a block, once."""
    words = {word(column, value) for column, place in PLACES for value in {row[place] for row in rows}}
    pairs = {metadata_word(name, value) for _, metadata in tagged for name, value in metadata.items()}
    if sum(map(len, pairs)) > MOST_METADATA_CHARACTERS:
        pairs = {ANY_METADATA}
    return "".join(sorted(words | pairs))


def insert_block(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]], tagged: Iterable[Tagged]) -> None:
    """Write the block of all records since the one before."""
    connection.execute(
        "INSERT INTO blocks SELECT coalesce(max(last_seq), 0) + 1, ?, ? FROM blocks", (rows[-1][0], block_text(rows, tagged)))


def unblocked_after(connection: sqlite3.Connection) -> int:
    """The last seq that a block covers."""
    return int(connection.execute("SELECT coalesce(max(last_seq), 0) FROM blocks").fetchone()[0])


def worded_after(connection: sqlite3.Connection, is_current: bool) -> int:
    """From which seq on blocks have the words of all BLOCK_COLUMNS and of metadata."""
    return progress_of(connection, "worded") if is_current else 2**63 - 1
