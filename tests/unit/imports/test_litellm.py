"""Promises of the import from LiteLLM: the file that comes out holds, and every key of the one that went in is accounted for."""

import json
import sys
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # no stubs among the packages of the tests
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgw.auth.keys import hash_of
from fastgw.cli import main
from fastgw.imports.deployments import Deployments
from fastgw.imports.litellm import import_litellm
from fastgw.imports.report import Report, Unreadable
from fastgw.imports.routing import weights
from fastgw.imports.toml import write_toml
from fastgw.meter.catalog import Catalog
from fastgw.snapshot.config import NANO, Config
from fastgw.snapshot.routes import Breaker, Retry, RouteTimeouts
from tests.unit.imports.accepting import accepted
from tools.compile_prices import compile_prices

VARIABLES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_API_KEY", "GROQ_API_KEY", "KEY", "MASTER")
ENVIRON = {name: "sk-of-the-environment" for name in VARIABLES}
ENVIRON["AZURE_API_BASE"] = "https://res.openai.azure.com/"

Json = dict[str, object]


def imported(tmp_path: Path, config: Mapping[str, object], environ: Mapping[str, str] = ENVIRON) -> tuple[Config, Report, Json]:
    """Import a configuration; the file must hold, and the report must speak of each key once."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    document, report = import_litellm(path, environ)
    told = [entry.key for entry in report.entries]
    assert len(told) == len(set(told))
    for key in keys_of(config):
        assert any(key == one or one.startswith((f"{key}.", f"{key}[")) or key.startswith(f"{one}.") for one in told), key
    return accepted(write_toml(document), environ), report, document


def keys_of(config: Mapping[str, object]) -> list[str]:
    """The keys that a report must speak of: those of the sections, of each deployment and of its parameters."""
    found = []
    for section, value in config.items():
        if isinstance(value, dict):
            found += [f"{section}.{name}" for name in value]
    rows = config.get("model_list", [])
    for at, row in enumerate(rows if isinstance(rows, list) else []):
        for group in ("litellm_params", "model_info"):
            found += [f"model_list[{at}].{group}.{name}" for name in row.get(group, {})]
    return found


def fates(report: Report) -> dict[str, str]:
    return {entry.key: entry.fate for entry in report.entries}


def deployment(name: str, model: str, **params: object) -> Json:
    return {"model_name": name, "litellm_params": {"model": model, **params}}


@pytest.mark.parametrize(
    ("model", "params", "provider", "target"),
    [
        ("openai/gpt-4o", {"api_key": "os.environ/KEY"}, "openai", "gpt-4o"),
        ("gpt-4o", {}, "openai", "gpt-4o"),
        ("claude-sonnet-4-5", {}, "anthropic", "claude-sonnet-4-5"),
        ("azure/dep", {"api_base": "os.environ/AZURE_API_BASE", "api_version": "2024-10-21"}, "azure-openai", "dep"),
        ("azure/o_series/dep", {"api_base": "https://r.openai.azure.com"}, "azure-openai", "dep"),
        ("openai/llama", {"api_base": "http://10.0.0.5:8000/v1", "api_key": "os.environ/KEY"}, "openai-compatible", "llama"),
        ("hosted_vllm/llama", {"api_base": "http://10.0.0.5:8000/v1"}, "vllm", "llama"),
        ("ollama_chat/llama3", {"api_base": "http://localhost:11434"}, "ollama", "llama3"),
        ("groq/llama-3.3-70b", {}, "groq", "llama-3.3-70b"),
        ("openrouter/openai/gpt-4o", {"api_key": "os.environ/KEY"}, "openrouter", "openai/gpt-4o"),
        ("together_ai/meta/llama", {"api_key": "os.environ/KEY"}, "together-ai", "meta/llama"),
        ("bedrock/converse/eu-west-1/anthropic.claude-v2", {}, "bedrock", "anthropic.claude-v2"),
        ("bedrock/anthropic.claude-v2", {"aws_region_name": "us-east-1", "aws_access_key_id": "os.environ/KEY",
                                         "aws_secret_access_key": "os.environ/KEY"}, "bedrock", "anthropic.claude-v2"),
        ("vertex_ai/gemini-2.5-pro", {"vertex_project": "p", "vertex_location": "us-central1"}, "vertex-ai", "gemini-2.5-pro"),
        ("llama", {"custom_llm_provider": "groq"}, "groq", "llama"),
    ],
)  # fmt: skip
def test_providers_are_found(tmp_path: Path, model: str, params: Json, provider: str, target: str) -> None:
    """A prefix, a known beginning or custom_llm_provider says whose the model is, and the rest is its name there."""
    config, report, _ = imported(tmp_path, {"model_list": [deployment("m", model, **params)]})
    (leaf,) = config.models["m"].targets
    assert leaf.model == target
    assert config.integrations[leaf.integration or ""].provider == provider
    assert "left" not in fates(report).values()


def test_addresses_and_regions_come_along(tmp_path: Path) -> None:
    """Addresses are looked up where they are references, and a region in the model's name is the integration's."""
    entries = [
        deployment("a", "azure/dep", api_base="os.environ/AZURE_API_BASE", api_version="2024-10-21", api_key="os.environ/AZURE_API_KEY"),
        deployment("b", "bedrock/eu-west-1/anthropic.claude-v2"),
        deployment("c", "vertex_ai/gemini-2.5-pro", vertex_project="p", vertex_credentials="/etc/sa.json"),
        deployment("d", "azure/x", api_base="os.environ/NOT_SET"),
    ]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"model_list": entries}), encoding="utf-8")
    document, report = import_litellm(path, ENVIRON)
    integrations = document["integrations"]
    assert isinstance(integrations, dict)
    assert integrations["azure-openai-res"] == {
        "provider": "azure-openai", "base_url": "https://res.openai.azure.com", "api_version": "2024-10-21", "api_key": "env:AZURE_API_KEY",
    }  # fmt: skip
    assert integrations["bedrock"]["aws"] == {"region": "eu-west-1"}
    assert integrations["vertex-ai"]["google"] == {"project": "p", "service_account": "file:/etc/sa.json"}
    assert fates(report)["model_list[0].litellm_params.api_base"] == "changed"
    assert fates(report)["model_list[3].litellm_params.api_base"] == "left"


def test_secrets_stay_references_or_are_warned_of(tmp_path: Path) -> None:
    """os.environ/X becomes env:X; a secret in plain text stays one, with a warning, and is never in the report."""
    config, report, document = imported(
        tmp_path,
        {"model_list": [deployment("a", "openai/a", api_key="os.environ/KEY"), deployment("b", "openai/b", api_key="sk-very-secret")]},
    )
    keys = [one.api_key for one in config.integrations.values()]
    assert [key.origin for key in keys if key] == ["env:KEY", "literal"]
    assert "sk-very-secret" in write_toml(document) and "sk-very-secret" not in report.json() + "\n".join(report.table())
    assert any("model_list[1].litellm_params.api_key is a secret in plain text" in warning for warning in report.warnings)


def test_same_integration_is_made_once(tmp_path: Path) -> None:
    """Entries with the same provider, address and credentials share an integration."""
    entries = [deployment(name, f"openai/{name}", api_key="os.environ/KEY") for name in ("a", "b", "c")]
    config, _, _ = imported(tmp_path, {"model_list": [*entries, deployment("d", "openai/d", api_key="os.environ/MASTER")]})
    assert list(config.integrations) == ["openai", "openai-2"]


@pytest.mark.parametrize(
    ("strategy", "ours"),
    [("simple-shuffle", "weighted"), ("least-busy", "least_busy"), ("latency-based-routing", "latency"), ("cost-based-routing", "cost"),
     ("usage-based-routing-v2", "least_busy"), ("lar1", "weighted")],
)  # fmt: skip
def test_groups_are_balanced(tmp_path: Path, strategy: str, ours: str) -> None:
    """The same name twice is a group, whose strategy is the router's; weights are its weights, or its requests a minute."""
    entries = [deployment("m", "openai/a", rpm=600), deployment("m", "anthropic/b", rpm=200)]
    config, report, _ = imported(tmp_path, {"model_list": entries, "router_settings": {"routing_strategy": strategy}})
    model = config.models["m"]
    assert model.strategy == ours and [target.model for target in model.targets] == ["a", "b"]
    if ours == "weighted":
        assert [target.weight for target in model.targets] == [600, 200]
    assert fates(report)["router_settings.routing_strategy"] == ("left" if strategy == "lar1" else "changed")


def test_orders_are_tiers(tmp_path: Path) -> None:
    """Deployments of a lower order come first, those of one order share the requests."""
    entries = [
        deployment("m", "openai/late", order=2),
        deployment("m", "openai/a", order=1, weight=1),
        deployment("m", "groq/b", order=1, weight=3),
    ]
    config, _, _ = imported(tmp_path, {"model_list": entries})
    first, second = config.models["m"].targets
    assert config.models["m"].strategy == "fallback" and first.strategy == "weighted" and second.model == "late"
    assert [(target.model, target.weight) for target in first.targets] == [("a", 1), ("b", 3)]


def test_fallbacks_are_nodes_around_the_group(tmp_path: Path) -> None:
    """Context and content fallbacks stand inside the general ones; defaults are for models that have none of their own."""
    config, report, _ = imported(
        tmp_path,
        {
            "model_list": [deployment(name, f"openai/{name}") for name in ("a", "b", "c", "d")],
            "litellm_settings": {
                "fallbacks": [{"a": ["b", "nowhere", {"model": "d"}]}],
                "context_window_fallbacks": [{"a": ["c"]}],
                "content_policy_fallbacks": [{"b": ["d"]}],
                "default_fallbacks": ["d"],
            },
        },
    )
    outer = config.models["a"]
    assert outer.strategy == "fallback" and [target.model for target in outer.targets] == [None, "b", "d"]
    inner = outer.targets[0]
    assert (inner.on_errors, inner.on_status, [target.model for target in inner.targets]) == (("context_window",), (), ["a", "c"])
    assert config.models["b"].targets[0].on_errors == ("content_policy",)
    assert [target.model for target in config.models["c"].targets] == ["c", "d"]
    assert (config.models["d"].strategy, [target.model for target in config.models["d"].targets]) == ("single", ["d"])
    assert "a falls back to nowhere, which no entry of model_list is" in report.warnings


def test_router_settings_become_retry_breaker_and_timeouts(tmp_path: Path) -> None:
    """Retries, timeouts in seconds, allowed failures and cool-downs hold for every model; a deployment's own win."""
    config, _, _ = imported(
        tmp_path,
        {
            "model_list": [deployment("a", "openai/a"), deployment("b", "openai/b", timeout="1.5", max_retries=4)],
            "router_settings": {"num_retries": 2, "timeout": 30, "allowed_fails": 3, "cooldown_time": 60, "model_group_alias": {"x": "a"}},
        },
    )
    first, second = config.models["a"], config.models["b"]
    assert first.retry == Retry(attempts=2) and first.timeouts == RouteTimeouts(first_byte_ms=30_000)
    assert first.breaker == Breaker(failures=4, cooldown_ms=60_000)
    assert second.retry == Retry(attempts=4) and second.targets[0].timeouts == RouteTimeouts(first_byte_ms=1_500)
    assert config.models["x"] == first


def test_retry_policy_and_cooldowns(tmp_path: Path) -> None:
    """A policy by kinds of failure becomes statuses and kinds; cool-downs can be off."""
    policy = {"RateLimitErrorRetries": 3, "TimeoutErrorRetries": 0, "InternalServerErrorRetries": 1}
    router = {"retry_policy": policy, "disable_cooldowns": True}
    config, _, _ = imported(tmp_path, {"model_list": [deployment("a", "openai/a")], "router_settings": router})
    retry = config.models["a"].retry
    assert retry is not None and (retry.attempts, retry.on_status) == (3, (429, 500, 502, 503, 504))
    assert retry.on_errors == ("rate_limit", "server", "overloaded", "connection")
    assert config.models["a"].breaker == Breaker(failures=0, failure_percent=0)


def test_prices_are_by_the_million(tmp_path: Path) -> None:
    """Prices for a token become exact dollars per million, wherever they stand; limits of a model are the model's."""
    entries: list[Json] = [
        deployment("a", "openai/a", input_cost_per_token=0.0000025, output_cost_per_token="1e-5"),
        deployment("b", "openai/b")
        | {"model_info": {"input_cost_per_token": 1e-7, "max_input_tokens": 128000, "max_tokens": 4096, "mode": "chat"}},
        deployment("c", "openai/a", input_cost_per_token=1),
    ]
    config, report, _ = imported(tmp_path, {"model_list": entries})
    assert (config.prices["openai/a"].input, config.prices["openai/a"].output) == (Decimal("2.5"), Decimal(10))
    assert (config.prices["openai/b"].input, config.prices["openai/b"].output) == (Decimal("0.1"), Decimal(0))
    assert (config.models["b"].context_tokens, config.models["b"].max_output_tokens) == (128_000, 4096)
    assert any('prices "openai/a" otherwise' in warning for warning in report.warnings)


def test_deployment_has_the_price_of_its_model(tmp_path: Path) -> None:
    """A deployment whose name says nothing has the price of its base_model, as the table has it."""
    compile_prices(tmp_path / "prices.json")
    catalog = Catalog.load(tmp_path / "prices.json")
    made = Deployments(Report(), ENVIRON, {}, lambda: catalog)
    entry = deployment("a", "azure/our-dep", api_base="https://r.openai.azure.com") | {"model_info": {"base_model": "azure/gpt-4o"}}
    made.read(entry, "model_list[0]")
    row = catalog.find("azure-openai", "gpt-4o")
    assert row is not None and len(row.tiers) == 1
    assert made.prices["azure-openai/our-dep"]["input"] == Decimal(row.tiers[0][1]) / NANO
    unknown = entry | {"model_info": {"base_model": "azure/nobody-knows"}, "litellm_params": {"model": "azure/x", "api_base": "https://r.example"}}
    made.read(unknown, "model_list[1]")
    assert "azure-openai/x" not in made.prices and fates(made.report)["model_list[1].model_info.base_model"] == "left"


def test_settings_of_the_proxy(tmp_path: Path) -> None:
    """The master key is a key, kept as its hash; budgets, sizes and records become settings of ours."""
    config, report, document = imported(
        tmp_path,
        {
            "general_settings": {
                "master_key": "sk-1234", "max_request_size_mb": 10, "global_max_parallel_requests": 50, "database_url": "postgres:x",
                "store_prompts_in_spend_logs": True, "maximum_spend_logs_retention_period": "14d",
            },
            "litellm_settings": {
                "max_budget": 100.5, "budget_duration": "1mo", "set_verbose": True, "callbacks": ["prometheus"],
                "drop_params": False,
            },
            "model_list": [deployment("a", "openai/a"), deployment("b", "openai/b", drop_params=True)],
        },
    )  # fmt: skip
    assert config.keys[0].hash == hash_of("sk-1234") and "sk-1234" not in write_toml(document)
    assert config.gateway.max_body_bytes == 10 * 2**20 and config.gateway.log_level == "debug"
    assert (config.gateway.record.payloads, config.gateway.record.retention_days) == ("all", 14)
    workspace = config.workspaces["default"]
    assert [(budget.usd, budget.window) for budget in workspace.budget] == [(Decimal("100.5"), "month")]
    assert workspace.max_parallel == 50
    assert [config.models[name].targets[0].unsupported for name in ("a", "b")] == ["error", "drop"]
    assert {key for key, fate in fates(report).items() if fate == "left"} == {"general_settings.database_url"}
    referred, _, _ = imported(tmp_path, {"general_settings": {"master_key": "os.environ/MASTER"}})
    assert referred.keys[0].key is not None and referred.keys[0].key.origin == "env:MASTER"


REDIS = {"type": "redis", "host": "cache.internal", "port": 6380, "ttl": 600, "namespace": "june"}


@pytest.mark.parametrize(
    ("params", "redis"),
    [
        (REDIS, "redis://cache.internal:6380"), (REDIS | {"ssl": True}, "rediss://cache.internal:6380"),
        (REDIS | {"password": "os.environ/KEY"}, "env:REDIS_URL"), (REDIS | {"password": "secret"}, "env:REDIS_URL"),
        ({"type": "redis", "url": "os.environ/CACHE"}, "env:CACHE"), ({"type": "redis", "url": "redis://a:6379"}, "redis://a:6379"),
        ({"type": "redis", "url": "redis://:secret@a:6379"}, "env:REDIS_URL"), ({}, "env:REDIS_URL"), ({"type": "local"}, None),
    ],
)  # fmt: skip
def test_cache(tmp_path: Path, params: Mapping[str, object], redis: str | None) -> None:
    """The cache of all models, where its replies are kept; what is a secret is not written down."""
    environ = ENVIRON | {"REDIS_URL": "redis://:secret@a", "CACHE": "redis://b"}
    settings: dict[str, object] = {"cache": True} | ({"cache_params": params} if params else {})
    config, _, document = imported(
        tmp_path, {"litellm_settings": settings, "model_list": [deployment("a", "openai/a"), deployment("b", "openai/b")]}, environ
    )
    origin = config.gateway.cache.redis
    written = tomllib.loads(write_toml(document)).get("gateway", {}).get("cache", {})
    assert written.get("redis") == redis and (origin is None) == (redis is None) and "secret" not in write_toml(document)
    for model in config.models.values():
        assert model.cache is not None and (model.cache.mode, model.cache.namespace) == ("exact", str(params.get("namespace", "")))
    assert config.gateway.cache.max_age_s == params.get("ttl", 3600)


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"cache": True, "cache_params": {"type": "redis-semantic", "similarity_threshold": 0.8}}, True),
        ({"cache": True, "cache_params": {"type": "local", "mode": "default_off"}}, True),
        ({"cache": False}, False),
    ],
)
def test_cache_that_has_no_equal(tmp_path: Path, settings: Mapping[str, object], left: bool) -> None:
    """A cache by likeness, or one that requests turn on, is left out and said to be."""
    config, report, _ = imported(tmp_path, {"litellm_settings": settings, "model_list": [deployment("a", "openai/a")]})
    assert config.models["a"].cache is None
    assert (fates(report)["litellm_settings.cache"] == "left") is left


def test_cache_of_certain_calls(tmp_path: Path) -> None:
    """Which calls are kept."""
    params = {"type": "local", "supported_call_types": ["acompletion", "aembedding", "atranscription"]}
    config, _, _ = imported(
        tmp_path, {"litellm_settings": {"cache": True, "cache_params": params}, "model_list": [deployment("a", "openai/a")]}
    )
    cache = config.models["a"].cache
    assert cache is not None and cache.operations == ("chat", "messages", "generate", "embeddings", "embed")


def test_wildcards_and_strange_names(tmp_path: Path) -> None:
    """A wildcard is an integration without a list; a name that is none here is changed, and that is said."""
    config, report, _ = imported(tmp_path, {"model_list": [deployment("openai/*", "openai/*"), deployment("my model!", "groq/x")]})
    assert list(config.integrations) == ["openai", "groq"] and list(config.models) == ["my-model"]
    notes = {entry.key: entry.note for entry in report.entries}
    assert notes["model_list[1].model_name"] == 'callers must name it "my-model"'
    assert fates(report)["model_list[0].model_name"] == "changed"


def test_credentials_and_includes(tmp_path: Path) -> None:
    """Named credentials and included files are put together as LiteLLM does."""
    more = {"model_list": [deployment("b", "groq/b")], "general_settings": {"alerting": ["slack"]}}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(more))
    credential = {"api_base": "https://r.openai.azure.com", "api_key": "os.environ/KEY"}
    config, report, _ = imported(
        tmp_path,
        {
            "include": ["more.yaml"],
            "model_list": [deployment("a", "azure/a", litellm_credential_name="main")],
            "credential_list": [{"credential_name": "main", "credential_values": credential}],
            "environment_variables": {"GROQ_API_KEY": "gsk-secret"},
        },
    )
    assert sorted(config.models) == ["a", "b"]
    assert config.integrations["azure-openai-r"].base_url == "https://r.openai.azure.com"
    assert fates(report)["general_settings.alerting"] == "left"
    assert fates(report)["model_list[0].litellm_params.litellm_credential_name"] == "changed"
    assert any("set GROQ_API_KEY in the environment" in warning for warning in report.warnings) and "gsk-secret" not in report.json()


def test_unknown_providers_leave_their_deployment_out(tmp_path: Path) -> None:
    """What has no place here is left out whole, and each of its keys is reported."""
    entries = [deployment("a", "petals/x", api_key="os.environ/KEY"), deployment("b", "openai-compatible/y"), {"model_name": "c"}]
    config, report, _ = imported(tmp_path, {"model_list": entries})
    assert not config.models and not config.integrations
    assert set(fates(report).values()) == {"left"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_list: [", r"config.yaml:\d+: expected YAML, found something else"),
        ("- a\n", "expected a mapping with model_list and the like, found list"),
        ("a: 1\n", "expected a configuration of LiteLLM with one of general_settings"),
        ("a: !!python/object:os.system {}\n", "expected YAML, found something else"),
        ("include: [config.yaml]\nmodel_list: []\n", "found a circle"),
        ("include: [none.yaml]\nmodel_list: []\n", "none.yaml: expected a file that can be read"),
    ],
)
def test_wrong_files_end_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """A file that is none of LiteLLM's is refused with one clear line, and nothing is written."""
    path, output = tmp_path / "config.yaml", tmp_path / "fastgw.toml"
    path.write_text(text)
    with pytest.raises(Unreadable, match=message):
        import_litellm(path, {})
    result = CliRunner().invoke(main, ["import", "litellm", str(path), "--output", str(output)])
    assert result.exit_code == 1 and result.output.count("\n") == 1 and result.output.startswith("Error: ")
    assert not output.exists()


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """What is not UTF-8 is refused with its line."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"model_list:\n  - \xff\n")
    with pytest.raises(Unreadable, match="config.yaml:2: expected UTF-8"):
        import_litellm(path, {})


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyYAML the import says what to install."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(Unreadable, match=r"PyYAML: pip install \"fastgw\[import\]\""):
        import_litellm(tmp_path / "config.yaml", {})


def test_command_writes_the_file_and_reports(tmp_path: Path) -> None:
    """The command writes a file that only its owner reads, prints a table or JSON, warns, and does not write over anything unasked."""
    path, output = tmp_path / "config.yaml", tmp_path / "fastgw.toml"
    config = {"model_list": [deployment("a", "openai/a", api_key="sk-secret")], "litellm_settings": {"json_logs": True}}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    arguments = ["import", "litellm", str(path), "--output", str(output)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0 and "4 keys: 2 taken, 1 changed, 1 not supported" in result.stdout
    assert "warning: litellm_settings.json_logs is not supported" in result.stderr and "sk-secret" not in result.output
    assert output.stat().st_mode & 0o777 == 0o600
    assert accepted(output.read_text(encoding="utf-8"), {}).models["a"].strategy == "single"
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 1 and "exists: name another file" in again.output
    as_json = CliRunner().invoke(main, [*arguments, "--force", "--json"])
    report = json.loads(as_json.stdout)
    assert {row["result"] for row in report["keys"]} == {"taken", "changed", "not supported"} and len(report["warnings"]) == 1


@given(st.lists(st.none() | st.decimals(0, 10**7, allow_nan=False, places=3), min_size=1, max_size=6))
def test_weights_are_whole_and_in_proportion(stated: list[Decimal | None]) -> None:
    """Weights become whole numbers from 0 to a million, in their order; where one is not stated, all are alike."""
    whole = weights(stated)
    assert len(whole) == len(stated) and all(0 <= weight <= 1_000_000 for weight in whole) and any(whole)
    known = [weight for weight in stated if weight is not None]
    if len(known) == len(stated) and any(known):
        assert [weight > 0 for weight in whole] == [weight > 0 for weight in known]
        assert [weight for _, weight in sorted(zip(known, whole, strict=True))] == sorted(whole)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("os.environ/KEY"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PARAMS = st.dictionaries(
    st.sampled_from(["model", "api_base", "api_key", "rpm", "order", "timeout", "weight", "aws_region_name", "input_cost_per_token"]),
    ANYTHING | st.sampled_from(["openai/x", "azure/y", "https://h.example/v1", 1, "2"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fixed_dictionaries({"model_name": st.text(max_size=5), "litellm_params": PARAMS}), max_size=3), ANYTHING, ANYTHING)
def test_any_yaml_is_imported_or_refused(tmp_path: Path, entries: list[Json], router: object, general: object) -> None:
    """No value of a key raises anything, whatever its type; what comes out is TOML."""
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"model_list": entries, "router_settings": router, "general_settings": general}), encoding="utf-8")
    document, _ = import_litellm(path, {})
    write_toml(document)
