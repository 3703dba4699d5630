"""Bring the store to the data plane: its configuration as one document, its keys one by one.

Revisions of the store say what has changed since; so a process that was away catches up, and so does one on another machine.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, CompoundSelect, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fastgw._core.ring import RingError, gauges_of
from fastgw.control.accounts import LedgerAccounts
from fastgw.control.api.problem import Fault
from fastgw.control.api.written import refused
from fastgw.control.options import ControlOptions
from fastgw.control.published import KEYS_AT_ONCE, ReadKey, Tables, key_rows, organisation_chain, read_keys, read_tables
from fastgw.control.store.engine import Store, Transaction
from fastgw.control.store.tables import KEYS, ORGANISATIONS, REVOCATIONS, STATE, USERS
from fastgw.control.turns import Trouble
from fastgw.meter.catalog import Catalog
from fastgw.record.names import GAUGES
from fastgw.snapshot.accounts import Chain
from fastgw.snapshot.keyring import KEYS_MARK, KeyRing, KeyRow
from fastgw.snapshot.load import ConfigError, parse
from fastgw.snapshot.published import Published, publish, published_path

LOOK_SECONDS: Final = 0.5
REACH_SECONDS: Final = 2.0
REACH_LOOK_SECONDS: Final = 0.02
STORE: Final = "the store"

Read = Callable[[ColumnElement[bool]], Sequence[ReadKey]]

log = logging.getLogger("fastgw.control")


class Mark(Struct):
    """Up to where keys have been published, of which store, into which ledger."""

    store: str
    ledger: str
    revision: int


class Checker:
    """Holds changes to the data plane's rules; whoever publishes finds them by their revisions."""

    config_revision = published_ns = 0

    def __init__(self, options: ControlOptions) -> None:
        self.options = options
        self.catalog = Catalog.load()

    def __repr__(self) -> str:
        return f"<Checker for {self.options!r}>"

    @property
    def error(self) -> str:
        return ""

    async def reached(self, revision: int) -> bool:
        return True             # a command does not wait: the gateway may not even run

    def wake(self) -> None:
        """Nobody is here to be woken: the control process looks by itself."""

    async def check(self, transaction: Transaction) -> None:
        """Hold what a transaction would leave to the rules of the data plane, together with the file. raises ApiError"""
        tables = await read_tables(transaction.connection)
        faults = await asyncio.to_thread(self.faults_of, tables)
        if faults:
            raise refused(faults)

    def faults_of(self, tables: Tables) -> list[Fault]:
        path = self.options.document.path
        text = Path(path).read_text() if path else ""
        try:
            parse(text, os.environ, path, self.catalog, Published(STORE, tables), self.options.vault)
        except ConfigError as error:
            # a file that does not hold at this moment is not the administrator's fault
            return [Fault(f"$.{one.place}", one.expected, one.found, one.nearest) for one in error.problems if one.path == STORE]
        return []


class StorePublisher(Checker):
    """Publishes one store to the workers of this machine."""

    def __init__(self, store: Store, options: ControlOptions, ring: KeyRing, accounts: LedgerAccounts) -> None:
        super().__init__(options)
        self.store = store
        self.ring = ring
        self.accounts = accounts
        self.woken = asyncio.Event()
        self.turn = asyncio.Lock()
        self.config_revision = -1
        self.mark = self.settled = read_mark(options.state)
        self.chains: dict[str, Chain] = {}      # of organisations, by id, that published keys lead to
        self.published_ns = 0
        self.document_ns = 0            # when the document was written: its file's time
        self.found_s = 0.0              # when all there was had been published
        self.seen_revision = -1         # of the store, up to which everything is published
        self.trouble = Trouble("publishing what administrators changed")

    def __repr__(self) -> str:
        return f"<StorePublisher at revision {self.config_revision}, keys {self.mark.revision}>"

    @property
    def error(self) -> str:
        """Why what was committed last is not published; "" where it is."""
        return self.trouble.text

    def wake(self) -> None:
        self.woken.set()

    async def reached(self, revision: int) -> bool:
        """Wait until all workers serve by what was committed; False where that takes longer than it should, and goes on by itself."""
        deadline = time.monotonic() + REACH_SECONDS
        while time.monotonic() < deadline:
            if self.is_published(revision) and await asyncio.to_thread(self.is_taken_up):
                return True
            await asyncio.sleep(REACH_LOOK_SECONDS)
        log.warning("revision %d is not in force everywhere after %s s", revision, REACH_SECONDS)
        return False

    def is_published(self, revision: int) -> bool:
        return self.seen_revision >= revision

    def is_taken_up(self) -> bool:
        """Whether every worker that runs has tried the document that was published last."""
        return all(worker_gauge(path, "published_ns") in (None, self.document_ns) for path in self.options.rings)

    async def run(self) -> None:
        """Publish what changes, until cancelled; a failure is shown and tried again."""
        while True:
            try:
                await self.publish()
                self.trouble.end()
            except Exception as error:  # the edge of a background task
                self.trouble.note(error)
                await asyncio.sleep(LOOK_SECONDS)
            try:
                await asyncio.wait_for(self.woken.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
            finally:
                self.woken.clear()

    async def publish(self) -> None:
        """Bring everything to the data plane that it does not have yet."""
        # one at a time: the mark of keys goes forward only
        async with self.turn, self.store.read() as connection:
            state = (await connection.execute(select(STATE))).one_or_none()
            if state is None:
                return      # nobody has written anything yet
            is_behind = state.keys_revision != self.mark.revision
            if state.config_revision != self.config_revision:
                tables = await read_tables(connection)
                await asyncio.to_thread(self.put_config, tables)
                self.config_revision = state.config_revision
                self.published_ns = time.time_ns()
            chains, moved = await self.put_organisations(connection) if not self.chains or is_behind else ({}, [])
            if self.is_strange(state):
                await self.put_all_keys(connection, state)
            elif is_behind:
                await self.put_changed_keys(connection, state, moved)
            # only now: what could not be published is so the next time
            self.chains |= chains
        self.seen_revision, self.found_s = state.revision, time.time()

    def put_config(self, tables: Tables) -> None:
        publish(self.options.state, tables)
        self.document_ns = published_path(self.options.state).stat().st_mtime_ns

    def is_strange(self, state: Any) -> bool:
        """Whether what is published came from another store, leads into another ledger, or may have what nobody remembers to revoke."""
        is_other = self.mark.store != state.identity or self.mark.ledger != self.accounts.identity
        return is_other or self.mark.revision < state.forgotten_revision or bool(self.ring.damage)

    async def put_all_keys(self, connection: AsyncConnection, state: Any) -> None:
        total = (await connection.execute(select(func.count()).select_from(KEYS).where(KEYS.c.removed.is_(False)))).scalar_one()
        read = reader(connection)
        count = await asyncio.to_thread(self.ring.replace_all, self.all_rows(read), total)
        self.mark = Mark(state.identity, self.accounts.identity, state.keys_revision)
        log.info("%d keys are published", count)

    async def put_organisations(self, connection: AsyncConnection) -> tuple[dict[str, Chain], list[str]]:
        """Hold organisations to their limits of now; returns their accounts, and the ids of those whose keys lead to others."""
        wanted = [ORGANISATIONS.c.revision > self.mark.revision] if self.chains else []
        chains, moved = {}, []
        for row in await connection.execute(select(ORGANISATIONS).where(*wanted)):
            found = organisation_chain(row.slug, row.spec, self.accounts)
            if row.revision > self.mark.revision and found != self.chains.get(row.id):
                moved.append(row.id)
            chains[row.id] = found
        return chains, moved

    async def put_changed_keys(self, connection: AsyncConnection, state: Any, moved: Sequence[str]) -> None:
        revoked = await connection.execute(select(REVOCATIONS.c.digest).where(REVOCATIONS.c.revision > self.mark.revision))
        for digest in revoked.scalars():
            self.ring.remove(digest)
        # by their ids, since a database that is asked for them in the order of these may go through all keys to find few
        changed = await connection.execute(changed_keys(self.mark.revision))
        await asyncio.to_thread(self.put_each, changed.scalars().all(), moved, reader(connection))
        self.mark = Mark(state.identity, self.accounts.identity, state.keys_revision)

    def all_rows(self, read: Read, *wanted: ColumnElement[bool]) -> Iterator[KeyRow]:
        """All keys of which something holds; not all are in memory at once."""
        last = ""
        while found := read(and_(KEYS.c.id > last, *wanted)):
            yield from key_rows(found, self.accounts)
            last = found[-1].id

    def put_each(self, ids: Sequence[str], organisations: Sequence[str], read: Read) -> None:
        """Publish single keys, and all those of organisations."""
        batches = (ids[start : start + KEYS_AT_ONCE] for start in range(0, len(ids), KEYS_AT_ONCE))
        single = (key_rows(read(KEYS.c.id.in_(batch)), self.accounts) for batch in batches)
        whole = (self.all_rows(read, KEYS.c.organisation_id == one) for one in organisations)
        for one in chain.from_iterable(chain(single, whole)):
            self.ring.put(one.digest, one.entry, enabled=one.enabled, until_ns=one.until_ns)

    async def settle(self) -> None:
        """Note up to where keys are published, once the disk has them; workers do not wait for that, and so neither does the API."""
        mark = self.mark
        if mark != self.settled:
            # must come before the mark: it says that the keys are there, and a loss of power must not make it a lie
            await asyncio.to_thread(self.ring.sync)
            keep_mark(self.options.state, mark)
            self.settled = mark


def changed_keys(revision: int) -> CompoundSelect[str]:
    """The ids of keys that were written after a revision, or whose users were, which they are refused and limited with."""
    own = select(KEYS.c.id).where(KEYS.c.revision > revision)
    return own.union(select(KEYS.c.id).join(USERS, USERS.c.id == KEYS.c.user_id).where(USERS.c.revision > revision))


def reader(connection: AsyncConnection) -> Read:
    """What a thread reads keys with: the loop does it."""
    loop = asyncio.get_running_loop()
    return lambda wanted: asyncio.run_coroutine_threadsafe(read_keys(connection, wanted), loop).result()


def worker_gauge(ring: Path, name: str) -> int | None:
    """What a worker's gauge shows; None where no worker runs by that ring."""
    try:
        gauges = gauges_of(ring)
    except (OSError, RingError):
        return None
    return None if gauges is None else gauges[GAUGES.index(name)]


def keep_mark(state: Path, mark: Mark) -> None:
    path = state / KEYS_MARK
    aside = path.with_suffix(".tmp")
    aside.write_text(json.dumps({"store": mark.store, "ledger": mark.ledger, "revision": mark.revision}))
    os.replace(aside, path)


def read_mark(state: Path) -> Mark:
    try:
        found = json.loads((state / KEYS_MARK).read_text())
        return Mark(found["store"], found["ledger"], found["revision"])
    except (OSError, ValueError, KeyError):
        return Mark("", "", -1)
