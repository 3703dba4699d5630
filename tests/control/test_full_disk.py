"""A state directory that is full: traffic flows, it is told, nothing is corrupted, and all goes on when there is room again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fastgw._core.ledger import Ledger, Limits
from fastgw.mock import MockOptions
from fastgw.snapshot.keyring import KeyRing
from fastgw.snapshot.published import read_published
from tests.control.alive import MODEL, PROVIDER_KEY, Alive, Load
from tests.control.test_killed import COST_NANO, accounts, is_written_through
from tests.fakes.mock import running_mock
from tests.fakes.raw_client import RawClient, json_request
from tests.gateway.limited import CHAT, QUESTION, bearer
from tests.patience import PATIENCE_S

ROOM = "64m"
MANY = 200


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory whose state directory is a small file system in memory."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "fastgw", state], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode()[:80]}")
    yield tmp_path
    subprocess.run(["umount", state], check=True)


def fill(state: Path) -> Path:
    """Take all the room that there is."""
    ballast = state / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while file.write(os.urandom(size)) == size:
                    continue
            except OSError:
                continue
    assert os.statvfs(state).f_bavail == 0
    return ballast


def test_full_disk_stops_no_traffic_and_corrupts_nothing(small: Path) -> None:
    """Requests are served and counted while nothing can be written; changes are refused with 503; what was counted is there afterwards."""
    with running_mock(MockOptions(latency_ms=200)) as mock, Alive(small) as alive:
        alive.make_integration(mock.url)
        alive.make_price()
        key_id, key = alive.make_key("steady", budgets=[{"usd": 1}])
        alive.seconds_until(key, {200})
        with Load(alive.url, key) as load:
            before = len(load.statuses)
            ballast = fill(alive.state)
            seen = [alive.send("POST", "/integrations", integration(mock.url, number)) for number in range(12)]
            alive.wait_until(lambda: "disk" in alive.log().lower() or "full" in alive.log().lower(), "the log to say so", PATIENCE_S)
            alive.wait_until(lambda: 'fastgw_exporter_up{exporter="sqlite"} 0' in metrics(alive), "the metrics to say so", 30)
            refused = [answer for answer in seen if answer.status_code != 201]
            assert refused and {answer.status_code for answer in refused} == {503}, [answer.text for answer in refused]
            assert {answer.json()["error"]["code"] for answer in refused} == {"unavailable"}
            assert at_once(alive, key) == {200}, "many at once write where nobody has written before"
            alive.kill_control()
            alive.wait_until(lambda: len(load.statuses) > before + 20, "traffic", PATIENCE_S)
            ballast.unlink()
            alive.wait_until(lambda: alive.send("GET", "/keys").status_code == 200, "the API again", 30)
            alive.wait_until(lambda: 'fastgw_exporter_up{exporter="sqlite"} 1' in metrics(alive), "records to be kept again", 30)
            _, later = alive.make_key("later")
            alive.seconds_until(later, {200})
        assert set(load.statuses) == {200}
        alive.wait_until(lambda: is_written_through(alive, f"key:{key_id}"), "the store to say what the account says", PATIENCE_S)
        assert accounts(alive, f"key:{key_id}")[0].spent >= len(load.statuses) * COST_NANO
        alive.stop()
        sound(alive)


def test_ledger_on_a_full_disk_says_so_and_lives(small: Path) -> None:
    """Accounts that there is no room for are refused with an error; those that are there go on, and there are more when there is room."""
    ledger = Ledger(small / "state/ledger")
    kept = ledger.define_many([f"key:{number}" for number in range(4096)], Limits())
    ballast = fill(small / "state")
    with pytest.raises(OSError, match="No space left on device"):
        ledger.define_many([f"more:{number}" for number in range(4096)], Limits())
    assert len(ledger) == 4096 and ledger.find("more:0") is None and isinstance(ledger.admit_chain([kept[-1]], time.time_ns()), int)
    ballast.unlink()
    assert len(ledger.define_many([f"more:{number}" for number in range(4096)], Limits())) == 4096


def at_once(alive: Alive, key: str) -> set[int]:
    """What many requests are answered that are in hand at one time."""
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(alive.url)) for _ in range(MANY)]
        for client in clients:
            client.send(json_request(CHAT, {"model": MODEL, "max_tokens": 5, "messages": QUESTION}, bearer(key)))
        return {client.read_response("POST").status for client in clients}


def integration(url: str, number: int) -> dict[str, object]:
    """One whose description takes room in the store and in what is published."""
    return {"slug": f"large-{number}", "provider": "openai", "base_url": f"{url}/v1", "api_key": PROVIDER_KEY,
            "headers": {f"x-{index}": "x" * 1000 for index in range(30)}}  # fmt: skip


def metrics(alive: Alive) -> str:
    with RawClient(alive.url) as client:
        return client.ask("GET", "/metrics").body.decode()


def sound(alive: Alive) -> None:
    """Every file is one that can be read whole."""
    for name in ("store.db", "logs.db"):
        connection = sqlite3.connect(alive.state / name)
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)], name
        connection.close()
    published = read_published(alive.state)
    assert published is not None and "main" in published.tables["integrations"]
    ring = KeyRing(alive.state)
    assert not ring.damage and len(list(ring.rows())) == 2
    ring.close()
    assert not list(alive.state.glob("*.tmp")) and not list(alive.state.glob("published.json.*"))
