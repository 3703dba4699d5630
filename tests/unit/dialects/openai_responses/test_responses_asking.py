"""A request of another dialect is asked of a Responses provider with all that it can carry; the rest is named."""

from typing import Any

import pytest

from fastgw.dialects.canonical import (
    Cache,
    Media,
    Message,
    Native,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_responses import DIALECT

NAME = "openai_responses"
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
EMPTY = {"type": "object", "properties": {}}
CALL = ToolCall("c1", "f", '{"a": 1}')


def written(request: Request, *quirks: str) -> tuple[dict[str, Any], list[str]]:
    notes = Notes()
    body = DIALECT.write_request(request, notes, frozenset(quirks))
    return body, notes.dropped


def of(**fields: Any) -> Request:
    fields.setdefault("messages", [Message("user", [Text("hi")])])
    return Request("anthropic_messages", "m", **fields)


def items_of(*messages: Message, quirks: tuple[str, ...] = ()) -> tuple[list[Any], list[str]]:
    body, dropped = written(of(messages=list(messages)), *quirks)
    return body["input"], dropped


def test_nothing_is_left_behind_at_the_provider() -> None:
    """A request of another dialect says store: false, but where its caller asks for it."""
    assert written(of())[0] == {"model": "m", "input": [{"role": "user", "content": "hi"}], "store": False}
    assert written(of(store=True))[0]["store"] is True


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"stream": True, "max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "user": "u", "metadata": {"a": "b"}, "cache_key": "k"},
     {"stream": True, "max_output_tokens": 5, "temperature": 0.5, "top_p": 0.9, "user": "u", "metadata": {"a": "b"},
      "prompt_cache_key": "k"}),
    ({"logprobs": True, "top_logprobs": 2}, {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
    ({"service_tier": "priority", "verbosity": "low"}, {"service_tier": "priority", "text": {"verbosity": "low"}}),
    ({"reasoning": Reasoning("high", summary="detailed")},
     {"reasoning": {"effort": "high", "summary": "detailed"}, "include": ["reasoning.encrypted_content"]}),
    ({"reasoning": Reasoning(budget_tokens=500, show=True)},
     {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}),
    ({"reasoning": Reasoning(off=True)}, {"reasoning": {"effort": "none"}}),
    ({"output": OutputFormat("json_object")}, {"text": {"format": {"type": "json_object"}}}),
    ({"output": OutputFormat("json_schema", schema=SCHEMA)},
     {"text": {"format": {"type": "json_schema", "name": "output", "schema": SCHEMA}}}),
    # a function is strict here where it does not say otherwise: elsewhere it is not
    ({"tools": [Tool("f", "d", SCHEMA), Tool("g", strict=True), Tool("h", custom=True, grammar={"type": "grammar"})]},
     {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False, "description": "d"},
                {"type": "function", "name": "g", "parameters": EMPTY, "strict": True},
                {"type": "custom", "name": "h", "format": {"type": "grammar"}}]}),
    ({"tool_choice": ToolChoice("none")}, {"tool_choice": "none"}),
    ({"tool_choice": ToolChoice("named", ("f",))}, {"tool_choice": {"type": "function", "name": "f"}}),
    ({"tools": [Tool("h", custom=True)], "tool_choice": ToolChoice("named", ("h",))},
     {"tools": [{"type": "custom", "name": "h"}], "tool_choice": {"type": "custom", "name": "h"}}),
    ({"tool_choice": ToolChoice("named", ("f", "g"))},
     {"tool_choice": {"type": "allowed_tools", "mode": "required",
                      "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}]}}),
    ({"tool_choice": ToolChoice("auto", ("f",))},
     {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}}),
]


@pytest.mark.parametrize(("fields", "members"), FIELDS)
def test_fields_have_their_members(fields: dict[str, Any], members: dict[str, Any]) -> None:
    """Each field of a request is in the member that means the same, and nothing else is."""
    body, dropped = written(of(**fields))
    assert body == {"model": "m", "input": [{"role": "user", "content": "hi"}], "store": False} | members
    assert dropped == []


MESSAGES: list[tuple[list[Message], list[Any]]] = [
    ([Message("user", [Text("see"), Media("image", "aGk=", media_type="image/jpeg", detail="low"), Media("image", url="https://a.example/b")])],
     [{"role": "user", "content": [
         {"type": "input_text", "text": "see"},
         {"type": "input_image", "image_url": "data:image/jpeg;base64,aGk=", "detail": "low"},
         {"type": "input_image", "image_url": "https://a.example/b"}]}]),
    ([Message("user", [Media("document", "aGk=", media_type="application/pdf"), Media("document", url="https://a.example/b", name="b.pdf"),
                       Media("document", text="words", name="title"), Media("audio", "aGk=", media_type="audio/wav")])],
     [{"role": "user", "content": [
         {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,aGk="},
         {"type": "input_file", "file_url": "https://a.example/b", "filename": "b.pdf"},
         {"type": "input_text", "text": "title\n\nwords"},
         {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}]}]),
    ([Message("assistant", [Thinking("hm", "sig", dialect="anthropic_messages"), Text("a"), Text("b"), CALL, ToolCall("c2", "g", "")]),
      Message("user", [ToolResult("c1", parts=[Text("1")]), ToolResult("c2"), Text("more")])],
     [{"role": "assistant", "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]},
      {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
      {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "c1", "output": "1"},
      {"type": "function_call_output", "call_id": "c2", "output": ""},
      {"role": "user", "content": "more"}]),
    ([Message("assistant", [ToolCall("c1", "g", "free", True)]),
      Message("user", [ToolResult("c1", parts=[Text("a"), Media("image", url="https://a.example/b")])])],
     [{"type": "custom_tool_call", "call_id": "c1", "name": "g", "input": "free"},
      {"type": "custom_tool_call_output", "call_id": "c1", "output": [
          {"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://a.example/b"}]}]),
    # the thoughts of a provider of this dialect come back to it, those that it cannot use do not
    ([Message("assistant", [
        Thinking("a", id="rs_1", summary=True, dialect=NAME), Thinking("b", id="rs_1", encrypted="secret", summary=True, dialect=NAME),
        Thinking("raw", id="rs_2", dialect=NAME), Thinking("only a summary", id="rs_3", summary=True, dialect=NAME), Refusal("no")])],
     [{"type": "reasoning", "id": "rs_1", "encrypted_content": "secret", "summary": [
         {"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
      {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
      {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}]),
    ([Message("developer", [Text("be brief")]), Message("system", [Text("now")])],
     [{"role": "developer", "content": "be brief"}, {"role": "system", "content": "now"}]),
]


@pytest.mark.parametrize(("messages", "items"), MESSAGES)
def test_messages_are_items(messages: list[Message], items: list[Any]) -> None:
    """Each part of a message becomes the item, or the part of an item, that means the same."""
    assert items_of(*messages) == (items, [])


def test_first_words_of_the_system_are_instructions() -> None:
    """A first system message is `instructions`; a later one keeps its place."""
    said = [Message("system", [Text("a"), Text("b")]), Message("user", [Text("hi")]), Message("system", [Text("c")])]
    body, _ = written(of(messages=said))
    assert body["instructions"] == "a\n\nb"
    assert body["input"] == [{"role": "user", "content": "hi"}, {"role": "system", "content": "c"}]


def test_encrypted_thoughts_ask_for_more() -> None:
    """Where the history has encrypted thoughts, or the provider's models think unasked, the next ones are asked for."""
    thoughts = of(messages=[Message("assistant", [Thinking(id="rs", encrypted="e", dialect=NAME)])])
    assert written(thoughts)[0]["include"] == ["reasoning.encrypted_content"]
    assert written(of(), "encrypted_reasoning")[0]["include"] == ["reasoning.encrypted_content"]


def test_calls_stand_right_before_their_results_where_the_provider_wants_it() -> None:
    """With calls_last, what the model said between its calls goes before them."""
    turn = Message("assistant", [Text("a"), CALL, Text("b"), ToolCall("c2", "f", "{}")])
    items, _ = items_of(turn, quirks=("calls_last",))
    assert [item.get("type", item.get("role")) for item in items] == ["assistant", "function_call", "function_call"]
    assert [part["text"] for part in items[0]["content"]] == ["a", "b"]


NOTED: list[tuple[dict[str, Any], list[str]]] = [
    ({"top_k": 5, "seed": 1, "stop": ["x"], "presence_penalty": 1.0, "frequency_penalty": 1.0, "logit_bias": {"1": 2.0}, "choices": 2},
     ["top_k", "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "n"]),
    ({"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}, ["modalities", "audio"]),
    ({"choices": 1, "modalities": ["text"], "presence_penalty": 0.0}, []),
    ({"service_tier": "standard_only"}, ["service_tier"]),
    ({"tools": [Tool("f", cache=Cache()), Tool("w", native=Native("anthropic_messages", {"type": "web_search_20250305"}))]},
     ["tools[0].cache_control", "tools[1]"]),
]
NOTED_PARTS: list[tuple[Part, str]] = [
    (Media("video", url="https://a.example/b"), ""),
    (Media("image", file_id="file_of_another"), ""),
    (Media("audio", "aGk=", media_type="audio/flac"), ""),
    (Media("document", text="words", citations=True), ".citations"),
    (Text("hi", cache=Cache()), ".cache_control"),
    (ToolResult("c", parts=[Text("1")], is_error=True), ".is_error"),
    (Native("anthropic_messages", {"type": "search_result"}), ""),
]


@pytest.mark.parametrize(("fields", "names"), NOTED)
def test_what_has_no_member_is_named(fields: dict[str, Any], names: list[str]) -> None:
    """What Responses lacks is named in the notes, and what changes nothing is not."""
    assert written(of(**fields))[1] == names


@pytest.mark.parametrize(("part", "member"), NOTED_PARTS)
def test_what_has_no_part_is_named(part: Part, member: str) -> None:
    """A part, or what it says beside its words, that Responses lacks is named with its place."""
    assert items_of(Message("user", [Text("a")]), Message("user", [part]))[1] == [f"messages[1].content[0]{member}"]


def test_cache_control_passes_where_the_provider_has_it() -> None:
    """With cache_breakpoints, cache control is a breakpoint."""
    items, dropped = items_of(Message("user", [Text("hi", cache=Cache("1h"))]), quirks=("cache_breakpoints",))
    assert dropped == []
    assert items[0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}


def test_members_of_both_openai_dialects_pass() -> None:
    """What chat completions and responses call the same passes from one to the other."""
    said = [Message("user", [Media("image", file_id="file-1")])]
    body, _ = written(Request("openai_chat", "m", said, extra={"safety_identifier": "u", "x": 1}))
    assert body["safety_identifier"] == "u"
    assert "x" not in body
    assert body["input"][0]["content"] == [{"type": "input_image", "file_id": "file-1"}]
