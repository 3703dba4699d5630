"""Send requests from many keep-alive connections on one core, and time what comes back."""
import ssl
from typing import NamedTuple

from fastgw.bench.histogram import Histogram

class Second(NamedTuple):
    """One second of a run: when it began (Unix time), replies and errors in it, and their latencies."""

    at_s: float
    replies: int
    errors: int
    p50_ns: int
    p99_ns: int
    most_ns: int

class Load:
    """Connections to one server, and the counts of the run that `start` began last.

    address   what socket.connect takes; tls and server_name where the server speaks TLS
    request   the bytes of one request; the 16 bytes at nonce_at (-1: none) become a number that no other request had
    events    0 for plain replies, OPENAI_STREAM or ANTHROPIC_STREAM for streams
    expected  what the body of each reply (a stream: its payload) should be; None: not compared
    """

    def __init__(
        self,
        address: tuple[str, int],
        family: int,
        request: bytes,
        *,
        connections: int = 1,
        nonce_at: int = -1,
        events: int = 0,
        expected: bytes | None = None,
        needs_usage: bool = True,
        timeout_s: float = 30.0,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        most_errors: int = 100,
    ) -> None: ...
    def start(self, *, seconds: float = 0.0, requests: int = 0, rate: float = 0.0, poisson: bool = False, seed: int = 1) -> None:
        """Begin a run: for so many seconds, or so many requests, or what ends first.

        rate 0 is the closed loop: each connection sends again when it has its reply. Else requests are due at this rate, evenly or as a
        Poisson process, whatever the replies do, and latency counts from when each was due.
        Raises OSError where the connections cannot be opened.
        """

    def advance(self, seconds: float) -> bool:
        """Work for so long; False once the run is over. Give up with errors after most_errors of them."""

    def close(self) -> None: ...
    def faults(self) -> dict[str, int]:
        """What went wrong, by name ("status 500", "closed", ...), and how often; empty where nothing did."""
    @property
    def sent(self) -> int: ...
    @property
    def replies(self) -> int:
        """Replies that held all that they must."""
    @property
    def errors(self) -> int: ...
    @property
    def unanswered(self) -> int:
        """Requests that were due and got no reply by the end, or were not even sent."""
    @property
    def reopened(self) -> int:
        """Connections that the server closed between requests."""
    @property
    def changed(self) -> int:
        """Replies that differ from `expected`."""
    @property
    def compared(self) -> int: ...
    @property
    def body_bytes(self) -> int: ...
    @property
    def events_seen(self) -> int: ...
    @property
    def contents_seen(self) -> int:
        """Events with content."""
    @property
    def together(self) -> int:
        """Events with content that came in the same read as the one before."""
    @property
    def first_fault(self) -> bytes:
        """The beginning of the first reply that was not as it must be, or what happened."""
    @property
    def latencies(self) -> Histogram: ...
    @property
    def firsts(self) -> Histogram:
        """Time to the first event with content."""
    @property
    def gaps(self) -> Histogram:
        """Between two events with content that did not come together."""
    @property
    def lags(self) -> Histogram:
        """How late the generator itself sent, though a connection was free (open loop)."""
    @property
    def seconds(self) -> list[Second]: ...
    @property
    def wall_ns(self) -> int:
        """From the start of the run to its last reply."""
    @property
    def due_span_ns(self) -> int:
        """From the first request's due time to the last one's (open loop)."""
    @property
    def reply_span_ns(self) -> int:
        """From the first reply to the last."""
    @property
    def busy_ns(self) -> int:
        """CPU time of the generator."""
