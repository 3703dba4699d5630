"""Which measurements a plan asks for, in order; the report that they make."""
from __future__ import annotations

import datetime
import time
from collections.abc import Callable

from fastgw.bench import closed, frontier, inflight, machine, offered, paired, payloads, streams
from fastgw.bench.figures import Report, Section
from fastgw.bench.plan import Plan
from fastgw.bench.progress import Progress
from fastgw.bench.rig import Rig

FORMAT = 1
"""Of the JSON; it grows when a member changes its meaning."""

# Must begin with the paired run: it has the floor, which is always shown.
MEASUREMENTS: tuple[tuple[Callable[[Plan], bool], Callable[[Rig], Section]], ...] = (
    (lambda plan: True, paired.measure),
    (lambda plan: True, closed.measure),
    (lambda plan: plan.rate > 0, offered.measure),
    (lambda plan: plan.is_stream, streams.measure),
    (lambda plan: plan.has_frontier, frontier.measure),
    (lambda plan: plan.has_payloads, payloads.measure),
    (lambda plan: plan.has_in_flight, inflight.measure),
)


def run(plan: Plan, progress: Progress, command: str) -> Report:
    """Measure all that the plan asks for; raises CannotMeasure where nothing can be."""
    began = time.monotonic()
    began_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    found = machine.machine()
    rig = Rig(plan, progress)
    try:
        rig.prepare()
        sections = [measure(rig) for is_wanted, measure in MEASUREMENTS if is_wanted(plan)]
    finally:
        progress.done()
    targets = {
        lane.name: {"url": lane.target.url, "server": lane.server, "processes": repr(lane.spending) if lane.spending else ""}
        for lane in rig.all
    }
    return Report(FORMAT, command, began_at, round(time.monotonic() - began, 1), found, machine.versions(), targets, sections)
