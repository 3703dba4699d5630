"""Among a million keys: what one key takes does not grow with their number, and the API does not wait for the disk."""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from fastgw._core.ledger import Ledger
from fastgw.control.accounts import LedgerAccounts
from fastgw.control.options import ControlOptions
from fastgw.control.publish import MARK, StorePublisher, read_mark
from fastgw.snapshot.keyring import KeyRing
from fastgw.snapshot.load import load
from fastgw.snapshot.seal import Vault
from tests.control.plane import Control, running

THROUGH_ALL = re.compile(r"SCAN keys|ix_keys_(?:organisation|workspace)_id")


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    """In SQLite, which says how it would find what it is asked for."""
    with running("", tmp_path) as control:
        yield control


@contextmanager
def statements(control: Control) -> Iterator[list[tuple[str, Sequence[object]]]]:
    """All that the store is asked meanwhile."""
    asked: list[tuple[str, Sequence[object]]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Sequence[object], *rest: object) -> None:
        asked.append((statement, parameters))

    engine = control.plane.store.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def test_one_key_is_found_and_changed_without_looking_through_the_others(control: Control, tmp_path: Path) -> None:
    """By id, by name, by hash; made, read, changed, rotated and revoked: no statement goes through the keys of an organisation."""
    with statements(control) as asked:
        made = control.ask("POST", "/keys", {"name": "app", "workspace": "default", "budgets": [{"usd": 1}]}, 201)
        for name in (made["id"], "app"):
            control.ask("GET", f"/keys/{name}")
            control.ask("PATCH", f"/keys/{name}", {"description": name})
        control.client.get(f"/key/info?key={made['key']}", headers=control.fields).raise_for_status()
        control.ask("POST", "/keys/app/rotate", {"overlap_hours": 1})
        control.ask("DELETE", "/keys/app", status=204)
    store = sqlite3.connect(tmp_path / "store.db")
    plans = {
        statement: [row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))]
        for statement, parameters in asked if " keys" in statement
    }
    store.close()
    assert len(plans) > 8
    assert not {statement: plan for statement, plan in plans.items() if any(map(THROUGH_ALL.search, plan))}


def published(control: Control, state: Path, work: Callable[[StorePublisher, KeyRing], object]) -> None:
    """Do something with a publisher of the store, which has published all there is."""
    (state / "fastgw.toml").write_text(f'[gateway]\nstate = "{state}"\n')
    vault = Vault([bytes(32)])
    options = ControlOptions(load(state / "fastgw.toml", {}, vault=vault), state, vault, (), "", 0)

    async def run() -> None:
        ring = KeyRing(state)
        publisher = StorePublisher(control.plane.store, options, ring, LedgerAccounts(Ledger(state / "ledger")))
        await publisher.publish()
        found = work(publisher, ring)
        if asyncio.iscoroutine(found):
            await found
        ring.close()

    control.run(run)


def test_published_keys_are_noted_once_the_disk_has_them(control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They serve before; a process that dies in between publishes them again, and one that settled has nothing to do."""
    control.ask("POST", "/keys", {"name": "app", "workspace": "default"}, 201)
    synced: list[bool] = []
    monkeypatch.setattr(KeyRing, "sync", lambda ring: synced.append((tmp_path / MARK).exists()))

    def serves(publisher: StorePublisher, ring: KeyRing) -> None:
        assert len(ring) == 1 and publisher.is_published(publisher.mark.revision) and not synced

    published(control, tmp_path, serves)
    assert read_mark(tmp_path).revision == -1

    async def settle(publisher: StorePublisher, ring: KeyRing) -> None:
        await publisher.settle()
        await publisher.settle()
        assert synced == [False] and read_mark(tmp_path) == publisher.mark

    published(control, tmp_path, settle)
    published(control, tmp_path, lambda publisher, ring: publisher.settle())
    assert synced == [False]
