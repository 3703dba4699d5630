"""The SQLite log: what goes in comes out, bounded, and no file is ever thrown away."""
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from fastgw.record.exporters import Batch, ExportFailed, Mark
from fastgw.record.exporters import sqlite as module
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.fields import FIELDS, PAYLOADS, Record
from fastgw.record.filters import Filters
from fastgw.record.query import Listed, RecordsUnavailable, follow_records, list_records
from fastgw.record.schema import APPLICATION_ID
from tests.unit.record.making import record_of

DAY_NS = 86_400_000_000_000


def filled(path: Path, records: list[Record], size: int = 1000, **options: int) -> SqliteLog:
    log = SqliteLog(path, **({"retention_days": 36_500} | options))
    log.open()
    for start in range(0, len(records), size):
        log.export(Batch(records[start:start + size], {}, 0))
    return log


def many(count: int, started_ns: int | None = None) -> list[Record]:
    """Records one second apart, ending now, with 5 keys, 3 models and some refusals."""
    first_ns = started_ns or time.time_ns() - count * 1_000_000_000
    return [
        record_of(
            id=str(number), started_ns=first_ns + number * 1_000_000_000, finished_ns=5, key=f"k{number % 5}",
            workspace=f"w{number % 2}", model=f"m{number // 50 % 3}", status=429 if number % 7 == 0 else 200,
            outcome="refused" if number % 7 == 0 else "served",
        )
        for number in range(count)
    ]


def ids(listed: list[Listed]) -> list[str]:
    return [one.record.id for one in listed]


def test_record_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every field, the detail and both payloads survive the file."""
    detail: dict[str, object] = {"attempts": '"a/ö";ms=1', "metadata": {"n": "1"}}
    record = record_of(saved_nano_usd=5, retries=2, cache="hit", detail=detail, request="in\0side", reply="öut")
    filled(tmp_path / "logs.db", [record, record_of()]).close()
    with_payload, without = list_records(tmp_path / "logs.db", Filters(payloads=True))[::-1]
    assert with_payload.record == record and without.record == record_of()
    assert list_records(tmp_path / "logs.db", Filters())[1].record.request is None
    assert (tmp_path / "logs.db").stat().st_mode & 0o777 == 0o600


FILTERS = st.builds(
    Filters, key=st.sampled_from([None, "k1", "k4", "no"]), workspace=st.sampled_from([None, "w0"]),
    model=st.sampled_from([None, "m0", "m2"]), status=st.sampled_from([None, 200, 429]),
    status_class=st.sampled_from([None, 2, 4]), outcome=st.sampled_from([None, "served", "refused"]),
    since_ns=st.sampled_from([None, 100_000_000_000]), until_ns=st.sampled_from([None, 250_000_000_000]),
    limit=st.sampled_from([1, 7, 1000]),
)


def matches(record: Record, filters: Filters) -> bool:
    return all(
        getattr(filters, name) in (None, getattr(record, name))
        for name in ("key", "workspace", "model", "status", "outcome")
    ) and (filters.status_class in (None, record.status // 100)
           and (filters.since_ns or 0) <= record.recorded_ns < (filters.until_ns or 2**62))


def test_listing_agrees_with_filtering_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the filters, pages put together are what a plain loop over all records finds, latest first."""
    monkeypatch.setattr(module, "BLOCK_RECORDS", 40)
    records = many(330, started_ns=1)
    log = filled(tmp_path / "logs.db", records, 17, retention_days=100_000)
    connection = sqlite3.connect(tmp_path / "logs.db")
    assert connection.execute("SELECT count(*) > 4 FROM blocks").fetchone()[0]
    connection.close()

    @given(FILTERS)
    @settings(deadline=None, max_examples=60)
    def check(filters: Filters) -> None:
        expected = [record.id for record in reversed(records) if matches(record, filters)]
        found: list[str] = []
        after: int | None = None
        while page := list_records(log.path, Filters(**{
            name: getattr(filters, name) for name in filters.__struct_fields__} | {"after": after})):
            assert len(page) <= filters.limit
            found += ids(page)
            after = page[-1].seq
            if len(found) > 60:
                expected, found = expected[:60], found[:60]
                break
        assert found == expected

    check()
    log.close()


def test_seq_is_when_the_exchange_ended_and_never_twice(tmp_path: Path) -> None:
    """Equal or earlier times are moved on by a nanosecond, so that a cursor never skips a record."""
    now = time.time_ns()
    records = [record_of(id=str(at), started_ns=now + step, finished_ns=7) for at, step in enumerate([0, 0, -50, 100])]
    filled(tmp_path / "logs.db", records).close()
    assert [one.seq - now for one in list_records(tmp_path / "logs.db", Filters())] == [107, 9, 8, 7]


def test_names_with_line_ends_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a caller puts into a model's name cannot hide its records."""
    monkeypatch.setattr(module, "BLOCK_RECORDS", 2)
    filled(tmp_path / "logs.db", [record_of(model="a\nkey=b\n"), record_of(model="c")]).close()
    assert len(list_records(tmp_path / "logs.db", Filters(model="a\nkey=b\n"))) == 1
    assert list_records(tmp_path / "logs.db", Filters(key="b")) == []


def test_following_yields_what_comes_in(tmp_path: Path) -> None:
    """Follow begins with what comes after its start, in order, and ends when told."""
    path = tmp_path / "logs.db"
    log = filled(path, many(3))
    rest = [many(10)[at] for at in range(3, 10)]
    turns: list[int] = []

    def is_over() -> bool:
        turns.append(1)
        if len(turns) == 2:
            log.export(Batch(rest, {}, 0))
        return len(turns) > 6

    followed = list(follow_records(path, Filters(limit=4, key="k4"), 0.0, is_over))
    assert ids(followed) == [record.id for record in rest if record.key == "k4"]
    log.close()


def test_records_too_old_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention by days takes records, their payloads and their blocks, some at a time."""
    monkeypatch.setattr(module, "TIDY_SECONDS", 0.0)
    monkeypatch.setattr(module, "BLOCK_RECORDS", 10)
    old = [record_of(id=f"old{at}", started_ns=time.time_ns() - 3 * DAY_NS, request="x") for at in range(30)]
    log = filled(tmp_path / "logs.db", old, 10, retention_days=2)
    log.export(Batch([record_of(id="young", started_ns=time.time_ns())], {}, 0))
    assert ids(list_records(log.path, Filters())) == ["young"]
    connection = sqlite3.connect(log.path)
    left = connection.execute("SELECT (SELECT count(*) FROM payloads), (SELECT count(*) FROM blocks)").fetchone()
    assert left == (0, 0)
    connection.close()
    log.close()


def test_log_stays_within_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention by bytes keeps the youngest and gives the room back to the disk."""
    monkeypatch.setattr(module, "TIDY_SECONDS", 0.0)
    records = [record_of(id=str(at), started_ns=time.time_ns(), request="x" * 3000) for at in range(4000)]
    log = filled(tmp_path / "logs.db", records, 200, retention_bytes=2_000_000)
    for _ in range(5):
        log.export(Batch([record_of(id="last", started_ns=time.time_ns())], {}, 0))
    kept = ids(list_records(log.path, Filters(limit=10_000)))
    log.close()
    assert log.path.stat().st_size < 4_000_000
    assert kept[0] == "last" and 100 < len(kept) < 1200


VERSION_1 = """
CREATE TABLE records (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, trace TEXT NOT NULL, started_ns INTEGER NOT NULL,
 read_ns INTEGER NOT NULL, admitted_ns INTEGER NOT NULL, sent_ns INTEGER NOT NULL, first_byte_ns INTEGER NOT NULL,
 replied_ns INTEGER NOT NULL, finished_ns INTEGER NOT NULL, gateway_ns INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
 output_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,
 reasoning_tokens INTEGER NOT NULL, audio_tokens INTEGER NOT NULL, cost_nano_usd INTEGER NOT NULL,
 request_bytes INTEGER NOT NULL, reply_bytes INTEGER NOT NULL, status INTEGER NOT NULL, upstream_status INTEGER NOT NULL,
 outcome TEXT NOT NULL, error TEXT NOT NULL, flags TEXT NOT NULL, attempts INTEGER NOT NULL, operation TEXT NOT NULL,
 worker INTEGER NOT NULL, key TEXT NOT NULL, workspace TEXT NOT NULL, integration TEXT NOT NULL, provider TEXT NOT NULL,
 model TEXT NOT NULL, upstream_model TEXT NOT NULL, trace_id TEXT NOT NULL, dialect TEXT NOT NULL);
CREATE TABLE blocks (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, names TEXT NOT NULL);
CREATE TABLE payloads (seq INTEGER PRIMARY KEY, request TEXT, reply TEXT);
CREATE TABLE rings (path TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, position INTEGER NOT NULL);
PRAGMA application_id = 0x66677763; PRAGMA user_version = 1;
"""
LATER_FIELDS = ("saved_nano_usd", "retries", "cache", "detail")


def make_version_1(path: Path, records: list[Record]) -> None:
    """What the first release's code leaves behind: its tables, rows by place, the second record with a payload."""
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    for record in records:
        values = [value for name, value in asdict(record).items() if name not in (*LATER_FIELDS, *PAYLOADS)]
        connection.execute(f"INSERT INTO records VALUES ({', '.join('?' * 36)})", (record.recorded_ns, *values))
    connection.execute("INSERT INTO payloads VALUES (?, 'in', NULL)", (records[1].recorded_ns,))
    connection.execute("INSERT INTO rings VALUES ('ring-0', 3, 8)")
    connection.commit()
    connection.close()


def test_log_of_the_first_release_is_migrated(tmp_path: Path) -> None:
    """A file of schema version 1 keeps its rows, payloads and marks, gets the later columns with their defaults, and goes on."""
    path = tmp_path / "logs.db"
    before = many(5)
    before[1].request = "in"
    make_version_1(path, before)
    later = record_of(started_ns=time.time_ns(), retries=1, cache="hit", saved_nano_usd=7, detail={"attempts": "a"})
    log = filled(path, [later])
    assert log.moved_aside == [] and log.kept_marks() == {"ring-0": Mark(3, 8)}
    log.close()
    found = [one.record for one in list_records(path, Filters(payloads=True))]
    assert found == [later, *reversed(before)]
    filled(tmp_path / "fresh.db", []).close()
    assert columns_of(path) == columns_of(tmp_path / "fresh.db")
    reopened = filled(path, [record_of(id="again", started_ns=time.time_ns())])
    assert len(list_records(path, Filters(key="k1"))) == 1 and len(list_records(path, Filters())) == 7
    reopened.close()


def test_log_that_is_not_migrated_yet_can_be_listed(tmp_path: Path) -> None:
    """Listing changes no file, so one of an earlier release shows its rows with the defaults of what it lacks."""
    path = tmp_path / "logs.db"
    records = many(5)
    make_version_1(path, records)
    assert [one.record for one in list_records(path, Filters())] == records[::-1]
    assert columns_of(path)["cache"] is None


def columns_of(path: Path) -> dict[str, tuple[str, int] | None]:
    """The type of each field's column and whether it may be NULL; None for one that is missing."""
    connection = sqlite3.connect(path)
    found = {row[1]: (row[2], row[3]) for row in connection.execute("PRAGMA table_info(records)")}
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return {"version": ("INTEGER", version), **{name: found.get(name) for name in ("seq", *FIELDS)}}


@pytest.mark.parametrize("made", ["garbage", "later", "foreign"])
def test_unusable_file_is_moved_aside(tmp_path: Path, made: str, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged, later or foreign file keeps its content under another name, is logged, and records go on."""
    path = tmp_path / "logs.db"
    if made == "garbage":
        path.write_bytes(b"not a database, but long enough to look at" * 100)
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE records (seq)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID if made == 'later' else 5}")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
    before = path.read_bytes()
    log = filled(path, [record_of(id="a", started_ns=time.time_ns())])
    assert [aside.read_bytes() for aside in log.moved_aside] == [before]
    assert "cannot be used" in caplog.text and ids(list_records(path, Filters())) == ["a"]
    log.close()


def test_damage_while_running_is_survived(tmp_path: Path) -> None:
    """A file damaged under the drain fails one export; the next goes to a fresh file, and the old one is kept."""
    path = tmp_path / "logs.db"
    log = filled(path, many(2000))
    log.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    for _ in range(3):
        try:
            log.export(Batch([record_of(id="a", started_ns=time.time_ns())], {}, 0))
            break
        except ExportFailed:
            continue
    assert len(log.moved_aside) == 1 and log.moved_aside[0].exists()
    assert ids(list_records(path, Filters())) == ["a"]
    log.close()


def test_locked_file_fails_and_can_be_tried_again(tmp_path: Path) -> None:
    """While another process holds the lock an export fails whole; afterwards the same batch goes in once."""
    log = filled(tmp_path / "logs.db", [record_of(id="a", started_ns=time.time_ns())])
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    batch = Batch([record_of(id="b", started_ns=time.time_ns())], {"ring": Mark(1, 8)}, 0)
    with pytest.raises(ExportFailed, match="locked"):
        log.export(batch)
    other.execute("ROLLBACK")
    other.close()
    log.export(batch)
    assert ids(list_records(log.path, Filters())) == ["b", "a"] and log.kept_marks() == {"ring": Mark(1, 8)}
    log.close()


def test_reopened_log_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks cover records of before a restart too: none is hidden from a filtered listing."""
    monkeypatch.setattr(module, "BLOCK_RECORDS", 100)
    records = many(250)
    for start in range(0, 250, 50):
        filled(tmp_path / "logs.db", records[start:start + 50]).close()
    found = ids(list_records(tmp_path / "logs.db", Filters(key="k3", limit=1000)))
    assert found == [record.id for record in reversed(records) if record.key == "k3"]


def test_missing_log_is_said_plainly(tmp_path: Path) -> None:
    """No file is made by asking for records, and a file that is none is named."""
    with pytest.raises(RecordsUnavailable, match="found nothing"):
        list_records(tmp_path / "logs.db", Filters())
    assert not (tmp_path / "logs.db").exists()
    (tmp_path / "logs.db").write_text("x" * 1000)
    with pytest.raises(RecordsUnavailable, match="cannot read"):
        list_records(tmp_path / "logs.db", Filters())
