"""Requests are written as Bedrock takes them: what real clients sent comes out again, and what it has nothing like is named."""

import json
from base64 import b64encode
from typing import Any

import pytest

from fastgw.dialects.bedrock_converse import DIALECT
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
from fastgw.dialects.openai_chat import DIALECT as OPENAI
from fastgw.dialects.translate import Asked, translate
from fastgw.errors import GatewayError
from tests.botocore_oracle import Bedrock
from tests.recordings import counted, recordings, skip_without_corpus
from tests.unit.dialects.bedrock_converse.asking import request_of

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OLDER, NEWER = "anthropic.claude-3-5-sonnet-20240620-v1:0", "global.anthropic.claude-sonnet-4-6"
NEWEST = "us.anthropic.claude-opus-5-5-v1:0"
NOVA, NOVA_2 = "us.amazon.nova-lite-v1:0", "us.amazon.nova-2-lite-v1:0"
GPT, QWEN, LLAMA = "openai.gpt-oss-120b-1:0", "qwen.qwen3-32b-v1:0", "meta.llama3-2-1b-instruct-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/mi1dadi0g15f"
BEDROCK = Bedrock()


def written(request: Request, *quirks: str) -> tuple[dict[str, Any], list[str]]:
    """(body, what was named as dropped); boto3 has nothing against the body."""
    notes = Notes("drop", "bedrock")
    body = DIALECT.write_request(request, notes, frozenset(quirks))
    assert BEDROCK.problems({"modelId": request.model, **body}) == ""
    return json.loads(json.dumps(body)), notes.dropped


def asking(*parts: Part, model: str = CLAUDE, **members: Any) -> Request:
    return Request("openai_chat", model, [Message("user", [Text("Hi"), *parts])], **members)


def after(body: dict[str, Any]) -> Any:
    """The blocks of the first message after its text."""
    return body["messages"][0]["content"][1:]


def usual(body: dict[str, Any]) -> dict[str, Any]:
    """A recorded request without what says nothing or the same otherwise.

    Empty members are left out, so are the status of a success and blank texts (Bedrock refuses them by now); messages of one role in a
    row are one; a schema within a text has no white space.
    """
    found: dict[str, Any] = json.loads(json.dumps({name: value for name, value in body.items() if value or name == "messages"}))
    messages: list[dict[str, Any]] = []
    for message in found["messages"]:
        blocks = [block for block in message["content"] if block.get("text", "x").strip()]
        for block in blocks:
            if block.get("toolResult", {}).get("status") == "success" and "type" not in block["toolResult"]:
                del block["toolResult"]["status"]
            if "video" in block:
                block["video"]["format"] = block["video"]["format"].removeprefix("video/")
        if messages and messages[-1]["role"] == message["role"]:
            messages[-1]["content"] += blocks
        else:
            messages.append(message | {"content": blocks})
    found["messages"] = messages
    if "outputConfig" in found:
        schema = found["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        schema["schema"] = json.loads(schema["schema"])
    return found


def test_recorded_requests_are_written_again() -> None:
    """What real clients sent comes out of the canonical types as it was, and nothing of it is dropped."""
    skip_without_corpus()
    count = 0
    for recording in recordings("bedrock", "converse", "converse-stream"):
        if recording.request is None:
            continue  # a client's body that was cut off when it was recorded
        request = request_of(recording)
        body, dropped = written(request)
        body |= {name: value for name, value in request.extra.items() if value}
        assert usual(body) == usual(recording.request), recording.name
        assert dropped == [], recording.name
        count += 1
    counted(count, 187)


@pytest.mark.parametrize(("part", "block"), [
    (Text("a", cache=Cache("5m")), [{"text": "a"}, {"cachePoint": {"type": "default"}}]),
    (Text("a", cache=Cache("1h")), [{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]),
    (Text(" \n"), []),
    (Text("", cache=Cache()), [{"cachePoint": {"type": "default"}}]),
    (Refusal("I will not"), [{"text": "I will not"}]),
    (Media("image", "aGk=", media_type="image/jpg"), [{"image": {"format": "jpeg", "source": {"bytes": "aGk="}}}]),
    (Media("image", "iVBORw0KGgoAAA=="), [{"image": {"format": "png", "source": {"bytes": "iVBORw0KGgoAAA=="}}}]),
    (Media("video", url="s3://b/film.MOV"), [{"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://b/film.MOV"}}}}]),
    (Media("audio", "aGk=", media_type="audio/mpeg"), [{"audio": {"format": "mp3", "source": {"bytes": "aGk="}}}]),
    (Media("document", "aGk=", media_type="application/pdf", name="Q3_r\u00e9sum\u00e9  (v1.2).pdf", context="c", citations=True),
     [{"document": {"format": "pdf", "source": {"bytes": "aGk="}, "name": "Q3-r-sum- (v1-2)", "context": "c",
                    "citations": {"enabled": True}}}]),
    (Media("document", text="plain"), [{"document": {"format": "txt", "source": {"bytes": "cGxhaW4="}, "name": "document"}}]),
    (ToolResult("t1", parts=[Text("ok"), Media("image", "aGk=", media_type="image/gif")], is_error=True), [{"toolResult": {
        "toolUseId": "t1", "status": "error", "content": [{"text": "ok"}, {"image": {"format": "gif", "source": {"bytes": "aGk="}}}]}}]),
    (ToolResult("t1"), [{"toolResult": {"toolUseId": "t1", "content": []}}]),
    (ToolCall("t1", "f", '{"a": 1}'), [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}]),
    (ToolCall("t1", "f", " "), [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}]),
    (ToolCall("t1", "f", "SELECT 1", custom=True), [
        {"toolUse": {"toolUseId": "t1", "name": "fastgw_text_f", "input": {"input": "SELECT 1"}}}]),
    (ToolCall("t1", "a.b"), [{"toolUse": {"toolUseId": "t1", "name": "a_x2e_b", "input": {}}}]),
    (Native("bedrock_converse", {"guardContent": {"text": {"text": "x"}}}), [{"guardContent": {"text": {"text": "x"}}}]),
    (Thinking("Hm", "sig", dialect="anthropic_messages"), [{"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "sig"}}}]),
    (Thinking(redacted="EqMB", dialect="anthropic_messages"), [{"reasoningContent": {"redactedContent": b64encode(b"EqMB").decode()}}]),
    (Thinking("Hm", "sig", dialect="gemini_generate"), []),
    (Thinking("Hm", dialect="anthropic_messages"), []),
    (Thinking(redacted="/+8=", dialect="bedrock_converse"), []),
])
def test_parts_become_blocks(part: Part, block: list[dict[str, object]]) -> None:
    """Each part becomes its blocks; a thought without proof, or with another's, is left out without a word."""
    body, dropped = written(asking(part))
    assert (after(body), dropped) == (block, [])


@pytest.mark.parametrize("part", [
    Media("image", url="https://a.example/b.png"), Media("document", file_id="file-1"), Media("image", "aGk=", media_type="image/tiff"),
    Native("gemini_generate", {"executableCode": {}}),
])
def test_parts_that_cannot_be_carried_are_named(part: Part) -> None:
    """What is by URL or id, in a format that Bedrock does not know, or another's own, is named with its place."""
    body, dropped = written(asking(part))
    assert (after(body), dropped) == ([], ["messages[0].content[1]"])
    result = ToolResult("t1", parts=[Text("a"), part])
    assert written(asking(result))[1] == ["messages[0].content[1].content[1]"]


def test_documents_have_names_of_their_own() -> None:
    """Two documents of one name get two names, the same each time, none longer than Bedrock takes."""
    same = [Media("document", "aGk=", media_type="text/csv", name="a.csv") for _ in range(3)]
    long = Media("document", "aGk=", media_type="text/csv", name="x" * 300)
    names = [[block["document"]["name"] for block in after(written(asking(*same, long))[0])] for _ in range(2)]
    assert names == [["a", "a (2)", "a (3)", "x" * 180]] * 2


def test_turns_follow_one_another() -> None:
    """System messages stand apart wherever they were; two turns of one role are one; blank ones are none."""
    request = Request("openai_chat", CLAUDE, [
        Message("system", [Text("Be brief", cache=Cache()), Media("image", "aGk=")]), Message("user", [Text("a")]),
        Message("user", [Text("b")]), Message("assistant", [Text("")]), Message("developer", [Text("Be kind")]),
        Message("user", [Text("c")]), Message("assistant", [Text("d")])])
    body, dropped = written(request)
    assert body["system"] == [{"text": "Be brief"}, {"cachePoint": {"type": "default"}}, {"text": "Be kind"}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
                                {"role": "assistant", "content": [{"text": "d"}]}]
    assert dropped == ["messages[0].content[1]"]


@pytest.mark.parametrize("arguments", ["{", "[1]", "7", "null", "[" * 5000])
def test_arguments_must_be_an_object(arguments: str) -> None:
    """Arguments that are no JSON object are the caller's error, with their place."""
    with pytest.raises(GatewayError, match=r"arguments of f at \$\.messages\[0\]\.content\[1\]\.arguments") as problem:
        written(asking(ToolCall("t1", "f", arguments)))
    assert problem.value.param == "$.messages[0].content[1].arguments"


def test_ids_that_bedrock_refuses_are_made_fit() -> None:
    """A call and its result get the same id, other calls another one."""
    ids = ["a b", "a/b", "x" * 65, ""]
    body, _ = written(asking(*[ToolCall(name, "f") for name in ids], *[ToolResult(name) for name in ids]))
    calls = [block["toolUse"]["toolUseId"] for block in after(body)[:4]]
    assert calls == [block["toolResult"]["toolUseId"] for block in after(body)[4:]]
    assert len(set(calls)) == 4 and all(len(name) <= 64 for name in calls)


F, G = Tool("f", "does f", {"type": "object"}, strict=True), Tool("g")
F_SPEC = {"toolSpec": {"name": "f", "description": "does f", "inputSchema": {"json": {"type": "object"}}, "strict": True}}
G_SPEC = {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}}


@pytest.mark.parametrize(("choice", "config"), [
    (None, {"tools": [F_SPEC, G_SPEC]}),
    (ToolChoice("auto"), {"tools": [F_SPEC, G_SPEC], "toolChoice": {"auto": {}}}),
    (ToolChoice("required"), {"tools": [F_SPEC, G_SPEC], "toolChoice": {"any": {}}}),
    (ToolChoice("required", ("g",)), {"tools": [G_SPEC], "toolChoice": {"any": {}}}),
    (ToolChoice("named", ("g",)), {"tools": [F_SPEC, G_SPEC], "toolChoice": {"tool": {"name": "g"}}}),
    (ToolChoice("named", ("f", "g")), {"tools": [F_SPEC, G_SPEC], "toolChoice": {"any": {}}}),
    (ToolChoice("none"), None),
])
def test_choice_of_tools(choice: ToolChoice | None, config: dict[str, object] | None) -> None:
    """Each choice has its form; none is no tools at all."""
    body, dropped = written(asking(tools=[F, G], tool_choice=choice))
    assert (body.get("toolConfig"), dropped) == (config, [])


def test_tools_are_there_where_they_were_called() -> None:
    """A conversation with calls has toolConfig, though the caller states no tools or wants none called."""
    body, dropped = written(asking(ToolCall("t1", "g")))
    assert (body["toolConfig"], dropped) == ({"tools": [G_SPEC]}, [])
    body, dropped = written(asking(ToolCall("t1", "g"), tools=[F], tool_choice=ToolChoice("none")))
    assert (body["toolConfig"], dropped) == ({"tools": [F_SPEC]}, ["tool_choice"])


def test_tools_that_cannot_be_carried_are_named() -> None:
    """Tools that other providers run are named; Bedrock's own go as they are, and strict ones only to models that know strict."""
    own = Native("bedrock_converse", {"systemTool": {"name": "nova_code_interpreter"}})
    tools = [Tool("web", native=Native("anthropic_messages", {})), Tool("n", native=own), G]
    body, dropped = written(asking(tools=tools))
    assert (body["toolConfig"]["tools"], dropped) == ([own.value, G_SPEC], ["tools[0]"])
    assert written(asking(tools=[G, F], tool_choice=ToolChoice("auto", ("f",)), model=LLAMA))[1] == ["tools[1].strict"]


def test_tools_that_take_free_text_have_one_argument() -> None:
    """A custom tool is one whose name says so; its grammar is told in words, and it can be chosen."""
    custom = Tool("sql", "asks", custom=True, grammar={"type": "regex"})
    body, dropped = written(asking(tools=[custom], tool_choice=ToolChoice("named", ("sql",))))
    assert dropped == []
    assert body["toolConfig"] == {"toolChoice": {"tool": {"name": "fastgw_text_sql"}}, "tools": [{"toolSpec": {
        "name": "fastgw_text_sql", "description": 'asks\n\nThe input must be a text of this grammar: {"type":"regex"}',
        "inputSchema": {"json": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}}}}]}


def test_cache_points_go_to_models_that_take_them() -> None:
    """Claude caches tools, Nova does not, others nothing; a profile that says no name is trusted."""
    text, tool = "messages[0].content[1].cache_control", "tools[0].cache_control"
    for model, points, dropped in ((CLAUDE, 2, []), (PROFILE, 2, []), (NOVA, 1, [tool]), (LLAMA, 0, [text, tool])):
        body, named = written(asking(Text("a", cache=Cache()), model=model, tools=[Tool("g", cache=Cache())]))
        assert (json.dumps(body).count("cachePoint"), named) == (points, dropped), model


def enabled(budget: int) -> dict[str, object]:
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def adaptive(effort: str = "") -> dict[str, object]:
    fields: dict[str, object] = {"thinking": {"type": "adaptive"}}
    return fields | {"output_config": {"effort": effort}} if effort else fields


@pytest.mark.parametrize(("model", "reasoning", "limit", "fields", "dropped"), [
    (CLAUDE, Reasoning(budget_tokens=3000), 8000, enabled(3000), []),
    (CLAUDE, Reasoning(budget_tokens=9000), 8000, enabled(6400), []),
    (CLAUDE, Reasoning(budget_tokens=10), None, enabled(1024), []),
    (CLAUDE, Reasoning("high"), None, enabled(16_384), []),
    (CLAUDE, Reasoning("high"), 1024, None, ["reasoning_effort"]),
    (CLAUDE, Reasoning(), None, enabled(8192), []),
    (CLAUDE, Reasoning(off=True), None, None, []),
    (OLDER, Reasoning("low"), None, None, ["reasoning_effort"]),
    (NEWER, Reasoning("minimal"), 100, adaptive("low"), []),
    (NEWER, Reasoning(budget_tokens=9000), None, adaptive("medium"), []),
    (NEWER, Reasoning(), None, adaptive(), []),
    (NEWEST, Reasoning("max"), None, adaptive("max"), []),
    (NEWEST, Reasoning(off=True), None, {"thinking": {"type": "disabled"}}, []),
    (NOVA, Reasoning("high"), None, None, ["reasoning_effort"]),
    (NOVA_2, Reasoning("xhigh"), None, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}, []),
    (NOVA_2, Reasoning(off=True), None, {"reasoningConfig": {"type": "disabled"}}, []),
    (GPT, Reasoning("minimal"), None, {"reasoning_effort": "low"}, []),
    (GPT, Reasoning(off=True), None, None, ["reasoning_effort"]),
    (QWEN, Reasoning(budget_tokens=9000), None, {"reasoning_config": "medium"}, []),
    (QWEN, Reasoning(budget_tokens=10), None, {"reasoning_config": "low"}, []),
    (QWEN, Reasoning(), None, {"reasoning_config": "medium"}, []),
    (LLAMA, Reasoning(off=True), None, None, []),
    (PROFILE, Reasoning("high"), None, None, ["reasoning_effort"]),
])
def test_reasoning_as_each_maker_takes_it(
    model: str, reasoning: Reasoning, limit: int | None, fields: dict[str, object] | None, dropped: list[str]
) -> None:
    """Efforts and budgets become what the model knows, budgets below the limit; a model that cannot think gets none, and it is named."""
    body, named = written(asking(model=model, reasoning=reasoning, max_tokens=limit))
    assert (body.get("additionalModelRequestFields"), named) == (fields, dropped)


def test_thought_begins_with_a_turn() -> None:
    """A turn that called tools without a thought is gone on with without one; one that had its thought is not."""
    thought = Thinking("Hm", "sig", dialect="anthropic_messages")
    for before, fields in (([], None), ([thought], enabled(2000))):
        request = Request("openai_chat", CLAUDE, [
            Message("user", [Text("a")]), Message("assistant", [*before, ToolCall("t1", "f")]), Message("user", [ToolResult("t1")])],
            reasoning=Reasoning(budget_tokens=2000))
        assert written(request)[0].get("additionalModelRequestFields") == fields


def test_thinking_of_anthropics_own_clients_passes() -> None:
    """What a client of Anthropic's wrote about thinking is for the same model, and goes as it is."""
    own = {"type": "adaptive", "display": "summarized"}
    request = asking(model=NEWER, reasoning=Reasoning("low"), echo={"thinking": own})
    request.dialect = "anthropic_messages"
    assert written(request)[0]["additionalModelRequestFields"] == {"thinking": own, "output_config": {"effort": "low"}}


def test_profile_without_a_name_is_whose_the_row_says() -> None:
    """A quirk names the maker of models whose ARN does not."""
    body, _ = written(asking(model=PROFILE, reasoning=Reasoning("high")), "anthropic")
    assert body["additionalModelRequestFields"] == adaptive("high")


@pytest.mark.parametrize(("model", "stated", "limits", "fields", "dropped"), [
    (LLAMA, {"temperature": 1.5, "top_p": 0.5, "stop": ["a"], "max_tokens": 5},
     {"temperature": 1.0, "topP": 0.5, "stopSequences": ["a"], "maxTokens": 5}, None, ["temperature"]),
    (CLAUDE, {"temperature": 0.5, "top_p": 0.5, "top_k": 7}, {"temperature": 0.5}, {"top_k": 7}, ["top_p"]),
    (CLAUDE, {"temperature": 0.5, "top_p": 0.96, "top_k": 7, "reasoning": Reasoning(budget_tokens=2000)}, {"topP": 0.96}, enabled(2000),
     ["temperature", "top_k"]),
    (NEWEST, {"temperature": 0.5, "top_p": 0.5, "top_k": 7}, None, None, ["temperature", "top_p", "top_k"]),
    (NOVA, {"top_k": 7}, None, {"inferenceConfig": {"topK": 7}}, []),
    ("cohere.command-r-v1:0", {"top_k": 7}, None, {"k": 7}, []),
    (LLAMA, {"top_k": 7}, None, None, ["top_k"]),
])
def test_choice_of_tokens(
    model: str, stated: dict[str, Any], limits: dict[str, object] | None, fields: dict[str, object] | None, dropped: list[str]
) -> None:
    """Temperature, top_p and top_k go where the model takes them, and are named where it does not."""
    body, named = written(asking(model=model, **stated))
    assert (body.get("inferenceConfig"), body.get("additionalModelRequestFields"), sorted(named)) == (limits, fields, sorted(dropped))


def test_one_tool_at_once() -> None:
    """Claude is asked not to call tools in parallel in its own words where the choice is free; else it is named."""
    body, dropped = written(asking(tools=[G], tool_choice=ToolChoice("auto"), parallel_tool_calls=False))
    assert body["additionalModelRequestFields"] == {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    assert (body["toolConfig"], dropped) == ({"tools": [G_SPEC]}, [])
    assert written(asking(tools=[G], tool_choice=ToolChoice("required"), parallel_tool_calls=False))[1] == ["parallel_tool_calls"]
    assert written(asking(model=NOVA, tools=[G], parallel_tool_calls=False))[1] == ["parallel_tool_calls"]
    assert written(asking(parallel_tool_calls=False))[1] == []


def test_output_format() -> None:
    """A schema is a text in outputConfig, its objects closed; a model without output formats, and any JSON object, are asked in words."""
    output = OutputFormat("json_schema", "n", "d", {"type": "object"}, True)
    body, dropped = written(asking(output=output))
    schema = '{"type":"object","additionalProperties":false}'
    assert body["outputConfig"] == {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {
        "name": "n", "description": "d", "schema": schema}}}}
    for asked, model, words in ((output, OLDER, f"JSON schema: {schema}"), (OutputFormat("json_object"), NOVA, "one JSON object")):
        body, named = written(asking(output=asked, model=model))
        assert "outputConfig" not in body and words in body["system"][-1]["text"]
        dropped += named
    assert dropped == []


def test_tier_and_labels() -> None:
    """Tiers and labels have their members; which stop sequence was met is asked for."""
    body, dropped = written(asking(service_tier="flex", metadata={"team": "a-1"}, stop=["END"]))
    assert (body["serviceTier"], body["requestMetadata"], dropped) == ({"type": "flex"}, {"team": "a-1"}, [])
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert written(asking(service_tier="scale"))[1] == ["service_tier"]
    assert written(asking(metadata={"a": "\u00e9"}))[1] == ["metadata"]


def test_members_of_converse_pass() -> None:
    """What a caller states in Converse's own names is in the body; fields for the model stand beside ours and win."""
    extra: dict[str, object] = {
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}, "performanceConfig": {"latency": "optimized"},
        "additionalModelRequestFields": {"anthropic_beta": ["x"], "top_k": 9}, "other": 1}
    body, dropped = written(asking(top_k=5, extra=extra))
    assert body["guardrailConfig"] == extra["guardrailConfig"] and body["performanceConfig"] == {"latency": "optimized"}
    assert body["additionalModelRequestFields"] == {"anthropic_beta": ["x"], "top_k": 9}
    assert "other" not in body and dropped == []
    with pytest.raises(GatewayError, match=r"expected an object, got an integer at \$\.additionalModelRequestFields"):
        written(asking(top_k=5, extra={"additionalModelRequestFields": 7}))


def test_members_of_converse_are_not_named_as_dropped() -> None:
    """A caller of another dialect who states them is not told that they were left out; what nobody knows is named."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "performanceConfig": {"latency": "optimized"}, "other": 1}
    found = translate(OPENAI, DIALECT, json.dumps(asked).encode(), Asked(CLAUDE, stream=False))
    assert (json.loads(found.body)["performanceConfig"], found.dropped) == ({"latency": "optimized"}, ["other"])


def test_what_converse_has_nothing_like_is_named() -> None:
    """Each member that is lost has its name; those that change nothing are no loss."""
    _, dropped = written(asking(
        seed=0, presence_penalty=1, frequency_penalty=1, logit_bias={"1": 1}, logprobs=True, top_logprobs=2, choices=2, user="u",
        verbosity="low", modalities=["text", "audio"], audio={"voice": "v"}, store=True, cache_key="k"))
    assert dropped == ["seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "n", "user", "verbosity",
                       "modalities", "audio", "store", "prompt_cache_key"]
    _, dropped = written(asking(presence_penalty=0, logprobs=False, choices=1, modalities=["text"], store=False, service_tier="auto",
                                parallel_tool_calls=True, include_usage=True))
    assert dropped == []
