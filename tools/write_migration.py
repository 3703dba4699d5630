"""Write the next migration of the store: `python -m tools.write_migration "what changes"`; read it before you commit it."""

import sys

from alembic import command
from sqlalchemy import create_engine

from fastgw.control.store.migrate import SCRIPTS, configuration, migrate


def write(message: str) -> None:
    """Compare the tables with what the migrations make of an empty store, and write down the difference."""
    number = f"{len(list((SCRIPTS / 'versions').glob('0*.py'))) + 1:04}"
    with create_engine("sqlite://").begin() as connection:
        migrate(connection)
        command.revision(configuration(connection), message, autogenerate=True, rev_id=number)
    for path in (SCRIPTS / "versions").glob(f"{number}_*.py"):
        lines = path.read_text().replace("'", '"').splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "### " not in line))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"expected one argument, a sentence that says what changes, found {len(sys.argv) - 1}")
    write(sys.argv[1])
