"""tools and toolConfig: what the model may call, and whether it must."""

from fastgw.dialects.canonical import Native, Request, Tool, ToolChoice
from fastgw.dialects.gemini_generate.spelling import NAME, camel, several
from fastgw.dialects.gemini_generate.thinking import THINKS_SINCE, generation
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, mapping, required_text, text, texts, unknown
from fastgw.dialects.schema import check, from_gemini, to_gemini

CONFIG = "toolConfig.functionCallingConfig"


def read_tools(value: object, path: str) -> list[Tool]:
    """The functions, each a Tool, and those tools that Google runs, each a Native. raises InvalidRequest"""
    tools: list[Tool] = []
    for at, item in enumerate(several(value)):
        where = f"{path}[{at}]"
        for name, member in camel(item, where).items():
            if name == "functionDeclarations":
                tools += [read_function(one, f"{where}.{name}[{number}]") for number, one in enumerate(several(member))]
            elif member is not None:
                tools.append(Tool(name, native=Native(NAME, {name: member})))
    return tools


def read_function(value: object, path: str) -> Tool:
    """One function, its parameters as JSON schema whichever way they are declared."""
    function = camel(value, path)
    parameters = mapping(function, "parametersJsonSchema", path)
    if parameters is not None:
        check(parameters, f"{path}.parametersJsonSchema")
    elif function.get("parameters") is not None:
        parameters = from_gemini(mapping(function, "parameters", path), f"{path}.parameters")
        check(parameters, f"{path}.parameters")
    return Tool(required_text(function, "name", path), text(function, "description", path), parameters)


def read_tool_config(value: object, request: Request) -> None:
    """Put a toolConfig into the request. raises InvalidRequest"""
    path = "$.toolConfig"
    config = camel(value, path)
    for name, member in config.items():
        if name != "functionCallingConfig" and member is not None:
            request.extra[f"toolConfig.{name}"] = member
    if config.get("functionCallingConfig") is None:
        return
    path += ".functionCallingConfig"
    calling = camel(config["functionCallingConfig"], path)
    names = tuple(texts(calling, "allowedFunctionNames", path))
    mode = text(calling, "mode", path).upper()
    if mode == "ANY":
        request.tool_choice = ToolChoice("named" if len(names) == 1 else "required", names)
    elif mode == "NONE":
        request.tool_choice = ToolChoice("none")
    elif mode in ("AUTO", "VALIDATED", "MODE_UNSPECIFIED", ""):
        request.tool_choice = ToolChoice("auto", names)
    else:
        unknown("AUTO, ANY, NONE or VALIDATED", mode, f"{path}.mode")
    if mode == "VALIDATED":  # calls that are sure to fit their schemas: no other dialect promises it for any schema
        request.extra[f"{CONFIG}.mode"] = mode
    for name, member in calling.items():
        if name not in ("mode", "allowedFunctionNames") and member is not None:
            request.extra[f"{CONFIG}.{name}"] = member


def write_tools(request: Request, notes: Notes, quirks: frozenset[str]) -> tuple[list[Json], Json]:
    """tools and toolConfig, each empty where there is nothing to say."""
    functions: list[Json] = []
    written: list[Json] = []
    strict = False
    for at, tool in enumerate(request.tools):
        path = f"tools[{at}]"
        if tool.native is not None:
            if tool.native.dialect == NAME:
                written.append(tool.native.value)
            else:
                notes.drop(path)
        elif tool.custom:
            notes.drop(path)
        else:
            functions.append(write_function(tool, path, quirks))
            strict = strict or (tool.strict is True and not 0 < generation(request.model) < THINKS_SINCE)
    if functions:
        written.insert(0, {"functionDeclarations": functions})
    if request.parallel_tool_calls is False:
        notes.drop("parallel_tool_calls")
    if (request.tool_choice is None and not strict) or not (functions or request.dialect == NAME):
        return written, {}  # servers refuse ANY where there is no function
    return written, {"functionCallingConfig": write_choice(request.tool_choice or ToolChoice("auto"), strict)}


def write_function(tool: Tool, path: str, quirks: frozenset[str]) -> Json:
    """One function. Its schema passes as it is but where the server knows only the OpenAPI subset."""
    function: Json = {"name": tool.name, "description": tool.description}
    if tool.parameters is not None:
        if "openapi_schema" in quirks:
            subset = to_gemini(tool.parameters, f"{path}.parameters")
            if subset.get("properties") or subset.get("type") != "OBJECT":
                function["parameters"] = subset
        else:
            function["parametersJsonSchema"] = tool.parameters
    return function


def write_choice(choice: ToolChoice, strict: bool) -> Json:
    """A functionCallingConfig. Names go with ANY and VALIDATED only; VALIDATED is AUTO with calls that fit their schemas."""
    if choice.mode == "none":
        return {"mode": "NONE"}
    names: Json = {"allowedFunctionNames": list(choice.names)} if choice.names else {}
    if choice.mode == "auto":
        return {"mode": "VALIDATED" if names or strict else "AUTO", **names}
    return {"mode": "ANY", **names}
