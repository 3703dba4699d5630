"""Tools, what may be chosen of them, and calls of them, both ways; the older `functions` are read into the same."""

import base64
import hashlib
import re
from types import MappingProxyType
from typing import Literal

from fastgw.dialects.canonical import Native, Request, Tool, ToolCall, ToolChoice
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat.parts import read_cache, write_cache
from fastgw.dialects.openai_chat.quirks import NAME
from fastgw.dialects.reading import (
    Json,
    an_array,
    an_object,
    array,
    as_object,
    as_text,
    flag,
    mapping,
    required_text,
    text,
    unknown,
    wrong,
)
from fastgw.dialects.schema import schema_member

MOST_ID_CHARACTERS = 40  # of a call; OpenAI refuses longer ones
MISTRAL_ID = re.compile(r"[a-zA-Z0-9]{9}")
MODES: MappingProxyType[str, Literal["auto", "none", "required"]] = MappingProxyType(
    {"auto": "auto", "none": "none", "required": "required", "any": "required"})


def read_tools(body: Json) -> list[Tool]:
    """The tools of a request, or its functions."""
    if body.get("functions") and not body.get("tools"):
        functions = enumerate(array(body, "functions", "$"))
        return [_function(an_object(item, f"$.functions[{at}]"), f"$.functions[{at}]") for at, item in functions]
    return [_tool(an_object(item, f"$.tools[{at}]"), f"$.tools[{at}]") for at, item in enumerate(array(body, "tools", "$"))]


def _tool(tool: Json, path: str) -> Tool:
    kind = tool.get("type")
    if kind == "function" or kind is None and "function" in tool:
        found = _function(an_object(tool.get("function"), f"{path}.function"), f"{path}.function")
    elif kind == "custom":
        found = _custom(an_object(tool.get("custom"), f"{path}.custom"), f"{path}.custom")
    elif isinstance(kind, str):
        return Tool(kind, native=Native(NAME, tool))
    else:
        wrong("a string", kind, f"{path}.type")
    found.cache = read_cache(tool) or found.cache
    return found


def _function(function: Json, path: str) -> Tool:
    return Tool(required_text(function, "name", path), text(function, "description", path), schema_member(function, "parameters", path),
                flag(function, "strict", path), read_cache(function))


def _custom(custom: Json, path: str) -> Tool:
    form = mapping(custom, "format", path) or {}
    grammar = mapping(form, "grammar", f"{path}.format") if form.get("type") == "grammar" else None
    # As the Responses API has it: one object, with its type.
    flat = None if grammar is None else {"type": "grammar", **grammar}
    return Tool(required_text(custom, "name", path), text(custom, "description", path), custom=True, grammar=flat)


def read_choice(body: Json) -> ToolChoice | None:
    """tool_choice in each of its forms, or function_call."""
    choice = body.get("tool_choice")
    if choice is None:
        choice = body.get("function_call")
        if isinstance(choice, dict):
            return ToolChoice("named", (required_text(choice, "name", "$.function_call"),))
    if choice is None:
        return None
    if isinstance(choice, str):
        mode = MODES.get(choice)
        return unknown("auto, none, required or an object", choice, "$.tool_choice") if mode is None else ToolChoice(mode)
    chosen = an_object(choice, "$.tool_choice")
    if chosen.get("type") == "allowed_tools":
        allowed = an_object(chosen.get("allowed_tools"), "$.tool_choice.allowed_tools")
        mode = MODES.get(text(allowed, "mode", "$.tool_choice.allowed_tools"), "auto")
        path = "$.tool_choice.allowed_tools.tools"
        return ToolChoice(mode, tuple(_named(an_object(tool, f"{path}[{at}]"), f"{path}[{at}]")
                                      for at, tool in enumerate(an_array(allowed.get("tools"), path))))
    return ToolChoice("named", (_named(chosen, "$.tool_choice"),))


def _named(holder: Json, path: str) -> str:
    kind = "custom" if holder.get("type") == "custom" else "function"
    return required_text(an_object(holder.get(kind), f"{path}.{kind}"), "name", f"{path}.{kind}")


def write_tools(request: Request, body: Json, notes: Notes, quirks: frozenset[str]) -> None:
    """Write tools and tool_choice; neither where there is no tool, which OpenAI would refuse."""
    choice = request.tool_choice
    names = choice.names if choice is not None else ()
    one = choice is not None and choice.mode == "named" and len(names) == 1
    narrowed = bool(names) and not one and "no_allowed_tools" in quirks
    tools: list[object] = []
    for at, tool in enumerate(request.tools):
        if narrowed and tool.name not in names:
            continue
        written = write_tool(tool, quirks)
        if written is not None:
            tools.append(written)
        else:
            notes.drop(f"tools[{at}]")
    if not tools:
        return
    body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = _write_choice(choice, request.tools, quirks)
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def write_tool(tool: Tool, quirks: frozenset[str]) -> Json | None:
    """One tool, None where this wire or this provider has nothing like it."""
    if tool.native is not None:
        return tool.native.value if tool.native.dialect == NAME else None
    written: Json
    described: Json = {"name": tool.name, "description": tool.description} if tool.description else {"name": tool.name}
    if tool.custom:
        if "no_custom_tools" in quirks:
            return None
        if tool.grammar is not None:
            grammar = {name: value for name, value in tool.grammar.items() if name != "type"}
            described["format"] = {"type": "grammar", "grammar": grammar}
        written = {"type": "custom", "custom": described}
    else:
        if tool.parameters is not None:
            described["parameters"] = tool.parameters
        elif "mistral" in quirks:
            described["parameters"] = {"type": "object", "properties": {}}
        if tool.strict is not None and "no_strict" not in quirks:
            described["strict"] = tool.strict
        written = {"type": "function", "function": described}
    if tool.cache is not None:
        write_cache(tool.cache, written, quirks)
    return written


def _write_choice(choice: ToolChoice, tools: list[Tool], quirks: frozenset[str]) -> object:
    required = "any" if "mistral" in quirks else "required"
    mode = "required" if choice.mode == "named" else choice.mode
    customs = {tool.name for tool in tools if tool.custom}
    pointers: list[object] = [
        {"type": "custom", "custom": {"name": name}} if name in customs else {"type": "function", "function": {"name": name}}
        for name in choice.names
    ]
    if choice.mode == "named" and len(pointers) == 1:
        return pointers[0]
    if not pointers or mode == "none" or "no_allowed_tools" in quirks:
        return required if mode == "required" else mode
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": pointers}}


def read_call(call: Json, path: str, made_id: str) -> ToolCall:
    """One tool call of an assistant message. made_id: its id where it states none."""
    custom = call.get("type") == "custom"
    kind = "custom" if custom else "function"
    asked = an_object(call.get(kind), f"{path}.{kind}")
    return ToolCall(
        text(call, "id", path) or made_id, required_text(asked, "name", f"{path}.{kind}"),
        text(asked, "input" if custom else "arguments", f"{path}.{kind}"), custom, signature_of(call), read_cache(call),
    )


def signature_of(holder: Json) -> str:
    """Gemini's thought signature on a call or message: Google's own convention, LiteLLM's, Portkey's."""
    google = as_object(as_object(holder.get("extra_content")).get("google"))
    return (as_text(google.get("thought_signature")) or as_text(as_object(holder.get("provider_specific_fields")).get("thought_signature"))
            or as_text(holder.get("thought_signature")) or as_text(as_object(holder.get("function")).get("thought_signature")))


def extra_content(signature: str) -> Json:
    """A thought signature as Google's OpenAI-compatible API has it."""
    return {"google": {"thought_signature": signature}}


def write_call(call: ToolCall, identity: str) -> Json:
    """One tool call, as requests and replies have it."""
    if call.custom:
        return {"id": identity, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    # Some servers parse what they are given: a call without arguments is an empty object.
    return {"id": identity, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}


def fitting_id(identity: str, quirks: frozenset[str]) -> str:
    """An id of a call that the provider accepts: itself, or one made of it, the same for the call and its result."""
    if "mistral" in quirks:
        return identity if MISTRAL_ID.fullmatch(identity) else digest_of(identity)[:9]
    return identity if len(identity) <= MOST_ID_CHARACTERS else f"call_{digest_of(identity)}"


def digest_of(words: str) -> str:
    """24 letters and digits that stand for any words."""
    digest = hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=15).digest()
    return base64.b32encode(digest).decode().lower()
