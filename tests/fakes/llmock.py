"""LLMock, a mock provider by others that breaks on demand and judges its client: started for a test, scripted and asked over HTTP."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.fakes.foreign import ForeignServer
from tests.fakes.raw_client import RawClient


class LLMock(ForeignServer):
    """A server in a process of its own; a context manager. Its paths: /v1, /anthropic/v1, /gemini/v1beta, /mistral/v1, /cohere/v2."""

    ready_path = "/_llmock/scenario"

    def command(self) -> list[str]:
        # so slow that a client that stops reading is seen to do so
        pace = ["--stream-chunk-delay-ms", "4"]
        serve = ["serve", "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning", *pace]
        return [str(Path(sys.executable).with_name("llmock")), *serve]

    def script(self, *behaviors: dict[str, object]) -> None:
        """Forget what was, and queue these; a rejected list queues nothing, so that the answer is looked at."""
        self._ask("POST", "reset")
        if behaviors:
            assert self._ask("POST", "scenario", {"behaviors": behaviors}) == {"queued": len(behaviors), "pending": len(behaviors)}

    def requests(self) -> list[dict[str, Any]]:
        """Every request that was served since."""
        found: list[dict[str, Any]] = self._ask("GET", "requests")["requests"]
        return found

    def verdict(self) -> dict[str, Any]:
        """How well its client coped: {"passed", "calls", "attempts", "faults_injected", "errors", "warnings", "findings"}."""
        return self._ask("GET", "verdict")

    def _ask(self, method: str, name: str, body: object = None) -> dict[str, Any]:
        with RawClient(self.url) as client:
            reply = client.ask_json(f"/_llmock/{name}", body, method=method) if body else client.ask(method, f"/_llmock/{name}")
        assert reply.status < 300, reply
        found: dict[str, Any] = json.loads(reply.body)
        return found
