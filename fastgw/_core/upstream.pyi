"""Connections to providers: the Python face that compiling and the worker use."""
import ssl
from collections.abc import Callable

from fastgw._core.poll import Poller
from fastgw._core.wire import Wire

class Origin:
    """The pool of connections to one scheme, host and port; the limits of time that it is made with are in milliseconds."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def context(self) -> ssl.SSLContext | None:
        """None: plain TCP."""
    @property
    def unix_path(self) -> str | None:
        """Instead of host and port."""
    @property
    def proxy(self) -> tuple[str, int, bytes | None] | None:
        """(host, port, proxy-authorization) of an HTTP proxy."""
    @property
    def limit(self) -> int: ...
    @property
    def open_count(self) -> int: ...
    @property
    def busy_count(self) -> int: ...
    @property
    def idle_count(self) -> int: ...
    @property
    def waiting_count(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    @property
    def connect_ns(self) -> int: ...
    @property
    def first_byte_ns(self) -> int: ...
    @property
    def idle_ns(self) -> int: ...
    @property
    def total_ns(self) -> int: ...
    def __init__(
        self, poller: Poller, host: str, port: int, *, context: ssl.SSLContext | None = None, unix_path: str | None = None,
        proxy: tuple[str, int, bytes | None] | None = None, check: Callable[[str, str], None] | None = None, limit: int = 256,
        connect_ms: int = 5000, first_byte_ms: int = 300000,
        idle_ms: int = 120000, total_ms: int = 1800000,
    ) -> None: ...
    def close(self) -> None:
        """Close what is idle now and what is busy when its reply is whole."""

class Leg(Wire):
    """One connection to an origin, and at most one exchange on it."""

    @property
    def served(self) -> int:
        """Replies, so far."""
    def __init__(self, origin: Origin) -> None: ...
