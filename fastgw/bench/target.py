"""Whom a bench asks: a URL taken apart and resolved, one careful request to it, and loads made for it."""
from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec

from fastgw.bench.figures import CannotMeasure
from fastgw.bench.generator import Load
from fastgw.bench.reply import ANTHROPIC_STREAM, OPENAI_STREAM, look_at_events, tells_usage
from fastgw.bench.request import PATHS, Asked, Template, credentials

EVENTS = {"openai": OPENAI_STREAM, "anthropic": ANTHROPIC_STREAM, "embeddings": 0}


class Answer(msgspec.Struct, frozen=True):
    """What the careful request brought."""

    body: bytes
    server: str
    took_s: float


class Target:
    """One URL with its fields, resolved once."""

    def __init__(self, url: str, kind: str, key: str = "", fields: dict[str, str] | None = None, *, ca: Path | None = None,
                 timeout_s: float = 30.0) -> None:
        self.url = full_url(url, kind)
        at = urlsplit(self.url)
        self.host, self.port = cast(str, at.hostname), at.port or (443 if at.scheme == "https" else 80)
        self.path = at.path + (f"?{at.query}" if at.query else "")
        self.kind, self.timeout_s = kind, timeout_s
        self.tls = context(ca) if at.scheme == "https" else None
        self.fields = {
            "Host": at.netloc.rpartition("@")[2], "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
            "User-Agent": "fastgw-bench", **credentials(kind, key), **(fields or {}),
        }
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            raise CannotMeasure(f"cannot resolve {self.host}: {getattr(error, 'strerror', None) or error}") from None
        self.family: int = found[0]
        self.address = cast(tuple[str, int], found[4])

    def __repr__(self) -> str:
        return f"<Target {self.url}>"

    def request(self, body: bytes) -> tuple[bytes, int]:
        """The bytes of one request, and how many of them stand before its body."""
        fields = {**self.fields, "Content-Length": str(len(body))}
        head = f"POST {self.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        return head.encode("latin-1") + body, len(head)

    def ask(self, asked: Asked, template: Template) -> Answer:
        """Make one request the slow, plain way and look at what comes; raises CannotMeasure where it is not what a bench needs."""
        began = time.monotonic()
        connection = (
            http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout_s, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        )
        try:
            connection.request("POST", self.path, template.body, self.fields)
            reply = connection.getresponse()
            body = reply.read()
        except TimeoutError:
            raise CannotMeasure(f"{self.url}: no reply in {self.timeout_s:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise CannotMeasure(f"{self.url}: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}") from None
        finally:
            connection.close()
        self._check(asked, reply.status, body)
        return Answer(body, reply.headers.get("server", "") or reply.headers.get("via", ""), time.monotonic() - began)

    def _check(self, asked: Asked, status: int, body: bytes) -> None:
        said = " ".join(body[:300].decode("utf-8", "replace").split())
        if status != 200:
            raise CannotMeasure(f"{self.url}: expected status 200, found {status}: {said}")
        if not asked.is_stream:
            if not tells_usage(body):
                raise CannotMeasure(f"{self.url}: expected a reply of the {self.kind} dialect with usage, found {said[:120]!r}")
            return
        _, contents, usage, is_whole = look_at_events(body, EVENTS[self.kind])
        if not (contents and usage and is_whole):
            lacks = "events with content" if not contents else "usage" if not usage else "the event that ends it"
            raise CannotMeasure(f"{self.url}: expected a stream of the {self.kind} dialect, found one without {lacks}: {said[:120]!r}")

    def load(self, asked: Asked, template: Template, *, connections: int, expected: bytes | None, is_unique: bool = False) -> Load:
        """Connections that will send this request over and over."""
        request, head_bytes = self.request(template.body)
        return Load(
            self.address, self.family, request, connections=connections, nonce_at=head_bytes + template.nonce_at if is_unique else -1,
            events=EVENTS[self.kind] if asked.is_stream else 0, expected=expected, timeout_s=self.timeout_s, tls=self.tls,
            server_name=self.host,
        )

    def mock_count(self) -> int | None:
        """How many requests a fastgw mock at this address has seen; None where it is something else."""
        if self.tls:
            return None
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/mock/stats")
            reply = connection.getresponse()
            found = json.loads(reply.read()) if reply.status == 200 else None
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return found["requests"] if isinstance(found, dict) and isinstance(found.get("requests"), int) else None


def context(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:
        raise CannotMeasure(f"cannot read certificates of {ca}: {error.strerror or error}") from None


def full_url(url: str, kind: str) -> str:
    """Complete an address: http://HOST:PORT and http://HOST:PORT/v1 get the path of the dialect, a longer one is taken as it is."""
    whole = url if "://" in url else f"http://{url}"
    try:
        at = urlsplit(whole)
        is_right = at.scheme in ("http", "https") and at.hostname and at.port != 0 and not at.fragment
    except ValueError:                          # a port that is none
        is_right = False
    if not is_right or not all("!" <= letter <= "~" for letter in whole):
        raise CannotMeasure(f"expected a URL such as http://127.0.0.1:8787/v1, got {url!r}")
    path = at.path.rstrip("/")
    if path.endswith(PATHS[kind]):
        return whole
    if path in ("", "/v1") or path.endswith("/v1"):
        return f"{at.scheme}://{at.netloc}{path or '/v1'}{PATHS[kind]}" + (f"?{at.query}" if at.query else "")
    return whole
