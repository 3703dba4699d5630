"""Kept replies, through a real worker: who gets them, how, what they cost, and what is never kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.raw_client import RawClient, Response, json_request
from tests.fakes.script import Gate, close, event, head, json_reply, pause, send, sse_reply
from tests.fakes.upstream import SSE_FIELDS, Upstream, chunk
from tests.gateway.lane_gateway import record_of
from tests.gateway.limited import CHAT, ask, bearer, key_lines, price
from tests.gateway.running import KEY, RunningGateway
from tests.patience import PATIENCE_S

OTHER_KEY = "fgw-cache-other-0123456789abcdef"
POOR_KEY = "fgw-cache-poor-0123456789abcdef"
STRANGER = "fgw-cache-stranger-0123456789abc"
REPLY = {
    "id": "c1", "object": "chat.completion", "created": 7, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
PIECES = [
    {"id": "c2", "object": "chat.completion.chunk", "created": 7, "model": "m",
     "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]}
    for text in ("Ro", "me")
]
END = {"id": "c2", "object": "chat.completion.chunk", "created": 7, "model": "m",
       "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
STREAM = sse_reply([*PIECES, END, b"data: [DONE]\n\n"])


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = f"""
[integrations.main]
provider = "openai-compatible"
base_url = "{provider.url}/v1"
[models.kept]
targets = [{{ integration = "main", model = "m" }}]
retry = {{ attempts = 0 }}
breaker = {{ failures = 0, failure_percent = 0 }}
cache = {{ mode = "exact", max_age_s = 60 }}
[models.own]
targets = [{{ integration = "main", model = "m" }}]
cache = {{ mode = "exact", scope = "key" }}
[models.plain]
targets = [{{ integration = "main", model = "m" }}]
[prices]
"openai-compatible/m" = {price("1.0", "10.0")}
[workspaces.elsewhere]
{key_lines(budget="{ usd = 100 }")}{key_lines("other", OTHER_KEY)}{key_lines("poor", POOR_KEY, rate="{ requests_per_minute = 1 }")}
{key_lines("stranger", STRANGER, workspace='"elsewhere"')}"""
    with RunningGateway(tmp_path_factory.mktemp("cache"), config) as running:
        yield running
        assert "Traceback" not in running.log()


def chat(gateway: RunningGateway, text: str, key: str = KEY, fields: tuple[tuple[str, str], ...] = (), **more: object) -> Response:
    body = {"model": "kept", "messages": [{"role": "user", "content": text}], **more}
    return ask(gateway.url, CHAT, body, [*bearer(key), *fields])


def test_same_question_is_answered_once_by_the_provider(gateway: RunningGateway, provider: Upstream) -> None:
    """The second gets the first's answer at no cost, and both records say how it was."""
    provider.play(json_reply(REPLY))
    before = len(provider.received)
    first, second = chat(gateway, "one"), chat(gateway, "one")
    assert len(provider.received) == before + 1
    assert (first.field("x-fastgw-cache"), second.field("x-fastgw-cache"), second.field("age")) == ("miss", "hit", "0")
    a: Any = first.json()
    b: Any = second.json()
    assert a["choices"][0]["message"]["content"] == b["choices"][0]["message"]["content"] == "Paris" and a["usage"] == REPLY["usage"]
    assert b["usage"]["total_tokens"] == 15 and second.field("x-fastgw-provider") == "openai-compatible"
    rows = record_of(gateway, first), record_of(gateway, second)
    assert [(row["cache"], row["cost_nano_usd"], row["saved_nano_usd"], row["outcome"]) for row in rows] == [
        ("miss", 60_000, 0, "served"), ("hit", 0, 60_000, "served"),
    ]


def test_streams_and_dialects_share_an_answer(gateway: RunningGateway, provider: Upstream) -> None:
    """What came as a stream is played as a stream, whole, and in another dialect."""
    provider.play(STREAM)
    before = len(provider.received)
    first = chat(gateway, "two", stream=True)
    assert b'"Ro"' in first.body and first.field("x-fastgw-cache") == "miss"
    again = chat(gateway, "two", stream=True)
    assert again.field("x-fastgw-cache") == "hit" and again.field("content-type") == "text/event-stream"
    assert b'"Rome"' in again.body and again.body.endswith(b"data: [DONE]\n\n")
    assert chat(gateway, "two").json()["choices"][0]["message"]["content"] == "Rome"  # type: ignore[index]
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
    assert client.responses.create(model="kept", input="two").output_text == "Rome"
    claude = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)
    provider.play(json_reply(REPLY))
    message = claude.messages.create(model="kept", max_tokens=9, messages=[{"role": "user", "content": "two"}])
    assert len(provider.received) == before + 2 and message.content[0].type == "text"  # its limit makes it another question


def test_workspaces_and_keys_are_apart(gateway: RunningGateway, provider: Upstream) -> None:
    """Another key of the workspace shares an answer; another workspace does not, nor another key where the route says so."""
    provider.play(json_reply(REPLY))
    assert chat(gateway, "three").field("x-fastgw-cache") == "miss"
    assert chat(gateway, "three", OTHER_KEY).field("x-fastgw-cache") == "hit"
    assert chat(gateway, "three", STRANGER).field("x-fastgw-cache") == "miss"
    assert chat(gateway, "three", model="own").field("x-fastgw-cache") == "miss"
    assert chat(gateway, "three", OTHER_KEY, model="own").field("x-fastgw-cache") == "miss"
    assert chat(gateway, "three", model="own").field("x-fastgw-cache") == "hit"
    assert chat(gateway, "three", model="plain").field("x-fastgw-cache") is None


@pytest.mark.parametrize(
    ("fields", "status", "asked"),
    [
        ((("cache-control", "no-store"),), "bypass", 1),
        ((("cache-control", "no-cache"),), "refresh", 1),
        ((("x-portkey-cache-force-refresh", "true"),), "refresh", 1),
        ((("x-portkey-cache-namespace", "n1"),), "miss", 1),
        ((("cache-control", "max-age=30"),), "hit", 0),
    ],
)
def test_request_has_a_say(
    gateway: RunningGateway, provider: Upstream, fields: tuple[tuple[str, str], ...], status: str, asked: int
) -> None:
    """Fields of the request pass by, renew or set apart what is kept."""
    provider.play(json_reply(REPLY))
    chat(gateway, "four")
    before = len(provider.received)
    reply = chat(gateway, "four", fields=fields)
    assert reply.field("x-fastgw-cache") == status and len(provider.received) == before + asked
    assert (reply.field("x-portkey-cache-status") is not None) == fields[0][0].startswith("x-portkey")


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("error", json_reply({"error": {"message": "no"}}, 500)),
        ("length", json_reply({**REPLY, "choices": [{**REPLY["choices"][0], "finish_reason": "length"}]})),  # type: ignore[index]
        ("cut", [send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + chunk(event(PIECES[0]))), close()]),
        ("not its dialect", json_reply({"hello": 1})),
    ],
)
def test_what_is_no_whole_answer_is_not_kept(gateway: RunningGateway, provider: Upstream, name: str, script: Any) -> None:
    """Errors, answers that were cut short and what is no answer at all are asked for again."""
    for _ in range(2):
        before = len(provider.received)
        provider.play(script)
        with RawClient(gateway.url) as client:
            body = {"model": "kept", "messages": [{"role": "user", "content": name}], "stream": name == "cut"}
            client.send(json_request(CHAT, body, [*bearer(), ("connection", "close")]))
            client.read_until_close()
        assert len(provider.received) == before + 1


def test_identical_questions_at_once_are_one_flight(gateway: RunningGateway, provider: Upstream) -> None:
    """Nine who ask while the first is on its way get its answer; when it fails, the next one asks."""
    gate = Gate()
    provider.play([pause(gate), *json_reply(REPLY)])
    before = len(provider.received)
    replies: list[Response] = []
    threads = [threading.Thread(target=lambda: replies.append(chat(gateway, "five"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert gate.reached.wait(PATIENCE_S)
    gate.release()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(provider.received) == before + 1 and [reply.status for reply in replies] == [200] * 10
    assert sorted(str(reply.field("x-fastgw-cache")) for reply in replies) == ["hit"] * 9 + ["miss"]


def test_leader_that_leaves_hands_over(gateway: RunningGateway, provider: Upstream) -> None:
    """A caller who goes away while others wait for the answer to its question does not take it with it."""
    gate = Gate()
    provider.play([pause(gate), *json_reply(REPLY)])
    body = {"model": "kept", "messages": [{"role": "user", "content": "six"}]}
    leader = RawClient(gateway.url)
    leader.send(json_request(CHAT, body, bearer()))
    assert gate.reached.wait(PATIENCE_S)
    replies: list[Response] = []
    follower = threading.Thread(target=lambda: replies.append(chat(gateway, "six")))
    follower.start()
    provider.play(json_reply(REPLY))
    leader.reset()
    follower.join(PATIENCE_S)
    gate.release()
    assert replies[0].status == 200 and json.loads(replies[0].body)["choices"][0]["message"]["content"] == "Paris"


def test_hits_count_as_requests(gateway: RunningGateway, provider: Upstream) -> None:
    """A rate of requests holds for hits as well."""
    provider.play(json_reply(REPLY))
    assert chat(gateway, "seven", POOR_KEY).status == 200
    assert chat(gateway, "seven", POOR_KEY).status == 429
