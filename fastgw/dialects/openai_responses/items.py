"""Items of a caller's input as messages: the items of one turn of the model's are one message, and so are results that come together.

Raises InvalidRequest with the path of what is wrong. Items that only the provider knows (built-in tools and their results, compaction)
are Native; references to what a provider keeps are Native and bound.
"""

from collections.abc import Callable

from fastgw.dialects.canonical import Media, Message, Native, Part, Role, Text, ToolCall, ToolResult
from fastgw.dialects.openai_responses.content import read_content
from fastgw.dialects.openai_responses.proof import NAME, sign, thoughts_of
from fastgw.dialects.reading import Json, a_text, an_object, array, required_text, text, unknown, wrong

ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}
# What a caller sends back of a built-in tool; all other items of built-in tools are the model's.
CALLERS_OWN = frozenset((
    "computer_call_output", "local_shell_call_output", "shell_call_output", "apply_patch_call_output", "mcp_approval_response",
))
KEPT = "it points to an item that the provider of the earlier response keeps; send the item itself"
BESIDE_CALL = frozenset(("type", "call_id", "name", "arguments", "input"))
BESIDE_OUTPUT = frozenset(("type", "call_id", "output"))
BESIDE_WORDS = frozenset(("type", "role", "content"))
BESIDE_IMAGE = frozenset(("type", "result"))


class Turns:
    """The messages so far. calls: by their ids, for results and signatures; pending: signatures whose call has not come."""

    __slots__ = ("bound", "calls", "messages", "pending")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.calls: dict[str, ToolCall] = {}
        self.pending: dict[str, str] = {}
        self.bound: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Turns: {len(self.messages)} messages>"

    def turn(self) -> list[Part]:
        """The parts of the model's turn that the next item belongs to."""
        if not self.messages or self.messages[-1].role != "assistant":
            self.messages.append(Message("assistant", []))
        return self.messages[-1].parts

    def results(self) -> list[Part]:
        """The parts of the message that the next result belongs to."""
        last = self.messages[-1] if self.messages else None
        if last is None or last.role != "user" or not last.parts or type(last.parts[-1]) is not ToolResult:
            self.messages.append(Message("user", []))
        return self.messages[-1].parts


def read_input(value: object) -> Turns:
    """The input: a string, or an array of items."""
    turns = Turns()
    if isinstance(value, str):
        turns.messages.append(Message("user", [Text(value)]))
        return turns
    if not isinstance(value, list):
        wrong("a string or an array", value, "$.input")
    for at, entry in enumerate(value):
        path = f"$.input[{at}]"
        item = an_object(entry, path)
        kind = item.get("type")
        if kind is None and "role" not in item and "id" in item:
            _reference(item, path, turns)
        elif kind is None or kind == "message":
            _message(item, path, turns)
        else:
            READERS.get(a_text(kind, f"{path}.type"), _other)(item, path, turns)
    return turns


def _message(item: Json, path: str, turns: Turns) -> None:
    stated = required_text(item, "role", path)
    role = ROLES.get(stated)
    if role is None:
        unknown("user, assistant, system or developer", stated, f"{path}.role")
    where = f"{path}.content"
    if role == "assistant":
        # one Native for all words of the item, empty or not: so they are told from those of another item
        turns.turn().extend(read_content(item.get("content"), where, beside(item, BESIDE_WORDS)))
    else:
        turns.messages.append(Message(role, read_content(item.get("content"), where), id=text(item, "id", path)))


def _call(item: Json, path: str, turns: Turns) -> None:
    custom = item["type"] == "custom_tool_call"
    call = ToolCall(
        required_text(item, "call_id", path),
        required_text(item, "name", path),
        required_text(item, "input" if custom else "arguments", path),
        custom,
        native=beside(item, BESIDE_CALL),
    )
    call.signature = turns.pending.pop(call.id, "")
    turns.calls[call.id] = call
    turns.turn().append(call)


def _output(item: Json, path: str, turns: Turns) -> None:
    call_id = required_text(item, "call_id", path)
    call = turns.calls.get(call_id)
    parts = read_content(item.get("output"), f"{path}.output")
    turns.results().append(ToolResult(
        call_id, "" if call is None else call.name, parts, False, item["type"] == "custom_tool_call_output",
        native=beside(item, BESIDE_OUTPUT),
    ))


def _reasoning(item: Json, path: str, turns: Turns) -> None:
    text(item, "encrypted_content", path)
    text(item, "id", path)
    for member in ("summary", "content"):
        for at, entry in enumerate(array(item, member, path)):
            where = f"{path}.{member}[{at}]"
            required_text(an_object(entry, where), "text", where)
    thoughts, proof = thoughts_of(item)
    parts = turns.turn()
    parts.extend(thoughts)
    if proof is not None:
        sign(parts, proof, turns.calls, turns.pending)


def _picture(item: Json, path: str, turns: Turns) -> None:
    """A picture that a model made, where it is there and not only named."""
    data = text(item, "result", path)
    if not data:
        _other(item, path, turns)
        return
    stated = text(item, "output_format", path) or "png"
    turns.turn().append(Media("image", data, media_type=f"image/{stated}", native=beside(item, BESIDE_IMAGE)))


def _reference(item: Json, path: str, turns: Turns) -> None:
    turns.bound[path[2:]] = KEPT
    turns.turn().append(Native(NAME, item))


def _tools(item: Json, path: str, turns: Turns) -> None:
    turns.messages.append(Message("developer", [Native(NAME, item)]))


def _other(item: Json, path: str, turns: Turns) -> None:
    if item["type"] in CALLERS_OWN:
        turns.messages.append(Message("user", [Native(NAME, item)]))
    else:
        turns.turn().append(Native(NAME, item))


def beside(item: Json, known: frozenset[str]) -> Native:
    """What an item has beside the members that have a place of their own: its id, status, phase, namespace."""
    return Native(NAME, {name: value for name, value in item.items() if name not in known and value is not None})


READERS: dict[str, Callable[[Json, str, Turns], None]] = {
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
    "image_generation_call": _picture,
    "item_reference": _reference,
    "additional_tools": _tools,
}
