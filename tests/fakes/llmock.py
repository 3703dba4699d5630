"""LLMock, a mock provider by others that breaks on demand and judges its client: started for a test, scripted and asked over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fakes.raw_client import RawClient
from tests.patience import PATIENCE_S

START_SECONDS = 30.0


class LLMock:
    """A server in a process of its own; a context manager. Its paths: /v1, /anthropic/v1, /gemini/v1beta, /mistral/v1, /cohere/v2."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __repr__(self) -> str:
        return f"<LLMock {self.url}>"

    def __enter__(self) -> LLMock:
        # so slow that a client that stops reading is seen to do so
        pace = ["--stream-chunk-delay-ms", "4"]
        serve = ["serve", "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning", *pace]
        command = [str(Path(sys.executable).with_name("llmock")), *serve]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_there():
            assert self.process.poll() is None and time.monotonic() < deadline, f"llmock did not start: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)
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
                return client.ask("GET", "/_llmock/scenario").status == 200
        except OSError:
            return False

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
