"""Fit how much to think and how to sample to what a model of Anthropic's takes.

A model with adaptive thinking takes an effort (output_config.effort): minimal is low, and xhigh is max where it has none. One that thinks
within a budget takes thinking.budget_tokens. Each becomes the other by the table of `dialects.effort`. Thinking is a part of max_tokens: a
budget that does not fit becomes four fifths of it, and where that is less than the 1024 tokens that a budget must have, there is no
thinking, which is noted. max_tokens is never raised, since admission reserved what it says.
"""

from fastgw.dialects.anthropic_messages.models import Traits
from fastgw.dialects.anthropic_messages.vocabulary import NAME
from fastgw.dialects.canonical import Reasoning, Request
from fastgw.dialects.effort import BUDGETS, effort_of
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json

LEAST_BUDGET_TOKENS = 1024
LEAST_TOP_P_OF_THINKING = 0.95


def write_thinking(request: Request, body: Json, traits: Traits, resumes: bool, notes: Notes) -> bool:
    """Write thinking and output_config.effort of a request that states some reasoning; whether the model will think.

    resumes   it goes on with what was said without a thought, which a model that thinks within a budget refuses, as it does a forced tool
    """
    reasoning = request.reasoning
    if reasoning is None:
        return False
    if request.dialect == NAME:
        return _write_own(request, reasoning, body, notes)
    if reasoning.off or reasoning.effort == "none":
        if traits.always:
            notes.drop("reasoning_effort")
            body["output_config"] = {"effort": "low"}
        elif traits.thinking == "adaptive":
            body["thinking"] = {"type": "disabled"}
        return traits.always
    if traits.thinking == "adaptive":
        thinking: Json = {"type": "adaptive"}
        if reasoning.show or reasoning.summary:
            thinking["display"] = "summarized"
        elif reasoning.show is False:
            thinking["display"] = "omitted"
        body["thinking"] = thinking
        effort = _effort_of(reasoning, traits, notes)
        if effort:
            body["output_config"] = {"effort": effort}
        return True
    is_forced = request.tool_choice is not None and request.tool_choice.mode in ("required", "named") and bool(request.tools)
    budget = reasoning.budget_tokens or BUDGETS.get(reasoning.effort or "medium", BUDGETS["medium"])
    fitting = None if traits.thinking == "none" or is_forced or resumes else _fitting(budget, request.max_tokens)
    if fitting is None:
        notes.drop("reasoning_effort")
        return False
    body["thinking"] = {"type": "enabled", "budget_tokens": fitting}
    return True


def _write_own(request: Request, reasoning: Reasoning, body: Json, notes: Notes) -> bool:
    """As the client wrote it, but for a budget that no longer fits what admission allows."""
    if reasoning.effort:
        body["output_config"] = {"effort": reasoning.effort}
    thinking = request.echo.get("thinking")
    if not isinstance(thinking, dict):
        return False
    budget = reasoning.budget_tokens
    if budget is not None and request.max_tokens is not None and budget >= request.max_tokens:
        fitting = _fitting(budget, request.max_tokens)
        if fitting is None:
            notes.drop("reasoning_effort")
            return False
        thinking = {**thinking, "budget_tokens": fitting}
    body["thinking"] = thinking
    return not reasoning.off


def _effort_of(reasoning: Reasoning, traits: Traits, notes: Notes) -> str:
    effort = reasoning.effort
    if not effort and reasoning.budget_tokens is not None:
        effort = effort_of(reasoning.budget_tokens)
    if effort == "minimal":
        effort = "low"
    elif effort == "xhigh" and effort not in traits.efforts:
        effort = "max"
    if effort and effort not in traits.efforts:
        notes.drop("reasoning_effort")
        return ""
    return effort


def _fitting(budget: int, max_tokens: int | None) -> int | None:
    """The budget, within its limits; None where there is no room for one."""
    budget = max(budget, LEAST_BUDGET_TOKENS)
    if max_tokens is None or budget < max_tokens:
        return budget
    most = max_tokens * 4 // 5
    return most if most >= LEAST_BUDGET_TOKENS else None


def write_sampling(request: Request, body: Json, traits: Traits, thinks: bool, notes: Notes) -> None:
    """Write temperature, top_p and top_k: thinking models take hardly any, newer models one or none. Temperatures end at 1."""
    temperature, top_p, top_k = request.temperature, request.top_p, request.top_k
    if request.dialect != NAME:
        none = traits.sampling == "none"
        if temperature is not None:
            if temperature > 1 or (temperature != 1 and (thinks or none)):
                notes.drop("temperature")
            temperature = None if thinks or none else min(temperature, 1.0)
        is_second = temperature is not None and traits.sampling == "one"
        if top_p is not None and (none or is_second or (thinks and top_p < LEAST_TOP_P_OF_THINKING)):
            if top_p != 1:
                notes.drop("top_p")
            top_p = None
        if top_k is not None and (none or thinks):
            notes.drop("top_k")
            top_k = None
    if temperature is not None:
        body["temperature"] = temperature
    if top_p is not None:
        body["top_p"] = top_p
    if top_k is not None:
        body["top_k"] = top_k
