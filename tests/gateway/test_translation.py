"""Callers of one dialect and providers of another, through a real worker: bodies, streams, errors, breaks and what is billed for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient, json_request
from tests.fakes.script import Script, bytes_reply, close, event, hang, head, json_reply, send
from tests.fakes.upstream import SSE_FIELDS, Upstream, chunk
from tests.gateway.lane_gateway import record_of
from tests.gateway.limited import CHAT, MESSAGES, QUESTION, ask, bearer, code_of, key_lines, price
from tests.gateway.running import RunningGateway

TRACE = "x-portkey-trace-id"
CLAUDE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "stop_reason": "end_turn", "stop_sequence": None,
    "content": [{"type": "text", "text": "Paris"}],
    "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0},
}
BEGUN = {**CLAUDE, "content": [], "stop_reason": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
START = {"type": "message_start", "message": BEGUN}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "too busy"}}


def sse(*events: dict[str, Any]) -> list[bytes]:
    return [event(one, one["type"]) for one in events]


WORDS = sse(
    START,
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "is"}},
)
END = sse(
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)


def row_of(gateway: RunningGateway, trace: str) -> list[dict[str, Any]]:
    return [row for row in gateway.records() if row["trace_id"] == trace]


def stream_of(*events: bytes) -> Script:
    return bytes_reply(b"".join(events), 200, SSE_FIELDS)


@pytest.fixture(scope="module")
def claude() -> Iterator[Upstream]:
    with Upstream(json_reply(CLAUDE)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(claude: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    strict = 'integration = "claude", model = "claude-sonnet-4-6"'
    config = f"""
[integrations.claude]
provider = "anthropic"
base_url = "{claude.url}/v1"
api_key = "sk-ant-0123456789abcdef"
models = ["claude-sonnet-4-6"]
timeouts = {{ idle_ms = 1000 }}
[models.strict]
targets = [{{ {strict} }}]
[prices]
"anthropic/claude-sonnet-4-6" = {price("1.0", "10.0", cache_read="0.5")}
{key_lines(budget="{ usd = 100 }")}"""
    with RunningGateway(tmp_path_factory.mktemp("translation"), config) as running:
        yield running
        assert "Traceback" not in running.log()


def test_chat_reaches_a_provider_of_messages(gateway: RunningGateway, claude: Upstream) -> None:
    """A chat comes in as Anthropic's request, at its path, with its credential, and goes back as a chat with usage and cost."""
    claude.play(json_reply(CLAUDE))
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION, "max_tokens": 50, "logit_bias": {"1": 1}},
                [*bearer(), ("openai-organization", "org"), ("user-agent", "mine/1")])
    body: Any = reply.json()
    assert (reply.status, body["object"], body["choices"][0]["message"]["content"]) == (200, "chat.completion", "Paris")
    assert body["usage"]["prompt_tokens"] == 14 and body["usage"]["completion_tokens"] == 5
    assert reply.field("x-fastgw-dropped") == "logit_bias" and reply.field("x-fastgw-cost-usd") == "0.000062"
    sent = claude.received[-1]
    assert (sent.method, sent.target, sent.field("x-api-key")) == ("POST", "/v1/messages", "sk-ant-0123456789abcdef")
    assert sent.field("anthropic-version") and sent.field("openai-organization") is None and sent.field("user-agent") == "mine/1"
    assert json.loads(sent.body)["max_tokens"] == 50 and sent.field("content-length") == str(len(sent.body))
    row = record_of(gateway, reply)
    assert (row["outcome"], row["input_tokens"], row["output_tokens"], row["cache_read_tokens"], row["cost_nano_usd"]) == (
        "served", 14, 5, 4, 62_000)


def test_stream_is_translated_event_by_event(gateway: RunningGateway, claude: Upstream) -> None:
    """A streamed chat gets chunks, a finish, the usage it asked for and [DONE]; the record has the usage."""
    claude.play(stream_of(*WORDS, *END))
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION, "stream": True,
                                    "stream_options": {"include_usage": True}})
    assert (reply.status, reply.field("content-type")) == (200, "text/event-stream")
    chunks = [line.removeprefix(b"data: ") for line in reply.body.split(b"\n\n") if line]
    assert chunks[-1] == b"[DONE]"
    decoded: list[Any] = [json.loads(one) for one in chunks[:-1]]
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in decoded if one["choices"]) == "Paris"
    assert decoded[-1]["usage"]["total_tokens"] == 15
    row = record_of(gateway, reply)
    assert (row["outcome"], row["input_tokens"], row["output_tokens"], row["flags"]) == ("served", 10, 5, "streamed")


def test_whole_reply_serves_a_caller_who_wants_a_stream(gateway: RunningGateway, claude: Upstream) -> None:
    """A provider that answers in one piece still gives a stream to who asked for one."""
    claude.play(json_reply(CLAUDE))
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION, "stream": True})
    assert reply.field("content-type") == "text/event-stream" and reply.body.endswith(b"data: [DONE]\n\n") and b"Paris" in reply.body
    assert record_of(gateway, reply)["output_tokens"] == 5


def test_error_of_a_provider_is_told_in_the_callers_dialect(gateway: RunningGateway, claude: Upstream) -> None:
    """Status and words of the provider's error stand in an error of the caller's dialect."""
    claude.play(json_reply({"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too many"}}, 400))
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION})
    body: Any = reply.json()
    assert (reply.status, body["error"]["type"]) == (400, "invalid_request_error") and "max_tokens: too many" in body["error"]["message"]
    row = record_of(gateway, reply)
    assert (row["outcome"], row["error"], row["status"], row["cost_nano_usd"]) == ("failed", "upstream_status", 400, 0)


def test_error_in_the_place_of_a_stream_has_its_status(gateway: RunningGateway, claude: Upstream) -> None:
    """A stream that begins with an error is an error with a status: the caller has not had a byte of it."""
    claude.play(stream_of(*sse(OVERLOADED)))
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION, "stream": True})
    assert reply.status == 529 and "too busy" in reply.json()["error"]["message"]  # type: ignore[index]
    assert record_of(gateway, reply)["error"] == "upstream_status"


def test_error_in_midstream_becomes_an_event(gateway: RunningGateway, claude: Upstream) -> None:
    """What the provider says after its first words is told in an event of the caller's dialect; what was used is billed."""
    claude.play(stream_of(*WORDS, *sse(OVERLOADED)))
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION, "stream": True})
    last = json.loads(reply.body.rstrip().rpartition(b"data: ")[2])
    assert "too busy" in last["error"]["message"] and b"[DONE]" not in reply.body
    row = record_of(gateway, reply)
    assert (row["outcome"], row["error"], row["flags"]) == ("failed", "upstream_status", "streamed,estimated")
    assert row["input_tokens"] == 10 and row["cost_nano_usd"] > 0


@pytest.mark.parametrize(("trace", "rest"), [("cut", [close()]), ("stalled", hang())])
def test_stream_that_breaks_ends_in_an_event(gateway: RunningGateway, claude: Upstream, trace: str, rest: Script) -> None:
    """A stream that is cut or stalls ends in an error event of the caller's dialect, and is billed for what came."""
    claude.play([send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + chunk(b"".join(WORDS))), *rest])
    with RawClient(gateway.url) as client:
        client.send(json_request(CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION, "stream": True}, [*bearer(), (TRACE, trace)]))
        cut = client.read_until_close()
    assert b'"content":"Par"' in cut and not cut.endswith(b"0\r\n\r\n")
    assert b'"code":"upstream_reset"' in cut or b'"code":"upstream_timeout"' in cut
    gateway.wait_until(lambda: row_of(gateway, trace), "a record")
    row = row_of(gateway, trace)[0]
    assert row["outcome"] == "failed" and "estimated" in row["flags"] and row["output_tokens"] >= 1


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b'{"type": "unheard of"}'])
def test_reply_of_no_dialect_is_a_clear_error(gateway: RunningGateway, claude: Upstream, body: bytes) -> None:
    """A reply that is none of the provider's dialect becomes 502 with a code that says so."""
    claude.play(bytes_reply(body, 200, [("content-type", "application/json")]))
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": QUESTION})
    assert (reply.status, code_of(reply)) == (502, "upstream_translation")
    assert record_of(gateway, reply)["outcome"] == "failed"


@pytest.mark.parametrize(
    ("messages", "path"), [("hello", "$.messages"), ([{"role": 5}], "$.messages[0].role"), ([3], "$.messages[0]")]
)
def test_wrong_field_is_named_with_its_path(gateway: RunningGateway, messages: object, path: str) -> None:
    """What is wrong in a body that has to be translated is said with its place."""
    reply = ask(gateway.url, CHAT, {"model": "claude-sonnet-4-6", "messages": messages})
    assert (reply.status, code_of(reply)) == (400, "invalid_request")
    assert path in reply.json()["error"]["message"]  # type: ignore[index]
    assert record_of(gateway, reply)["outcome"] == "refused"


def test_messages_still_pass_byte_for_byte(gateway: RunningGateway, claude: Upstream) -> None:
    """A caller who speaks the provider's dialect gets its bytes."""
    claude.play(stream_of(*WORDS, *END))
    reply = ask(gateway.url, MESSAGES, {"model": "claude-sonnet-4-6", "max_tokens": 5, "messages": QUESTION, "stream": True})
    assert reply.body == b"".join([*WORDS, *END])
