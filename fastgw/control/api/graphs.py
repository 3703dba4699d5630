"""Analytics in the reference's shapes, for scripts that were written to it.

Amounts of money are cents there, rates percent, times milliseconds; what is null elsewhere is 0.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct, structs

from fastgw.control.api.analytics import NOTHING, SCOPE, Steps, filled, ranged, rank, steps_of
from fastgw.control.api.asked import FILTERS, QUERY, Parameter, any_of, ask, asked_of, moment_of, number, one, statuses
from fastgw.control.api.call import INSTANT, Answer, Call, moment
from fastgw.control.api.endpoint import Endpoint, Run
from fastgw.control.api.written import Document
from fastgw.record.analytics import Active, Group, Measures, Point, active, by_group, overview
from fastgw.record.filters import Filters
from fastgw.record.rollups import SECOND_NS

PATH: Final = "/analytics"
CENT_NANO_USD: Final = 10**7
ERRORS: Final = frozenset(range(400, 600))
MOST_GROUPS: Final = 1000
UNIT: Final = "a number of tokens"
CENTS: Final = "a number of cents"


# -- filters by the reference's names

def listed(read: Callable[[Sequence[str]], object]) -> Callable[[Sequence[str]], object]:
    """Several values in one text, with commas between."""
    return lambda texts: read([part.strip() for text in texts for part in text.split(",")])


def metadata_pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(msgspec.json.decode(one(texts), type=dict[str, str]).items())


def org_models(texts: Sequence[str]) -> dict[str, object]:
    """`provider__model`, several with commas between; they must be all models of all providers that are named."""
    pairs = {tuple(text.split("__", 1)) for text in texts}
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError
    providers, models = (frozenset(pair[at] for pair in pairs) for at in (0, 1))
    if len(pairs) != len(providers) * len(models):
        raise ValueError
    return {"provider": providers, "model": models}


def unknown(texts: Sequence[str]) -> object:
    raise ValueError


NAMED: Final = "names with commas between"
THEIRS: Final[dict[str, Parameter]] = {
    "time_of_generation_min": Parameter("since_ns", moment_of, INSTANT),
    "time_of_generation_max": Parameter("until_ns", moment_of, INSTANT),
    "workspace_slug": Parameter("workspace", listed(any_of), NAMED),
    "virtual_keys": Parameter("integration", listed(any_of), NAMED),
    "api_key_ids": Parameter("key", listed(any_of), NAMED),
    "status_code": Parameter("status", listed(statuses), "statuses with commas between"),
    "ai_org_model": Parameter("", listed(org_models), "provider__model, with commas between, and every model for every provider"),
    "metadata": Parameter("metadata", metadata_pairs, "a JSON object of texts"),
    "trace_id": Parameter("trace", one, "one trace id"),
    "total_units_min": Parameter("min_tokens", number(), UNIT),
    "total_units_max": Parameter("max_tokens", number(), UNIT),
    "prompt_token_min": Parameter("min_input_tokens", number(), UNIT),
    "prompt_token_max": Parameter("max_input_tokens", number(), UNIT),
    "cost_min": Parameter("min_cost_nano_usd", number(CENT_NANO_USD), CENTS),
    "cost_max": Parameter("max_cost_nano_usd", number(CENT_NANO_USD), CENTS),
    **{
        name: Parameter(name, unknown, "nothing, as records cannot be told apart by it")
        for name in ("completion_token_min", "completion_token_max", "weighted_feedback_min", "weighted_feedback_max", "configs", "span_id",
                     "prompt_slug")
    },
}  # fmt: skip
ROWS: Final = FILTERS | THEIRS


# -- what a graph is drawn from

class Drawn(Struct, frozen=True):
    """What the log says, before it has a shape; all empty where there is no log."""

    points: list[Point] = []
    whole: Measures = NOTHING
    ranked: list[Group] = []
    users: Active = Active({}, 0)


Draw = Callable[[Path, Filters, int], Drawn]


def timeline(path: Path, filters: Filters, step_s: int) -> Drawn:
    seen = overview(path, filters, step_s)
    return Drawn(seen.points, seen.whole)


def hits(path: Path, filters: Filters, step_s: int) -> Drawn:
    return timeline(path, structs.replace(filters, cache="hit"), step_s)


def by_cache(path: Path, filters: Filters, step_s: int) -> Drawn:
    return grouped(path, filters, step_s, "cache")


def by_error(path: Path, filters: Filters, step_s: int) -> Drawn:
    wanted = filters.status if isinstance(filters.status, frozenset) else ERRORS
    return grouped(path, structs.replace(filters, status=wanted & ERRORS), step_s, "status")


def grouped(path: Path, filters: Filters, step_s: int, by: str) -> Drawn:
    seen = by_group(path, filters, step_s, by)
    return Drawn(seen.points, seen.whole, seen.groups)


def people(path: Path, filters: Filters, step_s: int) -> Drawn:
    return Drawn(users=active(path, filters, step_s))


# -- shapes: (summary, data_points)

Told = Mapping[str, object]
Shaped = tuple[Told, Sequence[Told]]
Shape = Callable[[Drawn, Steps], Shaped]


def each(measured: Callable[[Measures], Document]) -> Shape:
    """The same members for the whole and for each step."""

    def shape(drawn: Drawn, steps: Steps) -> Shaped:
        return measured(drawn.whole), timed(steps, [measured(one) for one in filled(drawn.points, steps)])

    return shape


def timed(steps: Steps, rows: Sequence[Told]) -> list[Told]:
    return [{"timestamp": stamp(start_s), **row} for start_s, row in zip(steps.times, rows, strict=True)]


def stamp(at_s: int) -> str:
    return moment(at_s * SECOND_NS) or ""


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0


def cents(nano_usd: int) -> float:
    return nano_usd / CENT_NANO_USD


def requests(one: Measures) -> Document:
    return {"total": one.requests}


def cost(one: Measures) -> Document:
    return {"total": cents(one.cost_nano_usd), "avg": cents(one.cost_nano_usd) / max(1, one.requests)}


def tokens(one: Measures) -> Document:
    total = one.input_tokens + one.output_tokens
    return {"total": total, "avg": ratio(total, one.requests)}


def average(one: Measures) -> Document:
    return {"avg": one.latency.mean_ns / 1e6}


def latency(one: Measures) -> Document:
    times = one.latency
    return average(one) | {"p50": times.p50_ns / 1e6, "p90": times.p90_ns / 1e6, "p99": times.p99_ns / 1e6}


def errors(one: Measures) -> Document:
    return {"total": one.errors}


def error_rate(one: Measures) -> Document:
    return {"rate": 100 * ratio(one.errors, one.requests)}


def rescued(drawn: Drawn, steps: Steps) -> Shaped:
    whole = {"retry": drawn.whole.rescued_by_retry, "fallback": drawn.whole.rescued_by_fallback}
    return whole, timed(steps, [
        {"retry": [{"retry_success_count": retries, "count": count} for retries, count in sorted(one.retried.items())],
         "fallback": one.rescued_by_fallback}
        for one in filled(drawn.points, steps)
    ])  # fmt: skip


def users(drawn: Drawn, steps: Steps) -> Shaped:
    counts = [drawn.users.steps.get(start_s * SECOND_NS, (0, 0))[0] for start_s in steps.times]
    return {"total": drawn.users.names}, timed(steps, [{"total": count} for count in counts])


def user_requests(drawn: Drawn, steps: Steps) -> Shaped:
    found = [drawn.users.steps.get(start_s * SECOND_NS, (0, 0)) for start_s in steps.times]
    total = sum(made for _, made in found)
    whole = {"total": total, "unique": drawn.users.names, "avg": ratio(total, drawn.users.names)}
    return whole, timed(steps, [{"avg": ratio(made, count)} for count, made in found])


def error_stacks(drawn: Drawn, steps: Steps) -> Shaped:
    stacks: dict[int, list[Document]] = {}
    for point in drawn.points:
        stats: Document = {"response_status_code": int(point.group), "count": point.measures.requests}
        stacks.setdefault(point.start_ns // SECOND_NS, []).append(stats)
    return {"total": drawn.whole.requests}, timed(steps, [{"stats": stacks.get(start_s, [])} for start_s in steps.times])


def error_codes(drawn: Drawn, steps: Steps) -> Shaped:
    whole = {"total_errors": drawn.whole.requests, "unique_error_codes": len(drawn.ranked)}
    return whole, [{"status_code": int(one.name), "count": one.measures.requests} for one in drawn.ranked]


def cache_rate(drawn: Drawn, steps: Steps) -> Shaped:
    """Of what was looked up, which share was there; the gateway has no semantic cache."""
    looked: dict[int, dict[str, Measures]] = {}
    for point in drawn.points:
        looked.setdefault(point.start_ns // SECOND_NS, {})[point.group] = point.measures
    rows: list[Document] = []
    saved = 0.0
    for start_s in steps.times:
        there = looked.get(start_s, {})
        saved += cents(there.get("hit", NOTHING).saved_nano_usd)
        savings: Document = {"cumulative_simple_cache_savings": saved, "cumulative_semantic_cache_savings": 0}
        rows.append(hit_members(there) | savings)
    whole = hit_members({one.name: one.measures for one in drawn.ranked})
    return {"total": whole["simple_hits"], "rate": whole["rate"]}, timed(steps, rows)


def hit_members(by_cache: Mapping[str, Measures]) -> Document:
    found, missed = by_cache.get("hit", NOTHING).requests, by_cache.get("miss", NOTHING).requests
    return {"simple_hits": found, "semantic_hits": 0, "rate": 100 * ratio(found, found + missed)}


class Graph(NamedTuple):
    """How a graph is drawn, and the shape it has."""

    draw: Draw
    shape: Shape


GRAPHS: Final = {
    "requests": Graph(timeline, each(requests)),
    "cost": Graph(timeline, each(cost)),
    "latency": Graph(timeline, each(latency)),
    "tokens": Graph(timeline, each(tokens)),
    "users": Graph(people, users),
    "users/requests": Graph(people, user_requests),
    "errors": Graph(timeline, each(errors)),
    "errors/rate": Graph(timeline, each(error_rate)),
    "errors/stacks": Graph(by_error, error_stacks),
    "errors/status-codes": Graph(by_error, error_codes),
    "requests/rescued": Graph(timeline, rescued),
    "cache/hit-rate": Graph(by_cache, cache_rate),
    "cache/latency": Graph(hits, each(average)),
}


class AnalyticsGraph(Struct):
    """A graph as the reference has it."""

    summary: Told
    data_points: Sequence[Told]
    object: str = "analytics-graph"


class AnalyticsSummary(Struct):
    """What the cache was worth."""

    summary: Told
    object: str = "analytics-summary"


class AnalyticsGroups(Struct):
    """Names by what they come to."""

    total: int
    data: Sequence[Told]
    object: str = "list"


def user_group(one: Measures) -> Document:
    return {"requests": one.requests, "cost": cents(one.cost_nano_usd)}


def metadata_group(one: Measures) -> Document:
    told = {"avg_tokens": tokens(one)["avg"], "avg_weighted_feedback": 0, "requests_with_feedback": 0}
    return user_group(one) | told | {"last_seen": stamp(one.last_seen_s)}


class Graphs:
    """The reference's analytics."""

    def __repr__(self) -> str:
        return "<Graphs>"

    def endpoints(self) -> list[Endpoint]:
        query = (*QUERY, *THEIRS)
        paged = (*query, "current_page", "page_size")
        rows: list[tuple[str, Run, str, object, tuple[str, ...]]] = [
            *((f"/graphs/{name}", partial(self.draw, graph=graph), f"Graph of {name}", AnalyticsGraph, query)
              for name, graph in GRAPHS.items()),
            ("/summary/cache", self.cache, "What the cache was worth", AnalyticsSummary, query),
            ("/groups/users", partial(self.ranked, by="user", member="user", told=user_group), "Users", AnalyticsGroups, paged),
            ("/groups/ai-models", partial(self.ranked, by="model", member="ai_model", told=user_group), "Models", AnalyticsGroups, paged),
            ("/groups/metadata/{name}", self.by_metadata, "Values of a member of the metadata", AnalyticsGroups, paged),
        ]
        return [
            Endpoint(method="GET", path=PATH + path, run=run, summary=summary, scope=SCOPE, uses="none", reply=reply, query=query,
                     tag="analytics", codes=("query_too_long", "unavailable"))
            for path, run, summary, reply, query in rows
        ]  # fmt: skip

    async def draw(self, call: Call, graph: Graph) -> Answer:
        filters, _ = await asked_of(call, SCOPE, (), ROWS)
        filters = ranged(call, filters)
        steps = steps_of(call, filters, "auto")
        drawn = await ask(call, Drawn(), lambda path: graph.draw(path, filters, steps.step_s))
        return Answer(AnalyticsGraph(*graph.shape(drawn, steps)))

    async def cache(self, call: Call) -> Answer:
        filters, _ = await asked_of(call, SCOPE, (), ROWS)
        ranking = await rank(call, ranged(call, filters), "cache", "requests", MOST_GROUPS)
        by_cache = {one.name: one.measures for one in ranking.groups}
        found, missed = (by_cache.get(name, NOTHING).latency.mean_ns for name in ("hit", "miss"))
        return Answer(AnalyticsSummary({
            "hits": by_cache.get("hit", NOTHING).requests, "avg_latency": found / 1e6,
            "total_requests": sum(one.requests for one in by_cache.values()), "cache_speedup": ratio(missed, found),
        }))  # fmt: skip

    async def by_metadata(self, call: Call) -> Answer:
        return await self.ranked(call, f"metadata:{call.path['name']}", "metadata_value", metadata_group)

    async def ranked(self, call: Call, by: str, member: str, told: Callable[[Measures], Document]) -> Answer:
        filters, _ = await asked_of(call, SCOPE, ("current_page", "page_size"), ROWS)
        size = call.integer("page_size", 100, 1, MOST_GROUPS)
        page = call.integer("current_page", 0, 0, 10**6)
        ranking = await rank(call, ranged(call, filters), by, "requests", size, page * size)
        rows: list[Document] = [{member: one.name, **told(one.measures), "object": "analytics-group"} for one in ranking.groups]
        return Answer(AnalyticsGroups(ranking.total, rows))
