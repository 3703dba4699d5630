"""oidc-provider, a certified OpenID provider by others: started for a test where Node and the package are there."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "build/npm/node_modules/oidc-provider/lib/index.js"
SCRIPT = ROOT / "tests/npm/provider.mjs"


def why_absent() -> str:
    """Why it cannot be started here, "" where it can."""
    if shutil.which("node") is None:
        return "oidc-provider needs Node 20, and there is no node"
    return "" if MODULE.exists() else "oidc-provider is not installed: `make test` does it where there is npm"


class RealProvider:
    """A provider in a process of its own, with fresh keys each time that it is started; a context manager."""

    def __init__(self, directory: Path, redirect_uri: str, algorithm: str, secret: str) -> None:
        self.redirect_uri = redirect_uri
        self.log = directory / "provider.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.told = {"port": self.port, "issuer": self.url, "redirect_uri": redirect_uri, "alg": algorithm, "secret": secret}

    def __repr__(self) -> str:
        return f"<RealProvider {self.url}>"

    def __enter__(self) -> RealProvider:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["node", str(SCRIPT), str(MODULE), json.dumps(self.told)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        # it says so, or its end closes the pipe
        assert any(line.strip() == "ready" for line in self.process.stdout), self.log.read_text()[-2000:]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def act_as(self, person: dict[str, Any] | None) -> None:
        """Who signs in from now on; None says no."""
        httpx2.post(f"{self.url}/as", content=json.dumps(person)).raise_for_status()

    def browse(self, url: str) -> str:
        """Go where the gateway sends a browser, until the provider sends it back; the query that it brings."""
        with httpx2.Client() as browser:
            while True:
                answer = browser.get(url)
                assert answer.is_redirect, answer.text
                url = str(answer.url.join(answer.headers["location"]))
                if url.startswith(self.redirect_uri):
                    return url.partition("?")[2]
