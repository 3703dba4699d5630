"""Every exchange leaves exactly one record, and what stands in it is true."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient, Response, json_request, request
from tests.fakes.script import Gate, event, hang, json_reply, pause, reset, reset_in_chunk, slow, sse_reply
from tests.fakes.upstream import Upstream
from tests.gateway.running import KEY, RunningGateway
from tests.patience import PATIENCE_S

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 4,
    "total_tokens": 24,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
REPLY = {"id": "c", "object": "chat.completion", "model": "real-1", "choices": [], "usage": USAGE}
BODY_MS = 1000
# 12 * 2 + 8 * 0.5 + 4 * 8 dollars a million, in nano-dollars
COST = 12 * 2000 + 8 * 500 + 4 * 8000
CONFIG = """
[gateway.timeouts]
body_ms = {body_ms}

[gateway.record]
payloads = "{payloads}"
max_payload_bytes = 400

[integrations.main]
provider = "openai"
base_url = "{url}/v1"
api_key = "sk-of-the-provider-0123456789"
timeouts = {{ first_byte_ms = 1500, idle_ms = 1500 }}

[integrations.second]
provider = "openai"
base_url = "{url}/second/v1"
api_key = "sk-of-the-second-0123456789"

[models.fast]
targets = [{{ integration = "main", model = "real-1" }}]
price = {{ input = 2.0, cache_read = 0.5, output = 8.0 }}

[models.twice]
strategy = "fallback"
targets = [{{ integration = "main", model = "slow-1" }}, {{ integration = "second", model = "real-2" }}]
retry = {{ attempts = 0 }}
price = {{ input = 2.0, output = 8.0 }}

[models.again]
targets = [{{ integration = "main", model = "real-3" }}]
retry = {{ attempts = 2, base_ms = 1, on_status = [503] }}
price = {{ input = 2.0, output = 8.0 }}

[workspaces.team]
budget = {{ usd = 10.0 }}

[[keys]]
name = "app-1"
key = "{key}"
workspace = "team"
integration = "main"

[[keys]]
name = "limited"
key = "{key}-limited"
workspace = "team"
rate = {{ requests_per_minute = 1 }}
"""
AUTH = [("authorization", f"Bearer {KEY}")]
CHAT = {"model": "fast", "max_tokens": 50, "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = CONFIG.format(url=upstream.url, key=KEY, body_ms=BODY_MS, payloads="all")
    with RunningGateway(tmp_path_factory.mktemp("gateway"), config, workers=2) as running:
        yield running


@pytest.fixture(autouse=True)
def usual_reply(upstream: Upstream) -> None:
    upstream.play(json_reply(REPLY))


def ask(gateway: RunningGateway, body: object = CHAT, path: str = "/v1/chat/completions", **fields: str) -> Response:
    with RawClient(gateway.url) as client:
        return client.ask_json(
            path, body, [*AUTH, *((name.replace("_", "-"), value) for name, value in fields.items())]
        )


def record_of(gateway: RunningGateway, response: Response) -> dict[str, Any]:
    """The one record of a response, which names it."""
    name = response.field("x-fastgw-request-id")
    assert name
    gateway.wait_until(lambda: any(row["id"] == name for row in gateway.records()), f"record {name}")
    found = [row for row in gateway.records() if row["id"] == name]
    assert len(found) == 1
    return found[0]


def points(row: dict[str, Any]) -> list[int]:
    names = ("read_ns", "admitted_ns", "sent_ns", "first_byte_ns", "replied_ns", "finished_ns")
    return [row[name] for name in names]


def test_a_served_exchange_is_recorded_as_it_was(gateway: RunningGateway) -> None:
    """Names, tokens, cost, sizes and outcome of a served request are those that were."""
    response = ask(gateway)
    assert response.status == 200
    row = record_of(gateway, response)
    sent = json.dumps(CHAT).encode()
    expected = {
        "outcome": "served",
        "error": "",
        "status": 200,
        "upstream_status": 200,
        "operation": "chat",
        "dialect": "openai",
        "key": "app-1",
        "workspace": "team",
        "integration": "main",
        "provider": "openai",
        "model": "fast",
        "upstream_model": "real-1",
        "input_tokens": 20,
        "output_tokens": 4,
        "cache_read_tokens": 8,
        "reasoning_tokens": 3,
        "cost_nano_usd": COST,
        "request_bytes": len(sent),
        "reply_bytes": len(response.body),
        "attempts": 1,
        "flags": "",
        "trace": "",
        "trace_id": "",
    }
    assert {name: row[name] for name in expected} == expected
    cost = response.field("x-fastgw-cost-usd")
    assert cost is not None and round(float(cost) * 1e9) == COST
    assert row["request"] == sent.decode() and json.loads(row["reply"]) == REPLY


def test_times_follow_one_another(gateway: RunningGateway, upstream: Upstream) -> None:
    """read <= admitted <= sent <= first byte <= replied <= finished; the gateway's own share leaves the
    provider's time out.
    """
    upstream.play(slow(json_reply(REPLY), 120))
    row = record_of(gateway, ask(gateway))
    times = points(row)
    assert times == sorted(times) and times[0] >= 0
    assert row["first_byte_ns"] - row["sent_ns"] >= 110_000_000
    assert 0 < row["gateway_ns"] <= row["finished_ns"] - (row["first_byte_ns"] - row["sent_ns"])


def test_the_share_of_a_second_attempt_leaves_the_first_one_out(gateway: RunningGateway, upstream: Upstream) -> None:
    """Time that a first target took before the second served is not the gateway's; times follow one another all
    the same.
    """
    upstream.play(slow(json_reply({"error": {}}, 503), 150))
    upstream.play(json_reply(REPLY), "/second/v1/chat/completions")
    row = record_of(gateway, ask(gateway, {**CHAT, "model": "twice"}))
    assert (row["outcome"], row["attempts"], row["integration"], row["upstream_model"]) == (
        "served",
        2,
        "second",
        "real-2",
    )
    assert points(row) == sorted(points(row))
    assert 0 < row["gateway_ns"] < row["finished_ns"] - 140_000_000


def test_a_second_attempt_without_a_reply_is_not_the_gateways_time(gateway: RunningGateway, upstream: Upstream) -> None:
    """A first target's whole reply is forgotten: what the second took before it broke off is not the gateway's."""
    upstream.play(json_reply({"error": {}}, 503))
    upstream.play(slow([reset()], 150), "/second/v1/chat/completions")
    row = record_of(gateway, ask(gateway, {**CHAT, "model": "twice"}))
    assert (row["outcome"], row["attempts"], row["integration"], row["replied_ns"]) == ("failed", 2, "second", -1)
    assert 0 < row["gateway_ns"] < row["finished_ns"] - 140_000_000


def test_detail_tells_the_attempts_and_the_metadata(gateway: RunningGateway, upstream: Upstream) -> None:
    """Each attempt stands in the record with what became of it, and so does what the caller said of the request; an
    ordinary request has no detail.
    """
    upstream.play(json_reply({"error": {}}, 503))
    upstream.play(json_reply(REPLY), "/second/v1/chat/completions")
    metadata = json.dumps({"team": "search", "api_key": "hunter2"})
    row = record_of(gateway, ask(gateway, {**CHAT, "model": "twice"}, x_portkey_metadata=metadata))
    assert (row["attempts"], row["retries"], row["cache"], row["saved_nano_usd"]) == (2, 0, "", 0)
    first, second = row["detail"]["attempts"].split(", ")
    assert "slow-1" in first and ";status=503" in first and "real-2" in second and ";status=200" in second
    assert row["detail"]["metadata"] == {"team": "search", "api_key": "[masked]"}
    upstream.play(json_reply(REPLY))
    assert record_of(gateway, ask(gateway))["detail"] is None


def test_retries_are_counted_among_the_attempts(gateway: RunningGateway, upstream: Upstream) -> None:
    """A target that is asked again and again leaves a record with all attempts, and says how many were retries."""
    upstream.play(json_reply({"error": {}}, 503))
    row = record_of(gateway, ask(gateway, {**CHAT, "model": "again"}))
    assert (row["status"], row["attempts"], row["retries"]) == (503, 3, 2)
    assert row["detail"]["attempts"].count(";status=503") == 3


def test_the_share_of_a_refused_upload_leaves_the_wait_out(gateway: RunningGateway) -> None:
    """Time in which the caller did not send is not the gateway's."""
    with RawClient(gateway.url) as client:
        client.send(json_request("/v1/chat/completions", CHAT, AUTH)[:-5])
        row = record_of(gateway, client.read_response())
    assert (row["outcome"], row["error"], row["status"], row["read_ns"]) == ("refused", "request_timeout", 408, -1)
    assert row["finished_ns"] > BODY_MS * 1_000_000 and row["gateway_ns"] < row["finished_ns"] - (BODY_MS - 50) * 1_000_000


def test_a_stream_is_recorded_when_it_ends(gateway: RunningGateway, upstream: Upstream) -> None:
    """A stream's record has the usage that the provider told, which the caller did not ask for and does not see."""
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "x"}}]}
    upstream.play(sse_reply([chunk, {"id": "c", "choices": [], "usage": USAGE}, b"data: [DONE]\n\n"]))
    response = ask(gateway, {**CHAT, "stream": True})
    assert b"usage" not in response.body and response.body.endswith(b"data: [DONE]\n\n")
    row = record_of(gateway, response)
    assert (row["outcome"], row["flags"], row["cost_nano_usd"], row["output_tokens"]) == ("served", "streamed", COST, 4)
    assert row["reply_bytes"] == len(response.body) and row["reply"] == response.body.decode()
    assert points(row) == sorted(points(row))


def test_trace_ids_are_kept_and_passed_on(gateway: RunningGateway, upstream: Upstream) -> None:
    """x-portkey-trace-id is echoed and recorded; a traceparent is forwarded as it is, and its trace id is recorded."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    before = len(upstream.received)
    response = ask(gateway, x_portkey_trace_id="run-17", traceparent=parent)
    assert response.field("x-portkey-trace-id") == "run-17"
    assert upstream.wait(before + 1)[before].field("traceparent") == parent
    row = record_of(gateway, response)
    assert (row["trace_id"], row["trace"]) == ("run-17", "0af7651916cd43dd8448eb211c80319c")
    assert response.field("x-fastgw-request-id") == row["id"] and uuid.UUID(row["id"]).version == 7


@pytest.mark.parametrize(
    "parent",
    [
        "00-0af7651916cd43dd8448eb211c8031zz-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c",
        "nonsense",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_a_broken_traceparent_is_no_trace(gateway: RunningGateway, parent: str) -> None:
    """A traceparent that W3C Trace Context does not allow leaves the field empty, not half of it."""
    assert record_of(gateway, ask(gateway, traceparent=parent))["trace"] == ""


def test_a_refused_request_says_its_trace_id_too(gateway: RunningGateway) -> None:
    """Also the reply to a path that nobody serves, or to a stranger, has the caller's trace id."""
    for path, status in (("/nowhere", 404), ("/v1/chat/completions", 401)):
        with RawClient(gateway.url) as client:
            response = client.ask("POST", path, b"{}", [("x-portkey-trace-id", "run-18")])
        assert (response.status, response.field("x-portkey-trace-id")) == (status, "run-18")
        assert record_of(gateway, response)["trace_id"] == "run-18"


def test_payloads_are_bounded_and_masked(gateway: RunningGateway) -> None:
    """What is kept of a body ends at max_payload_bytes, and holds no credential, not even one that the bound cut
    in two.
    """
    secret = "sk-proj-0123456789abcdefghijklmnop"
    response = ask(gateway, {**CHAT, "messages": [{"role": "user", "content": f"my key is {secret} " + "x" * 1000}]})
    row = record_of(gateway, response)
    assert secret not in row["request"] and "[masked]" in row["request"] and len(row["request"]) <= 400
    head = len(json.dumps({**CHAT, "messages": [{"role": "user", "content": ""}]})) - 4
    cut = ask(gateway, {**CHAT, "messages": [{"role": "user", "content": "x" * (400 - head - 25) + " " + secret}]})
    assert secret[:20] not in record_of(gateway, cut)["request"]


def mixed_run(gateway: RunningGateway, upstream: Upstream) -> tuple[list[str], int]:
    """Send every kind of request; return the ids that came back, and how many exchanges had no reply with an id."""
    ids: list[str | None] = []
    silent = 0
    for body, fields in (
        (CHAT, AUTH),
        ({**CHAT, "model": "none"}, AUTH),
        ("not an object", AUTH),
        (CHAT, []),
        (CHAT, [("authorization", f"Bearer {KEY}-limited")]),
        (CHAT, [("authorization", f"Bearer {KEY}-limited")]),
    ):
        with RawClient(gateway.url) as client:
            ids.append(client.ask_json("/v1/chat/completions", body, fields).field("x-fastgw-request-id"))
    with RawClient(gateway.url) as client:  # pipelined: answered in order
        client.send(json_request("/v1/chat/completions", CHAT, AUTH) * 3 + request("GET", "/v1/models", b"", AUTH))
        ids += [client.read_response().field("x-fastgw-request-id") for _ in range(4)]
    for broken in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"rubbish\r\n\r\n",
        b"GET /v1/models HTTP/3.0\r\nhost: x\r\n\r\n",
        b"BREW /v1/models HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ):
        with RawClient(gateway.url) as client:
            client.send(broken)
            ids.append(client.read_response().field("x-fastgw-request-id"))
    for script in ([reset()], hang(), json_reply({"error": {}}, 500), json_reply({"error": {}}, 401)):
        upstream.play(script)
        ids.append(ask(gateway).field("x-fastgw-request-id"))
    upstream.play(reset_in_chunk(event({"choices": []})))
    with RawClient(gateway.url) as client:
        client.send(json_request("/v1/chat/completions", {**CHAT, "stream": True}, AUTH))
        ids.append(re.search(rb"x-fastgw-request-id: (\S+)", client.read_until_close())[1].decode())  # type: ignore[index]
    gate = Gate()
    upstream.play([pause(gate)])
    with RawClient(gateway.url) as client:  # gone while the provider thinks
        client.send(json_request("/v1/chat/completions", CHAT, AUTH))
        assert gate.reached.wait(PATIENCE_S)
    silent += 1
    with RawClient(gateway.url) as client:  # gone while the body comes
        client.send(json_request("/v1/chat/completions", CHAT, AUTH)[:-3])
    silent += 1
    gate.release()
    for probe in ("/healthz", "/readyz", "/metrics"):
        with RawClient(gateway.url) as client:
            assert client.ask("GET", probe).status == 200
    with RawClient(gateway.url) as client:
        assert client.ask("OPTIONS", "/v1/chat/completions").status == 204
    assert all(ids)
    return [name for name in ids if name], silent


def test_exactly_one_record_for_every_exchange(gateway: RunningGateway, upstream: Upstream) -> None:
    """Served, refused, failed, cancelled and malformed requests leave one record each; probes and preflights none."""
    before = len(gateway.records())
    ids, silent = mixed_run(gateway, upstream)
    upstream.play(json_reply(REPLY))
    last = record_of(gateway, ask(gateway))["id"]  # whatever came before it is there too, but for other workers'
    gateway.wait_until(
        lambda: len(gateway.records()) >= before + len(ids) + silent + 1, f"{len(ids) + silent + 1} records"
    )
    rows = gateway.records()[before:]
    assert len(rows) == len(ids) + silent + 1
    assert len({row["id"] for row in rows}) == len(rows) and len(set(ids)) == len(ids)
    assert {row["id"] for row in rows} >= {*ids, last}
    assert {row["outcome"] for row in rows} == {"served", "refused", "failed", "cancelled"}
    cancelled = [row for row in rows if row["id"] not in {*ids, last}]
    assert [(row["outcome"], row["error"], row["status"]) for row in cancelled] == [("cancelled", "client_gone", 0)] * 2
    for row in rows:
        assert (row["error"] == "") == (row["outcome"] == "served")
        reached = [point for point in points(row) if point >= 0]
        assert reached == sorted(reached) and 0 <= row["gateway_ns"] <= row["finished_ns"]


def test_logs_db_and_json_lines_agree(gateway: RunningGateway) -> None:
    """The embedded store has the same records, field by field, payloads too."""
    name = record_of(gateway, ask(gateway))["id"]
    count = len(gateway.records())
    with sqlite3.connect(f"file:{gateway.state / 'logs.db'}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        gateway.wait_until(
            lambda: connection.execute("SELECT count(*) FROM records").fetchone()[0] >= count, f"{count} rows"
        )
        rows = {
            row["id"]: dict(row) for row in connection.execute("SELECT * FROM records LEFT JOIN payloads USING (seq)")
        }
    connection.close()
    lines = {row["id"]: row for row in gateway.records()}
    assert name in rows and len(rows) == len(lines)
    for key, row in rows.items():
        row.pop("seq")
        assert {**row, "detail": json.loads(row["detail"] or "null")} == lines[key]


def test_only_errors_keep_their_payloads_where_that_is_asked(upstream: Upstream, tmp_path: Path) -> None:
    """payloads = "errors" keeps the bodies of what was not served, "none" keeps none."""
    for payloads, kept in (("errors", True), ("none", False)):
        directory = tmp_path / payloads
        directory.mkdir()
        with RunningGateway(directory, CONFIG.format(url=upstream.url, key=KEY, body_ms=BODY_MS, payloads=payloads)) as gateway:
            good, bad = ask(gateway), ask(gateway, {**CHAT, "model": "none"})
            assert (good.status, bad.status) == (200, 404)
            row = record_of(gateway, good)
            assert row["request"] is None and row["reply"] is None
            row = record_of(gateway, bad)
            assert (row["request"] is not None, row["reply"] is not None) == (kept, kept)
            if kept:
                assert json.loads(row["reply"])["error"]["code"] == "model_not_found"
