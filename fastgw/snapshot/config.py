"""What people write: the sections and fields of the configuration file, each documented where it is defined.

Everything is frozen. Amounts are exact decimals as written; `nano_usd` and `tiers` give the integers that are counted
in. docs/config.md is tested against these definitions.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, field

from fastgw.snapshot.caching import CacheSettings
from fastgw.snapshot.credentials import Aws, Azure, Google, Oracle, Segment, Word
from fastgw.snapshot.routes import Route
from fastgw.snapshot.secret import Secret as Secret
from fastgw.snapshot.section import Milliseconds, Section, UpstreamModel

NANO: Final = 10**9
NAME_PATTERN: Final = r"\A[A-Za-z0-9._:/-]{1,64}\Z"
WINDOW_PATTERN: Final = r"\A(total|day|week|month|([1-9]|[1-9][0-9]|[12][0-9][0-9]|3[0-5][0-9]|36[0-6])d)\Z"
FIELD_PATTERN: Final = r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z"

Name = Annotated[str, Meta(pattern=NAME_PATTERN, extra={"expected": "1 to 64 of letters, digits and . _ : / -"})]
FieldName = Annotated[str, Meta(pattern=FIELD_PATTERN, extra={"expected": "the name of a header field"})]
Path = Annotated[str, Meta(pattern=r"\A[^\x00]{1,4096}\Z", extra={"expected": "a path"})]
Version = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9.-]{1,32}\Z", extra={"expected": "a version such as 2024-10-21"})]
KeySource = Annotated[
    str, Meta(pattern=r"\A(?:file|env|command):[^\x00]{1,4096}\Z", extra={"expected": '"file:PATH", "env:NAME" or "command:ARGV"'})
]
WebPlace = Annotated[
    str,
    Meta(
        pattern=r"\A(https://|http://(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|\Z))[!-\"$->@-~]{0,500}\Z",
        extra={"expected": "an https:// address without ? or #, or an http:// one of this machine"},
    ),
]
Collector = Annotated[
    str, Meta(pattern=r"\Ahttps?://[!-\"$->A-~]{1,500}\Z", extra={"expected": "an http:// or https:// address without ?, # or @"})
]
KeyHash = Annotated[
    str, Meta(pattern=r"\Asha256:[0-9a-fA-F]{64}\Z", extra={"expected": '"sha256:" and 64 hexadecimal digits'})
]
Window = Annotated[
    str,
    Meta(pattern=WINDOW_PATTERN, extra={"expected": '"total", "day", "week", "month" or "Nd" with N from 1 to 366'}),
]
Dollars = Annotated[
    Decimal, Meta(extra={"expected": "dollars from 0 to 4000000000, at most 9 decimals", "most": 4 * 10**9})
]
Rate9 = Annotated[
    Decimal, Meta(extra={"expected": "dollars per million tokens from 0 to 1000000, at most 9 decimals", "most": 10**6})
]
PerMinute = Annotated[int, Meta(ge=1, le=10**12)]
Parallel = Annotated[int, Meta(ge=1, le=1_000_000)]
Amount = Annotated[int, Meta(ge=0, le=10**18)]
Tokens = Annotated[int, Meta(ge=0, le=10**9)]
Admission = Literal["strict", "clamp", "estimate"]


class GatewayTimeouts(Section, frozen=True):
    """How long a caller's connection may take for what."""

    head_ms: Annotated[Milliseconds, Meta(description="until a request's head is whole")] = 10_000
    body_ms: Annotated[Milliseconds, Meta(description="between two reads of a request's body")] = 30_000
    idle_ms: Annotated[Milliseconds, Meta(description="between two requests of a connection")] = 75_000
    write_ms: Annotated[Milliseconds, Meta(description="for a caller to take what is written to it")] = 60_000
    shutdown_ms: Annotated[Milliseconds, Meta(description="for open exchanges to end when the gateway stops")] = 30_000


class Tls(Section, frozen=True):
    """Serve HTTPS with this certificate."""

    cert: Annotated[Path, Meta(description="PEM file with the certificate chain")]
    key: Annotated[Path, Meta(description="PEM file with the private key")]


class Cors(Section, frozen=True):
    """Let browsers of these origins call the gateway."""

    origins: Annotated[tuple[str, ...], Meta(description='origins such as "https://app.example", or "*" for any')]
    headers: Annotated[
        tuple[FieldName, ...], Meta(description="header fields that browsers may send beside the usual ones")
    ] = ()
    max_age_s: Annotated[int, Meta(ge=0, le=86_400, description="how long a browser may remember the answer")] = 600


class JsonLines(Section, frozen=True):
    """Write every record as a line of JSON."""

    path: Annotated[Path, Meta(description="file to append to")]
    rotate_bytes: Annotated[int, Meta(ge=4096, le=2**40, description="size at which a next file begins")] = 2**28
    keep: Annotated[int, Meta(ge=0, le=10_000, description="how many earlier files are kept")] = 8


class Otlp(Section, frozen=True):
    """Send a span of every exchange to a collector of OpenTelemetry: OTLP over HTTP, as JSON."""

    endpoint: Annotated[
        Collector, Meta(description='the collector, such as "http://127.0.0.1:4318"; spans go to /v1/traces below it')
    ]
    headers: Annotated[
        dict[FieldName, Secret], Meta(description='what the collector wants to see, such as authorization = "env:NAME"')
    ] = field(default_factory=dict)
    resource: Annotated[
        dict[str, str], Meta(description='what the spans say of this gateway, beside service.name = "fastgw", which may be another')
    ] = field(default_factory=dict)
    gzip: Annotated[bool, Meta(description="compress what is sent: a tenth of the bytes, for some CPU time of the drain")] = False
    timeout_ms: Annotated[Milliseconds, Meta(description="for the collector to connect, and to answer")] = 10_000


class Recording(Section, frozen=True):
    """What is kept of every exchange."""

    payloads: Annotated[
        Literal["none", "errors", "all"], Meta(description="of which exchanges the bodies are kept")
    ] = "none"
    max_payload_bytes: Annotated[int, Meta(ge=0, le=2**24, description="most that is kept of a body")] = 16_384
    retention_days: Annotated[int, Meta(ge=1, le=3_660, description="age at which records are deleted")] = 30
    retention_bytes: Annotated[int, Meta(ge=2**20, le=2**50, description="size at which the oldest are deleted")] = (
        2**30
    )
    ring_bytes: Annotated[int, Meta(ge=2**16, le=2**32, description="memory between a worker and the drain")] = (
        8_388_608
    )
    sqlite: Annotated[bool, Meta(description="keep records in the embedded store")] = True
    jsonl: Annotated[JsonLines | None, Meta(description="also write lines of JSON")] = None
    otlp: Annotated[Otlp | None, Meta(description="also send spans to a collector of OpenTelemetry")] = None


class InlineHosts(Section, frozen=True):
    """Hosts that requests name themselves (x-portkey-custom-host, inline configs)."""

    enabled: Annotated[bool, Meta(description="whether requests may name hosts at all")] = True
    allow: Annotated[
        tuple[str, ...], Meta(description="hosts beside the public ones: names, *.SUFFIX, addresses, networks such as 10.0.0.0/8")
    ] = ()
    public: Annotated[bool, Meta(description="whether hosts on the public Internet may be named without being listed")] = True


class Gateway(Section, frozen=True):
    """The process itself."""

    listen: Annotated[str, Meta(description="HOST:PORT, [IPV6]:PORT; port 0 takes a free one")] = "127.0.0.1:8787"
    workers: Annotated[int, Meta(ge=0, le=64, description="data-plane processes; 0 is the number of cores")] = 1
    state: Annotated[Path, Meta(description="directory of the ledger, the rings and the store")] = ".fastgw"
    secrets_key: Annotated[
        KeySource | None, Meta(description="where the key is that secrets are sealed with; by default secrets.key in the state directory")
    ] = None
    max_connections: Annotated[int, Meta(ge=1, le=1_000_000, description="callers' connections of a worker")] = 10_000
    max_body_bytes: Annotated[int, Meta(ge=1, le=2**40, description="greatest request body")] = 67_108_864
    buffer_reply_bytes: Annotated[
        int, Meta(ge=0, le=2**30, description="JSON replies up to this are held so that the head can state the cost")
    ] = 1_048_576
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least severity that is logged")
    ] = "info"
    timeouts: Annotated[GatewayTimeouts, Meta(description="limits of time")] = GatewayTimeouts()
    tls: Annotated[Tls | None, Meta(description="serve HTTPS")] = None
    cors: Annotated[Cors | None, Meta(description="let browsers call")] = None
    record: Annotated[Recording, Meta(description="what is kept")] = Recording()
    inline_hosts: Annotated[InlineHosts, Meta(description="hosts that requests name themselves")] = InlineHosts()
    cache: Annotated[CacheSettings, Meta(description="where replies are kept that routes say are to be")] = CacheSettings()


class IntegrationTimeouts(Section, frozen=True):
    """How long a provider may take for what."""

    connect_ms: Annotated[Milliseconds, Meta(description="to accept a connection, TLS included")] = 5_000
    first_byte_ms: Annotated[Milliseconds, Meta(description="until a reply begins")] = 300_000
    idle_ms: Annotated[Milliseconds, Meta(description="between two reads of a reply")] = 120_000
    total_ms: Annotated[Milliseconds, Meta(description="for an attempt as a whole")] = 1_800_000


class Integration(Section, frozen=True):
    """A provider with a credential, shared with workspaces."""

    provider: Annotated[str, Meta(description="a row of docs/providers.md")]
    base_url: Annotated[
        str | None, Meta(description="by default the provider's own; without a path the provider's prefix is added")
    ] = None
    api_key: Annotated[Secret | None, Meta(description='"env:NAME", "file:PATH" or the key itself')] = None
    api_version: Annotated[
        Version | None, Meta(description="azure-openai only: address deployments with this version")
    ] = None
    aws: Annotated[Aws | None, Meta(description="region and credentials, for providers that sign as AWS does")] = None
    google: Annotated[Google | None, Meta(description="project, region and credentials, for vertex-ai")] = None
    azure: Annotated[Azure | None, Meta(description="resource and identity, for azure-openai and azure-ai")] = None
    oracle: Annotated[Oracle | None, Meta(description="region and key, for oracle")] = None
    settings: Annotated[
        dict[Name, Segment], Meta(description="what else the provider's address needs, such as account_id")
    ] = field(default_factory=dict)
    token_url: Annotated[Word | None, Meta(description="where tokens are fetched, instead of the cloud's address")] = None
    metadata_url: Annotated[
        Word | None, Meta(description="where the instance's identity is fetched, instead of the cloud's address")
    ] = None
    models: Annotated[
        tuple[UpstreamModel, ...],
        Meta(description="what it serves; by default what the price table has of the provider"),
    ] = ()
    headers: Annotated[
        dict[FieldName, Secret],
        Meta(description='header fields added to each request; values may be "env:" or "file:"'),
    ] = field(default_factory=dict)
    stream_usage: Annotated[
        bool | None,
        Meta(description="whether streams may be asked for usage; by default what the provider understands"),
    ] = None
    max_connections: Annotated[Parallel, Meta(description="connections of a worker to this origin")] = 256
    ca_file: Annotated[
        Path | None, Meta(description="PEM file of the authorities to trust instead of the system's")
    ] = None
    proxy: Annotated[
        Secret | None, Meta(description="URL of an HTTP proxy; by default HTTPS_PROXY unless NO_PROXY names the host")
    ] = None
    guarded: Annotated[
        bool, Meta(description="whether its address is held to [gateway.inline_hosts] each time it is connected to")
    ] = False
    timeouts: Annotated[IntegrationTimeouts, Meta(description="limits of time")] = IntegrationTimeouts()


class Price(Section, frozen=True):
    """Prices in dollars per million tokens."""

    input: Annotated[Rate9, Meta(description="input")]
    output: Annotated[Rate9, Meta(description="output, reasoning included")]
    cache_read: Annotated[Rate9 | None, Meta(description="input read from a cache; by default as input")] = None
    cache_write: Annotated[Rate9 | None, Meta(description="input written to a cache; by default as input")] = None
    cache_write_1h: Annotated[Rate9 | None, Meta(description="written for an hour; by default as cache_write")] = None
    audio_input: Annotated[Rate9 | None, Meta(description="audio input; by default as input")] = None
    audio_output: Annotated[Rate9 | None, Meta(description="audio output; by default as output")] = None
    request: Annotated[Dollars, Meta(description="dollars for each request, whatever its tokens")] = Decimal(0)

    @property
    def tiers(self) -> tuple[tuple[int, ...]]:
        """The one row that PriceRow takes: nano-dollars per million tokens, -1 where nothing is stated."""
        parts = (self.cache_read, self.cache_write, self.cache_write_1h, self.audio_input, self.audio_output)
        rates = (-1 if rate is None else int(rate * NANO) for rate in parts)
        return ((0, int(self.input * NANO), int(self.output * NANO), *rates),)

    @property
    def request_nano_usd(self) -> int:
        return int(self.request * NANO)


class Model(Route, frozen=True):
    """A name that callers use, and where it leads."""

    price: Annotated[Price | None, Meta(description="of every target, instead of the price table's")] = None
    context_tokens: Annotated[Tokens | None, Meta(description="instead of the price table's")] = None
    max_output_tokens: Annotated[Tokens | None, Meta(description="instead of the price table's")] = None


class Budget(Section, frozen=True):
    """The most that may be used in a window of time: dollars, tokens or requests."""

    usd: Annotated[Dollars | None, Meta(description="dollars")] = None
    tokens: Annotated[Amount | None, Meta(description="input and output tokens, instead of dollars")] = None
    requests: Annotated[Amount | None, Meta(description="requests, instead of dollars")] = None
    window: Annotated[Window, Meta(description='"total", or a calendar "day", "week", "month" in UTC, or "Nd"')] = (
        "total"
    )

    @property
    def unit(self) -> Literal["usd", "tokens", "requests"]:
        return next(name for name in ("usd", "tokens", "requests") if getattr(self, name) is not None)

    @property
    def amount(self) -> int:
        """Nano-dollars, tokens or requests."""
        return int((self.usd or 0) * NANO) or self.tokens or self.requests or 0


Budgets = Annotated[
    tuple[Budget, ...], Meta(extra={"expected": "a table, or a list of tables with different units or windows", "or_one": True})
]


class Rate(Section, frozen=True):
    """The most that may be asked for in a minute."""

    requests_per_minute: Annotated[PerMinute | None, Meta(description="requests")] = None
    tokens_per_minute: Annotated[PerMinute | None, Meta(description="input and output tokens")] = None


class ShareLimits(Section, frozen=True):
    """What a workspace's use of one integration is held to."""

    budget: Annotated[Budgets, Meta(description="of what the workspace uses there")] = ()
    rate: Annotated[Rate | None, Meta(description="of what the workspace asks there")] = None
    max_parallel: Annotated[Parallel | None, Meta(description="requests at once")] = None
    models: Annotated[
        tuple[UpstreamModel, ...], Meta(description="models it may use there, as the provider calls them; by default all")
    ] = ()


class Workspace(Section, frozen=True):
    """What keys share: limits, integrations and the policy of admission."""

    budget: Annotated[Budgets, Meta(description="for all its keys together")] = ()
    rate: Annotated[Rate | None, Meta(description="for all its keys together")] = None
    max_parallel: Annotated[Parallel | None, Meta(description="requests at once, for all its keys together")] = None
    admission: Annotated[
        Admission, Meta(description="what a request without an output limit reserves: strict, clamp or estimate")
    ] = "clamp"
    unknown_price: Annotated[
        Literal["refuse", "allow"], Meta(description="a model without a price, where a budget applies")
    ] = "refuse"
    integrations: Annotated[
        tuple[str, ...] | None, Meta(description="integrations it may use; by default all, and none where the list is empty")
    ] = None
    models: Annotated[tuple[str, ...], Meta(description="models it may use; by default all")] = ()
    configs: Annotated[tuple[str, ...], Meta(description="saved configs that no other workspace's keys may name")] = ()
    limits: Annotated[
        dict[Name, ShareLimits], Meta(description="of single integrations, by name; where one is used up, routes pass over it")
    ] = field(default_factory=dict)
    inline: Annotated[
        Literal["allow", "saved"], Meta(description="saved: requests name saved configs and integrations only, no providers of their own")
    ] = "allow"

    def reach(self, known: Iterable[str]) -> set[str]:
        """Of the integrations that there are, those that it may use."""
        return set(known if self.integrations is None else self.integrations)


class Key(Section, frozen=True):
    """A virtual key."""

    name: Annotated[Name, Meta(description="what records and limits call it")]
    key: Annotated[Secret | None, Meta(description='the key: "env:NAME", "file:PATH" or itself')] = None
    hash: Annotated[KeyHash | None, Meta(description="instead of key: its SHA-256")] = None
    workspace: Annotated[str, Meta(description="name of a workspace")] = "default"
    models: Annotated[tuple[str, ...], Meta(description="models it may use; by default all of the workspace")] = ()
    integrations: Annotated[
        tuple[str, ...], Meta(description="integrations it may use; by default all of the workspace")
    ] = ()
    integration: Annotated[str | None, Meta(description="where paths under /v1/ go that the gateway does not know")] = (
        None
    )
    budget: Annotated[Budgets, Meta(description="of this key")] = ()
    rate: Annotated[Rate | None, Meta(description="of this key")] = None
    max_parallel: Annotated[Parallel | None, Meta(description="requests at once")] = None
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="from then on the key is refused; up to the year 2261"),
    ] = None
    admission: Annotated[Admission | None, Meta(description="instead of the workspace's")] = None
    enabled: Annotated[bool, Meta(description="false refuses the key")] = True
    metadata: Annotated[dict[str, str], Meta(description="kept with the key's records")] = field(default_factory=dict)
    config: Annotated[str | None, Meta(description="the saved config that holds where a request names none")] = None
    allow_config_override: Annotated[bool, Meta(description="whether requests may name another config")] = True


class Oidc(Section, frozen=True):
    """People sign in to the console at the company's identity provider, by OpenID Connect."""

    issuer: Annotated[WebPlace, Meta(description="as the provider itself writes it; its settings are found below it")]
    client_id: Annotated[Word, Meta(description="what the provider calls the gateway; its redirect URI is PUBLIC_URL/oauth/callback")]
    client_secret: Annotated[Secret | None, Meta(description="by default none, as of a public client")] = None
    name: Annotated[str, Meta(description="what the button says")] = "Single sign-on"
    allowed_domains: Annotated[tuple[str, ...], Meta(description="of e-mail addresses that may sign in; by default all")] = ()
    auto_create: Annotated[bool, Meta(description="whether people who are not known yet become members; else they are refused")] = False
    role_claim: Annotated[
        str | None, Meta(description='claim that says "admin" or "member", alone or in a list; taken over at each sign-in, but of owners')
    ] = None


class Smtp(Section, frozen=True, kw_only=True):
    """How mail is sent."""

    host: Annotated[str, Meta(description="name or address of the server")]
    port: Annotated[int, Meta(ge=1, le=65_535, description="usually 587 with starttls, 465 with implicit")] = 587
    tls: Annotated[Literal["starttls", "implicit", "none"], Meta(description="how the connection is secured")] = "starttls"
    username: Annotated[str, Meta(description="to log in with; none: without")] = ""
    password: Annotated[Secret | None, Meta(description="to log in with")] = None
    sender: Annotated[str, Meta(description="address that alerts come from")]


class ControlPlane(Section, frozen=True):
    """The control plane: store, admin API and console."""

    enabled: Annotated[bool, Meta(description="whether it runs, where its packages are installed (the extra control)")] = True
    store: Annotated[
        Secret | None,
        Meta(description='"sqlite:///PATH" or "postgresql://USER:PASSWORD@HOST/DATABASE"; by default store.db in the state directory'),
    ] = None
    public_url: Annotated[
        WebPlace | None, Meta(description="where browsers reach the gateway; by default where each of them says that it did")
    ] = None
    oidc: Annotated[Oidc | None, Meta(description="sign in at an identity provider")] = None
    smtp: Annotated[Smtp | None, Meta(description="how alerts go out by mail")] = None

    @property
    def store_url(self) -> str:
        """Where the store is; "" for the one in the state directory."""
        return self.store.reveal() if self.store is not None else ""


class Config(Section, frozen=True):
    """The whole file."""

    gateway: Annotated[Gateway, Meta(description="the process")] = Gateway()
    control: Annotated[ControlPlane, Meta(description="the control plane")] = ControlPlane()
    integrations: Annotated[dict[Name, Integration], Meta(description="by name")] = field(default_factory=dict)
    models: Annotated[dict[Name, Model], Meta(description="by alias")] = field(default_factory=dict)
    prices: Annotated[dict[str, Price], Meta(description='by "PROVIDER/MODEL"')] = field(default_factory=dict)
    workspaces: Annotated[dict[Name, Workspace], Meta(description="by name; one named default exists anyway")] = field(
        default_factory=dict
    )
    keys: Annotated[tuple[Key, ...], Meta(description="virtual keys")] = ()
    configs: Annotated[
        dict[Name, dict[str, object]], Meta(description="Portkey configs by the names that x-portkey-config has for them")
    ] = field(default_factory=dict)
