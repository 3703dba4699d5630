"""Say in words what a field of the configuration takes: for messages and for docs/config.md."""

import types
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct, UnsetType, structs

from fastgw.snapshot.config import Config, Secret
from fastgw.snapshot.secret import SecretText

PLAIN: dict[object, str] = {
    str: "a string",
    bool: "true or false",
    Secret: '"env:NAME", "file:PATH" or the secret itself',
    SecretText: '"env:NAME", "file:PATH" or the secret itself, in lines',
    datetime: "a date and time with an offset",
    Decimal: "a number",
}


class FieldRow(Struct, frozen=True):
    """One field as the documentation shows it; `default` is "required", or TOML, or "" where there is none."""

    section: str
    name: str
    takes: str
    default: str
    meaning: str


def bare(annotation: object) -> object:
    """The type without Annotated and without "or None": TOML has no null, a field is there or not."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (types.UnionType, Union):
            annotation = next(part for part in get_args(annotation) if part is not type(None))
        else:
            return annotation


def metas(annotation: object) -> Iterator[Meta]:
    """All Meta of an annotation, the outermost first."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        yield from (note for note in reversed(notes) if isinstance(note, Meta))
        yield from metas(inner)
    elif get_origin(annotation) in (types.UnionType, Union):
        for part in get_args(annotation):
            yield from metas(part)


def note_of(annotation: object, name: str) -> object:
    """The first `extra` of that name; None where there is none."""
    return next((meta.extra[name] for meta in metas(annotation) if meta.extra and name in meta.extra), None)


def takes(annotation: object) -> str:
    """What a value must be, such as "an integer from 1 to 64"."""
    expected = note_of(annotation, "expected")
    kind = bare(annotation)
    if isinstance(expected, str):
        return expected
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{value}"' for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list of: {takes(get_args(kind)[0])}"
    if get_origin(kind) is dict or is_section(kind):
        return "a table"
    if kind is int:
        least = next((meta.ge for meta in metas(annotation) if meta.ge is not None), None)
        most = next((meta.le for meta in metas(annotation) if meta.le is not None), None)
        return f"an integer from {least} to {most}"
    return PLAIN[kind]


def is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def toml(value: object) -> str:
    """A default as one would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[]"
    return "" if value is None or isinstance(value, Struct) else str(value)


def default_of(row: structs.FieldInfo) -> str:
    if row.required:
        return "required"
    if isinstance(row.default, UnsetType) or row.default is NODEFAULT:
        return "{}"
    return toml(row.default)


def field_rows(kind: Any = Config, section: str = "", above: tuple[object, ...] = ()) -> Iterator[FieldRow]:
    """Every field below a section, tables after the fields of their own section.

    What a section holds itself is not told again where one of its inner sections holds it too (targets of targets, and their `retry`).
    """
    inner: list[tuple[object, str]] = []
    for row in structs.fields(kind):
        place = f"{section}.{row.name}" if section else row.name
        below = bare(row.type)
        if get_origin(below) is dict and is_section(bare(get_args(below)[1])):
            inner.append((bare(get_args(below)[1]), f"{place}.NAME"))
        elif get_origin(below) is tuple and is_section(bare(get_args(below)[0])):
            inner.append((bare(get_args(below)[0]), f"{place}[]"))
        elif is_section(below):
            inner.append((below, place))
        if section or not is_section(below):
            meaning = next((meta.description for meta in metas(row.type) if meta.description), "")
            yield FieldRow(section, row.name, takes(row.type), default_of(row), meaning or "")
    told = (*above, *(below for below, _ in inner))
    for below, place in inner:
        if below not in above:
            yield from field_rows(below, place, told if kind is not Config else ())
