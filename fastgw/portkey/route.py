"""Turn a config into a route of ours: the tree, the integrations that only this request has, and what each leaf asks for beside.

Where Portkey and the routes of the gateway differ, Portkey's way is written out: one of several weighted targets is tried and no other,
nothing is repeated and no target is left alone unless the config says so.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import lcm
from types import MappingProxyType
from typing import Final, get_args

from msgspec import Struct, structs

from fastgw.portkey.config import MOST_RETRIES, Cache, Condition, Config
from fastgw.portkey.config import Breaker as Opening
from fastgw.portkey.leaf import ADDRESSES, MODELS, PLACES, ad_hoc, fields_of, settings_of, wrong
from fastgw.portkey.refusal import BAD_HOST, BAD_PROVIDER, NO_TARGET, Refused, blocked
from fastgw.portkey.tree import Node, integration_of, model_of
from fastgw.providers.table import find_provider
from fastgw.snapshot.config import Integration
from fastgw.snapshot.hosts import HostRules
from fastgw.snapshot.routes import Breaker, Retry, Route, RouteTimeouts, Sticky, Strategy, Target, Trouble
from fastgw.snapshot.routes import Condition as When

MODES: Final[Mapping[str, Strategy]] = {
    "single": "single", "fallback": "fallback", "loadbalance": "weighted", "conditional": "conditional",
}  # fmt: skip
ANY_FAILURE: Final = tuple(range(300, 600))
SERVER_FAILURE: Final = tuple(range(500, 600))
ALL_TROUBLE: Final[tuple[Trouble, ...]] = get_args(Trouble)
# What Portkey turns into a status of its own where no reply came.
WITHOUT_REPLY: Final[Mapping[int, tuple[Trouble, ...]]] = {408: ("timeout",), 500: ("connection", "bad_reply"), 503: ("connection", "busy")}
NO_RETRY: Final = Retry(attempts=0, on_status=(), on_errors=())
NO_BREAKER: Final = Breaker(failures=0, failure_percent=0)
FIRST_WAIT_MS: Final = 1_000
LONGEST_WAIT_MS: Final = 60_000
CONNECT_MS: Final = 5_000
MOST_MS: Final = 86_400_000
MOST_WEIGHT: Final = 1_000_000
MOST_MODEL_CHARACTERS: Final = 128


class Allowed(Struct, frozen=True):
    """What callers may state themselves; Portkey's saved-only mode is all of it false."""

    configs: bool = True
    providers: bool = True
    hosts: bool = True
    forwarding: bool = True


class Leaf(Struct, frozen=True):
    """What the request path needs of a leaf beside its target; in the order of the tree, depth first.

    path          of Portkey's, for x-portkey-last-used-option-index
    integration   a stored one's name, or a name of Routed.integrations
    is_checked    each address that is connected to is checked against the rules, as the caller had a hand in the host
    is_callers    the credential came with the request, so that an error about it is the caller's to see
    settings      added to those of the integration
    fields        added to the request; forward: names of the caller's fields that are added to it
    strict        whether the reply holds only what OpenAI defines; None where nobody says
    before, after guardrails, hooks and mutators, as they stand
    """

    path: str
    integration: str
    is_checked: bool
    is_callers: bool = False
    settings: Mapping[str, str] = MappingProxyType({})
    fields: tuple[tuple[str, str], ...] = ()
    forward: tuple[str, ...] = ()
    strict: bool | None = None
    cache: Cache | None = None
    before: tuple[object, ...] = ()
    after: tuple[object, ...] = ()


class Routed(Struct, frozen=True):
    """A route, the integrations that it has beside the stored ones, its leaves, and what of the config says nothing here."""

    route: Route
    integrations: dict[str, Integration]
    leaves: tuple[Leaf, ...]
    unknown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Routed({self.route.strategy}, {len(self.leaves)} leaves, {len(self.integrations)} ad hoc)"


class Router:
    """Makes the route of one tree.

    stored    the integrations of the snapshot; which of them a caller may use is the pipeline's to check
    slug      of the body's "@slug/model", for leaves that name nothing themselves
    """

    def __init__(
        self, stored: Mapping[str, Integration], hosts: HostRules, allowed: Allowed, environ: Mapping[str, str], slug: str = ""
    ) -> None:
        self.stored = stored
        self.hosts = hosts
        self.allowed = allowed
        self.environ = environ
        self.slug = slug
        self.integrations: dict[str, Integration] = {}
        self.leaves: list[Leaf] = []

    def route(self, root: Node) -> Routed:
        """The route of a settled tree.

        raises  Refused
        """
        if root.targets:
            branch = self.branch(root)
            targets = branch.pop("targets")
            made = Route(targets=targets, **branch)  # type: ignore[arg-type]  # fields of a branch, which both have
        else:
            made = Route(targets=(self.leaf(root, "target"),), strategy="single", on_status=(), on_errors=(), breaker=NO_BREAKER)
        return Routed(made, self.integrations, tuple(self.leaves), root.config.unknown)

    def branch(self, node: Node) -> dict[str, object]:
        """The fields that a node has for its targets."""
        strategy = node.config.strategy
        assert strategy is not None
        below = node.targets[:1] if strategy.mode == "single" else node.targets
        names = names_of(below)
        weights = weights_of([target.config.weight for target in below]) if strategy.mode == "loadbalance" else [1] * len(below)
        targets = [self.target(target, name) for target, name in zip(below, names, strict=True)]
        targets = [structs.replace(target, weight=weight) for target, weight in zip(targets, weights, strict=True)]
        fields: dict[str, object] = {"strategy": MODES[strategy.mode], "targets": tuple(targets), "on_status": (), "on_errors": ()}
        if strategy.mode == "fallback":
            fields |= falls_on(strategy.on_status_codes)
        if strategy.mode == "conditional":
            known = {target.config.name: name for target, name in zip(below, names, strict=True)}
            fields["conditions"] = tuple(when(condition, known, node.path) for condition in strategy.conditions)
            fields["default"] = then(strategy.default, known, node.path) if strategy.default else None
        elif strategy.breaker is not None:
            fields["breaker"] = breaker_of(strategy.breaker)
        if strategy.sticky is not None and strategy.sticky.enabled and strategy.mode == "loadbalance":
            fields["sticky"] = Sticky(fields=("key", *strategy.sticky.hash_fields), ttl_s=strategy.sticky.ttl_s)
        fields.setdefault("breaker", NO_BREAKER if node.path == "config" or strategy.mode == "conditional" else None)
        return fields

    def target(self, node: Node, name: str) -> Target:
        if node.targets:
            return Target(name=name, **self.branch(node))  # type: ignore[arg-type]  # fields of a branch
        return self.leaf(node, name)

    def leaf(self, node: Node, name: str) -> Target:
        """A leaf's target; its integration and its other wishes are kept."""
        one = node.config
        integration, provider_name, is_ad_hoc = self.integration(node)
        if one.forward_headers and one.is_callers and not self.allowed.forwarding:
            raise blocked("forward_headers")
        provider = find_provider(provider_name)
        self.leaves.append(
            Leaf(
                path=node.path,
                integration=integration,
                is_checked=is_ad_hoc and (one.host_is_callers if one.custom_host else one.is_callers),
                is_callers=is_ad_hoc and one.is_callers,
                settings=settings_of(one, provider),
                fields=fields_of(one, provider, node.path),
                forward=one.forward_headers or (),
                strict=one.strict,
                cache=one.cache,
                before=one.before or (),
                after=one.after or (),
            )
        )
        model = model_of(one).model or one.settings.get(MODELS.get(provider.name if provider else "", ""), "")
        if len(model) > MOST_MODEL_CHARACTERS or any(not "!" <= character <= "~" for character in model):
            raise wrong(node.path, f"expected a model of 1 to {MOST_MODEL_CHARACTERS} visible ASCII characters, found another")
        return Target(
            name=name,
            integration=integration,
            model=model or None,
            override_params={member: value for member, value in one.override_params.items() if member != "model"},
            default_params=one.default_params,
            drop_params=one.drop_params,
            retry=retry_of(one),
            timeouts=timeouts_of(one),
        )

    def integration(self, node: Node) -> tuple[str, str, bool]:
        """(name, provider, whether it is of this config alone) of a leaf's integration."""
        one = node.config
        name = integration_of(one, self.slug)
        if not name and not is_equipped(one) and (name := self.of_provider(one.provider)) == "":
            raise Refused(NO_TARGET, field="x-portkey-config", detail=f"no api_key for {one.provider}, and no stored integration of it")
        if not name:
            if one.is_callers and not self.allowed.providers:
                raise blocked("provider")
            if one.host_is_callers and not self.allowed.hosts:
                raise blocked("custom_host")
            if one.is_callers and not self.allowed.hosts and not ADDRESSES.keys().isdisjoint(one.settings):
                raise blocked("provider_url")
            if one.host_is_callers and not one.is_callers:
                raise borrowed()
            made, name = ad_hoc(one, node.path, self.hosts, self.environ), f"inline:{node.path}"
        elif name not in self.stored:
            raise Refused(BAD_PROVIDER, field="x-portkey-provider", detail=f"no integration is named {name[:64]!r}")
        elif not one.custom_host:
            return name, self.stored[name].provider, False
        elif one.host_is_callers:
            raise borrowed()
        else:
            made, name = structs.replace(self.stored[name], base_url=one.custom_host), f"inline:{node.path}"
        self.integrations[name] = made
        return name, made.provider, True

    def of_provider(self, name: str) -> str:
        """A stored integration for a provider that is named without a key: the one of that name, else the first of that row."""
        provider = find_provider(name)
        if provider is None:
            return ""
        fits = [key for key, integration in self.stored.items() if find_provider(integration.provider) is provider]
        return name if name in fits else next(iter(fits), "")

    def __repr__(self) -> str:
        return f"Router({len(self.leaves)} leaves)"


def borrowed() -> Refused:
    """The operator's credential is for its own host; whoever could name another would be handed it."""
    return Refused(BAD_HOST, field="x-portkey-custom-host", detail="expected no custom host beside a stored credential, got one")


def is_equipped(one: Config) -> bool:
    """Whether a leaf states more of its integration than the provider."""
    provider = find_provider(one.provider)
    is_open = provider is not None and provider.auth == "none"
    return bool(one.api_key or one.custom_host or is_open or any(name in PLACES or name == "azure_endpoint_name" for name in one.settings))


def names_of(nodes: tuple[Node, ...]) -> list[str]:
    """A name for each target among its siblings: its own where it has one of the usual letters, else its place."""
    own = [node.config.name for node in nodes]
    return [name if is_plain(name) and own.count(name) == 1 else f"targets/{at}" for at, name in enumerate(own)]


def is_plain(name: str) -> bool:
    return 0 < len(name) <= 64 and all(character.isascii() and (character.isalnum() or character in "._:/@ -") for character in name)


def when(condition: Condition, known: Mapping[str, str], path: str) -> When:
    return When(query=condition.query, then=then(condition.then, known, path))


def then(name: str, known: Mapping[str, str], path: str) -> str:
    if name not in known:
        raise wrong(path, f"Invalid target name found in the query router: {name[:64]}")
    return known[name]


def weights_of(stated: list[float | None]) -> list[int]:
    """Whole numbers in the proportion of the weights; none stated is 1, and all at 0 are alike."""
    shares = [Fraction(1) if weight is None else Fraction(str(weight)) for weight in stated]
    total = sum(shares)
    if not total:
        return [1] * len(shares)
    scale: Fraction | int = lcm(*(share.denominator for share in shares))
    if max(shares) * scale > MOST_WEIGHT:
        scale = Fraction(MOST_WEIGHT) / max(shares)
    return [max(1, round(share * scale)) if share else 0 for share in shares]


def statuses(codes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(code for code in codes if 100 <= code <= 599))


def trouble(codes: tuple[int, ...]) -> tuple[Trouble, ...]:
    """The failures without a reply that stand behind statuses."""
    return tuple(dict.fromkeys(kind for code in codes for kind in WITHOUT_REPLY.get(code, ())))


def falls_on(codes: tuple[int, ...] | None) -> dict[str, object]:
    """When the next of the targets is tried: after the statuses that are stated, else after everything but a success."""
    if codes is None:
        return {"on_status": ANY_FAILURE, "on_errors": ALL_TROUBLE}
    return {"on_status": statuses(codes), "on_errors": trouble(codes)}


def retry_of(one: Config) -> Retry:
    if one.retry is None or one.retry.attempts <= 0:
        return NO_RETRY
    codes = one.retry.on_status_codes
    return Retry(
        attempts=min(one.retry.attempts, MOST_RETRIES),
        on_status=statuses(codes),
        on_errors=trouble(codes),
        base_ms=FIRST_WAIT_MS,
        max_ms=LONGEST_WAIT_MS,
        honour_retry_after=one.retry.use_retry_after,
    )


def timeouts_of(one: Config) -> RouteTimeouts | None:
    """Portkey's timeout is one until the reply begins; a connection must be there by then, too."""
    if not one.request_timeout_ms or one.request_timeout_ms < 0:
        return None
    limit = min(one.request_timeout_ms, MOST_MS)
    return RouteTimeouts(first_byte_ms=limit, connect_ms=limit if limit < CONNECT_MS else None)


def breaker_of(opening: Opening) -> Breaker:
    """A breaker that says neither how many nor what share of failures opens it is none."""
    return Breaker(
        failures=min(opening.failure_threshold or 0, 1_000_000),
        failure_percent=min(opening.failure_percent or 0, 100),
        minimum_requests=max(1, min(opening.minimum_requests, 1_000_000)),
        cooldown_ms=min(max(opening.cooldown_ms, 30_000), MOST_MS),
        on_status=statuses(opening.status_codes) or SERVER_FAILURE,
    )
