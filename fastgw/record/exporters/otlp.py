"""Send a span of every exchange to a collector of OpenTelemetry: OTLP/HTTP, JSON encoding, semantic conventions for GenAI.

A batch is one request or, where it is large, several; what the collector has taken is not sent again when a later one fails.
"""
import gzip
import http.client
import platform
import ssl
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import msgspec

from fastgw import __version__
from fastgw.record.exporters import Batch, ExportFailed, ExportRefused, Mark
from fastgw.record.fields import Record
from fastgw.snapshot.config import Otlp

PASSING: Final = frozenset({408, 429, 502, 503, 504})      # OTLP: to be tried again, as no answer is
MOST_BYTES: Final = 2 << 20                                # of a request, which collectors bound
MOST_ANSWER_BYTES: Final = 1 << 16
KIND_CLIENT: Final = 3
STATUS_ERROR: Final = 2
BYTES_SHOWN: Final = 300                                   # of what a collector says

# Where the conventions have another word than we do; the rest is told as it is.
PROVIDERS: Final = MappingProxyType({
    "azure-openai": "azure.ai.openai", "azure-ai": "azure.ai.inference", "bedrock": "aws.bedrock", "gemini": "gcp.gemini",
    "vertex-ai": "gcp.vertex_ai", "vertex-ai-express": "gcp.vertex_ai", "mistral-ai": "mistral_ai", "perplexity-ai": "perplexity",
    "watsonx": "ibm.watsonx.ai", "x-ai": "x_ai",
})
OPERATIONS: Final = MappingProxyType({
    "chat": "chat", "messages": "chat", "responses": "chat", "cohere_chat": "chat", "completions": "text_completion",
    "generate": "generate_content", "embeddings": "embeddings", "embed": "embeddings", "cohere_embed": "embeddings",
})
# Attributes that are a field of the record, where it says something.
TEXTS: Final = MappingProxyType({
    "fastgw.request.id": "id", "fastgw.key": "key", "fastgw.workspace": "workspace", "fastgw.integration": "integration",
    "fastgw.dialect": "dialect", "fastgw.outcome": "outcome", "fastgw.flags": "flags", "fastgw.cache": "cache",
    "fastgw.portkey_trace_id": "trace_id", "fastgw.request.body": "request", "fastgw.reply.body": "reply",
})
COUNTS: Final = MappingProxyType({
    "gen_ai.usage.input_tokens": "input_tokens", "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cache_read_tokens", "gen_ai.usage.cache_creation.input_tokens": "cache_write_tokens",
    "fastgw.usage.reasoning_tokens": "reasoning_tokens", "fastgw.usage.audio_tokens": "audio_tokens",
    "http.response.status_code": "status", "fastgw.upstream.status_code": "upstream_status", "fastgw.attempts": "attempts",
    "fastgw.retries": "retries", "http.request.body.size": "request_bytes", "http.response.body.size": "reply_bytes",
    "fastgw.gateway_ns": "gateway_ns",
})
EVENTS: Final = MappingProxyType({
    "read_ns": "request read", "admitted_ns": "admitted", "sent_ns": "sent", "first_byte_ns": "first byte", "replied_ns": "reply whole",
})

_encode = msgspec.json.Encoder().encode
Attribute = dict[str, object]


def text(key: str, value: str) -> Attribute:
    return {"key": key, "value": {"stringValue": value}}


def count(key: str, value: int) -> Attribute:
    # 64-bit numbers are texts in the JSON of protobuf
    return {"key": key, "value": {"intValue": str(value)}}


def span_of(record: Record) -> dict[str, object]:
    """A span as the JSON of OTLP has it; spans of one trace come together by the id that the caller sent."""
    hexadecimal = record.id.replace("-", "")
    model = record.upstream_model or record.model
    operation = OPERATIONS.get(record.operation, record.operation)
    span: dict[str, object] = {
        "traceId": record.trace or hexadecimal, "spanId": hexadecimal[16:], "name": f"{operation} {model}".rstrip(), "kind": KIND_CLIENT,
        "startTimeUnixNano": str(record.started_ns), "endTimeUnixNano": str(record.recorded_ns),
        "attributes": list(attributes_of(record, operation, model)),
        "events": [
            {"timeUnixNano": str(record.started_ns + after_ns), "name": name}
            for field, name in EVENTS.items() if (after_ns := getattr(record, field)) > 0
        ],
    }
    if record.status >= 400 or record.outcome in ("failed", "lost"):
        span["status"] = {"code": STATUS_ERROR, "message": record.error}
    return span


def attributes_of(record: Record, operation: str, model: str) -> Iterator[Attribute]:
    yield text("gen_ai.operation.name", operation)
    if record.provider:
        yield text("gen_ai.provider.name", PROVIDERS.get(record.provider, record.provider))
    if model:
        yield text("gen_ai.request.model", model)
    if record.model and record.model != model:
        yield text("fastgw.model", record.model)
    if record.error or record.status >= 400:
        yield text("error.type", record.error or str(record.status))
    for key, field in TEXTS.items():
        if value := getattr(record, field):
            yield text(key, value)
    for key, field in COUNTS.items():
        if number := getattr(record, field):
            yield count(key, number)
    if record.cost_nano_usd >= 0:
        yield {"key": "fastgw.cost_usd", "value": {"doubleValue": record.cost_nano_usd / 1e9}}
    if record.saved_nano_usd > 0:
        yield {"key": "fastgw.saved_usd", "value": {"doubleValue": record.saved_nano_usd / 1e9}}
    for key, value in (record.detail or {}).items():
        if isinstance(value, Mapping):
            for name, told in value.items():
                yield text(f"fastgw.{key}.{name}", str(told))
        else:
            yield text(f"fastgw.detail.{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value))


class OtlpTraces:
    """One collector, over one connection that is kept."""

    name = "otlp"
    durable = False
    linger_seconds = 1.0
    most_records = 1000

    def __init__(self, settings: Otlp) -> None:
        self.settings = settings
        where = urlsplit(settings.endpoint)
        self.is_tls, self.host, self.port = where.scheme == "https", where.hostname or "", where.port
        self.path = f"{where.path.rstrip('/')}/v1/traces"
        self.fields = {"content-type": "application/json", "user-agent": f"fastgw/{__version__}"}
        if settings.gzip:
            self.fields["content-encoding"] = "gzip"
        resource = {"service.name": "fastgw", "service.version": __version__, "host.name": platform.node(), **settings.resource}
        scope = {"name": "fastgw", "version": __version__}
        head = _encode({"resource": {"attributes": [text(*one) for one in resource.items()]}})
        self.before = b'{"resourceSpans":[' + head[:-1] + b',"scopeSpans":[{"scope":' + _encode(scope) + b',"spans":['
        self.after = b"]}]}]}"
        self.connection: http.client.HTTPConnection | None = None
        # of a batch that was sent in part: how many of its records were, how many of these were refused, and why the last
        self.batch: Batch | None = None
        self.sent = self.refused = 0
        self.why = ""

    def __repr__(self) -> str:
        return f"OtlpTraces({self.settings.endpoint!r})"

    def open(self) -> None:
        """A collector may start later than we do."""

    def export(self, batch: Batch) -> None:
        if batch is not self.batch:
            self.batch, self.sent, self.refused = batch, 0, 0
        for spans in self.pieces(batch.records[self.sent:]):
            try:
                self.send(self.before + b",".join(spans) + self.after)
            except ExportRefused as error:
                self.refused, self.why = self.refused + (error.records or len(spans)), str(error)
            self.sent += len(spans)
        self.batch = None
        if self.refused:
            raise ExportRefused(self.why, self.refused)

    def pieces(self, records: list[Record]) -> Iterator[list[bytes]]:
        """Spans, as many together as one request may have."""
        spans: list[bytes] = []
        size_bytes = 0
        for record in records:
            span = _encode(span_of(record))
            if spans and size_bytes + len(span) > MOST_BYTES:
                yield spans
                spans, size_bytes = [], 0
            spans.append(span)
            size_bytes += len(span)
        if spans:
            yield spans

    def send(self, body: bytes) -> None:
        """raises  ExportFailed for what may pass, ExportRefused with how many spans were refused; 0: all"""
        status, said = self.ask(gzip.compress(body, 1) if self.settings.gzip else body)
        if status in PASSING:
            raise ExportFailed(f"{self.host} answers {status}: {shown(said)}")
        if not 200 <= status < 300:
            raise ExportRefused(f"{self.host} answers {status} to {self.path}: {shown(said)}", 0)
        if rejected := rejected_of(said):
            raise ExportRefused(f"{self.host} rejects spans: {shown(said)}", rejected)

    def ask(self, body: bytes) -> tuple[int, bytes]:
        """Return the status and the beginning of the answer. raises ExportFailed"""
        fields = self.fields | {name: secret.reveal() for name, secret in self.settings.headers.items()}
        while True:
            is_kept = self.connection is not None
            try:
                connection = self.connection or self.connect()
                connection.request("POST", self.path, body, fields)
                reply = connection.getresponse()
                said = reply.read(MOST_ANSWER_BYTES)
                if not reply.isclosed():
                    self.close()        # there is more, which nobody reads
                return reply.status, said
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # a connection that was kept may have been closed meanwhile: that is no failure
                if not (is_kept and isinstance(error, ConnectionError)):
                    raise ExportFailed(f"{self.host} does not take spans: {str(error) or type(error).__name__}") from error

    def connect(self) -> http.client.HTTPConnection:
        seconds = self.settings.timeout_ms / 1000
        if self.is_tls:
            self.connection = http.client.HTTPSConnection(self.host, self.port, timeout=seconds, context=ssl.create_default_context())
        else:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def kept_marks(self) -> dict[str, Mark]:
        return {}


class PartialSuccess(msgspec.Struct, rename="camel"):
    """What a collector did not take of what it took."""

    rejected_spans: int | str = 0


class Answer(msgspec.Struct, rename="camel"):
    """A collector's, where it is JSON."""

    partial_success: PartialSuccess | None = None


def rejected_of(said: bytes) -> int:
    """How many spans were not taken; collectors may answer with nothing, or in protobuf, which a collector that takes JSON should not."""
    try:
        answer = msgspec.json.decode(said, type=Answer)
        return int(answer.partial_success.rejected_spans) if answer.partial_success is not None else 0
    except (msgspec.DecodeError, ValueError):
        return 0


def shown(said: bytes) -> str:
    """The beginning, in a line."""
    return said[:BYTES_SHOWN].decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii") or "nothing more"
