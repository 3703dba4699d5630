"""Requests that are wrong: each gets a 4xx in the caller's dialect that says what is wrong and where, and no provider is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient, Response, json_request, request
from tests.fakes.script import json_reply
from tests.fakes.upstream import Upstream
from tests.gateway.limited import CHAT, bearer, key_lines
from tests.gateway.routed import RoutedGateway, targets_at
from tests.gateway.speaking import SPEAKERS, Speaker
from tests.patience import SLOW_DAY_S

# each kind of provider, and the callers whose bodies pass to it as they are, for it to judge
KINDS: dict[str, tuple[str, ...]] = {
    "openai-compatible": ("chat", "responses"),
    "openai": ("chat", "responses"),
    "anthropic": ("messages",),
    "gemini": ("gemini",),
    "cohere": (),
    "mistral": ("chat",),
    "bedrock": (),
}
AWS = 'aws = { region = "us-east-1", access_key_id = "AKIDEXAMPLE000000000", secret_access_key = "secret0123456789" }\n'
OWN = {"chat": "$.messages", "responses": "$.input", "messages": "$.messages", "gemini": "$.contents"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply({})) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    parts = [targets_at(upstream.url, [kind], provider=kind) + (AWS if kind == "bedrock" else "") for kind in KINDS]
    config = "".join([*parts, key_lines()]).replace('api_key = "sk-provider-bedrock-0123456789"\n', "")
    with RoutedGateway(tmp_path_factory.mktemp("bad-input"), config) as running:
        yield running
        running.check_records()
        assert upstream.received == [], "nobody was asked"


def refused(gateway: RoutedGateway, speaker: Speaker, reply: Response, status: int, code: str, *said: str) -> None:
    """One error in the caller's dialect with all of this in it, and one record."""
    assert (reply.status, speaker.code(reply)) == (status, code), reply.body[:500]
    message = json.loads(reply.body)["error"]["message"]
    assert all(part in message for part in said), message
    assert len(reply.body) < 4000 and reply.field("x-fastgw-error") == code
    gateway.expect(reply, outcome="refused", error=code, attempts=0, cost_nano_usd=0, status=status)


def post(gateway: RoutedGateway, speaker: Speaker, model: str, body: bytes) -> Response:
    """A body as it stands."""
    with RawClient(gateway.url) as client:
        client.send(request("POST", speaker.target(model), body, [("content-type", "application/json"), *bearer()]))
        return client.read_response("POST")


def question(speaker: Speaker, model: str, **more: object) -> bytes:
    return json.dumps(speaker.body(model, "q", **more), ensure_ascii=False).encode()  # type: ignore[arg-type]  # members of any kind


each_speaker = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
each_kind = pytest.mark.parametrize("kind", KINDS)
translated = pytest.mark.parametrize(
    ("speaker", "kind"),
    [pytest.param(one, kind, id=f"{one.name}-{kind}") for one in SPEAKERS for kind in KINDS if one.name not in KINDS[kind]],
)


@each_speaker
@pytest.mark.parametrize("model", ["no-such-model", "@nowhere/gpt-4.1", "nowhere/gpt-4.1", "@/x"])
def test_unknown_model_or_provider(gateway: RoutedGateway, speaker: Speaker, model: str) -> None:
    """A model that nobody serves, a provider or integration that does not exist: not found, and where to look."""
    reply = post(gateway, speaker, model, question(speaker, model))
    refused(gateway, speaker, reply, 404, "model_not_found", "GET /v1/models")


@each_speaker
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{nonsense", "valid json"),
        ("[1, 2", "valid json"),
        ("no-such-config", "config"),
        ('{"strategy": {"mode": "sideways"}}', "strategy"),
        ('{"retry": {"attempts": "many"}, "provider": "openai"}', "retry"),
    ],
)
def test_malformed_config_says_what_is_wrong(gateway: RoutedGateway, speaker: Speaker, text: str, said: str) -> None:
    """A config of the caller's own that cannot be read is refused in the words that its clients know, with our code beside them."""
    with RawClient(gateway.url) as client:
        fields = [*bearer(), ("x-portkey-config", text)]
        client.send(json_request(speaker.target("m-openai"), speaker.body("m-openai", "q"), fields))
        reply = client.read_response("POST")
    assert reply.status == 400 and reply.field("x-fastgw-error") == "invalid_request", reply
    assert said in reply.body.decode().lower(), reply.body
    gateway.expect(reply, outcome="refused", attempts=0, cost_nano_usd=0)


@each_speaker
@each_kind
def test_deep_and_large_body_is_refused_where_it_is_too_deep(gateway: RoutedGateway, speaker: Speaker, kind: str) -> None:
    """Ten megabytes, nested 10,000 deep: refused at the 513th level, in less time than it takes to send."""
    deep = b"[" * 10_000 + b"]" * 10_000
    padding = b'"' + b"x" * (10_000_000 - 20_000) + b'"'
    body = question(speaker, f"m-{kind}")[:-1] + b', "padding": ' + padding + b', "deep": ' + deep + b"}"
    began = time.monotonic()
    reply = post(gateway, speaker, f"m-{kind}", body)
    assert time.monotonic() - began < SLOW_DAY_S
    refused(gateway, speaker, reply, 400, "invalid_request", "512 levels", f"byte {body.index(b'[[[[') + 512 - 1}")


@each_speaker
@each_kind
@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"], ids=["lone", "overlong", "surrogate", "long"]
)
def test_invalid_utf8_is_refused_where_it_stands(gateway: RoutedGateway, speaker: Speaker, kind: str, bad: bytes) -> None:
    """Bytes that are no UTF-8 are refused with their place, rather than become another text on the way."""
    body = question(speaker, f"m-{kind}").replace(b'"q"', b'"caf' + bad + b'"')
    refused(gateway, speaker, post(gateway, speaker, f"m-{kind}", body), 400, "invalid_request", "UTF-8", str(body.index(b'"caf') + 4))


@each_speaker
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "JSON"),
        (b"[]", "expected a JSON object"),
        (b'"text"', "expected a JSON object"),
        (b'{"a": 1', "byte 7"),
        (b'{"a": 1}}', "byte 8"),
        (b'{"a": 01}', "byte 7"),
        (b'{"a": NaN}', "byte 6"),
        (b'{"a": "\x01"}', "byte 7"),
        (b'{"a": "\\ud800"}', ""),
        (b'{"stream": true, "stream": false}', "stream once"),
        (b'{"stream": "yes"}', "got a string at $.stream"),
    ],
)
def test_broken_json_is_refused_where_it_breaks(gateway: RoutedGateway, speaker: Speaker, body: bytes, said: str) -> None:
    """What is not JSON, or not an object, or says a thing twice is refused with its byte or its member."""
    if b"stream" in body:
        body = question(speaker, "m-openai")[:-1] + b", " + body[1:]
    reply = post(gateway, speaker, "m-openai", body)
    if said:
        refused(gateway, speaker, reply, 400, "invalid_request", said)
    else:
        refused(gateway, speaker, reply, 400, "invalid_request")


CYCLES: dict[str, tuple[dict[str, Any], str]] = {
    "itself": ({"$ref": "#"}, ".$ref"),
    "two": ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "back to itself"),
    "inside": (
        {
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}},
        },
        "back to itself",
    ),
    "nowhere": ({"type": "object", "properties": {"x": {"$ref": "#/$defs/missing"}}}, ".properties.x.$ref"),
    "no schema": ({"type": "object", "properties": {"x": 5}}, ".properties.x"),
}
PLACES = {
    "chat": "$.tools[0].function.parameters",
    "responses": "$.tools[0].parameters",
    "messages": "$.tools[0].input_schema",
    "gemini": "$.tools[0].functionDeclarations[0].parametersJsonSchema",
}


@translated
@pytest.mark.parametrize("name", CYCLES)
def test_schema_that_leads_nowhere_is_refused_with_its_place(gateway: RoutedGateway, speaker: Speaker, kind: str, name: str) -> None:
    """A tool's schema that only refers to itself, or to nothing, cannot be translated: its path in the caller's own body is told."""
    schema, said = CYCLES[name]
    reply = post(gateway, speaker, f"m-{kind}", question(speaker, f"m-{kind}", schema=schema))
    refused(gateway, speaker, reply, 400, "invalid_request", PLACES[speaker.name], said)


CYCLE = CYCLES["two"][0]


@pytest.mark.parametrize(
    ("speaker", "more", "place"),
    [
        (
            SPEAKERS[0],
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": CYCLE}}},
            "$.response_format.json_schema.schema",
        ),
        (SPEAKERS[1], {"text": {"format": {"type": "json_schema", "name": "n", "schema": CYCLE}}}, "$.text.format.schema"),
        (SPEAKERS[2], {"output_config": {"format": {"type": "json_schema", "schema": CYCLE}}}, "$.output_config.format.schema"),
        (
            SPEAKERS[3],
            {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": CYCLE}},
            "$.generationConfig.responseJsonSchema",
        ),
    ],
    ids=[speaker.name for speaker in SPEAKERS],
)
def test_schema_of_the_answer_is_held_to_the_same(gateway: RoutedGateway, speaker: Speaker, more: dict[str, Any], place: str) -> None:
    """The form that the answer shall have is a schema as well."""
    reply = post(gateway, speaker, "m-bedrock", question(speaker, "m-bedrock", **more))
    refused(gateway, speaker, reply, 400, "invalid_request", place, "back to itself")


@translated
@pytest.mark.parametrize("value", [5, True, [5], [{"role": 5}]], ids=str)
def test_member_of_a_wrong_type_is_named(gateway: RoutedGateway, speaker: Speaker, kind: str, value: object) -> None:
    """What has to be translated is refused with the path of the member that is wrong."""
    name = OWN[speaker.name].removeprefix("$.")
    reply = post(gateway, speaker, f"m-{kind}", question(speaker, f"m-{kind}", **{name: value}))
    refused(gateway, speaker, reply, 400, "invalid_request", OWN[speaker.name], "expected", "got")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_body_of_another_type_is_read_as_what_it_is(gateway: RoutedGateway, content_type: str) -> None:
    """A form's body at a path of JSON is refused as no JSON, whatever its type says of it."""
    with RawClient(gateway.url) as client:
        fields = [("content-type", content_type)] if content_type else []
        reply = client.ask("POST", CHAT, b"model=m-openai&q=1", [*fields, *bearer()])
    refused(gateway, SPEAKERS[0], reply, 400, "invalid_request", "byte 0")


@pytest.mark.parametrize("speaker", SPEAKERS[:3], ids=lambda speaker: speaker.name)
def test_model_that_is_not_named_or_no_text(gateway: RoutedGateway, speaker: Speaker) -> None:
    """Without a model, or with a number for one, the member is named; Gemini's stands in the path."""
    for model, said in ((5, "got a number at $.model"), (None, "$.model"), ("", "$.model")):
        body = {**speaker.body("x", "q"), "model": model}
        refused(gateway, speaker, post(gateway, speaker, "x", json.dumps(body).encode()), 400, "invalid_request", said)
