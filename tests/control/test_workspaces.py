"""Workspaces by the admin API: what every resource has in common is tested here, on both stores."""

import pytest

from tests.control.plane import Control


def test_a_workspace_is_created_read_changed_and_deleted(control: Control) -> None:
    """What was written comes back, with a version that counts up."""
    made = control.ask("POST", "/workspaces", {"slug": "team-a", "name": "Team A", "budgets": [{"usd": 10.5, "window": "month"}]}, 201)
    assert made["version"] == 1 and made["budgets"] == [{"usd": 10.5, "window": "month"}] and made["status"] == "active"
    assert control.ask("GET", "/workspaces/team-a") == control.ask("GET", f"/workspaces/{made['id']}")
    changed = control.ask("PATCH", "/workspaces/team-a", {"budgets": None, "max_parallel": 5})
    assert changed["version"] == 2 and "budgets" not in changed and changed["max_parallel"] == 5
    control.ask("DELETE", "/workspaces/team-a", status=204)
    assert control.ask("GET", "/workspaces/team-a", status=404)["error"]["code"] == "not_found"
    assert control.data.woken == 3


def test_two_administrators_of_one_workspace_get_both_versions(control: Control) -> None:
    """Who changes what was changed meanwhile gets 409, with what it is now and what was sent."""
    control.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    control.ask("PATCH", "/workspaces/team-a", {"name": "mine"}, if_match='"1"')
    error = control.ask("PATCH", "/workspaces/team-a", {"name": "yours"}, 409, if_match='"1"')["error"]
    assert error["code"] == "conflict" and error["current"]["name"] == "mine" and error["yours"] == {"name": "yours"}
    assert control.ask("GET", "/workspaces/team-a")["name"] == "mine"


def test_a_repeated_creation_is_answered_the_same(control: Control) -> None:
    """The same Idempotency-Key creates once; with another body it is refused."""
    first = control.ask("POST", "/workspaces", {"slug": "team-a"}, 201, idempotency_key="one")
    assert control.ask("POST", "/workspaces", {"slug": "team-a"}, 201, idempotency_key="one") == first
    other = control.ask("POST", "/workspaces", {"slug": "team-b"}, 422, idempotency_key="one")
    assert other["error"]["code"] == "idempotency_mismatch"
    assert control.ask("POST", "/workspaces", {"slug": "team-a"}, 409)["error"]["code"] == "exists"


@pytest.mark.parametrize(("body", "path"), [
    ({"slug": "Team A"}, "$.slug"),
    ({"slug": "a", "budgets": [{"usd": -1}]}, "$.budgets[0].usd"),
    ({"slug": "a", "budgets": [{"usd": 1}, {}]}, "$.budgets[1]"),
    ({"slug": "a", "budgets": [{"usd": 1, "tokens": 1}]}, "$.budgets[0]"),
    ({"slug": "a", "budgets": [{"usd": 1, "window": "fortnight"}]}, "$.budgets[0].window"),
    ({"slug": "a", "organisation_id": "mine"}, "$.organisation_id"),
    ({"slug": "a", "max_parallel": "many"}, "$.max_parallel"),
    ({}, "$.slug"),
])
def test_wrong_members_are_named(control: Control, body: object, path: str) -> None:
    """A body that does not fit is refused with the path of what is wrong, and nothing is kept."""
    error = control.ask("POST", "/workspaces", body, 422)["error"]
    assert error["code"] == "invalid_field" and error["path"] == path
    assert control.ask("GET", "/workspaces")["total"] == 1


@pytest.mark.parametrize(("path", "account"), [
    ("/workspaces/default", "workspace:default"), ("/users/owner@localhost", "user:"), ("/organisation", "organisation:default"),
])
def test_budgets_are_begun_afresh(control: Control, path: str, account: str) -> None:
    """Of whatever has some: the ledger is told, and whoever may not change it is refused."""
    assert control.ask("POST", f"{path}/reset")["id"] == control.ask("GET", path)["id"]
    assert [name.startswith(account) for name in control.data.resets] == [True]
    assert control.ask("GET", "/audit?limit=1")["data"][0]["action"].endswith(".reset")
    control.person("new@localhost", default="member").ask("POST", f"{path}/reset", status=403)


def test_pages_follow_one_another(control: Control) -> None:
    """Every workspace stands on one page, whatever the pages' length, and search finds by the name."""
    for number in range(7):
        control.ask("POST", "/workspaces", {"slug": f"w-{number}"}, 201)
    page = control.ask("GET", "/workspaces?limit=3")
    found = [row["slug"] for row in page["data"]]
    while page["next"]:
        page = control.ask("GET", f"/workspaces?limit=3&cursor={page['next']}")
        found += [row["slug"] for row in page["data"]]
    assert sorted(found) == ["default", *(f"w-{number}" for number in range(7))]
    assert [row["slug"] for row in control.ask("GET", "/workspaces?search=w-3")["data"]] == ["w-3"]


def test_requests_that_a_browser_was_made_to_send_are_refused(control: Control) -> None:
    """A cookie alone changes nothing."""
    for fields in ({"x_csrf_token": "wrong"}, {"sec_fetch_site": "cross-site"}):
        assert control.ask("POST", "/workspaces", {"slug": "evil"}, 403, **fields)["error"]["code"] == "csrf"
    assert control.client.get("/api/v1/workspaces").status_code == 401


def test_guessing_passwords_is_slowed_down(control: Control) -> None:
    """Five failures, and the right one has to wait as well."""
    for _ in range(5):
        assert control.client.post("/api/v1/login", json={"email": "owner@localhost", "password": "wrong"}).status_code == 401
    answer = control.client.post("/api/v1/login", json={"email": "owner@localhost", "password": control.password})
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0
