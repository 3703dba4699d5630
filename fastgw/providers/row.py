"""What a row of the provider table says, and how the model that is asked for may change it."""

import re
from enum import IntEnum
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct, structs

Auth = Literal["bearer", "field", "none", "aws", "google", "entra", "oci", "ibm"]
Names = frozenset[str]
Limits = MappingProxyType[str, tuple[str, ...]]
Templates = MappingProxyType[str, str]
Quirks = MappingProxyType[str, Names]

NOTHING: Final[Templates] = MappingProxyType({})
NO_QUIRKS: Final[Quirks] = MappingProxyType({})


class UsageDialect(IntEnum):
    """How replies state their usage; the numbers are the usage kernel's."""

    NONE = 0
    OPENAI = 1
    ANTHROPIC = 2
    GEMINI = 3
    COHERE = 4


class Variant(Struct, frozen=True, kw_only=True):
    """What is otherwise for some models of a provider; a field of None is the row's.

    name      tells variants of a row apart
    pattern   a regular expression that is searched for in the model's name, whatever its case
    """

    name: str
    pattern: str
    auth_field: str | None = None
    auth_prefix: str | None = None
    extra_fields: tuple[tuple[str, str], ...] | None = None
    operations: Names | None = None
    generation: tuple[str, ...] | None = None
    paths: Templates | None = None
    stream_paths: Templates | None = None
    quirks: Quirks | None = None
    rewritten: Names | None = None
    unsupported: Names | None = None
    output_limit: Limits | None = None
    usage: UsageDialect | None = None
    stream_options: bool | None = None

    def matches(self, model: str) -> bool:
        """Whether a model is one of these."""
        return re.search(self.pattern, model, re.IGNORECASE) is not None


class Provider(Struct, frozen=True, kw_only=True):
    """How to reach a provider, sign for it, ask it, bound an output and read a usage.

    name             what the config calls it; aliases: what else it may call it; title: what people call it
    docs_url         where it documents its API; note: what is peculiar, for the page
    base_url         its public address, which may hold {settings}; "" where the config must state one
    regional         a value of the setting `region` to the base_url that takes the place of the other
    prefix           begins every upstream path where base_url has none of its own
    cut              the beginning of a caller's path that the prefix stands for: "/v1" of "/v1/chat/completions"
    passing_prefix   takes the place of the prefix for requests that only pass, where the settings in it are stated and
                     base_url has no path of its own
    versioned_prefix, version_query   take the place of the prefix where the config states api_version: {model} is
                     the target's model, and the query field carries the version; "" where there is no such thing
    auth             how it is signed for: "bearer" and "field" by api_key alone, "none" where it wants none, else by a
                     signer of signing.py unless the config states api_key
    auth_field, auth_prefix           the field that carries api_key, and what stands before the key in it
    aws_service      the name that a signature of AWS is for
    extra_fields     fields that are added where the caller sent none of that name
    requires         settings that the addresses need, by their place in the integration: "aws.region"
    defaults         what holds for such a setting where the config states nothing
    native           the operation by which callers ask for its API as it is, at its own paths beside /v1/; "" where there is none
    operations       what it serves in their own dialects, names of OPERATIONS; none: requests only pass
    generation       of these, the ones that a request of another dialect is translated to, the first choice first
    paths, stream_paths   by operation, the path instead of the usual one, after the prefix, or in its place too where it
                     begins with "^"; {model} is the model as one segment, {model_path} keeps its slashes
    quirks           by operation, names that its dialect's writer understands
    rewritten        operations whose body is written anew even for a caller of that dialect, as it is not quite the same
    unsupported      top-level parameters of a chat that it refuses
    output_limit     where a body states the most tokens to generate, by operation: the path of members
    usage            how its replies state usage, in the dialect that it is asked in mostly
    stream_options   understands stream_options.include_usage
    catalog_ids      its name in genai-prices, then the makers whose models it sells, in the order they are asked
    models_dev_ids   its names at models.dev beside its own name and its aliases, which are taken for its names there too
    variants         what is otherwise for some models; the first that matches holds
    """

    name: str
    title: str
    docs_url: str
    note: str = ""
    aliases: tuple[str, ...] = ()
    base_url: str = ""
    regional: Templates = NOTHING
    prefix: str
    cut: str = "/v1"
    passing_prefix: str = ""
    versioned_prefix: str = ""
    version_query: str = ""
    auth: Auth = "bearer"
    auth_field: str = "authorization"
    auth_prefix: str = "Bearer "
    aws_service: str = ""
    extra_fields: tuple[tuple[str, str], ...] = ()
    requires: tuple[str, ...] = ()
    defaults: Templates = NOTHING
    native: str = ""
    operations: Names
    generation: tuple[str, ...] = ()
    paths: Templates = NOTHING
    stream_paths: Templates = NOTHING
    quirks: Quirks = NO_QUIRKS
    rewritten: Names = frozenset()
    unsupported: Names = frozenset()
    output_limit: Limits
    usage: UsageDialect
    stream_options: bool = False
    catalog_ids: tuple[str, ...] = ()
    models_dev_ids: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()

    def __repr__(self) -> str:
        return f"Provider({self.name}, {len(self.operations)} operations)"




def quirks_of(provider: Provider, operation: str) -> Names:
    """The quirks that the operation's dialect writes by: those of the row, and for a chat "no_MEMBER" for what it refuses."""
    own = provider.quirks.get(operation, frozenset())
    return own | {f"no_{name}" for name in provider.unsupported} if operation == "chat" else own


CHANGEABLE: Final = tuple(name for name in Variant.__struct_fields__ if name not in ("name", "pattern"))


def apply_variant(provider: Provider, variant: Variant) -> Provider:
    """The row as it is for the models of a variant."""
    changes = {name: value for name in CHANGEABLE if (value := getattr(variant, name)) is not None}
    return structs.replace(provider, variants=(), **changes)


def row_for(provider: Provider, model: str) -> Provider:
    """The row with the variant of a model applied; the row itself where no variant matches."""
    variant = next((one for one in provider.variants if one.matches(model)), None)
    return provider if variant is None else apply_variant(provider, variant)
