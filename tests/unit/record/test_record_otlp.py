"""Spans for a collector of OpenTelemetry, read by the message classes of its own project."""
import logging
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fastgw.record.exporters import Batch, ExportFailed, ExportRefused
from fastgw.record.exporters.otlp import OtlpTraces
from fastgw.record.feed import Feed
from fastgw.record.fields import Record
from fastgw.snapshot.config import Otlp
from fastgw.snapshot.secret import Secret
from tests.fakes.collector import Collector, request_of
from tests.unit.record.making import record_of, wait_until

ID = "0193e4f2-7a10-7c35-9b1f-2f6c1d0e8a77"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def batch_of(*records: Record) -> Batch:
    return Batch(list(records), {}, 0)


def record(**values: Any) -> Record:
    return record_of(id=ID, **values)


def told(span: Span) -> dict[str, object]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_span_says_what_the_record_does(collector: Collector) -> None:
    """Names, times, usage, cost and steps are those of the conventions, in the types that they have there."""
    exporter = OtlpTraces(Otlp(endpoint=collector.url, resource={"deployment.environment.name": "test"}))
    exporter.export(batch_of(record(
        trace=TRACE, provider="bedrock", upstream_model="claude-x", model="best", operation="messages", flags="streamed",
        admitted_ns=40_000, read_ns=-1, cache_read_tokens=4,
        detail={"metadata": {"team": "red"}, "attempts": "a 503, b 200", "dropped": ["seed", "n"]})))
    exporter.close()
    assert collector.heads[0][0] == "/v1/traces" and collector.heads[0][1]["content-type"] == "application/json"
    [resource] = request_of(collector.bodies[0]).resource_spans
    named = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert named["service.name"] == "fastgw" and named["deployment.environment.name"] == "test" and named["host.name"]
    [span] = collector.spans()
    assert (span.trace_id.hex(), span.name, span.kind) == (TRACE, "chat claude-x", Span.SPAN_KIND_CLIENT)
    assert span.span_id.hex() == ID.replace("-", "")[16:] and not span.parent_span_id
    assert (span.start_time_unix_nano, span.end_time_unix_nano - span.start_time_unix_nano) == (1_700_000_000_000_000_000, 900_000_000)
    assert [(one.name, one.time_unix_nano - span.start_time_unix_nano) for one in span.events] == [
        ("admitted", 40_000), ("first byte", 250_000_000)]
    assert span.status.code == 0
    attributes = told(span)
    assert attributes == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "claude-x", "fastgw.model": "best",
        "fastgw.request.id": ID, "fastgw.key": "app-1", "fastgw.workspace": "default", "fastgw.integration": "main",
        "fastgw.dialect": "openai", "fastgw.outcome": "served", "fastgw.flags": "streamed", "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 4, "http.response.status_code": 200,
        "fastgw.upstream.status_code": 200, "fastgw.gateway_ns": 30_000, "fastgw.cost_usd": 0.0015, "fastgw.metadata.team": "red",
        "fastgw.detail.attempts": "a 503, b 200", "fastgw.detail.dropped": "seed, n"}


def test_errors_and_strange_records_are_spans_too(collector: Collector) -> None:
    """A refusal is an error by its code; what never reached a provider, or has odd texts in it, is a span that can be read."""
    exporter = OtlpTraces(Otlp(endpoint=f"{collector.url}/below/"))
    exporter.export(batch_of(
        record(status=429, outcome="refused", error="rate_limited", provider="", upstream_model="", model="", operation="unknown", key="",
               finished_ns=-1, cost_nano_usd=-1),
        record(status=0, outcome="lost", model="\x00\"\u2028\U0001f600" * 9, upstream_model="", request="{\"a\":\"\\ud800\"}")))
    exporter.close()
    assert collector.heads[0][0] == "/below/v1/traces"
    refused, lost = collector.spans()
    assert (refused.name, refused.status.code, refused.status.message) == ("unknown", 2, "rate_limited")
    assert told(refused)["error.type"] == "rate_limited" and "fastgw.cost_usd" not in told(refused)
    assert refused.trace_id.hex() == ID.replace("-", "") and refused.end_time_unix_nano == refused.start_time_unix_nano
    assert lost.status.code == 2 and told(lost)["gen_ai.request.model"] == "\x00\"\u2028\U0001f600" * 9


def test_large_batches_go_in_pieces_and_none_twice() -> None:
    """A request is bounded; after a failure in the middle only what the collector has not taken is sent again."""
    with Collector((200, b""), (503, b"busy"), (200, b"")) as collector:
        exporter = OtlpTraces(Otlp(endpoint=collector.url, gzip=True))
        records = [record(trace=f"{number:032x}", reply="x" * 900_000) for number in range(1, 6)]
        batch = batch_of(*records)
        with pytest.raises(ExportFailed, match="answers 503: busy"):
            exporter.export(batch)
        del collector.bodies[-1]
        exporter.export(batch)
        exporter.close()
        assert [int(span.trace_id.hex(), 16) for span in collector.spans()] == [1, 2, 3, 4, 5] and len(collector.bodies) == 3
        assert collector.heads[0][1]["content-encoding"] == "gzip"


def test_what_is_refused_is_counted_and_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    """A 400 costs its batch, a partial success what was rejected; both are logged once, and what comes after them goes through."""
    with Collector((400, b"no such tenant"), (200, b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}')) as collector:
        exporter = OtlpTraces(Otlp(endpoint=collector.url))
        exporter.linger_seconds = 0.0       # a batch at a time
        feed = Feed(exporter)
        feed.thread.start()
        with caplog.at_level(logging.WARNING, "fastgw.record"):
            for count, total in ((3, 3), (3, 6), (1, 7)):
                feed.offer(batch_of(*[record()] * count))
                wait_until(lambda total=total: feed.exported_records + feed.dropped_records == total)  # type: ignore[misc]
            wait_until(lambda: feed.is_healthy)
        feed.finish(1e12)
        feed.thread.join()
        assert (feed.exported_records, feed.dropped_records, feed.failures, len(collector.bodies)) == (2, 5, 2, 3)
        assert [one.levelname for one in caplog.records] == ["ERROR", "WARNING"]
        assert "answers 400 to /v1/traces: no such tenant" in caplog.records[0].getMessage()


def test_a_collector_that_comes_later_gets_everything(collector: Collector) -> None:
    """Nothing is lost while nobody listens, and a connection that the collector closed is opened again without a failure."""
    port = collector.server_port
    collector.__exit__()
    exporter = OtlpTraces(Otlp(endpoint=f"http://127.0.0.1:{port}"))
    with pytest.raises(ExportFailed, match="does not take spans"):
        exporter.export(batch_of(record()))
    with Collector() as late:
        late.closes = True
        exporter.settings = Otlp(endpoint=late.url)
        exporter.port = late.server_port
        for _ in range(3):
            exporter.export(batch_of(record()))
        assert len(late.spans()) == 3 and late.connections == 3
        late.closes = False
        for _ in range(3):
            exporter.export(batch_of(record()))
        assert late.connections == 4
        exporter.close()


def test_tls_is_checked_and_secrets_are_sent_but_not_shown(collector: Collector) -> None:
    """A collector whose certificate nobody trusts gets nothing; the headers' secrets are in the request alone."""
    exporter = OtlpTraces(Otlp(endpoint=collector.url, headers={"authorization": Secret("Bearer sk-very-secret", "env:OTLP")}))
    exporter.export(batch_of(record()))
    exporter.close()
    assert collector.heads[0][1]["authorization"] == "Bearer sk-very-secret"
    assert "sk-very-secret" not in repr(exporter) + repr(exporter.settings)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Collector() as secret:
        secret.socket = context.wrap_socket(secret.socket, server_side=True)
        exporter = OtlpTraces(Otlp(endpoint=f"https://127.0.0.1:{secret.server_port}"))
        with pytest.raises(ExportFailed, match="certificate verify failed"):
            exporter.export(batch_of(record()))
        assert not secret.bodies


def test_an_answer_that_is_none_is_no_reason_to_send_twice() -> None:
    """Whatever a collector says with 200 counts as taken, but for spans that it says it rejected."""
    told = '{"partialSuccess":{}}', '{"partialSuccess":null}', '{"partialSuccess":{"rejectedSpans":"x"}}', "ok", "\n\0", ""
    for said in map(str.encode, told):
        with Collector((200, said)) as collector:
            exporter = OtlpTraces(Otlp(endpoint=collector.url))
            exporter.export(batch_of(record()))
            exporter.close()
    with Collector((200, b'{"partialSuccess":{"rejectedSpans":1}}')) as collector:
        exporter = OtlpTraces(Otlp(endpoint=collector.url))
        with pytest.raises(ExportRefused, match="rejects spans"):
            exporter.export(batch_of(record()))
        exporter.close()
