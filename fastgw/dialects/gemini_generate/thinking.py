"""How much a model shall think: an effort or a budget as its generation of Gemini takes it.

The efforts' budgets are those of Google's own OpenAI endpoint (ai.google.dev/gemini-api/docs/openai, "Thinking"); the models' ranges those
of ai.google.dev/gemini-api/docs/thinking.
"""

import re

from fastgw.dialects.canonical import Reasoning
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, flag, integer, text

LEVELS_SINCE = 3.0  # the first generation with thinkingLevel; before it thinkingBudget
THINKS_SINCE = 2.5
DYNAMIC = -1
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
VERSION = re.compile(r"gemini-(\d+(?:\.\d+)?)")
LATEST = re.compile(r"gemini-(?:pro|flash|flash-lite)-latest")


def generation(model: str) -> float:
    """The number in a model's name, 3.0 for the names that move on (gemini-flash-latest), 0.0 where it names no Gemini."""
    found = VERSION.search(model)
    if found is not None:
        return float(found[1])
    return LEVELS_SINCE if LATEST.search(model) else 0.0


def read_reasoning(config: Json, path: str) -> Reasoning:
    """A thinkingConfig."""
    budget = integer(config, "thinkingBudget", path)
    effort = text(config, "thinkingLevel", path).lower()
    if effort == "thinking_level_unspecified":
        effort = ""
    off = budget == 0
    return Reasoning(effort, None if off or budget == DYNAMIC else budget, off, flag(config, "includeThoughts", path))


def write_reasoning(asked: Reasoning, model: str, notes: Notes) -> Json:
    """The thinkingConfig for a model, empty where it needs none. What the model cannot do becomes the nearest that it can."""
    number = generation(model)
    if 0 < number < THINKS_SINCE:
        if asked.effort or asked.budget_tokens is not None or asked.show:
            notes.drop("reasoning_effort")  # "Thinking is not supported by this model" would be the answer
        return {}
    config: Json = {}
    if number >= LEVELS_SINCE:
        level = level_of(asked, model)
        if level:
            config["thinkingLevel"] = level
        elif asked.budget_tokens is not None:
            config["thinkingBudget"] = asked.budget_tokens
    else:
        budget = budget_of(asked, model)
        if budget is not None:
            config["thinkingBudget"] = budget
    if asked.effort and asked.effort not in BUDGETS and asked.effort != "none":
        notes.drop("reasoning_effort")
    if asked.show is not None:
        config["includeThoughts"] = asked.show
    elif asked.summary:
        config["includeThoughts"] = True
    return config


def level_of(asked: Reasoning, model: str) -> str:
    """A thinkingLevel, "" where none is asked for. Pro models know no MINIMAL, the first of them no MEDIUM; none can be turned off."""
    level = LEVELS["minimal"] if asked.off or asked.effort == "none" else LEVELS.get(asked.effort, "")
    if "pro" in model:
        if level == "MINIMAL":
            return "LOW"
        if level == "MEDIUM" and generation(model) < 3.1:
            return "HIGH"
    return level


def budget_of(asked: Reasoning, model: str) -> int | None:
    """A thinkingBudget within the model's range, None where none is asked for."""
    is_pro, is_lite = "pro" in model, "lite" in model
    if asked.off or asked.effort == "none":
        return 128 if is_pro else 0
    budget = asked.budget_tokens
    if budget is None:
        budget = BUDGETS.get(asked.effort)
    if budget is None:
        # neither an effort nor a budget: the model's own choice, which the lite ones must be asked to make
        return DYNAMIC if not asked.effort and (asked.show is None or (asked.show and is_lite)) else None
    least, most = (128, 32_768) if is_pro else (512 if is_lite else 1, 24_576)
    return max(least, min(budget, most))
