"""Regular expressions of queries: what matches, and that none can take long."""
import time

import pytest

from fastgw.route.pattern import TooCostly, compile_pattern


@pytest.mark.parametrize(("pattern", "subject", "expected"), [
    ("^gpt-4.*-mini$", "gpt-4.1-mini", True),
    ("^gpt-4.*-mini$", "gpt-4.1", False),
    ("(?i)paris|london", "in London", True),
    (r"\bword\b", "a word.", True),
    (r"(?:gpt|claude)-\d+", "claude-3", True),
    ("(abc)?def", "xdef", True),
    ("", "anything", True),
])
def test_pattern_is_searched_for(pattern: str, subject: str, expected: bool) -> None:
    """A pattern matches anywhere, as Python's re.search has it."""
    assert compile_pattern(pattern)(subject) is expected


@pytest.mark.parametrize("pattern", [
    "(a+)+$", "(a|aa)*$", "(a?){30}a{30}", "a?" * 30 + "a" * 30, "(.*)*", "(ab?)*", "(x{1,15}){1,15}", "a*b*c*d*e*", r"(.)\1",
    "(?P<a>x)(?(a)y|z)", "(", "[", "x" * 513, "(" * 5000, "a{99999999999999999999}", "(?=(a+)+)b",
])
def test_costly_pattern_is_refused(pattern: str) -> None:
    """What could take long, and what is no pattern, is refused with what is expected instead."""
    with pytest.raises(TooCostly, match="a regular expression"):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["a*b", "a*a*b", ".*a.*b", "(?=a*)b", "[ab]+[a-c]+d", "a{1,1000}b", "a?a?a?a?b", "(aa|a)(a|aa)(a|aa)b"])
def test_worst_subject_takes_no_time(pattern: str) -> None:
    """A subject made to have the matcher try everything is done within a fraction of a second."""
    is_found = compile_pattern(pattern)
    started = time.process_time()
    assert not is_found("a" * 100_000)
    assert time.process_time() - started < 0.5


def test_long_subject_is_looked_at_as_far_as_allowed() -> None:
    """Beyond the limit nothing is seen, and what is tied to the end is not found at a place that is not the end."""
    assert compile_pattern("needle")("x" * 60_000 + "needle")
    assert not compile_pattern("needle")("x" * 70_000 + "needle")
    assert compile_pattern("x$")("x" * 65_536)
    assert not compile_pattern("x$")("x" * 65_537)
