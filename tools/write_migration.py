"""Write the next migration of the store: `python -m tools.write_migration "what changes"`; read it before you commit it."""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from sqlalchemy import Connection

from fastgw.control.store.engine import open_store
from fastgw.control.store.migrate import SCRIPTS, configuration


async def write(message: str) -> None:
    """Compare the tables with what the migrations make of an empty store, and write down the difference."""
    number = f"{len(list((SCRIPTS / 'versions').glob('0*.py'))) + 1:04}"

    def revise(connection: Connection) -> None:
        command.revision(configuration(connection), message, autogenerate=True, rev_id=number)

    with TemporaryDirectory() as state:
        store = await open_store("", Path(state))
        async with store.write() as transaction:
            await transaction.connection.run_sync(revise)
        await store.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"expected one argument, a sentence that says what changes, found {len(sys.argv) - 1}")
    asyncio.run(write(sys.argv[1]))
