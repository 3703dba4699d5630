"""Where a Gemini caller's body has what the canonical names of a request mean, in camelCase, whichever spelling the caller has."""

from functools import partial

from fastgw.dialects.canonical import Request
from fastgw.dialects.gemini_generate.spelling import camel, several
from fastgw.dialects.reading import Json
from fastgw.dialects.words import Place, Words, parts_of


def messages_of(body: Json, request: Request) -> list[Place]:
    """The instruction is the first message."""
    body = camel(body, "$")
    places = []
    system = body.get("systemInstruction")
    if system is not None:
        path = "systemInstruction"
        held, where = (system["parts"], f"{path}.parts") if isinstance(system, dict) and "parts" in system else (system, path)
        places.append(Place(path, system, elements(held, where)))
    for place in elements(body.get("contents"), "contents"):
        places.append(Place(place.path, place.written, find=partial(parts_within, place)))
    return places


def parts_within(content: Place) -> list[Place]:
    """The places of a content's parts, results of functions before all else."""
    held = camel(content.written, content.path).get("parts")
    return sorted(map(part_of, elements(held, f"{content.path}.parts")), key=lambda part: not part.parts)


def elements(value: object, path: str) -> list[Place]:
    """The places of an array's elements; of one value that stands for an array, its own."""
    return parts_of(value, path) if isinstance(value, list) else [Place(path, one) for one in several(value)]


def part_of(place: Place) -> Place:
    """The place of a part; a result's own parts are its response and its media."""
    part = camel(place.written, place.path)
    response = part.get("functionResponse")
    if response is None:
        return Place(place.path, part)
    path = f"{place.path}.functionResponse"
    held = elements(camel(response, path).get("parts"), f"{path}.parts")
    return Place(place.path, part, [Place(f"{path}.response"), *held])


def tools_of(body: Json) -> list[Place]:
    """Each function that is declared, and each tool of Google's."""
    places = []
    for place in elements(body.get("tools"), "tools"):
        for name, member in camel(place.written, place.path).items():
            if name == "functionDeclarations":
                places += elements(member, f"{place.path}.{name}")
            elif member is not None:
                places.append(Place(f"{place.path}.{name}", member))
    return places


IN_CONFIG = {
    "max_tokens": "maxOutputTokens", "max_completion_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP",
    "top_k": "topK", "stop": "stopSequences", "n": "candidateCount", "seed": "seed", "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty", "logprobs": "responseLogprobs", "top_logprobs": "logprobs",
    "modalities": "responseModalities", "reasoning_effort": "thinkingConfig",
}
FORMAT = tuple(f"generationConfig.{name}" for name in ("responseJsonSchema", "responseSchema", "responseMimeType"))
WORDS = Words(
    "contents",
    {name: (f"generationConfig.{word}",) for name, word in IN_CONFIG.items()} | {
        "response_format": FORMAT, "response_format.json_schema": FORMAT, "service_tier": ("serviceTier",),
        "tool_choice": ("toolConfig.functionCallingConfig",),
    },
    {
        "name": ("inlineData.displayName", "fileData.displayName"), "is_error": ("functionResponse.response",),
        "parameters": ("parametersJsonSchema", "parameters"),
    },
    messages_of,
    tools_of,
)
