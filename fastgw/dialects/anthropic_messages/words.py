"""Where an Anthropic client's body has what the canonical names of a request mean."""

from fastgw.dialects.canonical import Request
from fastgw.dialects.reading import Json, as_array, as_object
from fastgw.dialects.words import Place, Words, parts_of


def messages_of(body: Json, request: Request) -> list[Place]:
    """The system prompt is the first message. Proofs of others' that were read into other parts make a message's parts unsure."""
    system = body.get("system")
    places = [] if system is None else [Place("system", system, parts_of(system, "system"))]
    for at, item in enumerate(as_array(body.get("messages"))):
        message = as_object(item)
        parts = parts_of(message.get("content"), f"messages[{at}].content")
        for part in parts:
            block = as_object(part.written)
            if block.get("type") == "tool_result":
                part.parts = parts_of(block.get("content"), f"{part.path}.content")
        places.append(Place(f"messages[{at}]", message, parts))
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
