"""What an Anthropic client writes is read into the fields that it means, and what is wrong is named with its path."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.anthropic_messages import DIALECT
from fastgw.dialects.canonical import (
    Cache,
    Media,
    Message,
    Native,
    OutputFormat,
    Part,
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
from fastgw.errors import GatewayError

NAME = "anthropic_messages"
PIXEL = "iVBORw0KGgo="


def read(body: dict[str, Any]) -> Request:
    assert DIALECT.read_request is not None
    return DIALECT.read_request(body, "claude-opus-5", False)


def said(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(blocks)}]}


BLOCKS: list[tuple[dict[str, Any], Part]] = [
    ({"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, Text("Hi", cache=Cache("1h"))),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
     Media("image", data=PIXEL, media_type="image/png")),
    ({"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}, "cache_control": {"type": "ephemeral"}},
     Media("image", url="https://a.example/b.png", cache=Cache())),
    ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, Media("image", file_id="file_1")),
    ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}, "title": "T", "context": "C",
      "citations": {"enabled": True}},
     Media("document", data="JVBERg==", media_type="application/pdf", name="T", context="C", citations=True)),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
     Media("document", text="words", media_type="text/plain")),
    ({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
     Native(NAME, {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}})),
    ({"type": "image", "source": {"type": "url", "url": "https://a.example"}, "transformations": {"large": "crop"}},
     Media("image", url="https://a.example", native=Native(NAME, {"transformations": {"large": "crop"}}))),
    ({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1.0}, "caller": {"type": "direct"}},
     ToolCall("toolu_1", "f", '{"a":1.0}', native=Native(NAME, {"caller": {"type": "direct"}}))),
    ({"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok", "is_error": True, "cache_control": {"type": "ephemeral"}},
     ToolResult("toolu_1", parts=[Text("ok")], is_error=True, cache=Cache())),
    ({"type": "tool_result", "tool_use_id": "toolu_1"}, ToolResult("toolu_1")),
    ({"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "tool_reference", "tool_name": "g"}]},
     ToolResult("toolu_1", parts=[Native(NAME, {"type": "tool_reference", "tool_name": "g"})])),
    ({"type": "thinking", "thinking": "hm", "signature": "Eo=="}, Thinking("hm", "Eo==", dialect=NAME)),
    ({"type": "redacted_thinking", "data": "Em=="}, Thinking(redacted="Em==", dialect=NAME)),
    ({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
     Native(NAME, {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}})),
]


@pytest.mark.parametrize(("block", "part"), BLOCKS)
def test_blocks_are_the_parts_that_they_mean(block: dict[str, Any], part: Part) -> None:
    """Each kind of block is read into its part, and written again as it was."""
    request = read(said(block))
    assert request.messages == [Message("user", [part])]
    written = DIALECT.write_request(request, Notes(), frozenset())["messages"]
    expected = block if block.get("content") != "ok" else {**block, "content": "ok"}
    assert written == [{"role": "user", "content": [expected]}]


def test_settings_are_read() -> None:
    """Every setting of the API is in its field."""
    request = read({
        "model": "claude-sonnet-4-5", "max_tokens": 99, "stream": True, "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be rude."}], "temperature": 0.5, "top_p": 0.9,
        "top_k": 4, "stop_sequences": ["END"], "metadata": {"user_id": "u1", "team": 4}, "service_tier": "standard_only",
        "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}, "task_budget": {"total": 9}},
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True, "defer_loading": True,
             "cache_control": {"type": "ephemeral", "ttl": "5m"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True}, "container": "c1", "cache_control": {"type": "ephemeral"},
    })
    assert (request.model, request.max_tokens, request.stream, request.include_usage) == ("claude-sonnet-4-5", 99, True, True)
    assert [message.role for message in request.messages] == ["system", "user", "system"]
    assert (request.temperature, request.top_p, request.top_k, request.stop) == (0.5, 0.9, 4, ["END"])
    assert (request.user, request.service_tier) == ("u1", "default")
    assert request.reasoning == Reasoning("low", 2048, show=False)
    assert request.output == OutputFormat("json_schema", schema={"type": "object"})
    assert request.tools == [
        Tool("f", "d", {"type": "object"}, True, Cache("5m")),
        Tool("web_search", native=Native(NAME, {"type": "web_search_20250305", "name": "web_search", "max_uses": 3})),
    ]
    assert (request.tool_choice, request.parallel_tool_calls) == (ToolChoice("required"), False)
    assert request.extra == {
        "container": "c1", "cache_control": {"type": "ephemeral"}, "metadata": {"team": 4}, "output_config": {"task_budget": {"total": 9}},
    }


@pytest.mark.parametrize(("thinking", "config", "reasoning"), [
    ({"type": "adaptive"}, {"effort": "max"}, Reasoning("max")),
    ({"type": "adaptive", "display": "summarized"}, None, Reasoning(show=True)),
    ({"type": "disabled"}, None, Reasoning(off=True)),
    ({"type": "between_tools"}, None, Reasoning()),
    (None, {"effort": "low"}, Reasoning("low")),
    (None, None, None),
])
def test_thinking_goes_back_as_it_was(thinking: Any, config: Any, reasoning: Reasoning | None) -> None:
    """Modes of thinking that mean the same to other dialects stay apart for their own."""
    stated = {name: value for name, value in (("thinking", thinking), ("output_config", config)) if value is not None}
    request = read({"messages": [], **stated})
    assert request.reasoning == reasoning
    written = DIALECT.write_request(request, Notes(), frozenset())
    assert {name: written[name] for name in ("thinking", "output_config") if name in written} == stated


@pytest.mark.parametrize(("choice", "read_as"), [
    ({"type": "auto"}, ToolChoice("auto")),
    ({"type": "none"}, ToolChoice("none")),
    ({"type": "tool", "name": "f"}, ToolChoice("named", ("f",))),
])
def test_tool_choice_is_read(choice: dict[str, Any], read_as: ToolChoice) -> None:
    """The choice of a tool is read, and written again."""
    request = read({"messages": [], "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": choice})
    assert request.tool_choice == read_as
    assert DIALECT.write_request(request, Notes(), frozenset())["tool_choice"] == choice


def test_unknown_forms_of_the_answer_are_kept() -> None:
    """A format that is not known here goes back as it was, under either of its names."""
    for body in ({"output_config": {"effort": "low", "format": {"type": "regex"}}}, {"output_format": {"type": "regex"}}):
        written = DIALECT.write_request(read({"messages": [], **body}), Notes(), frozenset())
        assert {name: written[name] for name in body} == body


def test_system_messages_stay_where_they_are() -> None:
    """A system message among the messages is not the system prompt, even as the first."""
    messages = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "system", "content": "c"}]
    assert DIALECT.write_request(read({"messages": messages}), Notes(), frozenset())["messages"] == messages


def test_choice_without_tools_is_kept() -> None:
    """Tools may come from a server that the request names, so a choice needs none beside it."""
    request = read({"messages": [], "tool_choice": {"type": "auto"}, "mcp_servers": [{"name": "s"}]})
    assert DIALECT.write_request(request, Notes(), frozenset())["tool_choice"] == {"type": "auto"}


@pytest.mark.parametrize(("body", "path"), [
    ({"messages": "hi"}, "$.messages"),
    ({"messages": [1]}, "$.messages[0]"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "$.messages[0].role"),
    ({"messages": [{"content": "x"}]}, "$.messages[0].role"),
    ({"messages": [{"role": "user"}]}, "$.messages[0].content"),
    (said({"text": "x"}), "$.messages[0].content[0].type"),
    (said({"type": "text", "text": 5}), "$.messages[0].content[0].text"),
    (said({"type": "text", "text": "x", "citations": {}}), "$.messages[0].content[0].citations"),
    (said({"type": "text", "text": "x", "cache_control": "yes"}), "$.messages[0].content[0].cache_control"),
    (said({"type": "image"}), "$.messages[0].content[0].source"),
    (said({"type": "image", "source": {"type": "base64"}}), "$.messages[0].content[0].source.data"),
    (said({"type": "tool_use", "id": "a", "name": "f", "input": "{}"}), "$.messages[0].content[0].input"),
    (said({"type": "tool_result", "content": "x"}), "$.messages[0].content[0].tool_use_id"),
    ({"messages": [], "system": 5}, "$.system"),
    ({"messages": [], "max_tokens": "9"}, "$.max_tokens"),
    ({"messages": [], "tools": [{}]}, "$.tools[0].name"),
    ({"messages": [], "tool_choice": {"type": "some"}}, "$.tool_choice.type"),
    ({"messages": [], "tool_choice": {"type": "tool"}}, "$.tool_choice.name"),
    ({"messages": [], "thinking": {"type": "enabled", "budget_tokens": "many"}}, "$.thinking.budget_tokens"),
    ({"messages": [], "output_config": {"format": []}}, "$.output_config.format"),
    ({"messages": [], "output_format": {"type": "json_schema"}}, "$.output_format.schema"),
    ({"messages": [], "metadata": "me"}, "$.metadata"),
])
def test_what_is_wrong_is_named(body: dict[str, Any], path: str) -> None:
    """A member of another type than the API has is an invalid request with its path."""
    with pytest.raises(GatewayError) as caught:
        read(body)
    assert (caught.value.code, caught.value.param) == ("invalid_request", path)


def test_proofs_of_other_providers_come_back() -> None:
    """What the thinking blocks of earlier answers carried is with the parts that it belongs to."""
    request = read(said(
        {"type": "thinking", "thinking": "sum", "signature": "fastgw:v1:thought:openai_responses:se:rs_1:gAA:A="},
        {"type": "thinking", "thinking": "hm", "signature": "fastgw:v1:thought:gemini_generate:::sig"},
        {"type": "text", "text": "Calling."},
        {"type": "thinking", "thinking": "", "signature": "fastgw:v1:gemini::dGV4dA=="},
        {"type": "thinking", "thinking": "", "signature": "fastgw:v1:gemini:call:1:Y2FsbA=="},
        {"type": "tool_use", "id": "call:1", "name": "f", "input": {}},
        {"type": "redacted_thinking", "data": "fastgw:v1:redacted:bedrock_converse:b3Bh"},
        {"type": "thinking", "thinking": "later", "signature": "fastgw:v9:who:knows"},
        role="assistant",
    ))
    assert request.messages[0].parts == [
        Thinking("sum", id="rs_1", encrypted="gAA:A=", summary=True, dialect="openai_responses"),
        Thinking("hm", "sig", dialect="gemini_generate"),
        Text("Calling.", signature="dGV4dA=="),
        ToolCall("call:1", "f", "{}", signature="Y2FsbA=="),
        Thinking(redacted="b3Bh", dialect="bedrock_converse"),
        Thinking("later"),
    ]
    # and none of it reaches Anthropic, which would refuse the signatures
    written: Any = DIALECT.write_request(request, Notes(), frozenset())["messages"]
    assert [block["type"] for block in written[0]["content"]] == ["text", "tool_use"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([
        "type", "text", "content", "role", "source", "data", "input", "id", "name", "tool_use_id", "thinking", "signature", "citations",
        "cache_control", "ttl", "url", "file_id", "title"]), inner, max_size=6),
    max_leaves=20,
)
KINDS = st.sampled_from(["text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use"])


ROLES = st.sampled_from(["user", "assistant", "system"])


@given(st.fixed_dictionaries({}, optional={
    name: JSON for name in ("model", "messages", "system", "max_tokens", "tools", "tool_choice", "thinking", "output_config", "metadata",
                            "stop_sequences", "stream", "container")
}), st.lists(st.tuples(ROLES, KINDS, JSON), max_size=4))
def test_no_body_makes_the_reader_stumble(body: dict[str, Any], blocks: list[tuple[str, str, Any]]) -> None:
    """Whatever a caller sends is read and written, or refused with a path; nothing else is raised."""
    if blocks:
        body["messages"] = [{"role": role, "content": [{
            "text": "x", "tool_use_id": "a", "id": "a", "name": "f", "data": "d", **(rest if isinstance(rest, dict) else {"input": rest}),
            "type": kind}]} for role, kind, rest in blocks]
    try:
        request = read(body)
        DIALECT.write_request(request, Notes(), frozenset({"bedrock", "no_output_format"}))
        request.dialect = "openai_chat"
        DIALECT.write_request(request, Notes(), frozenset())
    except GatewayError as refused:
        assert refused.code == "invalid_request" and str(refused.param).startswith("$")
