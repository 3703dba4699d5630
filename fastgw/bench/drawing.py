"""Draw the charts of a report as SVG, without a library: a report must open anywhere, whatever is installed where it was made."""
from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from fastgw.bench.figures import Chart, Curve
from fastgw.bench.terminal import number

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 76, 150, 40, 52
BAR_PIXELS = 34
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
TICKS = (1, 2, 5)
NINES = ((0.0, "0"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99"))


def svg(chart: Chart) -> str:
    """One <svg> element."""
    return bars(chart) if chart.kind == "bars" else lines(chart)


def nines(share: float) -> float:
    """Where a percentile stands: each further nine is as far away as the one before."""
    return -math.log10(1 - share)


def logarithmic_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... within the range; every power of ten where that would be too many."""
    found = [step * 10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for step in TICKS]
    within = [tick for tick in found if low <= tick <= high]
    return within if len(within) <= 8 else [tick for tick in within if f"{tick:e}".startswith("1")]


class Axes:
    """From values to pixels: y logarithmic, x logarithmic or in nines."""

    def __init__(self, chart: Chart) -> None:
        xs = [x for curve in chart.curves for x, _ in curve.points]
        ys = [max(y, 1e-9) for curve in chart.curves for _, y in curve.points]
        self.is_nines = chart.kind == "percentiles"
        self.x_range = (0.0, nines(max(xs))) if self.is_nines else (math.log10(max(min(xs), 1e-9)), math.log10(max(max(xs), 1e-9)))
        # A little air, so that no curve runs along the frame.
        self.y_range = (math.log10(min(ys) / 1.15), math.log10(max(ys) * 1.15))

    def __repr__(self) -> str:
        return f"<Axes {self.x_range} {self.y_range}>"

    def x(self, value: float) -> float:
        at = nines(value) if self.is_nines else math.log10(max(value, 1e-9))
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.x_range[0]) / ((self.x_range[1] - self.x_range[0]) or 1)

    def y(self, value: float) -> float:
        at = math.log10(max(value, 1e-9))
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (at - self.y_range[0]) / (self.y_range[1] - self.y_range[0])

    def x_ticks(self) -> list[tuple[float, str]]:
        if self.is_nines:
            return [(self.x(share), label) for share, label in NINES if nines(share) <= self.x_range[1] + 1e-9]
        return [(self.x(tick), number(tick)) for tick in logarithmic_ticks(10 ** self.x_range[0] * 0.999, 10 ** self.x_range[1] * 1.001)]

    def y_ticks(self) -> list[tuple[float, str]]:
        return [(self.y(tick), number(tick)) for tick in logarithmic_ticks(10 ** self.y_range[0], 10 ** self.y_range[1])]


def lines(chart: Chart) -> str:
    axes = Axes(chart)
    parts = [text(LEFT, 22, chart.title, "title")]
    for at, label in axes.x_ticks():
        parts += [stroke(at, TOP, at, HEIGHT - BOTTOM), text(at, HEIGHT - BOTTOM + 18, label, "tick", "middle")]
    for at, label in axes.y_ticks():
        parts += [stroke(LEFT, at, WIDTH - RIGHT, at), text(LEFT - 8, at + 4, label, "tick", "end")]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, chart.x, "label", "middle"))
    parts.append(f'<g transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">{text(0, 0, chart.y, "label", "middle")}</g>')
    for curve, colour in coloured(chart.curves):
        places = [(axes.x(x), axes.y(y)) for x, y in curve.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">'
            f"<title>{escape(curve.label)}: {number(point[1])} at {point[0]:g}</title></circle>"
            for (x, y), point in zip(places, curve.points, strict=True)
        ]
    for place, (curve, colour) in enumerate(coloured(chart.curves)):
        y = TOP + 12 + 20 * place
        parts += [f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="12" height="12" fill="{colour}"/>',
                  text(WIDTH - RIGHT + 32, y + 2, curve.label, "label")]
    return wrap(HEIGHT, chart.title, parts)


def bars(chart: Chart) -> str:
    most = max(curve.points[0][1] for curve in chart.curves) or 1
    parts = [text(LEFT, 22, f"{chart.title}, {chart.y}", "title")]
    for place, (curve, colour) in enumerate(coloured(chart.curves)):
        value, top = curve.points[0][1], TOP + BAR_PIXELS * place
        width = (WIDTH - LEFT - RIGHT - 20) * value / most
        parts += [
            text(LEFT + 12, top + 17, curve.label, "label", "end"),
            f'<rect x="{LEFT + 20}" y="{top}" width="{width:.1f}" height="{BAR_PIXELS - 10}" fill="{colour}"/>',
            text(LEFT + 28 + width, top + 17, number(value), "label"),
        ]
    return wrap(TOP + BAR_PIXELS * len(chart.curves) + 10, chart.title, parts)


def coloured(curves: Iterable[Curve]) -> list[tuple[Curve, str]]:
    return [(curve, COLOURS[place % len(COLOURS)]) for place, curve in enumerate(curves)]


def text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def stroke(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="grid"/>'


def wrap(height: float, title: str, parts: list[str]) -> str:
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
            + "".join(parts) + "</svg>")
