"""Sums by the admin API: each number is what the records come to, and of those only that the caller may see."""

import json
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import quote

import pytest

from fastgw.control.api.graphs import GRAPHS
from fastgw.record.fields import Record
from tests.control.plane import Caller, Control, Json
from tests.control.records import SECOND_NS, WORKSPACES, many, write


@pytest.fixture
def log(control: Control) -> list[Record]:
    for slug in WORKSPACES:
        control.ask("POST", "/workspaces", {"slug": slug}, 201)
    records = many()
    write(control.plane.state, records)
    return records


def graph(caller: Caller, name: str, query: str = "") -> Json:
    answer: Json = caller.ask("GET", f"/analytics/graphs/{name}?{query}")
    assert answer["object"] == "analytics-graph"
    return answer


def count(records: list[Record], holds: Callable[[Record], object] = lambda record: True) -> int:
    return sum(bool(holds(record)) for record in records)


def metadata_of(record: Record) -> Json:
    assert record.detail is not None
    found = record.detail["metadata"]
    assert isinstance(found, dict)
    return found


def cost(records: list[Record]) -> float:
    return sum(max(0, record.cost_nano_usd) for record in records) / 1e9


def test_the_overview_is_what_the_records_come_to(control: Control, log: list[Record]) -> None:
    """As a whole and step by step, with zeros where nothing happened, and no percentile of nothing."""
    seen = control.ask("GET", "/analytics/overview")
    totals = seen["totals"]
    errors = count(log, lambda record: record.status >= 400)
    assert (totals["requests"], totals["errors"], totals["input_tokens"]) == (300, errors, 3000)
    assert totals["cost_usd"] == pytest.approx(cost(log)) and totals["error_rate"] == pytest.approx(errors / 300)
    assert totals["p50_ms"] == pytest.approx(900, rel=1 / 32) and totals["gateway_p99_ms"] == pytest.approx(0.03, rel=1 / 32)
    found, missed = (Counter(record.cache for record in log)[name] for name in ("hit", "miss"))
    assert totals["cache_hit_rate"] == pytest.approx(found / (found + missed))
    lists = [seen[name] for name in ("times", "requests", "errors", "cost_usd", "input_tokens", "output_tokens", "p50_ms", "p99_ms")]
    assert {len(one) for one in lists} == {len(seen["times"])} and 60 < len(seen["times"]) <= 121
    assert seen["times"] == list(range(seen["times"][0], seen["times"][-1] + 1, seen["step_s"]))
    assert sum(seen["requests"]) == 300 and sum(seen["cost_usd"]) == pytest.approx(cost(log)) and 0 in seen["requests"]
    assert [one is None for one in seen["p50_ms"]] == [one == 0 for one in seen["requests"]]


def test_filters_bound_the_overview(control: Control, log: list[Record]) -> None:
    """By names, a user, what only records can tell, and a range with a step."""
    for query, wanted in (
        ("workspace=team-b&status=4xx", count(log, lambda record: record.workspace == "team-b" and record.status == 429)),
        ("user=u1@example.com", 75), ("metadata.team=t0&workspace=team-a", count(log[::2], lambda record: record.workspace == "team-a")),
        ("trace=trace-3", 1), ("min_cost_usd=0.005", count(log, lambda record: record.cost_nano_usd >= 5_000_000)),
    ):  # fmt: skip
        assert control.ask("GET", f"/analytics/overview?{query}")["totals"]["requests"] == wanted, query
    end_s = time.time_ns() // SECOND_NS // 60 * 60 - 600
    since, until = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end_s - seconds)) for seconds in (600, 0))
    seen = control.ask("GET", f"/analytics/overview?since={since}&until={until}&step=minute")
    assert (seen["step_s"], len(seen["times"]), seen["times"][0]) == (60, 10, end_s - 600)
    assert sum(seen["requests"]) == seen["totals"]["requests"] == count(
        log, lambda record: end_s - 600 <= record.recorded_ns / SECOND_NS < end_s)


@pytest.mark.parametrize("days", [1 / 48, 1, 7, 30, 365, 3000])
def test_auto_gives_some_120_points_at_most(control: Control, days: float) -> None:
    """Whatever the range; without a log all of them are zeros."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86_400))
    seen = control.ask("GET", f"/analytics/overview?since={since}")
    assert 1 < len(seen["times"]) <= 122 and set(seen["requests"]) == {0} and set(seen["p99_ms"]) == {None}
    assert seen["totals"]["error_rate"] is None


def test_groups_rank_names(control: Control, log: list[Record]) -> None:
    """By requests or cost, the greatest first; an error is one of those that failed."""
    named: tuple[tuple[str, Callable[[Record], str]], ...] = (
        ("model", lambda record: record.model), ("workspace", lambda record: record.workspace),
        ("user", lambda record: metadata_of(record)["_user"]), ("status", lambda record: str(record.status)),
        ("metadata.team", lambda record: metadata_of(record)["team"]),
    )  # fmt: skip
    for by, name_of in named:
        found = control.ask("GET", f"/analytics/groups/{by}?sort=cost")
        names = {name_of(record) for record in log}
        assert {one["value"] for one in found["data"]} == names and found["total"] == len(names)
        for one in found["data"]:
            own = [record for record in log if name_of(record) == one["value"]]
            assert one["requests"] == len(own) and one["cost_usd"] == pytest.approx(cost(own))
        assert [one["cost_usd"] for one in found["data"]] == sorted((one["cost_usd"] for one in found["data"]), reverse=True)
    assert [one["value"] for one in control.ask("GET", "/analytics/groups/error")["data"]] == ["upstream_status"]
    assert len(control.ask("GET", "/analytics/groups/model?limit=2")["data"]) == 2


def test_graphs_are_in_the_reference_s_shapes(control: Control, log: list[Record]) -> None:
    """Members by its names: cents, percents, milliseconds."""
    failed = [record for record in log if record.status >= 400]
    assert graph(control, "requests")["summary"] == {"total": 300}
    assert graph(control, "cost")["summary"] == {"total": pytest.approx(100 * cost(log)), "avg": pytest.approx(cost(log) / 3)}
    assert graph(control, "latency")["summary"] == dict.fromkeys(("avg", "p50", "p90", "p99"), pytest.approx(900, rel=1 / 32))
    assert graph(control, "tokens")["summary"] == {"total": 4500, "avg": 15}
    assert graph(control, "users")["summary"] == {"total": 4}
    assert graph(control, "users/requests")["summary"] == {"total": 300, "unique": 4, "avg": 75}
    assert graph(control, "errors")["summary"] == {"total": len(failed)}
    assert graph(control, "errors/rate")["summary"] == {"rate": pytest.approx(len(failed) / 3)}
    codes = {one["status_code"]: one["count"] for one in graph(control, "errors/status-codes")["data_points"]}
    assert codes == Counter(record.status for record in failed)
    stacks = graph(control, "errors/stacks")
    assert sum(one["count"] for point in stacks["data_points"] for one in point["stats"]) == stacks["summary"]["total"] == len(failed)
    rescued = graph(control, "requests/rescued")
    assert rescued["summary"] == {"retry": 0, "fallback": 0} and rescued["data_points"][0]["retry"] == []
    found, missed = (Counter(record.cache for record in log)[name] for name in ("hit", "miss"))
    rate = graph(control, "cache/hit-rate")
    assert rate["summary"] == {"total": found, "rate": pytest.approx(100 * found / (found + missed))}
    assert sum(point["simple_hits"] for point in rate["data_points"]) == found
    assert graph(control, "cache/latency")["summary"] == {"avg": 900}
    assert control.ask("GET", "/analytics/summary/cache")["summary"] == {
        "hits": found, "avg_latency": 900, "total_requests": 300, "cache_speedup": 1}  # fmt: skip
    users = control.ask("GET", "/analytics/groups/users?page_size=3&current_page=1")
    assert (users["total"], len(users["data"]), users["data"][0]["object"]) == (4, 1, "analytics-group")
    team = control.ask("GET", "/analytics/groups/metadata/team")["data"][0]
    assert (team["requests"], team["avg_tokens"]) == (150, 15) and team["last_seen"].endswith("Z")
    assert {one["ai_model"] for one in control.ask("GET", "/analytics/groups/ai-models")["data"]} == {"m0", "m1", "m2"}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_of_nothing_is_flat(control: Control, name: str) -> None:
    """Without a log there is a graph all the same."""
    found = graph(control, name, "time_of_generation_min=2026-01-01T00:00:00%2B00:00&time_of_generation_max=2026-01-09T00:00:00Z")
    assert name == "errors/status-codes" or len(found["data_points"]) > 1
    assert not any(found["summary"].values())


def test_the_reference_s_filters_are_understood(control: Control, log: list[Record]) -> None:
    """By its names and with its units; those that no record can answer are refused."""
    for query, wanted in (
        ("workspace_slug=team-a,team-b&status_code=429,503", count(
            log, lambda record: record.workspace != "team-c" and record.status in (429, 503))),
        ("ai_org_model=openai__m1,openai__m2", count(log, lambda record: record.model in ("m1", "m2"))),
        ("cost_min=0.5", count(log, lambda record: record.cost_nano_usd >= 5_000_000)), ("total_units_max=14", 0),
        ("virtual_keys=main,other&trace_id=trace-7", 1), (f"metadata={quote(json.dumps({'_user': 'u2@example.com'}))}", 75),
    ):  # fmt: skip
        assert graph(control, "requests", query)["summary"]["total"] == wanted, query
    key = control.ask("POST", "/keys", {"name": "app-4", "workspace": "team-a"}, 201)["id"]
    assert graph(control, "requests", f"api_key_ids={key}")["summary"]["total"] == count(log, lambda record: record.key == "app-4")


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("overview?step=fast", "?step"), ("overview?step=minute&since=2026-01-01T00:00:00Z", "?step"),
        ("overview?since=2999-01-01T00:00:00Z", "?since"),
        ("overview?workspaces=x", "?workspaces"), ("groups/model?sort=name", "?sort"), ("groups/model?limit=0", "?limit"),
        ("graphs/cost?prompt_slug=x", "?prompt_slug"), ("graphs/cost?ai_org_model=m1", "?ai_org_model"),
        ("graphs/cost?ai_org_model=a__1,b__2", "?ai_org_model"), ("graphs/cost?metadata=%7B", "?metadata"),
        ("graphs/cost?metadata=%5B1%5D", "?metadata"), ("groups/users?page_size=0", "?page_size"),
        ("graphs/cost?status_code=4x", "?status_code"),
    ],
)  # fmt: skip
def test_wrong_questions_are_named(control: Control, path: str, at: str) -> None:
    """With the place of what is wrong."""
    error = control.ask("GET", f"/analytics/{path}", status=422)["error"]
    assert (error["code"], error["path"]) == ("invalid_field", at)


def test_what_is_no_group_is_not_found(control: Control) -> None:
    """A name in the path that nothing is summed up by."""
    for name in ("colour", "metadata.", "id"):
        control.ask("GET", f"/analytics/groups/{name}", status=404)


def test_a_workspace_s_people_see_its_sums_only(control: Control, log: list[Record]) -> None:
    """A member all of their workspace; a token that of its own; another organisation nothing; without the scope nobody."""
    member, script = control.person("member@example.com", team_a="member"), control.script("analytics.view", workspace="team-b")
    for caller, slug in ((member, "team-a"), (script, "team-b")):
        assert caller.ask("GET", "/analytics/overview")["totals"]["requests"] == 100
        assert caller.ask("GET", "/analytics/overview?workspace=team-c")["totals"]["requests"] == 0
        assert caller.ask("GET", "/analytics/overview?user=u1@example.com")["totals"]["requests"] == 25
        assert [one["value"] for one in caller.ask("GET", "/analytics/groups/workspace")["data"]] == [slug]
        assert graph(caller, "requests", "trace_id=trace-2")["summary"]["total"] == 0
        assert graph(caller, "users/requests")["summary"]["total"] == 100
    assert control.outsider().ask("GET", "/analytics/overview")["totals"]["requests"] == 0
    error = control.script("logs.list").ask("GET", "/analytics/overview", status=403)["error"]
    assert "analytics.view" in error["message"]
