"""Where an Anthropic client's body has what the canonical names of a request mean."""

from functools import partial

from fastgw.dialects.canonical import Request
from fastgw.dialects.reading import Json, as_array, as_object
from fastgw.dialects.words import Place, Words, parts_of


def messages_of(body: Json, request: Request) -> list[Place]:
    """The system prompt is the first message. Proofs of others' that were read into other parts make a message's parts unsure."""
    system = body.get("system")
    places = [] if system is None else [Place("system", system, parts_of(system, "system"))]
    for at, item in enumerate(as_array(body.get("messages"))):
        path = f"messages[{at}]"
        places.append(Place(path, item, find=partial(blocks_of, as_object(item), path)))
    return places


def blocks_of(message: Json, path: str) -> list[Place]:
    """The places of a message's blocks, and within results of tools."""
    places = parts_of(message.get("content"), f"{path}.content")
    for place in places:
        block = as_object(place.written)
        if block.get("type") == "tool_result":
            place.parts = parts_of(block.get("content"), f"{place.path}.content")
    return places


def tools_of(body: Json) -> list[Place]:
    """One to one."""
    return parts_of(body.get("tools"), "tools")


FORMAT = ("output_config.format", "output_format")
WORDS = Words(
    "messages",
    {
        "max_completion_tokens": ("max_tokens",), "stop": ("stop_sequences",), "user": ("metadata.user_id",),
        "reasoning_effort": ("thinking", "output_config.effort"), "response_format": FORMAT, "response_format.json_schema": FORMAT,
        "parallel_tool_calls": ("tool_choice.disable_parallel_tool_use",),
    },
    {"name": ("title",), "arguments": ("input",)},
    messages_of,
    tools_of,
)
