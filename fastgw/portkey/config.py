"""Portkey's config JSON: its members, what its validator refuses, and the tree that comes out.

Unknown members are tolerated and named. What stands in `override_params`, `conditions`, guardrails and the like is kept as it is.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct, field, structs

from fastgw.portkey.names import LEGACY_SETTINGS, PROVIDERS, SETTINGS
from fastgw.portkey.reading import (
    WRONG,
    Json,
    Path,
    Reading,
    Row,
    Rows,
    an_object,
    flag,
    least,
    list_of,
    number,
    one_of,
    struct_of,
    text,
    text_or_object,
    whole,
)  # fmt: skip
from fastgw.portkey.refusal import BAD_CONFIG, BAD_HOST, FORWARDS_ITSELF, NOT_JSON, OLD_CONFIG, Refused
from fastgw.providers.table import PROVIDERS as ROWS
from fastgw.snapshot.hosts import HostRefused, HostRules, check_url

MODES: Final = ("single", "loadbalance", "fallback", "conditional")
MOST_TARGETS: Final = {"conditional": 1_000}
MOST_ROOT_TARGETS: Final = 100
MOST_NESTED_TARGETS: Final = 50
MOST_DEPTH: Final = 8
RETRY_STATUS: Final = (429, 500, 502, 503, 504)
MOST_RETRIES: Final = 5
LEAST_COOLDOWN_MS: Final = 30_000
OPEN_AFTER: Final = 5
STICKY_S: Final = 300


class Condition(Struct, frozen=True):
    """If the query holds, the target of that name serves."""

    query: Json
    then: str


class Sticky(Struct, frozen=True):
    """The same callers go to the same target."""

    enabled: bool
    hash_fields: tuple[str, ...] = ()
    ttl_s: int = STICKY_S


class Breaker(Struct, frozen=True):
    """When a target is left alone; None is not stated."""

    failure_threshold: int | None = None
    failure_percent: int | None = None
    cooldown_ms: int = LEAST_COOLDOWN_MS
    status_codes: tuple[int, ...] = ()
    minimum_requests: int = OPEN_AFTER


class Strategy(Struct, frozen=True):
    """How one of the targets is chosen."""

    mode: str
    on_status_codes: tuple[int, ...] | None = None
    conditions: tuple[Condition, ...] = ()
    default: str = ""
    sticky: Sticky | None = None
    breaker: Breaker | None = None


class Retry(Struct, frozen=True):
    """How often and when the same target is asked again."""

    attempts: int
    on_status_codes: tuple[int, ...] = RETRY_STATUS
    use_retry_after: bool = False


class Cache(Struct, frozen=True):
    """Which cache, and for how long; None is the default of seven days."""

    mode: str
    max_age_s: int | None = None


class Config(Struct, frozen=True, kw_only=True):
    """One node; without targets it is a leaf. "" and None are not stated.

    before, after    guardrails, hooks and mutators of requests and replies, as they stand
    is_callers       whether its provider, key and settings come from a request, not from the operator's file; host_is_callers: its host
    settings         of the provider, by their snake_case names; service_account is an object among them
    unknown          members that have no meaning here, with their paths; only the root has them
    """

    name: str = ""
    strategy: Strategy | None = None
    targets: tuple["Config", ...] = ()
    weight: float | None = None
    provider: str = ""
    api_key: str = ""
    virtual_key: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    retry: Retry | None = None
    cache: Cache | None = None
    request_timeout_ms: int | None = None
    custom_host: str = ""
    is_callers: bool = False
    host_is_callers: bool = False
    forward_headers: tuple[str, ...] | None = None
    override_params: Json = field(default_factory=dict)
    default_params: Json = field(default_factory=dict)
    drop_params: tuple[str, ...] = ()
    before: tuple[object, ...] | None = None
    after: tuple[object, ...] | None = None
    strict: bool | None = None
    prompt_id: str = ""
    passthrough: bool | None = None
    unknown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        what = f"{len(self.targets)} targets" if self.targets else repr(self.virtual_key or self.provider)
        return f"Config({self.name or self.strategy and self.strategy.mode or 'leaf'}, {what})"


MODE_WORDS: Final = f"Invalid 'mode' value. Must be one of: {', '.join(MODES)}"
CACHE_WORDS: Final = "Invalid 'cache.mode' value. Must be one of: simple, semantic"
NOTHING_STATED: Final = (
    "Invalid configuration. It must have either 'provider' and 'api_key', or 'strategy' and 'targets', or 'cache', or 'retry', or"
    " 'request_timeout'"
)
NO_VERTEX: Final = (
    "Invalid configuration. ('vertex_project_id' and 'vertex_region') or ('vertex_service_account_json' and 'vertex_region') are required"
    " for 'vertex-ai' provider."
)


def is_provider(name: str) -> bool:
    """Whether a provider can be named so: Portkey's name, one of ours, or "@slug" of an integration."""
    return name.startswith("@") and len(name) > 1 or name in PROVIDERS or name in ROWS


def provider(reading: Reading, value: object, path: Path) -> object:
    if not isinstance(value, str) or is_provider(value):
        return text(reading, value, path)
    return reading.wrong(path, f"Invalid 'provider' value. Must be one of: {', '.join(sorted(PROVIDERS))}")


def setting(reading: Reading, value: object, path: Path) -> object:
    """A setting's text; a service account may be an object, which is kept as the text of it, and so is a flag."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value)
    return text(reading, value, path)


def header_name(reading: Reading, value: object, path: Path) -> object:
    if isinstance(value, str) and value.lower() == "x-portkey-forward-headers":
        return reading.wrong(path[:-1], FORWARDS_ITSELF)
    read = text(reading, value, path)
    return read.strip().lower().replace("_", "-") if isinstance(read, str) else read


def hash_field(reading: Reading, value: object, path: Path) -> object:
    if isinstance(value, str) and not value.startswith(("metadata.", "params.", "headers.")):
        return reading.wrong(path, 'hash_fields must start with "metadata.", "params.", or "headers."')
    return text(reading, value, path)


CODES = list_of(whole)
TEXTS = list_of(text)
CONDITION: Final[Rows] = {"query": Row("query", an_object, True), "then": Row("then", text, True)}
STICKY: Final[Rows] = {
    "enabled": Row("enabled", flag, True),
    "hash_fields": Row("hash_fields", list_of(hash_field)),
    "ttl": Row("ttl_s", least(whole, 1)),
}
BREAKER: Final[Rows] = {
    "failure_threshold": Row("failure_threshold", least(whole, 0)),
    "failure_threshold_percentage": Row("failure_percent", least(whole, 0)),
    "cooldown_interval": Row("cooldown_ms", whole),
    "failure_status_codes": Row("status_codes", CODES),
    "minimum_requests": Row("minimum_requests", least(whole, 0)),
}
STRATEGY: Final[Rows] = {
    "mode": Row("mode", one_of(MODES, MODE_WORDS), True),
    "on_status_codes": Row("on_status_codes", CODES),
    "conditions": Row("conditions", list_of(struct_of(Condition, CONDITION))),
    "default": Row("default", text),
    "sticky": Row("sticky", struct_of(Sticky, STICKY)),
    "cb_config": Row("breaker", struct_of(Breaker, BREAKER)),
}
RETRY: Final[Rows] = {
    "attempts": Row("attempts", whole, True),
    "on_status_codes": Row("on_status_codes", CODES),
    "use_retry_after_header": Row("use_retry_after", flag),
    "use_retry_after_headers": Row("use_retry_after", flag),  # as some of its documentation spells it
}
CACHE: Final[Rows] = {
    "mode": Row("mode", one_of(("simple", "semantic"), CACHE_WORDS), True),
    "max_age": Row("max_age_s", whole),
}
HOOKS: Final = list_of(an_object)
GUARDRAILS: Final = list_of(text_or_object)


def targets(reading: Reading, value: object, path: Path) -> object:
    if len(path) > 2 * MOST_DEPTH:
        return reading.wrong(path, f"Targets can be nested at most {MOST_DEPTH} deep")
    return list_of(node)(reading, value, path)


MEMBERS: Final[Rows] = {
    "name": Row("name", text),
    "strategy": Row("strategy", struct_of(Strategy, STRATEGY)),
    "targets": Row("targets", targets),
    "weight": Row("weight", least(number, 0)),
    "provider": Row("provider", provider),
    "api_key": Row("api_key", text),
    "virtual_key": Row("virtual_key", text),
    "retry": Row("retry", struct_of(Retry, RETRY)),
    "cache": Row("cache", struct_of(Cache, CACHE)),
    "request_timeout": Row("request_timeout_ms", whole),
    "custom_host": Row("custom_host", text),
    "forward_headers": Row("forward_headers", list_of(header_name)),
    "override_params": Row("override_params", an_object),
    "default_params": Row("default_params", an_object),
    "drop_params": Row("drop_params", TEXTS),
    "strict_open_ai_compliance": Row("strict", flag),
    "prompt_id": Row("prompt_id", text),
    "passthrough": Row("passthrough", flag),
    "before_request_hooks": Row("before_request_hooks", HOOKS),
    "after_request_hooks": Row("after_request_hooks", HOOKS),
    "input_guardrails": Row("input_guardrails", GUARDRAILS),
    "output_guardrails": Row("output_guardrails", GUARDRAILS),
    "input_mutators": Row("input_mutators", GUARDRAILS),
    "output_mutators": Row("output_mutators", GUARDRAILS),
    **{name: Row(name, setting) for name in SETTINGS},
    **{old: Row(name, setting) for old, name in LEGACY_SETTINGS.items()},
}
BEFORE: Final = ("before_request_hooks", "input_guardrails", "input_mutators")
AFTER: Final = ("after_request_hooks", "output_guardrails", "output_mutators")


def node(reading: Reading, value: object, path: Path) -> object:
    """Read one node and all below it."""
    before = len(reading.issues)
    read = reading.members(value, path, MEMBERS)
    if read is None:
        return WRONG
    settings = {name: read.pop(name) for name in SETTINGS if name in read}
    for group, names in (("before", BEFORE), ("after", AFTER)):
        stated = [read.pop(name) for name in names if name in read]
        if stated:
            read[group] = tuple(item for items in stated if isinstance(items, tuple) for item in items)
    if len(reading.issues) > before:
        return WRONG
    if not (read or settings) or ("targets" in read) != ("strategy" in read) or read.get("targets") == ():
        return reading.wrong(path, NOTHING_STATED)
    one = Config(settings={name: str(item) for name, item in settings.items()}, **read)  # type: ignore[arg-type]  # each checked by its row
    if one.provider == "vertex-ai" and not one.virtual_key and not has_place(one):
        return reading.wrong(path, NO_VERTEX)
    most = MOST_TARGETS.get(one.strategy.mode if one.strategy else "", MOST_NESTED_TARGETS if path else MOST_ROOT_TARGETS)
    if len(one.targets) > most:
        return reading.wrong((*path, "targets"), f"Array must contain at most {most} element(s)")
    return one


def has_place(one: Config) -> bool:
    stated = one.settings.get
    return bool(stated("vertex_region") and (stated("vertex_project_id") or stated("vertex_service_account_json")))


def read_config(written: str | Mapping[str, object], hosts: HostRules | None = None) -> Config:
    """Read a config, of JSON text or decoded (JSON or TOML).

    hosts   what a caller's custom_host may be; None where an operator wrote it, who may name any
    raises  Refused with every issue that is found
    """
    decoded: object = written
    if isinstance(written, str):
        try:
            decoded = msgspec.json.decode(written)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Refused(NOT_JSON, field="x-portkey-config") from None
    if not isinstance(decoded, Mapping):
        raise Refused(NOT_JSON, field="x-portkey-config")
    if decoded.get("options"):
        raise Refused(OLD_CONFIG, field="x-portkey-config")
    reading = Reading()
    root = node(reading, dict(decoded), ())
    if isinstance(root, Config):
        if hosts is not None:
            root = structs.replace(marked(root), unknown=tuple(reading.unknown))
            check_hosts(reading, root, (), hosts)
        else:
            root = structs.replace(root, unknown=tuple(reading.unknown))
    if reading.issues or not isinstance(root, Config):
        raise Refused(BAD_CONFIG, reading.issues, field="x-portkey-config", detail=reading.issues[0])
    return root


def marked(one: Config) -> Config:
    """The tree as a caller's."""
    below = tuple(marked(target) for target in one.targets)
    return structs.replace(one, is_callers=True, host_is_callers=bool(one.custom_host), targets=below)


def check_hosts(reading: Reading, one: Config, path: Path, hosts: HostRules) -> None:
    """Note each host that may not be named; Portkey's words first, ours in brackets."""
    if one.custom_host:
        try:
            check_url(one.custom_host, hosts)
        except HostRefused as error:
            reading.wrong(path, f"{BAD_HOST} ({error})")
    for at, target in enumerate(one.targets):
        check_hosts(reading, target, (*path, "targets", at), hosts)


def nodes(one: Config) -> Iterator[Config]:
    """The node and all below it, depth first."""
    yield one
    for target in one.targets:
        yield from nodes(target)
