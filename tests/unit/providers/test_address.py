"""Promises of addresses: they resolve as the table says, and no setting and no model leads a request elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.providers.address import fill_model, path_of, template_of, upstream_of
from fastgw.providers.row import row_for
from fastgw.providers.table import PROVIDERS

GOOGLE = {"project": "p1", "region": "europe-west4"}


@pytest.mark.parametrize(
    ("provider", "base_url", "api_version", "expected"),
    [
        ("openai", "", "", ("https", "api.openai.com", 443, "/v1", "")),
        ("openai", "http://127.0.0.1:9001", "", ("http", "127.0.0.1", 9001, "/v1", "")),
        ("openai", "http://127.0.0.1:9001/", "", ("http", "127.0.0.1", 9001, "/v1", "")),
        ("openai", "http://127.0.0.1:9001/v1/", "", ("http", "127.0.0.1", 9001, "/v1", "")),
        ("openai-compatible", "https://api.example/open/v2", "", ("https", "api.example", 443, "/open/v2", "")),
        ("anthropic", "", "", ("https", "api.anthropic.com", 443, "/v1", "")),
        ("gemini", "", "", ("https", "generativelanguage.googleapis.com", 443, "", "")),
        ("gemini", "http://[::1]:80", "", ("http", "::1", 80, "", "")),
        ("groq", "", "", ("https", "api.groq.com", 443, "/openai/v1", "")),
        ("groq", "http://127.0.0.1:9001", "", ("http", "127.0.0.1", 9001, "/openai/v1", "")),
        ("azure-openai", "https://x.openai.azure.com", "", ("https", "x.openai.azure.com", 443, "/openai/v1", "")),
        (
            "azure-openai", "https://x.openai.azure.com", "2024-10-21",
            ("https", "x.openai.azure.com", 443, "/openai/deployments/{model}", "api-version=2024-10-21"),
        ),
        ("openai", "", "2024-10-21", ("https", "api.openai.com", 443, "/v1", "")),
    ],
)  # fmt: skip
def test_address_without_a_path_gets_the_providers_prefix(
    provider: str, base_url: str, api_version: str, expected: tuple[str, str, int, str, str]
) -> None:
    """A path of the address is kept, and the provider's own is put where there is none."""
    found = upstream_of(PROVIDERS[provider], base_url, api_version)
    assert (found.scheme, found.host, found.port, found.prefix, found.query) == expected


@pytest.mark.parametrize(
    "base_url",
    [
        "127.0.0.1:9001", "ftp://host", "http://", "http:///v1", "http://host?x=1", "http://host#x", "http://host?",
        "http://user:password@host", "http://host:99999", "http://host:port", "http://ho st", "http://host/\r\nx: y",
        "http://[::1", "http://h\u00f6st", "http://host:0",
    ],
)  # fmt: skip
def test_address_of_another_form_is_refused(base_url: str) -> None:
    """What is not http(s)://host[:port][/path] is no address."""
    with pytest.raises(ValueError):
        upstream_of(PROVIDERS["openai"], base_url)


def test_address_must_be_known() -> None:
    """A provider without an address of its own, or without what goes into it, needs one."""
    for name in ("azure-openai", "openai-compatible", "bedrock", "workers-ai"):
        with pytest.raises(ValueError):
            upstream_of(PROVIDERS[name])


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_region_says_the_host(region: str, host: str) -> None:
    """Vertex AI has a host for each region, and others for the global and the multi-regional endpoints."""
    found = upstream_of(PROVIDERS["vertex-ai"], settings={"project": "p1", "region": region})
    assert (found.host, found.prefix) == (host, f"/v1/projects/p1/locations/{region}")


@pytest.mark.parametrize(
    ("name", "settings", "model", "operation", "stream", "expected"),
    [
        ("openai", {}, "gpt-5", "chat", True, "/v1/chat/completions"),
        ("anthropic", {}, "claude", "messages", False, "/v1/messages"),
        ("gemini", {}, "gemini-3", "generate", False, "/v1beta/models/gemini-3:generateContent"),
        ("gemini", {}, "gemini-3", "generate", True, "/v1beta/models/gemini-3:streamGenerateContent?alt=sse"),
        ("deepseek", {}, "m", "chat", False, "/chat/completions"),
        ("deepseek", {}, "m", "messages", False, "/anthropic/v1/messages"),
        ("moonshot", {}, "m", "messages", False, "/anthropic/v1/messages"),
        ("moonshot", {}, "m", "chat", False, "/v1/chat/completions"),
        ("perplexity-ai", {}, "sonar", "chat", False, "/chat/completions"),
        ("cohere", {}, "m", "cohere_chat", True, "/v2/chat"),
        ("bedrock", {}, "eu.amazon.nova-lite-v1:0", "converse", False, "/model/eu.amazon.nova-lite-v1%3A0/converse"),
        ("bedrock", {}, "arn:aws:bedrock:x:1:p/i", "converse", True, "/model/arn%3Aaws%3Abedrock%3Ax%3A1%3Ap%2Fi/converse-stream"),
        ("bedrock", {}, "openai.gpt-oss-20b-1:0", "responses", True, "/openai/v1/responses"),
        ("bedrock-mantle", {}, "anthropic.claude-opus-4-8", "messages", True, "/anthropic/v1/messages"),
        ("bedrock-mantle", {}, "openai.gpt-5.5", "responses", True, "/openai/v1/responses"),
        ("bedrock-mantle", {}, "openai.gpt-oss-120b", "responses", True, "/v1/responses"),
        ("vertex-ai", GOOGLE, "gemini-3", "generate", False,
         "/v1/projects/p1/locations/europe-west4/publishers/google/models/gemini-3:generateContent"),
        ("vertex-ai", GOOGLE, "claude-x@20250929", "messages", True,
         "/v1/projects/p1/locations/europe-west4/publishers/anthropic/models/claude-x@20250929:streamRawPredict"),
        ("vertex-ai", GOOGLE, "endpoints/12", "chat", True, "/v1/projects/p1/locations/europe-west4/endpoints/12/chat/completions"),
        ("vertex-ai", GOOGLE, "meta/llama", "chat", False, "/v1/projects/p1/locations/europe-west4/endpoints/openapi/chat/completions"),
        ("azure-ai", {"resource": "r"}, "claude-x", "messages", False, "/anthropic/v1/messages"),
        ("azure-ai", {"resource": "r"}, "gpt-5", "chat", False, "/openai/v1/chat/completions"),
        ("workers-ai", {"account_id": "a1"}, "@cf/x", "chat", False, "/client/v4/accounts/a1/ai/v1/chat/completions"),
        ("predibase", {"tenant": "t1"}, "m", "chat", False, "/t1/deployments/v2/llms/m/v1/chat/completions"),
        ("sagemaker", {}, "my-endpoint", "chat", False, "/endpoints/my-endpoint/invocations"),
    ],
)  # fmt: skip
def test_operation_has_its_path(
    name: str, settings: dict[str, str], model: str, operation: str, stream: bool, expected: str
) -> None:
    """The path of an operation is that of the provider's documentation, with model and settings in it."""
    row = row_for(PROVIDERS[name], model)
    upstream = upstream_of(row, "" if settings or "{" not in row.base_url else "http://127.0.0.1:1", settings=settings)
    assert fill_model(path_of(row, upstream, operation, stream, settings), model) == expected


def test_version_joins_the_query() -> None:
    """A version is added to a path, with or without a query of its own."""
    row = PROVIDERS["azure-openai"]
    upstream = upstream_of(row, "http://127.0.0.1:1", "2024-10-21")
    path = fill_model(path_of(row, upstream, "chat"), "my deployment")
    assert path == "/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21"


def test_operation_of_many_paths_has_none() -> None:
    """What passes below a beginning (files, batches) has no single path."""
    with pytest.raises(KeyError):
        template_of(PROVIDERS["openai"], "files")


@given(st.text(min_size=1))
def test_model_stays_in_its_segment(model: str) -> None:
    """Whatever a model is called, it neither ends its segment nor begins a query, and never leads a step up."""
    if any(part in (".", "..") for part in model.split("/")):
        with pytest.raises(ValueError):
            fill_model("/model/{model}/converse", model)
        return
    path = fill_model("/model/{model}/converse", model)
    assert path.startswith("/model/") and path.endswith("/converse") and path.count("/") == 3
    assert not set(path) & set("?# \r\n\\") and path.isascii()
