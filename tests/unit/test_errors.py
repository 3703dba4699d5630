"""The table of errors, the page about it, and what callers are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastgw.errors import (
    ADVICE,
    CODES,
    INDEX,
    MEANINGS,
    TABLE,
    CallerError,
    GatewayError,
    GatewayFault,
    UpstreamError,
    error,
)

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SOURCES = [path.read_text(encoding="utf-8") for suffix in ("*.py", "*.pyx") for path in (ROOT / "fastgw").rglob(suffix)]
ONLY_IN_RECORDS = {"UpstreamStatus", "ClientGone"}


def test_the_page_is_the_table() -> None:
    """docs/errors.md has one row for each code, with its status, whether to try again, what it means and what to do."""
    rows = [
        [cell.strip() for cell in line.strip("| \n").split(" | ")]
        for line in PAGE.splitlines()
        if line.startswith("| `")
    ]
    expected = [
        [f"`{kind.code}`", str(kind.status), "yes" if kind.retryable else "no", MEANINGS[kind.code], ADVICE[kind.code]]
        for kind in TABLE.values()
    ]
    assert rows == expected


def test_codes_are_words_and_stand_once() -> None:
    """A code is lower-case words, no two errors share one, and a record's index leads back to it; 0 is no error."""
    codes = [kind.code for kind in TABLE.values()]
    assert len(set(codes)) == len(codes) and all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", code) for code in codes)
    assert CODES == ("", *codes) and len(CODES) < 256
    assert all(CODES[INDEX[code]] == code for code in codes)


@pytest.mark.parametrize("name", TABLE)
def test_a_status_says_whose_fault_it_is(name: str) -> None:
    """4xx is the caller's, 502 to 504 the provider's or the way's, 5xx else ours; what may be tried again is
    never a plain 4xx.
    """
    kind = TABLE[name]
    parents: dict[type, tuple[int, int]] = {
        CallerError: (400, 499),
        UpstreamError: (502, 504),
        GatewayFault: (500, 503),
    }
    ((low, high),) = [parents[parent] for parent in kind.__mro__ if parent in parents]
    is_method_or_version = kind.status in (501, 505)  # RFC 9110 has these two as 5xx
    assert low <= kind.status <= high or is_method_or_version
    if kind.retryable and issubclass(kind, CallerError):
        assert kind.status in (408, 429)


@pytest.mark.parametrize("name", sorted(set(TABLE) - ONLY_IN_RECORDS))
def test_every_error_can_happen(name: str) -> None:
    """Every code that callers may get is raised somewhere."""
    assert any(f'"{name}"' in source and f'("{name}", CallerError' not in source for source in SOURCES)


def test_an_error_says_what_it_was_made_with() -> None:
    """Code and status come from the table; message, param and fields from where it is raised."""
    problem = error("RateLimited", "too many", param="model", fields=(("retry-after", "3"),))
    assert isinstance(problem, CallerError) and isinstance(problem, GatewayError)
    assert (problem.code, problem.status, problem.retryable) == ("rate_limited", 429, True)
    assert (problem.message, str(problem), problem.param, problem.fields) == (
        "too many",
        "too many",
        "model",
        (("retry-after", "3"),),
    )
