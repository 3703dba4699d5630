"""Integrations by the admin API: their secrets, whose they are, and what workspaces may not bring along."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastgw.control.api.spending import Spend
from fastgw.control.store.tables import INTEGRATIONS
from fastgw.snapshot.load import parse
from tests.control.callers import error_of, everything_told, member, rows_of, stranger, token, workspace_id
from tests.control.plane import Control, Json

KEY = "sk-proj-0123456789abcdefwxyz"
EACH = (("GET", ""), ("PATCH", ""), ("DELETE", ""))
OPENAI = {"slug": "openai-main", "provider": "openai", "api_key": KEY}


@pytest.fixture
def teams(control: Control) -> Iterator[Control]:
    """Two workspaces beside the first."""
    for slug in ("team-a", "team-b"):
        control.ask("POST", "/workspaces", {"slug": slug}, 201)
    yield control


def test_an_integration_is_created_read_changed_and_deleted(teams: Control) -> None:
    """What was written comes back without the key, of which people know beginning and end."""
    made = teams.ask("POST", "/integrations", OPENAI | {"headers": {"x-org": "secret-org"}, "models": ["gpt-4.1"], "name": "Main"}, 201)
    assert made["masked_key"] == "sk-…wxyz" and made["source"] == "store" and made["version"] == 1
    assert "api_key" not in made and made["headers"] == {"x-org": None} and made["spend"]["usd"] == 0
    changed = teams.ask("PATCH", "/integrations/openai-main", {"name": None, "timeouts": {"total_ms": 5000}})
    assert "name" not in changed and changed["timeouts"] == {"total_ms": 5000} and changed["masked_key"] == "sk-…wxyz"
    assert teams.ask("GET", f"/integrations/{made['id']}") == changed
    teams.ask("DELETE", "/integrations/openai-main", status=204)
    assert teams.ask("GET", "/integrations")["total"] == 0


def test_no_secret_of_an_integration_is_told(teams: Control) -> None:
    """Neither answers nor the store, the audit and kept replies hold a credential, whatever happens to it."""
    aws = {"region": "us-east-1", "access_key_id": "AKIAPUBLIC", "secret_access_key": KEY}
    signed = {"slug": "bedrock", "provider": "bedrock", "aws": aws}
    answers = [
        teams.ask("POST", "/integrations", OPENAI | {"headers": {"x-secret": KEY}}, 201, idempotency_key="one"),
        teams.ask("POST", "/integrations", signed, 201, idempotency_key="two"),
        teams.ask("PATCH", "/integrations/openai-main", {"api_key": KEY + "-second", "headers": {"x-secret": KEY + "-third"}}),
        teams.ask("PATCH", "/integrations/openai-main", {"api_key": KEY, "max_connections": 0}, 422),
        teams.ask("PATCH", "/integrations/openai-main", {"api_key": KEY}, 409, if_match='"1"'),
        teams.ask("GET", "/integrations"),
    ]
    for text in (repr(answers), everything_told(teams), repr(rows_of(teams, INTEGRATIONS))):
        assert KEY not in text and "AKIAPUBLIC" not in text and KEY[::-1] not in text
    assert "(secret)" in everything_told(teams)


def test_a_change_keeps_removes_and_replaces_secrets(teams: Control) -> None:
    """A secret that is not named stays, null takes it away, another text replaces it."""
    teams.ask("POST", "/integrations", OPENAI | {"headers": {"x-one": "1", "x-two": "2"}}, 201)
    changed = teams.ask("PATCH", "/integrations/openai-main", {"headers": {"x-one": None, "x-three": "3"}})
    assert set(changed["headers"]) == {"x-two", "x-three"} and changed["masked_key"] == "sk-…wxyz"
    changed = teams.ask("PATCH", "/integrations/openai-main", {"api_key": "sk-0123456789012345678901234zzzz"})
    assert changed["masked_key"] == "sk-…zzzz"
    changed = teams.ask("PATCH", "/integrations/openai-main", {"api_key": None, "headers": None})
    assert changed["masked_key"] is None and "headers" not in changed
    assert teams.ask("PATCH", "/integrations/openai-main", {"api_key": "short"})["masked_key"] == "…"


def test_a_secret_goes_to_no_other_address_unless_it_is_sent_anew(teams: Control) -> None:
    """Who may change an integration and does not know its key cannot have the key sent elsewhere."""
    teams.ask("POST", "/integrations", OPENAI | {"headers": {"x-one": "1"}}, 201)
    for change in ({"base_url": "https://evil.example/v1"}, {"provider": "groq"}, {"base_url": "https://api.openai.com/other"}):
        error = error_of(teams, "PATCH", "/integrations/openai-main", change)
        assert error["path"] == "$.api_key" and "anew" in error["message"]
    assert error_of(teams, "PATCH", "/integrations/openai-main", {"provider": "groq", "api_key": KEY})["path"] == "$.headers.x-one"
    teams.ask("PATCH", "/integrations/openai-main", {"provider": "groq", "api_key": KEY, "headers": None})


@pytest.mark.parametrize(("change", "path", "words"), [
    ({"provider": "opnai"}, "$.provider", "a known provider"),
    ({"provider": None}, "$.provider", "nothing"),
    ({"slug": "Not A Slug"}, "$.slug", "a-z"),
    ({"slug": "../../etc/passwd"}, "$.slug", "a-z"),
    ({"slug": "a'; DROP TABLE integrations; --"}, "$.slug", "a-z"),
    ({"api_key": "env:OPENAI_API_KEY"}, "$.api_key", "env"),
    ({"api_key": "file:/etc/passwd"}, "$.api_key", "file"),
    ({"api_key": "sealed:abc"}, "$.api_key", "sealed"),
    ({"api_key": 5}, "$.api_key", "a secret"),
    ({"headers": {"x-a": "env:HOME"}}, "$.headers.x-a", "env"),
    ({"headers": {"host": "elsewhere"}}, "$.headers.host", "a field that the gateway does not write itself"),
    ({"ca_file": "/etc/passwd"}, "$.ca_file", "configuration file"),
    ({"proxy": "http://127.0.0.1:3128"}, "$.proxy", "configuration file"),
    ({"azure": {"token_file": "/etc/passwd"}}, "$.azure.token_file", "configuration file"),
    ({"base_url": "file:///etc/passwd"}, "$.base_url", "http"),
    ({"base_url": "https://user:pass@host/"}, "$.base_url", "without user"),
    ({"aws": {"region": "us-east-1"}}, "$.aws", "does not sign that way"),
    ({"max_connections": 0}, "$.max_connections", "an integer from 1"),
    ({"timeouts": {"first_byte": 1}}, "$.timeouts.first_byte", "a known name"),
    ({"id": "mine"}, "$.id", "a known name"),
    ({"organisation_id": "mine"}, "$.organisation_id", "a known name"),
    ({"masked": "mine"}, "$.masked", "a known name"),
    ({"source": "file"}, "$.source", "a known name"),
    ({"workspace": "nowhere"}, "$.workspace", "a workspace"),
    ({"share_with": ["team-c"]}, "$.share_with[0]", "a workspace"),
    ({"share_with": "some"}, "$.share_with", "a list"),
    ({"workspace": "team-a", "share_with": ["team-b"]}, "$.share_with", "alone"),
])  # fmt: skip
def test_wrong_members_of_an_integration_are_named(teams: Control, change: Json, path: str, words: str) -> None:
    """A member that does not fit is refused with its path, and nothing is kept."""
    error = error_of(teams, "POST", "/integrations", OPENAI | change)
    assert error["code"] == "invalid_field" and error["path"] == path and words in error["message"], error
    assert teams.ask("GET", "/integrations")["total"] == 0


def test_what_was_perhaps_meant_is_named(teams: Control) -> None:
    """Unknown providers and workspaces come with the nearest known name."""
    meant_by = {"provider": ("opnai", "openai"), "share_with": (["tem-a"], "team-a"), "max_conections": (1, "max_connections")}
    for change, meant in (({name: value}, meant) for name, (value, meant) in meant_by.items()):
        assert teams.ask("POST", "/integrations", OPENAI | change, 422)["problems"][0]["hint"] == meant


def test_an_integration_keeps_its_slug_and_its_workspace(teams: Control) -> None:
    """Members that the data plane knows it by cannot be changed."""
    teams.ask("POST", "/integrations", OPENAI, 201)
    for change in ({"slug": "other"}, {"workspace": "team-a"}, {"share_with": ["team-a"]}):
        assert error_of(teams, "PATCH", "/integrations/openai-main", change)["path"] == f"$.{next(iter(change))}"


@pytest.mark.parametrize(("change", "path"), [
    ({"base_url": "http://127.0.0.1:9000/v1"}, "$.base_url"),
    ({"base_url": "http://169.254.169.254/latest"}, "$.base_url"),
    ({"base_url": "http://10.0.0.1/v1"}, "$.base_url"),
    ({"base_url": "http://[::1]:80/v1"}, "$.base_url"),
    ({"base_url": "http://2130706433/v1"}, "$.base_url"),
    ({"base_url": "http://mail.example:25/v1"}, "$.base_url"),
    ({"provider": "ollama", "api_key": None}, "$.provider"),
    ({"provider": "bedrock", "api_key": None, "aws": {"region": "us-east-1"}}, "$.aws.access_key_id"),
    ({"provider": "vertex-ai", "api_key": None, "google": {"project": "p", "region": "global"}}, "$.google.service_account"),
    ({"provider": "azure-openai", "api_key": None, "azure": {"resource": "r", "identity": "managed"}}, "$.azure.identity"),
    ({"metadata_url": "http://169.254.169.254"}, "$.metadata_url"),
    ({"token_url": "http://127.0.0.1:1/token"}, "$.token_url"),
])  # fmt: skip
def test_a_workspace_names_no_host_or_identity_of_the_gateways(teams: Control, change: Json, path: str) -> None:
    """What an organisation may do, workspace administrators may not: hosts inside, and the machine's own credentials."""
    admin, body = member(teams, {"team-a": "admin"}), OPENAI | change
    assert error_of(admin, "POST", "/integrations", body | {"workspace": "team-a"})["path"] == path
    teams.ask("POST", "/integrations", body, 201)


def test_hosts_that_the_file_allows_are_a_workspaces_to_name(teams: Control) -> None:
    """[gateway.inline_hosts] says what hosts workspaces may name, and whether any at all."""
    admin = member(teams, {"team-a": "admin"})
    body = OPENAI | {"workspace": "team-a", "base_url": "http://models.internal:8080/v1"}
    teams.plane.file = parse('[gateway.inline_hosts]\nallow = ["10.0.0.0/8"]\npublic = false', {}).config
    made = admin.ask("POST", "/integrations", body | {"base_url": "http://10.1.2.3:8080/v1"}, 201)
    assert made["workspace"] == "team-a"
    teams.plane.file = parse("[gateway.inline_hosts]\nenabled = false", {}).config
    assert "inline_hosts" in error_of(admin, "POST", "/integrations", body | {"slug": "second"})["message"]


def test_each_sees_and_changes_what_their_scopes_reach(teams: Control) -> None:
    """Others' integrations are not found; what is shared is seen without its settings, and not changed."""
    teams.ask("POST", "/integrations", OPENAI | {"base_url": "http://inside.example/v1", "share_with": ["team-a"]}, 201)
    teams.ask("POST", "/integrations", OPENAI | {"slug": "own-b", "workspace": "team-b"}, 201)
    admin, user = member(teams, {"team-a": "admin"}), member(teams, {"team-a": "member"})
    for who in (admin, user):
        rows = who.ask("GET", "/integrations")["data"]
        assert [row["slug"] for row in rows] == ["openai-main"] and "base_url" not in rows[0] and "masked_key" not in rows[0]
        assert who.ask("GET", "/integrations/openai-main") == rows[0]
        assert error_of(who, "GET", "/integrations/own-b", None, 404)["code"] == "not_found"
    assert "organisation_integrations.update" in error_of(admin, "PATCH", "/integrations/openai-main", {"name": "x"}, 403)["message"]
    assert "organisation_integrations.delete" in error_of(admin, "DELETE", "/integrations/openai-main", None, 403)["message"]
    assert "organisation_integrations.create" in error_of(admin, "POST", "/integrations", OPENAI | {"slug": "x"}, 403)["message"]
    assert error_of(user, "POST", "/integrations", OPENAI | {"slug": "x", "workspace": "team-a"}, 403)["code"] == "forbidden"
    assert error_of(admin, "POST", "/integrations", OPENAI | {"slug": "x", "workspace": "team-b"})["path"] == "$.workspace"
    for method, path in (("PATCH", "/own-b"), ("DELETE", "/own-b"), ("POST", "/own-b/test")):
        error_of(admin, method, f"/integrations{path}", {}, 404)


def test_another_organisation_sees_nothing(teams: Control) -> None:
    """Ids and slugs of another organisation are as unknown as any others, for all methods."""
    made = teams.ask("POST", "/integrations", OPENAI | {"share_with": "all"}, 201)
    other = stranger(teams)
    assert other.ask("GET", "/integrations")["total"] == 0
    for name in (made["id"], "openai-main"):
        for method, path in (*EACH, ("POST", "/test"), ("GET", "/workspaces"), ("PUT", "/workspaces/team-a")):
            assert error_of(other, method, f"/integrations/{name}{path}", None if method == "GET" else {}, 404)["code"] == "not_found"
    for slug in (workspace_id(teams, "team-a"), "team-a"):
        assert error_of(other, "PUT", f"/integrations/openai-main/workspaces/{slug}", {}, 404)["code"] == "not_found"


def test_scripts_reach_what_their_token_names(teams: Control) -> None:
    """A token of the organisation's integrations has nothing to do with those of workspaces, and the other way around."""
    teams.ask("POST", "/integrations", OPENAI, 201)
    teams.ask("POST", "/integrations", OPENAI | {"slug": "own-a", "workspace": "team-a"}, 201)
    wide = token(teams, "organisation_integrations.list", "organisation_integrations.read")
    narrow = token(teams, "workspace_integrations.list", "workspace_integrations.read", workspace="team-a")
    assert [row["slug"] for row in teams.ask("GET", "/integrations", None, 200, **wide)["data"]] == ["openai-main"]
    assert [row["slug"] for row in teams.ask("GET", "/integrations", None, 200, **narrow)["data"]] == ["own-a"]
    assert error_of(teams, "PATCH", "/integrations/openai-main", {}, 403, **wide)["code"] == "forbidden"


def test_of_two_that_create_one_slug_at_once_one_is_refused(teams: Control) -> None:
    """One 201 and one 409, however they meet."""
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: teams.client.post(
            "/api/v1/integrations", json=OPENAI, headers=teams.fields), range(2)))  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert next(answer for answer in answers if answer.status_code == 409).json()["error"]["code"] == "exists"


@pytest.mark.parametrize("name", ["%27%20OR%201%3D1", "..%2F..%2Fetc", "%25", "%00", "a" * 5000, "%C3%28", "_"])
def test_names_in_paths_and_searches_are_only_names(teams: Control, name: str) -> None:
    """What would be SQL, a pattern or a path elsewhere finds nothing."""
    teams.ask("POST", "/integrations", OPENAI, 201)
    for path in (f"/integrations/{name}", f"/integrations?search={name}", f"/integrations?cursor={name}"):
        answer = teams.client.get(f"/api/v1{path}", headers=teams.fields)
        assert answer.status_code in (200, 404, 422), answer.text
        assert answer.status_code != 200 or answer.json().get("data") == [] or "cursor" in path
    teams.ask("GET", "/integrations/openai-main")


def test_integrations_of_the_file_are_shown_and_not_changed(teams: Control) -> None:
    """They stand in the list after the store's, page by page, without their secrets; a change is sent to the file."""
    teams.ask("POST", "/integrations", OPENAI, 201)
    section = f'provider = "openai"\napi_key = "{KEY}"\nproxy = "http://secret@proxy:1"'
    teams.plane.file = parse("\n".join(f"[integrations.filed-{number}]\n{section}" for number in range(3)), {}).config
    page = teams.ask("GET", "/integrations?limit=2")
    rows = page["data"]
    while page["next"]:
        page = teams.ask("GET", f"/integrations?limit=2&cursor={page['next']}")
        rows += page["data"]
    assert [row["slug"] for row in rows] == ["openai-main", "filed-0", "filed-1", "filed-2"] and page["total"] == 4
    assert rows[1]["source"] == "file" and KEY not in repr(rows) and "secret@" not in repr(rows)
    assert teams.ask("GET", "/integrations/filed-1") == rows[2]
    assert [row["slug"] for row in teams.ask("GET", "/integrations?search=FILED-2")["data"]] == ["filed-2"]
    for method in ("PATCH", "DELETE"):
        assert error_of(teams, method, "/integrations/filed-1", {}, 409)["code"] == "managed_by_file"
    assert error_of(teams, "POST", "/integrations", OPENAI | {"slug": "filed-1"}, 409)["code"] == "managed_by_file"


def test_spend_is_the_sum_of_the_shares(teams: Control) -> None:
    """An integration has used what its shares have, as far as the caller may see them."""
    teams.ask("POST", "/integrations", OPENAI | {"share_with": ["team-a", "team-b"]}, 201)
    teams.data.spends = {"integration:openai-main@team-a": Spend(1.5, 10, 1, []), "integration:openai-main@team-b": Spend(2.0, 5, 2, [])}
    spend = teams.ask("GET", "/integrations/openai-main")["spend"]
    assert spend == {"usd": 3.5, "tokens": 15, "requests": 3, "today_usd": 0.0, "budgets": []}
