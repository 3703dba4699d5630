"""Members at the top of a request: how each is read, what a provider's quirks make of it, and what is wrong with a bad one."""

from typing import Any

import pytest

from fastgw.dialects.canonical import (
    Cache,
    Message,
    Native,
    OutputFormat,
    Reasoning,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.openai_chat.quirks import MISTRAL, QUIRKS
from fastgw.dialects.openai_chat.request import read_request
from fastgw.errors import GatewayError

HELLO = [Message("user", [Text("Hello")])]
SCHEMA: dict[str, object] = {"type": "object", "properties": {"a": {"type": "integer"}}}


def read(**members: Any) -> Request:
    """A request of these members."""
    return read_request({"model": "m", "messages": [], **members}, "", False)


def wrote(*quirks: str, **fields: Any) -> tuple[Any, list[str]]:
    """What a request of these fields adds to the least that a body has, and what it could not carry."""
    notes = Notes()
    body = DIALECT.write_request(Request(fields.pop("dialect", "anthropic_messages"), "m", HELLO, **fields), notes, frozenset(quirks))
    assert body.pop("model") == "m" and body.pop("messages") == [{"role": "user", "content": "Hello"}]
    return body, notes.dropped


FIELDS = {
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logprobs": True,
    "top_logprobs": 3,
    "seed": 7,
    "stop": ["a", "b"],
    "user": "u",
    "metadata": {"a": "b"},
    "service_tier": "flex",
    "verbosity": "low",
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "store": False,
    "logit_bias": {"50256": -100},
    "parallel_tool_calls": False,
}


def test_plain_fields_survive() -> None:
    """Every member that has a canonical field of its own arrives there and is written as it was."""
    request = read(**FIELDS, n=2, max_completion_tokens=9, prompt_cache_key="k", tools=[{"type": "function", "function": {"name": "f"}}])
    assert {name: getattr(request, name) for name in FIELDS} == FIELDS
    assert (request.choices, request.max_tokens, request.cache_key, request.extra) == (2, 9, "k", {})
    body = DIALECT.write_request(request, Notes(), frozenset())
    assert {name: body[name] for name in FIELDS} == FIELDS
    assert (body["n"], body["max_completion_tokens"], body["prompt_cache_key"]) == (2, 9, "k")


def test_other_members_are_kept() -> None:
    """What has no canonical field is extra, and a provider of this dialect gets it; null says nothing."""
    extra = {
        "prediction": {"type": "content", "content": "x"},
        "safety_identifier": "s",
        "web_search_options": {},
        "provider": {"order": []},
    }
    request = read(**extra, moderation=None, metadata={"tags": ["a"]})
    assert request.extra == extra | {"metadata": {"tags": ["a"]}} and request.metadata is None
    assert {name: DIALECT.write_request(request, Notes(), frozenset())[name] for name in extra} == extra


def test_what_the_responses_api_shares_is_carried() -> None:
    """Members that both of OpenAI's APIs have under one name go over; the others are left to the policy."""
    assert wrote(dialect="openai_responses", extra={"safety_identifier": "s", "include": []})[0] == {"safety_identifier": "s"}


def test_stream_asks_for_usage() -> None:
    """Every stream asks for its usage, unless the provider does not know how."""
    assert wrote(stream=True)[0] == {"stream": True, "stream_options": {"include_usage": True}}
    assert wrote("no_stream_options", stream=True) == ({"stream": True}, [])
    assert read(stream=True, stream_options={"include_usage": True}).include_usage and not read(stream=True).include_usage


@pytest.mark.parametrize(
    ("members", "choice"),
    [
        ({"tool_choice": "auto"}, ToolChoice("auto")),
        ({"tool_choice": "any"}, ToolChoice("required")),
        ({"tool_choice": "none"}, ToolChoice("none")),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, ToolChoice("named", ("f",))),
        ({"tool_choice": {"function": {"name": "f"}}}, ToolChoice("named", ("f",))),
        ({"tool_choice": {"type": "custom", "custom": {"name": "g"}}}, ToolChoice("named", ("g",))),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "required",
                        "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}],
                    },
                }
            },
            ToolChoice("required", ("f", "g")),
        ),
        ({"function_call": "none"}, ToolChoice("none")),
        ({"function_call": {"name": "f"}}, ToolChoice("named", ("f",))),
        ({}, None),
    ],
)
def test_choices_of_tools_are_read(members: dict[str, Any], choice: ToolChoice | None) -> None:
    """Each form of tool_choice and function_call."""
    assert read(**members).tool_choice == choice


TOOLS = [Tool("f", "does f", SCHEMA, True), Tool("g", custom=True, grammar={"type": "grammar", "syntax": "lark", "definition": "start: A"})]
F = {"type": "function", "function": {"name": "f", "description": "does f", "parameters": SCHEMA, "strict": True}}
G = {"type": "custom", "custom": {"name": "g", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}}}}
POINT_F = {"type": "function", "function": {"name": "f"}}
POINT_G = {"type": "custom", "custom": {"name": "g"}}


@pytest.mark.parametrize(
    ("choice", "quirks", "written"),
    [
        (ToolChoice("auto"), "", "auto"),
        (ToolChoice("required"), "", "required"),
        (ToolChoice("required"), "mistral", "any"),
        (ToolChoice("named", ("f",)), "", POINT_F),
        (ToolChoice("named", ("g",)), "", POINT_G),
        (ToolChoice("named", ("f",)), "mistral", POINT_F),
        (ToolChoice("auto", ("f", "g")), "", {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [POINT_F, POINT_G]}}),
        (
            ToolChoice("named", ("f", "g")),
            "",
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [POINT_F, POINT_G]}},
        ),
        (ToolChoice("none", ("f",)), "", "none"),
    ],
)
def test_choices_of_tools_are_written(choice: ToolChoice, quirks: str, written: Any) -> None:
    """Each form, as the provider has it."""
    assert wrote(*quirks.split(), tools=TOOLS, tool_choice=choice)[0]["tool_choice"] == written


def test_tools_are_written() -> None:
    """Functions and custom tools whole; where subsets are not known only the allowed ones; without tools there is nothing to choose."""
    assert wrote(tools=TOOLS) == ({"tools": [F, G]}, [])
    assert read(tools=[F, G]).tools == TOOLS
    plain = {"type": "function", "function": {"name": "f", "description": "does f", "parameters": SCHEMA}}
    assert wrote("no_strict", "no_custom_tools", tools=TOOLS) == ({"tools": [plain]}, ["tools[1]"])
    narrowed = wrote("no_allowed_tools", tools=TOOLS, tool_choice=ToolChoice("auto", ("f",)))
    assert narrowed == ({"tools": [F], "tool_choice": "auto"}, [])
    foreign = Tool("web_search", native=Native("anthropic_messages", {"type": "web_search_20250305"}))
    assert wrote(tools=[foreign], tool_choice=ToolChoice("auto"), parallel_tool_calls=True) == ({}, ["tools[0]"])
    own = {"type": "openrouter:web_search", "parameters": {}}
    assert wrote(tools=read(tools=[own]).tools)[0] == {"tools": [own]}


def test_marks_for_caching_go_to_those_who_take_them() -> None:
    """On tools, calls, results and messages, both ways; a provider that caches by itself gets none, and each is named."""
    marked = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    cache = Cache("1h")
    request = read(
        tools=[F | marked],
        messages=[
            {"role": "user", "content": "a", **marked},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **marked}]},
            {"role": "tool", "tool_call_id": "c", "content": "1", **marked},
        ],
    )
    call, result = request.messages[1].parts[0], request.messages[2].parts[0]
    assert isinstance(call, ToolCall) and isinstance(result, ToolResult)
    assert (request.tools[0].cache, request.messages[0].parts[0], call.cache, result.cache) == (cache, Text("a", cache=cache), cache, cache)
    body = DIALECT.write_request(request, Notes(), frozenset({"cache_control"}))
    assert str(body).count(str(marked)[1:-1]) == 4
    notes = Notes()
    assert "cache_control" not in str(DIALECT.write_request(request, notes, frozenset()))
    assert notes.dropped == [*[f"messages[{at}].content[0].cache_control" for at in range(3)], "tools[0].cache_control"]


@pytest.mark.parametrize(
    ("members", "reasoning"),
    [
        ({"reasoning_effort": "high"}, Reasoning("high")),
        ({"reasoning_effort": "none"}, Reasoning(off=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Reasoning(budget_tokens=2048)),
        ({"thinking": {"type": "disabled"}}, Reasoning(off=True)),
        ({"thinking": {"type": "enabled"}}, Reasoning()),
        ({"thinking": {"clear_thinking": False}}, None),
        ({"reasoning": {"effort": "low", "exclude": True}}, Reasoning("low", show=False)),
        ({"reasoning": {"max_tokens": 99}}, Reasoning(budget_tokens=99)),
        ({"reasoning": {"enabled": False}}, Reasoning(off=True)),
        ({"reasoning": {"effort": "none"}}, Reasoning(off=True)),
        ({"reasoning": {}}, Reasoning()),
        ({"include_reasoning": False}, Reasoning(show=False)),
        ({"enable_thinking": True, "thinking_budget": 50}, Reasoning(budget_tokens=50)),
        ({"enable_thinking": False}, Reasoning(off=True)),
        ({}, None),
    ],
)
def test_thinking_is_asked_for_in_many_ways(members: dict[str, Any], reasoning: Reasoning | None) -> None:
    """OpenAI's effort, Anthropic's budget, OpenRouter's object, Qwen's switch."""
    assert read(**members).reasoning == reasoning


@pytest.mark.parametrize(
    ("quirks", "reasoning", "body"),
    [
        ("", Reasoning("high"), {"reasoning_effort": "high"}),
        ("", Reasoning(off=True), {"reasoning_effort": "none"}),
        ("", Reasoning(), {}),
        ("", Reasoning(budget_tokens=1024), {"reasoning_effort": "low"}),
        ("", Reasoning(budget_tokens=2048), {"reasoning_effort": "low"}),
        ("", Reasoning(budget_tokens=8192), {"reasoning_effort": "medium"}),
        ("", Reasoning(budget_tokens=30000), {"reasoning_effort": "high"}),
        ("mistral", Reasoning("low"), {"reasoning_effort": "high"}),
        ("mistral", Reasoning(off=True), {"reasoning_effort": "none"}),
        ("thinking_type", Reasoning("high"), {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("thinking_type", Reasoning(off=True), {"thinking": {"type": "disabled"}}),
        ("reasoning_object", Reasoning("high", 9, show=False), {"reasoning": {"effort": "high", "exclude": True}}),
        ("reasoning_object", Reasoning(budget_tokens=9), {"reasoning": {"max_tokens": 9}}),
        ("reasoning_object", Reasoning(), {"reasoning": {"enabled": True}}),
        ("reasoning_object", Reasoning(off=True), {"reasoning": {"effort": "none"}}),
        ("enable_thinking", Reasoning(budget_tokens=9), {"enable_thinking": True, "thinking_budget": 9}),
        ("enable_thinking", Reasoning(off=True), {"enable_thinking": False}),
    ],
)
def test_thinking_is_asked_for_as_the_provider_knows(quirks: str, reasoning: Reasoning, body: dict[str, Any]) -> None:
    """An effort, a switch, an object; a budget becomes an effort where only efforts are known."""
    assert wrote(*quirks.split(), reasoning=reasoning) == (body, [])


def test_a_provider_without_efforts_is_noted() -> None:
    """What a model cannot be told is named."""
    assert wrote("no_reasoning_effort", reasoning=Reasoning("high")) == ({}, ["reasoning_effort"])
    assert wrote(reasoning=Reasoning("high", summary="auto"))[1] == ["reasoning.summary"]


@pytest.mark.parametrize(
    ("stated", "output"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, OutputFormat("json_object")),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True}},
            OutputFormat("json_schema", "n", "d", SCHEMA, True),
        ),
        ({"type": "json_object", "schema": SCHEMA}, OutputFormat("json_schema", schema=SCHEMA)),
    ],
)
def test_output_is_read(stated: dict[str, Any], output: OutputFormat | None) -> None:
    """Each response_format of OpenAI's, and the schema of Together and Fireworks."""
    assert read(response_format=stated).output == output


@pytest.mark.parametrize(
    ("output", "quirks", "written", "dropped"),
    [
        (OutputFormat("json_object"), "", {"type": "json_object"}, []),
        (
            OutputFormat("json_schema", "n", "d", SCHEMA, True),
            "",
            {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True}},
            [],
        ),
        (OutputFormat("json_schema", schema=SCHEMA), "", {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA}}, []),
        (OutputFormat("json_schema", schema=SCHEMA), "no_json_schema", {"type": "json_object"}, ["response_format.json_schema"]),
    ],
)
def test_output_is_written(output: OutputFormat, quirks: str, written: dict[str, Any], dropped: list[str]) -> None:
    """With the name that OpenAI insists on; any JSON where a schema is not known."""
    assert wrote(*quirks.split(), output=output) == ({"response_format": written}, dropped)


@pytest.mark.parametrize(
    ("quirks", "fields", "body", "dropped"),
    [
        ("max_tokens", {"max_tokens": 9}, {"max_tokens": 9}, []),
        ("", {"max_tokens": 9}, {"max_completion_tokens": 9}, []),
        ("top_k", {"top_k": 9}, {"top_k": 9}, []),
        ("", {"top_k": 9}, {}, ["top_k"]),
        ("mistral", {"seed": 7, "max_tokens": 9}, {"random_seed": 7, "max_tokens": 9}, []),
        ("mistral", {"user": "u", "store": True, "stream": True}, {"stream": True}, ["store", "user"]),
        ("no_parallel_tool_calls", {"tools": TOOLS[:1], "parallel_tool_calls": False}, {"tools": [F]}, ["parallel_tool_calls"]),
        ("no_seed", {"seed": 7}, {}, ["seed"]),
        ("no_n", {"choices": 2}, {}, ["n"]),
        ("", {"service_tier": "standard_only"}, {"service_tier": "default"}, []),
    ],
)
def test_quirks_change_members(quirks: str, fields: dict[str, Any], body: dict[str, Any], dropped: list[str]) -> None:
    """Other names, other values, or none at all, which is noted."""
    written, noted = wrote(*quirks.split(), **fields)
    assert (written, sorted(noted)) == (body, dropped)


def messages_for(*quirks: str, messages: list[Message]) -> Any:
    return DIALECT.write_request(Request("openai_chat", "m", messages), Notes(), frozenset(quirks))["messages"]


def test_quirks_change_messages() -> None:
    """Roles, contents, names and ids that a provider does not know become those that it does."""
    developer = [Message("developer", [Text("a")], "d")]
    assert messages_for(messages=developer) == [{"role": "developer", "content": "a", "name": "d"}]
    assert messages_for("system_role", "no_name", messages=developer) == [{"role": "system", "content": "a"}]
    two = [Message("user", [Text("a"), Text("b")]), Message("assistant", [Text("a"), Text("b")])]
    assert [message["content"] for message in messages_for("text_content", messages=two)] == ["a\nb", "ab"]
    called = [
        Message("assistant", [ToolCall("toolu_1", "f", ""), ToolCall("abcdefgh1", "f", "{}")]),
        Message("user", [ToolResult("toolu_1")]),
    ]
    call, other = messages_for("mistral", messages=called)[0]["tool_calls"]
    assert len(call["id"]) == 9 and call["id"].isalnum() and other["id"] == "abcdefgh1" and call["function"]["arguments"] == "{}"
    assert messages_for("mistral", messages=called)[1] == {"role": "tool", "tool_call_id": call["id"], "content": ""}
    long = [Message("assistant", [ToolCall("x" * 64, "f", "{}")]), Message("user", [ToolResult("x" * 64)])]
    turn, answer = messages_for(messages=long)
    assert turn["tool_calls"][0]["id"] == answer["tool_call_id"] and len(answer["tool_call_id"]) <= 40


def test_mistral_gets_the_order_that_it_insists_on() -> None:
    """A user's words do not follow a tool's directly there."""
    asked = [
        Message("assistant", [ToolCall("abcdefgh1", "f", "{}")]),
        Message("user", [ToolResult("abcdefgh1", "f", [Text("1")]), Text("and?")]),
    ]
    assert [message["role"] for message in messages_for("mistral", messages=asked)] == ["assistant", "tool", "assistant", "user"]


def test_a_message_of_nothing_is_empty() -> None:
    """Where all that a model said was a thought that stays here, its message has empty words: OpenAI refuses null."""
    assert messages_for(messages=[Message("assistant", [Thinking("hm")])]) == [{"role": "assistant", "content": ""}]


def test_quirks_are_documented() -> None:
    """Each quirk that follows from another is in the table, or is one of a member that is not known."""
    assert all(name in QUIRKS or name.startswith("no_") for name in MISTRAL)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"messages": None}, "$.messages"),
        ({"messages": {}}, "$.messages"),
        ({"messages": [7]}, "$.messages[0]"),
        ({"messages": [{"role": "wizard"}]}, "$.messages[0].role"),
        ({"messages": [{"content": "a"}]}, "$.messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "$.messages[0].content"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "$.messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "$.messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "$.messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "$.messages[0].content[0].image_url"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "$.messages[0].content[0].image_url.url"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "$.messages[0].content[0].file.file_data"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "$.messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, None),
        ({"messages": [{"role": "assistant", "tool_calls": 7}]}, "$.messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}, "$.messages[0].tool_calls[0].function"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}]},
            "$.messages[0].tool_calls[0].function.arguments",
        ),
        ({"tools": [{"type": "function"}]}, "$.tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "$.tools[0].function.name"),
        ({"tools": [{}]}, "$.tools[0].type"),
        ({"functions": [{}]}, "$.functions[0].name"),
        ({"tool_choice": "perhaps"}, "$.tool_choice"),
        ({"tool_choice": {"type": "function"}}, "$.tool_choice.function"),
        ({"response_format": {}}, "$.response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "$.response_format.json_schema"),
        ({"temperature": "hot"}, "$.temperature"),
        ({"max_tokens": 1.5}, "$.max_tokens"),
        ({"stop": [7]}, "$.stop[0]"),
        ({"n": True}, "$.n"),
        ({"logit_bias": {"1": "x"}}, "$.logit_bias.1"),
        ({"stream": "yes"}, "$.stream"),
        ({"stream_options": []}, "$.stream_options"),
        ({"reasoning_effort": 7}, "$.reasoning_effort"),
        ({"thinking": "hard"}, "$.thinking"),
    ],
)
def test_a_wrong_member_is_named(members: dict[str, Any], path: str | None) -> None:
    """A caller's mistake is InvalidRequest with the path of the member."""
    if path is None:
        read(**members)
        return
    with pytest.raises(GatewayError) as caught:
        read(**members)
    assert caught.value.code == "invalid_request" and caught.value.param == path and path in caught.value.message
