"""Listings of the log: filters, pages, one by its id, what came since, exports, and what happens when time is over."""
import json
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from fastgw.record import query
from fastgw.record.analytics import summary
from fastgw.record.exporters import Batch
from fastgw.record.exporters import sqlite as exporter
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.fields import Record
from fastgw.record.filters import Filters, OwnKey
from fastgw.record.query import QueryTooLong, export_records, find_record, list_page, list_since
from tests.unit.record.making import record_of

SECOND_NS = 10**9


def uuid7(at_ns: int, number: int) -> str:
    milliseconds = f"{at_ns // 10**6:012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7abc-8abc-{number:012x}"


def many(count: int) -> list[Record]:
    """Seeded records, a second apart, ending about now."""
    dice, first_ns = random.Random(4), time.time_ns() - count * SECOND_NS
    return [
        record_of(
            id=uuid7(first_ns + at * SECOND_NS, at), started_ns=first_ns + at * SECOND_NS, finished_ns=dice.randrange(2 * SECOND_NS),
            key=f"k{dice.randrange(4)}", workspace=f"w{dice.randrange(3)}", model=f"m{dice.randrange(3)}", provider=f"p{dice.randrange(2)}",
            integration=f"i{dice.randrange(2)}", status=dice.choice([200, 429, 503]), outcome=dice.choice(["served", "refused"]),
            error=dice.choice(["", "rate_limited"]), cache=dice.choice(["", "hit", "miss"]), cost_nano_usd=dice.choice([-1, 5, 500]),
            input_tokens=dice.randrange(50), flags=dice.choice(["", "streamed"]), trace_id=dice.choice(["", f"trace-{at}"]),
            trace=f"{at:032x}" if at % 5 == 0 else "",
            detail={"metadata": {"_user": f"u{dice.randrange(9)}", 'odd "name\n': f"\\{at % 7}ö"}} if at % 2 else None,
        )
        for at in range(count)
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """A log of many blocks and its records, the latest first."""
    path = tmp_path_factory.mktemp("log") / "logs.db"
    patch = pytest.MonkeyPatch()
    patch.setattr(exporter, "BLOCK_RECORDS", 40)
    write(path, many(1000))
    patch.undo()
    return path, [one.record for one in list_page(path, Filters(limit=10_000)).records]


def write(path: Path, records: list[Record], size: int = 17) -> None:
    log = SqliteLog(path)
    for start in range(0, len(records), size):
        log.export(Batch(records[start:start + size], {}, 0))
    log.close()


def metadata(record: Record) -> dict[str, str]:
    found = (record.detail or {}).get("metadata", {})
    assert isinstance(found, dict)
    return found


CASES: list[tuple[Filters, Callable[[Record], bool]]] = [
    (Filters(key=frozenset(("k1", "k3"))), lambda r: r.key in ("k1", "k3")),
    (Filters(workspaces=frozenset(("w0", "w1")), workspace=frozenset(("w1", "w2"))), lambda r: r.workspace == "w1"),
    (Filters(workspaces=frozenset()), lambda r: False),
    (Filters(workspaces=frozenset(map(str, range(100))) | {"w0"}), lambda r: r.workspace == "w0"),
    (Filters(provider="p1", integration="i0", cache="hit"), lambda r: (r.provider, r.integration, r.cache) == ("p1", "i0", "hit")),
    (Filters(error="rate_limited", status=frozenset((429, 503)), status_class=4), lambda r: r.error != "" and r.status == 429),
    (Filters(status_class=5), lambda r: r.status == 503),
    (Filters(status_class=3), lambda r: False),
    (Filters(user="u5"), lambda r: metadata(r).get("_user") == "u5"),
    (Filters(metadata=(('odd "name\n', "\\3ö"), ("_user", "u1"))), lambda r: metadata(r) == {"_user": "u1", 'odd "name\n': "\\3ö"}),
    (Filters(trace=f"{15:032x}"), lambda r: r.trace == f"{15:032x}"),
    (Filters(is_streamed=True, min_cost_nano_usd=5), lambda r: r.flags == "streamed" and r.cost_nano_usd >= 5),
    (Filters(is_streamed=False, max_cost_nano_usd=5), lambda r: r.flags == "" and r.cost_nano_usd == 5),
    (Filters(min_latency_ns=10**9, max_latency_ns=15 * 10**8), lambda r: 10**9 <= r.finished_ns <= 15 * 10**8),
    (Filters(min_input_tokens=10, max_tokens=30), lambda r: r.input_tokens >= 10 and r.input_tokens + r.output_tokens <= 30),
    (Filters(text="TRACE-77"), lambda r: "trace-77" in r.trace_id),
    (Filters(text="rate_lim", key="k0"), lambda r: r.error != "" and r.key == "k0"),
    (Filters(text="\\4ö"), lambda r: metadata(r).get('odd "name\n') == "\\4ö"),
    (Filters(text="100%_nothing"), lambda r: False),
]


@pytest.mark.parametrize(("filters", "passes"), CASES, ids=[str(at) for at in range(len(CASES))])
def test_pages_put_together_are_what_a_loop_finds(
    written: tuple[Path, list[Record]], filters: Filters, passes: Callable[[Record], bool],
) -> None:
    """Whatever the filters, page after page gives each record that passes once, the latest first, and the last page says so."""
    path, records = written
    expected = [record.id for record in records if passes(record)]
    for limit in (7, 10_000):
        found: list[str] = []
        after: int | None = None
        while True:
            page = list_page(path, replaced(filters, after=after, limit=limit))
            assert len(page.records) <= limit and not page.is_cut
            found += [one.record.id for one in page.records]
            if page.after is None:
                break
            after = page.after
        assert found == expected
    lines = list(export_records(path, replaced(filters, limit=50), most=120))
    assert [json.loads(line)["id"] for line in lines] == expected[:120] and all(line.endswith(b"}\n") for line in lines)


def replaced(filters: Filters, **changed: object) -> Filters:
    values: dict[str, object] = {name: getattr(filters, name) for name in filters.__struct_fields__}
    return Filters(**(values | changed))  # type: ignore[arg-type]  # fields by their names


def test_one_is_found_by_its_id(written: tuple[Path, list[Record]]) -> None:
    """An id finds its record, with payloads, unless its workspace is none of those allowed; another id finds nothing."""
    path, records = written
    record = records[300]
    for found in (find_record(path, record.id), find_record(path, record.id, frozenset((record.workspace, "x")))):
        assert found is not None and found.record == record
    assert find_record(path, record.id, frozenset(("x",))) is None and find_record(path, record.id, frozenset()) is None
    assert find_record(path, uuid7(time.time_ns(), 1)) is None and find_record(path, "x' OR 1 --") is None
    assert [one.record.id for one in list_page(path, Filters(text=record.id)).records] == [record.id]


def test_what_came_since_is_told(tmp_path: Path) -> None:
    """The cursor moves on past what the filters leave out, nothing comes twice, and the oldest come first."""
    records = many(60)
    write(tmp_path / "logs.db", records[:20])
    start = list_since(tmp_path / "logs.db", Filters(key="k1"))
    assert start.records == [] and start.after == list_page(tmp_path / "logs.db", Filters()).records[0].seq
    assert list_since(tmp_path / "logs.db", Filters(after=start.after)) == start
    write(tmp_path / "logs.db", records[20:])
    found: list[str] = []
    cursor: int | None = start.after
    for _ in range(30):
        page = list_since(tmp_path / "logs.db", Filters(key="k1", after=cursor, limit=3, workspaces=frozenset(("w0", "w1"))))
        found += [one.record.id for one in page.records]
        cursor = page.after
    expected = [one.record for one in list_page(tmp_path / "logs.db", Filters(after=None)).records][::-1]
    assert found == [r.id for r in expected if r in records[20:] and r.key == "k1" and r.workspace != "w2"]
    assert cursor == list_page(tmp_path / "logs.db", Filters()).records[0].seq


def test_page_that_takes_too_long_goes_on_where_it_was_cut(written: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch) -> None:
    """When time is over a page has what was found, and its cursor leads on; without any progress the question is refused."""
    path, records = written
    clock = iter(range(10**9))
    monkeypatch.setattr(query, "STEPS_BETWEEN_LOOKS", 1000)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    expected = [record.id for record in records if record.finished_ns >= 19 * 10**8]
    found: list[str] = []
    filters, cuts = Filters(min_latency_ns=19 * 10**8), 0
    while True:
        page = list_page(path, filters, seconds=12)
        found += [one.record.id for one in page.records]
        cuts += page.is_cut
        if page.after is None:
            break
        filters = replaced(filters, after=page.after)
    assert found == expected and cuts > 1
    assert [json.loads(line)["id"] for line in export_records(path, Filters(min_latency_ns=19 * 10**8), seconds=12)] == expected
    with pytest.raises(QueryTooLong, match="before the time is over|within"):
        list_page(path, Filters(min_latency_ns=19 * 10**8, after=records[500].recorded_ns), seconds=-1)


def test_readers_cannot_write(written: tuple[Path, list[Record]]) -> None:
    """The connection of a question is for reading only."""
    with pytest.raises(query.RecordsUnavailable, match="readonly"), query.reading(written[0], 1.0) as (connection, _):
        connection.execute("DELETE FROM records")
    connection = sqlite3.connect(written[0])
    assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 1000
    connection.close()


def test_own_keys_are_seen_beside_whole_workspaces(written: tuple[Path, list[Record]]) -> None:
    """Each in its workspace and its time only, whatever else is asked for; and one by its id likewise."""
    path, records = written
    middle = records[500].recorded_ns
    own = (OwnKey("w1", "k1", middle), OwnKey("w1", "k2", 0, middle), OwnKey("w2", "nobody", 0))
    seen = [
        record for record in records
        if record.workspace == "w0" or record.workspace == "w1" and (
            record.key == "k1" and record.recorded_ns >= middle or record.key == "k2" and record.recorded_ns <= middle)
    ]
    for filters, holds in (
        (Filters(), lambda record: True),
        (Filters(workspace="w1", status=429), lambda record: record.workspace == "w1" and record.status == 429),
        (Filters(workspace=frozenset(("w1", "w2")), key="k1"), lambda record: record.workspace == "w1" and record.key == "k1"),
    ):
        bounded = structs.replace(filters, workspaces=frozenset(("w0",)), own_keys=own, limit=10_000)
        wanted = [record.id for record in seen if holds(record)]
        assert [one.record.id for one in list_page(path, bounded).records] == wanted
        assert summary(path, bounded).requests == len(wanted)
    ids = {record.id for record in seen}
    for record in records[:60]:
        assert (find_record(path, record.id, frozenset(("w0",)), own) is not None) == (record.id in ids)
