"""Promises of the report: the same figures in text, JSON and HTML, void ones in none, and a page that needs nothing else."""

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest

from fastgw.bench.drawing import svg
from fastgw.bench.figures import Chart, Curve, Report, Section, figure
from fastgw.bench.page import page
from fastgw.bench.pictures import write_pictures
from fastgw.bench.progress import Progress
from fastgw.bench.terminal import number, report_lines

CHARTS = [
    Chart("percentiles", "latency", "Latency <b>", "percentile", "us", [
        Curve("direct", [(0.5, 30.0), (0.99, 80.0), (0.9999, 4000.0)]), Curve("bare", [(0.5, 60.0), (0.99, 190.0)])]),
    Chart("lines", "frontier", "Frontier", "requests/s", "p99, ms", [Curve("bare", [(9000.0, 0.2), (30_000.0, 4.0)])]),
    Chart("bars", "cost", "CPU", "", "us", [Curve("bare", [(0.0, 20.5)]), Curve("governed", [(0.0, 23.0)])]),
    Chart("lines", "point", "One point", "x", "y", [Curve("bare", [(1.0, 0.0)])]),
]


@pytest.fixture
def report() -> Report:
    figures = [
        figure("added p50", "us", "A/A floor", 0.04, low=-0.1, high=0.2),
        figure("added p50", "us", "bare - direct", 21.9, low=20.5, high=23.4, note="below resolution"),
        figure("rate", "1/s", "bare", 31_234.0, at="64 in flight"),
        figure("rate", "1/s", "governed", 98_765.4, ["2 of 10 requests failed: status 500 (2)"], at="64 in flight"),
    ]
    section = Section("paired", "Added latency", "in ABBA order", figures, CHARTS, ["a note"])
    return Report(1, "fastgw bench http://x", "2026-11-27T00:00:00+00:00", 12.0, {
        "cores": "2", "usable cores": "2", "processor": "X & Y", "memory": "1 GiB", "kernel": "Linux", "load average": "0.1"},
        {"fastgw": "1", "commit": "abc"}, {"bare": {"url": "http://x", "server": "nginx", "processes": ""}}, [section])


def test_text_shows_what_stands_and_why_the_rest_does_not(report: Report) -> None:
    """Each figure with its interval, the floor first; a void one as a word, with its reason below."""
    text = "\n".join(report_lines(report))
    assert re.search(r"A/A floor +bare - direct\n.*0\.040 \[-0\.100, 0\.200\] +21\.9 \[20\.5, 23\.4\] \*", text)
    assert re.search(r"64 in flight: rate, 1/s +31,234 +void", text)
    assert "98" not in text
    assert "void: 2 of 10 requests failed: status 500 (2) (64 in flight governed: rate)" in text
    assert "* below resolution (bare - direct: added p50)" in text
    assert text.endswith("1 figure void: nothing may be concluded where the table says so")


def test_json_is_read_back(report: Report) -> None:
    """The JSON holds all of the report, and nothing of what is void."""
    encoded = msgspec.json.encode(report)
    assert msgspec.json.decode(encoded, type=Report) == report
    assert b"98765" not in encoded


def test_page_needs_nothing_else(report: Report) -> None:
    """One file: no script, no link, no picture from elsewhere; names of strangers are text, not markup."""
    html = page(report)
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import", html)
    assert "X &amp; Y" in html and "Latency <b>" not in html
    assert html.count("<svg") == len(CHARTS) and "98765" not in html and "98,765" not in html
    assert '<td class="void">void</td>' in html


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_charts_are_drawn_inside_their_frame(chart: Chart) -> None:
    """Each chart is well-formed SVG, with every point of every curve, inside the picture."""
    root = ElementTree.fromstring(svg(chart))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    space = "{http://www.w3.org/2000/svg}"
    if chart.kind == "bars":
        bars = [(float(bar.attrib["x"]) + float(bar.attrib["width"]), float(bar.attrib["y"])) for bar in root.iter(space + "rect")]
        assert len(bars) == len(chart.curves) and all(x <= width and y <= height for x, y in bars)
        return
    points = [(float(point.attrib["cx"]), float(point.attrib["cy"])) for point in root.iter(space + "circle")]
    assert len(points) == sum(len(curve.points) for curve in chart.curves)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    labels = {text.text for text in root.iter(space + "text")}
    assert {curve.label for curve in chart.curves} | {chart.title} <= labels


def test_a_higher_latency_is_drawn_higher() -> None:
    """The axes point the usual way: more latency is up, a higher percentile is right."""
    root = ElementTree.fromstring(svg(CHARTS[0]))
    points = [(float(point.attrib["cx"]), float(point.attrib["cy"])) for point in root.iter("{http://www.w3.org/2000/svg}circle")][:3]
    assert points == sorted(points) and [y for _, y in points] == sorted((y for _, y in points), reverse=True)


def test_pictures_are_written_where_matplotlib_is(report: Report, tmp_path: Path) -> None:
    """With matplotlib each chart becomes a PNG file of its name."""
    pytest.importorskip("matplotlib")
    paths = write_pictures(report, tmp_path / "charts")
    assert [path.name for path in paths] == [f"{chart.name}.png" for chart in CHARTS]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (31234.5, "31,234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (-0.1234, "-0.123"), (2e-5, "2.0e-05")],
)
def test_numbers_have_three_digits(value: float, said: str) -> None:
    """No more digits are shown than mean something."""
    assert number(value) == said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_keeps_out_of_the_way() -> None:
    """On a terminal one line comes along and is gone at the end; in a file there is a line a step; quiet there is nothing."""
    shown = []
    for out, is_quiet in ((Terminal(), False), (io.StringIO(), False), (io.StringIO(), True), (Terminal(), True)):
        progress = Progress(out, is_quiet=is_quiet)
        progress.step("warming up")
        progress.at("5 replies")
        progress.done()
        shown.append(out.getvalue())
    assert shown[0].startswith("\rwarming up") and shown[0].endswith("\r") and "\n" not in shown[0]
    assert shown[1:] == ["... warming up\n", "", ""]
