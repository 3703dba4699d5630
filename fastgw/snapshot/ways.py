"""How an integration serves what callers may ask for: in their own dialect where the provider has it, else in the one it prefers."""

from collections.abc import Mapping

from fastgw.dialects.shapes.table import SHAPES, SIGNS
from fastgw.dialects.table import CALLERS, GENERATIONS
from fastgw.providers.address import VARIABLE, Upstream, fill, path_of
from fastgw.providers.operations import PATHS
from fastgw.providers.row import Provider, UsageDialect, quirks_of
from fastgw.record.names import OPERATIONS
from fastgw.snapshot.types import PARTS, Way, place_of

OPENAI, ANTHROPIC, GEMINI = range(3)
# Operations whose body is in one dialect, whoever serves them; the others are in the provider's own.
SPOKEN = {
    "chat": OPENAI, "completions": OPENAI, "embeddings": OPENAI, "responses": OPENAI, "moderations": OPENAI, "images": OPENAI,
    "audio": OPENAI, "speech": OPENAI, "transcriptions": OPENAI, "translations": OPENAI, "rerank": OPENAI, "messages": ANTHROPIC,
    "generate": GEMINI, "embed": GEMINI, "cohere_chat": OPENAI, "cohere_embed": OPENAI, "cohere_rerank": OPENAI,
}  # fmt: skip
# Of these, the ones whose replies state their usage in another way than the dialect that their errors are told in.
USAGE = dict.fromkeys(("cohere_chat", "cohere_embed", "cohere_rerank"), int(UsageDialect.COHERE))
ASKED = frozenset((*OPERATIONS, *PARTS))


def ways_of(provider: Provider, upstream: Upstream, settings: Mapping[str, str]) -> dict[int, Way]:
    """The provider's ways by the place of the operation (types.place_of). raises ValueError for a setting that is not known"""
    usage = int(provider.usage)
    own = max(usage - 1, 0) if usage <= UsageDialect.GEMINI else OPENAI
    # an address with a path of its own is another's, who may know nothing of the provider's other paths
    is_own = upstream.prefix == provider.prefix and settings.keys() >= set(VARIABLE.findall(provider.passing_prefix))
    prefix = fill(provider.passing_prefix, settings).encode() or None if is_own else None
    ways = {place("proxy", spoken): Way("proxy", usage=usage, prefix=prefix) for spoken in (OPENAI, ANTHROPIC, GEMINI)}
    if provider.native:
        ways[place(provider.native, OPENAI)] = Way(provider.native)
    names = set(provider.operations)
    if upstream.query:
        names.discard("responses")      # addressed by deployment and version there is none
    for name in (names & ASKED) - provider.rewritten:
        spoken = SPOKEN.get(name, own)
        path = stream_path = None
        if name in provider.paths or name in provider.stream_paths:
            path = path_of(provider, upstream, name, False, settings).encode()
            stream_path = path_of(provider, upstream, name, True, settings).encode()
            if path == stream_path == (upstream.prefix + PATHS.get(name, "")).encode():
                path = stream_path = None      # the caller's own, whose heads are kept
        stated = USAGE.get(name, spoken + 1 if name in SPOKEN else usage)
        ways[place(name, spoken)] = Way(name, path=path, stream_path=stream_path, usage=stated)
    for generation in provider.generation:
        for name in CALLERS:
            ways.setdefault(place(name, SPOKEN[name]), Way(
                generation, dialect=GENERATIONS[generation], path=path_of(provider, upstream, generation, False, settings).encode(),
                stream_path=path_of(provider, upstream, generation, True, settings).encode(),
                quirks=quirks_of(provider, generation),
            ))
    for name, asked in SHAPES:
        if asked in provider.operations and name in SPOKEN:
            path = path_of(provider, upstream, asked, False, settings).encode()
            passing = Way(asked, path=path, usage=SPOKEN[name] + 1) if (name, asked) in SIGNS else None
            ways.setdefault(place(name, SPOKEN[name]), Way(
                asked, dialect=asked, is_shape=True, path=path, quirks=provider.quirks.get(asked, frozenset()),
                signs=SIGNS.get((name, asked), frozenset()), own=passing))
    return ways


def place(name: str, spoken: int) -> int:
    """Where an operation of a dialect stands in an integration's table."""
    return place_of(name, OPERATIONS.index(name) if name in OPERATIONS else 0, spoken)
