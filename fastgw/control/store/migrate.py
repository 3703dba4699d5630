"""Bring the schema up to date, whole or not at all; Alembic knows the steps, which stand in `migrations`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x66617374_67770001  # of PostgreSQL: several machines may start at once


class MigrationFailed(Exception):
    """The schema cannot be brought up to date; it is as it was."""


def migrate(connection: Connection, target: str = "head") -> None:
    """Apply the steps that are missing, inside the transaction of the connection.

    raises  MigrationFailed where the store is of a later release
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = configuration(connection)
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise MigrationFailed(f"it is of a later release (schema {current}): run that release, or restore a backup of before")
    command.upgrade(config, target)


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config
