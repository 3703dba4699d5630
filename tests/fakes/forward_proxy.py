"""A forward proxy that opens tunnels (RFC 9110, 9.3.6) for tests, or refuses to."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from tests.fakes.framing import split_head


class ForwardProxy:
    """A context manager; `asked` are the heads it got. Whatever host is named, the tunnel leads to this machine.

    answer   sent instead of opening the tunnel, where it is given
    """

    def __init__(self, answer: bytes | None = None) -> None:
        self.asked: list[bytes] = []
        self.port = 0
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __repr__(self) -> str:
        return f"<ForwardProxy {self.url} asked={len(self.asked)}>"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ForwardProxy:
        server = self._loop.run_until_complete(asyncio.start_server(self._begin, "127.0.0.1", 0))
        self._server = server
        self.port = server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head)
            split = split_head(head)
            assert split is not None
            if self._answer is not None:
                writer.write(self._answer)
                await reader.read()
                return
            port = int(split[0].split(" ")[1].rpartition(":")[2])
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
                await asyncio.wait(
                    [
                        self._loop.create_task(_copy(reader, up_writer)),
                        self._loop.create_task(_copy(up_reader, writer)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                up_writer.close()
        finally:
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
