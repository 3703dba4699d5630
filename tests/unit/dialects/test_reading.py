"""Promises of reading what a provider wrote."""

import pytest

from fastgw.dialects.reading import as_count


@pytest.mark.parametrize(
    ("value", "count"),
    [(3, 3), (3.0, 3), (2**53, 2**53), (2**53 + 1, 0), (1e300, 0), (float("nan"), 0), (float("inf"), 0), (-1, 0), (True, 0), ("3", 0),
     (None, 0)],
)  # fmt: skip
def test_count_is_one_that_sums_without_overflow(value: object, count: int) -> None:
    """What no provider can have counted is not counted."""
    assert as_count(value) == count
