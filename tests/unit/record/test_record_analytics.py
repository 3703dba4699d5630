"""Sums of the log: exact whatever is asked, through restarts, crashes and migrations, and bounded."""
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastgw.record import analytics, rollups
from fastgw.record.analytics import GROUPS, Measures, WrongQuery, active, groups, series, summary
from fastgw.record.exporters import Batch, ExportFailed
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.fields import Record
from fastgw.record.filters import Filters
from fastgw.record.query import QueryTooLong, list_page
from fastgw.record.rollups import DAY_S, Rollups
from tests.oracles.cube import Cell, summed
from tests.unit.record.making import record_of

DAY_NS = DAY_S * 10**9
FIRST_NS = (time.time_ns() // DAY_NS - 2) * DAY_NS      # midnight; young enough that no minute is deleted
SINCE, UNTIL = FIRST_NS, FIRST_NS + 3 * DAY_NS


def many(count: int, first_ns: int = FIRST_NS, span_ns: int = 2 * DAY_NS + 5 * 10**12) -> list[Record]:
    """Records over some two days, seeded, of several names and ends; each third has metadata."""
    dice = random.Random(7)
    return [
        record_of(
            id=str(at), started_ns=first_ns + span_ns // count * at, finished_ns=dice.randrange(10**6, 10**9),
            first_byte_ns=dice.choice([-1, 5000]), gateway_ns=dice.randrange(10**5), key=f"k{dice.randrange(5)}",
            workspace=f"w{dice.randrange(3)}", model=f"m{dice.randrange(4)}",
            status=dice.choice([200, 200, 429, 503]), outcome=dice.choice(["served", "failed", "refused", "cancelled"]),
            error=dice.choice(["", "rate_limited"]), cache=dice.choice(["", "hit"]), cost_nano_usd=dice.choice([-1, 5, 10**6]),
            input_tokens=dice.randrange(100), attempts=dice.randrange(4), retries=dice.randrange(2),
            flags=dice.choice(["", "streamed,tls"]), trace_id=f"t{at % 50}",
            detail={"metadata": {"_user": f"u{dice.randrange(6)}", "team": dice.choice(["a", "ö"])}} if at % 3 == 0 else None,
        )
        for at in range(count)
    ]


def write(path: Path, records: list[Record], reopen_every: int = 700) -> None:
    """Export in batches of odd sizes, and open the file anew now and then."""
    log = SqliteLog(path, retention_days=3660)
    start, dice = 0, random.Random(5)
    while start < len(records):
        end = start + dice.randrange(1, 130)
        log.export(Batch(records[start:end], {}, 0))
        if end // reopen_every != start // reopen_every:
            log.close()
        start = end
    log.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, Record]]]:
    """A log and its records with their seq."""
    path = tmp_path_factory.mktemp("log") / "logs.db"
    patch = pytest.MonkeyPatch()
    patch.setattr(rollups, "FLUSH_RECORDS", 90)
    write(path, many(3000))
    patch.undo()
    return path, placed(path)


def placed(path: Path) -> list[tuple[int, Record]]:
    return [(one.seq, one.record) for one in list_page(path, Filters(limit=10_000)).records]


def same(measures: Measures, cell: Cell) -> bool:
    """Hold sums and quantiles to the twin."""
    for name in Measures.__struct_fields__:
        if name in cell.sums:
            assert getattr(measures, name) == cell.sums[name], name
    for name in ("latency", "first_byte", "gateway"):
        times, values = getattr(measures, name), cell.values[name]
        assert times.count == len(values)
        if values:
            assert (times.mean_ns, times.p50_ns) == (sum(values) // len(values), cell.quantile(name, 0.5))
            assert (times.p90_ns, times.p99_ns) == (cell.quantile(name, 0.9), cell.quantile(name, 0.99))
    assert sum(measures.retried.values()) == cell.sums["rescued_by_retry"]
    return True


def metadata(record: Record, name: str) -> str | None:
    pairs = (record.detail or {}).get("metadata", {})
    assert isinstance(pairs, dict)
    return pairs.get(name)


HOUR_NS = 3600 * 10**9
CASES: list[tuple[Filters, Callable[[Record], bool]]] = [
    (Filters(), lambda r: True),
    (Filters(key="k1", model=frozenset(("m1", "m2"))), lambda r: r.key == "k1" and r.model in ("m1", "m2")),
    (Filters(workspaces=frozenset(("w0", "w1")), workspace=frozenset(("w1", "w2"))), lambda r: r.workspace == "w1"),
    (Filters(workspaces=frozenset()), lambda r: False),
    (Filters(status=429), lambda r: r.status == 429),
    (Filters(status_class=5, outcome="served"), lambda r: r.status == 503 and r.outcome == "served"),
    (Filters(cache="hit", error=""), lambda r: r.cache == "hit" and r.error == ""),
    (Filters(user="u3"), lambda r: metadata(r, "_user") == "u3"),
    (Filters(metadata=(("team", "ö"),), workspace="w2"), lambda r: metadata(r, "team") == "ö" and r.workspace == "w2"),
    # from here on only the records can tell
    (Filters(user="u3", metadata=(("team", "a"),)), lambda r: metadata(r, "_user") == "u3" and metadata(r, "team") == "a"),
    (Filters(user="u1", model="m1"), lambda r: metadata(r, "_user") == "u1" and r.model == "m1"),
    (Filters(min_latency_ns=5 * 10**8, max_cost_nano_usd=100), lambda r: r.finished_ns >= 5 * 10**8 and 0 <= r.cost_nano_usd <= 100),
    (Filters(trace="t7", is_streamed=True), lambda r: r.trace_id == "t7" and "streamed" in r.flags),
    (Filters(min_tokens=60, max_input_tokens=90), lambda r: r.input_tokens + r.output_tokens >= 60 and r.input_tokens <= 90),
]


@pytest.mark.parametrize(("filters", "passes"), CASES, ids=[str(at) for at in range(len(CASES))])
def test_sums_agree_with_a_loop_over_all_records(
    written: tuple[Path, list[tuple[int, Record]]], filters: Filters, passes: Callable[[Record], bool],
) -> None:
    """Summary, series of minutes, hours and days, and every grouping are what a plain loop over the records finds."""
    path, records = written
    wanted = [(seq, record) for seq, record in records if passes(record)]
    assert same(summary(path, filters), summed(wanted, lambda r: ()).get((), Cell()))
    for step_s in (300, 3600, 5400, 6 * 3600, DAY_S):
        points = series(path, replaced(filters, SINCE, UNTIL), step_s)
        slots: dict[int, list[tuple[int, Record]]] = {}
        for seq, record in wanted:
            slots.setdefault((seq - FIRST_NS) // (step_s * 10**9) * step_s * 10**9 + FIRST_NS, []).append((seq, record))
        assert [point.start_ns for point in points] == sorted(slots)
        assert all(same(point.measures, summed(slots[point.start_ns], lambda r: ())[()]) for point in points)
    for by in (*GROUPS[:-2], "user", "metadata:team"):
        cells = summed([one for one in wanted if name_of(one[1], by) is not None], lambda r, by=by: (name_of(r, by),))  # type: ignore[misc]  # bound now
        ranking = groups(path, filters, by)
        assert ranking.total == len(cells) and {group.name for group in ranking.groups} == {names[0] for names in cells}
        assert all(same(group.measures, cells[(group.name,)]) for group in ranking.groups)


def replaced(filters: Filters, since_ns: int, until_ns: int) -> Filters:
    values = {name: getattr(filters, name) for name in filters.__struct_fields__}
    return Filters(**(values | {"since_ns": since_ns, "until_ns": until_ns}))


def name_of(record: Record, by: str) -> str | None:
    if by == "user" or by.startswith("metadata:"):
        return metadata(record, "_user" if by == "user" else by.removeprefix("metadata:"))
    return str(getattr(record, by))


def test_ranges_cut_at_minutes_are_exact(written: tuple[Path, list[tuple[int, Record]]]) -> None:
    """A range that begins and ends at any minute has the records of these minutes, however it is put together."""
    path, records = written
    dice = random.Random(2)
    for _ in range(60):
        since, until = sorted(FIRST_NS + dice.randrange(3 * 24 * 60) * 60 * 10**9 for _ in range(2))
        expected = sum(since <= seq < until for seq, _ in records)
        assert summary(path, Filters(since_ns=since, until_ns=until)).requests == expected
        points = series(path, Filters(since_ns=since, until_ns=until), 3600, "model")
        assert sum(point.measures.requests for point in points) == expected


@pytest.mark.parametrize("filters", [Filters(since_ns=SINCE, until_ns=UNTIL), Filters(since_ns=SINCE, until_ns=UNTIL, key="k1"),
                                     Filters(since_ns=SINCE, until_ns=UNTIL, metadata=(("team", "a"),))])
def test_an_overview_is_what_three_questions_answer(written: tuple[Path, list[tuple[int, Record]]], filters: Filters) -> None:
    """Points, the whole and the counts by cache are those of series, summary and groups."""
    path, _ = written
    found = analytics.overview(path, filters, 6 * 3600)
    assert found.points == series(path, filters, 6 * 3600) and found.whole == summary(path, filters)
    if not filters.metadata:
        assert found.caches == {one.name: one.measures.requests for one in groups(path, filters, "cache").groups}


@pytest.mark.parametrize("filters", [Filters(since_ns=SINCE, until_ns=UNTIL), Filters(since_ns=SINCE, until_ns=UNTIL, key="k1"),
                                     Filters(since_ns=SINCE, until_ns=UNTIL, trace="t7")])
@pytest.mark.parametrize("by", ["cache", "status", "workspace"])
def test_one_look_by_groups_is_what_three_questions_answer(
    written: tuple[Path, list[tuple[int, Record]]], filters: Filters, by: str,
) -> None:
    """Points of each group, the whole and the groups are those of series, summary and groups."""
    path, _ = written
    found = analytics.by_group(path, filters, 6 * 3600, by)
    assert found.points == series(path, filters, 6 * 3600, by) and found.whole == summary(path, filters)
    assert found.groups == groups(path, filters, by).groups


def test_users_are_counted_by_step(written: tuple[Path, list[tuple[int, Record]]]) -> None:
    """How many users there were in a step is how many names occur in it, with all their requests; one of two steps is one in all."""
    path, records = written
    found = active(path, Filters(since_ns=SINCE, until_ns=UNTIL), 3600)
    users: dict[int, list[str]] = {}
    for seq, record in records:
        if (user := metadata(record, "_user")) is not None:
            users.setdefault((seq // HOUR_NS) * HOUR_NS, []).append(user)
    assert list(found.steps.items()) == [(start, (len(set(names)), len(names))) for start, names in sorted(users.items())]
    assert found.names == len({name for names in users.values() for name in names})


def test_ranking_is_by_what_is_asked(written: tuple[Path, list[tuple[int, Record]]]) -> None:
    """Groups come by the sum that is named, the greatest first, and can be paged through."""
    path, records = written
    cells = summed(records, lambda r: (r.model,))
    expected = sorted(cells, key=lambda names: -cells[names].sums["cost_nano_usd"])
    whole = groups(path, Filters(), "model", "cost_nano_usd")
    assert [(group.name,) for group in whole.groups] == expected
    rest = groups(path, Filters(), "model", "cost_nano_usd", limit=2, offset=1)
    assert rest.groups == whole.groups[1:3] and rest.total == 4


def test_wrong_questions_are_told(written: tuple[Path, list[tuple[int, Record]]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A step, a group or an order that is none says what would do, and so does a series with too many points."""
    path, _ = written
    span = Filters(since_ns=SINCE, until_ns=UNTIL)
    for ask in (
        lambda: series(path, span, 90), lambda: series(path, Filters(), 60), lambda: series(path, span, 60, "colour"),
        lambda: groups(path, span, "metadata:"), lambda: groups(path, span, "model", "beauty"),
    ):
        with pytest.raises(WrongQuery, match="expected"):
            ask()
    monkeypatch.setattr(analytics, "MOST_POINTS", 50)
    with pytest.raises(WrongQuery, match="longer steps"):
        series(path, span, 3600, "model")


def test_names_are_counted_up_to_a_bound(written: tuple[Path, list[tuple[int, Record]]], monkeypatch: pytest.MonkeyPatch) -> None:
    """As many in all steps together as may be told apart are counted, and one more is refused."""
    span = Filters(since_ns=SINCE, until_ns=UNTIL)
    most = sum(names for names, _ in active(written[0], span, 3600).steps.values())
    monkeypatch.setattr(analytics, "MOST_NAMES", most)
    active(written[0], span, 3600)
    monkeypatch.setattr(analytics, "MOST_NAMES", most - 1)
    with pytest.raises(WrongQuery, match="longer steps"):
        active(written[0], span, 3600)


def test_time_is_bounded(written: tuple[Path, list[tuple[int, Record]]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that takes longer than it may is broken off."""
    monkeypatch.setattr("fastgw.record.query.STEPS_BETWEEN_LOOKS", 10)
    with pytest.raises(QueryTooLong, match="within"):
        summary(written[0], Filters(min_cost_nano_usd=1), seconds=0.0)


def test_failed_export_counts_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that is rolled back takes its sums with it, and trying again adds them once."""
    monkeypatch.setattr(rollups, "FLUSH_RECORDS", 10)
    log = SqliteLog(tmp_path / "logs.db", retention_days=3660)
    records = many(300)
    log.export(Batch(records[:150], {}, 0))
    keep_mark = log.tidy
    for _ in range(3):
        monkeypatch.setattr(log, "tidy", fail)
        with pytest.raises(ExportFailed):
            log.export(Batch(records[150:], {}, 0))
    monkeypatch.setattr(log, "tidy", keep_mark)
    log.export(Batch(records[150:], {}, 0))
    log.close()
    assert same(summary(log.path, Filters()), summed(placed(log.path), lambda r: ())[()])
    assert summary(log.path, Filters()).requests == 300


def fail(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def test_sums_outlive_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that are deleted for their size stay in the sums; minutes go after days, then hours answer for them."""
    old = many(500, FIRST_NS - 20 * DAY_NS)
    write(tmp_path / "logs.db", [*old, *many(20)])
    before = summary(tmp_path / "logs.db", Filters(until_ns=FIRST_NS))
    connection = sqlite3.connect(tmp_path / "logs.db")
    connection.execute("DELETE FROM records WHERE seq < ?", (FIRST_NS,))
    connection.commit()
    steps = dict(connection.execute("SELECT step_s, min(start_s) FROM rollups WHERE cube = 'sets' GROUP BY step_s"))
    connection.close()
    assert steps[60] > steps[3600] == steps[DAY_S]
    assert summary(tmp_path / "logs.db", Filters(until_ns=FIRST_NS)) == before and before.requests == 500
    a_minute = old[0].recorded_ns // HOUR_NS * HOUR_NS + 20 * 60 * 10**9
    coarse = series(tmp_path / "logs.db", Filters(since_ns=a_minute, until_ns=a_minute + 10 * 60 * 10**9), 60)
    assert sum(point.measures.requests for point in coarse) == sum(one.recorded_ns // HOUR_NS == a_minute // HOUR_NS for one in old)


def test_sums_are_bounded_in_bytes(tmp_path: Path) -> None:
    """Beyond their bytes the oldest minutes go first, by whole hours, and never what an hour in hand is made of."""
    log = SqliteLog(tmp_path / "logs.db", retention_days=3660)
    log.open()
    log.rollups.most_bytes = 600_000
    records = many(4000)
    for start in range(0, 4000, 100):
        log.export(Batch(records[start:start + 100], {}, 0))
    log.close()
    connection = sqlite3.connect(tmp_path / "logs.db")
    firsts = dict(connection.execute("SELECT step_s, min(start_s) FROM rollups GROUP BY step_s"))
    total_bytes = connection.execute("SELECT sum(length(body)) FROM rollups").fetchone()[0]
    connection.close()
    assert total_bytes < 650_000 and firsts[60] % 3600 < 120 and firsts[60] > firsts[3600] == firsts[DAY_S]
    day_end = FIRST_NS + DAY_NS
    assert summary(tmp_path / "logs.db", Filters(until_ns=day_end)).requests == sum(r.recorded_ns < day_end for r in records)


def test_metadata_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name's values those with most requests are kept, the rest counted as other; so are names, of each workspace by itself."""
    monkeypatch.setattr(rollups, "MOST_VALUES", 3)
    monkeypatch.setattr(rollups, "MOST_NAMES", 2)
    log = SqliteLog(tmp_path / "logs.db")
    records = [
        record_of(started_ns=time.time_ns() - DAY_NS, detail={"metadata": {"v": f"v{max(0, at % 20 - 9)}", "w": "x", f"n{at}": "y"}})
        for at in range(200)
    ]
    log.export(Batch([*records, record_of(started_ns=time.time_ns())], {}, 0))
    log.close()
    found = {group.name: group.measures.requests for group in groups(log.path, Filters(), "metadata:v").groups}
    assert found.pop("v0") == 100 and sorted(found.values()) == [10, 10, 80] and found["other"] == 80
    assert groups(log.path, Filters(), "metadata:w").total == 1
    assert groups(log.path, Filters(), "metadata:n7").total == 0


def test_backlog_is_caught_up_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that no sums have yet are counted by those who ask, and summed up some at a time while others come in."""
    monkeypatch.setattr(rollups, "OPEN_SECONDS", 0.0)
    monkeypatch.setattr(rollups, "CAUGHT_UP_AT_ONCE", 60)
    records = many(400)
    write(tmp_path / "logs.db", records[:300])
    connection = sqlite3.connect(tmp_path / "logs.db")
    connection.execute("DELETE FROM rollups")
    connection.execute("DELETE FROM progress WHERE name = 'rolled'")
    connection.commit()
    connection.close()
    log = SqliteLog(tmp_path / "logs.db", retention_days=3660)
    for start in range(300, 400, 20):
        log.export(Batch(records[start:start + 20], {}, 0))
        assert summary(log.path, Filters()).requests == start + 20
    for _ in range(5):
        log.export(Batch([record_of(started_ns=time.time_ns())], {}, 0))
    assert log.rollups.folded == log.last_seq
    assert same(summary(log.path, Filters()), summed(placed(log.path), lambda r: ())[()])
    log.close()


def test_damaged_sums_cost_only_themselves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A row of sums that cannot be read is logged and left out; the drain goes on."""
    write(tmp_path / "logs.db", many(100))
    connection = sqlite3.connect(tmp_path / "logs.db")
    connection.execute("UPDATE rollups SET body = x'0102' WHERE step_s = 60 AND cube = 'sets'")
    connection.commit()
    connection.close()
    log = SqliteLog(tmp_path / "logs.db", retention_days=3660)
    log.export(Batch([record_of(started_ns=time.time_ns())], {}, 0))
    log.close()
    assert "cannot be read" in caplog.text and 0 < summary(log.path, Filters()).requests < 101
    assert repr(Rollups()) == "Rollups(0 sets, 0 pairs, 0 records to keep)"
