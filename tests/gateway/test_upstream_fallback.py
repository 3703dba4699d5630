"""A plan with several targets: who is asked after whom, and when nobody is."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fakes.script import Gate, Script, close, hang, head, json_reply, pause, reset, send, wait_for_close
from tests.fakes.upstream import SSE_FIELDS, Upstream, chunk, event
from tests.gateway.asking import LONG_TIMES, ONCE, OPENAI, PRICE, TIMES, Asker, alias, configuration, integration
from tests.gateway.running import RunningGateway
from tests.patience import PATIENCE_S

OK = json_reply({"id": "ok", "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
TROUBLE: dict[str, Script] = {
    **{
        # kept open, it would be tried again afresh when it breaks before the reply to the next request
        str(status): json_reply({"error": {"message": "no"}}, status=status, fields=[("connection", "close")])
        for status in (408, 429, 500, 502, 503, 504, 529)
    },
    "reset": [reset()],
    "close": [close()],
    "hang": hang(),
    "no HTTP": [send(b"nonsense\r\n\r\n")],
    "half a head": [send(b"HTTP/1.1 200"), close()],
}


class Pair:
    """The first and the second target."""

    def __init__(self, asker: Asker, first: Upstream, second: Upstream) -> None:
        self.asker, self.first, self.second = asker, first, second

    def counts(self) -> tuple[int, int]:
        return len(self.first.received), len(self.second.received)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Upstream(OK) as first, Upstream(OK) as second, socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        weights = [
            f'{{ integration = "{name}", model = "m", weight = {weight} }}'
            for name, weight in (("first", 3), ("second", 1), ("down", 0))
        ]
        config = configuration(
            integration("first", first.url),
            integration("second", second.url, times=LONG_TIMES),
            integration("slow", first.url, times=LONG_TIMES),
            integration("down", f"http://127.0.0.1:{reserved.getsockname()[1]}", times=TIMES),
            integration("nameless", "http://does-not-exist.invalid", times=TIMES),
            integration("untrusted", "https://127.0.0.1:1"),
            *alias("both", "fallback", "first", "second"),
            *alias("after-down", "fallback", "down", "nameless", "second"),
            *alias("all-down", "fallback", "down", "nameless"),
            *alias("then-down", "fallback", "first", "nameless"),
            '[models.weighted]\nstrategy = "weighted"',
            f"targets = [{', '.join(weights)}]",
            "on_status = []",
            ONCE,
            PRICE,
        )
        with RunningGateway(tmp_path_factory.mktemp("fallback"), config) as gateway:
            asker = Asker(gateway)
            yield Pair(asker, first, second)
            asker.check_records()
            assert "Traceback" not in gateway.log()


@pytest.mark.parametrize("trouble", TROUBLE)
def test_the_next_target_takes_over_before_the_first_byte(pair: Pair, trouble: str) -> None:
    """Whatever a target fails with before its reply, the next one answers; each is asked once, and counted."""
    pair.first.play(TROUBLE[trouble])
    before = pair.counts()
    with pair.asker.connect() as client:
        asked = pair.asker.send(client, "both")
        response = asked.reply()
    assert (response.status, response.field("x-fastgw-attempts")) == (200, "2")
    assert pair.counts() == (before[0] + 1, before[1] + 1)
    assert pair.second.received[-1].body == pair.first.received[-1].body.replace(b"m-first", b"m-second")
    pair.asker.expect(
        asked.trace,
        attempts=2,
        integration="second",
        outcome="served",
        error="",
        upstream_status=200,
        input_tokens=3,
        output_tokens=4,
        cost_nano_usd=11_000,
        flags="",
    )


def test_targets_that_cannot_be_reached_are_passed_over(pair: Pair) -> None:
    """Refused connections and names that do not resolve lead to the next target."""
    response, record = pair.asker.ask("after-down")
    assert (response.status, record["integration"], record["attempts"]) == (200, "second", 3)


def test_the_last_error_stands_where_all_fail(pair: Pair) -> None:
    """Where no target is left, the caller gets what the last one failed with, once."""
    pair.asker.refused("all-down", OPENAI, 502, "upstream_unreachable", integration="nameless", cost_nano_usd=0)
    pair.first.play(TROUBLE["429"])
    pair.asker.refused(
        "then-down", OPENAI, 502, "upstream_unreachable", integration="nameless", cost_nano_usd=0, upstream_status=0
    )
    pair.second.play(json_reply({"error": {"message": "still no"}}, status=503))
    response, record = pair.asker.ask("both")
    assert (response.status, response.json()) == (503, {"error": {"message": "still no"}})
    assert (record["attempts"], record["outcome"], record["error"], record["cost_nano_usd"]) == (
        2,
        "failed",
        "upstream_status",
        0,
    )
    pair.second.play(OK)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_an_error_of_the_request_is_not_tried_elsewhere(pair: Pair, status: int) -> None:
    """What the caller did wrong is wrong everywhere: the first answer stands."""
    pair.first.play(json_reply({"error": {"message": "bad"}}, status=status))
    before = pair.counts()
    response, record = pair.asker.ask("both")
    assert (response.status, record["attempts"]) == (status, 1)
    assert pair.counts() == (before[0] + 1, before[1])


def test_nothing_is_tried_elsewhere_after_the_first_byte(pair: Pair) -> None:
    """Once the caller has a part of a reply, the next target is never asked; one that is still held is no concern of the caller's."""
    fields = [*SSE_FIELDS, ("transfer-encoding", "chunked")]
    pair.first.play([send(head(200, fields) + chunk(event({"choices": []}))), close()])
    before = pair.counts()
    with pair.asker.connect() as client:
        asked = pair.asker.send(client, "both", stream=True)
        assert b"upstream_reset" in asked.broken_reply()
    pair.first.play([send(head(200, [("content-type", "application/json"), ("content-length", "9")]) + b"{"), close()])
    pair.second.play(OK)
    response, record = pair.asker.ask("both")
    assert (response.status, record["attempts"]) == (200, 2)
    assert pair.counts() == (before[0] + 2, before[1] + 1)
    pair.asker.expect(asked.trace, attempts=1, integration="first", outcome="failed")


def test_a_caller_that_leaves_ends_the_attempts(pair: Pair) -> None:
    """A caller that goes away while the second target thinks: nothing more is asked, both connections are let go."""
    pair.first.play(TROUBLE["503"])
    gate = Gate()
    pair.second.play([pause(gate), wait_for_close()])
    with pair.asker.connect() as client:
        asked = pair.asker.send(client, "both")
        assert gate.reached.wait(PATIENCE_S)
    gate.release()
    assert pair.second.received[-1].connection.closed.wait(PATIENCE_S)
    pair.second.play(OK)
    pair.asker.expect(asked.trace, attempts=2, outcome="cancelled", error="client_gone", flags="estimated")


def test_weights_divide_the_requests_and_zero_gets_none(pair: Pair) -> None:
    """Of 3 to 1 the first gets about three quarters; a target of weight 0 is never asked."""
    pair.first.play(OK)
    with pair.asker.connect() as client:
        for _ in range(200):
            pair.asker.expect(pair.asker.send(client, "weighted").trace, attempts=1, outcome="served")
            assert client.read_response().status == 200
    records = pair.asker.gateway.records(at_least=len(pair.asker.traces))
    shares = Counter(row["integration"] for row in records if row["model"] == "weighted")
    assert shares.keys() == {"first", "second"} and 115 <= shares["first"] <= 180


def test_weighted_gives_one_answer_where_no_status_leads_on(pair: Pair) -> None:
    """A weighted route without on_status gives one answer: that of the target it drew."""
    pair.first.play(TROUBLE["503"])
    pair.second.play(TROUBLE["503"])
    before = sum(pair.counts())
    assert pair.asker.ask("weighted")[0].status == 503
    assert sum(pair.counts()) == before + 1
