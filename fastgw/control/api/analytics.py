"""Sums over time and by name, as the console shows them: from the sums that the drain keeps."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fastgw._core.cube import Cube
from fastgw.control.api.asked import METADATA, QUERY, ask, asked_of
from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.problem import invalid, missing
from fastgw.record.analytics import NO_SUMS, Measures, Point, Ranking, groups, measures_of, overview
from fastgw.record.filters import Filters
from fastgw.record.rollups import DAY_S, DAYS_KEPT, SECOND_NS

SCOPE: Final = "analytics.view"
USUAL_S: Final = DAY_S          # of a range that is not said
USUAL_POINTS: Final = 120
MOST_POINTS: Final = 5000
MOST_GROUPS: Final = 500
STEPS: Final = {"minute": 60, "hour": 3600, "day": DAY_S}
# What `auto` takes, the shortest that gives no more than USUAL_POINTS.
STEPS_S: Final = (60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, *(DAY_S * days for days in (1, 2, 7, 30, 90, 365)))
GROUPS: Final = ("model", "key", "workspace", "user", "provider", "integration", "status", "error", "operation", "outcome", "cache")
ORDERS: Final = {"cost": "cost_nano_usd", "requests": "requests", "errors": "errors", "input_tokens": "input_tokens",
                 "output_tokens": "output_tokens"}  # fmt: skip
NOTHING: Final = measures_of(Cube(()), (), NO_SUMS)


class Totals(Struct):
    """What a range comes to; null where there is nothing to take a share or a percentile of."""

    requests: int
    errors: int
    error_rate: float | None
    cost_usd: float
    saved_usd: float
    input_tokens: int
    output_tokens: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    gateway_p50_ms: float | None
    gateway_p99_ms: float | None
    cache_hit_rate: float | None


class Overview(Struct):
    """A range in steps of equal length: each list has a value for each of `times`, in seconds since 1970, zeros where nothing happened."""

    since: str
    until: str
    step_s: int
    times: list[int]
    requests: list[int]
    errors: list[int]
    cost_usd: list[float]
    input_tokens: list[int]
    output_tokens: list[int]
    p50_ms: list[float | None]
    p99_ms: list[float | None]
    totals: Totals


class Group(Struct):
    """One name and what it comes to."""

    value: str
    requests: int
    errors: int
    cost_usd: float
    input_tokens: int
    output_tokens: int
    p50_ms: float | None
    p99_ms: float | None


class Groups(Struct):
    """The first names by what they were asked to be sorted by, and how many there are."""

    data: list[Group]
    total: int


class Steps(Struct, frozen=True):
    """Where a range begins and ends, and how it is cut."""

    first_s: int
    step_s: int
    count: int

    @property
    def times(self) -> range:
        return range(self.first_s, self.first_s + self.count * self.step_s, self.step_s)


class Seen(Struct, frozen=True):
    """A range over time, as a whole, and which share of what was looked up in the gateway's cache was there."""

    points: list[Point] = []
    whole: Measures = NOTHING
    hit_rate: float | None = None


class Analytics:
    """The overview, and what stands behind its numbers by name."""

    def __repr__(self) -> str:
        return "<Analytics>"

    def endpoints(self) -> list[Endpoint]:
        rows = (
            ("/analytics/overview", self.overview, "Requests, errors, cost, tokens and times over a range", Overview, (*QUERY, "step")),
            ("/analytics/groups/{by}", self.groups, f"The same by {', '.join(GROUPS)} or {METADATA}NAME", Groups,
             (*QUERY, "limit", "sort")),
        )
        return [
            Endpoint(method="GET", path=path, run=run, summary=summary, scope=SCOPE, uses="none", reply=reply, query=query, tag="analytics",
                     codes=("query_too_long", "unavailable"))
            for path, run, summary, reply, query in rows
        ]  # fmt: skip

    async def overview(self, call: Call) -> Answer:
        filters, _ = await asked_of(call, SCOPE, ("step",))
        filters = ranged(call, filters)
        steps = steps_of(call, filters, call.query.get("step", "auto"))
        seen = await ask(call, Seen(), partial(look, filters=filters, step_s=steps.step_s))
        by_time = filled(seen.points, steps)
        return Answer(
            Overview(
                since=moment(filters.since_ns) or "",
                until=moment(filters.until_ns) or "",
                step_s=steps.step_s,
                times=list(steps.times),
                requests=[one.requests for one in by_time],
                errors=[one.errors for one in by_time],
                cost_usd=[usd(one.cost_nano_usd) for one in by_time],
                input_tokens=[one.input_tokens for one in by_time],
                output_tokens=[one.output_tokens for one in by_time],
                p50_ms=[time_ms(one, "p50_ns") for one in by_time],
                p99_ms=[time_ms(one, "p99_ns") for one in by_time],
                totals=totals_of(seen.whole, seen.hit_rate),
            )
        )

    async def groups(self, call: Call) -> Answer:
        by = call.path["by"]
        if by not in GROUPS and not (by.startswith(METADATA) and by != METADATA):
            raise missing("group", by[:100])
        filters, _ = await asked_of(call, SCOPE, ("limit", "sort"))
        if (order := ORDERS.get(sort := call.query.get("sort", "requests"))) is None:
            raise invalid("?sort", f"one of {', '.join(ORDERS)}", repr(sort[:40]))
        limit = call.integer("limit", 50, 1, MOST_GROUPS)
        ranking = await rank(call, ranged(call, filters), by.replace(METADATA, "metadata:", 1), order, MOST_GROUPS + 1)
        # what went well has no error
        found = [one for one in ranking.groups if one.name or by != "error"]
        total = ranking.total - (len(ranking.groups) - len(found))
        return Answer(Groups([group_of(one.name, one.measures) for one in found[:limit]], total))


async def rank(call: Call, filters: Filters, by: str, order: str, limit: int, offset: int = 0) -> Ranking:
    return await ask(call, Ranking([], 0), partial(groups, filters=filters, by=by, order=order, limit=limit, offset=offset))


# -- ranges and steps

def ranged(call: Call, filters: Filters) -> Filters:
    """With both ends: until now, for a day, where the query does not say. raises ApiError"""
    until_ns = call.now_ns if filters.until_ns is None else filters.until_ns
    since_ns = until_ns - USUAL_S * SECOND_NS if filters.since_ns is None else filters.since_ns
    if since_ns >= until_ns:
        raise invalid("?since", "a time before ?until", "a later one")
    return structs.replace(filters, since_ns=max(0, since_ns), until_ns=max(1, min(until_ns, call.now_ns + DAY_S * SECOND_NS)))


def steps_of(call: Call, filters: Filters, step: str) -> Steps:
    """How a range is cut. raises ApiError"""
    assert filters.since_ns is not None and filters.until_ns is not None  # ranged
    if step == "auto":
        step_s = auto_step_s(filters.since_ns, filters.until_ns, call.now_ns)
    elif step in STEPS:
        step_s = STEPS[step]
    else:
        raise invalid("?step", f"auto, {', '.join(STEPS)}", repr(step[:40]))
    since_s = filters.since_ns // SECOND_NS
    # where the sums let the steps begin
    first_s = since_s - since_s % min(step_s, DAY_S)
    count = max(1, -(-(filters.until_ns - first_s * SECOND_NS) // (step_s * SECOND_NS)))
    if count > MOST_POINTS:
        raise invalid("?step", f"a step that gives at most {MOST_POINTS} points", f"one that gives {count}")
    return Steps(first_s, step_s, count)


def auto_step_s(since_ns: int, until_ns: int, now_ns: int) -> int:
    """The shortest step with at most USUAL_POINTS; of a time whose minutes or hours are gone, a longer one."""
    least_s = next((step_s for step_s, days in DAYS_KEPT.items() if now_ns - since_ns <= days * DAY_S * SECOND_NS), DAY_S)
    range_s = (until_ns - since_ns) // SECOND_NS
    fitting = (step_s for step_s in STEPS_S if step_s >= least_s and range_s <= USUAL_POINTS * step_s)
    return next(fitting, STEPS_S[-1])


# -- what is answered

def look(path: Path, filters: Filters, step_s: int) -> Seen:
    found = overview(path, filters, step_s)
    return Seen(found.points, found.whole, hit_rate(found.caches or {}))


def hit_rate(by_cache: Mapping[str, int]) -> float | None:
    hits, misses = by_cache.get("hit", 0), by_cache.get("miss", 0)
    return share(hits, hits + misses)


def filled(points: list[Point], steps: Steps) -> list[Measures]:
    """One a step."""
    by_start = {point.start_ns // SECOND_NS: point.measures for point in points}
    return [by_start.get(start_s, NOTHING) for start_s in steps.times]


def totals_of(whole: Measures, hits: float | None) -> Totals:
    return Totals(
        requests=whole.requests,
        errors=whole.errors,
        error_rate=share(whole.errors, whole.requests),
        cost_usd=usd(whole.cost_nano_usd),
        saved_usd=usd(whole.saved_nano_usd),
        input_tokens=whole.input_tokens,
        output_tokens=whole.output_tokens,
        p50_ms=time_ms(whole, "p50_ns"),
        p90_ms=time_ms(whole, "p90_ns"),
        p99_ms=time_ms(whole, "p99_ns"),
        gateway_p50_ms=time_ms(whole, "p50_ns", "gateway"),
        gateway_p99_ms=time_ms(whole, "p99_ns", "gateway"),
        cache_hit_rate=hits,
    )


def group_of(name: str, measures: Measures) -> Group:
    return Group(
        value=name,
        requests=measures.requests,
        errors=measures.errors,
        cost_usd=usd(measures.cost_nano_usd),
        input_tokens=measures.input_tokens,
        output_tokens=measures.output_tokens,
        p50_ms=time_ms(measures, "p50_ns"),
        p99_ms=time_ms(measures, "p99_ns"),
    )


def usd(nano_usd: int) -> float:
    return nano_usd / 1e9


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def time_ms(measures: Measures, which: str, member: str = "latency") -> float | None:
    """One of the times, in milliseconds; None where nothing was timed."""
    times = getattr(measures, member)
    return round(getattr(times, which) / 1e6, 3) if times.count else None
