"""The control plane with real workers: what is changed by API holds for traffic at once, and traffic does not need it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select, update

from fastgw.control.store.engine import open_store
from fastgw.control.store.tables import AUDIT, KEYS
from fastgw.snapshot.published import published_path
from tests.control.alive import Alive, Load
from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.postgres import Postgres
from tests.fakes.raw_client import RawClient
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import chat, integrations, key_lines
from tests.gateway.running import KEY, RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

AT_ONCE_S = 1.0 + SLOW_DAY_S      # a second is promised
REPLY = json_reply({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 1}})


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    server = request.getfixturevalue("postgres")
    assert isinstance(server, Postgres)
    return server.make_database()


@pytest.fixture(scope="module")
def alive(url: str, mock: RunningMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alive]:
    with Alive(tmp_path_factory.mktemp("alive"), url) as running:
        running.make_integration(mock.url)
        yield running


def test_key_holds_at_once_and_no_request_fails_or_waits(alive: Alive) -> None:
    """A key that is made, disabled, changed and revoked by API is so on every worker within a second, while others are served."""
    _, steady = alive.make_key("steady")
    alive.seconds_until(steady, {200})
    with Load(alive.url, steady) as load:
        for turn in range(2):
            key_id, key = alive.make_key(f"turn-{turn}")
            assert alive.seconds_until(key, {200}) < AT_ONCE_S
            alive.ask("PATCH", f"/keys/{key_id}", {"enabled": False})
            assert alive.seconds_until(key, {403}) < AT_ONCE_S
            alive.ask("PATCH", f"/keys/{key_id}", {"enabled": True, "rate": {"requests_per_minute": 1}})
            assert alive.seconds_until(key, {429}) < AT_ONCE_S
            alive.ask("DELETE", f"/keys/{key_id}", status=204)
            assert alive.seconds_until(key, {401}) < AT_ONCE_S
    assert set(load.statuses) == {200} and len(load.statuses) > 20 and load.longest_s < SLOW_DAY_S


def test_rotated_key_and_the_one_before_it(alive: Alive) -> None:
    """Both serve during the overlap; without one the key before ends at once, and the accounts go on."""
    key_id, first = alive.make_key("rotated", budgets=[{"requests": 1000}])
    alive.seconds_until(first, {200})
    second = str(alive.ask("POST", f"/keys/{key_id}/rotate", {"overlap_hours": 1})["key"])
    assert alive.seconds_until(second, {200}) < AT_ONCE_S and alive.statuses(first) == {200}
    third = str(alive.ask("POST", f"/keys/{key_id}/rotate", {"overlap_hours": 0})["key"])
    assert alive.seconds_until(third, {200}) < AT_ONCE_S
    assert alive.statuses(first) == {401} and alive.statuses(second) == {401}
    assert alive.ask("GET", f"/keys/{key_id}")["spend"]["budgets"][0]["spent"] >= 12


def test_keys_follow_their_user_and_their_organisation(alive: Alive) -> None:
    """Whoever is disabled has no key that serves, and those come back that nobody disabled; limits of both hold as they are changed."""
    user_id = alive.ask("POST", "/users", {"email": "ann@example.com", "role": "admin"}, 201)["id"]
    (key_id, key), (off_id, off) = alive.make_key("hers", user=user_id), alive.make_key("hers-off", user=user_id, enabled=False)
    assert alive.statuses(key) == {200} and alive.statuses(off) == {403}
    alive.ask("PATCH", f"/users/{user_id}", {"status": "disabled"})
    assert alive.seconds_until(key, {403}) < AT_ONCE_S
    assert [alive.ask("GET", f"/keys/{one}")["disabled_by"] for one in (key_id, off_id)] == ["user", "key"]
    rotated = str(alive.ask("POST", f"/keys/{key_id}/rotate", {"overlap_hours": 1})["key"])
    assert alive.statuses(rotated) == {403} and alive.statuses(key) == {403}
    alive.ask("PATCH", f"/users/{user_id}", {"status": "active"})
    assert alive.seconds_until(rotated, {200}) < AT_ONCE_S and alive.statuses(key) == {200} and alive.statuses(off) == {403}
    for owner in (f"/users/{user_id}", "/organisation"):
        alive.ask("PATCH", owner, {"budgets": [{"requests": 1, "window": "day"}]})
        assert alive.seconds_until(key, {412}) < AT_ONCE_S
        alive.ask("PATCH", owner, {"budgets": [{"requests": 10_000, "window": "day"}]})
        assert alive.seconds_until(key, {200}) < AT_ONCE_S
        alive.ask("PATCH", owner, {"budgets": None})


def test_raised_budget_holds_at_once(alive: Alive) -> None:
    """A key whose budget is used up is served again within a second of the budget being raised, and what it has spent stays."""
    key_id, key = alive.make_key("poor", budgets=[{"requests": 3}])
    alive.seconds_until(key, {412})
    alive.ask("PATCH", f"/keys/{key_id}", {"budgets": [{"requests": 1000}]})
    assert alive.seconds_until(key, {200}) < AT_ONCE_S
    shown = alive.ask("GET", f"/keys/{key_id}")
    assert shown["status"] == "active" and shown["spend"]["budgets"][0]["spent"] > 3


def test_integration_serves_once_it_is_shared_and_as_it_is_changed(alive: Alive) -> None:
    """A new integration serves nobody until it is shared; then its model serves, at the address that it was changed to."""
    _, key = alive.make_key("elsewhere")
    with Upstream(REPLY) as one, Upstream(REPLY) as other:
        alive.make_integration(one.url, "second", models=["second-model"], share_with=[])
        assert alive.statuses(key, "second-model", 4) <= {403, 404}
        alive.ask("PUT", "/integrations/second/workspaces/default", {}, 201)
        alive.seconds_until(key, {200}, "second-model")
        assert one.received and not other.received
        alive.ask("PATCH", "/integrations/second", {"base_url": f"{other.url}/v1", "api_key": "sk-another-0123456789"})
        alive.wait_until(lambda: alive.statuses(key, "second-model", 4) == {200} and bool(other.received), "the other address", PATIENCE_S)
        assert dict(other.received[-1].fields)["authorization"] == "Bearer sk-another-0123456789"
        alive.ask("DELETE", "/integrations/second/workspaces/default", status=204)
        alive.wait_until(lambda: alive.statuses(key, "second-model", 4) <= {403, 404}, "nobody to be served", PATIENCE_S)


def test_metrics_tell_how_the_control_process_is(alive: Alive) -> None:
    """Whether it runs, that it publishes, and what it fails at."""

    def metrics() -> str:
        with RawClient(alive.url) as client:
            return client.ask("GET", "/metrics").body.decode()

    alive.wait_until(lambda: "fastgw_control_up 1.0" in metrics(), "a control process that is up")
    found = metrics()
    for work in ("publish", "settle", "through", "alerts", "rotation"):
        assert f'fastgw_control_failing{{work="{work}"}} 0.0' in found
    published = re.search(r"^fastgw_control_last_publish_timestamp_seconds (.*)$", found, re.MULTILINE)
    assert published is not None and abs(time.time() - float(published[1])) < 20


def test_traffic_flows_while_the_control_process_is_dead(alive: Alive, url: str) -> None:
    """kill -9: no request fails, the API answers 503 until it is back by itself, and what the store was changed to meanwhile holds."""
    _, steady = alive.make_key("survivor")
    key_id, key = alive.make_key("changed-meanwhile")
    alive.seconds_until(key, {200})
    alive.seconds_until(steady, {200})

    async def disable() -> None:
        store = await open_store(url, alive.state)
        async with store.write() as transaction:
            row = (await transaction.execute(select(KEYS).where(KEYS.c.id == key_id))).one()
            spec = json.dumps({**json.loads(row.spec), "enabled": False})
            changed = update(KEYS).where(KEYS.c.id == key_id)
            await transaction.execute(changed.values(spec=spec, revision=await transaction.revision("keys")))
        await store.close()

    seen: list[httpx2.Response] = []

    def is_back() -> bool:
        seen.append(alive.send("GET", "/keys"))
        return seen[-1].status_code == 200

    with Load(alive.url, steady) as load:
        alive.kill_control()
        # a process that has been killed may take a moment to die, and another one is soon there
        alive.wait_until(lambda: not is_back(), "a refusal", PATIENCE_S)
        asyncio.run(disable())
        alive.wait_until(is_back, "the API again", PATIENCE_S)
        assert alive.seconds_until(key, {403}) < AT_ONCE_S * 2
    assert set(load.statuses) == {200} and load.longest_s < SLOW_DAY_S
    refused = [answer for answer in seen if answer.status_code != 200]
    assert refused and {answer.status_code for answer in refused} == {503}
    assert {answer.json()["error"]["code"] for answer in refused} == {"unavailable"}


def test_one_id_names_a_request_everywhere(alive: Alive, url: str) -> None:
    """The request id of an API call is the same in its head, in the body of an error, and in the audit."""
    refused = alive.send("POST", "/keys", {"name": "x"})
    assert refused.status_code == 422
    assert refused.headers["x-fastgw-request-id"] == refused.json()["error"]["request_id"]
    made = alive.send("POST", "/keys", {"name": "audited", "workspace": "default"}, **{"x-fastgw-request-id": "forged"})
    assert made.status_code == 201 and made.headers["x-fastgw-request-id"] != "forged"

    async def ids() -> list[str]:
        store = await open_store(url, alive.state)
        async with store.read() as connection:
            found = (await connection.execute(select(AUDIT.c.request_id).where(AUDIT.c.resource_id == made.json()["id"]))).scalars().all()
        await store.close()
        return list(found)

    assert asyncio.run(ids()) == [made.headers["x-fastgw-request-id"]]


def test_console_is_the_control_plane_s(alive: Alive) -> None:
    """Paths of the console reach the control process, and no key is asked for."""
    with httpx2.Client(base_url=alive.url) as client:
        assert client.get("/console/").status_code in (200, 404)
        assert client.get("/api/v1/nothing-here").json()["error"]["code"] == "not_found"


def test_file_is_shown_as_it_stands(alive: Alive) -> None:
    """The API follows the configuration file as the workers do: another text counts once it holds, one that does not changes nothing."""
    text = alive.config_path.read_text()
    alive.config_path.write_text(f'{text}\n[integrations.later]\nprovider = "openai"\napi_key = "sk-later"\n')
    alive.wait_until(lambda: alive.send("GET", "/integrations/later").status_code == 200, "what the file says now", PATIENCE_S)
    alive.config_path.write_text(f"{text}\n[integrations.broken\n")
    alive.wait_until(lambda: "it is not shown as it stands" in alive.log(), "a line in the log", PATIENCE_S)
    assert alive.send("GET", "/integrations/later").status_code == 200
    alive.config_path.write_text(text)
    alive.wait_until(lambda: alive.send("GET", "/integrations/later").status_code == 404, "the text of before", PATIENCE_S)


def test_document_that_cannot_be_used_leaves_the_old_one(alive: Alive) -> None:
    """A published document that does not hold changes nothing, /readyz says why, and the next change of the store mends it."""
    _, key = alive.make_key("held")
    alive.seconds_until(key, {200})
    published_path(alive.state).write_text('{"integrations": {"main": {"provider": "nobody"}}}')
    alive.wait_until(lambda: "integrations.main.provider" in str(alive.ready_says().get("config_refused")), "the reason", PATIENCE_S)
    assert alive.statuses(key) == {200} and alive.ready_says()["status"] == "ready"
    alive.ask("POST", "/workspaces", {"slug": "mending"}, 201)
    alive.wait_until(lambda: all("config_refused" not in alive.ready_says() for _ in range(8)), "the next document", PATIENCE_S)


def test_two_machines_follow_one_store(postgres: Postgres, mock: RunningMock, tmp_path: Path) -> None:
    """What is changed on one machine holds on the other within a second or so, and each counts in a ledger of its own."""
    url = postgres.make_database()
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Alive(tmp_path / "one", url, workers=1) as one:
        shared_secrets(tmp_path / "one", tmp_path / "two")
        with Alive(tmp_path / "two", url, workers=1, token=one.token) as two:
            one.make_integration(mock.url)
            key_id, key = one.make_key("both", budgets=[{"requests": 1000}])
            one.seconds_until(key, {200})
            two.seconds_until(key, {200})
            began = time.monotonic()
            two.ask("PATCH", f"/keys/{key_id}", {"enabled": False})
            one.seconds_until(key, {403})
            assert time.monotonic() - began < AT_ONCE_S * 2
            one.ask("DELETE", f"/keys/{key_id}", status=204)
            assert two.seconds_until(key, {401}) < AT_ONCE_S * 2


def test_machine_that_never_had_the_keys_is_not_ready(postgres: Postgres, mock: RunningMock, tmp_path: Path) -> None:
    """Where the store cannot be reached at the first start, the file's keys are served, and /readyz keeps balancers away until it can."""
    name = f"t{uuid4().hex}"
    store = f'[control]\nstore = "postgresql://postgres@/{name}?host={postgres.directory}"\n'
    with RunningGateway(tmp_path, store + integrations(mock.url) + key_lines(), control=True) as gateway, RawClient(gateway.url) as client:
        assert chat(gateway.url, KEY).status == 200
        told = client.ask("GET", "/readyz")
        assert told.status == 503 and "the keys of the store" in json.loads(told.body)["awaits"]
        postgres.execute(f"CREATE DATABASE {name}")
        gateway.wait_until(lambda: client.ask("GET", "/readyz").status == 200, "the keys of the store")
        assert "awaits" not in json.loads(client.ask("GET", "/readyz").body)


def shared_secrets(one: Path, other: Path) -> None:
    """Give a second machine the key of the installation, as an operator has to."""
    (other / "state").mkdir(mode=0o700)
    copied = other / "state/secrets.key"
    copied.touch(mode=0o600)
    copied.write_bytes((one / "state/secrets.key").read_bytes())


