"""Transcriptions by Deepgram, /v1/listen: the sound itself is the body, and all else stands in the query."""

from msgspec import Struct, field, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.speech import with_query
from fastgw.dialects.shapes.transcription import TIMED, Span, Transcript, TranscriptionRequest
from fastgw.dialects.shapes.translation import Provider, Sent, carry
from fastgw.dialects.translate import Asked

OWN = frozenset({"diarize", "keyterm", "keywords", "punctuate", "smart_format", "multichannel", "numerals", "filler_words",
                 "profanity_filter", "mip_opt_out", "tag"})  # fmt: skip


def write_request(request: TranscriptionRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. It finds the language only where it is told to."""
    fields: Json = {"model": asked.model, "smart_format": True}
    if request.language:
        fields["language"] = request.language
    else:
        fields["detect_language"] = True
    if request.format in TIMED:
        fields["utterances"] = True
    for name, stated in (("prompt", request.prompt), ("temperature", request.temperature)):
        if stated:
            notes.drop(name)
    carry(request.rest, fields, OWN, notes)
    return Sent(request.file.content, request.file.media_type, path=lambda path: with_query(path, fields))


class Word(Struct):
    """A word."""

    word: str
    start: float = 0.0
    end: float = 0.0
    punctuated_word: str | None = None


class Alternative(Struct):
    """What was heard, the likeliest first."""

    transcript: str
    words: list[Word] = []


class Channel(Struct):
    """One channel of the sound."""

    alternatives: list[Alternative] = []
    detected_language: str | None = None


class Utterance(Struct):
    """What was said without a pause."""

    transcript: str
    start: float
    end: float


class Results(Struct):
    """What was heard."""

    channels: list[Channel] = []
    utterances: list[Utterance] = []


class Metadata(Struct):
    """Of the sound."""

    duration: float = -1.0
    request_id: str = ""


class Heard(Struct):
    """A reply."""

    results: Results
    metadata: Metadata = field(default_factory=Metadata)


_decoder = json.Decoder(Heard)


def read_reply(body: bytes, content_type: str, request: TranscriptionRequest) -> Transcript:
    """See Provider. Of several channels the words come one after the other."""
    heard = _decoder.decode(body)
    channels = heard.results.channels
    best = [channel.alternatives[0] for channel in channels if channel.alternatives]
    return Transcript(
        text="\n".join(one.transcript for one in best), id=heard.metadata.request_id, seconds=heard.metadata.duration,
        language=next((one.detected_language for one in channels if one.detected_language), ""),
        words=[Span(word.punctuated_word or word.word, word.start, word.end) for one in best for word in one.words],
        segments=[Span(one.transcript, one.start, one.end) for one in heard.results.utterances],
    )


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
