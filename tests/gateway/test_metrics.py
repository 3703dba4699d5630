"""What /metrics says is what the records say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.mock import running_mock
from tests.fakes.raw_client import RawClient, request
from tests.gateway.running import KEY, RunningGateway

CONFIG = """
[integrations.main]
provider = "openai"
base_url = "{url}/v1"
models = ["gpt-4.1", "gpt-4.1-mini", "text-embedding-3-small"]

[integrations.claude]
provider = "anthropic"
base_url = "{url}/v1"

[workspaces.red]
[workspaces.blue]

[[keys]]
name = "app-1"
key = "{key}"
workspace = "red"

[[keys]]
name = "app-2"
key = "{key}-2"
workspace = "blue"
"""
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
FIRST, SECOND = [("authorization", f"Bearer {KEY}")], [("x-api-key", f"{KEY}-2")]


def scrape(gateway: RunningGateway) -> Samples:
    """Every sample by its name and labels."""
    with RawClient(gateway.url) as client:
        reply = client.ask("GET", "/metrics")
    assert reply.status == 200 and str(reply.field("content-type")).startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    return sum(
        value for (found, pairs), value in samples.items() if found == name and labels.items() <= dict(pairs).items()
    )


def talk(gateway: RunningGateway) -> None:
    """A little of everything, over several connections, so that both workers have some of it."""
    chat = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "hello there, gateway"}]}
    for number in range(12):
        with RawClient(gateway.url) as client:
            fields = FIRST if number % 3 else SECOND
            assert client.ask_json("/v1/chat/completions", chat, fields).status == 200
            assert client.ask_json("/v1/chat/completions", {**chat, "stream": True}, fields).status == 200
            assert (
                client.ask_json("/v1/embeddings", {"model": "text-embedding-3-small", "input": "x"}, fields).status
                == 200
            )
            assert client.ask_json("/v1/chat/completions", {**chat, "model": 5}, fields).status == 400
            assert client.ask("GET", "/v1/nothing/here", b"", fields).status >= 400
            assert client.ask_json("/v1/chat/completions", chat, []).status == 401
            assert (
                client.ask_json("/v1/messages", {**chat, "model": "claude-sonnet-4-5", "max_tokens": 9}, fields).status
                == 200
            )
    with RawClient(gateway.url) as client:
        client.send(b"rubbish\r\n\r\n" + request("GET", "/v1/models"))
        assert client.read_response().status == 400


def test_metrics_are_the_sums_of_the_records(tmp_path: Path) -> None:
    """Requests, tokens, cost and times in /metrics equal what the records add up to; each worker shows its own
    gauges.
    """
    with running_mock() as mock, RunningGateway(tmp_path, CONFIG.format(url=mock.url, key=KEY), workers=2) as gateway:
        talk(gateway)
        rows = gateway.records(12 * 7 + 1)
        gateway.wait_until(
            lambda: total(scrape(gateway), "fastgw_requests_total") == len(rows), "all of them in /metrics"
        )
        samples = scrape(gateway)
        groups = Counter(
            (row["workspace"], row["operation"], f"{str(row['status'])[0]}xx", row["outcome"]) for row in rows
        )
        for (workspace, operation, status, outcome), number in groups.items():
            labels = {"workspace": workspace, "operation": operation, "status": status, "outcome": outcome}
            assert total(samples, "fastgw_requests_total", **labels) == number, labels
        for direction, column in (
            ("input", "input_tokens"),
            ("output", "output_tokens"),
            ("reasoning", "reasoning_tokens"),
        ):
            assert total(samples, "fastgw_tokens_total", direction=direction) == sum(row[column] for row in rows)
        dollars = sum(row["cost_nano_usd"] for row in rows if row["cost_nano_usd"] > 0) / 1e9
        assert dollars > 0 and abs(total(samples, "fastgw_cost_dollars_total") - dollars) < 1e-12
        for name, column in (("request", "finished_ns"), ("first_byte", "first_byte_ns"), ("gateway", "gateway_ns")):
            values = [row[column] for row in rows if row[column] >= 0]
            assert total(samples, f"fastgw_{name}_seconds_count") == len(values)
            assert abs(total(samples, f"fastgw_{name}_seconds_sum") - sum(values) / 1e9) < 1e-6
            assert total(samples, f"fastgw_{name}_seconds_bucket", le="+Inf") == len(values)
        pushed = Counter(str(row["worker"]) for row in rows)
        for worker in ("0", "1"):
            assert total(samples, "fastgw_ring_records_total", worker=worker) == pushed[worker]
            for name, value in (
                ("worker_up", 1),
                ("snapshot_version", 1),
                ("snapshot_faulty", 0),
                ("faults_total", 0),
                ("ring_dropped_records_total", 0),
            ):
                assert (f"fastgw_{name}", (("worker", worker),)) in samples
                assert total(samples, f"fastgw_{name}", worker=worker) == value
        for exporter in ("jsonl", "prometheus"):
            assert total(samples, "fastgw_exporter_records_total", exporter=exporter) == len(rows)


def test_gauges_follow_connections(tmp_path: Path) -> None:
    """fastgw_connections and fastgw_in_flight tell what is open and what runs, within a second."""
    with running_mock() as mock, RunningGateway(tmp_path, CONFIG.format(url=mock.url, key=KEY)) as gateway:
        gateway.wait_until(lambda: total(scrape(gateway), "fastgw_connections") <= 1, "no connection but the scrape's")
        clients = [RawClient(gateway.url) for _ in range(5)]
        try:
            for client in clients:
                client.send(request("POST", "/v1/chat/completions", b"{}" + b" " * 1000, FIRST)[:-10])
            gateway.wait_until(lambda: total(scrape(gateway), "fastgw_connections") >= 5, "5 connections")
            gateway.wait_until(lambda: total(scrape(gateway), "fastgw_in_flight") >= 5, "5 in flight")
        finally:
            for client in clients:
                client.close()
        gateway.wait_until(lambda: total(scrape(gateway), "fastgw_connections") <= 1, "none again")
        gateway.wait_until(lambda: total(scrape(gateway), "fastgw_in_flight") <= 1, "none in flight")


def test_names_that_callers_make_up_are_no_labels(tmp_path: Path) -> None:
    """Model names that no route was found for are counted as `other`, however many there are."""
    with running_mock() as mock:
        config = CONFIG.format(url=mock.url, key=KEY).replace(
            '"anthropic"\n', '"anthropic"\nmodels = ["claude-sonnet-4-5"]\n'
        )
        with RunningGateway(tmp_path, config) as gateway:
            with RawClient(gateway.url) as client:
                for number in range(30):
                    body = {"model": f"made-up-{number}", "messages": []}
                    assert client.ask_json("/v1/chat/completions", body, FIRST).status == 404
            gateway.wait_until(lambda: total(scrape(gateway), "fastgw_requests_total") == 30, "30 requests")
            assert total(scrape(gateway), "fastgw_requests_total", model="other") == 30
