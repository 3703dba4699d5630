"""Run what would block beside the event loop, in a thread that ends with it.

The threads of asyncio's own pool stay, and so do libuv's. A process with a second thread, idle as it may be, pays for it at each system
call: the kernel counts who uses a file descriptor, and the C library locks.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def run_aside(function: Callable[..., Result], *args: object) -> asyncio.Future[Result]:
    """Call `function` in a thread of its own; what it returns or raises is the future's, and so is that no thread could be had.

    Who cancels the future no longer waits; what the function does goes on, unless the process ends, which waits for it neither.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # what the function returned, None or not

    def run() -> None:
        outcome: tuple[Result | None, BaseException | None]
        try:
            outcome = function(*args), None
        except BaseException as error:      # the edge of a thread: it is raised where the future is waited for
            outcome = None, error
        with suppress(RuntimeError):        # the loop has closed meanwhile
            loop.call_soon_threadsafe(settle, *outcome)

    try:
        Thread(target=run, daemon=True, name=getattr(function, "__qualname__", "aside")).start()
    except RuntimeError as error:
        settle(None, error)
    return future
