"""The ledger as docs/limits.md defines it: one process, whole numbers, the calendar from the standard library."""
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil, floor

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000
MILLISECOND_NS = 1_000_000
LATE_NS = 10_000_000_000
Denial = tuple[str, int, int, int, int, int, str]
Amounts = dict[str, int]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds from 1970 to a whole day."""
    return (moment - EPOCH).days * DAY_NS


def calendar_window(kind: str, now_ns: int) -> tuple[int, int]:
    """Start and end of the calendar window that holds a moment."""
    today = EPOCH + timedelta(days=now_ns // DAY_NS)
    if kind == "day":
        return nanoseconds(today), nanoseconds(today + timedelta(days=1))
    if kind == "week":
        monday = today - timedelta(days=today.weekday())
        return nanoseconds(monday), nanoseconds(monday + timedelta(days=7))
    first = today.replace(day=1)
    return nanoseconds(first), nanoseconds((first + timedelta(days=32)).replace(day=1))


@dataclass
class Bucket:
    """An allowance for a minute; `full_ns` is when it is whole again."""

    per_minute: int
    interval_ns: Fraction
    burst_ns: int
    full_ns: int = 0

    def cost_ns(self, number: int) -> int:
        return min(self.burst_ns, ceil(number * self.interval_ns))

    def counted_ns(self, now_ns: int) -> int:
        if self.full_ns > now_ns + self.burst_ns + LATE_NS:
            return now_ns + self.burst_ns
        return max(self.full_ns, now_ns)

    def fits(self, number: int, now_ns: int) -> bool:
        fits = self.counted_ns(now_ns) + self.cost_ns(number) <= now_ns + self.burst_ns
        if not fits:
            self.full_ns = min(self.full_ns, self.counted_ns(now_ns))
        return fits

    def take(self, number: int, now_ns: int) -> None:
        self.full_ns = self.counted_ns(now_ns) + self.cost_ns(number)

    def correct(self, estimate: int, number: int, now_ns: int) -> None:
        more_ns = self.cost_ns(number) - self.cost_ns(estimate)
        if more_ns < 0:
            self.full_ns += more_ns
        elif more_ns > 0:
            counted_ns = self.counted_ns(now_ns)
            self.full_ns = max(counted_ns, min(counted_ns + more_ns, now_ns + self.burst_ns))

    def left(self, now_ns: int) -> int:
        return floor(max(0, now_ns + self.burst_ns - self.counted_ns(now_ns)) / self.interval_ns)


@dataclass
class PlainAccount:
    """One account's limits and what was used of them."""

    unit: str = "nano_usd"
    budget: int | None = None
    window: str = "total"
    requests: Bucket | None = None
    tokens: Bucket | None = None
    max_parallel: int | None = None
    expires_ns: int | None = None
    start_ns: int = 0
    spent: int = 0
    lifetime: int = 0
    reserved: int = 0
    in_flight: int = 0
    refused: int = 0
    settled: int = 0
    used_tokens: int = 0
    mean_cost_16: int = 0
    refused_as: tuple[object, ...] | None = None

    def period_ns(self) -> int:
        return int(self.window[:-1]) * DAY_NS

    def renew(self, now_ns: int, used: bool) -> None:
        """Begin the window that holds the moment, unless it is the one in hand."""
        now_ns -= now_ns % MILLISECOND_NS
        if self.window == "total":
            return
        if self.window in ("day", "week", "month"):
            start_ns = calendar_window(self.window, now_ns)[0]
        elif self.start_ns:
            start_ns = self.start_ns + (now_ns - self.start_ns) // self.period_ns() * self.period_ns()
        else:
            start_ns = now_ns if used else 0
        if self.start_ns - DAY_NS <= now_ns and start_ns < self.start_ns:
            return
        if self.start_ns and start_ns > self.start_ns:
            self.spent = 0
        self.start_ns = start_ns

    def end_ns(self) -> int:
        if self.window == "total" or not self.start_ns:
            return -1
        if self.window in ("day", "week", "month"):
            return calendar_window(self.window, self.start_ns)[1]
        return self.start_ns + self.period_ns()

    def left(self) -> int | None:
        return None if self.budget is None else max(0, self.budget - self.spent - self.reserved)

    def state(self) -> tuple[object, ...]:
        """What changes when anything is settled, the budget is changed or the window renews."""
        return self.lifetime, self.spent, self.reserved, self.start_ns, self.window, self.budget

    def is_exhausted(self) -> bool:
        """As docs/limits.md says it."""
        if self.budget is None:
            return False
        if self.spent >= self.budget:
            return True
        typical = {
            "nano_usd": self.mean_cost_16 >> 4,
            "tokens": self.used_tokens // self.settled if self.settled else 0,
            "requests": 1,
        }[self.unit]
        return self.refused_as == self.state() and self.budget - self.spent < 8 * typical

    def refusal(self, now_ns: int, cost: int, tokens: int) -> str | None:
        """Why this account says no; in the order of docs/limits.md."""
        if self.expires_ns is not None and now_ns >= self.expires_ns:
            return "expired"
        if self.budget is not None:
            used = self.spent + self.reserved
            if used >= self.budget or used + cost > self.budget:
                return "budget"
        if self.max_parallel is not None and self.in_flight >= self.max_parallel:
            return "parallel"
        if self.requests and not self.requests.fits(1, now_ns):
            return "request_rate"
        if self.tokens and not self.tokens.fits(tokens, now_ns):
            return "token_rate"
        return None

    def denial(self, reason: str, now_ns: int, tokens: int) -> tuple[int, int, int, int]:
        """Limit, remaining, retry after and reset."""
        if reason == "budget":
            end_ns = self.end_ns()
            return self.budget or 0, self.left() or 0, end_ns - now_ns if end_ns >= 0 else -1, end_ns
        if reason == "parallel":
            return self.max_parallel or 0, 0, 0, -1
        if reason == "request_rate" and self.requests:
            return rate_denial(self.requests, 1, now_ns)
        if reason == "token_rate" and self.tokens:
            return rate_denial(self.tokens, tokens, now_ns)
        return 0, 0, -1, -1


def rate_denial(bucket: Bucket, number: int, now_ns: int) -> tuple[int, int, int, int]:
    """The same for a rate."""
    full_ns = bucket.counted_ns(now_ns)
    wait_ns = full_ns + bucket.cost_ns(number) - now_ns - bucket.burst_ns
    return bucket.per_minute, bucket.left(now_ns), wait_ns, full_ns


@dataclass
class Reservation:
    """What one admitted request holds."""

    chain: list[int]
    amounts: Amounts
    tokens: int
    dispatched: bool = False
    late: Reservation | None = None


@dataclass
class PlainLedger:
    """All accounts, and the reservations by slot."""

    accounts: list[PlainAccount] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    held: dict[int, Reservation] = field(default_factory=dict)

    def define(
        self,
        name: str,
        *,
        unit: str = "nano_usd",
        budget: int | None = None,
        window: str = "total",
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_parallel: int | None = None,
        expires_ns: int | None = None,
    ) -> int:
        """Find or make an account and set its limits."""
        index = self.names.setdefault(name, len(self.names))
        if index == len(self.accounts):
            self.accounts.append(PlainAccount(unit))
        account = self.accounts[index]
        if account.window != window:
            account.window, account.start_ns = window, 0
        account.budget, account.max_parallel, account.expires_ns = budget, max_parallel, expires_ns
        if requests_per_minute is not None:
            interval_ns = -(-MINUTE_NS // requests_per_minute)
            full_ns = self.requests_full_ns.get(index, 0) if account.requests is None else account.requests.full_ns
            account.requests = Bucket(
                requests_per_minute, Fraction(interval_ns), interval_ns * requests_per_minute, full_ns
            )
        elif account.requests:
            self.requests_full_ns[index] = account.requests.full_ns
            account.requests = None
        if tokens_per_minute is not None:
            full_ns = self.tokens_full_ns.get(index, 0) if account.tokens is None else account.tokens.full_ns
            interval = Fraction((MINUTE_NS << 20) // tokens_per_minute, 1 << 20)
            account.tokens = Bucket(tokens_per_minute, interval, MINUTE_NS, full_ns)
        elif account.tokens:
            self.tokens_full_ns[index] = account.tokens.full_ns
            account.tokens = None
        return index

    # What was used of a rate is remembered while the account has no such limit.
    requests_full_ns: dict[int, int] = field(default_factory=dict)
    tokens_full_ns: dict[int, int] = field(default_factory=dict)

    def admit(self, chain: list[int], now_ns: int, amounts: Amounts, tokens: int) -> Denial | None:
        """Take from every account, or say which refused and why; the caller puts what was admitted into `held`."""
        # All or none, and none is as if nobody had asked; but each account before the refusal has begun its window.
        taken: list[tuple[PlainAccount, int | None, int | None]] = []
        for index in chain:
            account = self.accounts[index]
            account.renew(now_ns, True)
            cost = amounts[account.unit]
            reason = account.refusal(now_ns, cost, tokens)
            if reason == "token_rate" and account.requests:
                # A request was taken and given back: an idle bucket counts as full from now, not from some time ago.
                account.requests.full_ns = account.requests.counted_ns(now_ns)
            if reason:
                account.refused += 1
                if reason == "budget" and account.in_flight == 0:
                    account.refused_as = account.state()
                denial = reason, index, *account.denial(reason, now_ns, tokens), account.unit
                for earlier, request_ns, token_ns in taken:
                    earlier.reserved -= amounts[earlier.unit]
                    earlier.in_flight -= 1
                    if earlier.requests and request_ns:
                        earlier.requests.full_ns -= request_ns
                    if earlier.tokens and token_ns:
                        earlier.tokens.full_ns -= token_ns
                return denial
            account.reserved += cost
            account.in_flight += 1
            if account.requests:
                account.requests.take(1, now_ns)
            if account.tokens:
                account.tokens.take(tokens, now_ns)
            taken.append((
                account,
                account.requests.cost_ns(1) if account.requests else None,
                account.tokens.cost_ns(tokens) if account.tokens else None,
            ))
        return None

    def join(self, slot: int, chain: list[int], now_ns: int, amounts: Amounts, tokens: int) -> Denial | None:
        """Take from these accounts too, and then let go of those that joined before; or say which refused."""
        held = self.held[slot]
        if chain and (denial := self.admit(chain, now_ns, amounts, tokens)):
            return denial
        if held.late:
            self.release(held.late)
        held.late = Reservation(chain, amounts, tokens) if chain else None
        return None

    def withdraw(self, slot: int) -> None:
        """Give all back, what was taken from rates too; what joined keeps what it took from rates."""
        held = self.held.pop(slot)
        for one in (held, held.late):
            if one:
                self.release(one)
        for index in held.chain:
            account = self.accounts[index]
            if account.requests:
                account.requests.full_ns -= account.requests.cost_ns(1)
            if account.tokens:
                account.tokens.full_ns -= account.tokens.cost_ns(held.tokens)

    def release(self, held: Reservation) -> None:
        for index in held.chain:
            self.accounts[index].reserved -= held.amounts[self.accounts[index].unit]
            self.accounts[index].in_flight -= 1

    def settle(self, slot: int, now_ns: int, cost: int, tokens: int) -> None:
        """Put the truth in the place of the reservation."""
        held = self.held.pop(slot)
        for one in (held.late, held):
            if one:
                self.charge(one, now_ns, {"nano_usd": cost, "tokens": tokens, "requests": 1})

    def charge(self, held: Reservation, now_ns: int, amounts: Amounts) -> None:
        """Give back what was reserved and count what it was in the window in which that is known."""
        for index in held.chain:
            account = self.accounts[index]
            account.renew(now_ns, True)
            account.reserved -= held.amounts[account.unit]
            account.in_flight -= 1
            account.spent += amounts[account.unit]
            account.lifetime += amounts[account.unit]
        for index in held.chain:
            account = self.accounts[index]
            account.settled += 1
            account.used_tokens += amounts["tokens"]
            if amounts["nano_usd"]:
                mean = account.mean_cost_16
                account.mean_cost_16 = mean + amounts["nano_usd"] - (mean >> 4) if mean else amounts["nano_usd"] * 16
            if account.tokens:
                account.tokens.correct(held.tokens, amounts["tokens"], now_ns)

    def reclaim(self, now_ns: int) -> dict[int, int]:
        """Finish what a dead worker left: slot to what was charged."""
        found = {}
        for slot, held in sorted(self.held.items()):
            found[slot] = held.amounts["nano_usd"] if held.dispatched else 0
            for one in (held.late, held):
                if one and held.dispatched:
                    self.charge(one, now_ns, one.amounts)
                elif one:
                    self.release(one)
        self.held.clear()
        return found

    def remaining(self, chain: list[int], now_ns: int, unit: str) -> int | None:
        """What the tightest budget of that unit has left."""
        lefts = []
        for index in chain:
            account = self.accounts[index]
            if account.budget is not None and account.unit == unit:
                account.renew(now_ns, False)
                lefts.append(account.left())
        return min((left for left in lefts if left is not None), default=None)
