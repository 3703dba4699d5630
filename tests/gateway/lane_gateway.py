"""What the tests of the lane share: a configuration with one key and one provider, and requests told apart by their trace ids."""
from __future__ import annotations

import gc
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.fakes.raw_client import RawClient, Response, json_request, request
from tests.fakes.upstream import Received, Upstream
from tests.gateway.running import KEY, RunningGateway
from tests.patience import PATIENCE_S

CHAT = "/v1/chat/completions"
REPLY = {"id": "c", "object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
GAUGE_MARK = b"fastgw_connections{"


def config(url: str, gateway: str = "") -> str:
    """One key that leads to one provider; `gateway` are lines that go before everything else."""
    return f"""{gateway}
[integrations.fake]
provider = "openai-compatible"
base_url = "{url}/v1"
api_key = "provider-key"
models = ["m"]

[workspaces.default]
unknown_price = "allow"

[[keys]]
name = "caller"
key = "{KEY}"
integration = "fake"
"""


def auth(trace: str | None = None) -> list[tuple[str, str]]:
    """The fields of a caller with a key."""
    fields = [("authorization", f"Bearer {KEY}")]
    return [*fields, ("x-portkey-trace-id", trace)] if trace else fields


def chat(trace: str | None = None, text: str = "hi", **more: object) -> bytes:
    """A chat request with a body of known length."""
    return json_request(CHAT, {"model": "m", "messages": [{"role": "user", "content": text}], **more}, auth(trace))


def get(path: str, trace: str | None = None, fields: Iterable[tuple[str, str]] = ()) -> bytes:
    """A GET with the key."""
    return request("GET", path, b"", [*auth(trace), *fields])


def trace_of(response: Response) -> str | None:
    """Which request a reply belongs to."""
    return response.field("x-portkey-trace-id")


def code_of(response: Response) -> str:
    """The stable code of an error in the OpenAI shape, every part of which must be there."""
    body: Any = response.json()
    assert response.field("content-type") == "application/json"
    assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}, body
    assert body["error"]["message"] and body["error"]["type"]
    code: str = body["error"]["code"]
    assert response.field("x-fastgw-error") == code
    return code


def record_of(gateway: RunningGateway, response: Response) -> dict[str, Any]:
    """The one record of a reply."""
    request_id = response.field("x-fastgw-request-id")

    def found() -> list[dict[str, Any]]:
        return [row for row in gateway.records() if row["id"] == request_id]

    gateway.wait_until(found, f"a record of {request_id}")
    assert len(found()) == 1
    return found()[0]


def metric(gateway: RunningGateway, name: str) -> int:
    """The sum of a metric over its labels."""
    with RawClient(gateway.url) as client:
        lines = client.ask("GET", "/metrics").body.decode().splitlines()
    found = [float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + "{", name + " "))]
    assert found, f"no metric {name} in {lines}"
    return int(sum(found))


def pss_kib(pid: int) -> int:
    """A process's proportional share of memory."""
    gc.collect()
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def arrived(upstream: Upstream, before: int) -> Received:
    """The next request after `before` of them, as soon as its head is there."""
    deadline = time.monotonic() + PATIENCE_S
    while len(upstream.received) <= before:
        assert time.monotonic() < deadline, f"expected a request, got {upstream!r}"
        time.sleep(0.002)
    return upstream.received[before]


def assert_untouched(upstream: Upstream, before: int) -> None:
    """Nothing was asked of the provider, and it saw nothing it could not read."""
    assert len(upstream.received) == before, upstream.received[before:]
    assert not upstream.errors
