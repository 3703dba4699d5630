"""One request to the mock, and how it wants to be treated."""
from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TypeAlias, cast

import msgspec

from fastgw.mock.faults import Fault

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Object: TypeAlias = "dict[str, Json]"

WORD = re.compile(r"(slow|ttft|gap)-(\d+)ms|(status|tokens|cut|cached|reasoning|fail)-(\d+)|(hang|no-usage)")
TEXT_KEYS = frozenset(
    (
        "content",
        "text",
        "parts",
        "messages",
        "prompt",
        "input",
        "instructions",
        "system",
        "contents",
        "systemInstruction",
        "system_instruction",
        "requests",
    )
)


class Wish(msgspec.Struct):
    """What the model's name (mock-...) or the field x-mock asks for; None and 0 leave it to the options."""

    slow_ms: int | None = None
    ttft_ms: int | None = None
    gap_ms: int | None = None
    status: int = 0
    tokens: int | None = None
    cut: int | None = None
    cached: int = 0
    reasoning: int = 0
    fail: int | None = None
    hang: bool = False
    no_usage: bool = False


PLAIN = Wish()
"""What all requests without a wish share."""


def read_wish(text: str) -> Wish:
    """Read the words of a wish, such as "slow-500ms" or "mock-status-429-slow-20ms"; other words mean nothing."""
    wish = Wish()
    for time_name, time_ms, name, number, flag in WORD.findall(text):
        if time_name:
            setattr(wish, f"{time_name}_ms", int(time_ms))
        elif name:
            setattr(wish, name, int(number))
        else:
            setattr(wish, flag.replace("-", "_"), True)
    return wish


def text_bytes(node: Json) -> int:
    """Count the UTF-8 bytes of all text below a node: strings, lists of them, and what stands under TEXT_KEYS."""
    if isinstance(node, str):
        return len(node) if node.isascii() else len(node.encode("utf-8", "surrogatepass"))
    if isinstance(node, list):
        return sum([text_bytes(item) for item in node])
    if isinstance(node, dict):
        return sum([text_bytes(value) for key, value in node.items() if key in TEXT_KEYS])
    return 0


class Asked:
    """A request: `body` is what came, `content` the JSON object in it; `params` are the variable parts of the path."""

    def __init__(
        self, method: str, path: str, query: Mapping[str, str], fields: list[tuple[str, str]], body: bytes
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.fields = dict(fields)
        self.body = body
        self.params: dict[str, str] = {}
        self.content: Object = {}
        self.wish = PLAIN
        self.default_tokens = 10

    def read_json(self) -> None:
        """Decode the body, which shall be an object. Raises Fault."""
        try:
            content = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Fault(400, f"We could not parse the JSON body of your request: {error}") from error
        if not isinstance(content, dict):
            raise Fault(400, f"expected a JSON object, got {type(content).__name__}")
        self.content = cast(Object, content)

    def read_wish(self) -> None:
        """Find out how the request wants to be treated."""
        model = self.params.get("model") or self.content.get("model")
        told = self.fields.get("x-mock", "")
        if isinstance(model, str) and model.startswith("mock-"):
            told = f"{told},{model}"
        if told:
            self.wish = read_wish(told)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string of the body. Raises Fault where it is missing without a default or of another type."""
        value = self.content.get(name, default)
        if not isinstance(value, str):
            found = "nothing" if value is None else type(value).__name__
            raise Fault(400, f"Invalid type for '{name}': expected a string, got {found}", param=name)
        return value

    def items(self, name: str) -> list[Object]:
        """Return a list of objects of the body that is not empty. Raises Fault."""
        value = self.content.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise Fault(400, f"Invalid '{name}': expected a list of objects, not empty", param=name)
        return cast("list[Object]", value)

    def number(self, *names: str) -> int | None:
        """Return the first integer >= 0 there is under these names, None where there is none. Raises Fault."""
        for name in names:
            value = self.content.get(name)
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                    raise Fault(400, f"Invalid '{name}': expected an integer of at least 0, got {value!r}", param=name)
                return value
        return None

    @property
    def is_stream(self) -> bool:
        """Whether the body says stream: true."""
        return self.content.get("stream") is True

    def name(self, prefix: str, length: int = 24) -> str:
        """Make an identifier that depends on the path and the text alone, so that a gateway may change the rest."""
        text = msgspec.json.encode([value for key, value in self.content.items() if key in TEXT_KEYS])
        return prefix + hashlib.sha256(self.path.encode() + text).hexdigest()[:length]

    def input_tokens(self) -> int:
        """Count the input: the bytes of all text / 4, at least 1."""
        return max(1, text_bytes(self.content) // 4)

    def output_tokens(self, limit: int | None) -> int:
        """Count the output: what the options or the wish say, and no more than the request allows."""
        told = self.default_tokens if self.wish.tokens is None else self.wish.tokens
        return told if limit is None else min(limit, told)
