"""Callers who speak their provider's dialect reach it at its own paths: Anthropic's files, Google's models on Vertex AI."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.script import json_reply
from tests.fakes.upstream import Upstream
from tests.gateway.limited import ask, bearer, key_lines
from tests.gateway.running import RunningGateway

USER = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
MODEL = "/publishers/google/models/gemini-2.5-flash"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply({"ok": True})) as running:
        running.play(json_reply({"access_token": "ya29.token", "expires_in": 3600}), "/token")
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    directory = tmp_path_factory.mktemp("own")
    (directory / "google.json").write_text(json.dumps(USER))
    config = f"""
[integrations.openai]
provider = "openai"
base_url = "{upstream.url}"
api_key = "sk-openai-0123"
[integrations.claude]
provider = "anthropic"
base_url = "{upstream.url}"
api_key = "sk-ant-0123456789"
[integrations.vertex]
provider = "vertex-ai"
base_url = "{upstream.url}"
google = {{ project = "p", region = "us-east5" }}
token_url = "{upstream.url}/token"
{key_lines()}"""
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(directory / "google.json")}
    with RunningGateway(directory, config, environ=environ) as running:
        yield running
        assert "Traceback" not in running.log()


@pytest.mark.parametrize(("fields", "path", "key"), [
    ([("anthropic-version", "2023-06-01")], "/v1/files", "x-api-key"),
    ([], "/v1/files", "authorization"),
])
def test_files_go_to_who_speaks_the_callers_dialect(
        gateway: RunningGateway, upstream: Upstream, fields: list[tuple[str, str]], path: str, key: str) -> None:
    """Both makers have files at one path: the field that Anthropic's clients send tells whose are meant."""
    reply = ask(gateway.url, path, {"any": "thing"}, [*bearer(), *fields])
    assert reply.status == 200, reply.body
    assert upstream.received[-1].target == path and upstream.received[-1].field(key)


@pytest.mark.parametrize(("query", "sent"), [
    ("?alt=sse", "?alt=sse"), ("", ""), ("?%24alt=json%3Benum-encoding%3Dint", "?%24alt=json%3Benum-encoding%3Dint"),
])
def test_stream_at_vertex_is_the_kind_that_was_asked_for(gateway: RunningGateway, upstream: Upstream, query: str, sent: str) -> None:
    """Whether a stream comes as events or as one array is the caller's to say, and is said once."""
    ask(gateway.url, f"/v1beta/models/gemini-2.5-flash:streamGenerateContent{query}", {"contents": []},
        [*bearer(), ("x-fastgw-integration", "vertex")])
    target = f"/v1/projects/p/locations/us-east5{MODEL}:streamGenerateContent{sent}"
    assert (upstream.received[-1].target, upstream.received[-1].field("authorization")) == (target, "Bearer ya29.token")


def test_body_that_streams_through_is_signed_by_a_token(gateway: RunningGateway, upstream: Upstream) -> None:
    """A token signs what the gateway does not read, too."""
    reply = ask(gateway.url, "/v1beta/cachedContents", {"model": "m"}, [*bearer(), ("x-fastgw-integration", "vertex")])
    assert reply.status == 200, reply.body
    assert upstream.received[-1].field("authorization") == "Bearer ya29.token" and upstream.received[-1].body == b'{"model": "m"}'
