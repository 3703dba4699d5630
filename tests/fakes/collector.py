"""A collector of OpenTelemetry: keeps the spans that it is sent, and answers as it is told."""
import base64
import gzip
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(ThreadingHTTPServer):
    """Keeps what it is sent, and answers as it was told; 200 in the end."""

    daemon_threads = True

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.answers = list(answers)
        self.heads: list[tuple[str, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.closes = False
        self.thread = Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    def __exit__(self, *failure: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Span]:
        """All that was sent, as protobuf reads it: an unknown field or a wrong kind is an error."""
        requests = [request_of(body) for body in self.bodies]
        return [span for one in requests for resource in one.resource_spans for scope in resource.scope_spans for span in scope.spans]


def request_of(body: bytes) -> ExportTraceServiceRequest:
    """OTLP writes ids in hexadecimal digits; in all else its JSON is that of protobuf, which reads it."""
    document = json.loads(body)
    for span in (span for resource in document["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]):
        for name in ("traceId", "spanId"):
            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    request = ExportTraceServiceRequest()
    ParseDict(document, request)
    return request


class Door(BaseHTTPRequestHandler):
    """One connection of it."""

    protocol_version = "HTTP/1.1"
    server: Collector

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.close_connection = self.server.closes
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heads.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.server.bodies.append(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
        status, said = self.server.answers.pop(0) if self.server.answers else (200, b"{}")
        self.send_response(status)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """It says nothing."""
