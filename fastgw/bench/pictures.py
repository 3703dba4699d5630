"""The charts of a report as PNG files, by matplotlib (the extra `bench`)."""
from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from fastgw.bench.drawing import COLOURS, NINES, nines
from fastgw.bench.figures import Chart, Report

DPI = 150


MISSING = "--png needs matplotlib, which is not installed: pip install 'fastgw[bench]'; all else is measured and written"


def can_draw() -> bool:
    """Whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def write_pictures(report: Report, directory: Path) -> list[Path]:
    """One file for each chart, named after it."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for section in report.sections:
        for chart in section.charts:
            written.append(directory / f"{chart.name}.png")
            draw(chart, written[-1])
    return written


def draw(chart: Chart, path: Path) -> None:
    # By name, since neither the core nor its type checks have matplotlib. A Figure of its own needs no display and no global state.
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(chart.title)
    if chart.kind == "bars":
        labels, values = [curve.label for curve in chart.curves], [curve.points[0][1] for curve in chart.curves]
        axes.bar_label(axes.barh(labels, values, color=COLOURS[: len(labels)]), fmt="%.3g", padding=3)
        axes.invert_yaxis()
        axes.set_xlabel(chart.y)
    else:
        for place, curve in enumerate(chart.curves):
            xs = [nines(x) if chart.kind == "percentiles" else x for x, _ in curve.points]
            axes.plot(xs, [y for _, y in curve.points], marker="o", markersize=3, label=curve.label, color=COLOURS[place % len(COLOURS)])
        if any(y > 0 for curve in chart.curves for _, y in curve.points):  # else there is nothing that a logarithm could show
            axes.set_yscale("log")
        axes.set_xlabel(chart.x)
        axes.set_ylabel(chart.y)
        axes.grid(True, which="both", alpha=0.3)
        axes.legend()
        if chart.kind == "percentiles":
            reached = max(x for curve in chart.curves for x, _ in curve.points)
            ticks = [(nines(share), label) for share, label in NINES if share <= reached]
            axes.set_xticks([at for at, _ in ticks], labels=[label for _, label in ticks])
        else:
            axes.set_xscale("log")
    figure.savefig(path, dpi=DPI)
