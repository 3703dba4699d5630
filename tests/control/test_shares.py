"""Shares by the admin API: which workspaces may use an integration, within which limits."""

from collections.abc import Iterator

import pytest

from tests.control.callers import error_of, everything_told, member
from tests.control.plane import Control, Json

ONE = "/integrations/openai-main/workspaces"


@pytest.fixture
def shared(control: Control) -> Iterator[Control]:
    """An integration of the organisation, two workspaces, and an integration of one of them."""
    for slug in ("team-a", "team-b"):
        control.ask("POST", "/workspaces", {"slug": slug}, 201)
    control.ask("POST", "/integrations", {"slug": "openai-main", "provider": "openai", "api_key": "sk-1"}, 201)
    control.ask("POST", "/integrations", {"slug": "own-a", "provider": "openai", "api_key": "sk-1", "workspace": "team-a"}, 201)
    yield control


def test_a_share_is_put_read_replaced_and_taken_away(shared: Control) -> None:
    """PUT makes one and replaces it as a whole; each version is another."""
    assert shared.ask("GET", ONE)["total"] == 0
    made = shared.ask("PUT", f"{ONE}/team-a", {"budgets": [{"usd": 5}], "models": ["gpt-4.1"]}, 201)
    assert made["workspace"] == "team-a" and made["integration"] == "openai-main" and made["version"] == 1 and made["spend"]["usd"] == 0
    replaced = shared.ask("PUT", f"{ONE}/team-a", {"enabled": False, "rate": {"requests_per_minute": 5}}, if_match='"1"')
    assert replaced["version"] == 2 and "budgets" not in replaced and replaced["enabled"] is False
    assert error_of(shared, "PUT", f"{ONE}/team-a", {}, 409, if_match='"1"')["current"] == replaced
    assert shared.ask("GET", f"{ONE}/{made['workspace_id']}") == replaced and shared.ask("GET", ONE)["data"] == [replaced]
    shared.ask("DELETE", f"{ONE}/team-a", status=204)
    error_of(shared, "GET", f"{ONE}/team-a", None, 404)
    told = everything_told(shared)
    assert "shares.create" in told and "shares.update" in told and "shares.delete" in told and "openai-main:team-a" in told


def test_an_integration_is_shared_when_it_is_created_if_that_is_said(shared: Control) -> None:
    """Without a word with nobody, else with those that are named or with all that there are."""
    every = ["default", "team-a", "team-b"]
    for slug, share_with, expected in (("x", None, []), ("y", ["team-b", "team-b"], ["team-b"]), ("z", "all", every)):
        body = {"slug": slug, "provider": "openai", "api_key": "sk-1", "share_with": share_with}
        assert "share_with" not in shared.ask("POST", "/integrations", body, 201)
        assert sorted(row["workspace"] for row in shared.ask("GET", f"/integrations/{slug}/workspaces")["data"]) == expected


@pytest.mark.parametrize(("body", "path"), [
    ({"models": ["gpt-4.1", "gtp-4.1"]}, "$.models[1]"),
    ({"budgets": [{"usd": 1, "window": "year"}]}, "$.budgets[0].window"),
    ({"rate": {"requests_per_minute": 0}}, "$.rate.requests_per_minute"),
    ({"integration_id": "mine"}, "$.integration_id"),
    ({"workspace_id": "mine"}, "$.workspace_id"),
    ({"enabled": "yes"}, "$.enabled"),
])  # fmt: skip
def test_wrong_members_of_a_share_are_named(shared: Control, body: Json, path: str) -> None:
    """A member that does not fit is refused with its path, and nothing is kept."""
    assert error_of(shared, "PUT", f"{ONE}/team-a", body)["path"] == path
    assert shared.ask("GET", ONE)["total"] == 0


def test_models_of_an_unlisted_provider_may_be_any(shared: Control) -> None:
    """Of a provider whose models nobody lists, a share may name what it likes, unless the integration says what it serves."""
    body = {"slug": "local", "provider": "openai-compatible", "base_url": "http://127.0.0.1:1/v1"}
    shared.ask("POST", "/integrations", body, 201)
    shared.ask("PUT", "/integrations/local/workspaces/team-a", {"models": ["llama"]}, 201)
    shared.ask("PATCH", "/integrations/local", {"models": ["qwen"]})
    assert shared.ask("PUT", "/integrations/local/workspaces/team-a", {"models": ["qwe"]}, 422)["problems"][0]["hint"] == "qwen"


def test_an_integration_of_a_workspace_stays_there(shared: Control) -> None:
    """It has the one share, whose limits its workspace's administrators set."""
    admin = member(shared, {"team-a": "admin", "team-b": "admin"})
    assert [row["workspace"] for row in admin.ask("GET", "/integrations/own-a/workspaces")["data"]] == ["team-a"]
    assert admin.ask("PUT", "/integrations/own-a/workspaces/team-a", {"max_parallel": 3})["version"] == 2
    assert error_of(shared, "PUT", "/integrations/own-a/workspaces/team-b", {})["path"] == "workspace"
    assert error_of(admin, "DELETE", "/integrations/own-a/workspaces/team-a", None, 409)["code"] == "in_use"


def test_workspaces_see_their_own_shares_and_change_none(shared: Control) -> None:
    """Who has a role in one workspace does not learn of the others, nor who reads only lists of the limits."""
    for slug in ("team-a", "team-b"):
        shared.ask("PUT", f"{ONE}/{slug}", {}, 201)
    manager, user = member(shared, {"team-a": "manager"}), member(shared, {"team-a": "member"})
    assert [row["workspace"] for row in manager.ask("GET", ONE)["data"]] == ["team-a"]
    error_of(manager, "GET", f"{ONE}/team-b", None, 404)
    for method in ("PUT", "DELETE"):
        assert error_of(member(shared, {"team-a": "admin"}), method, f"{ONE}/team-a", {}, 403)["code"] == "forbidden"
    assert user.ask("GET", ONE)["data"] == []
