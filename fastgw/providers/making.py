"""Make rows: what providers have in common, so that a row states what is its own."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from fastgw.providers.operations import AUDIO, FAMILIES, LIMITS
from fastgw.providers.row import Auth, Limits, Provider, Quirks, Templates, UsageDialect, Variant

# What OpenAI has and those who take its requests may have.
OPENAI_OPERATIONS = frozenset(
    "chat completions embeddings responses moderations images audio speech transcriptions translations files batches models".split()
)


def named(text: str) -> frozenset[str]:
    """Operations out of a line; one of the parts of audio brings audio with it."""
    names = frozenset(text.split())
    return names | {"audio"} if names & AUDIO else names


def limits(operations: frozenset[str], **own: tuple[str, ...]) -> Limits:
    """Where outputs are bounded, for the operations that generate."""
    known = {name: path for name, path in LIMITS.items() if name in operations}
    return MappingProxyType(known | own)


def quirks(**names: str) -> Quirks:
    """Quirks by operation, each a line of names."""
    return MappingProxyType({operation: frozenset(line.split()) for operation, line in names.items()})


def paths(**templates: str) -> Templates:
    """Paths by operation."""
    return MappingProxyType(templates)


def prefix_of(base_url: str) -> str:
    """The path of an address without its last slash."""
    return urlsplit(base_url).path.rstrip("/")


def generation_of(operations: frozenset[str]) -> tuple[str, ...]:
    """What requests of other dialects are translated to, in the order of preference that holds unless a row says otherwise."""
    return tuple(name for name in FAMILIES["generation"] if name in operations)


def compatible(
    name: str,
    title: str,
    base_url: str,
    docs_url: str,
    *,
    also: str = "",
    aliases: str = "",
    catalog: str = "",
    models_dev: str = "",
    auth: Auth = "bearer",
    auth_field: str = "authorization",
    auth_prefix: str = "Bearer ",
    aws_service: str = "",
    prefix: str | None = None,
    chat: str = "max_tokens",
    unsupported: str = "",
    operations: str | None = None,
    requires: tuple[str, ...] = (),
    defaults: Mapping[str, str] | None = None,
    generation: tuple[str, ...] | None = None,
    paths: Templates | None = None,
    stream_options: bool = True,
    variants: tuple[Variant, ...] = (),
    note: str = "", native: str = "",
) -> Provider:
    """A provider that takes OpenAI's chat requests.

    also        operations beside chat and models; operations: all of them, instead
    chat        quirks of chat, a line; "" where it takes all that OpenAI does, max_completion_tokens above all
    prefix      where it is not the path of base_url
    """
    served = named(f"chat models {also}" if operations is None else operations)
    own = {"chat": ("max_completion_tokens",)} if "max_tokens" not in chat.split() and "chat" in served else {}
    return Provider(
        name=name,
        title=title,
        docs_url=docs_url,
        note=note,
        aliases=tuple(aliases.split()),
        base_url=base_url,
        prefix=prefix_of(base_url) if prefix is None else prefix,
        auth=auth,
        auth_field=auth_field,
        auth_prefix=auth_prefix,
        aws_service=aws_service,
        requires=requires,
        defaults=MappingProxyType(dict(defaults or {})),
        native=native, operations=served,
        generation=generation_of(served) if generation is None else generation,
        paths=paths or MappingProxyType({}),
        quirks=quirks(chat=chat) if chat and "chat" in served else MappingProxyType({}),
        unsupported=frozenset(unsupported.split()),
        output_limit=limits(served, **own),
        usage=UsageDialect.OPENAI,
        stream_options=stream_options,
        catalog_ids=tuple(catalog.split()),
        models_dev_ids=tuple(models_dev.split()),
        variants=variants,
    )


def passing(
    name: str,
    title: str,
    base_url: str,
    docs_url: str,
    *,
    note: str,
    auth_field: str = "authorization",
    auth_prefix: str = "Bearer ",
    aliases: str = "",
) -> Provider:
    """A provider whose API is none that the gateway reads: requests pass as they come, under /v1/ of the gateway."""
    return Provider(
        name=name,
        title=title,
        docs_url=docs_url,
        note=note,
        aliases=tuple(aliases.split()),
        base_url=base_url,
        prefix=prefix_of(base_url),
        auth="bearer" if auth_field == "authorization" else "field",
        auth_field=auth_field,
        auth_prefix=auth_prefix,
        operations=frozenset(),
        output_limit=limits(frozenset()),
        usage=UsageDialect.NONE,
    )


def only(name: str, pattern: str, operation: str, path: str, quirk: str = "") -> Variant:
    """Models that do one thing, which is not to generate text. quirk: of how that is written, even for a caller of the same shape"""
    return Variant(
        name=name,
        pattern=pattern,
        operations=frozenset({operation}),
        generation=(),
        paths=MappingProxyType({operation: path}),
        stream_paths=MappingProxyType({}),
        quirks=MappingProxyType({operation: frozenset({quirk})} if quirk else {}),
        rewritten=frozenset({operation} if quirk else ()),
        output_limit=limits(frozenset()),
    )
