"""The closed loop: requests per second at so many connections, and what they cost in CPU, memory and context switches."""
from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from fastgw.bench import verdict
from fastgw.bench.figures import Chart, Curve, Figure, Moment, Section, figure
from fastgw.bench.generator import Load
from fastgw.bench.histogram import Histogram
from fastgw.bench.machine import Watch
from fastgw.bench.paired import percentile_curve
from fastgw.bench.request import Asked
from fastgw.bench.rig import Lane, Rig
from fastgw.bench.tree import LOOK_S, settle

MOST_MEMORY_S = 3.0
LEAST_REPLIES = 1000
LEAST_CPU_S = 0.2
MOST_IDLE = 1 / 3


class Spent:
    """What a lane's processes spent in one window."""

    def __init__(self, cpu_s: float, idle_s: float, switches: tuple[int, int] | None) -> None:
        self.cpu_s, self.idle_s, self.switches = cpu_s, idle_s, switches

    def __repr__(self) -> str:
        return f"<Spent {self.cpu_s:.2f} s, {self.idle_s:.2f} s of them idle>"


class Windows:
    """All windows of one lane."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.rates: list[float] = []
        self.cpu_us: list[float] = []
        self.net_us: list[float] = []
        self.switches: list[tuple[float, float]] = []
        self.total = Histogram()
        self.wrong: list[str] = []
        self.limits: list[str] = []
        self.cost_limits: list[str] = []

    def __repr__(self) -> str:
        return f"<Windows of {self.lane.name}: {len(self.rates)}>"

    def add(self, load: Load, spent: Spent | None) -> None:
        self.wrong += verdict.failed(load)
        self.limits += verdict.limited_by_generator(load, verdict.MOST_BUSY_CLOSED)
        self.total.merge(load.latencies)
        self.rates.append(load.replies / max(1e-9, load.wall_ns / 1e9))
        if spent is None or not load.replies:
            return
        self.cost_limits += too_little(load, spent)
        self.cpu_us.append(1e6 * spent.cpu_s / load.replies)
        self.net_us.append(1e6 * max(0.0, spent.cpu_s - spent.idle_s) / load.replies)
        if spent.switches:
            self.switches.append((spent.switches[0] / load.replies, spent.switches[1] / load.replies))


def too_little(load: Load, spent: Spent) -> list[str]:
    """Whether CPU time, which is told in hundredths of a second, is enough to be divided by the replies, and mostly theirs."""
    if load.replies >= LEAST_REPLIES and spent.cpu_s >= LEAST_CPU_S:
        if spent.idle_s > MOST_IDLE * spent.cpu_s:
            return [f"at rest it spent {spent.idle_s / spent.cpu_s:.0%} of what it spent under load (at most {MOST_IDLE:.0%}): "
                    "was it still starting?"]
        return []
    return [f"{load.replies:,} replies and {spent.cpu_s:.2f} s of CPU in a window are too few "
            f"(at least {LEAST_REPLIES:,} and {LEAST_CPU_S} s; more --seconds)"]


def spend(rig: Rig, lane: Lane, load: Load, *, seconds: float = 0.0, requests: int = 0, rate: float = 0.0, says: str = "") -> Spent | None:
    """Drive a load and read what the lane's processes spent on it, and on what they did afterwards because of it."""
    spending = lane.spending
    if spending is None:
        rig.drive(load, seconds=seconds, requests=requests, rate=rate, says=says)
        return None
    began, cpu, switches = time.monotonic(), spending.cpu_s(), spending.switches()
    rig.drive(load, seconds=seconds, requests=requests, rate=rate, says=says)
    settle(spending, lane.idle)
    cpu_s, idle_s = spending.cpu_s() - cpu, lane.idle * (time.monotonic() - began)
    after = spending.switches()
    both = (after[0] - switches[0], after[1] - switches[1]) if after and switches else None
    return Spent(cpu_s, idle_s, both)


def measure(rig: Rig) -> Section:
    plan = rig.plan
    asked = rig.asked()
    found = {lane.name: Windows(lane) for lane in rig.all}
    timeline: list[Moment] = []
    watch = Watch()
    for number, lane in enumerate(rig.turns(rig.all, plan.windows)):
        rig.progress.step(f"closed loop, {plan.connections} connections, window {number + 1} of {plan.windows * len(rig.all)}: {lane.name}")
        load = rig.load(lane, asked, connections=plan.connections)
        seen = rig.direct.target.mock_count() if rig.direct and lane is not rig.direct else None
        spent = spend(rig, lane, load, seconds=plan.seconds)
        found[lane.name].add(load, spent)
        found[lane.name].wrong += unseen(rig, seen, load)
        timeline += rig.moments(lane, load)
        load.close()
        if found[lane.name].wrong:
            break
    memories = {lane.name: memory(rig, lane, asked) for lane in rig.lanes if lane.spending and not found[lane.name].wrong}
    disturbed = verdict.disturbed(watch.weather())
    figures: list[Figure] = []
    for windows in found.values():
        figures += speed(rig, windows, found, disturbed) + cost(windows, disturbed) + memories.get(windows.lane.name, [])
    return Section(
        "closed", f"Closed loop, {plan.connections} connections",
        f"windows of {plan.seconds:g} s, {plan.windows} a lane, in turn; medians of the windows, with the least and the greatest; "
        "a closed loop waits for replies, so its latencies hide stalls (--rate shows them)",
        figures, charts(found, disturbed), timeline=timeline)


def unseen(rig: Rig, seen: int | None, load: Load) -> list[str]:
    """What the mock did not see, somebody answered from a cache."""
    now = rig.direct.target.mock_count() if rig.direct and seen is not None else None
    if seen is None or now is None or now - seen == load.sent or load.errors:
        return []
    return [f"the mock saw {now - seen:,} of {load.sent:,} requests: another load, retries, or replies from a cache"]


def speed(rig: Rig, windows: Windows, found: dict[str, Windows], disturbed: Sequence[str]) -> list[Figure]:
    name, wrong = windows.lane.name, [*windows.wrong, *disturbed]
    limits = list(windows.limits)
    rates = windows.rates or [0.0]
    if rig.direct and windows.lane is not rig.direct and found["direct"].rates:
        limits += verdict.limited_by_mock(statistics.median(rates), statistics.median(found["direct"].rates))
    return [
        figure("rate", "1/s", name, statistics.median(rates), [*wrong, *limits], low=min(rates), high=max(rates)),
        figure("p50", "us", name, windows.total.percentile_ns(0.5) / 1e3, wrong),
        figure("p99", "us", name, windows.total.percentile_ns(0.99) / 1e3, wrong),
    ]


def cost(windows: Windows, disturbed: Sequence[str]) -> list[Figure]:
    """CPU per successful request, as it is and less what the processes spend at rest; switches per request."""
    if windows.lane.spending is None:
        return []
    name, wrong = windows.lane.name, [*windows.wrong, *disturbed, *windows.cost_limits]
    gross, net = windows.cpu_us or [0.0], windows.net_us or [0.0]
    found = [
        figure("CPU", "us/request", name, statistics.median(net), wrong, low=min(net), high=max(net)),
        figure("CPU with idle", "us/request", name, statistics.median(gross), wrong, low=min(gross), high=max(gross)),
    ]
    for place, kind in enumerate(("switches", "preempted")):
        if windows.switches:
            values = [pair[place] for pair in windows.switches]
            found.append(figure(kind, "1/request", name, statistics.median(values), wrong, low=min(values), high=max(values)))
    return found


def memory(rig: Rig, lane: Lane, asked: Asked) -> list[Figure]:
    """Memory idle, under load (the greatest of a few looks) and once quiet; in a window of its own, since looking costs."""
    spending = lane.spending
    assert spending is not None
    rig.progress.step(f"memory under load: {lane.name}")
    load = rig.load(lane, asked, connections=rig.plan.connections)
    load.start(seconds=min(MOST_MEMORY_S, rig.plan.seconds))
    loaded = 0.0
    while load.advance(min(LOOK_S, rig.plan.seconds / 3)):
        loaded = max(loaded, spending.memory_mib())
    wrong = verdict.failed(load)
    load.close()
    settle(spending, lane.idle)
    kind = spending.memory_name
    return [
        figure(f"{kind} idle", "MiB", lane.name, lane.idle_mib),
        figure(f"{kind} loaded", "MiB", lane.name, max(loaded, lane.idle_mib), wrong),
        figure(f"{kind} after", "MiB", lane.name, spending.memory_mib(), wrong),
    ]


def charts(found: dict[str, Windows], disturbed: Sequence[str]) -> list[Chart]:
    good = [windows for windows in found.values() if not windows.wrong]
    if disturbed or not good:
        return []
    drawn = [Chart("percentiles", "closed", "Latency, closed loop", "percentile", "us", [
        percentile_curve(windows.lane.name, windows.total, 1e3) for windows in good])]
    costs = [
        Curve(one.lane.name, [(0.0, statistics.median(one.net_us))]) for one in good if one.net_us and not one.cost_limits]
    if costs:
        drawn.append(Chart("bars", "cost", "CPU per request", "", "us", costs))
    return drawn
