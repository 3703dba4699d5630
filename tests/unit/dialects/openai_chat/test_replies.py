"""Whole replies are read tolerantly and written as the official client reads them, without loss."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from fastgw.dialects.canonical import (
    Choice,
    Citation,
    Logprob,
    Media,
    Native,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from fastgw.dialects.openai_chat.reply import read_reply, write_reply
from fastgw.dialects.openai_chat.request import read_request
from tests.recordings import counted
from tests.unit.dialects.openai_chat.recorded import replies

ASKED = Request("openai_chat", "asked", [])


def seen(completion: ChatCompletion, details: bool) -> list[object]:
    """What a user of the official client sees of a reply: what says the same in two ways is made one."""
    found: list[object] = []
    for choice in completion.choices:
        message: Any = choice.message  # whose types a provider may break
        reason: Any = choice.finish_reason
        content: Any = message.content
        if isinstance(content, list):  # Mistral's chunks
            content = "".join(chunk.get("text", "") for chunk in content)
        calls = [(call.function.name, call.function.arguments or "{}") for call in message.tool_calls or []]
        asked = message.function_call
        older = (asked.name, asked.arguments) if asked is not None and asked.name else None
        finish = reason or ("tool_calls" if calls else "stop")
        finish = "stop" if finish == "eos" else finish  # Together's word
        # OpenAI and others say "stop" after a call that was forced; it is written as the end of calls.
        finish = "tool_calls" if calls and finish == "stop" else finish
        likely = [token.token for token in choice.logprobs.content or []] if choice.logprobs is not None else []
        found.append((content or "", message.refusal or "", calls, older, finish, likely))
    usage = completion.usage
    if usage is not None:
        # Gemini's own tokens of thought stand in the total only.
        tokens = [usage.prompt_tokens, max(usage.completion_tokens, usage.total_tokens - usage.prompt_tokens)]
        if details:
            tokens.append((usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0) or 0)
            tokens.append((usage.completion_tokens_details.reasoning_tokens if usage.completion_tokens_details else 0) or 0)
        found.append(tokens)
    return found


def ids(completion: ChatCompletion) -> list[str]:
    return [call.id for choice in completion.choices for call in choice.message.tool_calls or []]


def test_recorded_replies_survive() -> None:
    """The official client sees the same words, calls, finish and usage in a reply that was read and written again, and its types hold."""
    count = 0
    for chat in replies():
        original = ChatCompletion.construct(**chat.json())
        body = write_reply(read_reply(chat.json()), read_request(chat.request, "", False))
        written = ChatCompletion.model_validate(json.loads(json.dumps(body)))
        details = chat.provider not in ("together", "mistral", "huggingface")  # these state cached tokens in places of their own
        assert seen(written, details) == seen(original, details), chat.name
        assert all(made for made in ids(written)), chat.name
        assert [made for made, stated in zip(ids(written), ids(original), strict=True) if stated and made != stated] == [], chat.name
        count += 1
    counted(count, 401)


def test_recorded_thoughts_are_read() -> None:
    """Every recorded reply that shows a thought has it, with its proof where one was stated."""
    for chat in replies():
        message = chat.json()["choices"][0]["message"]
        words = message.get("reasoning_content") or message.get("reasoning")
        details = message.get("reasoning_details") or []
        parts = read_reply(chat.json()).choices[0].parts
        thoughts = [part for part in parts if isinstance(part, Thinking)]
        if words:
            assert "".join(thought.text for thought in thoughts) == words, chat.name
        signatures = [detail["signature"] for detail in details if detail.get("signature")]
        assert [thought.signature for thought in thoughts if thought.signature] == signatures, chat.name
        opaque = [detail["data"] for detail in details if detail.get("data")]
        assert [thought.encrypted or thought.redacted for thought in thoughts if thought.encrypted or thought.redacted] == opaque, chat.name


def message_of(*parts: Any) -> Any:
    """The message that these parts are written as."""
    body = json.loads(json.dumps(write_reply(Reply(choices=[Choice(list(parts))]), ASKED)))
    return body["choices"][0]["message"]


def read_again(*parts: Any) -> list[Any]:
    """These parts, written and read again."""
    reply = write_reply(Reply(choices=[Choice(list(parts))]), ASKED)
    return list(read_reply(json.loads(json.dumps(reply))).choices[0].parts)


@pytest.mark.parametrize(
    "parts",
    [
        [Text("Hello")],
        [Thinking("hm"), Text("Hello")],
        [Thinking("hm", "sig", dialect="anthropic_messages"), Text("Hello")],
        [Thinking("hm", "sig", dialect="gemini_generate"), Text("Hello")],
        [
            Thinking("a", "s1", dialect="anthropic_messages"),
            Thinking("", "", "opaque", dialect="anthropic_messages"),
            Thinking("b", "s2", dialect="anthropic_messages"),
            Text("Hello"),
            ToolCall("c", "f", "{}"),
        ],
        [Thinking("sum", id="rs_1", encrypted="e", summary=True, dialect="openai_responses"), Text("Hello")],
        [Thinking("", id="rs_1", encrypted="e", dialect="openai_responses"), Text("Hello")],
        [Text("Hello", signature="gemini's")],
        [ToolCall("c1", "f", '{"a":1}', signature="gemini's"), ToolCall("c2", "g", '{"b":2}')],
        [ToolCall("c1", "f", "free words", custom=True)],
        [Text("See", citations=[Citation(0, 3, "https://a.example", "A", "words")])],
        [Text("See", citations=[Citation(0, 3, "", "Report", "words", 2, "file_1")])],
        [Media("image", data="aGk=", media_type="image/png")],
        [Media("audio", data="aGk=", transcript="hi", audio_id="audio_1", expires_at=7)],
    ],
)
def test_parts_survive(parts: list[Any]) -> None:
    """Each kind of part is the same after it was written and read again: what this wire has no member for stands in a known convention."""
    assert read_again(*parts) == parts


def test_citation_without_a_place_is_about_its_part() -> None:
    """A citation that does not say what it supports supports the words of its part, counted in the message's content."""
    message = message_of(Text("One. "), Text("Two.", citations=[Citation(url="https://a.example")]))
    assert message["content"] == "One. Two."
    assert message["annotations"][0]["url_citation"] == {"start_index": 5, "end_index": 9, "url": "https://a.example", "title": ""}


def test_foreign_parts_stay_out() -> None:
    """A part that only another dialect knows does not reach the caller, and the rest does."""
    assert message_of(Native("gemini_generate", {"executableCode": {}}), Text("Hello"))["content"] == "Hello"


def test_envelope_is_openais() -> None:
    """What a reply leaves out is filled as OpenAI's client needs it; what it states is kept."""
    body = write_reply(Reply(choices=[Choice([Text("Hi")], "length", "MAX_TOKENS")], usage=Usage(3, 4, 1, 2, 1, 3)), ASKED)
    completion = ChatCompletion.model_validate(body)
    assert completion.id.startswith("chatcmpl-") and completion.created > 1_700_000_000 and completion.model == "asked"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None},
            "logprobs": None,
            "finish_reason": "length",
            "native_finish_reason": "MAX_TOKENS",
        }
    ]
    assert body["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "prompt_tokens_details": {
            "cached_tokens": 1,
            "audio_tokens": 0,
            "cache_write_tokens": 2,
            "cache_creation_tokens": 2,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 1},
        },
        "completion_tokens_details": {
            "reasoning_tokens": 3,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "cache_creation_input_tokens": 2,
    }


def test_reply_of_all_members_survives() -> None:
    """Choices, log probabilities, finish, tier, fingerprint, usage and members of the provider's own are the same when read again."""
    reply = Reply(
        "chatcmpl-1",
        "m",
        7,
        [
            Choice([Text("a")], "stop_sequence", "stop", "END", [Logprob("a", -0.5, [97], [Logprob("b", -1.5)])]),
            Choice([Text("b")], "length", "length"),
        ],
        Usage(10, 5, 3, 2, 1, 4, 1, 1),
        "flex",
        "fp",
        {"provider": "Someone"},
    )
    again = read_reply(json.loads(json.dumps(write_reply(reply, ASKED))))
    again.choices[0].finish = "stop_sequence"  # OpenAI's word for it is stop
    assert again == reply


@pytest.mark.parametrize(
    ("finish", "raw", "parts", "word"),
    [
        ("stop", "stop", [Text("a")], "stop"),
        ("refusal", "refusal", [Text("a")], "content_filter"),
        ("pause", "pause_turn", [Text("a")], "stop"),
        ("context_window", "model_context_window_exceeded", [Text("a")], "length"),
        ("error", "MALFORMED_FUNCTION_CALL", [], "stop"),
        ("tool_calls", "tool_use", [ToolCall("c", "f", "{}")], "tool_calls"),
    ],
)
def test_finish_is_a_word_that_clients_know(finish: Any, raw: str, parts: list[Any], word: str) -> None:
    """Only OpenAI's five words end a choice; the provider's own stands beside them."""
    choice = json.loads(json.dumps(write_reply(Reply(choices=[Choice(parts, finish, raw)]), ASKED)))["choices"][0]
    assert choice["finish_reason"] == word
    assert choice.get("native_finish_reason", word) == raw


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ({"finish_reason": "eos"}, "stop"),
        ({"finish_reason": "end_turn"}, "stop"),
        ({"finish_reason": "model_length"}, "context_window"),
        ({"finish_reason": "tool_use"}, "tool_calls"),
        ({"finish_reason": "insufficient_system_resource"}, "error"),
        ({"finish_reason": "sensitive"}, "content_filter"),
        ({"finish_reason": ""}, "stop"),
        ({}, "stop"),
        ({"finish_reason": 7}, "stop"),
        ({"finish_reason": "of another world"}, "stop"),
    ],
)
def test_any_providers_finish_is_understood(stated: dict[str, object], read: str) -> None:
    """Words of other providers, and none at all, have a meaning."""
    assert read_reply({"choices": [{"message": {"content": "a"}} | stated]}).choices[0].finish == read


@pytest.mark.parametrize(
    ("stated", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}, Usage(10, 5, 4)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "num_cached_tokens": 4}, Usage(10, 5, 4)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4}, Usage(10, 5, 4)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 20}, Usage(10, 10)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 99}}, Usage(10, 5, 10)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cache_creation_input_tokens": 3}, Usage(10, 5, 0, 3)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cache_write_tokens": 3}}, Usage(10, 5, 0, 3)),
        ({"input_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
        ({"prompt_tokens": "many", "completion_tokens": -5, "completion_tokens_details": None}, Usage()),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 1},
                "prompt_tokens_details": {"audio_tokens": 2},
            },
            Usage(10, 5, 0, 0, 0, 5, 2, 1),
        ),
    ],
)
def test_usage_of_any_make_is_read(stated: dict[str, object], usage: Usage) -> None:
    """Cached, written, thought and heard tokens are found where each provider states them, and no part exceeds its whole."""
    assert read_reply({"choices": [{}], "usage": stated}).usage == usage


def test_groqs_usage_is_read() -> None:
    """Where only x_groq states the usage, it is that."""
    assert read_reply({"choices": [{}], "x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}}).usage == Usage(1, 2)


def test_functions_get_their_own_answer() -> None:
    """A caller who stated functions gets function_call, and the end that goes with it."""
    request = read_request({"model": "m", "messages": [], "functions": [{"name": "f", "parameters": {"type": "object"}}]}, "", False)
    choice = json.loads(json.dumps(write_reply(Reply(choices=[Choice([ToolCall("c", "f", "{}")], "tool_calls")]), request)))["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"} and "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_perplexitys_sources_become_citations() -> None:
    """search_results, or the URLs of citations, stand at the words that they are about, and where Perplexity has them."""
    body: dict[str, object] = {
        "choices": [{"message": {"content": "So [1]."}}],
        "citations": ["https://a.example"],
        "search_results": [{"title": "A", "url": "https://a.example", "date": "2026-01-01"}],
    }
    reply = read_reply(body)
    assert reply.choices[0].parts == [Text("So [1].", [Citation(url="https://a.example", title="A")])]
    written = write_reply(reply, ASKED)
    assert written["citations"] == body["citations"] and written["search_results"] == body["search_results"]


def test_geminis_signature_on_the_message_belongs_to_its_call() -> None:
    """The older place of a thought signature, on the message, is read for the first call, or else for the words."""
    signed = {"extra_content": {"google": {"thought_signature": "s"}}}
    called = {"tool_calls": [{"id": "", "function": {"name": "f", "arguments": "{}"}}]}
    call = read_reply({"id": "r", "choices": [{"message": signed | called}]}).choices[0].parts[0]
    assert isinstance(call, ToolCall) and call.signature == "s" and call.id.startswith("call_")
    assert read_reply({"choices": [{"message": signed | {"content": "a"}}]}).choices[0].parts == [Text("a", signature="s")]


def test_made_ids_differ() -> None:
    """Calls without ids get ids, which differ within a reply and between replies."""
    calls = {"message": {"tool_calls": [{"function": {"name": "f"}}, {"function": {"name": "g"}}]}}
    found = [
        call.id
        for name in ("r1", "r2", "")
        for call in read_reply({"id": name, "choices": [calls]}).choices[0].parts
        if isinstance(call, ToolCall)
    ]
    assert len(set(found)) == 6 and all(len(identity) <= 40 for identity in found)
