"""What clients of other dialects ask is fitted to what Anthropic's API and its models take; what cannot be is noted."""

from typing import Any

import pytest

from fastgw.dialects.anthropic_messages import DIALECT
from fastgw.dialects.anthropic_messages.tools import JSON_OBJECT
from fastgw.dialects.anthropic_messages.turns import BEGINNING
from fastgw.dialects.canonical import (
    Cache,
    Citation,
    Media,
    MediaKind,
    Message,
    Native,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from fastgw.dialects.notes import Notes
from fastgw.errors import GatewayError

HI = [Message("user", [Text("Hi")])]
TOOL = Tool("f", "d", {"type": "object", "properties": {}})
SCHEMA: dict[str, object] = {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}


def write(messages: list[Message], model: str = "claude-sonnet-4-5", quirks: str = "", **fields: Any) -> tuple[Any, list[str]]:
    """The body for the provider, and what was noted."""
    notes = Notes()
    fields.setdefault("max_tokens", 8000)
    body = DIALECT.write_request(Request("openai_chat", model, messages, **fields), notes, frozenset(quirks.split()))
    return body, notes.dropped


def say(role: Role, *parts: Part | str) -> Message:
    return Message(role, [Text(part) if isinstance(part, str) else part for part in parts])


def test_turns_alternate_with_results_first() -> None:
    """Messages of one role are one turn, results of tools stand before words, and no text is empty."""
    body, dropped = write([
        say("system", "One."), say("user", "a"), say("user", "b", " "),
        say("assistant", "Let me see.", ToolCall("call_1", "f", '{"x": 1}'), ToolCall("call_2", "f", "")),
        say("user", ToolResult("call_1", parts=[Text("1")])), say("user", "and?", ToolResult("call_2", is_error=True)),
        say("developer", "Two."), say("assistant", ""), say("assistant", "So: \n"),
    ])
    assert body["system"] == [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "call_2", "name": "f", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "1"},
            {"type": "tool_result", "tool_use_id": "call_2", "is_error": True},
            {"type": "text", "text": "and?"},
        ]},
        {"role": "assistant", "content": "So:"},
    ]
    assert dropped == []


def test_conversation_begins_with_a_user() -> None:
    """A conversation that an assistant begins, or that has only a system prompt, gets a user's turn before it."""
    body, _ = write([say("system", "Greet."), say("assistant", "Hello!"), say("user", "Hi")])
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert write([say("system", "Greet.")])[0]["messages"] == [{"role": "user", "content": BEGINNING}]


def test_thoughts_and_citations_of_others_are_left_out_silently() -> None:
    """Proofs that Anthropic did not make stay away from it, and a conversation that changes models is not noted."""
    body, dropped = write([say("user", "?"), say(
        "assistant", Thinking("hm", "sig", dialect="gemini_generate"), Thinking("no proof", dialect="anthropic_messages"),
        Thinking("mine", "Eo==", dialect="anthropic_messages"), Refusal("I won't."),
        Text("a", [Citation(url="https://a.example")], signature="c2ln"),
        Text("b", [Citation(dialect="anthropic_messages", native={"type": "char_location", "cited_text": "c"})]),
    ), say("user", "!")])
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "mine", "signature": "Eo=="}, {"type": "text", "text": "I won't."}, {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "citations": [{"type": "char_location", "cited_text": "c"}]},
    ]
    assert dropped == []


@pytest.mark.parametrize(("part", "source"), [
    (Media("image", data="iVBORw0KGgo="), {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}),
    (Media("image", data="/9j/4AAQ", media_type="image/jpg"), {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"}),
    (Media("image", url="data:image/webp;base64,UklGRg=="), {"type": "base64", "media_type": "image/webp", "data": "UklGRg=="}),
    (Media("image", url="https://a.example/b.png"), {"type": "url", "url": "https://a.example/b.png"}),
    (Media("document", data="JVBERi0="), {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}),
    (Media("document", data="eA==", name="a.PDF"), {"type": "base64", "media_type": "application/pdf", "data": "eA=="}),
    (Media("document", url="data:text/csv,a%2Cb"), {"type": "text", "media_type": "text/plain", "data": "a,b"}),
    (Media("document", data="eyJhIjoxfQ==", media_type="application/json"),
     {"type": "text", "media_type": "text/plain", "data": '{"a":1}'}),
    (Media("document", text="words"), {"type": "text", "media_type": "text/plain", "data": "words"}),
])
def test_media_become_sources(part: Media, source: dict[str, Any]) -> None:
    """Images and documents are sent in a form that the API takes, whichever way the caller gave them."""
    body, dropped = write([say("user", part)])
    assert body["messages"][0]["content"][0]["source"] == source and dropped == []


@pytest.mark.parametrize(("part", "quirks"), [
    (Media("audio", data="UklGRg=="), ""),
    (Media("video", url="https://a.example"), ""),
    (Media("image", file_id="file-of-openai"), ""),
    (Media("image", url="https://a.example/b.png"), "bedrock"),
    (Media("document", url="https://a.example/b.pdf"), "vertex"),
    (Media("document", data="UEsDBA==", media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document"), ""),
    (Media("document", data="//8=", media_type="text/plain"), ""),
    (Native("openai_responses", {"type": "item_reference"}), ""),
])
def test_what_has_no_block_is_noted(part: Part, quirks: str) -> None:
    """A part that the API or the platform has nothing for is named and left out, and the rest goes."""
    body, dropped = write([say("user", "Hi", part)], quirks=quirks)
    assert dropped == ["messages[0].content[1]"] and body["messages"] == [{"role": "user", "content": "Hi"}]


def test_documents_keep_what_is_said_of_them() -> None:
    """Title, context, citations and caching of a document arrive, as do images in the result of a tool."""
    part = Media("document", text="w", name="T", context="C", citations=True, cache=Cache("1h"))
    result = ToolResult("c1", parts=[Text("see"), Media("image", data="iVBORw0KGgo=")], cache=Cache())
    body, _ = write([say("user", part), say("assistant", ToolCall("c1", "f", "{}")), say("user", result)])
    assert body["messages"][0]["content"] == [{
        "type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "w"}, "title": "T", "context": "C",
        "citations": {"enabled": True}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    written = body["messages"][2]["content"][0]
    assert [block["type"] for block in written["content"]] == ["text", "image"] and written["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(("kind", "role"), [("image", "assistant"), ("document", "system")])
def test_media_stand_only_in_a_users_turn(kind: MediaKind, role: Role) -> None:
    """The API takes images and documents from users only."""
    assert write([say("user", "Hi"), say(role, "x", Media(kind, data="iVBORw0KGgo="))])[1] == ["messages[1].content[1]"]


THINKING = [
    # model, reasoning, max_tokens: thinking, effort, whether it is noted
    ("claude-opus-5", Reasoning("medium"), 8000, {"type": "adaptive"}, "medium", False),
    ("claude-opus-4-6", Reasoning("xhigh"), 8000, {"type": "adaptive"}, "max", False),
    ("us.anthropic.claude-opus-4-7-v1:0", Reasoning("xhigh"), 8000, {"type": "adaptive"}, "xhigh", False),
    ("claude-sonnet-5", Reasoning("minimal", show=True), 8000, {"type": "adaptive", "display": "summarized"}, "low", False),
    ("claude-sonnet-5", Reasoning(budget_tokens=9000), 8000, {"type": "adaptive"}, "medium", False),
    ("claude-sonnet-5", Reasoning(off=True), 8000, {"type": "disabled"}, None, False),
    ("claude-fable-5", Reasoning(off=True), 8000, None, "low", True),
    ("claude-sonnet-4-5", Reasoning("low"), 8000, {"type": "enabled", "budget_tokens": 2048}, None, False),
    ("claude-sonnet-4-20250514", Reasoning("high"), 8000, {"type": "enabled", "budget_tokens": 6400}, None, False),
    ("claude-3-7-sonnet-latest", Reasoning(), 20000, {"type": "enabled", "budget_tokens": 8192}, None, False),
    ("claude-haiku-4-5", Reasoning(budget_tokens=512), 8000, {"type": "enabled", "budget_tokens": 1024}, None, False),
    ("claude-haiku-4-5", Reasoning(budget_tokens=9000), 8000, {"type": "enabled", "budget_tokens": 6400}, None, False),
    ("claude-haiku-4-5", Reasoning("high"), 1000, None, None, True),
    ("claude-haiku-4-5", Reasoning("none"), 8000, None, None, False),
    ("claude-3-5-sonnet-20241022", Reasoning("high"), 8000, None, None, True),
    ("kimi-k3", Reasoning("low"), 8000, {"type": "enabled", "budget_tokens": 2048}, None, False),
]


@pytest.mark.parametrize(("model", "reasoning", "limit", "thinking", "effort", "is_noted"), THINKING)
def test_effort_is_what_the_model_takes(
    model: str, reasoning: Reasoning, limit: int, thinking: Any, effort: str | None, is_noted: bool
) -> None:
    """An effort or a budget becomes the one that the model knows, within its limits."""
    body, dropped = write(HI, model, reasoning=reasoning, max_tokens=limit)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    assert dropped == (["reasoning_effort"] if is_noted else []) and body["max_tokens"] == limit


def test_budget_of_an_own_client_stays_below_what_admission_allows() -> None:
    """Where the gateway lowered max_tokens, the budget of an Anthropic client follows, or there is no thinking."""
    request = Request("anthropic_messages", "claude-sonnet-4-5", HI, max_tokens=5000, reasoning=Reasoning(budget_tokens=9000))
    request.echo = {"thinking": {"type": "enabled", "budget_tokens": 9000}}
    assert DIALECT.write_request(request, Notes(), frozenset())["thinking"] == {"type": "enabled", "budget_tokens": 4000}
    request.max_tokens, notes = 1100, Notes()
    assert "thinking" not in DIALECT.write_request(request, notes, frozenset()) and notes.dropped == ["reasoning_effort"]


@pytest.mark.parametrize(("model", "fields", "written", "dropped"), [
    ("claude-3-5-haiku-latest", {"temperature": 1.5, "top_p": 0.9, "top_k": 3}, {"temperature": 1.0, "top_p": 0.9, "top_k": 3},
     ["temperature"]),
    ("claude-sonnet-4-5", {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ["top_p"]),
    ("claude-sonnet-4-5", {"temperature": 0.5, "top_p": 1}, {"temperature": 0.5}, []),
    ("claude-sonnet-4-5", {"top_p": 0.9}, {"top_p": 0.9}, []),
    ("claude-opus-4-7", {"temperature": 0.5, "top_p": 0.9, "top_k": 3}, {}, ["temperature", "top_p", "top_k"]),
    ("claude-opus-4-7", {"temperature": 1, "top_p": 1}, {}, []),
    ("claude-sonnet-4-5", {"temperature": 0.5, "top_p": 0.5, "top_k": 3, "reasoning": Reasoning("low")}, {},
     ["temperature", "top_p", "top_k"]),
    ("claude-sonnet-4-5", {"temperature": 1, "top_p": 0.97, "reasoning": Reasoning("low")}, {"top_p": 0.97}, []),
])
def test_sampling_is_what_the_model_takes(model: str, fields: dict[str, Any], written: dict[str, Any], dropped: list[str]) -> None:
    """Temperatures end at 1, and what a model refuses beside thinking, or at all, is noted and left out."""
    body, noted = write(HI, model, **fields)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == written and noted == dropped


def test_one_sampling_quirk_leaves_the_second_out() -> None:
    """A row may say that of temperature and top_p only one is taken, where a model's name does not."""
    assert write(HI, "glm-5", "one_sampling", temperature=0.5, top_p=0.9)[1] == ["top_p"]


@pytest.mark.parametrize(("choice", "parallel", "written"), [
    (None, None, None),
    (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
    (ToolChoice("auto"), True, {"type": "auto"}),
    (ToolChoice("none"), False, {"type": "none"}),
    (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
    (ToolChoice("named", ("f",)), None, {"type": "tool", "name": "f"}),
    (ToolChoice("named", ("f", "g")), None, {"type": "any"}),
])
def test_tool_choice_is_written(choice: ToolChoice | None, parallel: bool | None, written: Any) -> None:
    """Which tool the model may or must call, and whether several at once."""
    body, _ = write(HI, tools=[TOOL, Tool("g"), Tool("h")], tool_choice=choice, parallel_tool_calls=parallel)
    assert body.get("tool_choice") == written
    names = [tool["name"] for tool in body["tools"]]
    assert names == [name for name in ("f", "g", "h") if choice is None or not choice.names or name in choice.names]


def test_forced_tools_and_thinking() -> None:
    """A budget of thinking gives way to a forced tool; a model that takes no forced tool is left to choose."""
    body, dropped = write(HI, tools=[TOOL], tool_choice=ToolChoice("required"), reasoning=Reasoning("low"))
    assert "thinking" not in body and dropped == ["reasoning_effort"]
    body, dropped = write(HI, "claude-opus-5", tools=[TOOL], tool_choice=ToolChoice("required"), reasoning=Reasoning("low"))
    assert body["thinking"] == {"type": "adaptive"} and body["tool_choice"] == {"type": "any"} and dropped == []
    body, dropped = write(HI, "claude-fable-5-1", tools=[TOOL], tool_choice=ToolChoice("required"))
    assert body["tool_choice"] == {"type": "auto"} and dropped == ["tool_choice"]


CALLED = [say("user", "?"), say("assistant", ToolCall("c", "f", "{}")), say("user", ToolResult("c", parts=[Text("r")]))]


def test_thinking_within_a_budget_needs_the_thought_before() -> None:
    """A model that is to go on after calls whose thought another dialect did not keep does not think; others do."""
    thought = say("assistant", Thinking("hm", "Eo==", dialect="anthropic_messages"), ToolCall("c", "f", "{}"))
    for messages, model, thinks in (
        (CALLED, "claude-sonnet-4-5", False),
        (CALLED[:1] + [thought] + CALLED[2:], "claude-sonnet-4-5", True),
        ([*CALLED, say("assistant", "So")], "claude-sonnet-4-5", False),
        ([*CALLED, say("assistant", "So"), say("user", "And?")], "claude-sonnet-4-5", True),
        (CALLED, "claude-opus-5", True),
    ):
        body, dropped = write(messages, model, tools=[TOOL], reasoning=Reasoning("low"))
        assert ("thinking" in body) is thinks and dropped == ([] if thinks else ["reasoning_effort"])


def test_called_tools_are_declared() -> None:
    """A conversation with calls names their tools even where the caller does so no more, and none may be called."""
    body, _ = write(CALLED)
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}


def test_tools_are_written() -> None:
    """Schemas pass unchanged; strict only where the model has it; free text becomes one argument; tools of others are noted."""
    grammar: dict[str, object] = {"syntax": "lark", "definition": "start: /a+/"}
    tools = [
        Tool("f", "d", SCHEMA, True, Cache()), Tool("ns.g:1"), Tool("h", parameters={"properties": {}}, strict=False),
        Tool("patch", "Edit.", custom=True, grammar=grammar), Tool("search", native=Native("openai_responses", {"type": "web_search"})),
    ]
    body, dropped = write(HI, tools=tools)
    assert body["tools"] == [
        {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True, "cache_control": {"type": "ephemeral"}},
        {"name": "ns_x2e_g_x3a_1", "input_schema": {"type": "object", "properties": {}}},
        {"name": "h", "input_schema": {"type": "object", "properties": {}}},
        {"name": "fastgw_text_patch",
         "input_schema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
         "description": 'Edit.\n\nThe input must be a text of this grammar: {"syntax":"lark","definition":"start: /a+/"}'},
    ]
    assert dropped == ["tools[4]"]
    assert write(HI, "claude-sonnet-4-0", tools=tools[:1])[1] == ["tools[0].strict"]
    assert write(HI, tools=[Tool(f"t{number}", strict=True) for number in range(21)])[1][0] == "tools[0].strict"


def test_calls_in_the_conversation_have_fitting_names_and_ids() -> None:
    """Ids are changed the same way in a call and its result, and calls of free text say it as their argument."""
    body, _ = write([
        say("user", "?"), say("assistant", ToolCall("call:1|x", "ns.g", "{}"), ToolCall("c2", "patch", "*** a", custom=True)),
        say("user", ToolResult("call:1|x", parts=[Text("r")]), ToolResult("c2", parts=[Text("r")], custom=True)),
    ])
    first, second = body["messages"][1]["content"]
    assert first["name"] == "ns_x2e_g" and first["id"].startswith("call_1_x_")
    assert body["messages"][2]["content"][0]["tool_use_id"] == first["id"] != "call_1_x"
    assert second == {"type": "tool_use", "id": "c2", "name": "fastgw_text_patch", "input": {"input": "*** a"}}


@pytest.mark.parametrize("arguments", ["[1]", "{", "nothing", '"x"'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    """Anthropic's input is an object: a call in the conversation with other arguments is an invalid request at its path."""
    with pytest.raises(GatewayError) as caught:
        write([say("user", "?"), say("assistant", ToolCall("c", "f", arguments))])
    assert (caught.value.code, caught.value.param) == ("invalid_request", "$.messages[1].content[0].arguments")


def test_names_that_are_too_long_are_refused() -> None:
    """A tool's name has at most 128 characters."""
    with pytest.raises(GatewayError) as caught:
        write(HI, tools=[Tool("f" * 129)])
    assert caught.value.param == "$.tools[0].name"


def test_json_object_is_asked_for_in_words() -> None:
    """The API has no such mode: the system prompt ends with the demand."""
    body, dropped = write([say("system", "Be brief."), *HI], output=OutputFormat("json_object"))
    assert body["system"] == [{"type": "text", "text": "Be brief."}, {"type": "text", "text": JSON_OBJECT}] and dropped == []


def test_schema_is_an_output_format() -> None:
    """A schema goes to output_config.format, closed as Anthropic demands, beside the effort."""
    body, _ = write(HI, "claude-opus-5", output=OutputFormat("json_schema", "n", "D", SCHEMA), reasoning=Reasoning("high"))
    closed = {"description": "D", "type": "object", "additionalProperties": False, "properties": {
        "a": {"type": "object", "properties": {}, "additionalProperties": False}}}
    assert body["output_config"] == {"effort": "high", "format": {"type": "json_schema", "schema": closed}}
    free = {**SCHEMA, "additionalProperties": {"type": "string"}}
    assert write(HI, output=OutputFormat("json_schema", schema=free))[0]["output_config"]["format"]["schema"][
        "additionalProperties"] == {"type": "string"}


@pytest.mark.parametrize(("model", "quirks", "fields", "choice"), [
    ("claude-sonnet-4-0", "", {}, {"type": "tool", "name": "fastgw_output_n"}),
    ("claude-sonnet-4-5", "bedrock no_output_format", {}, {"type": "tool", "name": "fastgw_output_n"}),
    ("claude-sonnet-4-0", "", {"tools": [TOOL]}, {"type": "any"}),
    ("claude-sonnet-4-0", "", {"tools": [TOOL], "parallel_tool_calls": False}, {"type": "any", "disable_parallel_tool_use": True}),
    ("claude-sonnet-4-0", "", {"tools": [TOOL], "tool_choice": ToolChoice("required")}, {"type": "any"}),
    ("claude-sonnet-4-0", "", {"tools": [TOOL], "tool_choice": ToolChoice("none")}, {"type": "tool", "name": "fastgw_output_n"}),
    ("claude-sonnet-4-0", "", {"reasoning": Reasoning("low")}, None),
])
def test_schema_is_a_forced_tool_where_there_is_no_format(model: str, quirks: str, fields: dict[str, Any], choice: Any) -> None:
    """Models and platforms without structured outputs get a tool of the schema, which the model must call, or is asked to."""
    body, _ = write(HI, model, quirks, output=OutputFormat("json_schema", "n", "D", SCHEMA), **fields)
    assert body["tools"][-1] == {"name": "fastgw_output_n", "description": "D", "input_schema": SCHEMA}
    assert body.get("tool_choice") == choice and "output_config" not in body
    assert ("system" in body) is (choice is None)


def test_schema_that_is_no_object_is_asked_for_in_words() -> None:
    """No tool has an array for its arguments."""
    body, _ = write(HI, "claude-sonnet-4-0", output=OutputFormat("json_schema", schema={"type": "array"}))
    assert '{"type":"array"}' in body["system"] and "tools" not in body


def test_platforms_have_bodies_of_their_own() -> None:
    """AWS and Google name the model in the path and the version in the body; AWS also the stream."""
    body, _ = write(HI, quirks="bedrock", stream=True)
    assert body["anthropic_version"] == "bedrock-2023-05-31" and not {"model", "stream"} & body.keys()
    body, _ = write(HI, quirks="vertex", stream=True)
    assert body["anthropic_version"] == "vertex-2023-10-16" and "model" not in body and body["stream"] is True
    request, notes = Request("anthropic_messages", "claude-opus-5", HI), Notes()
    request.extra = {"anthropic_beta": ["a"], "container": "c", "context_management": {}}
    body = DIALECT.write_request(request, notes, frozenset({"bedrock"}))
    request.extra = {"anthropic_beta": "a,b"}
    assert DIALECT.write_request(request, Notes(), frozenset({"vertex"}))["anthropic_beta"] == ["a", "b"]
    assert body["anthropic_beta"] == ["a"] and body["context_management"] == {} and notes.dropped == ["container"]


def test_what_the_api_has_not_is_noted() -> None:
    """Settings of other dialects are named where they say something, and pass unnoted where they do not."""
    _, dropped = write(
        HI, seed=1, presence_penalty=0.5, frequency_penalty=0.5, logit_bias={"1": 2.0}, logprobs=True, top_logprobs=2, choices=2,
        metadata={"a": "b"}, verbosity="low", modalities=["text", "audio"], audio={"voice": "x"}, store=True, cache_key="k",
        service_tier="flex", stop=["END", "\n"],
    )
    assert dropped == [
        "stop", "service_tier", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "n", "metadata",
        "verbosity", "modalities", "audio", "store", "prompt_cache_key"]
    body, dropped = write(
        HI, presence_penalty=0.0, logprobs=False, choices=1, modalities=["text"], store=False, service_tier="default", user="u")
    assert dropped == [] and body["service_tier"] == "standard_only" and body["metadata"] == {"user_id": "u"}


def test_policy_error_refuses() -> None:
    """Where the target says so, what cannot be carried over is refused by its name."""
    with pytest.raises(GatewayError) as caught:
        DIALECT.write_request(Request("openai_chat", "claude-opus-5", HI, seed=1), Notes("error"), frozenset())
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "seed")
