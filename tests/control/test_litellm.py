"""LiteLLM's management routes, in the order in which scripts and its Terraform provider send them."""

from hashlib import sha256
from typing import Any

import pytest
from httpx2 import Response

from fastgw.control.access.roles import ALL, SCOPES
from fastgw.control.api.spending import BudgetSpend, Spend
from tests.control.callers import everything_told
from tests.control.plane import Caller, Control, Json


class Script:
    """Who calls the routes with a token."""

    def __init__(self, control: Control, caller: Caller) -> None:
        self.client = control.client
        self.fields = caller.fields

    def send(self, method: str, path: str, body: object = None) -> Response:
        return self.client.request(method, path, json=body, headers=self.fields)

    def post(self, path: str, body: object, status: int = 200) -> Any:
        return self.asked("POST", path, body, status)

    def get(self, path: str, status: int = 200) -> Any:
        return self.asked("GET", path, None, status)

    def asked(self, method: str, path: str, body: object, status: int) -> Any:
        answer = self.send(method, path, body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def refused(self, path: str, body: object, status: int = 400) -> Json:
        error = self.post(path, body, status)["error"]
        assert isinstance(error, dict) and error.keys() == {"message", "type", "param", "code"} and error["code"] == str(status)
        return error


@pytest.fixture
def script(control: Control) -> Script:
    """A script with a token that may do everything, as a master key may."""
    return Script(control, control.script(*sorted(SCOPES)))


def test_a_key_lives_as_scripts_have_it(control: Control, script: Script) -> None:
    """A key is generated, shown by itself and by its hash, changed, blocked, regenerated and deleted."""
    made = script.post("/key/generate", {
        "key_alias": "app one", "max_budget": 25.5, "budget_duration": "30d", "soft_budget": 20.4, "rpm_limit": 60, "tpm_limit": 1000,
        "max_parallel_requests": 5, "duration": "30d", "metadata": {"env": "prod", "nested": {"a": 1}}, "tags": ["blue"],
    })  # fmt: skip
    key = made["key"]
    assert key.startswith("fgw-") and made["token"] == sha256(key.encode()).hexdigest() and made["expires"]
    for name in (key, made["token"]):
        shown = script.get(f"/key/info?key={name}")
        info = shown["info"]
        assert shown["key"] == name and "key" not in info
        assert (info["max_budget"], info["budget_duration"], info["soft_budget"]) == (25.5, "30d", 20.4)
        assert (info["rpm_limit"], info["tpm_limit"], info["max_parallel_requests"], info["spend"]) == (60, 1000, 5, 0.0)
        assert info["metadata"] == {"env": "prod", "nested": {"a": 1}, "tags": ["blue"]} and info["blocked"] is False
    ours = control.ask("GET", "/keys/app one")
    assert ours["budgets"] == [{"usd": 25.5, "window": "month", "alert_at": [0.8, 1]}]
    assert ours["metadata"] == {"env": "prod", "tags": "blue"}
    changed = script.post("/key/update", {"key": key, "max_budget": 30, "rpm_limit": None, "duration": "-1"})
    assert (changed["max_budget"], changed["budget_duration"], changed["rpm_limit"], changed["expires"]) == (30, "30d", None, None)
    assert script.post("/key/block", {"key": key})["blocked"] is True and script.post("/key/unblock", {"key": key})["blocked"] is False
    again = script.post(f"/key/{made['token']}/regenerate", {"grace_period": "24h"})
    assert again["key"] != key and again["token"] != made["token"]
    assert script.get(f"/key/info?key={key}", 404)["error"]["type"] == "not_found_error"
    assert script.post("/key/delete", {"keys": [again["key"]]}) == {"deleted_keys": [again["key"]]}
    script.get(f"/key/info?key={again['key']}", 404)
    assert key not in everything_told(control) and again["key"] not in everything_told(control)


def test_callers_bring_their_own_keys(control: Control, script: Script) -> None:
    """A key that begins with sk- is kept as a digest, and is nobody else's afterwards."""
    own = "sk-0123456789abcdef"
    assert script.post("/key/generate", {"key": own, "key_alias": "mine"})["key"] == own
    assert script.get(f"/key/info?key={own}")["info"]["key_name"] == "sk-…cdef"
    script.refused("/key/generate", {"key": own}, 409)
    script.refused("/key/generate", {"key": "short"})
    assert script.post("/key/regenerate", {"key": own, "new_key": "sk-fedcba9876543210"})["key"] == "sk-fedcba9876543210"
    assert own not in everything_told(control)


def test_keys_are_listed_page_by_page(script: Script) -> None:
    """Pages have numbers; hashes are listed, or whole keys where they are asked for; an alias deletes as well."""
    team = script.post("/team/new", {"team_alias": "Data Science"})
    for number in range(5):
        script.post("/key/generate", {"key_alias": f"k{number}", "team_id": team["team_id"]})
    script.post("/key/generate", {})
    page = script.get(f"/key/list?team_id={team['team_id']}&size=2&page=3")
    assert (page["total_count"], page["current_page"], page["total_pages"]) == (5, 3, 3) and len(page["keys"][0]) == 64
    full = script.get("/key/list?return_full_object=true&key_alias=k3")["keys"]
    assert [row["key_alias"] for row in full] == ["k3"] and full[0]["team_id"] == team["team_id"]
    assert script.post("/key/delete", {"key_aliases": ["k3", "k4"]}) == {"deleted_keys": ["k3", "k4"]}
    assert script.get("/key/list")["total_count"] == 4


def test_spend_is_that_of_the_window(control: Control, script: Script) -> None:
    """With a budget's duration, spend is what the window has, as there."""
    made = script.post("/key/generate", {"key_alias": "a", "max_budget": 10, "budget_duration": "1d"})
    row = control.ask("GET", "/keys/a")
    budget = BudgetSpend("usd", "day", 10, 1.5, 0, 8.5, "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", False)
    control.data.spends[f"key:{row['id']}"] = Spend(7.0, 0, 0, [budget])
    info = script.get(f"/key/info?key={made['key']}")["info"]
    assert info["spend"] == 1.5 and info["budget_reset_at"] == "2026-11-28T00:00:00Z"
    script.post(f"/key/{made['token']}/reset_spend", {"reset_to": 0.0})
    assert control.data.resets == [f"key:{row['id']}"]


@pytest.mark.parametrize(("duration", "window"), [
    (None, "total"), ("24h", "day"), ("1d", "day"), ("7d", "week"), ("1w", "week"), ("30d", "month"), ("1mo", "month"), ("14d", "14d"),
    ("48h", "2d"), ("2mo", "60d"),
])  # fmt: skip
def test_durations_are_windows(control: Control, script: Script, duration: str | None, window: str) -> None:
    """A duration means what LiteLLM documents, and comes back as it was said."""
    made = script.post("/key/generate", {"key_alias": "a", "max_budget": 1, "budget_duration": duration})
    assert made["budget_duration"] == duration and control.ask("GET", "/keys/a")["budgets"] == [{"usd": 1, "window": window}]


@pytest.mark.parametrize(("body", "param"), [
    ({"budget_duration": "1h", "max_budget": 1}, "budget_duration"),
    ({"budget_duration": "soon", "max_budget": 1}, "budget_duration"),
    ({"duration": "3y"}, "duration"),
    ({"max_budget": -1}, "max_budget"),
    ({"max_budget": "ten"}, "max_budget"),
    ({"rpm_limit": 0}, "rpm_limit"),
    ({"guardrails": ["pii"]}, "guardrails"),
    ({"allowed_routes": ["/key/generate"]}, "allowed_routes"),
    ({"key_type": "management"}, "key_type"),
    ({"permissions": {"get_spend_routes": True}}, "permissions"),
    ({"model_max_budget": {"gpt-4": {"budget_limit": 1, "time_period": "1d"}}}, "model_max_budget"),
    ({"models": "gpt-4"}, "models"),
    ({"team_id": "nowhere"}, "team_id"),
    ({"user_id": "nobody"}, "user_id"),
    ({"budget_limits": [{"max_budget": 1, "budget_duration": "5m"}]}, "budget_limits"),
    ({"metadata": "text"}, "metadata"),
])  # fmt: skip
def test_what_cannot_be_honoured_is_refused(script: Script, body: Json, param: str) -> None:
    """Nothing is made, and the error has LiteLLM's shape and names the field by its name there."""
    error = script.refused("/key/generate", body)
    assert error["param"] == param and error["type"] == "bad_request_error"
    assert script.get("/key/list")["total_count"] == 0


def test_what_is_not_heeded_is_said(script: Script) -> None:
    """Fields that do no harm unheeded stand in a field of the reply; empty ones say nothing."""
    body = {"key_alias": "a", "tpm_limit_type": "best_effort_throughput", "send_invite_email": True, "guardrails": [], "aliases": {}}
    answer = script.send("POST", "/key/generate", body | {"allowed_routes": ["llm_api_routes"], "models": ["all-team-models"]})
    assert answer.status_code == 200 and answer.headers["x-fastgw-ignored"] == "tpm_limit_type, send_invite_email"


def test_terraform_keeps_a_team_and_its_key(control: Control, script: Script) -> None:
    """The id that a provider makes up finds the team, and what it reads back is what it wrote."""
    team_id = "45e3e396-ee08-4a61-a88e-16b3ce7e0849"
    body = {"team_id": team_id, "team_alias": "Team A", "max_budget": 100.0, "budget_duration": "30d", "router_settings": {},
            "metadata": {"cost": 7}}  # fmt: skip
    script.post("/team/new", body)
    assert control.ask("GET", "/workspaces/team-a")["id"] == team_id
    shown = script.get(f"/team/info?team_id={team_id}")
    assert shown["team_info"]["max_budget"] == 100.0 and shown["team_info"]["metadata"] == {"cost": 7} and shown["keys"] == []
    key = script.post("/key/generate", {"team_id": team_id, "key_alias": "tf", "models": ["all-team-models"]})
    assert script.get(f"/key/info?key={key['key']}")["info"]["team_id"] == team_id
    update = script.post("/team/update", {"team_id": team_id, "max_budget": None, "budget_duration": None, "tpm_limit": 500})
    assert update["data"]["max_budget"] is None and update["data"]["tpm_limit"] == 500
    own = {"team_id": team_id, "team_member_permissions": []}
    assert script.post("/team/permissions_update", own).items() >= own.items()
    assert script.get(f"/team/permissions_list?team_id={team_id}").items() >= own.items()
    script.refused("/team/permissions_update", {**own, "team_member_permissions": ["/key/generate"]})
    assert script.post("/team/block", {"team_id": team_id})["blocked"] is True
    assert control.ask("GET", "/workspaces/team-a")["budgets"] == [{"requests": 0, "window": "total"}]
    script.post("/team/update", {"team_id": team_id, "max_budget": 5})
    assert script.get(f"/team/info?team_id={team_id}")["team_info"]["blocked"] is True
    assert script.post("/team/unblock", {"team_id": team_id})["blocked"] is False
    script.refused("/team/new", body, 409)
    assert [one["team_id"] for one in script.post("/team/delete", {"team_ids": [team_id]})] == [team_id]
    script.get(f"/team/info?team_id={team_id}", 404)
    script.get(f"/key/info?key={key['key']}", 404)


def test_users_have_keys_and_teams(control: Control, script: Script) -> None:
    """A user is made with an id of the caller's and a key, is a member of the teams that are named, and goes with the keys."""
    team = script.post("/team/new", {"team_id": "red"})
    body = {"user_id": "u|1", "user_alias": "One", "teams": ["red"], "max_budget": 5, "user_role": "internal_user"}
    made = script.post("/user/new", body)
    assert made["user_id"] == "u|1" and made["key"].startswith("fgw-") and made["user_email"] is None and made["teams"] == [team["team_id"]]
    by_email = script.post("/user/new", {"user_email": "Two@Example.com", "auto_create_key": False})
    assert by_email["user_email"] == "two@example.com" and "key" not in by_email
    info = script.get("/user/info?user_id=u|1")
    assert info["user_info"]["max_budget"] == 5 and info["teams"][0]["team_id"] == "red"
    assert [one["user_id"] for one in info["keys"]] == ["u|1"]
    script.post("/team/member_add", {"team_id": "red", "member": {"role": "admin", "user_email": "three@example.com"}})
    script.post("/team/member_update", {"team_id": "red", "user_email": "three@example.com", "role": "user"})
    roles = {one["role"] for one in script.get("/team/info?team_id=red")["team_info"]["members_with_roles"]}
    assert roles == {"user"}
    script.post("/team/member_delete", {"team_id": "red", "user_email": "three@example.com"})
    listed = script.get("/user/list?page_size=2&page=1")
    assert listed["total"] == 4 and listed["total_pages"] == 2 and len(listed["users"]) == 2
    assert script.post("/user/update", {"user_id": "u|1", "max_budget": 6})["data"]["max_budget"] == 6
    script.refused("/user/update", {"user_id": "u|1", "user_role": "internal_user_viewer"})
    script.refused("/user/new", {"user_id": "u|1"}, 409)
    assert script.post("/user/delete", {"user_ids": ["u|1"]}) == 1
    assert script.get(f"/key/info?key={made['key']}")["info"]["blocked"] is True


def test_the_keys_of_a_disabled_user_are_blocked(control: Control, script: Script) -> None:
    """They say so while the user is, and unblocking such a key does not let it in."""
    made = script.post("/user/new", {"user_email": "ann@example.com"})
    assert script.get(f"/key/info?key={made['token']}")["info"]["blocked"] is False
    control.ask("PATCH", "/users/ann@example.com", {"status": "disabled"})
    assert script.get(f"/key/info?key={made['token']}")["info"]["blocked"] is True
    assert script.post("/key/unblock", {"key": made["token"]})["blocked"] is True
    shown = script.get(f"/user/info?user_id={made['user_id']}")
    assert shown["user_info"]["blocked"] is True and [one["blocked"] for one in shown["keys"]] == [True]
    control.ask("PATCH", "/users/ann@example.com", {"status": "active"})
    assert script.get(f"/key/info?key={made['token']}")["info"]["blocked"] is False


def test_a_changed_budget_changes_the_keys_that_have_it(script: Script) -> None:
    """Limits by an id are those of every key that names it."""
    script.post("/budget/new", {"budget_id": "small", "max_budget": 1, "budget_duration": "1d", "rpm_limit": 10})
    key = script.post("/key/generate", {"budget_id": "small"})
    other = script.post("/key/generate", {"max_budget": 9})
    assert (key["max_budget"], key["budget_id"], key["rpm_limit"]) == (1, "small", 10)
    script.post("/budget/update", {"budget_id": "small", "max_budget": 2.5})
    info = script.get(f"/key/info?key={key['key']}")["info"]
    assert (info["max_budget"], info["budget_duration"]) == (2.5, "1d")
    assert script.get(f"/key/info?key={other['key']}")["info"]["max_budget"] == 9
    assert [one["budget_id"] for one in script.post("/budget/info", {"budgets": ["small", "none"]})] == ["small"]
    assert script.get("/budget/list")[0]["max_budget"] == 2.5
    assert script.post("/budget/delete", {"id": "small"})["budget_id"] == "small" and script.get("/budget/list") == []


def test_models_are_integrations_and_names(control: Control, script: Script) -> None:
    """A deployment is an integration that is shared with all, and a name; its secret is told to nobody."""
    secret = "sk-provider-0123456789abcdef"
    params = {"model": "openai/gpt-4.1", "api_key": secret, "input_cost_per_token": 0.000002, "output_cost_per_token": 0.000008}
    made = script.post("/model/new", {"model_name": "smart", "litellm_params": params, "model_info": {"id": "m-1"}})
    assert made["model_info"]["id"] == "m-1" and secret not in str(made)
    integration = control.ask("GET", "/integrations")["data"][0]
    assert integration["provider"] == "openai" and integration["masked_key"] == "sk-…cdef"
    assert control.ask("GET", "/models/smart")["price"] == {"input": 2, "output": 8}
    assert script.get("/model/info?litellm_model_id=m-1")["data"][0]["model_info"]["input_cost_per_token"] == 0.000002
    assert script.get("/model_group/info")["data"][0]["model_group"] == "smart"
    script.refused("/model/new", {"model_name": "smart", "litellm_params": params}, 409)
    script.refused("/model/new", {"model_name": "odd", "litellm_params": {"model": "nowhere/x"}})
    script.refused("/model/new", {"model_name": "odd", "litellm_params": params | {"rpm": 5}})
    script.post("/model/update", {"model_info": {"id": "m-1"}, "litellm_params": {"model": "openai/gpt-4.1-mini", "api_key": secret + "x"}})
    assert control.ask("GET", "/models/smart")["targets"][0]["model"] == "gpt-4.1-mini"
    script.asked("PATCH", "/model/m-1/update", {"litellm_params": {"model": "openai/gpt-4.1-nano"}}, 200)
    changed = control.ask("GET", "/models/smart")
    assert changed["targets"][0]["model"] == "gpt-4.1-nano" and changed["price"] == {"input": 2, "output": 8}
    assert script.asked("PATCH", "/model/m-1/update", {"litellm_params": {"api_base": "https://evil.example/v1"}}, 400)
    assert control.ask("GET", "/integrations")["total"] == 1
    script.post("/model/delete", {"id": "m-1"})
    assert control.ask("GET", "/integrations")["total"] == 0 and script.get("/model/info")["data"] == []
    assert secret not in everything_told(control)


def test_rights_are_those_of_the_admin_api(control: Control, script: Script) -> None:
    """Without a token 401, without a scope 403; what another workspace has is not there."""
    assert control.client.get("/key/list").json()["error"]["type"] == "auth_error"
    weak = Script(control, control.script("models.list"))
    assert "workspace_service_api_keys.create" in weak.refused("/key/generate", {}, 403)["message"]
    script.post("/team/new", {"team_id": "red"})
    script.post("/team/new", {"team_id": "blue"})
    key = script.post("/key/generate", {"team_id": "blue"})
    red = Script(control, control.script(*(f"workspace_service_api_keys.{verb}" for verb in ALL), workspace="red"))
    assert red.post("/key/generate", {})["team_id"] == "red"
    red.refused("/key/generate", {"team_id": "blue"})
    red.get(f"/key/info?key={key['key']}", 404)
    red.refused("/key/delete", {"keys": [key["key"]]}, 404)
    assert control.ask("GET", "/audit?action=keys.create")["data"][0]["actor"]["kind"] == "token"


def test_there_are_no_records_before_the_first(script: Script) -> None:
    """The log is empty where nothing came by, and days are held to their form."""
    assert script.get("/spend/logs") == [] and script.get("/spend/logs?start_date=2026-11-01&end_date=2026-11-02") == []
    script.get("/spend/logs?start_date=yesterday", 400)
