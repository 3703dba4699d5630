"""One comparison: each peer alone on the machine, beside a mock of its own, by the measurements of `fastgw bench`."""
from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.peers.place import ROOT, CannotRun, Place, on_cores, placed
from bench.peers.recipe import Recipe
from fastgw.bench import measurements
from fastgw.bench.figures import CannotMeasure, Report
from fastgw.bench.plan import Plan
from fastgw.bench.progress import Progress
from fastgw.bench.tree import ProcessTree, settle

CONNECTIONS = 64
WINDOWS = 3
LONG_STREAM = 257
BESIDE_S, BESIDE_STREAMS_S = 15.0, 12.0
"""What a lane takes beside its windows: start, warm-up, rounds at one connection."""
WINDOWS_OF_LOAD, WINDOWS_OF_STREAMS = 2 * WINDOWS + 2, 5
"""Windows' worth of load: direct and through, memory; streams of two lengths, five times, half a window each."""
LEAST_WINDOW_S = 0.5
MOST_CALM_S, CALM_LOOKS = 30.0, 8
"""How long a peer may go on starting after it answers: its CPU at rest is read next."""


class Row(msgspec.Struct, frozen=True):
    """One peer in one lane: its figures, or why there are none."""

    name: str
    lane: str
    source: str
    setup: str
    does: str
    unequal: str
    version: str = ""
    absent: str = ""
    report: Report | None = None


def cores() -> tuple[set[int], set[int]]:
    """(the peer's, the mock's and the generator's): one each where there are two."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[-1]}


def window_s(seconds: float, is_stream: bool) -> float:
    """How long a window may be for a lane to take about so many seconds."""
    beside = BESIDE_S + BESIDE_STREAMS_S * is_stream
    return max(LEAST_WINDOW_S, (seconds - beside) / (WINDOWS_OF_LOAD + WINDOWS_OF_STREAMS * is_stream))


def start_mock(run: Path, core: set[int], binaries: Mapping[str, Path]) -> Place:
    """A mock provider of its own core; the caller stops it."""
    place = Place("mock", run, "", core, binaries)
    command = [sys.executable, "-m", "fastgw", "mock", "--listen", f"127.0.0.1:{place.port}", "--tokens", str(LONG_STREAM)]
    try:
        place.spawn(command, PYTHONPATH=str(ROOT))
        place.await_http("/mock/stats")
    except CannotRun:
        place.stop()
        raise
    return place


class Comparing:
    """What all rows share: binaries, time for a lane, whether streams are measured."""

    def __init__(self, *, lane_s: float, is_stream: bool, binaries: Mapping[str, Path], progress: Progress) -> None:
        self.lane_s, self.is_stream, self.binaries, self.progress = lane_s, is_stream, binaries, progress

    def __repr__(self) -> str:
        return f"<Comparing, {self.lane_s:.0f} s a lane>"

    def row(self, recipe: Recipe, lane: str) -> Row:
        """Install, start, measure and stop; whatever stands in the way becomes the row's reason."""
        told = Row(
            recipe.name, lane, recipe.source, recipe.setup, recipe.lanes.get(lane, ""), recipe.unequal, absent=recipe.lacks.get(lane, ""))
        if lane not in recipe.lanes:
            return told
        own, other = cores()
        with placed(recipe.name, "", own, self.binaries) as place:
            try:
                told = msgspec.structs.replace(told, version=recipe.prepare(place))
                mock = start_mock(place.run, other, self.binaries)
                try:
                    place.upstream = mock.url
                    return msgspec.structs.replace(told, report=self._measure(recipe, lane, place, other))
                finally:
                    mock.stop()
            except (CannotRun, CannotMeasure) as error:
                return msgspec.structs.replace(told, absent=str(error))

    def _measure(self, recipe: Recipe, lane: str, place: Place, generator: set[int]) -> Report:
        started = recipe.start(place, lane)
        settle(ProcessTree(started.pids), 0.0, MOST_CALM_S, looks=CALM_LOOKS)
        plan = Plan(
            url=started.url, direct=place.upstream, model=started.model, key=started.key, fields=started.fields, pids=started.pids,
            connections=CONNECTIONS, windows=WINDOWS, seconds=max(recipe.window_s, window_s(self.lane_s, self.is_stream)),
            is_stream=self.is_stream)
        with on_cores(generator):
            try:
                found = measurements.run(plan, self.progress, f"python -m bench.peers: {recipe.name}, {lane}")
            finally:
                place.stop()
        # Charts and seconds are for a page about one gateway; a comparison keeps the figures.
        sections = [msgspec.structs.replace(one, charts=[], timeline=[]) for one in found.sections]
        return msgspec.structs.replace(found, sections=sections)
