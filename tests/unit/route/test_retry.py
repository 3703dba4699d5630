"""Retries: when the same target is asked again, after what wait, and when it must not be."""
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.canonical import FailureKind
from fastgw.record.names import OPERATIONS
from fastgw.route.retry import (
    ANSWERS,
    MOST_NS,
    MS,
    NEXT,
    SECOND,
    STOP,
    UNKNOWN,
    Failure,
    RetryRule,
    is_repeatable,
    retry_after,
    trouble_of_kind,
    trouble_of_status,
)
from fastgw.snapshot.routes import Retry, Trouble

RULE = RetryRule(Retry(attempts=3, base_ms=100, max_ms=1000))
BUSY = Failure(status=503, trouble="overloaded")
MOST_DRAW = 2**64 - 1
NOW_S = 1_800_000_000.0


def decide(failure: Failure = BUSY, retries: int = 0, *, rule: RetryRule = RULE, repeatable: bool = True, left_ns: int = 60 * SECOND,
           draw: int = MOST_DRAW) -> tuple[str, int]:
    """The verdict, with what is usual where a test states nothing else."""
    return rule.decide(failure, retries, repeatable=repeatable, left_ns=left_ns, draw=draw)


def test_waits_double_up_to_the_longest() -> None:
    """Each wait is drawn from half to all of twice the one before, at most max_ms; after the last attempt another target is tried."""
    rule = RetryRule(Retry(attempts=6, base_ms=100, max_ms=1000))
    waits = [decide(rule=rule, retries=retries)[1] for retries in range(6)]
    assert [round(wait / MS) for wait in waits] == [100, 200, 400, 800, 1000, 1000]
    assert decide(rule=rule, draw=0) == ("again", 50 * MS)
    assert decide(rule=rule, retries=6) == NEXT


@given(st.integers(0, 20), st.integers(0, MOST_DRAW), st.integers(-1, 10**12), st.integers(-5, 10**12))
def test_wait_is_within_bounds(retries: int, draw: int, asked_ns: int, left_ns: int) -> None:
    """Whatever is drawn and asked for, a wait ends before the deadline, and is as long as asked but no longer than max_ms and a jitter."""
    verdict = decide(Failure(status=429, trouble="rate_limit", retry_after_ns=asked_ns), retries, left_ns=left_ns, draw=draw)
    assert verdict[0] in ("again", "next", "stop")
    if verdict[0] == "again":
        assert 0 <= verdict[1] < left_ns and verdict[1] <= 1100 * MS and verdict[1] >= asked_ns
    assert (verdict == STOP) is (left_ns <= 0)


def test_wait_that_is_asked_for_is_honoured_while_it_fits() -> None:
    """A target that asks for a time gets it, unless it is longer than max_ms or the deadline: then another target is tried."""
    def asking(ns: int, left_ns: int = 60 * SECOND) -> tuple[str, int]:
        return decide(Failure(status=429, trouble="rate_limit", retry_after_ns=ns), draw=0, left_ns=left_ns)

    assert asking(700 * MS) == ("again", 700 * MS)
    assert asking(1001 * MS) == NEXT
    assert asking(700 * MS, left_ns=700 * MS) == NEXT
    deaf = RetryRule(Retry(honour_retry_after=False))
    assert decide(Failure(status=429, trouble="rate_limit", retry_after_ns=10**12), rule=deaf, draw=0) == ("again", 100 * MS)


def test_only_what_is_listed_is_asked_again() -> None:
    """Statuses and kinds that the rule does not name go on to the next target at once."""
    assert decide(Failure(status=400, trouble="context_window")) == NEXT
    assert decide(Failure(trouble="timeout")) == NEXT
    assert decide(Failure(trouble="connection"))[0] == "again"
    by_kind = RetryRule(Retry(on_status=(), on_errors=("content_policy",)))
    assert decide(Failure(status=400, trouble="content_policy"), rule=by_kind)[0] == "again"
    assert decide(rule=by_kind) == NEXT


@pytest.mark.parametrize(("failure", "expected"), [
    (Failure(trouble="connection", delivered=False), "again"),
    (Failure(trouble="connection", delivered=True), "stop"),
    (Failure(trouble="timeout"), "stop"),
    (Failure(status=429, trouble="rate_limit"), "again"),
    (Failure(status=503, trouble="overloaded"), "again"),
    (Failure(status=500, trouble="server"), "stop"),
    (Failure(status=502, trouble="server"), "stop"),
])
def test_what_could_happen_twice_is_sent_once(failure: Failure, expected: str) -> None:
    """A request that makes something goes to another or the same target only where it has certainly not been begun."""
    assert decide(failure, repeatable=False)[0] == expected


def test_requests_for_answers_may_be_repeated() -> None:
    """Answers cost money but change nothing; files, batches and unknown paths may not be repeated unless their method is idempotent."""
    assert set(OPERATIONS) - ANSWERS == {"files", "batches", "models", "proxy", "unknown", "bedrock"}
    assert is_repeatable("POST", "speech")
    assert is_repeatable("POST", "chat") and is_repeatable("GET", "files") and is_repeatable("DELETE", "proxy")
    assert not is_repeatable("POST", "files") and not is_repeatable("POST", "proxy") and not is_repeatable("PATCH", "unknown")


@pytest.mark.parametrize(("fields", "expected_ns"), [
    ({"retry-after": "2"}, 2 * SECOND),
    ({"retry-after": " 1.5 "}, 1_500 * MS),
    ({"retry-after-ms": "250", "retry-after": "9"}, 250 * MS),
    ({"x-ms-retry-after-ms": "40.5", "retry-after": "9"}, 40_500_000),
    ({"retry-after-ms": "soon", "retry-after": "9"}, 9 * SECOND),
    ({"retry-after": "0"}, 0),
    ({"retry-after": "Fri, 15 Jan 2027 08:00:07 GMT"}, 7 * SECOND),
    ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0),
    ({"retry-after": "99999999999999999999"}, MOST_NS),
    ({"retry-after": "9" * 40}, UNKNOWN),
    ({"retry-after": "-1"}, UNKNOWN),
    ({"retry-after": "1e3"}, UNKNOWN),
    ({"retry-after": "."}, UNKNOWN),
    ({"retry-after": "1."}, UNKNOWN),
    ({"retry-after": "\u0663"}, UNKNOWN),
    ({"retry-after": "Fri, 99 Jan 2027 08:00:07 GMT"}, UNKNOWN),
    ({"retry-after": "tomorrow"}, UNKNOWN),
    ({}, UNKNOWN),
])
def test_wait_is_read_from_every_field(fields: dict[str, str], expected_ns: int) -> None:
    """Milliseconds before seconds, seconds with decimals, dates; what is malformed is as if it were not there."""
    assert retry_after(fields.get, NOW_S) == expected_ns


def test_kinds_of_failure_are_one_vocabulary() -> None:
    """Every kind that a dialect reads is one that a route may name; every status has a kind."""
    assert set(get_args(FailureKind)) < set(get_args(Trouble))
    assert all(trouble_of_kind(kind) == kind for kind in get_args(FailureKind))
    assert trouble_of_kind("something else") == "server"
    seen = [trouble_of_status(status) for status in (400, 401, 404, 408, 413, 418, 429, 500, 502, 503, 504, 529)]
    assert seen == ["invalid_request", "authentication", "not_found", "timeout", "too_large", "invalid_request", "rate_limit", "server",
                    "server", "overloaded", "timeout", "overloaded"]
