"""JSON schemas: what is refused and where, and what Gemini's subset makes of the rest."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.schema import MOST_DEPTH, check, from_gemini, to_gemini
from fastgw.errors import GatewayError
from tests.recordings import counted, recordings, skip_without_corpus

NODE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}},
}


@pytest.mark.parametrize("schema", [
    True, {}, NODE, {"type": "object", "properties": {"self": {"$ref": "#"}}},
    {"properties": {"$ref": {"type": "string"}, "items": {"type": "array", "items": False}}},
    {"properties": {"a": {"$ref": "#/definitions/b~1c%20d"}}, "definitions": {"b/c d": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}}},
    {"anyOf": [{"type": "string"}, {"$ref": "#/anyOf/0"}]}, {"$defs": {"a": {"$anchor": "here"}}, "items": {"$ref": "#here"}},
    {"$defs": {"a": {"$id": "https://a.org/a"}}, "items": {"$ref": "https://a.org/a"}}, {"enum": [{"$ref": 1}], "default": {"$ref": 2}},
    {"properties": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"allOf": [{"$ref": "#/$defs/c"}]}, "c": {}}},
    {"items": None, "additionalProperties": False, "not": {"if": {}, "then": {}, "else": {}}},
])
def test_schemas_that_mean_something_pass(schema: Any) -> None:
    """A schema may contain itself, as long as each time round is a step into the value."""
    check(schema, "$")


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"$ref": "#"}, "$.$ref"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "$.$ref"),
        ({"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{}, {"$ref": "#/$defs/a"}]}}},
         "$.items.$ref"),
        ({"allOf": [{"not": {"$ref": "#"}}]}, "$.allOf[0].not.$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/missing"}}}, "$.properties.a.$ref"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "$.properties.a.$ref"),
        ({"anyOf": [{}, {"$ref": "#/anyOf/2"}]}, "$.anyOf[1].$ref"),
        ({"$ref": "#/properties"}, None),
        ({"$ref": 1}, "$.$ref"),
        ({"properties": {"a": "string"}}, "$.properties.a"),
        ({"properties": ["a"]}, "$.properties"),
        ({"anyOf": {"a": {}}}, "$.anyOf"),
        ({"items": [{}, 1]}, "$.items[1]"),
        ("string", "$"),
    ],
)
def test_schemas_that_mean_nothing_are_refused(schema: Any, path: str | None) -> None:
    """A reference to nowhere or to itself, and what is no schema, is named with its path."""
    with pytest.raises(GatewayError) as caught:
        check(schema, "$")
    assert caught.value.code == "invalid_request"
    if path is not None:
        assert (caught.value.param, path in caught.value.message) == (path, True)


def nested(depth: int, keyword: str = "items") -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {keyword: schema}
    return schema


@pytest.mark.parametrize("convert", [lambda schema: check(schema, "$"), lambda schema: to_gemini(schema, "$"), from_gemini])
def test_depth_has_an_end(convert: Any) -> None:
    """A schema nested more deeply than any provider takes is refused, not crashed on."""
    convert(nested(MOST_DEPTH - 1))
    for depth in (MOST_DEPTH + 1, 5000):
        with pytest.raises(GatewayError, match="at most 100 levels"):
            convert(nested(depth))


def test_hostile_schemas_cost_little() -> None:
    """Chains of references, references that double at each step, and long names under many schemas take no time or memory to speak of."""
    count = 20_000
    chain = {"$defs": {f"a{at}": {"$ref": f"#/$defs/a{at + 1}"} for at in range(count)} | {f"a{count}": {}}}
    doubling: dict[str, Any] = {"items": {"$ref": "#/$defs/a0"}, "$defs": {"a60": {"type": "string"}} | {
        f"a{at}": {"properties": {"p": {"$ref": f"#/$defs/a{at + 1}"}, "q": {"$ref": f"#/$defs/a{at + 1}"}}} for at in range(60)}}
    long_names: dict[str, Any] = {"properties": {"x" * 1_000_000: {"properties": {str(at): {} for at in range(5000)}}}}
    began = time.process_time()
    for schema in (chain, doubling, long_names):
        check(schema, "$")
    with pytest.raises(GatewayError, match="at most 262144 bytes"):
        to_gemini(doubling, "$")
    assert time.process_time() - began < 2
    with pytest.raises(GatewayError) as caught:
        check({"properties": {"x" * 1_000_000: {"$ref": "#/no"}}}, "$")
    assert len(caught.value.message) < 600


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"], "additionalProperties": False},
         {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "minimum": 1}}, "required": ["a"]}),
        ({"type": ["string", "null"], "description": "d"}, {"type": "STRING", "nullable": True, "description": "d"}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "STRING"}], "nullable": True}),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER"}),
        ({"type": "string", "format": "email"}, {"type": "STRING"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "array"}, {"type": "ARRAY", "items": {}}),
        ({"type": "object", "properties": {}}, {"type": "OBJECT"}),
        ({"items": {"$ref": "#/$defs/a", "description": "here"}, "$defs": {"a": {"type": "string", "description": "there"}}},
         {"items": {"type": "STRING", "description": "here"}}),
        ({"allOf": [{"$ref": "#/$defs/a"}, {"properties": {"y": {"type": "string"}}, "required": ["y"]}], "title": "t",
          "$defs": {"a": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}}},
         {"type": "OBJECT", "title": "t", "properties": {"x": {"type": "STRING"}, "y": {"type": "STRING"}}, "required": ["x", "y"]}),
    ],
)
def test_the_subset_says_what_it_can(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    """Types in capitals, null as nullable, references and allOf put in place; what the subset lacks is left out."""
    before = repr(schema)
    assert to_gemini(schema, "$") == expected
    assert repr(schema) == before


@pytest.mark.parametrize("schema", [
    NODE, {"properties": {"a": {"$ref": "#"}}}, {"$ref": "#"},
    {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}, "items": {"$ref": "#/$defs/a"}},
])
def test_schemas_that_contain_themselves_do_not_fit_the_subset(schema: dict[str, Any]) -> None:
    """There is no way to put them in place: the message says so, with the path."""
    with pytest.raises(GatewayError) as caught:
        to_gemini(schema, "tools[0].parameters")
    assert (caught.value.code, str(caught.value.param).startswith("tools[0].parameters.")) == ("invalid_request", True)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "OBJECT", "properties": {"b": {"type": 1}, "a": {"type": "ARRAY", "items": {"type": "NUMBER"}}},
          "propertyOrdering": ["a"]},
         {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}, "b": {"type": "string"}}}),
        ({"type": "STRING", "nullable": True, "maxLength": "5"}, {"type": ["string", "null"], "maxLength": 5}),
        ({"type": "STRING", "nullable": True, "format": "enum", "enum": ["a"], "title": "t"},
         {"title": "t", "anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
        ({"any_of": [{"type": "STRING"}], "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "string", "example": "x", "default": None, "title": None}, {"type": "string", "examples": ["x"], "default": None}),
        ({"ref": "#/defs/a", "defs": {"a": {"type": "BOOLEAN"}}}, {"$ref": "#/$defs/a", "$defs": {"a": {"type": "boolean"}}}),
        ("no schema", {}), ({"type": 99, "min_items": "x"}, {"type": 99, "minItems": "x"}),
    ],
)
def test_the_subset_is_read(schema: Any, expected: dict[str, Any]) -> None:
    """Either spelling, capitals or numbers, is JSON schema; properties are in their order."""
    read = from_gemini(schema)
    assert read == expected
    assert list(read.get("properties", {})) == list(expected.get("properties", {}))  # type: ignore[call-overload]  # of names


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(("string", "#", "#/$defs/a", "#/properties/a", "OBJECT", "null")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((
        "type", "properties", "items", "$ref", "$defs", "a", "anyOf", "allOf", "oneOf", "required", "enum", "const", "nullable", "not",
    )), inner, max_size=4),
    max_leaves=30,
)


@given(json_values)
def test_no_schema_crashes(schema: Any) -> None:
    """Any JSON is checked and converted, or refused as the caller's fault."""
    for convert in (lambda: check(schema, "$"), lambda: to_gemini(schema, "$"), lambda: from_gemini(schema)):
        try:
            convert()
        except GatewayError as problem:
            assert problem.status == 400


def test_recorded_schemas_pass() -> None:
    """Every schema that a recorded caller sent to Gemini or OpenAI is one; those without themselves in them fit the subset too."""
    skip_without_corpus()
    seen = 0
    for provider in ("gemini", "vertex", "openai", "anthropic"):
        for recording in recordings(provider):
            for schema in schemas_in(recording.request):
                check(schema, "$")
                seen += 1
                try:
                    to_gemini(schema, "$")
                except GatewayError as problem:
                    assert "contain itself" in problem.message, recording.name
    counted(seen, 901)


def schemas_in(value: Any) -> list[dict[str, Any]]:
    """The JSON schemas of a recorded request, by the members that hold them."""
    found: list[dict[str, Any]] = []
    for name, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if name in ("parameters", "parametersJsonSchema", "parameters_json_schema", "input_schema", "schema", "responseJsonSchema"):
            if isinstance(member, dict):
                found.append(member)
        else:
            found += schemas_in(member)
    return found
