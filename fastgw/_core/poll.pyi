"""The sockets of one worker behind one file descriptor of its event loop."""
import asyncio

TICK_SECONDS: float

class Pollable:
    """Something with a file descriptor and, at times, a deadline."""

class Poller:
    """Made on the thread that runs `loop`."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def faults(self) -> int:
        """Exceptions caught at the edge of an exchange, so far."""
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    def close(self) -> None:
        """Leave the event loop; members must have been removed."""
