"""The listener of the data plane: the Python face that the worker uses."""
import socket
import ssl

from fastgw._core.flow import Application, Client
from fastgw._core.poll import Pollable, Poller
from fastgw._core.wire import Wire

class Lane:
    """One worker's listener and its connections; times in milliseconds, sizes in bytes."""

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
        """Connections beyond max_connections, so far."""
    @property
    def stopping(self) -> bool: ...
    def __init__(
        self, poller: Poller, application: Application, *, max_connections: int = 10000, max_body_bytes: int = 67108864,
        head_ms: int = 10000, body_ms: int = 30000, idle_ms: int = 75000, write_ms: int = 60000, tls: ssl.SSLContext | None = None,
    ) -> None: ...
    def listen(self, sock: socket.socket) -> None:
        """Accept from a bound and listening non-blocking socket, which the lane owns from here on."""
    def stop(self) -> None:
        """Accept no more, close what is idle; what runs is finished, then its connection closes."""
    def abort(self) -> None:
        """Close every connection now; what runs is told that its client is gone."""

class Listener(Pollable):
    """The listening socket of a lane."""

    def __init__(self, lane: Lane, sock: socket.socket) -> None: ...
    def close(self) -> None: ...

class Connection(Wire):
    """One client's connection."""

    def __init__(self, lane: Lane) -> None: ...
    def open(self, fd: int) -> None: ...

class LaneClient(Client):
    """The Client of a Connection: puts the framing around what the exchange says."""

def listening_socket(host: str, port: int, *, backlog: int = 1024) -> socket.socket:
    """Bind a non-blocking TCP socket with SO_REUSEPORT, so that each worker has its own. raises OSError"""
