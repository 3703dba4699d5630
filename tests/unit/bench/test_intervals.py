"""Promises of the statistics: intervals hold what they should as often as they say, lines are found again."""

import random
import statistics

import pytest

from fastgw.bench.intervals import bootstrap, bootstrap_line, line


def misses(draw: random.Random, level: float, runs: int, count: int) -> int:
    """How often an interval of the median of normal values with median 3 does not hold 3."""
    intervals = (bootstrap([draw.gauss(3, 1) for _ in range(count)], level=level, draws=400) for _ in range(runs))
    return sum(not low <= 3 <= high for low, high in intervals)


def test_an_interval_holds_the_median_as_often_as_it_says() -> None:
    """Of 300 intervals at 90 % some 10 % miss a known median, of those at 99 % hardly any: neither too few nor too many."""
    assert 12 <= misses(random.Random(7), 0.90, 300, 31) <= 50
    assert misses(random.Random(8), 0.99, 300, 31) <= 9


@pytest.mark.parametrize("tail", [0.0, 0.05, 0.3])
def test_simulated_a_a_runs_find_no_difference(tail: float) -> None:
    """A server beside itself, with latencies that drift, sometimes stall, and are noisy as on a shared machine: at least 95
    of 100 intervals of the rounds' differences contain zero.
    """
    draw = random.Random(11)

    def p50(at: int) -> float:
        stall = draw.expovariate(1 / 30) if draw.random() < tail else 0.0
        return 40 + at * 0.5 + draw.gauss(0, 1.5) + stall

    holds = 0
    for _ in range(100):
        gaps = [p50(at) - p50(at) for at in range(31)]
        low, high = bootstrap(gaps, draws=400)
        holds += low <= 0 <= high
    assert holds >= 95


def test_a_difference_that_is_there_is_found() -> None:
    """Where the second is slower by three times the noise, the interval excludes zero and holds the difference."""
    draw = random.Random(5)
    low, high = bootstrap([draw.gauss(60, 20) for _ in range(31)])
    assert 0 < low < 60 < high < 90


def test_the_same_values_give_the_same_interval() -> None:
    """An interval is a function of the values, so that a report can be checked; fewer than two have none."""
    values = [random.Random(3).gauss(0, 1) for _ in range(31)]
    assert bootstrap(values) == bootstrap(values)
    low, high = bootstrap(values)
    assert low <= statistics.median(values) <= high
    with pytest.raises(ValueError, match="two values"):
        bootstrap([1.0])


def test_a_line_is_found_again() -> None:
    """a and b of points on a line are exact; of noisy ones they lie in their intervals, which are not idle."""
    assert line([(x, 3 + 2 * x) for x in (0.0, 1.0, 5.0)]) == pytest.approx((3, 2))
    draw = random.Random(2)
    groups = [[(x, 130 + 4.3 * x + draw.gauss(0, 3)) for _ in range(3)] for x in (0.3, 1.0, 4.4, 16.0, 150.0)]
    (a_low, a_high), (b_low, b_high) = bootstrap_line(groups, draws=500)
    assert a_low <= 130 <= a_high and b_low <= 4.3 <= b_high
    assert a_high - a_low < 20 and b_high - b_low < 0.2
