"""Speech of words: what the shapes have in common, and that of callers, OpenAI's /v1/audio/speech."""

import struct
from base64 import b64encode
from urllib.parse import quote, urlencode

from msgspec import Struct

from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.reading import Json, number, required_text, text, unknown
from fastgw.dialects.shapes.translation import SSE, Caller, Found, an_object_of, encode, events, rest_of

READ = frozenset({"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"})
TYPES = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav", "pcm": "audio/pcm"}
PCM_RATE = 24_000  # of OpenAI's pcm: mono, 16 bits, little-endian


class SpeechRequest(Struct, kw_only=True):
    """What is to be said. format: what the caller will get, one of TYPES; stated: the caller chose it; voice: a name or an id."""

    words: str
    voice: str = ""
    instructions: str = ""
    format: str = "mp3"
    stated: bool = False
    speed: float | None = None
    stream: bool = False
    rest: Json = {}


class Sound(Found):
    """What was said, in the request's format."""

    content: bytes


def read_request(body: bytes, content_type: bytes) -> SpeechRequest:
    """See Caller."""
    members = an_object_of(body)
    format_ = text(members, "response_format", "$")
    if format_ and format_ not in TYPES:
        unknown(", ".join(TYPES), format_, "$.response_format")
    voice = members.get("voice")
    return SpeechRequest(
        words=required_text(members, "input", "$"),
        voice=text(voice, "id", "$.voice") if isinstance(voice, dict) else text(members, "voice", "$"),
        instructions=text(members, "instructions", "$"), format=format_ or "mp3", stated=bool(format_),
        speed=number(members, "speed", "$"), stream=text(members, "stream_format", "$") == "sse", rest=rest_of(members, READ),
    )


def settle(request: SpeechRequest, formats: tuple[str, ...], notes: Notes) -> None:
    """Take the first of a provider's formats where it has not the one asked for, which is noted if the caller chose it."""
    if request.format not in formats:
        if request.stated:
            notes.drop("response_format")
        request.format = formats[0]


def no_instructions(request: SpeechRequest, notes: Notes) -> None:
    """The provider cannot be told how to speak."""
    if request.instructions:
        notes.drop("instructions")


def with_query(path: str, fields: Json) -> str:
    """A path with more in its query; each item of an array by itself."""
    pairs = [(name, item if isinstance(item, str) else encode(item).decode())
             for name, value in fields.items() for item in (value if isinstance(value, list) else [value])]
    return f"{path}{'&' if '?' in path else '?'}{urlencode(pairs, quote_via=quote)}"


def wave(pcm: bytes, rate: int) -> bytes:
    """PCM (mono, 16 bits, little-endian) as a WAV file."""
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(pcm))
    return head + pcm


def write_reply(found: Sound, request: SpeechRequest) -> bytes:
    """See Caller."""
    if not request.stream:
        return found.content
    done: Json = {"type": "speech.audio.done"}
    if found.usage is not None:
        done["usage"] = {"input_tokens": found.usage.input_tokens, "output_tokens": found.usage.output_tokens,
                         "total_tokens": found.usage.input_tokens + found.usage.output_tokens}
    return events({"type": "speech.audio.delta", "audio": b64encode(found.content).decode()}, done)


def read_sound(body: bytes, content_type: str, request: SpeechRequest) -> Sound:
    """A reply that is nothing but the sound."""
    if not body or content_type.startswith(("application/json", "text/")):
        raise ValueError(f"expected a sound, got {len(body)} bytes of {content_type or 'no stated type'}")
    return Sound(content=body)


def content_type(request: SpeechRequest) -> str:
    """See Caller."""
    return SSE if request.stream else TYPES[request.format]


CALLER = Caller(read=read_request, write=write_reply, content_type=content_type, dialect=DIALECT)
