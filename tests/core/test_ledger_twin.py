"""The ledger and its plain twin say the same, whatever is done to both."""
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fastgw._core.ledger import UNIT_NAMES, Ledger
from tests.core.test_ledger import DAY_NS, MINUTE_NS, SECOND_NS, moment
from tests.oracles.ledger import PlainLedger, Reservation

UNITS = {
    "organisation": "nano_usd",
    "workspace": "nano_usd",
    "key": "nano_usd",
    "key#day:tokens": "tokens",
    "key#month:requests": "requests",
}


class LedgerAgainstItsTwin(RuleBasedStateMachine):
    """Do the same to the ledger and to its plain twin while time passes; they must say the same, word for word."""

    names = st.sampled_from(sorted(UNITS))
    costs = st.integers(0, 60)
    amounts = st.one_of(st.integers(0, 2000), st.sampled_from([60_000, 10**6]))
    waits = st.sampled_from([
        0, 1, 999_999, 30_000_000, SECOND_NS, 7 * SECOND_NS + 1, MINUTE_NS, 11 * 3600 * SECOND_NS, DAY_NS, 6 * DAY_NS,
        29 * DAY_NS, 200 * DAY_NS, -SECOND_NS, -3600 * SECOND_NS, -DAY_NS, -45 * DAY_NS,
    ])

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "ledger"
        self.ledger = Ledger(self.path, capacity=1, slots=64)
        self.twin = PlainLedger()
        self.now_ns = moment(2026, 1, 30, 23)

    def teardown(self) -> None:
        self.directory.cleanup()

    limits = st.fixed_dictionaries(
        {"window": st.sampled_from(["total", "day", "week", "month", "1d", "30d"])},
        optional={
            "budget": st.integers(0, 200),
            "requests_per_minute": st.sampled_from([1, 2, 7, 60, 60_000]),
            "tokens_per_minute": st.sampled_from([1, 1000, 7001, 100_000_000]),
            "max_parallel": st.integers(1, 4),
            "expires_ns": st.sampled_from([moment(2026, 2, 10), moment(2027, 1, 1)]),
        },
    )

    @initialize(first=limits, second=limits)
    def begin(self, first: dict[str, Any], second: dict[str, Any]) -> None:
        self.define("workspace", first)
        self.define("key", second)

    @rule(name=names, limits=limits)
    def define(self, name: str, limits: dict[str, Any]) -> None:
        assert self.ledger.define(name, unit=UNITS[name], **limits) == self.twin.define(name, unit=UNITS[name], **limits)

    @rule(wait_ns=waits)
    def wait(self, wait_ns: int) -> None:
        self.now_ns += wait_ns

    def chain(self, picks: list[int]) -> list[int]:
        return [pick % len(self.twin.accounts) for pick in picks]

    @rule(picks=st.lists(st.integers(0, 4), max_size=4), cost=costs, tokens=amounts, most=costs)
    def admit(self, picks: list[int], cost: int, tokens: int, most: int) -> None:
        chain = self.chain(picks)
        amounts = {"nano_usd": cost, "tokens": most, "requests": 1}
        expected = self.twin.admit(chain, self.now_ns, amounts, tokens)
        answer = self.ledger.admit_chain(chain, self.now_ns, cost, tokens, most)
        if isinstance(answer, int):
            assert expected is None
            self.twin.held[answer] = Reservation(chain, amounts, tokens)
        else:
            assert tuple(answer) == expected

    def held(self, pick: int) -> int:
        return sorted(self.twin.held)[pick % len(self.twin.held)]

    @precondition(lambda self: self.twin.held)
    @rule(pick=st.integers(0, 63), picks=st.lists(st.integers(0, 4), max_size=3), cost=costs, tokens=amounts, most=costs)
    def join(self, pick: int, picks: list[int], cost: int, tokens: int, most: int) -> None:
        slot, chain = self.held(pick), self.chain(picks)
        answer = self.ledger.join_chain(slot, chain, self.now_ns, cost, tokens, most)
        amounts = {"nano_usd": cost, "tokens": most, "requests": 1}
        expected = self.twin.join(slot, chain, self.now_ns, amounts, tokens)
        assert (answer if answer is None else tuple(answer)) == expected

    @precondition(lambda self: any(not one.dispatched for one in self.twin.held.values()))
    @rule(pick=st.integers(0, 63))
    def withdraw(self, pick: int) -> None:
        undispatched = [slot for slot, one in sorted(self.twin.held.items()) if not one.dispatched]
        slot = undispatched[pick % len(undispatched)]
        self.ledger.withdraw_slot(slot)
        self.twin.withdraw(slot)

    @precondition(lambda self: self.twin.held)
    @rule(pick=st.integers(0, 63))
    def dispatch(self, pick: int) -> None:
        slot = self.held(pick)
        self.ledger.dispatch_slot(slot)
        self.twin.held[slot].dispatched = True

    @precondition(lambda self: self.twin.held)
    @rule(pick=st.integers(0, 63), cost=costs, tokens=amounts)
    def settle(self, pick: int, cost: int, tokens: int) -> None:
        slot = self.held(pick)
        self.ledger.settle_slot(slot, self.now_ns, cost, tokens)
        self.twin.settle(slot, self.now_ns, cost, tokens)

    @rule(picks=st.lists(st.integers(0, 4), max_size=4), unit=st.sampled_from(UNIT_NAMES))
    def remaining(self, picks: list[int], unit: str) -> None:
        chain = self.chain(picks)
        assert self.ledger.remaining_of(chain, self.now_ns, unit) == self.twin.remaining(chain, self.now_ns, unit)

    @rule(pick=st.integers(0, 4), spent=st.integers(0, 100))
    def set_spent(self, pick: int, spent: int) -> None:
        (index,) = self.chain([pick])
        self.ledger.set_spent(index, spent, now_ns=self.now_ns)
        self.twin.accounts[index].renew(self.now_ns, False)
        self.twin.accounts[index].spent = spent

    @rule(recovers=st.booleans())
    def die_and_return(self, recovers: bool) -> None:
        self.ledger = Ledger(self.path, slots=64)
        found = self.ledger.recover(now_ns=self.now_ns) if recovers else self.ledger.reclaim(0, now_ns=self.now_ns)
        assert {one.slot: one.charged_nano_usd for one in found} == self.twin.reclaim(self.now_ns)

    @invariant()
    def every_number_agrees(self) -> None:
        for index, account in enumerate(self.twin.accounts):
            account.renew(self.now_ns, False)
            view = self.ledger.read(index, now_ns=self.now_ns)
            assert view.committed == account.spent + account.reserved
            assert view.spent == account.spent
            assert view.lifetime == account.lifetime
            assert (view.in_flight, view.refused) == (account.in_flight, account.refused)
            assert (view.lifetime_requests, view.lifetime_tokens) == (account.settled, account.used_tokens)
            assert (view.unit, view.budget, view.remaining) == (account.unit, account.budget, account.left())
            assert view.is_exhausted == account.is_exhausted()
            assert view.window_start_ns == (account.start_ns or None)
            assert view.requests_left == (account.requests.left(self.now_ns) if account.requests else None)
            assert view.tokens_left == (account.tokens.left(self.now_ns) if account.tokens else None)


TestLedgerAgainstItsTwin = LedgerAgainstItsTwin.TestCase
TestLedgerAgainstItsTwin.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
