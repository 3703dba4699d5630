"""Identifiers: UUIDs that sort by when they were made."""

import time
from uuid import UUID

import pytest

from fastgw.control.ids import make_id


def test_later_ones_sort_after_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a millisecond too; they are of version 7, and of the time that they say."""
    at = time.time_ns() // 1_000_000 * 1_000_000
    made = []
    for offset in (0, 250, 500, 1_000, 999_000, 999_999, 1_000_000, 10**9):
        monkeypatch.setattr("fastgw.control.ids.time.time_ns", lambda moment=at + offset: moment)
        made.append(make_id())
    assert made == sorted(made) and len(set(made)) == len(made)
    for text in made:
        one = UUID(text)
        assert one.version == 7 and one.variant == "specified in RFC 4122" and str(one) == text
    assert UUID(made[0]).int >> 80 == at // 1_000_000


def test_no_two_are_alike() -> None:
    """However many are made at once."""
    assert len({make_id() for _ in range(10_000)}) == 10_000
