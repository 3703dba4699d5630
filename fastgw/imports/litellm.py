"""Import LiteLLM's config.yaml.

source  LiteLLM 1.106, litellm/proxy and router.py; docs/import.md lists what becomes of each key
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastgw.auth.keys import hash_of
from fastgw.imports import values
from fastgw.imports.caching import read_cache
from fastgw.imports.deployments import Deployments, Table
from fastgw.imports.report import Keys, Report, Unreadable
from fastgw.imports.routing import ROUTER_REASONS, Routing
from fastgw.imports.source import read_yaml

IN_DATABASE: Final = "keys, teams and users of LiteLLM's database are not in this file: make keys with fastgw key create"
SETTINGS_REASONS: Final = MappingProxyType(
    {
        "json_logs": "see [gateway.record] for records as lines of JSON",
        "max_end_user_budget": "budgets are set for keys and workspaces",
        "default_key_generate_params": IN_DATABASE,
        "upperbound_key_generate_params": IN_DATABASE,
        "default_team_settings": IN_DATABASE,
        "default_internal_user_params": IN_DATABASE,
        "turn_off_message_logging": "bodies are kept only where [gateway.record] payloads says so",
        "redact_user_api_key_info": "records hold the names of keys, never keys",
        "timezone": "windows of budgets are UTC's",
    }
)
GENERAL_REASONS: Final = MappingProxyType(
    {
        "database_url": IN_DATABASE,
        "database_connection_pool_limit": "the store is embedded",
        "store_model_in_db": "models are in the file",
        "proxy_batch_write_at": "the ledger is written at once, in memory that workers share",
        "allow_requests_on_db_unavailable": "no request waits for a database",
        "use_redis_transaction_buffer": "workers share memory, and one machine needs no Redis",
        "background_health_checks": "targets are judged by the requests that they serve",
        "health_check_interval": "targets are judged by the requests that they serve",
        "alerting": "metrics and records are what to alert on",
        "alerting_threshold": "metrics and records are what to alert on",
        "custom_auth": "callers are known by keys",
        "enable_jwt_auth": "callers are known by keys",
        "litellm_jwtauth": "callers are known by keys",
        "user_header_name": "no users of callers yet",
        "pass_through_endpoints": "paths under /v1/ that fastgw does not know pass to an integration as they are",
        "key_management_system": 'secrets are "env:" or "file:"',
        "salt_key": "nothing is encrypted with it",
    }
)
ROOT_REASONS: Final = MappingProxyType(
    {
        "guardrails": "no guardrails in this file yet",
        "mcp_servers": "no MCP servers in this file yet",
        "prompts": "fastgw keeps no prompts",
        "vector_store_registry": "fastgw keeps no vector stores",
        "search_tools": "fastgw has no search tools",
        "finetune_settings": "paths under /v1/ pass to an integration as they are",
        "files_settings": "files and batches pass to an integration as they are",
        "callback_settings": "see docs/metrics.md and docs/records.md",
    }
)


def import_litellm(path: Path, environ: Mapping[str, str]) -> tuple[Table, Report]:
    """The document that does what the file says, and what became of each of its keys.

    environ  for addresses and numbers, which are no references in our file; secrets stay references
    raises   Unreadable
    """
    report = Report()
    root = Keys(read_yaml(path), "", report)
    known = {"model_list", "litellm_settings", "router_settings", "general_settings"}
    if known.isdisjoint(root.value):
        raise Unreadable(f"{path}: expected a configuration of LiteLLM with one of {', '.join(sorted(known))}, found none of them")
    variables = values.table(root.get("environment_variables"))
    seen = dict(environ) | {name: str(value) for name, value in variables.items() if values.reference_of(value) is None}
    for name in variables:
        report.add(f"environment_variables.{name}", "changed", "set it in the environment of fastgw")
        report.warn(f"set {name} in the environment of fastgw: it is in plain text in {path.name}")
    root.said.add("environment_variables")
    document: Table = {}
    routing = Routing(report, seen)
    settings = Keys(values.table(root.get("litellm_settings")), "litellm_settings", report)
    cache = read_cache(settings, document, seen)
    read_settings(settings, routing, document, seen)
    router = Keys(values.table(root.get("router_settings")), "router_settings", report)
    routing.read(router)
    router.rest(ROUTER_REASONS)
    read_general(Keys(values.table(root.get("general_settings")), "general_settings", report), document, seen)
    read_models(root, routing, cache, document, seen)
    root.said |= known | {"credential_list"}
    root.rest(ROOT_REASONS)
    order = ("gateway", "integrations", "models", "prices", "workspaces", "keys")
    return {name: document[name] for name in order if document.get(name)}, report


def read_models(root: Keys, routing: Routing, cache: Table, document: Table, environ: Mapping[str, str]) -> None:
    """model_list and credential_list."""
    credentials: dict[str, Table] = {}
    rows = root.get("credential_list")
    for at, row in enumerate(rows if isinstance(rows, list) else []):
        name = values.table(row).get("credential_name")
        if isinstance(name, str):
            credentials[name] = values.table(values.table(row).get("credential_values"))
            root.report.add(f"credential_list[{at}]", "changed", "a part of each integration that names it")
    made = Deployments(root.report, environ, credentials)
    entries = root.get("model_list")
    entries = entries if isinstance(entries, list) else []
    read = [made.read(entry, f"model_list[{at}]") for at, entry in enumerate(entries)]
    document["integrations"] = made.integrations
    models = routing.models([one for one in read if one is not None])
    document["models"] = {name: model | ({"cache": cache} if cache else {}) for name, model in models.items()}
    document["prices"] = made.prices


def read_settings(keys: Keys, routing: Routing, document: Table, environ: Mapping[str, str]) -> None:
    """litellm_settings."""
    routing.read(keys)
    drops = keys.get("drop_params")
    if isinstance(drops, bool):
        routing.drops = drops
        keys.changed("drop_params", 'unsupported = "drop", the default' if drops else 'unsupported = "error" at each target')
    if keys.get("set_verbose") is True:
        put(document, "gateway", "log_level", "debug")
    keys.changed("set_verbose", "gateway.log_level")
    usd, window = values.number(keys.get("max_budget"), environ), values.window(keys.get("budget_duration"))
    if usd is not None and usd >= 0:
        budget: Table = {"usd": usd} | ({"window": window} if window else {})
        workspace(document)["budget"] = budget
        keys.changed("max_budget", "workspaces.default.budget")
        keys.changed("budget_duration", f'window = "{window}"' if window else 'window = "total", as no window of ours is like it')
    for name in ("callbacks", "success_callback", "failure_callback"):
        listed = values.texts(keys.get(name))
        if listed and set(listed) <= {"prometheus"}:
            keys.changed(name, "metrics are always served, at /metrics")
        elif not listed:
            keys.taken(name)
        keys.left(name, "see docs/metrics.md and docs/records.md for where metrics and records go")
    keys.rest(SETTINGS_REASONS)


def read_general(keys: Keys, document: Table, environ: Mapping[str, str]) -> None:
    """general_settings."""
    master = keys.get("master_key")
    if master is not None:
        variable = values.reference_of(master)
        key: Table = {"name": "master"}
        if variable:
            key["key"] = f"env:{variable}"
        elif isinstance(master, str) and master:
            key["hash"] = hash_of(master)
        if len(key) > 1:
            document["keys"] = [key]
            keys.changed("master_key", "a key for requests" + ("" if variable else ", kept as its hash") + "; it administers nothing")
        keys.left("master_key", "expected a key")
    if (most := values.number(keys.get("global_max_parallel_requests"), environ)) is not None and most >= 1:
        workspace(document)["max_parallel"] = min(int(most), 1_000_000)
        keys.changed("global_max_parallel_requests", "workspaces.default.max_parallel")
    if (size := values.number(keys.get("max_request_size_mb"), environ)) is not None and 0 < size <= 2**20:
        put(document, "gateway", "max_body_bytes", int(size * 2**20))
        keys.changed("max_request_size_mb", "gateway.max_body_bytes")
    if isinstance(keys.get("store_prompts_in_spend_logs"), bool):
        record = values.table(values.table(document.get("gateway")).get("record"))
        put(document, "gateway", "record", record | {"payloads": "all" if keys.get("store_prompts_in_spend_logs") else "none"})
        keys.changed("store_prompts_in_spend_logs", "gateway.record.payloads")
    window = values.window(keys.get("maximum_spend_logs_retention_period")) or ""
    days = {"day": 1, "week": 7, "month": 30}.get(window) or int(window.removesuffix("d") or 0)
    if days:
        record = values.table(values.table(document.get("gateway")).get("record"))
        put(document, "gateway", "record", record | {"retention_days": days})
        keys.changed("maximum_spend_logs_retention_period", f"gateway.record.retention_days = {days}")
    keys.rest(GENERAL_REASONS)


def put(document: Table, section: str, name: str, value: object) -> None:
    table = document.setdefault(section, {})
    assert isinstance(table, dict)
    table[name] = value


def workspace(document: Table) -> Table:
    """The workspace that all keys of the file are in."""
    spaces = document.setdefault("workspaces", {})
    assert isinstance(spaces, dict)
    table: Table = spaces.setdefault("default", {})
    return table
