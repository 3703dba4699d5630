"""An event loop for tests in which nothing sleeps: time passes when it is told to."""

from collections.abc import Callable
from heapq import heappop, heappush


class Handle:
    """A timer that can be cancelled."""

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clockwork:
    """Has call_soon and call_later; `run` does what is due, `pass_s` lets time pass first."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.soon: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self.timers: list[tuple[float, int, Handle, Callable[..., object], tuple[object, ...]]] = []
        self.made = 0

    def call_soon(self, act: Callable[..., object], *args: object) -> None:
        self.soon.append((act, args))

    def call_later(self, delay_s: float, act: Callable[..., object], *args: object) -> Handle:
        handle = Handle()
        self.made += 1
        heappush(self.timers, (self.now_s + delay_s, self.made, handle, act, args))
        return handle

    def run(self) -> None:
        while self.soon:
            act, args = self.soon.pop(0)
            act(*args)

    def pass_s(self, seconds: float) -> None:
        until = self.now_s + seconds
        while self.timers and self.timers[0][0] <= until:
            self.now_s, _, handle, act, args = heappop(self.timers)
            if not handle.is_cancelled:
                act(*args)
                self.run()
        self.now_s = until

    @property
    def armed(self) -> int:
        """Timers that would still go off."""
        return sum(not handle.is_cancelled for _, _, handle, _, _ in self.timers)
