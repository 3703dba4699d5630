"""The comparison as Markdown, between two marks of docs/performance.md."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.peers.figures import COLUMNS, STREAM_COLUMNS, Column, find, losses, short
from bench.peers.measure import Row

BEGIN, END = "<!-- peers: begin, written by `python -m bench.peers` -->", "<!-- peers: end -->"
TITLES = {"bare": "Bare: nothing on that can be off", "governed": "Governed: keys, budgets, limits, log"}


class Comparison(msgspec.Struct, frozen=True):
    """One run of the command."""

    format: int
    command: str
    began: str
    took_s: float
    commit: str
    machine: dict[str, str]
    rows: list[Row]


def cell(row: Row, column: Column) -> str:
    figure = find(row, column)
    if figure is None:
        return ""
    if figure.value is None:
        return "void"
    return short(figure.value) + ("*" if figure.note else "")


def beside(row: Row, floor: Row | None) -> str:
    """CPU per request over nginx's of the same run."""
    mine, its = find(row, COLUMNS[0]), find(floor, COLUMNS[0]) if floor else None
    return f"{mine.value / its.value:.2f}" if mine and its and mine.value is not None and its.value else ""


def table(rows: Sequence[Row], floor: Row | None, columns: Sequence[Column]) -> Iterator[str]:
    heads = ["", columns[0].head, *(["/ nginx"] if columns is COLUMNS else []), *(one.head for one in columns[1:]), "what is not equal"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---" + "|--:" * (len(heads) - 2) + "|---|"
    for row in rows:
        ratio = [beside(row, floor)] if columns is COLUMNS else []
        label = f"{row.name} {row.version}".strip() + (" (bare)" if row.lane != rows[-1].lane else "")
        cells = [label, cell(row, columns[0]), *ratio, *(cell(row, one) for one in columns[1:])]
        yield "| " + " | ".join([*cells, row.unequal if row.report else f"not measured: {row.absent}"]) + " |"


def voids(rows: Sequence[Row], columns: Sequence[Column]) -> Iterator[str]:
    """Why figures are void, each reason once."""
    for row in rows:
        found = (figure for column in columns if (figure := find(row, column)))
        for reason in dict.fromkeys(reason for figure in found for reason in figure.void):
            yield f"{row.name}: {reason}"


def bullets(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", title, "", *(f"* {line}" for line in found))


def lane_lines(comparison: Comparison, lane: str) -> Iterator[str]:
    floor = next((row for row in comparison.rows if row.name == "nginx" and row.report), None)
    rows = [row for row in comparison.rows if row.lane == lane]
    if not rows:
        return
    if lane != "bare" and floor is not None:
        rows = [floor, *(row for row in rows if row.name != floor.name)]
    yield from ("", f"### {TITLES[lane]}", "", *table(rows, floor, COLUMNS))
    columns: tuple[Column, ...] = COLUMNS
    if any(find(row, column) for row in rows for column in STREAM_COLUMNS):
        yield from ("", "Streams:", "", *table([row for row in rows if row.report], floor, STREAM_COLUMNS))
        columns += STREAM_COLUMNS
    yield from bullets("Void, and why:", voids(rows, columns))
    yield from bullets("Where fastgw is behind:", losses(rows, columns))
    yield from bullets("What each does here:", (
        f"{row.name}: {row.does}. Set up: {row.setup} ({row.source})" for row in rows if row.report))


def markdown(comparison: Comparison) -> str:
    machine = comparison.machine
    lines = [
        f"`{comparison.command}`, {comparison.began}, commit {comparison.commit}, {comparison.took_s / 60:.0f} minutes, on "
        f"{machine['usable cores']} of {machine['cores']} cores of {machine['processor']}, {machine['kernel']}, load "
        f"{machine['load average']} before.",
        "",
        "Each peer ran alone, on a core of its own where there are two; mock and generator share the other. CPU and PSS are those of its "
        "whole process tree. A star marks what is below the resolution of the run.",
    ]
    for lane in TITLES:
        lines += lane_lines(comparison, lane)
    return "\n".join(lines)


def insert(path: Path, text: str) -> None:
    """Put the text between the marks; raises ValueError where the page has not both, once."""
    page = path.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"expected one {BEGIN!r} and one {END!r} in {path}")
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
