"""Promises of a plan: a config means here what it means at Portkey, and lends nobody what is the gateway's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.portkey.headers import Asked, read_headers
from fastgw.portkey.models import Address, address_of
from fastgw.portkey.plan import plan, read_saved
from fastgw.portkey.refusal import Refused, body_of
from fastgw.portkey.reply import reply_fields
from fastgw.portkey.route import ALL_TROUBLE, ANY_FAILURE, NO_BREAKER, NO_RETRY, Allowed, Routed, weights_of
from fastgw.snapshot.config import Integration, Secret
from fastgw.snapshot.hosts import HostRules, read_rules
from fastgw.snapshot.routes import Breaker, RouteTimeouts, Sticky, Target

STORED = {
    "openai-main": Integration(provider="openai", api_key=Secret("sk-stored")),
    "claude": Integration(provider="anthropic", api_key=Secret("sk-ant")),
    "codestral": Integration(provider="mistral-ai", api_key=Secret("sk-mistral")),
}
LEAF = {"provider": "openai", "api_key": "sk-a"}
ENVIRON = {"SECRET": "sk-of-the-environment"}
SAVED = read_saved(
    {
        "pc-fall": '{"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": "openai-main"}, {"virtual_key": "claude"}]}',
        "pc-own": {"provider": "openai", "api_key": "env:SECRET", "custom_host": "http://10.0.0.7:8000/v1"},
        "pc-host": {"virtual_key": "openai-main", "custom_host": "http://10.0.0.7:8000/v1"},
        "pc-entra": {
            "provider": "azure-openai", "azure_resource_name": "ours", "azure_entra_tenant_id": "t", "azure_entra_client_id": "c",
            "azure_entra_client_secret": "env:SECRET",
        },
        "pc-bare": {"retry": {"attempts": 2}},
    }
)


def is_own(text: str) -> bool:
    return text.startswith("fgw-")


def planned(config: object = None, **more: object) -> Routed:
    """The plan of a request with this config and these fields; `slug`, `allowed`, `default`, `may_override` and `hosts` go to plan."""
    passed: dict[str, object] = {name: more.pop(name) for name in ("slug", "allowed", "default", "may_override", "hosts") if name in more}
    fields = {f"x-portkey-{name}".replace("_", "-"): str(value) for name, value in more.items()}
    if config is not None:
        fields["x-portkey-config"] = config if isinstance(config, str) else json.dumps(config)
    if key := fields.pop("x-portkey-authorization", None):
        fields["authorization"] = key
    asked = read_headers(fields, is_own)
    passed.setdefault("hosts", HostRules())
    return plan(asked, saved=SAVED, stored=STORED, environ=ENVIRON, **passed)  # type: ignore[arg-type]  # each of its own type


def refusal(config: object = None, **more: object) -> Refused:
    with pytest.raises(Refused) as caught:
        planned(config, **more)
    return caught.value


def only(routed: Routed) -> tuple[Target, Integration]:
    """The one target of a plan and its ad hoc integration."""
    (target,) = routed.route.targets
    assert target.integration is not None
    return target, routed.integrations[target.integration]


def test_one_provider_with_the_callers_key() -> None:
    """A provider in the fields with a key in Authorization is one target, asked as Portkey would."""
    routed = planned(provider="openai", authorization="Bearer sk-caller")
    target, integration = only(routed)
    assert integration.provider == "openai" and integration.api_key == Secret("sk-caller")
    assert (target.model, target.retry, routed.route.breaker, routed.route.strategy) == (None, NO_RETRY, NO_BREAKER, "single")
    (leaf,) = routed.leaves
    assert (leaf.path, leaf.integration, leaf.is_checked, leaf.strict) == ("config", "inline:config", True, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"virtual_key": "claude"}, {"provider": "@claude"}, {"config": {"provider": "@claude"}}, {"slug": "claude"},
        {"config": {"override_params": {"model": "@claude/m"}}}, {"provider": "anthropic"},
    ],
)  # fmt: skip
def test_stored_integrations_are_named_in_every_way(fields: dict[str, object]) -> None:
    """A virtual key, "@slug" in the provider or the model, and a provider without a key all lead to the stored integration."""
    routed = planned(**fields)
    assert routed.route.targets[0].integration == "claude" and routed.integrations == {}
    assert routed.leaves[0].is_checked is False


def test_tree_keeps_its_form() -> None:
    """Strategies, names, weights and paths of nested targets come out where they were."""
    routed = planned(
        {
            "strategy": {"mode": "loadbalance", "sticky": {"enabled": True, "hash_fields": ["metadata.user"], "ttl": 60}},
            "targets": [
                {"name": "first", "virtual_key": "claude", "weight": 0.7},
                {
                    "weight": 0.3,
                    "strategy": {"mode": "fallback", "on_status_codes": [429, 408, 999]},
                    "targets": [LEAF, {"virtual_key": "openai-main", "override_params": {"model": "gpt-4o", "top_p": 1}}],
                },
            ],
        }
    )
    root = routed.route
    assert (root.strategy, root.on_status, root.on_errors) == ("weighted", (), ())
    assert root.sticky == Sticky(fields=("key", "metadata.user"), ttl_s=60)
    assert [(target.name, target.weight) for target in root.targets] == [("first", 7), ("targets/1", 3)]
    inner = root.targets[1]
    assert (inner.strategy, inner.on_status, inner.on_errors) == ("fallback", (429, 408), ("timeout",))
    assert inner.targets[1].model == "gpt-4o" and inner.targets[1].override_params == {"top_p": 1}
    assert [leaf.path for leaf in routed.leaves] == ["config.targets[0]", "config.targets[1].targets[0]", "config.targets[1].targets[1]"]
    assert list(routed.integrations) == ["inline:config.targets[1].targets[0]"]


def test_fallback_without_codes_goes_on_after_any_failure() -> None:
    """Unless codes are stated, everything but a success leads to the next target."""
    root = planned({"strategy": {"mode": "fallback"}, "targets": [LEAF, LEAF]}).route
    assert (root.on_status, root.on_errors) == (ANY_FAILURE, ALL_TROUBLE)


def test_inheritance_is_portkeys() -> None:
    """override_params are merged, retry and cache are taken whole, timeouts, hosts and the like are inherited, credentials never."""
    routed = planned(
        {
            "strategy": {"mode": "fallback"},
            "override_params": {"temperature": 0, "top_p": 1},
            "default_params": {"n": 1},
            "drop_params": ["seed"],
            "retry": {"attempts": 3, "on_status_codes": [429]},
            "cache": {"mode": "simple", "max_age": 60},
            "request_timeout": 2000,
            "custom_host": "https://llm.example/v1",
            "forward_headers": ["x-a"],
            "strict_open_ai_compliance": False,
            "input_guardrails": ["g"],
            "targets": [
                LEAF | {"override_params": {"top_p": 0.5}, "retry": {"attempts": 9, "use_retry_after_header": True}, "drop_params": ["n"]},
                LEAF
                | {"cache": {"mode": "semantic"}, "request_timeout": 9000, "custom_host": "https://b.example", "output_guardrails": ["o"]},
            ],
        }
    )
    first, second = routed.route.targets
    assert first.override_params == {"temperature": 0, "top_p": 0.5}
    assert (first.default_params, first.drop_params) == ({"n": 1}, ("seed", "n"))
    assert first.retry is not None and (first.retry.attempts, first.retry.on_status) == (5, (429, 500, 502, 503, 504))
    assert first.retry.honour_retry_after and first.retry.on_errors == ("connection", "bad_reply", "busy")
    assert second.retry is not None and (second.retry.attempts, second.retry.on_status, second.retry.on_errors) == (3, (429,), ())
    assert first.timeouts == RouteTimeouts(first_byte_ms=2000, connect_ms=2000) and second.timeouts == RouteTimeouts(first_byte_ms=9000)
    hosts = [integration.base_url for integration in routed.integrations.values()]
    assert hosts == ["https://llm.example/v1", "https://b.example"]
    one, other = routed.leaves
    assert (one.forward, one.strict, one.before, one.after) == (("x-a",), False, ("g",), ())
    assert one.cache is not None and (one.cache.mode, one.cache.max_age_s) == ("simple", 60)
    assert other.cache is not None and (other.cache.mode, other.after) == ("semantic", ("o",))
    refused = refusal({"strategy": {"mode": "single"}, "provider": "openai", "api_key": "k", "targets": [{"weight": 1}]})
    assert refused.message.startswith("Either x-portkey-provider needs to be passed.")


def test_conditions_name_targets() -> None:
    """Conditions and the default lead to targets by their names, whatever letters those have."""
    config = {
        "strategy": {"mode": "conditional", "conditions": [{"query": {"metadata.x": 1}, "then": "größer"}], "default": "b"},
        "targets": [LEAF | {"name": "größer"}, LEAF | {"name": "b"}],
    }
    root = planned(config).route
    assert [(when.query, when.then) for when in root.conditions] == [({"metadata.x": 1}, "targets/0")]
    assert root.default == "b" and root.targets[0].name == "targets/0"
    config["targets"] = [LEAF]
    assert "Invalid target name found in the query router" in refusal(config).errors[0]


def test_circuit_breaker_is_taken() -> None:
    """cb_config becomes a breaker, with at least half a minute of rest; conditional targets have none, nor has who states none."""
    cb = {"failure_threshold": 3, "failure_threshold_percentage": 20, "cooldown_interval": 1000, "minimum_requests": 7}
    root = planned({"strategy": {"mode": "fallback", "cb_config": cb}, "targets": [LEAF]}).route
    assert root.breaker == Breaker(
        failures=3, failure_percent=20, minimum_requests=7, cooldown_ms=30_000, on_status=tuple(range(500, 600))
    )
    conditional = {"mode": "conditional", "conditions": [], "default": "a", "cb_config": cb}
    assert planned({"strategy": conditional, "targets": [LEAF | {"name": "a"}]}).route.breaker == NO_BREAKER
    assert planned(LEAF).route.breaker == NO_BREAKER


def test_fields_overrule_the_config() -> None:
    """A timeout, less strictness and fields to forward in the head hold for the whole tree; retries and cache only where none is stated."""
    config = {"strategy": {"mode": "fallback"}, "targets": [LEAF | {"request_timeout": 1, "forward_headers": ["x-a"]}, LEAF]}
    routed = planned(config, request_timeout=700, strict_open_ai_compliance="false", forward_headers="x-b", retry_count=2, cache="simple")
    assert {target.timeouts for target in routed.route.targets} == {RouteTimeouts(first_byte_ms=700, connect_ms=700)}
    assert {(leaf.strict, leaf.forward, leaf.cache and leaf.cache.mode) for leaf in routed.leaves} == {(False, ("x-b",), "simple")}
    assert {target.retry.attempts for target in routed.route.targets if target.retry} == {2}


ACCOUNT = {"type": "service_account", "client_email": "e", "private_key": "k", "token_uri": "http://169.254.169.254/token"}


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": "bedrock", "aws_region": "us-east-1"},
        {"provider": "bedrock", "aws_region": "us-east-1", "aws_role_arn": "arn:aws:iam::1:role/x", "aws_auth_type": "assumedRole"},
        {"provider": "vertex-ai", "vertex_project_id": "p", "vertex_region": "us-central1"},
        {"provider": "azure-openai", "azure_resource_name": "r"},
        {"provider": "azure-openai", "azure_resource_name": "r", "azure_auth_mode": "managed"},
        {"provider": "azure-openai", "azure_resource_name": "r", "azure_auth_mode": "workload", "azure_workload_client_id": "c"},
        {"provider": "azure-ai", "azure_endpoint_name": "x", "azure_region": "r"},
        {"provider": "fireworks-ai", "fireworks_account_id": "acc"},
        {"provider": "oracle", "oracle_region": "us-chicago-1"},
        {"provider": "openai", "custom_host": "https://evil.example"},
        {"provider": "vertex-ai", "vertex_region": "r", "vertex_service_account_json": json.dumps(ACCOUNT)},
        {"provider": "vertex-ai", "vertex_region": "r", "vertex_service_account_json": "{"},
    ],
)
def test_gateways_own_identity_is_not_lent(fields: dict[str, str]) -> None:
    """A caller's provider is signed with what the caller brings: no environment, instance or metadata of the gateway's is used."""
    error = refusal(**fields)
    assert error.status == 400 and error.detail


@pytest.mark.parametrize("value", ["env:SECRET", "file:/etc/passwd"])
def test_callers_texts_are_no_references(value: str) -> None:
    """What would be a reference in the operator's file is none in a request, in the fields or in a config."""
    for error in (
        refusal({"provider": "openai", "api_key": value}),
        refusal(provider="openai", authorization=value),
        refusal("pc-bare", provider="openai", authorization=value),
        refusal(provider="bedrock", aws_region="r", aws_access_key_id=value, aws_secret_access_key=value),
    ):
        assert "found a reference" in error.detail and "sk-of" not in str(body_of(error))


def test_saved_config_may_refer_and_name_inner_hosts() -> None:
    """The operator's config has references, and hosts that no caller could name."""
    routed = planned("pc-own")
    _, integration = only(routed)
    assert integration.api_key is not None and integration.api_key.reveal() == "sk-of-the-environment"
    assert integration.base_url == "http://10.0.0.7:8000/v1" and routed.leaves[0].is_checked is False
    _, moved = only(planned("pc-host"))
    assert moved.api_key == STORED["openai-main"].api_key and moved.base_url == "http://10.0.0.7:8000/v1"


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({"virtual_key": "openai-main", "custom_host": "https://evil.example"}, {}),
        ({"virtual_key": "openai-main"}, {"custom_host": "https://evil.example"}),
        ("pc-fall", {"custom_host": "https://evil.example"}),
        ("pc-host", {"custom_host": "https://evil.example"}),
        ("pc-own", {"custom_host": "https://evil.example"}),
        ("pc-own", {"custom_host": "https://evil.example", "authorization": "Bearer sk-caller"}),
        ("pc-entra", {"custom_host": "https://evil.example", "azure_resource_name": "evil"}),
        (None, {"provider": "@openai-main", "custom_host": "https://evil.example"}),
        ({"strategy": {"mode": "single"}, "custom_host": "https://evil.example", "targets": [{"virtual_key": "claude"}]}, {}),
    ],
)
def test_stored_credential_goes_to_no_callers_host(config: object, fields: dict[str, str]) -> None:
    """Whoever may use a stored integration cannot have its key sent elsewhere."""
    assert refusal(config, **fields).message == "Invalid custom host"


def test_callers_settings_do_not_move_a_saved_credential() -> None:
    """What a request states of a provider counts for nothing beside a credential of a saved config."""
    _, integration = only(planned("pc-entra", azure_resource_name="evil", authorization="Bearer sk-caller"))
    assert integration.azure is not None and integration.azure.resource == "ours" and integration.api_key is None


def test_callers_config_is_completed_by_its_fields() -> None:
    """An inline config that names a provider and no key has the request's, with the settings of both."""
    routed = planned({"provider": "openai", "openai_project": "p"}, authorization="Bearer sk-caller", openai_organization="o")
    assert only(routed)[1].api_key == Secret("sk-caller")
    assert routed.leaves[0].fields == (("openai-organization", "o"), ("openai-project", "p"))


def test_settings_cannot_write_fields_of_their_own() -> None:
    """A setting that becomes a field of the request cannot end it and begin another."""
    for value in ("o\r\nauthorization: x", "o\n", "\x00", "\u00e4"):
        assert "visible ASCII" in refusal(LEAF | {"openai_organization": value}).errors[0]


@pytest.mark.parametrize("host", ["http://127.0.0.1/v1", "http://169.254.169.254", "http://2130706433", "ftp://x.example", "https://u@x.example"])
def test_hosts_of_callers_are_checked(host: str) -> None:
    """A host in the fields, in a config and in a provider's own setting is held to the same rules."""
    assert refusal(provider="openai", authorization="k", custom_host=host).message == "Invalid custom host"
    assert "Invalid custom host" in refusal(LEAF | {"custom_host": host}).errors[0]
    assert refusal(provider="huggingface", authorization="k", huggingface_base_url=host).message == "Invalid custom host"


@pytest.mark.parametrize(
    "fields",
    [{"azure_resource_name": "httpbin.org#"}, {"azure_resource_name": "a.b"}, {"azure_resource_name": "x/../.."},
     {"azure_resource_name": "r", "azure_api_version": "1&x=2"}],
)  # fmt: skip
def test_parts_of_addresses_lead_nowhere_else(fields: dict[str, str]) -> None:
    """What goes into a host or a query as a part of it cannot end it."""
    assert refusal(provider="azure-openai", authorization="k", **fields).message == "Invalid config passed"
    place = {"vertex_region": "evil.example/", "vertex_project_id": "p"}
    assert refusal(provider="vertex-ai", authorization="k", **place).message == "Invalid config passed"


def test_allow_list_lets_callers_name_inner_hosts() -> None:
    """An operator may list hosts that callers can name; each address is still to be checked."""
    hosts = read_rules(["localhost"])
    routed = planned(provider="ollama", custom_host="http://localhost:11434", hosts=hosts)
    assert routed.leaves[0].is_checked is True


@pytest.mark.parametrize(
    ("config", "fields", "code"),
    [
        (LEAF, {}, "inline_config_blocked"),
        (None, {"provider": "openai", "authorization": "k"}, "inline_provider_blocked"),
        ("pc-fall", {"custom_host": "https://x.example"}, "inline_custom_host_blocked"),
        ("pc-fall", {"forward_headers": "x-a"}, "inline_forward_headers_blocked"),
    ],
)
def test_saved_only_mode_refuses_what_is_inline(config: object, fields: dict[str, str], code: str) -> None:
    """Where callers may state nothing themselves, they are told what, by Portkey's codes; saved configs work."""
    saved_only = Allowed(configs=False, providers=False, hosts=False, forwarding=False)
    status, body = body_of(refusal(config, allowed=saved_only, **fields))
    error = body["error"]
    assert isinstance(error, dict) and (status, error["code"], body["status"]) == (400, code, "failure")
    assert len(planned("pc-fall", allowed=saved_only).leaves) == 2
    url = refusal(provider="huggingface", authorization="k", huggingface_base_url="https://h.example", allowed=Allowed(hosts=False))
    assert url.reason == "inline_provider_url_blocked"


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (None, {}, "Either x-portkey-config or x-portkey-provider header is required"),
        (None, {"provider": "nope"}, "Invalid provider passed"),
        (None, {"provider": "@nope"}, "Invalid provider passed"),
        (None, {"virtual_key": "nope"}, "Invalid provider passed"),
        ("pc-nope", {}, "Invalid config id passed"),
        ({"retry": {"attempts": 1}}, {}, "Either x-portkey-provider needs to be passed. Or the x-portkey-config header should have a valid"
         " config with provider details in it."),
        ({"provider": "groq"}, {}, "Either x-portkey-provider needs to be passed. Or the x-portkey-config header should have a valid"
         " config with provider details in it."),
        (LEAF, {"default": "pc-fall", "may_override": False}, "Cannot override default config set for this API key."),
        ({"provider": "openai", "api_key": "k", "override_params": {"model": "a b"}}, {}, "Invalid config passed"),
    ],
)  # fmt: skip
def test_refusals_have_portkeys_words(config: object, fields: dict[str, object], message: str) -> None:
    """What cannot be served is refused with status 400 and the words that Portkey has for it."""
    error = refusal(config, **fields)
    status, body = body_of(error)
    assert (status, body["status"], body["message"]) == (400, "failure", message)


def test_default_config_holds_where_none_is_named() -> None:
    """A key's own config serves requests that name none, and others unless it may not be overridden."""
    assert len(planned(default="pc-fall", may_override=False).leaves) == 2
    assert planned(LEAF, default="pc-fall").leaves[0].integration == "inline:config"


def test_saved_config_takes_the_callers_provider() -> None:
    """A saved config without a provider is completed by the fields, and then is the caller's."""
    routed = planned("pc-bare", provider="openai", authorization="Bearer sk-caller")
    target, integration = only(routed)
    assert target.retry is not None and target.retry.attempts == 2
    assert integration.api_key == Secret("sk-caller") and routed.leaves[0].is_checked


@given(st.lists(st.none() | st.floats(0, 1e9, allow_nan=False) | st.integers(0, 10**9), min_size=1, max_size=8))
def test_weights_keep_their_proportion(stated: list[float | None]) -> None:
    """Weights become whole numbers within limits, in their order, and none that counts becomes 0."""
    weights = weights_of(stated)
    shares = [1.0 if weight is None else float(weight) for weight in stated]
    assert len(weights) == len(shares) and max(weights) >= 1 and all(0 <= weight <= 1_000_000 for weight in weights)
    if any(shares):
        assert [weight > 0 for weight in weights] == [share > 0 for share in shares]
        pairs = sorted(zip(shares, weights, strict=True))
        assert [weight for _, weight in pairs] == sorted(weights)


@pytest.mark.parametrize(
    ("model", "address"),
    [
        ("@openai-main/gpt-4o", Address("openai-main", "", "gpt-4o")),
        ("@slug/org/model", Address("slug", "", "org/model")),
        ("@slug", Address("slug", "", "")),
        ("@cf/meta/llama", Address("", "", "@cf/meta/llama")),
        ("@hf/x/y", Address("", "", "@hf/x/y")),
        ("openai/gpt-4o", Address("", "openai", "gpt-4o")),
        ("meta-llama/llama", Address("", "", "meta-llama/llama")),
        ("gpt-4o", Address("", "", "gpt-4o")),
        ("@", Address("", "", "@")),
        ("", Address("", "", "")),
    ],
)
def test_models_are_taken_apart(model: str, address: Address) -> None:
    """"@integration/model" and "provider/model" are told from names that only look so."""
    assert address_of(model) == address


def test_saved_configs_that_do_not_hold_are_named() -> None:
    """A saved config that is wrong is refused with its name, when the file is read."""
    with pytest.raises(Refused) as caught:
        read_saved({"good": LEAF, "bad": {"retry": {}}})
    assert caught.value.param == "bad"


def test_reply_fields_are_portkeys() -> None:
    """A reply says which target answered, after how many repetitions, and what the cache did."""
    assert reply_fields("config.targets[1]", "openai", 2, "MISS") == (
        b"x-portkey-last-used-option-index: config.targets[1]\r\nx-portkey-provider: openai\r\nx-portkey-retry-attempt-count: 2\r\n"
        b"x-portkey-cache-status: MISS\r\n"
    )
    assert b"cache" not in reply_fields("config", "openai", 0)


def test_nothing_shown_of_a_plan_tells_a_key() -> None:
    """A plan printed by accident holds no credential."""
    assert "sk-a" not in repr(planned(LEAF)) + repr(Asked(config="sk-a"))
