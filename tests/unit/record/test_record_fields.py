"""One list of fields: the struct, the table and the page agree with it."""
import re
import sqlite3
from pathlib import Path

from fastgw._core.ring import record_layout
from fastgw.record import names
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.fields import COLUMNS, FIELDS, PAYLOADS, Record

ROOT = Path(__file__).parents[3]


def declared(block: str, pattern: str) -> list[tuple[str, int]]:
    text = (ROOT / "fastgw/_core/ring.pxd").read_text().split(block)[1].split("\ncdef ")[0]
    return [(name, int(number)) for name, number in re.findall(pattern, text)]


def test_fields_are_those_of_the_struct() -> None:
    """The fields stand in the order of the struct, then the detail, then the payloads."""
    assert FIELDS == (*(name for name, _, _, _ in record_layout()), "detail")
    assert Record.__struct_fields__ == FIELDS + PAYLOADS == tuple(COLUMNS)


def test_table_has_every_field(tmp_path: Path) -> None:
    """The SQLite columns are seq and the fields, with their types."""
    log = SqliteLog(tmp_path / "logs.db")
    log.open()
    log.close()
    connection = sqlite3.connect(tmp_path / "logs.db")
    columns = [(row[1], row[2]) for row in connection.execute("PRAGMA table_info(records)")]
    connection.close()
    assert columns == [("seq", "INTEGER"), *((name, COLUMNS[name].sql_type) for name in FIELDS)]


def test_page_describes_every_field() -> None:
    """docs/records.md has one row a field, in order, with the very words of the list."""
    page = (ROOT / "docs/records.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w-]*) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(name, sql.lower(), unit, meaning) for name, (sql, unit, meaning) in COLUMNS.items()]


def test_names_follow_the_contract() -> None:
    """Outcomes, caches, flags and gauges are those of ring.pxd, by index or bit."""
    outcomes = declared("enum Outcome:", r"\n    ([A-Z]+) = (\d+)")
    assert outcomes == [(n.upper(), at) for at, n in enumerate(names.OUTCOMES)]
    caches = declared("enum CacheUse:", r"\n    CACHE_([A-Z]+) = (\d+)")
    assert caches == [(n.upper() or "NONE", at) for at, n in enumerate(names.CACHES)]
    flags = declared("enum Flag:", r"\n    FLAG_(\w+) = (\d+)")
    assert flags == [(n.upper(), 1 << at) for at, n in enumerate(names.FLAGS)]
    gauges = declared("enum Gauge:", r"\n    GAUGE_(\w+) = (\d+)")
    assert gauges == [(n.upper(), at) for at, n in enumerate(names.GAUGES)]
    assert names.FLAG_SETS[0b100001] == "streamed,tls" and len(names.FLAG_SETS) == 128
