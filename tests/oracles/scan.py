"""The scan kernel, slowly: json.loads for what is JSON, a walk over the objects for what stands in it."""

import json
from typing import NamedTuple, NoReturn

MAX_COUNT = 2147483647
MAX_DEPTH = 512
KEPT = {"cachedContent", "cached_content", "previous_response_id"}  # what the provider has already; null names nothing
MEDIA = {"image_url", "input_image", "file_id", "file_url", "fileUri", "file_uri"}
COUNTS = {"max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "candidate_count"}
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "generationConfig")
SPELLINGS = {
    "generation_config": "generationConfig",
    "$.generationConfig.max_output_tokens": "$.generationConfig.maxOutputTokens",
    "$.generationConfig.candidate_count": "$.generationConfig.candidateCount",
}


class Pairs(list[tuple[str, object]]):
    """An object, its duplicates kept."""


class Found(NamedTuple):
    """What a good body says, without offsets."""

    model: str | None
    stream: bool | None
    stream_options: Pairs | None
    include_usage: bool | None
    max_tokens: int | None
    limits: list[int | None]
    prompts: int
    background: bool
    choices: int
    generation_config: Pairs | None
    media: int


class Wrong(NamedTuple):
    """What a bad one is refused for. `reason` is "syntax" for all that json.loads refuses."""

    reason: str
    field: str | None = None


class _Refused(Exception):
    def __init__(self, reason: str, field: str | None = None) -> None:
        self.wrong = Wrong(reason, field)


def scan(body: bytes) -> Found | Wrong:
    try:
        start = body.lstrip(b" \t\r\n")[:1]
        if start and start in b'["-0123456789tfn':
            return Wrong("not_object")
        text = body.decode("utf-8")
        if _depth(body) > 900:  # json.loads recurses; whatever is so deep is refused either way
            return Wrong("syntax")
        top = json.loads(text, object_pairs_hook=Pairs, parse_constant=_no_constant, parse_int=_bounded)
    except (ValueError, UnicodeDecodeError):
        return Wrong("syntax")
    if _depth(body) > MAX_DEPTH:
        return Wrong("syntax")
    try:
        return _fields(top)
    except _Refused as refused:
        return refused.wrong


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _bounded(digits: str) -> int:
    """json.loads refuses integers of over 4,300 digits; JSON does not."""
    return int(digits[:40])


def _depth(body: bytes) -> int:
    """How deep the brackets go outside strings, for bodies that are JSON."""
    deepest = depth = 0
    in_string = escaped = False
    for byte in body:
        if in_string:
            in_string = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _fields(top: Pairs) -> Found:
    said: dict[str, object] = {}
    limits: dict[str, int] = {}
    choices = [1]
    seen: set[str] = set()
    for key, value in top:
        name = SPELLINGS.get(key, key)
        if name in COUNTS | {"model", "stream", "stream_options", "generationConfig", "prompt", "background"}:
            _once(seen, name, f"$.{key}")
        if key == "model":
            _typed(isinstance(value, str), "$.model")
        elif key == "stream":
            _typed(value is None or isinstance(value, bool), "$.stream")
        elif key == "stream_options":
            _typed(value is None or isinstance(value, Pairs), "$.stream_options")
            said["$.stream_options.include_usage"] = _include_usage(value) if isinstance(value, Pairs) else None
        elif name == "generationConfig":
            _typed(value is None or isinstance(value, Pairs), f"$.{key}")
            if isinstance(value, Pairs):
                _generation(value, limits, choices)
        elif key in COUNTS:
            count = _count(value, f"$.{key}")
            if count is not None:
                if "tokens" in key:
                    limits[key] = count
                else:
                    choices.append(count)
        said[name] = value
    options, generation = said.get("stream_options"), said.get("generationConfig")
    model, stream, include = said.get("model"), said.get("stream"), said.get("$.stream_options.include_usage")
    return Found(
        model if isinstance(model, str) else None,
        stream if isinstance(stream, bool) else None,
        options if isinstance(options, Pairs) else None,
        include if isinstance(include, bool) else None,
        min(limits.values()) if limits else None,
        [limits.get(name) for name in LIMITS],
        _prompts(said.get("prompt")),
        said.get("background") is True,
        max(choices),
        generation if isinstance(generation, Pairs) else None,
        _media(top),
    )


def _once(seen: set[str], name: str, path: str) -> None:
    if name in seen:
        raise _Refused("duplicate", path)
    seen.add(name)


def _typed(fits: bool, path: str) -> None:
    if not fits:
        raise _Refused("wrong_type", path)


def _include_usage(options: Pairs) -> bool | None:
    include: bool | None = None
    seen: set[str] = set()
    for key, value in options:
        if key == "include_usage":
            _once(seen, key, "$.stream_options.include_usage")
            _typed(value is None or isinstance(value, bool), "$.stream_options.include_usage")
            include = value if isinstance(value, bool) else None
    return include


def _generation(config: Pairs, limits: dict[str, int], choices: list[int]) -> None:
    seen: set[str] = set()
    for key, value in config:
        path = f"$.generationConfig.{key}"
        name = SPELLINGS.get(path, path)
        if name in ("$.generationConfig.maxOutputTokens", "$.generationConfig.candidateCount"):
            _once(seen, name, path)
            count = _count(value, path)
            if count is not None:
                if "Tokens" in name:
                    limits["generationConfig"] = count
                else:
                    choices.append(count)


def _count(value: object, path: str) -> int | None:
    _typed(value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0), path)
    return min(value, MAX_COUNT) if isinstance(value, int) else None


def _prompts(prompt: object) -> int:
    """How many texts or arrays an array has at its top, at least 1."""
    if not isinstance(prompt, list) or isinstance(prompt, Pairs):
        return 1
    texts = [item for item in prompt if isinstance(item, (str, list)) and not isinstance(item, Pairs)]
    return max(1, len(texts))


def _media(value: object) -> int:
    if isinstance(value, Pairs):
        return sum(_names_media(key, inner) + _media(inner) for key, inner in value)
    return sum(map(_media, value)) if isinstance(value, list) else 0


def _names_media(key: str, value: object) -> bool:
    if key in KEPT:
        return value is not None
    return key in MEDIA or (key == "url" and isinstance(value, str) and value[:4].lower() == "http")
