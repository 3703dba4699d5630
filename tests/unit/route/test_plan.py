"""The way of a request through a route: the first target, those that follow, and why others were passed over."""
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw._core.route import TargetTable
from fastgw.route.build import Placed, build_route
from fastgw.route.facts import Facts
from fastgw.route.plan import Branch, Leaf, Route, Walk
from fastgw.route.retry import Failure
from fastgw.route.trail import REASONS, attempts_field, passed_over_field
from fastgw.route.wishes import Wishes
from fastgw.snapshot import routes as written
from tests.unit.route.making import DRAW, MS, NOW, SECOND, fail, failure, make, models, name_of

NEVER = "retry = { attempts = 0 }\n"


def visited(walk: Walk, wrong: Callable[[object], Failure]) -> list[object]:
    """Every model that is tried while each fails in its way."""
    seen = [name_of(walk.start_at(DRAW, NOW))]
    while seen[-1] is not None and fail(walk, wrong(seen[-1])) == ("moved", 0):
        seen.append(name_of(walk.leaf))
    return seen


def test_fallback_goes_on_in_order(tmp_path: Path) -> None:
    """Each target of a fallback is tried once, in the order in which they are written."""
    route = make(f"{NEVER}targets = [{models('a', 'b', 'c')}]", tmp_path)
    walk = route.walk(NOW)
    assert visited(walk, lambda _: failure(503)) == ["a", "b", "c"]
    assert [(attempt.leaf, attempt.status, attempt.trouble) for attempt in walk.attempts] == [
        (0, 503, "overloaded"), (1, 503, "overloaded"), (2, 503, "overloaded")]
    assert walk.passed_over() == []


@pytest.mark.parametrize(("wrong", "moves"), [
    (failure(429), True), (failure(500), True), (failure(400), False), (failure(401), False), (failure(404), False),
    (failure(trouble="timeout"), True), (failure(trouble="connection"), True), (failure(400, "context_window"), True),
    (failure(400, "content_policy"), False),
])
def test_by_default_the_providers_trouble_leads_on(tmp_path: Path, wrong: Failure, moves: bool) -> None:
    """What another target may do better goes there; what the request is to blame for goes to the caller."""
    route = make(f"{NEVER}targets = [{models('a', 'b')}]", tmp_path)
    assert visited(route.walk(NOW), lambda _: wrong) == (["a", "b"] if moves else ["a"])


def test_list_of_statuses_alone_says_all_of_statuses(tmp_path: Path) -> None:
    """Whoever writes only on_status is not surprised by other statuses; kinds that come without a reply stay as they are."""
    route = make(f"{NEVER}on_status = [429]\ntargets = [{models('a', 'b')}]", tmp_path)
    assert visited(route.walk(NOW), lambda _: failure(429)) == ["a", "b"]
    assert visited(route.walk(NOW), lambda _: failure(500)) == visited(route.walk(NOW), lambda _: failure(503)) == ["a"]
    assert visited(route.walk(NOW), lambda _: failure(trouble="connection")) == ["a", "b"]


def test_lists_replace_the_defaults(tmp_path: Path) -> None:
    """A node that names statuses or kinds of failure moves on after those and no others."""
    route = make(f"{NEVER}on_status = [418]\non_errors = ['content_policy']\ntargets = [{models('a', 'b')}]", tmp_path)
    assert visited(route.walk(NOW), lambda _: failure(503)) == ["a"]
    assert visited(route.walk(NOW), lambda _: failure(418)) == ["a", "b"]
    assert visited(route.walk(NOW), lambda _: failure(400, "content_policy")) == ["a", "b"]
    assert all(leaf.reads_errors for leaf in route.leaves) and 418 in route.leaves[0].led_by


def test_retry_stays_until_it_is_used_up(tmp_path: Path) -> None:
    """A target is asked again as often as its rule says, then the next one takes over, with a count of its own."""
    route = make(f"retry = {{ attempts = 2, base_ms = 100 }}\ntargets = [{models('a', 'b')}]", tmp_path)
    walk = route.walk(NOW)
    walk.start_at(DRAW, NOW)
    for retries in range(2):
        what, wait_ns = fail(walk, failure(503))
        assert what == "again" and 0 <= wait_ns <= 200 * MS and walk.retries == retries
        assert name_of(walk.again_at(DRAW, NOW)) == "a"
    assert fail(walk, failure(503)) == ("moved", 0)
    assert (name_of(walk.leaf), walk.retries) == ("b", 0)


def test_deadline_is_shared(tmp_path: Path) -> None:
    """After the deadline nothing follows, whatever was left to try."""
    route = make(f"deadline_ms = 1000\ntargets = [{models('a', 'b')}]", tmp_path)
    walk = route.walk(NOW)
    walk.start_at(DRAW, NOW)
    assert fail(walk, failure(503, retry_after_ns=700 * MS), NOW + 400 * MS) == ("moved", 0)
    assert fail(walk, failure(503), NOW + 1000 * MS) == ("stop", 0)


def test_open_breaker_is_passed_over_and_noted(tmp_path: Path) -> None:
    """A target with an open breaker is left alone, the walk says so, and when all are open the least bad serves."""
    route = make(f"{NEVER}breaker = {{ failures = 1 }}\ntargets = [{models('a', 'b')}]", tmp_path)
    first = route.walk(NOW)
    first.start_at(DRAW, NOW)
    assert fail(first, failure(503)) == ("moved", 0)
    second = route.walk(NOW)
    assert name_of(second.start_at(DRAW, NOW + SECOND)) == "b"
    assert [(leaf.label, why) for leaf, why in second.passed_over()] == [("one/a", "open")]
    second.end_attempt(NOW + SECOND, status=503, trouble="overloaded")
    third = route.walk(NOW)
    assert name_of(third.start_at(DRAW, NOW + SECOND)) == "a"
    assert [(leaf.label, why) for leaf, why in third.passed_over()] == [("one/b", "open")]


def test_retry_does_not_wait_for_an_open_breaker(tmp_path: Path) -> None:
    """Where a failure opened the breaker, another target takes over at once; where there is none, the wait stands."""
    text = "retry = { attempts = 3 }\nbreaker = { failures = 1 }\n"
    route = make(f"{text}targets = [{models('a', 'b')}]", tmp_path)
    walk = route.walk(NOW)
    walk.start_at(DRAW, NOW)
    assert fail(walk, failure(503)) == ("moved", 0) and name_of(walk.leaf) == "b"
    assert fail(walk, failure(503))[0] == "again"
    assert name_of(walk.again_at(DRAW, NOW)) == "b"


def test_breaker_that_opens_during_a_wait_sends_on(tmp_path: Path) -> None:
    """Where others opened the breaker while this request waited to ask again, another target takes over, or it is forced."""
    for names, expected in ((("a", "b"), "b"), (("a",), "a")):
        route = make(f"breaker = {{ failures = 3 }}\ntargets = [{models(*names)}]", tmp_path)
        walk = route.walk(NOW)
        leaf = walk.start_at(DRAW, NOW)
        assert leaf is not None and fail(walk, failure(503))[0] == "again"
        for _ in range(2):
            other = route.walk(NOW)
            other.start_at(DRAW, NOW)
            other.end_attempt(NOW, status=503)
        assert route.table.read(leaf.slot, NOW).state == "open"
        assert name_of(walk.again_at(DRAW, NOW + MS)) == expected
        assert len(walk.attempts) == 1 and walk.retries == (0 if expected == "b" else 1)


def test_open_leaf_beside_a_branch_is_noted(tmp_path: Path) -> None:
    """In a nested tree, too, the walk says whose breaker was open."""
    route = make(f"breaker = {{ failures = 1 }}\n{NEVER}targets = [{models('a')}, {{ targets = [{models('b', 'c')}] }}]", tmp_path)
    first = route.walk(NOW)
    assert visited(first, lambda model: failure(503 if model == "a" else 400)) == ["a", "b"]
    second = route.walk(NOW)
    assert name_of(second.start_at(DRAW, NOW)) == "b"
    assert [(leaf.label, why) for leaf, why in second.passed_over()] == [("one/a", "open")]


def test_caller_who_goes_away_says_nothing(tmp_path: Path) -> None:
    """An attempt that the caller gave up counts neither for nor against its target, and is no longer in flight."""
    route = make(f"targets = [{models('a')}]", tmp_path)
    walk = route.walk(NOW)
    leaf = walk.start_at(DRAW, NOW)
    assert leaf is not None and route.table.read(leaf.slot, NOW).in_flight == 1
    walk.end_attempt(NOW, says_nothing=True)
    walk.end_attempt(NOW, says_nothing=True)
    view = route.table.read(leaf.slot, NOW)
    assert (view.in_flight, view.succeeded, view.failed) == (0, 0, 0)


def test_error_of_the_request_speaks_for_the_target(tmp_path: Path) -> None:
    """A target that answers 400 is alive."""
    route = make(f"breaker = {{ failures = 1 }}\ntargets = [{models('a')}]", tmp_path)
    walk = route.walk(NOW)
    leaf = walk.start_at(DRAW, NOW)
    assert leaf is not None
    assert fail(walk, failure(400)) == ("stop", 0)
    assert route.table.read(leaf.slot, NOW)[:1] == ("closed",) and route.table.read(leaf.slot, NOW).succeeded == 1


def test_quick_refusals_do_not_look_fast(tmp_path: Path) -> None:
    """A target that answers 429 in no time is not the fastest, nor the least busy."""
    for strategy in ("latency", "least_busy", "throughput"):
        route = make(f'{NEVER}strategy = "{strategy}"\ntargets = [{models("a", "b")}]', tmp_path)
        for leaf, status, ms in zip(route.leaves, (429, 200), (1, 500), strict=True):
            walk = route.walk(NOW)
            walk.bar_leaf(1 - leaf.index, 3)
            walk.start_at(DRAW, NOW - SECOND)
            walk.end_attempt(NOW, status=status, first_byte_ns=ms * MS, tokens=10)
        assert route.table.read(route.leaves[0].slot, NOW).first_byte_ns is None
        assert first_of(route, 20) == {"b": 20}


def test_barred_leaves_are_never_tried(tmp_path: Path) -> None:
    """What the caller may not use, or does not have the operation, is skipped with its reason."""
    route = make(f"{NEVER}targets = [{models('a', 'b', 'c')}]", tmp_path)
    walk = route.walk(NOW)
    walk.bar_leaf(0, REASONS.index("not allowed"))
    walk.bar_leaf(2, REASONS.index("does not serve the operation"))
    assert visited(walk, lambda _: failure(503)) == ["b"]
    assert [(leaf.label, why) for leaf, why in walk.passed_over()] == [("one/a", "not allowed"), ("one/c", "does not serve the operation")]
    with pytest.raises(IndexError):
        walk.bar_leaf(3, 1)


CONDITIONAL = f"""
{NEVER}strategy = "conditional"
conditions = [
  {{ query = {{ "metadata.tier" = "gold" }}, then = "best" }},
  {{ query = {{ tokens = {{ "$gt" = 1000 }} }}, then = "long" }},
]
default = "plain"
targets = [
  {{ name = "plain", integration = "one", model = "a" }},
  {{ name = "long", integration = "one", model = "b" }},
  {{ name = "best", targets = [{models("c", "d")}] }},
]
"""


@pytest.mark.parametrize(("facts", "expected"), [
    (Facts(), ["a"]), (Facts(tokens=2000), ["b"]), (Facts(tokens=2000, metadata={"tier": "gold"}), ["c", "d"]),
])
def test_first_condition_that_holds_decides(tmp_path: Path, facts: Facts, expected: list[str]) -> None:
    """The first condition names the branch, and a failure there leads to no other branch."""
    route = make(CONDITIONAL, tmp_path)
    walk = route.walk(NOW, facts)
    assert route.needs_facts
    assert visited(walk, lambda _: failure(503)) == expected
    reasons = {leaf.target: why for leaf, why in walk.passed_over()}
    assert reasons == {model: "condition" for model in "abcd" if model not in expected}


def test_no_condition_and_no_default_is_no_target(tmp_path: Path) -> None:
    """Where nothing holds, there is no target, and the walk says why."""
    route = make(CONDITIONAL.replace('default = "plain"', ""), tmp_path)
    walk = route.walk(NOW, Facts())
    assert walk.start_at(DRAW, NOW) is None and len(walk.passed_over()) == 4


NESTED = f"""
{NEVER}targets = [
  {{ strategy = "weighted", name = "pool", on_status = [429], on_errors = [], targets = [{models("a", "b")}] }},
  {{ strategy = "single", targets = [{models("c")}] }},
]
"""


def test_inner_branch_is_asked_before_the_outer(tmp_path: Path) -> None:
    """A failure that the pool knows stays in the pool until it is used up; another leaves it for good."""
    route = make(NESTED, tmp_path)
    within = visited(route.walk(NOW), lambda _: failure(429))
    assert sorted(map(str, within[:2])) == ["a", "b"] and within[2:] == ["c"]
    walk = route.walk(NOW)
    out = visited(walk, lambda _: failure(503))
    assert len(out) == 2 and out[1] == "c"
    assert [why for _, why in walk.passed_over()] == ["the failure does not lead there"]
    assert [leaf.path for leaf in route.leaves] == ["targets[0].targets[0]", "targets[0].targets[1]", "targets[1].targets[0]"]


def test_inheritance_is_as_written(tmp_path: Path) -> None:
    """retry, breaker and timeouts are handed down as a whole; params are merged, the inner ones win; what is dropped adds up."""
    route = make("""
        retry = { attempts = 3, max_ms = 500 }
        timeouts = { first_byte_ms = 1000, idle_ms = 5 }
        default_params = { temperature = 0.2, seed = 1 }
        override_params = { user = "outer", metadata = { a = 1 } }
        drop_params = ["logprobs"]
        targets = [
          { integration = "one", model = "a" },
          { retry = { attempts = 1 }, timeouts = { total_ms = 9 }, override_params = { user = "mid" }, drop_params = ["n"], targets = [
            { integration = "two", model = "b", override_params = { metadata = { b = 2 } }, default_params = { temperature = 0.5 } },
          ] },
        ]
    """, tmp_path)
    first, second = route.leaves
    assert (first.retry.attempts, first.retry.max_ns, first.timeouts.idle_ms) == (3, 500 * MS, 5)
    assert (second.retry.attempts, second.retry.max_ns) == (1, 10_000 * MS)
    assert (second.timeouts.total_ms, second.timeouts.first_byte_ms) == (9, None)
    assert first.override_params == {"user": "outer", "metadata": {"a": 1}}
    assert second.override_params == {"user": "mid", "metadata": {"b": 2}}
    assert (first.default_params, second.default_params) == ({"temperature": 0.2, "seed": 1}, {"temperature": 0.5, "seed": 1})
    assert isinstance(second.default_params["temperature"], float)
    assert (first.drop_params, second.drop_params) == (("logprobs",), ("logprobs", "n"))


def first_of(route: Route, count: int, facts: Callable[[int], Facts] | None = None, **wishes: object) -> Counter[object]:
    """How often each target is the first of so many requests."""
    seen: Counter[object] = Counter()
    rng = random.Random(1)
    for number in range(count):
        asked = msgspec.convert(wishes, Wishes) if wishes else None
        walk = route.walk(NOW, facts(number) if facts else None, asked, input_tokens=1000, output_tokens=500)
        seen[name_of(walk.start_at(rng.getrandbits(64), NOW))] += 1
        walk.end_attempt(NOW, status=200)
    return seen


def test_weights_hold_at_every_level(tmp_path: Path) -> None:
    """A branch gets its weight's share, and each of its leaves its weight's share of that."""
    route = make("""strategy = "weighted"
        targets = [
          { integration = "one", model = "a", weight = 2 },
          { strategy = "weighted", weight = 2, targets = [
            { integration = "one", model = "b", weight = 3 }, { integration = "one", model = "c", weight = 1 } ] } ]""", tmp_path)
    seen = first_of(route, 4000)
    assert all(abs(seen[model] - share) < 150 for model, share in {"a": 2000, "b": 1500, "c": 500}.items())


def test_cost_weighs_input_and_output(tmp_path: Path) -> None:
    """The cheapest for this request serves, also from an inner branch, and unknown prices come last."""
    route = make(f"""strategy = "cost"
        targets = [{models("mid", "unknown")}, {{ targets = [{models("cheap", "dear")}] }}]""", tmp_path)
    assert first_of(route, 50) == {"cheap": 50}
    flat = make(f'{NEVER}strategy = "cost"\ntargets = [{models("unknown", "dear", "mid")}]', tmp_path)
    assert visited(flat.walk(NOW), lambda _: failure(503)) == ["mid", "dear", "unknown"]


def test_caller_may_wish_an_order_and_a_price(tmp_path: Path) -> None:
    """sort takes the place of the route's own way, max_price leaves out what is dearer or not known."""
    route = make(f"targets = [{models('dear', 'mid', 'cheap', 'unknown')}]", tmp_path)
    assert first_of(route, 20) == {"dear": 20}
    assert first_of(route, 20, sort="price") == {"cheap": 20}
    assert first_of(route, 20, max_input_price=1000) == {"mid": 20}
    walk = route.walk(NOW, None, Wishes(max_output_price=400))
    assert name_of(walk.start_at(DRAW, NOW)) == "cheap"
    assert [(leaf.target, why) for leaf, why in walk.passed_over()] == [
        ("dear", "price above max_price"), ("mid", "price above max_price"), ("unknown", "price unknown")]
    assert route.walk(NOW, None, Wishes(max_input_price=1)).start_at(DRAW, NOW) is None


@pytest.mark.parametrize("sort", ["latency", "throughput"])
def test_sort_by_speed_takes_the_fastest(tmp_path: Path, sort: str) -> None:
    """Of two that have answered, the faster one serves all who wish so."""
    route = make(f"targets = [{models('slow', 'fast')}]", tmp_path)
    for leaf, ms in zip(route.leaves, (400, 100), strict=True):
        ticket = route.table.begin_at(leaf.slot, leaf.breaker, NOW)
        assert ticket == 0
        route.table.end_at(leaf.slot, ticket, 0, leaf.breaker, NOW, first_byte_ns=ms * MS, tokens=100, duration_ns=ms * 10 * MS)
    assert first_of(route, 30) == {"slow": 30}
    assert first_of(route, 30, sort=sort) == {"fast": 30}


STICKY = f"""strategy = "weighted"
sticky = {{ fields = ["metadata.user", "params.user"] }}
targets = [{models("a", "b", "c")}]
"""


def test_sticky_callers_come_back(tmp_path: Path) -> None:
    """A caller has one target whatever is drawn; many callers spread over all; without the fields chance decides."""
    route = make(STICKY, tmp_path)
    for user in range(20):
        assert len(first_of(route, 10, lambda _, user=user: Facts(metadata={"user": user}))) == 1  # type: ignore[misc]  # a default binds
    seen = first_of(route, 600, lambda number: Facts(body=b'{"user": "%d"}' % number))
    assert min(seen.values()) > 130 and len(seen) == 3
    assert len(first_of(route, 50, lambda _: Facts())) == 3


def test_sticky_caller_of_a_lost_target_moves_alone(tmp_path: Path) -> None:
    """When a target's breaker opens, only its callers go elsewhere, and they come back when it closes."""
    route = make(STICKY + "breaker = { failures = 1 }\n", tmp_path)

    def who_goes_where() -> list[object]:
        goes = []
        for number in range(60):
            walk = route.walk(NOW, Facts(metadata={"user": number}))
            goes.append(name_of(walk.start_at(number, NOW)))
            walk.end_attempt(NOW, says_nothing=True)
        return goes

    before = who_goes_where()
    lost = route.leaves[0]
    ticket = route.table.begin_at(lost.slot, lost.breaker, NOW)
    assert ticket == 0
    route.table.end_at(lost.slot, ticket, 1, lost.breaker, NOW)
    after = who_goes_where()
    assert "a" in before and "a" not in after
    assert all(was == now for was, now in zip(before, after, strict=True) if was != "a")
    probe = route.table.begin_at(lost.slot, lost.breaker, NOW, forced=True)
    assert probe
    route.table.end_at(lost.slot, probe, 0, lost.breaker, NOW)
    assert who_goes_where() == before


def test_trail_is_a_structured_field(tmp_path: Path) -> None:
    """Attempts and those passed over are lists of RFC 9651, whatever a name holds, and no longer than a field may be."""
    route = make(f"{NEVER}targets = [{models('a', 'b')}]", tmp_path)
    walk = route.walk(NOW)
    walk.start_at(DRAW, NOW)
    fail(walk, failure(503), NOW + 12 * MS)
    walk.end_attempt(NOW + 20 * MS, status=200)
    labels = [leaf.label for leaf in route.leaves]
    assert attempts_field(labels, walk.attempts) == '"one/a";status=503;trouble="overloaded";ms=12, "one/b";status=200;ms=8'
    assert passed_over_field([('q"\\\n', "open")]) == '"q\\"\\\\?";why="open"'
    assert len(passed_over_field([("x" * 60, "open")] * 1000)) <= 4096


# Any tree, any failures: each step is one that docs/routing.md allows.

def nodes(depth: int) -> st.SearchStrategy[written.Target]:
    """Trees of leaves and branches of every strategy that needs no facts."""
    leaf = st.builds(written.Target, integration=st.just("one"), model=st.sampled_from([f"m{number}" for number in range(8)]))
    if depth == 0:
        return leaf
    inner = st.lists(nodes(depth - 1), min_size=1, max_size=3).map(tuple)
    branch = st.builds(
        written.Target, strategy=st.sampled_from(["fallback", "weighted", "latency", "least_busy", "cost", "throughput"]), targets=inner,
        on_status=st.sampled_from([None, (429,), (500, 429), ()]), on_errors=st.just(()))
    single = st.builds(written.Target, strategy=st.just("single"), targets=st.lists(nodes(depth - 1), min_size=1, max_size=1).map(tuple))
    return st.one_of(leaf, branch, single)


def ancestors(leaf: Leaf) -> list[Branch]:
    """From the nearest to the root."""
    found: list[Branch] = []
    node: Branch | None = leaf.parent
    while node is not None:
        found.append(node)
        node = node.parent
    return found


def check_step(route: Route, leaf: Leaf, status: int, spent: set[int], following: Leaf | None) -> None:
    """After a failure: the nearest branch that it leads on in and that has an untried leaf provides the next one."""
    for branch in ancestors(leaf):
        untried = [index for index in range(branch.first, branch.last) if index not in spent]
        if branch.name != "single" and status in branch.on_status and untried:
            assert following is not None and following.index in untried
            if branch.name == "fallback":
                below = [child for child in branch.children if indexes(child) - spent]
                assert following.index in indexes(below[0])
            return
        spent |= set(range(branch.first, branch.last))
    assert following is None


def indexes(node: Leaf | Branch) -> set[int]:
    """The leaves below a node."""
    return {node.index} if isinstance(node, Leaf) else set(range(node.first, node.last))


@settings(max_examples=300, deadline=None)
@given(st.lists(nodes(2), min_size=1, max_size=3), st.sampled_from(["fallback", "weighted", "cost"]), st.randoms(use_true_random=False))
def test_every_way_through_every_tree_is_allowed(
    tmp_path_factory: pytest.TempPathFactory, targets: list[written.Target], strategy: written.Strategy, rng: random.Random
) -> None:
    """A walk never tries a leaf twice, moves as the branches say, ends, and leaves nothing in flight."""
    section = written.Route(
        targets=tuple(targets), strategy=strategy, retry=written.Retry(attempts=0), on_status=(429,), on_errors=(),
        breaker=written.Breaker(failures=2))
    table = TargetTable(tmp_path_factory.getbasetemp() / "targets", capacity=16, fresh=True)
    route = build_route("any", section, table, lambda target: Placed(target.model, rng.randrange(-1, 5), rng.randrange(-1, 5)))
    for _ in range(3):
        walk, tried, spent = route.walk(NOW), list[int](), set[int]()
        leaf = walk.start_at(rng.getrandbits(64), NOW)
        while leaf is not None:
            assert leaf.index not in spent
            tried.append(leaf.index)
            spent.add(leaf.index)
            status = rng.choice([429, 500])
            following = walk.leaf if fail(walk, failure(status), NOW, rng.getrandbits(64)) == ("moved", 0) else None
            if all(table.read(one.slot, NOW).state == "closed" for one in route.leaves):
                check_step(route, leaf, status, spent, following)
            else:
                # an open breaker changes the order, not where a failure leads
                branches = [branch for branch in ancestors(leaf) if branch.name != "single" and status in branch.on_status]
                assert following is None or any(branch.first <= following.index < branch.last for branch in branches)
                spent |= {index for index in range(len(route.leaves)) if walk_gave_up(walk, index)}
            leaf = following
        assert len(tried) == len(set(tried))
    assert all(table.read(leaf.slot, NOW).in_flight == 0 for leaf in route.leaves)


def walk_gave_up(walk: Walk, index: int) -> bool:
    """Whether a leaf lies below a branch that was left."""
    return any(leaf.index == index and why == "the failure does not lead there" for leaf, why in walk.passed_over())
