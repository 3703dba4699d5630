"""What a request asks of the cache, what the configuration says to it, and what the caller is told."""

from typing import Final, Literal

from msgspec import Struct

from fastgw.cache.key import Space
from fastgw.snapshot.caching import CacheSettings, Caching

Status = Literal["", "hit", "miss", "refresh", "bypass"]
# A record holds the index in this tuple; 0: no cache was in play.
STATUSES: Final[tuple[Status, ...]] = ("", "hit", "miss", "refresh", "bypass")
# The same in Portkey's words, for x-portkey-cache-status.
PORTKEY_WORDS: Final[dict[Status, Literal["", "HIT", "MISS", "REFRESH", "DISABLED"]]] = {
    "": "", "hit": "HIT", "miss": "MISS", "refresh": "REFRESH", "bypass": "DISABLED",
}  # fmt: skip


class Wish(Struct, frozen=True):
    """What the fields of one request say.

    refresh      ask the provider, and keep its answer; bypass: ask the provider, and leave what is kept alone
    max_age_s    take nothing older; keep_s: keep the answer no longer
    namespace    the caller's own, beside the configuration's
    """

    refresh: bool = False
    bypass: bool = False
    max_age_s: int | None = None
    keep_s: int | None = None
    namespace: str = ""


NO_WISH: Final = Wish()


def read_wish(
    cache_control: str = "", *, refresh: bool = False, keeps_bodies: bool = True, keep_s: int | None = None, namespace: str = ""
) -> Wish:
    """Read cache-control (RFC 9111, 5.2.1: no-store, no-cache and max-age), beside what x-portkey-* fields say.

    A max-age that is no number, and a keep_s of 0, say nothing (as at Portkey); max-age=0 is no-cache.
    """
    max_age_s: int | None = None
    bypass = not keeps_bodies
    for directive in cache_control.split(",") if cache_control else ():
        name, _, value = directive.strip().partition("=")
        name, value = name.rstrip().lower(), value.strip(' \t"')
        if name == "no-store":
            bypass = True
        elif name == "no-cache":
            refresh = True
        elif name == "max-age" and value.isascii() and value.isdigit():
            max_age_s = int(value[:10])
            refresh = refresh or max_age_s == 0
    return Wish(refresh, bypass, max_age_s or None, keep_s or None, namespace)


class Terms(Struct, frozen=True):
    """What holds for one request. status: bypass where its answer is neither taken nor kept, refresh or miss else."""

    status: Literal["miss", "refresh", "bypass"]
    max_age_ms: int = 0
    keep_ms: int = 0


def terms_of(caching: Caching | None, operation: str, wish: Wish, settings: CacheSettings) -> Terms | None:
    """The terms; None where the configuration has no cache for this operation of this route."""
    if caching is None or caching.mode == "off" or operation not in caching.operations:
        return None
    if wish.bypass:
        return Terms("bypass")
    most_s = caching.max_age_s or settings.max_age_s
    return Terms(
        "refresh" if wish.refresh else "miss",
        1000 * min(most_s, wish.max_age_s or most_s),
        1000 * min(most_s, wish.keep_s or most_s),
    )


def space_of(caching: Caching, wish: Wish, workspace: str, key: str, alias: str, route: bytes) -> Space:
    """Who shares the answer: the workspace or one virtual key of it, as the configuration says. route: see key.route_mark."""
    return Space(workspace, key if caching.scope == "key" else "", alias, route, (caching.namespace, wish.namespace))


def reply_fields(status: Status, age_ms: int = 0) -> bytes:
    """Lines for the head of a reply: x-fastgw-cache, and with a hit its age in seconds (RFC 9111, 5.1)."""
    if not status:
        return b""
    line = f"x-fastgw-cache: {status}\r\n"
    return (line + f"age: {age_ms // 1000}\r\n" if status == "hit" else line).encode("ascii")
