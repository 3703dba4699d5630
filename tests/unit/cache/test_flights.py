"""Promises of single flight: one asks, the others get its answer, and nobody waits for ever."""

import random

import pytest

from fastgw.cache.flights import MOST_LEADERS, Flights, Seat
from tests.unit.cache.clockwork import Clockwork

KEY = b"k" * 32
WAIT_S = 30.0


class Rider:
    """One request: `told` is what it was called back with, None before that."""

    def __init__(self, flights: Flights, key: bytes = KEY, wait_s: float = WAIT_S) -> None:
        self.told: list[bytes | None] = []
        self.seat: Seat = flights.board(key, self.told.append, wait_s)

    def __repr__(self) -> str:
        return f"<Rider {self.seat!r} told {self.told}>"


@pytest.fixture
def loop() -> Clockwork:
    return Clockwork()


@pytest.fixture
def flights(loop: Clockwork) -> Flights:
    return Flights(loop.call_soon, loop.call_later)


def test_first_leads_and_the_others_get_its_answer(loop: Clockwork, flights: Flights) -> None:
    """All who wait are told once, in the next turn of the loop and not before; then nothing is left."""
    leader, *others = [Rider(flights) for _ in range(4)]
    assert leader.seat.leads and all(other.seat.waits for other in others)
    assert repr(flights) == "<Flights: 1 in the air, 3 waiting>"
    flights.answer(KEY, b"answer")
    assert [other.told for other in others] == [[], [], []], "never out of the leader's call"
    loop.run()
    assert [other.told for other in others] == [[b"answer"]] * 3
    assert (leader.told, len(flights), loop.armed) == ([], 0, 0)
    assert Rider(flights).seat.leads, "the next one begins anew"


def test_other_questions_are_other_flights(flights: Flights) -> None:
    """Keys have nothing to do with one another."""
    assert Rider(flights).seat.leads and Rider(flights, b"other").seat.leads


def test_leader_that_goes_away_hands_over(loop: Clockwork, flights: Flights) -> None:
    """The one who has waited longest leads, and its answer goes to the rest."""
    leader, second, third = (Rider(flights) for _ in range(3))
    flights.leave(leader.seat)
    assert second.seat.leads and second.told == []
    loop.run()
    assert (second.told, third.told) == ([None], [])
    flights.answer(KEY, b"answer")
    loop.run()
    assert (second.told, third.told) == ([None], [b"answer"])


def test_heir_that_goes_away_before_it_is_told_hands_over_too(loop: Clockwork, flights: Flights) -> None:
    """Between inheriting and being told a caller may leave; the next one leads, and the one who left is not called."""
    leader, second, third = (Rider(flights) for _ in range(3))
    flights.leave(leader.seat)
    flights.leave(second.seat)
    loop.run()
    assert (second.told, third.told, third.seat.leads) == ([], [None], True)


def test_after_some_leaders_in_vain_all_ask_for_themselves(loop: Clockwork, flights: Flights) -> None:
    """Answers that are not kept do not make a queue: after the third leader nobody waits any more."""
    riders = [Rider(flights) for _ in range(8)]
    for leader in riders[:MOST_LEADERS]:
        loop.run()
        assert leader.seat.leads
        flights.leave(leader.seat)
    loop.run()
    assert [rider.told for rider in riders] == [[], [None], [None], *[[None]] * 5]
    assert (len(flights), loop.armed) == (0, 0)
    assert not any(rider.seat.leads or rider.seat.waits for rider in riders)


def test_who_has_waited_long_enough_asks_for_itself(loop: Clockwork, flights: Flights) -> None:
    """Each has its own time; whoever gives up does not lead, and may still bring the answer for those who wait."""
    leader, hasty, patient = Rider(flights), Rider(flights, wait_s=1), Rider(flights, wait_s=60)
    loop.pass_s(1)
    assert (hasty.told, patient.told) == ([None], [])
    assert not hasty.seat.leads and not hasty.seat.waits
    flights.answer(KEY, b"answer")
    loop.run()
    assert (patient.told, leader.told) == ([b"answer"], [])
    assert not leader.seat.leads
    flights.leave(leader.seat)
    flights.leave(hasty.seat)
    loop.pass_s(100)
    assert (hasty.told, patient.told) == ([None], [b"answer"])


def test_one_who_leaves_is_not_called(loop: Clockwork, flights: Flights) -> None:
    """Neither by an answer, nor by its timer, nor to lead; not even when it leaves after the answer and before its turn."""
    leader, gone, late = Rider(flights), Rider(flights), Rider(flights)
    flights.leave(gone.seat)
    flights.answer(KEY, b"answer")
    flights.leave(late.seat)
    loop.run()
    loop.pass_s(100)
    assert (leader.told, gone.told, late.told) == ([], [], [])


def test_leaving_twice_is_leaving_once(loop: Clockwork, flights: Flights) -> None:
    """A leader that leaves again does not take the flight from its heir."""
    leader, heir = Rider(flights), Rider(flights)
    flights.leave(leader.seat)
    flights.leave(leader.seat)
    loop.run()
    assert heir.seat.leads and heir.told == [None]


def test_answer_that_nobody_waits_for_is_no_fault(flights: Flights) -> None:
    """Whoever asked alone may say so."""
    flights.answer(KEY, b"answer")
    assert len(flights) == 0


def test_thousands_who_fail_at_once_do_not_pile_up(loop: Clockwork, flights: Flights) -> None:
    """Failing at the moment of inheriting is no recursion."""
    def failing(answer: bytes | None) -> None:
        told.append(answer)

    told: list[bytes | None] = []
    seats = [flights.board(KEY, failing, WAIT_S) for _ in range(5_000)]
    for seat in seats:
        flights.leave(seat)
    loop.run()
    assert len(flights) == 0


@pytest.mark.parametrize("seed", range(20))
def test_nobody_is_forgotten(seed: int) -> None:
    """Whatever happens in whatever order: each who stays leads, or is told exactly once; and in the end nothing is left."""
    rng = random.Random(seed)
    loop = Clockwork()
    flights = Flights(loop.call_soon, loop.call_later)
    riders: list[Rider] = []
    gone: set[int] = set()
    led: set[int] = set()
    for _ in range(400):
        deed = rng.random()
        if deed < 0.5:
            riders.append(Rider(flights, b"%d" % rng.randrange(3), rng.choice((1.0, 5.0, 30.0))))
        elif deed < 0.65 and riders:
            at = rng.randrange(len(riders))
            gone.add(at)
            flights.leave(riders[at].seat)
        elif deed < 0.75:
            flights.answer(b"%d" % rng.randrange(3), b"answer")
        elif deed < 0.9:
            loop.run()
        else:
            loop.pass_s(rng.choice((0.5, 2.0)))
        led |= {at for at, rider in enumerate(riders) if rider.seat.leads}
        leaders = [rider for rider in riders if rider.seat.leads]
        assert len(leaders) == len(flights) <= 3
    loop.run()
    loop.pass_s(100)
    for at, rider in enumerate(riders):
        assert len(rider.told) <= 1
        assert rider.told or at in led or at in gone, rider
    for rider in riders:
        flights.leave(rider.seat)
    loop.run()
    assert (len(flights), loop.armed) == (0, 0)
