"""Requests of OpenAI's chat completions, read from a caller and written for a provider; what providers do otherwise is in quirks.py.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

from types import MappingProxyType

from fastgw.dialects.canonical import OutputFormat, Request
from fastgw.dialects.marks import note_marks
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat.effort import MEMBERS, read_reasoning, write_reasoning
from fastgw.dialects.openai_chat.history import read_messages
from fastgw.dialects.openai_chat.quirks import MARKS, NAME, implied
from fastgw.dialects.openai_chat.tools import read_choice, read_tools, write_tools
from fastgw.dialects.openai_chat.turns import write_messages
from fastgw.dialects.reading import Json, an_object, flag, integer, mapping, number, required_text, text, texts
from fastgw.dialects.schema import schema_member

# Members that become canonical fields; all others are kept in Request.extra.
READ = MEMBERS | frozenset({
    "model", "messages", "stream", "stream_options", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls",
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "seed", "random_seed", "presence_penalty",
    "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "n", "user", "metadata", "service_tier", "response_format", "verbosity",
    "modalities", "audio", "store", "prompt_cache_key",
})
# Members that the Responses API has too, under the same names and with the same meaning.
SHARED = frozenset({"safety_identifier", "prompt_cache_retention", "prompt_cache_options", "moderation"})
# Canonical fields that go by as they are: a field, its member.
PLAIN = (
    ("temperature", "temperature"), ("top_p", "top_p"), ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"), ("logit_bias", "logit_bias"), ("logprobs", "logprobs"), ("top_logprobs", "top_logprobs"),
    ("choices", "n"), ("metadata", "metadata"), ("audio", "audio"), ("store", "store"),
)
# The same, where "" or nothing means that nothing was stated.
FILLED = (("stop", "stop"), ("user", "user"), ("verbosity", "verbosity"), ("modalities", "modalities"), ("cache_key", "prompt_cache_key"))
TIERS = MappingProxyType({"standard_only": "default", "standard": "default"})
QUIET = frozenset({"stream_options"})  # the gateway's own wish, which no caller misses


def read_request(body: Json, model: str, stream: bool) -> Request:
    """A caller's body. raises InvalidRequest with the path of what is wrong"""
    extra = {name: value for name, value in body.items() if name not in READ and value is not None}
    options = mapping(body, "stream_options", "$")
    request = Request(
        NAME, model or text(body, "model", "$"), read_messages(body),
        stream=stream or bool(flag(body, "stream", "$")),
        include_usage=options is not None and bool(flag(options, "include_usage", "$.stream_options")),
        tools=read_tools(body),
        tool_choice=read_choice(body),
        parallel_tool_calls=flag(body, "parallel_tool_calls", "$"),
        temperature=number(body, "temperature", "$"),
        top_p=number(body, "top_p", "$"),
        stop=texts(body, "stop", "$"),
        user=text(body, "user", "$"),
        reasoning=read_reasoning(body, extra),
        output=read_output(body, extra),
        extra=extra,
    )
    limit = integer(body, "max_completion_tokens", "$")
    request.max_tokens = integer(body, "max_tokens", "$") if limit is None else limit
    if not READ_RARELY.isdisjoint(body):
        _read_rare(request, body)
    return request


READ_RARELY = frozenset({
    "top_k", "seed", "random_seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "n", "metadata",
    "service_tier", "verbosity", "modalities", "audio", "store", "prompt_cache_key", "functions",
})


def _read_rare(request: Request, body: Json) -> None:
    request.top_k = integer(body, "top_k", "$")
    seed = integer(body, "seed", "$")
    request.seed = integer(body, "random_seed", "$") if seed is None else seed
    request.presence_penalty = number(body, "presence_penalty", "$")
    request.frequency_penalty = number(body, "frequency_penalty", "$")
    request.logprobs = flag(body, "logprobs", "$")
    request.top_logprobs = integer(body, "top_logprobs", "$")
    request.choices = integer(body, "n", "$")
    request.service_tier = text(body, "service_tier", "$")
    request.verbosity = text(body, "verbosity", "$")
    request.modalities = texts(body, "modalities", "$")
    request.audio = mapping(body, "audio", "$")
    request.store = flag(body, "store", "$")
    request.cache_key = text(body, "prompt_cache_key", "$")
    bias = mapping(body, "logit_bias", "$")
    if bias is not None:
        request.logit_bias = {token: number(bias, token, "$.logit_bias") or 0 for token in bias}
    metadata = mapping(body, "metadata", "$")
    if metadata is not None:
        words = {name: value for name, value in metadata.items() if isinstance(value, str)}
        if len(words) == len(metadata):
            request.metadata = words
        else:
            request.extra["metadata"] = metadata  # some clients put more than strings here
    if body.get("functions") and not body.get("tools"):
        request.echo["functions"] = True
        request.parallel_tool_calls = False  # function_call has room for one


def read_output(body: Json, extra: Json) -> OutputFormat | None:
    """response_format; a type that is not OpenAI's goes to extra."""
    value = body.get("response_format")
    if value is None:
        return None
    wanted = an_object(value, "$.response_format")
    kind = required_text(wanted, "type", "$.response_format")
    if kind == "json_schema":
        path = "$.response_format.json_schema"
        stated = an_object(wanted.get("json_schema"), path)
        schema = schema_member(stated, "schema", path)
        name, description = text(stated, "name", path), text(stated, "description", path)
        return OutputFormat("json_schema", name, description, schema, flag(stated, "strict", path))
    if kind == "json_object":
        schema = schema_member(wanted, "schema", "$.response_format")  # Together, Fireworks, llama.cpp
        return OutputFormat("json_object") if schema is None else OutputFormat("json_schema", schema=schema)
    if kind != "text":
        extra["response_format"] = value
    return None


def write_request(request: Request, notes: Notes, quirks: frozenset[str]) -> Json:
    """The body for a provider that has these quirks."""
    quirks = implied(quirks)
    body: Json = {"model": request.model, "messages": write_messages(request, notes, quirks)}
    if MARKS.isdisjoint(quirks):
        note_marks(request, notes)
    if request.tools:
        write_tools(request, body, notes, quirks)
    if request.max_tokens is not None:
        body["max_tokens" if "max_tokens" in quirks else "max_completion_tokens"] = request.max_tokens
    for field, name in PLAIN:
        value = getattr(request, field)
        if value is not None:
            body[name] = value
    for field, name in FILLED:
        value = getattr(request, field)
        if value:
            body[name] = value
    if request.seed is not None:
        body["random_seed" if "mistral" in quirks else "seed"] = request.seed
    if request.top_k is not None:
        if "top_k" in quirks:
            body["top_k"] = request.top_k
        else:
            notes.drop("top_k")
    if request.service_tier:
        body["service_tier"] = TIERS.get(request.service_tier, request.service_tier)
    if request.output is not None:
        body["response_format"] = _format(request.output, notes, quirks)
    write_reasoning(request, body, notes, quirks)
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    for name, value in request.extra.items():
        if request.dialect == NAME or name in SHARED and request.dialect == "openai_responses":
            body.setdefault(name, value)
    for quirk in quirks:
        if quirk.startswith("no_") and body.pop(quirk[3:], None) is not None and quirk[3:] not in QUIET:
            notes.drop(quirk[3:])
    return body


def _format(output: OutputFormat, notes: Notes, quirks: frozenset[str]) -> Json:
    if output.kind == "json_object" or output.schema is None:
        return {"type": "json_object"}
    if "no_json_schema" in quirks:
        notes.drop("response_format.json_schema")
        return {"type": "json_object"}
    schema: Json = {"name": output.name or "reply", "schema": output.schema}
    if output.description:
        schema["description"] = output.description
    if output.strict is not None and "no_strict" not in quirks:
        schema["strict"] = output.strict
    return {"type": "json_schema", "json_schema": schema}
