"""Promises of keys: equal for what asks the same, in any dialect, and for nothing else."""

import json
import random
from typing import Any

import msgspec
import pytest
from msgspec import structs

from fastgw.cache.key import GARNISH, OUTSIDE, Space, body_key, objection, request_key, route_mark
from fastgw.dialects.canonical import Cache, Native, OutputFormat, Reasoning, Request, Text, ToolChoice
from fastgw.dialects.table import CALLERS, dialect_of
from fastgw.errors import GatewayError
from fastgw.snapshot.routes import Route, Target
from tests.recordings import counted, recordings, skip_without_corpus
from tests.unit.cache.asking import SAME, SPACE, TOOL, chat, read

# What of a request shapes no answer.
LEFT_OUT = {"dialect", "model", "stream", "stream_array", "include_usage", "user", "metadata", "cache_key", "echo", "bound"}
OTHER: dict[str, Any] = {
    "messages": [], "tools": [], "tool_choice": ToolChoice("none"), "parallel_tool_calls": True, "max_tokens": 1, "temperature": 0.5,
    "top_p": 0.5, "top_k": 5, "stop": ["x"], "seed": 1, "presence_penalty": 0.5, "frequency_penalty": 0.5, "logit_bias": {"1": 2.0},
    "logprobs": True, "top_logprobs": 2, "choices": 2, "service_tier": "flex", "reasoning": Reasoning("low"),
    "output": OutputFormat("json_object"), "verbosity": "low", "modalities": ["audio"], "audio": {"voice": "x"}, "store": False,
    "extra": {"x": 1}, "stream": True, "stream_array": True, "include_usage": True, "user": "u", "metadata": {"a": "b"}, "cache_key": "k",
    "echo": {"functions": True}, "dialect": "anthropic_messages", "model": "another",
}  # fmt: skip


def test_dialects_share_a_key() -> None:
    """One question in four dialects, tools and their results among it, has one key."""
    keys = {dialect: request_key(read(dialect, body), SPACE) for dialect, body in SAME.items()}
    assert None not in keys.values()
    assert len(set(keys.values())) == 1, keys


def test_key_stays_the_same_between_releases() -> None:
    """What Redis has kept is found by the next release; a change of this key needs a greater FORMAT."""
    key = request_key(read("openai_chat", SAME["openai_chat"]), SPACE)
    assert key is not None and key.hex() == (
        "fd44f80590a40ec94317389e7713d7892c47b510e978b742954a28c1c481d667")


@pytest.mark.parametrize("field", [row.name for row in structs.fields(Request) if row.name != "bound"])
def test_every_field_is_in_the_key_or_left_out_by_name(field: str) -> None:
    """A field of the request changes the key, but for those that shape no answer."""
    request = read("openai_chat", SAME["openai_chat"])
    other = structs.replace(request, **{field: OTHER[field]})
    assert (request_key(request, SPACE) == request_key(other, SPACE)) is (field in LEFT_OUT)


@pytest.mark.parametrize(
    "other",
    [Space("other", "", "fast", b"route"), Space("team", "key", "fast", b"route"), Space("team", "", "slow", b"route"),
     Space("team", "", "fast", b"detour"), Space("team", "", "fast", b"route", ("n", "")), Space("team", "", "fast", b"route", ("", "n"))],
)  # fmt: skip
def test_spaces_share_nothing(other: Space) -> None:
    """Another workspace, key, alias, route or namespace has another key, for requests and for plain bodies."""
    assert request_key(chat(), SPACE) != request_key(chat(), other)
    assert body_key("embeddings", b"{}", SPACE) != body_key("embeddings", b"{}", other)


@pytest.mark.parametrize("name", sorted(GARNISH))
def test_garnish_shapes_no_answer(name: str) -> None:
    """Members of the body that only say who asks, why, and how it is delivered do not matter."""
    value: object = {"a": "b"} if name in ("metadata", "stream_options", "labels", "cache_control") else "x"
    for dialect, body in SAME.items():
        if dialect == "gemini_generate" and name != "labels":
            continue  # its members are called otherwise
        assert request_key(read(dialect, {**body, name: value}), SPACE) == request_key(read(dialect, body), SPACE), dialect
    plain = msgspec.json.encode({"input": "a", name: value})
    assert body_key("embeddings", plain, SPACE) == body_key("embeddings", b'{"input": "a"}', SPACE)


def test_marks_of_a_providers_cache_do_not_matter() -> None:
    """cache_control on words, tools and results leaves the key as it is."""
    body: dict[str, Any] = json.loads(json.dumps(SAME["anthropic_messages"]))
    mark = {"type": "ephemeral", "ttl": "1h"}
    body["system"] = [{"type": "text", "text": "Be terse.", "cache_control": mark}]
    body["messages"][1]["content"][0]["cache_control"] = mark
    body["messages"][2]["content"][0]["cache_control"] = mark
    body["tools"][0]["cache_control"] = mark
    marked = read("anthropic_messages", body)
    assert isinstance(words := marked.messages[0].parts[0], Text) and words.cache == Cache("1h")
    assert request_key(marked, SPACE) == request_key(read("anthropic_messages", SAME["anthropic_messages"]), SPACE)
    assert words.cache == Cache("1h"), "the request itself is left as it was"


def test_marks_on_pictures_do_not_matter() -> None:
    """cache_control on an image leaves the key, and the request, as they are."""
    image: dict[str, Any] = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": [image]}]}
    with_mark = [{"role": "user", "content": [{**image, "cache_control": {"type": "ephemeral"}}]}]
    marked = read("anthropic_messages", {**body, "messages": with_mark})
    assert request_key(marked, SPACE) == request_key(read("anthropic_messages", body), SPACE)
    assert getattr(marked.messages[0].parts[0], "cache", None) == Cache()


def test_order_of_members_does_not_matter_but_in_schemas() -> None:
    """Members may stand in any order; the order of a schema's properties is that in which models write."""
    def body(properties: dict[str, object]) -> dict[str, object]:
        schema = {"type": "object", "properties": properties}
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}}

    forth: dict[str, object] = {"why": {"type": "string"}, "answer": {"type": "string"}}
    assert request_key(chat(**body(forth)), SPACE) != request_key(chat(**body(dict(reversed(forth.items())))), SPACE)
    assert request_key(chat(x={"a": 1, "b": 2}), SPACE) == request_key(chat(x={"b": 2, "a": 1}), SPACE)
    backwards = {"properties": TOOL["properties"], "type": TOOL["type"]}
    tools = [[{"type": "function", "function": {"name": "f", "parameters": schema}}] for schema in (TOOL, backwards)]
    assert request_key(chat(tools=tools[0]), SPACE) != request_key(chat(tools=tools[1]), SPACE)


@pytest.mark.parametrize(
    ("dialect", "members", "name"),
    [
        ("openai_chat", {"store": True}, "store"),
        ("openai_responses", {"store": True}, "store"),
        ("openai_responses", {"previous_response_id": "resp_1"}, "previous_response_id"),
        ("openai_responses", {"background": True}, "background"),
        ("openai_responses", {"tools": [{"type": "web_search"}]}, "tools"),
        ("openai_chat", {"web_search_options": {}}, "web_search_options"),
        ("openai_chat", {"search_parameters": {"mode": "on"}}, "search_parameters"),
        ("anthropic_messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ("anthropic_messages", {"mcp_servers": []}, "mcp_servers"),
        ("gemini_generate", {"tools": [{"googleSearch": {}}]}, "tools"),
        ("gemini_generate", {"cachedContent": "cachedContents/1"}, "cachedContent"),
    ],
)
def test_what_the_provider_looks_up_or_keeps_has_no_key(dialect: str, members: dict[str, object], name: str) -> None:
    """A request whose answer does not depend on its words alone is neither answered from the cache nor kept."""
    request = read(dialect, {**SAME[dialect], **members})
    assert objection(request) == name
    assert request_key(request, SPACE) is None


def test_objections_are_told_apart_from_wishes() -> None:
    """store = false, background = false and a high temperature are no reasons."""
    body = {**SAME["openai_responses"], "store": False, "background": False, "temperature": 2}
    assert objection(read("openai_responses", body)) == ""
    assert OUTSIDE.isdisjoint(GARNISH)


@pytest.mark.parametrize(
    ("dialect", "members"),
    [
        ("openai_responses", {"include": ["reasoning.encrypted_content"]}),
        ("openai_responses", {"tools": [{"type": "function", "name": "weather", "description": "Ask.", "strict": False, "parameters": TOOL,
                                         "defer_loading": True}]}),
        ("anthropic_messages", {"tools": [{"name": "weather", "description": "Ask.", "input_schema": TOOL, "input_examples": [{}]}]}),
        ("anthropic_messages", {"anthropic_beta": ["x"]}),
    ],
)  # fmt: skip
def test_what_only_one_dialect_knows_shapes_the_answer(dialect: str, members: dict[str, object]) -> None:
    """Members that no canonical field has, and that go to the provider, are in the key."""
    assert request_key(read(dialect, {**SAME[dialect], **members}), SPACE) != request_key(read(dialect, SAME[dialect]), SPACE)


def test_functions_are_strict_by_default_in_responses_only() -> None:
    """A function that does not say whether it is strict means another thing in the Responses API."""
    tools = [{"type": "function", "name": "weather", "description": "Ask.", "parameters": TOOL}]
    silent = read("openai_responses", {**SAME["openai_responses"], "tools": tools})
    strict = read("openai_responses", {**SAME["openai_responses"], "tools": [{**tools[0], "strict": True}]})
    loose = read("openai_responses", SAME["openai_responses"])
    assert request_key(silent, SPACE) == request_key(strict, SPACE) != request_key(loose, SPACE)


def test_same_member_means_another_thing_in_another_dialect() -> None:
    """What has no canonical field counts with the dialect's name."""
    one, other = chat(x=1), structs.replace(chat(x=1), dialect="gemini_generate")
    assert request_key(one, SPACE) != request_key(other, SPACE)


@pytest.mark.parametrize("value", [2**70, -(2**70)])
def test_numbers_beyond_counting_have_no_key(value: int) -> None:
    """An integer beyond 64 bits is no fault: the request is just not cached."""
    assert request_key(chat(x=value), SPACE) is None
    assert request_key(chat(seed=value), SPACE) is None
    assert body_key("embeddings", b'{"dimensions": %d}' % value, SPACE) is not None


def test_native_parts_lose_their_marks() -> None:
    """A block that only its own dialect knows counts without its cache_control, and is left as it was."""
    bare, marked = chat(), chat()
    bare.messages[0].parts.append(Native("anthropic_messages", {"type": "x"}))
    marked.messages[0].parts.append(Native("anthropic_messages", {"type": "x", "cache_control": {"type": "ephemeral"}}))
    assert request_key(bare, SPACE) == request_key(marked, SPACE) != request_key(chat(), SPACE)


def test_plain_bodies_are_compared_as_json() -> None:
    """Blanks, escapes and the order of members do not matter; the model does by its alias only; values and the operation do."""
    one = body_key("embeddings", b'{"model": "a", "input": ["x", "\\u0079"], "dimensions": 5}', SPACE)
    assert one == body_key("embeddings", b'{"dimensions":5,"input":["x","y"],"model":"b","user":"u"}', SPACE)
    assert one != body_key("embeddings", b'{"dimensions":5,"input":["y","x"]}', SPACE)
    assert one != body_key("embeddings", b'{"dimensions":"5","input":["x","y"]}', SPACE)
    assert one != body_key("moderations", b'{"dimensions":5,"input":["x","y"]}', SPACE)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a": "\\ud800"}', b'{"a": "\xff"}', b'{"a":' * 5000 + b"1" + b"}" * 5000])
def test_what_is_no_object_has_no_key(body: bytes) -> None:
    """A body that is no JSON object is not cached."""
    assert body_key("embeddings", body, SPACE) is None


def test_route_is_marked_by_what_shapes_answers() -> None:
    """Another model, member or integration makes another mark; weights, retries and times do not."""
    target = Target(integration="main", model="m")
    mark = route_mark(Route(targets=(target,)))
    assert mark == route_mark(Route(targets=(structs.replace(target, weight=7, name="x"),), deadline_ms=5, strategy="weighted"))
    others = [structs.replace(target, **change) for change in (
        {"model": "n"}, {"integration": "other"}, {"override_params": {"temperature": 0}}, {"drop_params": ("seed",)},
        {"unsupported": "pass"},
    )]  # fmt: skip
    marks = [route_mark(Route(targets=(other,))) for other in others]
    nested = route_mark(Route(targets=(Target(targets=(target,)),)))
    assert len({mark, nested, *marks, route_mark(Route(targets=(target,), default_params={"seed": 1}))}) == len(others) + 3


APIS = (
    ("openai", "chat.completions", "openai_chat"), ("openrouter", "chat.completions", "openai_chat"),
    ("anthropic", "messages", "anthropic_messages"), ("openai", "responses", "openai_responses"),
    ("gemini", "generateContent", "gemini_generate"), ("vertex", "generateContent", "gemini_generate"),
)  # fmt: skip


def shuffled(value: object, rng: random.Random) -> object:
    """The same JSON with the members of its objects in another order, but for schemas."""
    if isinstance(value, dict):
        names = list(value)
        rng.shuffle(names)
        return {name: value[name] if name in SCHEMAS else shuffled(value[name], rng) for name in names}
    return [shuffled(one, rng) for one in value] if isinstance(value, list) else value


SCHEMAS = frozenset(
    "schema parameters input_schema parametersJsonSchema responseSchema responseJsonSchema arguments input args response json_schema"
    " response_json_schema response_schema parameters_json_schema".split()
)


@pytest.mark.parametrize(("provider", "api", "dialect"), APIS)
def test_recorded_requests_have_keys_of_their_own(provider: str, api: str, dialect: str) -> None:
    """Each recorded request has a key or an objection; it is the same for the same body in another order, another for another body."""
    skip_without_corpus()
    reader = dialect_of(dialect).read_request
    assert reader is not None and dialect in CALLERS.values()
    rng = random.Random(1)
    seen: dict[bytes, str] = {}
    kept = 0
    for one in recordings(provider, api):
        if not isinstance(one.request, dict):
            continue
        try:
            request = reader(one.request, "fast", False)
            again = reader(shuffled(one.request, rng), "fast", True)  # type: ignore[arg-type]  # a dict gives a dict
        except GatewayError:
            continue
        key = request_key(request, SPACE)
        assert (key is None) is bool(objection(request)), one.name
        assert key == request_key(again, SPACE), one.name
        if key is not None:
            kept += 1
            canonical = json.dumps(one.request, sort_keys=True)
            seen.setdefault(key, canonical)
    counted(kept, 11)
    assert len(seen) == len(set(seen.values()))
