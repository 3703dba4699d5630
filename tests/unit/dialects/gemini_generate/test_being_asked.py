"""Requests of other dialects, as Gemini is asked them."""

from base64 import b64encode
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
from fastgw.dialects.gemini_generate.request import write_request
from fastgw.dialects.notes import Notes
from fastgw.errors import GatewayError

UNSIGNED = b64encode(b"skip_thought_signature_validator").decode()
SCHEMA: dict[str, object] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": ["string", "null"]}}}


def written(messages: list[Message], notes: Notes | None = None, model: str = "gemini-2.5-flash", quirks: str = "", **members: Any) -> Any:
    request = Request("openai_chat", model, messages, **members)
    return write_request(request, notes or Notes(), frozenset(quirks.split()))


def user(*parts: Part) -> Message:
    return Message("user", list(parts))


def model(*parts: Part) -> Message:
    return Message("assistant", list(parts))


def parts_of(*parts: Part, notes: Notes | None = None, quirks: str = "") -> Any:
    return written([user(*parts)], notes, quirks=quirks)["contents"][0]["parts"]


def test_turns_alternate() -> None:
    """Turns of one role in a row are one; instructions, wherever they stand, are all in the systemInstruction."""
    body = written([
        Message("system", [Text("be"), Text("brief")]), user(Text("a")), Message("developer", [Text("really")]), user(Text("b")),
        model(Text("c")), model(Text("d")), user(Text("e")),
    ])
    assert body == {
        "systemInstruction": {"parts": [{"text": "be"}, {"text": "brief"}, {"text": "really"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
            {"role": "user", "parts": [{"text": "e"}]},
        ],
    }


def test_instructions_alone_are_the_question() -> None:
    """Servers refuse a request without contents."""
    assert written([Message("system", [Text("write a haiku")])]) == {"contents": [{"role": "user", "parts": [{"text": "write a haiku"}]}]}


def test_results_answer_their_calls() -> None:
    """Results of one turn share a content, named after their calls, with objects as they are and words as a result or an error."""
    body = written([
        user(Text("go")),
        model(Text(""), ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", "")),
        user(ToolResult("c1", parts=[Text("sunny")])),
        user(ToolResult("c2", parts=[Text('{"n": 1}')]), Text("and now?")),
        model(ToolCall("c3", "f", "{}")),
        user(ToolResult("c3", parts=[Text("no such city")], is_error=True)),
    ])
    assert body["contents"][1:] == [
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}, "id": "c1"}},
                                    {"functionCall": {"name": "g", "args": {}, "id": "c2"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "sunny"}, "id": "c1"}},
                                   {"functionResponse": {"name": "g", "response": {"n": 1}, "id": "c2"}}]},
        {"role": "user", "parts": [{"text": "and now?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}, "id": "c3"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"error": "no such city"}, "id": "c3"}}]},
    ]


def test_pictures_in_results_go_where_the_model_takes_them() -> None:
    """Gemini 3 has them in the result, its forerunners in the words that follow."""
    messages = [model(ToolCall("1", "f", "{}", signature="c2ln")),
                user(ToolResult("1", parts=[Text("see"), Media("image", "aGk=", media_type="image/png")]))]
    picture = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    result = {"name": "f", "response": {"result": "see"}, "id": "1"}
    assert written(messages)["contents"][1:] == [
        {"role": "user", "parts": [{"functionResponse": result}]}, {"role": "user", "parts": [picture]}]
    assert written(messages, model="gemini-3-flash-preview")["contents"][1:] == [
        {"role": "user", "parts": [{"functionResponse": {**result, "parts": [picture]}}]}]


def test_signatures_are_sent_back_or_excused() -> None:
    """Signatures stay with their parts; Gemini 3 gets the documented stand-in for a turn whose first call has none."""
    messages = [
        user(Text("go")), model(ToolCall("1", "f", "{}"), ToolCall("2", "f", "{}")), user(ToolResult("1"), ToolResult("2")),
        model(Text("so", signature="dA=="), ToolCall("3", "f", "{}", signature="c2ln"), ToolCall("4", "f", "{}")),
    ]
    def signed(name: str) -> list[str]:
        return [part.get("thoughtSignature", "") for content in written(messages, model=name)["contents"] for part in content["parts"]]

    assert signed("gemini-3.1-pro-preview") == ["", UNSIGNED, "", "", "", "dA==", "c2ln", ""]
    assert signed("gemini-flash-latest") == signed("models/gemini-4-pro") == signed("gemini-3-flash")
    assert signed("gemini-2.5-pro") == ["", "", "", "", "", "dA==", "c2ln", ""]


def test_only_geminis_own_thoughts_go_back() -> None:
    """Another's thoughts are left out without a word; a message that had nothing else is no message."""
    notes = Notes()
    body = written([
        user(Text("a")), model(Thinking("hm", "c2ln", dialect="anthropic_messages")), user(Text("b")),
        model(Thinking("hm", "c2ln", dialect="gemini"), Refusal("no")),
    ], notes)
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [{"text": "hm", "thought": True, "thoughtSignature": "c2ln"}, {"text": "no"}]},
    ]
    assert notes.dropped == []


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (Media("image", "/9j/AA==", media_type="image/jpeg"), {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/AA=="}}),
        (Media("image", "iVBORw0KGg=="), {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGg=="}}),
        (Media("audio", "AAAA"), {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}),
        (Media("document", text="hi"), {"inlineData": {"mimeType": "text/plain", "data": "aGk="}}),
        (Media("image", url="data:image/webp;base64,AAAA"), {"inlineData": {"mimeType": "image/webp", "data": "AAAA"}}),
        (Media("image", url="https://e.org/a.PNG?size=1#x"), {"fileData": {"mimeType": "image/png", "fileUri": "https://e.org/a.PNG?size=1#x"}}),
        (Media("image", url="https://e.org/picture"), {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://e.org/picture"}}),
        (Media("document", url="gs://b/a.pdf"), {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://b/a.pdf"}}),
        (Media("video", file_id="files/abc"),
         {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}),
    ],
)
def test_media_are_written(media: Media, expected: dict[str, Any]) -> None:
    """Bytes go inline, URIs that Google fetches as fileData, each with a media type."""
    assert parts_of(media) == [expected]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Media("document", file_id="file-123"), "messages[0].content[1]"),
        (Media("image", url="ftp://e.org/a.png"), "messages[0].content[1]"),
        (Media("image", url="data:text/plain,hi"), "messages[0].content[1]"),
        (Media("document", "aGk=", name="a.pdf"), "messages[0].content[1].name"),
        (Media("image", "aGk=", detail="high"), "messages[0].content[1].detail"),
        (Text("a", cache=Cache()), "messages[0].content[1].cache_control"),
        (Media("document", "aGk=", context="c"), "messages[0].content[1].context"),
        (Media("document", "aGk=", citations=True), "messages[0].content[1].citations"),
        (Native("anthropic_messages", {"type": "server_tool_use"}), "messages[0].content[1]"),
        (ToolResult("of no call", parts=[Text("x")]), "messages[0].content[1]"),
    ],
)
def test_parts_that_cannot_go_are_named(part: Part, name: str) -> None:
    """What Gemini has no place for is noted where it stood."""
    notes = Notes()
    parts_of(Text("hi"), part, notes=notes)
    assert notes.dropped == [name]


def test_names_of_media_go_to_vertex() -> None:
    """Vertex knows displayName, the Gemini API refuses it."""
    notes = Notes()
    media = Media("document", "aGk=", name="a.pdf", media_type="application/pdf")
    assert parts_of(media, notes=notes, quirks="vertex") == [
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk=", "displayName": "a.pdf"}}]
    assert notes.dropped == []


def test_all_settings_are_written() -> None:
    """Every canonical setting that Gemini knows has its member, and those that it does not are noted."""
    notes = Notes()
    body = written(
        [user(Text("hi"))], notes, max_tokens=9, temperature=0.5, top_p=0.25, top_k=40, stop=["a"], choices=2, seed=7, presence_penalty=0.5,
        frequency_penalty=-0.5, top_logprobs=3, modalities=["text", "audio"], audio={"voice": "Kore", "format": "mp3"}, store=True,
        service_tier="flex", logit_bias={"1": 2.0}, user="u", verbosity="low", cache_key="k", metadata={"a": "b"},
        parallel_tool_calls=False,
    )
    assert body["generationConfig"] == {
        "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.25, "topK": 40, "stopSequences": ["a"], "candidateCount": 2, "seed": 7,
        "presencePenalty": 0.5, "frequencyPenalty": -0.5, "logprobs": 3, "responseLogprobs": True, "responseModalities": ["TEXT", "AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    }
    assert (body["serviceTier"], body["store"]) == ("flex", True)
    assert notes.dropped == ["parallel_tool_calls", "audio.format", "metadata", "logit_bias", "user", "verbosity", "prompt_cache_key"]


def test_metadata_are_labels_on_vertex() -> None:
    """As far as they are what Google Cloud takes for labels."""
    notes = Notes()
    body = written([user(Text("hi"))], notes, quirks="vertex", metadata={"team": "a-1", "Team": "x", "who": "Some One"}, store=True)
    assert body["labels"] == {"team": "a-1"}
    assert notes.dropped == ["store", "metadata.Team", "metadata.who"]


@pytest.mark.parametrize(
    ("name", "reasoning", "expected"),
    [
        ("gemini-3-flash-preview", Reasoning("minimal"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro-preview", Reasoning("minimal"), {"thinkingLevel": "LOW"}),
        ("gemini-3-pro-preview", Reasoning("medium"), {"thinkingLevel": "HIGH"}),
        ("gemini-3.1-pro-preview", Reasoning("medium", show=True), {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3-flash-preview", Reasoning("xhigh", summary="auto"), {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-3-flash-preview", Reasoning(budget_tokens=500), {"thinkingBudget": 500}),
        ("gemini-3-flash-preview", Reasoning(off=True), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-pro-preview", Reasoning("none"), {"thinkingLevel": "LOW"}),
        ("gemini-3-flash-preview", Reasoning(), {}),
        ("gemini-2.5-flash", Reasoning("minimal"), {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", Reasoning("low"), {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", Reasoning("medium"), {"thinkingBudget": 8192}),
        ("gemini-2.5-pro", Reasoning("high"), {"thinkingBudget": 24_576}),
        ("gemini-2.5-flash", Reasoning(off=True), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning("none"), {"thinkingBudget": 128}),
        ("gemini-2.5-pro", Reasoning(budget_tokens=100_000), {"thinkingBudget": 32_768}),
        ("gemini-2.5-flash-lite", Reasoning(budget_tokens=100), {"thinkingBudget": 512}),
        ("gemini-2.5-flash-lite", Reasoning(show=True), {"thinkingBudget": -1, "includeThoughts": True}),
        ("gemini-2.5-flash", Reasoning(show=False), {"includeThoughts": False}),
        ("gemini-2.5-flash", Reasoning(), {"thinkingBudget": -1}),
        ("gemini-2.0-flash", Reasoning("high"), {}),
    ],
)
def test_effort_is_what_the_model_takes(name: str, reasoning: Reasoning, expected: dict[str, Any]) -> None:
    """A level for Gemini 3, a budget within the model's range for 2.5, nothing for those that do not think."""
    body = written([user(Text("hi"))], model=name, reasoning=reasoning)
    assert body.get("generationConfig", {}).get("thinkingConfig", {}) == expected


def test_effort_that_cannot_be_is_named() -> None:
    """A model that does not think, and an effort that is none, are noted."""
    for name, reasoning in (("gemini-2.0-flash", Reasoning("high")), ("gemini-3-flash", Reasoning("enormous"))):
        notes = Notes()
        written([user(Text("hi"))], notes, model=name, reasoning=reasoning)
        assert notes.dropped == ["reasoning_effort"]


def test_output_formats_are_written() -> None:
    """A schema goes as it is, or in the OpenAPI subset where the server knows nothing else."""
    for output, quirks, expected in (
        (OutputFormat("json_object"), "", {}),
        (OutputFormat("json_schema", "n", schema=SCHEMA, strict=True), "", {"responseJsonSchema": SCHEMA}),
        (OutputFormat("json_schema", "n", schema=SCHEMA), "openapi_schema",
         {"responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}}}),
    ):
        body = written([user(Text("hi"))], output=output, quirks=quirks)
        assert body["generationConfig"] == {"responseMimeType": "application/json", **expected}


def test_tools_are_written() -> None:
    """Functions are one tool, Google's own are each one; those of others and free text are noted."""
    notes = Notes()
    body = written([user(Text("hi"))], notes, tools=[
        Tool("f", "does", SCHEMA), Tool("g"), Tool("googleSearch", native=Native("gemini_generate", {"googleSearch": {}})),
        Tool("web_search", native=Native("openai_responses", {"type": "web_search"})), Tool("free", custom=True),
    ])
    assert body["tools"] == [
        {"functionDeclarations": [{"name": "f", "description": "does", "parametersJsonSchema": SCHEMA}, {"name": "g", "description": ""}]},
        {"googleSearch": {}},
    ]
    assert "toolConfig" not in body
    assert notes.dropped == ["tools[3]", "tools[4]"]


def test_tools_are_written_in_the_subset() -> None:
    """A server of the OpenAPI subset gets references put in place, no object without members, and no schema that contains itself."""
    empty: dict[str, object] = {"type": "object", "properties": {}}
    body = written([user(Text("hi"))], tools=[Tool("f", "", SCHEMA), Tool("g", "", empty)], quirks="openapi_schema")
    subset = {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}}
    assert body["tools"] == [{"functionDeclarations": [
        {"name": "f", "description": "", "parameters": subset}, {"name": "g", "description": ""}]}]
    node: dict[str, object] = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    with pytest.raises(GatewayError) as caught:
        written([user(Text("hi"))], tools=[Tool("f", "", node)], quirks="openapi_schema")
    assert caught.value.param == "tools[0].parameters.properties.next.properties.next.$ref"


@pytest.mark.parametrize(
    ("choice", "strict", "expected"),
    [
        (ToolChoice("auto"), None, {"mode": "AUTO"}),
        (ToolChoice("auto"), True, {"mode": "VALIDATED"}),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice("auto", ("f",)), None, {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (ToolChoice("required"), None, {"mode": "ANY"}),
        (ToolChoice("named", ("f",)), None, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("none"), None, {"mode": "NONE"}),
    ],
)
def test_tool_choices_are_written(choice: ToolChoice | None, strict: bool | None, expected: dict[str, Any]) -> None:
    """Names go only with the modes that take them; strict tools are validated."""
    body = written([user(Text("hi"))], tools=[Tool("f", strict=strict)], tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": expected}


@pytest.mark.parametrize(
    ("messages", "where"),
    [
        ([model(ToolCall("1", "f", "[1]"))], "$.messages[0].content[0].arguments"),
        ([model(ToolCall("1", "f", '{"a"'))], "$.messages[0].content[0].arguments"),
    ],
)
def test_what_gemini_cannot_be_told_is_refused(messages: list[Message], where: str) -> None:
    """Arguments that are no object have no honest form here."""
    with pytest.raises(GatewayError) as caught:
        written(messages)
    assert (caught.value.code, caught.value.param) == ("invalid_request", where)


def test_free_text_of_a_custom_call_is_an_argument() -> None:
    """A custom tool's call of an earlier turn keeps its words."""
    body = written([model(ToolCall("1", "run", "ls -l", custom=True))])
    assert body["contents"][0]["parts"] == [{"functionCall": {"name": "run", "args": {"input": "ls -l"}, "id": "1"}}]
