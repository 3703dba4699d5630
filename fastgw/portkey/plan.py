"""Everything from the x-portkey-* fields of a request to its route, in the order that the checks must have.

What `plan` returns depends on its arguments alone. It may be kept for as long as the snapshot lives, under the caller's policy, the slug
of the body's model and `headers.digest_of` the fields; which stored integrations and models the caller may use is checked at each use.
"""

from collections.abc import Mapping

from fastgw.portkey.config import Config, read_config
from fastgw.portkey.headers import Asked
from fastgw.portkey.refusal import NO_PROVIDER, OVERRIDE, UNKNOWN_CONFIG, Refused, blocked
from fastgw.portkey.route import Allowed, Routed, Router
from fastgw.portkey.tree import settle, with_headers
from fastgw.snapshot.config import Integration
from fastgw.snapshot.hosts import HostRules

ANYTHING = Allowed()


def read_saved(written: Mapping[str, Mapping[str, object] | str]) -> dict[str, Config]:
    """Read the saved configs of a snapshot by their names: JSON text, a table, or a table with JSON text in its member json.

    raises  Refused with the name as its param
    """
    read: dict[str, Config] = {}
    for name, one in written.items():
        try:
            text = one if isinstance(one, str) else one.get("json")
            read[name] = read_config(text if isinstance(text, str) else one)
        except Refused as error:
            raise Refused(error.message, error.errors, field=name, detail=error.detail) from error
    return read


def check_saved(written: Mapping[str, Mapping[str, object]], stored: Mapping[str, Integration], environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the saved configs of a file, a line each: their form, the integrations they name, the credentials they state."""
    found: list[str] = []
    for name, one in written.items():
        try:
            config = read_saved({name: one})[name]
            # without a provider it is one for requests that name theirs
            if config.targets or config.provider or config.virtual_key:
                Router(stored, HostRules(), ANYTHING, environ).route(settle(config))
        except Refused as error:
            found.append(f"configs.{name}: {'; '.join(error.errors) or error.detail or error.message}")
    return found


def plan(
    asked: Asked,
    *,
    saved: Mapping[str, Config],
    stored: Mapping[str, Integration],
    hosts: HostRules,
    environ: Mapping[str, str],
    allowed: Allowed = ANYTHING,
    slug: str = "",
    default: str = "",
    may_override: bool = True,
) -> Routed:
    """The route that a request asks for.

    saved     configs by name, stored: integrations by name, hosts: what a caller may name beside the public Internet
    environ   where "env:" of a saved config is looked up; a caller's text never is
    slug      of the body's "@slug/model"
    default   name of the saved config of the key, which holds where the request names none; may_override: whether it may
    raises    Refused
    """
    if asked.config and default and not may_override:
        raise Refused(OVERRIDE, field="x-portkey-config")
    wanted = asked.config or default
    if not wanted and not asked.provider and not asked.virtual_key and not slug:
        raise Refused(NO_PROVIDER)
    config = find_config(wanted, saved, hosts, allowed) if wanted else None
    if asked.custom_host and not allowed.hosts:
        raise blocked("custom_host")
    if asked.forward and not allowed.forwarding:
        raise blocked("forward_headers")
    root = with_headers(config, asked, hosts)
    return Router(stored, hosts, allowed, environ, slug).route(settle(root))


def find_config(wanted: str, saved: Mapping[str, Config], hosts: HostRules, allowed: Allowed) -> Config:
    """An inline config, or the saved one of that name.

    raises  Refused
    """
    if wanted in saved:
        return saved[wanted]
    if not wanted.lstrip().startswith(("{", "[")):
        raise Refused(UNKNOWN_CONFIG, field="x-portkey-config", detail=f"no saved config is named {wanted[:64]!r}")
    if not allowed.configs:
        raise blocked("config")
    return read_config(wanted, hosts)
