"""When a figure is void: each rule looks at what happened and returns the reasons, in words for a person."""
from __future__ import annotations

from fastgw.bench.generator import Load
from fastgw.bench.histogram import Histogram
from fastgw.bench.machine import Weather

MOST_STEAL = 0.01
MOST_BUSY_CLOSED = 0.90
MOST_BUSY_OPEN = 0.60
LEAST_REACHED = 0.99
NEAR_MOCK = 0.90
STALL_NS = (38_000_000, 44_000_000)
"""Where delayed acknowledgements (40 ms in Linux) show."""
LATE_NS = 200_000
"""A sleeping process always wakes a little late, and so does a real client."""
SLACK_NS = 20_000_000
"""The rate of a run of seconds is not blamed for the latency of its last reply, up to this."""


def failed(load: Load) -> list[str]:
    """Any reply that was not as it must be."""
    wrong = []
    if load.errors:
        kinds = ", ".join(f"{name} ({count})" for name, count in load.faults().items())
        sample = " ".join(load.first_fault.decode("utf-8", "replace").split())[:160]
        wrong.append(f"{load.errors:,} of {load.sent:,} requests failed: {kinds}" + (f"; the first: {sample}" if sample else ""))
    if load.unanswered:
        wrong.append(f"{load.unanswered:,} requests got no reply in time")
    if not load.replies and not wrong:
        wrong.append("no reply at all")
    return wrong


def disturbed(weather: Weather) -> list[str]:
    """What the machine did to the run."""
    wrong = []
    if weather.steal > MOST_STEAL:
        wrong.append(f"the hypervisor took {weather.steal:.1%} of the CPU (steal; at most {MOST_STEAL:.0%})")
    if weather.swapped_pages:
        wrong.append(f"the machine swapped ({weather.swapped_pages:,} pages)")
    return wrong


def busy_share(load: Load) -> float:
    """The generator's CPU time per wall time."""
    return load.busy_ns / load.wall_ns if load.wall_ns else 0.0


def limited_by_generator(load: Load, most: float) -> list[str]:
    share = busy_share(load)
    if share > most:
        return [f"the generator was near its own limit (busy {share:.0%} of its core; at most {most:.0%})"]
    return []


def limited_by_mock(lane_rate: float, direct_rate: float) -> list[str]:
    """A gateway that is as fast as its upstream was not the limit."""
    if lane_rate >= NEAR_MOCK * direct_rate:
        return [f"the upstream was near its own limit ({lane_rate:,.0f}/s through, {direct_rate:,.0f}/s direct)"]
    return []


def off_rate(load: Load) -> list[str]:
    """Replies came more slowly than requests were due: the latencies are those of a queue that grows."""
    if load.replies < 2:
        return []
    reached = load.due_span_ns / max(1, load.reply_span_ns - SLACK_NS)
    if reached < LEAST_REACHED:
        return [f"only {reached:.1%} of the rate was reached (at least {LEAST_REACHED:.0%})"]
    return []


def late_generator(load: Load, share: float) -> list[str]:
    """The generator sent late by itself, by as much as the figure is."""
    lag, latency = load.lags.percentile_ns(share), load.latencies.percentile_ns(share)
    if lag > max(LATE_NS, latency / 2):
        return [f"the generator itself was late ({lag / 1e6:.2f} ms of {latency / 1e6:.2f} ms at this percentile)"]
    return []


def stalled(found: Histogram) -> int:
    """Samples from 38 to 44 ms."""
    return found.between(*STALL_NS)
