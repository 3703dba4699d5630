"""A request for Converse: its messages, limits, tools and output format, and what only some makers take."""

import re

import msgspec

from fastgw.dialects.anthropic_messages.tools import JSON_OBJECT, closed
from fastgw.dialects.bedrock_converse.messages import MessageWriter
from fastgw.dialects.bedrock_converse.models import Model, fit, model_of
from fastgw.dialects.bedrock_converse.tools import one_tool_at_once, tool_config
from fastgw.dialects.canonical import Request
from fastgw.dialects.notes import Notes
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


def write_request(request: Request, notes: Notes, quirks: frozenset[str]) -> Json:
    """The body for the provider; quirks: see the package. raises InvalidRequest where a call's arguments are no JSON object"""
    model = model_of(request.model, quirks)
    writer = MessageWriter(notes, model)
    writer.write(request.messages)
    body: Json = {"messages": writer.messages}
    if writer.system:
        body["system"] = writer.system
    limits, extras = fit(request, model, request.reasoning is not None and writer.goes_on_without_thought(), notes)
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
    words = _output(request, model, body)
    if words:
        body["system"] = [*writer.system, {"text": words}]
    _options(request, model, body, notes)
    _own(request, body)
    note_rest(request, notes)
    return body


def _output(request: Request, model: Model, body: Json) -> str:
    """Ask for an output format where the model has them; else the words that ask for it."""
    output = request.output
    if output is None:
        return ""
    if output.schema is None:
        return JSON_OBJECT
    schema = msgspec.json.encode(closed(output.schema)).decode()
    if model.claude is not None and not model.claude.structured:
        return f"{JSON_OBJECT} It must be of this JSON schema: {schema}"
    stated = {"schema": schema, "name": output.name, "description": output.description}
    said = {name: value for name, value in stated.items() if value}
    body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": said}}}
    return ""


def _options(request: Request, model: Model, body: Json, notes: Notes) -> None:
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
