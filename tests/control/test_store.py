"""The store: its schema by migrations, and what it says when it cannot be opened, reached or written."""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, func, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from fastgw.control.store import engine, migrate
from fastgw.control.store.engine import Store, StoreUnavailable, follow_sqlite, open_store
from fastgw.control.store.tables import METADATA, ORGANISATIONS, STATE, USERS
from tests.control.plane import running
from tests.fakes.postgres import Postgres

START = """
import asyncio, sys
from pathlib import Path
from fastgw.control.bootstrap import bootstrap
from fastgw.control.store.engine import open_store

async def start():
    store = await open_store(sys.argv[1], Path(sys.argv[2]))
    print(bool(await bootstrap(store)))
    await store.close()

sys.stdin.read(1)
asyncio.run(start())
"""


def with_store(url: str, state: Path, work: Callable[[Store], Awaitable[None]]) -> None:
    """Open a store, do something with it, and close it."""

    async def run() -> None:
        store = await open_store(url, state)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


async def nothing(store: Store) -> None:
    """To open it is enough."""


async def count_up(store: Store) -> None:
    async with store.write() as transaction:
        await transaction.execute(update(STATE).values(revision=STATE.c.revision + 1))


def tables_of(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def add_step(scripts: Path, number: str, body: str) -> None:
    """One more step of the schema, as a later release would bring it."""
    (scripts / f"versions/{number}_next.py").write_text(
        f'"""next."""\nimport sqlalchemy as sa\nfrom alembic import op\nrevision = "{number}"\ndown_revision = "{int(number) - 1:04}"\n\n\n'
        f"def upgrade():\n{body}"
    )


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The steps of the schema, where a test may add to them."""
    copied = shutil.copytree(migrate.SCRIPTS, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "SCRIPTS", copied)
    return copied


def test_the_tables_are_what_the_steps_make(store_url: str, tmp_path: Path) -> None:
    """Between store/tables.py and the migrations there is no difference."""

    async def compare(store: Store) -> None:
        async with store.read() as connection:
            found = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), METADATA))
        assert found == []

    with_store(store_url, tmp_path, compare)


def test_a_step_that_fails_leaves_the_schema_of_before(store_url: str, tmp_path: Path, scripts: Path) -> None:
    """Neither the tables that the step had made nor the number of the schema remain; the release of before still runs."""
    with_store(store_url, tmp_path, count_up)
    made = '    op.create_table("half_done", sa.Column("id", sa.Text()))\n    op.add_column("users", sa.Column("half", sa.Text()))\n'
    add_step(scripts, "0002", made)
    add_step(scripts, "0003", '    op.execute("UPDATE nowhere SET id = 1")\n')
    with pytest.raises(StoreUnavailable, match="nowhere"):
        with_store(store_url, tmp_path, nothing)
    for step in ("0002", "0003"):
        (scripts / f"versions/{step}_next.py").unlink()

    async def look(store: Store) -> None:
        async with store.read() as connection:
            assert await connection.run_sync(tables_of) == {*METADATA.tables, "alembic_version"}
            assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all() == ["0001"]
            columns = await connection.run_sync(lambda sync: [column["name"] for column in inspect(sync).get_columns("users")])
            assert "half" not in columns

    with_store(store_url, tmp_path, look)


def test_a_store_of_a_later_release_is_left_alone(store_url: str, tmp_path: Path, scripts: Path) -> None:
    """An older release says that it is one, rather than write into what it does not know."""
    add_step(scripts, "0002", '    op.create_table("later", sa.Column("id", sa.Text()))\n')
    with_store(store_url, tmp_path, nothing)
    (scripts / "versions/0002_next.py").unlink()
    with pytest.raises(StoreUnavailable, match=r"of a later release \(schema 0002\): run that release, or restore a backup"):
        with_store(store_url, tmp_path, nothing)


def test_machines_that_start_at_once_make_one_store(store_url: str, tmp_path: Path) -> None:
    """However many find it empty, the tables, the organisation and the owner are made once, and one machine tells the password."""
    command = [sys.executable, "-W", "error", "-c", START, store_url, str(tmp_path)]
    pipe = subprocess.PIPE
    starting = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    for process in starting:
        assert process.stdin is not None
        process.stdin.close()
    ended = [(process.stdout, process.stderr, process.wait(60)) for process in starting]
    said = []
    for out, err, status in ended:
        assert out is not None and err is not None
        with out, err:
            said.append(out.read().strip())
            assert status == 0, err.read()
    assert sorted(said) == ["False", "False", "False", "True"]

    async def count(store: Store) -> None:
        async with store.read() as connection:
            for table in (ORGANISATIONS, USERS, STATE):
                assert (await connection.execute(select(func.count()).select_from(table))).scalar_one() == 1

    with_store(store_url, tmp_path, count)


def test_writers_take_turns(store_url: str, tmp_path: Path) -> None:
    """Of many that count at once none is refused and none is lost, and each sees the count of the one before."""

    async def count(store: Store) -> None:
        async def once() -> int:
            async with store.write() as transaction:
                return await transaction.revision("config")

        assert sorted(await asyncio.gather(*(once() for _ in range(20)))) == list(range(1, 21))

    with_store(store_url, tmp_path, count)


def test_a_writer_waits_for_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has one writer at a time: the next one waits, and says so when it has waited long enough."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 1.5)

    async def contend(store: Store) -> None:
        with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(count_up(store))
            assert await asyncio.wait({waiting}, timeout=0.1) == (set(), {waiting})
            other.execute("COMMIT")
            await waiting
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="database is locked"):
                await count_up(store)
            async with store.read() as connection:  # readers wait for nobody
                await connection.execute(select(STATE))
            other.execute("ROLLBACK")
        other.close()

    with_store("", tmp_path, contend)


@pytest.mark.parametrize(("pragma", "reason"), [
    ("max_page_count = 1", "database or disk is full"), ("query_only = ON", "attempt to write a readonly database"),
])
def test_what_cannot_be_written_is_told_and_nothing_is_harmed(tmp_path: Path, pragma: str, reason: str) -> None:
    """On a full disk and on a file that may only be read, changes are refused with 503, and reading goes on."""
    with running("", tmp_path) as control:
        store = control.plane.store

        def spoil(connection: sqlite3.Connection, record: object) -> None:
            connection.execute(f"PRAGMA {pragma}").close()

        event.listen(store.engine.sync_engine, "connect", spoil)
        control.run(store.engine.dispose)
        text = "x" * 1000  # a few of them need another page
        answers = [
            control.client.post("/api/v1/workspaces", json={"slug": f"w-{number}", "description": text}, headers=control.fields)
            for number in range(40)
        ]
        refused = [answer for answer in answers if answer.status_code != 201]
        assert refused and {answer.status_code for answer in refused} == {503}
        error = refused[0].json()["error"]
        assert error["code"] == "unavailable" and reason in error["message"]
        kept = control.ask("GET", "/workspaces?limit=500")["total"]
        assert kept == 1 + len(answers) - len(refused)
        event.remove(store.engine.sync_engine, "connect", spoil)
        control.run(store.engine.dispose)
        control.ask("POST", "/workspaces", {"slug": "again", "description": text}, 201)
    with sqlite3.connect(tmp_path / "store.db") as direct:
        assert direct.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert direct.execute("PRAGMA foreign_key_check").fetchall() == []
    direct.close()


def test_a_file_that_may_only_be_read_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found out at the start, not at the first change."""
    with_store("", tmp_path, nothing)

    def follow(made: AsyncEngine) -> None:
        follow_sqlite(made)
        event.listen(made.sync_engine, "connect", lambda connection, record: connection.execute("PRAGMA query_only = ON").close())

    monkeypatch.setattr(engine, "follow_sqlite", follow)
    with pytest.raises(StoreUnavailable, match="readonly database"):
        with_store("", tmp_path, nothing)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """What is no database is refused and stays as it was."""
    (tmp_path / "store.db").write_bytes(b"a picture of a cat" * 100)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        with_store("", tmp_path, nothing)
    assert (tmp_path / "store.db").read_bytes() == b"a picture of a cat" * 100


def test_postgresql_may_go_away_and_come_back(tmp_path: Path) -> None:
    """While it is away requests are answered 503; once it is back they go on, over fresh connections."""
    with Postgres() as server, running(server.make_database(), tmp_path) as control:
        control.ask("POST", "/workspaces", {"slug": "before"}, 201)
        server.stop()
        error = control.ask("POST", "/workspaces", {"slug": "meanwhile"}, 503)["error"]
        assert error["code"] == "unavailable" and "cannot be reached" in error["message"]
        control.ask("GET", "/workspaces", status=503)
        server.start()
        control.ask("POST", "/workspaces", {"slug": "after"}, 201)
        assert {row["slug"] for row in control.ask("GET", "/workspaces")["data"]} == {"default", "before", "after"}


@pytest.mark.parametrize(("url", "said"), [
    ("hunter2", "expected \"sqlite:///PATH\" or \"postgresql://USER:PASSWORD@HOST:PORT/DATABASE\""),
    ("mysql://u:hunter2@h/d", "found 'mysql'"),
    ("postgresql://u:hunter2@127.0.0.1:1/d", "the store at postgresql://u:***@127.0.0.1:1/d cannot be used: .*refused|failed"),
    ("postgresql://u:hunter2@127.0.0.1:1", "found no database"),
    ("postgresql://u:1/hunter2@h/d", "postgresql://u:***@h/d|written as %XX"),
    ("postgresql://u@h/d?password=hunter2", "expected host or port or ssl or sslmode after \"?\".*found 'password'"),
    ("postgresql://u:hunter2@h:port/d", "expected"),
    ("sqlite://", "found no database"),
    ("sqlite:////nowhere/store.db", "the store at sqlite:////nowhere/store.db cannot be used: .*unable to open database file"),
])
def test_a_url_that_cannot_be_used_says_why(tmp_path: Path, url: str, said: str) -> None:
    """What was expected and what went wrong; never the password, nor what may be one."""
    with pytest.raises(StoreUnavailable) as raised:
        with_store(url, tmp_path, nothing)
    assert re.search(said.replace("?", r"\?").replace("*", r"\*").replace(r".\*", ".*"), str(raised.value)), str(raised.value)
    assert "hunter2" not in str(raised.value)

