"""Commands that work on the store: the admin API's operations, without a gateway that runs."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from fastgw.auth.keys import digest_of
from fastgw.cli import main
from fastgw.control.bootstrap import bootstrap
from fastgw.control.store.engine import open_store
from fastgw.control.store.tables import AUDIT, INTEGRATIONS, KEYS, STATE, TOKENS


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state directory of a gateway that has been started once."""

    async def make() -> None:
        store = await open_store("", tmp_path)
        await bootstrap(store)
        await store.close()

    asyncio.run(make())
    return tmp_path


def run(state: Path, *words: str, sent: str = "", status: int = 0) -> Result:
    result = CliRunner().invoke(main, [*words, "--state", str(state)], input=sent)
    assert result.exit_code == status, result.output
    return result


def rows(state: Path, *columns: object) -> list[tuple[object, ...]]:
    async def read() -> list[tuple[object, ...]]:
        store = await open_store("", state)
        async with store.read() as connection:
            found = [tuple(row) for row in await connection.execute(select(*columns))]  # type: ignore[call-overload]  # columns of any table
        await store.close()
        return found

    return asyncio.run(read())


def test_a_key_is_made_rotated_and_revoked(state: Path) -> None:
    """The key is all that stands in the standard output; each change counts the revision up that a running gateway follows."""
    key = run(state, "key", "create", "app", "--budget", "5", "--window", "month").stdout.strip()
    assert rows(state, KEYS.c.digest) == [(digest_of(key),)]
    before = rows(state, STATE.c.keys_revision)
    other = run(state, "key", "rotate", "app").stdout.strip()
    assert rows(state, KEYS.c.digest, KEYS.c.previous_digest) == [(digest_of(other), digest_of(key))]
    assert "app" in run(state, "key", "list").stdout
    run(state, "key", "revoke", "app")
    assert rows(state, KEYS.c.removed) == [(True,)] and rows(state, STATE.c.keys_revision) > before
    assert "there is no key" in run(state, "key", "revoke", "app", status=1).stderr


def test_without_a_store_lines_for_the_file_are_printed(tmp_path: Path) -> None:
    """A key for the file needs no store, and makes none; other commands say what to do."""
    assert "[[keys]]" in run(tmp_path, "key", "create", "app").stdout
    assert "[[keys]]" in run(tmp_path, "key", "create", "app", "--file").stdout
    assert "start the gateway once" in run(tmp_path, "key", "list", status=1).stderr
    assert list(tmp_path.iterdir()) == []


def test_a_providers_key_is_one_command(state: Path) -> None:
    """It comes from the standard input, is sealed, and stands neither in the output nor in the audit."""
    secret = "sk-proj-0123456789abcdefghij"
    said = run(state, "integration", "add", "openai", "--provider", "openai", "--api-key-stdin", "--all", sent=secret + "\n")
    kept = str(rows(state, INTEGRATIONS.c.spec)[0][0])
    assert "sealed:v1:" in kept and secret not in kept + said.output + repr(rows(state, AUDIT.c.changes))
    wrong = run(state, "integration", "add", "x", "--provider", "opnai", "--no-api-key", status=1)
    assert "$.provider" in wrong.stderr


def test_people_and_tokens_are_made(state: Path) -> None:
    """A password is made where none is sent, and printed once; a token has the scopes that are named."""
    assert len(run(state, "user", "create", "ada@example.com").stdout.strip()) >= 12
    assert run(state, "user", "reset-password", "ada@example.com", "--password-stdin", sent="correct horse battery\n").stdout == ""
    assert "12 to 256" in run(state, "user", "reset-password", "ada@example.com", "--password-stdin", sent="short\n", status=1).stderr
    assert "ada@example.com" in run(state, "user", "list").stdout
    assert run(state, "token", "create", "t", "--scope", "workspaces.read").stdout.startswith("fgt-")
    assert "workspaces.read" in str(rows(state, TOKENS.c.spec)[0][0])
    run(state, "token", "create", "t", status=2)
    run(state, "token", "create", "t", "--scope", "workspaces.reed", status=1)


def test_secrets_come_from_variables_too(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set is said, and nothing is made."""
    monkeypatch.delenv("PROVIDER_KEY", raising=False)
    words = ("integration", "add", "openai", "--provider", "openai", "--api-key-env", "PROVIDER_KEY")
    assert "PROVIDER_KEY is not set" in run(state, *words, status=2).stderr
    monkeypatch.setenv("PROVIDER_KEY", "sk-proj-0123456789abcdefghij")
    assert "no workspace may use it" in run(state, *words).stderr
