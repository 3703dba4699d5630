"""API tokens by the admin API: shown once, kept as a digest, and never more than who made them."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select, update

from fastgw.control.store.tables import AUDIT, REPLAYS, TOKENS
from tests.control.plane import Caller, Control


def bearer(control: Control, token: str) -> Caller:
    return Caller(control.client, {"authorization": f"Bearer {token}"})


def dump(control: Control) -> str:
    """Whatever the store has of tokens."""
    rows: list[str] = []

    async def read() -> None:
        async with control.plane.store.read() as connection:
            for table in (TOKENS, AUDIT, REPLAYS):
                rows.extend(map(str, await connection.execute(select(table))))

    control.run(read)
    return "\n".join(rows)


def test_a_token_is_shown_once(control: Control) -> None:
    """The store keeps its digest; a repeat of its creation tells it no more."""
    body = {"name": "ci", "scopes": ["workspaces.list"]}
    made = control.ask("POST", "/tokens", body, 201, idempotency_key="one")
    token = made["token"]
    assert re.fullmatch(r"fgt-[A-Za-z0-9_-]{43}", token)
    assert made["masked"] == f"fgt-…{token[-4:]}" and made["workspace"] is None and made["last_used_at"] is None
    assert control.ask("POST", "/tokens", body, 201, idempotency_key="one")["token"] == ""
    assert "token" not in control.ask("GET", f"/tokens/{made['id']}") and "token" not in control.ask("GET", "/tokens")["data"][0]
    kept = dump(control)
    assert token not in kept and repr(sha256(token.encode()).digest()) in kept


def test_a_token_does_what_its_scopes_say(control: Control) -> None:
    """And nothing else; when it was used last is known, and once it is deleted it is of no use at once."""
    control.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    made = control.ask("POST", "/tokens", {"name": "ci", "scopes": ["workspaces.list"]}, 201)
    script = bearer(control, made["token"])
    assert script.ask("GET", "/workspaces")["total"] == 2
    assert "workspaces.create" in script.ask("POST", "/workspaces", {"slug": "x"}, 403)["error"]["message"]
    script.ask("GET", "/users", status=403)
    assert script.ask("GET", "/me")["scopes"] == ["workspaces.list"]
    assert control.ask("GET", f"/tokens/{made['id']}")["last_used_at"] is not None
    control.ask("DELETE", f"/tokens/{made['id']}", status=204)
    assert script.ask("GET", "/workspaces", status=401)["error"]["code"] == "not_signed_in"


@pytest.mark.parametrize(("body", "path", "hint"), [
    ({"name": "x", "scopes": ["workspace.list"]}, "$.scopes[0]", "workspaces.list"),
    ({"name": "x", "scopes": ["workspaces.list", "*"]}, "$.scopes[1]", ""),
    ({"name": "x", "scopes": []}, "$.scopes", ""),
    ({"name": "x", "scopes": "workspaces.list"}, "$.scopes", ""),
    ({"name": "", "scopes": ["workspaces.list"]}, "$.name", ""),
    ({"scopes": ["workspaces.list"]}, "$.name", ""),
    ({"name": "x", "scopes": ["users.list"], "token": "fgt-mine"}, "$.token", ""),
    ({"name": "x", "scopes": ["workspaces.list"], "digest": "x"}, "$.digest", ""),
    ({"name": "x", "scopes": ["workspaces.list"], "expires_at": "2020-01-01T00:00:00Z"}, "$.expires_at", ""),
    ({"name": "x", "scopes": ["workspaces.list"], "expires_at": "9999-01-01T00:00:00Z"}, "$.expires_at", ""),
    ({"name": "x", "scopes": ["workspaces.list"], "expires_at": "2999-01-01T00:00:00"}, "$.expires_at", ""),
    ({"name": "x", "scopes": ["workspaces.list"], "workspace": "nowhere"}, "$.workspace", ""),
    ({"name": "x", "scopes": ["organisation_users.list"], "workspace": "default"}, "$.scopes[0]", ""),
])
def test_wrong_tokens_are_refused(control: Control, body: object, path: str, hint: str) -> None:
    """With the nearest scope that there is; those of the organisation hold in no workspace."""
    answer = control.ask("POST", "/tokens", body, 422)
    assert answer["error"]["path"] == path
    assert hint in answer["problems"][0].get("hint", "")
    assert control.ask("GET", "/tokens")["total"] == 0


def test_no_token_has_more_than_who_made_it(control: Control) -> None:
    """Neither at first nor later, neither of the organisation nor of a workspace."""
    admin = control.person("admin@example.com", "admin")
    admin.ask("POST", "/tokens", {"name": "x", "scopes": ["organisation_settings.update"]}, 403)
    made = admin.ask("POST", "/tokens", {"name": "x", "scopes": ["organisation_service_api_keys.create", "configs.list"]}, 201)
    script = bearer(control, made["token"])
    script.ask("POST", "/tokens", {"name": "y", "scopes": ["configs.update"]}, 403)
    script.ask("POST", "/tokens", {"name": "y", "scopes": ["configs.list"]}, 201)
    admin.ask("PATCH", f"/tokens/{made['id']}", {"scopes": ["configs.list", "organisation_settings.update"]}, 403)
    owners = control.ask("POST", "/tokens", {"name": "o", "scopes": ["organisation_settings.update"]}, 201)
    admin.ask("PATCH", f"/tokens/{owners['id']}", {"name": "renamed"})
    manager = control.person("manager@example.com", default="manager")
    manager.ask("POST", "/tokens", {"name": "x", "scopes": ["configs.list"]}, 403)
    manager.ask("POST", "/tokens", {"name": "x", "scopes": ["workspace_users.create"], "workspace": "default"}, 403)
    manager.ask("POST", "/tokens", {"name": "x", "scopes": ["configs.list"], "workspace": "default"}, 201)


def test_a_token_of_a_workspace_stays_in_it(control: Control) -> None:
    """It sees no other workspace, nor tokens of others, and cannot be moved."""
    control.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    script = control.script("workspaces.list", "workspaces.read", "workspace_service_api_keys.list", workspace="team-a")
    assert [row["slug"] for row in script.ask("GET", "/workspaces")["data"]] == ["team-a"]
    script.ask("GET", "/workspaces/default", status=404)
    whole = control.ask("POST", "/tokens", {"name": "whole", "scopes": ["configs.list"]}, 201)
    found = script.ask("GET", "/tokens")["data"]
    assert [row["workspace"] for row in found] == ["team-a"]
    for workspace in (None, "default"):
        control.ask("PATCH", f"/tokens/{found[0]['id']}", {"workspace": workspace}, 422)
    control.ask("PATCH", f"/tokens/{whole['id']}", {"workspace": "team-a"}, 422)
    control.outsider().ask("GET", f"/tokens/{whole['id']}", status=404)


def test_an_expired_token_is_refused(control: Control) -> None:
    """From the moment on that it names."""
    at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = control.ask("POST", "/tokens", {"name": "ci", "scopes": ["workspaces.list"], "expires_at": at}, 201)
    assert made["expires_at"] == at
    script = bearer(control, made["token"])
    script.ask("GET", "/workspaces")

    async def pass_time() -> None:
        async with control.plane.store.write() as transaction:
            await transaction.execute(update(TOKENS).values(expires_ns=TOKENS.c.expires_ns - 86_400 * 10**9))

    control.run(pass_time)
    script.ask("GET", "/workspaces", status=401)


@pytest.mark.parametrize("field", [
    "Bearer fgt-", "Bearer fgt-" + "A" * 43, "Bearer", "Basic Zm9vOmJhcg==", "Bearer ' OR 1=1 --", "Bearer " + "x" * 9000,
])
def test_what_is_no_token_is_nobody(control: Control, field: str) -> None:
    """A stranger learns nothing but that they are one."""
    answer = Caller(control.client, {"authorization": field}).ask("GET", "/workspaces", status=401)
    assert answer["error"]["code"] == "not_signed_in"


def test_tokens_of_one_name_are_told_apart(control: Control) -> None:
    """A path takes the id alone, as names are anybody's choice."""
    first = control.ask("POST", "/tokens", {"name": "ci", "scopes": ["configs.list"]}, 201)["id"]
    second = control.ask("POST", "/tokens", {"name": first, "scopes": ["configs.list"]}, 201)["id"]
    control.ask("GET", "/tokens/ci", status=404)
    control.ask("DELETE", f"/tokens/{first}", status=204)
    assert [row["id"] for row in control.ask("GET", "/tokens")["data"]] == [second]
