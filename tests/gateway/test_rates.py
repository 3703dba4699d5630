"""Requests a minute, tokens a minute and requests at once: refused with a time to come back, and let go again."""
from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.fakes.raw_client import RawClient, Response, json_request
from tests.fakes.upstream import Gate, Upstream, hang, json_reply, pause, sse_reply
from tests.gateway.limited import CHAT, QUESTION, account, bearer, chat, code_of, integrations, key_lines, message_of
from tests.gateway.running import RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

NAMES = ("requests", "tokens", "truth", "parallel", "pair", "team", "quick", "wide")
KEYS = {name: f"fgw-rates-{name}-{'0' * 24}" for name in NAMES}
REPLY = json_reply({"choices": [], "usage": {"prompt_tokens": 3000, "completion_tokens": 1000}})


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(REPLY) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = integrations(upstream.url) + "".join((
        key_lines("requests", KEYS["requests"], rate="{ requests_per_minute = 5 }"),
        key_lines("quick", KEYS["quick"], rate="{ requests_per_minute = 120 }"),
        key_lines("tokens", KEYS["tokens"], rate="{ tokens_per_minute = 10000 }"),
        key_lines("truth", KEYS["truth"], rate="{ tokens_per_minute = 100000 }"),
        key_lines("wide", KEYS["wide"], rate="{ tokens_per_minute = 1000 }"),
        key_lines("parallel", KEYS["parallel"], max_parallel="2"),
        key_lines("pair", KEYS["pair"], workspace='"crew"'), key_lines("team", KEYS["team"], workspace='"crew"'),
        "[workspaces.crew]\nrate = { requests_per_minute = 4 }\nmax_parallel = 1\n",
    ))
    with RunningGateway(tmp_path_factory.mktemp("rates"), config) as running:
        yield running


def in_flight(gateway: RunningGateway, name: str = "key:parallel") -> int:
    return account(gateway.state, name, 1).in_flight


def test_request_rate_lets_its_burst_through_and_says_when_to_come_back(gateway: RunningGateway, upstream: Upstream) -> None:
    """5 requests a minute are 5 at once; the sixth gets 429 with Retry-After and x-ratelimit-*, and nothing is sent."""
    assert [chat(gateway.url, KEYS["requests"]).status for _ in range(5)] == [200] * 5
    before = len(upstream.received)
    reply = chat(gateway.url, KEYS["requests"])
    assert (reply.status, code_of(reply)) == (429, "rate_limited")
    assert 1 <= int(reply.field("retry-after") or 0) <= 12
    assert (reply.field("x-ratelimit-limit-requests"), reply.field("x-ratelimit-remaining-requests")) == ("5", "0")
    assert reply.field("x-ratelimit-reset-requests") and reply.field("x-should-retry") is None
    assert "5 requests a minute" in message_of(reply)
    assert len(upstream.received) == before


def test_request_rate_recovers(gateway: RunningGateway) -> None:
    """After a burst, one passes every half second at 120 a minute, which is when Retry-After says or before."""
    replies: list[Response] = []
    while not replies or replies[-1].status == 200:
        replies.append(chat(gateway.url, KEYS["quick"]))
    assert len(replies) > 120 and replies[-1].field("retry-after") == "1"
    gateway.wait_until(lambda: chat(gateway.url, KEYS["quick"]).status == 200, "the rate to recover", 1 + SLOW_DAY_S)


def test_token_rate_takes_the_estimate_first(gateway: RunningGateway) -> None:
    """A request whose limit exceeds what is left of the minute's tokens gets 429 with its own fields."""
    assert chat(gateway.url, KEYS["tokens"], max_tokens=8000).status == 200
    reply = chat(gateway.url, KEYS["tokens"], max_tokens=8000)
    assert (reply.status, code_of(reply)) == (429, "token_rate_limited")
    assert reply.field("x-ratelimit-limit-tokens") == "10000"
    assert 5000 <= int(reply.field("x-ratelimit-remaining-tokens") or 0) < 8000
    assert 1 <= int(reply.field("retry-after") or 0) <= 60
    # 4,000 of the 8,000 were given back by the truth, so a smaller one fits
    assert chat(gateway.url, KEYS["tokens"], max_tokens=5000).status == 200


def test_token_rate_settles_the_truth(gateway: RunningGateway) -> None:
    """What the reply used replaces the estimate, be it more or less."""
    full = account(gateway.state, "key:truth", 1).tokens_left
    assert full == 100_000
    began = time.monotonic()
    for limit, expected in ((1, 96_000), (90_000, 92_000)):
        assert chat(gateway.url, KEYS["truth"], max_tokens=limit).status == 200
        left = account(gateway.state, "key:truth", 1).tokens_left
        assert left is not None and expected <= left <= expected + (time.monotonic() - began) * 100_000 / 60 + 1


def test_request_larger_than_the_whole_minute_passes_when_it_is_full(gateway: RunningGateway) -> None:
    """A limit above a minute's tokens does not shut a caller out for ever: it passes a full bucket and empties it."""
    assert chat(gateway.url, KEYS["wide"], max_tokens=5000).status == 200
    assert code_of(chat(gateway.url, KEYS["wide"], max_tokens=1)) == "token_rate_limited"


def test_limits_of_a_workspace_hold_for_all_its_keys(gateway: RunningGateway) -> None:
    """Two keys share their workspace's rate; the refusal names the workspace."""
    statuses = [chat(gateway.url, KEYS[name]).status for name in ("pair", "team", "pair", "team", "pair")]
    assert statuses == [200, 200, 200, 200, 429]
    assert "workspace 'crew'" in message_of(chat(gateway.url, KEYS["team"]))


def test_requests_at_once_are_bounded_and_released_after_success(gateway: RunningGateway, upstream: Upstream) -> None:
    """With max_parallel = 2 a third at the same time gets 429; when one ends, the next passes."""
    gate = Gate()
    upstream.play([pause(gate), *REPLY])
    question = json_request(CHAT, {"model": "gpt-4.1", "messages": QUESTION}, bearer(KEYS["parallel"]))
    try:
        with RawClient(gateway.url) as first, RawClient(gateway.url) as second:
            before = len(upstream.received)
            first.send(question)
            second.send(question)
            upstream.wait(before + 2)
            reply = chat(gateway.url, KEYS["parallel"])
            assert (reply.status, code_of(reply), reply.field("retry-after")) == (429, "too_many_parallel", "1")
            assert "2 requests at once" in message_of(reply)
            gate.release()
            assert (first.read_response("POST").status, second.read_response("POST").status) == (200, 200)
    finally:
        upstream.play(REPLY)
    assert chat(gateway.url, KEYS["parallel"]).status == 200
    assert in_flight(gateway) == 0


@pytest.mark.parametrize("script", [
    json_reply({"error": {}}, 500), json_reply({"error": {}}, 401), hang(), sse_reply([b"data: {}\n\n"] * 3, chunked=False),
], ids=["failed", "withheld", "cancelled", "streamed"])
def test_place_is_released_whatever_the_end(gateway: RunningGateway, upstream: Upstream, script: list[object]) -> None:
    """A failure, a withheld reply, a caller that goes away and the end of a stream each give the place back."""
    upstream.play(script)  # type: ignore[arg-type]  # a script of another step's type is one
    before = len(upstream.received)
    try:
        for turn in range(3):
            with RawClient(gateway.url) as client:
                client.send(json_request(CHAT, {"model": "gpt-4.1", "messages": QUESTION}, bearer(KEYS["parallel"])))
                upstream.wait(before + turn + 1)
                if len(script) > 1 or script[0].__qualname__.startswith("send"):  # type: ignore[attr-defined]  # steps are functions
                    client.read_response("POST")
            gateway.wait_until(lambda: in_flight(gateway) == 0, "the place to be free", PATIENCE_S)
    finally:
        upstream.play(REPLY)


def test_refused_request_takes_nothing_of_other_limits(gateway: RunningGateway) -> None:
    """A request that the rate refuses is not counted among those at once, nor charged."""
    chat(gateway.url, KEYS["requests"])
    view = account(gateway.state, "key:requests", 1)
    assert (view.in_flight, view.committed) == (0, view.spent)
