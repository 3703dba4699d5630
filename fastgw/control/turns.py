"""What the control process does again and again by itself, and how it goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("fastgw.control")


class Trouble:
    """A failure of something that is tried again: told when it begins, when it becomes another, and when it has ended."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.text = ""
        self.failures = 0

    def __repr__(self) -> str:
        return f"<Trouble of {self.what}: {self.text or 'none'}>"

    def note(self, error: Exception) -> None:
        self.failures += 1
        text = f"{type(error).__name__}: {error}"
        if text != self.text:
            log.error("%s failed and is tried again: %s", self.what, text, exc_info=error)
        self.text = text

    def end(self) -> None:
        if self.text:
            log.warning("%s works again", self.what)
        self.text = ""


async def every(seconds: float, act: Callable[[], Awaitable[object]], trouble: Trouble) -> None:
    """Do something again and again; a failure is logged, and the next turn tries again."""
    while True:
        try:
            await act()
            trouble.end()
        except Exception as error:  # the edge of a background task
            trouble.note(error)
        await asyncio.sleep(seconds)
