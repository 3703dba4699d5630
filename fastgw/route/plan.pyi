"""A route: a tree of targets, and the way of one request through it."""
from collections.abc import Callable
from typing import Literal

from fastgw._core.route import BreakerRule, HeldTargets, TargetTable
from fastgw.route.facts import Facts
from fastgw.route.retry import Failure, RetryRule
from fastgw.route.sticky import StickyRule
from fastgw.route.trail import REASONS as REASONS
from fastgw.route.trail import Attempt
from fastgw.route.wishes import Wishes
from fastgw.snapshot.routes import RouteTimeouts

class Leaf:
    """One target of a route, with all that holds for it."""

    index: int
    slot: int
    label: str
    path: str
    target: object
    parent: Branch
    breaker: BreakerRule
    failing_status: frozenset[int]
    failing_errors: frozenset[str]
    retry: RetryRule
    timeouts: RouteTimeouts
    unsupported: str
    default_params: dict[str, object]
    override_params: dict[str, object]
    drop_params: tuple[str, ...]
    input_price: int
    output_price: int
    reads_errors: bool
    led_by: frozenset[int]
    def __init__(
        self, label: str, path: str, target: object, *, slot: int, breaker: BreakerRule, failing_status: frozenset[int],
        failing_errors: frozenset[str], retry: RetryRule, timeouts: RouteTimeouts, unsupported: str = "drop",
        default_params: dict[str, object] | None = None, override_params: dict[str, object] | None = None,
        drop_params: tuple[str, ...] = (), input_price: int = -1, output_price: int = -1, reads_errors: bool = False,
        led_by: frozenset[int] = ...,
    ) -> None: ...

class Branch:
    """One node above leaves."""

    label: str
    name: str
    parent: Branch | None
    children: tuple[Leaf | Branch, ...]
    first: int
    last: int
    on_status: frozenset[int]
    on_errors: frozenset[str]
    conditions: tuple[tuple[Callable[[Facts], bool], int], ...]
    default: int
    sticky: StickyRule | None
    def __init__(
        self, label: str, strategy: str, children: tuple[Leaf | Branch, ...], weights: tuple[int, ...], identities: tuple[int, ...], *,
        on_status: frozenset[int], on_errors: frozenset[str], conditions: tuple[tuple[Callable[[Facts], bool], int], ...] = (),
        default: int = -1, sticky: StickyRule | None = None, max_ejected_percent: int = 100,
    ) -> None: ...

class Route:
    """A compiled tree; made with a snapshot and never changed."""

    name: str
    root: Branch
    leaves: tuple[Leaf, ...]
    deadline_ns: int
    needs_facts: bool
    table: TargetTable
    held: HeldTargets
    def __init__(
        self, name: str, root: Branch, table: TargetTable, held: HeldTargets, *, deadline_ns: int, needs_facts: bool,
    ) -> None: ...
    def walk(
        self, now_ns: int, facts: Facts | None = None, wishes: Wishes | None = None, *, input_tokens: int = 0, output_tokens: int = 0,
    ) -> Walk:
        """Begin the way of one request."""

class Walk:
    """The way of one request through a route."""

    route: Route
    leaf: Leaf | None
    retries: int
    ticket: int
    deadline_ns: int
    @property
    def attempts(self) -> list[Attempt]:
        """Those that have ended, in their order."""

    def bar_leaf(self, leaf: int, why: int) -> None:
        """Say that a leaf cannot serve this request: a place in trail.REASONS."""

    def start_at(self, draw: int, now_ns: int) -> Leaf | None:
        """Choose the first leaf and begin its attempt; None where none can serve."""

    def end_attempt(
        self, now_ns: int, *, status: int = 0, trouble: str | None = None, says_nothing: bool = False, first_byte_ns: int = -1,
        tokens: int = 0,
    ) -> None:
        """The attempt is over."""

    def follow_up(
        self, failure: Failure, draw: int, now_ns: int, *, repeatable: bool = True,
    ) -> tuple[Literal["again", "moved", "stop"], int]:
        """What follows: ("again", wait in ns), ("moved", 0) or ("stop", 0)."""

    def again_at(self, draw: int, now_ns: int) -> Leaf:
        """Begin the same leaf once more, or another where its breaker has opened meanwhile."""

    def passed_over(self) -> list[tuple[Leaf, str]]:
        """Why each leaf that was not tried was not, as (leaf, reason); those that were merely not chosen are left out."""
