"""What a route may look at of a request: fields by name, the body decoded only when something asks for a member of it."""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

Place = tuple[str | int, ...]
Field = Callable[["Facts"], object]

PLAIN: Final = ("model", "key", "workspace", "tokens", "stream", "url.pathname")
TREES: Final = ("metadata", "headers", "params")
INDEX = re.compile(r"-?(?:0|[1-9][0-9]{0,8})\Z")
BRACKET = re.compile(r"\[(-?[0-9]{1,9})\]")
MOST_STEPS: Final = 32


class Absent:
    """The type of ABSENT: a field that the request does not have. Not null, which a request can state."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


class Objection(NamedTuple):
    """What is wrong with something that was written about a route; `name` and `known` are for the nearest known word."""

    place: Place
    expected: str
    found: str
    name: str = ""
    known: tuple[str, ...] = ()


class Facts:
    """One request, as conditions and sticky fields see it.

    body        JSON; whatever else it is, it has no params
    headers     by lower-case name
    tokens      estimated, of the input
    """

    __slots__ = ("_params", "body", "headers", "key", "metadata", "model", "pathname", "stream", "tokens", "workspace")

    def __init__(
        self, *, body: bytes = b"", model: str = "", key: str = "", workspace: str = "", pathname: str = "", tokens: int = 0,
        stream: bool = False, metadata: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None,
    ) -> None:
        self.body = body
        self.model = model
        self.key = key
        self.workspace = workspace
        self.pathname = pathname
        self.tokens = tokens
        self.stream = stream
        self.metadata: Mapping[str, object] = {} if metadata is None else metadata
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self._params: object = ABSENT

    def __repr__(self) -> str:
        return f"<Facts of {self.model or 'no model'}, {self.tokens} tokens>"

    @property
    def params(self) -> object:
        """The body, decoded; an empty object where it is no JSON."""
        if self._params is ABSENT:
            try:
                self._params = msgspec.json.decode(self.body) if self.body else {}
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._params = {}
        return self._params


def walk(value: object, steps: tuple[str, ...]) -> object:
    """The member at the end of the steps; a step into a list is an index, negative from its end."""
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step, ABSENT)
        elif isinstance(value, list) and INDEX.match(step) and -len(value) <= int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


def field_of(name: str) -> Field | None:
    """The function that reads a field of that name; None where there is none such."""
    if name in PLAIN:
        return PLAIN_FIELDS[name]
    tree, _, rest = name.partition(".")
    steps = tuple(BRACKET.sub(r".\1", rest).split("."))
    if tree not in TREES or not all(steps) or len(steps) > MOST_STEPS:
        return None
    if tree == "headers":
        header = rest.lower()
        return lambda facts: facts.headers.get(header, ABSENT)
    if tree == "params":
        return lambda facts: walk(facts.params, steps)
    # names of metadata are the caller's own and may hold dots
    return lambda facts: facts.metadata[rest] if rest in facts.metadata else walk(facts.metadata, steps)


PLAIN_FIELDS: Final[dict[str, Field]] = {
    "model": lambda facts: facts.model or ABSENT,
    "key": lambda facts: facts.key or ABSENT,
    "workspace": lambda facts: facts.workspace or ABSENT,
    "url.pathname": lambda facts: facts.pathname,
    "tokens": lambda facts: facts.tokens,
    "stream": lambda facts: facts.stream,
}
KNOWN_FIELDS: Final = (*PLAIN, *(f"{tree}.NAME" for tree in TREES))


def object_to_field(name: str, place: Place) -> Objection:
    """That there is no such field; guesses the tree where only that is misspelt."""
    tree, dot, rest = name.partition(".")
    if tree in TREES:
        return Objection(place, f"1 to {MOST_STEPS} names after {tree}., with a dot between two", f'"{name[:64]}"')
    known = (*PLAIN, *(f"{known}.{rest}" if dot else known for known in TREES))
    return Objection(place, f"one of the fields {', '.join(KNOWN_FIELDS)}", f'"{name[:64]}"', name, known)
