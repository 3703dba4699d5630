"""generationConfig: how to answer."""

from fastgw.dialects.canonical import OutputFormat, Request
from fastgw.dialects.gemini_generate.spelling import camel
from fastgw.dialects.gemini_generate.thinking import read_reasoning, write_reasoning
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, as_object, flag, integer, mapping, number, text, texts
from fastgw.dialects.schema import check, from_gemini, to_gemini

PATH = "$.generationConfig"
KNOWN = frozenset((
    "maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "candidateCount", "seed", "presencePenalty", "frequencyPenalty",
    "responseLogprobs", "logprobs", "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities", "thinkingConfig",
))
JSON = "application/json"


def read_settings(value: object, request: Request) -> None:
    """Put a generationConfig into the request. raises InvalidRequest"""
    config = camel(value, PATH)
    request.max_tokens = integer(config, "maxOutputTokens", PATH)
    request.temperature = number(config, "temperature", PATH)
    request.top_p = number(config, "topP", PATH)
    request.top_k = integer(config, "topK", PATH)
    request.stop = texts(config, "stopSequences", PATH)
    request.choices = integer(config, "candidateCount", PATH)
    request.seed = integer(config, "seed", PATH)
    request.presence_penalty = number(config, "presencePenalty", PATH)
    request.frequency_penalty = number(config, "frequencyPenalty", PATH)
    request.logprobs = flag(config, "responseLogprobs", PATH)
    request.top_logprobs = integer(config, "logprobs", PATH)
    if config.get("responseModalities") is not None:
        request.modalities = [word.lower() for word in texts(config, "responseModalities", PATH)]
    if config.get("thinkingConfig") is not None:
        request.reasoning = read_reasoning(camel(config["thinkingConfig"], f"{PATH}.thinkingConfig"), f"{PATH}.thinkingConfig")
    for name, member in config.items():
        if name not in KNOWN and member is not None:
            request.extra[f"generationConfig.{name}"] = member
    read_output(config, request)


def read_output(config: Json, request: Request) -> None:
    """What the words must be."""
    media_type = text(config, "responseMimeType", PATH)
    schema = mapping(config, "responseJsonSchema", PATH)
    if schema is not None:
        check(schema, f"{PATH}.responseJsonSchema")
    elif config.get("responseSchema") is not None:
        schema = from_gemini(mapping(config, "responseSchema", PATH), f"{PATH}.responseSchema")
        check(schema, f"{PATH}.responseSchema")
    if media_type == JSON or (not media_type and schema is not None):
        request.output = OutputFormat("json_object") if schema is None else OutputFormat("json_schema", schema=schema)
    elif media_type not in ("", "text/plain"):  # one word of an enumeration, or a format that only Google has
        request.extra |= {
            f"generationConfig.{name}": config[name]
            for name in ("responseMimeType", "responseSchema", "responseJsonSchema")
            if config.get(name) is not None
        }


def write_settings(request: Request, notes: Notes, quirks: frozenset[str]) -> Json:
    """The generationConfig of a request, empty where it asks for nothing."""
    config: Json = {}
    for name, value in (
        ("maxOutputTokens", request.max_tokens),
        ("temperature", request.temperature),
        ("topP", request.top_p),
        ("topK", request.top_k),
        ("stopSequences", request.stop or None),
        ("candidateCount", request.choices),
        ("seed", request.seed),
        ("presencePenalty", request.presence_penalty),
        ("frequencyPenalty", request.frequency_penalty),
        ("responseLogprobs", request.logprobs),
        ("logprobs", request.top_logprobs),
        ("responseModalities", [word.upper() for word in request.modalities] or None),
    ):
        if value is not None:
            config[name] = value
    if request.top_logprobs is not None and request.logprobs is None:
        config["responseLogprobs"] = True
    if request.reasoning is not None:
        thinking = write_reasoning(request.reasoning, request.model, notes)
        if thinking:
            config["thinkingConfig"] = thinking
    if request.output is not None:
        config["responseMimeType"] = JSON
        schema = request.output.schema
        if schema is not None and "openapi_schema" in quirks:
            config["responseSchema"] = to_gemini(schema, "response_format.json_schema.schema")
        elif schema is not None:
            config["responseJsonSchema"] = schema
    if request.audio is not None:
        write_speech(request.audio, config, notes)
    return config


def write_speech(audio: Json, config: Json, notes: Notes) -> None:
    """The voice of a spoken answer, which comes as 16-bit samples whatever else is asked for."""
    voice = audio.get("voice")
    if isinstance(voice, str) and voice:
        config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
    elif as_object(voice):
        notes.drop("audio.voice")
    if audio.get("format") not in (None, "pcm16"):
        notes.drop("audio.format")
