"""Records by the admin API: who sees which, pages, filters, the tail and the export."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fastgw.control.api import logs
from fastgw.record.fields import Record
from fastgw.record.filters import Filters
from fastgw.record.query import Page, QueryTooLong, list_page
from tests.control.plane import Caller, Control, Json
from tests.control.records import SECOND_NS, WORKSPACES, many, recorded, write


@pytest.fixture
def log(control: Control) -> list[Record]:
    """Records of three workspaces that there are."""
    for slug in WORKSPACES:
        control.ask("POST", "/workspaces", {"slug": slug}, 201)
    records = many()
    write(control.plane.state, records)
    return records


def ids(caller: Caller, query: str = "") -> list[str]:
    """All pages of a list."""
    found: list[str] = []
    cursor = ""
    while True:
        page = caller.ask("GET", f"/logs?limit=100&{query}{cursor}")
        found += [line["id"] for line in page["data"]]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def exported(caller: Caller, query: str = "") -> list[Json]:
    answer = caller.send("GET", f"/logs/export?{query}")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_without_a_log_there_is_an_empty_page(control: Control) -> None:
    """A gateway that has served nothing yet has no log, which is no fault."""
    assert control.ask("GET", "/logs") == {"data": [], "next": None, "is_cut": False, "total": None}
    assert control.ask("GET", "/logs/live") == {"data": [], "last": "0"}
    assert exported(control) == []
    control.ask("GET", "/logs/nothing", status=404)


def test_pages_hold_every_record_once(control: Control, log: list[Record]) -> None:
    """The latest first, by a cursor that stays true while others come in."""
    wanted = [record.id for record in reversed(log)]
    assert ids(control) == wanted
    first = control.ask("GET", "/logs?limit=7")
    write(control.plane.state, [recorded(999, time.time_ns())])
    second = control.ask("GET", f"/logs?limit=7&cursor={first['next']}")
    assert [line["id"] for line in first["data"] + second["data"]] == wanted[:14]
    line = first["data"][0]
    assert isinstance(line["seq"], str) and int(line["seq"]) > 2**53
    assert (line["user"], line["total_ms"], line["trace_id"]) == ("u3@example.com", 900.0, "trace-299")


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("workspace=team-a", lambda record: record.workspace == "team-a"),
        ("workspace=team-a&workspace=team-b&key=app-1", lambda record: record.workspace != "team-c" and record.key == "app-1"),
        ("status=429&status=5xx", lambda record: record.status in (429, 503)),
        ("status=4xx&model=m1", lambda record: record.status == 429 and record.model == "m1"),
        ("outcome=failed&cache=hit", lambda record: record.outcome == "failed" and record.cache == "hit"),
        ("user=u1@example.com&metadata.team=t1", lambda record: record.detail["metadata"]["_user"] == "u1@example.com"),
        ("trace=trace-17", lambda record: record.trace_id == "trace-17"),
        ("q=word42", lambda record: "word42" in record.request),
        ("min_cost_usd=0.005", lambda record: record.cost_nano_usd >= 5_000_000),
        ("max_cost_usd=0.0010&streamed=true", lambda record: record.cost_nano_usd == 1_000_000 and "streamed" in record.flags),
        ("min_ms=900.1", lambda record: False),
        ("max_ms=900&max_tokens=15&streamed=false", lambda record: "streamed" not in record.flags),
    ],
)
def test_filters_are_what_they_say(control: Control, log: list[Record], query: str, holds: Any) -> None:
    """Each bounds the list by what the record holds; the export has the same."""
    wanted = [record.id for record in reversed(log) if holds(record)]
    assert ids(control, query) == wanted == [line["id"] for line in exported(control, query)]


def test_a_range_of_time_bounds_the_list(control: Control, log: list[Record]) -> None:
    """From `since` on, up to `until` without it; workspaces and keys go by their ids too."""
    since, until = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(log[at].recorded_ns // SECOND_NS + 1)) for at in (100, 110))
    assert ids(control, f"since={since}&until={until}") == [record.id for record in reversed(log[101:111])]
    workspace = control.ask("GET", "/workspaces/team-b")["id"]
    assert ids(control, f"workspace={workspace}") == ids(control, "workspace=team-b") != []
    key = control.ask("POST", "/keys", {"name": "app-2", "workspace": "team-b"}, 201)["id"]
    assert ids(control, f"key={key}") == ids(control, "key=app-2") != []


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("since=yesterday", "?since"), ("status=abc", "?status"), ("status=9xx", "?status"), ("min_cost_usd=-1", "?min_cost_usd"),
        ("min_cost_usd=nan", "?min_cost_usd"), ("max_ms=1e400", "?max_ms"), ("min_tokens=1.5", "?min_tokens"),
        ("streamed=maybe", "?streamed"),
        ("outcome=fine", "?outcome"), ("cache=", "?cache"), ("trace=a&trace=b", "?trace"), ("modell=m1", "?modell"),
        ("metadata.=x", "?metadata."),
        ("cursor=%25%25", "?cursor"), ("cursor=LTE", "?cursor"), ("limit=501", "?limit"), (f"q={'x' * 501}", "?q"),
        ("&".join(["key=k"] * 101), "?key"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(control: Control, query: str, path: str) -> None:
    """With their place, rather than ignored: a filter that is left out shows what nobody asked for."""
    error = control.ask("GET", f"/logs?{query}", status=422)["error"]
    assert (error["code"], error["path"]) == ("invalid_field", path)


def test_one_record_is_whole(control: Control, log: list[Record]) -> None:
    """With its steps, tokens, what was tried, and the bodies."""
    found = control.ask("GET", f"/logs/{log[5].id}")
    assert found["request"] == log[5].request and found["reply"] == "{}"
    assert found["timings"]["finished_ms"] == 900.0 and found["tokens"]["input"] == 10 and found["started_ns"] == str(log[5].started_ns)
    assert found["detail"]["attempts"] == [
        {"target": "main/m", "status": 503, "trouble": 'so;, "so', "ms": 12}, {"target": "other/m", "status": 200, "ms": 7}]
    assert found["detail"]["metadata"]["team"] == "t1"


def test_the_tail_goes_on_where_it_was(control: Control, log: list[Record]) -> None:
    """Without a place it says where the log is; after it, what came since, the oldest first, as filters have it."""
    start = control.ask("GET", "/logs/live")
    assert start["data"] == []
    fresh = [recorded(1000 + at, time.time_ns() + at * SECOND_NS, workspace=WORKSPACES[at % 2]) for at in range(4)]
    write(control.plane.state, fresh)
    page = control.ask("GET", f"/logs/live?after={start['last']}&workspace=team-b")
    assert [line["id"] for line in page["data"]] == [fresh[1].id, fresh[3].id]
    assert control.ask("GET", f"/logs/live?after={page['last']}") == {"data": [], "last": page["last"]}
    control.ask("GET", "/logs/live?after=x", status=422)


def test_nobody_sees_another_workspace(control: Control, log: list[Record]) -> None:
    """Neither by filters, by ids, by texts, by the tail, nor in an export; a manager has the whole of their own."""
    manager = control.person("manager@example.com", team_a="manager")
    own, other = log[0], log[1]
    wanted = [record.id for record in reversed(log) if record.workspace == "team-a"]
    assert ids(manager) == wanted == [line["id"] for line in exported(manager)]
    for query in ("workspace=team-b", f"trace={other.trace_id}", "q=word1&workspace=team-b", "workspace=team-b&workspace=team-c"):
        assert not ids(manager, query) and not exported(manager, query)
    assert {line["workspace"] for line in manager.ask("GET", "/logs/live?after=0")["data"]} == {"team-a"}
    manager.ask("GET", f"/logs/{other.id}", status=404)
    assert manager.ask("GET", f"/logs/{own.id}")["request"] == own.request
    assert [line["request"] for line in exported(manager, f"payloads=true&trace={own.trace_id}")] == [own.request]
    assert "request" not in exported(manager, f"trace={own.trace_id}")[0]


def test_a_member_sees_what_their_own_keys_did(control: Control, log: list[Record]) -> None:
    """Since they were theirs, without bodies; not what another key of the same name did, before or elsewhere; and exports nothing."""
    member = control.person("member@example.com", team_a="member", team_b="manager")
    assert ids(member) == [record.id for record in reversed(log) if record.workspace == "team-b"]
    member.ask("POST", "/keys", {"name": "app-3", "workspace": "team-a"}, 201)
    now = time.time_ns()
    fresh = [recorded(2000 + at, now + at * SECOND_NS, key=key, workspace=workspace, request="hidden", reply="hidden")
             for at, (key, workspace) in enumerate([("app-3", "team-a"), ("app-4", "team-a"), ("app-3", "team-c")])]  # fmt: skip
    write(control.plane.state, fresh)
    assert ids(member, "workspace=team-a") == [fresh[0].id] == ids(member, "key=app-3&workspace=team-a&workspace=team-c")
    assert [line["id"] for line in member.ask("GET", f"/logs/live?after={now - SECOND_NS}")["data"]] == [fresh[0].id]
    whole = member.ask("GET", f"/logs/{fresh[0].id}")
    assert (whole["request"], whole["reply"]) == (None, None)
    for record in (*fresh[1:], *(record for record in log if record.workspace == "team-a" and record.key == "app-3")):
        member.ask("GET", f"/logs/{record.id}", status=404)
    assert {line["workspace"] for line in exported(member)} == {"team-b"}


def test_a_key_that_took_a_name_does_not_show_what_was_before(control: Control, log: list[Record]) -> None:
    """What a key of that name did before it was renamed was another's."""
    member = control.person("member@example.com", team_a="member")
    key = member.ask("POST", "/keys", {"name": "mine", "workspace": "team-a"}, 201)
    between = recorded(3000, time.time_ns(), key="theirs", workspace="team-a")
    mine = recorded(3001, time.time_ns(), key="mine", workspace="team-a")
    assert ids(member) == []
    write(control.plane.state, [between, mine])
    assert ids(member) == [mine.id]
    member.ask("PATCH", f"/keys/{key['id']}", {"name": "theirs"})
    assert ids(member) == []


def test_scopes_are_held_to(control: Control, log: list[Record]) -> None:
    """A token lists, reads or exports as its scopes say, of its workspace only; another organisation sees nothing."""
    lister, reader = control.script("logs.list"), control.script("logs.view", workspace="team-c")
    assert len(ids(lister)) == len(log)
    for path, scope in ((f"/logs/{log[0].id}", "logs.view"), ("/logs/export", "logs.export")):
        assert scope in lister.ask("GET", path, status=403)["error"]["message"]
    assert reader.ask("GET", f"/logs/{log[2].id}")["workspace"] == "team-c"
    reader.ask("GET", f"/logs/{log[0].id}", status=404)
    exporter = control.script("logs.export", workspace="team-c")
    lines = exported(exporter, "payloads=true")
    assert {line["workspace"] for line in lines} == {"team-c"} and not any("request" in line for line in lines)
    outsider = control.outsider()
    assert not ids(outsider) and not exported(outsider) and not outsider.ask("GET", "/logs/live?after=0")["data"]
    outsider.ask("GET", f"/logs/{log[0].id}", status=404)
    assert len(ids(control)) == len(log)


def test_a_log_that_cannot_be_read_is_said_so(control: Control) -> None:
    """A damaged file is no empty page."""
    (control.plane.state / "logs.db").write_bytes(b"no database" * 1000)
    error = control.ask("GET", "/logs", status=503)["error"]
    assert error["code"] == "unavailable" and "logs.db" in error["message"]


def test_what_takes_too_long_is_said_so(control: Control, log: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to narrow; an export that has begun ends with a line that says so."""
    asked: list[Filters] = []

    def slow(path: Path, filters: Filters) -> Page:
        asked.append(filters)
        if len(asked) > 1:
            raise QueryTooLong("expected an answer within 5 s")
        return list_page(path, filters)

    monkeypatch.setattr(logs, "list_page", slow)
    monkeypatch.setattr(logs, "EXPORTED_AT_ONCE", 50)
    lines = exported(control)
    assert len(lines) == 51 and lines[-1]["error"]["code"] == "query_too_long" and "since" in lines[-1]["error"]["message"]
    assert control.ask("GET", "/logs", status=422)["error"]["code"] == "query_too_long"
