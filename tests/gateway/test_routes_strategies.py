"""Each strategy through a real worker: who is asked, by weight, order, condition, price, speed, load, or for the same caller."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import pytest

from tests.fakes.script import Gate, json_reply, pause, slow
from tests.fakes.upstream import Upstream
from tests.gateway.limited import key_lines, price
from tests.gateway.routed import (
    NEVER_OPEN,
    OK,
    ONCE,
    RoutedGateway,
    ask,
    chosen,
    failing,
    inline,
    leaf,
    name_of,
    passed_over,
    place,
    route,
    targets_at,
    way,
)
from tests.gateway.running import KEY
from tests.patience import PATIENCE_S

OTHER_KEY = f"fgw-routes-other-{'0' * 24}"
NAMES = "abcd"
# what is known of how fast a target is belongs to the target: these have nothing else to do
MEASURED = {"latency": ("e", "f"), "throughput": ("g", "h")}
SLOW_MS = 600      # a faster one that a busy machine holds up for half a second is the faster one still


def conditional(name: str, query: str, *, default: str | None = "d") -> str:
    lines = [f'conditions = [{{ query = {query}, then = "a" }}]', *([f'default = "{default}"'] if default else []), ONCE, NEVER_OPEN]
    return route(name, leaf("a"), leaf("d"), strategy="conditional", lines=lines)


QUERIES = {
    "model": '{ model = "if-model" }',
    "metadata": '{ "metadata.tier" = { "$in" = ["gold", "platinum"] } }',
    "header": '{ "headers.x-tenant" = "north" }',
    "params": '{ "params.temperature" = { "$gte" = 0.5, "$lt" = 1 }, "params.messages.-1.role" = "user" }',
    "tokens": '{ tokens = { "$gt" = 500 } }',
    "key": '{ key = "other", workspace = "team" }',
    "stream": "{ stream = true }",
    "path": '{ "url.pathname" = "/v1/chat/completions" }',
    "nested": '{ "$or" = [{ "$and" = [{ "params.n" = 2 }, { "$not" = { "params.user" = { "$exists" = true } } }] }, '
    '{ "params.user" = { "$regex" = "^vip-" } }] }',
}
CONFIG = [
    route("single", leaf("a"), strategy="single"),
    route("fallback", leaf("a"), leaf("b"), leaf("c")),
    route("weighted", leaf("a", weight=3), leaf("b", weight=1), leaf("c", weight=0), strategy="weighted"),
    route("cost", leaf("a"), leaf("b"), leaf("c"), strategy="cost"),
    route("least", leaf("a"), leaf("b"), strategy="least_busy"),
    *[route(strategy, *map(leaf, names), strategy=strategy) for strategy, names in MEASURED.items()],
    route("strict", leaf("a"), leaf("b"), strategy="weighted", lines=["on_status = []", "on_errors = []", ONCE, NEVER_OPEN]),
    route(
        "sticky",
        *[leaf(name) for name in NAMES],
        strategy="weighted",
        lines=['sticky = { fields = ["metadata.user", "params.user"] }', ONCE, NEVER_OPEN],
    ),
    route(
        "nested",
        inline(strategy="weighted", name="pair", targets=f"[{leaf('a')}, {leaf('b')}]"),
        inline(strategy="cost", name="rest", targets=f"[{leaf('c')}, {leaf('d')}]"),
    ),
    route(
        "inner-first",
        inline(strategy="fallback", name="pair", on_status="[500]", targets=f"[{leaf('a')}, {leaf('b')}]"),
        leaf("c"),
    ),
    *[conditional(f"if-{name}", query) for name, query in QUERIES.items()],
]
PRICES = "[prices]\n" + "".join(
    f'"openai-compatible/m-{name}" = {price(*usd)}\n'
    for name, usd in zip("abcd", [("9", "1"), ("2", "2"), ("1", "9"), ("5", "5")], strict=True)
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    keys = key_lines() + key_lines("other", OTHER_KEY, workspace='"team"')
    names = [*NAMES, *chain.from_iterable(MEASURED.values())]
    config = "".join([targets_at(upstream.url, names), *CONFIG, PRICES, "[workspaces.team]\n", keys])
    with RoutedGateway(tmp_path_factory.mktemp("strategies"), config) as running:
        yield running
        running.check_records()


@pytest.fixture(autouse=True)
def all_serve(upstream: Upstream) -> None:
    for name in NAMES:
        upstream.play(json_reply(OK), place(name))


def test_single_asks_its_target(gateway: RoutedGateway) -> None:
    """A route of one target asks that one, and says so."""
    reply = ask(gateway, "single")
    assert way(reply) == [("a", 200, "")] and passed_over(reply) == {}
    assert (reply.field("x-fastgw-provider"), reply.field("x-fastgw-model")) == ("openai-compatible", "m-a")


def test_fallback_takes_the_order_of_writing(gateway: RoutedGateway, upstream: Upstream) -> None:
    """The first serves while it can; each further one only after all before it failed."""
    assert way(ask(gateway, "fallback")) == [("a", 200, "")]
    upstream.play(failing(503), place("a"))
    assert way(ask(gateway, "fallback")) == [("a", 503, "overloaded"), ("b", 200, "")]
    upstream.play(failing(500), place("b"))
    assert way(ask(gateway, "fallback")) == [("a", 503, "overloaded"), ("b", 500, "server"), ("c", 200, "")]


def test_weights_are_shares(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Of 3 to 1 the first gets three quarters, weight 0 nothing while another serves, and all where none other can."""
    shares = Counter(chosen(ask(gateway, "weighted")) for _ in range(200))
    assert shares.keys() == {"a", "b"} and 125 <= shares["a"] <= 172  # five standard deviations would be 31
    for name in "ab":
        upstream.play(failing(503), place(name))
    reply = ask(gateway, "weighted")
    assert chosen(reply) == "c" and {step.target for step in way(reply)[:2]} == {"a", "b"}


def test_cost_weighs_input_and_output(gateway: RoutedGateway) -> None:
    """Much input goes to who is cheap at input, much output to who is cheap at output."""
    assert chosen(ask(gateway, "cost", max_tokens=1, messages=[{"role": "user", "content": "long " * 400}])) == "c"
    assert chosen(ask(gateway, "cost", max_tokens=10_000)) == "a"
    assert chosen(ask(gateway, "cost", max_tokens=20)) == "b"


def test_least_busy_counts_requests_in_flight(gateway: RoutedGateway, upstream: Upstream) -> None:
    """While one target has a request in hand, all others go to the other."""
    gate = Gate()
    for name in "ab":
        upstream.play([pause(gate), *json_reply(OK)], place(name))
    first: list[str] = []
    thread = threading.Thread(target=lambda: first.append(chosen(ask(gateway, "least"))))
    thread.start()
    assert gate.reached.wait(PATIENCE_S)
    held = upstream.received[-1].path.split("/")[1]
    other = "b" if held == "a" else "a"
    upstream.play(json_reply(OK), place(other))
    assert {chosen(ask(gateway, "least")) for _ in range(8)} == {other}
    gate.release()
    thread.join(PATIENCE_S)
    assert first == [held]


@pytest.mark.parametrize("strategy", MEASURED)
def test_the_faster_gets_the_requests(gateway: RoutedGateway, upstream: Upstream, strategy: str) -> None:
    """Once both have been measured, the faster is asked, by whichever of the two measures."""
    slower, faster = MEASURED[strategy]
    upstream.play(slow(json_reply(OK), SLOW_MS), place(slower))
    while not {slower, faster} <= {name_of(one) for one in upstream.received}:
        ask(gateway, strategy)
    assert {chosen(ask(gateway, strategy)) for _ in range(8)} == {faster}


def test_sticky_callers_keep_their_target(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Each caller has a target of its own; where it fails only its callers move, and they come back."""

    def target(number: int) -> str:
        return chosen(ask(gateway, "sticky", [("x-portkey-metadata", json.dumps({"user": f"u{number}"}))]))

    homes = {number: target(number) for number in range(24)}
    assert {target(number) for number in range(24) if homes[number] == "a"} == {"a"} and len(set(homes.values())) == 4
    upstream.play(failing(503), place("a"))
    moved = {number: target(number) for number in range(24)}
    assert {number for number in homes if homes[number] != moved[number]} == {number for number in homes if homes[number] == "a"}
    upstream.play(json_reply(OK), place("a"))
    assert {number: target(number) for number in range(24)} == homes
    assert chosen(ask(gateway, "sticky", user="u-body")) == chosen(ask(gateway, "sticky", user="u-body"))


def test_branches_stand_for_the_target_that_they_lead_to(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A failure moves on within its branch first, then to the next branch and its own strategy."""
    assert {chosen(ask(gateway, "nested")) for _ in range(30)} == {"a", "b"}
    for name in "ab":
        upstream.play(failing(500), place(name))
    reply = ask(gateway, "nested", max_tokens=1, messages=[{"role": "user", "content": "long " * 400}])
    assert {step.target for step in way(reply)[:2]} == {"a", "b"} and way(reply)[2:] == [("c", 200, "")]


def test_a_failure_that_leads_out_of_a_branch_leaves_all_of_it(gateway: RoutedGateway, upstream: Upstream) -> None:
    """What is below a branch that was left is not tried any more, and the reply says why."""
    upstream.play(failing(429), place("a"))
    reply = ask(gateway, "inner-first")
    assert way(reply) == [("a", 429, "rate_limit"), ("c", 200, "")]
    assert passed_over(reply) == {"b": "the failure does not lead there"}


def test_only_the_failures_named_move_on(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Empty lists move on after nothing: the caller gets what the one target said."""
    for name in "ab":
        upstream.play(failing(503), place(name))
    reply = ask(gateway, "strict")
    assert reply.status == 503 and len(way(reply)) == 1


@pytest.mark.parametrize(
    ("name", "fields", "more", "holds"),
    [
        ("model", {}, {}, True),
        ("metadata", {"x-portkey-metadata": '{"tier": "gold"}'}, {}, True),
        ("metadata", {"x-portkey-metadata": '{"tier": "lead"}'}, {}, False),
        ("metadata", {}, {}, False),
        ("header", {"X-Tenant": "north"}, {}, True),
        ("header", {"X-Tenant": "south"}, {}, False),
        ("params", {}, {"temperature": 0.5}, True),
        ("params", {}, {"temperature": 1}, False),
        ("params", {}, {"temperature": "0.7"}, False),
        ("tokens", {}, {"user": "u" * 2200}, True),
        ("tokens", {}, {}, False),
        ("key", {}, {"key": OTHER_KEY}, True),
        ("key", {}, {"key": KEY}, False),
        ("stream", {}, {"stream": True}, True),
        ("stream", {}, {"stream": False}, False),
        ("path", {}, {}, True),
        ("nested", {}, {"n": 2}, True),
        ("nested", {}, {"n": 2, "user": "u"}, False),
        ("nested", {}, {"n": 1, "user": "vip-1"}, True),
        ("nested", {}, {}, False),
    ],
)
def test_condition_decides(gateway: RoutedGateway, name: str, fields: dict[str, str], more: dict[str, str], holds: bool) -> None:
    """The first condition that holds names the target, else the default serves; the other is passed over, with the reason."""
    reply = ask(gateway, f"if-{name}", list(fields.items()), **more)
    assert chosen(reply) == ("a" if holds else "d") and passed_over(reply) == {"d" if holds else "a": "condition"}


def test_conditional_never_moves_on(gateway: RoutedGateway, upstream: Upstream) -> None:
    """The other branches of a condition were not meant for this request, even where its own fails."""
    upstream.play(failing(503), place("a"))
    reply = ask(gateway, "if-model")
    assert (reply.status, way(reply)) == (503, [("a", 503, "")])
