"""How much a model shall think: the many members that say so, read from callers and written as a provider knows them."""

from fastgw.dialects.canonical import Reasoning, Request
from fastgw.dialects.effort import effort_of, nearest_of_three
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat.quirks import NAME
from fastgw.dialects.reading import Json, as_object, flag, integer, mapping, text

MEMBERS = frozenset({"reasoning_effort", "thinking", "reasoning", "enable_thinking", "thinking_budget", "include_reasoning"})


def read_reasoning(body: Json, extra: Json) -> Reasoning | None:
    """What a request says of thinking, None where it says nothing. Members of `thinking` that only its maker knows go to extra."""
    if MEMBERS.isdisjoint(body):
        return None
    effort, off, stated = text(body, "reasoning_effort", "$"), False, False
    budget, show = integer(body, "thinking_budget", "$"), flag(body, "include_reasoning", "$")
    enable = flag(body, "enable_thinking", "$")
    if enable is not None:
        stated, off = True, not enable
    thinking = mapping(body, "thinking", "$")
    if thinking is not None:
        kind = text(thinking, "type", "$.thinking")
        if kind:
            stated, off = True, kind == "disabled"
        budget = integer(thinking, "budget_tokens", "$.thinking") if budget is None else budget
        rest = {name: value for name, value in thinking.items() if name not in ("type", "budget_tokens")}
        if rest:
            extra["thinking"] = rest
    options = mapping(body, "reasoning", "$")
    if options is not None:
        effort = text(options, "effort", "$.reasoning") or effort
        budget = integer(options, "max_tokens", "$.reasoning") if budget is None else budget
        enabled, exclude = flag(options, "enabled", "$.reasoning"), flag(options, "exclude", "$.reasoning")
        stated = True
        off = off or enabled is False
        show = show if exclude is None else not exclude
    if effort == "none":
        effort, off = "", True
    if off:
        return Reasoning(off=True)
    return Reasoning(effort, budget, show=show) if effort or stated or budget is not None or show is not None else None


def write_reasoning(request: Request, body: Json, notes: Notes, quirks: frozenset[str]) -> None:
    """Say how much to think, as the provider knows it."""
    asked = request.reasoning
    if "thinking_type" in quirks:
        _write_type(request, body)
    elif asked is None:
        return
    elif "reasoning_object" in quirks:
        body["reasoning"] = _options(asked)
    elif "enable_thinking" in quirks:
        body["enable_thinking"] = not asked.off
        if asked.budget_tokens is not None and not asked.off:
            body["thinking_budget"] = asked.budget_tokens
    else:
        effort = effort_to_ask(asked)
        if effort and "mistral" in quirks:
            effort = "none" if effort == "none" else "high"  # the two it knows
        if effort:
            body["reasoning_effort"] = effort
    if asked is not None and asked.summary:
        notes.drop("reasoning.summary")


def _write_type(request: Request, body: Json) -> None:
    asked = request.reasoning
    thinking: Json = {}
    if asked is not None:
        thinking["type"] = "disabled" if asked.off else "enabled"
        effort = effort_to_ask(asked)
        if effort and not asked.off:
            body["reasoning_effort"] = effort
    if request.dialect == NAME:
        thinking |= as_object(request.extra.get("thinking"))
    if thinking:
        body["thinking"] = thinking


def effort_to_ask(asked: Reasoning) -> str:
    """An effort; a budget asks for none that only some models take; "" where it is left to the model."""
    if asked.off:
        return "none"
    if asked.effort or asked.budget_tokens is None:
        return asked.effort
    return nearest_of_three(effort_of(asked.budget_tokens))


def _options(asked: Reasoning) -> Json:
    if asked.off:
        return {"effort": "none"}
    options: Json = {}
    if asked.effort:
        options["effort"] = asked.effort
    elif asked.budget_tokens is not None:
        options["max_tokens"] = asked.budget_tokens
    else:
        options["enabled"] = True
    if asked.show is False:
        options["exclude"] = True
    return options
