"""Secrets: nowhere in the clear, whoever looks where; and another key of the installation in the place of the one before."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgw.auth.keys import digest_of
from fastgw.snapshot.seal import KEY_FILE, installation_keys, key_id
from tests.control.alive import MODEL, Alive
from tests.fakes.collector import Collector
from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import CHAT, QUESTION, ask, bearer, chat
from tests.gateway.running import ROOT
from tests.patience import PATIENCE_S

RECORDED = """
[gateway.record]
payloads = "all"
[gateway.record.otlp]
endpoint = "{collector}"
headers = {{ authorization = "{secret}" }}
[gateway.inline_hosts]
allow = ["127.0.0.0/8"]
"""


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


def canary(name: str) -> str:
    """A secret that is found again wherever it stands."""
    return f"sk-canary-{name}-{os.urandom(12).hex()}"


def test_no_secret_stands_anywhere_in_the_clear(mock: RunningMock, tmp_path: Path) -> None:
    """Neither logs, records, spans, replies, metrics, files of the state directory nor the processes' own words hold a secret."""
    secrets = {name: canary(name) for name in ("api-key", "header", "webhook", "url", "password", "broken", "refused", "collector")}
    seen: list[str] = []
    collector, broken = Collector(), Upstream(json_reply({"error": secrets["broken"]}, 401))
    more = RECORDED.format(collector=collector.url, secret=secrets["collector"])
    with collector, Alive(tmp_path, more=more) as alive, broken, Upstream(json_reply({})) as receiver:
        alive.make_integration(mock.url, api_key=secrets["api-key"], headers={"x-own": secrets["header"]})
        alive.make_integration(broken.url, "broken", api_key=secrets["broken"], models=["broken-model"])
        body = {"name": "hook", "kind": "webhook", "url": f"{receiver.url}/{secrets['url']}", "secret": secrets["webhook"]}
        seen.append(json.dumps(alive.ask("POST", "/channels", body, 201)))
        seen.append(json.dumps(alive.ask("POST", "/users", {"email": "a@example.com", "password": secrets["password"]}, 201)))
        key_id_, key = alive.make_key("app", budgets=[{"requests": 40, "alert_at": [0.5]}])
        _, before = alive.make_key("rotated")
        secrets |= {"token": alive.token, "owner": alive.password, "key": key, "before": before}
        alive.seconds_until(key, {200})
        made = alive.send("POST", "/keys", {"name": "once", "workspace": "default"}, **{"idempotency-key": "one"})
        secrets["once"] = made.json()["key"]
        seen.append(alive.send("POST", "/keys", {"name": "once", "workspace": "default"}, **{"idempotency-key": "one"}).text)
        seen.append(chat(alive.url, key, model="broken-model").body.decode())
        seen.append(chat(alive.url, secrets["refused"]).body.decode())
        seen.append(ask(alive.url, CHAT, {"model": MODEL, "messages": QUESTION, "temperature": "x"}, bearer(key)).body.decode())
        seen.append(alive.send("POST", "/integrations", {"slug": "x", "provider": "nobody", "api_key": secrets["refused"]}).text)
        seen.append(alive.send("POST", "/login", {"email": "a@example.com", "password": secrets["password"] + "x"}).text)
        seen.append(json.dumps(alive.ask("POST", "/integrations/broken/test")) + json.dumps(alive.ask("POST", "/channels/hook/test")))
        alive.kill_control()
        alive.wait_until(lambda: alive.send("GET", "/keys").status_code == 200, "the API again", PATIENCE_S)
        for path in ("/keys", f"/keys/{key_id_}", "/integrations", "/channels", "/users", "/tokens", "/audit", "/alerts", "/me"):
            seen.append(alive.send("GET", path).text)
        seen.append(alive.log())
        for pid in (alive.process.pid, *children(alive.process.pid)):
            seen += [Path(f"/proc/{pid}/{name}").read_text(errors="replace") for name in ("cmdline", "environ")]
        from tests.fakes.raw_client import RawClient

        with RawClient(alive.url) as client:
            seen += [client.ask("GET", path).body.decode() for path in ("/metrics", "/readyz")]
        stored = sqlite3.connect(alive.state / "store.db").execute("select digest from keys where id = ?", (key_id_,)).fetchone()
        assert stored[0] == digest_of(key)
        alive.stop()
        assert any(fields["authorization"] == secrets["collector"] for _, fields in collector.heads)
        spans = [body.decode() for body in collector.bodies]
        assert any(QUESTION[0]["content"] in body for body in spans), "payloads were sent, and looked through"
        seen += spans
        files = [path for path in (*alive.state.rglob("*"), alive.lines_path, alive.log_path) if path.is_file()]
        found = [f"{name} in {path.name}" for path in files for name, secret in secrets.items() if secret.encode() in path.read_bytes()]
        found += [f"{name} in {text[:80]!r}" for text in seen for name, secret in secrets.items() if secret in text]
    assert {"store.db", "published.json", "keys", "logs.db"} <= {path.name for path in files} and not found
    assert any(QUESTION[0]["content"].encode() in path.read_bytes() for path in files), "payloads were recorded, and looked through"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rotate(alive: Alive, *options: str) -> subprocess.CompletedProcess[str]:
    """`fastgw secrets rotate` beside a gateway that runs."""
    places = ["--config", str(alive.config_path), "--state", str(alive.state)]
    command = [sys.executable, "-m", "fastgw", "secrets", "rotate", *places, *options]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)


def test_key_of_the_installation_is_changed_while_the_gateway_runs(mock: RunningMock, tmp_path: Path) -> None:
    """A further key seals everything, the one before is dropped once nothing needs it, and no request fails."""
    with Alive(tmp_path) as alive:
        with Upstream(json_reply({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})) as upstream:
            alive.make_integration(upstream.url, api_key="sk-sealed-0123456789abcdef", headers={"x-own": "also-sealed"})
            _, key = alive.make_key("app")
            alive.seconds_until(key, {200})
            first = installation_keys(f"file:{alive.state / KEY_FILE}", {})[0]
            done = rotate(alive)
            assert done.returncode == 0 and "1 rows of the store are sealed anew" in done.stdout, done.stderr
            keys = installation_keys(f"file:{alive.state / KEY_FILE}", {})
            assert len(keys) == 2 and keys[1] == first and (alive.state / KEY_FILE).stat().st_mode & 0o777 == 0o600
            published = alive.state / "published.json"
            alive.wait_until(lambda: key_id(keys[0]) in published.read_text(), "publishing", PATIENCE_S)
            assert key_id(first) not in published.read_text()
            alive.ask("POST", "/channels", {"name": "later", "kind": "webhook", "url": "http://127.0.0.1:9/x"}, 201)
            done = rotate(alive, "--drop")
            assert done.returncode == 0 and "0 rows" in done.stdout and "1 keys are dropped" in done.stdout, done.stderr
            assert installation_keys(f"file:{alive.state / KEY_FILE}", {}) == keys[:1]
            alive.wait_until(lambda: "config_refused" not in alive.ready_says(), "no refusal", PATIENCE_S)
            alive.restart()
            assert alive.statuses(key) == {200}
            sent = dict(upstream.received[-1].fields)
            assert sent["authorization"] == "Bearer sk-sealed-0123456789abcdef" and sent["x-own"] == "also-sealed"
            assert alive.ask("GET", "/channels/later")["host"] == "127.0.0.1:9"


def test_key_that_is_needed_is_not_dropped(tmp_path: Path) -> None:
    """Where the configuration file, or what is published, was sealed with a key before the first, that key stays, and it is said why."""
    from fastgw.control.rekeying import CannotRotate, rotate_key
    from fastgw.snapshot.seal import Vault

    state, config = tmp_path / "state", tmp_path / "fastgw.toml"
    state.mkdir(mode=0o700)
    config.write_text("")
    key = installation_keys(f"file:{state / KEY_FILE}", {})[0]
    sealed = Vault((key,)).seal("sk-own", "integrations:own:api_key")
    config.write_text(f'[integrations.own]\nprovider = "openai"\napi_key = "{sealed}"\n')
    assert "0 rows" in list(rotate_key(config, {}, state))[1]
    with pytest.raises(CannotRotate, match="fastgw.toml: seal it anew by hand"):
        list(rotate_key(config, {}, state, drops=True))
    assert key in installation_keys(f"file:{state / KEY_FILE}", {})
