"""A request for Converse: its messages, limits, tools and output format, and what only some makers take."""

import re

import msgspec

from fastgw.dialects.bedrock_converse.messages import MessageWriter, cache_point
from fastgw.dialects.bedrock_converse.models import Model, fit, model_of
from fastgw.dialects.canonical import Notes, Request, Tool
from fastgw.dialects.reading import Json, an_object

# members of Converse that no canonical type has: a caller may state them beside its own
OWN = (
    "guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata", "additionalModelResponseFieldPaths",
    "additionalModelRequestFields", "outputConfig",
)
TIERS = {
    "default": "default", "standard": "default", "standard_only": "default", "flex": "flex", "priority": "priority", "reserved": "reserved",
}
LABEL = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.\-]{0,256}")
MOST_LABELS = 16
ANY_OBJECT: Json = {"type": "object", "properties": {}}


def write_request(request: Request, notes: Notes, quirks: frozenset[str]) -> Json:
    """The body for the provider; quirks: see the package. raises InvalidRequest where a call's arguments are no JSON object"""
    model = model_of(request.model, quirks)
    writer = MessageWriter(notes, model)
    writer.write(request.messages)
    body: Json = {"messages": writer.messages}
    if writer.system:
        body["system"] = writer.system
    limits, extras = fit(request, model, notes)
    if request.max_tokens is not None:
        limits["maxTokens"] = request.max_tokens
    if request.stop:
        limits["stopSequences"] = request.stop
    if limits:
        body["inferenceConfig"] = limits
    tools = tool_config(request, list(writer.tools), model, notes)
    if tools:
        body["toolConfig"] = tools
    if request.parallel_tool_calls is False and tools:
        extras |= one_tool_at_once(tools, model, notes)
    if extras:
        body["additionalModelRequestFields"] = extras
    _options(request, model, body, notes)
    _own(request, body)
    note_rest(request, notes)
    return body


def tool_config(request: Request, called: list[str], model: Model, notes: Notes) -> Json:
    """toolConfig, {} where there is none. It must be there where a message has tool blocks, and Converse has no choice of none."""
    choice = request.tool_choice
    tools = request.tools
    if choice is not None and choice.mode == "none":
        tools = []
        if called and request.tools:
            notes.drop("tool_choice")
            tools, choice = request.tools, None
    elif choice is not None and (choice.mode != "named" or len(choice.names) > 1) and choice.names:
        tools = [tool for tool in tools if tool.name in choice.names]
    specs: list[Json] = []
    for number, tool in enumerate(tools):
        spec = tool_spec(tool, f"tools[{number}]", model, notes)
        if spec is not None:
            specs.append(spec)
            if tool.cache is not None:
                if model.maker in ("", "anthropic"):
                    specs.append(cache_point(tool.cache, model))
                else:
                    notes.drop(f"tools[{number}].cache_control")
    if not specs:
        return {"tools": [{"toolSpec": {"name": name, "inputSchema": {"json": ANY_OBJECT}}} for name in called]} if called else {}
    config: Json = {"tools": specs}
    if choice is not None and choice.mode == "named" and len(choice.names) == 1:
        config["toolChoice"] = {"tool": {"name": choice.names[0]}}
    elif choice is not None and choice.mode != "none":
        config["toolChoice"] = {"auto": {}} if choice.mode == "auto" else {"any": {}}
    return config


def tool_spec(tool: Tool, path: str, model: Model, notes: Notes) -> Json | None:
    """One tool; None where it is noted: one that takes free text, or one that another provider runs."""
    if tool.native is not None and tool.native.dialect == "bedrock_converse":
        return tool.native.value
    if tool.native is not None or tool.custom:
        notes.drop(path)
        return None
    spec: Json = {"name": tool.name, "inputSchema": {"json": ANY_OBJECT if tool.parameters is None else tool.parameters}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict:
        if model.maker in ("", "anthropic"):
            spec["strict"] = True
        else:
            notes.drop(f"{path}.strict")
    return {"toolSpec": spec}


def one_tool_at_once(tools: Json, model: Model, notes: Notes) -> Json:
    """Claude's own way not to call tools in parallel, which only fits where the choice of the tool is free."""
    if model.claude is not None and model.claude.structured and tools.get("toolChoice", {"auto": {}}) == {"auto": {}}:
        tools.pop("toolChoice", None)  # Bedrock would write it over this one
        return {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    notes.drop("parallel_tool_calls")
    return {}


def _options(request: Request, model: Model, body: Json, notes: Notes) -> None:
    output = request.output
    if output is not None and output.kind == "json_schema" and output.schema is not None:
        schema: Json = {"schema": msgspec.json.encode(output.schema).decode()}
        if output.name:
            schema["name"] = output.name
        if output.description:
            schema["description"] = output.description
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
    elif output is not None:
        notes.drop("response_format")
    if request.service_tier and request.service_tier != "auto":
        if request.service_tier in TIERS:
            body["serviceTier"] = {"type": TIERS[request.service_tier]}
        else:
            notes.drop("service_tier")
    if request.metadata:
        if len(request.metadata) <= MOST_LABELS and all(
            key and LABEL.fullmatch(key) and LABEL.fullmatch(value) for key, value in request.metadata.items()
        ):
            body["requestMetadata"] = request.metadata
        else:
            notes.drop("metadata")
    if request.stop and model.maker == "anthropic":
        body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]  # else nobody says which one it was


def _own(request: Request, body: Json) -> None:
    for name in OWN:
        if name in request.extra:
            value = request.extra[name]
            if name == "additionalModelRequestFields" and name in body:
                value = an_object(body[name], name) | an_object(value, f"$.{name}")
            body[name] = value


def note_rest(request: Request, notes: Notes) -> None:
    """Name what Converse has nothing like. What changes nothing (a penalty of 0, one choice) is no loss."""
    lost = {
        "seed": request.seed is not None, "presence_penalty": request.presence_penalty, "frequency_penalty": request.frequency_penalty,
        "logit_bias": request.logit_bias, "logprobs": request.logprobs, "top_logprobs": request.top_logprobs,
        "n": request.choices is not None and request.choices > 1, "user": request.user, "verbosity": request.verbosity,
        "modalities": request.modalities and request.modalities != ["text"], "audio": request.audio, "store": request.store,
        "prompt_cache_key": request.cache_key,
    }
    for name, is_lost in lost.items():
        if is_lost:
            notes.drop(name)
