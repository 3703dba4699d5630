"""Requests, cost, tokens, times, errors and users over time and by any name, from the sums that the drain keeps.

A range is answered from whole days, hours and minutes, the coarsest that fit, and from the records that are not summed up yet. What the
sums cannot tell (a trace, a text, bounds of cost or latency, metadata together with other names) is summed up from the records
themselves, within the time that a query has. A minute that is gone, because minutes are kept for a few days only, is answered by
its hour, and an hour by its day; so the ends of an old range are as coarse as what is kept.
"""
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

from msgspec import Struct, structs

from fastgw._core.cube import HISTOGRAMS, SUMS, Cube
from fastgw.record.filters import USER, Filters, allowed_pairs, allowed_sets, is_summed
from fastgw.record.query import SECONDS, Listing, QueryTooLong, reading
from fastgw.record.rollups import DAY_S, DIMENSIONS, SECOND_NS, STEPS_S, Names, fold_pairs, leaving_out, minute_of, tagged_rows
from fastgw.record.schema import ROW, progress_of

MOST_POINTS = 20_000           # of a series, times its groups
MOST_NAMES = 200_000           # that are told apart, to count or to rank them
MOST_GROUPS = 1000
SHARES = (0.5, 0.9, 0.95, 0.99)
EVERY_HISTOGRAM = 15
NO_HISTOGRAM = 0
RECORDS_AT_ONCE = 5000
FINEST_S = STEPS_S[0]
TIMED = (("latency", "timed"), ("first_byte", "first_bytes"), ("gateway", "timed"))      # in the order of HISTOGRAMS, with their counts
NO_SUMS = (0,) * len(SUMS)
AT = {name: at for at, name in enumerate(SUMS)}
METADATA = "metadata:"
GROUPS = (*DIMENSIONS["sets"], "user", METADATA)

Into = Callable[[int | None], tuple[Cube, int | None]]      # which cube has what belongs to a slot, and under which slot's name


class Times(Struct, frozen=True):
    """How long something took, in nanoseconds; quantiles are right to 1 part in 32, and 0 where there were none."""

    count: int
    mean_ns: int
    p50_ns: int
    p90_ns: int
    p95_ns: int
    p99_ns: int


class Measures(Struct, frozen=True):
    """What some records come to."""

    requests: int
    errors: int                # status of 400 and more, or failed or lost
    cost_nano_usd: int         # of those whose price is known
    unpriced: int              # the others
    saved_nano_usd: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    retries: int
    rescued_by_retry: int      # served after the same target was asked again
    rescued_by_fallback: int   # served after another target was asked
    retried: dict[int, int]    # of those rescued by a retry: how many needed so many
    latency: Times
    first_byte: Times
    gateway: Times
    last_seen_s: int           # when the last one ended, in seconds since 1970


class Point(Struct, frozen=True):
    """One stretch of time, and one group where groups were asked for."""

    start_ns: int
    group: str
    measures: Measures


class Group(Struct, frozen=True):
    """One name and what its records come to."""

    name: str
    measures: Measures


class Ranking(Struct, frozen=True):
    """The groups that come first, and how many there are."""

    groups: list[Group]
    total: int


class Overview(Struct, frozen=True):
    """A range over time and as a whole, and how many requests the gateway's cache said what of; None where no sum tells."""

    points: list[Point]
    whole: Measures
    caches: dict[str, int] | None


class Parted(Struct, frozen=True):
    """A range over time by groups, as a whole, and by groups, the greatest first."""

    points: list[Point]
    whole: Measures
    groups: list[Group]


class Active(Struct, frozen=True):
    """How many names there are in each step (its start in nanoseconds) with how many requests they made, and how many names in all."""

    steps: dict[int, tuple[int, int]]
    names: int


class WrongQuery(ValueError):
    """What is asked for makes no sense or is too much; the message says what would do."""


def summary(path: Path, filters: Filters, seconds: float = SECONDS) -> Measures:
    """Sum up all that the filters let pass."""
    cube = Asked(filters, None, ()).answer(path, seconds)
    return measures_of(cube, (), cube.sums().get((), NO_SUMS))


def series(path: Path, filters: Filters, step_s: int, group_by: str | None = None, seconds: float = SECONDS) -> list[Point]:
    """Return a point for each step (seconds, whole minutes) that has records, in order of time, then of names.

    `since_ns` and `until_ns` are needed; the steps begin at since_ns, brought down to a whole step or, where steps are longer, a whole day.
    """
    asked = Asked(filters, step_s, (group_by,) if group_by else ())
    return asked.points_in(asked.answer(path, seconds, MOST_POINTS))


def overview(path: Path, filters: Filters, step_s: int, seconds: float = SECONDS) -> Overview:
    """Return what `series`, `summary` and the groups by cache do, of one look at the sums.

    raises  WrongQuery as `series` does
    """
    asked = Asked(filters, step_s, ("cache",) if is_summed(filters) else ())
    cube = asked.answer(path, seconds, MOST_POINTS)
    body = body_of(cube)
    caches = {str(names[0]): count for names, count in parted(body, (1,)).requests().items()} if is_summed(filters) else None
    return Overview(asked.points_in(parted(body, (0,))), whole_of(body), caches)


def by_group(path: Path, filters: Filters, step_s: int, group_by: str, seconds: float = SECONDS) -> Parted:
    """Return what `series`, `summary` and `groups` do, of one look at the sums. raises WrongQuery as `series` does"""
    asked = Asked(filters, step_s, (group_by,))
    cube = asked.answer(path, seconds, MOST_POINTS)
    body = body_of(cube)
    return Parted(asked.points_in(cube), whole_of(body), ranking_of(parted(body, (1,))).groups)


def active(path: Path, filters: Filters, step_s: int, by: str = "user", seconds: float = SECONDS) -> Active:
    """Count names, and what they did. `since_ns` and `until_ns` are needed, and the steps begin as those of `series` do."""
    asked = Asked(filters, step_s, (by,), NO_HISTOGRAM)
    steps: dict[int, tuple[int, int]] = {}
    everybody: set[Names] = set()
    for slot, cube in sorted(asked.answer_by_slot(path, seconds).items()):
        requests = cube.requests()
        steps[asked.start_ns(slot)] = len(requests), sum(requests.values())
        everybody.update(requests)
    return Active(steps, len(everybody))


def groups(
    path: Path, filters: Filters, by: str, order: str = "requests", limit: int = 100, offset: int = 0, seconds: float = SECONDS,
) -> Ranking:
    """Rank names by one of the sums, the greatest first. `by`: one of GROUPS, `metadata:` with a name behind it."""
    if order not in SUMS:
        raise WrongQuery(f"expected an order out of {', '.join(SUMS)}, got {order!r}")
    return ranking_of(Asked(filters, None, (by,)).answer(path, seconds), order, limit, offset)


# -- how it is found

class Asked:
    """A question: which cube answers it, with which names and filters."""

    def __init__(self, filters: Filters, step_s: int | None, by: tuple[str, ...], histograms: int = EVERY_HISTOGRAM) -> None:
        self.filters = structs.replace(filters, after=None)     # pages are for listings
        self.step_s = step_s
        self.histograms = histograms
        self.origin_s = 0
        if step_s is not None:
            if step_s < FINEST_S or step_s % FINEST_S or filters.since_ns is None or filters.until_ns is None:
                raise WrongQuery(f"expected since_ns, until_ns and a step of whole minutes, got {step_s} s")
            first_s = filters.since_ns // SECOND_NS
            self.origin_s = first_s - first_s % min(step_s, DAY_S)
        self.metadata_name: str | None = None
        for name in by:
            if name != "user" and name not in DIMENSIONS["sets"] and not (name.startswith(METADATA) and name != METADATA):
                raise WrongQuery(f"expected a group out of {', '.join(GROUPS)}, got {name!r}")
            if name == "user" or name.startswith(METADATA):
                self.metadata_name = USER if name == "user" else name.removeprefix(METADATA)
        self.choose(by)

    def choose(self, by: tuple[str, ...]) -> None:
        """Take the sums that can answer; without any, `cube` says which names of the records do."""
        self.is_summed = True
        pairs = allowed_pairs(self.filters, self.metadata_name) if set(by) <= {"workspace"} or self.metadata_name else None
        if self.metadata_name is None and is_summed(self.filters):
            self.cube, self.allowed = "sets", allowed_sets(self.filters)
        elif pairs is not None:
            self.cube, self.allowed = "pairs", pairs
        else:
            # the records are chosen by the filters themselves
            self.is_summed = False
            self.cube = "sets" if self.metadata_name is None else "pairs"
            self.allowed = () if self.metadata_name is None else ((1, frozenset((self.metadata_name,))),)
        places = DIMENSIONS[self.cube]
        self.keep = tuple(places.index(name) if name in places else places.index("value") for name in by)

    def answer(self, path: Path, seconds: float, most_cells: int = MOST_NAMES) -> Cube:
        """Return the cells, by slot of time where steps were asked for, and by group."""
        dimensions = (("slot",) if self.step_s is not None else ()) + (("group",) if self.keep else ())
        cube = Cube(dimensions, most_cells=most_cells)
        self.look(path, seconds, lambda slot: (cube, slot))
        self.refuse_many(len(cube), most_cells)
        return cube

    def answer_by_slot(self, path: Path, seconds: float) -> dict[int, Cube]:
        """Return the cells of each slot by themselves, which costs less where there are many groups."""
        cubes: defaultdict[int, Cube] = defaultdict(partial(Cube, ("group",)))
        latest, others = -1, 0          # the slot that was merged into last, and how many cells the others have

        def into(slot: int | None) -> tuple[Cube, None]:
            nonlocal latest, others
            assert slot is not None  # steps are asked for
            if slot != latest:
                others += len(cubes[latest]) - len(cubes[slot])
                latest = slot
            self.refuse_many(others + len(cubes[slot]), MOST_NAMES)
            return cubes[slot], None

        self.look(path, seconds, into)
        into(latest)
        del cubes[-1]
        return cubes

    def refuse_many(self, cells: int, most_cells: int) -> None:
        if cells > most_cells:
            raise WrongQuery(f"expected up to {most_cells} points or names, found more: take longer steps, a shorter range or fewer groups")

    def look(self, path: Path, seconds: float, into: Into) -> None:
        """Merge all that answers into the cube that each slot of time has."""
        with reading(path, seconds) as (connection, deadline):
            listing = Listing(connection, self.filters, deadline)
            if self.is_summed and listing.is_current:
                # of the same moment as the sums: all is read in one transaction
                rolled = progress_of(connection, "rolled")
                for step_s, start_s in self.covers(connection, listing.first, min(listing.last, rolled)):
                    if time.monotonic() > deadline:
                        raise QueryTooLong(f"expected an answer within {seconds:g} s: take a shorter range or longer steps")
                    body, = connection.execute(
                        "SELECT body FROM rollups WHERE cube = ? AND step_s = ? AND start_s = ?", (self.cube, step_s, start_s)).fetchone()
                    cube, slot = into(self.slot(start_s))
                    with leaving_out(self.cube, step_s, start_s):
                        cube.merge(body, slot, self.keep, self.allowed, self.histograms)
                listing.first = max(listing.first, rolled + 1)
            self.add_records(listing, into)

    def start_ns(self, slot: int) -> int:
        assert self.step_s is not None  # or there are no slots
        return (self.origin_s + slot * self.step_s) * SECOND_NS

    def points_in(self, cube: Cube) -> list[Point]:
        """The cells by their slot and, where there is one, their group."""
        found = sorted(cube.sums().items(), key=lambda cell: (int(cell[0][0]), cell[0][1:]))
        return [
            Point(self.start_ns(int(names[0])), str(names[1]) if len(names) > 1 else "", measures_of(cube, names, sums))
            for names, sums in found
        ]

    def slot(self, at_s: int) -> int | None:
        return None if self.step_s is None else max(0, at_s - self.origin_s) // self.step_s

    def covers(self, connection: sqlite3.Connection, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield (step, start) of the sums that make up the range; where finer ones are gone, the coarser one that has them."""
        from_s = minute_of(first)
        until_s = minute_of(last) + FINEST_S
        starts = {
            step_s: [row[0] for row in connection.execute(
                "SELECT start_s FROM rollups WHERE cube = ? AND step_s = ? AND start_s > ? AND start_s < ?",
                (self.cube, step_s, from_s - step_s, until_s))]
            for step_s in STEPS_S
        }
        covered: list[tuple[int, frozenset[int]]] = []
        for at, step_s in reversed(list(enumerate(STEPS_S))):
            fits_slots = self.step_s is None or self.step_s % step_s == 0
            finer = {start - start % step_s for other_s in STEPS_S[:at] for start in starts[other_s]}
            chosen = frozenset(
                start for start in starts[step_s]
                if (fits_slots and from_s <= start <= until_s - step_s or start not in finer)
                and not any(start - start % coarser_s in there for coarser_s, there in covered))
            covered.append((step_s, chosen))
            yield from ((step_s, start) for start in chosen)

    def add_records(self, listing: Listing, into: Into) -> None:
        """Add the records that no sums stand for."""
        if listing.has_more_hits:
            raise QueryTooLong("expected fewer records with this text: take a shorter range")
        for first, last in listing.stretches() if listing.first <= listing.last else ():
            found = listing.rows(["seq", *listing.fields.values()], "ASC", first, last)
            while rows := found.fetchmany(RECORDS_AT_ONCE):
                for at, those in groupby(rows, lambda row: self.slot(row[0] // SECOND_NS)):
                    cube, slot = into(at)
                    part = Cube(DIMENSIONS[self.cube], ROW)
                    fold_rows(part, self.cube, list(those))
                    cube.merge(part.encode(), slot, self.keep, self.allowed, self.histograms)


def body_of(cube: Cube) -> bytes:
    """The cells as a body, with texts for slots, which are numbers that no body has."""
    return cube.renamed({names: tuple(map(str, names)) for names in cube.requests()}).encode()


def parted(body: bytes, keep: tuple[int, ...]) -> Cube:
    """The cells of a body by fewer of their names: the slot, the group, or none."""
    found = Cube(("name",), most_cells=MOST_NAMES)
    found.merge(body, keep=keep)
    return found


def whole_of(body: bytes) -> Measures:
    whole = parted(body, ())
    return measures_of(whole, (), whole.sums().get((), NO_SUMS))


def ranking_of(cube: Cube, order: str = "requests", limit: int = MOST_GROUPS, offset: int = 0) -> Ranking:
    """The groups of a cube, the greatest of one of the sums first."""
    ranked = sorted(cube.sums().items(), key=lambda cell: (-cell[1][AT[order]], cell[0]))
    chosen = ranked[offset:offset + min(limit, MOST_GROUPS)]
    return Ranking([Group(str(names[0]), measures_of(cube, names, sums)) for names, sums in chosen], len(ranked))


def fold_rows(cube: Cube, name: str, rows: list[tuple[object, ...]]) -> None:
    if name == "sets":
        cube.fold(rows)
    else:
        for row, metadata in tagged_rows(rows):
            fold_pairs(cube, row, metadata)


def measures_of(cube: Cube, names: Names, sums: tuple[int, ...]) -> Measures:
    """Name a cell's sums and read its histograms."""
    plain = {name: sums[AT[name]] for name in Measures.__struct_fields__ if name in AT}
    times = {
        name: times_of(sums[AT[count]], sums[AT[f"{name}_ns"]], cube.quantiles(names, at, SHARES) if sums[AT[count]] else ())
        for at, (name, count) in enumerate(TIMED)
    }
    retried = cube.counts(names, HISTOGRAMS.index("retries")) if sums[AT["rescued_by_retry"]] else {}
    return Measures(**plain, **times, retried=retried)  # type: ignore[arg-type]  # fields by their names


def times_of(count: int, total_ns: int, quantiles: tuple[int, ...]) -> Times:
    return Times(count, total_ns // count if count else 0, *(quantiles or (0,) * len(SHARES)))
