"""Transcriptions by ElevenLabs, /v1/speech-to-text: a form in, words with their times out."""

from msgspec import Struct, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.multipart import write_form
from fastgw.dialects.shapes.transcription import Span, Transcript, TranscriptionRequest
from fastgw.dialects.shapes.translation import Provider, Sent, carry
from fastgw.dialects.translate import Asked

OWN = frozenset({"diarize", "num_speakers", "tag_audio_events", "seed", "keyterms", "file_format"})


def write_request(request: TranscriptionRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    written: Json = {"model_id": asked.model}
    if request.language:
        written["language_code"] = request.language
    if request.temperature is not None:
        written["temperature"] = request.temperature
    if request.prompt:
        notes.drop("prompt")
    carry(request.rest, written, OWN, notes)
    body, content_type = write_form(written, {"file": request.file})
    return Sent(body, content_type)


class Word(Struct):
    """A word, the space between two, or a sound that is none (type)."""

    text: str = ""
    type: str = "word"
    start: float | None = None
    end: float | None = None


class Heard(Struct):
    """A reply."""

    text: str
    language_code: str | None = None
    words: list[Word] = []
    audio_duration_secs: float | None = None


_decoder = json.Decoder(Heard)


def read_reply(body: bytes, content_type: str, request: TranscriptionRequest) -> Transcript:
    """See Provider. Where the length of the sound is not stated, the end of its last word stands for it."""
    heard = _decoder.decode(body)
    words = [Span(one.text, one.start or 0.0, one.end or 0.0) for one in heard.words if one.type == "word"]
    ends = [heard.audio_duration_secs] if heard.audio_duration_secs is not None else [one.end for one in words]
    return Transcript(text=heard.text, language=heard.language_code or "", words=words, seconds=max(ends, default=-1.0))


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
