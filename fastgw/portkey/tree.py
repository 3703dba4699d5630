"""Put a config and the fields of a request together, and give every node what it inherits.

source  Portkey-AI/gateway, src/handlers/handlerUtils.ts: override_params are merged and the inner one wins; retry, cache, hooks and the
rest are taken as a whole from the nearest node that states them; provider, key and settings belong to their node alone
"""

from collections.abc import Iterator

from msgspec import Struct, structs

from fastgw.portkey.config import Cache, Config, Retry, is_provider
from fastgw.portkey.headers import Asked
from fastgw.portkey.models import Address, address_of
from fastgw.portkey.names import PREFIX
from fastgw.portkey.refusal import BAD_HOST, BAD_PROVIDER, NO_TARGET, Refused
from fastgw.snapshot.hosts import HostRefused, HostRules, check_url


class Node(Struct, frozen=True):
    """A node as it counts: with all that it inherits, and the path that Portkey calls it by ("config.targets[0]")."""

    config: Config
    path: str
    targets: tuple["Node", ...] = ()

    def leaves(self) -> Iterator["Node"]:
        """The leaves at and below it, depth first."""
        if not self.targets:
            yield self
        for target in self.targets:
            yield from target.leaves()


def with_headers(config: Config | None, asked: Asked, hosts: HostRules) -> Config:
    """The root of a request: its config, if it has one, and what its fields say.

    The fields name a provider where the config does not; a host, a timeout, fields to forward and less strictness they state for the
    whole tree, whatever the config says; retries and a cache only where the config states none.

    raises  Refused
    """
    if asked.provider and not is_provider(asked.provider):
        detail = f"expected a known provider or @NAME, got {asked.provider[:64]!r}"
        raise Refused(BAD_PROVIDER, field=PREFIX + "provider", detail=detail)
    if asked.custom_host:
        try:
            check_url(asked.custom_host, hosts)
        except HostRefused as error:
            raise Refused(BAD_HOST, field=PREFIX + "custom-host", detail=str(error)) from None
    root = with_provider(Config() if config is None else config, asked)
    changes: dict[str, object] = {}
    if root.retry is None and asked.retries:
        changes["retry"] = Retry(asked.retries)
    if root.cache is None and asked.cache_mode:
        changes["cache"] = Cache(asked.cache_mode, asked.cache_ttl_s)
    return overruled(structs.replace(root, **changes), asked)


def with_provider(root: Config, asked: Asked) -> Config:
    """The provider, key and settings of the fields, where the config is one target and states no credential of its own.

    All or nothing: a caller's settings beside an operator's credential could send it to a place of the caller's.
    """
    if root.targets or root.virtual_key or root.api_key or root.provider.startswith("@") or (root.settings and not root.is_callers):
        return root
    if root.provider and asked.provider not in ("", root.provider):
        return root
    return structs.replace(
        root,
        provider=root.provider or asked.provider,
        virtual_key="" if root.provider else asked.virtual_key,
        api_key=asked.key.reveal() if asked.key else "",
        settings=asked.settings | root.settings,
        is_callers=True,
    )


def overruled(one: Config, asked: Asked) -> Config:
    """What the fields state for the whole tree."""
    changes: dict[str, object] = {}
    if asked.custom_host:
        changes |= {"custom_host": asked.custom_host, "host_is_callers": True}
    if asked.timeout_ms:
        changes["request_timeout_ms"] = asked.timeout_ms
    if asked.forward:
        changes["forward_headers"] = asked.forward
    if asked.strict is False or asked.strict and one.strict is None:
        changes["strict"] = asked.strict
    return structs.replace(one, **changes, targets=tuple(overruled(target, asked) for target in one.targets)) if changes else one


def settle(config: Config, path: str = "config", above: Config | None = None) -> Node:
    """Give a node and all below it what they inherit."""
    one = config if above is None else inherit(config, above)
    below = (settle(target, f"{path}.targets[{at}]", one) for at, target in enumerate(one.targets))
    return Node(one, path, tuple(below))


def inherit(child: Config, above: Config) -> Config:
    """A node with what it has from the one above."""
    own_host = bool(child.custom_host)
    return structs.replace(
        child,
        override_params=above.override_params | child.override_params,
        default_params=above.default_params | child.default_params,
        drop_params=tuple(dict.fromkeys(above.drop_params + child.drop_params)),
        retry=child.retry or above.retry,
        cache=child.cache or above.cache,
        request_timeout_ms=child.request_timeout_ms or above.request_timeout_ms,
        custom_host=child.custom_host or above.custom_host,
        host_is_callers=child.host_is_callers if own_host else above.host_is_callers,
        forward_headers=above.forward_headers if child.forward_headers is None else child.forward_headers,
        before=above.before if child.before is None else child.before,
        after=above.after if child.after is None else child.after,
        strict=above.strict if child.strict is None else child.strict,
    )


def model_of(one: Config) -> Address:
    """The model that a leaf asks for whatever the body says; all empty where it is the body's."""
    model = one.override_params.get("model")
    return address_of(model) if isinstance(model, str) else Address("", "", "")


def integration_of(one: Config, slug: str = "") -> str:
    """The name of the stored integration that a leaf means, "" where it means none.

    slug   of the body's "@slug/model", for a leaf that names nothing itself
    raises Refused where the leaf means nothing at all
    """
    if one.virtual_key:
        return one.virtual_key
    if one.provider:
        return one.provider.removeprefix("@") if one.provider.startswith("@") else ""
    found = model_of(one).integration or slug
    if not found:
        raise Refused(NO_TARGET, field=PREFIX + "config")
    return found
