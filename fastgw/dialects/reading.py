"""Take typed members out of decoded JSON that a caller wrote; what is of another type is an InvalidRequest with its path.

A member that is absent or null is "not stated" everywhere here. Paths are JSON paths such as $.messages[0].role.
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar

import msgspec

from fastgw.errors import error

Json = dict[str, object]
Shape = TypeVar("Shape")
NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer", float: "a number", type(None): "null"}
MOST_COUNTED = 2**53    # what JSON numbers hold exactly


def wrong(expected: str, value: object, path: str) -> NoReturn:
    """raises InvalidRequest: expected, found, where"""
    raise error("InvalidRequest", f"expected {expected}, got {NAMES.get(type(value), type(value).__name__)} at {path}", param=path)


def unknown(expected: str, value: object, path: str) -> NoReturn:
    """raises InvalidRequest for a word that is none of those expected"""
    shown = value[:60] if isinstance(value, str) else value
    raise error("InvalidRequest", f"expected {expected}, got {shown!r} at {path}", param=path)


def an_object(value: object, path: str) -> Json:
    """The value, if it is an object."""
    return value if isinstance(value, dict) else wrong("an object", value, path)


def an_array(value: object, path: str) -> list[object]:
    """The value, if it is an array."""
    return value if isinstance(value, list) else wrong("an array", value, path)


def a_text(value: object, path: str) -> str:
    """The value, if it is a string."""
    return value if isinstance(value, str) else wrong("a string", value, path)


def text(body: Json, name: str, path: str) -> str:
    """A string member, "" where not stated."""
    value = body.get(name)
    if value is None:
        return ""
    return value if isinstance(value, str) else wrong("a string", value, f"{path}.{name}")


def required_text(body: Json, name: str, path: str) -> str:
    """A string member that must be there."""
    value = body.get(name)
    return value if isinstance(value, str) else wrong("a string", value, f"{path}.{name}")


def number(body: Json, name: str, path: str) -> float | None:
    """A number member."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong("a number", value, f"{path}.{name}")
    return value


def integer(body: Json, name: str, path: str) -> int | None:
    """An integer member; 5.0 is one."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        wrong("an integer", value, f"{path}.{name}")
    return value


def flag(body: Json, name: str, path: str) -> bool | None:
    """A boolean member."""
    value = body.get(name)
    return value if value is None or isinstance(value, bool) else wrong("a boolean", value, f"{path}.{name}")


def mapping(body: Json, name: str, path: str) -> Json | None:
    """An object member."""
    value = body.get(name)
    return None if value is None else an_object(value, f"{path}.{name}")


def array(body: Json, name: str, path: str) -> list[object]:
    """An array member, empty where not stated."""
    value = body.get(name)
    return [] if value is None else an_array(value, f"{path}.{name}")


def texts(body: Json, name: str, path: str) -> list[str]:
    """An array of strings; one string stands for an array of it (OpenAI's `stop`)."""
    value = body.get(name)
    if isinstance(value, str):
        return [value]
    return [a_text(item, f"{path}.{name}[{at}]") for at, item in enumerate(array(body, name, path))]


def as_text(value: object) -> str:
    """A provider's string, "" for anything else: replies are read tolerantly."""
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int:
    """A provider's count, 0 for anything else, and for more than any provider counts: a sum of it must not overflow."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_COUNTED:
        return 0
    return int(value)


def as_object(value: object) -> Json:
    """A provider's object, empty for anything else."""
    return value if isinstance(value, dict) else {}


def without_nulls(value: object) -> object:
    """A provider's JSON without the members that are null, at any depth: what is null is not stated."""
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def event_reader(shape: type[Shape]) -> Callable[[bytes], Shape]:
    """Reads events of one shape, whose members may be null. It raises DecodeError, UnicodeDecodeError, RecursionError."""
    decode, decode_any = msgspec.json.Decoder(shape).decode, msgspec.json.Decoder(object).decode

    def read(data: bytes) -> Shape:
        try:
            return decode(data)
        except msgspec.ValidationError:
            return decode(msgspec.json.encode(without_nulls(decode_any(data))))

    return read


def as_array(value: object) -> list[object]:
    """A provider's array, empty for anything else."""
    return value if isinstance(value, list) else []
