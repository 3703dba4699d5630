"""Added latency: blocks of requests at one connection, direct and through the gateway, in ABBA order; and the A/A floor.

Each round goes through all arms forwards and then backwards, so that what drifts meanwhile falls on all alike; it gives one p50 and one
p99 for each arm, and the rounds' differences are what the interval is of. The first two arms are the same server twice: the floor.
"""
from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from fastgw.bench import verdict
from fastgw.bench.figures import Chart, Curve, Figure, Section, figure
from fastgw.bench.generator import Load
from fastgw.bench.histogram import Histogram
from fastgw.bench.intervals import bootstrap
from fastgw.bench.machine import Watch
from fastgw.bench.rig import Lane, Rig

FLOOR = "A/A floor"
LEAST_ROUNDS = 7
LEAST_FOR_P99 = 100
MOST_BLOCK_S = 1.0
NINES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999)

Pick = Callable[[Load], Histogram]


class Arm:
    """One server in a paired run: its connection, and a p50 and p99 for each round."""

    def __init__(self, name: str, load: Load) -> None:
        self.name, self.load = name, load
        self.p50_ns: list[int] = []
        self.p99_ns: list[int] = []
        self.total = Histogram()
        self.wrong: list[str] = []
        self.compared = self.changed = self.stalled = 0

    def __repr__(self) -> str:
        return f"<Arm {self.name}, {len(self.p50_ns)} rounds>"


def play(rig: Rig, arms: Sequence[Arm], block: int, pick: Pick) -> None:
    """Play the rounds; ends early, but not before LEAST_ROUNDS, when they take longer than they should."""
    deadline = time.monotonic() + max(20.0, 4 * rig.plan.seconds)
    for number in range(rig.plan.rounds):
        found = {arm.name: Histogram() for arm in arms}
        for arm in [*arms, *reversed(arms)]:
            rig.drive(arm.load, requests=block, says=f"round {number + 1} of {rig.plan.rounds}, {arm.name}:")
            found[arm.name].merge(pick(arm.load))
            arm.wrong += verdict.failed(arm.load)
            arm.compared += arm.load.compared
            arm.changed += arm.load.changed
            arm.stalled += verdict.stalled(pick(arm.load))
        for arm in arms:
            arm.p50_ns.append(found[arm.name].percentile_ns(0.5))
            arm.p99_ns.append(found[arm.name].percentile_ns(0.99))
            arm.total.merge(found[arm.name])
        if any(arm.wrong for arm in arms) or number + 1 >= LEAST_ROUNDS and time.monotonic() > deadline:
            return


def differences(
    name: str, lane: str, first: Arm, second: Arm, wrong: Sequence[str], floors: dict[str, float]
) -> list[Figure]:
    """p50 and p99 of the second less the first, with intervals; a value within the floor is said to be below resolution."""
    found = []
    for part, ones, twos in (("p50", first.p50_ns, second.p50_ns), ("p99", first.p99_ns, second.p99_ns)):
        void = [*wrong, *first.wrong, *second.wrong]
        gaps = [(two - one) / 1e3 for one, two in zip(ones, twos, strict=True)]
        if len(gaps) < LEAST_ROUNDS:
            void.append(f"only {len(gaps)} rounds (at least {LEAST_ROUNDS})")
        if part == "p99" and min(first.total.count, second.total.count) < LEAST_FOR_P99 * max(1, len(gaps)):
            void.append(f"too few samples in a round for a p99 (at least {LEAST_FOR_P99})")
        low, high = bootstrap(gaps) if len(gaps) > 1 else (0.0, 0.0)
        value = statistics.median(gaps) if gaps else 0.0
        note = ""
        if lane == FLOOR:
            floors[part] = max(abs(low), abs(high))
            note = "" if low <= 0 <= high else "does not contain zero: figures below are off by as much"
        elif low <= 0 <= high or abs(value) <= floors.get(part, 0.0):
            note = "below resolution"
        found.append(figure(f"{name} {part}", "us", lane, value, void, low=low, high=high, note=note))
    return found


def block_size(rig: Rig, arms: Sequence[Arm]) -> int:
    """As many requests as the plan says, but no more than a second's worth."""
    slowest_s = 0.0
    for arm in arms:
        rig.drive(arm.load, requests=5)
        slowest_s = max(slowest_s, arm.load.latencies.percentile_ns(0.5) / 1e9)
    return max(1, min(rig.plan.block, int(MOST_BLOCK_S / max(slowest_s, 1e-6))))


def open_arms(rig: Rig, make: Callable[[Lane], Load]) -> list[Arm]:
    """The reference twice, then every lane."""
    reference = rig.direct or rig.lanes[0]
    lanes = rig.lanes if rig.direct else rig.lanes[1:]
    twice = [Arm(reference.name, make(reference)), Arm(f"{reference.name} again", make(reference))]
    return twice + [Arm(lane.name, make(lane)) for lane in lanes]


def compare(rig: Rig, arms: Sequence[Arm], name: str, wrong: Sequence[str]) -> list[Figure]:
    """The floor, each lane beside the reference, and governed beside bare."""
    floors: dict[str, float] = {}
    found = differences(name, FLOOR, arms[0], arms[1], wrong, floors)
    for arm in arms[2:]:
        found += differences(name, f"{arm.name} - {arms[0].name}", arms[0], arm, wrong, floors)
    by_name = {arm.name: arm for arm in arms}
    if rig.direct and len(rig.lanes) == 2:
        found += differences(name, "governed - bare", by_name["bare"], by_name["governed"], wrong, floors)
    return found


def fidelity(arm: Arm, void: Sequence[str]) -> Figure:
    """How many replies had exactly the bytes that the provider sends."""
    wrong = list(void) if arm.compared else [*void, "the provider does not answer the same request twice in the same way"]
    return figure("same bytes", "%", arm.name, 100 * (1 - arm.changed / max(1, arm.compared)), wrong)


def percentile_curve(label: str, found: Histogram, scale: float) -> Curve:
    """Latency by percentile, as far as the samples reach."""
    return Curve(label, [(share, found.percentile_ns(share) / scale) for share in NINES if found.count * (1 - share) >= 1])


def measure(rig: Rig) -> Section:
    rig.progress.step("added latency at one connection")
    asked = rig.asked()
    arms = open_arms(rig, lambda lane: rig.load(lane, asked, connections=1))
    block = block_size(rig, arms)
    watch = Watch()
    play(rig, arms, block, lambda load: load.latencies)
    for arm in arms:
        arm.load.close()
    wrong = verdict.disturbed(watch.weather())
    figures = compare(rig, arms, "added", wrong)
    for arm in arms:
        if arm is not arms[1]:
            figures += [
                figure("p50", "us", arm.name, arm.total.percentile_ns(0.5) / 1e3, [*wrong, *arm.wrong]),
                figure("p99", "us", arm.name, arm.total.percentile_ns(0.99) / 1e3, [*wrong, *arm.wrong]),
                figure("at 38-44 ms", "%", arm.name, 100 * arm.stalled / max(1, arm.total.count), [*wrong, *arm.wrong]),
                fidelity(arm, arm.wrong),
            ]
    notes = [] if rig.direct else [
        "no --direct URL was named: what a gateway adds cannot be told, only how fine this rig can see (the floor)"]
    shown = [arm for arm in arms if arm is not arms[1] and not arm.wrong]
    chart = Chart("percentiles", "paired", "Latency at one connection", "percentile", "us", [
        percentile_curve(arm.name, arm.total, 1e3) for arm in shown])
    return Section(
        "paired", "Added latency, one connection",
        f"{len(arms[0].p50_ns)} rounds in ABBA order, {block} requests a block; medians of the rounds' differences with 99 % bootstrap "
        "intervals",
        figures, [chart] if shown and not wrong else [], notes)
