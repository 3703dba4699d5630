"""POST /integrations/{integration}/test: what is asked of a provider, and what is told of its answer."""

import socket
from typing import Any

import pytest

from fastgw.control.api import asking
from fastgw.snapshot.load import parse
from tests.control.callers import error_of, member
from tests.control.plane import Control, Json
from tests.fakes.upstream import Script, Upstream, bytes_reply, close, hang, json_reply

KEY = "sk-proj-0123456789abcdefwxyz"


def made(control: Control, url: str, **members: object) -> None:
    control.ask("POST", "/integrations", {"slug": "one", "provider": "openai", "api_key": KEY, "base_url": url, **members}, 201)


def tried(control: Control, body: Json | None = None) -> Json:
    answer = control.ask("POST", "/integrations/one/test", body)
    assert isinstance(answer, dict) and 0 <= answer["latency_ms"] < 11_000
    return answer


def test_the_list_of_models_is_asked_for(control: Control) -> None:
    """A provider that lists its models is asked for them, with the integration's credential and fields."""
    with Upstream(json_reply({"data": [{"id": "a"}, {"id": "b"}]})) as upstream:
        made(control, f"{upstream.url}/own", headers={"x-org": "mine"})
        assert tried(control) | {"latency_ms": 0} == {"ok": True, "status": 200, "latency_ms": 0, "message": "the provider lists 2 models"}
        received = upstream.wait(1)[0]
    assert received.target == "/own/models" and received.field("authorization") == f"Bearer {KEY}" and received.field("x-org") == "mine"


@pytest.mark.parametrize(("provider", "path", "field", "value"), [
    ("anthropic", "/v1/models", "x-api-key", KEY),
    ("gemini", "/v1beta/models", "x-goog-api-key", KEY),
    ("cohere", "/v1/models", "authorization", f"Bearer {KEY}"),
    ("deepseek", "/models", "authorization", f"Bearer {KEY}"),
])  # fmt: skip
def test_each_provider_is_asked_its_own_way(control: Control, provider: str, path: str, field: str, value: str) -> None:
    """Path, credential and further fields are those of the provider's row."""
    with Upstream(json_reply({"models": [{}]})) as upstream:
        made(control, upstream.url, provider=provider)
        assert tried(control)["message"] == "the provider lists 1 models"
        received = upstream.wait(1)[0]
    assert received.target == path and received.field(field) == value
    assert provider != "anthropic" or received.field("anthropic-version")


def test_a_model_is_asked_for_one_token(control: Control) -> None:
    """Where a model is named, or nothing lists models, the provider's own dialect is spoken."""
    with Upstream(json_reply({"choices": []})) as upstream:
        made(control, upstream.url)
        assert tried(control, {"model": "gpt-4.1"})["message"] == "the model answers"
        received = upstream.wait(1)[0]
    assert received.path == "/v1/chat/completions" and b'"gpt-4.1"' in received.body and b":1" in received.body


def test_requests_to_a_cloud_are_signed(control: Control) -> None:
    """A provider that takes signatures gets one, and a model has to be named as it lists none."""
    with Upstream(json_reply({"output": {}})) as upstream:
        aws = {"region": "us-east-1", "access_key_id": "AKIA1", "secret_access_key": "s" * 40}
        made(control, upstream.url, provider="bedrock", api_key=None, aws=aws)
        assert error_of(control, "POST", "/integrations/one/test", None)["path"] == "$.model"
        assert tried(control, {"model": "amazon.nova-micro-v1:0"})["ok"]
        received = upstream.wait(1)[0]
    assert received.target.endswith("/converse") and str(received.field("authorization")).startswith("AWS4-HMAC-SHA256 Credential=AKIA1/")


@pytest.mark.parametrize(("script", "status", "message"), [
    (json_reply({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401), 401, "the provider refuses the credential"),
    (json_reply({"error": {"message": f"no quota for {KEY} today"}}, 429), 429, "no quota for ... today"),
    (bytes_reply(b"", 302, [("location", "http://127.0.0.1:1/")]), 302, "302"),
    (bytes_reply(b"<html>"), 200, "the provider answers"),
    ([close()], None, "no answer that is HTTP"),
])  # fmt: skip
def test_what_goes_wrong_is_told_without_the_credential(control: Control, script: Script, status: int | None, message: str) -> None:
    """Refusals, redirects and broken connections are answers like any other, and no redirect is followed."""
    with Upstream(script) as upstream:
        made(control, upstream.url)
        answer = tried(control)
        assert len(upstream.wait(1)) == 1
    assert answer["status"] == status and message in answer["message"] and answer["ok"] is (status == 200) and KEY not in repr(answer)


def test_a_provider_that_never_answers_is_given_up(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial ends in bounded time."""
    monkeypatch.setattr(asking, "TIMEOUT_S", 0.3)
    with Upstream(hang()) as upstream:
        made(control, upstream.url)
        assert tried(control) | {"latency_ms": 0} == {"ok": False, "status": None, "latency_ms": 0, "message": "no answer within 0 s"}


def test_nobody_there_is_told(control: Control) -> None:
    """A port that nobody listens at is named by the system's words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        made(control, f"http://127.0.0.1:{taken.getsockname()[1]}")
        answer = tried(control)
    assert answer["status"] is None and not answer["ok"] and answer["message"]


def test_a_name_of_a_workspace_that_leads_inside_is_not_connected_to(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a workspace's host resolves to is checked before anything is sent, and connected to as it was checked."""
    admin = member(control, {"default": "admin"})
    found: list[Any] = []

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        return found

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", getaddrinfo)
    with Upstream(json_reply({"data": []})) as upstream:
        port = upstream.url.rpartition(":")[2]
        made(admin, f"http://rebound.example:{port}", workspace="default")
        found[:] = [(2, 1, 6, "", ("93.184.216.34", int(port))), (2, 1, 6, "", ("127.0.0.1", int(port)))]
        assert tried(admin)["message"] == "expected a public address, got a loopback one"
        control.plane.file = parse('[gateway.inline_hosts]\nallow = ["127.0.0.0/8"]', {}).config
        found[:] = found[1:]
        assert tried(admin)["ok"] and upstream.wait(1)[0].field("host") == f"rebound.example:{port}"


def test_an_integration_of_the_file_is_tried_too(control: Control) -> None:
    """By those who may change integrations of the organisation."""
    with Upstream(json_reply({"data": []})) as upstream:
        control.plane.file = parse(f'[integrations.filed]\nprovider = "openai"\nbase_url = "{upstream.url}"\napi_key = "{KEY}"', {}).config
        assert control.ask("POST", "/integrations/filed/test")["ok"]
    error_of(member(control, {"default": "admin"}), "POST", "/integrations/filed/test", {}, 403)
