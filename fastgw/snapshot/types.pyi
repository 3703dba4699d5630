"""What the data plane reads: the Python face that compiling and the worker use."""
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fastgw._core.digest import KeyTable
from fastgw._core.keyfile import KeyFile, KeyView
from fastgw._core.price import PriceRow
from fastgw._core.upstream import Origin
from fastgw.meter.cards import Card
from fastgw.providers.row import Provider
from fastgw.providers.signer import Signer
from fastgw.snapshot.caching import Caching
from fastgw.snapshot.cors import Cors
from fastgw.snapshot.shares import Share

PARTS: dict[str, int]

def place_of(name: str, index: int, speaks: int) -> int:
    """Where an operation stands in an integration's table of ways: its name, the index of that in records, ErrorDialect."""

class Leads(Protocol):
    """A leaf of a route: what is asked of it here is where it leads."""

    @property
    def target(self) -> object: ...

class Routed(Protocol):
    """A route of route.plan, which this layer does not know."""

    @property
    def leaves(self) -> tuple[Leads, ...]: ...

Resolver = Callable[["Snapshot", "Operation", bytes | None, str | None], "Routed | None"]

class Operation:
    """What a caller asks for, by path and method."""

    name: str
    index: int
    speaks: int
    body: int
    usage: int
    wants_model: bool
    model_in_path: bool
    generates: bool
    limit_fields: int
    metered: bool
    may_ask_usage: bool
    decodes_reply: bool
    place: int
    def __init__(
        self, name: str, index: int, *, speaks: int, body: int, usage: int = 0, wants_model: bool = False, model_in_path: bool = False,
        generates: bool = False, limit_fields: int = 0, metered: bool = False, may_ask_usage: bool = False, decodes_reply: bool = True,
    ) -> None: ...

class Caller:
    """A key, with everything that admission and routing ask of it; models and integrations None: all."""

    name: str
    workspace: str
    enabled: bool
    admission: int
    has_budget: bool
    counts_tokens: bool
    shares: Mapping[str, Share] | None
    refuse_unknown_price: bool
    models: frozenset[bytes] | None
    integrations: frozenset[str] | None
    passthrough: str | None
    metadata: Mapping[str, str] | None
    config: str | None
    allow_config_override: bool
    id: str
    user: str | None
    organisation: str
    account_names: tuple[str, ...]
    def __init__(
        self, name: str, workspace: str, *, chain: Sequence[int], account_names: tuple[str, ...] = (), enabled: bool = True,
        admission: int = 1, has_budget: bool = False, refuse_unknown_price: bool = True, models: frozenset[bytes] | None = None,
        integrations: frozenset[str] | None = None, passthrough: str | None = None, metadata: Mapping[str, str] | None = None,
        config: str | None = None, allow_config_override: bool = True, id: str | None = None, user: str | None = None,
        organisation: str = "", counts_tokens: bool = False,
        shares: Mapping[str, Share] | None = None,
    ) -> None: ...

class Way:
    """How an integration serves an operation: where `dialect` is None in the caller's own, and bytes pass."""

    operation: str
    dialect: str | None
    is_shape: bool
    path: bytes | None
    stream_path: bytes | None
    prefix: bytes | None
    usage: int
    quirks: frozenset[str]
    signs: frozenset[str]
    own: Way | None
    def __init__(
        self, operation: str, *, dialect: str | None = None, is_shape: bool = False, path: bytes | None = None,
        stream_path: bytes | None = None, usage: int = 0, prefix: bytes | None = None, quirks: frozenset[str] = ...,
        signs: frozenset[str] = ..., own: Way | None = None,
    ) -> None: ...

class Integration:
    """A provider with a credential, and the pool of connections to it."""

    name: str
    provider: Provider
    origin: Origin
    host: bytes
    prefix: bytes
    cut: bytes
    query: bytes
    fields: bytes
    default_fields: bytes
    ask_usage: bool
    output_limits: dict[str, tuple[str, ...]]
    signer: Signer | None
    variants: tuple[tuple[re.Pattern[str], Integration], ...]
    model_in_prefix: bool
    own_names: frozenset[bytes]
    def __init__(
        self, name: str, provider: Provider, origin: Origin, *, host: bytes, prefix: bytes, cut: bytes, query: bytes, fields: bytes,
        default_fields: bytes, ask_usage: bool, ways: Mapping[int, Way], output_limits: dict[str, tuple[str, ...]],
        own_names: frozenset[bytes] = ...,
        secrets: tuple[bytes, ...] = (),
        signer: Signer | None = None,
        variants: tuple[tuple[re.Pattern[str], Integration], ...] = (),
    ) -> None: ...
    def does(self, operation: Operation) -> bool:
        """Whether it serves this operation, in the caller's dialect or another."""

    def translates(self, operation: Operation) -> bool:
        """Whether it serves the operation in another dialect than the caller's."""

    def for_model(self, model: str) -> Integration:
        """The integration as this model is asked for: itself, or the variant of its provider that the name belongs to."""

class Target:
    """A model at an integration, with its price; an empty model is the caller's own name."""

    integration: Integration
    model: bytes
    price: PriceRow
    unsupported: str
    reply_fields: bytes
    def __init__(
        self, integration: Integration, model: bytes, price: PriceRow, *, unsupported: str = "drop",
    ) -> None: ...
    def limit(
        self, *, connect_ms: int | None = None, first_byte_ms: int | None = None, idle_ms: int | None = None, total_ms: int | None = None,
    ) -> None:
        """State limits of time of its own; None: the integration's."""

class Snapshot:
    """All that the data plane reads, as of one version of the configuration."""

    version: int
    loaded_ns: int
    origin_path: str
    callers: list[Caller]
    issued: KeyFile | None
    maker: Callable[[KeyView], Caller] | None
    integrations: dict[str, Integration]
    aliases: Mapping[bytes, Routed]
    resolver: Resolver
    payloads: int
    max_payload_bytes: int
    buffer_reply_bytes: int
    cors: Cors | None
    served: tuple[tuple[str, Integration], ...]
    describe: Callable[[str, str], Card | None] | None
    cached: dict[str, tuple[Caching, bytes]]
    paths: object
    def __init__(
        self, *, version: int, loaded_ns: int, origin_path: str, keys: KeyTable, callers: list[Caller],
        integrations: dict[str, Integration], aliases: Mapping[bytes, Routed], resolver: Resolver,
        payloads: int, max_payload_bytes: int, buffer_reply_bytes: int,
        cors: Cors | None = None, served: tuple[tuple[str, Integration], ...] = (),
        describe: Callable[[str, str], Card | None] | None = None, cached: dict[str, tuple[Caching, bytes]] | None = None,
        paths: object = None, issued: KeyFile | None = None, maker: Callable[[KeyView], Caller] | None = None,
    ) -> None: ...
    def allows(self, caller: Caller, integration: str) -> bool:
        """Whether the caller's key and workspace may use that integration."""

    def names_for(self, caller: Caller) -> list[tuple[str, str]]:
        """The models a caller may name, as (name, who serves it): aliases, then what integrations state they serve."""
