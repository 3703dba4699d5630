"""What the ledger promises to one process: budgets, windows, rates, places in flight, and a file that lasts."""
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fastgw._core.ledger import Denied, LayoutError, Ledger

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86400 * SECOND_NS


def moment(*when: int) -> int:
    """A UTC moment as nanoseconds."""
    return int(datetime(*when, tzinfo=UTC).timestamp()) * SECOND_NS  # type: ignore[misc, arg-type]


NOW = moment(2026, 1, 28, 12)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger(tmp_path / "ledger", capacity=8)


def admitted(answer: int | Denied) -> int:
    """The slot of an admitted request."""
    assert isinstance(answer, int), answer
    return answer


def denied(answer: int | Denied) -> Denied:
    """The denial of a refused request."""
    assert isinstance(answer, Denied), answer
    return answer


def test_budget_is_charged_the_truth_and_never_overspent(ledger: Ledger) -> None:
    """A reservation holds the most; the settlement puts the true cost in its place."""
    key = ledger.define("key", budget=100)
    slot = admitted(ledger.admit_chain([key], NOW, 80))
    assert denied(ledger.admit_chain([key], NOW, 21)) == ("budget", key, 100, 20, -1, -1, "nano_usd")
    ledger.settle_slot(slot, NOW, 30)
    assert ledger.remaining_of([key], NOW) == 70
    view = ledger.read(key, now_ns=NOW)
    assert (view.committed, view.spent) == (30, 30)
    assert (view.in_flight, view.lifetime_requests, view.refused) == (0, 1, 1)


def test_exhausted_budget_refuses_what_costs_nothing(ledger: Ledger) -> None:
    """A used-up budget says no to every request, whatever it would cost."""
    key = ledger.define("key", budget=10)
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 10)), NOW, 10)
    assert denied(ledger.admit_chain([key], NOW, 0)).reason == "budget"


def test_denied_chain_takes_nothing_from_anyone(ledger: Ledger) -> None:
    """When the last account says no, every account before it is as it was."""
    chain = [
        ledger.define("organisation", budget=1000, requests_per_minute=60, tokens_per_minute=600),
        ledger.define("workspace", max_parallel=5, tokens_per_minute=700),
        ledger.define("key", budget=5),
    ]
    before = [ledger.read(index, now_ns=NOW) for index in chain]
    assert denied(ledger.admit_chain(chain, NOW, 6, 100)).account == chain[2]
    after = [ledger.read(index, now_ns=NOW) for index in chain]
    assert after == [*before[:2], before[2]._replace(refused=1)]


def test_settling_twice_charges_once(ledger: Ledger) -> None:
    """The second settlement of a reservation changes nothing."""
    key = ledger.define("key")
    slot = admitted(ledger.admit_chain([key], NOW, 5))
    ledger.settle_slot(slot, NOW, 5)
    ledger.settle_slot(slot, NOW, 5)
    view = ledger.read(key, now_ns=NOW)
    assert (view.committed, view.spent, view.lifetime, view.in_flight) == (5, 5, 5, 0)


@pytest.mark.parametrize("rate", [1, 7, 60, 999, 60_000])
def test_request_rate_allows_a_minute_at_once_and_then_its_pace(ledger: Ledger, rate: int) -> None:
    """Exactly the minute's number fit at once; the next when the answer says, and not a nanosecond before."""
    key = ledger.define("key", requests_per_minute=rate)
    assert ledger._bench([key], NOW, 0, 0, 0, rate * 2) == rate
    no = denied(ledger.admit_chain([key], NOW))
    assert (no.reason, no.limit, no.remaining) == ("request_rate", rate, 0)
    assert no.retry_after_ns == -(-MINUTE_NS // rate)
    assert denied(ledger.admit_chain([key], NOW + no.retry_after_ns - 1)).retry_after_ns == 1
    admitted(ledger.admit_chain([key], NOW + no.retry_after_ns))


@pytest.mark.parametrize("rate", [10_000, 7_000_003, 100_000_000, 60_000_000_000_000])
def test_token_rate_is_exact_to_a_nanosecond_a_request(ledger: Ledger, rate: int) -> None:
    """A minute's tokens fit at once; over ten more minutes no more than ten minutes' tokens do, and hardly fewer."""
    key = ledger.define("key", tokens_per_minute=rate)
    each = rate // 1000
    assert 999 <= ledger._bench([key], NOW, 0, 0, each, 2000) <= 1000 + (rate % 1000 > 0)
    steps = 20_000
    more = ledger._bench([key], NOW, 10 * MINUTE_NS // steps, 0, each, steps)
    assert 9_980 <= more <= 10_000 + 10


def test_settled_tokens_correct_the_rate_both_ways(ledger: Ledger) -> None:
    """What was estimated too high comes back, what was too low is taken."""
    key = ledger.define("key", tokens_per_minute=6000)
    slot = admitted(ledger.admit_chain([key], NOW, 0, 5000))
    assert ledger.read(key, now_ns=NOW).tokens_left == 1000
    ledger.settle_slot(slot, NOW, 0, 2000)
    assert ledger.read(key, now_ns=NOW).tokens_left == 4000
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 0, 1000)), NOW, 0, 3500)
    assert ledger.read(key, now_ns=NOW).tokens_left == 500


def test_request_above_the_whole_burst_runs_when_the_bucket_is_full(ledger: Ledger) -> None:
    """It could never run otherwise; it takes everything."""
    key = ledger.define("key", tokens_per_minute=1000)
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 0, 1)), NOW, 0, 1)
    no = denied(ledger.admit_chain([key], NOW, 0, 5000))
    assert (no.reason, no.retry_after_ns) == ("token_rate", 60_000_000)
    admitted(ledger.admit_chain([key], NOW + no.retry_after_ns, 0, 5000))
    assert denied(ledger.admit_chain([key], NOW + no.retry_after_ns, 0, 1)).remaining == 0


def test_clock_that_stepped_back_locks_nobody_out_of_a_rate(ledger: Ledger) -> None:
    """After a step back by years, an account waits at most a minute."""
    key = ledger.define("key", requests_per_minute=60)
    admitted(ledger.admit_chain([key], moment(2031, 1, 1)))
    assert denied(ledger.admit_chain([key], NOW)).retry_after_ns == SECOND_NS
    admitted(ledger.admit_chain([key], NOW + SECOND_NS))


def test_clock_that_stepped_back_ends_no_window_twice_and_none_never(ledger: Ledger) -> None:
    """Seconds back: the new window goes on. Years back: the spend stays, and the next boundary renews it."""
    key = ledger.define("key", budget=100, window="day")
    for when, spend in [(moment(2026, 1, 1, 23, 59, 59), 60), (moment(2026, 1, 2), 50)]:
        ledger.settle_slot(admitted(ledger.admit_chain([key], when, spend)), when, spend)
    assert ledger.remaining_of([key], moment(2026, 1, 1, 23, 59, 58)) == 50
    assert ledger.remaining_of([key], moment(2026, 1, 2)) == 50
    assert ledger.remaining_of([key], moment(2040, 1, 1)) == 100
    ledger.set_spent(key, 90, now_ns=moment(2040, 1, 1))
    assert ledger.remaining_of([key], moment(2026, 1, 2, 1)) == 10
    assert ledger.remaining_of([key], moment(2026, 1, 3)) == 100


@pytest.mark.parametrize(
    ("window", "inside", "renewed"),
    [
        ("day", (2026, 1, 28, 23, 59, 59), (2026, 1, 29)),
        ("week", (2026, 2, 1, 23, 59, 59), (2026, 2, 2)),
        ("month", (2026, 1, 31, 23, 59, 59), (2026, 2, 1)),
        ("30d", (2026, 2, 27, 11, 59, 59), (2026, 2, 27, 12)),
        ("1d", (2026, 1, 29, 11, 59, 59), (2026, 1, 29, 12)),
    ],
)
def test_window_renews_at_its_boundary(
    ledger: Ledger, window: str, inside: tuple[int, ...], renewed: tuple[int, ...]
) -> None:
    """Until the boundary nothing comes back, at it everything but what is reserved does; the denial says when."""
    key = ledger.define("key", budget=100, window=window)
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 70)), NOW, 70)
    admitted(ledger.admit_chain([key], NOW, 20))
    no = denied(ledger.admit_chain([key], moment(*inside), 11))
    assert (no.remaining, no.resets_at_ns, no.retry_after_ns) == (10, moment(*renewed), SECOND_NS)
    assert ledger.remaining_of([key], moment(*renewed)) == 80
    assert ledger.read(key, now_ns=moment(*renewed)).lifetime == 70


def test_months_follow_the_calendar_for_three_centuries(ledger: Ledger) -> None:
    """Every month from 1970 to 2261 begins on its first and ends where the next begins."""
    key = ledger.define("key", budget=1, window="month")
    starts = [
        (datetime(year, month, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days * DAY_NS
        for year in range(1970, 2262)
        for month in range(1, 13)
    ][1:-9]
    for start, end in zip(starts, starts[1:], strict=False):
        for when in (start, end - 1):
            view = ledger.read(key, now_ns=when)
            assert (view.window_start_ns, view.window_end_ns) == (start, end)


def test_charge_counts_in_the_window_in_which_it_settles(ledger: Ledger) -> None:
    """A request that runs over midnight is charged to the new day."""
    key = ledger.define("key", budget=100, window="day")
    slot = admitted(ledger.admit_chain([key], moment(2026, 1, 1, 23, 59), 80))
    ledger.settle_slot(slot, moment(2026, 1, 2, 0, 1), 70)
    assert ledger.read(key, now_ns=moment(2026, 1, 2, 0, 1)).spent == 70


def test_expired_account_refuses_from_that_nanosecond(ledger: Ledger) -> None:
    """Expiry is exact and is the first reason given."""
    key = ledger.define("key", expires_ns=NOW, budget=0)
    assert denied(ledger.admit_chain([key], NOW)).reason == "expired"
    assert denied(ledger.admit_chain([key], NOW - 1)).reason == "budget"


def test_worker_without_a_slot_refuses_and_recovers(tmp_path: Path) -> None:
    """Every slot can be used at once, one more is refused, and a settlement makes room."""
    ledger = Ledger(tmp_path / "ledger", slots=128)
    key = ledger.define("key")
    slots = [admitted(ledger.admit_chain([key], NOW, 1)) for _ in range(128)]
    assert sorted(slots) == list(range(128))
    assert denied(ledger.admit_chain([key], NOW, 1)) == ("full", -1, 0, 0, 0, -1, "nano_usd")
    ledger.settle_slot(77, NOW, 1)
    assert ledger.admit_chain([key], NOW, 1) == 77
    assert ledger.read(key, now_ns=NOW).in_flight == 128


def test_spend_survives_reopening_reordering_and_other_limits(tmp_path: Path) -> None:
    """An account is its name: its index and its spend stay, whatever is defined in whatever order."""
    first = Ledger(tmp_path / "ledger")
    before = {name: first.define(name, budget=100) for name in ("a", "b", "c")}
    first.settle_slot(admitted(first.admit_chain([before["b"]], NOW, 40)), NOW, 40)
    second = Ledger(tmp_path / "ledger")
    after = {name: second.define(name, budget=50, window="month") for name in ("c", "b", "d", "a")}
    assert {name: after[name] for name in before} == before
    assert second.remaining_of([after["b"]], NOW) == 10
    assert first.remaining_of([before["b"]], NOW) == 10


def test_file_grows_under_everyone_who_has_it_open(tmp_path: Path) -> None:
    """Accounts beyond the first capacity are seen by a ledger that was opened before."""
    early, late = (Ledger(tmp_path / "ledger", capacity=2) for _ in range(2))
    indexes = [late.define(f"key-{number}", max_parallel=1) for number in range(5000)]
    assert indexes == list(range(5000))
    admitted(early.admit_chain([4999], NOW))
    assert denied(late.admit_chain([4999], NOW)).reason == "parallel"
    assert [early.define(f"key-{number}") for number in range(5000)] == indexes
    assert len(list(early.accounts())) == len({name for _, name in early.accounts()}) == 5000


def test_unused_pages_take_no_room(tmp_path: Path) -> None:
    """A ledger keeps room for what is about to be written, and of the hundreds of megabytes that its file is long no more."""
    path = tmp_path / "ledger"
    ledger = Ledger(path, workers=64, worker=63, slots=16384)
    admitted(ledger.admit_chain([ledger.define("key")], NOW, 1))
    ledger.recover(now_ns=NOW)
    assert path.stat().st_blocks * 512 < 8 << 20


def test_other_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Neither a stranger's file nor another layout nor a cut-off one is touched, and the message says what helps."""
    path = tmp_path / "ledger"
    path.write_bytes(b"something else" * 1000)
    with pytest.raises(LayoutError, match="found something else at .*: move the file away"):
        Ledger(path)
    assert path.read_bytes() == b"something else" * 1000
    path.write_bytes(b"short")
    with pytest.raises(LayoutError, match="found a file of 5 bytes"):
        Ledger(path)
    path.unlink()
    Ledger(path)
    with path.open("rb") as file:
        whole = file.read(5000)
    path.write_bytes(whole[:8] + b"\x03" + whole[9:4096])
    with pytest.raises(LayoutError, match="expected a ledger of layout 2, found 3 .* run the version that wrote it"):
        Ledger(path)
    path.write_bytes(whole)
    with pytest.raises(LayoutError, match="cut off at 5000 bytes"):
        Ledger(path)


def test_half_made_file_is_made_anew(tmp_path: Path) -> None:
    """A maker who died before the end leaves a file that the next one finishes."""
    path = tmp_path / "ledger"
    path.write_bytes(bytes(4096))
    ledger = Ledger(path)
    assert ledger.define("key") == 0


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"window": "fortnight"}, "got 'fortnight'"),
        ({"window": "0d"}, "got '0d'"),
        ({"window": "99999d"}, "got '99999d'"),
        ({"budget": -1}, "expected budget from 0 to"),
        ({"requests_per_minute": 0}, "expected requests_per_minute from 1 to 60000000000, got 0"),
        ({"max_parallel": 1 << 20}, "expected max_parallel from 1 to 1048575"),
    ],
)
def test_wrong_limits_are_refused_by_name(ledger: Ledger, limits: dict[str, Any], message: str) -> None:
    """The message says what was expected and what was found, and no account is made."""
    with pytest.raises(ValueError, match=message):
        ledger.define("key", **limits)
    assert len(ledger) == 0


def test_wrong_arguments_are_refused(ledger: Ledger, tmp_path: Path) -> None:
    """Indexes, slots and numbers out of range raise instead of reaching into the file."""
    with pytest.raises(IndexError, match="expected an account from 0 to -1, got 0"):
        ledger.admit_chain([0], NOW)
    with pytest.raises(IndexError, match="expected a slot from 0 to 4095, got 4096"):
        ledger.settle_slot(4096, NOW)
    with pytest.raises(ValueError, match="expected worker from 0 to 1, got 2"):
        Ledger(tmp_path / "other", workers=2, worker=2)
    with pytest.raises(TypeError, match="expected an integer as budget, got float"):
        ledger.define("key", budget=1.5)


def test_absurd_costs_neither_wrap_nor_pass(ledger: Ledger) -> None:
    """The greatest integers are bounded, and negative ones count as zero."""
    key = ledger.define("key", budget=100, tokens_per_minute=10)
    assert denied(ledger.admit_chain([key], NOW, 2**63 - 1, 2**63 - 1)).reason == "budget"
    slot = admitted(ledger.admit_chain([key], NOW, -5, -5))
    assert ledger.read(key, now_ns=NOW).committed == 0
    ledger.settle_slot(slot, NOW, -5, 2**63 - 1, -5)
    view = ledger.read(key, now_ns=NOW)
    assert (view.committed, view.spent, view.lifetime) == (0, 0, 0)
    assert ledger.read(key, now_ns=NOW).tokens_left == 0


def test_means_follow_what_was_settled(ledger: Ledger) -> None:
    """The first reply sets the means, a later one moves them by a sixteenth, one without cost or output does not."""
    key = ledger.define("key")
    for cost, output in [(1600, 320), (0, 0), (3200, 640)]:
        ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 10)), NOW, cost, 0, output)
    view = ledger.read(key, now_ns=NOW)
    assert (view.mean_cost_nano_usd, view.mean_output_tokens) == (1700, 340)


def test_admins_set_and_reset_the_spend(ledger: Ledger) -> None:
    """Both leave what is reserved; reset gives the rates back too."""
    key = ledger.define("key", budget=100, requests_per_minute=1, tokens_per_minute=10)
    admitted(ledger.admit_chain([key], NOW, 20, 10))
    ledger.set_spent(key, 50, now_ns=NOW)
    assert ledger.remaining_of([key], NOW) == 30
    ledger.reset(key, now_ns=NOW)
    assert ledger.remaining_of([key], NOW) == 80
    admitted(ledger.admit_chain([key], NOW, 20, 10))


def test_ledger_says_what_it_is(ledger: Ledger) -> None:
    """The representation shows file, worker and number of accounts."""
    ledger.define("key")
    assert repr(ledger) == f"<Ledger {ledger.path} worker 0 of 1, 1 accounts>"


@pytest.mark.parametrize(
    "limits",
    [{"budget": 3000 * 7}, {"max_parallel": 3000}, {"requests_per_minute": 3000}],
    ids=["budget", "parallel", "rate"],
)
def test_eight_threads_are_admitted_exactly_as_often_as_one(tmp_path: Path, limits: dict[str, Any]) -> None:
    """A limit of K lets exactly K of many concurrent requests through."""
    ledger = Ledger(tmp_path / "ledger", slots=4096)
    chain = [ledger.define("workspace"), ledger.define("key", **limits)]
    counts: list[int] = []
    gate = threading.Barrier(8)

    def attack() -> None:
        gate.wait()
        counts.append(ledger._bench_admit(chain, NOW, 7, 1, 1000))

    threads = [threading.Thread(target=attack) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 3000
    assert len(ledger.reclaim(0, now_ns=NOW)) == 3000
    for index in chain:
        view = ledger.read(index, now_ns=NOW)
        assert (view.committed, view.spent, view.in_flight) == (0, 0, 0)


def test_threads_that_admit_and_settle_leave_nothing_behind(tmp_path: Path) -> None:
    """After a storm of reservations and settlements, committed is spent, to the nano-dollar."""
    ledger = Ledger(tmp_path / "ledger", slots=64)
    chain = [ledger.define("workspace"), ledger.define("key", budget=10**6)]
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(ledger._bench(chain, NOW, 1, 3, 1, 50_000))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 10**6 // 3
    for index in chain:
        view = ledger.read(index, now_ns=NOW)
        assert (view.committed, view.spent, view.in_flight) == (999_999, 999_999, 0)
