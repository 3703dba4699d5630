"""What a mock provider can be told when it starts."""
import msgspec


class MockOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to listen, how slowly and how badly to answer."""

    listen: str = "127.0.0.1:9001"
    """HOST:PORT; port 0 takes a free one, which the first line of output names."""
    latency_ms: float = 0.0
    """From the end of a request to the head of its reply."""
    ttft_ms: float = 0.0
    """From the head of a stream to its first event."""
    gap_ms: float = 0.0
    """Between two events of a stream."""
    error_rate: float = 0.0
    """The share of requests, 0 to 1, that fail; which ones is the same in every run."""
    error_status: int | None = None
    """The status of those; None takes 500, 429 and 529 (503 where the dialect has no 529) in turn."""
    tokens: int = 10
    """Output tokens of a reply, unless the request asks for fewer."""
    workers: int = 1
    """Processes that share the port. Uploaded files and batches live in one of them, so use those with one worker."""
