"""What administrators write, as JSON: read by the reader of the configuration file, with secrets sealed before anything else sees them."""

from decimal import Decimal
from typing import Any, Final, Protocol, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from fastgw.control.api.problem import ApiError, Fault
from fastgw.snapshot.describe import bare, is_section
from fastgw.snapshot.names import Place, place_text, shown
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.read import MISSING, Reader, fields_of
from fastgw.snapshot.seal import label_of
from fastgw.snapshot.secret import Secret, SecretText

Document = dict[str, object]
Written = TypeVar("Written", bound=Struct)

SEALED: Final = "sealed:"
NOT_HERE: Final = ("env:", "file:", SEALED)
MOST_DEPTH: Final = 64
DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class Sealer(Protocol):
    """What seals and opens secrets; the label ties a sealed text to its place."""

    def seal(self, text: str, label: str) -> str: ...

    def open(self, sealed: str, label: str) -> str: ...


class StoredReader(Reader):
    """Reads a document of the store: secrets are sealed texts."""

    def __init__(self, sealer: Sealer, problems: Problems) -> None:
        super().__init__({}, problems)
        self.sealer = sealer

    def secret(self, kind: type[Secret], value: object, place: Place) -> object:
        if isinstance(value, str) and value.startswith(SEALED):
            return kind(self.sealer.open(value, label_of(place)), "store")
        self.problems.add(place, "a secret", "something else")
        return MISSING


def decode(body: bytes) -> object:
    """JSON with exact numbers. raises ApiError"""
    try:
        return DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise ApiError("bad_json", f"expected JSON, found something else: {str(error) or 'nested too deeply'}") from None


def encode(value: object) -> bytes:
    return ENCODER.encode(value)


def read_written(kind: type[Written], document: object, sealer: Sealer, place: Place = ()) -> Written:
    """Read a document whose secrets are sealed. raises ApiError with every problem, their paths as in the document"""
    problems = Problems()
    found = StoredReader(sealer, problems).read(kind, document, place)
    if problems.found:
        raise refused([Fault(path_in(where, place), one.expected, one.found, one.nearest) for where, one in problems.found])
    assert isinstance(found, kind)
    return found


def refused(faults: list[Fault]) -> ApiError:
    first = faults[0]
    return ApiError("invalid_field", f"expected {first.expected}, found {first.found} at {first.path}", path=first.path, faults=faults)


def path_in(where: Place, above: Place) -> str:
    """A place as JSONPath, from the document's own root on."""
    inner = place_text(where[len(above) :])
    return "$" if not inner else f"${inner}" if inner.startswith("[") else f"$.{inner}"


def merge(before: Document, patch: Document) -> Document:
    """What RFC 7396 makes of both: null takes a member away, objects are merged, all else is replaced."""
    merged = dict(before)
    for name, value in patch.items():
        held = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge(held if isinstance(held, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def seal_secrets(annotation: object, value: object, sealer: Sealer, place: Place, above: Place = ()) -> object:
    """The same document with each secret sealed for its place; what is no document of that kind stays, for the reader to refuse.

    raises  ApiError for a secret that points to the server's environment or files, which belong to whoever runs the gateway
    """
    kind: Any = bare(annotation)
    if len(place) > MOST_DEPTH:
        return value
    if kind is Secret or kind is SecretText:
        return seal_one(value, sealer, place, above)
    if isinstance(value, dict) and is_section(kind):
        rows = fields_of(kind)
        return {
            name: seal_secrets(rows[name].type, item, sealer, (*place, name), above) if name in rows else item
            for name, item in value.items()
        }
    if isinstance(value, dict) and get_origin(kind) is dict:
        return {name: seal_secrets(get_args(kind)[1], item, sealer, (*place, name), above) for name, item in value.items()}
    if isinstance(value, list) and get_origin(kind) is tuple:
        return [seal_secrets(get_args(kind)[0], item, sealer, (*place, index), above) for index, item in enumerate(value)]
    return value


def seal_one(value: object, sealer: Sealer, place: Place, above: Place) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith(NOT_HERE):
        path, found = path_in(place, above), f'"{shown(value.partition(":")[0])}:..."'
        raise refused(
            [Fault(path, "the secret itself", found, "references to the environment and to files belong into the configuration file")]
        )
    return sealer.seal(value, label_of(place)) if value else value


def without_secrets(annotation: object, value: object) -> object:
    """A document as it may be shown: secrets are left out."""
    kind: Any = bare(annotation)
    if isinstance(value, dict) and is_section(kind):
        rows = fields_of(kind)
        return {
            name: without_secrets(rows[name].type, item) for name, item in value.items() if name in rows and not is_secret(rows[name].type)
        }
    if isinstance(value, dict) and get_origin(kind) is dict:
        item_type = get_args(kind)[1]
        return {name: None if is_secret(item_type) else without_secrets(item_type, item) for name, item in value.items()}
    if isinstance(value, list) and get_origin(kind) is tuple:
        return [without_secrets(get_args(kind)[0], item) for item in value]
    return value


def is_secret(annotation: object) -> bool:
    return bare(annotation) in (Secret, SecretText)


def name_in(spec: str) -> str:
    """What people call the thing that a stored document is of."""
    document = decode(spec.encode())
    assert isinstance(document, dict)  # as it was written
    return str(document.get("name", ""))


def changes(before: Document, after: Document) -> dict[str, list[object]]:
    """What differs, by member: before and after; for the audit."""
    names = dict.fromkeys((*before, *after))
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
