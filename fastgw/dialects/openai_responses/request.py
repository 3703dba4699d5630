"""A caller's POST /v1/responses as a canonical request; `asking` is the way back.

Quirks, as the row of a provider names them, for `write_request`:

    calls_last          the calls of a turn must stand together, right before their results: all else of the turn goes first (DeepSeek
                        answers 400 "No tool output found for tool call" otherwise)
    cache_breakpoints   parts may carry `prompt_cache_breakpoint` (OpenAI and OpenRouter, models from gpt-5.6 on); else cache control of
                        other dialects is noted
    encrypted_reasoning ask for `reasoning.encrypted_content` in every request, not only where the caller speaks of reasoning: for targets
                        whose models reason unasked (recorded with Azure and bedrock-mantle); models that do not reason refuse it
"""

from fastgw.dialects.canonical import Message, Native, OutputFormat, Reasoning, Request, Text, Tool, ToolChoice
from fastgw.dialects.openai_responses.items import read_input
from fastgw.dialects.openai_responses.proof import NAME
from fastgw.dialects.reading import (
    Json,
    a_text,
    an_object,
    array,
    flag,
    integer,
    mapping,
    number,
    required_text,
    text,
    texts,
    unknown,
    wrong,
)
from fastgw.dialects.schema import schema_member
from fastgw.errors import error

LOGPROBS = "message.output_text.logprobs"
# What has a place in a Request.
READ = frozenset((
    "model", "input", "stream", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens", "temperature", "top_p",
    "top_logprobs", "user", "safety_identifier", "metadata", "service_tier", "reasoning", "text", "store", "prompt_cache_key",
))
# What changes nothing for another provider: `include` adds to items that only this dialect has, or is read already; obfuscation is noise.
IDLE = frozenset(("include", "stream_options"))
BOUND = {
    "previous_response_id": "the response that it continues is kept by the provider that made it; send the whole conversation as input",
    "conversation": "the conversation is kept by the provider that it was made at; send all of it as input",
    "prompt": "the template is kept by the provider that it was made at; send its words as instructions",
    "background": "a response in the background is fetched from the provider that makes it; ask for a stream instead",
}
BESIDE_REASONING = frozenset(("effort", "summary", "generate_summary"))
BESIDE_TEXT = frozenset(("format", "verbosity"))
ROOT = "$"


def read_request(body: Json, model: str, stream: bool) -> Request:
    """See canonical.Dialect."""
    given = body.get("input")
    stated = {name: value for name, value in body.items() if value is not None}
    bound = {name: why for name, why in BOUND.items() if stated.get(name, False) is not False}
    turns = read_input([] if given is None and bound else given)
    messages = turns.messages
    instructions = text(body, "instructions", ROOT)
    if instructions:
        messages.insert(0, Message("system", [Text(instructions)]))
    stated_stream = flag(body, "stream", ROOT)
    include = texts(body, "include", ROOT) if "include" in stated else []
    request = Request(
        NAME,
        text(body, "model", ROOT) or model,
        messages,
        stream if stated_stream is None else stated_stream,
        include_usage=True,
        parallel_tool_calls=flag(body, "parallel_tool_calls", ROOT),
        max_tokens=integer(body, "max_output_tokens", ROOT),
        temperature=number(body, "temperature", ROOT),
        top_p=number(body, "top_p", ROOT),
        top_logprobs=integer(body, "top_logprobs", ROOT),
        user=text(body, "user", ROOT) or text(body, "safety_identifier", ROOT),
        service_tier=text(body, "service_tier", ROOT),
        store=flag(body, "store", ROOT),
        cache_key=text(body, "prompt_cache_key", ROOT),
        extra={name: value for name, value in stated.items() if name not in READ and name not in IDLE and name not in BOUND},
        echo={name: value for name, value in stated.items() if name not in ("input", "model", "stream")},
        bound=bound | turns.bound,
    )
    if LOGPROBS in include or request.top_logprobs:
        request.logprobs = True
    if request.extra.get("truncation") == "disabled":
        del request.extra["truncation"]
    if "tools" in stated:
        request.tools = [read_tool(tool, f"$.tools[{at}]") for at, tool in enumerate(array(body, "tools", ROOT))]
    if "tool_choice" in stated:
        request.tool_choice = _read_choice(body["tool_choice"], request)
    if "metadata" in stated:
        metadata = an_object(body["metadata"], "$.metadata")
        request.metadata = {name: a_text(value, f"$.metadata.{name}") for name, value in metadata.items()}
    if "reasoning" in stated:
        request.reasoning = _read_reasoning(an_object(body["reasoning"], "$.reasoning"), request)
    if "text" in stated:
        _read_text(an_object(body["text"], "$.text"), request)
    return request


def read_tool(value: object, path: str) -> Tool:
    """A tool: a function, a custom one, or whatever the provider runs itself."""
    tool = an_object(value, path)
    kind = required_text(tool, "type", path)
    if kind == "function":
        return Tool(required_text(tool, "name", path), text(tool, "description", path), schema_member(tool, "parameters", path),
                    flag(tool, "strict", path))
    if kind == "custom":
        grammar = mapping(tool, "format", path)
        if grammar is not None and grammar.get("type") == "text":
            grammar = None
        return Tool(required_text(tool, "name", path), text(tool, "description", path), custom=True, grammar=grammar)
    named = tool.get("name") or tool.get("server_label")
    return Tool(named if isinstance(named, str) else kind, native=Native(NAME, tool))


def _read_choice(value: object, request: Request) -> ToolChoice | None:
    """How tools are chosen; a choice of built-in tools stays as it is, in `extra`."""
    path = "$.tool_choice"
    if value == "auto" or value == "none" or value == "required":
        return ToolChoice(value)
    if isinstance(value, str):
        unknown("auto, none, required or an object", value, path)
    if not isinstance(value, dict):
        wrong("a string or an object", value, path)
    kind = required_text(value, "type", path)
    if kind in ("function", "custom"):
        return ToolChoice("named", (required_text(value, "name", path),))
    if kind == "allowed_tools":
        mode = required_text(value, "mode", path)
        if mode not in ("auto", "required"):
            unknown("auto or required", mode, f"{path}.mode")
        allowed = [an_object(tool, f"{path}.tools[{at}]") for at, tool in enumerate(array(value, "tools", path))]
        if all(tool.get("type") in ("function", "custom") for tool in allowed):
            names = tuple(required_text(tool, "name", f"{path}.tools[{at}]") for at, tool in enumerate(allowed))
            return ToolChoice("auto" if mode == "auto" else "required", names)
    request.extra["tool_choice"] = value
    return None


def _read_reasoning(stated: Json, request: Request) -> Reasoning:
    path = "$.reasoning"
    effort = text(stated, "effort", path)
    summary = text(stated, "summary", path) or text(stated, "generate_summary", path)
    rest = {name: value for name, value in stated.items() if name not in BESIDE_REASONING and value is not None}
    if rest:
        request.extra["reasoning"] = rest
    off = effort == "none"
    return Reasoning("" if off else effort, off=off, show=True if summary else None, summary=summary)


def _read_text(stated: Json, request: Request) -> None:
    request.verbosity = text(stated, "verbosity", "$.text")
    rest = {name: value for name, value in stated.items() if name not in BESIDE_TEXT and value is not None}
    if rest:
        request.extra["text"] = rest
    form = mapping(stated, "format", "$.text")
    if form is None:
        return
    path = "$.text.format"
    kind = required_text(form, "type", path)
    if kind == "json_object":
        request.output = OutputFormat("json_object")
    elif kind == "json_schema":
        if form.get("schema") is None:
            raise error("InvalidRequest", f"expected an object, got nothing at {path}.schema", param=f"{path}.schema")
        request.output = OutputFormat(
            "json_schema", required_text(form, "name", path), text(form, "description", path),
            schema_member(form, "schema", path), flag(form, "strict", path),
        )
    elif kind != "text":
        unknown("text, json_object or json_schema", kind, path + ".type")
