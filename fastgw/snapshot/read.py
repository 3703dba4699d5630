"""Turn the tables of a document into the Structs of the configuration, and report all that does not fit.

msgspec stops at the first problem; here each field is converted on its own, so one run shows every one.
"""

from collections.abc import Container, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import structs

from fastgw.snapshot.config import NANO, Secret
from fastgw.snapshot.describe import bare, is_section, note_of, takes
from fastgw.snapshot.names import Place, nearest, shown
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.published import REFERENCES
from fastgw.snapshot.seal import SEALED, SealError, Vault, label_of
from fastgw.snapshot.secret import SecretText

MAX_SECRET_BYTES: Final = 65_536
MISSING: Final = object()  # in the place of what could not be read

KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    # bool before int and datetime before date: each is a subclass of the other
    (bool, "a boolean"), (int, "an integer"), ((float, Decimal), "a number"), (str, "a string"),
    (datetime, "a date and time"), (date, "a date"), (time, "a time"), (list, "a list"), (dict, "a table"),
)  # fmt: skip


def found(value: object) -> str:
    """Name the kind of a value; the value only where it is a number, as a string may be a secret."""
    kind = next((text for types, text in KINDS if isinstance(value, types)), "something else")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "an integer beyond 64 bits"
    if isinstance(value, Decimal):
        return f"{value:.40}"[:40]
    if isinstance(value, datetime) and value.tzinfo is None:
        return "a date and time without an offset"
    return kind


@cache
def fields_of(kind: type) -> dict[str, structs.FieldInfo]:
    """The fields of a section by name; asking msgspec costs more than reading a key."""
    return {row.name: row for row in structs.fields(kind)}


class Reader:
    """Reads one document; what is wrong goes to `problems`, secrets come from `environ`, from files and out of `vault`.

    closed   places, such as ("integrations", "main"), below which secrets lead neither to `environ` nor to files
    """

    def __init__(
        self, environ: Mapping[str, str], problems: Problems, vault: Vault | None = None, closed: Container[Place] = frozenset(),
    ) -> None:
        self.environ = environ
        self.vault = vault
        self.closed = closed
        self.problems = problems
        self.kept: dict[Place, list[int]] = {}  # of each list, the indices of the items that could be read

    def read(self, annotation: object, value: object, place: Place) -> object:
        """Convert one value; MISSING where it or something that it cannot do without is wrong."""
        kind: Any = bare(annotation)
        if is_section(kind):
            return self.section(kind, value, place)
        if get_origin(kind) is dict:
            return self.table(kind, value, place)
        if get_origin(kind) is tuple:
            return self.items(annotation, value, place)
        if kind is Secret or kind is SecretText:
            return self.secret(kind, value, place)
        if kind is Decimal:
            return self.amount(annotation, value, place)
        try:
            return msgspec.convert(value, annotation, strict=True)
        except (msgspec.ValidationError, ValueError, OverflowError):
            self.refuse(annotation, value, place)
            return MISSING

    def refuse(self, annotation: object, value: object, place: Place) -> None:
        kind = bare(annotation)
        if get_origin(kind) is Literal and isinstance(value, str):
            self.problems.add(place, takes(annotation), f'"{shown(value)}"', value, get_args(kind))
        else:
            self.problems.add(place, takes(annotation), found(value))

    def section(self, kind: Any, value: object, place: Place) -> object:
        """Read a table with known fields."""
        if not isinstance(value, dict):
            self.problems.add(place, "a table", found(value))
            return MISSING
        rows = fields_of(kind)
        read: dict[str, object] = {}
        for name, item in value.items():
            if name in rows:
                read[name] = self.read(rows[name].type, item, (*place, name))
            else:
                known = [other for other in rows if other not in value]
                self.problems.add((*place, name), "a known name", f'"{shown(name)}"', name, known)
        read = {name: item for name, item in read.items() if item is not MISSING}
        for row in rows.values():
            if row.required and row.name not in value:
                self.problems.add((*place, row.name), takes(row.type), "nothing")
        if any(row.required and row.name not in read for row in rows.values()):
            return MISSING
        return kind(**read)

    def table(self, kind: Any, value: object, place: Place) -> object:
        """Read a table whose names are the writer's."""
        if not isinstance(value, dict):
            self.problems.add(place, "a table", found(value))
            return MISSING
        name_type, item_type = get_args(kind)
        read: dict[object, object] = {}
        for name, item in value.items():
            here = (*place, name)
            try:
                msgspec.convert(name, name_type, strict=True)
            except msgspec.ValidationError:
                self.problems.add(here, f"a name of {takes(name_type)}", f'"{shown(name)}"')
            if (one := self.read(item_type, item, here)) is not MISSING:
                read[name] = one
        return read

    def items(self, annotation: object, value: object, place: Place) -> object:
        if isinstance(value, dict) and note_of(annotation, "or_one"):
            one = self.read(get_args(bare(annotation))[0], value, place)
            return MISSING if one is MISSING else (one,)
        if not isinstance(value, list):
            self.problems.add(place, takes(annotation), found(value))
            return MISSING
        item_type = get_args(bare(annotation))[0]
        read = [(index, self.read(item_type, item, (*place, index))) for index, item in enumerate(value)]
        self.kept[place] = [index for index, item in read if item is not MISSING]
        return tuple(item for _, item in read if item is not MISSING)

    def amount(self, annotation: object, value: object, place: Place) -> object:
        """Read an exact decimal, whole in nano-dollars."""
        most = note_of(annotation, "most")
        assert isinstance(most, int)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
            return Decimal(value)
        if isinstance(value, Decimal) and value.is_finite() and 0 <= value <= most:
            # an exponent below -9 would make `% 1` costly and inexact; such a number has more decimals than we count
            exponent = value.as_tuple().exponent
            if isinstance(exponent, int) and (exponent >= -9 or value == value.quantize(Decimal(1) / NANO)):
                return value
        self.problems.add(place, takes(annotation), found(value))
        return MISSING

    def secret(self, kind: type[Secret], value: object, place: Place) -> object:
        """Resolve "env:NAME", "file:PATH", sealed text or a literal; no message ever holds what was found."""
        if not isinstance(value, str):
            self.problems.add(place, takes(kind), found(value))
            return MISSING
        origin, text = "literal", value
        if place[:2] in self.closed and value.startswith(REFERENCES):
            self.problems.add(place, "sealed text", "a reference to a variable or a file")
            return MISSING
        if value.startswith("env:"):
            origin, name = shown(value), value[4:]
            text = self.environ.get(name, "")
            if not text:
                self.problems.add(place, f"environment variable {shown(name)}", "it is not set", name, self.near(name))
                return MISSING
        elif value.startswith("file:"):
            origin = shown(value)
            content = self.content(value[5:], place)
            if content is None:
                return MISSING
            text = content
        elif value.startswith(SEALED):
            origin = "sealed"
            try:
                text = self.unsealed(value, place)
            except SealError as error:
                self.problems.add(place, error.expected, error.found)
                return MISSING
        if kind is SecretText:
            text = text.strip()
        lines = text.splitlines() if kind is SecretText else [text]
        if not text or not all(" " <= character <= "~" for line in lines for character in line) or text != text.strip():
            self.problems.add(
                place, "visible ASCII characters", f"other characters or none in a {origin.split(':')[0]} secret"
            )
            return MISSING
        return kind(text, origin)

    def unsealed(self, value: str, place: Place) -> str:
        """raises  SealError"""
        if self.vault is None:
            raise SealError("a secret that can be opened here", "sealed text, and no key of this installation (gateway.secrets_key)")
        return self.vault.open(value, label_of(place))

    def near(self, name: str) -> list[str]:
        """Names of variables that look like this one and share its first letters, so that none is shown by accident."""
        alike = [other for other in self.environ if other[:3].upper() == name[:3].upper()]
        return [nearest(name, alike)] if alike and nearest(name, alike) else []

    def content(self, path: str, place: Place) -> str | None:
        """The text of a secret's file without its last line end; None where it cannot be read."""
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_SECRET_BYTES + 1)
            if len(content) > MAX_SECRET_BYTES:
                self.problems.add(place, f"a file of at most {MAX_SECRET_BYTES} bytes", "a longer one")
                return None
            return content.decode("utf-8").rstrip("\r\n")
        except OSError as error:
            self.problems.add(place, "a file that can be read", f"{shown(path)}: {error.strerror}")
        except ValueError:  # not UTF-8, or a path with a zero byte
            self.problems.add(place, "a file of text", f"{shown(path)}: something else")
        return None

    def __repr__(self) -> str:
        return f"Reader({self.problems!r})"
