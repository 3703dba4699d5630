"""Where a caller's body has what the canonical names of a request mean: the way back of `items`, which joins the items of a turn."""

from fastgw.dialects.canonical import Request
from fastgw.dialects.openai_responses.items import CALLERS_OWN
from fastgw.dialects.openai_responses.proof import thoughts_of
from fastgw.dialects.reading import Json, as_array, as_object
from fastgw.dialects.words import Place, Words, join, parts_of

RESULTS = ("function_call_output", "custom_tool_call_output")


def messages_of(body: Json, request: Request) -> list[Place]:
    """The instructions are the first message. Items of the model's in a row are one, and so are results."""
    places = [Place("instructions", None, [Place("instructions")])] if body.get("instructions") else []
    given = body.get("input")
    if isinstance(given, str):
        return [*places, Place("input", None, [Place("input")])]
    before = ""
    for at, entry in enumerate(as_array(given)):
        item, path = as_object(entry), f"input[{at}]"
        group, parts = item_of(item, path)
        if group and group == before:
            join(places, "input", parts)
        else:
            places.append(Place(path, item, parts))
        before = group
    return places


def item_of(item: Json, path: str) -> tuple[str, list[Place]]:
    """What an item is joined with, "" nothing, and the places of the parts that it was read as."""
    kind = item.get("type")
    if kind == "message" or (kind is None and "role" in item):
        return "turn" if item.get("role") == "assistant" else "", parts_of(item.get("content"), f"{path}.content")
    if kind in RESULTS:
        return "results", [Place(path, item, parts_of(item.get("output"), f"{path}.output"))]
    if kind == "reasoning":
        return "turn", [Place(path, item)] * len(thoughts_of(item)[0])
    return "" if kind in CALLERS_OWN or kind == "additional_tools" else "turn", [Place(path, item)]


def tools_of(body: Json) -> list[Place]:
    """One to one."""
    return parts_of(body.get("tools"), "tools")


LIMIT = ("max_output_tokens",)
FORMAT = ("text.format",)
WORDS = Words(
    "input",
    {
        "max_tokens": LIMIT, "max_completion_tokens": LIMIT, "user": ("user", "safety_identifier"), "reasoning_effort": ("reasoning",),
        "reasoning.summary": ("reasoning.summary", "reasoning.generate_summary"), "response_format": FORMAT,
        "response_format.json_schema": FORMAT, "verbosity": ("text.verbosity",), "logprobs": ("top_logprobs", "include"),
    },
    {"cache_control": ("prompt_cache_breakpoint",), "name": ("filename",), "arguments": ("arguments",)},
    messages_of,
    tools_of,
)
