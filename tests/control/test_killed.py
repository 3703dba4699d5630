"""kill -9 of anything, at any moment, under load: the accounts say what the provider served, and the store says what the accounts say.

FASTGW_KILLS sets how often; a few times by default.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from fastgw._core.ledger import AccountView, Ledger
from fastgw.mock import MockOptions
from tests.control.alive import MODEL, Alive
from tests.fakes.framing import FramingError
from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.raw_client import RawClient, json_request
from tests.gateway.limited import CHAT, QUESTION, bearer
from tests.patience import PATIENCE_S

KILLS = int(os.environ.get("FASTGW_KILLS", "6"))
SEED = int(os.environ.get("FASTGW_KILL_SEED", "7"))
CALLERS = 6
TOKENS = 5
COST_NANO = TOKENS * 10_000          # at $10 a million
SMALL = 400                          # requests that the small budget pays for
WORKERS = 2


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock(MockOptions(latency_ms=3)) as running:
        yield running


class Callers:
    """Ask until told to stop, over connections that are made anew where they break; every answer is counted."""

    def __init__(self, alive: Alive, keys: list[str]) -> None:
        self.alive, self.keys = alive, keys
        self.answered: dict[str, int] = dict.fromkeys(keys, 0)
        self.odd: set[int] = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.call, args=(keys[number % len(keys)],)) for number in range(CALLERS)]

    def call(self, key: str) -> None:
        question = json_request(CHAT, {"model": MODEL, "max_tokens": TOKENS, "messages": QUESTION}, bearer(key))
        while not self.stopping.is_set():
            try:
                with RawClient(self.alive.url) as client:
                    while not self.stopping.is_set():
                        client.send(question)
                        self.count(key, client.read_response("POST").status)
            except (OSError, FramingError):
                time.sleep(0.01)         # nobody listens for a moment

    def count(self, key: str, status: int) -> None:
        with self.lock:
            if status == 200:
                self.answered[key] += 1
            elif status != 412:
                self.odd.add(status)
        if status == 412:
            time.sleep(0.02)             # a caller that is refused need not hurry

    def __enter__(self) -> Callers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Victims:
    """What is killed, and how many workers that took."""

    def __init__(self, alive: Alive) -> None:
        self.alive = alive
        self.workers = 0
        self.told: list[str] = []

    def kill(self, whom: str) -> None:
        """SIGKILL, and wait until there are workers again."""
        self.told.append(whom)
        if whom == "everything":
            self.workers += WORKERS
            self.alive.kill_everything()
            self.alive.start()
        elif whom == "worker":
            # those that listen: the others that were forked are the drain and the control process
            self.workers += 1
            os.kill(random.choice(listeners(self.alive)), signal.SIGKILL)
            self.alive.wait_until(lambda: self.alive.ready() == WORKERS, "two workers", PATIENCE_S)
        elif pid := self.alive.control_pid():
            os.kill(pid, signal.SIGKILL)


def listeners(alive: Alive) -> list[int]:
    """The processes that hold a listening socket of the gateway's port: its workers."""
    port = f":{int(alive.url.rpartition(':')[2]):04X} "
    inodes = {row.split()[9] for row in Path("/proc/net/tcp").read_text().splitlines() if port in row and " 0A " in row}
    found = []
    for pid in Path(f"/proc/{alive.process.pid}/task/{alive.process.pid}/children").read_text().split():
        try:
            links = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            continue
        if links & {f"socket:[{inode}]" for inode in inodes}:
            found.append(int(pid))
    return found


def accounts(alive: Alive, *names: str) -> list[AccountView]:
    ledger = Ledger(alive.state / "ledger", workers=WORKERS)
    indexes = [ledger.find(name) for name in names]
    return [ledger.read(index) for index in indexes if index is not None]


def stored(alive: Alive, *names: str) -> list[tuple[int, int]]:
    """What the store has of accounts: settled ever, and in this window."""
    connection = sqlite3.connect(alive.state / "store.db")
    query = "select lifetime, spent from accounts where account = ?"
    rows = [connection.execute(query, (sha256(name.encode()).digest()[:16].hex(),)).fetchone() for name in names]
    connection.close()
    return rows


def is_written_through(alive: Alive, *names: str) -> bool:
    return stored(alive, *names) == [(view.lifetime, view.spent) for view in accounts(alive, *names)]


def recorded(alive: Alive) -> tuple[int, int, int]:
    """Of the records: what they cost together, how many were served, and how many were lost and charged."""
    connection = sqlite3.connect(alive.state / "logs.db")
    query = "select sum(cost_nano_usd), sum(outcome = 'served'), sum(outcome = 'lost' and cost_nano_usd > 0) from records"
    cost, served, lost = connection.execute(query).fetchone()
    connection.close()
    return cost or 0, served or 0, lost or 0


def test_sums_agree_whatever_is_killed(mock: RunningMock, tmp_path: Path) -> None:
    """Control process, worker or everything killed at random: provider, accounts, records and store agree, and no budget is overspent."""
    chance = random.Random(SEED)
    served_before = int(str(mock.stats()["requests"]))
    with Alive(tmp_path, workers=WORKERS) as alive:
        alive.make_integration(mock.url)
        alive.make_price()
        small_id, small = alive.make_key("small", budgets=[{"usd": SMALL * COST_NANO / 1e9}])
        large_id, large = alive.make_key("large", budgets=[{"usd": 1000}])
        alive.seconds_until(large, {200})
        alive.seconds_until(small, {200})
        asked_before = 2 * 12            # at least: by waiting for the keys
        names = [f"key:{small_id}", f"key:{large_id}", "workspace:default", "organisation:default"]
        victims = Victims(alive)
        with Callers(alive, [small, large]) as callers:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.05, 0.6))
                victims.kill(chance.choice(("control", "worker", "everything")))
                assert accounts(alive, names[0])[0].spent <= SMALL * COST_NANO
            time.sleep(0.3)
        alive.wait_until(lambda: all(view.in_flight == 0 for view in accounts(alive, *names)), "nothing in flight")
        alive.wait_until(lambda: is_written_through(alive, *names), "the store to say what the accounts say", PATIENCE_S)
        assert alive.stop() == 0, alive.log()[-2000:]
        views = accounts(alive, *names)
        charged = [view.lifetime for view in views]
        assert all(view.committed == view.spent == view.lifetime for view in views)
        assert charged[2] == charged[3] == charged[0] + charged[1] and not callers.odd
        assert charged[0] <= SMALL * COST_NANO
        # the provider: what reached it was charged to the nano-dollar; what was on its way to it when a worker died is charged too
        cost, told, lost = recorded(alive)
        reached = (int(str(mock.stats()["requests"])) - served_before) * COST_NANO
        assert reached <= charged[2] <= reached + lost * COST_NANO, (victims.told, reached, charged, lost)
        # the records: each charge has one, but for the one that a worker was settling in the instant of its death
        assert 0 <= charged[2] - cost <= victims.workers * COST_NANO, (victims.told, charged, cost)
        assert told >= sum(callers.answered.values()) + asked_before, "whatever was answered is recorded as served"
        assert charged[2] >= (sum(callers.answered.values()) + asked_before) * COST_NANO
        assert is_written_through(alive, *names)
    print(f"{victims.told}: {reached // COST_NANO} reached the provider, {charged[2] // COST_NANO} were charged, {lost} lost, "
          f"{(charged[2] - cost) // COST_NANO} without a record")


def test_lost_ledger_is_made_again_from_the_store(mock: RunningMock, tmp_path: Path) -> None:
    """Where the ledger's file is gone, what the store knows counts before anything is served, and keys lead to their own accounts."""
    with Alive(tmp_path, workers=WORKERS) as alive:
        alive.make_integration(mock.url)
        alive.make_price()
        spent_id, spent = alive.make_key("spent", budgets=[{"usd": 20 * COST_NANO / 1e9}])
        large_id, large = alive.make_key("large", budgets=[{"usd": 1000}])
        names = [f"key:{spent_id}", f"key:{large_id}", "workspace:default", "organisation:default"]
        alive.seconds_until(spent, {412})
        alive.seconds_until(large, {200})
        alive.stop()
        before = accounts(alive, *names)
        (alive.state / "ledger").unlink()
        alive.process.stdout and alive.process.stdout.close()
        alive.start()
        assert alive.statuses(spent) == {412}, "from the first request on"
        assert [(view.spent, view.lifetime, view.budget) for view in accounts(alive, *names)] == [
            (view.spent, view.lifetime, view.budget) for view in before]
        assert alive.statuses(large) == {200}
        assert accounts(alive, names[1])[0].spent == before[1].spent + 12 * COST_NANO and "go on from what the store knows" in alive.log()
