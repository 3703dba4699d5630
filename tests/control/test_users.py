"""Users by the admin API: roles, passwords, and what ends with a person."""

import json
from hashlib import sha256

import pytest
from sqlalchemy import insert, select

from fastgw.control.ids import make_id
from fastgw.control.store.tables import AUDIT, KEYS, USERS, WORKSPACES
from tests.control.plane import PASSWORD, Caller, Control

SHORT, LONG = "x" * 11, "x" * 257


def make_key(control: Control, email: str, name: str, workspace: str = "default") -> str:
    """A key of a person, as the resource of keys would write it; its id."""
    key_id = make_id()

    async def write() -> None:
        async with control.plane.store.write() as transaction:
            user_id = (await transaction.execute(select(USERS.c.id).where(USERS.c.email == email))).scalar_one()
            place = (await transaction.execute(select(WORKSPACES).where(WORKSPACES.c.slug == workspace))).one()
            spec = json.dumps({"name": name, "workspace": workspace, "user": user_id})
            await transaction.execute(
                insert(KEYS).values(
                    id=key_id, organisation_id=place.organisation_id, workspace_id=place.id, user_id=user_id, name=name,
                    digest=sha256(name.encode()).digest(), masked="fgw-…", removed=False, spec=spec, version=1,
                    revision=await transaction.revision("keys"), created_ns=0, updated_ns=0,
                )
            )  # fmt: skip

    control.run(write)
    return key_id


def key_spec(control: Control, key_id: str) -> dict[str, object]:
    found: list[dict[str, object]] = []

    async def read() -> None:
        async with control.plane.store.read() as connection:
            row = (await connection.execute(select(KEYS).where(KEYS.c.id == key_id))).one()
            found.append({**json.loads(row.spec), "user_id": row.user_id, "version": row.version})

    control.run(read)
    return found[0]


def test_a_user_is_made_changed_and_deleted(control: Control) -> None:
    """An address is kept in lower case and names the user in paths; the password is never shown."""
    made = control.ask("POST", "/users", {"email": " Ann@Example.com ", "name": "Ann", "password": PASSWORD}, 201)
    assert (made["email"], made["role"], made["status"], made["has_password"]) == ("ann@example.com", "member", "active", True)
    assert made["oidc"] is False and made["last_login_at"] is None and "password" not in json.dumps(made).replace("has_password", "")
    assert control.ask("GET", "/users/ANN@example.com") == control.ask("GET", f"/users/{made['id']}") == made
    changed = control.ask("PATCH", "/users/ann@example.com", {"name": "Anna", "budgets": [{"usd": 5}]})
    assert changed["name"] == "Anna" and changed["budgets"] == [{"usd": 5}] and changed["version"] == 2
    assert control.ask("DELETE", "/users/ann@example.com") == {"disabled_keys": []}
    control.ask("GET", "/users/ann@example.com", status=404)


@pytest.mark.parametrize(("body", "path"), [
    ({"email": "nobody"}, "$.email"),
    ({"email": "a@b'; DROP TABLE users; --"}, "$.email"),
    ({"email": "a@b.c", "role": "root"}, "$.role"),
    ({"email": "a@b.c", "password": SHORT}, "$.password"),
    ({"email": "a@b.c", "password": LONG}, "$.password"),
    ({"email": "a@b.c", "password": 123456789012}, "$.password"),
    ({"email": "a@b.c", "password_hash": "x"}, "$.password_hash"),
    ({"email": "a@b.c", "organisation_id": "x"}, "$.organisation_id"),
    ({"email": "a@b.c", "oidc_subject": "x"}, "$.oidc_subject"),
    ({"email": "a@b.c", "id": "x"}, "$.id"),
    ({"email": "a@b.c", "name": "nul \x00"}, "$"),
])
def test_what_no_administrator_may_write_is_refused(control: Control, body: object, path: str) -> None:
    """Members of the row that are not the writer's, and values that do not fit, are named; nothing is kept."""
    assert control.ask("POST", "/users", body, 422)["error"]["path"] == path
    assert control.ask("GET", "/users")["total"] == 1


def test_an_address_is_of_one_user(control: Control) -> None:
    """However it is written."""
    control.ask("POST", "/users", {"email": "ann@example.com"}, 201)
    assert control.ask("POST", "/users", {"email": "ANN@EXAMPLE.COM"}, 409)["error"]["code"] == "exists"
    assert control.ask("PATCH", "/users/ann@example.com", {"email": "Owner@localhost"}, 409)["error"]["code"] == "exists"


@pytest.mark.parametrize(("method", "body"), [
    ("PATCH", {"role": "admin"}), ("PATCH", {"role": None}), ("PATCH", {"status": "disabled"}), ("DELETE", None),
])
def test_the_last_owner_stays(control: Control, method: str, body: object) -> None:
    """An organisation that nobody can administer is not made; a disabled owner does not count."""
    control.ask("POST", "/users", {"email": "second@example.com", "role": "owner", "status": "disabled"}, 201)
    assert control.ask(method, "/users/owner@localhost", body, 409)["error"]["code"] == "last_owner"
    control.ask("PATCH", "/users/second@example.com", {"status": "active"})
    control.ask(method, "/users/owner@localhost", body)


def test_nobody_gives_a_role_above_their_own(control: Control) -> None:
    """An administrator neither makes owners nor touches them; a token gives no role with scopes that it lacks."""
    admin = control.person("admin@example.com", "admin")
    script = control.script(*(f"organisation_users.{verb}" for verb in ("create", "read", "update", "delete")))
    admin.ask("POST", "/users", {"email": "a@example.com", "role": "admin"}, 201)
    refused = admin.ask("POST", "/users", {"email": "b@example.com", "role": "owner"}, 403)["error"]
    assert refused["code"] == "forbidden" and "organisation_settings.update" in refused["message"]
    script.ask("POST", "/users", {"email": "b@example.com", "role": "admin"}, 403)
    script.ask("POST", "/users", {"email": "b@example.com"}, 201)
    for caller in (admin, script):
        caller.ask("PATCH", "/users/b@example.com", {"role": "owner"}, 403)
        caller.ask("PATCH", "/users/owner@localhost", {"password": PASSWORD}, 403)
        caller.ask("DELETE", "/users/owner@localhost", status=403)
    admin.ask("PATCH", "/users/admin@example.com", {"role": "owner"}, 403)
    control.sign_in("owner@localhost", control.password)


def test_a_member_sees_only_themselves(control: Control) -> None:
    """Of the others there is nothing, by list, by id or by address."""
    member = control.person("ann@example.com", default="admin")
    other = control.ask("POST", "/users", {"email": "bob@example.com"}, 201)
    assert [row["email"] for row in member.ask("GET", "/users")["data"]] == ["ann@example.com"]
    assert member.ask("GET", "/users?search=bob")["total"] == 0
    member.ask("GET", "/users/ann@example.com")
    for name in (other["id"], "bob@example.com", "owner@localhost"):
        member.ask("GET", f"/users/{name}", status=404)
        member.ask("PATCH", f"/users/{name}", {"name": "x"}, 403)
        member.ask("DELETE", f"/users/{name}", status=403)
        member.ask("POST", f"/users/{name}/password", {"current": PASSWORD, "password": PASSWORD}, 404)
    member.ask("PATCH", "/users/ann@example.com", {"role": "owner"}, 403)


def test_people_of_another_organisation_do_not_exist(control: Control) -> None:
    """Neither their owner nor ours finds the other's people, whatever they call them by."""
    outsider = control.outsider()
    own = control.ask("GET", "/users/owner@localhost")["id"]
    for name in (own, "owner@localhost"):
        outsider.ask("GET", f"/users/{name}", status=404)
        outsider.ask("PATCH", f"/users/{name}", {"password": PASSWORD}, 404)
        outsider.ask("DELETE", f"/users/{name}", status=404)
    assert [row["email"] for row in outsider.ask("GET", "/users")["data"]] == ["owner@other.example"]
    control.ask("GET", "/users/owner@other.example", status=404)


def test_one_changes_ones_own_password_by_the_one_of_now(control: Control) -> None:
    """All other sign-ins end, the one that asks stays, and the old password is of no use."""
    mine = control.person("ann@example.com")
    other = control.sign_in("ann@example.com", PASSWORD)[0]
    path, fresh = "/users/ann@example.com/password", "another horse battery"
    assert mine.ask("POST", path, {"current": "wrong", "password": fresh}, 422)["error"]["path"] == "$.current"
    assert mine.ask("POST", path, {"current": PASSWORD, "password": SHORT}, 422)["error"]["path"] == "$.password"
    mine.ask("POST", path, {"current": PASSWORD, "password": fresh}, 204)
    mine.ask("GET", "/me")
    assert other.ask("GET", "/me", status=401)["error"]["code"] == "not_signed_in"
    assert control.client.post("/api/v1/login", json={"email": "ann@example.com", "password": PASSWORD}).status_code == 401
    control.sign_in("ann@example.com", fresh)
    control.ask("POST", path, {"current": control.password, "password": fresh}, 403)
    assert control.ask("PATCH", "/users/owner@localhost", {"password": fresh}, 422)["error"]["path"] == "$.password"


def test_guessing_the_password_of_a_stolen_sign_in_is_slowed_down(control: Control) -> None:
    """Five failures, and the right one has to wait as well."""
    for _ in range(5):
        control.ask("POST", "/users/owner@localhost/password", {"current": "wrong", "password": PASSWORD}, 422)
    body = {"current": control.password, "password": PASSWORD}
    assert control.ask("POST", "/users/owner@localhost/password", body, 429)["error"]["code"] == "too_many_logins"


@pytest.mark.parametrize("body", [{"status": "disabled"}, {"password": "another horse battery"}, {"password": None}])
def test_sign_ins_end_at_once(control: Control, body: object) -> None:
    """Of who is disabled, and of whose password an administrator sets; to enable them again brings none back."""
    person = control.person("ann@example.com")
    person.ask("GET", "/me")
    control.ask("PATCH", "/users/ann@example.com", body)
    person.ask("GET", "/me", status=401)
    control.ask("PATCH", "/users/ann@example.com", {"status": "active"})
    person.ask("GET", "/me", status=401)


def test_who_is_disabled_cannot_sign_in(control: Control) -> None:
    """By the right password, and is told no more than with a wrong one."""
    control.ask("POST", "/users", {"email": "ann@example.com", "password": PASSWORD, "status": "disabled"}, 201)
    answers = [control.client.post("/api/v1/login", json={"email": "ann@example.com", "password": entered}) for entered in (PASSWORD, "x")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1


def test_the_keys_of_who_leaves_stop_and_are_told(control: Control) -> None:
    """They stay as nobody's, switched off; of those that were off nothing is told."""
    control.person("ann@example.com")
    first, second = make_key(control, "ann@example.com", "first"), make_key(control, "ann@example.com", "second")
    others = make_key(control, "owner@localhost", "other")
    told = control.ask("DELETE", "/users/ann@example.com")["disabled_keys"]
    assert told == [{"id": first, "name": "first", "workspace": "default"}, {"id": second, "name": "second", "workspace": "default"}]
    for key_id in (first, second):
        spec = key_spec(control, key_id)
        assert (spec["enabled"], spec.get("user"), spec["user_id"], spec["version"]) == (False, None, None, 2)
    assert "enabled" not in key_spec(control, others)
    lines = control.ask("GET", "/audit?resource=keys")["data"]
    assert {line["resource"]["id"] for line in lines} == {first, second} and lines[0]["workspace"] == "default"


def test_no_secret_of_a_user_stands_anywhere_in_the_store(control: Control) -> None:
    """The audit says that a password was set, and not which; no reply to a conflict tells it either."""
    control.ask("POST", "/users", {"email": "ann@example.com", "password": PASSWORD}, 201)
    control.ask("PATCH", "/users/ann@example.com", {"password": PASSWORD}, 200)
    error = control.ask("PATCH", "/users/ann@example.com", {"password": PASSWORD}, 409, if_match='"1"')
    assert PASSWORD not in json.dumps(error)
    rows: list[str] = []

    async def read() -> None:
        async with control.plane.store.read() as connection:
            for table in (AUDIT, USERS):
                rows.extend(map(str, await connection.execute(select(table))))

    control.run(read)
    assert not any(PASSWORD in row for row in rows) and sum("(secret)" in row for row in rows) == 2


@pytest.mark.parametrize("name", ["..%2Fworkspaces", "%2e%2e", "' OR '1'='1", "%25", "_", "x%00y", "a" * 5000, "%F0%9F%90%88"])
def test_strange_names_in_paths_find_nothing(control: Control, name: str) -> None:
    """They are names like any other: there is no such user, and nothing else is reached."""
    answer = control.send("GET", f"/users/{name}")
    assert answer.status_code in (404, 422), answer.text
    assert control.send("DELETE", f"/users/{name}").status_code in (404, 405, 422)
    assert control.ask("GET", "/users?search=' OR 1=1 --")["total"] == 0
    assert control.ask("GET", "/users?search=%25")["total"] == control.ask("GET", "/users?search=_")["total"] == 0


def test_two_owners_cannot_send_one_another_away(control: Control) -> None:
    """Whoever comes second is the last one."""
    second: Caller = control.person("second@example.com", "owner")
    second.ask("DELETE", "/users/owner@localhost")
    assert control.send("DELETE", "/users/second@example.com").status_code == 401
    assert second.ask("DELETE", "/users/second@example.com", status=409)["error"]["code"] == "last_owner"
