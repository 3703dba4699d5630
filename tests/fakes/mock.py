"""The mock provider in a thread of the test."""
from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from fastgw.mock import MockOptions, MockServer, open_listener
from tests.patience import PATIENCE_S


class RunningMock:
    """A mock that runs; `url` is where, without a path."""

    def __init__(self, url: str, server: MockServer) -> None:
        self.url = url
        self._server = server

    def __repr__(self) -> str:
        return f"<RunningMock {self.url}>"

    def stats(self) -> dict[str, object]:
        """What GET /mock/stats says, without a request."""
        return self._server.stats()


@contextmanager
def running_mock(options: MockOptions | None = None) -> Iterator[RunningMock]:
    """Run a mock on a free port for as long as the context is open."""
    listener = open_listener("127.0.0.1:0")
    server = MockServer(options or MockOptions())
    loop = uvloop.new_event_loop()
    loop.run_until_complete(server.start(listener))
    thread = threading.Thread(target=loop.run_forever, name="mock", daemon=True)
    thread.start()
    try:
        yield RunningMock(f"http://127.0.0.1:{listener.getsockname()[1]}", server)
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
