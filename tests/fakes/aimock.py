"""aimock, a mock of many providers by others: started for a test with answers by question, where Node and the package are there."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fakes.raw_client import RawClient
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "build/npm/node_modules/@copilotkit/aimock/dist/cli.js"
START_SECONDS = 30.0


def why_absent() -> str:
    """Why it cannot be started here, "" where it can."""
    if shutil.which("node") is None:
        return "aimock needs Node 20, and there is no node"
    return "" if COMMAND.exists() else "aimock is not installed: `make test` does it where there is npm"


class AIMock:
    """A server in a process of its own; a context manager.

    fixtures   what it answers: {"match": {"userMessage": ...}, "response": {...}}, the first that matches
    """

    def __init__(self, directory: Path, fixtures: Sequence[object]) -> None:
        self.log = directory / "aimock.log"
        self.fixtures = directory / "fixtures.json"
        self.fixtures.write_text(json.dumps({"fixtures": fixtures}))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __repr__(self) -> str:
        return f"<AIMock {self.url}>"

    def __enter__(self) -> AIMock:
        options = ["-p", str(self.port), "-f", str(self.fixtures), "--log-level", "warn", "--validate-on-load", "--strict"]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                ["node", str(COMMAND), *options], stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_there():
            assert self.process.poll() is None and time.monotonic() < deadline, f"aimock did not start: {self.log.read_text()[-2000:]}"
            time.sleep(0.03)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE_S)

    def _is_there(self) -> bool:
        try:
            with RawClient(self.url) as client:
                return client.ask("GET", "/__aimock/journal").status == 200
        except OSError:
            return False

    def journal(self) -> list[dict[str, Any]]:
        """The requests that it answered."""
        with RawClient(self.url) as client:
            found: list[dict[str, Any]] = json.loads(client.ask("GET", "/__aimock/journal").body)
        return found
