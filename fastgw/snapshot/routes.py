"""What people write about routing: a tree of targets, how one of them is chosen, and what happens when it fails.

A node of the tree is a leaf (it has `integration` and `model`) or a branch (it has `targets`). What a node does not state of `retry`,
`breaker`, `timeouts`, `on_status` and `on_errors` it has from the node above, each as a whole. `override_params` and `default_params`
are merged member by member, the inner one wins; `drop_params` add up. docs/routing.md says what all of it does.
"""

from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, field

from fastgw.snapshot.caching import Caching
from fastgw.snapshot.section import Milliseconds, Section, UpstreamModel

Strategy = Literal["single", "fallback", "weighted", "latency", "least_busy", "cost", "throughput", "conditional"]
Trouble = Literal[
    "connection", "timeout", "busy", "bad_reply", "rate_limit", "overloaded", "server", "context_window", "content_policy", "billing",
    "authentication", "permission", "not_found", "too_large", "invalid_request",
]
Status = Annotated[int, Meta(ge=100, le=599)]
TargetName = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9._:/@ -]{1,64}\Z", extra={"expected": "1 to 64 of letters, digits, space and . _ : / @ -"})
]
# the provider's trouble, not the request's
PASSING_STATUS: Final = (408, 429, 500, 502, 503, 504, 529)
# a target that refuses at once must not look idle and fast, so 429 is among them
BROKEN_STATUS: Final = (429, 500, 502, 503, 504, 529)
MOST_TARGETS: Final = 1000


class Retry(Section, frozen=True):
    """Ask the same target again."""

    attempts: Annotated[int, Meta(ge=0, le=10, description="how often again; 0 never")] = 1
    on_status: Annotated[tuple[Status, ...], Meta(description="statuses after which it is asked again")] = PASSING_STATUS
    on_errors: Annotated[tuple[Trouble, ...], Meta(description="kinds of failure after which it is asked again")] = ("connection", "busy")
    base_ms: Annotated[Milliseconds, Meta(description="the first wait is from half of this to this, each further one twice as long")] = 200
    max_ms: Annotated[Milliseconds, Meta(description="the longest wait; where the target asks for a longer one it is not asked again")] = (
        10_000
    )
    honour_retry_after: Annotated[bool, Meta(description="wait as long as the target says, where it says so")] = True


class Breaker(Section, frozen=True):
    """Leave a target alone that keeps failing, until probes show that it serves again."""

    failures: Annotated[int, Meta(ge=0, le=1_000_000, description="so many in a row open it; 0: not by this")] = 5
    failure_percent: Annotated[
        int, Meta(ge=0, le=100, description="such a share of failures within window_s opens it; 0: not by this")
    ] = 50
    minimum_requests: Annotated[int, Meta(ge=1, le=1_000_000, description="fewer within window_s say nothing about the share")] = 10
    window_s: Annotated[int, Meta(ge=1, le=60, description="length of the sliding window")] = 30
    cooldown_ms: Annotated[Milliseconds, Meta(description="how long it stays open, and how long probes may take")] = 30_000
    probes: Annotated[int, Meta(ge=1, le=60, description="requests let through afterwards; when all succeed, it closes")] = 1
    on_status: Annotated[tuple[Status, ...], Meta(description="statuses that count as failures")] = BROKEN_STATUS
    on_errors: Annotated[tuple[Trouble, ...], Meta(description="kinds of failure that count")] = ("connection", "timeout", "bad_reply")
    max_ejected_percent: Annotated[
        int, Meta(ge=0, le=100, description="the most of a node's targets that are left alone at once; the least bad of the rest serve")
    ] = 100


class RouteTimeouts(Section, frozen=True):
    """How long one attempt may take for what; what is not stated is the integration's."""

    connect_ms: Annotated[Milliseconds | None, Meta(description="to accept a connection, TLS included")] = None
    first_byte_ms: Annotated[Milliseconds | None, Meta(description="until a reply begins")] = None
    idle_ms: Annotated[Milliseconds | None, Meta(description="between two reads of a reply")] = None
    total_ms: Annotated[Milliseconds | None, Meta(description="for the attempt as a whole")] = None


class Sticky(Section, frozen=True):
    """Send the same callers to the same target while it serves."""

    fields: Annotated[
        tuple[str, ...],
        Meta(description='what tells callers apart: "key", "workspace", "metadata.NAME", "headers.NAME", "params.PATH", "model"'),
    ]
    ttl_s: Annotated[int, Meta(ge=0, le=31_536_000, description="after so long a caller's target is drawn anew; 0 never")] = 0


class Condition(Section, frozen=True):
    """If the query holds, the target of that name serves."""

    query: Annotated[dict[str, object], Meta(description="as docs/routing.md defines queries")]
    then: Annotated[str, Meta(description="name of one of this node's targets")]


class Branch(Section, frozen=True):
    """What every node may state, the model itself included."""

    strategy: Annotated[Strategy, Meta(description="how one of the targets is chosen")] = "fallback"
    targets: Annotated[tuple["Target", ...], Meta(description="the nodes below; single takes exactly one")] = ()
    conditions: Annotated[tuple[Condition, ...], Meta(description="for conditional: the first that holds decides")] = ()
    default: Annotated[str | None, Meta(description="for conditional: the target's name where no condition holds")] = None
    sticky: Annotated[Sticky | None, Meta(description="for weighted, latency, least_busy, cost and throughput")] = None
    on_status: Annotated[
        tuple[Status, ...] | None,
        Meta(description="statuses after which another of the targets is tried; by default 408, 429, 500, 502, 503, 504 and 529"),
    ] = None
    on_errors: Annotated[
        tuple[Trouble, ...] | None,
        Meta(description="kinds of failure after which another is tried; by default connection, timeout, busy, bad_reply, context_window"),
    ] = None
    retry: Annotated[Retry | None, Meta(description="ask the same target again")] = None
    breaker: Annotated[Breaker | None, Meta(description="leave failing targets alone")] = None
    timeouts: Annotated[RouteTimeouts | None, Meta(description="limits of time for an attempt")] = None
    default_params: Annotated[dict[str, object], Meta(description="members of the body where the caller states none")] = field(
        default_factory=dict
    )
    override_params: Annotated[dict[str, object], Meta(description="members of the body, whatever the caller states")] = field(
        default_factory=dict
    )
    drop_params: Annotated[
        tuple[str, ...], Meta(description='members that are left out, such as "logprobs", "messages[*].name", "tools[0]"')
    ] = ()


class Target(Branch, frozen=True):
    """A node below a model: a leaf has integration and model, a branch has targets."""

    integration: Annotated[str | None, Meta(description="of a leaf: name of an integration")] = None
    model: Annotated[UpstreamModel | None, Meta(description="of a leaf: the provider's name of the model")] = None
    name: Annotated[TargetName | None, Meta(description="what conditions call it; by default INTEGRATION/MODEL")] = None
    weight: Annotated[int, Meta(ge=0, le=1_000_000, description="share of the requests; with 0 only when no other can serve")] = 1
    unsupported: Annotated[
        Literal["pass", "drop", "error"], Meta(description="of a leaf: what happens to fields that its dialect does not have")
    ] = "drop"

    @property
    def label(self) -> str:
        """What conditions, records and messages call it."""
        return self.name or (f"{self.integration}/{self.model}" if self.integration else self.strategy)


class Route(Branch, frozen=True, kw_only=True):
    """The root of a tree; a model of the configuration is one with a price."""

    targets: Annotated[tuple[Target, ...], Meta(description="at least one; single takes exactly one")]
    deadline_ms: Annotated[
        Milliseconds, Meta(description="for all attempts together, waits included, until a reply begins")
    ] = 600_000
    cache: Annotated[Caching | None, Meta(description="keep its replies for those who ask the same")] = None


# What holds at the root where it states nothing else.
RETRY: Final = Retry()
BREAKER: Final = Breaker()
TIMEOUTS: Final = RouteTimeouts()
# kinds that a status tells are left to on_status, so that writing that list alone says all
NEXT_ON_ERRORS: Final[tuple[Trouble, ...]] = ("connection", "timeout", "busy", "bad_reply", "context_window")


def json_of(value: object) -> object:
    """A value of the file as JSON has it: exact decimals become floating-point numbers."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: json_of(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_of(item) for item in value]
    return value
