"""Portkey's client and its configs, through a real worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import portkey_ai
import pytest

from tests.fakes.raw_client import Response
from tests.fakes.script import json_reply, sse_reply
from tests.fakes.upstream import Upstream
from tests.gateway.lane_gateway import record_of
from tests.gateway.limited import CHAT, QUESTION, ask, key_lines
from tests.gateway.running import KEY, RunningGateway

SAVED_KEY = "fgw-portkey-saved-0123456789abcdef"
BOUND_KEY = "fgw-portkey-bound-0123456789abcdef"
CALLERS_OWN = "sk-callers-own-0123456789"
REPLY = {
    "id": "c1", "object": "chat.completion", "created": 7, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = f"""
[gateway.inline_hosts]
allow = ["127.0.0.0/8"]
[integrations.stored]
provider = "openai"
base_url = "{provider.url}/stored/v1"
api_key = "sk-of-the-operator-01234"
[integrations.backup]
provider = "openai"
base_url = "{provider.url}/backup/v1"
api_key = "sk-of-the-operator-56789"
[integrations.claude]
provider = "anthropic"
base_url = "{provider.url}"
api_key = "sk-of-the-operator-90123"
[integrations.codestral]
provider = "mistral-ai"
base_url = "{provider.url}/mistral/v1"
api_key = "sk-of-the-operator-34567"
[configs.pc-fallback]
strategy = {{ mode = "fallback" }}
targets = [{{ virtual_key = "stored" }}, {{ virtual_key = "backup", override_params = {{ model = "gpt-4.1-mini" }} }}]
[workspaces.default]
unknown_price = "allow"
[workspaces.strict]
inline = "saved"
[[keys]]
name = "app"
key = "{KEY}"
{key_lines("saved", SAVED_KEY, workspace='"strict"')}
{key_lines("bound", BOUND_KEY, config='"pc-fallback"', allow_config_override="false")}"""
    with RunningGateway(tmp_path_factory.mktemp("portkey"), config) as running:
        yield running
        assert "Traceback" not in running.log() and CALLERS_OWN not in running.log()


def chat(gateway: RunningGateway, *fields: tuple[str, str], key: str = KEY, model: str = "gpt-4.1", **more: object) -> Response:
    return ask(gateway.url, CHAT, {"model": model, "messages": QUESTION, **more}, [("x-portkey-api-key", key), *fields])


def config(value: object) -> tuple[str, str]:
    return "x-portkey-config", json.dumps(value)


def host_of(provider: Upstream) -> str:
    return f"{provider.url}/inline/v1"


def test_official_client_works_unchanged(gateway: RunningGateway, provider: Upstream) -> None:
    """portkey-ai with a virtual key reaches the stored integration; neither key goes where it must not."""
    provider.play(json_reply(REPLY))
    client = portkey_ai.Portkey(api_key=KEY, base_url=f"{gateway.url}/v1", virtual_key="stored", metadata={"_user": "u1"}, trace_id="t-1")
    reply: Any = client.chat.completions.create(model="gpt-4.1", messages=QUESTION)
    assert reply.choices[0].message.content == "Paris"
    sent = provider.received[-1]
    assert (sent.path, sent.field("authorization")) == ("/stored/v1/chat/completions", "Bearer sk-of-the-operator-01234")
    assert not [name for name, _ in sent.fields if name.startswith("x-portkey")] and KEY not in str(sent.fields)
    row = gateway.records(1)[-1]
    assert (row["integration"], row["trace_id"], row["detail"]["metadata"]) == ("stored", "t-1", {"_user": "u1"})


def test_inline_config_falls_back(gateway: RunningGateway, provider: Upstream) -> None:
    """Targets of an inline config are tried in turn; replies say which one answered."""
    provider.play(json_reply({"error": {"message": "down"}}, 500), "/stored/v1/chat/completions")
    provider.play(json_reply(REPLY), "/backup/v1/chat/completions")
    targets = [{"virtual_key": "stored"}, {"virtual_key": "backup", "override_params": {"model": "gpt-4.1-nano", "seed": 7}}]
    reply = chat(gateway, config({"strategy": {"mode": "fallback"}, "targets": targets}))
    assert (reply.status, reply.field("x-portkey-last-used-option-index")) == (200, "config.targets[1]")
    assert reply.field("x-portkey-provider") == "openai" and reply.field("x-fastgw-attempts") == "2"
    body: Any = json.loads(provider.received[-1].body)
    assert (body["model"], body["seed"], provider.received[-1].path) == ("gpt-4.1-nano", 7, "/backup/v1/chat/completions")
    assert record_of(gateway, reply)["integration"] == "backup"


def test_saved_configs_are_named(gateway: RunningGateway, provider: Upstream) -> None:
    """A saved config by its name, as the default of a key, and not to be replaced where the key says so."""
    provider.play(json_reply({"error": {"message": "down"}}, 503), "/stored/v1/chat/completions")
    provider.play(json_reply(REPLY), "/backup/v1/chat/completions")
    assert chat(gateway, ("x-portkey-config", "pc-fallback")).field("x-portkey-last-used-option-index") == "config.targets[1]"
    assert chat(gateway, key=BOUND_KEY).status == 200 and json.loads(provider.received[-1].body)["model"] == "gpt-4.1-mini"
    refused = chat(gateway, config({"virtual_key": "stored"}), key=BOUND_KEY)
    assert (refused.status, refused.json()["message"]) == (400, "Cannot override default config set for this API key.")  # type: ignore[index]
    unknown = chat(gateway, ("x-portkey-config", "pc-nowhere"))
    assert (unknown.status, unknown.json()["status"]) == (400, "failure")  # type: ignore[index]


def test_callers_own_credential_goes_to_the_callers_host(gateway: RunningGateway, provider: Upstream) -> None:
    """A provider, a key and a host of the caller's own: its key goes there, and nowhere else."""
    provider.play(json_reply(REPLY))
    fields = [("x-portkey-provider", "openai"), ("authorization", f"Bearer {CALLERS_OWN}"), ("x-portkey-custom-host", host_of(provider)),
              ("x-portkey-forward-headers", "x-mine"), ("x-mine", "yes")]
    reply = chat(gateway, *fields)
    sent = provider.received[-1]
    assert (reply.status, sent.path) == (200, "/inline/v1/chat/completions")
    assert sent.field("authorization") == f"Bearer {CALLERS_OWN}" and sent.field("x-mine") == "yes"
    connections = len(provider.connections)
    assert chat(gateway, *fields).status == 200 and len(provider.connections) == connections  # its pool was kept


def test_refusal_of_the_callers_own_credential_is_the_callers_to_see(gateway: RunningGateway, provider: Upstream) -> None:
    """401 for a key that came with the request passes as it is; for the operator's it is no business of the caller's."""
    refused = {"error": {"message": "Incorrect key", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}}
    for path in ("inline", "stored"):
        provider.play(json_reply(refused, status=401), f"/{path}/v1/chat/completions")
    own = [("x-portkey-provider", "openai"), ("authorization", f"Bearer {CALLERS_OWN}"), ("x-portkey-custom-host", host_of(provider))]
    reply = chat(gateway, *own)
    assert (reply.status, reply.json()) == (401, refused)
    reply = chat(gateway, ("x-portkey-virtual-key", "stored"))
    assert (reply.status, reply.field("x-fastgw-error")) == (502, "upstream_credential"), reply.body
    for path in ("inline", "stored"):
        provider.play(json_reply(REPLY), f"/{path}/v1/chat/completions")


@pytest.mark.parametrize(
    "host",
    ["http://169.254.169.254/v1", "http://[::ffff:169.254.169.254]/v1", "http://10.0.0.1/v1", "http://2130706433/v1", "ftp://127.0.0.1/v1",
     "http://user:pw@127.0.0.1/v1", "http://0x7f.1/v1"],
)
def test_hosts_that_must_not_be_reached_are_refused(gateway: RunningGateway, host: str) -> None:
    """Private, link-local and metadata addresses, in whatever spelling, are refused before anything is connected to."""
    reply = chat(gateway, ("x-portkey-provider", "openai"), ("authorization", f"Bearer {CALLERS_OWN}"), ("x-portkey-custom-host", host))
    body: Any = reply.json()
    assert (reply.status, body["status"], body["message"]) == (400, "failure", "Invalid custom host")


def test_name_that_leads_to_a_private_address_is_not_connected_to(provider: Upstream, tmp_path: Path) -> None:
    """What counts is the address that a name resolves to, at the moment of connecting."""
    text = f'[workspaces.default]\nunknown_price = "allow"\n[[keys]]\nname = "app"\nkey = "{KEY}"\n'
    before = len(provider.received)
    with RunningGateway(tmp_path, text) as gateway:
        reply = chat(gateway, ("x-portkey-provider", "openai"), ("authorization", f"Bearer {CALLERS_OWN}"),
                     ("x-portkey-custom-host", f"http://localhost:{provider.port}/v1"))
        assert (reply.status, reply.field("x-fastgw-error")) == (503, "upstream_unreachable"), reply.body
        assert "localhost is not connected to" in gateway.log() and len(provider.received) == before


@pytest.mark.parametrize(
    ("value", "said"),
    [("{", "Invalid config passed. You need to pass a valid json"), ('{"strategy": {"mode": "loadbalance"}}', "Invalid config passed"),
     ('{"strategy": {"mode": "dice"}, "targets": []}', "Invalid config passed")],
)
def test_wrong_config_is_told_in_portkeys_words(gateway: RunningGateway, value: str, said: str) -> None:
    """Malformed and wrong configs get Portkey's body, with what is wrong, and one record."""
    reply = chat(gateway, ("x-portkey-config", value))
    body: Any = reply.json()
    assert (reply.status, body["status"], body["message"]) == (400, "failure", said), body
    assert reply.field("x-fastgw-error") and record_of(gateway, reply)["outcome"] == "refused"


def test_saved_only_workspace_refuses_inline(gateway: RunningGateway, provider: Upstream) -> None:
    """Where only saved configs and integrations may be named, a caller's own are refused; those are served."""
    provider.play(json_reply(REPLY), "/stored/v1/chat/completions")
    own = chat(gateway, ("x-portkey-provider", "openai"), ("authorization", f"Bearer {CALLERS_OWN}"), key=SAVED_KEY)
    inline = chat(gateway, config({"virtual_key": "stored"}), key=SAVED_KEY)
    assert [reply.json()["error"]["code"] for reply in (own, inline)] == ["inline_provider_blocked", "inline_config_blocked"]  # type: ignore[index]
    assert chat(gateway, ("x-portkey-virtual-key", "stored"), key=SAVED_KEY).status == 200


def test_conditions_retries_and_cache_of_a_config(gateway: RunningGateway, provider: Upstream) -> None:
    """Conditions look at metadata and parameters; retries are counted; what is cached is told in Portkey's words."""
    provider.play(json_reply(REPLY), "/stored/v1/chat/completions")
    provider.play(json_reply(REPLY), "/backup/v1/chat/completions")
    when = {
        "strategy": {"mode": "conditional", "conditions": [{"query": {"metadata.tier": {"$eq": "gold"}}, "then": "b"}], "default": "a"},
        "targets": [{"name": "a", "virtual_key": "stored"}, {"name": "b", "virtual_key": "backup"}],
        "cache": {"mode": "simple"},
    }
    gold = ("x-portkey-metadata", '{"tier": "gold"}')
    assert chat(gateway, config(when), gold, seed=1).field("x-portkey-last-used-option-index") == "config.targets[1]"
    first = chat(gateway, config(when), seed=2)
    assert (first.field("x-portkey-last-used-option-index"), first.field("x-portkey-cache-status")) == ("config.targets[0]", "MISS")
    assert chat(gateway, config(when), seed=2).field("x-portkey-cache-status") == "HIT"
    no_match = {**when, "strategy": {"mode": "conditional", "conditions": when["strategy"]["conditions"]}}  # type: ignore[index]
    refused = chat(gateway, config(no_match), seed=3)
    assert (refused.status, "did not resolve" in refused.body.decode()) == (400, True)


def test_model_names_its_integration(gateway: RunningGateway, provider: Upstream) -> None:
    """@integration/model and provider/model lead there, with the bare name for the provider."""
    provider.play(json_reply(REPLY), "/backup/v1/chat/completions")
    assert chat(gateway, model="@backup/gpt-4.1").status == 200
    assert (provider.received[-1].path, json.loads(provider.received[-1].body)["model"]) == ("/backup/v1/chat/completions", "gpt-4.1")


CLAUDE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn", "stop_sequence": None,
    "content": [{"type": "thinking", "thinking": "A capital.", "signature": "c2ln"}, {"type": "text", "text": "Paris"}],
    "usage": {"input_tokens": 10, "output_tokens": 5},
}  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "members"),
    [
        ("false", {"content_blocks", "reasoning_content", "thinking_blocks"}), ("true", set()),
        (None, {"reasoning_content", "thinking_blocks"}),
    ],
)  # fmt: skip
def test_strictness_of_a_translated_reply(gateway: RunningGateway, provider: Upstream, stated: str | None, members: set[str]) -> None:
    """strict-open-ai-compliance says whether a reply of another dialect holds what OpenAI does not define."""
    provider.play(json_reply(CLAUDE))
    fields = [("x-portkey-strict-open-ai-compliance", stated)] if stated else []
    reply = chat(gateway, ("x-portkey-virtual-key", "claude"), *fields, model="claude-sonnet-4-5")
    choice = json.loads(reply.body)["choices"][0]
    assert choice["message"]["content"] == "Paris" and choice["finish_reason"] == "stop"
    assert set(choice["message"]) - {"role", "content", "refusal"} == members
    assert ("native_finish_reason" in choice) is (stated != "true")


OWN = ("authorization", f"Bearer {CALLERS_OWN}")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("by", ["field", "config"])
def test_fill_in_the_middle_goes_to_mistrals_path(gateway: RunningGateway, provider: Upstream, by: str, stream: bool) -> None:
    """x-portkey-mistral-fim-completion, or its member of a config, sends a chat's prompt and suffix to /fim/completions, and bills it."""
    chunk = {**REPLY, "object": "chat.completion.chunk"}
    provider.play(sse_reply([chunk, b"data: [DONE]\n\n"]) if stream else json_reply(REPLY), "/mistral/v1/fim/completions")
    stated = [("x-portkey-provider", "@codestral"), ("x-portkey-mistral-fim-completion", "true")]
    fields = stated if by == "field" else [config({"virtual_key": "codestral", "mistral_fim_completion": "true"})]
    asked = {"model": "codestral-latest", "prompt": "def f(", "suffix": "return a", "stream": stream}
    reply = ask(gateway.url, CHAT, asked, [("x-portkey-api-key", KEY), *fields])
    sent = provider.received[-1]
    assert (reply.status, sent.path, json.loads(sent.body)) == (200, "/mistral/v1/fim/completions", asked)
    assert sent.field("authorization") == "Bearer sk-of-the-operator-34567"
    row = record_of(gateway, reply)
    assert (row["integration"], row["input_tokens"], row["output_tokens"]) == ("codestral", 10, 5) and row["cost_nano_usd"] > 0
    assert chat(gateway, ("x-portkey-virtual-key", "codestral")).status == 200
    assert provider.received[-1].path == "/mistral/v1/chat/completions"


def test_fireworks_account_stands_in_paths_that_pass(gateway: RunningGateway, provider: Upstream) -> None:
    """x-portkey-fireworks-account-id leads what is no inference to the account, and leaves inference where it is."""
    fields = [("x-portkey-api-key", KEY), ("x-portkey-provider", "fireworks-ai"), OWN]
    bare, mirror = ("x-portkey-custom-host", provider.url), ("x-portkey-custom-host", host_of(provider))
    account = ("x-portkey-fireworks-account-id", "acme")
    for path, stated, expected in (
        ("/v1/datasets", [bare, account], "/v1/accounts/acme/datasets"),
        ("/v1/datasets", [bare], "/inference/v1/datasets"),
        ("/v1/datasets", [mirror, account], "/inline/v1/datasets"),
        (CHAT, [bare, account], "/inference/v1/chat/completions"),
    ):
        assert ask(gateway.url, path, {"model": "m", "messages": QUESTION}, [*fields, *stated]).status == 200
        assert (provider.received[-1].path, provider.received[-1].field("authorization")) == (expected, f"Bearer {CALLERS_OWN}")
    refused = ask(gateway.url, "/v1/datasets", {}, [*fields, bare, ("x-portkey-fireworks-account-id", "../x")])
    assert (refused.status, "settings.account_id" in refused.body.decode()) == (400, True)


def test_token_of_entra_goes_where_the_key_would(gateway: RunningGateway, provider: Upstream) -> None:
    """x-portkey-azure-ad-token is sent as a bearer token instead of the key, and is nobody else's to see."""
    fields = [("x-portkey-provider", "azure-openai"), OWN, ("x-portkey-custom-host", host_of(provider))]
    assert chat(gateway, *fields, ("x-portkey-azure-ad-token", "eyJ0.e30")).status == 200
    sent = provider.received[-1]
    assert (sent.field("authorization"), sent.field("api-key")) == ("Bearer eyJ0.e30", None)
    assert CALLERS_OWN not in str(sent.fields) and "eyJ0.e30" not in gateway.log()


FILE_FIELDS = [
    ("x-portkey-aws-s3-bucket", "b"), ("x-portkey-aws-s3-object-key", "o"), ("x-portkey-provider-file-name", "f.jsonl"),
    ("x-portkey-provider-batch-endpoint", "/v1/embeddings"), ("x-portkey-file-purpose", "batch"), ("x-portkey-file-upload-size", "9"),
]  # fmt: skip
KEYS_OF_AWS = [("x-portkey-aws-access-key-id", "AKID"), ("x-portkey-aws-secret-access-key", "s"), ("x-portkey-aws-region", "us-east-1")]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
@pytest.mark.parametrize(
    ("name", "credentials"),
    [
        ("bedrock", KEYS_OF_AWS), ("fireworks-ai", [OWN]),
        ("vertex-ai", [OWN, ("x-portkey-vertex-project-id", "p"), ("x-portkey-vertex-region", "us-central1")]),
    ],
)  # fmt: skip
def test_files_are_not_made_of_buckets(gateway: RunningGateway, path: str, name: str, credentials: list[tuple[str, str]]) -> None:
    """Files and batches that Portkey makes out of a bucket or a data set are refused in words, not sent astray."""
    fields = [("x-portkey-api-key", KEY), ("x-portkey-provider", name), *credentials, *FILE_FIELDS]
    refused = ask(gateway.url, path, {"input_file_id": "s3://b/o"}, fields)
    message = refused.json()["error"]["message"]  # type: ignore[index]
    assert (refused.status, refused.field("x-fastgw-error")) == (404, "model_not_found")
    assert message.startswith(f"{name} has nothing like {path}: ") and message.endswith("none is made of a bucket or a data set")


def test_settings_of_files_leave_other_requests_alone(gateway: RunningGateway, provider: Upstream) -> None:
    """Where nothing needs them they say nothing, as at Portkey, and reach no provider."""
    provider.play(json_reply({"id": "file-1", "object": "file"}), "/stored/v1/files")
    for path in (CHAT, "/v1/files"):
        fields = [("x-portkey-api-key", KEY), ("x-portkey-provider", "@stored"), *FILE_FIELDS]
        assert ask(gateway.url, path, {"model": "gpt-4.1", "messages": QUESTION}, fields).status == 200
        assert provider.received[-1].path.startswith("/stored/v1/")
        assert not [field for field, _ in provider.received[-1].fields if field.startswith("x-portkey")]
