"""Breakers through two workers: what opens them, that all workers leave an open target alone, and how probes close it again."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient, Response
from tests.fakes.script import Gate, Script, close, hang, head, json_reply, pause, reset, send
from tests.fakes.upstream import SSE_FIELDS, Upstream, chunk, event
from tests.gateway.limited import key_lines
from tests.gateway.routed import OK, ONCE, RoutedGateway, ask, asked_of, failing, leaf, passed_over, place, route, targets_at, way
from tests.gateway.routed import send as send_question
from tests.patience import PATIENCE_S

COOLDOWN_MS = 1500
SHORT = "{ first_byte_ms = 150, idle_ms = 150 }"


def breaker(**members: object) -> str:
    told = {"failures": 3, "failure_percent": 0, "cooldown_ms": COOLDOWN_MS, "probes": 2, **members}
    return "breaker = { " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in told.items()) + " }"


# Each route has targets of its own, since the state of a breaker belongs to the target.
OPENING: dict[str, Script] = {
    **{str(status): failing(status, fields=[("connection", "close")]) for status in (429, 500, 503, 529)},
    "reset": [reset()],
    "close": [close()],
    "timeout": hang(),
    "nonsense": [send(b"x\r\n\r\n"), close()],
}
NAMES = [*(f"opens-{name}" for name in OPENING), "stall", "cycle", "relapse", "left", "percent", "alone", "few1", "few2", "few3", "b"]
CONFIG = [
    *[
        route(
            f"opens-{name}",
            leaf(f"opens-{name}", **({"timeouts": SHORT} if name == "timeout" else {})),
            leaf("b"),
            lines=[ONCE, breaker(cooldown_ms=60_000)],
        )
        for name in OPENING
    ],
    route("stall", leaf("stall", timeouts="{ idle_ms = 150 }"), leaf("b"), lines=[ONCE, breaker(cooldown_ms=60_000)]),
    *[route(name, leaf(name), leaf("b"), lines=[ONCE, breaker()]) for name in ("cycle", "relapse", "left")],
    route(
        "percent",
        leaf("percent"),
        leaf("b"),
        lines=[ONCE, breaker(failures=0, failure_percent=50, minimum_requests=10, cooldown_ms=60_000)],
    ),
    route("alone", leaf("alone"), lines=[ONCE, breaker(failures=1, cooldown_ms=60_000)]),
    route("few", leaf("few1"), leaf("few2"), leaf("few3"), lines=[ONCE, breaker(failures=1, cooldown_ms=60_000, max_ejected_percent=34)]),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    config = "".join([targets_at(upstream.url, NAMES), *CONFIG, key_lines()])
    with RoutedGateway(tmp_path_factory.mktemp("breaker"), config, workers=2) as running:
        yield running
        running.check_records()


def asked(upstream: Upstream, name: str, since: int = 0) -> int:
    """How often a target was asked."""
    return asked_of(upstream, since).count(name)


def at_once(gateway: RoutedGateway, model: str, count: int) -> list[Response]:
    """The replies to so many requests at the same time, each on a connection of its own, so that both workers get some."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(gateway, model), range(count)))


def open_it(gateway: RoutedGateway, upstream: Upstream, name: str) -> None:
    """Have a target fail until its breaker opens."""
    upstream.play(failing(503), place(name))
    for _ in range(3):
        assert way(ask(gateway, name))[0].target == name
    assert passed_over(ask(gateway, name)) == {name: "open"}


def eventually(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("name", OPENING)
def test_failures_in_a_row_open_it_for_all_workers(gateway: RoutedGateway, upstream: Upstream, name: str) -> None:
    """After three failures, whoever saw them, no worker asks it, no caller sees an error, and each reply says that it is open."""
    upstream.play(OPENING[name], place(f"opens-{name}"))
    before = len(upstream.received)
    replies = [ask(gateway, f"opens-{name}") for _ in range(3)]
    assert [len(way(reply)) for reply in replies] == [2, 2, 2] and all(reply.status == 200 for reply in replies)
    rest = [ask(gateway, f"opens-{name}") for _ in range(12)]
    assert {passed_over(reply).get(f"opens-{name}") for reply in rest} == {"open"} and {len(way(reply)) for reply in rest} == {1}
    # where a kept connection turns out to be broken, the same attempt is made on a fresh one
    assert asked(upstream, f"opens-{name}", before) in ((3, 4, 5, 6) if name in ("reset", "close") else (3,))


def test_stream_that_stalls_counts_as_a_failure(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A target that goes silent in mid-stream is left alone as well, though its callers had a part of a reply."""
    text = event({"choices": [{"index": 0, "delta": {"content": "Par"}, "finish_reason": None}]})
    upstream.play([send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + chunk(text)), *hang()], place("stall"))

    def stalled(_: int) -> bytes:
        with RawClient(gateway.url) as client:
            send_question(client, "stall", stream=True)
            return client.read_until_close()

    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(stalled, range(3)))
    assert all(b"Par" in reply and b"upstream_timeout" in reply for reply in replies)
    eventually(lambda: passed_over(ask(gateway, "stall")) == {"stall": "open"})


def test_share_of_failures_opens_it(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Half of at least ten requests within the window are enough, though never three in a row failed."""
    before = len(upstream.received)
    for number in range(10):
        upstream.play(failing(500) if number % 2 else json_reply(OK), place("percent"))
        assert ask(gateway, "percent").status == 200
    assert asked(upstream, "percent", before) == 10
    assert passed_over(ask(gateway, "percent")) == {"percent": "open"} and asked(upstream, "percent", before) == 10


def test_probes_close_it(gateway: RoutedGateway, upstream: Upstream) -> None:
    """When its time is over, exactly so many probes go there, of all workers together; when all have succeeded, it serves everybody."""
    open_it(gateway, upstream, "cycle")
    time.sleep(COOLDOWN_MS / 1000)
    gate = Gate()
    upstream.play([pause(gate), *json_reply(OK)], place("cycle"))
    before = len(upstream.received)
    with ThreadPoolExecutor(2) as pool:
        probes = [pool.submit(ask, gateway, "cycle") for _ in range(2)]
        eventually(lambda: asked(upstream, "cycle", before) == 2)
        others = at_once(gateway, "cycle", 12)
        assert {way(reply)[0].target for reply in others} == {"b"} and asked(upstream, "cycle", before) == 2
        gate.release()
        assert [way(probe.result())[0].target for probe in probes] == ["cycle", "cycle"]
    assert {way(reply)[0].target for reply in at_once(gateway, "cycle", 12)} == {"cycle"}


def test_probe_that_fails_opens_it_again(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A target that still fails is asked by the probes alone, and then left alone for as long again; their callers see no error."""
    open_it(gateway, upstream, "relapse")
    time.sleep(COOLDOWN_MS / 1000)
    before = len(upstream.received)
    replies = at_once(gateway, "relapse", 12)
    assert all(reply.status == 200 for reply in replies) and 1 <= asked(upstream, "relapse", before) <= 2
    assert {way(reply)[0].target for reply in at_once(gateway, "relapse", 6)} == {"b"} and asked(upstream, "relapse", before) <= 2


def test_probe_whose_caller_leaves_is_handed_to_another(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A caller that goes away says nothing of the target: its probe is another's."""
    open_it(gateway, upstream, "left")
    time.sleep(COOLDOWN_MS / 1000)
    upstream.play(hang(), place("left"))
    for probe in range(len(upstream.received), len(upstream.received) + 2):
        with RawClient(gateway.url) as client:
            send_question(client, "left")
            assert upstream.wait(probe + 1)[probe].path == place("left")
        assert upstream.received[probe].connection.closed.wait(PATIENCE_S)
    upstream.play(json_reply(OK), place("left"))
    assert [way(ask(gateway, "left"))[0].target for _ in range(2)] == ["left", "left"]
    assert {way(reply)[0].target for reply in at_once(gateway, "left", 8)} == {"left"}


def test_target_without_another_is_tried_though_open(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Where all that could serve are open, the least bad is tried rather than the request refused, and its success closes it."""
    upstream.play(failing(503), place("alone"))
    assert [ask(gateway, "alone").status for _ in range(4)] == [503] * 4
    upstream.play(json_reply(OK), place("alone"))
    assert [ask(gateway, "alone").status for _ in range(3)] == [200] * 3 and passed_over(ask(gateway, "alone")) == {}


def test_no_more_targets_are_left_alone_than_allowed(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Of three targets a third may be left alone at once: the second that opens is tried still."""
    for name in ("few1", "few2"):
        upstream.play(failing(503), place(name))
    assert [step.target for step in way(ask(gateway, "few"))] == ["few1", "few2", "few3"]
    before = len(upstream.received)
    reply = ask(gateway, "few")
    assert reply.status == 200 and len(way(reply)) == 2 and asked_of(upstream, before)[-1] == "few3"


def test_thousand_requests_while_one_of_three_dies(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One of three targets dies under load and comes back: no caller sees an error, and each record tells its own story."""
    lines = ["retry = { attempts = 0 }", breaker(failures=3, probes=2), "timeouts = { connect_ms = 10000, first_byte_ms = 20000 }"]
    with Upstream(json_reply(OK)) as one, Upstream(json_reply(OK)) as two, Upstream(json_reply(OK)) as three:
        parts = [targets_at(up.url, [name]) for up, name in zip((one, two, three), "abc", strict=True)]
        config = "".join([*parts, route("three", leaf("a"), leaf("b"), leaf("c"), strategy="weighted", lines=lines), key_lines()])
        with RoutedGateway(tmp_path_factory.mktemp("thousand"), config, workers=2) as gateway:
            statuses, before_death, dead = under_load(gateway, three)
            assert statuses == Counter({200: 1000}), statuses
            # its breaker lets probes through once its time is over
            time.sleep(COOLDOWN_MS / 1000)
            more = [ask(gateway, "three") for _ in range(40)]
            records = gateway.records(at_least=1040)
            assert len(records) == 1040 and {record["worker"] for record in records} == {0, 1}
    assert 0 < before_death == dead and any(step.target == "c" for reply in more for step in way(reply))
    tell_stories(records)


def under_load(gateway: RoutedGateway, dying: Upstream) -> tuple[Counter[int], int, int]:
    """A thousand requests of ten callers; after a third of them one target dies, after two thirds it comes back.

    Returns the statuses, and how often the dying one had been asked when it died and when it came back.
    """
    statuses: Counter[int] = Counter()
    lock = threading.Lock()
    moments = {333: threading.Event(), 666: threading.Event()}

    def call(_: int) -> None:
        for at in range(100):
            if at % 10 == 0:
                client = RawClient(gateway.url)
            send_question(client, "three")
            status = client.read_response("POST").status
            with lock:
                statuses[status] += 1
                if (moment := moments.get(statuses.total())) is not None:
                    moment.set()
            if at % 10 == 9:
                client.close()

    with ThreadPoolExecutor(10) as pool:
        calls = [pool.submit(call, number) for number in range(10)]
        assert moments[333].wait(PATIENCE_S)
        dying.die()
        before = len(dying.received)
        assert moments[666].wait(PATIENCE_S)
        dead = len(dying.received)
        dying.revive()
        for one in calls:
            one.result(30)
    return statuses, before, dead


def tell_stories(records: list[dict[str, Any]]) -> None:
    """Every record was served, by one attempt, or by two whose first is the dead target's, which few had to find out about."""
    assert {(record["outcome"], record["error"], record["status"]) for record in records} == {("served", "", 200)}
    assert Counter(record["attempts"] for record in records).keys() == {1, 2}
    second = [record for record in records if record["attempts"] == 2]
    assert len(second) <= 10 + 3 + 2 * 20, "those in flight when it died, those that opened it, and the probes since"
    for record in second:
        first, last = record["detail"]["attempts"].split(", ")
        assert first.startswith('"c";trouble="connection"') and last.startswith(f'"{record["integration"]}";status=200'), record
    passed = [record for record in records if (record["detail"] or {}).get("passed_over") == '"c";why="open"']
    assert len(passed) > 50 and not any(record["integration"] == "c" for record in passed)
