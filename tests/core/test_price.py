"""Promises of the price kernel: the right tier, rounded up once, never wrapped, never more than was reserved."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw._core.price import PriceRow, _bench_admission, _bench_charge
from tests.oracles import price as oracle

MOST = 2**63 - 1
DOLLAR = 10**9
COUNTS = (
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
)


class Case(NamedTuple):
    name: str
    input_tokens: int
    output_tokens: int
    parts: dict[str, int]
    nano_usd: int


FLAT = ((0, 3 * DOLLAR, 15 * DOLLAR, 3 * DOLLAR // 10, 375 * DOLLAR // 100, 6 * DOLLAR, -1, -1),)
TIERED = (
    (0, 1 * DOLLAR, 10 * DOLLAR, -1, -1, -1, 7 * DOLLAR, 20 * DOLLAR),
    (200_000, 2 * DOLLAR, 15 * DOLLAR, DOLLAR // 2, -1, -1, -1, -1),
)
CASES = [
    Case("nothing used", 0, 0, {}, 0),
    Case("plain input and output", 1000, 100, {}, 4_500_000),
    Case("cached input costs its own rate", 1000, 0, {"cache_read_tokens": 1000}, 300_000),
    Case("a written part", 1000, 0, {"cache_write_tokens": 400}, 600 * 3000 + 400 * 3750),
    Case(
        "written for an hour",
        1000,
        0,
        {"cache_write_tokens": 400, "cache_write_1h_tokens": 100},
        600 * 3000 + 300 * 3750 + 100 * 6000,
    ),
    Case("audio without a rate is plain", 1000, 100, {"audio_input_tokens": 500, "audio_output_tokens": 50}, 4_500_000),
    Case("negative counts are nothing", -5, -5, {"cache_read_tokens": -5}, 0),
    Case("parts never exceed the whole", 10, 0, {"cache_read_tokens": 99, "cache_write_tokens": 8}, 2 * 300 + 8 * 3750),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_charge_adds_each_kind_at_its_rate(case: Case) -> None:
    """A usage costs what its kinds cost, each token once."""
    assert PriceRow(FLAT).charge(case.input_tokens, case.output_tokens, **case.parts) == case.nano_usd


def test_whole_request_costs_the_tier_it_reaches() -> None:
    """The tier holds for every token, and begins after its threshold."""
    row = PriceRow(TIERED)
    assert row.charge(200_000, 1000) == 200_000 * 1000 + 1000 * 10_000
    assert row.charge(200_001, 1000) == 200_001 * 2000 + 1000 * 15_000


def test_fractions_are_rounded_up_once() -> None:
    """Three kinds of a third of a nano-dollar each make one, not three."""
    row = PriceRow([(0, 333_333, 333_333, 333_333, -1, -1, -1, -1)])
    assert row.charge(2, 1, cache_read_tokens=1) == 1
    assert row.charge(3, 1, cache_read_tokens=1) == 2


def test_request_price_is_added_whatever_the_tokens() -> None:
    """A price for each request stands beside the tokens, in the charge, the bound and what is affordable."""
    row = PriceRow([(0, DOLLAR, DOLLAR, -1, -1, -1, -1, -1)], request_nano_usd=5_000_000)
    assert row.charge() == 5_000_000
    assert row.charge_at_most(1000, 0) == 6_000_000
    assert row.affordable_output(1000, 6_000_000 + 999) == 0
    assert row.affordable_output(1000, 6_001_000) == 1


def test_unknown_price_is_never_a_silent_zero() -> None:
    """Without tiers the charge says unknown, the bound is infinite and nothing is affordable."""
    row = PriceRow(context_tokens=128_000, max_output_tokens=4096)
    assert (row.known, row.charge(1, 1), row.charge_at_most(1, 1), row.affordable_output(1, MOST)) == (
        False,
        -1,
        MOST,
        0,
    )
    assert (row.context_tokens, row.max_output_tokens) == (128_000, 4096)


def test_nothing_wraps_at_the_ends_of_the_range() -> None:
    """The greatest counts at the greatest rates are cut at the greatest sum."""
    row = PriceRow([(0, MOST, MOST, MOST, MOST, MOST, MOST, MOST)], request_nano_usd=MOST)
    assert row.charge(MOST, MOST, cache_read_tokens=MOST, audio_output_tokens=MOST) == MOST
    assert row.charge_at_most(MOST, MOST) == MOST
    assert row.affordable_output(MOST, MOST - 1) == 0


def test_free_model_affords_everything() -> None:
    """A known price of zero is a price: it costs nothing and bounds nothing."""
    row = PriceRow([(0, 0, 0, -1, -1, -1, -1, -1)])
    assert (row.known, row.charge(10**6, 10**6), row.affordable_output(10**6, 0)) == (True, 0, MOST)


@pytest.mark.parametrize(
    "tiers",
    [
        [(1, 1, 1, -1, -1, -1, -1, -1)],
        [(0, 1, 1, -1, -1, -1, -1, -1), (0, 1, 1, -1, -1, -1, -1, -1)],
        [(0, -1, 1, -1, -1, -1, -1, -1)],
        [(0, 1, -1, -1, -1, -1, -1, -1)],
        [(0, 1, 1, -2, -1, -1, -1, -1)],
        [(0, 1, 1)],
        [(n, 1, 1, -1, -1, -1, -1, -1) for n in range(5)],
    ],
)
def test_malformed_tiers_are_refused(tiers: list[tuple[int, ...]]) -> None:
    """A row holds ascending tiers from zero with whole rates, or it does not come to be."""
    with pytest.raises(ValueError):
        PriceRow(tiers)


def test_row_says_what_it_was_made_of() -> None:
    """Rates, limits and origin come back as they went in."""
    row = PriceRow(TIERED, 3, 4, 5, "a table", "2026-01-01")
    assert row.tiers == TIERED
    assert (row.request_nano_usd, row.context_tokens, row.max_output_tokens) == (3, 4, 5)
    assert (row.source, row.date) == ("a table", "2026-01-01")


def test_bench_loops_do_the_work() -> None:
    """The loops that are timed call the kernel once a round."""
    row = PriceRow(FLAT)
    assert _bench_charge(row, 1) == row.charge(1000, 200, cache_read_tokens=512)
    assert _bench_admission(row, 1) == row.charge_at_most(1000, 4096) ^ row.affordable_output(1000, DOLLAR)


rates = st.one_of(st.just(-1), st.integers(0, 10**13))
plain_rates = st.integers(0, 10**13)


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[int, ...]]:
    starts = sorted(draw(st.sets(st.integers(1, 10**6), max_size=3)))
    return [(start, draw(plain_rates), draw(plain_rates), *draw(st.tuples(*[rates] * 5))) for start in (0, *starts)]


counts = st.one_of(st.integers(-10, 2 * 10**6), st.integers(0, MOST))
usages = st.fixed_dictionaries({name: counts for name in ("input_tokens", "output_tokens", *COUNTS)})
requests = st.one_of(st.just(0), st.integers(0, 10**12))


@settings(max_examples=400, deadline=None)
@given(tables(), requests, usages)
def test_charge_is_what_fractions_say(tiers: list[tuple[int, ...]], request: int, usage: dict[str, int]) -> None:
    """The integer kernel and the slow one with fractions agree to the last nano-dollar."""
    row = PriceRow(tiers, request)
    assert row.charge(**usage) == oracle.charge(tiers, request, usage)
    assert row.charge_at_most(usage["input_tokens"], usage["output_tokens"]) == oracle.charge_at_most(
        tiers, request, usage["input_tokens"], usage["output_tokens"]
    )


@settings(max_examples=400, deadline=None)
@given(tables(), requests, usages, st.integers(0, 10**6))
def test_settlement_never_passes_the_reservation(
    tiers: list[tuple[int, ...]], request: int, usage: dict[str, int], spare: int
) -> None:
    """Whatever kinds the tokens turn out to be, and however few, the bound holds."""
    row = PriceRow(tiers, request)
    most = row.charge_at_most(min(MOST, usage["input_tokens"] + spare), min(MOST, usage["output_tokens"] + spare))
    assert row.charge(**usage) <= most


@settings(max_examples=400, deadline=None)
@given(tables(), requests, st.integers(0, 2 * 10**6), st.one_of(st.integers(0, 10**15), st.integers(0, MOST)))
def test_affordable_output_is_the_most_that_fits(
    tiers: list[tuple[int, ...]], request: int, input_tokens: int, budget: int
) -> None:
    """That many tokens fit into the budget and one more does not."""
    row = PriceRow(tiers, request)
    output = row.affordable_output(input_tokens, budget)
    if output:
        assert row.charge_at_most(input_tokens, output) <= budget
    if output < MOST:
        assert row.charge_at_most(input_tokens, output + 1) > budget or budget == MOST
