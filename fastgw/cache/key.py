"""The key of a request: what two requests have in common exactly if one's answer will do for the other.

It is made of the canonical request, so callers of different dialects share answers. Left out is what does not shape an answer: how it is
delivered (stream, stream_array, include_usage), who asks and why (user, metadata, labels, safety_identifier, ids of messages), and what
providers cache (cache_control, prompt_cache_key and its kin). The order of members does not matter but in the schemas of tools and of the
answer: models write in that order.
"""

from collections.abc import Mapping
from copy import copy
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from fastgw.dialects.canonical import Media, Message, Native, OutputFormat, Part, Request, Text, Tool, ToolCall, ToolResult
from fastgw.snapshot.routes import Branch, Target

FORMAT: Final = 1  # of keys: a greater one forgets what was kept by the keys before
KEY_BYTES: Final = 32

# Members of a caller's body that shape no answer, in any dialect.
GARNISH: Final = frozenset((
    "cache_control", "labels", "metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
    "stream_options", "user",
))
# Members by which the provider looks things up, or keeps them, while it answers.
OUTSIDE: Final = frozenset((
    "background", "container", "enable_search", "mcp_servers", "plugins", "search_parameters", "thread", "web_search_options",
))
# What a dialect's `echo` has that shapes no answer, or stands in a field of the request already.
ECHO_GARNISH: Final[Mapping[str, frozenset[str]]] = {
    "openai_chat": frozenset(("functions",)), "anthropic_messages": frozenset(("system",)),
}  # fmt: skip
# Members beside a part that say which one it was, or what a provider's cache does with it.
ITEM_GARNISH: Final = frozenset(("cache_control", "id", "status"))
RESPONSES: Final = "openai_responses"  # its `echo` is the whole body
PLAIN_TOOL: Final = frozenset(("type", "name", "description", "parameters", "strict", "format"))

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_encode_schema = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder(order="deterministic").encode


class Space(Struct, frozen=True):
    """Who shares answers with whom, and from where.

    workspace    whose caller asks; key: its virtual key, "" where the workspace shares
    alias        the model as the caller named it
    route        what tells apart routes of one alias: route_mark of what is written, or a digest of a caller's own config
    namespaces   of the configuration and of the request
    """

    workspace: str
    key: str
    alias: str
    route: bytes = b""
    namespaces: tuple[str, str] = ("", "")


def route_mark(root: Branch) -> bytes:
    """A digest of what of a route shapes answers: models, and members that it puts in or leaves out; not weights, retries and times."""
    return sha256(_encode_json(_traits(root))).digest()


def _traits(node: Branch) -> tuple[object, ...]:
    leaf = (node.integration, node.model, node.unsupported) if isinstance(node, Target) else ()
    return leaf, node.default_params, node.override_params, node.drop_params, [_traits(target) for target in node.targets]


def objection(request: Request) -> str:
    """Why no answer to this request is kept or taken from what is kept: a word, "" where there is no reason."""
    if request.bound:
        return next(iter(request.bound))
    if request.store:
        return "store"
    if any(tool.native is not None for tool in request.tools):
        return "tools"
    return min(OUTSIDE & request.extra.keys(), default="") if request.extra else ""


def request_key(request: Request, space: Space) -> bytes | None:
    """32 bytes; None where there is an objection, or a number that no machine counts with."""
    if objection(request):
        return None
    asked = (
        FORMAT, space, _messages(request.messages), [_tool(tool, request.dialect) for tool in request.tools], request.tool_choice,
        request.parallel_tool_calls, request.max_tokens, _real(request.temperature), _real(request.top_p), request.top_k, request.stop,
        request.seed, _real(request.presence_penalty), _real(request.frequency_penalty), request.logit_bias, bool(request.logprobs),
        request.top_logprobs or 0, request.choices or 1, request.service_tier, request.reasoning, _output(request.output),
        request.verbosity, request.modalities, request.audio, request.store, _extra(request), _echo(request),
    )
    try:
        return sha256(_encode(asked)).digest()
    except (OverflowError, RecursionError):
        return None


def body_key(operation: str, body: bytes, space: Space) -> bytes | None:
    """The same of a request that no dialect reads, such as one for embeddings: of its JSON, the model and garnish apart."""
    try:
        decoded = msgspec.json.decode(body)
        if not isinstance(decoded, dict):
            return None
        asked = {name: value for name, value in decoded.items() if name not in GARNISH and name != "model"}
        return sha256(_encode((FORMAT, space, operation)) + _encode_json(asked)).digest()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _real(number: float | None) -> float | None:
    """1 and 1.0 are one temperature."""
    return None if number is None else float(number)


def _messages(messages: list[Message]) -> list[tuple[object, ...]]:
    names: dict[str, str] = {}  # of calls, by their ids: some dialects repeat them with the result
    return [(message.role, message.name, [_part(part, names) for part in message.parts]) for message in messages]


def _part(part: Part, names: dict[str, str]) -> object:
    """A part without the mark of a provider's cache; plain words as they are."""
    if isinstance(part, Text):
        beside = _beside(part.native)
        if beside is None and not part.citations and not part.signature:
            return part.text
        return "Text", part.text, part.citations, part.signature, beside
    if isinstance(part, ToolCall):
        names[part.id] = part.name
        return "ToolCall", part.id, part.name, part.arguments, part.custom, part.signature, _beside(part.native)
    if isinstance(part, ToolResult):
        name = "" if part.name == names.get(part.call_id) else part.name
        inner = [_part(one, names) for one in part.parts]
        return "ToolResult", part.call_id, name, inner, part.is_error, part.custom, _beside(part.native)
    if isinstance(part, Media) and (part.cache is not None or part.native is not None):
        bare = copy(part)
        bare.cache = bare.native = None
        beside = _beside(part.native)
        return bare if beside is None else (bare, beside)
    if isinstance(part, Native) and "cache_control" in part.value:
        return Native(part.dialect, {name: value for name, value in part.value.items() if name != "cache_control"})
    return part


def _beside(native: Native | None) -> tuple[object, ...] | None:
    """What else its own dialect says of a part."""
    if native is None:
        return None
    value = {name: member for name, member in native.value.items() if name not in ITEM_GARNISH}
    return (native.dialect, value) if value else None


def _tool(tool: Tool, dialect: str) -> tuple[object, ...]:
    strict = dialect == RESPONSES if tool.strict is None else tool.strict  # there, a function is strict where it does not say
    return tool.name, tool.description, _schema(tool.parameters), strict, tool.custom, tool.grammar


def _output(output: OutputFormat | None) -> tuple[object, ...] | None:
    return None if output is None else (output.kind, output.name, output.description, _schema(output.schema), output.strict)


def _schema(schema: dict[str, object] | None) -> bytes | None:
    return None if schema is None else _encode_schema(schema)


def _extra(request: Request) -> tuple[object, ...] | None:
    """What only the caller's dialect has a name for."""
    if not request.extra:
        return None
    kept = {name: value for name, value in request.extra.items() if name not in GARNISH}
    return (request.dialect, kept) if kept else None


def _echo(request: Request) -> object:
    """What of `echo` goes to the provider and stands nowhere else."""
    echo = request.echo
    if not echo:
        return None
    if request.dialect != RESPONSES:
        return {name: value for name, value in echo.items() if name not in ECHO_GARNISH.get(request.dialect, ())} or None
    tools = echo.get("tools")
    beside = [
        {name: value for name, value in tool.items() if name not in PLAIN_TOOL and value is not None}
        for tool in (tools if isinstance(tools, list) else ()) if isinstance(tool, dict)
    ]  # fmt: skip
    include = echo.get("include") or None
    return (include, beside) if include or any(beside) else None
