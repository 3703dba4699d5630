"""Transcriptions by Gemini's generateContent: the sound goes inline, and the model is asked to write it down, or to translate it."""

from base64 import b64encode

from fastgw.dialects.gemini_generate import DIALECT
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.gemini_words import read_body, words_of, write_body
from fastgw.dialects.shapes.transcription import Transcript, TranscriptionRequest, refuse_times
from fastgw.dialects.shapes.translation import Provider, Sent, Withheld, carry
from fastgw.dialects.translate import Asked

TRANSCRIBE = "Write down word for word what is said in this recording. Answer with its words only."
TRANSLATE = "Translate into English what is said in this recording. Answer with the translation only."
# Gemini's own names where they are not the registered ones.
TYPES = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/x-m4a": "audio/m4a"}


def write_request(request: TranscriptionRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    refuse_times(request, asked)
    told = [TRANSLATE if request.translate else TRANSCRIBE]
    if request.language:
        told.append(f"The language spoken is {request.language}.")
    if request.prompt:
        told.append(f"For context and spelling: {request.prompt}")
    media_type = TYPES.get(request.file.media_type, request.file.media_type)
    settings: Json = {} if request.temperature is None else {"temperature": request.temperature}
    carry(request.rest, settings, frozenset(), notes)
    return Sent(write_body(
        [{"text": " ".join(told)}, {"inlineData": {"mimeType": media_type, "data": b64encode(request.file.content).decode()}}], settings))


def read_reply(body: bytes, content_type: str, request: TranscriptionRequest) -> Transcript:
    """See Provider. A recording in which nothing is said has no words."""
    reply = read_body(body)
    text = words_of(reply).strip()
    if not text and reply.choices and reply.choices[0].finish in ("content_filter", "refusal"):
        raise Withheld(reply.choices[0].raw_finish)
    return Transcript(text=text, language=request.language, model=reply.model, usage=reply.usage)


PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
