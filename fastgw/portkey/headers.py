"""Read the x-portkey-* fields of a request: what it asks for, with which credentials of its own.

Field names are lower case here, as the caller of these functions has them; values are text. A field that comes twice is one, joined with
", " (RFC 9110, 5.3).
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct, field

from fastgw.portkey.names import IDLE, PASSING, PLACEHOLDER, PREFIX, SETTINGS
from fastgw.portkey.refusal import FORWARDS_ITSELF, Refused
from fastgw.snapshot.config import Secret

MOST_MILLISECONDS: Final = 86_400_000
MOST_LABEL_CHARACTERS: Final = 128
# The fields in which clients put a provider's key, the first that has one counts.
KEY_FIELDS: Final = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
CACHE_MODES: Final = frozenset({"simple", "semantic"})
# What a caller cannot have forwarded: the framing of the request, and what the gateway says itself (RFC 9110, 7.6.1).
NEVER_FORWARDED: Final = frozenset(
    "connection content-encoding content-length expect host keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    " transfer-encoding upgrade".split()
)

IsOwn = Callable[[str], bool]


class Asked(Struct, frozen=True, kw_only=True):
    """What the fields of one request ask for; "" and None are not stated.

    config        inline JSON, or the name of a saved one
    provider      as it stands, perhaps "@slug"
    key           of the provider, from the caller; never the gateway's own and never a placeholder
    forward       names of the caller's fields that the provider gets too
    timeout_ms    of one attempt
    strict        whether a reply holds only what OpenAI defines
    cache_mode    "simple" or "semantic"; cache_ttl_s its time
    refresh       do not take from the cache, but put into it
    debug         false keeps bodies out of the record, and out of the cache
    metadata      as it stands, for conditions
    guardrails    default ones before and after, as decoded JSON
    settings      of the provider, by their names in a config
    ignored       fields that say nothing here: unknown ones, and values of another form
    """

    config: str = ""
    provider: str = ""
    virtual_key: str = ""
    key: Secret | None = None
    custom_host: str = ""
    forward: tuple[str, ...] = ()
    timeout_ms: int | None = None
    strict: bool | None = None
    retries: int | None = None
    cache_mode: str = ""
    cache_namespace: str = ""
    cache_ttl_s: int | None = None
    refresh: bool = False
    debug: bool = True
    trace_id: str = ""
    span_id: str = ""
    span_name: str = ""
    parent_span_id: str = ""
    metadata: dict[str, object] = field(default_factory=dict)
    input_guardrails: tuple[object, ...] = ()
    output_guardrails: tuple[object, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether the request is one to Portkey, and so answered in its dialect."""
        return bool(self.config or self.provider or self.virtual_key)

    @property
    def labels(self) -> dict[str, str]:
        """The metadata as records keep it: texts of at most 128 characters."""
        texts = {name: value if isinstance(value, str) else msgspec.json.encode(value).decode() for name, value in self.metadata.items()}
        return {name[:MOST_LABEL_CHARACTERS]: text[:MOST_LABEL_CHARACTERS] for name, text in texts.items()}

    def __repr__(self) -> str:
        what = self.virtual_key or self.provider
        return f"Asked({what!r}, {'config' if self.config else 'no config'}, {len(self.settings)} settings)"


def speaks_portkey(fields: Mapping[str, str]) -> bool:
    """Whether a request is one to Portkey: a look at three names, before anything is read."""
    return any(PREFIX + name in fields for name in ("config", "provider", "virtual-key"))


def read_headers(fields: Mapping[str, str], is_own: IsOwn) -> Asked:
    """Read all of them.

    is_own   whether a text is a key of the gateway: such a one is nobody else's, whichever field it stands in
    raises   Refused
    """
    text = {name[len(PREFIX) :]: value.strip() for name, value in fields.items() if name.startswith(PREFIX)}
    text = {name: value for name, value in text.items() if value}
    ignored = [PREFIX + name for name in text if not is_known(name)]
    settings = {name: value for name in SETTINGS if (value := text.get(name.replace("_", "-")))}
    for name in ("anthropic-beta", "anthropic-version", "openai-beta"):  # clients that know nothing of Portkey send these plainly
        if value := fields.get(name, "").strip():
            settings.setdefault(name.replace("-", "_"), value)
    metadata = an_object(text, "metadata", ignored)
    return Asked(
        config=text.get("config", ""),
        provider=text.get("provider", ""),
        virtual_key=text.get("virtual-key", ""),
        key=provider_key(fields, is_own),
        custom_host=text.get("custom-host", ""),
        forward=forward_names(text.get("forward-headers", "")),
        timeout_ms=an_integer(text, "request-timeout", 1, MOST_MILLISECONDS, ignored),
        strict={"false": False, "true": True}.get(text.get("strict-open-ai-compliance", "").lower()),
        retries=an_integer(text, "retry-count", 0, 1_000, ignored),
        cache_mode=mode if (mode := text.get("cache", "").lower()) in CACHE_MODES else "",
        cache_namespace=text.get("cache-namespace", ""),
        cache_ttl_s=an_integer(text, "cache-ttl", 0, 10**9, ignored),
        # Portkey takes the presence of the field for a yes, and its own client writes False as "false"
        refresh=text.get("cache-force-refresh", "false").lower() != "false",
        debug=text.get("debug", "").lower() != "false",
        trace_id=text.get("trace-id", ""),
        span_id=text.get("span-id", ""),
        span_name=text.get("span-name", ""),
        parent_span_id=text.get("parent-span-id", ""),
        metadata=metadata,
        input_guardrails=a_list(text, "default-input-guardrails", ignored),
        output_guardrails=a_list(text, "default-output-guardrails", ignored),
        settings=settings,
        ignored=tuple(sorted(ignored)),
    )


READ: Final = frozenset(
    "config provider virtual-key custom-host forward-headers request-timeout strict-open-ai-compliance retry-count cache"
    " default-input-guardrails default-output-guardrails".split()
)


def is_known(name: str) -> bool:
    return name in READ or name in PASSING or name in IDLE or name.replace("-", "_") in SETTINGS


def provider_key(fields: Mapping[str, str], is_own: IsOwn) -> Secret | None:
    """The key that the caller brings for the provider."""
    for name in KEY_FIELDS:
        value = bare_key(fields.get(name, ""))
        if value and value != PLACEHOLDER and not is_own(value):
            return Secret(value)
    return None


def bare_key(value: str) -> str:
    """A field's value without the scheme before it."""
    scheme, space, rest = value.strip().partition(" ")
    return rest.strip() if space and scheme.lower() == "bearer" else "" if scheme.lower() == "bearer" else value.strip()


def forward_names(text: str) -> tuple[str, ...]:
    """The names in a comma list or in an array of JSON or JavaScript; portkey-ai writes some with underscores.

    raises  Refused
    """
    names = [name.strip(" \t\"'").lower().replace("_", "-") for name in text.strip("[] \t").split(",")]
    if PREFIX + "forward-headers" in names:
        raise Refused(FORWARDS_ITSELF, field=PREFIX + "forward-headers")
    return tuple(dict.fromkeys(name for name in names if name))


def forwarded(fields: Mapping[str, str], names: tuple[str, ...], is_own: IsOwn) -> dict[str, str]:
    """The fields that go to the provider because the caller said so; no key of the gateway is ever among them."""
    found = {name: fields[name] for name in names if name in fields}
    return {
        name: value
        for name, value in found.items()
        if name not in NEVER_FORWARDED and not name.startswith(("x-portkey-", "x-fastgw-")) and may_leave(value, is_own)
    }


def may_leave(value: str, is_own: IsOwn) -> bool:
    return bare_key(value) != PLACEHOLDER and not any(is_own(part) for part in (value.strip(), bare_key(value), *value.split()))


def digest_of(fields: Mapping[str, str], is_own: IsOwn) -> bytes:
    """What tells requests apart that go different ways: the SHA-256 of every field that a route is made of, credentials included."""
    kept = [(name, value.strip()) for name, value in fields.items() if name.startswith(PREFIX) and name[len(PREFIX) :] not in PASSING]
    kept += [(name, value) for name in KEY_FIELDS if (value := bare_key(fields.get(name, ""))) and not is_own(value)]
    kept += [(name, fields[name].strip()) for name in ("anthropic-beta", "anthropic-version", "openai-beta") if name in fields]
    digest = sha256()
    for name, value in sorted(kept):
        for part in (name.encode(), value.encode("utf-8", "surrogateescape")):
            digest.update(len(part).to_bytes(4, "little") + part)
    return digest.digest()


def an_integer(text: Mapping[str, str], name: str, least: int, most: int, ignored: list[str]) -> int | None:
    """An integer within limits; above them it is the greatest, and what is none at all says nothing (as at Portkey)."""
    value = text.get(name)
    if value is None:
        return None
    try:
        number = int(float(value))
    except (ValueError, OverflowError):
        number = least - 1
    if number < least:
        ignored.append(PREFIX + name)
        return None
    return min(number, most)


def an_object(text: Mapping[str, str], name: str, ignored: list[str]) -> dict[str, object]:
    value = decoded(text.get(name))
    if isinstance(value, dict):
        return value
    if name in text:
        ignored.append(PREFIX + name)
    return {}


def a_list(text: Mapping[str, str], name: str, ignored: list[str]) -> tuple[object, ...]:
    value = decoded(text.get(name))
    if isinstance(value, list):
        return tuple(value)
    if name in text:
        ignored.append(PREFIX + name)
    return ()


def decoded(text: str | None) -> object:
    """JSON, or None where it is none."""
    if text is None:
        return None
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return value
