"""The stores that the control plane is tested on: each test runs on all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.plane import Control, running
from tests.fakes.postgres import Postgres


@pytest.fixture(scope="session")
def postgres(children_of_the_run: set[int]) -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of a run."""
    with Postgres() as server:
        children_of_the_run |= {server.process.pid, server.guard.pid}
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return ""
    server = request.getfixturevalue("postgres")
    assert isinstance(server, Postgres)
    return server.make_database()


@pytest.fixture
def control(store_url: str, tmp_path: Path) -> Iterator[Control]:
    """A control plane with its owner signed in."""
    with running(store_url, tmp_path) as control:
        yield control
