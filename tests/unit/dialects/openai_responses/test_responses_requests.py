"""What a caller of the Responses API asks for is read whole, with the path of what is wrong; and what cannot go elsewhere is refused."""

from typing import Any

import pytest

from fastgw.dialects.canonical import (
    Cache,
    Citation,
    Media,
    Message,
    Native,
    OutputFormat,
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
from fastgw.errors import GatewayError

NAME = "openai_responses"
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}


def read(**body: Any) -> Request:
    assert DIALECT.read_request is not None
    return DIALECT.read_request({"input": "hi", **body}, "m", False)


def native(**value: object) -> Native:
    return Native(NAME, value)


ITEMS: list[tuple[list[dict[str, Any]], list[Message]]] = [
    ([{"role": "user", "content": "hi"}], [Message("user", [Text("hi")])]),
    ([{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]}],
     [Message("developer", [Text("be brief")])]),
    ([{"role": "system", "content": "s", "id": "msg_1"}], [Message("system", [Text("s")], id="msg_1")]),
    ([{"role": "user", "content": [
        {"type": "input_text", "text": "see", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "high"},
        {"type": "input_image", "image_url": "https://a.example/b.png"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
        {"type": "input_hologram", "hologram": 1},
    ]}], [Message("user", [
        Text("see", cache=Cache()),
        Media("image", "aGk=", media_type="image/png", detail="high"),
        Media("image", url="https://a.example/b.png"),
        Media("image", file_id="file-1"),
        Media("document", "aGk=", media_type="application/pdf", name="a.pdf"),
        Media("document", url="https://a.example/b.pdf"),
        Media("audio", "aGk=", media_type="audio/mpeg"),
        native(content_part={"type": "input_hologram", "hologram": 1}),
    ])]),
    # one turn of the model's: a thought, words, calls; then the results together
    ([
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
         "encrypted_content": "secret"},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary", "content": [
            {"type": "output_text", "text": "look", "annotations": [
                {"type": "url_citation", "start_index": 0, "end_index": 4, "url": "https://a.example", "title": "A"}]},
            {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}', "namespace": "n"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free text"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [
            {"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "https://a.example/b.png"}]},
    ], [
        Message("assistant", [
            Thinking("a", id="rs_1", summary=True, dialect=NAME),
            Thinking("b", id="rs_1", encrypted="secret", summary=True, dialect=NAME),
            Text("look", [Citation(0, 4, "https://a.example", "A", dialect=NAME, native={
                "type": "url_citation", "start_index": 0, "end_index": 4, "url": "https://a.example", "title": "A"})],
                native=native(id="msg_1", status="completed", phase="commentary")),
            Refusal("no", native(id="msg_1", status="completed", phase="commentary")),
            ToolCall("c1", "f", '{"a":1}', native=native(id="fc_1", namespace="n")),
            ToolCall("c2", "g", "free text", True, native=native()),
        ]),
        Message("user", [
            ToolResult("c1", "f", [Text("1")], native=native()),
            ToolResult("c2", "g", [Text("see"), Media("image", url="https://a.example/b.png")], custom=True, native=native()),
        ]),
    ]),
    # words that are raw, and a thought without any
    ([{"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
      {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "secret"}],
     [Message("assistant", [Thinking("raw", id="rs_1", dialect=NAME), Thinking(id="rs_2", encrypted="secret", dialect=NAME)])]),
    # proofs of other dialects
    ([{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
       "encrypted_content": "fastgw:1:anthropic_messages:thinking:c2ln"},
      {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "fastgw:1:anthropic_messages:redacted:b3BhcXVl"},
      {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "fastgw:1:gemini_generate:call:c:1:c2ln"},
      {"type": "function_call", "call_id": "c:1", "name": "f", "arguments": "{}"},
      {"role": "assistant", "content": "so"},
      {"type": "reasoning", "id": "rs_4", "summary": [], "encrypted_content": "fastgw:1:gemini_generate:text:c2ln"},
      {"type": "reasoning", "id": "rs_5", "summary": [], "encrypted_content": "fastgw:1:gemini_generate:call:c:1:bGF0ZXI="}],
     [Message("assistant", [
         Thinking("hm", "c2ln", dialect="anthropic_messages"),
         Thinking(redacted="b3BhcXVl", dialect="anthropic_messages"),
         ToolCall("c:1", "f", "{}", signature="bGF0ZXI=", native=native()),
         Text("so", signature="c2ln", native=native()),
     ])]),
    # what only the provider knows
    ([{"type": "web_search_call", "id": "ws_1", "status": "completed"}, {"type": "computer_call_output", "call_id": "c", "output": {}},
      {"type": "image_generation_call", "id": "ig_1", "result": "aGk="}],
     [Message("assistant", [native(type="web_search_call", id="ws_1", status="completed")]),
      Message("user", [native(type="computer_call_output", call_id="c", output={})]),
      Message("assistant", [Media("image", "aGk=", media_type="image/png", native=native(id="ig_1"))])]),
]


@pytest.mark.parametrize(("items", "messages"), ITEMS)
def test_items_are_messages(items: list[dict[str, Any]], messages: list[Message]) -> None:
    """Each kind of item becomes a part of the message that it belongs to."""
    assert read(input=items).messages == messages


def test_words_of_one_item_are_told_from_those_of_another() -> None:
    """Two messages of one turn stay two when they are written again."""
    items = [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]
    request = read(input=items)
    assert [part.text for part in request.messages[0].parts if isinstance(part, Text)] == ["a", "b"]
    assert DIALECT.write_request(request, Notes(), frozenset())["input"] == items


MEMBERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"instructions": "be brief"}, {"messages": [Message("system", [Text("be brief")]), Message("user", [Text("hi")])]}),
    ({"model": "gpt-5", "stream": True}, {"model": "gpt-5", "stream": True}),
    ({"max_output_tokens": 5, "temperature": 0.5, "top_p": 1, "top_logprobs": 2},
     {"max_tokens": 5, "temperature": 0.5, "top_p": 1, "top_logprobs": 2, "logprobs": True}),
    ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
    ({"store": True, "prompt_cache_key": "k", "service_tier": "flex", "metadata": {"a": "b"}, "parallel_tool_calls": False},
     {"store": True, "cache_key": "k", "service_tier": "flex", "metadata": {"a": "b"}, "parallel_tool_calls": False}),
    ({"safety_identifier": "u"}, {"user": "u"}),
    ({"reasoning": {"effort": "high", "summary": "detailed"}}, {"reasoning": Reasoning("high", show=True, summary="detailed")}),
    ({"reasoning": {"effort": "none"}}, {"reasoning": Reasoning(off=True)}),
    ({"reasoning": {"effort": "low", "context": "all_turns"}},
     {"reasoning": Reasoning("low"), "extra": {"reasoning": {"context": "all_turns"}}}),
    ({"text": {"format": {"type": "json_object"}, "verbosity": "low"}}, {"output": OutputFormat("json_object"), "verbosity": "low"}),
    ({"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True, "description": "d"}}},
     {"output": OutputFormat("json_schema", "n", "d", SCHEMA, True)}),
    ({"text": {"format": {"type": "text"}}}, {"output": None}),
    ({"tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
        {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}},
        {"type": "custom", "name": "h", "format": {"type": "text"}},
        {"type": "web_search", "search_context_size": "low"},
        {"type": "mcp", "server_label": "wiki", "server_url": "https://a.example"}]},
     {"tools": [
         Tool("f", "d", SCHEMA, True),
         Tool("g", custom=True, grammar={"type": "grammar", "syntax": "regex", "definition": "a+"}),
         Tool("h", custom=True),
         Tool("web_search", native=native(type="web_search", search_context_size="low")),
         Tool("wiki", native=native(type="mcp", server_label="wiki", server_url="https://a.example"))]}),
    ({"tool_choice": "required"}, {"tool_choice": ToolChoice("required")}),
    ({"tool_choice": {"type": "function", "name": "f"}}, {"tool_choice": ToolChoice("named", ("f",))}),
    ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
     {"tool_choice": ToolChoice("auto", ("f",))}),
    ({"tool_choice": {"type": "web_search"}}, {"tool_choice": None, "extra": {"tool_choice": {"type": "web_search"}}}),
    ({"truncation": "auto", "max_tool_calls": 3, "later": {"a": 1}},
     {"extra": {"truncation": "auto", "max_tool_calls": 3, "later": {"a": 1}}}),
    ({"truncation": "disabled", "include": [], "background": False, "previous_response_id": None, "stream_options": {}},
     {"extra": {}, "bound": {}}),
]


@pytest.mark.parametrize(("body", "fields"), MEMBERS)
def test_members_have_their_places(body: dict[str, Any], fields: dict[str, Any]) -> None:
    """Each member of the body is in the field that means the same, and unknown ones in extra."""
    request = read(**body)
    assert {name: getattr(request, name) for name in fields} == fields


BOUND: list[tuple[dict[str, Any], str]] = [
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"conversation": {"id": "conv_1"}, "input": None}, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"background": True}, "background"),
    ({"input": [{"role": "user", "content": "hi"}, {"type": "item_reference", "id": "msg_1"}]}, "input[1]"),
    ({"input": [{"id": "msg_1"}]}, "input[0]"),
]


@pytest.mark.parametrize(("body", "name"), BOUND)
def test_what_a_provider_keeps_is_bound_to_it(body: dict[str, Any], name: str) -> None:
    """A conversation, a template or an item that only the provider has is named as bound, with the reason."""
    assert [*read(**body).bound] == [name]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"input": None}, "$.input"),
    ({"input": 5}, "$.input"),
    ({"input": ["hi"]}, "$.input[0]"),
    ({"input": [{"content": "hi"}]}, "$.input[0].role"),
    ({"input": [{"role": "robot", "content": "hi"}]}, "$.input[0].role"),
    ({"input": [{"role": "user"}]}, "$.input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "$.input[0].content[0].text"),
    ({"input": [{"role": "user", "content": [{"text": "hi"}]}]}, "$.input[0].content[0].type"),
    ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "$.input[0].content[0]"),
    ({"input": [{"role": "user", "content": [{"type": "input_file", "filename": "a"}]}]}, "$.input[0].content[0]"),
    ({"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"format": "wav"}}]}]},
     "$.input[0].content[0].input_audio.data"),
    ({"input": [{"type": 5}]}, "$.input[0].type"),
    ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}, "$.input[0].arguments"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "$.input[0].call_id"),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": 5}]}, "$.input[0].output"),
    ({"input": [{"type": "reasoning", "id": "rs", "summary": ["hm"]}]}, "$.input[0].summary[0]"),
    ({"input": [{"type": "reasoning", "id": "rs", "encrypted_content": 5}]}, "$.input[0].encrypted_content"),
    ({"instructions": ["hi"]}, "$.instructions"),
    ({"max_output_tokens": "5"}, "$.max_output_tokens"),
    ({"stream": "yes"}, "$.stream"),
    ({"tools": {}}, "$.tools"),
    ({"tools": [{"type": "function"}]}, "$.tools[0].name"),
    ({"tools": [{"name": "f"}]}, "$.tools[0].type"),
    ({"tools": [{"type": "function", "name": "f", "parameters": "{}"}]}, "$.tools[0].parameters"),
    ({"tool_choice": "any"}, "$.tool_choice"),
    ({"tool_choice": 5}, "$.tool_choice"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "none", "tools": []}}, "$.tool_choice.mode"),
    ({"tool_choice": {"type": "function"}}, "$.tool_choice.name"),
    ({"metadata": {"a": 1}}, "$.metadata.a"),
    ({"reasoning": "high"}, "$.reasoning"),
    ({"text": {"format": {"type": "xml"}}}, "$.text.format.type"),
    ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "$.text.format.schema"),
]


@pytest.mark.parametrize(("body", "path"), WRONG)
def test_a_wrong_field_is_named_by_its_path(body: dict[str, Any], path: str) -> None:
    """What is of another type, missing or none of the words that are known is an InvalidRequest that says where."""
    with pytest.raises(GatewayError) as caught:
        read(**body)
    assert (caught.value.code, caught.value.param) == ("invalid_request", path)
    assert path in caught.value.message
