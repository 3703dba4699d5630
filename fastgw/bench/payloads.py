"""What size costs: a + b per KiB, fitted to bodies from 0.3 to 150 KiB."""
from __future__ import annotations

from fastgw.bench import verdict
from fastgw.bench.closed import spend
from fastgw.bench.figures import Chart, Curve, Figure, Section, figure
from fastgw.bench.intervals import bootstrap_line, line
from fastgw.bench.machine import Watch
from fastgw.bench.rig import Lane, Rig

SIZES_BYTES = (0, 1 << 10, 4_505, 16 << 10, 64 << 10, 150_000)
REPEATS = 3
CONNECTIONS = 8

Point = tuple[float, float]


def points_of(rig: Rig, lane: Lane, size: int) -> tuple[list[Point], list[str]]:
    """(KiB in both directions, CPU microseconds; of latency where no process is named) of a few windows."""
    found: list[Point] = []
    wrong: list[str] = []
    asked = rig.asked(body_bytes=size)
    sent_bytes = len(rig.template(asked).body)
    for _ in range(REPEATS):
        load = rig.load(lane, asked, connections=CONNECTIONS if lane.spending else 1)
        spent = spend(rig, lane, load, seconds=rig.plan.seconds / 3, says=f"{sent_bytes:,} bytes:")
        load.close()
        wrong += verdict.failed(load)
        if wrong:
            break
        kib = (sent_bytes + load.body_bytes / max(1, load.replies)) / 1024
        cost = load.latencies.percentile_ns(0.5) / 1e3 if spent is None else 1e6 * (spent.cpu_s - spent.idle_s) / load.replies
        found.append((kib, cost))
    return found, wrong


def measure(rig: Rig) -> Section:
    watch = Watch()
    groups: dict[str, list[list[Point]]] = {}
    wrong: dict[str, list[str]] = {}
    for lane in rig.all:
        if lane is rig.direct and any(other.spending for other in rig.lanes):
            continue                            # CPU of the gateway is what is asked for, and the provider has none
        groups[lane.name], wrong[lane.name] = [], []
        for size in SIZES_BYTES:
            rig.progress.step(f"payloads, {lane.name}, {size:,} bytes")
            found, problems = points_of(rig, lane, size)
            wrong[lane.name] += problems
            if found:
                groups[lane.name].append(found)
    disturbed = verdict.disturbed(watch.weather())
    figures: list[Figure] = []
    for lane in rig.all:
        if lane.name in groups:
            figures += fit(lane, groups[lane.name], [*wrong[lane.name], *disturbed])
    chart = Chart("lines", "payloads", "Cost by size", "KiB, request and reply", "us", [
        Curve(name, [min(group, key=lambda point: point[1]) for group in found])
        for name, found in groups.items() if found and not wrong[name]])
    return Section(
        "payloads", "Payloads",
        f"least squares over {len(SIZES_BYTES)} sizes, {REPEATS} windows each, with 99 % bootstrap intervals: cost = a + b per KiB of "
        "request and reply together",
        figures, [chart] if chart.curves and not disturbed else [])


def fit(lane: Lane, groups: list[list[Point]], wrong: list[str]) -> list[Figure]:
    what = "CPU" if lane.spending else "latency"
    if len(groups) < 2:
        return [figure(f"{what} a", "us", lane.name, 0.0, wrong or ["fewer than two sizes were measured"])]
    a, b = line([point for group in groups for point in group])
    (a_low, a_high), (b_low, b_high) = bootstrap_line(groups)
    return [
        figure(f"{what} a", "us", lane.name, a, wrong, low=a_low, high=a_high),
        figure(f"{what} b", "us/KiB", lane.name, b, wrong, low=b_low, high=b_high),
    ]
