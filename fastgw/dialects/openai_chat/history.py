"""The messages of a caller's request, read: who said what, with calls and results of tools, old names and thoughts sent back."""

from collections.abc import Callable
from types import MappingProxyType

from fastgw.dialects.canonical import Cache, Media, Message, Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.openai_chat.parts import read_cache, read_parts, read_pictures
from fastgw.dialects.openai_chat.thinking import thoughts_of
from fastgw.dialects.openai_chat.tools import read_call, signature_of
from fastgw.dialects.reading import Json, a_text, an_array, an_object, as_text, mapping, required_text, text, unknown

PLAIN: MappingProxyType[str, Role] = MappingProxyType({"system": "system", "developer": "developer", "user": "user"})


class History:
    """The conversation as it is read, and what later messages need of earlier ones: which call had which name, and what is unanswered."""

    __slots__ = ("calls", "messages", "unanswered")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.calls: dict[str, ToolCall] = {}
        self.unanswered: list[ToolCall] = []

    def __repr__(self) -> str:
        return f"<History of {len(self.messages)} messages>"

    def plain(self, message: Json, role: Role, path: str) -> None:
        """A message of the system, the developer or the user. A user's words directly after results of tools join these."""
        parts = read_parts(message.get("content"), f"{path}.content")
        mark_last(parts, read_cache(message))
        name = text(message, "name", path)
        if role == "user" and not name and self._ends_in_results():
            self.messages[-1].parts += parts
            return
        self.messages.append(Message(role, parts, name))

    def assistant(self, message: Json, path: str) -> None:
        """A model's message: thoughts, words, then calls."""
        said = read_parts(message.get("content"), f"{path}.content")
        thoughts: list[Part] = [part for part in said if type(part) is Thinking]
        parts = thoughts_of(message) if not thoughts else thoughts
        found: list[Part] = [*parts, *(part for part in said if type(part) is not Thinking)]
        refusal = text(message, "refusal", path)
        if refusal:
            found.append(Refusal(refusal))
        audio = mapping(message, "audio", path)
        if audio:
            found.append(Media("audio", audio_id=text(audio, "id", f"{path}.audio"), transcript=as_text(audio.get("transcript"))))
        found += read_pictures(message.get("images"))
        mark_last(found, read_cache(message))
        calls = self._calls(message, path)
        signature = signature_of(message)
        if signature:
            sign(found, calls, signature)
        self.messages.append(Message("assistant", [*found, *calls], text(message, "name", path)))

    def tool(self, message: Json, path: str) -> None:
        """What a tool said."""
        identity = required_text(message, "tool_call_id", path)
        call = self.calls.get(identity)
        if call is None and not identity and self.unanswered:
            call = self.unanswered[0]  # Gemini's OpenAI-compatible API gives calls no ids
            identity = call.id
        name = text(message, "name", path) or (call.name if call is not None else "")
        self._result(ToolResult(identity, name, custom=call is not None and call.custom), message, path)

    def function(self, message: Json, path: str) -> None:
        """What a function said, by the older names: it answers the last call of its name."""
        name = required_text(message, "name", path)
        call = next((call for call in reversed(self.unanswered) if call.name == name), None)
        self._result(ToolResult(call.id if call is not None else f"call_{len(self.messages)}_{name}", name), message, path)

    def _result(self, result: ToolResult, message: Json, path: str) -> None:
        result.parts = read_parts(message.get("content"), f"{path}.content")
        # A mark on the message, or on its last part, marks the result: that is where Anthropic has it.
        result.cache = read_cache(message)
        self.unanswered = [call for call in self.unanswered if call.id != result.call_id]
        if self._ends_in_results():
            self.messages[-1].parts.append(result)
        else:
            self.messages.append(Message("user", [result]))

    def _calls(self, message: Json, path: str) -> list[ToolCall]:
        calls = []
        for at, item in enumerate(an_array(message.get("tool_calls") or [], f"{path}.tool_calls")):
            where = f"{path}.tool_calls[{at}]"
            calls.append(read_call(an_object(item, where), where, f"call_{len(self.messages)}_{at}"))
        asked = mapping(message, "function_call", path)
        if asked is not None and (asked.get("name") or not calls):
            where = f"{path}.function_call"
            name, arguments = required_text(asked, "name", where), text(asked, "arguments", where)
            calls.append(ToolCall(f"call_{len(self.messages)}_{len(calls)}", name, arguments))
        for call in calls:
            self.calls[call.id] = call
        self.unanswered = list(calls)
        return calls

    def _ends_in_results(self) -> bool:
        last = self.messages[-1] if self.messages else None
        return last is not None and last.role == "user" and bool(last.parts) and type(last.parts[-1]) is ToolResult


def mark_last(parts: list[Part], cache: Cache | None) -> None:
    """A mark on a message (LiteLLM's way) marks its last part."""
    if cache is not None and parts:
        last = parts[-1]
        if isinstance(last, Text | Media) and last.cache is None:
            last.cache = cache


def sign(said: list[Part], calls: list[ToolCall], signature: str) -> None:
    """A thought signature on a whole message belongs to its first call, or else to its last words."""
    if calls:
        calls[0].signature = calls[0].signature or signature
        return
    for part in reversed(said):
        if isinstance(part, Text | Media):
            part.signature = signature
            return


ROLES: MappingProxyType[str, Callable[[History, Json, str], None]] = MappingProxyType(
    {"assistant": History.assistant, "tool": History.tool, "function": History.function})


def read_messages(body: Json) -> list[Message]:
    """The messages of a request. raises InvalidRequest"""
    history = History()
    for at, item in enumerate(an_array(body.get("messages"), "$.messages")):
        path = f"$.messages[{at}]"
        message = an_object(item, path)
        role = a_text(message.get("role"), f"{path}.role")
        plain = PLAIN.get(role)
        if plain is not None:
            history.plain(message, plain, path)
            continue
        reader = ROLES.get(role)
        if reader is None:
            unknown("system, developer, user, assistant, tool or function", role, f"{path}.role")
        reader(history, message, path)
    return history.messages
