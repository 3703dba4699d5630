"""Words of speech: what the shapes have in common, and that of callers, OpenAI's /v1/audio/transcriptions and translations, forms both."""

from collections.abc import Callable

from msgspec import Struct

from fastgw.dialects.canonical import Usage
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.reading import Json, unknown
from fastgw.dialects.shapes.multipart import File, Form, read_form
from fastgw.dialects.shapes.translation import JSON, SSE, Caller, Found, encode, events, has_no
from fastgw.dialects.translate import Asked
from fastgw.errors import error

READ = frozenset({"model", "language", "prompt", "response_format", "temperature", "stream", "timestamp_granularities"})
TIMED = ("verbose_json", "srt", "vtt")  # formats that say when words were said
FORMATS = {"json": JSON, "verbose_json": JSON, "text": "text/plain; charset=utf-8", "srt": "text/plain; charset=utf-8",
           "vtt": "text/vtt; charset=utf-8"}
# By the file's extension, where the form states no type of a sound.
TYPES = {"mp3": "audio/mpeg", "mpga": "audio/mpeg", "mpeg": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg",
         "oga": "audio/ogg", "opus": "audio/ogg", "m4a": "audio/mp4", "mp4": "audio/mp4", "webm": "audio/webm", "aac": "audio/aac"}
LONGEST_S = 8.0  # of a segment that is made of words


class TranscriptionRequest(Struct, kw_only=True):
    """What is to be written down. translate: in English; file: with the type of its sound."""

    file: File
    translate: bool = False
    language: str = ""
    prompt: str = ""
    format: str = "json"
    temperature: float | None = None
    words: bool = False
    stream: bool = False
    rest: Json = {}


class Span(Struct):
    """Words and when they were said, in seconds."""

    text: str
    start: float
    end: float


class Transcript(Found):
    """What was heard. seconds: of the sound, -1 unknown; words, segments: empty where the provider states none."""

    text: str
    language: str = ""
    seconds: float = -1.0
    words: list[Span] = []
    segments: list[Span] = []


def reader(translate: bool) -> Callable[[bytes, bytes], TranscriptionRequest]:
    """What reads the forms of one of the two operations."""

    def read_request(body: bytes, content_type: bytes) -> TranscriptionRequest:
        form = read_form(body, content_type)
        file = form.files.get("file")
        if file is None:
            raise error("InvalidRequest", "expected a file in the part named file", param="file")
        if not file.media_type.startswith(("audio/", "video/")):
            file = File(file.content, file.name, TYPES.get(file.name.rpartition(".")[2].lower(), "audio/wav"))
        format_ = said(form, "response_format") or "json"
        if format_ not in FORMATS:
            unknown(", ".join(FORMATS), format_, "response_format")
        return TranscriptionRequest(
            file=file, translate=translate, language=said(form, "language"), prompt=said(form, "prompt"), format=format_,
            temperature=temperature_of(said(form, "temperature")), words="word" in granularities(form),
            stream=said(form, "stream").lower() == "true", rest={name: value for name, value in form.texts.items() if name not in READ},
        )

    return read_request


def said(form: Form, name: str) -> str:
    value = form.texts.get(name)
    return value if isinstance(value, str) else ""


def granularities(form: Form) -> list[object]:
    value = form.texts.get("timestamp_granularities")
    return value if isinstance(value, list) else [value]


def temperature_of(value: str) -> float | None:
    if not value:
        return None
    try:
        return float(value)
    except ValueError as problem:
        raise error("InvalidRequest", f"expected a number, got {value[:60]!r} at temperature", param="temperature") from problem


def refuse_times(request: TranscriptionRequest, asked: Asked) -> None:
    """The provider does not say when words were said. raises UnsupportedParameter, as times cannot be left out of these formats"""
    if request.format in TIMED:
        has_no(f"response_format {request.format}, as it states no times", asked, "response_format")


def segments_of(words: list[Span]) -> list[Span]:
    """Words as sentences, or as pieces of LONGEST_S where these are longer."""
    segments: list[Span] = []
    current: Span | None = None
    for word in words:
        if current is None:
            current = Span(word.text, word.start, word.end)
            segments.append(current)
        else:
            current.text += f" {word.text}"
            current.end = word.end
        if word.text.endswith((".", "?", "!", "。", "？", "！")) or current.end - current.start >= LONGEST_S:
            current = None
    return segments


def write_reply(found: Transcript, request: TranscriptionRequest) -> bytes:
    """See Caller."""
    if request.stream:
        return events({"type": "transcript.text.delta", "delta": found.text},
                      {"type": "transcript.text.done", "text": found.text, **usage_member(found)})
    if request.format == "text":
        return f"{found.text}\n".encode()
    segments = found.segments or segments_of(found.words)
    if request.format == "srt":
        return "".join(f"{at}\n{clock(one.start, ',')} --> {clock(one.end, ',')}\n{one.text}\n\n"
                       for at, one in enumerate(segments, 1)).encode()
    if request.format == "vtt":
        return "WEBVTT\n\n{}".format("".join(f"{clock(one.start, '.')} --> {clock(one.end, '.')}\n{one.text}\n\n"
                                             for one in segments)).encode()
    if request.format == "json":
        return encode({"text": found.text, **usage_member(found)})
    written: Json = {
        "task": "translate" if request.translate else "transcribe", "language": found.language or request.language,
        "duration": max(found.seconds, 0.0), "text": found.text, "segments": [segment(at, one) for at, one in enumerate(segments)],
    }
    if request.words:
        written["words"] = [{"word": one.text, "start": one.start, "end": one.end} for one in found.words]
    return encode(written | usage_member(found))


def segment(at: int, span: Span) -> Json:
    """A segment as Whisper has it; what only Whisper knows (its tokens, how sure it was) is empty, as clients want the members there."""
    return {"id": at, "seek": 0, "start": span.start, "end": span.end, "text": span.text, "tokens": [], "temperature": 0.0,
            "avg_logprob": 0.0, "compression_ratio": 0.0, "no_speech_prob": 0.0}


def clock(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and milliseconds."""
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"


def usage_member(found: Transcript) -> Json:
    """The usage: by tokens, else by seconds of sound."""
    if found.usage is not None:
        return {"usage": write_usage(found.usage)}
    return {} if found.seconds < 0 else {"usage": {"type": "duration", "seconds": found.seconds}}


def write_usage(usage: Usage) -> Json:
    return {
        "type": "tokens", "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_token_details": {"text_tokens": usage.input_tokens - usage.audio_input_tokens, "audio_tokens": usage.audio_input_tokens},
    }


def content_type(request: TranscriptionRequest) -> str:
    """See Caller."""
    return SSE if request.stream else FORMATS[request.format]


TRANSCRIBER = Caller(read=reader(translate=False), write=write_reply, content_type=content_type, dialect=DIALECT)
TRANSLATOR = Caller(read=reader(translate=True), write=write_reply, content_type=content_type, dialect=DIALECT)
