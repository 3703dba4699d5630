"""What a request used and cost, in every dialect: the header, the record, the ledger and the price agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from fastgw._core.price import PriceRow
from fastgw.meter.catalog import Catalog
from tests.fakes.raw_client import RawClient
from tests.fakes.upstream import LAST_CHUNK, SSE_FIELDS, Upstream, bytes_reply, chunk, head, json_reply, send
from tests.gateway.limited import CHAT, GENERATE, MESSAGES, QUESTION, RESPONSES, account, ask, bearer, integrations, key_lines, price
from tests.gateway.running import RunningGateway

OWN = price(
    "3.0", "7.0", cache_read="0.5", cache_write="4.0", cache_write_1h="6.0", audio_input="11.0", audio_output="13.0", request="0.001"
)
OWN_ROW = PriceRow([[0, 3 * 10**9, 7 * 10**9, 5 * 10**8, 4 * 10**9, 6 * 10**9, 11 * 10**9, 13 * 10**9]], 1_000_000)

OPENAI_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 300, "audio_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": 30},
}
RESPONSES_USAGE = {
    "input_tokens": 1000,
    "output_tokens": 500,
    "total_tokens": 1500,
    "input_tokens_details": {"cached_tokens": 300},
    "output_tokens_details": {"reasoning_tokens": 200},
}
CLAUDE_USAGE = {
    "input_tokens": 600,
    "output_tokens": 500,
    "cache_read_input_tokens": 300,
    "cache_creation_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
}
GEMINI_USAGE = {
    "promptTokenCount": 1000,
    "candidatesTokenCount": 300,
    "thoughtsTokenCount": 200,
    "totalTokenCount": 1500,
    "cachedContentTokenCount": 300,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 960}, {"modality": "AUDIO", "tokenCount": 40}],
}


def sse(*events: object) -> list[Any]:
    """A stream of data events; a pair has a name first."""
    pieces = []
    for item in events:
        name, payload = item if isinstance(item, tuple) else ("", item)
        text = payload if isinstance(payload, str) else json.dumps(payload)
        pieces.append((f"event: {name}\n" if name else "") + f"data: {text}\n\n")
    body = "".join(pieces).encode()
    return [send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + chunk(body) + LAST_CHUNK)]


DELTA = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
SCRIPTS: dict[str, Any] = {
    CHAT: json_reply({"choices": [], "usage": OPENAI_USAGE}),
    RESPONSES: json_reply({"status": "completed", "usage": RESPONSES_USAGE}),
    MESSAGES: json_reply({"type": "message", "content": [], "usage": CLAUDE_USAGE}),
    GENERATE: json_reply({"candidates": [], "usageMetadata": GEMINI_USAGE}),
}
STREAMS: dict[str, Any] = {
    CHAT: sse(DELTA, {"choices": [], "usage": OPENAI_USAGE}, "[DONE]"),
    RESPONSES: sse(
        ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "Hi"}),
        ("response.completed", {"type": "response.completed", "response": {"usage": RESPONSES_USAGE}}),
    ),
    MESSAGES: sse(
        ("message_start", {"type": "message_start", "message": {"usage": {**CLAUDE_USAGE, "output_tokens": 1}}}),
        ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
        ("message_delta", {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 500}}),
        ("message_stop", {"type": "message_stop"}),
    ),
    GENERATE: sse(
        {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}], "usageMetadata": {"promptTokenCount": 1000, "totalTokenCount": 1000}},
        {"candidates": [{"finishReason": "STOP"}], "usageMetadata": GEMINI_USAGE},
    ),
}
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "gpt-4.1", "messages": QUESTION},
    RESPONSES: {"model": "gpt-4.1", "input": "Hi"},
    MESSAGES: {"model": "claude-sonnet-4-6", "max_tokens": 900, "messages": QUESTION},
    GENERATE: {"contents": []},
}
USED: dict[str, dict[str, int]] = {
    CHAT: {"cache_read_tokens": 300, "audio_input_tokens": 40, "audio_output_tokens": 30},
    RESPONSES: {"cache_read_tokens": 300},
    MESSAGES: {"cache_read_tokens": 300, "cache_write_tokens": 100, "cache_write_1h_tokens": 40},
    GENERATE: {"cache_read_tokens": 300, "audio_input_tokens": 40},
}
NAMES = {
    CHAT: ("openai", "gpt-4.1"),
    RESPONSES: ("openai", "gpt-4.1"),
    MESSAGES: ("anthropic", "claude-sonnet-4-6"),
    GENERATE: ("gemini", "gemini-2.5-flash"),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    aliases = "".join(
        f'[models.own-{provider}]\ntargets = [{{ integration = "{provider}", model = "{model}" }}]\nprice = {OWN}\n'
        "retry = { attempts = 0 }\n"
        for provider, model in sorted(set(NAMES.values()))
    )
    config = integrations(upstream.url) + aliases + key_lines(budget="{ usd = 1000 }")
    with RunningGateway(tmp_path_factory.mktemp("usage"), config) as running:
        yield running


def record_of(gateway: RunningGateway, request_id: str | None) -> dict[str, Any]:
    gateway.wait_until(lambda: any(row["id"] == request_id for row in gateway.records()), f"a record of {request_id}")
    return next(row for row in gateway.records() if row["id"] == request_id)


@pytest.mark.parametrize("own", [False, True], ids=["catalog", "config"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, GENERATE])
def test_every_kind_of_token_is_counted_and_priced(
    gateway: RunningGateway, upstream: Upstream, path: str, streamed: bool, own: bool
) -> None:
    """Cached, cache-write, reasoning and audio tokens are read, recorded and charged as the price says; header, record and ledger agree."""
    provider, model = NAMES[path]
    upstream.play((STREAMS if streamed else SCRIPTS)[path])
    body, target = dict(BODIES[path]), path
    if own and path != GENERATE:
        body["model"] = f"own-{provider}"
    elif own:
        target = path.replace(model, "own-gemini")
    if streamed and path == GENERATE:
        target = target.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
    elif streamed:
        body["stream"] = True
    before = account(gateway.state, "key:app", 1).spent
    reply = ask(gateway.url, target, body)
    assert reply.status == 200, reply.body
    row = record_of(gateway, reply.field("x-fastgw-request-id"))
    price_row = OWN_ROW if own else Catalog.load().find(provider, model)
    assert price_row is not None
    expected = price_row.charge(1000, 500, **USED[path])
    assert (row["input_tokens"], row["output_tokens"], row["cost_nano_usd"]) == (1000, 500, expected)
    assert row["cache_read_tokens"] == 300
    assert row["cache_write_tokens"] == USED[path].get("cache_write_tokens", 0)
    assert row["reasoning_tokens"] == (0 if path == MESSAGES else 200)
    assert row["audio_tokens"] == USED[path].get("audio_input_tokens", 0) + USED[path].get("audio_output_tokens", 0)
    assert ("streamed" in row["flags"], "estimated" in row["flags"]) == (streamed, False)
    assert account(gateway.state, "key:app", 1).spent - before == expected
    if not streamed:
        assert Decimal(reply.field("x-fastgw-cost-usd") or "0") * 10**9 == expected


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", [MESSAGES, CHAT], ids=["spliced", "translated"])
def test_compaction_is_charged_whoever_asks(gateway: RunningGateway, upstream: Upstream, path: str, streamed: bool) -> None:
    """Anthropic states what a compaction took beside the sums, and charges it; so does the gateway, in either dialect."""
    compaction = {**CLAUDE_USAGE, "type": "compaction"}
    usage = {**CLAUDE_USAGE, "iterations": [compaction, {**CLAUDE_USAGE, "type": "message"}]}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "stop_reason": "end_turn"}
    upstream.play(sse(
        ("message_start", {"type": "message_start", "message": {**message, "usage": CLAUDE_USAGE}}),
        ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}),
        ("message_stop", {"type": "message_stop"}),
    ) if streamed else json_reply({**message, "usage": usage}))
    before = account(gateway.state, "key:app", 1).spent
    reply = ask(gateway.url, path, {**BODIES[MESSAGES], "model": "own-anthropic", "stream": streamed})
    row = record_of(gateway, reply.field("x-fastgw-request-id"))
    expected = OWN_ROW.charge(2000, 1000, cache_read_tokens=600, cache_write_tokens=200, cache_write_1h_tokens=80)
    assert (row["input_tokens"], row["output_tokens"], row["cost_nano_usd"]) == (2000, 1000, expected)
    assert account(gateway.state, "key:app", 1).spent - before == expected


@pytest.mark.parametrize("path", [CHAT, MESSAGES, GENERATE])
def test_reply_without_usage_is_charged_by_its_bytes(gateway: RunningGateway, upstream: Upstream, path: str) -> None:
    """A reply that says nothing of usage is never free: input and output are estimated, and the record says so."""
    upstream.play(json_reply({"text": "a" * 4000}))
    reply = ask(gateway.url, path, BODIES[path])
    row = record_of(gateway, reply.field("x-fastgw-request-id"))
    assert row["input_tokens"] > 0 and 1000 <= row["output_tokens"] <= 1010 and row["cost_nano_usd"] > 0
    assert row["flags"] == "estimated"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_error_of_the_provider_costs_nothing_and_passes_as_it_is(gateway: RunningGateway, upstream: Upstream, status: int) -> None:
    """A provider's error reaches the caller with its bytes and is recorded as upstream_status at no cost."""
    upstream.play(json_reply({"error": {"message": "theirs", "n": status}}, status, [("retry-after", "7")]))
    before = account(gateway.state, "key:app", 1).spent
    reply = ask(gateway.url, CHAT, {**BODIES[CHAT], "model": "own-openai"})
    assert (reply.status, reply.json(), reply.field("retry-after")) == (status, {"error": {"message": "theirs", "n": status}}, "7")
    row = record_of(gateway, reply.field("x-fastgw-request-id"))
    assert (row["outcome"], row["error"], row["cost_nano_usd"], row["upstream_status"]) == ("failed", "upstream_status", 0, status)
    view = account(gateway.state, "key:app", 1)
    assert (view.spent, view.in_flight) == (before, 0)


def test_cost_of_a_long_reply_stands_in_the_record(gateway: RunningGateway, upstream: Upstream) -> None:
    """A JSON reply beyond buffer_reply_bytes flows on unheld, and its usage is read all the same."""
    body = json.dumps({"text": "a" * (3 << 20), "usage": OPENAI_USAGE}).encode()
    for chunked in (False, True):
        upstream.play(bytes_reply(body, 200, [("content-type", "application/json")], chunked=chunked))
        reply = ask(gateway.url, CHAT, BODIES[CHAT])
        assert reply.body == body and reply.field("x-fastgw-cost-usd") is None
        row = record_of(gateway, reply.field("x-fastgw-request-id"))
        assert (row["input_tokens"], row["output_tokens"], row["flags"]) == (1000, 500, "")


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (b"", b'{"stream_options":{"include_usage":true},"model":"gpt-4.1", "stream" : true, "x":[1.50, 1E3, "\\u00e9"]}'),
        (b', "stream_options": null', None),
        (b', "stream_options": {}', None),
        (b', "stream_options": {"other":1}', None),
        (b', "stream_options": {"include_usage": false, "z":0}', None),
        (b', "stream_options": {"include_usage": null}', None),
    ],
)
def test_usage_is_asked_for_once_and_every_other_byte_stays(
    gateway: RunningGateway, upstream: Upstream, options: bytes, sent: bytes | None
) -> None:
    """Where the caller did not ask for usage the gateway does, once, and takes that event out; unknown fields keep their bytes."""
    upstream.play(STREAMS[CHAT])
    rest = b'"model":"gpt-4.1", "stream" : true, "x":[1.50, 1E3, "\\u00e9"]'
    with RawClient(gateway.url) as client:
        reply = client.ask("POST", CHAT, b"{" + rest + options + b"}", [("content-type", "application/json"), *bearer()])
    assert b'"usage"' not in reply.body and reply.body.endswith(b"data: [DONE]\n\n")
    received = upstream.received[-1].body
    assert rest in received
    assert json.loads(received)["stream_options"]["include_usage"] is True
    assert received.count(b"stream_options") == received.count(b"include_usage") == 1
    assert sent is None or received == sent
    asked: Mapping[str, Any] = json.loads(b"{" + rest + options + b"}")
    for name, value in (asked.get("stream_options") or {}).items():
        assert name == "include_usage" or json.loads(received)["stream_options"][name] == value


def test_sum_of_records_is_what_the_ledger_spent(gateway: RunningGateway) -> None:
    """After all of the above the records' costs add up to the ledger's, to the nano-dollar."""
    spent = account(gateway.state, "key:app", 1).spent
    assert spent > 0
    gateway.wait_until(lambda: sum(row["cost_nano_usd"] for row in gateway.records()) == spent, f"costs of {spent}")
    assert account(gateway.state, "workspace:default", 1).spent == spent
