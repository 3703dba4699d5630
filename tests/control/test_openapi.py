"""The OpenAPI document: valid, complete, and true of what is served."""

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as bounded
from hypothesis.strategies import booleans
from schemathesis import Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from fastgw.control.access.roles import SCOPES
from fastgw.control.api.problem import CODES
from fastgw.control.api.table import endpoints
from tests.control.plane import Control, running

REQUESTS = 250  # for all endpoints together, and some of each
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

SENT = ("method", "url", "params", "json", "data", "headers")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """As it is served, to whoever asks."""
    with running("", tmp_path_factory.mktemp("openapi")) as control:
        answer = control.client.get("/api/v1/openapi.json")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    """By the schema of OpenAPI 3.1 itself, with operations that are named once and references that lead somewhere."""
    OPENAPI_31_VALIDATOR.validate(document)
    ids = [operation["operationId"] for operation in operations(document)]
    assert len(set(ids)) == len(ids)
    referred = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert referred <= set(document["components"]["schemas"])


def test_every_row_is_described(document: dict[str, Any]) -> None:
    """With its scope, its parameters and who it is for; nothing else is."""
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(row.method, row.path.replace(":path", "")) for row in endpoints()}
    for row in endpoints():
        operation = document["paths"][row.path.replace(":path", "")][row.method.lower()]
        assert (row.scope or "") in operation["description"] and operation["summary"]
        named = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
        assert named == re.findall(r"\{(\w+)", row.path)
        assert bool(operation["security"]) is (row.scope is not None)
    assert document["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"] == list(CODES)


def test_secrets_are_in_no_answer(document: dict[str, Any]) -> None:
    """What is write only stands in what is sent, and in no object that is answered."""
    schemas = document["components"]["schemas"]
    assert "writeOnly" in str(schemas["UserWritten"]["properties"]["password"]) and "password" not in schemas["User"]["properties"]
    answered = [content for operation in operations(document) for status, content in operation["responses"].items() if status < "300"]
    for name in set(re.findall(r"#/components/schemas/(\w+)", str(answered))):
        assert "writeOnly" not in str(schemas[name]), name


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema over a control plane of its own, and the fields of a token with every scope."""
    with running("", tmp_path_factory.mktemp("fuzzed")) as control:
        yield control, control.script(*sorted(SCOPES)).fields


def test_what_is_served_is_what_is_described(fuzzed: tuple[Control, dict[str, str]], document: dict[str, Any]) -> None:
    """Whatever is sent, right or wrong, the answer is one that the document knows, and no fault of ours."""
    control, fields = fuzzed
    token_id = control.ask("GET", "/tokens")["data"][0]["id"]
    known = {"workspace": "default", "user": "owner@localhost", "token": token_id}
    answered: set[tuple[str, int]] = set()
    found = [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(operations(document))
    bounds = bounded(max_examples=max(3, REQUESTS // len(found)), deadline=None, database=None, phases=[Phase.generate])
    bounds = bounded(bounds, suppress_health_check=list(HealthCheck))
    for operation in sorted(found, key=lambda one: one.method == "delete"):  # what is known has to be there for the others

        @seed(1)
        @bounds
        @given(case=operation.as_strategy(), is_known=booleans())
        def send(case: schemathesis.Case[Any], is_known: bool) -> None:
            if is_known:
                case.path_parameters |= {name: known.get(name, value) for name, value in case.path_parameters.items()}
            sent = case.as_transport_kwargs(base_url="http://127.0.0.1/api/v1", headers=fields)
            answer = control.client.request(**{name: value for name, value in sent.items() if name in SENT})
            control.client.cookies.clear()
            answered.add((case.method, answer.status_code))
            case.validate_response(Response.from_httpx2(answer, verify=True), checks=CHECKS)

        send()
    # it was not all refused at the door
    assert {("GET", 200), ("POST", 201), ("PATCH", 200), ("GET", 404), ("PATCH", 422), ("POST", 422)} <= answered
