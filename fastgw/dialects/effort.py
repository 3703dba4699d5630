"""How many tokens of thought an effort stands for, and which effort a budget is: one table for all dialects.

Google's models have Google's own numbers, which stand where these models are asked (`gemini_generate.thinking`).
"""

BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768, "max": 49_152}
THREE = frozenset(("low", "medium", "high"))


def effort_of(budget_tokens: int) -> str:
    """The last effort whose tokens the budget reaches, the least where it reaches none. effort_of(BUDGETS[effort]) is effort."""
    reached = [effort for effort, tokens in BUDGETS.items() if tokens <= budget_tokens]
    return reached[-1] if reached else "minimal"


def nearest_of_three(effort: str) -> str:
    """Low, medium or high, which every model with efforts takes."""
    if effort in THREE:
        return effort
    return "low" if effort == "minimal" else "high"
