"""The messages of a request, written for a provider: roles, contents, calls and the results of tools in messages of their own."""

from fastgw.dialects.canonical import Media, Message, Native, Part, Refusal, Request, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat.parts import plainest, write_cache, write_part, write_parts
from fastgw.dialects.openai_chat.quirks import NAME
from fastgw.dialects.openai_chat.thinking import chunk_of, echo_thoughts
from fastgw.dialects.openai_chat.tools import extra_content, fitting_id, write_call
from fastgw.dialects.reading import Json, as_object, as_text


def write_messages(request: Request, notes: Notes, quirks: frozenset[str]) -> list[object]:
    """All messages, in order."""
    written: list[object] = []
    for at, message in enumerate(request.messages):
        path = f"messages[{at}].content"
        if message.role == "assistant":
            written.append(_assistant(message, path, notes, quirks))
        else:
            _others(message, path, written, notes, quirks)
    return _alternating(written) if "mistral" in quirks else written


def _alternating(written: list[object]) -> list[object]:
    """The order that Mistral insists on: a model's turn between a tool's and a user's; its last words are marked as a beginning."""
    turns: list[object] = []
    before = ""
    for turn in map(as_object, written):
        role = as_text(turn.get("role"))
        if before == "tool" and role in ("user", "system"):
            turns.append({"role": "assistant", "content": "OK"})
        turns.append(turn)
        before = role
    if before == "assistant":
        as_object(turns[-1])["prefix"] = True
    return turns


def _others(message: Message, path: str, written: list[object], notes: Notes, quirks: frozenset[str]) -> None:
    """A message of system, developer or user; the results of tools in it come first, each as a message, their media with the words."""
    role = "system" if message.role == "developer" and "system_role" in quirks else message.role
    media: list[object] = []
    words = not message.parts
    for at, part in enumerate(message.parts):
        if isinstance(part, ToolResult):
            media += _result(part, f"{path}[{at}]", written, notes, quirks)
        else:
            words = True
    if words or media:
        turn: Json = {"role": role, "content": write_parts(message.parts, path, notes, quirks, media)}
        _name(message, turn, quirks, notes, path)
        written.append(turn)


def _name(message: Message, turn: Json, quirks: frozenset[str], notes: Notes, path: str) -> None:
    if not message.name:
        return
    if "no_name" in quirks:
        notes.drop(path.removesuffix("content") + "name")
    else:
        turn["name"] = message.name


def _result(result: ToolResult, path: str, written: list[object], notes: Notes, quirks: frozenset[str]) -> list[object]:
    """Write one result as a message, and return the media in it, written: a message of a tool carries words only."""
    identity = fitting_id(result.call_id, quirks)
    words: list[Part] = []
    media: list[object] = []
    for at, part in enumerate(result.parts):
        if isinstance(part, Text):
            words.append(part)
            continue
        piece = write_part(part, quirks) if isinstance(part, Media) and "text_content" not in quirks else None
        if piece is None:
            notes.drop(f"{path}.content[{at}]")
        else:
            media.append(piece)
    if result.is_error:
        notes.drop(f"{path}.is_error")
    if media:
        words = words or [Text("The result follows as media.")]
        media = [{"type": "text", "text": f"Media of the tool result {identity}:"}, *media]
    turn: Json = {"role": "tool", "tool_call_id": identity, "content": write_parts(words, f"{path}.content", notes, quirks)}
    if result.cache is not None:
        write_cache(result.cache, turn, quirks)
    written.append(turn)
    return media


def _assistant(message: Message, path: str, notes: Notes, quirks: frozenset[str]) -> Json:
    turn: Json = {"role": "assistant"}
    content: list[object] = []
    thoughts: list[Thinking] = []
    calls: list[object] = []
    refusals: list[str] = []
    for at, part in enumerate(message.parts):
        if isinstance(part, Text):
            content.append(write_part(part, quirks))
            if part.signature and "extra_content" in quirks:
                turn["extra_content"] = extra_content(part.signature)
        elif isinstance(part, ToolCall):
            calls.append(_call(part, quirks))
        elif isinstance(part, Thinking):
            thoughts.append(part)
            if "mistral" in quirks and part.text:
                content.append(chunk_of(part))
        elif isinstance(part, Refusal):
            refusals.append(part.text)
        elif isinstance(part, Media) and part.audio_id:
            turn["audio"] = {"id": part.audio_id}
        elif isinstance(part, Native) and part.dialect == NAME and "text_content" not in quirks:
            content.append(part.value)
        else:
            notes.drop(f"{path}[{at}]")
    turn["content"] = plainest(content, "", quirks) if content else None
    if refusals:
        turn["refusal"] = "".join(refusals)
    if calls:
        turn["tool_calls"] = calls
    if turn["content"] is None and len(turn) == 2:
        turn["content"] = ""  # null is refused where nothing else is said
    if thoughts or calls:
        echo_thoughts(thoughts, turn, quirks)
    _name(message, turn, quirks, notes, path)
    return turn


def _call(call: ToolCall, quirks: frozenset[str]) -> Json:
    written = write_call(call, fitting_id(call.id, quirks))
    if call.signature and "extra_content" in quirks:
        written["extra_content"] = extra_content(call.signature)
    if call.cache is not None:
        write_cache(call.cache, written, quirks)
    return written
