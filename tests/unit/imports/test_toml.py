"""Promises of the TOML writer: what is read back is what was written."""

import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.imports.toml import write_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.datetimes(timezones=st.just(UTC)) | st.dates()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12)


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_whatever_is_written_is_read_back(document: dict[str, object]) -> None:
    """Any document of TOML's types comes back equal, whatever its names and texts."""
    assert tomllib.loads(write_toml(document)) == document


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=0, max_value=10**6))
def test_amounts_stay_exact(amount: Decimal) -> None:
    """A decimal comes back as the same amount, never through a float."""
    assert tomllib.loads(write_toml({"usd": amount}), parse_float=Decimal)["usd"] == amount


def test_document_looks_as_people_write_it() -> None:
    """Sections have headers, deeper tables stand on a line, lists of tables are [[name]]; names are quoted only where they must be."""
    document = {
        "gateway": {"workers": 2, "record": {"payloads": "all"}},
        "models": {"gpt-4.1": {"strategy": "single", "targets": [{"integration": "a", "weight": 2}], "retry": {"n": 1}}, "empty": {}},
        "keys": [{"name": "app", "rate": {"requests_per_minute": 6}}],
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "on": date(2026, 1, 2),
    }
    assert write_toml(document) == (
        "at = 2026-01-02T00:00:00+00:00\non = 2026-01-02\n\n"
        '[gateway]\nworkers = 2\n\n[gateway.record]\npayloads = "all"\n\n[models."gpt-4.1"]\nstrategy = "single"\n'
        'targets = [{ integration = "a", weight = 2 }]\nretry = { n = 1 }\n\n[models.empty]\n\n[[keys]]\nname = "app"\n'
        "rate = { requests_per_minute = 6 }\n"
    )


def test_nothing_is_no_line() -> None:
    """An empty document is an empty file."""
    assert write_toml({}) == ""


@pytest.mark.parametrize(("value", "error"), [(None, TypeError), (b"x", TypeError), ("\ud800", ValueError)])
def test_what_toml_lacks_is_refused(value: object, error: type[Exception]) -> None:
    """A value that TOML cannot state is an error, not something else in its place."""
    with pytest.raises(error):
        write_toml({"name": value})
