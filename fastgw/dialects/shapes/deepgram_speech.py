"""Speech by Deepgram, /v1/speak: all but the text stands in the query, and a voice is a part of the model's name (aura-2-thalia-en)."""

import re

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.speech import PCM_RATE, SpeechRequest, no_instructions, read_sound, settle, with_query
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked

FORMATS: dict[str, Json] = {
    "mp3": {"encoding": "mp3"}, "opus": {"encoding": "opus", "container": "ogg"}, "aac": {"encoding": "aac"}, "flac": {"encoding": "flac"},
    "wav": {"encoding": "linear16", "container": "wav", "sample_rate": PCM_RATE},
    "pcm": {"encoding": "linear16", "container": "none", "sample_rate": PCM_RATE},
}
WHOLE = re.compile(r"aura(?:-2)?-[a-z]+-[a-z]{2}")
FAMILY = re.compile(r"aura(?:-2)?")
OWN = frozenset({"bit_rate", "sample_rate", "mip_opt_out", "tag"})


def write_request(request: SpeechRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    settle(request, tuple(FORMATS), notes)
    no_instructions(request, notes)
    if request.speed not in (None, 1):
        notes.drop("speed")
    fields: Json = {"model": model_of(request, notes, asked), **FORMATS[request.format]}
    carry(request.rest, fields, OWN, notes)
    return Sent(encode({"text": request.words}), path=lambda path: with_query(path, fields))


def model_of(request: SpeechRequest, notes: Notes, asked: Asked) -> str:
    """The model with its voice: of a family (aura-2) the caller's, in English; a whole name has one already."""
    if WHOLE.fullmatch(request.voice):
        return request.voice
    if FAMILY.fullmatch(asked.model) and request.voice:
        return f"{asked.model}-{request.voice.lower()}-en"
    if request.voice and request.voice.lower() not in asked.model.split("-"):
        notes.drop("voice")
    return asked.model


PROVIDER = Provider(write=write_request, read=read_sound, dialect=PLAIN)
