"""Read a request of an Anthropic client, and write one for Anthropic or a platform that serves its models.

What an Anthropic client wrote goes to another platform of Anthropic's models as it is; only the platform's quirks change it. What a client
of another dialect wrote is fitted to what the model takes (`models`), as the tables of `settings` and the rules of `turns` say.

Quirks that a provider's row may state:

bedrock            the body of InvokeModel: no model and stream members, anthropic_version "bedrock-2023-05-31", beta flags as
                   anthropic_beta in the body. Images, documents by URL or file id, and members that only Anthropic's own API has
                   (container, mcp_servers, service_tier, ...), are noted and left out
vertex             the body of rawPredict: no model member, anthropic_version "vertex-2023-10-16"; else as bedrock
no_output_format   neither output_config.format nor strict tools: a schema for the answer becomes a tool that the model must call, and its
                   arguments the answer's text (`naming`)
budget_thinking    clients of other dialects get thinking by a budget in tokens, whatever the model's name says, and no output_config.effort
one_sampling       and of temperature and top_p only the first that they state
"""

from fastgw.dialects.anthropic_messages.content import read_cache, read_content, rest
from fastgw.dialects.anthropic_messages.models import traits_of
from fastgw.dialects.anthropic_messages.settings import write_sampling, write_thinking
from fastgw.dialects.anthropic_messages.tools import declare, write_output, write_tools
from fastgw.dialects.anthropic_messages.turns import Turns
from fastgw.dialects.anthropic_messages.vocabulary import BEDROCK_VERSION, NAME, REQUEST_TIERS, TIERS_TO_ASK, VERTEX_VERSION
from fastgw.dialects.canonical import Message, Native, OutputFormat, Reasoning, Request, Role, Tool, ToolChoice
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, an_object, array, flag, integer, mapping, number, required_text, text, texts, unknown
from fastgw.dialects.schema import check, schema_member

_KNOWN = frozenset({
    "model", "messages", "system", "max_tokens", "stream", "stop_sequences", "temperature", "top_p", "top_k", "tools", "tool_choice",
    "metadata", "service_tier", "thinking", "output_config", "output_format", "anthropic_version",
})
_TOOL = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_MODES: dict[str, ToolChoice] = {"auto": ToolChoice("auto"), "any": ToolChoice("required"), "none": ToolChoice("none")}
_ONLY_ANTHROPIC = frozenset({
    "container", "mcp_servers", "inference_geo", "speed", "diagnostics", "fallbacks", "billing_policy", "thread", "user_profile_id",
    "workspace_id",
})


def read_request(body: Json, model: str, stream: bool) -> Request:
    """A body of POST /v1/messages, or of Bedrock's InvokeModel. raises InvalidRequest with the path of what is wrong"""
    messages: list[Message] = []
    system = body.get("system")
    if system is not None:
        messages.append(Message("system", read_content(system, "$.system")))
    for at, item in enumerate(array(body, "messages", "$")):
        path = f"$.messages[{at}]"
        message = an_object(item, path)
        said = message.get("role")
        role = _ROLES.get(said) if isinstance(said, str) else None
        if role is None:
            unknown('"user", "assistant" or "system"', said, f"{path}.role")
        messages.append(Message(role, read_content(message.get("content"), f"{path}.content")))
    request = Request(
        NAME,
        text(body, "model", "$") or model,
        messages,
        bool(flag(body, "stream", "$")) or stream,
        include_usage=True,
        max_tokens=integer(body, "max_tokens", "$"),
        temperature=number(body, "temperature", "$"),
        top_p=number(body, "top_p", "$"),
        top_k=integer(body, "top_k", "$"),
        stop=texts(body, "stop_sequences", "$"),
        extra={name: value for name, value in body.items() if name not in _KNOWN},
    )
    if system is not None:
        request.echo["system"] = True  # the first message is not one of the client's `messages`
    if "tools" in body:
        _read_tools(body, request)
    if "tool_choice" in body:
        _read_choice(body, request)
    _read_thinking(body, request)
    metadata = mapping(body, "metadata", "$")
    if metadata is not None:
        request.user = text(metadata, "user_id", "$.metadata")
        _leave(request, "metadata", metadata, "user_id")
    tier = text(body, "service_tier", "$")
    request.service_tier = REQUEST_TIERS.get(tier, tier)
    return request


def _leave(request: Request, name: str, members: Json, *read: str) -> None:
    """What of an object was not read goes with the members of the body that no field has."""
    left = {key: value for key, value in members.items() if key not in read}
    if left:
        request.extra[name] = left


def _read_tools(body: Json, request: Request) -> None:
    own: Json = {}
    for at, item in enumerate(array(body, "tools", "$")):
        path = f"$.tools[{at}]"
        tool = an_object(item, path)
        name = text(tool, "name", path)
        if text(tool, "type", path) not in ("", "custom"):
            request.tools.append(Tool(name, native=Native(NAME, tool)))
            continue
        name = required_text(tool, "name", path)
        request.tools.append(Tool(
            name, text(tool, "description", path), schema_member(tool, "input_schema", path), flag(tool, "strict", path),
            read_cache(tool, path),
        ))
        left = rest(tool, _TOOL)
        if left is not None:
            own[name] = left.value
    if own:
        request.echo["tools"] = own


def _read_choice(body: Json, request: Request) -> None:
    choice = mapping(body, "tool_choice", "$")
    if choice is None:
        return
    kind = required_text(choice, "type", "$.tool_choice")
    if kind == "tool":
        request.tool_choice = ToolChoice("named", (required_text(choice, "name", "$.tool_choice"),))
    else:
        request.tool_choice = _MODES.get(kind) or unknown('"auto", "any", "tool" or "none"', kind, "$.tool_choice.type")
    disabled = flag(choice, "disable_parallel_tool_use", "$.tool_choice")
    request.parallel_tool_calls = None if disabled is None else not disabled


def _read_thinking(body: Json, request: Request) -> None:
    """thinking and output_config. What is said of thinking also goes back as it is (`echo`)."""
    config = mapping(body, "output_config", "$") or {}
    effort = text(config, "effort", "$.output_config")
    form = mapping(config, "format", "$.output_config")
    older = mapping(body, "output_format", "$")
    read = ["effort"]
    if form is not None and _read_format(form, request, "$.output_config.format"):
        read.append("format")
    elif older is not None and not _read_format(older, request, "$.output_format"):
        request.extra["output_format"] = older
    _leave(request, "output_config", config, *read)
    thinking = mapping(body, "thinking", "$")
    if thinking is not None:
        display = text(thinking, "display", "$.thinking")
        request.reasoning = Reasoning(
            effort,
            integer(thinking, "budget_tokens", "$.thinking"),
            text(thinking, "type", "$.thinking") == "disabled",
            None if not display else display != "omitted",
        )
        request.echo["thinking"] = thinking
    elif effort:
        request.reasoning = Reasoning(effort)


def _read_format(form: Json, request: Request, path: str) -> bool:
    """Read the form of the answer, if it is one that is known."""
    if form.get("type") != "json_schema":
        return False
    schema = an_object(form.get("schema"), f"{path}.schema")
    check(schema, f"{path}.schema")
    request.output = OutputFormat("json_schema", schema=schema)
    return True


def write_request(request: Request, notes: Notes, quirks: frozenset[str]) -> Json:
    """A body for Anthropic's API or a platform of its models (`quirks`).

    raises  InvalidRequest where arguments in the conversation are no JSON object, or a tool's name is too long
    """
    own = request.dialect == NAME
    hosted = "bedrock" in quirks or "vertex" in quirks
    traits = traits_of(request.model, quirks)
    body: Json = {}
    if hosted:
        body["anthropic_version"] = BEDROCK_VERSION if "bedrock" in quirks else VERTEX_VERSION
    else:
        body["model"] = request.model
    turns = Turns(own, hosted, notes)
    turns.take(request.messages, 1 if own and "system" in request.echo else 0)
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    body["messages"] = turns.messages()
    if request.stream and "bedrock" not in quirks:
        body["stream"] = True
    thinks = request.reasoning is not None and write_thinking(request, body, traits, turns.resumes_without_thought(), notes)
    write_sampling(request, body, traits, thinks, notes)
    if request.tools or request.tool_choice is not None:
        write_tools(request, body, traits, notes)
    if not own:
        declare(turns.called, body)
    if request.output is not None:
        structured = traits.structured or (own and "no_output_format" not in quirks)
        write_output(request, body, traits, turns.instruct, structured)
    system = turns.system()
    if system:
        body["system"] = system
    if request.stop:
        _write_stop(request, body, notes)
    _write_garnish(request, body, hosted, notes)
    if own and request.extra:
        _write_extra(request, body, hosted, notes)
    return body


def _write_stop(request: Request, body: Json, notes: Notes) -> None:
    """Anthropic refuses stop sequences of white space."""
    kept = [sequence for sequence in request.stop if sequence.strip()]
    if len(kept) < len(request.stop):
        notes.drop("stop")
    if kept:
        body["stop_sequences"] = kept


def _write_garnish(request: Request, body: Json, hosted: bool, notes: Notes) -> None:
    if request.user:
        body["metadata"] = {"user_id": request.user}
    tier = request.service_tier
    if tier:
        word = TIERS_TO_ASK.get(tier, tier if request.dialect == NAME else "")
        if word and not hosted:
            body["service_tier"] = word
        elif tier != "auto":
            notes.drop("service_tier")
    for name, is_stated in (
        ("seed", request.seed is not None),
        ("presence_penalty", bool(request.presence_penalty)),
        ("frequency_penalty", bool(request.frequency_penalty)),
        ("logit_bias", bool(request.logit_bias)),
        ("logprobs", bool(request.logprobs)),
        ("top_logprobs", bool(request.top_logprobs)),
        ("n", request.choices is not None and request.choices > 1),
        ("metadata", bool(request.metadata)),
        ("verbosity", bool(request.verbosity)),
        ("modalities", any(modality != "text" for modality in request.modalities)),
        ("audio", request.audio is not None),
        ("store", bool(request.store)),
        ("prompt_cache_key", bool(request.cache_key)),
    ):
        if is_stated:
            notes.drop(name)


def _write_extra(request: Request, body: Json, hosted: bool, notes: Notes) -> None:
    """What an Anthropic client stated beside the fields: an object of which a part was read is put together again."""
    for name, value in request.extra.items():
        if name in _ONLY_ANTHROPIC if hosted else name == "anthropic_beta":
            notes.drop(name)
        else:
            if name == "anthropic_beta" and isinstance(value, str):
                value = value.split(",")  # as the header has it
            known = body.get(name)
            body[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
