"""Metrics: right sums, bounded labels, and a page that says what there is."""
import os
import re
import time
from pathlib import Path

from msgspec import structs
from prometheus_client.parser import text_string_to_metric_families

from fastgw._core.ring import RingWriter
from fastgw.record.drain import Drain
from fastgw.record.exporters import Batch
from fastgw.record.exporters.prometheus import MICROSECONDS, MOST_LABEL_SETS, SECONDS, Counters
from fastgw.record.exposition import SHAPES, Exposition, metrics_text
from fastgw.record.fields import Record
from fastgw.record.vitals import VITALS, Vitals, Work, write_vitals
from tests.unit.record.making import packed, record_of

ROOT = Path(__file__).parents[3]


def scrape(counters: Counters, drain: Drain | None = None) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = metrics_text(Exposition(drain or Drain([], [counters]))).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text) for sample in family.samples
    }


def counted(records: list[Record], models: frozenset[str] | None = None) -> Counters:
    counters = Counters(models)
    counters.export(Batch(records, {}, 0))
    return counters


def labels(**values: str) -> frozenset[tuple[str, str]]:
    return frozenset(values.items())


PLACE = {"workspace": "default", "provider": "openai", "model": "gpt-4.1"}


def test_requests_tokens_and_cost_add_up() -> None:
    """Counters are the sums over the records, cost in dollars, unknown cost left out."""
    samples = scrape(counted([
        record_of(), record_of(cost_nano_usd=-1, cache_read_tokens=4),
        record_of(status=503, outcome="failed", input_tokens=0, output_tokens=0, cost_nano_usd=0),
    ]))
    served = labels(**PLACE, operation="chat", status="2xx", outcome="served")
    assert samples["fastgw_requests_total", served] == 2
    failed = labels(**PLACE, operation="chat", status="5xx", outcome="failed")
    assert samples["fastgw_requests_total", failed] == 1
    assert samples["fastgw_tokens_total", labels(**PLACE, direction="input")] == 20
    assert samples["fastgw_tokens_total", labels(**PLACE, direction="cache_read")] == 4
    assert samples["fastgw_cost_dollars_total", labels(**PLACE)] == 0.0015


def test_retries_fallbacks_and_cache_add_up() -> None:
    """Attempts at the same target, attempts at another, uses of the cache by kind and what hits saved; without a cache nothing of it."""
    samples = scrape(counted([
        record_of(attempts=1), record_of(attempts=4, retries=2), record_of(attempts=0),
        record_of(attempts=2), record_of(attempts=1, retries=1),
        record_of(cache="hit", saved_nano_usd=2_500_000), record_of(cache="hit", saved_nano_usd=500_000),
        record_of(cache="bypass"), record_of(model="other-1", attempts=1),
    ]))
    place, elsewhere = labels(**PLACE), labels(**(PLACE | {"model": "other-1"}))
    assert (samples["fastgw_retries_total", place], samples["fastgw_fallbacks_total", place]) == (3, 2)
    assert (samples["fastgw_retries_total", elsewhere], samples["fastgw_fallbacks_total", elsewhere]) == (0, 0)
    used = {status: samples["fastgw_cache_total", labels(**PLACE, status=status)] for status in ("hit", "miss", "refresh", "bypass")}
    assert used == {"hit": 2, "miss": 0, "refresh": 0, "bypass": 1}
    assert samples["fastgw_cache_saved_usd_total", place] == 0.003
    assert ("fastgw_cache_saved_usd_total", elsewhere) not in samples


def test_histograms_count_each_point_that_was_reached() -> None:
    """A value on a bound counts under it; a point not reached counts nowhere."""
    samples = scrape(counted([
        record_of(finished_ns=5_000_000, gateway_ns=10_000), record_of(finished_ns=5_000_001, gateway_ns=10_001),
        record_of(finished_ns=700 * 10**9, first_byte_ns=-1, gateway_ns=-1),
    ]))
    where = {"operation": "chat", "provider": "openai"}
    assert samples["fastgw_request_seconds_bucket", labels(**where, le="0.005")] == 1
    assert samples["fastgw_request_seconds_bucket", labels(**where, le="0.01")] == 2
    assert samples["fastgw_request_seconds_bucket", labels(**where, le="600.0")] == 2
    assert samples["fastgw_request_seconds_bucket", labels(**where, le="+Inf")] == 3
    assert samples["fastgw_request_seconds_sum", labels(**where)] == 700.010000001
    assert samples["fastgw_first_byte_seconds_count", labels(**where)] == 2
    assert samples["fastgw_gateway_seconds_bucket", labels(**where, le="1e-05")] == 1
    assert samples["fastgw_gateway_seconds_count", labels(**where)] == 2


def test_invented_names_never_become_labels_without_bound() -> None:
    """Ten thousand models, keys of refusals and workspaces end in at most 201 label sets, and no request is lost."""
    records = [record_of(model=f"m{at}", workspace=f"w{at % 300}") for at in range(5000)]
    records += [record_of(model=f"x{at}", provider="", outcome="refused") for at in range(5000)]
    counters = counted(records)
    assert len(counters.places) <= MOST_LABEL_SETS + 1 and len(counters.known) <= 10 * MOST_LABEL_SETS
    assert len(counters.times) <= MOST_LABEL_SETS + 1
    assert sum(counters.requests.values()) == 10_000


def test_only_configured_models_are_named() -> None:
    """With a list of models, another one is `other`."""
    unknown, unrouted = record_of(model="made-up"), record_of(model="made-up", provider="")
    counters = counted([record_of(), unknown, unrouted], frozenset({"gpt-4.1"}))
    assert {(place.provider, place.model) for place in counters.places} == {
        ("openai", "gpt-4.1"), ("openai", "other"), ("", "other")}


def test_odd_status_has_a_class() -> None:
    """No status and a status out of range are `none`."""
    counters = counted([record_of(status=0), record_of(status=999), record_of(status=404)])
    assert sorted(status for _, _, status, _ in counters.requests) == ["4xx", "none"]


def test_rings_and_workers_are_shown(tmp_path: Path, writer: RingWriter) -> None:
    """Drops, use and gauges of a worker's ring appear under its number, and its death is seen."""
    drain = Drain([tmp_path / "ring-0", tmp_path / "ring-1"], [])
    drain.look()
    writer.set_gauge(0, 12)
    writer.set_gauge(9, 3)
    writer.push_packed(packed(), b"x" * 200_000, detail=b" " * 5000)
    samples = scrape(Counters(), drain)
    worker = labels(worker="0")
    assert samples["fastgw_connections", worker] == 12 and samples["fastgw_faults_total", worker] == 3
    assert samples["fastgw_ring_records_total", worker] == 1 and samples["fastgw_ring_used_bytes", worker] > 500
    assert samples["fastgw_ring_dropped_payloads_total", worker] == 1
    assert samples["fastgw_ring_dropped_details_total", worker] == 1
    assert samples["fastgw_worker_up", worker] == 1
    assert ("fastgw_connections", labels(worker="1")) not in samples
    writer.close()
    assert scrape(Counters(), drain)["fastgw_worker_up", worker] == 0


def test_the_control_process_is_shown_where_there_is_one(tmp_path: Path) -> None:
    """What it failed at and when it last published, and whether it still says anything; nothing of one that was never there."""
    drain = Drain([], [], state=tmp_path)
    assert not {name for name, _ in scrape(Counters(), drain) if name.startswith("fastgw_control")}
    told = Vitals(os.getpid(), time.time(), 1_700_000_000.0, {"publish": Work(3, True), "alerts": Work(0, False)})
    write_vitals(tmp_path, told)
    samples = scrape(Counters(), drain)
    assert samples["fastgw_control_up", labels()] == 1
    assert samples["fastgw_control_last_publish_timestamp_seconds", labels()] == 1_700_000_000
    assert samples["fastgw_control_failures_total", labels(work="publish")] == 3
    assert [samples["fastgw_control_failing", labels(work=work)] for work in ("publish", "alerts")] == [1, 0]
    for gone in (structs.replace(told, pid=2**22 + 1), structs.replace(told, at_s=told.at_s - 60)):
        write_vitals(tmp_path, gone)
        assert scrape(Counters(), drain)["fastgw_control_up", labels()] == 0
    (tmp_path / VITALS).write_bytes(b"{")
    assert ("fastgw_control_up", labels()) not in scrape(Counters(), drain)


def test_page_lists_every_metric_and_bound() -> None:
    """docs/metrics.md has one row a metric, in order, and the histograms' bounds."""
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(fastgw_\w+)` \| (\w+) \| (.*?) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(s.name, s.kind, ", ".join(f"`{label}`" for label in s.labels), s.meaning) for s in SHAPES]
    for bounds in (SECONDS, MICROSECONDS):
        assert ": " + ", ".join(repr(bound / 1e9) for bound in bounds) + "\n" in page
