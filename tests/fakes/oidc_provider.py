"""oidc-provider, a certified OpenID provider by others: started for a test where Node and the package are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2

from tests.fakes import foreign

MODULE = foreign.NPM / "oidc-provider/lib/index.js"
SCRIPT = Path(__file__).resolve().parents[1] / "npm/provider.mjs"


def why_absent() -> str:
    """Why it cannot be started here, "" where it can."""
    return foreign.why_absent("oidc-provider", MODULE)


class RealProvider(foreign.ForeignServer):
    """A provider in a process of its own, with fresh keys each time that it is started; a context manager."""

    ready_path = "/.well-known/openid-configuration"

    def __init__(self, directory: Path, redirect_uri: str, algorithm: str, secret: str) -> None:
        super().__init__(directory / "provider.log")
        self.redirect_uri = redirect_uri
        self.told = {"port": self.port, "issuer": self.url, "redirect_uri": redirect_uri, "alg": algorithm, "secret": secret}

    def command(self) -> list[str]:
        return ["node", str(SCRIPT), str(MODULE), json.dumps(self.told)]

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
