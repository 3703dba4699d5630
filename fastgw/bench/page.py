"""A report as one HTML file that needs nothing else: tables, charts, and the JSON itself."""
from __future__ import annotations

from html import escape

import msgspec

from fastgw.bench.drawing import svg
from fastgw.bench.figures import Report, Section
from fastgw.bench.terminal import Table, cell, footnotes, row_name

STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #888; --bad: #c33; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .2rem; }
.says { color: var(--soft); margin: 0 0 .8rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } td.void { color: var(--bad); }
svg { max-width: 46rem; display: block; margin: 1rem 0; } svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
svg .title { font-size: 14px; font-weight: 600; } svg .tick { fill: var(--soft); } svg .grid { stroke: var(--line); }
ul.notes { color: var(--soft); } details { margin-top: 3rem; } pre { overflow-x: auto; font-size: 12px; }
"""


def page(report: Report) -> str:
    """The whole file."""
    facts = {**report.machine, **report.versions, "began": report.began, "took": f"{report.took_s:.0f} s", "command": report.command}
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts.items())
    rows += "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(' '.join(filter(None, target.values())))}</td></tr>"
        for name, target in report.targets.items())
    void = len(report.void())
    verdict = f"<p><strong>{void} figures are void.</strong> Nothing may be concluded where a table says so.</p>" if void else ""
    json = msgspec.json.format(msgspec.json.encode(report)).decode()
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>fastgw bench</title><style>{STYLE}</style><h1>fastgw bench</h1>{verdict}"
        + "".join(map(section, report.sections))
        + f'<h2>Where</h2><div class="scroll"><table>{rows}</table></div>'
        + f"<details><summary>JSON</summary><pre>{escape(json)}</pre></details></html>\n"
    )


def section(found: Section) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in footnotes(found))
    return (
        f'<h2>{escape(found.title)}</h2><p class="says">{escape(found.says)}</p>' + tables(found)
        + (f'<ul class="notes">{notes}</ul>' if notes else "") + "".join(map(svg, found.charts))
    )


def tables(found: Section) -> str:
    table, parts = Table(found), []
    for rows, columns in table.blocks():
        head = "<th></th>" + "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = ""
        for row in rows:
            cells = [cell(table.cells.get((row, column))) for column in columns]
            body += f"<tr><td>{escape(row_name(row))}</td>"
            body += "".join(f'<td class="{"void" if text == "void" else ""}">{escape(text)}</td>' for text in cells) + "</tr>"
        parts.append(f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>')
    return "".join(parts)
