"""Speech by Gemini's generateContent: PCM, given to callers as that or as WAV."""

import re
from base64 import b64decode

from fastgw.dialects.gemini_generate import DIALECT
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.gemini_words import media_of, read_body, words_of, write_body
from fastgw.dialects.shapes.speech import PCM_RATE, Sound, SpeechRequest, settle, wave
from fastgw.dialects.shapes.translation import Provider, Sent, carry
from fastgw.dialects.translate import Asked

RATE = re.compile(r"rate=(\d{4,6})")
# OpenAI's voices by Gemini's of a like sound; any other name goes to Gemini as it is.
VOICES = {
    "alloy": "Kore", "ash": "Orus", "ballad": "Algieba", "cedar": "Charon", "coral": "Aoede", "echo": "Puck", "fable": "Fenrir",
    "marin": "Sulafat", "nova": "Leda", "onyx": "Algenib", "sage": "Vindemiatrix", "shimmer": "Zephyr", "verse": "Iapetus",
}


def write_request(request: SpeechRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. It is told how to speak by the words themselves."""
    settle(request, ("wav", "pcm"), notes)
    words = f"{request.instructions.rstrip(': ')}:\n{request.words}" if request.instructions else request.words
    settings: Json = {"responseModalities": ["AUDIO"]}
    if request.voice:
        settings["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": VOICES.get(request.voice, request.voice)}}}
    if request.speed not in (None, 1):
        notes.drop("speed")
    carry(request.rest, settings, frozenset({"temperature"}), notes)
    return Sent(write_body([{"text": words}], settings))


def read_reply(body: bytes, content_type: str, request: SpeechRequest) -> Sound:
    """See Provider. The type is as audio/L16;codec=pcm;rate=24000, or of a WAV file, whose head is as long as any of PCM."""
    reply = read_body(body)
    sounds = media_of(reply)
    if not sounds:
        raise ValueError(f"expected a sound, got the words {words_of(reply)[:200]!r}")
    content = b"".join(b64decode(one.data) for one in sounds)
    if content.startswith(b"RIFF"):
        content = content if request.format == "wav" else content[44:]
    elif request.format == "wav":
        rate = RATE.search(sounds[0].media_type)
        content = wave(content, int(rate[1]) if rate is not None else PCM_RATE)
    return Sound(content=content, model=reply.model, usage=reply.usage)


PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
