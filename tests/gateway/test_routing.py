"""Where a request goes: aliases, allow lists, named integrations, passed-through paths, and what each provider's addresses look like."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.framing import Fields
from tests.fakes.raw_client import RawClient, Response
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import CHAT, GENERATE, QUESTION, ask, bearer, code_of, integrations, key_lines, message_of
from tests.gateway.running import KEY, RunningGateway

NAMES = ("listed", "narrow", "bare")
KEYS = {name: f"fgw-routing-{name}-{'0' * 24}" for name in NAMES}
REPLY = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
CONFIG = """
[integrations.azure]
provider = "azure-openai"
base_url = "{url}"
api_key = "azure-credential-1"
models = ["deployed"]
[integrations.azure-versioned]
provider = "azure-openai"
base_url = "{url}"
api_key = "azure-credential-2"
api_version = "2024-10-21"
models = ["old/model"]
[integrations.local]
provider = "openai-compatible"
base_url = "{url}/deep/er"
models = ["llama"]
[models.fast]
targets = [{ integration = "openai", model = "gpt-4.1-mini" }]
[models."quick/gemini"]
targets = [{ integration = "gemini", model = "gemini-2.5-flash" }]
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = (
        integrations(upstream.url)
        + CONFIG.replace("{url}", upstream.url)
        + "".join(
            (
                key_lines(integration='"openai"'),
                key_lines("listed", KEYS["listed"], models='["fast", "gpt-4.1"]', integration='"openai"'),
                key_lines("narrow", KEYS["narrow"], integrations='["anthropic", "local"]'),
                key_lines("bare", KEYS["bare"]),
            )
        )
    )
    with RunningGateway(tmp_path_factory.mktemp("routing"), config) as running:
        yield running


def send(gateway: RunningGateway, method: str, target: str, body: bytes = b"", fields: Fields | None = None, key: str = KEY) -> Response:
    with RawClient(gateway.url) as client:
        return client.ask(method, target, body, [*bearer(key), *(fields or [])])


@pytest.mark.parametrize(
    ("path", "model", "target", "sent_model"),
    [
        (CHAT, "gpt-4.1", CHAT, "gpt-4.1"),
        (CHAT, "fast", CHAT, "gpt-4.1-mini"),
        (f"{CHAT}?a=1&b=%20", "fast", f"{CHAT}?a=1&b=%20", "gpt-4.1-mini"),
        (CHAT, "deployed", "/openai/v1/chat/completions", "deployed"),
        (CHAT, "old/model", "/openai/deployments/old%2Fmodel/chat/completions?api-version=2024-10-21", "old/model"),
        (f"{CHAT}?x=1", "old/model", "/openai/deployments/old%2Fmodel/chat/completions?x=1&api-version=2024-10-21", "old/model"),
        (CHAT, "llama", "/deep/er/chat/completions", "llama"),
    ],
)
def test_model_leads_to_its_provider_by_the_provider_s_address(
    gateway: RunningGateway, upstream: Upstream, path: str, model: str, target: str, sent_model: str
) -> None:
    """An alias is renamed in the body, a query is kept, and each provider's prefix stands in the place of /v1."""
    assert ask(gateway.url, path, {"model": model, "messages": QUESTION}).status == 200
    received = upstream.received[-1]
    assert (received.target, json.loads(received.body)["model"]) == (target, sent_model)


@pytest.mark.parametrize(
    ("version", "model", "action"),
    [
        ("v1beta", "gemini-2.5-flash", "generateContent"),
        ("v1", "gemini-2.5-flash", "streamGenerateContent"),
        ("v1beta", "quick%2Fgemini", "generateContent"),
        ("v1beta", "quick/gemini", "countTokens"),
    ],
)
def test_gemini_alias_is_renamed_in_the_path(gateway: RunningGateway, upstream: Upstream, version: str, model: str, action: str) -> None:
    """The model in a Gemini path is the target's upstream, under both versions, and the query stays."""
    assert ask(gateway.url, f"/{version}/models/{model}:{action}?alt=sse", {"contents": []}).status == 200
    assert upstream.received[-1].target == f"/{version}/models/gemini-2.5-flash:{action}?alt=sse"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_unknown_path_passes_with_every_method(gateway: RunningGateway, upstream: Upstream, method: str) -> None:
    """What the gateway does not know under /v1/ goes to the key's integration, method, query and body unchanged."""
    body = b"" if method in ("GET", "DELETE") else b"\x00any bytes"
    assert send(gateway, method, "/v1/threads/t_1/runs?limit=2&after=%2B", body).status == 200
    received = upstream.received[-1]
    assert (received.method, received.target, received.body) == (method, "/v1/threads/t_1/runs?limit=2&after=%2B", body)


def test_alias_beside_a_named_integration_is_its_target_there(gateway: RunningGateway, upstream: Upstream) -> None:
    """With x-fastgw-integration an alias still means the model that it leads to at that integration."""
    reply = ask(gateway.url, CHAT, {"model": "fast", "messages": QUESTION}, [*bearer(), ("x-fastgw-integration", "openai")])
    assert reply.status == 200 and json.loads(upstream.received[-1].body)["model"] == "gpt-4.1-mini"


def test_named_integration_comes_before_the_key_s(gateway: RunningGateway, upstream: Upstream) -> None:
    """x-fastgw-integration says where to, where the key may use it; it does not go upstream."""
    assert send(gateway, "GET", "/v1/anything", fields=[("x-fastgw-integration", "local")]).status == 200
    assert upstream.received[-1].target == "/deep/er/anything"
    assert upstream.received[-1].field("x-fastgw-integration") is None
    for name in ("openai", "nowhere"):
        reply = send(gateway, "GET", "/v1/anything", fields=[("x-fastgw-integration", name)], key=KEYS["narrow"])
        assert (reply.status, code_of(reply)) == (403, "integration_not_allowed")


def test_path_that_leads_nowhere_says_what_to_name(gateway: RunningGateway) -> None:
    """Without an integration of the key or of the request, a passed-through path is refused with what to do."""
    reply = send(gateway, "GET", "/v1/anything", key=KEYS["bare"])
    assert (reply.status, code_of(reply)) == (404, "integration_missing") and "x-fastgw-integration" in message_of(reply)


@pytest.mark.parametrize(
    ("key", "model", "status", "code"),
    [
        ("listed", "gpt-4.1-mini", 403, "model_not_allowed"),
        ("listed", "fast", 200, ""),
        ("narrow", "gpt-4.1", 403, "integration_not_allowed"),
        ("narrow", "llama", 200, ""),
    ],
)
def test_allow_lists_hold(gateway: RunningGateway, key: str, model: str, status: int, code: str) -> None:
    """A key uses the models and integrations that it lists, and an alias does not open what it leads to."""
    reply = ask(gateway.url, CHAT, {"model": model, "messages": QUESTION}, bearer(KEYS[key]))
    assert reply.status == status
    assert status == 200 or code_of(reply) == code


@pytest.mark.parametrize(
    "path",
    [
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/Chat/Completions",
        "/v1/chat%2Fcompletions",
        "/v1/chat/%63ompletions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/x/%2e%2e/chat/completions",
        "/v1/chat/completions;a=b",
        "/v1/chat\\completions",
        "/v1/responses/",
        "/v1/messages/",
        "/v1/IMAGES/generations",
        "/v1/audio%2Fspeech",
        "/v1/chat/completions%2f",
        "/v1/%2563hat/completions",
        "/v1beta/models/gemini-2.5-pro%3AgenerateContent",
        "/v1beta/models/gemini-2.5-pro:GenerateContent",
        "/v1beta//models/x:generateContent",
        "/v1beta/tunedModels/x:generateContent",
        "/v1/models/../chat/completions",
        "/upload/v1beta/../../v1/chat/completions",
    ],
)
def test_disguised_path_does_not_pass_by_the_limits(gateway: RunningGateway, upstream: Upstream, path: str) -> None:
    """A path that a provider may read as one that is priced and limited is refused, not passed through."""
    before = len(upstream.received)
    for fields in ([], [("x-fastgw-integration", "gemini")]):
        reply = send(
            gateway, "POST", path, json.dumps({"model": "o3"}).encode(), [("content-type", "application/json"), *fields], KEYS["listed"]
        )
        assert (reply.status, code_of(reply)) == (404, "unknown_path")
    assert len(upstream.received) == before


def form(*parts: tuple[str, bytes]) -> bytes:
    pieces = [b"--edge\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (head.encode(), content) for head, content in parts]
    return b"".join([*pieces, b"--edge--\r\n"])


FILE = ('name="file"; filename="a.wav"', b'Content-Disposition: form-data; name="model"\r\n\r\ngpt-4.1\r\n')
FORM_TYPE: Fields = [("content-type", "multipart/form-data; boundary=edge")]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (form(FILE, ('name="model"', b"gpt-4.1")), 200, ""),
        (form(('name="model"', b"gpt-4.1"), FILE), 200, ""),
        (form(("name=model", b"fast"), FILE), 200, ""),
        (form(FILE, ('name="model"', b"o3")), 403, "model_not_allowed"),
        (form(('name="model"', b"gpt-4.1"), ('name="model"', b"o3")), 400, "invalid_request"),
        (form(FILE), 403, "model_not_allowed"),
        (form(("name=model", b"o3")), 403, "model_not_allowed"),
        (form(('name="Model"', b"o3"), ('name="model"', b"fast")), 400, "invalid_request"),
        (form(("name*=utf-8''model", b"o3"), ('name="model"', b"fast")), 400, "invalid_request"),
        (form(('name="model"; filename="name=model"; name="x"', b"o3")), 400, "invalid_request"),
        (b"no form at all", 400, "invalid_request"),
        (b"--edge\r\n", 400, "invalid_request"),
        (form(('name="model"', b"")), 400, "invalid_request"),
        (b"--edge\r\nx: y\r\n\r\no3\r\n--edge--\r\n", 400, "invalid_request"),
    ],
)
def test_model_of_a_form_is_the_one_that_the_provider_reads(
    gateway: RunningGateway, upstream: Upstream, body: bytes, status: int, code: str
) -> None:
    """A form's model is held to the allow list, and what servers may read in two ways is refused."""
    before = len(upstream.received)
    reply = send(gateway, "POST", "/v1/audio/transcriptions", body, FORM_TYPE, KEYS["listed"])
    assert reply.status == status, reply.body
    assert (len(upstream.received) == before + 1) if status == 200 else code_of(reply) == code
    if status == 200:
        assert upstream.received[-1].body == body.replace(b"fast", b"gpt-4.1-mini")


@pytest.mark.parametrize(
    ("path", "fields", "names"),
    [
        ("/v1/models", [], lambda body: [row["id"] for row in body["data"]]),
        ("/v1/models", [("anthropic-version", "2023-06-01")], lambda body: [row["id"] for row in body["data"]]),
        ("/v1beta/models", [], lambda body: [row["name"].removeprefix("models/") for row in body["models"]]),
    ],
)
def test_listing_has_what_the_key_may_use(gateway: RunningGateway, path: str, fields: Fields, names: object) -> None:
    """The models of each dialect's listing are those that the key's lists allow, and one of them can be asked for."""
    assert callable(names)
    assert names(send(gateway, "GET", path, fields=fields, key=KEYS["listed"]).json()) == ["fast", "gpt-4.1"]
    assert "llama" in names(send(gateway, "GET", path, fields=fields, key=KEYS["narrow"]).json())
    assert "gpt-4.1" not in names(send(gateway, "GET", path, fields=fields, key=KEYS["narrow"]).json())
    assert send(gateway, "GET", f"{path}/fast", fields=fields, key=KEYS["listed"]).status == 200
    reply = send(gateway, "GET", f"{path}/llama", fields=fields, key=KEYS["listed"])
    assert (reply.status, code_of(reply)) == (404, "model_not_found")


def test_model_of_a_provider_without_the_operation_says_so(gateway: RunningGateway) -> None:
    """An alias that leads to a provider which has nothing like what is asked is refused with both named."""
    reply = ask(gateway.url, GENERATE.replace("gemini-2.5-flash:generateContent", "fast:countTokens"), {"contents": []})
    assert (reply.status, code_of(reply)) == (404, "model_not_found")
    assert "openai" in message_of(reply) and "countTokens" in message_of(reply)
