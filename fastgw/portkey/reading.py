"""Read decoded JSON by tables of members, tolerate what is unknown and name it, and say what is wrong as Portkey's validator does.

A check takes a value and returns what it means, or WRONG after it has noted an issue: "path: targets,0,retry, message: Required".
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Final

from msgspec import Struct

from fastgw.portkey.names import camel

Path = tuple[str | int, ...]
Json = dict[str, object]
WRONG: Final = object()
MOST_SHOWN: Final = 200


class Row(Struct, frozen=True):
    """A member: the field it becomes, what reads its value, whether it must be there."""

    field: str
    check: "Check"
    required: bool = False


Rows = Mapping[str, Row]


class Reading:
    """Collects what is wrong and what is unknown while one config is read."""

    def __init__(self) -> None:
        self.issues: list[str] = []
        self.unknown: list[str] = []

    def wrong(self, path: Path, message: str) -> object:
        """Note an issue; returns WRONG."""
        self.issues.append(f"path: {','.join(map(str, path))}, message: {message}")
        return WRONG

    def members(self, value: object, path: Path, rows: Rows) -> dict[str, object] | None:
        """The members of an object by their fields, in snake_case or camelCase; None where it is no object."""
        if not isinstance(value, dict):
            self.wrong(path, expected("object", value))
            return None
        read: dict[str, object] = {}
        spelled = {name: name for name in rows} | {camel(name): name for name in rows}
        for name, item in value.items():
            known = spelled.get(name)
            if known is None:
                self.unknown.append(".".join(map(str, (*path, name)))[:MOST_SHOWN])
            elif known == name or known not in value:
                row = rows[known]
                if (one := row.check(self, item, (*path, known))) is not WRONG:
                    read[row.field] = one
        for name, row in rows.items():
            if row.required and name not in value and camel(name) not in value:
                self.wrong((*path, name), "Required")
        return read

    def __repr__(self) -> str:
        return f"Reading({len(self.issues)} issues)"


Check = Callable[[Reading, object, Path], object]


def kind_of(value: object) -> str:
    """What JavaScript calls the type of a value."""
    if value is None:
        return "null"
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "boolean"), ((int, float, Decimal), "number"), (str, "string"), ((list, tuple), "array"),
    )  # fmt: skip
    return next((name for types, name in kinds if isinstance(value, types)), "object")


def expected(kind: str, value: object) -> str:
    return f"Expected {kind}, received {kind_of(value)}"


def text(reading: Reading, value: object, path: Path) -> object:
    return value if isinstance(value, str) else reading.wrong(path, expected("string", value))


def flag(reading: Reading, value: object, path: Path) -> object:
    return value if isinstance(value, bool) else reading.wrong(path, expected("boolean", value))


def number(reading: Reading, value: object, path: Path) -> object:
    """A number of JSON or TOML, as a float where it is not whole."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return reading.wrong(path, expected("number", value))
    if not isfinite(value):
        return reading.wrong(path, "Expected number, received nan")
    return int(value) if value == value.__trunc__() else float(value)


def whole(reading: Reading, value: object, path: Path) -> object:
    """A number of which the part after the point says nothing."""
    read = number(reading, value, path)
    return int(read) if isinstance(read, int | float) else read


def anything(reading: Reading, value: object, path: Path) -> object:
    return value


def an_object(reading: Reading, value: object, path: Path) -> object:
    return value if isinstance(value, dict) else reading.wrong(path, expected("object", value))


def text_or_object(reading: Reading, value: object, path: Path) -> object:
    return value if isinstance(value, str | dict) else reading.wrong(path, "Invalid input")


def one_of(words: tuple[str, ...], message: str) -> Check:
    """A check of a string that must be one of some words."""

    def check(reading: Reading, value: object, path: Path) -> object:
        if not isinstance(value, str):
            return reading.wrong(path, expected("string", value))
        return value if value in words else reading.wrong(path, message)

    return check


def least(check: Check, bound: int) -> Check:
    """A check of a number that must not be below a bound."""

    def bounded(reading: Reading, value: object, path: Path) -> object:
        read = check(reading, value, path)
        if isinstance(read, int | float) and read < bound:
            return reading.wrong(path, f"Number must be greater than or equal to {bound}")
        return read

    return bounded


def list_of(check: Check) -> Check:
    """A check of an array; items that are wrong are left out of it and noted."""

    def items(reading: Reading, value: object, path: Path) -> object:
        if not isinstance(value, list | tuple):
            return reading.wrong(path, expected("array", value))
        read = [check(reading, item, (*path, at)) for at, item in enumerate(value)]
        return tuple(item for item in read if item is not WRONG)

    return items


def struct_of(kind: type[Struct], rows: Rows) -> Check:
    """A check of an object that becomes a Struct."""

    def one(reading: Reading, value: object, path: Path) -> object:
        before = len(reading.issues)
        read = reading.members(value, path, rows)
        return WRONG if read is None or len(reading.issues) > before else kind(**read)

    return one
