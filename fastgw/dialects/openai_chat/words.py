"""Where a chat's body has what the canonical names of a request mean: the way back of `history`, which joins results of tools."""

from fastgw.dialects.canonical import Request, Thinking
from fastgw.dialects.reading import Json, as_array, as_object
from fastgw.dialects.words import Place, Words, join, parts_of

THOUGHTS = ("thinking", "redacted_thinking")


def messages_of(body: Json, request: Request) -> list[Place]:
    """Results that follow each other are one message, and so are a user's words after them."""
    places: list[Place] = []
    answering = False
    for at, item in enumerate(as_array(body.get("messages"))):
        message, path = as_object(item), f"messages[{at}]"
        role, content = message.get("role"), message.get("content")
        parts = parts_of(content, f"{path}.content") if content else []
        if role == "assistant":
            is_read = len(places) < len(request.messages)
            thoughts = sum(isinstance(part, Thinking) for part in request.messages[len(places)].parts) if is_read else 0
            parts = [Place(path, message)] * thoughts + said(message, parts, path)
        joins = answering and role != "assistant"
        if role == "tool" or role == "function":
            parts = [Place(path, message, parts)]
            answering = True
        else:
            joins = joins and role == "user" and not message.get("name")
            answering = joins and not parts
        if joins:
            join(places, "messages", parts)
        else:
            places.append(Place(path, message, parts))
    return places


def said(message: Json, content: list[Place], path: str) -> list[Place]:
    """The places of what a model said and called, but for its thoughts, which are read before all else."""
    places = [part for part in content if as_object(part.written).get("type") not in THOUGHTS]
    places += [Place(f"{path}.{name}", message[name]) for name in ("refusal", "audio") if message.get(name)]
    places += parts_of(message.get("images"), f"{path}.images")
    calls = parts_of(message.get("tool_calls"), f"{path}.tool_calls")
    called = as_object(message.get("function_call"))
    if called and (called.get("name") or not calls):
        calls.append(Place(f"{path}.function_call", called))
    return places + calls


def tools_of(body: Json) -> list[Place]:
    """One to one, by the older name where the caller has that."""
    if body.get("functions") and not body.get("tools"):
        return parts_of(body["functions"], "functions")
    return parts_of(body.get("tools"), "tools")


LIMIT = ("max_completion_tokens", "max_tokens")
WORDS = Words(
    "messages",
    {
        "max_tokens": LIMIT, "max_completion_tokens": LIMIT, "seed": ("seed", "random_seed"), "random_seed": ("random_seed", "seed"),
        "reasoning_effort": ("reasoning_effort", "thinking", "reasoning", "enable_thinking", "thinking_budget", "include_reasoning"),
        "tool_choice": ("tool_choice", "function_call"),
    },
    {
        "cache_control": ("cache_control", "prompt_cache_breakpoint", "function.cache_control"), "detail": ("image_url.detail",),
        "name": ("name", "file.filename", "document_name"), "strict": ("function.strict", "strict"),
        "arguments": ("function.arguments", "arguments"),
    },
    messages_of,
    tools_of,
)
