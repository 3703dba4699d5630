"""Every error that a caller can provoke: in the caller's dialect, with its code and what to do, and one record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fastgw.errors import CODES, TABLE
from tests.fakes.framing import Fields
from tests.fakes.raw_client import RawClient, request
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import CHAT, GENERATE, MESSAGES, QUESTION, bearer, code_of, integrations, key_lines, message_of
from tests.gateway.running import KEY, RunningGateway

NAMES = ("disabled", "expired", "poor", "slow", "wordy", "narrow", "barred", "none", "full")
KEYS = {name: f"fgw-refusals-{name}-{'0' * 24}" for name in NAMES}
PATHS = {"openai": CHAT, "anthropic": MESSAGES, "gemini": GENERATE}
MODELS = {"openai": "gpt-4.1", "anthropic": "claude-sonnet-4-6", "gemini": "gemini-2.5-flash"}
JSON = ("content-type", "application/json")
# code: (key, fields, body or None for a good one, model or None)
PROVOKED: dict[str, tuple[str | None, Fields, bytes | None, str | None]] = {
    "invalid_request": (KEY, [JSON], b'{"model": "gpt-4.1", "n": ', None),
    "unsupported_encoding": (KEY, [JSON, ("content-encoding", "gzip")], None, None),
    "body_too_large": (KEY, [JSON], b'{"a":"' + b"a" * 70_000 + b'"}', None),
    "upgrade_not_supported": (KEY, [JSON, ("connection", "upgrade"), ("upgrade", "websocket")], None, None),
    "missing_key": (None, [JSON], None, None),
    "invalid_key": ("fgw-of-nobody", [JSON], None, None),
    "key_disabled": (KEYS["disabled"], [JSON], None, None),
    "key_expired": (KEYS["expired"], [JSON], None, None),
    "budget_exhausted": (KEYS["poor"], [JSON], None, None),
    "price_unknown": (KEYS["poor"], [JSON], None, "mock-unpriced"),
    "rate_limited": (KEYS["slow"], [JSON], None, None),
    "token_rate_limited": (KEYS["wordy"], [JSON], None, None),
    "model_not_allowed": (KEYS["narrow"], [JSON], None, None),
    "model_not_found": (KEY, [JSON], None, "embedder-only"),
    "integration_not_allowed": (KEYS["barred"], [JSON], None, None),
    "upstream_unreachable": (KEY, [JSON], None, "nowhere"),
    "upstream_credential": (KEY, [JSON], None, "mock-refused"),
}
ELSEWHERE = {
    "key_unusable": "test_issued_keys",
    "malformed_http": "test_lane_*",
    "head_too_large": "test_lane_*",
    "request_timeout": "test_lane_*",
    "method_unknown": "test_lane_*",
    "http_version_unknown": "test_lane_*",
    "expectation_failed": "test_lane_*: the head is not read",
    "method_not_allowed": "below",
    "unknown_path": "test_routing",
    "integration_missing": "test_routing",
    "too_many_parallel": "test_rates",
    "upstream_tls": "test_upstream_*",
    "upstream_timeout": "test_upstream_*",
    "upstream_reset": "test_upstream_*",
    "upstream_bad_reply": "test_upstream_*",
    "upstream_busy": "test_upstream_*",
    "upstream_status": "test_usage_gateway: passed on as it is, in records only",
    "internal": "a fault of ours; no request provokes it",
    "ledger_full": "needs 4,096 requests at once",
    "unavailable": "needs a drain that is down",
    "client_gone": "test_stream_*: in records only",
    "unsupported_parameter": "test_translation",
    "upstream_translation": "test_translation",
    "no_target": "test_routes",
}


def config(url: str) -> str:
    aliases = []
    for dialect in MODELS:
        aliases += [
            f'[models.nowhere-{dialect}]\ntargets = [{{ integration = "nowhere-{dialect}", model = "gone" }}]',
            f'[models.mock-unpriced-{dialect}]\ntargets = [{{ integration = "{dialect}", model = "mock-unpriced" }}]',
            f'[models.mock-refused-{dialect}]\ntargets = [{{ integration = "{dialect}", model = "mock-refused" }}]',
            f'[models.embedder-only-{dialect}]\ntargets = [{{ integration = "embedder", model = "voyage-3" }}]',
            f'[integrations.nowhere-{dialect}]\nprovider = "{dialect}"\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["gone"]',
        ]
    aliases.append(f'[integrations.embedder]\nprovider = "voyage"\nbase_url = "{url}"\napi_key = "unused-by-anyone"')
    keys = [
        key_lines(),
        key_lines("disabled", KEYS["disabled"], enabled="false"),
        key_lines("poor", KEYS["poor"], budget="{ usd = 0 }"),
        key_lines("expired", KEYS["expired"], expires_at="2020-01-01T00:00:00Z"),
        key_lines("slow", KEYS["slow"], rate="{ requests_per_minute = 1 }"),
        key_lines("wordy", KEYS["wordy"], rate="{ tokens_per_minute = 1 }"),
        key_lines("narrow", KEYS["narrow"], models='["text-embedding-3-small"]'),
        key_lines("barred", KEYS["barred"], integrations='["nowhere-openai"]'),
    ]
    return "\n".join(["[gateway]\nmax_body_bytes = 65536\n", *aliases, integrations(url), *keys])


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    refused = json_reply({"error": {"message": "no"}}, 401)
    served = json_reply({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 5}})
    with Upstream(refused, routes={CHAT: [served, served, refused]}) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path_factory.mktemp("refusals"), config(upstream.url)) as running:
        # what has a rate is used up first
        for name in ("slow", "wordy"):
            with RawClient(running.url) as client:
                client.ask_json(CHAT, {"model": "gpt-4.1", "messages": QUESTION}, bearer(KEYS[name]))
        yield running


def test_every_error_is_provoked_here_or_elsewhere() -> None:
    """The table of errors is complete: each code is provoked below, or it is said where, or why not."""
    assert set(CODES) - {""} == PROVOKED.keys() | ELSEWHERE.keys()
    assert not PROVOKED.keys() & ELSEWHERE.keys()


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("code", PROVOKED)
def test_error_is_in_the_callers_dialect_and_leaves_one_record(gateway: RunningGateway, code: str, dialect: str) -> None:
    """Each refusal is JSON in the dialect of the path with its code, status and advice, and is recorded exactly once."""
    key, fields, body, model = PROVOKED[code]
    named = f"{model}-{dialect}" if model else MODELS[dialect]
    path = GENERATE.replace("gemini-2.5-flash", named) if dialect == "gemini" else PATHS[dialect]
    whole = json.dumps(
        {"max_tokens": 5, "messages": QUESTION, "contents": [], **({} if dialect == "gemini" else {"model": named})}
    ).encode()
    with RawClient(gateway.url) as client:
        client.send(request("POST", path, whole if body is None else body, [*fields, *(bearer(key) if key else [])]))
        reply = client.read_response("POST")
    kind = next(row for row in TABLE.values() if row.code == code)
    assert (code_of(reply), reply.status) == (code, kind.status), reply.body
    assert reply.field("content-type") == "application/json" and reply.field("x-fastgw-error") == code
    assert (reply.field("x-should-retry") == "false") == (not kind.retryable)
    check_shape(dialect, reply.json(), kind.status, str(reply.field("x-fastgw-request-id")))
    message = message_of(reply)
    assert len(message) > 20 and not message.endswith(".") and "Traceback" not in message
    request_id = reply.field("x-fastgw-request-id")
    gateway.wait_until(lambda: any(row["id"] == request_id for row in gateway.records()), "the record")
    rows = [row for row in gateway.records() if row["id"] == request_id]
    assert len(rows) == 1
    assert (rows[0]["error"], rows[0]["status"], rows[0]["cost_nano_usd"]) == (code, kind.status, 0)
    assert rows[0]["outcome"] == ("failed" if kind.status >= 500 and code != "upgrade_not_supported" else rows[0]["outcome"])


def check_shape(dialect: str, body: Any, status: int, request_id: str) -> None:
    """The error has exactly the members that the dialect's clients read."""
    if dialect == "openai":
        assert body.keys() == {"error"} and body["error"].keys() == {"message", "type", "param", "code"}
    elif dialect == "anthropic":
        assert body.keys() == {"type", "error", "request_id"} and body["type"] == "error" and body["request_id"] == request_id
        assert body["error"].keys() == {"type", "message", "code"}
    else:
        assert body["error"].keys() == {"code", "message", "status", "details"} and body["error"]["code"] == status
        assert body["error"]["status"].isupper() and body["error"]["details"][0]["metadata"]["request_id"] == request_id


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", CHAT, "POST"),
        ("DELETE", MESSAGES, "POST"),
        ("PUT", GENERATE, "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
    ],
)
def test_wrong_method_says_which_is_right(gateway: RunningGateway, method: str, path: str, allow: str) -> None:
    """A path that exists with another method answers 405 with Allow."""
    with RawClient(gateway.url) as client:
        reply = client.ask(method, path, b"", bearer())
    assert (reply.status, code_of(reply), reply.field("allow")) == (405, "method_not_allowed", allow)
