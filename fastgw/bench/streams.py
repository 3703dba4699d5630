"""Streams: time to the first content, gaps, whether bytes and chunks come through as they were sent, and CPU per chunk by slope."""
from __future__ import annotations

import statistics
from collections.abc import Sequence

from fastgw.bench import verdict
from fastgw.bench.closed import spend
from fastgw.bench.figures import Chart, Figure, Section, figure
from fastgw.bench.histogram import Histogram
from fastgw.bench.machine import Watch
from fastgw.bench.paired import Arm, block_size, compare, fidelity, open_arms, percentile_curve, play
from fastgw.bench.rig import Lane, Rig

SHORT, LONG = 1, 257
LEAST_MORE_CHUNKS = 32
SLOPES = 5
SLOPE_CONNECTIONS = 8
STREAMS_PER_BLOCK = 50
AT_ONCE = "all chunks of a stream came at once: gaps need a provider that paces (fastgw mock --gap 5)"
GAPS = (("p50", 0.5), ("p99", 0.99))


class Chunks:
    """What the streams of one lane looked like, beside their timings."""

    def __init__(self) -> None:
        self.gaps = Histogram()
        self.contents = self.together = self.streams = 0

    def __repr__(self) -> str:
        return f"<Chunks {self.contents} in {self.streams} streams>"


def measure(rig: Rig) -> Section:
    rig.progress.step("streams at one connection")
    asked = rig.asked(is_stream=True)
    arms = open_arms(rig, lambda lane: rig.load(lane, asked, connections=1))
    block = max(1, min(STREAMS_PER_BLOCK, block_size(rig, arms)))
    watch = Watch()
    play(rig, arms, block, lambda load: load.firsts)
    seen = {arm.name: chunks_of(rig, arm, block) for arm in arms if arm is not arms[1]}
    for arm in arms:
        arm.load.close()
    wrong = verdict.disturbed(watch.weather())
    figures = compare(rig, arms, "added TTFT", wrong) + added_gaps(arms[0], arms[2:], seen, wrong)
    for arm in arms:
        if arm is not arms[1]:
            figures += arm_figures(arm, seen[arm.name], wrong)
    for lane in rig.lanes:
        if lane.spending:
            figures.append(slope(rig, lane))
    good = [arm for arm in arms if arm is not arms[1] and not (arm.wrong or wrong)]
    chart = Chart("percentiles", "ttft", "Time to first content", "percentile", "us", [
        percentile_curve(arm.name, arm.total, 1e3) for arm in good])
    return Section(
        "streams", "Streams, one connection",
        f"{len(arms[0].p50_ns)} rounds in ABBA order, {block} streams of {rig.plan.tokens} tokens a block; TTFT is the time to the first "
        "event that has content",
        figures, [chart] if good else [],
        [] if seen[arms[0].name].gaps.count else [AT_ONCE])


def chunks_of(rig: Rig, arm: Arm, block: int) -> Chunks:
    """One more block, for what is no difference of two: gaps between chunks, chunks that came together."""
    rig.drive(arm.load, requests=max(block, 10))
    arm.wrong += verdict.failed(arm.load)
    found = Chunks()
    found.gaps.merge(arm.load.gaps)
    found.contents, found.together, found.streams = arm.load.contents_seen, arm.load.together, arm.load.replies
    return found


def arm_figures(arm: Arm, seen: Chunks, disturbed: Sequence[str]) -> list[Figure]:
    wrong = [*disturbed, *arm.wrong]
    found = [
        figure("TTFT p50", "us", arm.name, arm.total.percentile_ns(0.5) / 1e3, wrong),
        figure("TTFT p99", "us", arm.name, arm.total.percentile_ns(0.99) / 1e3, wrong),
        figure("TTFT at 38-44 ms", "%", arm.name, 100 * arm.stalled / max(1, arm.total.count), wrong),
        figure("chunks", "1/stream", arm.name, seen.contents / max(1, seen.streams), wrong),
        figure("came together", "%", arm.name, 100 * seen.together / max(1, seen.contents), wrong),
        fidelity(arm, wrong),
    ]
    if seen.gaps.count:
        found += [figure(f"gap {part}", "us", arm.name, seen.gaps.percentile_ns(share) / 1e3, wrong) for part, share in GAPS]
    return found


def added_gaps(first: Arm, arms: Sequence[Arm], seen: dict[str, Chunks], disturbed: Sequence[str]) -> list[Figure]:
    """How much further apart chunks come than from the reference; from one block, so without an interval."""
    found = []
    for arm in arms:
        for part, share in GAPS:
            one, two = seen[first.name].gaps, seen[arm.name].gaps
            if one.count and two.count:
                value = (two.percentile_ns(share) - one.percentile_ns(share)) / 1e3
                found.append(figure(f"added gap {part}", "us", f"{arm.name} - {first.name}", value, [*disturbed, *first.wrong, *arm.wrong]))
    return found


def slope(rig: Rig, lane: Lane) -> Figure:
    """CPU per chunk: streams of 257 tokens less streams of 1, so that what a request costs cancels out."""
    rig.progress.step(f"CPU per chunk: {lane.name}")
    watch = Watch()
    slopes: list[float] = []
    wrong: list[str] = []
    for _ in range(SLOPES):
        costs, chunks = [], []
        for tokens in (SHORT, LONG):
            load = rig.load(lane, rig.asked(is_stream=True, tokens=tokens), connections=SLOPE_CONNECTIONS)
            spent = spend(rig, lane, load, seconds=rig.plan.seconds / 2, says=f"{tokens} tokens:")
            load.close()
            wrong += verdict.failed(load)
            if spent is None or wrong:
                break
            costs.append((spent.cpu_s - spent.idle_s) / max(1, load.replies))
            chunks.append(load.contents_seen / max(1, load.replies))
        if wrong:
            break
        more = chunks[1] - chunks[0]
        if more < LEAST_MORE_CHUNKS:
            wrong.append(f"the provider sent {chunks[1]:.0f} chunks for {LONG} tokens: start the mock as `fastgw mock --tokens {LONG}`")
            break
        slopes.append(1e6 * (costs[1] - costs[0]) / more)
    wrong += verdict.disturbed(watch.weather())
    values = slopes or [0.0]
    return figure("CPU", "us/chunk", lane.name, statistics.median(values), wrong, low=min(values), high=max(values))
