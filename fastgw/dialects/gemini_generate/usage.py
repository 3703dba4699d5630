"""usageMetadata: Gemini counts thoughts beside the words, and what its own tools fed the model beside the prompt."""

import msgspec

from fastgw.dialects.canonical import Usage
from fastgw.dialects.reading import Json, as_array, as_count, as_object

AUDIO = ("AUDIO", 4)  # the number where a server was asked for numbers


class Detail(msgspec.Struct, rename="camel"):
    """The tokens of one modality."""

    modality: str | int = ""
    token_count: int = 0


class Metadata(msgspec.Struct, rename="camel"):
    """A usageMetadata, as far as it is read."""

    prompt_token_count: int = 0
    cached_content_token_count: int = 0
    candidates_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    thoughts_token_count: int = 0
    prompt_tokens_details: list[Detail] | None = None
    candidates_tokens_details: list[Detail] | None = None
    service_tier: str = ""


def read_usage(stated: Metadata) -> Usage:
    """The usage of a typed usageMetadata."""
    usage = Usage(
        stated.prompt_token_count + stated.tool_use_prompt_token_count,
        stated.candidates_token_count + stated.thoughts_token_count,
        stated.cached_content_token_count,
        reasoning_tokens=stated.thoughts_token_count,
    )
    if stated.prompt_tokens_details:
        usage.audio_input_tokens = audio_of(stated.prompt_tokens_details)
    if stated.candidates_tokens_details:
        usage.audio_output_tokens = audio_of(stated.candidates_tokens_details)
    return usage


def audio_of(details: list[Detail]) -> int:
    total = 0
    for detail in details:
        if detail.modality in AUDIO:
            total += detail.token_count
    return total


def loose_metadata(value: object) -> Metadata | None:
    """A usageMetadata whatever its members are, None where it is no object."""
    if not isinstance(value, dict):
        return None
    tier = value.get("serviceTier")
    return Metadata(
        as_count(value.get("promptTokenCount")),
        as_count(value.get("cachedContentTokenCount")),
        as_count(value.get("candidatesTokenCount")),
        as_count(value.get("toolUsePromptTokenCount")),
        as_count(value.get("thoughtsTokenCount")),
        loose_details(value.get("promptTokensDetails")),
        loose_details(value.get("candidatesTokensDetails")),
        tier if isinstance(tier, str) else "",
    )


def loose_details(value: object) -> list[Detail]:
    details = []
    for item in as_array(value):
        detail = as_object(item)
        modality = detail.get("modality")
        details.append(Detail(modality if isinstance(modality, str | int) else "", as_count(detail.get("tokenCount"))))
    return details


def write_usage(usage: Usage) -> Json:
    """A usageMetadata."""
    words = max(usage.output_tokens - usage.reasoning_tokens, 0)
    written: Json = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": words,
        "totalTokenCount": usage.input_tokens + words + usage.reasoning_tokens,
    }
    if usage.cache_read_tokens:
        written["cachedContentTokenCount"] = usage.cache_read_tokens
    if usage.reasoning_tokens:
        written["thoughtsTokenCount"] = usage.reasoning_tokens
    if usage.audio_input_tokens:
        written["promptTokensDetails"] = write_details(usage.input_tokens, usage.audio_input_tokens)
    if usage.audio_output_tokens:
        written["candidatesTokensDetails"] = write_details(words, usage.audio_output_tokens)
    return written


def write_details(total: int, audio: int) -> list[Json]:
    details: list[Json] = [{"modality": "TEXT", "tokenCount": total - audio}] if total > audio else []
    return [*details, {"modality": "AUDIO", "tokenCount": audio}]
