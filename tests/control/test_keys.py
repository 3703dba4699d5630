"""Virtual keys by the admin API: shown once, whose they are, what they may name, rotation and revocation."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from fastgw.control.api.spending import BudgetSpend, Spend
from fastgw.control.ids import account_digest
from fastgw.control.revoking import retire_previous
from fastgw.control.store.tables import ACCOUNTS, KEYS, REVOCATIONS
from tests.control.callers import error_of, everything_told, member, put, rows_of, stranger, token
from tests.control.plane import Control, Json

FORM = re.compile(r"fgw-[A-Za-z0-9_-]{43}")
LATER = "2100-01-01T00:00:00Z"


@pytest.fixture
def teams(control: Control) -> Iterator[Control]:
    """Two workspaces, one of which has an integration and a list of models."""
    control.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    control.ask("POST", "/workspaces", {"slug": "team-b", "models": ["gpt-4.1"]}, 201)
    control.ask("POST", "/integrations", {"slug": "main", "provider": "openai", "api_key": "sk-1", "share_with": "all"}, 201)
    control.ask("POST", "/integrations", {"slug": "own-b", "provider": "openai", "api_key": "sk-1", "workspace": "team-b"}, 201)
    yield control


def key(control: Control, name: str = "app", workspace: str = "team-a", **members: object) -> Json:
    made = control.ask("POST", "/keys", {"name": name, "workspace": workspace, **members}, 201)
    assert isinstance(made, dict) and FORM.fullmatch(made["key"])
    return made


def row_of(control: Control, made: Json) -> dict[str, Any]:
    return next(row for row in rows_of(control, KEYS) if row["id"] == made["id"])


def user_of(control: Control, person: Control) -> str:
    return str(person.ask("GET", "/me")["user"]["id"])


def test_a_key_is_made_read_changed_and_revoked(teams: Control) -> None:
    """The key is told once; its digest is kept; revoked, it is forgotten by data planes, and its name is free again."""
    limits: Json = {"budgets": [{"usd": 100.5, "window": "month", "alert_at": [0.8, 1]}], "rate": {"requests_per_minute": 5},
                    "max_parallel": 2}
    made = key(teams, models=["gpt-4.1"], integrations=["main"], integration="main", metadata={"team": "x"}, expires_at=LATER, **limits)
    assert made["status"] == "active" and made["masked"] == f"fgw-…{made['key'][-4:]}" and made["spend"]["usd"] == 0
    assert {name: made[name] for name in limits} == limits and made["last_used_at"] is None
    digest = sha256(made["key"].encode()).digest()
    assert row_of(teams, made)["digest"] == digest
    assert teams.ask("GET", f"/keys/{made['id']}") == {name: value for name, value in made.items() if name != "key"}
    changed = teams.ask("PATCH", "/keys/app", {"metadata": {"env": "prod"}, "models": None, "max_parallel": None, "name": "app-2"})
    assert changed["metadata"] == {"env": "prod"} and "models" not in changed and "max_parallel" not in changed and changed["version"] == 2
    teams.ask("DELETE", f"/keys/{made['id']}", status=204)
    error_of(teams, "GET", f"/keys/{made['id']}", None, 404)
    assert row_of(teams, made)["digest"] is None and row_of(teams, made)["removed"]
    assert [bytes(row["digest"]) for row in rows_of(teams, REVOCATIONS)] == [digest]
    key(teams, "app-2")


def test_no_key_is_told_twice(teams: Control) -> None:
    """Neither lists nor changes, replays, the audit and the store hold a key."""
    body = {"name": "app", "workspace": "team-a"}
    made = teams.ask("POST", "/keys", body, 201, idempotency_key="one")
    assert teams.ask("POST", "/keys", body, 201, idempotency_key="one") == made | {"key": ""}
    rotated = teams.ask("POST", "/keys/app/rotate", {"overlap_hours": 1})
    told = repr([teams.ask("GET", "/keys"), teams.ask("PATCH", "/keys/app", {"enabled": False}), rows_of(teams, KEYS)])
    for one in (made["key"], rotated["key"]):
        assert one not in told + everything_told(teams)


@pytest.mark.parametrize(("change", "path", "words", "hint"), [
    ({"name": None}, "$.name", "nothing", ""),
    ({"name": "a\nb"}, "$.name", "1 to 64", ""),
    ({"name": "../../etc?"}, "$.name", "1 to 64", ""),
    ({"name": "app\x00"}, "$", "U+0000", ""),
    ({"name": "'; DROP TABLE keys; --"}, "$.name", "1 to 64", ""),
    ({"name": "playground-x"}, "$.name", "playground", ""),
    ({"workspace": "team-aa"}, "$.workspace", "a workspace", "team-a"),
    ({"workspace": None}, "$.workspace", "nothing", ""),
    ({"user": "somebody"}, "$.user", "a member of the workspace", ""),
    ({"models": ["gtp-4.1"]}, "$.models[0]", "a model", "gpt-4.1"),
    ({"integrations": ["man"]}, "$.integrations[0]", "an integration of the workspace", "main"),
    ({"integrations": ["own-b"]}, "$.integrations[0]", "an integration of the workspace", ""),
    ({"integration": "mian"}, "$.integration", "an integration that the key may use", "main"),
    ({"config": "none"}, "$.config", "a saved config", ""),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "$.expires_at", "a time to come", ""),
    ({"expires_at": "2300-01-01T00:00:00Z"}, "$.expires_at", "2261", ""),
    ({"expires_at": "2100-01-01T00:00:00"}, "$.expires_at", "with an offset", ""),
    ({"expires_at": "soon"}, "$.expires_at", "with an offset", ""),
    ({"metadata": {"a": "x" * 129}}, "$.metadata.a", "128", ""),
    ({"metadata": {"a": 1}}, "$.metadata.a", "a string", ""),
    ({"alert_emails": ["nobody"]}, "$.alert_emails[0]", "e-mail", ""),
    ({"rotation": {"every_days": 0}}, "$.rotation.every_days", "an integer from 1", ""),
    ({"admission": "clmap"}, "$.admission", "one of", "clamp"),
    ({"budgets": [{"usd": 1, "window": "500d"}]}, "$.budgets[0].window", "Nd", ""),
    ({"id": "mine"}, "$.id", "a known name", ""),
    ({"organisation_id": "mine"}, "$.organisation_id", "a known name", ""),
    ({"digest": "mine"}, "$.digest", "a known name", "budgets"),
    ({"masked": "mine"}, "$.masked", "a known name", ""),
    ({"key": "fgw-mine"}, "$.key", "a known name", ""),
    ({"removed": False}, "$.removed", "a known name", ""),
    ({"status": "active"}, "$.status", "a known name", ""),
])  # fmt: skip
def test_wrong_members_of_a_key_are_named(teams: Control, change: Json, path: str, words: str, hint: str) -> None:
    """A member that does not fit, or names what its workspace does not have, is refused, at creation and in a change."""
    answer = teams.ask("POST", "/keys", {"name": "app", "workspace": "team-a"} | change, 422)
    assert answer["error"]["path"] == path and words in answer["error"]["message"], answer
    assert answer["problems"][0].get("hint", "") == hint
    assert teams.ask("GET", "/keys")["total"] == 0
    key(teams)
    if change.get(path[2:], 0) is not None:
        assert error_of(teams, "PATCH", "/keys/app", change)["path"] == path


def test_a_key_may_use_what_its_workspace_may(teams: Control) -> None:
    """A list of models of the workspace bounds that of its keys; an integration of the workspace is its keys'."""
    assert error_of(teams, "POST", "/keys", {"name": "x", "workspace": "team-b", "models": ["gpt-4o"]})["path"] == "$.models[0]"
    made = key(teams, workspace="team-b", models=["gpt-4.1"], integrations=["own-b", "main"])
    assert error_of(teams, "PATCH", f"/keys/{made['id']}", {"workspace": "team-a"})["path"] == "$.integrations[0]"
    assert teams.ask("PATCH", f"/keys/{made['id']}", {"workspace": "team-a", "integrations": ["main"]})["workspace"] == "team-a"


def test_what_keys_refer_to_is_not_taken_away(teams: Control) -> None:
    """An integration, or its share, that a key names is in use until the key is changed."""
    key(teams, integrations=["main"])
    for path in ("/integrations/main", "/integrations/main/workspaces/team-a"):
        assert "'app'" in error_of(teams, "DELETE", path, None, 409)["message"]
    teams.ask("DELETE", "/integrations/main/workspaces/team-b", status=204)
    teams.ask("PATCH", "/keys/app", {"integrations": None})
    teams.ask("DELETE", "/integrations/main", status=204)


def test_an_expired_key_can_still_be_changed(teams: Control) -> None:
    """Only a new time has to be one to come."""
    made = key(teams, expires_at=LATER)
    put(teams, KEYS, organisation_id=row_of(teams, made)["organisation_id"], workspace_id=row_of(teams, made)["workspace_id"], name="old",
        masked="", removed=False, spec='{"name":"old","workspace":"team-a","expires_at":"2020-01-01T00:00:00Z"}')  # fmt: skip
    assert teams.ask("PATCH", "/keys/old", {"description": "x"})["status"] == "expired"
    assert error_of(teams, "PATCH", "/keys/old", {"expires_at": "2021-01-01T00:00:00Z"})["path"] == "$.expires_at"
    assert teams.ask("PATCH", "/keys/old", {"expires_at": None})["status"] == "active"


def test_names_are_unique_within_a_workspace(teams: Control) -> None:
    """The same name in another workspace is another key, which then goes by its id, or with its workspace."""
    made, other = key(teams), key(teams, workspace="team-b")
    assert error_of(teams, "POST", "/keys", {"name": "app", "workspace": "team-a"}, 409)["path"] == "$.name"
    second = key(teams, "second")
    assert error_of(teams, "PATCH", f"/keys/{second['id']}", {"name": "app"}, 409)["code"] == "exists"
    assert "id" in error_of(teams, "GET", "/keys/app", None)["message"]
    assert teams.ask("GET", "/keys/app?workspace=team-b")["id"] == other["id"]
    assert teams.ask("GET", f"/keys/{made['id']}")["id"] == made["id"]


def test_of_two_that_make_one_name_at_once_one_is_refused(teams: Control) -> None:
    """One 201 and one 409, however they meet."""
    fields = teams.fields
    with ThreadPoolExecutor(4) as pool:
        body = {"name": "app", "workspace": "team-a"}
        answers = list(pool.map(lambda _: teams.client.post("/api/v1/keys", json=body, headers=fields), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def test_a_rotated_key_holds_beside_the_one_before_for_a_while(teams: Control) -> None:
    """Two hold at most; with no overlap only the latest, and what has passed is retired."""
    made = key(teams, rotation={"every_days": 30, "overlap_hours": 2})
    assert made["rotate_at"] is not None and made["previous_valid_until"] is None
    first = teams.ask("POST", "/keys/app/rotate")
    assert FORM.fullmatch(first["key"]) and first["previous_valid_until"] is not None and first["version"] == 2
    assert bytes(row_of(teams, made)["previous_digest"]) == sha256(made["key"].encode()).digest() and not rows_of(teams, REVOCATIONS)
    second = teams.ask("POST", "/keys/app/rotate", {"overlap_hours": 1})
    assert [bytes(row["digest"]) for row in rows_of(teams, REVOCATIONS)] == [sha256(made["key"].encode()).digest()]
    teams.ask("POST", "/keys/app/rotate", {"overlap_hours": 0})
    assert len(rows_of(teams, REVOCATIONS)) == 3 and row_of(teams, made)["previous_digest"] is None
    assert second["key"] != first["key"] and "keys.rotate" in everything_told(teams)
    assert error_of(teams, "POST", "/keys/app/rotate", {"overlap_hours": -1})["path"] == "$.overlap_hours"
    assert error_of(teams, "POST", "/keys/app/rotate", {}, 409, if_match='"1"')["code"] == "conflict"


def test_the_key_before_is_retired_when_its_time_has_passed(teams: Control) -> None:
    """Not before, and once."""
    made = key(teams)
    teams.ask("POST", "/keys/app/rotate", {"overlap_hours": 1})

    async def retire(now_ns: int) -> int:
        async with teams.plane.store.write() as transaction:
            return await retire_previous(transaction, now_ns)

    assert teams.client.portal is not None
    retired = [teams.client.portal.call(retire, time.time_ns() + hours * 3600 * 10**9) for hours in (0, 2, 2)]
    assert retired == [0, 1, 0] and row_of(teams, made)["previous_digest"] is None and len(rows_of(teams, REVOCATIONS)) == 1


def test_rotation_is_due_from_when_it_was_last_set(teams: Control) -> None:
    """Setting, changing and taking away the schedule moves the next time; another change does not."""
    made = key(teams, rotation={"every_days": 30})
    assert teams.ask("PATCH", "/keys/app", {"description": "x"})["rotate_at"] == made["rotate_at"]
    assert teams.ask("PATCH", "/keys/app", {"rotation": {"every_days": 60}})["rotate_at"] > made["rotate_at"]
    assert teams.ask("PATCH", "/keys/app", {"rotation": None})["rotate_at"] is None


def test_budgets_are_begun_afresh(teams: Control) -> None:
    """The ledger is told, and the audit."""
    made = key(teams)
    teams.ask("POST", "/keys/app/reset")
    assert teams.data.resets == [f"key:{made['id']}"] and "keys.reset" in everything_told(teams)


def test_status_and_last_use_are_of_the_moment(teams: Control) -> None:
    """Exhausted is what the ledger says, disabled what people do; the list is filtered by both, page by page."""
    ids = [key(teams, f"k{number}")["id"] for number in range(5)]
    used = BudgetSpend("usd", "total", 1, 1, 0, 0, None, None, True)
    teams.data.spends = {f"key:{ids[number]}": Spend(1, 2, 3, [used]) for number in (1, 3)}
    teams.ask("PATCH", f"/keys/{ids[3]}", {"enabled": False})
    for status, expected in (("exhausted", ["k1"]), ("disabled", ["k3"]), ("expired", [])):
        assert [row["name"] for row in teams.ask("GET", f"/keys?status={status}")["data"]] == expected
    page = teams.ask("GET", "/keys?status=active&limit=2")
    rest = teams.ask("GET", f"/keys?status=active&limit=2&cursor={page['next']}")
    assert [row["name"] for row in page["data"] + rest["data"]] == ["k4", "k2", "k0"] and rest["next"] is None
    assert error_of(teams, "GET", "/keys?status=odd", None)["path"] == "?status"
    put(teams, ACCOUNTS, machine="m", account=account_digest(f"key:{ids[0]}"), unit="nano_usd",
        window="total", lifetime=1, lifetime_tokens=1, lifetime_requests=1, spent=1,
        updated_ns=10**18)  # fmt: skip
    assert teams.ask("GET", "/keys/k0")["last_used_at"] == "2001-09-09T01:46:40.000Z"


def test_a_key_says_by_what_it_is_disabled(teams: Control) -> None:
    """By itself or by its user; it is found by ?status= either way, and the user's return says nothing of what it is by itself."""
    person = member(teams, {"team-a": "member"})
    user_id = user_of(teams, person)
    made, off = key(person, "mine"), key(person, "mine-off", enabled=False)
    key(teams, "service")

    def told() -> dict[str, tuple[str, str | None]]:
        return {row["name"]: (row["status"], row["disabled_by"]) for row in teams.ask("GET", "/keys")["data"]}

    assert told() == {"mine": ("active", None), "mine-off": ("disabled", "key"), "service": ("active", None)}
    version = row_of(teams, made)["version"]
    teams.ask("PATCH", f"/users/{user_id}", {"status": "disabled"})
    assert told() == {"mine": ("disabled", "user"), "mine-off": ("disabled", "key"), "service": ("active", None)}
    assert [row["id"] for row in teams.ask("GET", "/keys?status=disabled")["data"]] == [off["id"], made["id"]]
    assert row_of(teams, made)["version"] == version and "enabled" not in teams.ask("GET", "/keys/mine")
    person.ask("GET", "/keys", status=401)
    teams.ask("PATCH", f"/users/{user_id}", {"status": "active"})
    assert told()["mine"] == ("active", None) and told()["mine-off"] == ("disabled", "key")


def test_members_make_and_manage_their_own_keys(teams: Control) -> None:
    """Of others' they see the names; a key of a service, or of another, is not theirs to make."""
    service = key(teams, "service", description="d")
    person, other = member(teams, {"team-a": "member"}), member(teams, {"team-a": "member"})
    own = key(person, "mine")
    assert own["user"] == user_of(teams, person)
    names = {row["name"]: row for row in other.ask("GET", "/keys")["data"]}
    assert set(names) == {"service", "mine"} and all("masked" not in row and "spend" not in row for row in names.values())
    assert {row["name"]: "masked" in row for row in person.ask("GET", "/keys")["data"]} == {"service": False, "mine": True}
    for made in (service, own):
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/reset")):
            assert "workspace_service_api_keys" in error_of(other, method, f"/keys/{made['id']}{path}", {}, 403)["message"]
    for body in ({"user": user_of(teams, other)}, {"user": None}):
        assert error_of(person, "POST", "/keys", {"name": "x", "workspace": "team-a"} | body, 403)["code"] == "forbidden"
    assert error_of(person, "PATCH", "/keys/mine", {"user": user_of(teams, other)}, 403)["code"] == "forbidden"
    assert error_of(person, "PATCH", "/keys/mine", {"workspace": "team-b"})["path"] == "$.workspace"
    person.ask("PATCH", "/keys/mine", {"max_parallel": 1})
    person.ask("POST", "/keys/mine/rotate")
    person.ask("DELETE", "/keys/mine", status=204)


def test_managers_have_the_keys_of_their_workspace(teams: Control) -> None:
    """Those of services and of its members, and no others."""
    manager, person = member(teams, {"team-a": "manager"}), member(teams, {"team-a": "member"})
    key(teams, "elsewhere", "team-b")
    made = key(manager, "theirs", user=user_of(teams, person))
    key(manager, "service")
    assert sorted(row["name"] for row in manager.ask("GET", "/keys")["data"]) == ["service", "theirs"]
    assert [row["id"] for row in manager.ask("GET", f"/keys?user={made['user']}")["data"]] == [made["id"]]
    assert manager.ask("GET", "/keys?workspace=team-b")["total"] == 0
    manager.ask("DELETE", f"/keys/{made['id']}", status=204)
    stray = member(teams, {"team-b": "member"})
    assert error_of(manager, "POST", "/keys", {"name": "x", "workspace": "team-a", "user": user_of(teams, stray)})["path"] == "$.user"


def test_another_workspace_and_organisation_see_no_key(teams: Control) -> None:
    """Ids and names of others are as unknown as any, for all methods."""
    made = key(teams)
    for other in (stranger(teams), member(teams, {"team-b": "admin"})):
        assert other.ask("GET", "/keys")["total"] == 0
        for name in (made["id"], "app", "app?workspace=team-a"):
            error_of(other, "GET", f"/keys/{name}", None, 404)
            for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/reset")):
                error_of(other, method, f"/keys/{made['id']}{path}", {}, 404)
        assert error_of(other, "POST", "/keys", {"name": "x", "workspace": "team-a"})["path"] == "$.workspace"
        assert error_of(other, "POST", "/keys/playground", {"workspace": "team-a"})["path"] == "$.workspace"


def test_scripts_make_keys_of_services(teams: Control) -> None:
    """A token has no keys of its own: it takes the scopes of services' keys."""
    scopes = [f"workspace_service_api_keys.{verb}" for verb in ("create", "list", "read")]
    narrow, user_only = token(teams, *scopes, workspace="team-a"), token(teams, "workspace_user_api_keys.create", workspace="team-a")
    teams.ask("POST", "/keys", {"name": "x", "workspace": "team-a"}, 201, **narrow)
    assert error_of(teams, "PATCH", "/keys/x", {}, 403, **narrow)["scope"] == "workspace_service_api_keys.update"
    assert error_of(teams, "POST", "/keys", {"name": "y", "workspace": "team-b"}, 422, **narrow)["path"] == "$.workspace"
    assert error_of(teams, "POST", "/keys", {"name": "y", "workspace": "team-a"}, 403, **user_only)["code"] == "forbidden"
    assert error_of(teams, "POST", "/keys/playground", {"workspace": "team-a"}, 403, **user_only)["code"] == "forbidden"


def test_a_playground_key_is_the_persons_own_for_a_while(teams: Control) -> None:
    """Fifteen minutes and one dollar; those that have expired are revoked by the next."""
    person = member(teams, {"team-a": "member"})
    made = person.ask("POST", "/keys/playground", {"workspace": "team-a"}, 201)
    assert FORM.fullmatch(made["key"]) and made["key"] not in everything_told(teams)
    shown = person.ask("GET", f"/keys/{made['id']}")
    assert shown["budgets"] == [{"usd": 1}] and shown["user"] == user_of(teams, person) and shown["expires_at"] == made["expires_at"]
    old = {name: row_of(teams, made)[name] for name in ("organisation_id", "workspace_id", "user_id", "masked", "removed")}
    put(teams, KEYS, **old, name="playground-old", digest=b"old", spec='{"expires_at":"2020-01-01T00:00:00Z"}')
    person.ask("POST", "/keys/playground", {"workspace": "team-a"}, 201)
    assert [bytes(row["digest"]) for row in rows_of(teams, REVOCATIONS)] == [b"old"] and person.ask("GET", "/keys")["total"] == 2
