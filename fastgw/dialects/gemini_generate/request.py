"""Requests of Gemini's generateContent and streamGenerateContent.

Quirks that a provider's row may state:

    vertex           Google Cloud: labels are allowed (metadata goes there), media may have names, `store` is not known
    openapi_schema   a server that knows neither parametersJsonSchema nor responseJsonSchema: schemas go in the OpenAPI subset, references
                     put in place

Members that only this dialect has are kept in Request.extra; those of generationConfig and toolConfig by their whole name, such as
"generationConfig.speechConfig".
"""

import re

from fastgw.dialects.canonical import Request
from fastgw.dialects.gemini_generate.history import History
from fastgw.dialects.gemini_generate.settings import read_settings, write_settings
from fastgw.dialects.gemini_generate.spelling import NAME, camel
from fastgw.dialects.gemini_generate.tools import read_tool_config, read_tools, write_tools
from fastgw.dialects.gemini_generate.turns import Turns, read_system
from fastgw.dialects.marks import note_marks
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, flag, text

KNOWN = frozenset((
    "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier", "store",
    "model",  # the path says it
))
TIERS = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority", "auto": ""}
LABEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")  # cloud.google.com/resource-manager/docs/labels-overview
LABEL = re.compile(r"[a-z0-9_-]{0,63}")


def read_request(body: Json, model: str, stream: bool) -> Request:
    """See Dialect."""
    body = camel(body, "$")
    request = Request(NAME, model, [], stream, include_usage=True)
    if body.get("systemInstruction") is not None:
        request.messages.append(read_system(body["systemInstruction"], "$.systemInstruction"))
    request.messages += Turns().read(body.get("contents"), "$.contents")
    if body.get("generationConfig") is not None:
        read_settings(body["generationConfig"], request)
    if body.get("tools") is not None:
        request.tools = read_tools(body["tools"], "$.tools")
    if body.get("toolConfig") is not None:
        read_tool_config(body["toolConfig"], request)
    tier = text(body, "serviceTier", "$").lower()
    request.service_tier = "" if tier == "unspecified" else tier
    request.store = flag(body, "store", "$")
    for name, member in body.items():
        if name not in KNOWN and member is not None:
            request.extra[name] = member
    if "cachedContent" in request.extra:
        request.bound = {"cachedContent": "a part of the conversation is kept by Google"}
    return request


def write_request(request: Request, notes: Notes, quirks: frozenset[str]) -> Json:
    """See Dialect; the quirks are in this module's docstring."""
    history = History(request, notes, quirks)
    body: Json = {"contents": history.contents}
    if history.system:
        body["systemInstruction"] = {"parts": history.system}
    note_marks(request, notes)
    tools, tool_config = write_tools(request, notes, quirks)
    config = write_settings(request, notes, quirks)
    if tools:
        body["tools"] = tools
    if tool_config:
        body["toolConfig"] = tool_config
    if config:
        body["generationConfig"] = config
    write_rest(request, body, notes, quirks)
    if request.dialect == NAME:
        for name, member in request.extra.items():
            put(body, name.split("."), member)
    return body


def write_rest(request: Request, body: Json, notes: Notes, quirks: frozenset[str]) -> None:
    """What stands at the top of the body, and what has no place at all."""
    if request.service_tier:
        tier = TIERS.get(request.service_tier)
        if tier is None:
            notes.drop("service_tier")
        elif tier:
            body["serviceTier"] = tier
    if request.store is not None:
        if "vertex" in quirks:
            notes.drop("store")
        else:
            body["store"] = request.store
    if request.metadata:
        labels: Json = {}
        for name, value in request.metadata.items():
            if "vertex" in quirks and LABEL_NAME.fullmatch(name) and LABEL.fullmatch(value):
                labels[name] = value
            else:
                notes.drop(f"metadata.{name}" if "vertex" in quirks else "metadata")
        if labels:
            body["labels"] = labels
    for name, stated in (
        ("logit_bias", request.logit_bias),
        ("user", request.user),
        ("verbosity", request.verbosity),
        ("prompt_cache_key", request.cache_key),
    ):
        if stated:
            notes.drop(name)


def put(body: Json, steps: list[str], value: object) -> None:
    """Put a member into an object within objects, which are made where there are none."""
    *outer, last = steps
    for step in outer:
        inside = body.get(step)
        if not isinstance(inside, dict):
            inside = body[step] = {}
        body = inside
    body[last] = value
