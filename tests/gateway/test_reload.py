"""A changed configuration takes effect by itself on every worker; a bad one changes nothing and is told."""
from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.raw_client import RawClient, Response, json_request
from tests.fakes.upstream import Gate, Upstream, json_reply, pause
from tests.gateway.limited import CHAT, QUESTION, account, bearer, chat, code_of, integrations, key_lines
from tests.gateway.running import KEY, RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

SECOND = "fgw-reload-second-00000000000000000"
WITHIN_S = 1.0 + SLOW_DAY_S     # a second is promised
REPLY = json_reply({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
QUESTIONED = json_request(CHAT, {"model": "gpt-4.1", "messages": QUESTION}, bearer())


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(REPLY) as running:
        yield running


@pytest.fixture
def gateway(upstream: Upstream, tmp_path: Path) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path, integrations(upstream.url) + key_lines() + key_lines("second", SECOND), workers=2) as running:
        yield running


def both_workers(gateway: RunningGateway, upstream_key: str, expected: int) -> bool:
    """Whether so many requests in a row, each on a connection of its own and so on either worker, have this status."""
    return all(chat(gateway.url, upstream_key).status == expected for _ in range(12))


def test_revoked_key_is_refused_within_a_second_and_new_one_taken(gateway: RunningGateway, upstream: Upstream) -> None:
    """Without a signal, all workers refuse a key that was taken out of the file, and take one that was put in."""
    third = "fgw-reload-third-000000000000000000"
    assert both_workers(gateway, SECOND, 200) and both_workers(gateway, third, 401)
    gateway.write_config(integrations(upstream.url) + key_lines() + key_lines("third", third))
    gateway.wait_until(lambda: both_workers(gateway, SECOND, 401), "the key to be refused", WITHIN_S)
    assert both_workers(gateway, third, 200)


def test_workers_have_one_thread_once_they_have_read_and_resolved(gateway: RunningGateway, upstream: Upstream) -> None:
    """What reads a file or resolves a provider's name beside the loop is gone afterwards: a second thread makes each system call dearer."""
    by_name = integrations(upstream.url.replace("127.0.0.1", "localhost"))
    gateway.write_config(by_name + key_lines())
    gateway.wait_until(lambda: both_workers(gateway, SECOND, 401), "the file to be read", WITHIN_S)
    assert both_workers(gateway, KEY, 200)
    for pid in gateway.worker_pids():
        gateway.wait_until(lambda tasks=Path(f"/proc/{pid}/task"): len(list(tasks.iterdir())) == 1, f"one thread of {pid}", PATIENCE_S)


def test_signal_reads_again_what_the_file_only_names(gateway: RunningGateway, upstream: Upstream) -> None:
    """SIGHUP to the supervisor reloads, also where only a file: secret changed."""
    secret = gateway.directory / "key"
    secret.write_text(SECOND)
    named = f'[[keys]]\nname = "named"\nkey = "file:{secret}"\n'
    gateway.write_config(integrations(upstream.url) + key_lines() + named)
    gateway.wait_until(lambda: both_workers(gateway, SECOND, 200), "the named key", WITHIN_S)
    secret.write_text("fgw-reload-other-000000000000000000")
    os.kill(gateway.process.pid, signal.SIGHUP)
    gateway.wait_until(lambda: both_workers(gateway, SECOND, 401), "the key to be refused", WITHIN_S)


def test_request_in_flight_keeps_what_it_began_with(gateway: RunningGateway, upstream: Upstream) -> None:
    """A request that runs while its key is revoked and its origin's settings change ends as it began."""
    gate = Gate()
    upstream.play([pause(gate), *REPLY])
    try:
        with RawClient(gateway.url) as client:
            before = len(upstream.received)
            client.send(QUESTIONED)
            upstream.wait(before + 1)
            gateway.write_config(integrations(upstream.url, max_connections="7") + key_lines("second", SECOND))
            gateway.wait_until(lambda: {listing(gateway).status for _ in range(12)} == {401}, "the key to be refused", WITHIN_S)
            gate.release()
            reply = client.read_response("POST")
            assert reply.status == 200 and reply.field("x-fastgw-cost-usd")
            client.send(QUESTIONED)
            assert client.read_response("POST").status == 401
    finally:
        upstream.play(REPLY)


def listing(gateway: RunningGateway) -> Response:
    """A request that does not go upstream."""
    with RawClient(gateway.url) as client:
        return client.ask("GET", "/v1/models", fields=bearer())


def test_bad_file_leaves_the_old_one_in_force_and_is_told(gateway: RunningGateway, upstream: Upstream) -> None:
    """A file with mistakes changes nothing: it is in the log, in /readyz and in a metric until a good one comes."""
    good = gateway.config_path.read_text()
    gateway.write_config(good + '[integrations.openai.extra]\nwrong = "yes"\n')
    gateway.wait_until(lambda: all("config_refused" in ready(gateway) for _ in range(12)), "/readyz to say so", WITHIN_S)
    assert "integrations.openai" in str(ready(gateway)["config_refused"]) and ready(gateway)["status"] == "ready"
    assert both_workers(gateway, KEY, 200) and both_workers(gateway, SECOND, 200)
    gateway.wait_until(lambda: gateway.log().count("is refused, version") == 2, "a line of each worker")
    gateway.wait_until(lambda: metric(gateway, "fastgw_snapshot_faulty") == 2, "the metric")
    assert metric(gateway, "fastgw_snapshot_refused") == 2
    gateway.write_config(good)
    gateway.wait_until(lambda: all("config_refused" not in ready(gateway) for _ in range(12)), "/readyz to be content", WITHIN_S)
    gateway.wait_until(lambda: metric(gateway, "fastgw_snapshot_faulty") == 0, "the metric")


def ready(gateway: RunningGateway) -> dict[str, object]:
    with RawClient(gateway.url) as client:
        found: dict[str, object] = json.loads(client.ask("GET", "/readyz").body)
        return found


def metric(gateway: RunningGateway, name: str) -> float:
    """The sum of a metric over all workers."""
    with RawClient(gateway.url) as client:
        lines = client.ask("GET", "/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_pools_survive_a_reload_with_the_same_settings(gateway: RunningGateway, upstream: Upstream) -> None:
    """A change of keys and limits does not cost a connection: the next request goes over the one that was there."""
    with RawClient(gateway.url) as client:
        client.send(QUESTIONED)
        assert client.read_response("POST").status == 200
        used = upstream.received[-1].connection
        gateway.write_config(integrations(upstream.url) + key_lines(budget="{ usd = 5 }"))
        gateway.wait_until(lambda: both_workers(gateway, SECOND, 401), "the new configuration", WITHIN_S)
        client.send(QUESTIONED)
        assert client.read_response("POST").status == 200
    assert upstream.received[-1].connection is used and not used.closed.is_set()
    assert account(gateway.state, "key:app").budget == 5 * 10**9


def test_worker_that_takes_a_dead_ones_place_serves_by_the_file_as_it_is(gateway: RunningGateway, upstream: Upstream) -> None:
    """A key that was revoked since the gateway started stays revoked when a worker dies and another comes."""
    gateway.write_config(integrations(upstream.url) + key_lines())
    gateway.wait_until(lambda: both_workers(gateway, SECOND, 401), "the key to be refused", WITHIN_S)
    before = gateway.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    # in this order: once the dead are gone, so are their sockets
    gateway.wait_until(lambda: not set(before) & set(gateway.worker_pids()) and gateway.ready() == 2, "two other workers")
    statuses = {chat(gateway.url, SECOND).status for _ in range(40)}
    assert statuses == {401}
    assert code_of(chat(gateway.url, SECOND)) == "invalid_key"


def test_calendar_window_renews_and_says_when(gateway: RunningGateway, upstream: Upstream) -> None:
    """A used-up budget of a day says when it renews: at midnight UTC."""
    gateway.write_config(integrations(upstream.url) + key_lines(budget='{ usd = 0.000001, window = "day" }'))
    gateway.wait_until(lambda: both_workers(gateway, KEY, 412), "the budget", WITHIN_S)
    reply = chat(gateway.url, KEY)
    assert code_of(reply) == "budget_exhausted" and "renews at" in reply.body.decode() and "T00:00:00Z" in reply.body.decode()
    gateway.write_config(integrations(upstream.url) + key_lines(budget='{ usd = 1, window = "day" }'))
    gateway.wait_until(lambda: both_workers(gateway, KEY, 200), "the budget to be raised", WITHIN_S)
