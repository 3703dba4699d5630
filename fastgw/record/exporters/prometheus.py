"""Count records into plain numbers under bounded labels, for the Prometheus exposition.

Counting is additions in dicts, once a record; names and texts are made when somebody scrapes.
"""
import threading
from bisect import bisect_left
from typing import NamedTuple

from fastgw.record.exporters import Batch, Mark
from fastgw.record.fields import Record
from fastgw.record.names import CACHES

MOST_LABEL_SETS = 200
OTHER = "other"

SECONDS = tuple(int(1e9 * seconds) for seconds in (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600,
))
MICROSECONDS = tuple(1000 * micros for micros in (
    10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2500, 5000, 10_000, 50_000, 250_000, 1_000_000,
))


class Place(NamedTuple):
    """Who and what an exchange was for: the labels whose values come from configuration."""

    workspace: str
    provider: str
    model: str


ELSEWHERE = Place(OTHER, OTHER, OTHER)


class Totals:
    """What is summed up for one place."""

    __slots__ = ("caches", "cost_nano_usd", "fallbacks", "retries", "saved_nano_usd", "tokens")

    def __init__(self) -> None:
        self.tokens = [0, 0, 0, 0, 0]      # by DIRECTIONS
        self.cost_nano_usd = self.saved_nano_usd = 0
        self.retries = self.fallbacks = 0
        self.caches: dict[str, int] = {}   # by name; empty until there is a first one


DIRECTIONS = ("input", "output", "cache_read", "cache_write", "reasoning")


class Histogram:
    """Counts by upper bound in nanoseconds, the last for what is above all, and the sum."""

    __slots__ = ("bounds_ns", "counts", "sum_ns")

    def __init__(self, bounds_ns: tuple[int, ...]) -> None:
        self.bounds_ns = bounds_ns
        self.counts = [0] * (len(bounds_ns) + 1)
        self.sum_ns = 0

    def add(self, value_ns: int) -> None:
        self.counts[bisect_left(self.bounds_ns, value_ns)] += 1
        self.sum_ns += value_ns

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound in seconds."""
        rows, seen = [], 0
        for bound_ns, number in zip((*self.bounds_ns, None), self.counts, strict=True):
            seen += number
            rows.append(("+Inf" if bound_ns is None else repr(bound_ns / 1e9), float(seen)))
        return rows


class Times(NamedTuple):
    """The three histograms of one (operation, provider)."""

    total: Histogram
    first_byte: Histogram
    gateway: Histogram


class Counters:
    """An exporter that keeps totals in memory. `lock` is held while counting and while reading."""

    name = "prometheus"
    durable = False
    linger_seconds = 0.0
    most_records = 5000

    def __init__(self, models: frozenset[str] | None = None) -> None:
        """`models`: names that may be labels; None where any may, up to 200 sets of labels."""
        self.models = models
        self.lock = threading.Lock()
        self.requests: dict[tuple[Place, str, str, str], int] = {}
        self.places: dict[Place, Totals] = {}
        self.times: dict[tuple[str, str], Times] = {}
        self.known: dict[tuple[str, str, str], Place] = {}

    def __repr__(self) -> str:
        return f"Counters({len(self.places)} label sets)"

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def kept_marks(self) -> dict[str, Mark]:
        return {}

    def export(self, batch: Batch) -> None:
        requests, places, known = self.requests, self.places, self.known
        with self.lock:
            for record in batch.records:
                named = (record.workspace, record.provider, record.model)
                place = known.get(named) or self.place(*named)
                status = STATUSES.get(record.status) or status_class(record.status)
                key = (place, record.operation, status, record.outcome)
                requests[key] = requests.get(key, 0) + 1
                totals = places[place]
                if record.input_tokens or record.output_tokens:
                    tokens = totals.tokens
                    tokens[0] += record.input_tokens
                    tokens[1] += record.output_tokens
                    tokens[2] += record.cache_read_tokens
                    tokens[3] += record.cache_write_tokens
                    tokens[4] += record.reasoning_tokens
                if record.cost_nano_usd > 0:
                    totals.cost_nano_usd += record.cost_nano_usd
                if record.attempts > 1 or record.retries:
                    totals.retries += record.retries
                    # the last attempt is none where there was no connection, though it was a retry
                    totals.fallbacks += max(0, record.attempts - 1 - record.retries)
                if record.cache:
                    add_cache(totals, record)
                self.time(record, place.provider)

    def time(self, record: Record, provider: str) -> None:
        times = self.times.get((record.operation, provider))
        if times is None:
            times = Times(Histogram(SECONDS), Histogram(SECONDS), Histogram(MICROSECONDS))
            self.times[record.operation, provider] = times
        if record.finished_ns >= 0:
            times.total.add(record.finished_ns)
        if record.first_byte_ns >= 0:
            times.first_byte.add(record.first_byte_ns)
        if record.gateway_ns >= 0:
            times.gateway.add(record.gateway_ns)

    def place(self, workspace: str, provider: str, model: str) -> Place:
        """Decide the labels of names not seen before; what callers invent must not become labels without bound."""
        if not provider or (self.models is not None and model not in self.models):
            place = Place(workspace, provider, OTHER if model else "")
        else:
            place = Place(workspace, provider, model)
        if place not in self.places:
            if len(self.places) >= MOST_LABEL_SETS:
                place = ELSEWHERE
            self.places.setdefault(place, Totals())
        if len(self.known) < 10 * MOST_LABEL_SETS:
            self.known[workspace, provider, model] = place
        return place


def add_cache(totals: Totals, record: Record) -> None:
    if not totals.caches:
        totals.caches = dict.fromkeys(CACHES[1:], 0)    # all of them, so that the first hit is seen to be an increase
    totals.caches[record.cache] = totals.caches.get(record.cache, 0) + 1
    totals.saved_nano_usd += record.saved_nano_usd


def status_class(status: int) -> str:
    """`2xx` and so on; `none` where the caller got no status."""
    return f"{status // 100}xx" if 100 <= status < 600 else "none"


STATUSES = {status: status_class(status) for status in range(100, 600)}
