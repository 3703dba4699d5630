"""A histogram that keeps every sample: the plain twin of fastgw.bench.histogram."""

import math
from collections.abc import Sequence


def percentile(samples: Sequence[int], share: float) -> int:
    """Nearest rank, rounded up."""
    if not samples:
        return 0
    # The share as people write it: 0.07 of 100 samples is the 7th, whatever floating point makes of the product.
    rank = math.ceil(round(share * len(samples), 6))
    return sorted(samples)[max(1, rank) - 1]


def between(samples: Sequence[int], low: int, high: int) -> int:
    return sum(low <= sample <= high for sample in samples)
