"""The official clients work unchanged against the mock: what they do through the gateway is compared with this."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.mock import RunningMock, running_mock
from tests.gateway import sdk_calls
from tests.gateway.sdk_calls import CALLS, QUESTION

INPUT_TOKENS = len(QUESTION) // 4
TEN_WORDS = "Hello! How can I help you today? Just"


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


@pytest.mark.parametrize("name", CALLS)
def test_the_same_call_has_the_same_result(mock: RunningMock, name: str) -> None:
    """Every call of the official clients succeeds, and twice the same one gives twice the same result."""
    first = CALLS[name](mock.url, "some-key")
    assert first
    assert CALLS[name](mock.url, "another-key") == first


def test_chat_is_cut_at_the_limit_and_counted(mock: RunningMock) -> None:
    """A chat of 7 tokens says so in its usage and in its finish reason."""
    reply: Any = sdk_calls.openai_chat(mock.url, "key")
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["choices"][0]["message"]["content"] == "Hello! How can I help you"
    assert (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]) == (INPUT_TOKENS, 7)


def test_stream_has_usage_only_where_asked(mock: RunningMock) -> None:
    """The usage chunk, with no choices, comes last and only to a client that asked for it."""
    plain: Any = sdk_calls.openai_chat_stream(mock.url, "key")
    asked: Any = sdk_calls.openai_chat_stream_usage(mock.url, "key")
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in plain)
    assert plain == asked[:-1]
    assert asked[-1]["choices"] == [] and asked[-1]["usage"]["completion_tokens"] == 10
    assert "".join(chunk["choices"][0]["delta"]["content"] or "" for chunk in plain) == TEN_WORDS


def test_tools_are_called_in_every_dialect(mock: RunningMock) -> None:
    """A required tool is called with arguments that fit its schema, whole and streamed."""
    wanted = {"city": "mock"}
    whole: Any = sdk_calls.openai_tool(mock.url, "key")
    streamed: Any = sdk_calls.openai_tool_stream(mock.url, "key")
    for reply in (whole, streamed):
        call = reply["choices"][0]["message"]["tool_calls"][0]["function"]
        assert (call["name"], call["arguments"]) == ("weather", '{"city":"mock"}')
    messages: Any = sdk_calls.anthropic_tool(mock.url, "key")
    assert [message["content"][0]["input"] for message in messages] == [wanted, wanted]
    events: Any = sdk_calls.openai_responses_tool(mock.url, "key")
    assert events[-1]["response"]["output"][0]["arguments"] == '{"city":"mock"}'
    calls: Any = sdk_calls.gemini_tool(mock.url, "key")
    assert [(call["name"], call["args"]) for call in calls] == [("weather", wanted)]


def test_responses_stream_ends_completed(mock: RunningMock) -> None:
    """The client puts the same response together from the stream as stands in its last event."""
    both: Any = sdk_calls.openai_responses_stream(mock.url, "key")
    kinds, final = both
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert final["output"][0]["content"][0]["text"] == TEN_WORDS
    assert (final["usage"]["input_tokens"], final["usage"]["output_tokens"]) == (INPUT_TOKENS, 10)


def test_anthropic_stream_is_put_together(mock: RunningMock) -> None:
    """A streamed message has the text and the usage of a whole one."""
    both: Any = sdk_calls.anthropic_message_stream(mock.url, "key")
    kinds, final = both
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    assert final["content"][0]["text"] == TEN_WORDS and final["stop_reason"] == "end_turn"
    assert (final["usage"]["input_tokens"], final["usage"]["output_tokens"]) == (INPUT_TOKENS, 10)


def test_gemini_stream_counts_up(mock: RunningMock) -> None:
    """Each piece has the usage so far, the last one the whole and the finish reason."""
    chunks: Any = sdk_calls.gemini_generate_stream(mock.url, "key")
    assert [chunk["usage_metadata"]["candidates_token_count"] for chunk in chunks] == list(range(1, 11))
    assert chunks[-1]["candidates"][0]["finish_reason"] == "STOP"
    assert chunks[-1]["usage_metadata"]["prompt_token_count"] == INPUT_TOKENS


def test_embeddings_are_the_same_packed_and_plain(mock: RunningMock) -> None:
    """The base64 form says the same numbers as the list."""
    both: Any = sdk_calls.openai_embeddings(mock.url, "key")
    packed, plain = both
    assert packed == plain
    assert [len(item["embedding"]) for item in plain["data"]] == [64, 64]
    assert plain["data"][0]["embedding"] != plain["data"][1]["embedding"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_errors_reach_the_client_as_its_own(mock: RunningMock, status: int) -> None:
    """A model mock-status-N ends in the client's exception of that status, with a body in OpenAI's shape."""
    found, body = sdk_calls.openai_status(mock.url, "key", f"mock-status-{status}")
    assert found == status
    assert isinstance(body, dict) and {"message", "type", "param", "code"} == set(body)
