"""The Python face of the mock's connections."""
import asyncio
from collections.abc import Callable

FIRST_ROW_COUNTER: int
MOST_BODY_BYTES: int

class Reply:
    """What to send: `fields` are whole lines; a stream has `events` in the place of a `body`."""

    status: int
    fields: bytes
    body: bytes | None
    events: tuple[bytes, ...] | None
    is_shared: bool
    row: int
    latency_s: float
    ttft_s: float
    gap_s: float
    cut: int
    hangs: bool
    def __init__(
        self, status: int, fields: bytes, body: bytes | None = None, events: tuple[bytes, ...] | None = None, *,
        is_shared: bool = False, row: int = 0,
    ) -> None: ...

class Desk:
    """What all connections of a worker share: where replies come from, the delays, the counters."""

    def __init__(self, loop: asyncio.AbstractEventLoop,
                 answer: Callable[[str, str, list[tuple[str, str]], bytes], Reply],
                 fail: Callable[[bytes], Reply | None], random: Callable[[], float], counters: memoryview[int], *,
                 latency_s: float, ttft_s: float, gap_s: float, error_rate: float) -> None: ...
    def close_all(self) -> None: ...

class Connection(asyncio.BufferedProtocol):
    """One connection, as an asyncio buffered protocol."""

    def __init__(self, desk: Desk) -> None: ...
