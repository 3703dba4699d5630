"""The console's files as browsers get them: compressed, conditional, under a strict policy, one page for every path."""

import asyncio
import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message

from fastgw.control.console import POLICY, Console, console_routes

SCRIPT = b"console.log('hello');\n" * 40
HASHED = "/console/assets/index-Dx4kXJAl.js"


class Reply(NamedTuple):
    """What came back."""

    status: int
    fields: dict[str, str]
    body: bytes


def ask(app: ASGIApp, path: str, fields: Mapping[str, str] | None = None, method: str = "GET") -> Reply:
    """Send one request to an ASGI application."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in (fields or {}).items()]
    scope = {
        "type": "http", "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "method": method, "path": path,
        "root_path": "", "query_string": b"", "headers": headers,
    }  # fmt: skip

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A console as the build leaves it."""
    (tmp_path / "assets").mkdir()
    script = tmp_path / "assets" / "index-Dx4kXJAl.js"
    script.write_bytes(SCRIPT)
    script.with_name(script.name + ".gz").write_bytes(gzip.compress(SCRIPT))
    script.with_name(script.name + ".br").write_bytes(b"not brotli, but nobody unpacks it here")
    (tmp_path / "assets" / "inter-Dx4kXJAl.woff2").write_bytes(b"font")
    (tmp_path / "index.html").write_bytes(b"<!doctype html><title>fastgw</title>")
    (tmp_path / "theme.js").write_bytes(b"1;")
    return tmp_path


@pytest.fixture
def console(folder: Path) -> ASGIApp:
    """The console where it belongs."""
    return Starlette(routes=console_routes(folder))


@pytest.mark.parametrize(
    "path", ["/console", "/console/", "/console/keys", "/console/keys/0193-abc", "/console/logs/a.b", "/console/index.html"]
)
def test_every_path_of_the_console_is_its_page(console: ASGIApp, path: str) -> None:
    """A path that is no file leads to the page, which is asked for anew each time."""
    reply = ask(console, path)
    assert (reply.status, reply.body) == (200, b"<!doctype html><title>fastgw</title>")
    assert reply.fields["content-type"] == "text/html; charset=utf-8"
    assert reply.fields["cache-control"] == "no-cache"


def test_console_serves_unmounted_too(folder: Path) -> None:
    """Without a mount the application takes its own prefix off."""
    for path in ("/console", "/console/", HASHED):
        assert ask(Console(folder), path).status == 200
    assert ask(Console(folder), HASHED).body == SCRIPT


def test_hashed_names_are_kept_forever_and_others_are_not(console: ASGIApp) -> None:
    """Only what has a digest in its name is immutable."""
    assert "immutable" in ask(console, HASHED).fields["cache-control"]
    assert "immutable" in ask(console, "/console/assets/inter-Dx4kXJAl.woff2").fields["cache-control"]
    assert ask(console, "/console/theme.js").fields["cache-control"] == "no-cache"


def test_files_that_are_gone_are_not_the_page(console: ASGIApp) -> None:
    """A script of an earlier release is not found, rather than answered with a page."""
    reply = ask(console, "/console/assets/index-00000000.js")
    assert reply.status == 404
    assert reply.fields["content-type"] == "text/plain"


@pytest.mark.parametrize("path", ["/console/../secret", "/console/assets/../../secret", "/console/%2e%2e/secret", "/console//etc/passwd"])
def test_nothing_outside_the_folder_is_served(folder: Path, path: str) -> None:
    """Only names that were there when the files were read can be asked for."""
    (folder.parent / "secret").write_bytes(b"secret")
    assert b"secret" not in ask(Console(folder), path).body.replace(path.encode(), b"")


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0, gzip;q=0", ""),
        ("*", "br"),
        ("*;q=0", ""),
        ("identity", ""),
        ("", ""),
        ("BR", "br"),
        ("br;q=much", ""),
    ],
)
def test_twin_that_the_caller_likes_best_is_sent(console: ASGIApp, accept: str, coding: str) -> None:
    """Accept-Encoding chooses among the file and its twins, and the answer says that it does."""
    reply = ask(console, HASHED, {"accept-encoding": accept})
    assert reply.status == 200
    assert reply.fields.get("content-encoding", "") == coding
    assert reply.fields["vary"] == "accept-encoding"
    assert reply.fields["content-length"] == str(len(reply.body))
    assert reply.fields["content-type"] == "text/javascript; charset=utf-8"


def test_twins_are_no_files_of_their_own(console: ASGIApp) -> None:
    """A twin is reached by content negotiation alone."""
    assert ask(console, HASHED + ".br").status == 404


def test_what_the_caller_has_is_not_sent_again(console: ASGIApp) -> None:
    """If-None-Match with the tag of the representation is answered with 304, without a body."""
    first = ask(console, HASHED, {"accept-encoding": "gzip"})
    for held in (first.fields["etag"], f'"other", W/{first.fields["etag"]}', "*"):
        again = ask(console, HASHED, {"accept-encoding": "gzip", "if-none-match": held})
        assert (again.status, again.body) == (304, b"")
        assert again.fields["etag"] == first.fields["etag"]
        assert "content-length" not in again.fields


def test_tags_of_twins_differ(console: ASGIApp) -> None:
    """Each coding is a representation of its own, so the tag of one does not fit another."""
    tags = {ask(console, HASHED, {"accept-encoding": coding}).fields["etag"] for coding in ("", "gzip", "br")}
    assert len(tags) == 3
    plain = ask(console, HASHED).fields["etag"]
    assert ask(console, HASHED, {"accept-encoding": "br", "if-none-match": plain}).status == 200


@pytest.mark.parametrize("path", ["/console/", HASHED, "/console/assets/index-00000000.js"])
def test_every_answer_has_the_policy(console: ASGIApp, path: str) -> None:
    """No answer lacks the fields that keep foreign scripts and frames out."""
    fields = ask(console, path).fields
    assert fields["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["referrer-policy"] == "same-origin"


def test_head_says_what_get_would(console: ASGIApp) -> None:
    """HEAD has the fields of GET and no body."""
    got, head = ask(console, HASHED), ask(console, HASHED, method="HEAD")
    assert (head.status, head.fields, head.body) == (200, got.fields, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(console: ASGIApp, method: str) -> None:
    """Other methods are refused, with those that are not."""
    reply = ask(console, "/console/", method=method)
    assert (reply.status, reply.fields["allow"]) == (405, "GET, HEAD")


def test_installation_without_console_says_so(tmp_path: Path) -> None:
    """Where the console was not built, its page says how it can be."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        reply = ask(Console(folder), "/console/")
        assert reply.status == 404
        assert b"built without npm" in reply.body
        assert b"make console" in reply.body
        assert reply.fields["cache-control"] == "no-store"
