"""The providers: one row each, with what it takes to reach one, sign for it, bound it and price it.

A provider that speaks another's dialect is one more row here and a line in docs/providers.md.
"""

from enum import IntEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from msgspec import Struct

OPERATIONS = MappingProxyType(
    {
        # what a caller may ask for, and the dialect that its body is in
        "chat": "openai_chat",
        "completions": "openai_completions",
        "embeddings": "openai_embeddings",
        "responses": "openai_responses",
        "moderations": "openai_moderations",
        "images": "openai_images",
        "audio": "openai_audio",
        "files": "proxy",
        "batches": "proxy",
        "models": "proxy",
        "messages": "anthropic_messages",
        "count_tokens": "proxy",
        "generate": "gemini_generate",
        "embed": "gemini_embed",
    }
)


class UsageDialect(IntEnum):
    """How replies state their usage; the numbers are the usage kernel's."""

    NONE = 0
    OPENAI = 1
    ANTHROPIC = 2
    GEMINI = 3


class Provider(Struct, frozen=True, kw_only=True):
    """How to reach a provider, sign for it, bound an output and read a usage.

    name             what the config calls it
    base_url         its public address; "" where the config must state one
    prefix           begins every upstream path where base_url has none of its own
    cut              the beginning of a caller's path that the prefix stands for: "/v1" of "/v1/chat/completions"
    versioned_prefix, version_query   take the place of the prefix where the config states api_version: {model} is
                     the target's model, and the query field carries the version; "" where there is no such thing
    auth_field, auth_prefix           the field that carries the key, and what stands before the key in it
    extra_fields     fields that are added where the caller sent none of that name
    operations       what it serves, names of OPERATIONS
    output_limit     where a body states the most tokens to generate, by operation: the path of members
    usage            how its replies state usage
    stream_options   understands stream_options.include_usage
    catalog_ids      its names in the price table, in the order they are asked; none: only the config prices its models
    """

    name: str
    base_url: str
    prefix: str
    cut: str
    auth_field: str
    auth_prefix: str = ""
    versioned_prefix: str = ""
    version_query: str = ""
    extra_fields: tuple[tuple[str, str], ...] = ()
    operations: frozenset[str]
    output_limit: MappingProxyType[str, tuple[str, ...]]
    usage: UsageDialect
    stream_options: bool = False
    catalog_ids: tuple[str, ...] = ()


OPENAI_OPERATIONS = frozenset(
    {
        "chat",
        "completions",
        "embeddings",
        "responses",
        "moderations",
        "images",
        "audio",
        "files",
        "batches",
        "models",
    }
)
OPENAI_LIMITS = MappingProxyType(
    {
        "chat": ("max_completion_tokens",),
        "completions": ("max_tokens",),
        "responses": ("max_output_tokens",),
    }
)

ROWS = (
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        prefix="/v1",
        cut="/v1",
        auth_field="authorization",
        auth_prefix="Bearer ",
        operations=OPENAI_OPERATIONS,
        output_limit=OPENAI_LIMITS,
        usage=UsageDialect.OPENAI,
        stream_options=True,
        catalog_ids=("openai",),
    ),
    Provider(
        name="anthropic",
        base_url="https://api.anthropic.com/v1",
        prefix="/v1",
        cut="/v1",
        auth_field="x-api-key",
        extra_fields=(("anthropic-version", "2023-06-01"),),
        operations=frozenset({"messages", "count_tokens", "files", "batches", "models"}),
        output_limit=MappingProxyType({"messages": ("max_tokens",)}),
        usage=UsageDialect.ANTHROPIC,
        catalog_ids=("anthropic",),
    ),
    Provider(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com",
        prefix="",
        cut="",
        auth_field="x-goog-api-key",
        operations=frozenset({"generate", "embed", "count_tokens", "files", "batches", "models"}),
        output_limit=MappingProxyType({"generate": ("generationConfig", "maxOutputTokens")}),
        usage=UsageDialect.GEMINI,
        catalog_ids=("google",),
    ),
    Provider(
        name="azure-openai",
        base_url="",
        prefix="/openai/v1",
        cut="/v1",
        versioned_prefix="/openai/deployments/{model}",
        version_query="api-version",
        auth_field="api-key",
        operations=OPENAI_OPERATIONS - {"moderations"},
        output_limit=OPENAI_LIMITS,
        usage=UsageDialect.OPENAI,
        stream_options=True,
        # Its own table holds what it sells otherwise than the makers do.
        catalog_ids=("azure", "openai", "deepseek", "x-ai", "moonshotai"),
    ),
    Provider(
        name="openai-compatible",
        base_url="",
        prefix="/v1",
        cut="/v1",
        auth_field="authorization",
        auth_prefix="Bearer ",
        operations=OPENAI_OPERATIONS,
        # Many of them know only the older name, and those that know both take either.
        output_limit=MappingProxyType(dict(OPENAI_LIMITS) | {"chat": ("max_tokens",)}),
        usage=UsageDialect.OPENAI,
        stream_options=True,
    ),
)
PROVIDERS = MappingProxyType({row.name: row for row in ROWS})


class Upstream(Struct, frozen=True):
    """Where an integration's requests go: an origin, the beginning of every path, and what is added to every query."""

    scheme: str
    host: str
    port: int
    prefix: str
    query: str


def upstream_of(provider: Provider, base_url: str = "", api_version: str = "") -> Upstream:
    """Resolve an integration's address; `prefix` may hold {model}.

    raises  ValueError where the address is not http(s)://host[:port][/path], or none is known
    """
    url = base_url or provider.base_url
    # Before it is split, as splitting drops line ends.
    if any(character <= " " or character > "~" for character in url):
        raise ValueError("expected visible ASCII only")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http:// or https:// and a host")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("expected an address without query and fragment")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected an address without user and password")
    if parts.port == 0:
        raise ValueError("expected a port from 1 to 65535")
    path = parts.path.rstrip("/")
    versioned = bool(api_version and provider.version_query)
    return Upstream(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or (443 if parts.scheme == "https" else 80),
        prefix=path or (provider.versioned_prefix if versioned else provider.prefix),
        query=f"{provider.version_query}={api_version}" if versioned else "",
    )
