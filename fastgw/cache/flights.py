"""Single flight: of requests that ask the same at the same time, one asks the provider, and the others wait for its answer.

The first of a key leads. An answer goes to all who wait for it, whoever brought it. When the leader has none to give (it failed, its answer
is not kept, its caller went away), the one who has waited longest leads. Whoever has waited as long as it may, and all once three have led
in vain, ask for themselves. Within one worker. No task and no lock: who waits is called back, by the event loop and never out of a call of
its own.
"""

from collections.abc import Callable
from typing import Final, Protocol

MOST_LEADERS: Final = 3  # after so many in vain the answers to this question are not the kind that is kept

Resume = Callable[[bytes | None], None]
Soon = Callable[..., object]  # loop.call_soon


class Timer(Protocol):
    """What loop.call_later returns."""

    def cancel(self) -> None: ...


Later = Callable[..., Timer]  # loop.call_later


class Flight:
    """One question in the air."""

    __slots__ = ("key", "leader", "led", "waiting")

    def __init__(self, key: bytes, leader: "Seat") -> None:
        self.key = key
        self.leader = leader
        self.led = 1
        self.waiting: dict[Seat, None] = {}

    def __repr__(self) -> str:
        return f"<Flight with {len(self.waiting)} waiting, leader number {self.led}>"


class Seat:
    """One request's place. leads: the answer is its to bring; waits: it will be called back."""

    __slots__ = ("flight", "is_gone", "resume", "timer")

    def __init__(self, resume: Resume) -> None:
        self.resume = resume
        self.flight: Flight | None = None
        self.timer: Timer | None = None
        self.is_gone = False

    @property
    def leads(self) -> bool:
        return self.flight is not None and self.flight.leader is self

    @property
    def waits(self) -> bool:
        return self.flight is not None and self.flight.leader is not self

    def __repr__(self) -> str:
        return f"<Seat that {'leads' if self.leads else 'waits' if self.waits else 'is free'}>"

    def free(self) -> None:
        """It has to do with the flight no more."""
        self.flight = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Flights:
    """The questions in the air, by key."""

    __slots__ = ("_flights", "_later", "_soon")

    def __init__(self, soon: Soon, later: Later) -> None:
        self._soon = soon
        self._later = later
        self._flights: dict[bytes, Flight] = {}

    def __repr__(self) -> str:
        return f"<Flights: {len(self._flights)} in the air, {sum(len(flight.waiting) for flight in self._flights.values())} waiting>"

    def __len__(self) -> int:
        return len(self._flights)

    def board(self, key: bytes, resume: Resume, wait_s: float) -> Seat:
        """Take a place. The first leads; for others `resume` is called once: with the answer, or with None when they shall ask."""
        seat = Seat(resume)
        flight = self._flights.get(key)
        if flight is None:
            seat.flight = self._flights[key] = Flight(key, seat)
        else:
            seat.flight = flight
            flight.waiting[seat] = None
            seat.timer = self._later(wait_s, self._give_up, seat)
        return seat

    def answer(self, key: bytes, answer: bytes) -> None:
        """An answer is there: all who wait for one get it, and nobody leads any more."""
        flight = self._flights.get(key)
        if flight is not None:
            flight.leader.free()
            self._dismiss(flight, answer)

    def leave(self, seat: Seat) -> None:
        """The request is over, or has no answer to give; it is not called any more. Where it led, another one leads."""
        seat.is_gone = True
        flight = seat.flight
        if flight is None:
            return
        if flight.leader is not seat:
            self._forget(seat)
            return
        seat.free()
        if flight.led >= MOST_LEADERS or not flight.waiting:
            self._dismiss(flight, None)
            return
        heir = next(iter(flight.waiting))
        self._forget(heir)
        heir.flight = flight
        flight.leader = heir
        flight.led += 1
        self._soon(self._call, heir, None)

    def _dismiss(self, flight: Flight, answer: bytes | None) -> None:
        """The flight is over for all who are in it."""
        del self._flights[flight.key]
        for seat in flight.waiting:
            seat.free()
            self._soon(self._call, seat, answer)
        flight.waiting.clear()

    def _forget(self, seat: Seat) -> None:
        if seat.flight is not None:
            del seat.flight.waiting[seat]
        seat.free()

    def _give_up(self, seat: Seat) -> None:
        """It has waited as long as it may."""
        self._forget(seat)
        self._call(seat, None)

    def _call(self, seat: Seat, answer: bytes | None) -> None:
        if not seat.is_gone:
            seat.resume(answer)
