"""Lines for people: aligned, complete, harmless to a terminal."""
import json
from typing import Any

import pytest

from fastgw.record.listing import dollars, heading, line, lines
from fastgw.record.query import Listed, json_line
from tests.unit.record.making import record_of

ATTEMPTS = '"main/gpt-4.1";status=503;trouble="overloaded";ms=312, "azure/gpt-4.1";status=200;ms=801'
PASSED_OVER = '"azure/nano";why="open"'
DETAIL = {"attempts": ATTEMPTS, "passed_over": PASSED_OVER, "metadata": {"team": "search"}}


def listed(**values: object) -> Listed:
    return Listed(7, record_of(**({"attempts": 1} | values)))


def test_line_says_what_matters() -> None:
    """A line has status, outcome, names, tokens, cost and times in their units."""
    words = line(listed(error="", gateway_ns=31_400)).split()
    assert words[2:] == ["200", "served", "app-1", "gpt-4.1", "openai", "10", "5", "0.001500", "900.00", "250.00", "31"]


def test_columns_stand_under_their_heads() -> None:
    """Every line breaks at the same places, whatever is long or missing."""
    strange = listed(model="m" * 60, key="", provider="", first_byte_ns=-1, error="budget_exhausted", status=0)
    rows = [heading(), *lines(listed()), *lines(strange)]
    at = rows[0].index("OUTCOME")
    assert [row[at:at + 6] for row in rows[1:]] == ["served", "served"]
    assert rows[2].endswith("budget_exhausted") and rows[0].index("NOTES") == rows[2].index("budget_exhausted")


def test_control_characters_do_not_reach_the_terminal() -> None:
    """What a caller puts into a name cannot move the cursor or forge a line."""
    assert line(listed(model="a\x1b[2J\nb\u202e")).isprintable()


@pytest.mark.parametrize(("values", "notes"), [
    ({}, ""),
    ({"cache": "hit", "saved_nano_usd": 1_500_000}, "cache hit, saved 0.001500"),
    ({"cache": "miss"}, ""),
    ({"attempts": 3, "retries": 1}, "3 attempts, 1 retry"),
    ({"attempts": 4, "retries": 3, "error": "upstream_status"}, "upstream_status, 4 attempts, 3 retries"),
])
def test_notes_say_what_is_out_of_the_ordinary(values: dict[str, Any], notes: str) -> None:
    """The last column has the error, a hit of the cache with what it saved, and how much more than one try it took."""
    assert line(listed(**values))[heading().index("NOTES"):] == notes


@pytest.mark.parametrize(("values", "below"), [
    ({}, []),
    ({"attempts": 2}, [f"    attempts: {ATTEMPTS}", f"    passed over: {PASSED_OVER}"]),
    ({"attempts": 2, "detail": {"attempts": ATTEMPTS}}, [f"    attempts: {ATTEMPTS}"]),
    ({"attempts": 0, "detail": {"passed_over": PASSED_OVER}}, [f"    passed over: {PASSED_OVER}"]),
    ({"attempts": 2, "detail": {"attempts": "a\x1b[2J\nb"}}, ["    attempts: a?[2J?b"]),
    ({"attempts": 2, "detail": None}, []),
])
def test_attempts_stand_below_their_record(values: dict[str, Any], below: list[str]) -> None:
    """Each attempt is told where there were several, and who was passed over where none was made; one alone takes one line."""
    one = listed(**({"detail": DETAIL} | values))
    assert list(lines(one)) == [line(one), *below]


@pytest.mark.parametrize("nano_usd, shown", [
    (-1, "unknown"), (0, "0.000000"), (1, "0.000000001"), (1_000, "0.000001"), (1_234_567_890_123, "1234.567890123"),
])
def test_cost_is_exact(nano_usd: int, shown: str) -> None:
    """No nano-dollar is rounded away."""
    assert dollars(nano_usd) == shown


def test_json_has_every_field_and_the_cursor() -> None:
    """The JSON form is one line with seq and all fields."""
    text = json_line(listed())
    assert b"\n" not in text
    assert list(json.loads(text)) == ["seq", *record_of().__struct_fields__]
    assert json.loads(json_line(listed(detail=DETAIL)))["detail"] == DETAIL
