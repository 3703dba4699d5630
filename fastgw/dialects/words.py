"""What a caller calls a member that a translation has to name: the canonical name in the words and the places of the caller's own body.

Writers name what they leave out as the canonical request has it: `stop`, `tools[1].strict`, `messages[2].content[0].cache_control`. Each
caller's dialect has Words, which say where that stands in its body. They are asked only when there is something to name. Where it is not
sure which element of an array it is (what was read is not one to one what was written), the array is named, or what holds it, and no index.
"""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from fastgw.dialects.canonical import Part, Request, ToolResult
from fastgw.dialects.reading import Json

MESSAGE = re.compile(r"messages\[(\d+)\]((?:\.content\[\d+\])*)(?:\.(.+))?")
TOOL = re.compile(r"tools\[(\d+)\](?:\.(.+))?")
NUMBER = re.compile(r"\d+")
Ways = Mapping[str, tuple[str, ...]]


class Place(Struct, gc=False):
    """Where a message, a part or a tool stands in the caller's body, what is written there, and where its own parts stand.

    find   finds the parts when they are asked for, as they are of few messages of a long conversation
    """

    path: str
    written: object = None
    parts: list["Place"] = []
    find: Callable[[], list["Place"]] | None = None


class Words(Struct, frozen=True):
    """A dialect's own words and places.

    conversation   the member that holds the messages
    members        of the body, by canonical name, every way to write them, the usual one first; what has no row has the canonical name
    within         the same for members of a message, a part or a tool
    messages       the places of the canonical messages, in their order, and of their parts; `tools` likewise
    """

    conversation: str
    members: Ways
    within: Ways
    messages: Callable[[Json, Request], list[Place]]
    tools: Callable[[Json], list[Place]]

    def names_of(self, request: Request, body: Json) -> "Names":
        """See Dialect."""
        return Names(self, request, body)


class Names:
    """The caller's names of the members of one request, by their canonical ones."""

    __slots__ = ("_body", "_messages", "_request", "_words")

    def __init__(self, words: Words, request: Request, body: Json) -> None:
        self._words = words
        self._request = request
        self._body = body
        self._messages: list[Place] | None = None

    def __repr__(self) -> str:
        return f"<Names of a request in {self._request.dialect}>"

    def __call__(self, name: str) -> str:
        """The caller's name. What stands in `extra` has the caller's already."""
        if name in self._request.extra:
            return name
        if found := MESSAGE.fullmatch(name):
            return self._in_message(int(found[1]), [int(step) for step in NUMBER.findall(found[2])], found[3])
        if found := TOOL.fullmatch(name):
            tools = self._words.tools(self._body)
            at = int(found[1])
            return self._member([tools[at]], found[2]) if len(tools) == len(self._request.tools) else "tools"
        ways = self._words.members.get(name, (name,))
        return next((way for way in ways if has(self._body, way)), ways[0])

    def _in_message(self, at: int, steps: list[int], member: str) -> str:
        messages = self._messages
        if messages is None:
            messages = self._messages = self._words.messages(self._body, self._request)
        if len(messages) != len(self._request.messages):
            return self._words.conversation
        around = [messages[at]]
        parts: list[Part] = self._request.messages[at].parts
        for step in steps:
            place = around[-1]
            places = place.parts if place.find is None else place.find()
            if len(places) != len(parts):
                return place.path
            around.append(places[step])
            part = parts[step]
            parts = part.parts if isinstance(part, ToolResult) else []
        return self._member(around, member)

    def _member(self, around: list[Place], member: str | None) -> str:
        """A member of the innermost place or of what is around it, wherever the caller wrote it; if nowhere, the place."""
        for place in reversed(around) if member else ():
            for way in self._words.within.get(member or "", (member or "",)):
                if has(place.written, way):
                    return f"{place.path}.{way}"
        return around[-1].path


def has(value: object, path: str) -> bool:
    """Whether an object has the member that a path of names leads to."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value is not None


def parts_of(content: object, path: str) -> list[Place]:
    """The places of a content's parts: a text is the only one and stands at the content's own."""
    if isinstance(content, str):
        return [Place(path, content)]
    return [Place(f"{path}[{at}]", part) for at, part in enumerate(content)] if isinstance(content, list) else []


def join(places: list[Place], conversation: str, parts: list[Place]) -> None:
    """Parts of another element of the caller's that were read into the last message, which has no place of its own any more."""
    places[-1] = Place(conversation, None, [*places[-1].parts, *parts])
