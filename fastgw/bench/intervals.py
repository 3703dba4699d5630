"""Medians, bootstrap intervals and least squares, in plain Python, since nothing here is large."""
from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence

LEVEL = 0.99
DRAWS = 2000

Statistic = Callable[[Sequence[float]], float]


def bootstrap(values: Sequence[float], statistic: Statistic = statistics.median, *, level: float = LEVEL, draws: int = DRAWS,
              seed: int = 1) -> tuple[float, float]:
    """A percentile bootstrap interval (Efron 1979) of a statistic of independent values; the same values give the same interval.

    The level is 99 %, for one of 95 % misses zero in 5 of 100 runs that compare a thing with itself.
    """
    if len(values) < 2:
        raise ValueError("expected two values at least")
    draw = random.Random(seed).choices
    found = sorted(statistic(draw(values, k=len(values))) for _ in range(draws))
    return spread(found, level)


def spread(ordered: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """The middle of an ordered sample that holds `level` of it."""
    cut = round((1 - level) / 2 * len(ordered))
    return ordered[cut], ordered[-1 - cut]


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(a, b) of y = a + b x by least squares."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    slope, intercept = statistics.linear_regression(xs, ys)
    return intercept, slope


def bootstrap_line(groups: Sequence[Sequence[tuple[float, float]]], *, level: float = LEVEL, draws: int = DRAWS,
                   seed: int = 1) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intervals of a and of b; each group has the points of one x, and is drawn from by itself."""
    chance = random.Random(seed)
    fits = [line([point for group in groups for point in chance.choices(group, k=len(group))]) for _ in range(draws)]
    return spread(sorted(a for a, _ in fits), level), spread(sorted(b for _, b in fits), level)
