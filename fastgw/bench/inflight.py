"""Many requests in flight to a slow provider: an open loop at the rate that keeps so many there (Little: rate x latency)."""
from __future__ import annotations

import resource

from fastgw.bench import verdict
from fastgw.bench.closed import spend, too_little
from fastgw.bench.figures import CannotMeasure, Chart, Curve, Figure, Section, figure
from fastgw.bench.machine import Watch
from fastgw.bench.rig import Rig

IN_FLIGHT = (16, 64, 256, 1024)
LEAST_LATENCY_S = 0.005
LEAST_ROUND_TRIPS = 4
SPARE_CONNECTIONS = 2
"""Twice as many connections as should be in flight, so that an open loop stays open when latency grows."""


def provider_latency_s(rig: Rig) -> float:
    """How slow the provider is, as a median of a few requests at one connection."""
    lane = rig.direct or rig.lanes[0]
    load = rig.load(lane, rig.asked(), connections=1)
    rig.drive(load, requests=5)
    load.close()
    if wrong := verdict.failed(load):
        raise CannotMeasure(f"{lane.name}: {wrong[0]}")
    found = load.latencies.percentile_ns(0.5) / 1e9
    if found < LEAST_LATENCY_S:
        raise CannotMeasure(
            f"--in-flight needs a slow provider, and {lane.name} answers in {1e3 * found:.2f} ms: start it as "
            "`fastgw mock --latency 20` (and again with 1500)")
    return found


def allow_descriptors(count: int) -> None:
    """Raise the limit of open files; raises CannotMeasure where it stays too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise CannotMeasure(f"expected at least {count} open files to be allowed, found {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def measure(rig: Rig) -> Section:
    rig.progress.step("how slow the provider is")
    latency_s = provider_latency_s(rig)
    allow_descriptors(SPARE_CONNECTIONS * max(IN_FLIGHT) + 64)
    seconds = max(rig.plan.seconds, LEAST_ROUND_TRIPS * latency_s)
    figures: list[Figure] = []
    curves: dict[str, list[tuple[float, float]]] = {lane.name: [] for lane in rig.all}
    asked = rig.asked()
    beyond: dict[str, str] = {}
    for in_flight in IN_FLIGHT:
        rate = in_flight / latency_s
        direct_ns: dict[str, int] = {}
        direct_wrong: list[str] = []
        for lane in rig.all:
            if lane.name in beyond:
                continue
            rig.progress.step(f"{in_flight} in flight, {rate:,.0f}/s: {lane.name}")
            watch = Watch()
            load = rig.load(lane, asked, connections=SPARE_CONNECTIONS * in_flight)
            spent = spend(rig, lane, load, seconds=seconds, rate=rate)
            load.close()
            wrong = verdict.failed(load) + verdict.off_rate(load) + verdict.limited_by_generator(load, verdict.MOST_BUSY_OPEN)
            wrong += verdict.disturbed(watch.weather())
            found = {name: load.latencies.percentile_ns(share) for name, share in (("p50", 0.5), ("p99", 0.99))}
            at = f"{in_flight} in flight"
            if lane is rig.direct:
                direct_ns, direct_wrong = found, wrong
            figures.append(figure("rate", "1/s", lane.name, load.replies / max(1e-9, load.reply_span_ns / 1e9), wrong, at=at))
            for name, value in found.items():
                late = verdict.late_generator(load, 0.5 if name == "p50" else 0.99)
                figures.append(figure(name, "ms", lane.name, value / 1e6, [*wrong, *late], at=at))
                if direct_ns and lane is not rig.direct:
                    added = (value - direct_ns[name]) / 1e6
                    figures.append(figure(f"added {name}", "ms", lane.name, added, [*wrong, *late, *direct_wrong], at=at))
            if spent:
                cost_us = 1e6 * (spent.cpu_s - spent.idle_s) / max(1, load.replies)
                figures.append(figure("CPU", "us/request", lane.name, cost_us, [*wrong, *too_little(load, spent)], at=at))
            if wrong:
                beyond[lane.name] = f"{lane.name}: not tried beyond {at}"
            else:
                curves[lane.name].append((in_flight, found["p99"] / 1e6))
    chart = Chart("lines", "in-flight", f"A provider of {1e3 * latency_s:.0f} ms", "in flight", "p99, ms", [
        Curve(name, points) for name, points in curves.items() if points])
    return Section(
        "in-flight", f"In flight, provider of {1e3 * latency_s:.0f} ms",
        f"open loop at (in flight / {1e3 * latency_s:.1f} ms) requests/s for {seconds:.0f} s; latency from when each was due",
        figures, [chart] if chart.curves else [], list(beyond.values()))
