"""JSON schemas on their way between dialects: checked, written as Gemini's OpenAPI subset, and read from it.

Pure functions on decoded JSON; what they are given is never changed.
"""

from typing import NoReturn
from urllib.parse import unquote

import msgspec

from fastgw.dialects.reading import Json, mapping, wrong
from fastgw.errors import error

MOST_DEPTH = 100  # schemas within schemas; providers refuse far less
MOST_PLACED_BYTES = 262_144  # that references may add where they are put in place: a few of them can stand for millions

# Keywords whose value is a schema, an array of schemas, or an object of schemas by name. Those in SAME_VALUE hold for the very value that
# the schema around them holds for: a reference that comes back to itself through these alone never ends.
ONE = frozenset(("items", "additionalProperties", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
                 "additionalItems", "contentSchema", "not", "if", "then", "else"))
MANY = frozenset(("anyOf", "allOf", "oneOf", "prefixItems"))
NAMED = frozenset(("properties", "$defs", "definitions", "patternProperties", "dependentSchemas"))
HOLDING = ONE | MANY | NAMED
SAME_VALUE = frozenset(("anyOf", "allOf", "oneOf", "not", "if", "then", "else"))

TYPES = ("", "string", "number", "integer", "boolean", "array", "object", "null")  # by Google's number of the enumeration
FORMATS = {"string": ("enum", "date-time"), "number": ("float", "double"), "integer": ("int32", "int64")}
# What passes between JSON schema and the subset as it is.
SAME = frozenset(("title", "description", "default", "required", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength",
                  "minProperties", "maxProperties", "pattern"))
COUNTS = frozenset(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"))  # 64 bits: text on Google's wire


# Where a schema is found, as (outer place, step): made into text only for a message, since names may be long and many.
Place = tuple[object, str]


def at(place: Place | str) -> str:
    """The JSON path of a place, cut where it is longer than a message should be."""
    steps: list[str] = []
    while isinstance(place, tuple):
        outer, step = place
        steps.append(step if len(step) < 80 else f"{step[:80]}...")
        place = outer if isinstance(outer, tuple | str) else ""
    path = place + "".join(reversed(steps))
    return path if len(path) < 400 else f"{path[:400]}..."


def too_deep(place: Place | str) -> NoReturn:
    raise error("InvalidRequest", f"expected a schema of at most {MOST_DEPTH} levels at {at(place)}", param=at(place))


def check(schema: object, path: str) -> None:
    """Hold a JSON schema to what every provider can be asked to read.

    raises  InvalidRequest with the path of what is no schema, of a $ref that leads nowhere or back to itself without a step into the
            value, or of a schema nested deeper than MOST_DEPTH. A schema that contains itself (a node with nodes for children) is fine
    """
    refs: list[tuple[Place | str, Json]] = []
    names: list[str] = []
    level: list[tuple[Place | str, object]] = [(path, schema)]
    for _ in range(MOST_DEPTH):
        deeper: list[tuple[Place | str, object]] = []
        for where, found in level:
            if not isinstance(found, dict):
                if not isinstance(found, bool):
                    wrong("a JSON schema", found, at(where))
                continue
            if "$ref" in found:
                refs.append((where, found))
            if "$anchor" in found or "$id" in found:
                names += [name for name in (found.get("$id"), f"#{found.get('$anchor')}") if isinstance(name, str)]
            for key, value in found.items():
                if key in HOLDING:
                    deeper += inner(value, key, (where, f".{key}"))
        if not deeper:
            break
        level = deeper
    else:
        too_deep(level[0][0])
    if refs:
        follow(schema, refs, frozenset(names))


def schema_member(body: Json, name: str, path: str) -> Json | None:
    """A member that is a JSON schema which has passed `check`. raises InvalidRequest"""
    schema = mapping(body, name, path)
    if schema is not None:
        check(schema, f"{path}.{name}")
    return schema


def inner(value: object, key: str, where: Place) -> list[tuple[Place | str, object]]:
    """The schemas that a keyword holds, with their places."""
    if value is None:
        return []
    if key in NAMED:
        if not isinstance(value, dict):
            wrong("an object of schemas", value, at(where))
        return [((where, f".{name}"), item) for name, item in value.items()]
    if key in MANY and not isinstance(value, list):
        wrong("an array of schemas", value, at(where))
    if isinstance(value, list):  # items too could be an array, before 2020-12
        return [((where, f"[{number}]"), item) for number, item in enumerate(value)]
    return [(where, value)]


def follow(root: object, refs: list[tuple[Place | str, Json]], names: frozenset[str]) -> None:
    """See that every $ref ends somewhere, through whatever references and schemas for the same value. raises InvalidRequest"""
    ended: set[int] = set()
    for where, holder in refs:
        if id(holder) in ended:
            continue
        way: list[tuple[Json, list[Json]]] = []  # a schema, and where one has still to go from it
        on_way: set[int] = set()
        following = [holder]
        while True:
            while following and id(following[-1]) in ended:
                following.pop()
            if following:
                schema = following.pop()
                if id(schema) in on_way:
                    ref = str(holder["$ref"])[:100]
                    raise error("InvalidRequest", f"expected a $ref that leads to a schema, got {ref!r}, which leads back to itself "
                                f"at {at((where, '.$ref'))}", param=at((where, ".$ref")))
                way.append((schema, following))
                on_way.add(id(schema))
                following = beside(root, schema, where, names)
            else:
                schema, following = way.pop()
                on_way.discard(id(schema))
                ended.add(id(schema))
                if not way:
                    break


def beside(root: object, schema: Json, where: Place | str, names: frozenset[str]) -> list[Json]:
    """The schemas that hold for the same value as this one."""
    found: list[object] = [resolve(root, schema["$ref"], where, names)] if "$ref" in schema else []
    for key in SAME_VALUE.intersection(schema):
        value = schema[key]
        found += value if isinstance(value, list) else [value]
    return [item for item in found if isinstance(item, dict)]


def resolve(root: object, ref: object, where: Place | str, names: frozenset[str] = frozenset()) -> object:
    """The schema that a reference names (RFC 6901 pointer within `root`), None for one by name. raises InvalidRequest"""
    place = (where, ".$ref")
    if not isinstance(ref, str):
        wrong("a string", ref, at(place))
    if ref in names:
        return None
    if ref == "#":
        return root
    found = root
    if ref.startswith("#/"):
        for step in ref[2:].split("/"):
            if "%" in step:
                step = unquote(step)
            if "~" in step:
                step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(step)
            else:
                found = found[int(step)] if isinstance(found, list) and step.isdecimal() and int(step) < len(found) else None
        if isinstance(found, dict | bool):
            return found
    raise error("InvalidRequest", f"expected a $ref to a part of this schema, got {ref[:100]!r} at {at(place)}", param=at(place))


def to_gemini(schema: Json, path: str) -> Json:
    """A JSON schema as the OpenAPI subset of Gemini's `parameters` and `responseSchema`, with references put in place.

    For servers without parametersJsonSchema; what the subset lacks is left out. raises InvalidRequest for a schema that contains itself,
    which cannot be put in place, and for one that grows too large when it is
    """
    return Subset(schema).write(schema, path, ())


class Subset:
    """Writes one schema for to_gemini; root: what references lead into; left: bytes that they may yet add."""

    __slots__ = ("left", "root")

    def __init__(self, root: Json) -> None:
        self.root = root
        self.left = MOST_PLACED_BYTES

    def __repr__(self) -> str:
        return f"<Subset with room for {self.left} bytes>"

    def write(self, schema: object, where: Place | str, inside: tuple[object, ...], depth: int = 0) -> Json:
        """One schema; inside: the references that are being put in place."""
        if depth > MOST_DEPTH:
            too_deep(where)
        if not isinstance(schema, dict):
            return {}
        while "$ref" in schema or "allOf" in schema:
            if "$ref" in schema:
                schema, inside = self._put_in_place(schema, where, inside)
            else:
                schema = self._join(schema, where)
        written: Json = {key: value for key, value in schema.items() if key in SAME}
        kinds = schema.get("type")
        variants = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(kinds, list):
            stated = [kind for kind in kinds if kind != "null"]
            if len(stated) < len(kinds):
                written["nullable"] = True
            if len(stated) > 1 and not variants:
                variants = [{"type": kind} for kind in stated]
            kinds = stated[0] if len(stated) == 1 else None
        if isinstance(kinds, str):
            written["type"] = kinds.upper()
        if isinstance(variants, list):
            kept = [item for item in variants if not (isinstance(item, dict) and item.get("type") == "null")]
            if len(kept) < len(variants):
                written["nullable"] = True
            written["anyOf"] = [self.write(item, (where, f".anyOf[{number}]"), inside, depth + 1) for number, item in enumerate(kept)]
        options = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(options, list) and all(isinstance(option, str) for option in options):
            written |= {"type": "STRING", "enum": options}
        if schema.get("format") in FORMATS.get(str(kinds), ()):
            written["format"] = schema["format"]
        properties = schema.get("properties")
        if isinstance(properties, dict) and properties:  # Google refuses an object that states no property
            written["properties"] = {
                name: self.write(item, (where, f".properties.{name}"), inside, depth + 1) for name, item in properties.items()}
        if kinds == "array" or "items" in schema:
            written["items"] = self.write(schema.get("items"), (where, ".items"), inside, depth + 1)
        return written

    def _put_in_place(self, schema: Json, where: Place | str, inside: tuple[object, ...]) -> tuple[Json, tuple[object, ...]]:
        ref = schema["$ref"]
        if ref in inside:
            raise error("InvalidRequest", "expected a schema that does not contain itself, since the target takes no references, "
                        f"got {str(ref)[:100]!r} at {at((where, '.$ref'))}", param=at((where, ".$ref")))
        target = resolve(self.root, ref, where)
        self.left -= 64 + len(msgspec.json.encode(target))
        if self.left < 0:
            raise error("InvalidRequest", f"expected references that add at most {MOST_PLACED_BYTES} bytes where they are put in place, "
                        f"since the target takes none, got more at {at(where)}", param=at(where))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**(target if isinstance(target, dict) else {}), **rest}, (*inside, ref)

    def _join(self, schema: Json, where: Place | str) -> Json:
        """A schema with its allOf put into it: properties and required of all, of other keywords the last."""
        whole = {key: value for key, value in schema.items() if key != "allOf"}
        parts = schema["allOf"] if isinstance(schema["allOf"], list) else []
        for number, part in enumerate(parts):
            inside: tuple[object, ...] = ()
            while isinstance(part, dict) and "$ref" in part:
                part, inside = self._put_in_place(part, (where, f".allOf[{number}]"), inside)
            if not isinstance(part, dict):
                continue
            properties = [found for found in (whole.get("properties"), part.get("properties")) if isinstance(found, dict)]
            required = [found for found in (whole.get("required"), part.get("required")) if isinstance(found, list)]
            whole |= part
            if properties:
                whole["properties"] = {name: item for found in properties for name, item in found.items()}
            if required:
                whole["required"] = list(dict.fromkeys(name for found in required for name in found if isinstance(name, str)))
        return whole


def from_gemini(schema: object, path: str = "$", depth: int = 0) -> Json:
    """Gemini's OpenAPI subset (types in capitals or as numbers, nullable, either spelling) as a JSON schema.

    What it does not know passes as it is. The order of properties is that of propertyOrdering, where it is stated.
    raises  InvalidRequest for one that is nested deeper than MOST_DEPTH
    """
    if depth > MOST_DEPTH:
        too_deep(path)
    if not isinstance(schema, dict):
        return {}
    depth += 1
    read: Json = {}
    ordering: list[str] = []
    for name, value in schema.items():
        key: str = REAL_NAMES[name] if name in REAL_NAMES else name
        if value is None and key != "default":
            continue
        if key == "type":
            read[key] = kind_of(value)
        elif key in MANY:
            read[key] = [from_gemini(item, path, depth) for item in value] if isinstance(value, list) else value
        elif key in NAMED:
            read[key] = {inside: from_gemini(item, path, depth) for inside, item in value.items()} if isinstance(value, dict) else value
        elif key in ONE and isinstance(value, dict):
            read[key] = from_gemini(value, path, depth)
        elif key in COUNTS and isinstance(value, str) and value.isdecimal():
            read[key] = int(value)
        elif key == "propertyOrdering":
            ordering = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
        elif key == "example":
            read["examples"] = [value]
        elif key == "$ref" and isinstance(value, str):
            read[key] = value.replace("#/defs/", "#/$defs/")
        elif key != "nullable" and not (key == "format" and value == "enum"):
            read[key] = value
    properties = read.get("properties")
    if ordering and isinstance(properties, dict):
        first = {name: properties[name] for name in ordering if name in properties}
        read["properties"] = first | properties
    return or_null(read) if schema.get("nullable") is True else read


REAL_NAMES = {
    "any_of": "anyOf", "min_items": "minItems", "max_items": "maxItems", "min_length": "minLength", "max_length": "maxLength",
    "min_properties": "minProperties", "max_properties": "maxProperties", "property_ordering": "propertyOrdering", "defs": "$defs",
    "ref": "$ref", "additional_properties": "additionalProperties",
}


def kind_of(value: object) -> object:
    """A type as JSON schema names it."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, int) and 0 < value < len(TYPES):
        return TYPES[value]
    return [kind_of(item) for item in value] if isinstance(value, list) else value


def or_null(schema: Json) -> Json:
    """The same schema, with null allowed."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    variants = schema.get("anyOf")
    if isinstance(variants, list) and kind is None:
        return {**schema, "anyOf": [*variants, {"type": "null"}]}
    outer = {key: value for key, value in schema.items() if key in ("title", "description", "default")}
    return {**outer, "anyOf": [{key: value for key, value in schema.items() if key not in outer}, {"type": "null"}]}
