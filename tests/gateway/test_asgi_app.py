"""The gateway as an ASGI application: in this process, on either event loop, by itself and mounted, with whatever a server may hand it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from starlette.applications import Starlette
from starlette.routing import Mount

from fastgw._core.asgi import ReplyCutOff
from fastgw.asgi import AsgiGateway, make_app
from tests.fakes.script import Gate, chunk, close, head, json_reply, pause, send
from tests.fakes.upstream import Upstream
from tests.gateway.lane_gateway import CHAT, REPLY, config
from tests.gateway.running import KEY, ROOT

Result = TypeVar("Result")
Fields = list[tuple[bytes, bytes]]
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
FIELDS: Fields = [(b"host", b"test"), (b"authorization", b"Bearer " + KEY.encode()), (b"content-type", b"application/json")]
GONE = {"type": "http.disconnect"}


class Call:
    """One request as a server would hand it on, and what came back."""

    def __init__(self, path: str = CHAT, body: bytes | None = BODY, *, pieces: int = 1, method: str = "POST", version: str = "1.1",
                 fields: Fields | None = None, length: bytes | None = None, **scope: object) -> None:
        stated = [(b"content-length", str(len(body)).encode() if length is None else length)] if body is not None and length != b"" else []
        self.scope: dict[str, object] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": version, "method": method, "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [*FIELDS, *stated, *(fields or [])],
            "client": ("192.0.2.7", 4711), "server": ("127.0.0.1", 80), **scope}
        body = body or b""
        size = max(1, -(-len(body) // pieces))
        cut = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": number < len(cut)} for number, piece in enumerate(cut, 1)]
        self.gone = asyncio.Event()
        self.status, self.body, self.is_whole = 0, b"", False
        self.fields: dict[str, str] = {}

    async def receive(self) -> dict[str, Any]:
        if self.messages:
            return self.messages.pop(0)
        await self.gone.wait()
        return GONE

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            names = [name for name, _ in message["headers"]]
            assert all(name == name.lower() for name in names), names
            self.status, self.fields = message["status"], {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            assert message["type"] == "http.response.body" and self.status and not self.is_whole
            self.body += message["body"]
            self.is_whole = not message.get("more_body", False)

    async def to(self, app: Any) -> Call:
        """Have it answered whole."""
        await app(self.scope, self.receive, self.send)
        assert self.is_whole, self
        length = self.fields.get("content-length")
        assert length is None or int(length) == len(self.body) or self.scope["method"] == "HEAD"
        return self


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY)) as running:
        yield running


def file_of(directory: Path, url: str, gateway: str = "") -> Path:
    """A configuration whose state and records are in a directory of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "fastgw.toml"
    path.write_text(config(url, f'[gateway]\nstate = "{directory / "state"}"\n{gateway}\n[gateway.record.jsonl]\n'
                                f'path = "{directory / "records.jsonl"}"\n'))
    return path


def rows_of(directory: Path) -> list[dict[str, Any]]:
    path = directory / "records.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@asynccontextmanager
async def started(*apps: AsgiGateway) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(app.lifespan())
        yield


def run(test: Callable[[], Awaitable[Result]], loop: str = "uvloop") -> Result:
    async def whole() -> Result:
        return await asyncio.wait_for(test(), 30)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(whole())


def test_the_import_opens_nothing(tmp_path: Path) -> None:
    """Importing fastgw.asgi reads no file, starts no thread and makes no directory; a configuration that is missing is no matter yet."""
    code = "import os, threading; from fastgw.asgi import app; print(app, threading.active_count(), os.listdir('.'))"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True, env={
        "PYTHONPATH": str(ROOT), "FASTGW_CONFIG": "/nowhere/fastgw.toml", "PATH": ""})
    assert said.strip() == "<AsgiGateway None, None> 1 []"


@pytest.mark.parametrize("loop", LOOPS)
def test_it_serves_on_any_event_loop(upstream: Upstream, tmp_path: Path, loop: str) -> None:
    """Bodies in one piece and in many, streamed ones, HEAD, the probes and a stranger are answered as by the lane, and recorded."""
    app = make_app(file_of(tmp_path, upstream.url))

    async def test() -> None:
        async with started(app):
            one, many = await Call().to(app), await Call(pieces=7).to(app)
            assert one.status == many.status == 200 and json.loads(one.body) == json.loads(many.body) == REPLY
            assert one.fields["x-fastgw-provider"] == "openai-compatible"
            assert (await Call("/v1/files", b"u" * 9000, pieces=3).to(app)).status == 200
            assert upstream.received[-1].body == b"u" * 9000
            whole_head = await Call("/v1/models", None, method="HEAD").to(app)
            assert whole_head.status == 200 and whole_head.body == b"" and int(whole_head.fields["content-length"]) > 10
            assert (await Call("/metrics", None, method="GET").to(app)).body.startswith(b"# HELP")
            assert (await Call(version="2", length=b"").to(app)).status == 200
            assert (await Call("/v1/models", None, method="GET", version="2").to(app)).status == 200
            stranger = Call()
            stranger.scope["headers"] = [(b"host", b"x")]
            assert (await stranger.to(app)).status == 401
            assert app.front is not None and app.front.open_count == 0

    run(test, loop)
    assert [row["status"] for row in rows_of(tmp_path)] == [200, 200, 200, 200, 200, 200, 401]


AMBIGUOUS: dict[str, tuple[dict[str, Any], int]] = {
    "a line break in a value": ({"fields": [(b"x-a", b"1\r\nx-api-key: 2")]}, 400),
    "an end of the head in a value": ({"fields": [(b"x-a", b"1\r\n\r\nPOST / HTTP/1.1")]}, 400),
    "a bare LF in a value": ({"fields": [(b"x-a", b"1\nx-b: 2")]}, 400),
    "a zero byte": ({"fields": [(b"x-a", b"1\x00")]}, 400),
    "a space in a name": ({"fields": [(b"x a", b"1")]}, 400),
    "a colon in a name": ({"fields": [(b"x-a: b", b"1")]}, 400),
    "an empty name": ({"fields": [(b"", b"1")]}, 400),
    "a line break in a name": ({"fields": [(b"x-a: 1\r\nx-b", b"1")]}, 400),
    "two hosts": ({"fields": [(b"host", b"other")]}, 400),
    "two lengths": ({"fields": [(b"content-length", b"3")]}, 400),
    "length and chunked": ({"fields": [(b"transfer-encoding", b"chunked")]}, 400),
    "another coding": ({"fields": [(b"transfer-encoding", b"gzip, chunked")], "length": b""}, 400),
    "a length beyond the body": ({"length": b"9999"}, 400),
    "a length short of the body": ({"length": b"3"}, 400),
    "a space in the path": ({"raw_path": b"/v1/a b"}, 400),
    "a fragment in the path": ({"raw_path": b"/v1/a#b"}, 400),
    "a question mark in the path": ({"raw_path": b"/v1/a?b=c"}, 400),
    "a line break in the path": ({"raw_path": b"/v1/a HTTP/1.1\r\nx: y\r\n\r\n"}, 400),
    "no slash first": ({"raw_path": b"v1/chat"}, 400),
    "a space in the query": ({"query_string": b"a=b c"}, 400),
    "a line break in the query": ({"query_string": b"a HTTP/1.1\r\nx-b: y"}, 400),
    "a method that is none": ({"method": "TRACE"}, 501),
    "a method with a space": ({"method": "GET /x"}, 400),
    "an expectation": ({"fields": [(b"expect", b"tea")]}, 417),
    "201 fields": ({"fields": [(b"x-%d" % n, b"1") for n in range(201)]}, 431),
    "a head of 64 KiB": ({"fields": [(b"x-a", b"1" * 65536)]}, 431),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_the_lane_refuses_is_refused(upstream: Upstream, tmp_path: Path, name: str) -> None:
    """Whatever a server lets pass, nothing that two could read differently reaches a provider, and it leaves one record."""
    app = make_app(file_of(tmp_path, upstream.url))
    told, status = AMBIGUOUS[name]
    before = len(upstream.received)

    async def test() -> Call:
        async with started(app):
            return await Call(**told).to(app)

    answer = run(test)
    assert answer.status == status, answer.body
    assert len(upstream.received) == before and json.loads(answer.body)["error"]["code"]
    assert [row["status"] for row in rows_of(tmp_path)] == [status]


def test_a_streamed_body_of_another_length_is_broken_off(upstream: Upstream, tmp_path: Path) -> None:
    """Where the body is passed on as it comes, a provider never sees an end that is none, nor a byte too many."""
    app = make_app(file_of(tmp_path, upstream.url))

    async def test() -> None:
        async with started(app):
            for length in (b"9", b"11"):
                before = len(upstream.received)
                answer = await Call("/v1/files", b"0123456789", pieces=2, length=length).to(app)
                assert answer.status == 400
                assert all(len(received.body) < int(length) for received in upstream.received[before:])

    run(test)


def test_a_client_that_goes_cancels_its_request(upstream: Upstream, tmp_path: Path) -> None:
    """The provider's connection is closed at once, and the record says who left."""
    app = make_app(file_of(tmp_path, upstream.url))
    gate = Gate()

    async def test() -> None:
        async with started(app):
            upstream.play([pause(gate)])
            call = Call()
            task = asyncio.get_running_loop().create_task(app(call.scope, call.receive, call.send))
            await asyncio.to_thread(gate.reached.wait, 5)
            call.gone.set()
            await task
            assert await asyncio.to_thread(upstream.received[-1].connection.closed.wait, 5)
            assert call.status == 0

    run(test)
    upstream.play(json_reply(REPLY))
    assert [(row["outcome"], row["error"]) for row in rows_of(tmp_path)] == [("cancelled", "client_gone")]


def test_a_reply_that_broke_raises_so_that_the_server_closes(tmp_path: Path) -> None:
    """A stream that ends too early ends for the caller with an error event, and never in good order."""
    sse = head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
    with Upstream([send(sse + chunk(b'data: {"choices":[]}\n\n')), close()]) as broken:
        app = make_app(file_of(tmp_path, broken.url, ""))

        async def test() -> Call:
            async with started(app):
                call = Call(body=json.dumps({**json.loads(BODY), "stream": True}).encode())
                with pytest.raises(ReplyCutOff):
                    await app(call.scope, call.receive, call.send)
                return call

        call = run(test)
    assert call.status == 200 and not call.is_whole and b'"upstream_reset"' in call.body


@pytest.mark.parametrize(("mount", "path"), [("/ai", "/ai"), ("/a b", "/a%20b"), ("/deep/er", "/deep/er")])
def test_it_can_be_mounted(upstream: Upstream, tmp_path: Path, mount: str, path: str) -> None:
    """In a Starlette application the gateway sees the paths below its own, and starts and stops with the application."""
    gateway = make_app(str(file_of(tmp_path, upstream.url)))
    app = Starlette(routes=[Mount(mount, app=gateway)], lifespan=gateway.lifespan)

    async def test() -> None:
        async with app.router.lifespan_context(app):
            assert gateway.front is not None
            answer = await Call(mount + CHAT, raw_path=(path + CHAT).encode()).to(app)
            assert answer.status == 200 and upstream.received[-1].target == CHAT
            assert (await Call("/v1/other", raw_path=b"/v1/other").to(app)).status == 404
        assert gateway.front is None

    run(test)


def test_a_mount_without_lifespan_starts_with_its_first_request(upstream: Upstream, tmp_path: Path) -> None:
    """Where nobody says that the server starts, many first requests at once open one gateway."""
    gateway = make_app(file_of(tmp_path, upstream.url))
    app = Starlette(routes=[Mount("/ai", app=gateway)])

    async def test() -> None:
        calls = [Call("/ai" + CHAT, raw_path=b"/ai" + CHAT.encode()) for _ in range(20)]
        assert {answer.status for answer in await asyncio.gather(*(call.to(app) for call in calls))} == {200}
        await gateway.stop()

    run(test)
    assert len(rows_of(tmp_path)) == 20


def test_instances_share_nothing(upstream: Upstream, tmp_path: Path) -> None:
    """Two gateways in one process have their own keys, state and records."""
    one, two = make_app(file_of(tmp_path / "1", upstream.url)), make_app(file_of(tmp_path / "2", upstream.url))
    (tmp_path / "2" / "fastgw.toml").write_text((tmp_path / "2" / "fastgw.toml").read_text().replace(KEY, f"{KEY}-2"))

    async def test() -> None:
        async with started(one, two):
            assert [(await Call().to(app)).status for app in (one, two)] == [200, 401]

    run(test)
    assert [[row["status"] for row in rows_of(tmp_path / name)] for name in "12"] == [[200], [401]]


def test_workers_of_one_state_take_places(upstream: Upstream, tmp_path: Path) -> None:
    """Each takes a place of its own; one of them drains for all, and when it goes another does."""
    path = file_of(tmp_path, upstream.url)
    one, two = make_app(path), make_app(path)

    async def test() -> None:
        await one.start()
        await two.start()
        assert [app.place.index for app in (one, two) if app.place] == [0, 1]
        assert [app.drain is not None for app in (one, two)] == [True, False]
        for app in (one, two):
            assert (await Call().to(app)).status == 200
        await one.stop()
        await Call().to(two)
        while two.drain is None:
            await asyncio.sleep(0.05)
        await two.stop()

    run(test)
    assert sorted(row["worker"] for row in rows_of(tmp_path)) == [0, 1, 1]


def test_what_keeps_it_from_starting_is_told(tmp_path: Path) -> None:
    """A server that starts it hears in words what is wrong, and may try again."""
    path = tmp_path / "fastgw.toml"
    app = make_app(path)

    async def tell() -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        asked = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> dict[str, Any]:
            return asked.pop(0)

        async def send_back(message: Any) -> None:
            said.append(message)

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send_back)
        return said

    [failed] = run(tell)
    assert failed["type"] == "lifespan.startup.failed" and "fastgw.toml" in failed["message"]
    file_of(tmp_path, "http://127.0.0.1:9")
    assert [message["type"] for message in run(tell)] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_websockets_are_closed(tmp_path: Path) -> None:
    """A WebSocket is refused in the words of its protocol."""
    said = []

    async def test() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send_back(message: Any) -> None:
            said.append(message["type"])

        await make_app(tmp_path)({"type": "websocket"}, receive, send_back)

    run(test)
    assert said == ["websocket.close"]
