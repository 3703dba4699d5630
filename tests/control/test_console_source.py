"""The console's own tests, run by Node where the console's packages are installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

CONSOLE = Path(__file__).parent.parent.parent / "console"
NPM = shutil.which("npm")


@pytest.mark.skipif(NPM is None or not (CONSOLE / "node_modules").is_dir(), reason="npm is missing, or `make console` did not run")
def test_logic_of_the_console_holds() -> None:
    """Amounts, merge patches, pages, budgets and trails come out as the console's own tests say."""
    done = subprocess.run([str(NPM), "test", "--silent"], cwd=CONSOLE, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
