"""Who may call, and that no credential crosses the gateway in either direction or stands where it can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.framing import Fields
from tests.fakes.raw_client import RawClient, request
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import (
    CHAT,
    GENERATE,
    MESSAGES,
    PROVIDER_KEY,
    QUESTION,
    ask,
    bearer,
    chat,
    code_of,
    integrations,
    key_lines,
    message_of,
)
from tests.gateway.running import KEY, RunningGateway

DISABLED, EXPIRED, EMPTY_LIST = ("fgw-auth-disabled-000000000000", "fgw-auth-expired-0000000000000", "fgw-auth-models-00000000000000")
HEADER_SECRET = "token-of-a-header-77aa88bb99cc"
REPLY = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
LEAKING = [
    ("set-cookie", f"session={PROVIDER_KEY}"),
    ("x-echo", f"Bearer {PROVIDER_KEY}"),
    ("Authorization", f"Bearer {PROVIDER_KEY}"),
    ("x-api-key", PROVIDER_KEY),
    ("x-debug", f"t={HEADER_SECRET}"),
    ("x-request-cost", "3"),
    ("www-authenticate", f"Bearer k={PROVIDER_KEY}"),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY, fields=LEAKING)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = (
        integrations(upstream.url, headers=f'{{ "x-auth-token" = "{HEADER_SECRET}", "x-team" = "gateway" }}')
        + "".join(
            (
                key_lines(integration='"openai"'),
                key_lines("disabled", DISABLED, enabled="false"),
                key_lines("expired", EXPIRED, expires_at="2020-01-01T00:00:00Z"),
                key_lines("models", EMPTY_LIST, models='["gpt-4.1"]'),
            )
        )
        + '\n[gateway.record]\npayloads = "all"\n'
    )
    with RunningGateway(tmp_path_factory.mktemp("auth"), config) as running:
        yield running


@pytest.mark.parametrize(
    "fields",
    [
        [("authorization", f"Bearer {KEY}")],
        [("Authorization", f"bEARER   {KEY}")],
        [("x-api-key", KEY)],
        [("api-key", KEY)],
        [("x-goog-api-key", KEY)],
        [("x-portkey-api-key", KEY)],
        [("authorization", "Bearer OPENAI_API_KEY"), ("x-portkey-api-key", KEY)],
        [("x-portkey-api-key", KEY), ("authorization", "Bearer sk-placeholder"), ("x-api-key", "dummy")],
        [("authorization", "Basic dXNlcjpwYXNz"), ("api-key", KEY)],
    ],
    ids=lambda fields: "+".join(name for name, _ in fields),
)
def test_key_is_taken_from_every_field_and_goes_no_further(gateway: RunningGateway, upstream: Upstream, fields: Fields) -> None:
    """Each field that clients use carries the key, placeholders beside it do not harm, and none of them goes upstream."""
    reply = ask(
        gateway.url, CHAT, {"model": "gpt-4.1", "messages": QUESTION}, [*fields, ("cookie", f"k={KEY}"), ("proxy-authorization", KEY)]
    )
    assert reply.status == 200
    received = upstream.received[-1]
    assert KEY.encode() not in received.raw
    assert received.field("authorization") == f"Bearer {PROVIDER_KEY}"
    for name in ("x-api-key", "api-key", "x-goog-api-key", "x-portkey-api-key", "cookie", "proxy-authorization"):
        assert received.field(name) is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (f"{GENERATE}?key={{key}}", GENERATE),
        (f"{GENERATE}?alt=sse&key={{key}}&x=1", f"{GENERATE}?alt=sse&x=1"),
        (f"{GENERATE}?k%65y={{key}}", GENERATE),
        ("/v1/models/gemini-2.5-flash:generateContent?key={key}", "/v1/models/gemini-2.5-flash:generateContent"),
    ],
)
def test_gemini_key_is_taken_from_the_query_and_out_of_it(gateway: RunningGateway, upstream: Upstream, target: str, expected: str) -> None:
    """?key= authenticates on Gemini's paths, and the rest of the query goes on without it."""
    reply = ask(gateway.url, target.format(key=KEY), {"contents": []}, [])
    assert reply.status == 200
    assert upstream.received[-1].target == expected
    assert KEY.encode() not in upstream.received[-1].raw
    assert upstream.received[-1].field("x-goog-api-key") == PROVIDER_KEY


def test_key_in_the_query_of_another_path_neither_counts_nor_goes_upstream(gateway: RunningGateway, upstream: Upstream) -> None:
    """Elsewhere a key in the query does not authenticate, and beside a good credential it is still taken out."""
    body = {"model": "gpt-4.1", "messages": QUESTION}
    assert code_of(ask(gateway.url, f"{CHAT}?key={KEY}", body, [])) == "missing_key"
    for query in (f"a=1&key={KEY}&b=2", f"a=1&token={KEY}&b=2", f"a=1&key={KEY[:4]}%{ord(KEY[4]):02x}{KEY[5:]}&b=2"):
        assert ask(gateway.url, f"{CHAT}?{query}", body).status == 200
        assert upstream.received[-1].target == f"{CHAT}?a=1&b=2"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ([], 401, "missing_key"),
        ([("authorization", "Bearer ")], 401, "missing_key"),
        ([("authorization", KEY)], 401, "missing_key"),
        (bearer(KEY[:-1]), 401, "invalid_key"),
        (bearer(KEY + "x"), 401, "invalid_key"),
        (bearer(KEY.upper()), 401, "invalid_key"),
        (bearer("k" * 5000), 401, "missing_key"),
        (bearer(DISABLED), 403, "key_disabled"),
        (bearer(EXPIRED), 412, "key_expired"),
        (bearer(PROVIDER_KEY), 401, "invalid_key"),
    ],
)
def test_wrong_key_is_refused_in_every_dialect(gateway: RunningGateway, upstream: Upstream, fields: Fields, status: int, code: str) -> None:
    """No key, a wrong one, a disabled one and an expired one are each told apart, in the dialect of the path, before anything is sent."""
    before = len(upstream.received)
    for path in (CHAT, MESSAGES, GENERATE, "/v1/models"):
        model = "claude-sonnet-4-6" if path == MESSAGES else "gpt-4.1"
        reply = ask(gateway.url, path, {"model": model, "messages": [], "contents": []}, fields, "GET" if path == "/v1/models" else "POST")
        assert (reply.status, code_of(reply)) == (status, code)
        assert all(value not in reply.raw.decode() for name, value in fields if len(value) > 20)
        body = json.loads(reply.body)
        assert ("type" in body) == (path == MESSAGES) and ("details" in body["error"]) == (path == GENERATE)
    assert len(upstream.received) == before


def test_provider_credential_never_comes_down(gateway: RunningGateway) -> None:
    """Reply fields that hold the integration's credential are dropped, whatever their name; others pass."""
    reply = chat(gateway.url)
    assert reply.status == 200 and reply.field("x-request-cost") == "3"
    assert PROVIDER_KEY.encode() not in reply.raw and HEADER_SECRET.encode() not in reply.raw
    assert {name.lower() for name, _ in reply.fields}.isdisjoint({"set-cookie", "x-echo", "authorization", "x-api-key", "x-debug"})


@pytest.mark.parametrize("path", [CHAT, MESSAGES, GENERATE])
def test_refusal_of_the_provider_credential_is_withheld(gateway: RunningGateway, upstream: Upstream, path: str) -> None:
    """A provider's 401, which may quote its key, becomes a 502 of ours that says whose key it is."""
    upstream.play(json_reply({"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}"}}, 401))
    try:
        model = "claude-sonnet-4-6" if path == MESSAGES else "gpt-4.1"
        reply = ask(gateway.url, path, {"model": model, "messages": QUESTION, "contents": []})
    finally:
        upstream.play(json_reply(REPLY, fields=LEAKING))
    assert (reply.status, code_of(reply)) == (502, "upstream_credential")
    assert PROVIDER_KEY.encode() not in reply.raw and "api_key" in message_of(reply)


def test_fields_of_the_configuration_take_the_place_of_a_callers(gateway: RunningGateway, upstream: Upstream) -> None:
    """A field that the integration sets goes upstream once, as configured; a caller's own of that name does not."""
    fields = [*bearer(), ("X-Team", "caller"), ("x-auth-token", "mine"), ("x-mine", "kept")]
    assert ask(gateway.url, CHAT, {"model": "gpt-4.1", "messages": []}, fields).status == 200
    received = upstream.received[-1]
    assert (received.field("x-team"), received.field("x-auth-token"), received.field("x-mine")) == ("gateway", HEADER_SECRET, "kept")


def test_anthropic_version_is_added_only_where_the_caller_sent_none(gateway: RunningGateway, upstream: Upstream) -> None:
    """anthropic-version has a default, and a caller's own goes on alone."""
    body = {"model": "claude-sonnet-4-6", "max_tokens": 1, "messages": []}
    for fields, expected in (([], "2023-06-01"), ([("anthropic-version", "2024-09-09")], "2024-09-09")):
        assert ask(gateway.url, MESSAGES, body, [*bearer(), *fields]).status == 200
        assert upstream.received[-1].field("anthropic-version") == expected
        assert upstream.received[-1].field("x-api-key") == PROVIDER_KEY


def test_no_secret_stands_where_it_can_be_read(gateway: RunningGateway, upstream: Upstream) -> None:
    """Keys are in no log, no record with payloads, no command line and no file of the state but as digests."""
    secret = f"my key is {KEY} and theirs {PROVIDER_KEY}"
    ask(gateway.url, CHAT, {"model": "gpt-4.1", "messages": [{"role": "user", "content": secret}]})
    ask(gateway.url, f"/nowhere/{'x' * 10}?key={KEY}", {})
    with RawClient(gateway.url) as client:
        client.send(request("POST", CHAT, b"{", bearer()))
        assert client.read_response("POST").status == 400
    gateway.records(3)
    gateway.wait_until(lambda: any(row["error"] == "invalid_request" for row in gateway.records()), "the last record")
    places = [gateway.log_path, gateway.lines_path, *(path for path in gateway.state.rglob("*") if path.is_file())]
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    places += [Path(f"/proc/{pid}/cmdline") for pid in (*children, gateway.process.pid)]
    for place in places:
        content = place.read_bytes()
        # a ring is private memory between a worker and the drain, which masks what it writes
        if place.suffix != ".ring":
            assert KEY.encode() not in content, place
            assert PROVIDER_KEY.encode() not in content, place
            assert HEADER_SECRET.encode() not in content, place
