"""What the table of targets promises to one process: breakers, means, choices, and slots that are found again."""
import tempfile
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fastgw._core.route import STRATEGIES, BreakerRule, LayoutError, TargetTable
from tests.oracles.route import FAILED, SAID_NOTHING, SUCCEEDED, PlainRule, PlainTarget, choose, mixed

MS = 1_000_000
SECOND = 1000 * MS
NOW = 5_000_000 * SECOND
FOREVER = 86_400 * SECOND


@pytest.fixture
def table(tmp_path: Path) -> TargetTable:
    """An empty table."""
    return TargetTable(tmp_path / "targets", capacity=16, fresh=True)


def attempt(table: TargetTable, slot: int, health: int, now_ns: int, breaker: BreakerRule, first_byte_ms: int = -1) -> int | None:
    """Begin and end one attempt; its ticket."""
    ticket = table.begin_at(slot, breaker, now_ns)
    if ticket is not None:
        first_byte_ns = first_byte_ms * MS if first_byte_ms >= 0 else -1
        table.end_at(slot, ticket, health, breaker, now_ns, first_byte_ns=first_byte_ns)
    return ticket


def test_failures_in_a_row_open_and_a_probe_closes(table: TargetTable) -> None:
    """After five failures nobody is let in for the cooldown; then one probe, whose success lets all in again."""
    breaker = BreakerRule(failures=5, failure_percent=0)
    held = table.hold(["a"])
    slot = held.slots[0]
    for _ in range(5):
        assert attempt(table, slot, FAILED, NOW, breaker) == 0
    assert table.read(slot, NOW)[:2] == ("open", NOW + 30 * SECOND)
    assert table.begin_at(slot, breaker, NOW + 30 * SECOND - MS) is None
    probe = table.begin_at(slot, breaker, NOW + 30 * SECOND)
    assert probe
    assert table.begin_at(slot, breaker, NOW + 30 * SECOND) is None
    table.end_at(slot, probe, SUCCEEDED, breaker, NOW + 31 * SECOND)
    view = table.read(slot, NOW + 31 * SECOND)
    assert (view.state, view.in_a_row, view.in_flight, view.opened) == ("closed", 0, 0, 1)
    assert table.begin_at(slot, breaker, NOW + 31 * SECOND) == 0


def test_pages_that_go_take_nothing_with_them(table: TargetTable) -> None:
    """A table that lets its pages go has every count and state that it had."""
    breaker = BreakerRule(failures=5, failure_percent=0)
    slot = table.hold(["a"]).slots[0]
    for _ in range(5):
        attempt(table, slot, FAILED, NOW, breaker)
    before = table.read(slot, NOW)
    table.let_pages_go()
    assert table.read(slot, NOW) == before and before.state == "open"


def test_success_in_between_begins_the_row_afresh(table: TargetTable) -> None:
    """Four failures, one success and four failures are no five in a row."""
    breaker = BreakerRule(failures=5, failure_percent=0)
    slot = table.hold(["a"]).slots[0]
    for health in (*[FAILED] * 4, SUCCEEDED, *[FAILED] * 4):
        assert attempt(table, slot, health, NOW, breaker) == 0
    assert table.read(slot, NOW).state == "closed"


def test_share_of_failures_opens_within_the_window_only(table: TargetTable) -> None:
    """Half of ten requests in the window open it; the same failures before the window do not."""
    breaker = BreakerRule(failures=0, failure_percent=50, minimum_requests=10, window_s=10)
    held = table.hold(["a", "b"])
    early, late = held.slots
    for number in range(10):
        attempt(table, early, number % 2, NOW, breaker)
        attempt(table, late, number % 2, NOW, breaker)
    assert table.read(early, NOW).state == "open"
    slow = TargetTable(Path(table.path), worker=0)
    assert slow.read(late, NOW).recent_failed == 5
    third = table.hold(["c"]).slots[0]
    for number in range(9):
        attempt(table, third, FAILED if number < 5 else SUCCEEDED, NOW, breaker)
    attempt(table, third, FAILED, NOW + 10 * SECOND, breaker)
    assert table.read(third, NOW + 10 * SECOND).state == "closed"


def test_failed_probe_opens_for_another_cooldown(table: TargetTable) -> None:
    """A probe that fails begins a whole cooldown, and a late result of an older round changes nothing."""
    breaker = BreakerRule(failures=1, cooldown_ms=1000, probes=2)
    slot = table.hold(["a"]).slots[0]
    attempt(table, slot, FAILED, NOW, breaker)
    first = table.begin_at(slot, breaker, NOW + SECOND)
    second = table.begin_at(slot, breaker, NOW + SECOND)
    assert first and first == second
    table.end_at(slot, first, FAILED, breaker, NOW + SECOND)
    assert table.read(slot, NOW + SECOND)[:2] == ("open", NOW + 2 * SECOND)
    again = table.begin_at(slot, breaker, NOW + 2 * SECOND)
    assert again and again != first
    table.end_at(slot, second, SUCCEEDED, breaker, NOW + 2 * SECOND)
    table.end_at(slot, again, SUCCEEDED, breaker, NOW + 2 * SECOND)
    assert table.read(slot, NOW + 2 * SECOND).state == "half_open"
    last = table.begin_at(slot, breaker, NOW + 2 * SECOND)
    assert last == again
    table.end_at(slot, last, SUCCEEDED, breaker, NOW + 2 * SECOND)
    assert table.read(slot, NOW + 2 * SECOND).state == "closed"


def test_probe_that_says_nothing_is_handed_out_again(table: TargetTable) -> None:
    """A caller who goes away in the middle of a probe leaves it to the next one."""
    breaker = BreakerRule(failures=1, cooldown_ms=1000)
    slot = table.hold(["a"]).slots[0]
    attempt(table, slot, FAILED, NOW, breaker)
    probe = table.begin_at(slot, breaker, NOW + SECOND)
    assert probe and table.begin_at(slot, breaker, NOW + SECOND) is None
    table.end_at(slot, probe, SAID_NOTHING, breaker, NOW + SECOND)
    assert table.begin_at(slot, breaker, NOW + SECOND) == probe
    # and where its worker died, the next round comes after the cooldown
    assert table.begin_at(slot, breaker, NOW + 2 * SECOND) == probe + 1


def test_least_bad_serves_when_all_are_open(table: TargetTable) -> None:
    """With every breaker open the one whose time is over soonest is tried, as a probe before its time."""
    breaker = BreakerRule(failures=1)
    slots = table.hold(["a", "b", "c"]).slots
    for place, slot in enumerate(slots):
        attempt(table, slot, FAILED, NOW + (place + 1) % 3 * SECOND, breaker)
    now = NOW + 5 * SECOND
    for strategy in STRATEGIES:
        assert table.choose_among(strategy, slots, now) == (2, True)
    assert table.choose_among("first", slots, now, unfit=[2]) == (0, True)
    assert table.choose_among("first", slots, now, unfit=[0, 1, 2]) is None
    probe = table.begin_at(slots[2], breaker, now, forced=True)
    assert probe
    table.end_at(slots[2], probe, SUCCEEDED, breaker, now)
    assert table.choose_among("first", slots, now) == (2, False)


def test_no_more_are_left_alone_than_allowed(table: TargetTable) -> None:
    """With at most half ejected, two of four open targets serve on, the least bad ones."""
    breaker = BreakerRule(failures=1)
    slots = table.hold(["a", "b", "c", "d"]).slots
    for place, slot in enumerate(slots[:3]):
        attempt(table, slot, FAILED, NOW - place * SECOND, breaker)
    assert table.choose_among("first", slots, NOW) == (3, False)
    assert table.choose_among("first", slots, NOW, max_ejected_percent=50) == (2, True)
    assert table.choose_among("first", slots, NOW, max_ejected_percent=25) == (1, True)
    assert table.choose_among("first", slots, NOW, max_ejected_percent=0) == (0, True)


def test_weights_are_the_shares(table: TargetTable) -> None:
    """Of many requests each target gets its weight's share; weight 0 only where no other can serve."""
    slots = table.hold(["a", "b", "c"]).slots
    counts = table._bench_choose("weighted", slots, NOW, 100_000, weights=[7, 3, 0])
    assert counts[2] == 0 and abs(counts[0] - 70_000) < 1500
    assert table.choose_among("weighted", slots, NOW, weights=[7, 3, 0], unfit=[0, 1]) == (2, False)


def test_faster_of_two_serves_and_the_busy_one_rests(table: TargetTable) -> None:
    """Latency prefers the shorter time to first byte until so many are in flight there that the other is as good."""
    breaker = BreakerRule()
    slots = table.hold(["fast", "slow"]).slots
    attempt(table, slots[0], SUCCEEDED, NOW, breaker, 100)
    attempt(table, slots[1], SUCCEEDED, NOW, breaker, 350)
    assert table._bench_choose("latency", slots, NOW, 100) == [100, 0]
    for _ in range(3):
        table.begin_at(slots[0], breaker, NOW)
    assert table._bench_choose("latency", slots, NOW, 100) == [0, 100]
    assert table._bench_choose("fastest", slots, NOW, 100) == [100, 0]


def test_slow_target_is_tried_again_in_time(table: TargetTable) -> None:
    """A mean that nobody renews halves every 262 seconds, until the target looks worth another try."""
    breaker = BreakerRule()
    slots = table.hold(["fast", "slow"]).slots
    attempt(table, slots[1], SUCCEEDED, NOW, breaker, 350)
    later = NOW + 600 * SECOND
    attempt(table, slots[0], SUCCEEDED, later, breaker, 100)
    seen = [table.read(slots[1], NOW + seconds * SECOND).first_byte_ns or 0 for seconds in (0, 262, 525, 600, FOREVER // SECOND)]
    assert all(before > after for before, after in pairwise(seen)) and seen[-1] == 10_000
    assert abs(seen[1] - 175 * MS) < 2 * MS
    assert table._bench_choose("latency", slots, later, 100) == [0, 100]


def test_unknown_target_gets_its_share_and_no_more(table: TargetTable) -> None:
    """One that nothing is known of counts as fast as the other, so a burst does not all go there before it has answered."""
    breaker = BreakerRule()
    slots = table.hold(["known", "unknown"]).slots
    attempt(table, slots[0], SUCCEEDED, NOW, breaker, 100)
    taken = Counter[int]()
    for number in range(100):
        place, _ = table.choose_among("latency", slots, NOW, draw=mixed(number)) or (-1, False)
        table.begin_at(slots[place], breaker, NOW)
        taken[place] += 1
    assert taken == {0: 50, 1: 50}


def test_fast_failure_does_not_look_like_speed(table: TargetTable) -> None:
    """A target that failed at once is neither the least busy nor the fastest."""
    breaker = BreakerRule()
    slots = table.hold(["failing", "working"]).slots
    attempt(table, slots[0], FAILED, NOW, breaker, 1)
    attempt(table, slots[1], SUCCEEDED, NOW, breaker, 1)
    for strategy in ("least_busy", "latency", "fastest"):
        assert table._bench_choose(strategy, slots, NOW, 50) == [0, 50]


def test_losing_a_target_moves_only_its_own_callers(table: TargetTable) -> None:
    """With sticky every caller keeps its target, and those of a lost one are spread by weight over the others."""
    slots = table.hold(["a", "b", "c", "d"]).slots
    weights, numbers = [1, 2, 3, 2], [11, 22, 33, 44]
    before: list[int] = []
    after: list[int] = []
    for who in range(4000):
        for chosen, unfit in ((before, []), (after, [2])):
            found = table.choose_among("sticky", slots, NOW, weights=weights, numbers=numbers, draw=mixed(who), unfit=unfit)
            chosen.append(found[0] if found else -1)
    assert all(one == other for one, other in zip(before, after, strict=True) if one != 2)
    assert [abs(before.count(place) - 500 * weights[place]) < 150 for place in range(4)] == [True] * 4
    assert 2 not in after and abs(after.count(1) - 1600) < 150


def test_cheapest_serves_and_unknown_prices_come_last(table: TargetTable) -> None:
    """The least price wins, equals share, and what has no price serves only where nothing else does."""
    slots = table.hold(["a", "b", "c"]).slots
    counts = table._bench_choose("cheapest", slots, NOW, 1000, numbers=[5, -1, 5])
    assert counts[1] == 0 and min(counts[0], counts[2]) > 400
    assert table.choose_among("cheapest", slots, NOW, numbers=[5, -1, 5], unfit=[0, 2]) == (1, False)


def test_slots_are_found_again_and_reused(tmp_path: Path) -> None:
    """A target keeps its slot and what is known of it while there is room; then the one unheld for longest goes."""
    table = TargetTable(tmp_path / "targets", capacity=3, fresh=True)
    breaker = BreakerRule()
    held = table.hold(["a", "b", "a"])
    first, second, same = held.slots
    assert first == same
    attempt(table, first, SUCCEEDED, NOW, breaker)
    del held
    kept = table.hold(["b"])
    assert table.hold(["a"]).slots == (first,) and table.read(first, NOW).succeeded == 1
    both = table.hold(["c", "d"])
    assert both.slots == (2, first) and table.read(first, NOW).succeeded == 0
    with pytest.raises(OverflowError, match="at most 3 targets"):
        table.hold(["a"])
    assert kept.slots == (second,)
    del both
    table.begin_at(first, breaker, NOW)
    assert table.hold(["e"]).slots == (2,)
    assert repr(table) == f"<TargetTable {tmp_path}/targets worker 0, 3 of 3 targets>"


def test_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    """Whatever else lies there is not mapped; a fresh start puts a table in its place."""
    path = tmp_path / "targets"
    with pytest.raises(FileNotFoundError):
        TargetTable(path)
    for content in (b"", b"x" * 10_000):
        path.write_bytes(content)
        with pytest.raises(LayoutError, match="expected a table of targets"):
            TargetTable(path)
    TargetTable(path, fresh=True, capacity=4)
    assert TargetTable(path).capacity == 4
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LayoutError):
        TargetTable(path)


@pytest.mark.parametrize("wrong", [{"probes": 0}, {"window_s": 61}, {"cooldown_ms": 0}, {"failure_percent": 101}, {"failures": -1}])
def test_rule_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    """A rule that the words of the table cannot hold is not made."""
    with pytest.raises(ValueError, match="expected"):
        BreakerRule(**wrong)


def test_looker_sees_and_touches_nothing(table: TargetTable) -> None:
    """A process that opens the table to look at it can neither hold nor begin."""
    slot = table.hold(["a"]).slots[0]
    looker = TargetTable(table.path, worker=-1)
    assert looker.read(slot, NOW).state == "closed"
    for touch in (lambda: looker.hold(["a"]), lambda: looker.begin_at(slot, BreakerRule(), NOW)):
        with pytest.raises(ValueError, match="only looks"):
            touch()
    for method in (looker.read, lambda slot, now: looker.end_at(slot, 0, 0, BreakerRule(), now)):
        with pytest.raises(IndexError, match="expected a slot from 0 to 15"):
            method(16, NOW)


def test_threads_count_exactly(table: TargetTable) -> None:
    """Eight threads that hammer one target lose no attempt."""
    slot = table.hold(["a"]).slots[0]
    breaker = BreakerRule(failures=0, failure_percent=0)
    threads = [threading.Thread(target=table._bench_attempts, args=(slot, breaker, NOW, 0, 20_000, 2)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    view = table.read(slot, NOW)
    assert (view.succeeded, view.failed, view.recent_succeeded, view.recent_failed, view.in_flight) == (80_000,) * 4 + (0,)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_choice_is_the_plain_choice(data: st.DataObject) -> None:
    """Every strategy chooses what a plain program chooses, whatever is open, unfit, weighted, busy or unknown."""
    count = data.draw(st.integers(1, 6))
    breaker = BreakerRule(failures=2, failure_percent=0)
    plain_rule = PlainRule(failures=2, failure_percent=0)
    with tempfile.TemporaryDirectory() as folder:
        table = TargetTable(Path(folder) / "targets", fresh=True)
        slots = table.hold(str(place) for place in range(count)).slots
        plain = [PlainTarget() for _ in range(count)]
        now = NOW
        for _ in range(data.draw(st.integers(0, 25))):
            place = data.draw(st.integers(0, count - 1))
            now += data.draw(st.integers(0, 5000)) * MS
            ticket = table.begin_at(slots[place], breaker, now)
            assert ticket == plain[place].begin(plain_rule, now // MS, False)
            if ticket is not None and data.draw(st.booleans()):
                health = data.draw(st.integers(0, 2))
                spent = data.draw(st.tuples(st.integers(-1, 10**11), st.integers(0, 50), st.integers(0, 10**11)))
                table.end_at(slots[place], ticket, health, breaker, now, first_byte_ns=spent[0], tokens=spent[1], duration_ns=spent[2])
                plain[place].end(ticket, health, plain_rule, now // MS, *spent)
        weights = data.draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
        numbers = data.draw(st.lists(st.integers(-1, 9), min_size=count, max_size=count))
        unfit = data.draw(st.sets(st.integers(0, count - 1)))
        percent = data.draw(st.sampled_from([0, 25, 50, 100]))
        now += data.draw(st.integers(0, 40_000)) * MS
        draw = data.draw(st.integers(0, 2**64 - 1))
        for strategy in STRATEGIES:
            found = table.choose_among(strategy, slots, now, weights=weights, numbers=numbers, unfit=unfit, draw=draw,
                                       max_ejected_percent=percent)
            assert found == choose(strategy, plain, weights, numbers, unfit, draw, now // MS, percent), strategy


class Twins(RuleBasedStateMachine):
    """The table and its plain twin, step by step on one target."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.table = TargetTable(Path(self.folder.name) / "targets", fresh=True)
        self.held = self.table.hold(["a"])
        self.slot = self.held.slots[0]
        self.plain = PlainTarget()
        self.now = NOW
        self.tickets: list[int] = []

    @initialize(failures=st.integers(0, 4), percent=st.sampled_from([0, 30, 60, 100]), least=st.integers(1, 6),
                window=st.integers(1, 60), cooldown=st.integers(1, 5000), probes=st.integers(1, 3))
    def make_rule(self, failures: int, percent: int, least: int, window: int, cooldown: int, probes: int) -> None:
        self.plain_rule = PlainRule(failures, percent, least, window, cooldown, probes)
        self.breaker = BreakerRule(failures=failures, failure_percent=percent, minimum_requests=least, window_s=window,
                                   cooldown_ms=cooldown, probes=probes)

    @rule(ms=st.integers(0, 8000))
    def wait(self, ms: int) -> None:
        self.now += ms * MS

    @rule(forced=st.booleans())
    def begin(self, forced: bool) -> None:
        ticket = self.table.begin_at(self.slot, self.breaker, self.now, forced=forced)
        assert ticket == self.plain.begin(self.plain_rule, self.now // MS, forced)
        if ticket is not None:
            self.tickets.append(ticket)

    @rule(which=st.integers(0, 20), health=st.sampled_from([0, 1, 1, 2]), first_byte=st.integers(-1, 10**10), tokens=st.integers(0, 2000),
          duration=st.integers(0, 10**11))
    def end(self, which: int, health: int, first_byte: int, tokens: int, duration: int) -> None:
        if self.tickets:
            ticket = self.tickets.pop(which % len(self.tickets))
            self.table.end_at(self.slot, ticket, health, self.breaker, self.now, first_byte_ns=first_byte, tokens=tokens,
                              duration_ns=duration)
            self.plain.end(ticket, health, self.plain_rule, self.now // MS, first_byte, tokens, duration)

    @invariant()
    def agree(self) -> None:
        view = self.table.read(self.slot, self.now)
        plain = self.plain
        second = self.now // SECOND
        recent = [failed for at, failed in plain.outcomes if at > second - 60]
        assert view == (
            plain.state, None if plain.state == "closed" else plain.until_ms * MS, plain.in_flight,
            plain.first_byte.now(self.now // MS) * 10_000 or None, plain.token.now(self.now // MS) * 100 or None, plain.in_a_row,
            len(recent) - sum(recent), sum(recent), plain.succeeded, plain.failed, plain.opened,
        )

    def teardown(self) -> None:
        self.folder.cleanup()


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
