"""Write the tools of a request, which of them the model may or must call, and the form that its answer must have.

An answer in any JSON object is asked for in words at the end of the system prompt: the API has no member for it. An answer in the form of a
schema is output_config.format; where the platform has none, it is a tool that the model must call (`naming`). A model that thinks within a
budget, or that takes no forced tool, is asked in words to call it.
"""

from collections.abc import Callable, Iterable

import msgspec

from fastgw.dialects.anthropic_messages.models import Traits
from fastgw.dialects.anthropic_messages.naming import MOST_NAME_CHARACTERS, OUTPUT_PREFIX, TEXT_PREFIX, written_name
from fastgw.dialects.anthropic_messages.vocabulary import NAME
from fastgw.dialects.canonical import Cache, OutputFormat, Request, Tool, ToolChoice
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json

MOST_STRICT_TOOLS = 20  # Anthropic, structured outputs: limits of a request
MOST_SCHEMA_DEPTH = 64
JSON_OBJECT = "Answer with one JSON object and nothing else: no words before or after it, and no code fence."
NO_ARGUMENTS: Json = {"type": "object", "properties": {}}
FREE_TEXT: Json = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}

_encode = msgspec.json.encode


def write_cache(block: Json, cache: Cache | None) -> Json:
    """The block, with its cache_control where it has one."""
    if cache is not None:
        block["cache_control"] = {"type": "ephemeral", "ttl": cache.ttl} if cache.ttl else {"type": "ephemeral"}
    return block


def write_tools(request: Request, body: Json, traits: Traits, notes: Notes) -> None:
    """Write tools and tool_choice."""
    own = request.dialect == NAME
    choice = request.tool_choice
    allowed = choice.names if choice is not None else ()
    strict = traits.structured and sum(tool.strict is True for tool in request.tools) <= MOST_STRICT_TOOLS
    left = request.echo.get("tools") if own else None
    tools: list[Json] = []
    for at, tool in enumerate(request.tools):
        if tool.native is not None:
            if tool.native.dialect == NAME:
                tools.append(tool.native.value)
            else:
                notes.drop(f"tools[{at}]")
        elif not allowed or own or tool.name in allowed:
            if tool.strict and not own and not strict:
                notes.drop(f"tools[{at}].strict")
            written = _write_tool(tool, f"$.tools[{at}].name", own, strict or own)
            more = left.get(tool.name) if isinstance(left, dict) else None
            tools.append({**written, **more} if isinstance(more, dict) else written)
    if tools:
        body["tools"] = tools
    elif not own:
        return
    written_choice = _write_choice(choice, request.parallel_tool_calls, traits, own, notes)
    if written_choice is not None:
        body["tool_choice"] = written_choice


def _write_tool(tool: Tool, path: str, own: bool, strict: bool) -> Json:
    if tool.custom:
        return _write_text_tool(tool, path)
    written: Json = {"name": written_name(tool.name, path)}
    if tool.description:
        written["description"] = tool.description
    parameters = tool.parameters
    if parameters is None:
        parameters = NO_ARGUMENTS
    elif not own and "type" not in parameters:
        parameters = {"type": "object", **parameters}
    written["input_schema"] = parameters
    if tool.strict is not None and strict and (own or tool.strict):
        written["strict"] = tool.strict
    return write_cache(written, tool.cache)


def _write_text_tool(tool: Tool, path: str) -> Json:
    """A tool that takes free text is one with a single argument; its grammar is told in words."""
    told = [tool.description] if tool.description else []
    if tool.grammar is not None:
        told.append("The input must be a text of this grammar: " + _encode(tool.grammar).decode())
    written: Json = {"name": written_name(TEXT_PREFIX + tool.name, path), "description": "\n\n".join(told), "input_schema": FREE_TEXT}
    return write_cache(written, tool.cache)


def _write_choice(choice: ToolChoice | None, parallel: bool | None, traits: Traits, own: bool, notes: Notes) -> Json | None:
    if choice is None:
        return None if parallel is not False else {"type": "auto", "disable_parallel_tool_use": True}
    if choice.mode == "none":
        return {"type": "none"}
    written: Json = {"type": "auto"}
    if choice.mode in ("required", "named"):
        if not traits.forced and not own:
            notes.drop("tool_choice")
        elif choice.mode == "named" and len(choice.names) == 1:
            written = {"type": "tool", "name": written_name(choice.names[0], "$.tool_choice")}
        else:
            written = {"type": "any"}
    if parallel is False:
        written["disable_parallel_tool_use"] = True
    return written


def declare(called: Iterable[str], body: Json) -> None:
    """Where a conversation has calls and the caller names no tools any more, name those that were called: the API demands it."""
    tools: list[Json] = [{"name": name, "input_schema": NO_ARGUMENTS} for name in called]
    if tools and "tools" not in body:
        body["tools"] = tools
        body["tool_choice"] = {"type": "none"}


def write_output(request: Request, body: Json, traits: Traits, instruct: Callable[[str], None], structured: bool) -> None:
    """Write the form that the answer must have, the tools being written; `instruct` adds words to the system prompt."""
    form = request.output
    if form is None:
        return
    if form.kind == "json_object" or form.schema is None:
        instruct(JSON_OBJECT)
    elif structured:
        config = body.setdefault("output_config", {})
        assert isinstance(config, dict)
        schema = form.schema if request.dialect == NAME else _described(closed(form.schema), form.description)
        config["format"] = {"type": "json_schema", "schema": schema}
    elif form.schema.get("type", "object") == "object":
        _write_output_tool(form, form.schema, body, traits, instruct)
    else:
        instruct(f"{JSON_OBJECT[:12]} JSON of this schema and nothing else: {_encode(form.schema).decode()}")


def _write_output_tool(form: OutputFormat, schema: Json, body: Json, traits: Traits, instruct: Callable[[str], None]) -> None:
    name = written_name((OUTPUT_PREFIX + (form.name or "answer"))[:MOST_NAME_CHARACTERS], "$.response_format.json_schema.name")
    tool: Json = {
        "name": name,
        "description": form.description or "Gives the answer in the form that is asked for.",
        "input_schema": schema if "type" in schema else {"type": "object", **schema},
    }
    others = body.get("tools")
    body["tools"] = [*others, tool] if isinstance(others, list) else [tool]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] != "auto":
        if choice["type"] == "none":
            body["tool_choice"] = {"type": "tool", "name": name}
        return
    thinking = body.get("thinking")
    if not traits.forced or (isinstance(thinking, dict) and thinking.get("type") == "enabled"):
        instruct(f"Give your answer by calling the tool {name}, and in no other way.")
    elif isinstance(others, list):
        body["tool_choice"] = {**choice, "type": "any"} if isinstance(choice, dict) else {"type": "any"}
    else:
        body["tool_choice"] = {"type": "tool", "name": name}


def _described(schema: Json, description: str) -> Json:
    return {"description": description, **schema} if description else schema


def closed(schema: Json, depth: int = 0) -> Json:
    """The schema with additionalProperties false in every object that says nothing of them, as Anthropic demands: what is of it, is of the
    schema too."""
    if depth > MOST_SCHEMA_DEPTH:
        return schema
    found: Json = {}
    for name, value in schema.items():
        if name in ("properties", "$defs", "definitions") and isinstance(value, dict):
            found[name] = {key: closed(item, depth + 1) if isinstance(item, dict) else item for key, item in value.items()}
        elif name == "items" and isinstance(value, dict):
            found[name] = closed(value, depth + 1)
        elif name in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            found[name] = [closed(item, depth + 1) if isinstance(item, dict) else item for item in value]
        else:
            found[name] = value
    kind = schema.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind) or ("properties" in schema and kind is None)
    if is_object and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found
