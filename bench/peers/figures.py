"""What a row says in the table: figures found by section, name and lane, and where another peer is better than fastgw."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bench.peers.measure import Row
from fastgw.bench.figures import Figure


class Column(msgspec.Struct, frozen=True):
    """One figure of each row.

    head       of the column
    lane       of the figure in the report
    is_least   whether less is better
    says       the figure in a sentence
    """

    head: str
    section: str
    name: str
    lane: str
    is_least: bool
    says: str


ADDED = "gateway - direct"
COLUMNS = (
    Column("CPU, µs", "closed", "CPU", "gateway", True, "CPU per request, µs"),
    Column("requests/s", "closed", "rate", "gateway", False, "requests/s at 64 connections"),
    Column("added p50, µs", "paired", "added p50", ADDED, True, "added p50, µs"),
    Column("added p99, µs", "paired", "added p99", ADDED, True, "added p99, µs"),
    Column("PSS idle, MiB", "closed", "PSS idle", "gateway", True, "memory at rest, MiB"),
    Column("loaded", "closed", "PSS loaded", "gateway", True, "memory under load, MiB"),
)
STREAM_COLUMNS = (
    Column("CPU, µs/chunk", "streams", "CPU", "gateway", True, "CPU per streamed chunk, µs"),
    Column("added TTFT p50, µs", "streams", "added TTFT p50", ADDED, True, "added time to the first content, p50, µs"),
    Column("p99, µs", "streams", "added TTFT p99", ADDED, True, "added time to the first content, p99, µs"),
    Column("same bytes, %", "streams", "same bytes", "gateway", False, "streams that are the provider's bytes, %"),
)


def find(row: Row, column: Column) -> Figure | None:
    """The figure of a row, void or not; None where it was not measured."""
    if row.report is None:
        return None
    for section in row.report.sections:
        if section.name == column.section:
            for figure in section.figures:
                if (figure.name, figure.lane) == (column.name, column.lane):
                    return figure
    return None


def short(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def is_clear(ours: Figure, theirs: Figure, is_least: bool) -> bool:
    """Whether theirs is better, and the intervals (or values) do not touch."""
    if ours.value is None or theirs.value is None:
        return False
    if is_least:
        return (theirs.value if theirs.high is None else theirs.high) < (ours.value if ours.low is None else ours.low)
    return (theirs.value if theirs.low is None else theirs.low) > (ours.value if ours.high is None else ours.high)


def losses(rows: Sequence[Row], columns: Sequence[Column]) -> Iterator[str]:
    """A line for each figure in which fastgw's lane stands behind others, the others from the best."""
    ours = next((row for row in rows if row.name == "fastgw" and row.report), None)
    if ours is None:
        return
    for column in columns:
        mine = find(ours, column)
        if mine is None or mine.value is None:
            continue
        found = [
            (theirs.value, row.name) for row in rows
            if row is not ours and (theirs := find(row, column)) and theirs.value is not None and is_clear(mine, theirs, column.is_least)
        ]
        if found:
            better = ", ".join(f"{name} {short(value)}" for value, name in sorted(found, reverse=not column.is_least))
            yield f"{column.says}: fastgw {short(mine.value)}; {better}"
