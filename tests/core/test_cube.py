"""The kernel of the sums: equal to plain Python, mergeable, bounded, and not to be upset by damaged bytes."""
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from fastgw._core.cube import HISTOGRAMS, OTHER, SOURCES, SUMS, Cube
from fastgw.record.fields import Record
from fastgw.record.schema import ROW
from tests.oracles.cube import Cells, bucket, summed
from tests.unit.record.making import record_of

NAMES = ("workspace", "model", "status")
SHARES = (0.5, 0.9, 0.95, 0.99, 1.0)

RECORDS = st.builds(
    record_of,
    workspace=st.sampled_from(["a", "ö", ""]), model=st.sampled_from(["m", "m\n", "\ud800"]),
    status=st.sampled_from([200, 429, 503, 0, 1234]),
    outcome=st.sampled_from(["served", "refused", "failed", "cancelled", "lost"]),
    finished_ns=st.integers(0, 2**43), first_byte_ns=st.integers(-1, 2**20), gateway_ns=st.integers(0, 2000),
    cost_nano_usd=st.integers(-1, 10**15), saved_nano_usd=st.integers(0, 5), input_tokens=st.integers(0, 10**9),
    output_tokens=st.integers(0, 9), cache_read_tokens=st.integers(0, 9), reasoning_tokens=st.integers(0, 300),
    attempts=st.integers(0, 5), retries=st.integers(0, 4),
)


def row_of(seq: int, record: Record) -> tuple[object, ...]:
    return (seq, *astuple(record)[:-3], "")


def folded(records: list[tuple[int, Record]], most_cells: int = 1000) -> Cube:
    cube = Cube(NAMES, ROW, most_cells)
    cube.fold([row_of(seq, record) for seq, record in records])
    return cube


def check(cube: Cube, cells: Cells) -> None:
    """Hold a cube to the twin: sums, counts of every bucket, quantiles."""
    assert cube.sums() == {names: tuple(cell.sums[name] for name in SUMS) for names, cell in cells.items()}
    for names, cell in cells.items():
        for at, name in enumerate(HISTOGRAMS):
            values = cell.values[name]
            assert sum(cube.counts(names, at).values()) == len(values)  # type: ignore[arg-type]  # names are texts and numbers
            if values and max(values) < 2**43:
                assert cube.quantiles(names, at, SHARES) == tuple(  # type: ignore[arg-type]  # the same
                    cell.quantile(name, share) for share in SHARES)


@given(st.lists(RECORDS, max_size=40))
@settings(deadline=None, max_examples=80)
def test_sums_are_those_of_plain_python(records: list[Record]) -> None:
    """Whatever the records, folding them, keeping them as bytes and merging any two halves gives what a plain loop gives."""
    placed = [(10**18 + at * 10**9, record) for at, record in enumerate(records)]

    def by_names(record: Record) -> tuple[object, ...]:
        return record.workspace, record.model, str(record.status)

    check(folded(placed), summed(placed, by_names))
    merged = Cube(NAMES)
    for half in (placed[::2], placed[1::2]):
        merged.merge(folded(half).encode())
    check(merged, summed(placed, by_names))
    chosen = Cube(("slot", "model"))
    chosen.merge(folded(placed).encode(), 7, (1,), ((0, frozenset(("a", ""))), (2, frozenset(("200", "503")))))
    wanted = [(seq, record) for seq, record in placed if record.workspace != "ö" and record.status in (200, 503)]
    check(chosen, summed(wanted, lambda record: (7, record.model)))


def test_bucket_is_within_one_part_in_32() -> None:
    """The middle of a bucket is off by at most 1/32 of any value in it, and a value of an exchange is never out of range."""
    cube = Cube(("model",), ROW)
    values = [random.Random(3).randrange(16, 2**43) >> shift for shift in range(30)]
    for value in values:
        cube.clear()
        cube.fold([row_of(1, record_of(finished_ns=value))])
        (middle,) = cube.quantiles(("gpt-4.1",), 0, (0.5,))
        first, end = bucket(value)
        assert first <= middle < end and abs(middle - value) <= value / 32 + 1
    cube.clear()
    cube.fold([row_of(1, record_of(finished_ns=2**62))])
    assert sum(cube.counts(("gpt-4.1",), 0).values()) == 1


def test_cells_are_bounded() -> None:
    """What has no room is counted in its first name's cell of others; nothing is lost."""
    records = [(at, record_of(workspace=f"w{at % 2}", model=f"m{at}")) for at in range(100)]
    cube = folded(records, 10)
    requests = cube.requests()
    assert len(cube) == 12 and sum(requests.values()) == 100
    assert requests["w0", OTHER, OTHER] == requests["w1", OTHER, OTHER] == 45


def test_cells_can_be_renamed_and_taken_out() -> None:
    """Cells that get the same name become one; None takes a cell out."""
    cube = folded([(10**9 * at, record_of(model=f"m{at}", finished_ns=at)) for at in range(4)])
    names = [("default", f"m{at}", "200") for at in range(4)]
    renamed = cube.renamed({names[1]: names[2], names[3]: None})
    assert renamed.requests() == {names[0]: 1, names[2]: 2}
    assert renamed.counts(names[2], 0) == {1: 1, 2: 1} and renamed.sums()[names[2]][SUMS.index("last_seen_s")] == 2
    assert cube.requests()[names[3]] == 1


def test_histograms_that_are_not_wanted_are_left_out() -> None:
    """A merge reads only the histograms it is told to; sums are always there."""
    cube = Cube(NAMES)
    cube.merge(folded([(1, record_of())]).encode(), histograms=1)
    (names,) = cube.requests()
    assert [bool(cube.counts(names, at)) for at in range(3)] == [True, False, False] and cube.quantiles(names, 1, (0.5,)) == ()


def test_damaged_bodies_are_refused() -> None:
    """A body that is cut or changed is read or refused with ValueError; nothing is read beyond it and no row is invented."""
    body = folded([(at, record_of(workspace=f"w{at}", retries=1)) for at in range(5)]).encode()
    Cube(NAMES).merge(body)
    for end in range(len(body)):
        with pytest.raises(ValueError):
            Cube(NAMES).merge(body[:end])
    dice = random.Random(1)
    for _ in range(3000):
        changed = bytearray(body)
        for _ in range(dice.randrange(1, 4)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        try:
            Cube(NAMES).merge(bytes(changed))
        except ValueError:
            pass
    with pytest.raises(ValueError, match="dimensions"):
        Cube(NAMES).merge(body, keep=(3,))


def test_fields_must_be_there() -> None:
    """Rows without what is summed up, and more dimensions than there is room for, are refused when the cube is made."""
    with pytest.raises(ValueError):
        Cube(NAMES, SOURCES[1:])
    with pytest.raises(ValueError, match="16 dimensions"):
        Cube(tuple(map(str, range(17))))
