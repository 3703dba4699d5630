"""Saved configs by the admin API: their checks, their versions, and what must not stand in them."""

from collections.abc import Iterator

import pytest

from fastgw.snapshot.load import parse
from tests.control.callers import error_of, everything_told, member, stranger
from tests.control.plane import Control, Json

FALLBACK = {"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": "main", "weight": 0.5}, {"provider": "@main"}]}


@pytest.fixture
def teams(control: Control) -> Iterator[Control]:
    """Two workspaces, an integration of all and one of the second."""
    for slug in ("team-a", "team-b"):
        control.ask("POST", "/workspaces", {"slug": slug}, 201)
    control.ask("POST", "/integrations", {"slug": "main", "provider": "openai", "api_key": "sk-1", "share_with": "all"}, 201)
    control.ask("POST", "/integrations", {"slug": "own-b", "provider": "openai", "api_key": "sk-1", "workspace": "team-b"}, 201)
    yield control


def test_a_config_is_saved_read_replaced_and_deleted(teams: Control) -> None:
    """A change replaces the config as a whole, and makes a version of it; a change of its name makes none."""
    made = teams.ask("POST", "/configs", {"slug": "two", "name": "Two", "config": FALLBACK}, 201)
    assert made["config"] == FALLBACK and made["number"] == 1 and made["source"] == "store"
    changed = teams.ask("PATCH", "/configs/two", {"config": {"virtual_key": "main", "retry": {"attempts": 2}}})
    assert changed["config"] == {"virtual_key": "main", "retry": {"attempts": 2}} and changed["number"] == 2
    assert teams.ask("PATCH", "/configs/two", {"name": None})["number"] == 2
    assert teams.ask("GET", f"/configs/{made['id']}")["version"] == 3
    teams.ask("DELETE", "/configs/two", status=204)
    error_of(teams, "GET", "/configs/two/versions", None, 404)


def test_an_earlier_version_holds_again(teams: Control) -> None:
    """As a version of its own, with who made it; what is not there cannot be restored."""
    teams.ask("POST", "/configs", {"slug": "two", "config": FALLBACK}, 201)
    teams.ask("PATCH", "/configs/two", {"config": {"virtual_key": "main"}})
    assert teams.ask("POST", "/configs/two/restore", {"number": 1})["config"] == FALLBACK
    page = teams.ask("GET", "/configs/two/versions?limit=2")
    rest = teams.ask("GET", f"/configs/two/versions?limit=2&cursor={page['next']}")
    assert [row["number"] for row in page["data"] + rest["data"]] == [3, 2, 1] and page["total"] == 3 and rest["next"] is None
    assert page["data"][0]["config"] == FALLBACK and page["data"][0]["created_by"] == "owner@localhost"
    error_of(teams, "POST", "/configs/two/restore", {"number": 9}, 404)
    assert error_of(teams, "POST", "/configs/two/restore", {"number": 0})["path"] == "$.number"
    assert error_of(teams, "POST", "/configs/two/restore", {"number": 1}, 409, if_match='"1"')["code"] == "conflict"


@pytest.mark.parametrize(("config", "path", "words"), [
    ({}, "$.config", "Invalid configuration"),
    ({"strategy": {"mode": "fallbck"}, "targets": [{"virtual_key": "main"}]}, "$.config.strategy.mode", "mode"),
    ({"retry": {}, "virtual_key": "main"}, "$.config.retry.attempts", "retry"),
    ({"provider": "opnai"}, "$.config.provider", "provider"),
    ({"virtual_key": "mian"}, "$.config", "mian"),
    ([], "$.config", "a table"),
    ({"provider": "openai", "api_key": "sk-secret"}, "$.config.api_key", "no credential"),
    ({"provider": "openai", "apiKey": "env:HOME"}, "$.config.api_key", "no credential"),
    ({"strategy": {"mode": "single"}, "targets": [{"provider": "openai", "api_key": "sk-secret"}]}, "$.config.targets[0].api_key", "no c"),
    ({"provider": "bedrock", "aws_region": "us-east-1"}, "$.config.provider", "signed as the gateway"),
    ({"provider": "bedrock", "aws_secret_access_key": "sk-secret"}, "$.config.aws_secret_access_key", "no credential"),
    ({"provider": "vertex-ai", "vertex_region": "us", "vertex_service_account_json": {"private_key": "sk-secret"}},
     "$.config.vertex_service_account_json", "no credential"),
])  # fmt: skip
def test_what_is_wrong_with_a_config_is_named(teams: Control, config: object, path: str, words: str) -> None:
    """Its form, what it names, and credentials, which belong into integrations; nothing of it is kept or told."""
    error = error_of(teams, "POST", "/configs", {"slug": "two", "config": config})
    assert error["path"] == path and words in error["message"], error
    if isinstance(config, dict):
        problems = teams.ask("POST", "/configs/check", {"config": config})["problems"]
        assert problems[0]["path"] == path and "sk-secret" not in repr([error, problems]) + everything_told(teams)
    assert teams.ask("GET", "/configs")["total"] == 0


def test_a_config_that_holds_has_no_problems(teams: Control) -> None:
    """Members without a meaning are named beside."""
    assert teams.ask("POST", "/configs/check", {"config": FALLBACK | {"odd": 1}}) == {"problems": [], "unknown": ["odd"]}


@pytest.mark.parametrize(("change", "path"), [
    ({"slug": "../etc"}, "$.slug"), ({"slug": "UP"}, "$.slug"), ({"id": "x"}, "$.id"), ({"number": 5}, "$.number"),
    ({"workspace": "nowhere"}, "$.workspace"), ({"organisation_id": "x"}, "$.organisation_id"),
])  # fmt: skip
def test_wrong_members_of_a_config_are_named(teams: Control, change: Json, path: str) -> None:
    """A member that does not fit is refused with its path."""
    assert error_of(teams, "POST", "/configs", {"slug": "two", "config": FALLBACK} | change)["path"] == path


def test_a_workspaces_config_names_what_the_workspace_has(teams: Control) -> None:
    """No integration of others, and no address of its own."""
    admin = member(teams, {"team-a": "admin"})
    body: Json = {"slug": "two", "workspace": "team-a"}
    assert "own-b" in error_of(admin, "POST", "/configs", body | {"config": {"virtual_key": "own-b"}})["message"]
    hosted = {"provider": "openai", "custom_host": "https://evil.example/v1"}
    assert error_of(admin, "POST", "/configs", body | {"config": hosted})["path"] == "$.config.custom_host"
    teams.ask("POST", "/configs", {"slug": "wide", "config": hosted}, 201)
    assert admin.ask("POST", "/configs", body | {"config": FALLBACK}, 201)["workspace"] == "team-a"


def test_each_sees_their_own_configs_and_those_of_all(teams: Control) -> None:
    """A workspace's are seen there; those of all are looked at by all, and changed by the organisation."""
    teams.ask("POST", "/configs", {"slug": "wide", "config": FALLBACK}, 201)
    made = teams.ask("POST", "/configs", {"slug": "of-b", "workspace": "team-b", "config": FALLBACK}, 201)
    admin = member(teams, {"team-a": "admin"})
    assert [row["slug"] for row in admin.ask("GET", "/configs")["data"]] == ["wide"]
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/restore")):
        assert error_of(admin, method, f"/configs/wide{path}", {"number": 1} if path else {}, 403)["code"] == "forbidden"
        error_of(admin, method, f"/configs/{made['id']}{path}", {}, 404)
    assert error_of(admin, "POST", "/configs", {"slug": "x", "config": FALLBACK}, 403)["scope"] == "configs.create"
    for name in ("wide", made["id"]):
        error_of(stranger(teams, f"s-{name[:4]}"), "GET", f"/configs/{name}", None, 404)


def test_a_config_that_a_key_has_is_not_deleted(teams: Control) -> None:
    """Nor can a key name one of another workspace."""
    teams.ask("POST", "/configs", {"slug": "of-b", "workspace": "team-b", "config": FALLBACK}, 201)
    assert error_of(teams, "POST", "/keys", {"name": "k", "workspace": "team-a", "config": "of-b"})["path"] == "$.config"
    teams.ask("POST", "/keys", {"name": "k", "workspace": "team-b", "config": "of-b"}, 201)
    assert "'k'" in error_of(teams, "DELETE", "/configs/of-b", None, 409)["message"]


def test_what_a_config_leads_to_is_not_deleted(teams: Control) -> None:
    """An integration that a config names is in use."""
    teams.ask("POST", "/configs", {"slug": "two", "config": FALLBACK}, 201)
    assert "'two'" in error_of(teams, "DELETE", "/integrations/main", None, 409)["message"]


def test_configs_of_the_file_are_shown_and_not_changed(teams: Control) -> None:
    """Beside those of the store."""
    teams.plane.file = parse('[configs.filed]\nprovider = "openai"\nretry = { attempts = 2 }', {}).config
    shown = teams.ask("GET", "/configs")["data"][0]
    assert shown["config"] == {"provider": "openai", "retry": {"attempts": 2}} and shown["source"] == "file"
    assert error_of(teams, "PATCH", "/configs/filed", {}, 409)["code"] == "managed_by_file"
