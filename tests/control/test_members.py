"""Members of workspaces by the admin API, and the organisation."""

import pytest

from tests.control.plane import Control
from tests.control.test_users import key_spec, make_key


@pytest.fixture
def team(control: Control) -> Control:
    """An organisation with two workspaces and a user in neither."""
    for slug in ("team-a", "team-b"):
        control.ask("POST", "/workspaces", {"slug": slug}, 201)
    control.ask("POST", "/users", {"email": "new@example.com", "name": "New"}, 201)
    return control


def id_of(control: Control, email: str) -> str:
    return str(control.ask("GET", f"/users/{email}")["id"])


def test_a_member_is_made_changed_and_deleted(team: Control) -> None:
    """By the user's id or address, in a workspace by id or slug; a user is a member once."""
    user_id = id_of(team, "new@example.com")
    made = team.ask("POST", "/workspaces/team-a/members", {"user_id": user_id, "role": "manager"}, 201)
    assert (made["user_id"], made["role"], made["email"], made["name"]) == (user_id, "manager", "new@example.com", "New")
    place = team.ask("GET", "/workspaces/team-a")
    assert place["members"] == 1
    for path in (f"/workspaces/team-a/members/{user_id}", f"/workspaces/{place['id']}/members/New@Example.com"):
        assert team.ask("GET", path) == made
    body = {"user_id": user_id, "role": "member"}
    assert team.ask("POST", "/workspaces/team-a/members", body, 409)["error"]["code"] == "exists"
    assert team.ask("PATCH", f"/workspaces/team-a/members/{user_id}", {"role": "admin"})["role"] == "admin"
    assert team.ask("GET", "/workspaces/team-a/members")["total"] == 1 and team.ask("GET", "/workspaces/team-b/members")["total"] == 0
    team.ask("DELETE", f"/workspaces/team-a/members/{user_id}")
    team.ask("GET", f"/workspaces/team-a/members/{user_id}", status=404)
    actions = [line["action"] for line in team.ask("GET", "/audit?workspace=team-a")["data"]]
    assert actions == ["members.delete", "members.update", "members.create"]


def test_members_are_looked_for_in_the_workspace_of_the_path(team: Control) -> None:
    """A member of one workspace is none of another, and cannot be changed through it."""
    user_id = id_of(team, "new@example.com")
    made = team.ask("POST", "/workspaces/team-a/members", {"user_id": user_id, "role": "member"}, 201)
    for name in (user_id, made["id"], "new@example.com"):
        for method, body in (("GET", None), ("PATCH", {"role": "admin"}), ("DELETE", None)):
            team.ask(method, f"/workspaces/team-b/members/{name}", body, 404)
            team.ask(method, f"/workspaces/nowhere/members/{name}", body, 404)
    assert team.ask("GET", "/workspaces/team-a/members")["data"][0]["role"] == "member"


@pytest.mark.parametrize(("body", "path"), [
    ({"role": "member"}, "$.user_id"),
    ({"user_id": "nobody", "role": "member"}, "$.user_id"),
    ({"user_id": "nobody", "role": "owner"}, "$.role"),
    ({"user_id": "nobody", "role": "member", "workspace_id": "x"}, "$.workspace_id"),
])
def test_wrong_members_are_named(team: Control, body: object, path: str) -> None:
    """Nobody becomes a member who is no user, and the path alone says of what."""
    assert team.ask("POST", "/workspaces/team-a/members", body, 422)["error"]["path"] == path


def test_people_of_another_organisation_become_no_members(team: Control) -> None:
    """Their id is as good as none, and their owner finds none of our workspaces."""
    outsider = team.outsider()
    their_id = outsider.ask("GET", "/users")["data"][0]["id"]
    team.ask("POST", "/workspaces/team-a/members", {"user_id": their_id, "role": "member"}, 422)
    our_id = id_of(team, "new@example.com")
    for place in ("team-a", team.ask("GET", "/workspaces/team-a")["id"]):
        outsider.ask("GET", f"/workspaces/{place}/members", status=404)
        outsider.ask("POST", f"/workspaces/{place}/members", {"user_id": their_id, "role": "admin"}, 404)
        outsider.ask("POST", f"/workspaces/{place}/members", {"user_id": our_id, "role": "admin"}, 404)


def test_administrators_of_a_workspace_are_so_in_it_alone(team: Control) -> None:
    """They make members of theirs, managers and members do not, and of other workspaces none of them sees anything."""
    admin, manager = team.person("admin@example.com", team_a="admin"), team.person("manager@example.com", team_a="manager")
    member = team.person("member@example.com", team_a="member", team_b="manager")
    body = {"user_id": id_of(team, "new@example.com"), "role": "admin"}
    assert "workspace_users.create" in manager.ask("POST", "/workspaces/team-a/members", body, 403)["error"]["message"]
    member.ask("GET", "/workspaces/team-a/members", status=403)
    assert member.ask("GET", "/workspaces/team-b/members")["total"] == 1
    admin.ask("GET", "/workspaces/team-b/members", status=404)
    admin.ask("POST", "/workspaces/team-b/members", body, 404)
    admin.ask("POST", "/workspaces/team-a/members", body, 201)
    member.ask("PATCH", "/workspaces/team-a/members/member@example.com", {"role": "admin"}, 403)
    manager.ask("PATCH", "/workspaces/team-a/members/manager@example.com", {"role": "admin"}, 403)


def test_a_token_gives_no_role_beyond_its_scopes(team: Control) -> None:
    """Who may only make members cannot make one who may more."""
    script = team.script("workspace_users.create", workspace="team-a")
    body = {"user_id": id_of(team, "new@example.com"), "role": "admin"}
    script.ask("POST", "/workspaces/team-a/members", body, 403)
    script.ask("POST", "/workspaces/team-b/members", body, 404)


def test_the_keys_of_a_former_member_stop_there(team: Control) -> None:
    """Those of the workspace that they leave; not those of others."""
    team.person("ann@example.com", team_a="member", team_b="member")
    here, there = make_key(team, "ann@example.com", "here", "team-a"), make_key(team, "ann@example.com", "there", "team-b")
    told = team.ask("DELETE", "/workspaces/team-a/members/ann@example.com")
    assert told == {"disabled_keys": [{"id": here, "name": "here", "workspace": "team-a"}]}
    assert key_spec(team, here)["enabled"] is False and "enabled" not in key_spec(team, there)


def test_the_organisation_is_named_and_limited_by_its_owners(team: Control) -> None:
    """There is one, which no path names; administrators read it."""
    admin, member = team.person("admin@example.com", "admin"), team.person("member@example.com", team_a="admin")
    changed = team.ask("PATCH", "/organisation", {"name": "ACME", "budgets": [{"usd": 1000, "window": "month"}]})
    assert (changed["slug"], changed["name"], changed["budgets"]) == ("default", "ACME", [{"usd": 1000, "window": "month"}])
    assert admin.ask("GET", "/organisation") == changed
    assert "organisation_settings.update" in admin.ask("PATCH", "/organisation", {"name": "mine"}, 403)["error"]["message"]
    member.ask("GET", "/organisation", status=403)
    for body in ({"slug": "other"}, {"id": "x"}, {"version": 9}):
        team.ask("PATCH", "/organisation", body, 422)
    outsider = team.outsider()
    outsider.ask("PATCH", "/organisation", {"name": "theirs"})
    assert team.ask("GET", "/organisation")["name"] == "ACME"
    team.ask("PATCH", "/organisation", {"name": "late"}, 409, if_match='"1"')
    for method in ("POST", "DELETE"):
        team.ask(method, "/organisation", status=405)
