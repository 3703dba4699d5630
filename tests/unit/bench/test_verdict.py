"""Promises of the refusal rules: each disturbance voids the figures that it spoils, says why, and a quiet run has no reason."""

from types import SimpleNamespace
from typing import cast

import pytest

from fastgw.bench import verdict
from fastgw.bench.figures import figure
from fastgw.bench.generator import Load
from fastgw.bench.histogram import Histogram
from fastgw.bench.machine import Weather


def histogram(*values_ns: int) -> Histogram:
    found = Histogram()
    for value in values_ns:
        found.record(value)
    return found


def load(**what: object) -> Load:
    """What a quiet run of 1,000 requests in a second looks like, but for what is said."""
    quiet: dict[str, object] = {
        "sent": 1000, "replies": 1000, "errors": 0, "unanswered": 0, "first_fault": b"", "busy_ns": 300_000_000, "wall_ns": 1_000_000_000,
        "due_span_ns": 1_000_000_000, "reply_span_ns": 1_000_000_000, "lags": histogram(*[20_000] * 100),
        "latencies": histogram(*[900_000] * 100), "faults": lambda: {},
    }
    return cast(Load, SimpleNamespace(**{**quiet, **what}))


def all_reasons(one: Load) -> list[str]:
    return [
        *verdict.failed(one), *verdict.off_rate(one), *verdict.late_generator(one, 0.99),
        *verdict.limited_by_generator(one, verdict.MOST_BUSY_OPEN),
    ]


def test_a_quiet_run_has_no_reason() -> None:
    """Nothing is refused without a reason."""
    assert all_reasons(load()) == []
    assert verdict.disturbed(Weather(steal=0.009, swapped_pages=0)) == []
    assert verdict.limited_by_mock(30_000, 100_000) == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"errors": 3, "faults": lambda: {"status 500": 2, "closed": 1}, "first_fault": b'{"error":\n"boom"}'},
         '3 of 1,000 requests failed: status 500 (2), closed (1); the first: {"error": "boom"}'),
        ({"unanswered": 7}, "7 requests got no reply in time"),
        ({"replies": 0}, "no reply at all"),
        ({"busy_ns": 610_000_000}, "the generator was near its own limit (busy 61% of its core; at most 60%)"),
        ({"reply_span_ns": 1_050_000_000}, "only 97.1% of the rate was reached (at least 99%)"),
        ({"lags": histogram(*[500_000] * 100)}, "the generator itself was late (0.50 ms of 0.90 ms at this percentile)"),
    ],
    ids=["errors", "unanswered", "nothing", "busy", "rate", "late"],
)
def test_what_spoils_a_run_is_said(what: dict[str, object], said: str) -> None:
    """One disturbance is one reason, with its figures."""
    assert all_reasons(load(**what)) == [said]


def test_a_disturbed_machine_voids() -> None:
    """Steal above 1 % and a single swapped page are reasons."""
    assert "steal" in verdict.disturbed(Weather(steal=0.011, swapped_pages=0))[0]
    assert "swapped (1 pages)" in verdict.disturbed(Weather(steal=0.0, swapped_pages=1))[0]


def test_a_gateway_as_fast_as_its_upstream_has_no_rate() -> None:
    """Within 10 % of the direct rate it was the upstream that was measured."""
    assert verdict.limited_by_mock(90_000, 100_000) and not verdict.limited_by_mock(89_000, 100_000)


def test_a_void_figure_has_no_number() -> None:
    """A refused value is thrown away with its interval; each reason is kept once."""
    void = figure("p99", "us", "bare", 123.0, ["errors", "steal", "errors"], low=1.0, high=2.0)
    assert (void.value, void.low, void.high, void.void) == (None, None, None, ("errors", "steal"))
    assert figure("p99", "us", "bare", 123.0).value == 123.0


def test_delayed_acknowledgements_are_counted() -> None:
    """Samples from 38 to 44 ms are those of a delayed acknowledgement; others are not."""
    assert verdict.stalled(histogram(37_000_000, 38_500_000, 40_100_000, 43_900_000, 45_000_000)) == 3
