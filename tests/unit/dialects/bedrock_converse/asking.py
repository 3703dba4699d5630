"""Read recorded requests of Converse into the canonical types, so that the writer can be held to what real clients send."""

import base64
import json
from typing import Any, cast
from urllib.parse import unquote

from fastgw.dialects.bedrock_converse.media import TYPES
from fastgw.dialects.canonical import (
    Cache,
    Media,
    MediaKind,
    Message,
    Native,
    OutputFormat,
    Part,
    Reasoning,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.recordings import Recording

OWN = ("guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata", "additionalModelResponseFieldPaths")


def request_of(recording: Recording) -> Request:
    """The request as a client of another dialect would have made it."""
    body = recording.request
    extras = dict(body.get("additionalModelRequestFields") or {})
    limits = body.get("inferenceConfig") or {}
    messages = [Message("system", parts_of(body["system"]))] if body.get("system") else []
    messages += [Message(message["role"], parts_of(message["content"])) for message in body["messages"]]
    tools, choice = tools_of(body.get("toolConfig") or {})
    request = Request(
        "", unquote(recording.url.split("/")[4]), messages, tools=tools, tool_choice=choice, max_tokens=limits.get("maxTokens"),
        temperature=limits.get("temperature"), top_p=limits.get("topP"), stop=limits.get("stopSequences", []),
        service_tier=(body.get("serviceTier") or {}).get("type", ""), top_k=top_k_of(extras), reasoning=reasoning_of(extras),
        extra={name: body[name] for name in OWN if name in body},
    )
    if "outputConfig" in body:
        schema = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        request.output = OutputFormat("json_schema", schema.get("name", ""), schema.get("description", ""), json.loads(schema["schema"]))
    if extras:
        request.extra["additionalModelRequestFields"] = extras
    return request


def top_k_of(extras: dict[str, Any]) -> int | None:
    if "inferenceConfig" in extras:
        return int(extras.pop("inferenceConfig")["topK"])
    stated: int | None = extras.pop("top_k", None)
    return stated


def reasoning_of(extras: dict[str, Any]) -> Reasoning | None:
    for name in ("reasoning_effort", "reasoning_config"):
        if name in extras:
            return Reasoning(extras.pop(name))
    thinking = extras.pop("thinking", None)
    if thinking is None:
        return None
    return Reasoning(extras.pop("output_config", {}).get("effort", ""), thinking.get("budget_tokens"))


def tools_of(config: dict[str, Any]) -> tuple[list[Tool], ToolChoice | None]:
    tools: list[Tool] = []
    for tool in config.get("tools", []):
        if "cachePoint" in tool:
            tools[-1].cache = Cache()
        elif "toolSpec" in tool:
            spec = tool["toolSpec"]
            tools.append(Tool(spec["name"], spec.get("description", ""), spec["inputSchema"]["json"], spec.get("strict")))
        else:
            tools.append(Tool(tool["systemTool"]["name"], native=Native("bedrock_converse", tool)))
    choice = config.get("toolChoice")
    if choice is None:
        return tools, None
    if "tool" in choice:
        return tools, ToolChoice("named", (choice["tool"]["name"],))
    return tools, ToolChoice("auto" if "auto" in choice else "required")


def parts_of(blocks: list[dict[str, Any]]) -> list[Part]:
    """The blocks of a message; a cache point belongs to the part before it."""
    parts: list[Part] = []
    for block in blocks:
        if "cachePoint" in block:
            before = parts[-1] if parts else None
            if not isinstance(before, Text | Media | ToolCall | ToolResult):
                parts.append(before := Text(""))
            before.cache = Cache(block["cachePoint"].get("ttl", ""))
        else:
            parts.append(part_of(block))
    return parts


def part_of(block: dict[str, Any]) -> Part:
    (kind, value), = block.items()
    if kind == "text":
        return Text(value)
    if kind == "toolUse" and "type" not in value:
        return ToolCall(value["toolUseId"], value["name"], json.dumps(value["input"]))
    if kind == "toolResult" and "type" not in value:
        return ToolResult(value["toolUseId"], parts=parts_of(value["content"]), is_error=value.get("status") == "error")
    if kind in ("image", "document", "video"):
        source = value["source"]
        return Media(cast(MediaKind, kind), source.get("bytes", ""), source.get("s3Location", {}).get("uri", ""),
                     name=value.get("name", ""), media_type=TYPES.get((kind, value["format"]), value["format"]))
    if kind == "reasoningContent":
        if "redactedContent" in value:
            return Thinking(redacted=base64.b64decode(value["redactedContent"]).decode(), dialect="anthropic_messages")
        return Thinking(value["reasoningText"]["text"], value["reasoningText"].get("signature", ""), dialect="anthropic_messages")
    return Native("bedrock_converse", block)
