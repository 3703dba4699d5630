"""Moments as HTTP writes them, beside what the standard library writes."""

import time
from email.utils import formatdate, parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st

from fastgw.clock import http_date
from tests.patience import SLOW_DAY_S


@given(st.floats(0, 4e9))
def test_dates_are_those_of_the_standard_library(now_s: float) -> None:
    """Any moment of this century and the next is written as `email.utils` writes it."""
    assert http_date(now_s) == formatdate(int(now_s), usegmt=True)


def test_now_is_the_moment_that_is_not_given() -> None:
    """Without a moment it is this one's date."""
    assert abs(parsedate_to_datetime(http_date()).timestamp() - time.time()) < SLOW_DAY_S
