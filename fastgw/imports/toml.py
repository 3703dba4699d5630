"""Write a document as TOML 1.0: strings, booleans, numbers, times, lists and tables; what is read back is what was written."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Final

BARE: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
# Tables down to here have a header of their own, deeper ones stand on a line: [models.fast] with retry = { attempts = 2 }
HEADER_DEPTH: Final = 2
LONGEST_LINE: Final = 120


def write_toml(document: Mapping[str, object]) -> str:
    """Render a document; a list of tables at the top becomes [[name]].

    raises  TypeError for a value that TOML has nothing for, ValueError for a text that is not Unicode
    """
    # Must come first: below a header they would be members of its table.
    plain = {name: value for name, value in document.items() if not is_tables(value) and not isinstance(value, Mapping)}
    lines = [f"{key(name)} = {literal(value)}" for name, value in plain.items()]
    for name, value in document.items():
        if isinstance(value, Mapping):
            table(lines, (name,), value)
        elif isinstance(value, list | tuple) and is_tables(value):
            for one in value:
                table(lines, (name,), one, "[[", "]]")
    return "\n".join(lines).lstrip("\n") + "\n" if lines else ""


def is_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)


def table(lines: list[str], place: tuple[str, ...], value: Mapping[str, object], left: str = "[", right: str = "]") -> None:
    """A table and the ones in it that have a header."""
    headed = {name for name, item in value.items() if isinstance(item, Mapping) and len(place) < HEADER_DEPTH and left == "["}
    if len(headed) < len(value) or not value:
        lines += ["", f"{left}{'.'.join(map(key, place))}{right}"]
        lines += [member(name, item) for name, item in value.items() if name not in headed]
    for name, item in value.items():
        if name in headed:
            assert isinstance(item, Mapping)
            table(lines, (*place, name), item)


def member(name: str, value: object) -> str:
    line = f"{key(name)} = {literal(value)}"
    if len(line) <= LONGEST_LINE or not isinstance(value, list | tuple):
        return line
    return "\n".join([f"{key(name)} = [", *(f"    {literal(item)}," for item in value), "]"])


def key(name: str) -> str:
    return name if BARE.match(name) else string(name)


def string(text: str) -> str:
    """A basic string. raises ValueError where a half of a surrogate pair stands alone"""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("expected Unicode text, got half of a surrogate pair")
    return '"' + "".join(map(escaped, text)) + '"'


def escaped(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    return f"\\u{ord(character):04X}" if character < " " or character == "\x7f" else character


def literal(value: object) -> str:
    """One value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return number(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key(name)} = {literal(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    raise TypeError(f"expected a value of TOML, got {type(value).__name__}")


def number(value: float | Decimal) -> str:
    """A number with a point or an exponent; exact decimals stay exact."""
    if not isfinite(value):
        return "nan" if value != value else "inf" if value > 0 else "-inf"
    text = f"{value:f}" if isinstance(value, Decimal) else repr(value)
    return text if any(mark in text for mark in ".e") else f"{text}.0"
