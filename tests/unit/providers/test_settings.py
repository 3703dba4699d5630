"""Promises of an integration's settings: what is missing is said with its place, and nothing gets into a host that is not a part of one."""

import pytest
from msgspec import structs

from fastgw.providers.settings import SETTINGS, missing_settings, settings_of, upstream_for
from fastgw.providers.table import PROVIDERS
from fastgw.snapshot.config import Integration
from fastgw.snapshot.credentials import Aws, Google
from fastgw.snapshot.load import ConfigError, Problem, parse

NOT_PARTS = (
    "httpbin.org#", "a.b@c", "a/b", "..", ".", "", "a b", "a?b", "a:80@b", "a\\b", "-a", "\u00e4", "a%2fb", "a\r\nb", "a.", "x" * 300,
)  # fmt: skip


def problems_of(text: str, environ: dict[str, str] | None = None) -> list[Problem]:
    """What is said about an integration called main; nothing where it holds."""
    try:
        parse(f"[integrations.main]\n{text}", environ or {})
    except ConfigError as error:
        return list(error.problems)
    return []


def places(text: str) -> list[str]:
    return [problem.place.removeprefix("integrations.main.") for problem in problems_of(text)]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('provider = "bedrock"', ["aws.region"]),
        ('provider = "bedrock"\nbase_url = "http://127.0.0.1:1"', ["aws.region"]),
        ('provider = "bedrock"\napi_key = "k"', ["base_url"]),
        ('provider = "bedrock"\napi_key = "k"\nbase_url = "http://127.0.0.1:1"', []),
        ('provider = "bedrock"\naws = { region = "us-east-1" }', []),
        ('provider = "vertex-ai"', ["google.project"]),
        ('provider = "vertex-ai"\nbase_url = "http://127.0.0.1:1"', ["google.project"]),
        ('provider = "vertex-ai"\nbase_url = "http://127.0.0.1:1/v1/projects/p/locations/l"', []),
        ('provider = "vertex-ai"\ngoogle = { project = "p" }', []),
        ('provider = "azure-openai"', ["base_url"]),
        ('provider = "azure-openai"\nazure = { resource = "r" }', []),
        ('provider = "workers-ai"\napi_key = "k"', ["settings.account_id"]),
        ('provider = "workers-ai"\napi_key = "k"\nsettings = { account_id = "a" }', []),
        ('provider = "databricks"\napi_key = "k"', ["base_url"]),
        ('provider = "databricks"\napi_key = "k"\nsettings = { host = "adb-1.2.azuredatabricks.net" }', []),
        ('provider = "predibase"\nbase_url = "http://127.0.0.1:1/x"', ["settings.tenant"]),
        ('provider = "heroku"', []),
        ('provider = "oracle"\napi_key = "k"\noracle = { region = "us-chicago-1" }', []),
        ('provider = "oracle"\noracle = { region = "us-chicago-1", user = "u" }',
         ["oracle.tenancy", "oracle.fingerprint", "oracle.private_key"]),
        ('provider = "watsonx"\nsettings = { region = "us-south" }', ["api_key"]),
    ],
)  # fmt: skip
def test_missing_setting_is_named(text: str, missing: list[str]) -> None:
    """Each setting that the addresses in use and the signature need is asked for, with an example, and no other."""
    assert places(text) == missing
    for problem in problems_of(text):
        assert problem.found == "nothing"
        example = next((row.example for row in SETTINGS.values() if problem.place.endswith(row.place)), "")
        assert example in problem.expected


@pytest.mark.parametrize("value", NOT_PARTS)
@pytest.mark.parametrize(
    ("provider", "place"),
    [
        ("azure-openai", "azure.resource"), ("bedrock", "aws.region"), ("vertex-ai", "google.region"), ("vertex-ai", "google.project"),
        ("oracle", "oracle.region"), ("workers-ai", "settings.account_id"), ("snowflake", "settings.account"),
        ("databricks", "settings.host"), ("watsonx", "settings.region"), ("predibase", "settings.tenant"),
    ],
)  # fmt: skip
def test_setting_cannot_lead_elsewhere(provider: str, place: str, value: str) -> None:
    """A value that would end a host name or a segment of a path is refused, whatever provider it is for."""
    group, _, name = place.partition(".")
    quoted = value.encode("unicode_escape").decode().replace("\\x", "\\u00")
    text = f'provider = "{provider}"\n{group} = {{ {name} = "{quoted}" }}'
    if value == "a." and SETTINGS[place].kind == "segment":
        return  # a segment may end so
    assert place in places(text)


def test_port_cannot_get_into_a_host() -> None:
    """A colon is a part of an OCID and of a project's id, but never of a host."""
    assert places('provider = "snowflake"\napi_key = "k"\nsettings = { account = "a:80" }') == ["settings.account"]
    assert places('provider = "vertex-ai"\ngoogle = { project = "example.com:p" }') == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('provider = "openai"\naws = { region = "x" }', "aws"),
        ('provider = "bedrock"\ngoogle = { project = "x" }\naws = { region = "x" }', "google"),
        ('provider = "workers-ai"\nsettings = { account_id = "a", acount = "b" }', "settings.acount"),
        ('provider = "bedrock"\naws = { region = "x", access_key_id = "a" }', "aws.secret_access_key"),
        ('provider = "bedrock"\naws = { region = "x", session_token = "a" }', "aws.access_key_id"),
        ('provider = "bedrock"\naws = { region = "x", external_id = "a" }', "aws.role_arn"),
        ('provider = "bedrock"\napi_key = "k"\naws = { region = "x", access_key_id = "a", secret_access_key = "b" }', "api_key"),
        ('provider = "azure-ai"\nazure = { resource = "r", identity = "client_secret", tenant_id = "t", client_id = "c" }',
         "azure.client_secret"),
        ('provider = "azure-ai"\nazure = { resource = "r", client_secret = "s" }', "azure.identity"),
        ('provider = "azure-ai"\napi_key = "k"\nazure = { resource = "r", identity = "managed" }', "api_key"),
        ('provider = "azure-ai"\napi_key = "k"\nazure = { resource = "r", token = "t" }', "api_key"),
        ('provider = "azure-ai"\nazure = { resource = "r", token = "t", identity = "managed" }', "azure.identity"),
        ('provider = "azure-ai"\nazure = { resource = "r", token = "t" }\nheaders = { Authorization = "x" }', "headers.Authorization"),
        ('provider = "azure-ai"\nazure = { resource = "r", identity = "workload", token_file = "/none" }', "azure.token_file"),
        ('provider = "vertex-ai"\ngoogle = { project = "p", service_account = "no json" }', "google.service_account"),
        ("""provider = "vertex-ai"\ngoogle = { project = "p", service_account = '{"type": "service_account"}' }""",
         "google.service_account"),
        ('provider = "vertex-ai"\ngoogle = { project = "p" }\ntoken_url = "http://elsewhere.example/token"', "token_url"),
        ('provider = "vertex-ai"\ngoogle = { project = "p" }\ntoken_url = "https://a@b/token"', "token_url"),
        ('provider = "vertex-ai"\ngoogle = { project = "p" }\nheaders = { Authorization = "x" }', "headers.Authorization"),
        ('provider = "vertex-ai"\ngoogle = { project = "p" }\nmetadata_url = "ftp://169.254.169.254"', "metadata_url"),
    ],
)  # fmt: skip
def test_credentials_are_whole(text: str, place: str) -> None:
    """A credential that lacks a part, or is for another way to sign, is refused at its place."""
    assert places(text) == [place]


def test_token_may_be_fetched_at_loopback() -> None:
    """Tokens go over TLS, but at the machine itself, where tests and sidecars are."""
    for url in ("https://login.example", "http://127.0.0.1:1/token", "http://localhost:1", "http://[::1]:2/x"):
        assert places(f'provider = "vertex-ai"\ngoogle = {{ project = "p" }}\ntoken_url = "{url}"') == []


def test_secret_of_lines_is_read_whole() -> None:
    """A key in PEM or JSON keeps its lines, and is shown no more than any other secret."""
    text = '{\n  "type": "authorized_user",\n  "client_id": "c", "client_secret": "hush-1",\n  "refresh_token": "hush-2"\n}\n'
    document = parse(
        '[integrations.main]\nprovider = "vertex_ai"\ngoogle = { project = "p", service_account = "env:ACCOUNT" }', {"ACCOUNT": text}
    )
    integration = document.config.integrations["main"]
    assert integration.provider == "vertex-ai"
    assert integration.google is not None and integration.google.service_account is not None
    assert integration.google.service_account.reveal() == text.strip()
    assert "hush" not in repr(integration) and repr(integration.google.service_account) == "Secret(env:ACCOUNT)"


def test_aliases_become_names() -> None:
    """Behind the file there is one name for a provider, in integrations and in prices."""
    config = parse('[integrations.main]\nprovider = "google"\n[prices."google/own"]\ninput = 1\noutput = 2', {}).config
    assert config.integrations["main"].provider == "gemini"
    assert list(config.prices) == ["gemini/own"]


def test_unknown_provider_is_guessed_from_all_names() -> None:
    """What is not known is compared with aliases as well."""
    (problem,) = problems_of('provider = "vertex_a"')
    assert problem.nearest == "vertex_ai"


def test_values_come_from_their_places() -> None:
    """A template's names are filled from the sub-table that the row says, and from its defaults."""
    row = PROVIDERS["vertex-ai"]
    integration = Integration(provider="vertex-ai", google=Google(project="p"), aws=Aws(region="us-east-1"))
    assert settings_of(row, integration) == {"project": "p", "region": "global"}
    assert list(missing_settings(row, structs.replace(integration, google=None)))
    assert settings_of(PROVIDERS["openai"], integration) == {}
    upstream = upstream_for(row, integration)
    assert (upstream.host, upstream.prefix) == ("aiplatform.googleapis.com", "/v1/projects/p/locations/global")
