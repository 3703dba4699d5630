"""Promises of the x-portkey-* fields: everything portkey-ai puts on the wire is understood, and no key goes where it should not."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from portkey_ai import Portkey, createHeaders

from fastgw.portkey.headers import Asked, digest_of, forward_names, forwarded, read_headers, speaks_portkey
from fastgw.portkey.names import SETTINGS, field_name
from fastgw.portkey.refusal import Refused

OWN = "fgw-own"
REPLY = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
}  # fmt: skip

# Every keyword of the client's constructor that becomes a field, with a value of its type.
KEYWORDS: dict[str, object] = {
    "virtual_key": "openai-main", "config": {"retry": {"attempts": 2}}, "provider": "openai", "trace_id": "t-1",
    "metadata": {"_user": "ann", "team": "red"}, "cache_namespace": "ns", "debug": False, "cache_force_refresh": True,
    "custom_host": "https://llm.example/v1", "forward_headers": ["X_Custom", "authorization"],
    "openai_project": "p", "openai_organization": "o",
    "aws_secret_access_key": "s", "aws_access_key_id": "a", "aws_session_token": "t", "aws_region": "eu-west-1", "vertex_project_id": "vp",
    "vertex_region": "us-central1", "workers_ai_account_id": "w", "azure_resource_name": "r", "azure_deployment_id": "d",
    "azure_api_version": "2024-10-21", "azure_endpoint_name": "e", "huggingface_base_url": "https://hf.example", "request_timeout": 1500,
    "strict_open_ai_compliance": False, "anthropic_beta": "b", "anthropic_version": "2023-06-01", "mistral_fim_completion": "true",
    "vertex_storage_bucket_name": "bucket", "provider_file_name": "f.jsonl", "provider_model": "pm", "aws_s3_bucket": "sb",
    "aws_s3_object_key": "so", "aws_bedrock_model": "bm", "fireworks_account_id": "fw",
}  # fmt: skip


def is_own(text: str) -> bool:
    return text.startswith("fgw-")


def read(**fields: str) -> Asked:
    """Read fields written with underscores; x_portkey_ stands before all but the plain ones."""
    plain = ("authorization", "x_api_key", "api_key", "x_goog_api_key", "anthropic_beta", "anthropic_version", "openai_beta")
    named = {(name if name in plain else f"x_portkey_{name}").replace("_", "-"): value for name, value in fields.items()}
    return read_headers(named, is_own)


def on_the_wire(**keywords: object) -> httpx.Request:
    """The request that the client sends for a chat, with these keywords to its constructor."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=REPLY)

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://gateway.test/v1") as http:
        client = Portkey(base_url="http://gateway.test/v1", http_client=http, **keywords)  # type: ignore[arg-type]  # rows of KEYWORDS
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert len(sent) == 1
    return sent[0]


def fields_of(request: httpx.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def test_all_that_the_client_sends_is_understood() -> None:
    """With every keyword at once, nothing that portkey-ai puts on the wire is unknown, and every value comes out."""
    fields = fields_of(on_the_wire(api_key="fgw-own", **KEYWORDS))
    asked = read_headers(fields, is_own)
    assert asked.ignored == ()
    assert asked.key is None  # the placeholder is none, and neither is the gateway's own
    assert (asked.virtual_key, asked.provider, asked.trace_id) == ("openai-main", "openai", "t-1")
    assert json.loads(asked.config) == KEYWORDS["config"]
    assert asked.metadata == KEYWORDS["metadata"] and asked.labels == KEYWORDS["metadata"]
    assert (asked.cache_namespace, asked.debug, asked.refresh) == ("ns", False, True)
    assert (asked.custom_host, asked.forward) == ("https://llm.example/v1", ("x-custom", "authorization"))
    assert (asked.timeout_ms, asked.strict) == (1500, False)
    settings = {name: value for name, value in KEYWORDS.items() if name in SETTINGS}
    assert asked.settings == settings and len(settings) == 24
    assert speaks_portkey(fields) and asked.speaks


@pytest.mark.parametrize("keyword", sorted(KEYWORDS))
def test_each_keyword_is_understood_alone(keyword: str) -> None:
    """Each keyword by itself, too, becomes fields that are all known."""
    fields = fields_of(on_the_wire(api_key="fgw-own", **{keyword: KEYWORDS[keyword]}))
    assert read_headers(fields, is_own).ignored == ()


def test_placeholder_is_no_key() -> None:
    """The client's "Authorization: Bearer OPENAI_API_KEY" is nobody's key; the one that was given to it is."""
    fields = fields_of(on_the_wire(api_key="fgw-own", provider="openai"))
    assert fields["authorization"] == "Bearer OPENAI_API_KEY"
    assert read_headers(fields, is_own).key is None
    fields = fields_of(on_the_wire(api_key="fgw-own", provider="openai", Authorization="sk-provider"))
    key = read_headers(fields, is_own).key
    assert key is not None and key.reveal() == "sk-provider"


def test_create_headers_is_understood() -> None:
    """What createHeaders makes for other clients is read as well; false values of it count as they are meant."""
    made = createHeaders(  # type: ignore[no-untyped-call]  # of portkey-ai
        api_key="fgw-own", provider="@slug", metadata={"a": "b"}, cache_force_refresh=False, debug=False, mode="x"
    )
    asked = read_headers({name.lower(): value for name, value in made.items()}, is_own)
    assert (asked.provider, asked.metadata, asked.refresh, asked.debug, asked.ignored) == ("@slug", {"a": "b"}, False, False, ())


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"authorization": "Bearer sk-1"}, "sk-1"),
        ({"authorization": "bearer  sk-1"}, "sk-1"),
        ({"authorization": "sk-1"}, "sk-1"),
        ({"authorization": "Bearer fgw-own", "x_api_key": "sk-2"}, "sk-2"),
        ({"authorization": "Bearer OPENAI_API_KEY", "x_goog_api_key": "g"}, "g"),
        ({"authorization": "Bearer fgw-own", "api_key": "az"}, "az"),
        ({"authorization": "Bearer fgw-own", "x_api_key": "fgw-other"}, None),
        ({"authorization": "Bearer "}, None),
        ({"authorization": "Bearer"}, None),
        ({}, None),
    ],
)
def test_provider_key_is_the_callers(fields: dict[str, str], key: str | None) -> None:
    """The first field with a key that is not the gateway's counts, whichever of the gateway's keys it is."""
    found = read(**fields).key
    assert (found.reveal() if found else None) == key


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("X-A, X-B", ("x-a", "x-b")),
        ("['X-A','X_B']", ("x-a", "x-b")),
        ('["X-A", "X-B"]', ("x-a", "x-b")),
        ("", ()),
        (" , ,x-a,x-a", ("x-a",)),
    ],
)
def test_names_to_forward_in_every_form(text: str, names: tuple[str, ...]) -> None:
    """A comma list, an array of JSON and one of JavaScript name the same fields."""
    assert forward_names(text) == names


def test_list_to_forward_does_not_name_itself() -> None:
    """A request cannot ask for its own list to be forwarded, which would send it round."""
    with pytest.raises(Refused, match="must not contain the 'x-portkey-forward-headers' header"):
        read(forward_headers="x-a, X-Portkey-Forward-Headers")


def test_forwarding_hands_out_no_key_of_the_gateway() -> None:
    """What is forwarded is what the caller said, but for the gateway's keys, the placeholder, the framing and our own fields."""
    fields = {
        "authorization": "Bearer fgw-own", "x-custom": "1", "x-copy": "fgw-own", "x-list": "a fgw-own", "host": "h", "cookie": "c=1",
        "x-portkey-api-key": "k", "x-fastgw-integration": "i", "transfer-encoding": "chunked", "x-api-key": "Bearer OPENAI_API_KEY",
    }  # fmt: skip
    assert forwarded(fields, (*fields, "x-absent"), is_own) == {"x-custom": "1", "cookie": "c=1"}
    assert forwarded({"authorization": "Bearer sk"}, ("authorization",), is_own) == {"authorization": "Bearer sk"}


@pytest.mark.parametrize(
    ("field", "value", "is_ignored"),
    [
        ("request_timeout", "x", True), ("request_timeout", "-5", True), ("request_timeout", "0", True), ("request_timeout", "inf", True),
        ("request_timeout", "nan", True), ("request_timeout", "1e3", False), ("metadata", "{", True), ("metadata", "[1]", True),
        ("metadata", '{"a":NaN}', True), ("default_input_guardrails", "{}", True), ("default_input_guardrails", '["g"]', False),
        ("nonsense", "1", True), ("package_version", "portkey-2.3.4", False), ("cache_ttl", "60", False), ("span_name", "s", False),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(field: str, value: str, is_ignored: bool) -> None:
    """A field of another form says nothing, as at Portkey, but it is named."""
    assert bool(read(**{field: value}).ignored) is is_ignored


def test_metadata_of_any_type_becomes_labels() -> None:
    """Values stay as they are for conditions, and are texts of at most 128 characters for records."""
    asked = read(metadata=json.dumps({"n": 1, "b": True, "long": "x" * 200}))
    assert asked.metadata["n"] == 1
    assert asked.labels == {"n": "1", "b": "true", "long": "x" * 128}


def test_plain_fields_of_anthropic_and_openai_count() -> None:
    """Clients that know nothing of Portkey send their own fields plainly; with the prefix they win."""
    asked = read(anthropic_beta="plain", openai_beta="o")
    assert asked.settings == {"anthropic_beta": "plain", "openai_beta": "o"}
    fields = {"anthropic-beta": "plain", "x-portkey-anthropic-beta": "prefixed"}
    assert read_headers(fields, is_own).settings == {"anthropic_beta": "prefixed"}


def test_digest_tells_routes_apart_and_not_requests() -> None:
    """What changes the route changes the digest; ids, metadata and the gateway's key do not."""
    one = {"x-portkey-config": "{}", "authorization": "Bearer sk-1"}
    same = one | {"x-portkey-trace-id": "t", "x-portkey-metadata": "{}", "x-portkey-api-key": "fgw-a", "x-other": "1"}
    assert digest_of(one, is_own) == digest_of(same, is_own)
    assert digest_of(one | {"authorization": "Bearer fgw-a"}, is_own) == digest_of(one | {"authorization": "Bearer fgw-b"}, is_own)
    changes = [{"authorization": "Bearer sk-2"}, {"x-portkey-config": "{ }"}, {"x-portkey-custom-host": "h"}, {"x-api-key": "k"}]
    changes += [{field_name(name): "1"} for name in sorted(SETTINGS)]
    digests = {digest_of(one | change, is_own) for change in changes}
    assert len(digests | {digest_of(one, is_own)}) == len(changes) + 1


def test_nothing_shown_holds_a_secret() -> None:
    """What is printed of a request's fields tells no credential."""
    asked = read(authorization="Bearer sk-secret", aws_secret_access_key="sk-secret", config='{"api_key":"sk-secret"}', provider="bedrock")
    assert "sk-secret" not in repr(asked) + str(asked)


NAMES = [*(field_name(name) for name in sorted(SETTINGS)), "x-portkey-metadata", "x-portkey-config", "authorization"]


@given(st.dictionaries(st.sampled_from([*NAMES, "x-portkey-request-timeout", "x-portkey-forward-headers"]), st.text(max_size=30)))
def test_any_values_are_read_or_refused(fields: dict[str, str]) -> None:
    """No value of a field raises anything but a refusal."""
    try:
        asked = read_headers(fields, is_own)
    except Refused:
        return
    assert asked.key is None or not is_own(asked.key.reveal())
    assert len(digest_of(fields, is_own)) == 32
