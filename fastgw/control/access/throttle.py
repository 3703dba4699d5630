"""Slow down who guesses passwords."""

from collections import OrderedDict, deque
from typing import Final

from fastgw.control.api.problem import ApiError

MOST_FAILURES: Final = 5
WINDOW_SECONDS: Final = 300.0
MOST_KEPT: Final = 10_000


class Throttle:
    """Counts failed attempts by whom they concern; a success forgets them."""

    def __init__(self, most: int = MOST_FAILURES, window_s: float = WINDOW_SECONDS) -> None:
        self.most = most
        self.window_s = window_s
        self.failures: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Throttle of {len(self.failures)}, {self.most} in {self.window_s} s>"

    def wait_s(self, who: tuple[str, ...], now_s: float) -> float:
        """How long this one has to wait before the next attempt; 0 where it may try now."""
        times = self.failures.get(who)
        while times and times[0] <= now_s - self.window_s:
            times.popleft()
        return times[0] + self.window_s - now_s if times and len(times) >= self.most else 0.0

    def admit(self, who: tuple[str, ...], now_s: float) -> None:
        """Count an attempt before its slow check, or many at once would all be let through; `passed` forgets it. raises ApiError"""
        if (wait := self.wait_s(who, now_s)) > 0:
            raise ApiError("too_many_logins", f"too many failed attempts: try again in {wait:.0f} s", fields={"retry-after": f"{wait:.0f}"})
        self.failed(who, now_s)

    def failed(self, who: tuple[str, ...], now_s: float) -> None:
        self.failures.setdefault(who, deque()).append(now_s)
        self.failures.move_to_end(who)
        if len(self.failures) > MOST_KEPT:
            self.failures.popitem(last=False)

    def passed(self, who: tuple[str, ...]) -> None:
        self.failures.pop(who, None)
