"""A canonical request as a provider's POST /v1/responses; the quirks stand in `request`."""

from fastgw.dialects.canonical import OutputFormat, Reasoning, Request, Text, Thinking, Tool, ToolChoice
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat.effort import effort_to_ask
from fastgw.dialects.openai_responses.proof import NAME
from fastgw.dialects.openai_responses.request import BOUND, IDLE, LOGPROBS
from fastgw.dialects.openai_responses.turns import Input, Quirks
from fastgw.dialects.reading import Json

ENCRYPTED = "reasoning.encrypted_content"
TIERS = frozenset(("auto", "default", "flex", "scale", "priority"))
BESIDE_TOOL = frozenset(("type", "name", "description", "parameters", "strict", "format"))
NO_PARAMETERS = {"type": "object", "properties": {}}
# Members that OpenAI has in both of its dialects.
SHARED = frozenset(("safety_identifier", "prompt_cache_retention", "prompt_cache_options", "moderation"))


def write_request(request: Request, notes: Notes, quirks: Quirks) -> Json:
    """See canonical.Dialect."""
    own = request.dialect == NAME
    written: Json = {"model": request.model}
    _write_input(request, written, notes, quirks)
    if request.stream:
        written["stream"] = True
    _write_limits(request, written)
    if request.tools:
        written["tools"] = _write_tools(request, notes)
    if request.tool_choice is not None:
        written["tool_choice"] = _write_choice(request.tool_choice, request.tools)
    if request.reasoning is not None:
        written["reasoning"] = _write_reasoning(request.reasoning)
    text: Json = {}
    if request.output is not None:
        text["format"] = _write_format(request.output)
    if request.verbosity:
        text["verbosity"] = request.verbosity
    if text:
        written["text"] = text
    if request.service_tier:
        if own or request.service_tier in TIERS:
            written["service_tier"] = request.service_tier
        else:
            notes.drop("service_tier")
    if own:
        _write_own(request, written)
    else:
        _write_strange(request, written, quirks)
    _note(request, notes)
    return written


def _write_input(request: Request, written: Json, notes: Notes, quirks: Quirks) -> None:
    """instructions and input. A first message of the system's is the instructions, but where the caller wrote it as an item."""
    messages = request.messages
    start = 0
    if messages and messages[0].role == "system" and (request.dialect != NAME or "instructions" in request.echo):
        words = [part.text for part in messages[0].parts if isinstance(part, Text) and (part.cache is None or request.dialect == NAME)]
        if words and len(words) == len(messages[0].parts):
            written["instructions"] = "\n\n".join(words)
            start = 1
    items = Input(request, notes, quirks)
    for at in range(start, len(messages)):
        items.message(messages[at], f"messages[{at}]", "calls_last" in quirks)
    written["input"] = items.items


def _write_limits(request: Request, written: Json) -> None:
    for name, value in (
        ("max_output_tokens", request.max_tokens),
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("top_logprobs", request.top_logprobs),
        ("parallel_tool_calls", request.parallel_tool_calls),
        ("store", request.store),
        ("user", request.user or None),
        ("metadata", request.metadata),
        ("prompt_cache_key", request.cache_key or None),
    ):
        if value is not None:
            written[name] = value


def _write_own(request: Request, written: Json) -> None:
    """What the caller's body has beside: it is of this dialect, so all of it passes."""
    echo = request.echo
    if "safety_identifier" in echo:
        written["safety_identifier"] = echo["safety_identifier"]
        if "user" not in echo:
            del written["user"]
    for name, value in request.extra.items():
        known = written.get(name)
        written[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    for name, value in echo.items():
        if name not in written and (name in IDLE or name in BOUND or name == "truncation"):
            written[name] = value


def _write_strange(request: Request, written: Json, quirks: Quirks) -> None:
    """What a request of another dialect needs here: nothing is left behind at the provider, and thoughts come back to be sent again."""
    written["store"] = bool(request.store)
    include = []
    if "encrypted_reasoning" in quirks or _reasons(request):
        include.append(ENCRYPTED)
    if request.logprobs:
        include.append(LOGPROBS)
    if include:
        written["include"] = include
    if request.dialect.startswith("openai"):
        for name in SHARED & request.extra.keys():
            written[name] = request.extra[name]


def _reasons(request: Request) -> bool:
    """Whether the model thinks, as far as the request shows it."""
    if request.reasoning is not None:
        return not request.reasoning.off
    return any(isinstance(part, Thinking) and part.encrypted for message in request.messages for part in message.parts)


def _write_tools(request: Request, notes: Notes) -> list[Json]:
    tools: list[Json] = []
    for at, tool in enumerate(request.tools):
        if tool.native is None:
            tools.append(_write_tool(tool, request, notes, f"tools[{at}]"))
        elif tool.native.dialect == NAME:
            tools.append(tool.native.value)
        else:
            notes.drop(f"tools[{at}]")
    return tools


def _write_tool(tool: Tool, request: Request, notes: Notes, path: str) -> Json:
    if tool.cache is not None:
        notes.drop(f"{path}.cache_control")
    written: Json
    if tool.custom:
        written = {"type": "custom", "name": tool.name}
        if tool.grammar is not None:
            written["format"] = tool.grammar
    else:
        written = {"type": "function", "name": tool.name}
        if tool.parameters is not None or request.dialect != NAME:
            written["parameters"] = NO_PARAMETERS if tool.parameters is None else tool.parameters
        if tool.strict is not None:
            written["strict"] = tool.strict
        elif request.dialect != NAME:
            written["strict"] = False  # here a function is strict where it does not say; in the other dialects it is not
    if tool.description:
        written["description"] = tool.description
    if request.dialect == NAME:
        stated = request.echo.get("tools")
        for other in stated if isinstance(stated, list) else ():
            if isinstance(other, dict) and other.get("name") == tool.name and other.get("type") == written["type"]:
                written |= {name: value for name, value in other.items() if name not in BESIDE_TOOL and value is not None}
    return written


def _write_choice(choice: ToolChoice, tools: list[Tool]) -> object:
    custom = {tool.name for tool in tools if tool.custom}
    named: list[Json] = [{"type": "custom" if name in custom else "function", "name": name} for name in choice.names]
    if choice.mode == "none":
        return "none"
    if choice.mode == "named":
        return named[0] if len(named) == 1 else {"type": "allowed_tools", "mode": "required", "tools": named}
    if named:
        return {"type": "allowed_tools", "mode": choice.mode, "tools": named}
    return choice.mode


def _write_reasoning(reasoning: Reasoning) -> Json:
    written: Json = {}
    effort = effort_to_ask(reasoning)
    if effort:
        written["effort"] = effort
    if reasoning.summary:
        written["summary"] = reasoning.summary
    elif reasoning.show and not reasoning.off:
        written["summary"] = "auto"
    return written


def _write_format(output: OutputFormat) -> Json:
    if output.kind == "json_object":
        return {"type": "json_object"}
    written: Json = {"type": "json_schema", "name": output.name or "output", "schema": output.schema or {}}
    if output.description:
        written["description"] = output.description
    if output.strict is not None:
        written["strict"] = output.strict
    return written


def _note(request: Request, notes: Notes) -> None:
    """Name what this dialect has no member for."""
    for name, given in (
        ("top_k", request.top_k is not None),
        ("stop", bool(request.stop)),
        ("seed", request.seed is not None),
        ("presence_penalty", bool(request.presence_penalty)),
        ("frequency_penalty", bool(request.frequency_penalty)),
        ("logit_bias", bool(request.logit_bias)),
        ("n", request.choices is not None and request.choices > 1),
        ("modalities", any(modality != "text" for modality in request.modalities)),
        ("audio", request.audio is not None),
    ):
        if given:
            notes.drop(name)
