"""The audit by the admin API: every change leaves a line, and is found again."""

import pytest

from tests.control.plane import Control


def actions(control: Control, query: str = "") -> list[str]:
    return [line["action"] for line in control.ask("GET", f"/audit?{query}")["data"]]


def test_every_change_leaves_a_line(control: Control) -> None:
    """Who, what, from where, by which request, and both values; a change that is refused leaves none."""
    control.ask("POST", "/workspaces", {"slug": "team-a", "name": "A"}, 201)
    control.ask("PATCH", "/workspaces/team-a", {"name": "B"}, x_fastgw_request_id="r-1", x_forwarded_for="10.0.0.9, 192.0.2.7")
    control.ask("PATCH", "/workspaces/team-a", {"name": 5}, 422)
    newest = control.ask("GET", "/audit?action=workspaces.update")["data"]
    assert len(newest) == 1
    line = newest[0]
    assert line["actor"]["kind"] == "user" and line["actor"]["name"] == "owner@localhost"
    assert (line["resource"]["type"], line["resource"]["name"], line["changes"]) == ("workspaces", "team-a", {"name": ["A", "B"]})
    assert (line["address"], line["request_id"]) == ("192.0.2.7", "r-1")


def test_lines_are_found_by_what_they_say(control: Control) -> None:
    """Each filter bounds the list, and several bound it more; pages follow one another."""
    script = control.script("workspaces.create")
    script.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    control.ask("POST", "/users", {"email": "ann@example.com"}, 201)
    assert actions(control, "actor=script") == ["workspaces.create"]
    assert actions(control, "actor=owner@localhost&resource=users") == ["users.create", "users.sign_in"]
    assert actions(control, "resource=ann@example.com&action=users.delete") == []
    assert actions(control, "since=2999-01-01T00:00:00Z") == actions(control, "until=2001-01-01T00:00:00%2B02:00") == []
    whole = actions(control, "since=2001-01-01T00:00:00Z&until=9999-12-31T00:00:00Z")
    pages, query = [], "limit=1"
    while True:
        page = control.ask("GET", f"/audit?{query}")
        pages += [line["action"] for line in page["data"]]
        assert page["total"] == len(whole)
        if page["next"] is None:
            break
        query = f"limit=1&cursor={page['next']}"
    assert pages == whole


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-01-01", "limit=0", "limit=x", "cursor=%ff", "actor=%00"])
def test_wrong_filters_are_named(control: Control, query: str) -> None:
    """A filter that cannot be understood is refused rather than ignored."""
    assert control.ask("GET", f"/audit?{query}", status=422)["error"]["code"] == "invalid_field"


def test_a_workspace_s_administrator_reads_of_that_workspace(control: Control) -> None:
    """And of nothing else; managers and members read none, nor does another organisation."""
    control.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    admin, manager = control.person("admin@example.com", team_a="admin"), control.person("manager@example.com", team_a="manager")
    assert {line["workspace"] for line in admin.ask("GET", "/audit")["data"]} == {"team-a"}
    assert admin.ask("GET", "/audit?resource=users")["total"] == 0
    assert "audit_logs.list" in manager.ask("GET", "/audit", status=403)["error"]["message"]
    assert control.outsider().ask("GET", "/audit?resource=workspaces")["total"] == 0


def test_nobody_writes_the_audit(control: Control) -> None:
    """It has no other method than to read it."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        control.ask(method, "/audit", {}, 405)
