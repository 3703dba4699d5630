"""Models, prices and the catalogue by the admin API."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastgw.snapshot.load import parse
from tests.control.callers import error_of, member, stranger
from tests.control.plane import Control, Json

TARGETS = [{"integration": "main", "model": "gpt-4.1", "weight": 2}]


@pytest.fixture
def teams(control: Control) -> Iterator[Control]:
    """A workspace and an integration that says what it serves."""
    control.ask("POST", "/workspaces", {"slug": "team-a"}, 201)
    control.ask("POST", "/integrations", {"slug": "main", "provider": "openai", "api_key": "sk-1", "models": ["gpt-4.1", "gpt-4o"]}, 201)
    yield control


def test_a_model_is_created_read_changed_and_deleted(teams: Control) -> None:
    """Names may hold slashes; members are merged, lists and parameters replaced."""
    body = {"name": "fast/one", "targets": TARGETS, "price": {"input": 0.1, "output": 0.123456789}, "override_params": {"a": {"b": 1}}}
    made = teams.ask("POST", "/models", body, 201)
    assert made["price"] == {"input": 0.1, "output": 0.123456789} and made["source"] == "store"
    change = {"price": {"input": 0.2}, "override_params": {"c": 2}, "retry": {"attempts": 3}}
    changed = teams.ask("PATCH", "/models/fast/one", change)
    assert changed["price"] == {"input": 0.2, "output": 0.123456789} and changed["override_params"] == {"c": 2}
    assert teams.ask("PATCH", "/models/fast%2Fone", {"price": None, "retry": {"attempts": None}})["retry"] == {}
    assert "price" not in teams.ask("GET", f"/models/{made['id']}")
    teams.ask("DELETE", "/models/fast/one", status=204)
    error_of(teams, "GET", "/models/fast/one", None, 404)


@pytest.mark.parametrize(("change", "path", "hint"), [
    ({"name": "a b"}, "$.name", ""),
    ({"name": "a' OR 1=1"}, "$.name", ""),
    ({"targets": []}, "$.targets", ""),
    ({"targets": None}, "$.targets", ""),
    ({"targets": [{"integration": "mian", "model": "gpt-4.1"}]}, "$.targets[0].integration", "main"),
    ({"targets": [{"integration": "main", "model": "gpt-41"}]}, "$.targets[0].model", "gpt-4.1"),
    ({"targets": [{"integration": "main"}]}, "$.targets[0].model", ""),
    ({"targets": [{"targets": TARGETS, "integration": "main"}]}, "$.targets[0].integration", ""),
    ({"strategy": "weigted"}, "$.strategy", "weighted"),
    ({"strategy": "single", "targets": TARGETS * 2}, "$.targets", ""),
    ({"price": {"input": 1}}, "$.price.output", ""),
    ({"price": {"input": 1e-10, "output": 1}}, "$.price.input", ""),
    ({"price": {"input": -1, "output": 1}}, "$.price.input", ""),
    ({"id": "mine"}, "$.id", ""),
    ({"organisation_id": "mine"}, "$.organisation_id", ""),
])  # fmt: skip
def test_wrong_members_of_a_model_are_named(teams: Control, change: Json, path: str, hint: str) -> None:
    """What the file would refuse is refused here, with the path and the nearest name."""
    answer = teams.ask("POST", "/models", {"name": "one", "targets": TARGETS} | change, 422)
    assert answer["error"]["path"] == path and answer["problems"][0].get("hint", "") == hint, answer
    assert teams.ask("GET", "/models")["total"] == 0


def test_what_models_lead_to_and_keys_name_stays(teams: Control) -> None:
    """An integration that a model leads to and a model that a key or a workspace names are in use."""
    teams.ask("POST", "/models", {"name": "one", "targets": TARGETS}, 201)
    assert "'one'" in error_of(teams, "DELETE", "/integrations/main", None, 409)["message"]
    teams.ask("POST", "/keys", {"name": "k", "workspace": "team-a", "models": ["one"]}, 201)
    assert "'k'" in error_of(teams, "DELETE", "/models/one", None, 409)["message"]
    teams.ask("DELETE", "/keys/k", status=204)
    teams.ask("PATCH", "/workspaces/team-a", {"models": ["one"]})
    assert "'team-a'" in error_of(teams, "DELETE", "/models/one", None, 409)["message"]


def test_models_are_the_organisations(teams: Control) -> None:
    """All with a role look at them, none of a workspace changes them, others do not see them."""
    made = teams.ask("POST", "/models", {"name": "one", "targets": TARGETS}, 201)
    teams.ask("POST", "/prices", {"provider": "openai", "model": "own", "input": 1, "output": 2}, 201)
    admin, other = member(teams, {"team-a": "admin"}), stranger(teams)
    assert admin.ask("GET", "/models/one") == made
    for method, path in (("PATCH", "/models/one"), ("DELETE", "/models/one"), ("POST", "/models"), ("GET", "/prices"), ("POST", "/prices")):
        assert error_of(admin, method, path, {}, 403)["code"] == "forbidden"
    for path in ("/models/one", f"/models/{made['id']}", "/prices/openai/own"):
        for method in ("GET", "PATCH", "DELETE"):
            error_of(other, method, path, {}, 404)
    assert error_of(member(teams, {}), "GET", "/models", None, 403)["scope"] == "models.list"


def test_a_price_is_written_and_found_by_provider_and_model(teams: Control) -> None:
    """Whatever the spelling of the provider and the case of the model, it is one price."""
    made = teams.ask("POST", "/prices", {"provider": "azure_openai", "model": "Org/Own-1", "input": 1.5, "output": 2}, 201)
    assert made["provider"] == "azure-openai" and made["name"] == "azure-openai/org/own-1" and made["input"] == 1.5
    again = {"provider": "azure-openai", "model": "org/own-1", "input": 1, "output": 2}
    assert error_of(teams, "POST", "/prices", again, 409)["code"] == "exists"
    assert teams.ask("PATCH", "/prices/azure_openai/ORG/own-1", {"cache_read": 0.1})["cache_read"] == 0.1
    assert error_of(teams, "PATCH", f"/prices/{made['id']}", {"model": "other"})["path"] == "$.model"
    teams.ask("DELETE", f"/prices/{made['id']}", status=204)


@pytest.mark.parametrize(("change", "path"), [
    ({"provider": "opnai"}, "$.provider"), ({"provider": None}, "$.provider"), ({"model": ""}, "$.model"), ({"input": -1}, "$.input"),
    ({"output": "2"}, "$.output"), ({"input": 1e9}, "$.input"), ({"name": "x"}, "$.name"), ({"request": 1e-12}, "$.request"),
])  # fmt: skip
def test_wrong_members_of_a_price_are_named(teams: Control, change: Json, path: str) -> None:
    """A member that does not fit is refused with its path."""
    assert error_of(teams, "POST", "/prices", {"provider": "openai", "model": "m", "input": 1, "output": 2} | change)["path"] == path


def test_a_priced_model_may_be_named_by_keys(teams: Control) -> None:
    """What the organisation prices is known to be served."""
    teams.ask("POST", "/integrations", {"slug": "open", "provider": "openai", "api_key": "sk-1", "share_with": "all"}, 201)
    body = {"name": "k", "workspace": "team-a", "models": ["own-model"]}
    assert error_of(teams, "POST", "/keys", body)["path"] == "$.models[0]"
    teams.ask("POST", "/prices", {"provider": "openai", "model": "own-model", "input": 1, "output": 2}, 201)
    teams.ask("POST", "/keys", body, 201)


@pytest.mark.parametrize(("path", "body"), [
    ("/models", {"name": "one", "targets": TARGETS}), ("/prices", {"provider": "openai", "model": "m", "input": 1, "output": 2}),
    ("/configs", {"slug": "one", "config": {"virtual_key": "main"}}),
])  # fmt: skip
def test_of_two_that_create_one_at_once_one_is_refused(teams: Control, path: str, body: Json) -> None:
    """One 201 and one 409, however they meet."""
    fields = teams.fields
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: teams.client.post(f"/api/v1{path}", json=body, headers=fields), range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


def test_models_and_prices_of_the_file_are_shown_and_not_changed(teams: Control) -> None:
    """Beside those of the store."""
    teams.plane.file = parse(
        '[prices]\n"openai/filed" = { input = 1.5, output = 2 }\n[integrations.x]\nprovider = "openai"\n'
        '[models."a/b"]\ntargets = [{ integration = "x", model = "gpt-4.1" }]', {}).config  # fmt: skip
    shown = teams.ask("GET", "/models/a/b")
    assert shown["source"] == "file" and shown["targets"] == [{"integration": "x", "model": "gpt-4.1"}]
    price = teams.ask("GET", "/prices")["data"][0]
    assert (price["provider"], price["model"], price["input"], price["source"]) == ("openai", "filed", 1.5, "file")
    for path in ("/models/a/b", "/prices/openai/filed"):
        assert error_of(teams, "PATCH", path, {}, 409)["code"] == "managed_by_file"
    body = {"provider": "openai", "model": "filed", "input": 1, "output": 2}
    assert error_of(teams, "POST", "/prices", body, 409)["code"] == "managed_by_file"


def test_the_catalogue_is_searched_page_by_page(teams: Control) -> None:
    """By words, provider and modality, each model on one page."""
    person = member(teams, {"team-a": "member"})
    page = person.ask("GET", "/catalog?search=gpt%204&provider=openai&limit=5")
    rows = page["data"]
    while page["next"]:
        page = person.ask("GET", f"/catalog?search=gpt%204&provider=openai&limit=5&cursor={page['next']}")
        rows += page["data"]
    names = [row["model"] for row in rows]
    assert len(names) == page["total"] == len(set(names)) > 5 and "gpt-4.1" in names
    known = next(row for row in rows if row["model"] == "gpt-4.1")
    assert known["price"]["input"] == 2 and known["price"]["output"] == 8 and known["context_tokens"] > 1_000_000
    audible = person.ask("GET", "/catalog?modality=audio")["data"]
    assert audible and all("audio" in row["input_modalities"] + row["output_modalities"] for row in audible)
    assert person.ask("GET", "/catalog?provider=opnai", None, 422)["problems"][0]["hint"] == "openai"
    assert person.ask("GET", "/catalog?search=..%2F..%2Fetc%27--")["data"] == []
    assert error_of(member(teams, {}), "GET", "/catalog", None, 403)["scope"] == "models.list"
