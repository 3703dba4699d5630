"""How the targets of a machine fare, in a memory-mapped table, and the choice among some of them."""
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import NamedTuple, Self

from typing_extensions import disjoint_base

STRATEGIES: tuple[str, ...]
STATES: tuple[str, ...]

class LayoutError(ValueError):
    """The file is no table of this version."""

class TargetView(NamedTuple):
    """How a target fares at one moment; None where nothing is known."""

    state: str  # closed, open, half_open
    open_until_ns: int | None  # half open: until when its probes may take
    in_flight: int
    first_byte_ns: int | None
    token_ns: int | None
    in_a_row: int  # failures
    recent_succeeded: int  # of the last 60 seconds
    recent_failed: int
    succeeded: int  # since the gateway started
    failed: int
    opened: int

@disjoint_base
class BreakerRule:
    """When a target is left alone. raises ValueError for a number out of range"""

    def __new__(
        cls, *, failures: int = 5, failure_percent: int = 50, minimum_requests: int = 10, window_s: int = 30,
        cooldown_ms: int = 30000, probes: int = 1,
    ) -> Self: ...

@disjoint_base
class HeldTargets:
    """Slots that one snapshot names; they are given back when this is no longer referred to."""

    @property
    def slots(self) -> tuple[int, ...]: ...

@disjoint_base
class TargetTable:
    """The targets of this machine, as one worker sees them; worker -1 only looks.

    Times are monotonic nanoseconds. Kernels call choose, begin and end; choose_among, begin_at and end_at are their Python face.

    fresh    put an empty table in the place of whatever is there: for whoever starts the gateway, before any worker opens it
    raises   LayoutError for a file that is no table of this version, OSError, ValueError for a number out of range
    """

    @property
    def path(self) -> str: ...
    @property
    def worker(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    def __new__(
        cls, path: str | PathLike[str], *, workers: int = 1, worker: int = 0, capacity: int = 1024, fresh: bool = False,
    ) -> Self: ...
    def hold(self, names: Iterable[str]) -> HeldTargets:
        """Find or make the slot of each name; they are this worker's until the answer is let go.

        What is known of a target stays until its slot is needed for another. raises OverflowError where no slot is left
        """

    def let_pages_go(self) -> None:
        """Take the pages out of this process's memory until they are touched; what is in them stays, as it is the file's."""

    def reclaim(self, worker: int) -> None:
        """Forget what a dead worker had in flight and held, before another takes its number."""

    def read(self, slot: int, now_ns: int) -> TargetView:
        """Return how a target fares."""

    def choose_among(
        self, strategy: str, slots: Sequence[int], now_ns: int, *, weights: Sequence[int] | None = None,
        numbers: Sequence[int] | None = None, unfit: Iterable[int] = (), draw: int = 0, max_ejected_percent: int = 100,
    ) -> tuple[int, bool] | None:
        """Return (place, forced) of one of these slots, or None where all are unfit.

        numbers   prices for cheapest (-1 unknown), lasting identities for sticky
        forced    its breaker is open, and it serves because too few others do
        """

    def begin_at(self, slot: int, rule: BreakerRule, now_ns: int, *, forced: bool = False) -> int | None:
        """Count an attempt in; return its ticket, or None where the breaker is open."""

    def end_at(
        self, slot: int, ticket: int, health: int, rule: BreakerRule, now_ns: int, *, first_byte_ns: int = -1, tokens: int = 0,
        duration_ns: int = 0,
    ) -> None:
        """Count it out again, with what it says of the target: health 0 succeeded, 1 failed, 2 nothing."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the file against others that hold targets."""

    def __len__(self) -> int:
        """How many targets are known."""

    def _bench_choose(
        self, strategy: str, slots: Sequence[int], now_ns: int, count: int, *, weights: Sequence[int] | None = None,
        numbers: Sequence[int] | None = None,
    ) -> list[int]: ...
    def _bench_attempts(self, slot: int, rule: BreakerRule, now_ns: int, step_ns: int, count: int, fail_every: int = 0) -> int: ...
    def _bench_probes(self, slot: int, rule: BreakerRule, now_ns: int, count: int) -> int: ...
