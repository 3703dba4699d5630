"""The cache of LiteLLM: where it keeps replies, and which."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from fastgw.imports import values
from fastgw.imports.deployments import Table
from fastgw.imports.report import Keys
from fastgw.snapshot.caching import MOST_AGE_S

CALLS: Final = MappingProxyType(
    {
        "completion": ("chat", "messages", "generate"), "acompletion": ("chat", "messages", "generate"),
        "responses": ("responses",), "aresponses": ("responses",),
        "embedding": ("embeddings", "embed"), "aembedding": ("embeddings", "embed"),
    }
)  # fmt: skip
PLACES: Final = ("local", "redis")
IN_URL: Final = ("host", "port", "username", "password", "ssl")
REASONS: Final = MappingProxyType(
    {
        "redis_startup_nodes": "one Redis or Valkey, no cluster",
        "service_name": "one Redis or Valkey, no sentinels",
        "sentinel_nodes": "one Redis or Valkey, no sentinels",
        "similarity_threshold": "requests must be the same, not alike",
        "redis_flush_size": "replies are written one by one",
        "max_connections": "a worker asks over one connection",
    }
)


def read_cache(keys: Keys, document: Table, environ: Mapping[str, str]) -> Table:
    """`cache` and `cache_params` of litellm_settings: `[gateway.cache]`, and the `cache` table of each model (empty: no cache)."""
    params = Keys(values.table(keys.get("cache_params")), keys.path("cache_params"), keys.report)
    if keys.get("cache") is not True:
        keys.taken("cache")
        keys.left("cache_params", "the cache is off")
        return {}
    place = params.get("type") or "redis"
    if place not in PLACES:
        why = f"expected the type {' or '.join(PLACES)}, found {place}: replies to requests that are the same, not alike, are kept"
        keys.left("cache", why)
        keys.left("cache_params", why)
        return {}
    if params.get("mode") == "default_off":
        why = "no request turns a cache on: set `cache` at the models"
        keys.left("cache", why)
        keys.left("cache_params", why)
        return {}
    settings: Table = {}
    model: Table = {"mode": "exact"}
    keys.changed("cache", 'cache = { mode = "exact" } at each model')
    if params.value:
        keys.said.add("cache_params")
    params.taken("type", "mode")
    if place == "redis":
        settings["redis"] = redis_of(params)
    if (age := values.number(params.get("ttl"), environ)) is not None and age >= 1:
        settings["max_age_s"] = min(int(age), MOST_AGE_S)
        params.changed("ttl", f"gateway.cache.max_age_s = {settings['max_age_s']}")
    namespace = values.plain(params.get("namespace"), environ)
    if isinstance(namespace, str) and namespace:
        model["namespace"] = values.name_of(namespace)
        params.changed("namespace", "namespace, in the cache of each model")
    calls = [call for call in values.texts(params.get("supported_call_types")) if call in CALLS]
    if calls:
        model["operations"] = list(dict.fromkeys(name for call in calls for name in CALLS[call]))
        params.changed("supported_call_types", "operations, in the cache of each model")
    params.rest(REASONS)
    if settings:
        gateway = document.setdefault("gateway", {})
        assert isinstance(gateway, dict)
        gateway["cache"] = settings
    return model


def redis_of(params: Keys) -> str:
    """The URL of Redis, or the variable that must hold it: a part that is a secret or a reference makes the whole one."""
    url = params.get("url") or params.get("redis_url")
    name = values.reference_of(url)
    for member in ("url", "redis_url"):
        params.changed(member, "gateway.cache.redis")
    if name is not None:
        return f"env:{name}"
    if isinstance(url, str) and "@" not in url:
        return url
    parts = {part: params.get(part) for part in IN_URL}
    for part in IN_URL:
        params.changed(part, "a part of gateway.cache.redis")
    host = parts["host"]
    if not url and isinstance(host, str) and values.reference_of(host) is None and not parts["password"]:
        port = parts["port"] if isinstance(parts["port"], int) else 6379
        return f"redis{'s' if parts['ssl'] is True else ''}://{quote(host, safe=':[]')}:{port}"
    params.report.warn("set REDIS_URL in the environment of fastgw, as redis://USER:PASSWORD@HOST:PORT: it keeps the replies of the cache")
    return "env:REDIS_URL"
