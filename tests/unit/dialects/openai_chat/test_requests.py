"""Requests are read and written without loss: those that were recorded, and a case of our own for each feature."""

import copy
import json
from typing import Any

import pytest

from fastgw.dialects.canonical import (
    Cache,
    Choice,
    Media,
    Message,
    Native,
    Refusal,
    Reply,
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
from fastgw.dialects.openai_chat.reply import write_reply
from fastgw.dialects.openai_chat.request import read_request
from fastgw.dialects.openai_chat.tools import MOST_ID_CHARACTERS, fitting_id
from tests.recordings import counted
from tests.unit.dialects.openai_chat.recorded import QUIRKS, chats

PLAIN_MEMBERS = ("annotations", "prefix", "refusal")  # of messages: a client's echo of a reply, and Mistral's mark of a beginning


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """A body without what says the same in other words; each line is one normalisation that writing makes.

    null is not stated; one plain text part is a string; no parts, no calls are none; an empty description says nothing; a tool or choice
    without a type is a function; functions are tools; `stop` is an array; max_tokens is max_completion_tokens; a stream asks for usage; a
    choice without tools chooses nothing; results of tools carry no name; ids of calls longer than OpenAI takes are others.
    """
    body = bare(copy.deepcopy(body))
    if "functions" in body:
        body["tools"] = [{"type": "function", "function": function} for function in body.pop("functions")]
        body["parallel_tool_calls"] = False
    if isinstance(body.get("function_call"), str):
        body["tool_choice"] = body.pop("function_call")
    if "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    if isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]
    if body.pop("stream", False):
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    else:
        body.pop("stream_options", None)
    if body.get("response_format") == {"type": "text"}:
        del body["response_format"]
    for tool in body.get("tools", ()):
        if "function" in tool:
            tool["type"] = "function"
            tool.pop("eager_input_streaming", None)  # Anthropic's, through OpenRouter; it changes how a reply is cut, not what it says
            if not tool["function"].get("description"):
                tool["function"].pop("description", None)
    if not body.get("tools", True):
        del body["tools"]
    if "tools" not in body:
        body.pop("tool_choice", None)
    if isinstance(body.get("tool_choice"), dict):
        body["tool_choice"].setdefault("type", "function")
    if isinstance(body.get("reasoning"), dict) and "effort" in body["reasoning"]:
        body["reasoning"].pop("enabled", None)
    for message in body["messages"]:
        normalise(message)
    return body


def normalise(message: dict[str, Any]) -> None:
    """The same for one message."""
    for holder in (message, *message.get("tool_calls", ())):
        for name in ("id", "tool_call_id"):
            if len(holder.get(name, "")) > MOST_ID_CHARACTERS:
                holder[name] = fitting_id(holder[name], frozenset())
    for name in PLAIN_MEMBERS:
        message.pop(name, None)
    content = message.get("content")
    if isinstance(content, list):
        for part in content:
            if part["type"] == "thinking":
                part["thinking"] = [{"type": "text", "text": "".join(chunk["text"] for chunk in part["thinking"])}]
        if len(content) == 1 and set(content[0]) == {"type", "text"}:
            message["content"] = content[0]["text"]
    if message["role"] == "tool":
        message.pop("name", None)
    if message["role"] == "assistant" and not message.get("content"):
        message.pop("content", None)
    for call in message.get("tool_calls", ()):
        call.pop("index", None)
    if not message.get("tool_calls", True):
        del message["tool_calls"]


def bare(value: Any) -> Any:
    """Without members that are null."""
    if isinstance(value, dict):
        return {name: bare(item) for name, item in value.items() if item is not None}
    return [bare(item) for item in value] if isinstance(value, list) else value


def test_recorded_requests_survive() -> None:
    """What a caller says reaches a provider of the same dialect, whoever it is."""
    count = 0
    for chat in chats():
        notes = Notes()
        request = read_request(json.loads(json.dumps(chat.request)), "", False)
        written = DIALECT.write_request(request, notes, QUIRKS[chat.provider])
        assert normal(written) == normal(chat.request), chat.name
        assert notes.dropped == [], chat.name
        count += 1
    counted(count, 501)


def said(*messages: dict[str, Any], **members: Any) -> Request:
    """A request of these messages, as it is read."""
    return read_request({"model": "m", "messages": list(messages), **members}, "", False)


def parts_of(*messages: dict[str, Any]) -> list[Any]:
    """The parts of the last message."""
    return list(said(*messages).messages[-1].parts)


def wrote(request: Request, *quirks: str) -> tuple[Any, list[str]]:
    """The body for a provider of these quirks, and what it could not carry."""
    notes = Notes()
    body = json.loads(json.dumps(DIALECT.write_request(request, notes, frozenset(quirks))))
    return body, notes.dropped


def user(*parts: Any) -> Request:
    """A request in which a user says these parts."""
    return Request("anthropic_messages", "m", [Message("user", list(parts))])


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, Text("a", cache=Cache("1h"))),
        ({"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text("a", cache=Cache())),
        (
            {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
            Media("image", url="https://a/b.png", detail="low"),
        ),
        ({"type": "image_url", "image_url": "https://a/b.png"}, Media("image", url="https://a/b.png")),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}, Media("image", data="aGk=", media_type="image/png")),
        ({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}}, Media("audio", data="aGk=", media_type="audio/mpeg")),
        ({"type": "input_audio", "input_audio": "aGk="}, Media("audio", data="aGk=")),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
            Media("document", data="aGk=", media_type="application/pdf", name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_data": "aGk=", "filename": "a.pdf"}}, Media("document", data="aGk=", name="a.pdf")),
        ({"type": "file", "file": {"file_data": "https://a/b.pdf"}}, Media("document", url="https://a/b.pdf")),
        ({"type": "file", "file": {"file_data": "data:image/png;base64,aGk="}}, Media("image", data="aGk=", media_type="image/png")),
        ({"type": "file", "file": {"file_id": "file-1"}}, Media("document", file_id="file-1")),
        ({"type": "file", "file_id": "f"}, Media("document", file_id="f")),
        ({"type": "video_url", "video_url": {"url": "https://a/b.mp4"}}, Media("video", url="https://a/b.mp4")),
        ({"type": "audio_url", "audio_url": {"url": "https://a/b.mp3"}}, Media("audio", url="https://a/b.mp3")),
        (
            {"type": "document_url", "document_url": "https://a/b.pdf", "document_name": "b"},
            Media("document", url="https://a/b.pdf", name="b"),
        ),
        ({"type": "hologram", "hologram": 7}, Native("openai_chat", {"type": "hologram", "hologram": 7})),
    ],
)
def test_parts_are_read(part: dict[str, Any], read: Any) -> None:
    """Each kind of part, in OpenAI's way and in those of the providers that added kinds; of no known kind it is kept whole."""
    assert parts_of({"role": "user", "content": [part]}) == [read]


@pytest.mark.parametrize(
    ("part", "quirks", "written"),
    [
        (Text("a", cache=Cache("1h")), "", None),
        (
            Text("a", cache=Cache("1h")),
            "cache_control",
            [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        ),
        (Text("a", cache=Cache()), "cache_breakpoint", [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]),
        (
            Media("image", data="aGk=", media_type="image/png", detail="high"),
            "",
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "high"}}],
        ),
        (
            Media("audio", data="aGk=", media_type="audio/wav"),
            "",
            [{"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}],
        ),
        (Media("audio", data="aGk=", media_type="audio/wav"), "mistral", [{"type": "input_audio", "input_audio": "aGk="}]),
        (Media("audio", url="https://a"), "audio_url", [{"type": "audio_url", "audio_url": {"url": "https://a"}}]),
        (
            Media("video", data="aGk=", media_type="video/webm"),
            "video_url",
            [{"type": "video_url", "video_url": {"url": "data:video/webm;base64,aGk="}}],
        ),
        (
            Media("document", data="aGk=", media_type="application/pdf"),
            "",
            [{"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,aGk="}}],
        ),
        (
            Media("document", data="aGk=", media_type="application/pdf", name="a"),
            "mistral",
            [{"type": "document_url", "document_url": "data:application/pdf;base64,aGk=", "document_name": "a"}],
        ),
        (
            Media("document", url="https://a"),
            "file_url",
            [{"type": "file", "file": {"filename": "document.pdf", "file_data": "https://a"}}],
        ),
        (Media("document", file_id="file-1"), "", [{"type": "file", "file": {"file_id": "file-1"}}]),
        (Media("document", text="words", name="Title"), "", "Title\n\nwords"),
    ],
)
def test_parts_are_written(part: Any, quirks: str, written: Any) -> None:
    """Each kind of part as the provider takes it; without a mark for caching where it takes none, which is named."""
    body, dropped = wrote(user(part), *quirks.split())
    assert (body["messages"][0]["content"], dropped) == (written or "a", [] if written else ["messages[0].content[0].cache_control"])


@pytest.mark.parametrize(
    "part",
    [
        Media("video", url="https://a"),
        Media("audio", url="https://a"),
        Media("document", url="https://a"),
        Native("gemini_generate", {}),
    ],
)
def test_what_no_part_can_carry_is_noted(part: Any) -> None:
    """What this wire has nothing like is left out and named where the caller has it; the rest goes."""
    assert wrote(user(Text("a"), part)) == (
        {"model": "m", "messages": [{"role": "user", "content": "a"}]},
        ["messages[0].content[1]"],
    )


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CUSTOM = {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "words"}}


def test_calls_and_results_are_read() -> None:
    """Results know the name and kind of their call, stand in one user message, and the user's words after them join it."""
    read = said(
        {"role": "assistant", "content": "on it", "tool_calls": [CALL, CUSTOM]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
        {"role": "user", "content": "and?"},
    )
    assert read.messages == [
        Message("assistant", [Text("on it"), ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", "words", custom=True)]),
        Message("user", [ToolResult("c1", "f", [Text("1")]), ToolResult("c2", "g", [Text("2")], custom=True), Text("and?")]),
    ]
    assert wrote(read)[0]["messages"] == [
        {"role": "assistant", "content": "on it", "tool_calls": [CALL, CUSTOM]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        {"role": "user", "content": "and?"},
    ]


def test_media_of_results_follow_as_the_users() -> None:
    """A tool's message has words only: its pictures come after all results, in front of the user's words, and say whose they are."""
    picture = Media("image", url="https://a")
    request = user(ToolResult("c1", "f", [Text("see"), picture]), ToolResult("c2", "f", [picture], is_error=True), Text("and?"))
    body, dropped = wrote(request)
    image = {"type": "image_url", "image_url": {"url": "https://a"}}
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "c1", "content": "see"},
        {"role": "tool", "tool_call_id": "c2", "content": "The result follows as media."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Media of the tool result c1:"},
                image,
                {"type": "text", "text": "Media of the tool result c2:"},
                image,
                {"type": "text", "text": "and?"},
            ],
        },
    ]
    assert dropped == ["messages[0].content[1].is_error"]


def test_media_of_results_that_cannot_be_carried_are_noted_where_they_are() -> None:
    """A film in a result is named by its place in the result, and the result does not promise what does not follow."""
    body, dropped = wrote(user(ToolResult("c1", "f", [Media("video", url="https://a")]), Text("and?")))
    assert body["messages"] == [{"role": "tool", "tool_call_id": "c1", "content": ""}, {"role": "user", "content": "and?"}]
    assert dropped == ["messages[0].content[0].content[0]"]


def test_older_names_are_read() -> None:
    """functions, function_call and the role function are tools, calls and results; only one call may come back."""
    read = said(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    call, result = read.messages[0].parts[0], read.messages[1].parts[0]
    assert isinstance(call, ToolCall) and isinstance(result, ToolResult)
    assert (call.name, call.id, result.name) == ("f", result.call_id, "f") and call.id
    assert read.tools == [Tool("f", parameters={"type": "object"})] and read.tool_choice == ToolChoice("named", ("f",))
    assert read.echo == {"functions": True} and read.parallel_tool_calls is False


ANTHROPIC = Thinking("hm", "s", dialect="anthropic_messages")


@pytest.mark.parametrize(
    ("members", "thoughts"),
    [
        ({"reasoning_content": "hm"}, [Thinking("hm")]),
        ({"reasoning": "hm"}, [Thinking("hm")]),
        ({"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}, [ANTHROPIC]),
        ({"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}, [Thinking(redacted="x", dialect="anthropic_messages")]),
        ({"content_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "a"}]}, [ANTHROPIC]),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]},
            [Thinking("hm")],
        ),
        ({"content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "a"}]}, [ANTHROPIC]),
        (
            {
                "reasoning": "hm",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
                ],
            },
            [ANTHROPIC],
        ),
        (
            {
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "h", "format": "anthropic-claude-v1", "index": 0},
                    {"type": "reasoning.text", "text": "m", "format": "anthropic-claude-v1", "index": 0},
                    {"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
                    {"type": "reasoning.text", "text": "b", "signature": "t", "format": "anthropic-claude-v1", "index": 1},
                ]
            },
            [ANTHROPIC, Thinking("b", "t", dialect="anthropic_messages")],
        ),
        (
            {
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "sum", "format": "openai-responses-v1", "index": 0},
                    {"type": "reasoning.encrypted", "data": "e", "id": "rs", "format": "openai-responses-v1", "index": 0},
                ]
            },
            [Thinking("sum", id="rs", encrypted="e", summary=True, dialect="openai_responses")],
        ),
        ({"thinking_blocks": "none", "reasoning_details": [7, {"type": "?"}], "reasoning_content": 7}, []),
    ],
)
def test_thoughts_sent_back_are_read(members: dict[str, Any], thoughts: list[Thinking]) -> None:
    """In each convention, with the proof and whose it is; rubbish in members that OpenAI does not have is passed over."""
    parts = parts_of({"role": "assistant", "content": "a", **members})
    assert parts == [*thoughts, Text("a")]


@pytest.mark.parametrize(
    "parts",
    [
        [
            Thinking("a", "s1", dialect="anthropic_messages"),
            Thinking("", "", "opaque", dialect="anthropic_messages"),
            Thinking("b", "s2", dialect="anthropic_messages"),
            Text("Hello"),
            ToolCall("c", "f", "{}"),
        ],
        [Thinking("a", "s", dialect="gemini_generate"), Text("Hello", signature="t")],
        [Thinking("a"), ToolCall("c1", "f", "{}", signature="s"), ToolCall("c2", "f", "{}")],
        [Thinking("sum", id="rs_1", encrypted="e", summary=True, dialect="openai_responses"), Text("Hello")],
        [Media("audio", audio_id="audio_1", transcript="hi")],
        [Media("image", data="aGk=", media_type="image/png")],
        [Refusal("no")],
    ],
)
def test_a_client_that_sends_a_reply_back_loses_nothing(parts: list[Any]) -> None:
    """Thoughts, proofs of Anthropic, Gemini and OpenAI, and signatures of calls survive the way through an OpenAI client and back."""
    reply = write_reply(Reply(choices=[Choice(parts)]), Request("openai_chat", "m", []))
    message = json.loads(json.dumps(reply))["choices"][0]["message"]
    assert parts_of({name: value for name, value in message.items() if value is not None}) == parts


@pytest.mark.parametrize(
    ("parts", "quirks", "members"),
    [
        ([ANTHROPIC], "", {}),
        ([ANTHROPIC], "echo_reasoning_content", {"reasoning_content": "hm"}),
        ([ANTHROPIC], "echo_reasoning", {"reasoning": "hm"}),
        (
            [ANTHROPIC],
            "echo_thinking_blocks",
            {"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s", "index": 0}]},
        ),
        (
            [ANTHROPIC],
            "echo_reasoning_details",
            {
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
                ]
            },
        ),
        (
            [Thinking(redacted="x", dialect="anthropic_messages")],
            "echo_reasoning_details",
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 0}]},
        ),
        (
            [ANTHROPIC],
            "mistral",
            {
                "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}],
                "prefix": True,
            },
        ),
    ],
)
def test_thoughts_go_back_as_the_provider_wants_them(parts: list[Any], quirks: str, members: dict[str, Any]) -> None:
    """Each provider gets earlier thoughts in its own member, and one that knows none gets none."""
    body, dropped = wrote(Request("openai_chat", "m", [Message("assistant", [*parts, Text("a")])]), *quirks.split())
    assert body["messages"] == [{"role": "assistant", "content": "a"} | members] and dropped == []


def test_deepseek_gets_reasoning_with_every_call() -> None:
    """DeepSeek refuses a message with calls that has no reasoning_content, though it be empty."""
    body, _ = wrote(Request("openai_chat", "m", [Message("assistant", [ToolCall("c", "f", "{}")])]), "echo_reasoning_content")
    assert body["messages"][0]["reasoning_content"] == ""


def test_geminis_signatures_go_back_to_gemini_only() -> None:
    """Only Google's own OpenAI-compatible API is sent extra_content."""
    request = Request("openai_chat", "m", [Message("assistant", [ToolCall("c", "f", "{}", signature="s")])])
    signed = {"google": {"thought_signature": "s"}}
    assert "extra_content" not in wrote(request)[0]["messages"][0]["tool_calls"][0]
    assert wrote(request, "extra_content")[0]["messages"][0]["tool_calls"][0]["extra_content"] == signed


@pytest.mark.parametrize(
    "holder",
    [
        {"extra_content": {"google": {"thought_signature": "s"}}},
        {"provider_specific_fields": {"thought_signature": "s"}},
        {"function": {"name": "f", "arguments": "{}", "thought_signature": "s"}},
    ],
)
def test_geminis_signatures_are_read(holder: dict[str, Any]) -> None:
    """As Google, LiteLLM and Portkey put them on a call."""
    assert parts_of({"role": "assistant", "tool_calls": [CALL | holder]})[0].signature == "s"
