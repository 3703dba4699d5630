"""Open the store: SQLite in the state directory, or PostgreSQL by URL, migrated to the schema of this release.

Writers take turns: in SQLite by its lock, in PostgreSQL by the row of `state` that each of them counts up.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import event, insert, update
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fastgw.control.ids import make_id
from fastgw.control.store.migrate import MigrationFailed, migrate
from fastgw.control.store.tables import STATE
from fastgw.snapshot.names import shown

BUSY_SECONDS: Final = 10.0
EXPECTED_URL: Final = '"sqlite:///PATH" or "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"'
# kind: the driver, and what a URL may say after "?"
POSTGRESQL: Final[tuple[str, tuple[str, ...]]] = ("postgresql+asyncpg", ("host", "port", "ssl", "sslmode"))
DRIVERS: Final = {"postgresql": POSTGRESQL, "postgres": POSTGRESQL, "sqlite": ("sqlite+aiosqlite", ())}


class StoreUnavailable(Exception):
    """The store cannot be opened or reached; the message says why and what to do."""


class Store:
    """The tables, read and written in transactions."""

    def __init__(self, engine: AsyncEngine, kind: str) -> None:
        self.engine = engine
        self.kind = kind

    def __repr__(self) -> str:
        return f"<Store in {self.kind}>"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the store. raises StoreUnavailable"""
        async with self._connected() as connection:
            if self.kind == "postgresql":
                # what SQLite does anyway; by default each statement would see a state of its own
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator["Transaction"]:
        """A transaction that is kept if its block ends well, and else leaves nothing. raises StoreUnavailable"""
        async with self._connected() as connection:
            writing = await connection.execution_options(fastgw_writes=True)
            async with writing.begin():
                yield Transaction(writing)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self.engine.connect())
            except (SQLAlchemyError, OSError) as error:  # the driver's, the network's; the pool's, that all are in use
                raise unavailable(error) from error
            try:
                yield connection
            except IntegrityError:
                raise  # a row was refused by a constraint, which is for the writer to explain
            except DBAPIError as error:
                raise unavailable(error) from error

    async def close(self) -> None:
        await self.engine.dispose()


class Transaction:
    """One transaction of a writer, and the revision that what it writes belongs to."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.execute = connection.execute
        self.number = 0         # the revision that it writes, 0 where it has none yet
        self.touched: set[str] = set()

    def __repr__(self) -> str:
        return f"<Transaction of revision {self.number}, {sorted(self.touched)} touched>"

    async def revision(self, *what: str) -> int:
        """Count the store's revision up, once a transaction; `what`: "config" or "keys" where data planes have to hear of it.

        The row stays locked until the end, so that revisions become visible in their order.
        """
        if not self.number:
            counted = update(STATE).values(revision=STATE.c.revision + 1).returning(STATE.c.revision)
            self.number = (await self.execute(counted)).scalar_one()
        fresh = {f"{name}_revision": self.number for name in what if name not in self.touched}
        if fresh:
            self.touched.update(what)
            await self.execute(update(STATE).values(fresh))
        return self.number


async def open_store(url: str, state: Path) -> Store:
    """Open the store that a URL names, "" being SQLite in the state directory, and bring its schema up to date.

    raises  StoreUnavailable
    """
    parsed = parse_url(url or f"sqlite:///{state / 'store.db'}")
    is_sqlite = parsed.get_backend_name() == "sqlite"
    engine = create_async_engine(
        parsed,
        pool_pre_ping=not is_sqlite,
        connect_args={"timeout": BUSY_SECONDS}
        if is_sqlite
        else {"timeout": BUSY_SECONDS, "server_settings": {"application_name": "fastgw"}},
    )
    store = Store(engine, "sqlite" if is_sqlite else "postgresql")
    try:
        if is_sqlite:
            follow_sqlite(engine)
            # a file that cannot be opened leaves a thread of aiosqlite behind, which outlives the event loop: find out without it
            sqlite3.connect(parsed.database or "").close()
        async with store.write() as transaction:
            await transaction.connection.run_sync(migrate)
            # while the lock of the migration holds; and a file that may only be read is found out now, not at the first change
            if (await transaction.execute(update(STATE).values(revision=STATE.c.revision))).rowcount == 0:
                fresh = dict.fromkeys(("revision", "config_revision", "keys_revision", "forgotten_revision"), 0)
                await transaction.execute(insert(STATE).values(id=1, identity=make_id(), **fresh))
    except (StoreUnavailable, MigrationFailed, SQLAlchemyError, sqlite3.Error) as error:
        await store.close()
        place = parsed.set(drivername=store.kind).render_as_string()  # with *** for the password
        raise StoreUnavailable(f"the store at {place} cannot be used: {first_line(error)}") from error
    return store


def parse_url(text: str) -> URL:
    """What SQLAlchemy is to connect to. raises StoreUnavailable, with nothing in it that may be a part of a password"""
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreUnavailable(f"expected {EXPECTED_URL}, found something else") from None
    kind = parsed.get_backend_name()
    if kind not in DRIVERS:
        raise StoreUnavailable(f"expected a store in sqlite or postgresql, found {shown(kind)!r}")
    driver, known = DRIVERS[kind]
    if unknown := sorted(parsed.query.keys() - set(known)):
        raise StoreUnavailable(f'expected {" or ".join(known) or "nothing"} after "?" in the URL of the store, found {shown(unknown[0])!r}')
    if parsed.database in (None, "", ":memory:") or "@" in str(parsed.database) or not str(parsed.query.get("port", 0)).isdigit():
        raise StoreUnavailable(f"expected {EXPECTED_URL}, found no database, or a character that is to be written as %XX")
    # libpq's name for what asyncpg calls ssl
    return parsed.set(drivername=driver, query={name.replace("sslmode", "ssl"): value for name, value in parsed.query.items()})


def follow_sqlite(engine: AsyncEngine) -> None:
    """Have SQLite keep foreign keys and begin transactions when told; Python's driver would begin them late."""

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: object, record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # of the driver, which SQLAlchemy has no type for
        cursor = connection.cursor()  # type: ignore[attr-defined]  # likewise
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", f"busy_timeout = {int(BUSY_SECONDS * 1000)}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # a reader that becomes a writer could not wait for another writer: what writes says so at once
        writes = connection.get_execution_options().get("fastgw_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def unavailable(error: Exception) -> StoreUnavailable:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return StoreUnavailable(f"the store cannot be reached or written: {first_line(cause)}")


def first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
