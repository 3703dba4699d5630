"""Open the store: SQLite in the state directory, or PostgreSQL by URL, migrated to the schema of this release.

Writers take turns: in SQLite by its lock, in PostgreSQL by the row of `state` that each of them counts up.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import event, update
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fastgw.control.store.migrate import MigrationFailed, migrate
from fastgw.control.store.tables import STATE

BUSY_SECONDS: Final = 10.0
DRIVERS: Final = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}


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
        try:
            async with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise unavailable(error) from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator["Transaction"]:
        """A transaction that is kept if its block ends well, and else leaves nothing. raises StoreUnavailable"""
        try:
            async with self.engine.connect() as connection:
                writing = await connection.execution_options(fastgw_writes=True)
                async with writing.begin():
                    yield Transaction(writing)
        except DBAPIError as error:
            if is_integrity(error):
                raise
            raise unavailable(error) from error

    async def close(self) -> None:
        await self.engine.dispose()


class Transaction:
    """One transaction of a writer, and the revision that what it writes belongs to."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.execute = connection.execute
        self._revision = 0
        self.touched: set[str] = set()

    def __repr__(self) -> str:
        return f"<Transaction of revision {self._revision}, {sorted(self.touched)} touched>"

    async def revision(self, *what: str) -> int:
        """Count the store's revision up, once a transaction; `what`: "config" or "keys" where data planes have to hear of it.

        The row stays locked until the end, so that revisions become visible in their order.
        """
        if not self._revision:
            counted = update(STATE).values(revision=STATE.c.revision + 1).returning(STATE.c.revision)
            self._revision = (await self.execute(counted)).scalar_one()
        fresh = {f"{name}_revision": self._revision for name in what if name not in self.touched}
        if fresh:
            self.touched.update(what)
            await self.execute(update(STATE).values(fresh))
        return self._revision


async def open_store(url: str, state: Path) -> Store:
    """Open the store that a URL names, "" being SQLite in the state directory, and bring its schema up to date.

    raises  StoreUnavailable
    """
    try:
        parsed = make_url(url or f"sqlite:///{state / 'store.db'}")
    except ArgumentError:
        raise StoreUnavailable('expected "sqlite:///PATH" or "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"') from None
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise StoreUnavailable(f"expected a store in sqlite or postgresql, found {parsed.get_backend_name()!r}")
    kind = parsed.get_backend_name()
    is_sqlite = kind == "sqlite"
    engine = create_async_engine(
        parsed.set(drivername=driver),
        pool_pre_ping=not is_sqlite,
        connect_args={"timeout": BUSY_SECONDS}
        if is_sqlite
        else {"timeout": BUSY_SECONDS, "server_settings": {"application_name": "fastgw"}},
    )
    if is_sqlite:
        follow_sqlite(engine)
    store = Store(engine, "sqlite" if is_sqlite else "postgresql")
    try:
        async with store.write() as transaction:
            await transaction.connection.run_sync(migrate)
    except (StoreUnavailable, MigrationFailed, SQLAlchemyError, OSError) as error:
        await store.close()
        raise StoreUnavailable(f"the store at {parsed.render_as_string()} cannot be used: {first_line(error)}") from error
    return store


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


def is_integrity(error: DBAPIError) -> bool:
    """Whether a row was refused by a constraint, which is for the writer to explain."""
    return type(error).__name__ == "IntegrityError"


def unavailable(error: DBAPIError) -> StoreUnavailable:
    return StoreUnavailable(f"the store cannot be reached or written: {first_line(error.orig or error)}")


def first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
