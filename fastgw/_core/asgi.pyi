"""Requests that an ASGI server has read, as flows: the Python face that applications use."""
from collections.abc import Awaitable, Callable, Mapping, MutableMapping

from fastgw._core.flow import Application, Client
from fastgw._core.poll import Poller

Scope = Mapping[str, object]
Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TICK_SECONDS: float

class ReplyCutOff(Exception):
    """A reply has begun and cannot be made whole: the server has to close the connection."""

class AsgiFront:
    """One worker's requests from an ASGI server; times in milliseconds, sizes in bytes."""

    @property
    def poller(self) -> Poller: ...
    @property
    def max_connections(self) -> int: ...
    @property
    def max_body_bytes(self) -> int: ...
    @property
    def open_count(self) -> int: ...
    @property
    def refused_count(self) -> int:
        """Requests beyond max_connections, so far."""
    @property
    def stopping(self) -> bool: ...
    def __init__(
        self, poller: Poller, application: Application, *, max_connections: int = 10000, max_body_bytes: int = 67108864,
        body_ms: int = 30000, write_ms: int = 60000, cut: Callable[[Scope], Awaitable[None]] | None = None,
    ) -> None: ...
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its scope to the last byte of its reply. raises ReplyCutOff"""
    def leave_together(self, peer: object) -> None:
        """A connection has ended whose server (Granian, over HTTP/2) tells one of its requests so, and only while its reply is awaited."""
    def stop(self) -> None:
        """Accepting no more is the server's part; what runs is finished."""
    def abort(self) -> None:
        """End every request now; what runs is told that its client is gone."""

class AsgiClient(Client):
    """The caller behind an ASGI server, for one request."""

    def __init__(self, front: AsgiFront, scope: Scope) -> None: ...
    async def run(self, receive: Receive, send: Send) -> None: ...
    async def read(self, first: Message | None, receive: Receive) -> None: ...
    async def write_all(self, send: Send) -> None: ...
    async def something(self) -> None: ...
