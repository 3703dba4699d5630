"""aimock, a mock of many providers by others: started for a test with answers by question, where Node and the package are there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fakes import foreign
from tests.fakes.raw_client import RawClient

COMMAND = foreign.NPM / "@copilotkit/aimock/dist/cli.js"


def why_absent() -> str:
    """Why it cannot be started here, "" where it can."""
    return foreign.why_absent("aimock", COMMAND)


class AIMock(foreign.ForeignServer):
    """A server in a process of its own; a context manager.

    fixtures   what it answers: {"match": {"userMessage": ...}, "response": {...}}, the first that matches
    """

    ready_path = "/__aimock/journal"

    def __init__(self, directory: Path, fixtures: Sequence[object]) -> None:
        super().__init__(directory / "aimock.log")
        self.fixtures = directory / "fixtures.json"
        self.fixtures.write_text(json.dumps({"fixtures": fixtures}))

    def command(self) -> list[str]:
        options = ["-p", str(self.port), "-f", str(self.fixtures), "--log-level", "warn", "--validate-on-load", "--strict"]
        return ["node", str(COMMAND), *options]

    def journal(self) -> list[dict[str, Any]]:
        """The requests that it answered."""
        with RawClient(self.url) as client:
            found: list[dict[str, Any]] = json.loads(client.ask("GET", "/__aimock/journal").body)
        return found
