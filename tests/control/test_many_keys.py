"""Among a million keys: what one key takes does not grow with their number, and the API does not wait for the disk."""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import event, update

from fastgw._core.ledger import Ledger
from fastgw.control.accounts import LedgerAccounts
from fastgw.control.options import ControlOptions
from fastgw.control.pruning import DAY_NS, Pruner
from fastgw.control.publish import StorePublisher, read_mark
from fastgw.control.rotating import ROTATION_DUE
from fastgw.control.store.tables import ALERTS, KEYS, REVOCATIONS
from fastgw.snapshot.keyring import KEYS_MARK, KeyRing
from fastgw.snapshot.load import load
from fastgw.snapshot.seal import Vault
from tests.control.callers import organisation_of, put, rows_of
from tests.control.plane import Control, running

THROUGH_ALL = re.compile(r"SCAN keys|ix_keys_(?:organisation|workspace)_id")


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


def test_one_key_is_found_and_changed_without_looking_through_the_others(tmp_path: Path) -> None:
    """By id, by name, by hash; made, read, changed, rotated and revoked: no statement goes through the keys of an organisation."""
    # in SQLite, which says how it would find what it is asked for
    with running("", tmp_path) as control, statements(control) as asked:
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
    monkeypatch.setattr(KeyRing, "sync", lambda ring: synced.append((tmp_path / KEYS_MARK).exists()))

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


def test_a_machine_that_was_away_for_long_has_no_revoked_key(control: Control, tmp_path: Path) -> None:
    """Revocations are kept for a week; whoever has not heard of those that went publishes all keys anew."""
    made = [control.ask("POST", "/keys", {"name": name, "workspace": "default"}, 201) for name in ("stays", "old", "fresh")]
    published(control, tmp_path, lambda publisher, ring: publisher.settle())
    for one in made[1:]:
        control.ask("DELETE", f"/keys/{one['id']}", status=204)

    async def prune() -> None:
        old = update(REVOCATIONS).where(REVOCATIONS.c.digest == sha256(made[1]["key"].encode()).digest())
        async with control.plane.store.write() as transaction:
            await transaction.execute(old.values(at_ns=REVOCATIONS.c.at_ns - 8 * DAY_NS))
        assert await Pruner(control.plane.store).turn() == (1, 0)
        assert await Pruner(control.plane.store).turn() == (0, 0)

    control.run(prune)
    assert len(rows_of(control, REVOCATIONS)) == 1

    def left(publisher: StorePublisher, ring: KeyRing) -> None:
        assert [row.entry.name for row in ring.rows()] == ["stays"]

    published(control, tmp_path, left)


def test_a_key_of_ones_own_can_be_revoked_again(control: Control) -> None:
    """Whoever brings a key along may do so after it was revoked, and revoke it once more."""
    for _ in range(2):
        made = control.client.post("/key/generate", json={"key": "sk-chosen-by-the-caller"}, headers=control.fields)
        assert made.status_code == 200, made.text
        gone = control.client.post("/key/delete", json={"keys": ["sk-chosen-by-the-caller"]}, headers=control.fields)
        assert gone.status_code == 200, gone.text
    assert len(rows_of(control, REVOCATIONS)) == 1


def test_alerts_go_when_no_window_needs_them(control: Control) -> None:
    """Ninety days after a window's end; never of a total, nor of a key that is still due, for these would be told of again."""
    now = time.time_ns()
    made = control.ask("POST", "/keys", {"name": "due", "workspace": "default", "rotation": {"every_days": 1}}, 201)
    rotate_at_ns = next(row["rotate_at_ns"] for row in rows_of(control, KEYS) if row["id"] == made["id"])
    rows = {
        "month-ended": ("exhausted", "month", now - 122 * DAY_NS), "month-kept": ("exhausted", "month", now - 120 * DAY_NS),
        "days-ended": ("threshold", "30d", now - 121 * DAY_NS), "total": ("exhausted", "total", 0),
        f"key:{made['id']}": (ROTATION_DUE, "", rotate_at_ns), "key:rotated": (ROTATION_DUE, "", 5),
    }  # fmt: skip
    for account, (kind, window, start_ns) in rows.items():
        put(control, ALERTS, organisation_id=organisation_of(control), account=account, subject="", kind=kind, threshold_ppm=0,
            window=window, window_start_ns=start_ns, unit="", spent=0, budget=0, at_ns=now - 100 * DAY_NS, emails="[]")  # fmt: skip

    async def prune() -> None:
        assert await Pruner(control.plane.store).turn() == (0, 3)

    control.run(prune)
    assert {row["account"] for row in rows_of(control, ALERTS)} == {"month-kept", "total", f"key:{made['id']}"}
