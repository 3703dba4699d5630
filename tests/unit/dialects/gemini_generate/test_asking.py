"""Requests of Gemini's callers, as the canonical types have them: either spelling, every feature, and what is wrong with a path."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.canonical import (
    Media,
    Message,
    Native,
    OutputFormat,
    Part,
    Reasoning,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from fastgw.dialects.gemini_generate.request import read_request, write_request
from fastgw.dialects.notes import Notes
from fastgw.errors import GatewayError

OWN = "gemini_generate"
HI = [{"role": "user", "parts": [{"text": "hi"}]}]


def asked(model: str = "gemini-2.5-flash", **members: Any) -> Request:
    return read_request({"contents": HI, **members}, model, False)


def part_of(part: Any, role: str = "user") -> Part:
    return read_request({"contents": [{"role": role, "parts": [part]}]}, "m", False).messages[0].parts[0]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": "words"}, Text("words")),
        ({"text": "words", "thoughtSignature": "c2ln"}, Text("words", signature="c2ln")),
        ({"text": "words", "thought_signature": "c2ln"}, Text("words", signature="c2ln")),
        ({"thoughtSignature": "c2ln"}, Text("", signature="c2ln")),
        ({"text": "words", "partMetadata": {"a": 1}}, Text("words", native=Native(OWN, {"partMetadata": {"a": 1}}))),
        ({"text": "hm", "thought": True, "thoughtSignature": "c2ln"}, Thinking("hm", "c2ln", dialect="gemini")),
        ({"inlineData": {"mimeType": "image/png", "data": "aGk="}}, Media("image", "aGk=", media_type="image/png")),
        ({"inline_data": {"mime_type": "audio/wav", "data": "_-8"}}, Media("audio", "/+8=", media_type="audio/wav")),
        ({"inlineData": {"mimeType": "application/pdf", "data": "aGk=", "displayName": "a.pdf"}},
         Media("document", "aGk=", media_type="application/pdf", name="a.pdf")),
        ({"fileData": {"fileUri": "gs://b/film.mp4", "mimeType": "video/mp4"}, "videoMetadata": {"fps": 2}},
         Media("video", url="gs://b/film.mp4", media_type="video/mp4", native=Native(OWN, {"videoMetadata": {"fps": 2}}))),
        ({"file_data": {"file_uri": "https://youtu.be/x"}}, Media("video", url="https://youtu.be/x")),
        ({"fileData": {"fileUri": "https://e.org/a.png?x=1"}}, Media("image", url="https://e.org/a.png?x=1")),
        ({"executableCode": {"language": "PYTHON", "code": "1"}}, Native(OWN, {"executableCode": {"language": "PYTHON", "code": "1"}})),
        ({"code_execution_result": {"outcome": "OUTCOME_OK"}}, Native(OWN, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}})),
        ({"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thought": True},
         Native(OWN, {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thought": True})),
    ],
)
def test_every_kind_of_part_is_read(part: dict[str, Any], expected: Part) -> None:
    """A part is what the canonical types have of its kind, whichever way its members are spelled."""
    assert part_of(part) == expected


def test_calls_and_results_find_each_other() -> None:
    """Calls without ids get some, in order; a result belongs to the first call of its name that waits, or to the one it names."""
    request = read_request({"contents": [
        {"role": "user", "parts": {"text": "go"}},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {"a": 1.5}}, "thoughtSignature": "c2ln"},
            {"function_call": {"name": "g"}},
            {"functionCall": {"name": "f", "id": "own"}},
        ]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "f", "id": "own", "response": {"error": "no"}}},
            {"functionResponse": {"name": "g", "response": {"result": "yes"}}},
            {"function_response": {"name": "f", "response": {"n": 1}}},
        ]},
    ]}, "m", False)
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert request.messages[1].parts == [
        ToolCall("call_1", "f", '{"a":1.5}', signature="c2ln"), ToolCall("call_2", "g", "{}"), ToolCall("own", "f", "{}")]
    assert request.messages[2].parts == [
        ToolResult("own", "f", [Text("no")], True), ToolResult("call_2", "g", [Text("yes")]), ToolResult("call_1", "f", [Text('{"n":1}')])]


def test_results_come_before_words() -> None:
    """As other dialects have it, results stand first in their message; pictures in a result are parts of it."""
    request = read_request({"contents": [{"role": "user", "parts": [
        {"text": "see"},
        {"functionResponse": {
            "name": "f", "id": "1", "response": {}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}},
    ]}]}, "m", False)
    result = ToolResult("1", "f", [Text("{}"), Media("image", "aGk=", media_type="image/png")])
    assert request.messages == [Message("user", [result, Text("see")])]


@pytest.mark.parametrize("instruction", [
    "be brief", {"parts": {"text": "be brief"}}, {"role": "system", "parts": [{"text": "be brief"}]}, {"text": "be brief"},
])
def test_instructions_come_in_any_form(instruction: Any) -> None:
    """A systemInstruction may be words, a part, or a content."""
    assert asked(system_instruction=instruction).messages[0] == Message("system", [Text("be brief")])


def test_settings_are_read_in_either_spelling() -> None:
    """generationConfig's members have their canonical fields; those that no other dialect knows are kept by their whole names."""
    request = asked(
        generation_config={
            "max_output_tokens": 9, "temperature": 0.5, "topP": 0.25, "topK": 40.0, "stop_sequences": ["a"], "candidateCount": 2, "seed": 7,
            "presencePenalty": 0.5, "frequency_penalty": -0.5, "responseLogprobs": True, "logprobs": 3,
            "response_modalities": ["TEXT", "IMAGE"],
            "thinking_config": {"thinking_budget": 100, "include_thoughts": True}, "speechConfig": {"languageCode": "de"},
        },
        safety_settings=[{"category": 7, "threshold": 3}], labels={"a": "b"}, serviceTier="FLEX", store=False,
    )
    assert (request.max_tokens, request.temperature, request.top_p, request.top_k, request.stop) == (9, 0.5, 0.25, 40, ["a"])
    assert (request.choices, request.seed, request.presence_penalty, request.frequency_penalty) == (2, 7, 0.5, -0.5)
    assert (request.logprobs, request.top_logprobs, request.modalities) == (True, 3, ["text", "image"])
    assert request.reasoning == Reasoning(budget_tokens=100, show=True)
    assert (request.service_tier, request.store) == ("flex", False)
    assert request.extra == {
        "generationConfig.speechConfig": {"languageCode": "de"}, "safetySettings": [{"category": 7, "threshold": 3}], "labels": {"a": "b"}}


def test_cached_content_is_bound_to_google() -> None:
    """A request whose conversation lies with Google cannot be answered elsewhere."""
    request = asked(cachedContent="cachedContents/1")
    assert list(request.bound) == ["cachedContent"]
    assert write_request(request, Notes(), frozenset())["cachedContent"] == "cachedContents/1"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"thinkingBudget": 0}, Reasoning(off=True)),
        ({"thinkingBudget": -1}, Reasoning()),
        ({"thinkingLevel": "HIGH"}, Reasoning("high")),
        ({"thinking_level": "low", "includeThoughts": False}, Reasoning("low", show=False)),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Reasoning()),
    ],
)
def test_thinking_is_read(config: dict[str, Any], expected: Reasoning) -> None:
    """A budget of 0 is off, of -1 the model's own choice; levels are efforts."""
    assert asked(generationConfig={"thinkingConfig": config}).reasoning == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"responseMimeType": "application/json"}, OutputFormat("json_object")),
        ({"responseMimeType": "application/json", "responseSchema": {"type": "STRING", "nullable": True}},
         OutputFormat("json_schema", schema={"type": ["string", "null"]})),
        ({"response_json_schema": {"type": "object"}}, OutputFormat("json_schema", schema={"type": "object"})),
        ({"responseMimeType": "text/plain"}, None),
    ],
)
def test_output_formats_are_read(config: dict[str, Any], expected: OutputFormat | None) -> None:
    """JSON with or without a schema, declared either way."""
    assert asked(generationConfig=config).output == expected


def test_enumerations_keep_their_type() -> None:
    """text/x.enum, which no other dialect has, is kept as it is."""
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}
    request = asked(generationConfig=config)
    assert request.output is None
    assert write_request(request, Notes(), frozenset())["generationConfig"] == config


@pytest.mark.parametrize(
    ("calling", "expected"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "none"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowed_function_names": ["f"]}, ToolChoice("named", ("f",))),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice("required", ("f", "g"))),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice("auto", ("f",))),
        ({}, ToolChoice("auto")),
    ],
)
def test_tool_choices_are_read(calling: dict[str, Any], expected: ToolChoice) -> None:
    """Each mode has its canonical choice, and is written as it was."""
    tools = [{"functionDeclarations": [{"name": "f", "description": "", "parametersJsonSchema": {"type": "object"}}]}]
    request = asked(tools=tools, tool_config={"function_calling_config": calling})
    assert request.tool_choice == expected
    written = write_request(request, Notes(), frozenset())
    assert written["toolConfig"]["functionCallingConfig"]["mode"] == calling.get("mode", "AUTO").upper()  # type: ignore[index]  # it is there
    assert written["tools"] == tools


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.contents"),
        ({"contents": []}, "$.contents"),
        ({"contents": "hi"}, "$.contents[0]"),
        ({"contents": [{"role": "assistant"}]}, "$.contents[0].role"),
        ({"contents": [{"parts": [{}]}]}, "$.contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "$.contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"thought": 1}]}]}, "$.contents[0].parts[0].thought"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "a/b"}}]}]}, "$.contents[0].parts[0].inlineData.data"),
        ({"contents": [{"parts": [{"fileData": []}]}]}, "$.contents[0].parts[0].fileData"),
        ({"contents": [{"role": "user", "parts": [{"functionCall": {"name": "f"}}]}]}, "$.contents[0].role"),
        ({"contents": [{"role": "model", "parts": [{"functionResponse": {"name": "f"}}]}]}, "$.contents[0].role"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]}, "$.contents[0].parts[0].functionCall.name"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": "x"}}]}]},
         "$.contents[0].parts[0].functionCall.args"),
        ({"contents": HI, "systemInstruction": 1}, "$.systemInstruction[0]"),
        ({"contents": HI, "systemInstruction": {"parts": [{"functionCall": {"name": "f"}}]}}, "$.systemInstruction.parts[0]"),
        ({"contents": HI, "generationConfig": []}, "$.generationConfig"),
        ({"contents": HI, "generationConfig": {"maxOutputTokens": "9"}}, "$.generationConfig.maxOutputTokens"),
        ({"contents": HI, "generationConfig": {"stopSequences": [1]}}, "$.generationConfig.stopSequences[0]"),
        ({"contents": HI, "generationConfig": {"responseJsonSchema": {"$ref": "#"}}}, "$.generationConfig.responseJsonSchema.$ref"),
        ({"contents": HI, "tools": [1]}, "$.tools[0]"),
        ({"contents": HI, "tools": [{"functionDeclarations": [{}]}]}, "$.tools[0].functionDeclarations[0].name"),
        ({"contents": HI, "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"properties": {"a": 1}, "$ref": 2}}]}]},
         "$.tools[0].functionDeclarations[0].parameters.$ref"),
        ({"contents": HI, "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "$.toolConfig.functionCallingConfig.mode"),
        ({"contents": HI, "serviceTier": 1}, "$.serviceTier"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], path: str) -> None:
    """A member of the wrong type, or one that is missing, is refused with its path."""
    with pytest.raises(GatewayError) as caught:
        read_request(body, "m", False)
    assert (caught.value.code, caught.value.param) == ("invalid_request", path)
    assert path in caught.value.message


def test_deep_arguments_are_refused() -> None:
    """Arguments that no encoder could write again are refused, not crashed on."""
    args: dict[str, Any] = {}
    for _ in range(100_000):
        args = {"a": args}
    with pytest.raises(GatewayError) as caught:
        part_of({"functionCall": {"name": "f", "args": args}}, "model")
    assert caught.value.param == "$.contents[0].parts[0].functionCall.args"
    while args:  # or the interpreter frees it recursively
        args = args["a"]


MEMBERS = (
    "contents parts role text thought thoughtSignature functionCall functionResponse name args response id inlineData fileData "
    "mimeType data fileUri tools functionDeclarations parameters parametersJsonSchema type properties items $ref anyOf toolConfig "
    "functionCallingConfig mode allowedFunctionNames generationConfig thinkingConfig thinkingBudget responseSchema responseJsonSchema "
    "responseMimeType "
    "stopSequences systemInstruction candidates content finishReason index groundingChunks groundingSupports segment startIndex "
    "endIndex web uri groundingChunkIndices usageMetadata promptTokenCount error message status"
).split()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=25,
)


@given(json_values, json_values, json_values)
def test_nothing_that_callers_send_crashes(part: Any, config: Any, tools: Any) -> None:
    """Whatever JSON stands wherever, it is read and can be written, or refused as the caller's fault."""
    contents = [{"role": "model", "parts": [part]}, {"parts": part}]
    body = {"contents": contents, "generationConfig": config, "tools": tools, "toolConfig": config}
    for asked_for in (body, {**body, "contents": HI}, {"contents": HI, "systemInstruction": part, "tools": tools}):
        try:
            write_request(read_request(asked_for, "gemini-3-pro", False), Notes(), frozenset(("openapi_schema",)))
        except GatewayError as problem:
            assert problem.status == 400
