"""An identity provider that says whatever a test wants it to say: to see what is believed, and what is not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

Claims = dict[str, Any]


class Issuer:
    """On a port of its own; a context manager.

    claims      of the next token; `nonce` is the one that was sent, unless it is said here
    key         what signs; what is published is `published`, by default its public half
    description what it says of itself beside the usual
    """

    def __init__(self) -> None:
        self.key: RSAKey | ECKey = RSAKey.generate_key(2048, {"kid": "first"})
        self.published: list[dict[str, Any]] | None = None
        self.claims: Claims = {}
        self.userinfo: Claims = {}
        self.description: Claims = {}
        self.sign: Callable[[Claims], str] = self.signed
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.refusal: tuple[int, bytes] | None = None
        self.nonces: list[str] = []
        outer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                status, content = outer.reply(urlsplit(self.path).path, {name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is written where the tests are."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"

    def __repr__(self) -> str:
        return f"<Issuer {self.url}>"

    def __enter__(self) -> Issuer:
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def reply(self, path: str, fields: dict[str, str], body: str) -> tuple[int, bytes]:
        self.asked.append((path, fields, body))
        if self.refusal is not None:
            return self.refusal
        if path == "/realm/.well-known/openid-configuration":
            return 200, json.dumps({
                "issuer": self.url, "authorization_endpoint": f"{self.url}/auth", "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys", "userinfo_endpoint": f"{self.url}/me", **self.description,
            }).encode()  # fmt: skip
        if path == "/realm/keys":
            return 200, json.dumps({"keys": self.published or [self.key.as_dict(private=False)]}).encode()
        if path == "/realm/me":
            return 200, json.dumps(self.userinfo).encode()
        if path == "/realm/token" and parse_qs(body).get("code") == ["right"]:
            return 200, json.dumps({"id_token": self.sign(self.whole()), "access_token": "at", "token_type": "Bearer"}).encode()
        return 400, b'{"error":"invalid_grant"}'

    def whole(self) -> Claims:
        """The claims with what every token has; None takes one away."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "fastgw", "sub": "s-1", "iat": now, "exp": now + 300, "nonce": self.nonces[-1]}
        return {name: value for name, value in {**usual, **self.claims}.items() if value is not None}

    def signed(self, claims: Claims) -> str:
        algorithm = "RS256" if isinstance(self.key, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, self.key)
