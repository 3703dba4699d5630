"""Promises of Portkey's config JSON: what it accepts is read, what it refuses is refused in its words, what it does not know is named."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.portkey.config import Breaker, Cache, Condition, Config, Retry, Sticky, nodes, read_config
from fastgw.portkey.refusal import Refused, body_of
from fastgw.snapshot.hosts import HostRules, read_rules

LEAF = {"provider": "openai", "api_key": "sk"}
NEEDED = (
    "Invalid configuration. It must have either 'provider' and 'api_key', or 'strategy' and 'targets', or 'cache', or 'retry', or"
    " 'request_timeout'"
)


def errors_of(config: object, hosts: HostRules | None = None) -> list[str]:
    """What is said of a config that must be refused."""
    with pytest.raises(Refused, match="^Invalid config passed$") as caught:
        read_config(json.dumps(config), hosts)
    status, body = body_of(caught.value)
    assert (status, body["status"], body["message"]) == (400, "failure", "Invalid config passed")
    errors = body["errors"]
    assert isinstance(errors, list)
    return errors


# Configs from Portkey's documentation and the tests of its client, in their own words; nothing of them may be unknown.
ACCEPTED: tuple[object, ...] = (
    LEAF,
    {"virtual_key": "openai-main"},
    {"provider": "@openai-main"},
    {"cache": {"mode": "semantic", "max_age": 3600}, "provider": "ollama"},
    {"strategy": {"mode": "single"}, "targets": [LEAF]},
    {"strategy": {"mode": "fallback", "on_status_codes": [429, 241]}, "targets": [LEAF, {"virtual_key": "b"}]},
    {"strategy": {"mode": "loadbalance"}, "targets": [LEAF | {"weight": 0.7}, {"virtual_key": "b", "weight": 0.3}]},
    {
        "strategy": {
            "mode": "conditional",
            "conditions": [{"query": {"metadata.user_plan": {"$eq": "paid"}}, "then": "a"}],
            "default": "b",
        },
        "targets": [LEAF | {"name": "a"}, {"name": "b", "virtual_key": "v"}],
    },
    {"retry": {"attempts": 3, "on_status_codes": [429], "use_retry_after_headers": True}, "request_timeout": 10000},
    {"override_params": {"model": "@openai/gpt-4o", "temperature": 0}, "default_params": {"top_p": 1}, "drop_params": ["tools[0]"]},
    {"input_guardrails": ["g-1"], "output_guardrails": [{"default.contains": {"words": ["x"]}, "deny": True}]},
    {"before_request_hooks": [{"id": "x", "checks": []}], "input_mutators": ["m"]},
    {"provider": "azure-openai", "resource_name": "r", "deployment_id": "d", "api_version": "v", "api_key": "k"},
    {"provider": "vertex-ai", "vertex_region": "us-central1", "vertex_service_account_json": {"type": "service_account"}},
    {"provider": "bedrock", "aws_access_key_id": "a", "aws_secret_access_key": "s", "aws_region": "us-east-1"},
    {"provider": "openai", "api_key": "k", "openai_project": "p", "strict_open_ai_compliance": False, "forward_headers": ["X-A"]},
)


@pytest.mark.parametrize("config", ACCEPTED, ids=lambda config: json.dumps(config)[:40])
def test_what_portkey_accepts_is_read_whole(config: object) -> None:
    """Every config of Portkey's own is read, and nothing in it is unknown."""
    assert read_config(json.dumps(config)).unknown == ()


def test_members_become_fields() -> None:
    """Each member comes out with its type, with Portkey's defaults where it states nothing."""
    config = read_config(
        {
            "strategy": {
                "mode": "loadbalance",
                "sticky": {"enabled": True, "hash_fields": ["metadata.user"]},
                "cb_config": {"failure_threshold": 5, "failure_threshold_percentage": 20, "cooldown_interval": 60000},
            },
            "targets": [LEAF | {"weight": Decimal("0.5"), "retry": {"attempts": 2.0}}, {"virtual_key": "v", "cache": {"mode": "simple"}}],
            "forward_headers": ["X_Custom"],
        }
    )
    assert config.strategy is not None
    assert config.strategy.sticky == Sticky(True, ("metadata.user",), 300)
    assert config.strategy.breaker == Breaker(5, 20, 60_000)
    assert config.forward_headers == ("x-custom",)
    first, second = config.targets
    assert (first.weight, first.retry) == (0.5, Retry(2, (429, 500, 502, 503, 504), False))
    assert second.cache == Cache("simple", None)
    assert [one.virtual_key or one.provider for one in nodes(config)] == ["", "openai", "v"]


def test_camel_case_is_snake_case() -> None:
    """Members may be written either way, as the gateway turns one into the other; in what is kept verbatim nothing is turned."""
    config = read_config('{"overrideParams":{"maxTokens":1},"retry":{"attempts":1,"onStatusCodes":[429]},"awsRegion":"x"}')
    assert config.override_params == {"maxTokens": 1}
    assert config.retry == Retry(1, (429,)) and config.settings == {"aws_region": "x"} and config.unknown == ()
    both = read_config('{"virtualKey":"camel","virtual_key":"snake"}')
    assert both.virtual_key == "snake"


def test_unknown_members_are_named_not_refused() -> None:
    """What is unknown is tolerated, with its path."""
    strategy = {"mode": "single", "x": 1}
    config = read_config({"cache": {"mode": "simple", "ttl": 1}, "foo": 1, "strategy": strategy, "targets": [LEAF | {"y": 2}]})
    assert config.unknown == ("cache.ttl", "foo", "strategy.x", "targets.0.y")


def test_conditions_stay_as_they_are() -> None:
    """A query is kept verbatim: its members are the caller's names."""
    config = read_config(ACCEPTED[7])  # type: ignore[arg-type]  # a dict of the tuple of objects
    assert config.strategy is not None
    assert config.strategy.conditions == (Condition({"metadata.user_plan": {"$eq": "paid"}}, "a"),)


@pytest.mark.parametrize(
    ("config", "errors"),
    [
        ({}, [f"path: , message: {NEEDED}"]),
        ({"foo": 1}, [f"path: , message: {NEEDED}"]),
        ({"targets": [LEAF]}, [f"path: , message: {NEEDED}"]),
        ({"strategy": {"mode": "fallback"}, "targets": []}, [f"path: , message: {NEEDED}"]),
        ({"strategy": {"mode": "x"}, "targets": [LEAF]},
         ["path: strategy,mode, message: Invalid 'mode' value. Must be one of: single, loadbalance, fallback, conditional"]),
        ({"strategy": {}, "targets": [LEAF]}, ["path: strategy,mode, message: Required"]),
        ({"strategy": {"mode": "fallback"}, "targets": [LEAF, {"retry": {}}]}, ["path: targets,1,retry,attempts, message: Required"]),
        ({"strategy": {"mode": "fallback"}, "targets": [1]}, ["path: targets,0, message: Expected object, received number"]),
        ({"cache": {"mode": "x"}}, ["path: cache,mode, message: Invalid 'cache.mode' value. Must be one of: simple, semantic"]),
        ({"cache": "simple"}, ["path: cache, message: Expected object, received string"]),
        ({"request_timeout": "1"}, ["path: request_timeout, message: Expected number, received string"]),
        ({"request_timeout": None}, ["path: request_timeout, message: Expected number, received null"]),
        ({"api_key": 1, "weight": True},
         ["path: api_key, message: Expected string, received number", "path: weight, message: Expected number, received boolean"]),
        ({"weight": -1, "virtual_key": "v"}, ["path: weight, message: Number must be greater than or equal to 0"]),
        ({"forward_headers": "x"}, ["path: forward_headers, message: Expected array, received string"]),
        ({"forward_headers": ["X-Portkey-Forward-Headers"]},
         ["path: forward_headers, message: forward_headers must not contain the 'x-portkey-forward-headers' header"]),
        ({"strategy": {"mode": "conditional", "conditions": [{"query": 1}]}, "targets": [LEAF]},
         ["path: strategy,conditions,0,query, message: Expected object, received number",
          "path: strategy,conditions,0,then, message: Required"]),
        ({"strategy": {"mode": "loadbalance", "sticky": {"enabled": True, "hash_fields": ["user"]}}, "targets": [LEAF]},
         ['path: strategy,sticky,hash_fields,0, message: hash_fields must start with "metadata.", "params.", or "headers."']),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_validators_words(config: object, errors: list[str]) -> None:
    """Every issue is named with its path and the words that clients know."""
    assert errors_of(config) == errors


def test_wrong_provider_is_told_the_names() -> None:
    """A provider that nobody knows is refused with those that there are; "@slug" is always one."""
    (issue,) = errors_of({"provider": "nope"})
    assert issue.startswith("path: provider, message: Invalid 'provider' value. Must be one of: 302ai, ai21, ")
    assert errors_of({"provider": "@"})


def test_vertex_needs_a_place() -> None:
    """Vertex needs a region, and a project or a service account."""
    (issue,) = errors_of({"provider": "vertex-ai", "api_key": "k", "vertex_region": "r"})
    assert "'vertex_project_id' and 'vertex_region'" in issue


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Invalid config passed. You need to pass a valid json"),
        ("[]", "Invalid config passed. You need to pass a valid json"),
        ("pc-my-config", "Invalid config passed. You need to pass a valid json"),
        ('{"weight": NaN}', "Invalid config passed. You need to pass a valid json"),
        ('{"weight": 1e999}', "Invalid config passed. You need to pass a valid json"),
        ("[" * 100_000, "Invalid config passed. You need to pass a valid json"),
        ("\udcff", "Invalid config passed. You need to pass a valid json"),
        ('{"options": [{}]}', "This version of config is not supported in this route. Please migrate to the latest version"),
    ],
)
def test_text_that_is_no_config_is_refused(text: str, message: str) -> None:
    """What is not JSON, or of the oldest form, is refused in Portkey's words."""
    with pytest.raises(Refused) as caught:
        read_config(text)
    assert caught.value.message == message


def test_hosts_of_callers_are_checked_everywhere() -> None:
    """A caller's config names no host inside, at any depth; an operator's may, and a listed host is fine."""
    config = {"strategy": {"mode": "fallback"}, "targets": [LEAF, LEAF | {"custom_host": "http://127.0.0.1:9/v1"}]}
    assert errors_of(config, HostRules()) == [
        "path: targets,1, message: Invalid custom host (expected a public address, got a loopback one)"
    ]
    assert read_config(config).targets[1].host_is_callers is False
    assert read_config(config, read_rules(["127.0.0.0/8"])).targets[1].host_is_callers is True


@pytest.mark.parametrize(("mode", "most"), [("fallback", 100), ("conditional", 1000)])
def test_targets_are_bounded(mode: str, most: int) -> None:
    """There are at most so many targets as Portkey takes, at the root and below."""
    strategy = {"mode": mode, "conditions": []}
    read_config({"strategy": strategy, "targets": [LEAF] * most})
    assert errors_of({"strategy": strategy, "targets": [LEAF] * (most + 1)}) == [
        f"path: targets, message: Array must contain at most {most} element(s)"
    ]
    if mode == "fallback":
        nested = {"strategy": strategy, "targets": [{"strategy": strategy, "targets": [LEAF] * 51}]}
        assert errors_of(nested) == ["path: targets,0,targets, message: Array must contain at most 50 element(s)"]


def test_nesting_is_bounded() -> None:
    """Targets in targets end at a depth that nobody needs, with an issue."""
    config: dict[str, object] = dict(LEAF)
    for _ in range(8):
        config = {"strategy": {"mode": "fallback"}, "targets": [config]}
    read_config(config)
    (issue,) = errors_of({"strategy": {"mode": "fallback"}, "targets": [config]})
    assert issue.endswith("Targets can be nested at most 8 deep")


def test_no_repr_tells_a_key() -> None:
    """What is printed of a config holds no credential."""
    config = read_config({"provider": "bedrock", "api_key": "sk-secret", "aws_secret_access_key": "sk-secret"})
    assert "sk-secret" not in repr(config)


WORDS = ["openai", "fallback", "simple"]
MEMBERS = [
    "strategy", "mode", "targets", "retry", "attempts", "cache", "provider", "weight", "sticky", "cb_config", "conditions", "query", "then",
    "override_params", "request_timeout", "custom_host", "x",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_any_json_is_read_or_refused(config: dict[str, object]) -> None:
    """No JSON raises anything but a refusal that names at least one issue."""
    try:
        read = read_config(json.dumps(config), HostRules())
    except Refused as error:
        assert error.errors or error.message != "Invalid config passed"
        return
    assert isinstance(read, Config)
