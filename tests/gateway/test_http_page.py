"""docs/http.md is true: what it lists is served as it says, and fields pass or end as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgw.surfaces.dispatch import asked_of
from tests.fakes.raw_client import RawClient, Response
from tests.fakes.script import bytes_reply
from tests.fakes.upstream import Upstream
from tests.gateway.running import KEY, ROOT, RunningGateway

PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
CONFIG = """
[integrations.openai]
provider = "openai-compatible"
base_url = "{url}/v1"
api_key = "sk-provider"

[integrations.claude]
provider = "anthropic"
base_url = "{url}/v1"
api_key = "sk-provider"

[integrations.google]
provider = "gemini"
base_url = "{url}"
api_key = "sk-provider"

[integrations.cohere]
provider = "cohere"
base_url = "{url}"
api_key = "sk-provider"

[integrations.ollama]
provider = "ollama"
base_url = "{url}/v1"

[integrations.bedrock]
provider = "bedrock"
base_url = "{url}"
aws = {{ region = "us-east-1", access_key_id = "AKIDEXAMPLE", secret_access_key = "wJalrXUtnFEMI/K7MDENG" }}

[models."some/model"]
targets = [
    {{ integration = "openai", model = "real" }}, {{ integration = "cohere", model = "real" }},
    {{ integration = "ollama", model = "real" }}, {{ integration = "bedrock", model = "real" }},
]

[configs.sent-1]    # what is sent as x-portkey-config, as of every field
virtual_key = "openai"

[[keys]]
name = "app-1"
key = "{key}"
integration = "openai"
"""
REPLY = b'{"id": "r", "object": "whatever"}'
METHODS = {"GET": 1, "POST": 3}


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


PATHS = rows_under("Paths")
FIELDS = {re.search(r"`([^`]+)`", row[0])[1]: (row[1], row[2]) for row in rows_under("Fields")}  # type: ignore[index]
DIALECT_KEYS = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(bytes_reply(REPLY, fields=[("content-type", "application/json")])) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path_factory.mktemp("gateway"), CONFIG.format(url=upstream.url, key=KEY)) as running:
        yield running


def ask(gateway: RunningGateway, cell: str, operation: str, dialect: str, body_kind: str) -> Response:
    """Send what a row of the table names."""
    words = re.search(r"`(\w+) ([^`]+)`", cell)
    assert words
    path = (
        words[2].replace("MODEL", "gemini-2.5-flash" if dialect == "gemini" else "some%2Fmodel").replace("ID", "abc-1")
    )
    model = "claude-sonnet-4-5" if dialect == "anthropic" else "some/model"
    body, kind = b"", "application/json"
    if words[1] == "POST":
        body = b'{"model": "%b", "max_tokens": 5, "messages": []}' % model.encode()
    if "multipart" in cell:
        body, kind = (
            b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nsome/model\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        )
    fields = [("content-type", kind)] if body else []
    fields.append((DIALECT_KEYS[dialect], f"Bearer {KEY}" if dialect == "openai" else KEY))
    if dialect == "anthropic":
        fields.append(("anthropic-version", "2023-06-01"))
    name = operation.partition("_")[0]
    if name in ("cohere", "ollama", "bedrock"):
        fields.append(("x-fastgw-integration", name))
    if body_kind == "streamed":
        fields.append(
            ("x-fastgw-integration", {"openai": "openai", "anthropic": "claude", "gemini": "google"}[dialect])
        )
    with RawClient(gateway.url) as client:
        return client.ask(words[1], path, body, fields)


@pytest.mark.parametrize("row", PATHS, ids=lambda row: row[0])
def test_every_path_is_served_as_the_page_says(gateway: RunningGateway, upstream: Upstream, row: list[str]) -> None:
    """Each row reaches the provider, or is answered by the gateway where it says none, and is recorded as that
    operation and dialect.
    """
    cell, operation, dialect, body_kind = row
    before = len(upstream.received)
    response = ask(gateway, cell, operation, dialect, body_kind)
    assert response.status == 200, response.body
    assert (len(upstream.received) == before) == (body_kind == "none")
    assert body_kind == "none" or response.body == REPLY
    name = response.field("x-fastgw-request-id")
    gateway.wait_until(lambda: any(record["id"] == name for record in gateway.records()), "its record")
    record = next(record for record in gateway.records() if record["id"] == name)
    assert (record["operation"], record["dialect"]) == (operation, dialect)


def test_the_page_names_every_operation() -> None:
    """No operation that the gateway knows is missing from the page."""
    from fastgw.record.names import OPERATIONS

    assert {row[1] for row in PATHS} == set(OPERATIONS) - {"unknown"}
    for cell, operation, *_ in PATHS:
        words = re.search(r"`(\w+) ([^`]+)`", cell)
        assert words
        is_json, is_anthropic = "multipart" not in cell, "anthropic-version" in cell
        assert asked_of(words[2].encode(), METHODS[words[1]], is_json, is_anthropic)[0] == operation


@pytest.mark.parametrize("name", FIELDS)
def test_fields_pass_as_the_page_says(gateway: RunningGateway, upstream: Upstream, name: str) -> None:
    """A field that passes arrives as it was, one that is dropped does not, and one that is replaced has the
    integration's value.
    """
    up, down = FIELDS[name]
    value = (
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        if name == "traceparent"
        else "trailers"
        if name == "te"
        else "sent-1"
    )
    body = b'{"model": "some/model", "messages": []}'
    upstream.play(bytes_reply(REPLY, fields=[("content-type", "application/json"), (name, value)]))
    before = len(upstream.received)
    fields = [("content-type", "application/json"), (name, value)]
    if name == "x-fastgw-integration":
        fields = [("content-type", "application/json"), (name, "openai")]
    with RawClient(gateway.url) as client:
        key = (
            "x-goog-api-key" if name == "authorization" else "authorization",
            KEY if name == "authorization" else f"Bearer {KEY}",
        )
        response = client.ask("POST", "/v1/chat/completions", body, [*fields, key])
    upstream.play(bytes_reply(REPLY, fields=[("content-type", "application/json")]))
    assert response.status == 200, response.body
    received = upstream.wait(before + 1)[before]
    arrived = [found for field, found in received.fields if field.lower() == name]
    came_back = [found for field, found in response.fields if field.lower() == name]
    if up == "passes":
        assert arrived == [value]
    elif name == "authorization":
        assert arrived == ["Bearer sk-provider"]
    else:
        assert arrived == []
    assert came_back == ([value] if down == "passes" else [])


def test_what_is_not_served_says_so(gateway: RunningGateway) -> None:
    """A WebSocket, a compressed body and a path of no surface are refused with the codes of the page."""
    key = ("authorization", f"Bearer {KEY}")
    cases: tuple[tuple[str, str, bytes, list[tuple[str, str]], str], ...] = (
        ("GET", "/v1/realtime", b"", [("connection", "upgrade"), ("upgrade", "websocket")], "upgrade_not_supported"),
        ("POST", "/v1/chat/completions", b"\x1f\x8b", [("content-encoding", "gzip")], "unsupported_encoding"),
        ("POST", "/v3/chat", b"{}", [], "unknown_path"),
        ("GET", "/v1/chat/completions", b"", [], "method_not_allowed"),
    )
    for method, path, body, fields, code in cases:
        with RawClient(gateway.url) as client:
            assert client.ask(method, path, body, [key, *fields]).field("x-fastgw-error") == code
    for code in re.findall(r"`([a-z]+_[a-z_]+)`", PAGE.split("## Not served yet")[1]):
        assert code in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert Path(ROOT / "docs" / "errors.md").exists()
