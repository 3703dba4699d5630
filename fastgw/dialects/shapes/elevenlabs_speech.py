"""Speech by ElevenLabs, /v1/text-to-speech and the voice: the caller's `voice` is the id of one of its voices."""

from urllib.parse import quote

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.speech import PCM_RATE, Sound, SpeechRequest, no_instructions, read_sound, settle, wave, with_query
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked
from fastgw.errors import error

# What is asked for, by the format that the caller gets; of pcm the gateway makes wav.
FORMATS = {"mp3": "mp3_44100_128", "opus": "opus_48000_64", "pcm": f"pcm_{PCM_RATE}", "wav": f"pcm_{PCM_RATE}"}
OWN = frozenset({"language_code", "voice_settings", "seed", "previous_text", "next_text", "apply_text_normalization"})


def write_request(request: SpeechRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    if not request.voice or request.voice in (".", ".."):
        raise error("InvalidRequest", f"expected the id of a voice, got {request.voice!r} at $.voice", param="voice")
    settle(request, tuple(FORMATS), notes)
    no_instructions(request, notes)
    written: Json = {"text": request.words, "model_id": asked.model}
    carry(request.rest, written, OWN, notes)
    if request.speed is not None:
        settings = written.get("voice_settings")
        written["voice_settings"] = {**(settings if isinstance(settings, dict) else {}), "speed": request.speed}
    voice, asked_format = quote(request.voice, safe=""), FORMATS[request.format]
    return Sent(encode(written), path=lambda path: with_query(f"{path}/{voice}", {"output_format": asked_format}))


def read_reply(body: bytes, content_type: str, request: SpeechRequest) -> Sound:
    """See Provider. It bills by characters of the text, and states no tokens."""
    sound = read_sound(body, content_type, request)
    if request.format == "wav":
        sound.content = wave(sound.content, PCM_RATE)
    return sound


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
