"""Find records by words of their payloads and of what is told about their attempts.

Only what has such text is indexed, in shards: a full-text table without content cannot forget single rows in all versions of SQLite that
are in use, but a shard whose records are all gone is dropped whole. The tokens are words (unicode61): trigrams take seven times the time
and six times the room. Names, ids and metadata need no index; blocks have them.
"""
import sqlite3

from fastgw.record.fields import Record
from fastgw.record.schema import keep_progress, progress_of

MOST_DOCUMENTS = 10_000        # of a shard
MOST_CHARACTERS = 32 << 20
INDEXED_CHARACTERS = 8192      # of a payload, at its start and at its end
NEVER = 2**63 - 1
TOLD = ("attempts", "passed_over", "dropped")


class Shard:
    """The one that is written to."""

    def __init__(self, number: int, documents: int, characters: int) -> None:
        self.number = number
        self.documents = documents
        self.characters = characters

    @property
    def is_full(self) -> bool:
        return self.documents >= MOST_DOCUMENTS or self.characters >= MOST_CHARACTERS


class Index:
    """The writer's side; without FTS5 in SQLite it does nothing, and readers look through the payloads themselves."""

    def __init__(self) -> None:
        self.is_able = False
        self.shard = Shard(0, MOST_DOCUMENTS, 0)

    def __repr__(self) -> str:
        return f"Index(shard {self.shard.number}, {self.shard.documents} documents)" if self.is_able else "Index(no FTS5)"

    def open(self, connection: sqlite3.Connection, last_seq: int) -> None:
        self.is_able = has_fts5(connection)
        searched = progress_of(connection, "searched")
        if not self.is_able:
            keep_progress(connection, "searched", NEVER)
        elif searched == NEVER:
            keep_progress(connection, "searched", last_seq)
        row = connection.execute("SELECT number, documents, characters FROM shards ORDER BY number DESC LIMIT 1").fetchone()
        self.shard = Shard(*row) if row else Shard(0, MOST_DOCUMENTS, 0)

    def add(self, connection: sqlite3.Connection, documents: list[tuple[int, str]]) -> None:
        """Index texts by their seq, ascending."""
        if not self.is_able or not documents:
            return
        if self.shard.is_full:
            self.shard = Shard(self.shard.number + 1, 0, 0)
            connection.execute(
                f"CREATE VIRTUAL TABLE words_{self.shard.number} USING fts5(words, content='', tokenize='unicode61', columnsize=0)")
            connection.execute("INSERT INTO shards VALUES (?, ?, 0, 0, 0)", (self.shard.number, documents[0][0]))
        connection.executemany(f"INSERT INTO words_{self.shard.number} (rowid, words) VALUES (?, ?)", documents)
        self.shard.documents += len(documents)
        self.shard.characters += sum(len(text) for _, text in documents)
        connection.execute(
            "UPDATE shards SET last_seq = ?, documents = ?, characters = ? WHERE number = ?",
            (documents[-1][0], self.shard.documents, self.shard.characters, self.shard.number))

    def tidy(self, connection: sqlite3.Connection, first_seq: int) -> None:
        """Drop shards that are full and whose records are gone."""
        if not self.is_able:
            return
        for (number,) in connection.execute(
                "SELECT number FROM shards WHERE last_seq < ? AND number < ?", (first_seq, self.shard.number)).fetchall():
            connection.execute(f"DROP TABLE words_{number}")
            connection.execute("DELETE FROM shards WHERE number = ?", (number,))


def has_fts5(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone() is not None


def text_of(record: Record) -> str:
    """What of a record is indexed; empty for most."""
    texts = [str(record.detail[name]) for name in TOLD if name in record.detail] if record.detail else []
    for payload in (record.request, record.reply):
        if payload is not None:
            is_long = len(payload) > 2 * INDEXED_CHARACTERS
            texts.append(f"{payload[:INDEXED_CHARACTERS]} {payload[-INDEXED_CHARACTERS:]}" if is_long else payload)
    return "\n".join(texts)


# -- the reader's side

def phrases(text: str) -> str:
    """Return what FTS5 is asked: every word must occur, as a word or as the beginning of one."""
    words = [word for word in text.split() if any(character.isalnum() for character in word)]
    return " ".join('"{}"*'.format(word.replace('"', '""')) for word in words)


def matching(connection: sqlite3.Connection, text: str, first: int, last: int, most: int) -> list[int]:
    """The seqs of indexed records with the words of a text, the latest first."""
    asked = phrases(text)
    found: list[int] = []
    shards = connection.execute(
        "SELECT number FROM shards WHERE first_seq <= ? AND last_seq >= ? ORDER BY number DESC", (last, first)).fetchall()
    for (number,) in shards if asked else ():
        rows = connection.execute(
            f"SELECT rowid FROM words_{number} WHERE words_{number} MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?",
            (asked, first, last, most - len(found)))
        found += [row[0] for row in rows]
        if len(found) >= most:
            break
    return found
