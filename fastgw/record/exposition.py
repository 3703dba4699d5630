"""Say the drain's counters and the workers' gauges in the Prometheus text format."""
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from fastgw.record.drain import Drain
from fastgw.record.exporters.prometheus import DIRECTIONS, Counters
from fastgw.record.names import GAUGES
from fastgw.record.vitals import Vitals, read_vitals


class Shape(NamedTuple):
    """One metric: what docs/metrics.md says of it too."""

    name: str
    kind: str                  # counter, gauge or histogram
    labels: tuple[str, ...]
    meaning: str


PLACE = ("workspace", "provider", "model")
SHAPES = (
    Shape("fastgw_requests_total", "counter", (*PLACE, "operation", "status", "outcome"), "Exchanges that ended"),
    Shape("fastgw_tokens_total", "counter", (*PLACE, "direction"),
          "Tokens; cached and reasoning ones count in input and output too"),
    Shape("fastgw_cost_dollars_total", "counter", PLACE, "Cost of exchanges whose price is known, in US dollars"),
    Shape("fastgw_retries_total", "counter", PLACE, "Attempts that asked the same target again"),
    Shape("fastgw_fallbacks_total", "counter", PLACE, "Attempts that asked another target"),
    Shape("fastgw_cache_total", "counter", (*PLACE, "status"), "Exchanges where the cache of responses was in use"),
    Shape("fastgw_cache_saved_usd_total", "counter", PLACE, "What replies from the cache would have cost, in US dollars"),
    Shape("fastgw_request_seconds", "histogram", ("operation", "provider"),
          "From the request's first byte to the reply's last"),
    Shape("fastgw_first_byte_seconds", "histogram", ("operation", "provider"),
          "From the request's first byte to the provider's first"),
    Shape("fastgw_gateway_seconds", "histogram", ("operation", "provider"), "The gateway's own share of the time"),
    Shape("fastgw_ring_records_total", "counter", ("worker",), "Records that the worker pushed"),
    Shape("fastgw_ring_dropped_records_total", "counter", ("worker",), "Records lost because the ring was full"),
    Shape("fastgw_ring_dropped_payloads_total", "counter", ("worker",),
          "Payloads left out because they were too long or the ring was full"),
    Shape("fastgw_ring_dropped_details_total", "counter", ("worker",),
          "Details left out because they were too long or the ring was full"),
    Shape("fastgw_ring_used_bytes", "gauge", ("worker",), "Bytes of the ring that are in use"),
    Shape("fastgw_worker_up", "gauge", ("worker",), "1 while the worker has its ring open"),
    Shape("fastgw_exporter_records_total", "counter", ("exporter",), "Records that the exporter has kept"),
    Shape("fastgw_exporter_dropped_records_total", "counter", ("exporter",),
          "Records lost because the exporter's queue was full or it had a fault"),
    Shape("fastgw_exporter_failures_total", "counter", ("exporter",), "Exports that failed, tries again included"),
    Shape("fastgw_exporter_queued_records", "gauge", ("exporter",), "Records that wait for the exporter"),
    Shape("fastgw_exporter_up", "gauge", ("exporter",), "0 while the exporter fails"),
    Shape("fastgw_connections", "gauge", ("worker",), "Callers' connections open"),
    Shape("fastgw_in_flight", "gauge", ("worker",), "Exchanges in hand"),
    Shape("fastgw_upstream_idle", "gauge", ("worker",), "Idle connections to providers"),
    Shape("fastgw_upstream_busy", "gauge", ("worker",), "Connections to providers in use"),
    Shape("fastgw_refused_connections_total", "counter", ("worker",),
          "Connections refused because max_connections was reached"),
    Shape("fastgw_snapshot_version", "gauge", ("worker",), "Version of the configuration in use"),
    Shape("fastgw_snapshot_refused_total", "counter", ("worker",), "Configurations refused since the worker's start"),
    Shape("fastgw_snapshot_faulty", "gauge", ("worker",), "1 while the configuration on disk is refused"),
    Shape("fastgw_faults_total", "counter", ("worker",), "Exceptions caught at the edge of an exchange"),
    Shape("fastgw_control_up", "gauge", (), "1 while the control process runs and says how it is"),
    Shape("fastgw_control_failures_total", "counter", ("work",),
          "Failures of what the control process does again and again, since its start"),
    Shape("fastgw_control_failing", "gauge", ("work",), "1 while the latest try failed"),
    Shape("fastgw_control_last_publish_timestamp_seconds", "gauge", (),
          "When all that administrators changed was last found published; 0: not yet"),
)

# A worker's gauge by the metric that shows it; what is for the gateway's own processes is none.
GAUGE_METRICS = {
    name: f"fastgw_{name}_total" if name in ("refused_connections", "snapshot_refused", "faults") else f"fastgw_{name}"
    for name in GAUGES if name not in ("pid", "published_ns")
}

Row = tuple[tuple[str, ...], float]


class Exposition(Collector):
    """What a scrape shows, gathered at the scrape."""

    def __init__(self, drain: Drain) -> None:
        self.drain = drain
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def __repr__(self) -> str:
        return f"Exposition({self.drain!r})"

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        rows: dict[str, list[Row]] = {shape.name: [] for shape in SHAPES}
        histograms: dict[str, list[tuple[tuple[str, ...], list[tuple[str, float]], float]]] = {}
        for feed in self.drain.feeds:
            if isinstance(feed.exporter, Counters):
                add_counters(rows, feed.exporter)
                histograms = gather_histograms(feed.exporter)
        add_rings(rows, self.drain)
        add_feeds(rows, self.drain)
        if self.drain.state is not None and (vitals := read_vitals(self.drain.state)) is not None:
            add_vitals(rows, vitals)
        for shape in SHAPES:
            if shape.kind == "histogram":
                histogram = HistogramMetricFamily(shape.name, shape.meaning, labels=shape.labels)
                for labels, buckets, total in histograms.get(shape.name, []):
                    histogram.add_metric(labels, buckets, total)
                yield histogram
            else:
                family = CounterMetricFamily if shape.kind == "counter" else GaugeMetricFamily
                metric = family(shape.name, shape.meaning, labels=shape.labels)
                for labels, value in rows[shape.name]:
                    metric.add_metric(labels, value)
                yield metric


def metrics_text(exposition: Exposition) -> bytes:
    """Return what GET /metrics answers."""
    return generate_latest(exposition.registry)


def add_counters(rows: dict[str, list[Row]], counters: Counters) -> None:
    with counters.lock:
        for (place, operation, status, outcome), number in counters.requests.items():
            rows["fastgw_requests_total"].append(((*place, operation, status, outcome), number))
        for place, totals in counters.places.items():
            rows["fastgw_cost_dollars_total"].append((tuple(place), totals.cost_nano_usd / 1e9))
            rows["fastgw_retries_total"].append((tuple(place), totals.retries))
            rows["fastgw_fallbacks_total"].append((tuple(place), totals.fallbacks))
            for status, number in totals.caches.items():
                rows["fastgw_cache_total"].append(((*place, status), number))
            if totals.caches:
                rows["fastgw_cache_saved_usd_total"].append((tuple(place), totals.saved_nano_usd / 1e9))
            for direction, number in zip(DIRECTIONS, totals.tokens, strict=True):
                rows["fastgw_tokens_total"].append(((*place, direction), number))


def gather_histograms(counters: Counters) -> dict[str, list[tuple[tuple[str, ...], list[tuple[str, float]], float]]]:
    names = ("fastgw_request_seconds", "fastgw_first_byte_seconds", "fastgw_gateway_seconds")
    with counters.lock:
        return {
            name: [(labels, times[at].buckets(), times[at].sum_ns / 1e9) for labels, times in counters.times.items()]
            for at, name in enumerate(names)
        }


def add_rings(rows: dict[str, list[Row]], drain: Drain) -> None:
    with drain.rings_lock:                        # a ring that is closed meanwhile must not be read
        for reader in drain.readers.values():
            labels = (str(reader.worker),)
            payloads, details, records = reader.dropped()
            rows["fastgw_ring_records_total"].append((labels, reader.pushed()))
            rows["fastgw_ring_dropped_records_total"].append((labels, records))
            rows["fastgw_ring_dropped_payloads_total"].append((labels, payloads))
            rows["fastgw_ring_dropped_details_total"].append((labels, details))
            rows["fastgw_ring_used_bytes"].append((labels, reader.used_bytes))
            rows["fastgw_worker_up"].append((labels, reader.writer_alive()))
            for name, value in zip(GAUGES, reader.gauges(), strict=False):
                if name in GAUGE_METRICS:
                    rows[GAUGE_METRICS[name]].append((labels, value))


def add_feeds(rows: dict[str, list[Row]], drain: Drain) -> None:
    for feed in drain.feeds:
        labels = (feed.exporter.name,)
        rows["fastgw_exporter_records_total"].append((labels, feed.exported_records))
        rows["fastgw_exporter_dropped_records_total"].append((labels, feed.dropped_records))
        rows["fastgw_exporter_failures_total"].append((labels, feed.failures))
        rows["fastgw_exporter_queued_records"].append((labels, feed.queued_records))
        rows["fastgw_exporter_up"].append((labels, feed.is_healthy))


def add_vitals(rows: dict[str, list[Row]], vitals: Vitals) -> None:
    rows["fastgw_control_up"].append(((), vitals.is_up))
    rows["fastgw_control_last_publish_timestamp_seconds"].append(((), vitals.published_s))
    for name, work in vitals.works.items():
        rows["fastgw_control_failures_total"].append(((name,), work.failures))
        rows["fastgw_control_failing"].append(((name,), work.is_failing))
