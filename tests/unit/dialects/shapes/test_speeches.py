"""Words are spoken by any provider for callers who speak as OpenAI's client does."""

import base64
import io
import json
import wave
from typing import Any

import pytest

from fastgw.dialects.canonical import Usage
from fastgw.dialects.translate import NotOfDialect
from fastgw.errors import GatewayError
from tests.unit.dialects.shapes.opening import Provider, open_json, sent

PCM = b"\x00\x01" * 240
GEMINI = {"candidates": [{"content": {"parts": [{"inlineData": {
    "mimeType": "audio/L16;codec=pcm;rate=24000", "data": base64.b64encode(PCM).decode()}}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 50,
                      "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}]}}
ASKED = {"model": "x", "input": "Good day", "voice": "alloy"}


def frames(content: bytes) -> tuple[int, int, int, bytes]:
    """What a WAV file holds, by Python's own reader: channels, bytes a sample, rate, samples."""
    with wave.open(io.BytesIO(content)) as file:
        return file.getnchannels(), file.getsampwidth(), file.getframerate(), file.readframes(file.getnframes())


def test_gemini_speaks_in_wav() -> None:
    """OpenAI's client gets a WAV file of Gemini's PCM, and the tokens of the sound are counted."""
    provider = Provider("generate", GEMINI)
    found = provider.openai().audio.speech.create(model="x", input="Good day", voice="alloy", response_format="wav")
    assert frames(found.content) == (1, 2, 24_000, PCM)
    assert found.response.headers["content-type"] == "audio/wav"
    assert provider.translation.usage == Usage(5, 50, audio_output_tokens=50)


def test_pcm_of_gemini_is_that_of_openai() -> None:
    """Both are mono, of 16 bits and 24 kHz: it passes as it is."""
    translation = open_json("speech", "generate", ASKED | {"response_format": "pcm"})
    assert translation.reply(json.dumps(GEMINI).encode()) == PCM
    assert translation.content_type == "audio/pcm"


def test_gemini_is_told_how_to_speak() -> None:
    """The voice is one of Gemini's, the instructions stand before the words, and what it has not is named."""
    translation = open_json("speech", "generate", ASKED | {"instructions": "Say cheerfully:", "speed": 2, "response_format": "mp3"})
    assert sent(translation) == {
        "contents": [{"role": "user", "parts": [{"text": "Say cheerfully:\nGood day"}]}],
        "generationConfig": {"responseModalities": ["AUDIO"], "speechConfig": {
            "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}}}
    assert translation.dropped == ["response_format", "speed"]
    assert translation.content_type == "audio/wav"
    own = open_json("speech", "generate", ASKED | {"voice": "Sadachbia"})
    assert "Sadachbia" in own.body.decode() and own.dropped == []


def test_who_wants_events_gets_the_sound_in_one() -> None:
    """stream_format sse is answered by the events of a stream that is already whole."""
    translation = open_json("speech", "generate", ASKED | {"stream_format": "sse", "response_format": "pcm"})
    first, second = translation.reply(json.dumps(GEMINI).encode()).split(b"\n\n")[:2]
    assert translation.content_type == "text/event-stream"
    assert json.loads(first[6:]) == {"type": "speech.audio.delta", "audio": base64.b64encode(PCM).decode()}
    assert json.loads(second[6:]) == {
        "type": "speech.audio.done", "usage": {"input_tokens": 5, "output_tokens": 50, "total_tokens": 55}}


@pytest.mark.parametrize(("format_", "asked_format", "content_type"), [
    ("mp3", "mp3_44100_128", "audio/mpeg"), ("opus", "opus_48000_64", "audio/ogg"), ("pcm", "pcm_24000", "audio/pcm"),
    ("flac", "mp3_44100_128", "audio/mpeg"),
])
def test_elevenlabs_speaks(format_: str, asked_format: str, content_type: str) -> None:
    """The voice stands in the path as one segment, the format in the query, the speed among the voice's settings."""
    translation = open_json("speech", "elevenlabs_speech", ASKED | {"voice": "a/b", "response_format": format_, "speed": 1.1})
    assert translation.path("/v1/text-to-speech") == f"/v1/text-to-speech/a%2Fb?output_format={asked_format}"
    assert sent(translation) == {"text": "Good day", "model_id": "m", "voice_settings": {"speed": 1.1}}
    assert translation.dropped == (["response_format"] if format_ == "flac" else [])
    assert (translation.reply(b"sound", "audio/mpeg"), translation.content_type) == (b"sound", content_type)


def test_elevenlabs_speaks_in_wav() -> None:
    """The WAV file is made of PCM of a known rate."""
    translation = open_json("speech", "elevenlabs_speech", ASKED | {"voice": {"id": "v"}, "response_format": "wav"})
    assert translation.path("/p") == "/p/v?output_format=pcm_24000"
    assert frames(translation.reply(PCM, "audio/pcm")) == (1, 2, 24_000, PCM)


@pytest.mark.parametrize(("model", "voice", "expected", "dropped"), [
    ("aura-2-thalia-en", "alloy", "aura-2-thalia-en", ["voice"]),
    ("aura-2-thalia-en", "Thalia", "aura-2-thalia-en", []),
    ("aura-2", "Thalia", "aura-2-thalia-en", []),
    ("aura-2", "aura-2-luna-es", "aura-2-luna-es", []),
])
def test_deepgram_speaks(model: str, voice: str, expected: str, dropped: list[str]) -> None:
    """A voice is a part of the model's name; all but the text stands in the query."""
    translation = open_json("speech", "deepgram_speech", ASKED | {"voice": voice, "response_format": "wav"}, model=model)
    assert translation.path("/v1/speak") == f"/v1/speak?model={expected}&encoding=linear16&container=wav&sample_rate=24000"
    assert (sent(translation), translation.dropped) == ({"text": "Good day"}, dropped)
    assert translation.reply(b"RIFF", "audio/wav") == b"RIFF"


@pytest.mark.parametrize(("upstream", "reply", "content_type"), [
    ("generate", b'{"candidates": [{"content": {"parts": [{"text": "no"}]}, "finishReason": "STOP"}]}', "application/json"),
    ("elevenlabs_speech", b'{"detail": "no"}', "application/json"), ("deepgram_speech", b"", "audio/mpeg"),
    ("deepgram_speech", b"<html>", "text/html"),
])
def test_a_reply_without_a_sound_is_an_error(upstream: str, reply: bytes, content_type: str) -> None:
    """Words are never handed on as a sound."""
    with pytest.raises(NotOfDialect):
        open_json("speech", upstream, ASKED).reply(reply, content_type)


@pytest.mark.parametrize(("body", "words"), [
    ({"voice": "v"}, "$.input"), (ASKED | {"response_format": "midi"}, "$.response_format"), (ASKED | {"voice": ".."}, "$.voice"),
    ({"input": "a"}, "$.voice"), (ASKED | {"speed": "fast"}, "$.speed"),
])
def test_what_is_no_request_is_refused(body: dict[str, Any], words: str) -> None:
    """The message says where the request is wrong; a voice cannot lead to another path."""
    with pytest.raises(GatewayError) as caught:
        open_json("speech", "elevenlabs_speech", body)
    assert caught.value.code == "invalid_request" and words in caught.value.message


def test_what_gemini_withholds_is_the_callers_error() -> None:
    """A sound that its policy does not allow is a 400 with the reason."""
    with pytest.raises(GatewayError) as caught:
        open_json("speech", "generate", ASKED).reply(b'{"candidates": [{"finishReason": "SAFETY"}]}')
    assert (caught.value.status, "SAFETY" in caught.value.message) == (400, True)


@pytest.mark.parametrize(("upstream", "body", "words"), [
    ("deepgram_speech", b'{"err_code": "INVALID_QUERY_PARAMETER", "err_msg": "no such model", "request_id": "r"}', "no such model"),
    ("elevenlabs_speech", b'{"detail": {"status": "voice_not_found", "message": "no such voice"}}', "no such voice"),
])
def test_errors_keep_the_words_of_the_provider(upstream: str, body: bytes, words: str) -> None:
    """Each provider's way to say what is wrong is read."""
    written = json.loads(open_json("speech", upstream, ASKED).error(400, body, "id"))
    assert written["error"]["message"] == words
