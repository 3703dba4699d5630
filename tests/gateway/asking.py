"""Ask a running gateway in three dialects, and read what its record says of each request."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastgw._core.ledger import AccountView, Ledger
from tests.fakes.framing import BodyReader, Fields, split_head
from tests.fakes.raw_client import RawClient, Response, request
from tests.gateway.running import KEY, RunningGateway

TIMES = {"connect_ms": 700, "first_byte_ms": 700, "idle_ms": 700, "total_ms": 10_000}
LONG_TIMES = {"connect_ms": 5000, "first_byte_ms": 30_000, "idle_ms": 30_000, "total_ms": 60_000}
PRICE = "price = { input = 1, output = 2 }"
QUESTION = "Which city is the capital of France?"
_traces = itertools.count(1)


@dataclass(frozen=True)
class Dialect:
    """How one dialect asks, and where an error's code stands in its bodies."""

    name: str
    provider: str
    path: str
    stream_path: str
    auth: str

    def body(self, model: str, stream: bool, **more: object) -> dict[str, object]:
        """The JSON of a question."""
        if self.name == "gemini":
            return {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}], **more}
        limit = {"max_tokens": 100} if self.name == "anthropic" else {}
        asked = {"model": model, "messages": [{"role": "user", "content": QUESTION}], **limit, **more}
        return {**asked, "stream": True} if stream else asked

    def target(self, model: str, stream: bool) -> str:
        return (self.stream_path if stream else self.path).replace("MODEL", model)

    def code(self, body: Any) -> str:
        """The stable code of an error in this dialect; fails the test where the shape is another."""
        problem = body["error"]
        if self.name == "gemini":
            assert set(problem) == {"code", "message", "status", "details"} and body.keys() == {"error"}, body
            return str(problem["details"][0]["reason"])
        if self.name == "anthropic":
            assert body["type"] == "error" and body["request_id"] and problem["type"] and problem["message"], body
        else:
            assert set(problem) == {"message", "type", "param", "code"}, body
        return str(problem["code"])


OPENAI = Dialect("openai", "openai-compatible", "/v1/chat/completions", "/v1/chat/completions", "authorization")
ANTHROPIC = Dialect("anthropic", "anthropic", "/v1/messages", "/v1/messages", "x-api-key")
GEMINI = Dialect(
    "gemini",
    "gemini",
    "/v1beta/models/MODEL:generateContent",
    "/v1beta/models/MODEL:streamGenerateContent?alt=sse",
    "x-goog-api-key",
)
DIALECTS = (OPENAI, ANTHROPIC, GEMINI)


def key_field(dialect: Dialect = OPENAI) -> tuple[str, str]:
    """The field that carries the caller's key."""
    return dialect.auth, f"Bearer {KEY}" if dialect.auth == "authorization" else KEY


def integration(
    name: str, url: str, provider: str = "openai-compatible", times: Mapping[str, int] = TIMES, **settings: object
) -> str:
    """One [integrations.*] table, and an alias of the same name that leads there."""
    lines = [f"[integrations.{name}]", f'provider = "{provider}"', f'base_url = "{url}"', 'api_key = "sk-up"']
    lines += [f"{field} = {json.dumps(value)}" for field, value in settings.items()]
    lines.append("timeouts = { " + ", ".join(f"{field} = {value}" for field, value in times.items()) + " }")
    return "\n".join([*lines, *alias(name, "single", name)]) + "\n"


ONCE = "retry = { attempts = 0 }\nbreaker = { failures = 0, failure_percent = 0 }"


def alias(name: str, strategy: str, *targets: str) -> list[str]:
    """One [models.*] table; each target is asked once, and none is left alone for what it did before."""
    rows = ", ".join(f'{{ integration = "{target}", model = "m-{target}" }}' for target in targets)
    return [f"[models.{name}]", f'strategy = "{strategy}"', f"targets = [{rows}]", ONCE, PRICE]


def configuration(*tables: str, gateway: str = "") -> str:
    """A whole file with one key."""
    return "\n".join([f"[gateway]\n{gateway}", *tables, f'[[keys]]\nname = "test"\nkey = "{KEY}"\n'])


@dataclass
class Asked:
    """One request through the gateway: its trace names its record."""

    client: RawClient
    trace: str
    dialect: Dialect = OPENAI

    def reply(self, method: str = "POST") -> Response:
        return self.client.read_response(method)

    def broken_reply(self, read: bytes = b"") -> bytes:
        """The body of a reply that the gateway cut off, after what was read; fails the test where it looks whole."""
        raw = read + self.client.read_until_close()
        split = split_head(raw)
        assert split is not None, raw
        reader = BodyReader(split[1], is_request=False)
        reader.feed(raw[split[2] :])
        assert reader.is_chunked and not reader.done and not reader.rest, raw
        return bytes(reader.body)


class Asker:
    """Sends requests to a gateway and finds their records; every request is counted."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self.traces: list[str] = []
        self.expected: dict[str, dict[str, object]] = {}

    def connect(self, **options: Any) -> RawClient:
        return RawClient(self.gateway.url, **options)

    def fields(self, dialect: Dialect = OPENAI) -> tuple[str, Fields]:
        """A trace of its own, and the fields of a request with it."""
        trace = f"trace-{next(_traces)}"
        self.traces.append(trace)
        return trace, [key_field(dialect), ("x-portkey-trace-id", trace)]

    def send(
        self, client: RawClient, model: str, dialect: Dialect = OPENAI, *, stream: bool = False, **more: object
    ) -> Asked:
        """Send a question."""
        trace, fields = self.fields(dialect)
        body = json.dumps(dialect.body(model, stream, **more)).encode()
        client.send(
            request("POST", dialect.target(model, stream), body, [("content-type", "application/json"), *fields])
        )
        return Asked(client, trace, dialect)

    def ask(self, model: str, dialect: Dialect = OPENAI, **more: Any) -> tuple[Response, dict[str, Any]]:
        """Ask on a connection of its own: the reply and its record."""
        with self.connect() as client:
            asked = self.send(client, model, dialect, **more)
            response = asked.reply()
        return response, self.record(asked.trace)

    def refused(self, model: str, dialect: Dialect, status: int, code: str, **expected: object) -> Response:
        """Ask, expect this error in the caller's dialect, and expect the same of the record."""
        with self.connect() as client:
            asked = self.send(client, model, dialect)
            response = asked.reply()
        assert (response.status, dialect.code(response.json())) == (status, code), response
        assert response.field("content-type") == "application/json" and response.field("x-fastgw-error") == code
        self.expect(asked.trace, status=status, error=code, outcome="failed", **expected)
        return response

    def expect(self, trace: str, **expected: object) -> None:
        """Have check_records compare these fields of a record; waiting for the drain once is enough."""
        self.expected[trace] = expected

    def record(self, trace: str) -> dict[str, Any]:
        """The one record of a request."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [row for row in self.gateway.records() if row["trace_id"] == trace]
            return bool(found)

        self.gateway.wait_until(is_there, f"a record of {trace}")
        assert len(found) == 1, found
        return found[0]

    def check_records(self) -> None:
        """Every request left exactly one record, which says what was expected of it."""
        self.gateway.wait_until(lambda: len(self.gateway.records()) >= len(self.traces), "a record of each request")
        seen = [row["trace_id"] for row in self.gateway.records() if row["trace_id"] in set(self.traces)]
        assert sorted(seen) == sorted(self.traces)
        records = {row["trace_id"]: row for row in self.gateway.records()}
        for trace, expected in self.expected.items():
            assert {name: records[trace][name] for name in expected} == expected, records[trace]

    def pss_kib(self) -> int:
        """The proportional memory of the workers."""
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.gateway.worker_pids()]
        return sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith("Pss:"))


def account(state: Path, name: str, workers: int = 2) -> AccountView:
    """What the ledger of a gateway says of "key:NAME" or "workspace:NAME"."""
    ledger = Ledger(state / "ledger", workers=workers)
    digest = sha256(name.encode()).digest()[:16]
    return ledger.read(next(index for index, half in ledger.accounts() if half == digest))
