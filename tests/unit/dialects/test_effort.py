"""Efforts and budgets of thinking become one another by one table, whatever the dialects are."""

import pytest

from fastgw.dialects.canonical import Reasoning, Request
from fastgw.dialects.effort import BUDGETS, effort_of, nearest_of_three
from fastgw.dialects.notes import Notes
from fastgw.dialects.table import dialect_of


@pytest.mark.parametrize("effort", BUDGETS)
def test_an_effort_comes_back_from_its_budget(effort: str) -> None:
    """What an effort stands for is read as that effort again."""
    assert effort_of(BUDGETS[effort]) == effort


@pytest.mark.parametrize(("budget", "effort"), [(0, "minimal"), (2047, "minimal"), (4000, "low"), (31_999, "high"), (10**9, "max")])
def test_a_budget_is_the_last_effort_that_it_reaches(budget: int, effort: str) -> None:
    """A budget between two efforts is the lesser, one below all of them the least."""
    assert effort_of(budget) == effort


@pytest.mark.parametrize("budget", [*BUDGETS.values(), 1, 5000, 100_000])
def test_dialects_agree_on_what_a_budget_is(budget: int) -> None:
    """A caller's budget is the same effort for each provider that knows efforts only."""
    asked = {}
    for dialect, model in (("openai_chat", "m"), ("openai_responses", "m"), ("bedrock_converse", "openai.gpt-oss-120b-1:0")):
        body = dialect_of(dialect).write_request(
            Request("anthropic_messages", model, [], reasoning=Reasoning(budget_tokens=budget)), Notes(), frozenset())
        if dialect == "openai_responses":
            stated = body["reasoning"]
        else:
            stated = body.get("additionalModelRequestFields", body)
        assert isinstance(stated, dict)
        asked[dialect] = stated.get("reasoning_effort") or stated["effort"]
    assert set(asked.values()) == {nearest_of_three(effort_of(budget))}
