"""The frontier: how many requests per second pass while p99 stays under 1, 5 and 10 ms, with no failure."""
from __future__ import annotations

from fastgw.bench import verdict
from fastgw.bench.figures import Chart, Curve, Figure, Section, figure
from fastgw.bench.machine import Watch
from fastgw.bench.rig import Lane, Rig

BOUNDS_MS = (1, 5, 10)
CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
HOPELESS_MS = 50


class Step:
    """One lane at one number of connections."""

    def __init__(self, connections: int, rate: float, p99_ms: float, wrong: list[str], limits: list[str]) -> None:
        self.connections, self.rate, self.p99_ms, self.wrong, self.limits = connections, rate, p99_ms, wrong, limits

    def __repr__(self) -> str:
        return f"<Step {self.connections}: {self.rate:.0f}/s, p99 {self.p99_ms:.2f} ms>"


def climb(rig: Rig, lane: Lane) -> list[Step]:
    """Double the connections until requests fail or the tail is past hope."""
    steps: list[Step] = []
    asked = rig.asked()
    for connections in CONNECTIONS:
        rig.progress.step(f"frontier, {lane.name}, {connections} connections")
        load = rig.load(lane, asked, connections=connections)
        rig.drive(load, seconds=rig.plan.seconds / 3)
        load.close()
        step = Step(
            connections, load.replies / max(1e-9, load.wall_ns / 1e9), load.latencies.percentile_ns(0.99) / 1e6, verdict.failed(load),
            verdict.limited_by_generator(load, verdict.MOST_BUSY_CLOSED))
        steps.append(step)
        if step.wrong or step.p99_ms > HOPELESS_MS:
            break
    return steps


def best(steps: list[Step], bound_ms: int, lane: str, disturbed: list[str], direct: float) -> tuple[Figure, float]:
    """The greatest rate within the bound. Steps that failed are not on the frontier; a generator at its limit voids the best one."""
    within = [step for step in steps if not step.wrong and step.p99_ms < bound_ms]
    name = f"p99 < {bound_ms} ms"
    if not within:
        why = steps[0].wrong or [f"p99 is {steps[0].p99_ms:.2f} ms at one connection already"]
        return figure(name, "1/s", lane, 0.0, [*disturbed, *why]), 0.0
    step = max(within, key=lambda one: one.rate)
    wrong = [*disturbed, *step.limits]
    if lane != "direct" and direct:
        wrong += verdict.limited_by_mock(step.rate, direct)
    return figure(name, "1/s", lane, step.rate, wrong, note=f"at {step.connections} connections"), step.rate


def measure(rig: Rig) -> Section:
    watch = Watch()
    found = {lane.name: climb(rig, lane) for lane in rig.all}
    disturbed = verdict.disturbed(watch.weather())
    figures: list[Figure] = []
    direct: dict[int, float] = {}
    for name, steps in found.items():
        for bound_ms in BOUNDS_MS:
            one, rate = best(steps, bound_ms, name, disturbed, direct.get(bound_ms, 0.0))
            if name == "direct":
                direct[bound_ms] = rate
            figures.append(one)
    # Where the load ends tells as much as what passed; a failed step is no void figure, it is the edge.
    notes = [f"{name}: {steps[-1].wrong[0]} at {steps[-1].connections} connections" for name, steps in found.items() if steps[-1].wrong]
    curves = [Curve(name, [(step.rate, step.p99_ms) for step in steps if not (step.wrong or step.limits)]) for name, steps in found.items()]
    chart = Chart("lines", "frontier", "Frontier", "requests/s", "p99, ms", [curve for curve in curves if curve.points])
    return Section(
        "frontier", "Frontier",
        "the most requests per second, over doubling numbers of connections, that keep p99 under a bound with no failure",
        figures, [chart] if chart.curves and not disturbed else [], notes)
