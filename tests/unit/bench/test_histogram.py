"""Promises of the histogram: every percentile within a thousandth of the sample that it stands for, and nothing lost."""

from hypothesis import given
from hypothesis import strategies as st

from fastgw.bench.histogram import Histogram
from tests.oracles import histogram as oracle

SHARES = (0.0, 0.01, 0.07, 0.5, 0.9, 0.99, 0.999, 1.0)
durations = st.lists(st.one_of(st.integers(0, 5000), st.integers(0, 2**42 - 1)), max_size=300)


def filled(samples: list[int]) -> Histogram:
    histogram = Histogram()
    for sample in samples:
        histogram.record(sample)
    return histogram


def is_close(found: int, true: int) -> bool:
    """What stands for a sample is not below it, and less than a thousandth above."""
    return true <= found <= true + true / 1000


@given(durations)
def test_percentiles_have_three_digits(samples: list[int]) -> None:
    """Each percentile is that of the plain twin, to three significant digits; the ends are exact."""
    histogram = filled(samples)
    assert all(is_close(histogram.percentile_ns(share), oracle.percentile(samples, share)) for share in SHARES)
    assert histogram.count == len(samples)
    assert (histogram.least_ns, histogram.most_ns) == ((min(samples), max(samples)) if samples else (0, 0))
    assert abs(histogram.mean_ns() - (sum(samples) / len(samples) if samples else 0)) < 1


@given(durations, durations)
def test_merged_is_as_if_recorded_together(first: list[int], second: list[int]) -> None:
    """Two histograms merged are the histogram of all samples, and clearing leaves none."""
    merged, whole = filled(first), filled(first + second)
    merged.merge(filled(second))
    assert merged.buckets() == whole.buckets()
    assert (merged.count, merged.least_ns, merged.most_ns) == (whole.count, whole.least_ns, whole.most_ns)
    merged.clear()
    assert (merged.count, merged.buckets(), merged.percentile_ns(0.5), merged.most_ns) == (0, [], 0, 0)
    merged.merge(filled(second))
    assert merged.buckets() == filled(second).buckets()


@given(st.lists(st.integers(30_000_000, 50_000_000), max_size=200))
def test_a_range_is_counted(samples: list[int]) -> None:
    """The samples from 38 to 44 ms are counted, to the width of a bucket at each end."""
    found = filled(samples).between(38_000_000, 44_000_000)
    assert oracle.between(samples, 38_040_000, 43_960_000) <= found <= oracle.between(samples, 37_960_000, 44_040_000)


def test_the_99th_of_100_is_not_the_greatest() -> None:
    """Percentiles round the rank up, never past it: p99 of 1..100 is 99, p7 is 7."""
    histogram = filled(list(range(1, 101)))
    assert [histogram.percentile_ns(share) for share in (0.07, 0.5, 0.99, 0.999)] == [7, 50, 99, 100]


def test_what_is_out_of_range_counts_at_the_end() -> None:
    """A duration below zero counts as zero, one beyond 73 minutes as the longest."""
    histogram = filled([-5, 2**60])
    assert histogram.count == 2 and histogram.percentile_ns(0.5) == 0
    assert sum(count for _, count in histogram.buckets()) == 2


def test_a_bucket_of_every_size_is_its_own() -> None:
    """No value falls into the bucket of a value that differs by more than a thousandth."""
    for power in range(42):
        for value in {2**power - 1, 2**power, 2**power + 2 ** max(0, power - 5)}:
            histogram = filled([value])
            (top, count), = histogram.buckets()
            assert count == 1 and is_close(top, value)
