"""What a bench finds: figures with their intervals, or the reasons why there is none; sections, charts, and the whole report."""
from __future__ import annotations

from collections.abc import Iterable

import msgspec


class CannotMeasure(Exception):
    """Something stands in the way of any figure; the message is one line for a person."""


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number. Where it is void, value is None and `void` says why; a note qualifies one that stands."""

    name: str
    unit: str
    lane: str
    value: float | None
    low: float | None = None
    high: float | None = None
    at: str = ""
    """Under which condition of a sweep: "32 connections", "16 KiB"."""
    note: str = ""
    void: tuple[str, ...] = ()


class Curve(msgspec.Struct, frozen=True):
    """Points of one lane, in order of x."""

    label: str
    points: list[tuple[float, float]]


class Chart(msgspec.Struct, frozen=True):
    """Something to draw.

    kind    "percentiles" (x: share of requests below 1, drawn as nines), "lines" (x: logarithmic) or "bars" (one point a curve)
    """

    kind: str
    name: str
    title: str
    x: str
    y: str
    curves: list[Curve]


class Moment(msgspec.Struct, frozen=True):
    """One second of one lane: when it began (Unix time), and what was seen in it."""

    lane: str
    at_s: float
    replies: int
    errors: int
    p50_us: float
    p99_us: float
    most_us: float


class Section(msgspec.Struct, frozen=True):
    """One measurement: what it says in a sentence, its figures, its charts."""

    name: str
    title: str
    says: str
    figures: list[Figure]
    charts: list[Chart] = []
    notes: list[str] = []
    timeline: list[Moment] = []

    def void(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.void]


class Report(msgspec.Struct, frozen=True):
    """Everything that one command found."""

    format: int
    command: str
    began: str
    """UTC, ISO 8601."""
    took_s: float
    machine: dict[str, str]
    versions: dict[str, str]
    targets: dict[str, dict[str, str]]
    sections: list[Section]

    def void(self) -> list[Figure]:
        return [figure for section in self.sections for figure in section.void()]


def figure(
    name: str,
    unit: str,
    lane: str,
    value: float,
    void: Iterable[str] = (),
    *,
    low: float | None = None,
    high: float | None = None,
    at: str = "",
    note: str = "",
) -> Figure:
    """A figure, or the refusal of one: where there is a reason, the number is thrown away here and goes nowhere."""
    reasons = tuple(dict.fromkeys(void))
    if reasons:
        return Figure(name, unit, lane, None, at=at, void=reasons)
    return Figure(name, unit, lane, value, low, high, at, note)
