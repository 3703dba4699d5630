"""A report as text: a table for each section, a column for each lane, and below it why figures are void."""
from __future__ import annotations

import textwrap
from collections.abc import Iterator

from fastgw.bench.figures import Figure, Report, Section

COLUMNS = 110
Row = tuple[str, str, str]


class Table:
    """The figures of a section, a row for each kind of figure and a column for each lane.

    rows     (condition, name, unit)
    columns  lanes
    cells    figure by (row, column); some have none
    """

    def __init__(self, section: Section) -> None:
        self.rows: list[Row] = list(dict.fromkeys((one.at, one.name, one.unit) for one in section.figures))
        self.columns = list(dict.fromkeys(one.lane for one in section.figures))
        self.cells = {((one.at, one.name, one.unit), one.lane): one for one in section.figures}

    def __repr__(self) -> str:
        return f"<Table {len(self.rows)} x {len(self.columns)}>"

    def blocks(self) -> list[tuple[list[Row], list[str]]]:
        """(rows, columns) of smaller tables: rows stand together unless they have no column in common."""
        found: list[tuple[list[Row], list[str]]] = []
        for row in self.rows:
            columns = [column for column in self.columns if (row, column) in self.cells]
            for rows, seen in found:
                if set(columns) & set(seen):
                    rows.append(row)
                    seen += [column for column in columns if column not in seen]
                    break
            else:
                found.append(([row], columns))
        return [(rows, sorted(columns, key=self.columns.index)) for rows, columns in found]


def row_name(row: Row) -> str:
    at, name, unit = row
    return f"{at}: {name}, {unit}" if at else f"{name}, {unit}"


def number(value: float) -> str:
    """Three significant digits, and thousands apart."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}" if size >= 0.001 else f"{value:.1e}"


def cell(one: Figure | None) -> str:
    """A figure with its interval, or the word void."""
    if one is None:
        return ""
    if one.value is None:
        return "void"
    interval = "" if one.low is None or one.high is None else f" [{number(one.low)}, {number(one.high)}]"
    return number(one.value) + interval + (" *" if one.note else "")


def footnotes(section: Section) -> list[str]:
    """Notes of the section and of its figures, then the reasons of what is void, each once."""
    found: dict[str, dict[str, list[str]]] = {}
    for one in section.figures:
        for text in ([f"* {one.note}"] if one.note else []) + [f"void: {reason}" for reason in one.void]:
            where = " ".join(filter(None, (one.at, one.lane)))
            found.setdefault(text, {}).setdefault(where, []).append(one.name)
    said = []
    for text, places in sorted(found.items()):
        named = "; ".join(f"{where}: {', '.join(names)}" for where, names in places.items())
        said.append(f"{text} ({named})")
    return [*section.notes, *said]


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def section_lines(section: Section) -> Iterator[str]:
    yield section.title
    yield from wrapped(section.says)
    table = Table(section)
    for rows, columns in table.blocks():
        yield ""
        grid = [["", *columns], *([row_name(row), *(cell(table.cells.get((row, column))) for column in columns)] for row in rows)]
        widths = [max(len(line[place]) for line in grid) for place in range(len(grid[0]))]
        for line in grid:
            cells = [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))]
            yield "  " + "  ".join(cells).rstrip()
    notes = footnotes(section)
    if notes:
        yield ""
    for note in notes:
        yield from wrapped(note)


def report_lines(report: Report) -> Iterator[str]:
    """The whole report."""
    machine = report.machine
    yield f"fastgw bench {report.versions['fastgw']} ({report.versions['commit']}), {report.began}, {report.took_s:.0f} s"
    yield (f"{machine['usable cores']} of {machine['cores']} x {machine['processor']}, {machine['memory']}, {machine['kernel']}, "
           f"load {machine['load average']} before")
    for name, target in report.targets.items():
        extras = ", ".join(filter(None, (target["server"], target["processes"].strip("<>"))))
        yield f"{name}: {target['url']}" + (f" ({extras})" if extras else "")
    for section in report.sections:
        yield ""
        yield from section_lines(section)
    void = len(report.void())
    if void:
        yield ""
        yield f"{void} figure{'' if void == 1 else 's'} void: nothing may be concluded where the table says so"
