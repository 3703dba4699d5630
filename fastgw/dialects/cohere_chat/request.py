"""A request for Cohere's chat: messages, tools, output format and the choice of tokens."""

import re

from fastgw.dialects.canonical import Reasoning, Request, Tool
from fastgw.dialects.cohere_chat.messages import MessageWriter
from fastgw.dialects.effort import BUDGETS
from fastgw.dialects.marks import note_marks
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, an_array

# members of Cohere's body that no canonical type has: a caller may state them beside its own
OWN = ("documents", "safety_mode", "citation_options", "priority")
NOT_THINKING = re.compile(r"command-r|command-a-0|command-a-vision|command-a-translate|command-light|aya")
BUDGETED = ("minimal", "low", "medium")  # efforts that become budgets; without one Cohere thinks most
MOST_P = 0.99
ANY_OBJECT: Json = {"type": "object", "properties": {}}


def write_request(request: Request, notes: Notes, quirks: frozenset[str]) -> Json:
    """The body for the provider."""
    writer = MessageWriter(notes)
    writer.write(request.messages)
    body: Json = {"model": request.model, "messages": writer.messages, "stream": request.stream}
    _sampling(request, body, notes)
    note_marks(request, notes)
    _tools(request, body, notes)
    output = request.output
    if output is not None:
        schema = {} if output.schema is None else {"json_schema": output.schema}
        body["response_format"] = {"type": "json_object"} | schema
    if request.reasoning is not None:
        thinking = thinking_of(request.reasoning, request.model, notes)
        if thinking:
            body["thinking"] = thinking
    for name in OWN:
        if name in request.extra:
            body[name] = request.extra[name]
    if writer.documents:
        body["documents"] = [*an_array(body.get("documents", []), "$.documents"), *writer.documents]
    _note_rest(request, notes)
    return body


def _sampling(request: Request, body: Json, notes: Notes) -> None:
    stated = {
        "max_tokens": request.max_tokens, "temperature": request.temperature, "k": request.top_k, "seed": request.seed,
        "p": None if request.top_p is None else min(request.top_p, MOST_P),
        "presence_penalty": penalty(request.presence_penalty, "presence_penalty", notes),
        "frequency_penalty": penalty(request.frequency_penalty, "frequency_penalty", notes),
        "stop_sequences": request.stop or None, "logprobs": request.logprobs or None,
    }
    body.update((name, value) for name, value in stated.items() if value is not None)


def penalty(stated: float | None, name: str, notes: Notes) -> float | None:
    """Cohere's penalties are from 0 to 1, and one that is not is named."""
    if stated is None or 0 <= stated <= 1:
        return stated
    notes.drop(name)
    return 0 if stated < 0 else 1


def _tools(request: Request, body: Json, notes: Notes) -> None:
    choice = request.tool_choice
    tools: dict[int, Tool] = {}
    for number, tool in enumerate(request.tools):
        if tool.native is not None or tool.custom:
            notes.drop(f"tools[{number}]")
        elif choice is None or not choice.names or tool.name in choice.names:
            tools[number] = tool
    if not tools:
        return
    body["tools"] = [function_of(tool) for tool in tools.values()]
    if choice is not None and choice.mode != "auto":
        body["tool_choice"] = "NONE" if choice.mode == "none" else "REQUIRED"
    if all(tool.strict for tool in tools.values()):
        body["strict_tools"] = True
        return
    for number, tool in tools.items():
        if tool.strict:
            notes.drop(f"tools[{number}].strict")  # it is for all of them or for none


def function_of(tool: Tool) -> Json:
    """One tool."""
    function: Json = {"name": tool.name, "parameters": ANY_OBJECT if tool.parameters is None else tool.parameters}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def thinking_of(reasoning: Reasoning, model: str, notes: Notes) -> Json:
    """How much to think, {} where the model cannot."""
    if NOT_THINKING.search(model):
        if not reasoning.off:
            notes.drop("reasoning_effort")
        return {}
    if reasoning.off:
        return {"type": "disabled"}
    budget = reasoning.budget_tokens or (BUDGETS[reasoning.effort] if reasoning.effort in BUDGETED else None)
    return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}


def _note_rest(request: Request, notes: Notes) -> None:
    lost = {
        "parallel_tool_calls": request.parallel_tool_calls is False and request.tools, "logit_bias": request.logit_bias,
        "top_logprobs": request.top_logprobs,
        "n": request.choices is not None and request.choices > 1, "user": request.user, "metadata": request.metadata,
        "service_tier": request.service_tier not in ("", "auto", "default"), "verbosity": request.verbosity,
        "modalities": request.modalities and request.modalities != ["text"], "audio": request.audio, "store": request.store,
        "prompt_cache_key": request.cache_key,
    }
    for name, is_lost in lost.items():
        if is_lost:
            notes.drop(name)
