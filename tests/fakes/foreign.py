"""Servers by others, each in a process of its own on a port of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.raw_client import RawClient
from tests.patience import PATIENCE_S

NPM = Path(__file__).resolve().parents[2] / "build/npm/node_modules"


def why_absent(name: str, needed: Path) -> str:
    """Why a server from npm cannot be started here, "" where it can."""
    if shutil.which("node") is None:
        return f"{name} needs Node 20, and there is no node"
    return "" if needed.exists() else f"{name} is not installed: `make test` does it where there is npm"


class ForeignServer:
    """A context manager; subclasses say what to run (`command`) and which path answers once it serves (`ready_path`)."""

    ready_path: str

    def __init__(self, log: Path) -> None:
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command(), stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_there():
            assert self.process.poll() is None and time.monotonic() < deadline, f"{self} did not start: {self.log.read_text()[-2000:]}"
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
                return client.ask("GET", self.ready_path).status == 200
        except OSError:
            return False
