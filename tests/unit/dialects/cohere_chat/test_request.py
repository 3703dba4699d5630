"""Requests are written as Cohere's own client types them: what real clients sent comes out again, and what is lost is named."""

import json
from base64 import b64encode
from typing import Any, get_args

import cohere
import pytest
from pydantic import BaseModel

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
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from fastgw.dialects.cohere_chat import DIALECT
from fastgw.dialects.notes import Notes
from fastgw.errors import GatewayError
from tests.recordings import counted, recordings, skip_without_corpus
from tests.unit.dialects.cohere_chat.asking import request_of

THINKS, PLAIN = "command-a-reasoning-08-2025", "command-r7b-12-2024"
ROLES: dict[str, type[BaseModel]] = {
    "system": cohere.SystemChatMessageV2, "user": cohere.UserChatMessageV2, "assistant": cohere.AssistantChatMessageV2,
    "tool": cohere.ToolChatMessageV2}


def written(request: Request) -> tuple[dict[str, Any], list[str]]:
    """(body, what was named as dropped); the types of Cohere's client take the body."""
    notes = Notes("drop", "cohere")
    body: dict[str, Any] = json.loads(json.dumps(DIALECT.write_request(request, notes, frozenset())))
    for message in body["messages"]:
        ROLES[message["role"]].model_validate(message)
    for tool in body.get("tools", []):
        cohere.ToolV2.model_validate(tool)
    if "thinking" in body:
        cohere.Thinking.model_validate(body["thinking"])
    return body, notes.dropped


def asking(*parts: Part, model: str = PLAIN, **members: Any) -> Request:
    return Request("openai_chat", model, [Message("user", list(parts) or [Text("Hi")])], **members)


def usual(body: dict[str, Any]) -> dict[str, Any]:
    """A recorded request without members that are null, and with what it does not state."""
    body = {"stream": False} | body
    return body | {"messages": [{name: value for name, value in message.items() if value is not None} for message in body["messages"]]}


def test_recorded_requests_are_written_again() -> None:
    """What real clients sent comes out of the canonical types as it was, and nothing of it is dropped."""
    skip_without_corpus()
    count = 0
    for recording in recordings("cohere", "v2.chat"):
        assert written(request_of(recording)) == (usual(recording.request), []), recording.name
        count += 1
    counted(count, 21)


@pytest.mark.parametrize(("parts", "messages"), [
    ([Text("a"), Text("b")], [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
    ([Media("image", "aGk=", media_type="image/gif", detail="low")], [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,aGk=", "detail": "low"}}]}]),
    ([Media("image", url="https://a.example/b.png")], [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}]),
    ([ToolResult("c1", parts=[Text("ok")]), ToolResult("c2", parts=[Text("a"), Media("document", text="b", name="T")]), Text("so?")], [
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        {"role": "tool", "tool_call_id": "c2", "content": [
            {"type": "text", "text": "a"}, {"type": "document", "document": {"data": {"title": "T", "text": "b"}}}]},
        {"role": "user", "content": "so?"}]),
    ([ToolResult("c1")], [{"role": "tool", "tool_call_id": "c1", "content": ""}]),
    ([], []),
])
def test_parts_of_a_user(parts: list[Part], messages: list[dict[str, object]]) -> None:
    """Texts and images are content, results of tools messages of their own before it."""
    body, dropped = written(Request("openai_chat", PLAIN, [Message("user", parts)]))
    assert (body["messages"], dropped) == (messages, [])


def test_parts_of_an_assistant() -> None:
    """Texts, refusals, calls and Cohere's own thoughts go back; before calls these are the plan. Others' thoughts stay away."""
    own, others = Thinking("Hm", dialect="cohere_chat"), Thinking("Oh", "sig", dialect="anthropic_messages")
    call = ToolCall("c1", "f", '{"a": 1}')
    body, dropped = written(Request("openai_chat", THINKS, [
        Message("developer", [Text("Be brief")]), Message("assistant", [own, others, Text("a"), Refusal("no")]),
        Message("assistant", [own, Text(""), call]), Message("assistant", [others])]))
    assert dropped == []
    assert body["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "no"}]},
        {"role": "assistant", "tool_plan": "Hm", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]}]


def test_documents_stand_beside_the_messages() -> None:
    """Documents of text go to `documents`, after the caller's own, with the number by which citations find them."""
    encoded = Media("document", b64encode(b"plain").decode(), media_type="text/plain", name="b.txt")
    pdf = Media("document", "JVBERi0=", media_type="application/pdf")
    body, dropped = written(asking(Media("document", text="a", context="c"), pdf, encoded, Text("?"), extra={"documents": ["mine"]}))
    assert body["documents"] == ["mine", {"id": "doc:0", "data": {"context": "c", "text": "a"}},
                                 {"id": "doc:2", "data": {"title": "b.txt", "text": "plain"}}]
    assert (body["messages"], dropped) == ([{"role": "user", "content": "?"}], ["messages[0].content[1]"])
    with pytest.raises(GatewayError, match=r"expected an array, got an integer at \$\.documents"):
        written(asking(encoded, extra={"documents": 7}))


@pytest.mark.parametrize("part", [
    Media("audio", "aGk="), Media("video", url="s3://b/a"), Media("image", file_id="f"), Native("gemini_generate", {}),
    Media("document", "/w==", media_type="text/plain"), Media("document", "!", media_type="text/plain"),
])
def test_parts_that_cannot_be_carried_are_named(part: Part) -> None:
    """What Cohere does not take is named with its place, in results of tools and elsewhere."""
    assert written(asking(Text("a"), part))[1] == ["messages[0].content[1]"]
    assert written(asking(ToolResult("c1", parts=[part])))[1] == ["messages[0].content[0].content[0]"]
    assert written(Request("", PLAIN, [Message("system", [part])]))[1] == ["messages[0].content[0]"]
    assert written(Request("", PLAIN, [Message("assistant", [part])]))[1] == ["messages[0].content[0]"]


F, G = Tool("f", "does f", {"type": "object"}, strict=True), Tool("g")


@pytest.mark.parametrize(("choice", "names", "word"), [
    (None, ["f", "g"], None), (ToolChoice("auto"), ["f", "g"], None), (ToolChoice("none"), ["f", "g"], "NONE"),
    (ToolChoice("required"), ["f", "g"], "REQUIRED"), (ToolChoice("named", ("g",)), ["g"], "REQUIRED"),
    (ToolChoice("auto", ("f",)), ["f"], None),
])
def test_choice_of_tools(choice: ToolChoice | None, names: list[str], word: str | None) -> None:
    """A tool that is named is the only one that is sent, and required."""
    body, _ = written(asking(tools=[F, G], tool_choice=choice))
    assert ([tool["function"]["name"] for tool in body["tools"]], body.get("tool_choice")) == (names, word)


def test_marks_of_caches_are_named() -> None:
    """Cohere caches by itself: each mark of what to cache is named with its place."""
    marked = [Message(role, [Text("a", cache=Cache())]) for role in get_args(Role) if role != "developer"]
    _, dropped = written(Request("anthropic_messages", PLAIN, marked, tools=[Tool("g", cache=Cache())]))
    assert dropped == [*[f"messages[{at}].content[0].cache_control" for at in range(3)], "tools[0].cache_control"]


def test_tools() -> None:
    """Strictness is for all tools or none; tools of free text and those that other providers run are named."""
    body, dropped = written(asking(tools=[F, Tool("c", custom=True), Tool("w", native=Native("anthropic_messages", {}))]))
    assert body["tools"] == [{"type": "function", "function": {"name": "f", "description": "does f", "parameters": {"type": "object"}}}]
    assert (body["strict_tools"], dropped) == (True, ["tools[1]", "tools[2]"])
    body, dropped = written(asking(tools=[F, G]))
    assert ("strict_tools" in body, dropped) == (False, ["tools[0].strict"])


@pytest.mark.parametrize(("model", "reasoning", "thinking", "dropped"), [
    (THINKS, Reasoning(budget_tokens=500), {"type": "enabled", "token_budget": 500}, []),
    (THINKS, Reasoning("low"), {"type": "enabled", "token_budget": 2048}, []),
    (THINKS, Reasoning("high"), {"type": "enabled"}, []),
    (THINKS, Reasoning(), {"type": "enabled"}, []),
    (THINKS, Reasoning(off=True), {"type": "disabled"}, []),
    (PLAIN, Reasoning("high"), None, ["reasoning_effort"]),
    (PLAIN, Reasoning(off=True), None, []),
])
def test_reasoning(model: str, reasoning: Reasoning, thinking: object, dropped: list[str]) -> None:
    """Budgets pass, efforts become budgets, and a model that cannot think is not asked to."""
    body, named = written(asking(model=model, reasoning=reasoning))
    assert (body.get("thinking"), named) == (thinking, dropped)


def test_choice_of_tokens_and_output() -> None:
    """Cohere's names for what others call otherwise; what is out of its range is brought into it, and named where that is felt."""
    body, dropped = written(asking(
        max_tokens=5, temperature=0.5, top_k=7, top_p=1.0, seed=3, presence_penalty=-1, frequency_penalty=2, stop=["a"], logprobs=True,
        output=OutputFormat("json_schema", "n", schema={"type": "object"}), stream=True))
    assert body == {
        "model": PLAIN, "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 5, "temperature": 0.5, "k": 7,
        "p": 0.99, "seed": 3, "presence_penalty": 0, "frequency_penalty": 1, "stop_sequences": ["a"], "logprobs": True,
        "response_format": {"type": "json_object", "json_schema": {"type": "object"}}}
    assert dropped == ["presence_penalty", "frequency_penalty"]
    assert written(asking(output=OutputFormat("json_object")))[0]["response_format"] == {"type": "json_object"}


def test_members_of_cohere_pass() -> None:
    """What a caller states in Cohere's own names is in the body."""
    body, dropped = written(asking(extra={"safety_mode": "STRICT", "citation_options": {"mode": "FAST"}, "priority": 1, "other": 2}))
    assert (body["safety_mode"], body["citation_options"], body["priority"], "other" in body, dropped) == (
        "STRICT", {"mode": "FAST"}, 1, False, [])


def test_what_cohere_has_nothing_like_is_named() -> None:
    """Each member that is lost has its name; those that change nothing are no loss."""
    _, dropped = written(asking(
        tools=[G], parallel_tool_calls=False, logit_bias={"1": 1}, top_logprobs=2, choices=2, user="u", metadata={"a": "b"},
        service_tier="flex", verbosity="low", modalities=["text", "audio"], audio={"voice": "v"}, store=True, cache_key="k"))
    assert dropped == ["parallel_tool_calls", "logit_bias", "top_logprobs", "n", "user", "metadata", "service_tier", "verbosity",
                       "modalities", "audio", "store", "prompt_cache_key"]
    _, dropped = written(asking(
        parallel_tool_calls=False, choices=1, modalities=["text"], store=False, service_tier="auto", logprobs=False))
    assert dropped == []
