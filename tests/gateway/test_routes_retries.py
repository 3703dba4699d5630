"""Asking again: how long it waits, by whose word and within what deadline, what is never sent twice, and what a caller that leaves ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.fakes.framing import Fields
from tests.fakes.raw_client import RawClient, json_request
from tests.fakes.script import Script, chunk, close, event, hang, head, json_reply, reset, send, slow, wait_ms
from tests.fakes.upstream import SSE_FIELDS, Upstream
from tests.gateway.limited import bearer, code_of, key_lines, price
from tests.gateway.routed import (
    EXPLAIN,
    NEVER_OPEN,
    OK,
    ONCE,
    RoutedGateway,
    ask,
    asked_of,
    failing,
    leaf,
    passed_over,
    place,
    route,
    targets_at,
    way,
)
from tests.gateway.routed import send as send_question
from tests.patience import SLOW_DAY_S

MS = 1_000_000
SLOW_DAY_MS = SLOW_DAY_S * 1000
RETRY = "retry = { attempts = 2, base_ms = 20, max_ms = 1000 }"
WAIT_MS, DEADLINE_MS = 1000, 1700
LONG = "{ connect_ms = 30000, total_ms = 30000 }"
GONE: Script = failing(503, fields=[("retry-after-ms", str(WAIT_MS))])
CONFIG = [
    route("again", leaf("a"), leaf("b"), lines=[RETRY, NEVER_OPEN]),
    route("alone", leaf("a"), lines=[RETRY, NEVER_OPEN]),
    route("deaf", leaf("a"), lines=["retry = { attempts = 1, base_ms = 1, honour_retry_after = false }", NEVER_OPEN]),
    route("picky", leaf("a"), lines=["retry = { attempts = 3, on_status = [500], on_errors = [], base_ms = 1 }", NEVER_OPEN]),
    route(
        "hasty", leaf("a"), leaf("b"),
        lines=[f"deadline_ms = {DEADLINE_MS}", "retry = { attempts = 9, base_ms = 1, max_ms = 10000 }", NEVER_OPEN],
    ),
    route(
        "timed",
        leaf("a", timeouts="{ first_byte_ms = 60 }"),
        leaf("b", timeouts="{ idle_ms = 60 }"),
        leaf("c", timeouts=LONG),
        lines=["timeouts = { total_ms = 150 }", ONCE, NEVER_OPEN],
    ),
    route("total", leaf("a"), leaf("c", timeouts=LONG), lines=["timeouts = { total_ms = 100 }", ONCE, NEVER_OPEN]),
    route("unreachable", leaf("far"), leaf("c", timeouts=LONG), lines=["timeouts = { connect_ms = 60 }", ONCE, NEVER_OPEN]),
]
# nothing answers there: TEST-NET-1, RFC 5737
FAR = targets_at("http://192.0.2.1:9", ["far"], times=LONG)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    prices = "[prices]\n" + "".join(f'"openai-compatible/m-{name}" = {price("1", "10")}\n' for name in "abc")
    config = "".join([targets_at(upstream.url, "abc"), FAR, *CONFIG, prices, key_lines(integration='"a"')])
    with RoutedGateway(tmp_path_factory.mktemp("retries"), config) as running:
        yield running
        running.check_records()


@pytest.fixture(autouse=True)
def all_serve(upstream: Upstream) -> None:
    for name in "abc":
        upstream.play(json_reply(OK), place(name))


def in_turn(upstream: Upstream, *scripts: Script) -> int:
    """Have the target a play these in turn; how many requests there were before."""
    upstream._turns[place("a")] = list(scripts)
    return len(upstream.received)


def gaps_ms(upstream: Upstream, since: int) -> list[float]:
    """The times between the requests."""
    at = [received.at_ns for received in upstream.received[since:]]
    return [(later - earlier) / MS for earlier, later in zip(at, at[1:], strict=False)]


def test_same_target_is_asked_again_then_the_next(gateway: RoutedGateway, upstream: Upstream) -> None:
    """After so many attempts at one target the next takes over; each is told, one record counts them, and the caller pays once."""
    before = in_turn(upstream, failing(500), failing(503), failing(429), json_reply(OK))
    reply = ask(gateway, "again")
    assert way(reply) == [("a", 500, "server"), ("a", 503, "overloaded"), ("a", 429, "rate_limit"), ("b", 200, "")]
    assert (reply.field("x-fastgw-attempts"), asked_of(upstream, before)) == ("4", ["a", "a", "a", "b"])
    gateway.expect(reply, attempts=4, outcome="served", error="", integration="b", cost_nano_usd=43_000, flags="", upstream_status=200)


def test_waits_are_random_and_grow(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Each wait is drawn anew, so that callers who failed together do not come back together."""
    waits = []
    for _ in range(6):
        before = in_turn(upstream, failing(500), failing(500), json_reply(OK))
        assert ask(gateway, "alone").status == 200
        waits.append(gaps_ms(upstream, before))
    assert all(first <= 20 + SLOW_DAY_MS and second <= 40 + SLOW_DAY_MS for first, second in waits)
    assert len({round(first) for first, _ in waits}) > 1


@pytest.mark.parametrize(
    "fields",
    [
        [("retry-after-ms", "120")],
        [("x-ms-retry-after-ms", "120.0")],
        [("retry-after", "0.12")],
        [("retry-after", "9"), ("retry-after-ms", "120")],
    ],
)
def test_target_says_how_long_to_wait(gateway: RoutedGateway, upstream: Upstream, fields: Fields) -> None:
    """A reply's own time is kept, from its most exact field, and up to base_ms is added."""
    before = in_turn(upstream, failing(429, fields=fields), json_reply(OK))
    reply = ask(gateway, "alone")
    [wait_ms] = gaps_ms(upstream, before)
    assert reply.status == 200 and 120 <= wait_ms <= 120 + 20 + SLOW_DAY_MS
    gateway.expect(reply, attempts=2, outcome="served")


def test_longer_time_than_the_longest_wait_moves_on(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Where the target asks for more than max_ms it is not asked again: the next one is, at once; with none left its reply goes on."""
    script = failing(429, fields=[("retry-after", "30")])
    before = in_turn(upstream, script)
    assert way(ask(gateway, "again")) == [("a", 429, "rate_limit"), ("b", 200, "")] and asked_of(upstream, before) == ["a", "b"]
    reply = ask(gateway, "alone")
    assert (reply.status, reply.field("retry-after"), asked_of(upstream, before)[2:]) == (429, "30", ["a"])


def test_wish_of_the_target_can_be_passed_over(gateway: RoutedGateway, upstream: Upstream) -> None:
    """With honour_retry_after = false what the reply asks for is not looked at."""
    before = in_turn(upstream, failing(429, fields=[("retry-after", "30")]), json_reply(OK))
    assert ask(gateway, "deaf").status == 200 and gaps_ms(upstream, before)[0] < 2 * SLOW_DAY_MS


@pytest.mark.parametrize(("script", "asked"), [(failing(500), 2), (failing(503), 1), (failing(400), 1), ([send(b"no HTTP\r\n\r\n")], 1)])
def test_only_what_retry_names_is_asked_again(gateway: RoutedGateway, upstream: Upstream, script: Script, asked: int) -> None:
    """A status or error that is not on the lists of retry ends it."""
    before = in_turn(upstream, script, json_reply(OK))
    ask(gateway, "picky")
    assert len(upstream.received) - before == asked


def test_deadline_holds_for_all_attempts_together(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Waits and attempts share one deadline: a wait beyond it is not begun, and an attempt is cut at it."""
    before = in_turn(upstream, GONE, GONE)
    reply = ask(gateway, "hasty")
    assert asked_of(upstream, before) == ["a", "a", "b"] and reply.status == 200
    in_turn(upstream, failing(503, fields=[("retry-after-ms", "100")]), hang())
    began = time.monotonic()
    reply = ask(gateway, "hasty")
    assert (reply.status, code_of(reply)) == (504, "upstream_timeout")
    assert DEADLINE_MS - 10 < (time.monotonic() - began) * 1000 < DEADLINE_MS + SLOW_DAY_MS
    assert way(reply) == [("a", 503, "overloaded"), ("a", 0, "timeout")]
    gateway.expect(reply, attempts=2, outcome="failed", error="upstream_timeout", cost_nano_usd=0)


def test_time_limits_of_a_target_take_the_place_of_the_integration_s(gateway: RoutedGateway, upstream: Upstream) -> None:
    """first_byte_ms, idle_ms and total_ms of a node hold there, and each leads on before the caller has a byte."""
    half = [send(head(200, [("content-type", "application/json"), ("content-length", "900")]) + b"{"), wait_ms(120), close()]
    in_turn(upstream, hang())
    upstream.play(half, place("b"))
    began = time.monotonic()
    reply = ask(gateway, "timed")
    assert way(reply) == [("a", 0, "timeout"), ("b", 0, "timeout"), ("c", 200, "")] and time.monotonic() - began < 1 + SLOW_DAY_S
    in_turn(
        upstream,
        [
            send(head(200, [("content-type", "application/json"), ("content-length", "900")])),
            *[step for _ in range(20) for step in (send(b" "), wait_ms(15))],
        ],
    )
    reply = ask(gateway, "total")
    assert way(reply) == [("a", 0, "timeout"), ("c", 200, "")]


def test_connection_that_is_not_made_in_time_leads_on(gateway: RoutedGateway) -> None:
    """connect_ms of a target is how long a connection may take, not the integration's thirty seconds."""
    began = time.monotonic()
    reply = ask(gateway, "unreachable")
    assert way(reply) == [("far", 0, "connection"), ("c", 200, "")] and time.monotonic() - began < SLOW_DAY_S


def test_nothing_is_asked_again_after_the_first_byte(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A stream that breaks after its first event ends in an error event, whatever retry and on_errors say."""
    fields = [*SSE_FIELDS, ("transfer-encoding", "chunked")]
    before = in_turn(upstream, [send(head(200, fields) + chunk(event({"choices": []}))), reset()])
    with RawClient(gateway.url) as client:
        send_question(client, "again", [("x-portkey-trace-id", "cut")], stream=True)
        assert b"upstream_reset" in client.read_until_close()
    assert asked_of(upstream, before) == ["a"]
    gateway.wait_until(lambda: [one for one in gateway.records() if one["trace_id"] == "cut"], "a record")
    [record] = [one for one in gateway.records() if one["trace_id"] == "cut"]
    assert (record["attempts"], record["outcome"], record["flags"]) == (1, "failed", "streamed,estimated")


def test_caller_that_leaves_while_a_retry_waits_ends_it(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Nothing more is asked, and the one record says cancelled, one attempt, and no cost: what failed was free."""
    before = in_turn(upstream, GONE, json_reply(OK))
    with RawClient(gateway.url) as client:
        send_question(client, "alone", [("x-portkey-trace-id", "left")])
        gateway.wait_until(lambda: len(upstream.received) > before, "the first attempt")
        client.expect_nothing(20)
    gateway.wait_until(lambda: [one for one in gateway.records() if one["trace_id"] == "left"], "a record")
    time.sleep((WAIT_MS + 50) / 1000)        # that nothing comes is what is tested
    assert asked_of(upstream, before) == ["a"]
    [record] = [one for one in gateway.records() if one["trace_id"] == "left"]
    assert (record["outcome"], record["error"], record["attempts"], record["cost_nano_usd"], record["flags"]) == (
        "cancelled",
        "client_gone",
        1,
        0,
        "",
    )
    # the connection that came back from the failed attempt serves the next request
    assert ask(gateway, "alone").status == 200


@pytest.mark.parametrize(
    ("path", "script", "again"),
    [
        ("/v1/files", failing(500), False),
        ("/v1/batches", failing(500), False),
        ("/v1/batches", [close()], False),
        ("/v1/batches", failing(429), False),
        ("/v1/files", failing(503), False),
        ("/v1/threads/t/runs", failing(503), False),
        ("/v1/embeddings", failing(500), True),
        ("/v1/responses", failing(500), True),
        ("/v1/moderations", failing(500), True),
    ],
)
def test_what_may_do_something_twice_is_sent_once(
    gateway: RoutedGateway, upstream: Upstream, path: str, script: Script, again: bool
) -> None:
    """Requests for answers are repeated; files, batches and unknown paths, whose bodies are passed on as they come, never."""
    upstream.play(json_reply(OK), path.replace("/v1", "/a"))
    upstream._turns[path.replace("/v1", "/a")] = [script, json_reply(OK)]
    before = len(upstream.received)
    body = {"model": "m-a", "input": "x", "input_file_id": "f"}
    with RawClient(gateway.url) as client:
        client.send(json_request(path, body, [*bearer(), EXPLAIN, ("x-fastgw-integration", "a")]))
        reply = client.read_response("POST")
    assert len(upstream.received) - before == (2 if again else 1), reply
    assert (reply.status == 200) is again
    gateway.expect(reply, attempts=2 if again else 1)


def test_idempotent_method_is_repeated(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A GET that passes is asked for again."""
    upstream._turns["/a/batches/b_1"] = [failing(500), json_reply({"id": "b_1"})]
    before = len(upstream.received)
    with RawClient(gateway.url) as client:
        reply = client.ask("GET", "/v1/batches/b_1", b"", [*bearer(), ("x-fastgw-integration", "a")])
    assert (reply.status, json.loads(reply.body)) == (200, {"id": "b_1"}) and len(upstream.received) == before + 2


def test_slow_reply_is_no_failure(gateway: RoutedGateway, upstream: Upstream) -> None:
    """An attempt within its limits of time is waited for, and nobody else is asked."""
    before = in_turn(upstream, slow(json_reply(OK), 30))
    reply = ask(gateway, "again")
    assert way(reply) == [("a", 200, "")] and asked_of(upstream, before) == ["a"] and passed_over(reply) == {}
