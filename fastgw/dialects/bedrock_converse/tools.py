"""Tools as Converse has them, the choice among them, and what Converse has no word for."""

import msgspec

from fastgw.dialects.anthropic_messages.tools import FREE_TEXT, MOST_STRICT_TOOLS, NO_ARGUMENTS
from fastgw.dialects.bedrock_converse.messages import cache_point, name_on_wire
from fastgw.dialects.bedrock_converse.models import Model
from fastgw.dialects.canonical import Request, Tool, ToolChoice
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json


def tool_config(request: Request, called: list[str], model: Model, notes: Notes) -> Json:
    """toolConfig, {} where there is none. It must be there where a message has tool blocks, and Converse has no choice of none.

    called    names of the tools in the conversation, as they are written there
    """
    choice, tools = request.tool_choice, request.tools
    allowed: tuple[str, ...] = ()
    if choice is not None and choice.mode == "none":
        if called and tools:
            notes.drop("tool_choice")
        tools, choice = tools if called else [], None
    elif choice is not None and (choice.mode != "named" or len(choice.names) > 1):
        allowed = choice.names
    strict = model.structured and sum(tool.strict is True for tool in tools) <= MOST_STRICT_TOOLS
    specs: list[Json] = []
    for number, tool in enumerate(tools):
        spec = tool_spec(tool, f"tools[{number}]", strict, notes) if not allowed or tool.name in allowed else None
        if spec is not None:
            specs.append(spec)
            if tool.cache is not None and model.maker in ("", "anthropic"):
                specs.append(cache_point(tool.cache, model))
            elif tool.cache is not None:
                notes.drop(f"tools[{number}].cache_control")
    if not specs:
        return {"tools": [{"toolSpec": {"name": name, "inputSchema": {"json": NO_ARGUMENTS}}} for name in called]} if called else {}
    return {"tools": specs} if choice is None else {"tools": specs, "toolChoice": tool_choice(choice, tools)}


def tool_choice(choice: ToolChoice, tools: list[Tool]) -> Json:
    """Any but none."""
    if choice.mode == "named" and len(choice.names) == 1:
        name = choice.names[0]
        return {"tool": {"name": name_on_wire(name, any(tool.custom for tool in tools if tool.name == name))}}
    return {"auto": {}} if choice.mode == "auto" else {"any": {}}


def tool_spec(tool: Tool, path: str, strict: bool, notes: Notes) -> Json | None:
    """One tool, None where it is noted: one that another provider runs. One that takes free text has it as its one argument."""
    if tool.native is not None:
        if tool.native.dialect == "bedrock_converse":
            return tool.native.value
        notes.drop(path)
        return None
    told = [tool.description] if tool.description else []
    parameters = NO_ARGUMENTS if tool.parameters is None else tool.parameters
    if tool.custom:
        parameters = FREE_TEXT
        if tool.grammar is not None:
            told.append("The input must be a text of this grammar: " + msgspec.json.encode(tool.grammar).decode())
    spec: Json = {"name": name_on_wire(tool.name, tool.custom), "inputSchema": {"json": parameters}}
    if told:
        spec["description"] = "\n\n".join(told)
    if tool.strict and strict:
        spec["strict"] = True
    elif tool.strict:
        notes.drop(f"{path}.strict")
    return {"toolSpec": spec}


def one_tool_at_once(tools: Json, model: Model, notes: Notes) -> Json:
    """Claude's own way not to call tools in parallel (from 4.1 on), which only fits where the choice of the tool is free."""
    if model.claude is not None and model.structured and tools.get("toolChoice", {"auto": {}}) == {"auto": {}}:
        tools.pop("toolChoice", None)  # Bedrock would write it over this one
        return {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    notes.drop("parallel_tool_calls")
    return {}
