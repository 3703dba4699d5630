"""Cohere's, Ollama's and Bedrock's own APIs, by their own clients: bytes pass, keys keep to their models, budgets to what is seen."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]  # boto3 has no types
import cohere
import httpx
import pytest

from tests.fakes.raw_client import RawClient
from tests.fakes.script import bytes_reply, json_reply
from tests.fakes.upstream import Upstream
from tests.gateway.lane_gateway import record_of
from tests.gateway.limited import ask, bearer, code_of, key_lines, price
from tests.gateway.running import KEY, RunningGateway

LIMITED, POOR = "fgw-limited-0123456789abcdef", "fgw-poor-0123456789abcdef00"
USAGE = {"billed_units": {"input_tokens": 3, "output_tokens": 4}, "tokens": {"input_tokens": 500, "output_tokens": 6}}
STREAM = b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in (
    {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant", "content": []}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Paris"}}}},
    {"type": "message-end", "id": "m", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
))  # fmt: skip
CONFIG = """
[integrations.cohere]
provider = "cohere"
base_url = "{url}"
api_key = "sk-of-the-operator-01234"
[integrations.voyage]
provider = "voyage"
base_url = "{url}/voyage"
api_key = "sk-of-the-operator-01234"
models = ["voyage-4"]
[integrations.ollama]
provider = "ollama"
base_url = "{url}/v1"
models = ["llama3"]
[integrations.bedrock]
provider = "bedrock"
base_url = "{url}"
aws = {{ region = "us-east-1", access_key_id = "AKIDEXAMPLE", secret_access_key = "wJalrXUtnFEMI/K7MDENG" }}
models = ["us.amazon.nova-micro-v1:0"]
[integrations.vertex]
provider = "vertex-ai"
base_url = "{url}"
google = {{ project = "p", region = "global" }}
token_url = "{url}/token"
[models.small]
targets = [{{ integration = "bedrock", model = "us.amazon.nova-micro-v1:0" }}]
[prices]
"cohere/command-a" = {cohere}
[workspaces.default]
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with Upstream(json_reply({"access_token": "ya29.made", "expires_in": 3600})) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    directory = tmp_path_factory.mktemp("native")
    account = directory / "google.json"
    account.write_text(json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}))
    keys = [key_lines(), key_lines("limited", LIMITED, models='["llama3"]'),
            key_lines("poor", POOR, budget='{ usd = 1.0, window = "total" }')]
    config = CONFIG.format(url=provider.url, cohere=price("1000", "2000")) + "".join(keys)
    with RunningGateway(directory, config, environ={"GOOGLE_APPLICATION_CREDENTIALS": str(account)}) as running:
        yield running
        assert "Traceback" not in running.log()


def test_chat_of_coheres_client_passes_and_is_billed(gateway: RunningGateway, provider: Upstream) -> None:
    """Cohere's client streams at /v2/chat; every byte is Cohere's, and what it bills is what is charged, not what it counts."""
    provider.play(bytes_reply(STREAM, 200, [("content-type", "text/event-stream")], True), "/v2/chat")
    body = {"model": "command-a", "messages": [{"role": "user", "content": "Capital?"}], "stream": True}
    reply = ask(gateway.url, "/v2/chat", body)
    assert (reply.status, reply.body) == (200, STREAM) and json.loads(provider.received[-1].body) == body
    row = record_of(gateway, reply)
    assert (row["operation"], row["input_tokens"], row["output_tokens"], row["flags"]) == ("cohere_chat", 3, 4, "streamed")
    assert row["cost_nano_usd"] == 3 * 1_000_000 + 4 * 2_000_000
    with httpx.Client() as network:
        client = cohere.ClientV2(KEY, base_url=gateway.url, httpx_client=network)
        events = list(client.chat_stream(model="command-a", messages=[cohere.UserChatMessageV2(content="Capital?")]))
    assert [event.type for event in events] == ["message-start", "content-delta", "message-end"]


def test_coheres_client_embeds_and_ranks_elsewhere(gateway: RunningGateway, provider: Upstream) -> None:
    """What Cohere's client asks at /v2/embed and /v2/rerank another provider answers in its own shape."""
    provider.play(json_reply({"data": [{"embedding": [0.5], "index": 0}], "usage": {"total_tokens": 3}}), "/voyage/embeddings")
    provider.play(json_reply({"data": [{"index": 1, "relevance_score": 0.9}], "usage": {"total_tokens": 3}}), "/voyage/rerank")
    with httpx.Client() as network:
        client = cohere.ClientV2(KEY, base_url=gateway.url, httpx_client=network)
        vectors = client.embed(model="voyage-4", texts=["a"], input_type="search_query", embedding_types=["float"]).embeddings.float_
        ranks = client.rerank(model="voyage-4", query="q", documents=["a", "b"]).results
    assert vectors == [[0.5]] and [(rank.index, rank.relevance_score) for rank in ranks] == [(1, 0.9)]


def test_body_of_voyages_own_client_passes(gateway: RunningGateway, provider: Upstream) -> None:
    """At the paths that it shares with others Voyage's client has Voyage's reply, billed; another caller has the reply of its own shape."""
    said = {"object": "list", "data": [{"index": 1, "relevance_score": 0.9}], "usage": {"total_tokens": 3}}
    provider.play(json_reply(said), "/voyage/rerank")
    own = {"model": "voyage-4", "query": "q", "documents": ["a", "top_k"], "top_k": None}
    reply = ask(gateway.url, "/v1/rerank", own)
    assert reply.json() == said and json.loads(provider.received[-1].body) == own and record_of(gateway, reply)["input_tokens"] == 3
    del own["top_k"]
    body: Any = ask(gateway.url, "/v1/rerank", own).json()
    assert body["results"][0]["index"] == 1


def test_ollamas_own_paths_stand_beside_its_prefix(gateway: RunningGateway, provider: Upstream) -> None:
    """/api/chat is asked where Ollama has it, not below the /v1 of its other API; its lines pass as they come."""
    lines = b'{"message":{"content":"Pa"},"done":false}\n{"message":{"content":"ris"},"done":true}\n'
    provider.play(bytes_reply(lines, 200, [("content-type", "application/x-ndjson")], True), "/api/chat")
    reply = ask(gateway.url, "/api/chat", {"model": "llama3", "messages": []})
    assert (reply.status, reply.body, provider.received[-1].path) == (200, lines, "/api/chat")
    assert record_of(gateway, reply)["operation"] == "ollama"


def test_boto3_reaches_bedrock_by_a_key_of_the_gateway(
        gateway: RunningGateway, provider: Upstream) -> None:
    """AWS's client signs with what opens nothing and sends a key beside it; the integration signs, and an alias is renamed in the path."""
    path = "/model/us.amazon.nova-micro-v1%3A0/converse"
    said = {"output": {"message": {"role": "assistant", "content": [{"text": "Paris"}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}}
    provider.play(json_reply(said), path)
    client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=gateway.url, aws_access_key_id="none",
                          aws_secret_access_key="none", aws_session_token="none")
    client.meta.events.register("before-call.bedrock-runtime", lambda params, **_: params["headers"].update({"x-api-key": KEY}))
    for model in ("us.amazon.nova-micro-v1:0", "small"):
        reply: Any = client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Capital?"}]}])
        assert reply["output"] == said["output"] and provider.received[-1].path == path
        assert (provider.received[-1].field("authorization") or "").startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        names = [name.lower() for name, _ in provider.received[-1].fields]
        assert names.count("x-amz-date") == 1 and "x-amz-security-token" not in names
    client.close()


def test_embedding_that_states_no_usage_has_no_output(gateway: RunningGateway, provider: Upstream) -> None:
    """A model that only one shape of an integration serves is found by its name, and its numbers are charged to nobody as output."""
    provider.play(json_reply({"embedding": [0.5] * 500}), "/model/amazon.titan-embed-text-v2%3A0/invoke")
    reply = ask(gateway.url, "/v1/embeddings", {"model": "amazon.titan-embed-text-v2:0", "input": "a"},
                [*bearer(), ("x-fastgw-integration", "bedrock")])
    row = record_of(gateway, reply)
    assert (reply.status, row["output_tokens"], row["flags"].split(",")[0]) == (200, 0, "estimated") and row["input_tokens"] > 0


@pytest.mark.parametrize(("target", "model"), [("/model/us.amazon.nova-micro-v1%3A0/invoke", None), ("/guardrail/g/version/1/apply", None),
                                               ("/api/chat", "llama4"), ("/v2/chat", "command-a")])
def test_key_with_a_list_of_models_is_held_to_it(gateway: RunningGateway, target: str, model: str | None) -> None:
    """Neither another model nor a path that names none is open to a key that may use certain models."""
    reply = ask(gateway.url, target, {"model": model} if model else {}, bearer(LIMITED))
    assert (reply.status, code_of(reply)) == (403, "model_not_allowed"), reply.body


@pytest.mark.parametrize("target", ["/model/us.amazon.nova-micro-v1%3A0/invoke", "/api/chat"])
def test_budget_refuses_what_no_reply_will_price(gateway: RunningGateway, target: str) -> None:
    """What only passes costs what the gateway cannot see."""
    reply = ask(gateway.url, target, {"model": "llama3"}, bearer(POOR))
    assert (reply.status, code_of(reply)) == (412, "price_unknown"), reply.body


@pytest.mark.parametrize("target", ["/model/m/../invoke", "/model//invoke", "/V2/chat", "/v2/chat/", "/api/%63hat"])
def test_disguised_paths_are_refused(gateway: RunningGateway, target: str) -> None:
    """A path that a provider may take for another one reaches nobody."""
    reply = ask(gateway.url, target, {"model": "llama3"})
    assert (reply.status, code_of(reply)) == (404, "unknown_path"), reply.body


def test_body_that_only_passes_waits_for_the_token(gateway: RunningGateway, provider: Upstream) -> None:
    """What is streamed while the integration's first token is fetched is kept, and sent when it is there."""
    path = "/v1/projects/p/locations/global/v1beta/cachedContents"
    provider.play(json_reply({"name": "c"}), path)
    with RawClient(gateway.url) as client:
        reply = client.ask("POST", "/v1beta/cachedContents", b'{"a":"' + b"b" * 70_000 + b'"}',
                           [*bearer(), ("x-fastgw-integration", "vertex"), ("content-type", "application/json")])
    assert (reply.status, len(provider.received[-1].body), provider.received[-1].path) == (200, 70_008, path)
