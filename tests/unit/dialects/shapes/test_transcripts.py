"""Speech is written down by any provider for callers who speak as OpenAI's client does."""

import base64
import json
from typing import Any

import openai
import pytest

from fastgw.dialects.canonical import Usage
from fastgw.dialects.shapes.multipart import File, read_form, write_form
from fastgw.dialects.shapes.table import open_shape
from fastgw.dialects.shapes.translation import ShapeTranslation
from fastgw.dialects.translate import Asked, NotOfDialect, Policy
from fastgw.errors import GatewayError
from tests.unit.dialects.shapes.opening import Provider, sent

SOUND = b"RIFF\r\n--x\r\n sound \xff"
GEMINI = {"candidates": [{"content": {"parts": [{"text": "Good "}, {"text": "day.\n"}]}, "finishReason": "STOP"}],
          "usageMetadata": {"promptTokenCount": 30, "candidatesTokenCount": 4,
                            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}, {"modality": "AUDIO", "tokenCount": 20}]}}
DEEPGRAM = {"metadata": {"request_id": "r", "duration": 2.5}, "results": {
    "channels": [{"detected_language": "en", "alternatives": [{"transcript": "Good day. Bye.", "confidence": 0.9, "words": [
        {"word": "good", "start": 0.1, "end": 0.5, "punctuated_word": "Good"},
        {"word": "day", "start": 0.5, "end": 1.0, "punctuated_word": "day."},
        {"word": "bye", "start": 1.5, "end": 2.0, "punctuated_word": "Bye."}]}]}],
    "utterances": [{"start": 0.1, "end": 1.0, "transcript": "Good day."}, {"start": 1.5, "end": 2.0, "transcript": "Bye."}]}}
ELEVENLABS = {"language_code": "eng", "language_probability": 0.98, "text": "Good day. Bye.", "words": [
    {"text": "Good", "start": 0.1, "end": 0.5, "type": "word"}, {"text": " ", "start": 0.5, "end": 0.5, "type": "spacing"},
    {"text": "day.", "start": 0.5, "end": 1.0, "type": "word"}, {"text": "(laughs)", "start": 1.0, "end": 1.5, "type": "audio_event"},
    {"text": "Bye.", "start": 1.5, "end": 2.0, "type": "word"}]}
TIMED = [("deepgram_transcription", DEEPGRAM), ("elevenlabs_transcription", ELEVENLABS)]


def opened(
    upstream: str, fields: dict[str, object] | None = None, *, policy: Policy = "drop", file: File | None = None,
    operation: str = "transcriptions",
) -> ShapeTranslation:
    """A translation of a form with a sound and other fields."""
    body, content_type = write_form({"model": "x", **(fields or {})}, {"file": file or File(SOUND, "a.mp3", "audio/mpeg")})
    return open_shape(operation, upstream, body, content_type.encode(), Asked("m", False, policy=policy, target="there"))


def test_gemini_writes_down() -> None:
    """OpenAI's client gets Gemini's words and tokens; the sound went inline, with what the caller says of it."""
    provider = Provider("generate", GEMINI)
    found = provider.openai().audio.transcriptions.create(
        model="x", file=("a.mp3", SOUND, "audio/mpeg"), language="en", prompt="Names: Li", temperature=0.5)
    assert found.text == "Good day."
    usage = found.usage
    assert usage is not None and usage.type == "tokens" and usage.total_tokens == 34
    assert usage.input_token_details is not None and usage.input_token_details.audio_tokens == 20
    assert provider.translation.usage == Usage(30, 4, audio_input_tokens=20)
    parts = provider.sent["contents"][0]["parts"]
    assert "word for word" in parts[0]["text"] and "is en." in parts[0]["text"] and "Names: Li" in parts[0]["text"]
    assert parts[1] == {"inlineData": {"mimeType": "audio/mp3", "data": base64.b64encode(SOUND).decode()}}
    assert provider.sent["generationConfig"] == {"temperature": 0.5}


def test_gemini_translates() -> None:
    """The operation `translations` asks for English."""
    translation = opened("generate", operation="translations")
    assert json.loads(translation.reply(json.dumps(GEMINI).encode()))["text"] == "Good day."
    assert "into English" in sent(translation)["contents"][0]["parts"][0]["text"]


def test_who_wants_text_gets_it() -> None:
    """The plain text has its own type."""
    translation = opened("generate", {"response_format": "text"})
    assert translation.reply(json.dumps(GEMINI).encode()) == b"Good day.\n"
    assert translation.content_type == "text/plain; charset=utf-8"


def test_who_wants_a_stream_gets_its_events() -> None:
    """OpenAI's client reads the words out of a stream that is already whole."""
    events = list(Provider("generate", GEMINI).openai().audio.transcriptions.create(
        model="x", file=("a.mp3", SOUND, "audio/mpeg"), stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[1].text == "Good day."  # type: ignore[union-attr]  # of this event


@pytest.mark.parametrize("format_", ["verbose_json", "srt", "vtt"])
def test_times_that_a_provider_has_not_are_refused(format_: str) -> None:
    """Gemini does not say when words were said: times are never made up, by any policy."""
    with pytest.raises(GatewayError) as caught:
        opened("generate", {"response_format": format_}, policy="pass")
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "response_format")


@pytest.mark.parametrize(("upstream", "reply"), TIMED)
def test_verbose_transcripts_say_when(upstream: str, reply: Any) -> None:
    """OpenAI's client gets language, length, sentences and words with their times."""
    found = Provider(upstream, reply).openai().audio.transcriptions.create(
        model="x", file=("a.mp3", SOUND), response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert (found.text, found.language[:2]) == ("Good day. Bye.", "en")
    assert found.duration == (2.5 if upstream == "deepgram_transcription" else 2.0)
    assert [(one.id, one.text, one.start, one.end) for one in found.segments or []] == [(0, "Good day.", 0.1, 1.0), (1, "Bye.", 1.5, 2.0)]
    assert [(one.word, one.start) for one in found.words or []] == [("Good", 0.1), ("day.", 0.5), ("Bye.", 1.5)]


@pytest.mark.parametrize(("upstream", "reply"), TIMED)
def test_subtitles_say_when(upstream: str, reply: Any) -> None:
    """SRT and WebVTT have each sentence with its times."""
    content = json.dumps(reply).encode()
    assert opened(upstream, {"response_format": "srt"}).reply(content) == (
        b"1\n00:00:00,100 --> 00:00:01,000\nGood day.\n\n2\n00:00:01,500 --> 00:00:02,000\nBye.\n\n")
    translation = opened(upstream, {"response_format": "vtt"})
    assert translation.reply(content) == (
        b"WEBVTT\n\n00:00:00.100 --> 00:00:01.000\nGood day.\n\n00:00:01.500 --> 00:00:02.000\nBye.\n\n")
    assert translation.content_type == "text/vtt; charset=utf-8"


@pytest.mark.parametrize(("upstream", "reply"), TIMED)
def test_length_is_the_usage_where_tokens_are_not(upstream: str, reply: Any) -> None:
    """Who bills by the second says how many there were."""
    translation = opened(upstream)
    seconds = 2.5 if upstream == "deepgram_transcription" else 2.0
    assert json.loads(translation.reply(json.dumps(reply).encode())) == {
        "text": "Good day. Bye.", "usage": {"type": "duration", "seconds": seconds}}
    assert translation.usage is None


def test_deepgram_takes_the_sound_itself() -> None:
    """The body is the file with its own type; all else stands in the query."""
    translation = opened("deepgram_transcription", {
        "language": "en", "response_format": "srt", "prompt": "p", "diarize": "true"})
    assert (translation.body, translation.request_content_type) == (SOUND, "audio/mpeg")
    assert translation.path("/v1/listen") == "/v1/listen?model=m&smart_format=true&language=en&utterances=true&diarize=true"
    assert translation.dropped == ["prompt"]
    translation = opened("deepgram_transcription", {"keyterm[]": ["a b", "c&d"]})
    assert translation.path("/v1/listen?x=1") == (
        "/v1/listen?x=1&model=m&smart_format=true&detect_language=true&keyterm=a%20b&keyterm=c%26d")


def test_elevenlabs_takes_a_form() -> None:
    """The file goes on byte for byte, with the members in ElevenLabs' names."""
    translation = opened("elevenlabs_transcription", {"language": "de", "temperature": "0", "prompt": "p", "diarize": "true"})
    form = read_form(translation.body, translation.request_content_type.encode())
    assert form.texts == {"model_id": "m", "language_code": "de", "temperature": "0.0", "diarize": "true"}
    assert form.files == {"file": File(SOUND, "a.mp3", "audio/mpeg")}
    assert translation.dropped == ["prompt"]


@pytest.mark.parametrize(("name", "stated", "expected"), [
    ("a.M4A", "application/octet-stream", "audio/mp4"), ("a", "", "audio/wav"), ("a.bin", "audio/flac", "audio/flac"),
    ("a.webm", "video/webm", "video/webm"),
])
def test_the_type_of_a_sound_is_found(name: str, stated: str, expected: str) -> None:
    """Where the form states no type of a sound, the file's name tells it."""
    assert opened("deepgram_transcription", file=File(b"x", name, stated)).request_content_type == expected


def test_long_sentences_are_cut() -> None:
    """Words without an end of a sentence become pieces that can be read as subtitles."""
    words = [{"text": f"w{at}", "start": at * 1.0, "end": at + 1.0, "type": "word"} for at in range(20)]
    reply = {"text": "x", "language_code": "eng", "words": words}
    found = json.loads(opened("elevenlabs_transcription", {"response_format": "verbose_json"}).reply(json.dumps(reply).encode()))
    assert [(one["start"], one["end"]) for one in found["segments"]] == [(0, 8), (8, 16), (16, 20)]


def test_what_is_no_form_is_refused() -> None:
    """No file, no form, an unknown format, a temperature that is no number: the message says which."""
    body, content_type = write_form({"model": "x"}, {})
    asked = Asked("m", False)
    for form, kind, words in (
        (body, content_type, "file"), (b"{}", "application/json", "multipart"),
        (b"--a\r\nx", 'multipart/form-data; boundary="b"', "boundary"),
        (b"--b\r\nx: y\r\n\r\nv\r\n--b--", "multipart/form-data; boundary=b", "Content-Disposition"),
        (b"--b\r\nx: y", "multipart/form-data; boundary=b", "a head and an end"),
    ):
        with pytest.raises(GatewayError) as caught:
            open_shape("transcriptions", "generate", form, kind.encode(), asked)
        assert caught.value.code == "invalid_request" and words in caught.value.message
    for name, value in (("response_format", "diarized_json"), ("temperature", "warm")):
        with pytest.raises(GatewayError) as caught:
            opened("generate", {name: value})
        assert caught.value.code == "invalid_request" and value in caught.value.message


@pytest.mark.parametrize("upstream", ["generate", "deepgram_transcription", "elevenlabs_transcription"])
def test_a_reply_of_another_shape_is_an_error(upstream: str) -> None:
    """What has no words of the provider's shape is never taken for silence."""
    for reply in (b"", b"[]", b"{}", b'{"text": 5, "results": 5}'):
        with pytest.raises(NotOfDialect):
            opened(upstream).reply(reply)


def test_errors_are_those_of_openai() -> None:
    """OpenAI's client raises what Deepgram's status means, with its words."""
    provider = Provider("deepgram_transcription", {"err_code": "Bad Request", "err_msg": "no sound"}, status=400)
    with pytest.raises(openai.BadRequestError) as caught:
        provider.openai().audio.transcriptions.create(model="x", file=("a.mp3", SOUND))
    assert "no sound" in str(caught.value)


def test_forms_survive_what_they_hold() -> None:
    """Names with quotes and line ends cannot end their line; contents are kept byte for byte."""
    members: dict[str, object] = {'a"b\r\nX: y': "v", "list": ["1", "2"], "number": 5}
    body, content_type = write_form(members, {"f": File(SOUND + b"\r\n--", 'n"\r\n', "audio/wav\r\nX: y")})
    form = read_form(body, content_type.encode())
    assert form.texts == {"a%22b%0D%0AX: y": "v", "list": "2", "number": "5"}
    assert form.files == {"f": File(SOUND + b"\r\n--", "n%22%0D%0A", "audio/wav%0d%0ax: y")}
