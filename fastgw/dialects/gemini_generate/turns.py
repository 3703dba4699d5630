"""The turns of a conversation as Gemini's callers write them: contents and their parts.

Calls of functions often have no ids here. read_turns gives them some ("call_1", ...), and finds the call that a result belongs to: the
first of the function's name that waits for one.
"""

from fastgw.dialects.canonical import Media, Message, Native, Part, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.gemini_generate import proof
from fastgw.dialects.gemini_generate.arguments import compact, read_result
from fastgw.dialects.gemini_generate.media import read_media
from fastgw.dialects.gemini_generate.spelling import NAME, camel, several
from fastgw.dialects.reading import Json, an_object, flag, mapping, required_text, text, unknown, wrong

ROLES = {"user": "user", "model": "assistant", "function": "user", "tool": "user", "": ""}
KINDS = "text, functionCall, functionResponse, inlineData or fileData"
BESIDE = frozenset(("text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"))


class Turns:
    """Reads contents in their order; waiting: (name, id) of the calls that have no result yet."""

    __slots__ = ("made", "waiting")

    def __init__(self) -> None:
        self.made = 0
        self.waiting: list[tuple[str, str]] = []

    def __repr__(self) -> str:
        return f"<Turns with {len(self.waiting)} calls waiting>"

    def read(self, value: object, path: str) -> list[Message]:
        """The messages of `contents`. raises InvalidRequest"""
        contents = several(value)
        if not contents:
            wrong("at least one content", value, path)
        messages = []
        for at, item in enumerate(contents):
            where = f"{path}[{at}]"
            content = camel(item, where)
            role = text(content, "role", where)
            if role not in ROLES:
                unknown("user or model", role, f"{where}.role")
            parts: list[Part] = []
            for number, part in enumerate(several(content.get("parts"))):
                words = part.get("text") if isinstance(part, dict) and len(part) == 1 else None
                parts.append(Text(words) if isinstance(words, str) else self.part(part, f"{where}.parts[{number}]"))
            messages.append(self._message(ROLES[role], parts, where))
        return messages

    def _message(self, role: str, parts: list[Part], where: str) -> Message:
        kinds = {type(part) for part in parts}
        if not role:
            role = "assistant" if ToolCall in kinds else "user"
        if role == "assistant":
            if ToolResult in kinds:
                unknown("a functionResponse in a content of the user's", "model", f"{where}.role")
            return Message("assistant", parts)
        if ToolCall in kinds:
            unknown("a functionCall in a content of the model's", role, f"{where}.role")
        if ToolResult in kinds and len(kinds) > 1:
            parts.sort(key=lambda part: type(part) is not ToolResult)  # results come before words, as other dialects have it
        return Message("user", parts)

    def part(self, value: object, path: str) -> Part:
        """One part. raises InvalidRequest"""
        part = camel(value, path)
        words = part.get("text")
        signature = text(part, "thoughtSignature", path)
        thought = flag(part, "thought", path)
        rest: Json = {} if BESIDE.issuperset(part) else {name: member for name, member in part.items() if name not in BESIDE}
        if part.get("functionCall") is not None:
            return self._call(part, signature, rest, path)
        if part.get("functionResponse") is not None:
            return self._result(part, rest, path)
        if part.get("inlineData") is not None or part.get("fileData") is not None:
            # A picture of a thought is none of the answer, and no other dialect has such.
            return Native(NAME, part) if thought else self._media(part, signature, rest, path)
        if thought and (words is not None or not rest):
            return proof.unseal(text(part, "text", path), signature)
        if words is not None or (signature and not rest):
            return Text(text(part, "text", path), signature=signature, native=Native(NAME, rest) if rest else None)
        if not part:
            wrong(KINDS, part, path)
        return Native(NAME, part)

    def _call(self, part: Json, signature: str, rest: Json, path: str) -> ToolCall:
        path += ".functionCall"
        call = camel(part["functionCall"], path)
        name = required_text(call, "name", path)
        identity = text(call, "id", path)
        if not identity:
            self.made += 1
            identity = f"call_{self.made}"
        self.waiting.append((name, identity))
        arguments = mapping(call, "args", path)
        native = Native(NAME, rest) if rest else None
        return ToolCall(identity, name, in_text(arguments or {}, f"{path}.args"), signature=signature, native=native)

    def _result(self, part: Json, rest: Json, path: str) -> ToolResult:
        path += ".functionResponse"
        response = camel(part["functionResponse"], path)
        name = required_text(response, "name", path)
        identity = text(response, "id", path)
        for at, (called, known) in enumerate(self.waiting):
            if known == identity if identity else called == name:
                identity = known
                del self.waiting[at]
                break
        if not identity:
            self.made += 1
            identity = f"call_{self.made}"
        body = mapping(response, "response", path) or {}
        in_text(body, f"{path}.response")  # so that what follows cannot fail
        words, is_error = read_result(body)
        parts: list[Part] = [Text(words)]
        for at, item in enumerate(several(response.get("parts"))):
            where = f"{path}.parts[{at}]"
            medium = camel(item, where)
            if medium.get("inlineData") is None and medium.get("fileData") is None:
                wrong("inlineData or fileData", None, where)
            parts.append(self._media(medium, "", {}, where))
        return ToolResult(identity, name, parts, is_error, native=Native(NAME, rest) if rest else None)

    def _media(self, part: Json, signature: str, rest: Json, path: str) -> Media:
        name = "fileData" if part.get("inlineData") is None else "inlineData"
        where = f"{path}.{name}"
        blob = camel(part[name], where)
        required_text(blob, "data" if name == "inlineData" else "fileUri", where)
        text(blob, "mimeType", where)
        return read_media({name: blob}, blob, signature, rest)


def read_system(value: object, path: str) -> Message:
    """A systemInstruction: a content, its parts, or only words. raises InvalidRequest"""
    if isinstance(value, str):
        return Message("system", [Text(value)])
    if isinstance(value, dict) and "parts" in value:
        value = value["parts"]
        path += ".parts"
    turns = Turns()
    parts = [
        Text(item) if isinstance(item, str) else turns.part(an_object(item, f"{path}[{at}]"), f"{path}[{at}]")
        for at, item in enumerate(several(value))
    ]
    for at, part in enumerate(parts):
        if not isinstance(part, Text | Media | Thinking | Native):
            wrong("a part with text", None, f"{path}[{at}]")
    return Message("system", parts)


def in_text(value: Json, path: str) -> str:
    """An object as compact text. raises InvalidRequest where it is nested too deeply"""
    try:
        return compact(value)
    except ValueError:
        unknown("an object that is not nested too deeply", "one that is", path)
