"""Gateways that no registry carries: they run from a binary named by --binary, and are configured as their documentation says.

bifrost        https://docs.getbifrost.ai/deployment-guides/config-json (a file, no database; its npm package only downloads the binary)
agentgateway   https://agentgateway.dev/docs/standalone/latest/ (a local file)
tensorzero     https://www.tensorzero.com/docs/gateway/deployment (a file; observability off, as in its own benchmark)
"""
from __future__ import annotations

import json

from bench.peers.floors import said_version
from bench.peers.place import Place
from bench.peers.recipe import MODEL, Recipe, Started

BUDGET_USD, LIMIT = 1_000_000_000, 600_000_000
VIRTUAL_KEY = "sk-bf-bench-0123456789abcdef"
AGENTGATEWAY = """
config:
  adminAddr: "127.0.0.1:0"
  statsAddr: "127.0.0.1:0"
  readinessAddr: "127.0.0.1:0"
  logging: {{level: error}}
binds:
- port: {port}
  listeners:
  - routes:
    - policies:
        backendAuth: {{key: sk-upstream}}{policies}
      backends:
      - ai:
          name: mock
          hostOverride: "{upstream}"
          provider: {{openAI: {{}}}}
"""
AGENTGATEWAY_GOVERNED = """
        apiKey: {{mode: strict, keys: [{{key: {key}}}]}}
        localRateLimit:
        - {{maxTokens: {limit}, tokensPerFill: {limit}, fillInterval: 60s}}"""
TENSORZERO = """
[gateway]
bind_address = "127.0.0.1:{port}"
observability.enabled = false
[models."{model}"]
routing = ["mock"]
[models."{model}".providers.mock]
type = "openai"
model_name = "{model}"
api_base = "{upstream}/v1/"
api_key_location = "env::OPENAI_API_KEY"
"""


def prepare_bifrost(place: Place) -> str:
    return said_version([str(place.binary("bifrost")), "-version"], r"(\d+\.\d+\.\d+\S*)")


def start_bifrost(place: Place, lane: str) -> Started:
    is_governed = lane == "governed"
    config: dict[str, object] = {
        "client": {"drop_excess_requests": False, "enable_logging": is_governed, "enforce_auth_on_inference": is_governed},
        "providers": {"openai": {
            "keys": [{"name": "mock", "value": "sk-upstream", "models": ["*"], "weight": 1.0}],
            "network_config": {"base_url": place.upstream}}},
        "config_store": {"enabled": False},
        "logs_store": {"enabled": is_governed, "type": "sqlite", "config": {"path": str(place.run / "logs.db")}},
    }
    if is_governed:
        config["governance"] = {
            "budgets": [{"id": "bench", "max_limit": BUDGET_USD, "reset_duration": "1M"}],
            "rate_limits": [{"id": "bench", "request_max_limit": LIMIT, "request_reset_duration": "1m",
                             "token_max_limit": LIMIT * 1000, "token_reset_duration": "1m"}],
            "virtual_keys": [{"id": "bench", "name": "bench", "value": VIRTUAL_KEY, "is_active": True, "budget_id": "bench",
                              "rate_limit_id": "bench", "provider_configs": [{"provider": "openai", "weight": 1.0}]}]}
    place.write("config.json", json.dumps(config))
    pid = place.spawn(
        [str(place.binary("bifrost")), "-app-dir", str(place.run), "-host", "127.0.0.1", "-port", str(place.port), "-log-level", "error"],
        GOMAXPROCS=str(len(place.cores)))
    place.await_http("/health")
    return Started(place.url, (pid,), key=VIRTUAL_KEY, model=f"openai/{MODEL}")


def prepare_agentgateway(place: Place) -> str:
    return said_version([str(place.binary("agentgateway")), "--version"], r"(\d+\.\d+\.\d+\S*)")


def start_agentgateway(place: Place, lane: str) -> Started:
    policies = AGENTGATEWAY_GOVERNED.format(key=VIRTUAL_KEY, limit=LIMIT) if lane == "governed" else ""
    upstream = place.upstream.removeprefix("http://")
    config = place.write("config.yaml", AGENTGATEWAY.format(port=place.port, upstream=upstream, policies=policies))
    pid = place.spawn([str(place.binary("agentgateway")), "-f", str(config)], WORKER_THREADS=str(len(place.cores)))
    place.await_http("/")
    return Started(place.url, (pid,), key=VIRTUAL_KEY)


def prepare_tensorzero(place: Place) -> str:
    return said_version([str(place.binary("tensorzero")), "--version"], r"(\d+\.\d+\.\d+\S*)")


def start_tensorzero(place: Place, lane: str) -> Started:
    config = place.write("tensorzero.toml", TENSORZERO.format(port=place.port, upstream=place.upstream, model=MODEL))
    pid = place.spawn(
        [str(place.binary("tensorzero")), "--config-file", str(config)],
        OPENAI_API_KEY="sk-upstream", TENSORZERO_DISABLE_PSEUDONYMOUS_USAGE_ANALYTICS="1", TOKIO_WORKER_THREADS=str(len(place.cores)))
    place.await_http("/health")
    return Started(f"{place.url}/openai/v1", (pid,), model=f"tensorzero::model_name::{MODEL}")


BINARIES = (
    Recipe(
        name="agentgateway", source="https://github.com/agentgateway/agentgateway, by --binary",
        setup="a file of one route to an AI backend, WORKER_THREADS as many as cores, log level error",
        lanes={"bare": "reads and writes JSON anew, counts tokens",
               "governed": "an API key, one local limit of requests"},
        unequal="governed: no budgets, no limit of tokens beside that of requests, no stored log",
        prepare=prepare_agentgateway, start=start_agentgateway),
    Recipe(
        name="bifrost", source="https://github.com/maximhq/bifrost, by --binary",
        setup="config.json without a database, GOMAXPROCS as many as cores, log level error; governed: SQLite for logs",
        lanes={"bare": "reads and writes JSON anew, computes the cost; logging off",
               "governed": "a virtual key with a budget, a limit of requests and one of tokens; a log in SQLite"},
        unequal="governed: one level of budget and limits, where fastgw has two", prepare=prepare_bifrost, start=start_bifrost),
    Recipe(
        name="tensorzero", source="https://github.com/tensorzero/tensorzero, by --binary",
        setup="tensorzero.toml of one model, observability off, TOKIO_WORKER_THREADS as many as cores",
        lanes={"bare": "reads and writes JSON anew"},
        lacks={"governed": "keys need PostgreSQL, limits Valkey, records ClickHouse or PostgreSQL: this recipe starts none of them"},
        unequal="checks no key, keeps nothing", prepare=prepare_tensorzero, start=start_tensorzero),
)
