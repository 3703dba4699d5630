"""The stores that the control plane is tested on: each test runs on all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.control.plane import Control, running


@pytest.fixture(scope="session")
def make_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Makes empty databases in a PostgreSQL server of its own, and returns their URLs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        # looks for that directory when it is imported, and warns where there is none
        from pgserver import get_server  # type: ignore[attr-defined]  # it says what it exports in no way that mypy knows

        server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")

        def make() -> str:
            name = f"t{uuid4().hex}"
            server.psql(f"CREATE DATABASE {name};")
            return str(server.get_uri(database=name))

        yield make
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return ""
    return str(request.getfixturevalue("make_database")())


@pytest.fixture
def control(store_url: str, tmp_path: Path) -> Iterator[Control]:
    """A control plane with its owner signed in."""
    with running(store_url, tmp_path) as control:
        yield control
