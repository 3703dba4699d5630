"""Real workers with keys that another process issues: each change counts at once, under load, and no request fails or waits for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from fastgw._core.ledger import Ledger
from fastgw.auth.keys import digest_of
from fastgw.snapshot.keyring import KEYS, KeyEntry, KeyRing, KeyRow
from fastgw.snapshot.published import PUBLISHED, publish
from fastgw.snapshot.seal import KEY_FILE, Vault, installation_keys
from tests.fakes.raw_client import RawClient
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import CHAT, PROVIDER_KEY, QUESTION, bearer, chat, code_of, integrations, key_lines
from tests.gateway.running import RunningGateway
from tests.patience import SLOW_DAY_S

WITHIN_S = 1.0 + SLOW_DAY_S      # a second is promised
KEY_A, KEY_B, STEADY = (f"fgw-issued-{name}-0000000000000000000" for name in ("a", "b", "steady"))
REPLY = json_reply({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
MANY = 50_000


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(REPLY) as running:
        yield running


@pytest.fixture
def gateway(upstream: Upstream, tmp_path: Path) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path, integrations(upstream.url) + key_lines(), workers=2) as running:
        yield running


@pytest.fixture
def ring(gateway: RunningGateway) -> Iterator[KeyRing]:
    ring = KeyRing(gateway.state)
    yield ring
    ring.close()


def entry(gateway: RunningGateway, name: str, per_minute: int | None = None) -> KeyEntry:
    """A key with an account of its own in the gateway's ledger."""
    ledger = Ledger(gateway.state / "ledger", workers=2)
    index = ledger.define(f"key:{name}", requests_per_minute=per_minute)
    return KeyEntry(name=name, id=f"id-{name}", workspace="default", chain=((index, f"key {name!r}"),))


def statuses(gateway: RunningGateway, key: str, count: int = 12) -> set[int]:
    """What requests on new connections, and so on either worker, are answered."""
    return {chat(gateway.url, key).status for _ in range(count)}


def is_answered(gateway: RunningGateway, key: str, status: int) -> bool:
    return statuses(gateway, key) == {status}


class Load(threading.Thread):
    """Asks again and again over one connection, and keeps every status and the longest wait."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__()
        self.url, self.key = url, key
        self.statuses: dict[int, int] = {}
        self.longest_s = 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        with RawClient(self.url) as client:
            while not self.stopping.is_set():
                started = time.monotonic()
                status = client.ask_json(CHAT, {"model": "gpt-4.1", "messages": QUESTION}, bearer(self.key)).status
                self.longest_s = max(self.longest_s, time.monotonic() - started)
                self.statuses[status] = self.statuses.get(status, 0) + 1

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stopping.set()
        self.join()


def test_changes_under_load_count_at_once_and_fail_no_request(gateway: RunningGateway, ring: KeyRing) -> None:
    """Keys come, are disabled and go, and generations change, while others are served: each counts on both workers within a second."""
    ring.replace_all([KeyRow(digest_of(STEADY), entry(gateway, "steady"))])
    gateway.wait_until(lambda: statuses(gateway, STEADY) == {200}, "the first key", WITHIN_S)
    with Load(gateway.url, STEADY) as one, Load(gateway.url, STEADY) as two:
        for turn in range(4):
            ring.put(digest_of(KEY_A), entry(gateway, "a"))
            assert statuses(gateway, KEY_A) == {200}, "from the next request on"
            ring.set_enabled(digest_of(KEY_A), False)
            assert code_of(chat(gateway.url, KEY_A)) == "key_disabled" and statuses(gateway, KEY_A) == {403}
            ring.remove(digest_of(KEY_A))
            assert statuses(gateway, KEY_A) == {401}
            # a next generation: known to the workers when they look
            rows = {row.digest: row for row in ring.rows()} | {digest_of(KEY_B): KeyRow(digest_of(KEY_B), entry(gateway, "b"))}
            ring.replace_all(rows.values() if turn % 2 == 0 else [row for row in rows.values() if row.digest != digest_of(KEY_B)])
            status = 200 if turn % 2 == 0 else 401
            gateway.wait_until(partial(is_answered, gateway, KEY_B, status), "the next generation", WITHIN_S)
        gateway.wait_until(lambda: min(load.statuses.get(200, 0) for load in (one, two)) > 50, "load")
    for load in (one, two):
        assert set(load.statuses) == {200} and load.longest_s < SLOW_DAY_S, "no request fails or hangs"


def test_accounts_and_names_of_an_issued_key_hold(gateway: RunningGateway, ring: KeyRing) -> None:
    """Its limits are those of the accounts in its entry, for lists of models too; refusals and records call them as the entry does."""
    ring.put(digest_of(KEY_A), entry(gateway, "limited", 1))
    gateway.wait_until(lambda: 401 not in statuses(gateway, KEY_A), "the key", WITHIN_S)
    assert statuses(gateway, KEY_A) == {429}
    assert "key 'limited' may make 1 requests a minute" in chat(gateway.url, KEY_A).body.decode()
    gateway.wait_until(lambda: any(row["key"] == "limited" and row["workspace"] == "default" for row in gateway.records()), "a record")
    with RawClient(gateway.url) as client:
        assert client.ask("GET", "/v1/models", fields=bearer(KEY_A)).status == 429


def test_damaged_key_file_leaves_what_serves(gateway: RunningGateway, ring: KeyRing) -> None:
    """A foreign file in the place of the keys is refused, logged once a worker and told by /readyz; a good one ends that."""
    ring.put(digest_of(KEY_A), entry(gateway, "a"))
    gateway.wait_until(lambda: statuses(gateway, KEY_A) == {200}, "the key", WITHIN_S)
    foreign = gateway.state / "foreign"
    foreign.write_bytes(b"no keys" * 1000)
    foreign.rename(gateway.state / KEYS)
    gateway.wait_until(lambda: gateway.log().count("the key file is refused, the one before serves on") == 2, "a line of each worker")
    assert "expected a key file" in str(ready(gateway)["keys_refused"]) and ready(gateway)["status"] == "ready"
    assert statuses(gateway, KEY_A) == {200} and gateway.log().count("is refused") == 2
    ring.replace_all([KeyRow(digest_of(KEY_B), entry(gateway, "b"))])
    gateway.wait_until(lambda: statuses(gateway, KEY_B) == {200} and statuses(gateway, KEY_A) == {401}, "the good one", WITHIN_S)
    assert "keys_refused" not in ready(gateway)


def ready(gateway: RunningGateway) -> dict[str, object]:
    with RawClient(gateway.url) as client:
        found: dict[str, object] = json.loads(client.ask("GET", "/readyz").body)
        return found


def is_told(gateway: RunningGateway, reason: str) -> bool:
    """Whether both workers say why a configuration is refused."""
    return all(reason in str(ready(gateway).get("config_refused")) for _ in range(12))


def test_published_document_serves_beside_the_file(gateway: RunningGateway, upstream: Upstream, ring: KeyRing) -> None:
    """An integration with a sealed credential, a workspace and a key of the store work; a document that does not hold changes nothing."""
    vault = Vault(installation_keys(f"file:{gateway.state / KEY_FILE}", {}))
    gateway.restart()
    row = {"provider": "openai", "base_url": f"{upstream.url}/v1", "models": ["own-model"],
           "api_key": vault.seal(PROVIDER_KEY + "-sealed", "integrations:stored:api_key")}  # fmt: skip
    team = {"budget": {"usd": Decimal("0.5")}, "unknown_price": "allow"}
    tables: dict[str, object] = {"integrations": {"stored": row, "openai": row}, "workspaces": {"team": team}}
    ring.put(digest_of(KEY_A), structs.replace(entry(gateway, "a"), workspace="team"))
    gateway.wait_until(lambda: statuses(gateway, KEY_A) == {403}, "the key without its workspace", WITHIN_S)
    publish(gateway.state, tables)
    gateway.wait_until(lambda: statuses(gateway, KEY_A) == {200}, "the workspace", WITHIN_S)
    assert ready(gateway)["managed_by_file"] == ["integrations.openai"]
    gateway.wait_until(lambda: gateway.log().count("published, but managed by") == 2, "a line of each worker")
    with RawClient(gateway.url) as client:
        assert client.ask_json(CHAT, {"model": "own-model", "messages": QUESTION}, bearer(KEY_A)).status == 200
    assert dict(upstream.received[-1].fields)["authorization"] == f"Bearer {PROVIDER_KEY}-sealed"
    publish(gateway.state, {**tables, "workspaces": {"team": {"budjet": 1}}})
    reason = f"{PUBLISHED}: workspaces.team.budjet: expected a known name"
    gateway.wait_until(lambda: is_told(gateway, reason), "the reason", WITHIN_S)
    assert statuses(gateway, KEY_A) == {200}
    publish(gateway.state, {**tables, "configs": {"bad": {"strategy": {"mode": "none"}}}})
    gateway.wait_until(lambda: is_told(gateway, "configs.bad"), "the reason", WITHIN_S)
    assert statuses(gateway, KEY_A) == {200} and PROVIDER_KEY not in gateway.log()
    publish(gateway.state, {})
    gateway.wait_until(lambda: statuses(gateway, KEY_A) == {403}, "the workspace to go", WITHIN_S)
    assert code_of(chat(gateway.url, KEY_A)) == "key_unusable" and "names workspace 'team'" in gateway.log()


def test_start_with_many_keys_takes_no_longer(upstream: Upstream, tmp_path: Path) -> None:
    """A worker that finds a file of many keys is as soon ready as without, and serves the last of them."""
    with RunningGateway(tmp_path, integrations(upstream.url) + key_lines()) as gateway:
        row = entry(gateway, "a")
        ring = KeyRing(gateway.state)
        ring.replace_all((KeyRow(digest_of(f"{KEY_A}-{number}"), row) for number in range(MANY)), MANY)
        ring.close()
        started = time.monotonic()
        gateway.restart()
        assert time.monotonic() - started < 2 * SLOW_DAY_S      # the second allowance is for the processes that start
        assert statuses(gateway, f"{KEY_A}-{MANY - 1}", 2) == {200} and statuses(gateway, f"{KEY_A}-{MANY}", 2) == {401}
