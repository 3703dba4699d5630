"""What the mock answers: tokens, wishes, errors and each operation's shape."""
from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.mock import MockOptions
from fastgw.mock.asked import Wish, read_wish, text_bytes
from fastgw.mock.connection import Reply
from fastgw.mock.stored import Store
from fastgw.mock.table import Table, rows_of
from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.raw_client import RawClient

CHAT: dict[str, object] = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "four and twenty"}]}
STREAM = {**CHAT, "stream": True}
MESSAGE: dict[str, object] = {**CHAT, "model": "claude-sonnet-4-6", "max_tokens": 99}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "four and twenty"}]}]}
Json = Any
NAMES = """
messages model content role max_tokens input prompt contents parts text tools function tool_choice type
parameters properties stream stream_options generationConfig maxOutputTokens response_format json_schema
schema n dimensions requests toolConfig enum items functionDeclarations input_schema endpoint input_file_id
""".split()


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


@pytest.fixture()
def client(mock: RunningMock) -> Iterator[RawClient]:
    with RawClient(mock.url) as connected:
        yield connected


def events_of(body: bytes) -> list[Json]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]


@pytest.mark.parametrize(
    ("node", "count"),
    [
        ("four", 4),
        ("€", 3),
        (["ab", "cd"], 4),
        ({"content": "abc", "role": "user"}, 3),
        (7, 0),
        (None, 0),
        ({}, 0),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "abc"},
                            {"type": "image_url", "image_url": {"url": "x" * 99}},
                        ],
                    }
                ]
            },
            3,
        ),
        ({"systemInstruction": {"parts": [{"text": "ab"}]}, "contents": [{"parts": [{"text": "cd"}]}]}, 4),
    ],
)
def test_input_is_counted_by_the_bytes_of_its_text(node: Json, count: int) -> None:
    """Only text counts: no roles, no addresses, no keys."""
    assert text_bytes(node) == count


@pytest.mark.parametrize(
    ("target", "body", "path"),
    [
        ("/v1/chat/completions", CHAT, ("usage", "prompt_tokens")),
        ("/v1/completions", {"model": "m", "prompt": "four and twenty"}, ("usage", "prompt_tokens")),
        ("/v1/embeddings", {"model": "m", "input": "four and twenty"}, ("usage", "prompt_tokens")),
        ("/v1/responses", {"model": "m", "input": "four and twenty"}, ("usage", "input_tokens")),
        ("/v1/messages", MESSAGE, ("usage", "input_tokens")),
        ("/v1/messages/count_tokens", MESSAGE, ("input_tokens",)),
        ("/v1beta/models/gemini-2.5-flash:generateContent", CONTENTS, ("usageMetadata", "promptTokenCount")),
        ("/v1/models/gemini-2.5-flash:countTokens", CONTENTS, ("totalTokens",)),
        ("/openai/v1/chat/completions", CHAT, ("usage", "prompt_tokens")),
        (
            "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21",
            {"messages": CHAT["messages"]},
            ("usage", "prompt_tokens"),
        ),
    ],
)
def test_every_dialect_counts_the_same(client: RawClient, target: str, body: Json, path: tuple[str, ...]) -> None:
    """The same text is the same number of tokens wherever it is sent."""
    reply: Json = client.ask_json(target, body).json()
    for name in path:
        reply = reply[name]
    assert reply == len("four and twenty") // 4


@pytest.mark.parametrize(
    ("limit", "count", "finish"), [(None, 10, "stop"), (3, 3, "length"), (10, 10, "stop"), (500, 10, "stop")]
)
def test_output_is_what_the_request_allows(client: RawClient, limit: int | None, count: int, finish: str) -> None:
    """The output is ten tokens or the request's limit, whichever is less."""
    reply: Json = client.ask_json("/v1/chat/completions", {**CHAT, "max_completion_tokens": limit}).json()
    assert reply["usage"]["completion_tokens"] == count
    assert reply["choices"][0]["finish_reason"] == finish


def test_the_same_request_gets_the_same_bytes(client: RawClient) -> None:
    """A reply depends on the request alone."""
    first = client.ask_json("/v1/chat/completions", STREAM)
    assert client.ask_json("/v1/chat/completions", STREAM).raw == first.raw
    other = client.ask_json("/v1/chat/completions", {**STREAM, "messages": [{"role": "user", "content": "else"}]})
    assert other.raw != first.raw


def test_wish_counts_cached_and_reasoning_tokens(client: RawClient) -> None:
    """Cached input and reasoning are said in each dialect's own way."""
    fields = [("x-mock", "cached-2,reasoning-5")]
    chat: Json = client.ask_json("/v1/chat/completions", CHAT, fields).json()
    assert chat["usage"]["prompt_tokens_details"]["cached_tokens"] == 2
    assert (chat["usage"]["completion_tokens"], chat["usage"]["total_tokens"]) == (15, 18)
    message: Json = client.ask_json("/v1/messages", MESSAGE, fields).json()
    assert (message["usage"]["input_tokens"], message["usage"]["cache_read_input_tokens"]) == (1, 2)
    gemini: Json = client.ask_json("/v1beta/models/g:generateContent", CONTENTS, fields).json()
    assert gemini["usageMetadata"]["thoughtsTokenCount"] == 5 and gemini["usageMetadata"]["totalTokenCount"] == 18


def test_wish_without_usage_has_none(client: RawClient) -> None:
    """A model mock-no-usage never says what it used."""
    asked: list[tuple[str, dict[str, object]]] = [
        ("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGE), ("/v1/responses", {"input": "a"}),
    ]
    for target, body in asked:
        for is_stream in (False, True):
            reply = client.ask_json(target, {**body, "model": "mock-no-usage", "stream": is_stream,
                                             "stream_options": {"include_usage": True}})
            assert reply.status == 200 and b"_tokens\":" not in reply.body.replace(b"max_output_tokens", b"")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("mock-slow-500ms", "slow_ms", 500),
        ("mock-ttft-1ms", "ttft_ms", 1),
        ("gap-20ms", "gap_ms", 20),
        ("mock-status-429", "status", 429),
        ("mock-tokens-64", "tokens", 64),
        ("mock-cut-3", "cut", 3),
        ("mock-hang", "hang", True),
        ("mock-slow-1ms-fail-0", "fail", 0),
        ("mock-plain", "hang", False),
    ],
)
def test_wish_is_read(text: str, name: str, value: object) -> None:
    """Each word of a wish sets what it names."""
    assert getattr(read_wish(text), name) == value


@pytest.mark.parametrize(("target", "path", "wanted"), [
    ("/v1/chat/completions", ("error", "type"), "invalid_request_error"),
    ("/v1/messages", ("error", "type"), "invalid_request_error"),
    ("/v1beta/models/g:generateContent", ("error", "status"), "INVALID_ARGUMENT"),
])
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b'{"messages":[],"contents":[]}', b'{"model":1,"messages":[{}],"max_tokens":1}']
)
def test_bad_body_is_refused_in_the_dialects_shape(client: RawClient, target: str, path: tuple[str, str], wanted: str,
                                                   body: bytes) -> None:
    """What is no JSON object, or lacks what it must have, gets 400."""
    reply = client.ask("POST", target, body)
    found: Json = reply.json()
    assert reply.status == 400 and found[path[0]][path[1]] == wanted


@pytest.mark.parametrize(("method", "target", "status"), [
    ("GET", "/v1/nothing", 404), ("GET", "/v1/chat/completions", 405), ("GET", "/v1/files/file-none", 404),
    ("GET", "/v1/batches/none", 404), ("GET", "/v1/models/no-such-model", 404), ("HEAD", "/v1/nothing", 404),
])
def test_unknown_path_is_an_error(client: RawClient, method: str, target: str, status: int) -> None:
    """A path that is not served says so, and the connection lives on."""
    assert client.ask(method, target).status == status
    assert client.ask("GET", "/v1/models").status == 200


def test_error_rate_hits_its_share() -> None:
    """About the told share fails, with 500, 429 and 529 or 503, the same in each run."""
    runs = []
    for _ in range(2):
        with running_mock(MockOptions(error_rate=0.3)) as mock, RawClient(mock.url) as client:
            runs.append([client.ask_json("/v1/messages", MESSAGE).status for _ in range(300)])
    assert runs[0] == runs[1]
    assert 60 <= sum(status != 200 for status in runs[0]) <= 120
    assert set(runs[0]) == {200, 500, 429, 529}


def test_error_status_is_the_one_told() -> None:
    """With a rate of 1 and a status, every request gets it, but /mock/stats."""
    with running_mock(MockOptions(error_rate=1, error_status=503)) as mock, RawClient(mock.url) as client:
        reply = client.ask_json("/v1/chat/completions", CHAT)
        assert (reply.status, reply.field("retry-after")) == (503, "1")
        assert client.ask("GET", "/mock/stats").status == 200


def test_embedding_has_the_dimensions_asked_for(client: RawClient) -> None:
    """Vectors have 1536 numbers or as many as asked for, and about unit length."""
    for dimensions in (None, 64, 256, 3072):
        reply: Json = client.ask_json("/v1/embeddings", {"model": "m", "input": "a", "dimensions": dimensions}).json()
        vector = reply["data"][0]["embedding"]
        assert len(vector) == (dimensions or 1536)
        assert 0.5 < sum(number * number for number in vector) ** 0.5 < 2


def test_moderation_flags_one_word(client: RawClient) -> None:
    """Text with the word is flagged, other text is not."""
    reply: Json = client.ask_json("/v1/moderations", {"input": ["peace", "violence"]}).json()
    assert [result["flagged"] for result in reply["results"]] == [False, True]


def test_media_are_what_they_say(client: RawClient) -> None:
    """Speech is a WAV and a picture is a PNG."""
    speech = client.ask_json("/v1/audio/speech", {"model": "tts-1", "input": "a", "voice": "alloy"})
    assert speech.field("content-type") == "audio/wav" and speech.body.startswith(b"RIFF")
    picture: Json = client.ask_json("/v1/images/generations", {"prompt": "a", "n": 2}).json()
    assert [base64.b64decode(item["b64_json"])[:4] for item in picture["data"]] == [b"\x89PNG"] * 2


def test_models_speak_the_clients_dialect(client: RawClient) -> None:
    """The same path answers each client in its own words."""
    openai: Json = client.ask("GET", "/v1/models").json()
    anthropic: Json = client.ask("GET", "/v1/models", fields=[("anthropic-version", "2023-06-01")]).json()
    gemini: Json = client.ask("GET", "/v1beta/models").json()
    assert openai["object"] == "list" and anthropic["data"][0]["type"] == "model" and gemini["models"][0]["displayName"]
    one: Json = client.ask("GET", "/v1/models/openai/gpt-4.1").json()
    assert one["id"] == "openai/gpt-4.1"


def test_structured_output_fits_its_schema(client: RawClient) -> None:
    """A chat that asks for JSON gets what fits its schema, whole and streamed."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "ages": {"type": "array", "items": {"type": "integer"}}},
    }
    shape = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    whole: Json = client.ask_json("/v1/chat/completions", {**CHAT, "response_format": shape}).json()
    assert json.loads(whole["choices"][0]["message"]["content"]) == {"name": "mock", "ages": [1]}
    streamed = events_of(client.ask_json("/v1/chat/completions", {**STREAM, "response_format": shape}).body)
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in streamed)
    assert text == whole["choices"][0]["message"]["content"]


def test_several_choices_are_all_paid_for(client: RawClient) -> None:
    """Two choices are twice the output."""
    reply: Json = client.ask_json("/v1/chat/completions", {**CHAT, "n": 2}).json()
    assert len(reply["choices"]) == 2 and reply["usage"]["completion_tokens"] == 20


EMPTY_STORE = Store(lambda *_: Reply(200, b"", b""))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.text(max_size=4) | st.just("call"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)


TABLE = Table(MockOptions(), dict)


@settings(max_examples=200, deadline=None)
@given(
    path=st.sampled_from([row.path for row in rows_of(EMPTY_STORE)]),
    content=st.dictionaries(st.sampled_from(NAMES), JSON_VALUES),
)
def test_no_request_breaks_the_mock(path: str, content: dict[str, object]) -> None:
    """Whatever stands in a body, the reply is good or a fault of the request."""
    target = path.replace("{model}", "m").replace("{id}", "none")
    reply = TABLE.answer("POST", target, [], json.dumps(content).encode())
    assert 200 <= reply.status < 500


def test_docs_name_every_option_wish_and_path() -> None:
    """docs/mock.md has the options, the wishes and the paths that there are."""
    text = (Path(__file__).parents[2] / "docs" / "mock.md").read_text()
    for name in MockOptions.__struct_fields__:
        assert f"`--{name.removesuffix('_ms').replace('_', '-')}" in text
    for name in Wish.__struct_fields__:
        word = name.replace("_", "-")
        assert f"`{word.removesuffix('-ms')}-Nms`" in text if word.endswith("-ms") else f"`{word}" in text
    for row in rows_of(EMPTY_STORE):
        assert row.path.split("/{")[0].removeprefix("/v1beta/models").removeprefix("/v1/models") in text


def test_every_row_has_a_counter_of_its_own() -> None:
    """Paths are told apart in the stats."""
    table = Table(MockOptions(), dict)
    assert len(table.labels) == len(set(table.labels)) > 20
