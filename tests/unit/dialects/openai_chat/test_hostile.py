"""No request, reply or stream, however odd, crashes: it is read, or refused, or ends in one Broke."""

import copy
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.dialects.assembly import Assembler
from fastgw.dialects.canonical import Broke, Ended, Event, PartBegan, PartEnded, Request
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.openai_chat.chunks import ChatWriter
from fastgw.dialects.openai_chat.quirks import QUIRKS
from fastgw.dialects.openai_chat.reply import read_reply, write_reply
from fastgw.dialects.openai_chat.request import read_request
from fastgw.dialects.openai_chat.stream import ChatReader
from fastgw.dialects.sse import EventSplitter
from fastgw.errors import GatewayError
from tests.feeding import same_however_fed

ASKED = Request("openai_chat", "m", [], stream=True, include_usage=True)
REQUEST = {
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "name": "n",
            "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "image_url", "image_url": {"url": "https://a", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,x", "filename": "f"}},
            ],
        },
        {
            "role": "assistant",
            "content": "a",
            "refusal": "no",
            "audio": {"id": "a"},
            "reasoning_content": "hm",
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "format": "x", "index": 0}],
            "tool_calls": [
                {
                    "id": "c",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "s"}},
                }
            ],
            "function_call": {"name": "f", "arguments": "{}"},
            "images": [{"type": "image_url", "image_url": {"url": "https://a"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "1"}]},
        {"role": "function", "name": "f", "content": "1"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}},
        {"type": "custom", "custom": {"name": "g", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}}},
    ],
    "functions": [{"name": "f"}],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "reasoning": {"effort": "low", "exclude": True},
    "thinking": {"type": "enabled", "budget_tokens": 1},
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "top_p": 0.9,
    "logprobs": True,
    "top_logprobs": 3,
    "seed": 7,
    "stop": ["a"],
    "user": "u",
    "metadata": {"a": "b"},
    "service_tier": "flex",
    "modalities": ["text"],
    "audio": {"voice": "alloy"},
    "logit_bias": {"50256": -100},
    "n": 1,
    "max_tokens": 9,
    "parallel_tool_calls": False,
    "enable_thinking": True,
}
MESSAGE = {
    "role": "assistant",
    "content": "a",
    "refusal": "no",
    "reasoning_content": "hm",
    "reasoning": "hm",
    "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s", "index": 0}, {"type": "redacted_thinking", "data": "x"}],
    "reasoning_details": [
        {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "e", "id": "rs", "format": "openai-responses-v1", "index": 1},
    ],
    "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}],
    "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}],
    "audio": {"id": "a", "data": "x", "transcript": "t", "expires_at": 7},
    "function_call": {"name": "f", "arguments": "{}"},
    "extra_content": {"google": {"thought_signature": "s"}},
    "tool_calls": [
        {
            "index": 0,
            "id": "c",
            "type": "function",
            "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "s"}},
        },
        {"index": 1, "id": "d", "type": "custom", "custom": {"name": "g", "input": "x"}},
    ],
}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1}]}], "refusal": None}
REST = {
    "id": "r",
    "model": "m",
    "created": 7,
    "service_tier": "default",
    "system_fingerprint": "fp",
    "citations": ["u"],
    "search_results": [{"title": "t", "url": "u"}],
    "x_groq": {"usage": {"prompt_tokens": 1}},
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
ENDING = {"index": 0, "logprobs": LOGPROBS, "finish_reason": "stop", "native_finish_reason": "STOP", "stop_reason": "END"}
REPLY = {**REST, "choices": [{**ENDING, "message": MESSAGE}]}
CHUNKS = [{**REST, "choices": [{**ENDING, "delta": MESSAGE, "finish_reason": None}]}, {**REST, "choices": [{**ENDING, "delta": MESSAGE}]}]
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 7, -1, 1.5, 1e308, 10**30, "", "x", [], [7], [None], [{}], [[]], {}, {"a": {"b": []}}, {"index": "x"}]
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for name, item in items for place in paths_in(item, (*path, name))]


def changed(value: Any, changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    """A copy with other values at some places; a place that an earlier change took away stays away."""
    value = copy.deepcopy(value)
    for path, other in changes:
        holder: Any = value
        try:
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = copy.deepcopy(other)
        except (TypeError, KeyError, IndexError):
            continue
    return value


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(paths_in(REQUEST)), VALUES), min_size=1, max_size=3))
def test_no_request_crashes(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Whatever stands in the place of any member: a request that can be written for any provider, or InvalidRequest."""
    try:
        request = read_request(changed(REQUEST, changes), "m", False)
    except GatewayError as problem:
        assert problem.code == "invalid_request" and problem.param
        return
    for quirks in (frozenset[str](), frozenset(QUIRKS)):
        msgspec.json.encode(DIALECT.write_request(request, Notes(), quirks))


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(paths_in(REPLY)), VALUES), min_size=1, max_size=3))
def test_no_reply_crashes(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Whatever stands in the place of any member: a reply that can be written, or no reply of this dialect at all."""
    body = changed(REPLY, changes)
    try:
        reply = read_reply(body)
    except ValueError:
        assert not isinstance(body["choices"], list) or not body["choices"]
        return
    msgspec.json.encode(write_reply(reply, ASKED))


def well_formed(events: list[Event]) -> None:
    """Parts begin in order and once, end at most once, choices end once, and nothing comes after Broke."""
    begun: dict[int, int] = {}
    ended: set[tuple[int, int]] = set()
    whole: set[int] = set()
    for at, event in enumerate(events):
        if isinstance(event, PartBegan):
            assert event.index == begun.get(event.choice, 0)
            begun[event.choice] = event.index + 1
        elif isinstance(event, PartEnded):
            assert (event.choice, event.index) not in ended
            ended.add((event.choice, event.index))
        elif isinstance(event, Ended):
            assert event.choice not in whole
            whole.add(event.choice)
        elif isinstance(event, Broke):
            assert at == len(events) - 1


def read_all(pieces: Iterable[bytes]) -> list[Event]:
    """The events of a stream."""
    splitter, reader = EventSplitter(), ChatReader()
    events: list[Event] = []
    for piece in pieces:
        for name, payload in splitter.feed(piece):
            events += reader.read(name, payload)
    for name, payload in splitter.finish():
        events += reader.read(name, payload)
    return events + reader.finish() + reader.read("", b"{}")


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(paths_in(CHUNKS)), VALUES), max_size=3), st.booleans())
def test_no_stream_crashes(changes: list[tuple[tuple[Any, ...], Any]], done: bool) -> None:
    """Whatever a chunk holds: events in their order, which add up and can be written; the same again when the stream was written."""
    chunks = changed(CHUNKS, changes)
    stream = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n" * done
    events = read_all([stream])
    well_formed(events)
    writer = ChatWriter(ASKED)
    out = b"".join(writer.write([event]) for event in copy.deepcopy(events)) + writer.finish()
    assembler = Assembler()
    assembler.take(events)
    assembler.finish()
    well_formed(read_all([out]))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
                b"data: [DONE]\n\n",
                b"data: {}\n\n",
                b"data:\n\n",
                b"\n",
                b": x\n\n",
                b"event: error\n",
                b'data: "\n\n',
                b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
                b"\xff\xfe",
                b"data: [[]]\n\n",
                b'data: {"error":{}}\n\n',
                b'data: {"error":"x"}\n\n',
            ]
        ),
        max_size=6,
    ),
    st.integers(0, 1000),
)
def test_no_bytes_crash(lines: list[bytes], seed: int) -> None:
    """Streams of odd lines end well or in one Broke, the same however they come."""
    events = same_however_fed(lambda pieces: [repr(event) for event in read_all(pieces)], b"".join(lines), seed, splits=3)
    assert sum(event.startswith("Broke") for event in events) <= 1


def test_what_is_no_reply_is_said() -> None:
    """A body without choices is no reply of this dialect."""
    bodies: list[dict[str, object]] = [{}, {"choices": []}, {"choices": {}}, {"error": {"message": "a"}}]
    for body in bodies:
        with pytest.raises(ValueError, match="no choices"):
            DIALECT.read_reply(body)
