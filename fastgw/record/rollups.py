"""Sum records up by minute, hour and day, in the transactions that insert them.

The minute in hand is in memory and is written every FLUSH_RECORDS records and when it is over, with the seq it goes up to; what comes
after is folded again when the file is opened, so a sum is never lost and nothing is in it twice. An hour is merged from its minutes when
it is over, a day from its hours. `sets` has a cell for each combination of names that occurs, `pairs` one for each metadata value.
"""
import logging
import sqlite3
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter

import msgspec

from fastgw._core.cube import OTHER, Cube
from fastgw.record.blocks import Tagged
from fastgw.record.schema import ROW, keep_progress, progress_of

SECOND_NS = 1_000_000_000
DAY_S = 86_400
STEPS_S = (60, 3600, DAY_S)
DAYS_KEPT = {60: 3, 3600: 100, DAY_S: 1100}      # hours and days at least as long as records
DIMENSIONS = {
    "sets": ("workspace", "key", "model", "provider", "integration", "operation", "status", "outcome", "error", "cache"),
    "pairs": ("workspace", "name", "value"),
}
FLUSH_RECORDS = 10_000
MOST_CELLS = 20_000
MOST_NAMES = 32                # of metadata, a workspace
MOST_VALUES = 1000             # of one of these, in a minute, an hour or a day
MOST_VALUE_CHARACTERS = 128
OPEN_SECONDS = 2.0             # for records that are not summed up yet: more would keep the rings waiting
CAUGHT_UP_AT_ONCE = 20_000

Names = tuple[str | int, ...]

log = logging.getLogger("fastgw.record")


class Rollups:
    """The minute in hand, and how far it goes."""

    def __init__(self) -> None:
        self.cubes = {name: Cube(dimensions, ROW, MOST_CELLS) for name, dimensions in DIMENSIONS.items()}
        self.minute_s = 0
        self.folded = 0                           # seq of the last record that is in the sums
        self.unkept = 0                           # records of these that the file's sums do not have
        self.days_kept = DAYS_KEPT
        self.most_bytes = 0

    def __repr__(self) -> str:
        return f"Rollups({len(self.cubes['sets'])} sets, {len(self.cubes['pairs'])} pairs, {self.unkept} records to keep)"

    def open(self, connection: sqlite3.Connection, retention_days: int, most_bytes: int) -> None:
        """Take up the minute where the file has it, and what came after, as far as there is time."""
        self.days_kept = {step_s: days if step_s == 60 else max(days, retention_days) for step_s, days in DAYS_KEPT.items()}
        self.most_bytes = most_bytes
        self.folded, self.unkept = progress_of(connection, "rolled"), 0
        self.minute_s = minute_of(self.folded)
        for name, cube in self.cubes.items():
            cube.clear()
            merge_all(cube, connection, name, 60, self.minute_s, self.minute_s + 60)
        until = time.monotonic() + OPEN_SECONDS
        connection.execute("BEGIN IMMEDIATE")
        while self.catch_up(connection) and time.monotonic() < until:
            pass
        connection.execute("COMMIT")

    def add(self, connection: sqlite3.Connection, rows: list[tuple[object, ...]], tagged: Sequence[Tagged], last_seq: int) -> None:
        """Add rows that were just inserted; `last_seq` is of the one before them."""
        if self.folded < last_seq:
            self.catch_up(connection)
        else:
            self.fold(connection, rows, tagged)

    def catch_up(self, connection: sqlite3.Connection) -> bool:
        """Add some of the records of the file that are not in the sums; False where there are no more."""
        rows = connection.execute(
            f"SELECT {', '.join(ROW)} FROM records WHERE seq > ? ORDER BY seq LIMIT ?", (self.folded, CAUGHT_UP_AT_ONCE)).fetchall()
        if rows:
            self.fold(connection, rows, tagged_rows(rows))
        return len(rows) == CAUGHT_UP_AT_ONCE

    def fold(self, connection: sqlite3.Connection, rows: list[tuple[object, ...]], tagged: Sequence[Tagged]) -> None:
        start = met = 0
        while start < len(rows):
            minute_s = minute_of(rows[start][0])
            if minute_s != self.minute_s:
                self.turn(connection, minute_s)
            bound = (minute_s + 60) * SECOND_NS
            end = bisect_left(rows, bound, start, key=itemgetter(0))
            part = rows[start:end]
            self.cubes["sets"].fold(part)
            while met < len(tagged) and tagged[met][0][0] < bound:  # type: ignore[operator]  # seq is an integer
                fold_pairs(self.cubes["pairs"], *tagged[met])
                met += 1
            self.folded = part[-1][0]  # type: ignore[assignment]  # seq
            self.unkept += len(part)
            start = end
        if self.unkept >= FLUSH_RECORDS:
            self.flush(connection)

    def flush(self, connection: sqlite3.Connection) -> None:
        """Write the minute as far as it has come."""
        if self.unkept:
            for name, cube in self.cubes.items():
                keep(connection, name, 60, self.minute_s, cube)
            keep_progress(connection, "rolled", self.folded)
            self.unkept = 0

    def turn(self, connection: sqlite3.Connection, minute_s: int) -> None:
        """End the minute, and the hour and the day that end with it."""
        self.flush(connection)
        for finer_s, step_s in zip(STEPS_S, STEPS_S[1:], strict=False):      # hours first: the day is made of them
            start_s = self.minute_s - self.minute_s % step_s
            if self.minute_s and start_s != minute_s - minute_s % step_s:
                for name, dimensions in DIMENSIONS.items():
                    cube = Cube(dimensions, most_cells=4 * MOST_CELLS)
                    merge_all(cube, connection, name, finer_s, start_s, start_s + step_s)
                    keep(connection, name, step_s, start_s, cube)
                if step_s == 3600:
                    self.tidy(connection)
        for cube in self.cubes.values():
            cube.clear()
        self.minute_s = minute_s

    def tidy(self, connection: sqlite3.Connection) -> None:
        """Delete what is too old, then, where it is still too much, the oldest of the finest step.

        Always all of an hour's minutes and all of a day's hours, and none of what the hour and the day in hand will be merged from.
        """
        now_s = int(time.time())
        cuts_s = {step_s: now_s - days * DAY_S for step_s, days in self.days_kept.items()}
        sizes = connection.execute("SELECT step_s, start_s, length(body) FROM rollups ORDER BY step_s, start_s").fetchall()
        excess_bytes = sum(row[2] for row in sizes) - self.most_bytes
        for step_s, start_s, size_bytes in sizes:
            if excess_bytes > 0:
                excess_bytes -= size_bytes
                cuts_s[step_s] = max(cuts_s[step_s], start_s + step_s)
        for step_s, whole_s in zip(STEPS_S, (*STEPS_S[1:], DAY_S), strict=True):
            cut_s = min(cuts_s[step_s], self.minute_s)
            connection.execute(
                "DELETE FROM rollups WHERE cube IN ('sets', 'pairs') AND step_s = ? AND start_s < ?", (step_s, cut_s - cut_s % whole_s))


def minute_of(seq: object) -> int:
    """The start of its minute, in seconds."""
    assert isinstance(seq, int)
    return seq // SECOND_NS // 60 * 60


def tagged_rows(rows: Sequence[tuple[object, ...]]) -> list[Tagged]:
    """Return the rows that have metadata, with it."""
    found: list[Tagged] = []
    for row in rows:
        if row[-1] and '"metadata"' in str(row[-1]):
            metadata = msgspec.json.decode(str(row[-1])).get("metadata")
            if isinstance(metadata, dict):
                found.append((row, metadata))
    return found


def fold_pairs(cube: Cube, row: tuple[object, ...], metadata: dict[str, object]) -> None:
    workspace = str(row[WORKSPACE])
    for name, value in metadata.items():
        cube.add((workspace, name[:MOST_VALUE_CHARACTERS], str(value)[:MOST_VALUE_CHARACTERS]), row)


WORKSPACE = ROW.index("workspace")


def merge_all(cube: Cube, connection: sqlite3.Connection, name: str, step_s: int, first_s: int, until_s: int) -> None:
    rows = connection.execute(
        "SELECT start_s, body FROM rollups WHERE cube = ? AND step_s = ? AND start_s >= ? AND start_s < ?",
        (name, step_s, first_s, until_s))
    for start_s, body in rows:
        with leaving_out(name, step_s, start_s):
            cube.merge(body)


@contextmanager
def leaving_out(name: str, step_s: int, start_s: int) -> Iterator[None]:
    """Log a body that is damaged and go on without it."""
    try:
        yield
    except ValueError as error:
        log.error("the sums %s of %d s from %d on cannot be read, and are left out: %s", name, step_s, start_s, error)


def keep(connection: sqlite3.Connection, name: str, step_s: int, start_s: int, cube: Cube) -> None:
    if len(cube):
        body = bounded(name, cube).encode()
        connection.execute("INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?)", (name, step_s, start_s, body))


def bounded(name: str, cube: Cube) -> Cube:
    """Return the cells with most requests under their own names, the others together."""
    if len(cube) <= (MOST_CELLS if name == "sets" else MOST_VALUES):
        return cube
    ranked = sorted(cube.requests().items(), key=itemgetter(1), reverse=True)
    if name == "sets":
        return cube.renamed({names: (names[0], *[OTHER] * (len(names) - 1)) for names, _ in ranked[MOST_CELLS:]})
    totals: Counter[Names] = Counter()
    for names, number in ranked:
        totals[names[:2]] += number
    fits: set[Names] = set()
    of_workspace: Counter[object] = Counter()
    for pair, _ in totals.most_common():
        of_workspace[pair[0]] += 1
        if of_workspace[pair[0]] <= MOST_NAMES:
            fits.add(pair)
    seen: Counter[Names] = Counter()
    renamed: dict[Names, Names | None] = {}
    for names, _ in ranked:
        pair = names[:2]
        seen[pair] += 1
        if pair not in fits:
            renamed[names] = None
        elif seen[pair] > MOST_VALUES:
            renamed[names] = (*pair, OTHER)
    return cube.renamed(renamed)
