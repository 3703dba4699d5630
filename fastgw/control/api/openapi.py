"""The admin API as an OpenAPI 3.1 document, made of the rows that serve it and of the types that they read and answer."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from fastgw import __version__
from fastgw.control.access.gate import COOKIE
from fastgw.control.api.call import Answer, Call
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.problem import CODES, Fault
from fastgw.control.api.resource import MOST_LISTED, USUAL_LISTED, Resource
from fastgw.snapshot.secret import Secret, SecretText

Json = dict[str, Any]

REF: Final = "#/components/schemas/{name}"
REFERRED: Final = re.compile(r"#/components/schemas/(\w+)")
TEXT: Final[Json] = {"type": "string"}
MOMENT: Final[Json] = {"type": "string", "format": "date-time"}
# parameters of queries that are more than a text
QUERY: Final[dict[str, Json]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUAL_LISTED},
    "since": MOMENT,
    "until": MOMENT,
}
SECURITY: Final[Json] = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "fgt-...", "description": "an API token, of POST /tokens"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "of a browser, by POST /login"},
    "csrf": {"type": "apiKey", "in": "header", "name": "x-csrf-token", "description": "as /me states it; beside the cookie, to change"},
}
MEANINGS: Final = "\n".join(f"* `{code}` ({status}): {meaning}" for code, (status, meaning) in CODES.items())
ERROR: Final[Json] = {
    "type": "object",
    "required": ["code", "message", "request_id"],
    "properties": {
        "code": {"enum": list(CODES), "description": MEANINGS},
        "message": TEXT,
        "path": {**TEXT, "description": "of the member or parameter that is wrong"},
        "request_id": TEXT,
        "scope": {**TEXT, "description": "that the caller lacks"},
        "current": {"description": "what it is now"},
        "yours": {"description": "what was sent"},
    },
}


class OpenApi:
    """Serves the document of the rows that it is given, and of its own."""

    def __init__(self, rows: Sequence[Endpoint]) -> None:
        self.rows = [*rows, *self.endpoints()]
        self.document: Json | None = None

    def __repr__(self) -> str:
        return f"<OpenApi of {len(self.rows)} endpoints>"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(method="GET", path="/openapi.json", run=self.show, summary="Describe the API", scope=None, uses="none", tag="openapi",
                     reply=dict[str, object]),
        ]  # fmt: skip

    async def show(self, call: Call) -> Answer:
        if self.document is None:
            self.document = describe(self.rows)
        return Answer(self.document)


def describe(rows: Iterable[Endpoint]) -> Json:
    """The document."""
    rows = list(rows)
    schemas, names = components(rows)
    paths: dict[str, Json] = {}
    for row in rows:
        paths.setdefault(path_of(row), {})[row.method.lower()] = operation(row, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "fastgw admin API", "version": __version__, "description": "What administrators and scripts do with a gateway."},
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": SECURITY},
    }


def components(rows: Sequence[Endpoint]) -> tuple[dict[str, Json], dict[object, Json]]:
    """All schemas by name, and of each type of a row the schema that stands for it."""
    resources = {type(row.reply): row.reply for row in rows if isinstance(row.reply, Resource)}.values()
    kinds = list(dict.fromkeys([
        *(kind for row in rows for kind in (row.body, row.reply) if kind is not None and not isinstance(kind, Resource)),
        *(kind for resource in resources for kind in (resource.written, resource.shown)), Fault,
    ]))  # fmt: skip
    found, schemas = msgspec.json.schema_components(kinds, schema_hook=own_schema, ref_template=REF)
    schemas = {name: plain(schema) for name, schema in schemas.items()}
    names: dict[object, Json] = {kind: plain(schema) for kind, schema in zip(kinds, found, strict=True)}
    held = holders(schemas)
    schemas |= {f"{name}Told": without_secrets(schemas[name], held) for name in held if not name.endswith("Written")}
    for resource in resources:
        written, shown = (schemas[str(names[kind]["$ref"]).rpartition("/")[2]] for kind in (resource.written, resource.shown))
        view, patch = type(resource).__name__.removesuffix("s"), f"{type(resource).__name__.removesuffix('s')}Patch"
        schemas[view], schemas[patch] = view_of(without_secrets(written, held), shown), patch_of(written, resource.frozen)
        names[type(resource)], names[resource.written, "PATCH"] = {"$ref": REF.format(name=view)}, {"$ref": REF.format(name=patch)}
    fault = names[Fault]
    problems = {"type": "array", "items": fault, "description": "where there are several"}
    schemas["Error"] = {"type": "object", "required": ["error"], "properties": {"error": ERROR, "problems": problems}}
    return schemas, names


def own_schema(kind: type) -> Json:
    """Of the types that are ours: what is written and never shown, and any JSON. raises NotImplementedError for what no row should have"""
    if kind is object:
        return {"description": "any JSON"}
    if kind is Secret or kind is SecretText:
        return {"type": "string", "minLength": 1, "format": "password", "writeOnly": True}
    raise NotImplementedError(kind)


def plain(schema: Any) -> Any:
    """A schema in the words of JSON Schema: amounts are numbers, patterns those of ECMA, defaults only where they are plain."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {**{name: value for name, value in schema.items() if name not in ("format", "default")}, "type": "number"}
    changed = {name: plain(value) for name, value in schema.items() if name != "default" or isinstance(value, str | int)}
    if isinstance(pattern := changed.get("pattern"), str):
        changed["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return changed


def holders(schemas: Mapping[str, Json]) -> set[str]:
    """The names of objects with a secret in them, or in what they refer to."""
    texts = {name: str(schema) for name, schema in schemas.items()}
    held = {name for name, text in texts.items() if "writeOnly" in text}
    while more := {name for name, text in texts.items() if name not in held and held & set(REFERRED.findall(text))}:
        held |= more
    return held


def view_of(written: Json, shown: Json) -> Json:
    """An object as it is answered: what was written, and what the gateway says beside it."""
    return {
        "type": "object",
        "properties": {**written["properties"], **shown["properties"]},
        "required": list(dict.fromkeys((*written["required"], *shown["required"]))),
        "additionalProperties": False,
    }


def without_secrets(schema: Any, held: Container[str]) -> Any:
    """What may be answered of what is written; objects that hold secrets have a form of their own for that."""
    if isinstance(schema, list):
        return [without_secrets(item, held) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return {**schema, "$ref": REF.format(name=f"{name}Told" if name in held else name)}
    if is_secret(schema.get("additionalProperties")):
        return {**schema, "additionalProperties": {"type": "null"}}  # its names are told
    changed = {key: without_secrets(item, held) for key, item in schema.items()}
    if "properties" in schema:
        changed["properties"] = {name: item for name, item in changed["properties"].items() if not is_secret(item)}
        changed["required"] = [name for name in schema.get("required", ()) if name in changed["properties"]]
    return changed


def patch_of(written: Json, frozen: Sequence[str]) -> Json:
    """What RFC 7396 may change: any member, and null takes it away."""
    members = {
        name: {"anyOf": [{key: value for key, value in schema.items() if key != "default"}, {"type": "null"}]}
        for name, schema in written["properties"].items()
        if name not in frozen
    }
    return {"type": "object", "properties": members, "additionalProperties": False}


def is_secret(schema: object) -> bool:
    return isinstance(schema, dict) and (bool(schema.get("writeOnly")) or any(is_secret(one) for one in schema.get("anyOf", ())))


def operation(row: Endpoint, names: Mapping[object, Json]) -> Json:
    """What is said of one row."""
    scopes = " or ".join(f"`{scope}`" for scope in (row.scope, *row.or_scopes))
    needs = {None: "Open to everybody.", "": "For whoever has signed in."}.get(row.scope, f"Needs the scope {scopes}.")
    told: Json = {
        "operationId": re.sub(r"[^a-z0-9]+", "_", f"{row.method} {row.path}".lower()).strip("_"),
        "summary": row.summary,
        "description": needs,
        "tags": [row.tag],
        "parameters": parameters(row),
        "responses": responses(row, names),
        "security": security(row),
    }
    if row.body is not None:
        schema = names.get((row.body, row.method), names[row.body])
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return told


def security(row: Endpoint) -> list[Json]:
    if row.scope is None:
        return []
    return [{"token": []}, {"cookie": []} if row.method == "GET" else {"cookie": [], "csrf": []}]


def parameters(row: Endpoint) -> list[Json]:
    found = [{"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}} for name in path_names(row)]
    found += [{"name": name, "in": "query", "schema": QUERY.get(name, TEXT)} for name in row.query]
    if row.method in ("PATCH", "DELETE"):
        found.append({"name": "If-Match", "in": "header", "schema": TEXT, "description": 'the "version" that it has to be of'})
    if row.method == "POST" and row.uses == "write":
        found.append({"name": "Idempotency-Key", "in": "header", "schema": TEXT, "description": "a repeat is answered the same for 24 h"})
    return found


def path_of(row: Endpoint) -> str:
    """Its path without what only the router reads: that a name may have slashes."""
    return row.path.replace(":path}", "}")


def path_names(row: Endpoint) -> list[str]:
    return re.findall(r"\{(\w+)\}", path_of(row))


def responses(row: Endpoint, names: Mapping[object, Json]) -> Json:
    kind = type(row.reply) if isinstance(row.reply, Resource) else row.reply
    schema: Json = {} if kind is None else names[kind]
    if row.is_list:
        schema = {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": schema},
                "next": {"type": ["string", "null"], "description": "cursor of the next page"},
                "total": {"type": ["integer", "null"], "description": "null where nobody counts"},
            },
            "required": ["data", "next", "total"],
        }
    told: Json = {"description": "as asked"}
    if row.status != 204:
        told["content"] = {row.media: {"schema": schema}}
    error = {"application/json": {"schema": {"$ref": REF.format(name="Error")}}}
    return {str(row.status): told, **{str(status): {"description": meaning, "content": error} for status, meaning in failures(row).items()}}


def failures(row: Endpoint) -> dict[int, str]:
    """The statuses of what may go wrong, and what each is for."""
    codes = {"invalid_field", "internal", "unavailable", *row.codes}
    if row.scope is not None:
        codes |= {"not_signed_in", "forbidden"}
    if path_names(row):
        codes |= {"not_found"}
    if row.method != "GET":
        codes |= {"bad_json", "too_large"} | ({"conflict", "exists", "in_use"} if row.uses == "write" else set())
    found: dict[int, str] = {}
    for code in sorted(codes):
        status, meaning = CODES[code]
        found[status] = f"{found[status]}; {code}: {meaning}" if status in found else f"{code}: {meaning}"
    return dict(sorted(found.items()))
