"""The stores that the control plane is tested on: each test runs on all of them."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgw.control.store.engine import open_store
from fastgw.control.store.tables import METADATA
from tests.control.plane import Control, running
from tests.fakes.postgres import Postgres

KINDS = ("sqlite", "postgresql")
EMPTY = "".join(f"DELETE FROM {table};" for table in reversed(METADATA.sorted_tables))


@pytest.fixture(scope="session")
def postgres(children_of_the_run: set[int]) -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of a run."""
    with Postgres() as server:
        children_of_the_run |= {server.process.pid, server.guard.pid}
        yield server


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return ""
    server = request.getfixturevalue("postgres")
    assert isinstance(server, Postgres)
    return server.make_database()


@pytest.fixture(scope="session")
def with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store that has its tables and nothing in them, to copy: to make them takes longer than most tests."""
    state = tmp_path_factory.mktemp("store")
    make_tables("", state)
    return state / "store.db"


@pytest.fixture(scope="session")
def database_with_tables(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same on PostgreSQL, to be emptied: its URL. A database for each test would be gigabytes of files."""
    url = postgres.make_database()
    make_tables(url, tmp_path_factory.mktemp("store"))
    return url


def make_tables(url: str, state: Path) -> None:
    async def make() -> None:
        await (await open_store(url, state)).close()

    asyncio.run(make())


@pytest.fixture(params=KINDS)
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Control]:
    """A control plane over a store of each kind, with its owner signed in."""
    if request.param == "sqlite":
        url = ""
        shutil.copy(request.getfixturevalue("with_tables"), tmp_path / "store.db")
    else:
        url = request.getfixturevalue("database_with_tables")
        server = request.getfixturevalue("postgres")
        assert isinstance(server, Postgres)
        server.execute(EMPTY, url)
    with running(url, tmp_path) as control:
        yield control
