"""What blocks runs beside the loop, and leaves no thread behind."""

import asyncio
import threading
import time

import pytest

from fastgw._core.aside import run_aside
from tests.patience import PATIENCE_S


def fail(error: BaseException) -> None:
    raise error


async def until_alone() -> None:
    """Wait until this thread is the only one."""
    deadline = time.monotonic() + PATIENCE_S
    while threading.active_count() > 1:
        assert time.monotonic() < deadline, threading.enumerate()
        await asyncio.sleep(0.001)


def test_what_it_returns_is_awaited_while_the_loop_goes_on() -> None:
    """The loop runs meanwhile, the function in another thread, and that thread ends."""
    started, gate = threading.Event(), threading.Event()

    def wait(word: str) -> tuple[str, int]:
        started.set()
        assert gate.wait(PATIENCE_S)
        return word, threading.get_ident()

    async def ask() -> tuple[str, int]:
        future = run_aside(wait, "here")
        while not started.is_set():
            await asyncio.sleep(0.001)
        assert not future.done()
        gate.set()
        found = await future
        await until_alone()
        return found

    word, thread = asyncio.run(ask())
    assert word == "here" and thread != threading.get_ident()


@pytest.mark.parametrize("error", [OSError(5, "input/output error"), SystemExit(3), ValueError("no")])
def test_what_it_raises_is_raised_to_who_waits(error: BaseException) -> None:
    """Also what would otherwise end a thread in silence."""

    async def ask() -> None:
        with pytest.raises(type(error)) as raised:
            await run_aside(fail, error)
        assert raised.value is error
        await until_alone()

    asyncio.run(ask())


def test_a_thread_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no thread left, who waits is told, and nothing hangs."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def ask() -> None:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await run_aside(time.sleep, 0)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    asyncio.run(ask())


def test_nobody_waits_for_what_is_given_up() -> None:
    """A limit of time holds though the function goes on, and a loop that closes meanwhile breaks nothing."""
    gate = threading.Event()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run_aside(gate.wait, PATIENCE_S), 0.01)

    asyncio.run(ask())
    (left,) = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    gate.set()
    left.join(PATIENCE_S)
    assert not left.is_alive()
