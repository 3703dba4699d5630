"""Make the route that requests go through from what was written: hand down what a node does not state, compile, and hold the slots."""

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec import Struct, structs

from fastgw._core.route import BreakerRule, HeldTargets, TargetTable
from fastgw.route.conditions import compile_query
from fastgw.route.plan import Branch, Leaf, Route
from fastgw.route.retry import IN_BODY, RetryRule
from fastgw.route.sticky import StickyRule, digest
from fastgw.snapshot import routes as written
from fastgw.snapshot.routes import BREAKER, NEXT_ON_ERRORS, PASSING_STATUS, RETRY, TIMEOUTS, json_of

MS: Final = 1_000_000


class Placed(NamedTuple):
    """What a leaf leads to: anything that whoever routes knows, and its prices in nano-dollars per million tokens, -1 unknown."""

    target: object
    input_price: int = -1
    output_price: int = -1


class Inherited(Struct, frozen=True):
    """What holds at a node where it states nothing of its own."""

    retry: written.Retry = RETRY
    breaker: written.Breaker = BREAKER
    timeouts: written.RouteTimeouts = TIMEOUTS
    on_status: tuple[int, ...] = PASSING_STATUS
    on_errors: tuple[str, ...] = NEXT_ON_ERRORS
    default_params: dict[str, object] = {}
    override_params: dict[str, object] = {}
    drop_params: tuple[str, ...] = ()
    # of all nodes above that may move on: what leads on from a leaf
    led_status: frozenset[int] = frozenset()
    led_errors: frozenset[str] = frozenset()

    def at(self, node: written.Branch) -> "Inherited":
        """The same one level down."""
        own = {
            name: value for name in ("retry", "breaker", "timeouts", "on_status", "on_errors") if (value := getattr(node, name)) is not None
        }
        return structs.replace(
            self, **own,
            default_params=self.default_params | json_members(node.default_params),
            override_params=self.override_params | json_members(node.override_params),
            drop_params=(*self.drop_params, *(path for path in node.drop_params if path not in self.drop_params)),
        )

    def above(self, node: written.Branch) -> "Inherited":
        """What the children of a node inherit: also what leads on from them."""
        if node.strategy in ("single", "conditional"):
            return self
        return structs.replace(self, led_status=self.led_status | set(self.on_status), led_errors=self.led_errors | set(self.on_errors))


def json_members(table: dict[str, object]) -> dict[str, object]:
    return {name: json_of(value) for name, value in table.items()}


def build_route(name: str, section: written.Route, table: TargetTable, place: Callable[[written.Target], Placed]) -> Route:
    """Compile a route that has passed check.objections_to.

    place    called once for each leaf, in the order in which they are written
    raises   OverflowError where the table has no slot left
    """
    names = [slot_name(leaf) for leaf in leaves_below(section)]
    builder = Builder(place, table.hold(names))
    root = builder.branch(section, Inherited().at(section), name, "")
    return Route(name, root, table, builder.held, deadline_ns=section.deadline_ms * MS, needs_facts=builder.needs_facts)


def leaves_below(node: written.Branch) -> list[written.Target]:
    """The leaves in their order."""
    found: list[written.Target] = []
    for target in node.targets:
        found += leaves_below(target) if target.targets else [target]
    return found


def slot_name(leaf: written.Target) -> str:
    """What the workers of a machine know a target by, whatever route leads there."""
    return f"{leaf.integration}\0{leaf.model}"


class Builder:
    """Builds one tree; the slots of its leaves come in their order."""

    def __init__(self, place: Callable[[written.Target], Placed], held: HeldTargets) -> None:
        self.place = place
        self.held = held
        self.slots = iter(held.slots)
        self.needs_facts = False

    def __repr__(self) -> str:
        return f"<Builder of {len(self.held.slots)} leaves>"

    def branch(self, node: written.Branch, own: Inherited, label: str, path: str) -> Branch:
        below = own.above(node)
        children: list[Leaf | Branch] = []
        for index, target in enumerate(node.targets):
            here = f"{path}{'.' if path else ''}targets[{index}]"
            inner = below.at(target)
            if target.targets:
                children.append(self.branch(target, inner, target.label, here))
            else:
                children.append(self.leaf(target, inner, here))
        labels = [target.label for target in node.targets]
        if node.conditions or node.sticky is not None:
            self.needs_facts = True
        return Branch(
            label, node.strategy, tuple(children), tuple(target.weight for target in node.targets),
            tuple(identity(target) for target in node.targets), on_status=frozenset(own.on_status), on_errors=frozenset(own.on_errors),
            conditions=tuple((compile_query(json_of(one.query))[0], labels.index(one.then)) for one in node.conditions),
            default=-1 if node.default is None else labels.index(node.default),
            sticky=None if node.sticky is None else StickyRule(node.sticky), max_ejected_percent=own.breaker.max_ejected_percent,
        )

    def leaf(self, target: written.Target, own: Inherited, path: str) -> Leaf:
        retry, breaker = own.retry, own.breaker
        retried: frozenset[str] = frozenset(retry.on_errors) if retry.attempts else frozenset()
        placed = self.place(target)
        return Leaf(
            target.label, path, placed.target, slot=next(self.slots),
            breaker=BreakerRule(
                failures=breaker.failures, failure_percent=breaker.failure_percent, minimum_requests=breaker.minimum_requests,
                window_s=breaker.window_s, cooldown_ms=breaker.cooldown_ms, probes=breaker.probes,
            ),
            failing_status=frozenset(breaker.on_status), failing_errors=frozenset(breaker.on_errors), retry=RetryRule(retry),
            timeouts=own.timeouts, unsupported=target.unsupported, default_params=own.default_params,
            override_params=own.override_params, drop_params=own.drop_params, input_price=placed.input_price,
            output_price=placed.output_price, reads_errors=bool((own.led_errors | retried) & IN_BODY),
            led_by=own.led_status | (set(retry.on_status) if retry.attempts else set()),
        )


def identity(target: written.Target) -> int:
    """64 bits that a node has for good, wherever it stands: what sticky callers are drawn to."""
    return digest("\0\0".join(slot_name(leaf) for leaf in leaves_below(target) or [target]).encode())
