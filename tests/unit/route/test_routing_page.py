"""docs/routing.md against the definitions: its examples hold and do what it says, and it names all there is."""
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from msgspec import structs

from fastgw._core.route import TargetTable
from fastgw.route.build import Placed, build_route
from fastgw.route.check import objections_to
from fastgw.route.conditions import OPERATORS
from fastgw.route.facts import KNOWN_FIELDS, Facts
from fastgw.route.pattern import LONGEST_SUBJECT, Survey
from fastgw.route.plan import Route
from fastgw.route.trail import REASONS
from fastgw.snapshot import routes as written
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.read import Reader
from tests.unit.route.making import DRAW, NOW, failure

PAGE = (Path(__file__).parents[3] / "docs" / "routing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)
NAMES = ("fast", "chat", "assistant", "careful", "steady")


def examples() -> dict[str, object]:
    """All models of the page, as written."""
    return {name: model for text in EXAMPLES for name, model in tomllib.loads(text, parse_float=Decimal)["models"].items()}


def route_of(name: str, folder: Path) -> Route:
    """A model of the page, checked and compiled."""
    problems = Problems()
    section = Reader({}, problems).read(written.Route, examples()[name], ("models", name))
    assert problems.found == [] and isinstance(section, written.Route)
    integrations: dict[str, tuple[str, ...]] = {integration: () for integration in tomllib.loads(EXAMPLES[0])["integrations"]}
    assert list(objections_to(section, ("models", name), integrations)) == []
    return build_route(name, section, TargetTable(folder / "targets", fresh=True), lambda target: Placed(target.label))


def test_every_example_is_checked() -> None:
    """The examples below are all there are."""
    assert set(examples()) == set(NAMES) and len(EXAMPLES) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_examples_hold(name: str, tmp_path: Path) -> None:
    """Each example is a route without a mistake, and leads to a target."""
    walk = route_of(name, tmp_path).walk(NOW, Facts(key="k"))
    assert walk.start_at(DRAW, NOW) is not None


@pytest.mark.parametrize(("facts", "expected"), [
    (Facts(key="k", metadata={"tier": "gold"}), "best"),
    (Facts(key="k", tokens=100_001), "long"),
    (Facts(key="k", body=b'{"messages": [{"content": "x"}, {"content": "The Whole book"}]}'), "long"),
    (Facts(key="k", body=b'{"temperature": 0.5}', stream=True), "best"),
    (Facts(key="batch-job", body=b'{"temperature": 0.5}', stream=True), "plain"),
    (Facts(key="k", body=b'{"temperature": 1}', stream=True), "plain"),
])
def test_conditions_of_the_page_decide(facts: Facts, expected: str, tmp_path: Path) -> None:
    """The example of conditions leads where it says."""
    leaf = route_of("assistant", tmp_path).walk(NOW, facts).start_at(DRAW, NOW)
    assert leaf is not None and leaf.label == expected


def test_careful_example_moves_on_as_it_says(tmp_path: Path) -> None:
    """Its lists are what leads on, and its leaves have timeouts and retries of their own."""
    route = route_of("careful", tmp_path)
    first, second = route.leaves
    assert (first.timeouts.first_byte_ms, first.timeouts.connect_ms, second.timeouts.connect_ms) == (5000, None, 2000)
    assert (first.retry.attempts, second.retry.attempts) == (2, 0)
    refused = failure(400, "content_policy")
    for wrong, what in ((failure(429), "moved"), (failure(503), "again"), (failure(500), "stop"), (refused, "moved")):
        walk = route.walk(NOW)
        walk.start_at(DRAW, NOW)
        walk.end_attempt(NOW, status=wrong.status, trouble=wrong.trouble)
        assert walk.follow_up(wrong, DRAW, NOW)[0] == what


def test_page_names_all_there_is() -> None:
    """Every strategy, field, operator, kind of failure and reason stands on the page."""
    words = [*get_args(written.Strategy), *get_args(written.Trouble), *OPERATORS]
    words += [reason for reason in REASONS if reason != "tried"]
    words += [row.name for kind in (written.Breaker, written.Retry) for row in structs.fields(kind) if row.name != "honour_retry_after"]
    words += [field for field in KNOWN_FIELDS if field != "params.NAME"]
    assert [word for word in words if f"`{word}`" not in PAGE and word not in "".join(EXAMPLES)] == []
    assert "honour_retry_after" in PAGE


def test_defaults_are_those_of_the_page() -> None:
    """Which failures move on, count and bound is what the page says."""
    assert "408, 429, 500, 502, 503, 504 and 529" in PAGE and written.PASSING_STATUS == (408, 429, 500, 502, 503, 504, 529)
    assert "429, 500, 502, 503, 504, 529, and" in PAGE and written.BROKEN_STATUS == (429, 500, 502, 503, 504, 529)
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| .* \| (yes|no)\b.*\|$", PAGE, re.M)
    moves = {kind for kinds, answer in rows for kind in re.findall(r"\w+", kinds) if answer == "yes"}
    stays = {kind for kinds, answer in rows for kind in re.findall(r"\w+", kinds) if answer == "no"}
    assert moves == set(written.NEXT_ON_ERRORS) and moves | stays == set(get_args(written.Trouble))


def test_limits_of_patterns_are_those_of_the_page() -> None:
    """The longest texts that are looked at are as stated."""
    survey = Survey()
    limits = []
    for survey.unbounded in range(3):
        limits.append(f"{survey.limit():,}")
    assert limits == [f"{LONGEST_SUBJECT:,}", "4,000", "251"]
    assert all(limit in PAGE for limit in limits)
