"""The index of texts: what is found, what it costs where there is no text, and how it is forgotten."""
import sqlite3
import time
from pathlib import Path

import pytest

from fastgw.record import query, search
from fastgw.record.exporters import Batch
from fastgw.record.exporters import sqlite as exporter
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.fields import Record
from fastgw.record.filters import Filters
from fastgw.record.query import list_page
from fastgw.record.search import INDEXED_CHARACTERS
from tests.unit.record.making import record_of

DAY_NS = 86_400 * 10**9


def write(path: Path, records: list[Record], size: int = 3) -> None:
    log = SqliteLog(path)
    for start in range(0, len(records), size):
        log.export(Batch(records[start:start + size], {}, 0))
    log.close()


def asked(path: Path, text: str, limit: int = 100) -> list[str]:
    return [one.record.id for one in list_page(path, Filters(text=text, limit=limit)).records]


def recorded(number: int) -> Record:
    return record_of(
        id=f"r{number}", started_ns=time.time_ns() + number, request=f'{{"messages": "Grüße an Nummer{number}, it\'s \\"fine\\""}}',
        reply="x" if number % 2 else None, detail={"attempts": f'"main/a";trouble="overloaded";ms={number}', "metadata": {"team": "blue"}},
    )


@pytest.mark.parametrize("is_able", [True, False], ids=["fts5", "without"])
def test_words_of_payloads_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_able: bool) -> None:
    """Words and their beginnings are found in payloads; where SQLite has no FTS5 the payloads are looked through."""
    path = tmp_path / "logs.db"
    if not is_able:
        monkeypatch.setattr(search, "has_fts5", lambda _: False)
        monkeypatch.setattr(query, "has_fts5", lambda _: False)
    monkeypatch.setattr(exporter, "BLOCK_RECORDS", 4)
    monkeypatch.setattr(search, "MOST_DOCUMENTS", 5)
    write(path, [recorded(number) for number in range(20)])
    assert asked(path, "nummer7") == ["r7"] and asked(path, "Nummer1", limit=3) == ["r19", "r18", "r17"]
    assert asked(path, 'it\'s \\"fine') == [f"r{number}" for number in range(19, -1, -1)]
    assert asked(path, "overloaded") == asked(path, "blue") == asked(path, "gpt-4") and len(asked(path, "blue")) == 20
    assert asked(path, "nothing") == asked(path, '" OR "') == asked(path, "zz\0z") == []
    if is_able:
        assert asked(path, "fine nummer12 messages") == ["r12"]      # every word, in any order


def test_records_without_text_are_not_indexed(tmp_path: Path) -> None:
    """No payload and nothing told of attempts: no row in any index, and no table for one."""
    write(tmp_path / "logs.db", [record_of(started_ns=time.time_ns(), detail={"metadata": {"a": "b"}}), record_of()])
    connection = sqlite3.connect(tmp_path / "logs.db")
    assert connection.execute("SELECT count(*) FROM shards").fetchone()[0] == 0
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'words%'").fetchone()[0] == 0
    connection.close()


def test_long_payloads_are_indexed_at_both_ends(tmp_path: Path) -> None:
    """Of a payload that is very long the first and the last part can be found."""
    middle = "filler " * INDEXED_CHARACTERS
    write(tmp_path / "logs.db", [record_of(id="long", started_ns=time.time_ns(), request=f"first {middle} between {middle} last")])
    assert asked(tmp_path / "logs.db", "first") == asked(tmp_path / "logs.db", "last") == ["long"]
    assert asked(tmp_path / "logs.db", "between") == []


def test_shards_go_with_their_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard is dropped once its records are too old, and its room is free again; the others are found as before."""
    monkeypatch.setattr(search, "MOST_DOCUMENTS", 10)
    monkeypatch.setattr(exporter, "TIDY_SECONDS", 0.0)
    path = tmp_path / "logs.db"
    old = [record_of(id=f"old{at}", started_ns=time.time_ns() - 3 * DAY_NS, request="ancient word") for at in range(25)]
    log = SqliteLog(path, retention_days=2)
    log.export(Batch(old[:10], {}, 0))
    log.export(Batch(old[10:20], {}, 0))
    log.export(Batch([*old[20:], recorded(1)], {}, 0))
    log.export(Batch([recorded(2)], {}, 0))
    log.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT number FROM shards").fetchall() == [(3,)]
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'words_1%'").fetchone()[0] == 0
    connection.close()
    assert asked(path, "ancient") == [] and asked(path, "nummer2") == ["r2"]


def test_more_hits_than_one_page_looks_at_lead_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hits that the other filters leave out do not hide older ones: the page says where to go on."""
    monkeypatch.setattr(query, "MOST_HITS", 4)
    records = [recorded(number) for number in range(12)]
    records[2].key = "rare"
    write(tmp_path / "logs.db", records)
    filters, turns = Filters(text="fine", key="rare"), 0
    found: list[str] = []
    while True:
        page = list_page(tmp_path / "logs.db", filters)
        found += [one.record.id for one in page.records]
        turns += 1
        if page.after is None:
            break
        filters = Filters(text="fine", key="rare", after=page.after)
    assert found == ["r2"] and turns > 2
