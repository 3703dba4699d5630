"""The open loop: requests are due at a rate, whatever the replies do, and latency counts from when each was due."""
from __future__ import annotations

import statistics

from fastgw.bench import verdict
from fastgw.bench.figures import Chart, Figure, Moment, Section, figure
from fastgw.bench.histogram import Histogram
from fastgw.bench.machine import Watch
from fastgw.bench.paired import percentile_curve
from fastgw.bench.rig import Lane, Rig

SHARES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))


class Offered:
    """All windows of one lane, and what is wrong with each percentile."""

    def __init__(self) -> None:
        self.total = Histogram()
        self.lags = Histogram()
        self.wrong: list[str] = []
        self.late: dict[str, list[str]] = {name: [] for name, _ in SHARES}
        self.windows: dict[str, list[float]] = {name: [] for name, _ in SHARES}
        self.replies = self.stalled = 0
        self.span_s = 0.0

    def __repr__(self) -> str:
        return f"<Offered {self.replies} replies>"


def measure(rig: Rig) -> Section:
    plan = rig.plan
    asked = rig.asked()
    found = {lane.name: Offered() for lane in rig.all}
    timeline: list[Moment] = []
    watch = Watch()
    for number, lane in enumerate(rig.turns(rig.all, plan.windows)):
        rig.progress.step(f"open loop, {plan.rate:,g}/s, window {number + 1} of {plan.windows * len(rig.all)}: {lane.name}")
        load = rig.load(lane, asked, connections=plan.connections)
        # The same moments for every lane: what a Poisson process does to one it does to the others.
        rig.drive(load, seconds=plan.seconds, rate=plan.rate, seed=number // len(rig.all) + 1)
        timeline += rig.moments(lane, load)
        load.close()
        one = found[lane.name]
        one.wrong += verdict.failed(load) + verdict.off_rate(load) + verdict.limited_by_generator(load, verdict.MOST_BUSY_OPEN)
        one.total.merge(load.latencies)
        one.lags.merge(load.lags)
        for name, share in SHARES:
            one.late[name] += verdict.late_generator(load, share)
            one.windows[name].append(load.latencies.percentile_ns(share) / 1e3)
        one.replies += load.replies
        one.stalled += verdict.stalled(load.latencies)
        one.span_s += load.reply_span_ns / 1e9
    disturbed = verdict.disturbed(watch.weather())
    figures = [each for lane in rig.all for each in figures_of(lane, found[lane.name], disturbed)]
    if rig.direct:
        figures += [each for lane in rig.lanes for each in added(lane.name, found["direct"], found[lane.name], disturbed)]
    curves = [percentile_curve(name, one.total, 1e3) for name, one in found.items() if not (one.wrong or disturbed)]
    chart = Chart("percentiles", "open", f"Latency at {plan.rate:,g} requests/s", "percentile", "us", curves)
    how = "as a Poisson process" if plan.is_poisson else "evenly"
    return Section(
        "open", f"Open loop, {plan.rate:,g} requests/s",
        f"requests due {how} over at most {plan.connections} connections in windows of {plan.seconds:g} s, {plan.windows} a lane; "
        "latency from when each was due",
        figures, [chart] if curves else [], timeline=timeline)


def figures_of(lane: Lane, one: Offered, disturbed: list[str]) -> list[Figure]:
    wrong = [*one.wrong, *disturbed]
    found = [figure("rate", "1/s", lane.name, one.replies / max(1e-9, one.span_s), wrong)]
    for name, share in SHARES:
        # One late window spoils the percentile of all: which samples were late is not known any more.
        found.append(figure(name, "us", lane.name, one.total.percentile_ns(share) / 1e3, [*wrong, *one.late[name][:1]]))
    found.append(figure("at 38-44 ms", "%", lane.name, 100 * one.stalled / max(1, one.total.count), wrong))
    found.append(figure("generator late p99", "us", lane.name, one.lags.percentile_ns(0.99) / 1e3, wrong))
    return found


def added(name: str, direct: Offered, one: Offered, disturbed: list[str]) -> list[Figure]:
    """What the lane adds, window by window; the least and the greatest stand beside the median."""
    figures = []
    for part, _ in SHARES:
        gaps = [through - straight for straight, through in zip(direct.windows[part], one.windows[part], strict=True)]
        wrong = [*direct.wrong, *one.wrong, *direct.late[part][:1], *one.late[part][:1], *disturbed]
        figures.append(figure(f"added {part}", "us", name, statistics.median(gaps), wrong, low=min(gaps), high=max(gaps)))
    return figures
