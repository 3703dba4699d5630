"""LiteLLM's groups, fallbacks and router settings as the models of our file."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from fastgw.imports import values
from fastgw.imports.deployments import Deployment, Table
from fastgw.imports.report import Keys, Report

STRATEGIES: Final = MappingProxyType(
    {
        "simple-shuffle": ("weighted", ""),
        "least-busy": ("least_busy", ""),
        "latency-based-routing": ("latency", ""),
        "cost-based-routing": ("cost", ""),
        "usage-based-routing": ("least_busy", "the use of a target is not counted by the minute"),
        "usage-based-routing-v2": ("least_busy", "the use of a target is not counted by the minute"),
    }
)
# LiteLLM's classes of failure as statuses and kinds of ours.
POLICY: Final = MappingProxyType(
    {
        "RateLimitErrorRetries": ((429,), ("rate_limit",)),
        "TimeoutErrorRetries": ((408,), ("timeout",)),
        "InternalServerErrorRetries": ((500, 502, 503, 504), ("server", "overloaded", "connection")),
        "BadRequestErrorRetries": ((400,), ("invalid_request",)),
        "AuthenticationErrorRetries": ((401,), ("authentication",)),
        "ContentPolicyViolationErrorRetries": ((), ("content_policy",)),
    }
)
MOST_RETRIES: Final = 10
MOST_WEIGHT: Final = 1_000_000
ROUTER_REASONS: Final = MappingProxyType(
    {
        "redis_host": "workers share memory, and one machine needs no Redis",
        "redis_port": "workers share memory, and one machine needs no Redis",
        "redis_password": "workers share memory, and one machine needs no Redis",
        "redis_url": "workers share memory, and one machine needs no Redis",
        "enable_pre_call_checks": "a context that does not fit is told by the provider, and leads to the next target",
        "enable_tag_filtering": "no routing by tags: use a conditional model with metadata",
        "provider_budget_config": "budgets are set for keys and workspaces",
        "routing_strategy_args": "strategies have no arguments",
        "model_group_retry_policy": "set `retry` at the model",
        "retry_after": "waits grow from `retry.base_ms`, and heed what the provider says",
        "max_fallbacks": "all targets of a model may be tried",
        "allowed_fails_policy": "set `breaker.on_status` at the model",
        "default_max_parallel_requests": "limits of requests at once are set for keys and workspaces",
        "cache_responses": "set `cache: true` in litellm_settings, or `cache` at the models",
        "stream_timeout": "`timeouts.first_byte_ms` holds for streams too",
    }
)


class Routing:
    """What the settings say of every model."""

    def __init__(self, report: Report, environ: Mapping[str, str]) -> None:
        self.report = report
        self.environ = environ
        self.strategy = "weighted"
        self.retries: int | None = None
        self.retry: Table = {}
        self.timeout_ms: int | None = None
        self.breaker: Table = {}
        self.drops: bool | None = None
        self.aliases: dict[str, str] = {}
        self.fallbacks: dict[str, dict[str, list[str]]] = {"fallbacks": {}, "context_window_fallbacks": {}, "content_policy_fallbacks": {}}
        self.defaults: list[str] = []

    def read(self, keys: Keys) -> None:
        """The members that router_settings and litellm_settings have in common, and those of the router alone."""
        strategy = keys.get("routing_strategy")
        if isinstance(strategy, str) and strategy in STRATEGIES:
            self.strategy, note = STRATEGIES[strategy]
            keys.changed("routing_strategy", f'strategy = "{self.strategy}"' + (f": {note}" if note else ""))
        keys.left("routing_strategy", "fastgw has no such strategy; weighted is used")
        for name in ("timeout", "request_timeout"):
            if (limit := values.milliseconds(keys.get(name), self.environ)) is not None:
                self.timeout_ms = limit
                keys.changed(name, f"timeouts.first_byte_ms = {limit}")
        if (retries := values.number(keys.get("num_retries"), self.environ)) is not None and retries >= 0:
            self.retries = min(int(retries), MOST_RETRIES)
            keys.changed("num_retries", f"retry.attempts = {self.retries}, at the same target")
        self.read_policy(keys)
        self.read_breaker(keys)
        for name, lists in self.fallbacks.items():
            rows = keys.get(name)
            for row in rows if isinstance(rows, list) else []:
                lists |= {group: groups_in(others) for group, others in values.table(row).items()}
            keys.changed(name, "a fallback strategy of each model")
        self.defaults = groups_in(keys.get("default_fallbacks") or []) or self.defaults
        keys.changed("default_fallbacks", "a fallback strategy of each model that has none of its own")
        for alias, meant in values.table(keys.get("model_group_alias")).items():
            target = values.table(meant).get("model", meant)
            if isinstance(target, str):
                self.aliases[alias] = target
        keys.changed("model_group_alias", "a model for each alias")

    def read_policy(self, keys: Keys) -> None:
        policy = Keys(values.table(keys.get("retry_policy")), keys.path("retry_policy"), self.report)
        counts = {name: values.number(policy.get(name), self.environ) for name in POLICY}
        asked = {name: int(count) for name, count in counts.items() if count is not None and count > 0}
        if not policy.value:
            return
        keys.said.add("retry_policy")
        for name in POLICY:
            policy.changed(name, "retry.on_status and retry.on_errors, with the greatest of the numbers")
        policy.rest({})
        statuses = [status for name in asked for status in POLICY[name][0]]
        kinds = [kind for name in asked for kind in POLICY[name][1]]
        attempts = min(max(asked.values(), default=0), MOST_RETRIES)
        self.retry = {"attempts": attempts, "on_status": statuses, "on_errors": list(dict.fromkeys(kinds))}

    def read_breaker(self, keys: Keys) -> None:
        fails = values.number(keys.get("allowed_fails"), self.environ)
        if fails is not None and fails >= 0:
            self.breaker["failures"] = min(int(fails) + 1, 1_000_000)
            keys.changed("allowed_fails", f"breaker.failures = {self.breaker['failures']}, in a row")
        if (rest := values.milliseconds(keys.get("cooldown_time"), self.environ)) is not None:
            self.breaker["cooldown_ms"] = rest
            keys.changed("cooldown_time", f"breaker.cooldown_ms = {rest}")
        if keys.get("disable_cooldowns") is True:
            self.breaker = {"failures": 0, "failure_percent": 0}
            keys.changed("disable_cooldowns", "a breaker that nothing opens")
        keys.taken("disable_cooldowns")

    def models(self, deployments: Sequence[Deployment]) -> dict[str, Table]:
        """The models of the file, by their names."""
        groups: dict[str, list[Deployment]] = {}
        for one in deployments:
            if one.model:
                groups.setdefault(one.group, []).append(one)
        nodes = {name: self.node(group) for name, group in groups.items()}
        routes = {name: self.route(name, nodes) for name in nodes}
        for name, group in groups.items():
            routes[name] |= self.shared(group)
        for alias, meant in self.aliases.items():
            name = values.name_of(meant)
            if name in routes:
                routes.setdefault(values.name_of(alias), routes[name])
            else:
                self.report.warn(f"the alias {alias} means {meant}, which no entry of model_list is")
        return routes

    def shared(self, group: Sequence[Deployment]) -> Table:
        """What holds for all targets of a model."""
        stated: Table = {}
        attempts = next((one.retries for one in group if one.retries is not None), self.retries)
        if self.retry:
            stated["retry"] = self.retry
        elif attempts is not None:
            stated["retry"] = {"attempts": min(attempts, MOST_RETRIES)}
        if self.timeout_ms is not None:
            stated["timeouts"] = {"first_byte_ms": self.timeout_ms}
        if self.breaker:
            stated["breaker"] = self.breaker
        return stated | {name: limit for one in group for name, limit in one.limits}

    def node(self, group: Sequence[Deployment]) -> Table:
        """A group: its targets by the strategy, in the order of their tiers where there are several."""
        tiers: dict[int, list[Deployment]] = {}
        for one in group:
            tiers.setdefault(one.order, []).append(one)
        nodes = [self.tier(tiers[order]) for order in sorted(tiers)]
        return nodes[0] if len(nodes) == 1 else {"strategy": "fallback", "targets": nodes}

    def tier(self, deployments: Sequence[Deployment]) -> Table:
        leaves = [self.leaf(one) for one in deployments]
        if len(leaves) == 1:
            return leaves[0]
        if self.strategy == "weighted":
            for leaf, weight in zip(leaves, weights([one.weight for one in deployments]), strict=True):
                if weight != 1:
                    leaf["weight"] = weight
        return {"strategy": self.strategy, "targets": leaves}

    def leaf(self, one: Deployment) -> Table:
        leaf: Table = {"integration": one.integration, "model": one.model}
        if one.timeout_ms is not None:
            leaf["timeouts"] = {"first_byte_ms": one.timeout_ms}
        drops = self.drops if one.drops is None else one.drops
        if drops is False:
            leaf["unsupported"] = "error"
        return leaf

    def route(self, name: str, nodes: Mapping[str, Table]) -> Table:
        """A group with the groups that it falls back to, those for certain failures innermost."""
        node = nodes[name]
        for kind, trouble in (("context_window_fallbacks", "context_window"), ("content_policy_fallbacks", "content_policy")):
            others = self.others(name, self.fallbacks[kind].get(name, []), nodes)
            if others:
                node = {"strategy": "fallback", "on_status": [], "on_errors": [trouble], "targets": [node, *others]}
        others = self.others(name, self.fallbacks["fallbacks"].get(name, self.defaults), nodes)
        if others:
            node = {"strategy": "fallback", "targets": [node, *others]}
        return node if "targets" in node else {"strategy": "single", "targets": [node]}

    def others(self, name: str, wanted: Sequence[str], nodes: Mapping[str, Table]) -> list[Table]:
        for other in wanted:
            if values.name_of(other) not in nodes:
                self.report.warn(f"{name} falls back to {other}, which no entry of model_list is")
        return [nodes[key] for other in wanted if (key := values.name_of(other)) in nodes and key != name]

    def __repr__(self) -> str:
        return f"Routing({self.strategy})"


def groups_in(others: object) -> list[str]:
    """The groups that a list of fallbacks names; parameters that stand beside a name are not taken."""
    items = others if isinstance(others, list) else [others]
    named = (values.table(item).get("model") if isinstance(item, dict) else item for item in items)
    return [name for name in named if isinstance(name, str)]


def weights(stated: Sequence[Decimal | None]) -> list[int]:
    """Whole numbers in the proportion of the weights; where one states none, all are alike."""
    known = [weight for weight in stated if weight is not None and weight >= 0]
    if len(known) < len(stated) or not any(known):
        return [1] * len(stated)
    most, places = max(known), max(-int(weight.as_tuple().exponent) for weight in known)
    scale = Decimal(10) ** max(places, 0)
    if most * scale > MOST_WEIGHT:
        scale = MOST_WEIGHT / most
    return [max(1, round(weight * scale)) if weight else 0 for weight in known]
