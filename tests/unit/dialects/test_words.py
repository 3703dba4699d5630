"""What is left out or refused is named as the caller wrote it, in each caller's dialect."""

import re
from typing import Any

import msgspec
import pytest

from fastgw.dialects.anthropic_messages.signature import of_part
from fastgw.dialects.canonical import ToolResult
from fastgw.dialects.gemini_generate.spelling import respelled
from fastgw.dialects.table import dialect_of
from fastgw.dialects.translate import Asked, Translation, translate
from fastgw.dialects.words import Names
from fastgw.errors import GatewayError
from tests.recordings import recordings, skip_without_corpus
from tests.unit.dialects.golden import CLIENTS, load

Json = dict[str, Any]
STEP = re.compile(r"[^.\[\]]+")
MARK = {"cache_control": {"type": "ephemeral"}}
SOUND = {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def asked(client: str, upstream: str, body: Json, model: str = "m", **fields: Any) -> Translation:
    return translate(dialect_of(client), dialect_of(upstream), msgspec.json.encode(body), Asked(model, False, **fields))


def names_of(client: str, body: Json) -> tuple[Names, Any]:
    """The names of a caller's body, and the request that it is read as."""
    dialect = dialect_of(client)
    assert dialect.read_request is not None and dialect.names_of is not None
    request = dialect.read_request(body, "m", False)
    names = dialect.names_of(request, body)
    assert isinstance(names, Names)
    return names, request


ANTHROPIC: Json = {
    "system": [{"type": "text", "text": "s", **MARK}], "stop_sequences": ["E"], "metadata": {"user_id": "u"}, "top_k": 3,
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "tools": [{"name": "f", "input_schema": SCHEMA, "strict": True, **MARK}, {"type": "web_search_20250305", "name": "web_search"}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": [{"type": "text", "text": "x", **MARK}]},
            {"type": "text", "text": "b", **MARK}]},
    ],
}
GEMINI: Json = {
    "systemInstruction": {"parts": [{"text": "s"}, SOUND]},
    "contents": [
        {"role": "user", "parts": [{"text": "a"}, SOUND]}, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [SOUND, {"functionResponse": {"name": "f", "response": {"error": "x"}, "parts": [SOUND]}}]},
    ],
    "tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}, {"name": "g"}]}, {"codeExecution": {}}],
    "generationConfig": {"stopSequences": ["E"], "topK": 3, "seed": 1, "thinking_config": {"thinkingLevel": "low"}, "speechConfig": {}},
}
RESPONSES: Json = {
    "instructions": "s", "safety_identifier": "u", "top_logprobs": 2, "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}, "tools": [{"type": "web_search"}],
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_file", "file_id": "file-1"}]},
        {"type": "web_search_call", "id": "w"}, {"role": "user", "content": "b"},
        {"type": "reasoning", "id": "r", "summary": []}, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "web_search_call", "id": "w"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "file-1"}]},
    ],
}
CHAT: Json = {
    "thinking": {"type": "enabled"}, "stop": "E", "user": "u", "random_seed": 1, "logit_bias": {"1": 1},
    "tools": [{"type": "function", "function": {"name": "f", "strict": True}}, {"type": "function", "function": {"name": "g"}}],
    "messages": [
        {"role": "system", "content": "s"}, {"role": "user", "content": "a", "name": "n", **MARK},
        {"role": "assistant", "content": [{"type": "text", "text": "b", **MARK}], "reasoning_content": "r", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **MARK}]},
        {"role": "tool", "tool_call_id": "c", "content": "1", **MARK},
        {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://a.example"}}]},
    ],
}


BY_HAND = {"anthropic_messages": ANTHROPIC, "gemini_generate": GEMINI, "openai_responses": RESPONSES, "openai_chat": CHAT}


@pytest.mark.parametrize(("client", "body", "upstream", "dropped"), [
    ("anthropic_messages", ANTHROPIC, "openai_responses",
     ["tools[0].cache_control", "tools[1]", "system[0].cache_control", "messages[2].content[0].is_error",
      "messages[2].content[0].content[0].cache_control", "messages[2].content[1].cache_control", "top_k", "stop_sequences"]),
    ("anthropic_messages", ANTHROPIC, "cohere_chat",
     ["system[0].cache_control", "messages[2].content[0].content[0].cache_control", "messages[2].content[1].cache_control",
      "tools[0].cache_control", "tools[1]", "output_config.effort", "tool_choice.disable_parallel_tool_use", "metadata.user_id"]),
    ("gemini_generate", GEMINI, "anthropic_messages",
     ["systemInstruction.parts[1]", "contents[0].parts[1]", "contents[2].parts[0]", "contents[2].parts[1].functionResponse.parts[0]",
      "tools[0].googleSearch", "tools[2].codeExecution", "generationConfig.thinkingConfig", "generationConfig.seed",
      "generationConfig.speechConfig"]),
    ("openai_responses", RESPONSES, "cohere_chat", ["input[0].content[1]", "input[1]", "input[5]", "input[6].output[0]",
                                                    "tools[0]", "reasoning", "top_logprobs", "safety_identifier", "text.verbosity"]),
    ("openai_chat", CHAT, "cohere_chat",
     ["messages[1].cache_control", "messages[2].content[0].cache_control", "messages[2].tool_calls[0].cache_control",
      "messages[3].cache_control", "messages[4].content[0]", "tools[0].function.strict", "thinking", "logit_bias", "user"]),
])
def test_what_is_left_out_is_named_in_the_callers_words(client: str, body: Json, upstream: str, dropped: list[str]) -> None:
    """Members, messages, parts and tools are named by their place in the body that the caller sent, each once."""
    found = asked(client, upstream, body, "command-r").dropped
    assert sorted(found) == sorted(dropped)


@pytest.mark.parametrize(("client", "body", "upstream", "param"), [
    ("anthropic_messages", {"messages": [], "stop_sequences": ["E"]}, "openai_responses", "stop_sequences"),
    ("gemini_generate", {"contents": [{"parts": []}], "generationConfig": {"topK": 3}}, "openai_chat", "generationConfig.topK"),
    ("openai_responses", {"input": "a", "user": "u"}, "bedrock_converse", "user"),
    ("openai_chat", {"messages": [{"role": "user", "content": "a"}], "random_seed": 1}, "anthropic_messages", "random_seed"),
])
def test_a_refusal_has_the_same_words(client: str, body: Json, upstream: str, param: str) -> None:
    """Where the policy is to refuse, message and param name the member as the caller wrote it."""
    with pytest.raises(GatewayError, match=re.escape(f"nothing like {param}:")) as caught:
        asked(client, upstream, body, policy="error")
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses", "gemini_generate", "cohere_chat", "bedrock_converse"])
def test_hints_to_a_cache_are_named_and_never_refused(upstream: str) -> None:
    """A mark of what may be cached is lost without harm, and agents always send it: no policy refuses the request for it."""
    body = {
        "max_tokens": 9, **MARK, "system": [{"type": "text", "text": "s", **MARK}],
        "tools": [{"name": "f", "input_schema": SCHEMA, **MARK}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a", **MARK}]},
                     {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}, **MARK}]},
                     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x", **MARK}]}],
    }
    expected = ["cache_control", *[f"messages[{at}].content[0].cache_control" for at in range(3)], "system[0].cache_control",
                "tools[0].cache_control"]
    found = asked("anthropic_messages", upstream, body, "meta.llama3-70b-instruct-v1:0", policy="error").dropped
    assert sorted(found) == expected
    chat = {"messages": [{"role": "user", "content": "a"}], "prompt_cache_key": "k", "prompt_cache_retention": "24h"}
    if not upstream.startswith("openai"):
        found = asked("openai_chat", upstream, chat, policy="error").dropped
        assert found == ["prompt_cache_key", "prompt_cache_retention"]


def test_arguments_that_are_none_are_named_by_their_place() -> None:
    """What a writer refuses of a call stands where the caller wrote the call."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "["}}
    body = {"messages": [{"role": "system", "content": "s"}, {"role": "assistant", "content": "a", "tool_calls": [call]}]}
    for upstream in ("anthropic_messages", "gemini_generate", "bedrock_converse"):
        with pytest.raises(GatewayError) as caught:
            asked("openai_chat", upstream, body)
        assert caught.value.param == "$.messages[1].tool_calls[0].function.arguments"


def test_an_index_that_is_not_sure_is_not_told() -> None:
    """Where blocks of a message were read into other parts, the message is named, and no block of it."""
    seal = {"type": "thinking", "thinking": "", "signature": of_part("t", "c2ln")}
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}, **MARK}
    names, request = names_of("anthropic_messages", {"system": "s", "messages": [{"role": "assistant", "content": [seal, use]}]})
    assert len(request.messages[1].parts) == 1
    assert names("messages[1].content[0].cache_control") == "messages[0]"


def stands(body: object, path: str) -> bool:
    """Whether there is something at a path in a body."""
    for step in STEP.findall(path):
        if isinstance(body, list) and step.isdigit() and int(step) < len(body):
            body = body[int(step)]
        elif isinstance(body, dict) and (step in body or step in map(respelled, body)):
            body = {**body, **{respelled(name): member for name, member in body.items()}}[step]
        else:
            return False
    return True


def check_places(client: str, body: Json, label: str) -> None:
    """Every part of every message, and every tool, has a place in the body, and it is a sure one."""
    names, request = names_of(client, body)
    whole = names._words.conversation
    for at, message in enumerate(request.messages):
        assert stands(body, names(f"messages[{at}]")), (label, at)
        for number, part in enumerate(message.parts):
            name = f"messages[{at}].content[{number}]"
            assert names(name) != whole or not isinstance(body[whole], list), (label, name)
            assert stands(body, names(name)), (label, name, names(name))
            for inner in range(len(part.parts) if isinstance(part, ToolResult) else 0):
                assert stands(body, names(f"{name}.content[{inner}]")), (label, name, inner)
    for at in range(len(request.tools)):
        assert names(f"tools[{at}]") != "tools" and stands(body, names(f"tools[{at}]")), (label, at)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_part_of_the_golden_requests_has_a_place(client: str) -> None:
    """Each part of each scenario is found again in the body that it was read from."""
    for scenario, body in load("callers", client).items():
        check_places(client, body, scenario)
    check_places(client, BY_HAND[client], "by hand")


@pytest.mark.parametrize(("client", "providers", "api", "least"), [
    ("openai_chat", ("openai", "groq", "mistral", "openrouter", "deepseek"), "chat.completions", 100),
    ("anthropic_messages", ("anthropic",), "messages", 100), ("openai_responses", ("openai", "azure"), "responses", 50),
    ("gemini_generate", ("gemini",), "generateContent", 100),
])
def test_every_part_of_recorded_requests_has_a_place(client: str, providers: tuple[str, ...], api: str, least: int) -> None:
    """What real clients sent is found again, part by part, where they wrote it."""
    skip_without_corpus()
    seen = 0
    for provider in providers:
        for recording in recordings(provider, api):
            if isinstance(recording.request, dict):
                check_places(client, recording.request, recording.name)
                seen += 1
    assert seen >= least
