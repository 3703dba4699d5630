"""The table of targets and the choice among them, as docs/routing.md defines them: one process, plain numbers, no bits."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import log

MASK = (1 << 64) - 1
HALF_LIFE_MS = 1 << 18
MOST_MEAN = (1 << 28) - 1
SUCCEEDED, FAILED, SAID_NOTHING = range(3)


@dataclass
class PlainRule:
    """When a target is left alone."""

    failures: int = 5
    failure_percent: int = 50
    minimum_requests: int = 10
    window_s: int = 30
    cooldown_ms: int = 30_000
    probes: int = 1


@dataclass
class PlainMean:
    """A mean that moves by time, and looks smaller the older it is."""

    value: int = 0
    at_ms: int = 0

    def learn(self, sample: int, now_ms: int) -> None:
        sample = min(max(sample, 1), MOST_MEAN)
        if self.value:
            weight = min(max((now_ms - self.at_ms) * 1024 // 10_000, 64), 512)
            sample = max((self.value * (1024 - weight) + sample * weight) // 1024, 1)
        self.value, self.at_ms = sample, now_ms

    def now(self, now_ms: int) -> int:
        if self.value == 0:
            return 0
        halvings, rest = divmod(now_ms - self.at_ms, HALF_LIFE_MS)
        halved = self.value >> min(halvings, 64)
        return max(halved - halved * rest // (2 * HALF_LIFE_MS), 1)


@dataclass
class PlainTarget:
    """One target's health."""

    state: str = "closed"
    until_ms: int = 0
    left: int = 0
    needed: int = 0
    round: int = 0
    closed_second: int = -1
    in_flight: int = 0
    in_a_row: int = 0
    succeeded: int = 0
    failed: int = 0
    opened: int = 0
    first_byte: PlainMean = field(default_factory=PlainMean)
    token: PlainMean = field(default_factory=PlainMean)
    outcomes: list[tuple[int, bool]] = field(default_factory=list)  # (second, failed)

    def lets_none_in(self, now_ms: int) -> bool:
        if self.state == "closed" or now_ms >= self.until_ms:
            return False
        return self.state == "open" or self.left == 0

    def begin(self, rule: PlainRule, now_ms: int, forced: bool) -> int | None:
        """A ticket, or None where the breaker is open."""
        if self.state == "closed":
            self.in_flight += 1
            return 0
        over = now_ms >= self.until_ms
        if self.state == "half_open" and self.left and not over:
            self.left -= 1
        elif over or (forced and self.state == "open"):
            self.state, self.until_ms = "half_open", now_ms + rule.cooldown_ms
            self.left, self.needed = rule.probes - 1, rule.probes
            self.round = (self.round + 1) % 4096
        elif forced:
            self.in_flight += 1
            return 0
        else:
            return None
        self.in_flight += 1
        return self.round + 1

    def end(self, ticket: int, health: int, rule: PlainRule, now_ms: int, first_byte_ns: int, tokens: int, duration_ns: int) -> None:
        """What an attempt says."""
        self.in_flight -= 1
        if first_byte_ns >= 0:
            self.first_byte.learn(first_byte_ns // 10_000, now_ms)
        if tokens > 0 and duration_ns > 0:
            self.token.learn(duration_ns // tokens // 100, now_ms)
        if health == SUCCEEDED:
            self.succeeded += 1
            self.in_a_row = 0
        elif health == FAILED:
            self.failed += 1
            self.in_a_row += 1
        if health != SAID_NOTHING:
            self.outcomes.append((now_ms // 1000, health == FAILED))
        if ticket:
            self.conclude(ticket, health, rule, now_ms)
        elif health == FAILED and self.state == "closed" and self.is_bad(rule, now_ms // 1000):
            self.open(rule, now_ms)

    def conclude(self, ticket: int, health: int, rule: PlainRule, now_ms: int) -> None:
        if self.state != "half_open" or ticket != self.round + 1:
            return
        if health == SAID_NOTHING:
            self.left += 1
        elif health == FAILED:
            self.open(rule, now_ms)
        elif self.needed > 1:
            self.needed -= 1
        else:
            self.state, self.closed_second, self.in_a_row = "closed", now_ms // 1000, 0

    def open(self, rule: PlainRule, now_ms: int) -> None:
        self.state, self.until_ms = "open", now_ms + rule.cooldown_ms
        self.opened += 1

    def recent(self, second: int, window_s: int) -> list[bool]:
        """Failed or not, of each outcome in the window that came after the second in which it closed."""
        return [failed for at, failed in self.outcomes if max(second - window_s, self.closed_second) < at <= second]

    def is_bad(self, rule: PlainRule, second: int) -> bool:
        if rule.failures and self.in_a_row >= rule.failures:
            return True
        recent = self.recent(second, rule.window_s)
        return bool(rule.failure_percent and len(recent) >= rule.minimum_requests
                    and sum(recent) * 100 >= len(recent) * rule.failure_percent)

    def worse(self, number: int) -> int:
        return number * (1 + min(self.in_a_row, 7))


def mixed(number: int) -> int:
    """SplitMix64's finaliser."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & MASK
    return number ^ number >> 31


def least(places: list[int], score: Callable[[int], int | Fraction], draw: int) -> int:
    """Of the places with the least score, the one that the draw names."""
    lowest = min(score(place) for place in places)
    equals = [place for place in places if score(place) == lowest]
    return equals[draw * len(equals) >> 64]


def choose(
    strategy: str, targets: list[PlainTarget], weights: list[int], numbers: list[int], unfit: set[int], draw: int, now_ms: int,
    max_ejected_percent: int = 100,
) -> tuple[int, bool] | None:
    """The place of the target to take, and whether it was open."""
    able = [place for place in range(len(targets)) if place not in unfit]
    ejected = [place for place in able if targets[place].lets_none_in(now_ms)]
    excess = max(len(ejected) - len(targets) * max_ejected_percent // 100, int(len(ejected) == len(able)))
    readmitted = sorted(ejected, key=lambda place: targets[place].until_ms)[:excess]
    fit = [place for place in able if place not in ejected or place in readmitted]
    if not fit:
        return None
    if strategy != "first" and any(weights[place] for place in fit):
        fit = [place for place in fit if weights[place]]
    place = fit[0] if len(fit) == 1 else choose_fit(strategy, targets, weights, numbers, fit, draw, now_ms)
    return place, place in readmitted


def choose_fit(
    strategy: str, targets: list[PlainTarget], weights: list[int], numbers: list[int], fit: list[int], draw: int, now_ms: int
) -> int:
    """One of at least two."""
    if strategy == "first":
        return fit[0]
    if strategy == "weighted":
        rest = draw * sum(weights[place] for place in fit) >> 64
        for place in fit:
            rest -= weights[place]
            if rest < 0:
                return place
        return fit[0]
    if strategy == "latency":
        one = fit.pop((draw >> 32) * len(fit) >> 32)
        other = fit[(draw & 0xFFFFFFFF) * len(fit) >> 32]
        means = [targets[place].first_byte.now(now_ms) for place in (one, other)]
        known = [mean or max(means) or 1 for mean in means]
        scores = [targets[place].worse(mean * (targets[place].in_flight + 1)) for place, mean in zip((one, other), known, strict=True)]
        return one if scores[0] <= scores[1] else other
    if strategy == "sticky":
        return max(fit, key=lambda place: rendezvous(draw, numbers[place], weights[place]))
    if strategy == "cheapest":
        return least(fit, lambda place: numbers[place] if numbers[place] >= 0 else 2**63, draw)
    if strategy == "least_busy":
        busy = {place: targets[place].worse(targets[place].in_flight + 1) for place in fit}
        return least(fit, lambda place: Fraction(busy[place], max(weights[place], 1)), draw)
    every = {place: (targets[place].first_byte if strategy == "fastest" else targets[place].token).now(now_ms) for place in fit}
    best = min((mean for mean in every.values() if mean), default=1)
    return least(fit, lambda place: targets[place].worse(every[place] or best), draw)


def rendezvous(who: int, identity: int, weight: int) -> float:
    """How much a caller wants a target."""
    number = mixed(who ^ mixed(identity & MASK)) >> 11
    return max(weight, 1) / -log((number + 0.5) / 2**53)
