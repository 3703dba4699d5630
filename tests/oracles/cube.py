"""Sums and histograms in plain Python: what the kernel of the sums is held to."""
from collections import Counter
from collections.abc import Callable, Iterable
from math import ceil

from fastgw._core.cube import SUMS
from fastgw.record.fields import Record

Cells = dict[tuple[object, ...], "Cell"]


def bucket(value: int) -> tuple[int, int]:
    """The bounds of a value's bucket, the upper one not in it: 16 to a doubling."""
    if value < 16:
        return max(value, 0), max(value, 0) + 1
    width = 1 << (value.bit_length() - 5)
    first = value - value % width
    return first, first + width


def middle(value: int) -> int:
    first, end = bucket(value)
    return first + (end - first) // 2


class Cell:
    """What the records under the same names come to."""

    def __init__(self) -> None:
        self.sums: Counter[str] = Counter({name: 0 for name in SUMS})
        self.values: dict[str, list[int]] = {name: [] for name in ("latency", "first_byte", "gateway", "retries")}

    def add(self, record: Record, seq: int) -> None:
        sums = self.sums
        sums["requests"] += 1
        sums["errors"] += record.status >= 400 or record.outcome in ("failed", "lost")
        if record.outcome != "lost":
            sums["timed"] += 1
            sums["latency_ns"] += record.finished_ns
            sums["gateway_ns"] += record.gateway_ns
            self.values["latency"].append(record.finished_ns)
            self.values["gateway"].append(record.gateway_ns)
            if record.first_byte_ns >= 0:
                sums["first_bytes"] += 1
                sums["first_byte_ns"] += record.first_byte_ns
                self.values["first_byte"].append(record.first_byte_ns)
        sums["unpriced"] += record.cost_nano_usd < 0
        sums["cost_nano_usd"] += max(0, record.cost_nano_usd)
        for name in ("saved_nano_usd", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"):
            sums[name] += getattr(record, name)
        sums["retries"] += record.retries
        fell_back = record.attempts - 1 - record.retries > 0
        sums["rescued_by_fallback"] += record.outcome == "served" and fell_back
        if record.outcome == "served" and record.retries and not fell_back:
            sums["rescued_by_retry"] += 1
            self.values["retries"].append(record.retries)
        sums["last_seen_s"] = max(sums["last_seen_s"], seq // 10**9)

    def quantile(self, name: str, share: float) -> int:
        """By nearest rank, as the middle of the value's bucket."""
        values = sorted(self.values[name])
        return middle(values[ceil(share * len(values)) - 1])


def summed(records: Iterable[tuple[int, Record]], names: Callable[[Record], tuple[object, ...]]) -> Cells:
    """Sum records (with their seq) up by the names that they are given."""
    cells: Cells = {}
    for seq, record in records:
        cells.setdefault(names(record), Cell()).add(record, seq)
    return cells
