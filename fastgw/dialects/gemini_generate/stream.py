"""Streams of streamGenerateContent as events: each piece is a whole GenerateContentResponse that says what is new, and the usage by now.

What may come late waits for the end: some models state a finishReason in every piece, and the sources come with the last.
"""

import msgspec

from fastgw.dialects.canonical import (
    Began,
    Broke,
    Delta,
    Ended,
    Event,
    Failure,
    PartBegan,
    PartEnded,
    Text,
    Thinking,
    ToolCall,
    UsageStated,
)
from fastgw.dialects.gemini_generate.arguments import Ids
from fastgw.dialects.gemini_generate.failure import read_failure
from fastgw.dialects.gemini_generate.grounding import read_citations, read_logprobs
from fastgw.dialects.gemini_generate.reply import MEMBERS, blocked, read_part, seconds
from fastgw.dialects.gemini_generate.spelling import SIGNER
from fastgw.dialects.gemini_generate.usage import Metadata, loose_metadata, read_usage
from fastgw.dialects.gemini_generate.vocabulary import finish_of
from fastgw.dialects.reading import Json, as_array, as_object, as_text

NONE, WORDS, THOUGHT = range(3)  # what kind of part is open


class Words(msgspec.Struct, rename="camel"):
    """A part, as far as it is words. text: None for one that is something else."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str = ""


class Content(msgspec.Struct):
    """What is new of an answer."""

    parts: list[Words] | None = None


class Candidate(msgspec.Struct, rename="camel"):
    """One answer, as far as a piece says anything of it."""

    content: Content | None = None
    finish_reason: str | int | None = None
    index: int = 0
    grounding_metadata: Json | None = None
    citation_metadata: Json | None = None
    logprobs_result: Json | None = None


class Piece(msgspec.Struct, rename="camel"):
    """One GenerateContentResponse of a stream."""

    candidates: list[Candidate] | None = None
    usage_metadata: Metadata | None = None
    model_version: str = ""
    response_id: str = ""
    create_time: str = ""
    prompt_feedback: Json | None = None
    error: Json | str | None = None


_piece = msgspec.json.Decoder(Piece).decode
_decode = msgspec.json.decode


class Answer:
    """What is known of one choice. open: the kind of the open part; signed: it has its signature, so that more words are another part.

    texts   of the words by part, as (index, pieces), for the sources that are stated at the end
    """

    __slots__ = ("calls", "cited", "count", "finish", "grounding", "number", "open", "signed", "texts")

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0
        self.open = NONE
        self.signed = False
        self.calls = False
        self.finish: str | int | None = None
        self.grounding: Json | None = None
        self.cited: Json | None = None
        self.texts: list[tuple[int, list[str]]] = []

    def __repr__(self) -> str:
        return f"<Answer {self.number} with {self.count} parts>"

    def say(self, part: Words, events: list[Event]) -> None:
        """Words of the answer or of a thought: more of the open part, or another. A signature may come with words or after them."""
        text = part.text or ""
        kind = THOUGHT if part.thought else WORDS
        if not text and not part.thought_signature:
            return
        if self.open != kind or self.signed:
            self.close(events)
            self.open = kind
            events.append(PartBegan(self.count, Thinking(dialect=SIGNER) if kind == THOUGHT else Text(), self.number))
            self.count += 1
            if kind == WORDS:
                self.texts.append((self.count - 1, []))
        if kind == WORDS:
            self.texts[-1][1].append(text)
        if part.thought_signature:
            self.signed = True
            events.append(Delta(self.count - 1, text, self.number, part.thought_signature))
        else:
            events.append(Delta(self.count - 1, text, self.number))

    def add(self, part: Json, ids: Ids, events: list[Event]) -> None:
        """A part that is no words, and comes whole."""
        found = read_part(part, ids)
        if found is None:
            return
        self.close(events)
        index, self.count = self.count, self.count + 1
        if isinstance(found, ToolCall):
            self.calls = True
            arguments, found.arguments = found.arguments, ""
            events += (PartBegan(index, found, self.number), Delta(index, arguments, self.number), PartEnded(index, self.number))
        else:
            if isinstance(found, Text):  # a signature alone
                self.texts.append((index, []))
            events += (PartBegan(index, found, self.number), PartEnded(index, self.number))

    def close(self, events: list[Event]) -> None:
        """The open part is whole."""
        if self.open != NONE:
            events.append(PartEnded(self.count - 1, self.number))
            self.open = NONE
            self.signed = False

    def end(self, events: list[Event]) -> None:
        """The stream has ended: the sources, and how the answer finished."""
        if self.texts and (self.grounding or self.cited):
            sources = read_citations(self.grounding, self.cited, ["".join(pieces) for _, pieces in self.texts])
            for number, (index, _) in enumerate(self.texts):
                citations = [citation for part, citation in sources if part == number]
                if citations:
                    events.append(Delta(index, "", self.number, citations=citations))
        self.close(events)
        finish, word = finish_of(self.finish, self.calls)
        events.append(Ended(finish, self.number, word))


class StreamReader:
    """See canonical.StreamReader."""

    __slots__ = ("_answers", "_began", "_feedback", "_ids", "_over", "_usage")

    def __init__(self) -> None:
        self._answers: dict[int, Answer] = {}
        self._began = False
        self._over = False
        self._feedback: Json | None = None
        self._ids = Ids()
        self._usage: UsageStated | None = None

    def __repr__(self) -> str:
        return f"<StreamReader of {len(self._answers)} answers{', over' if self._over else ''}>"

    def read(self, event: str, data: bytes) -> list[Event]:
        if self._over:
            return []
        try:
            piece = read_piece(data)
            if piece.error is None:
                return self._take(piece, data)  # which decodes what was only passed over before
        except (ValueError, RecursionError) as problem:  # DecodeError is a ValueError
            if data.strip() == b"[DONE]":  # of proxies that speak OpenAI's dialect too
                return []
            return self._break(Failure(502, "server", f"expected a reply of generateContent: {problem}"))
        return self._break(read_failure(200, {"error": piece.error}))

    def finish(self) -> list[Event]:
        if self._over:
            return []
        if not self._answers and self._feedback is not None:
            choice = blocked(self._feedback)
            events: list[Event] = [Ended(choice.finish, 0, choice.raw_finish)]
        elif not self._answers or any(answer.finish is None for answer in self._answers.values()):
            return self._break(Failure(502, "server", "expected a finishReason before the end of the stream, got none"))
        else:
            events = []
            for answer in self._answers.values():
                answer.end(events)
        self._over = True
        if self._usage is not None:
            events.append(self._usage)
        return events

    def _break(self, failure: Failure) -> list[Event]:
        self._over = True
        return [Broke(failure)]

    def _take(self, piece: Piece, data: bytes) -> list[Event]:
        events: list[Event] = []
        usage = piece.usage_metadata
        if not piece.candidates and usage is None and piece.prompt_feedback is None and not piece.response_id and not piece.model_version:
            if as_object(_decode(data)):
                return self._break(Failure(502, "server", f"expected a reply of generateContent, got {data[:60]!r}"))
            return events
        if not self._began:
            self._began = True
            self._ids = Ids(piece.response_id)
            tier = usage.service_tier if usage is not None else ""
            events.append(Began(piece.response_id, piece.model_version, seconds(piece.create_time), tier))
        if piece.candidates:
            for number, candidate in enumerate(piece.candidates):
                self._answer(candidate, number, data, events)
        if piece.prompt_feedback is not None:
            self._feedback = piece.prompt_feedback
        if usage is not None:
            self._usage = UsageStated(read_usage(usage))
            events.append(self._usage)
        return events

    def _answer(self, candidate: Candidate, number: int, data: bytes, events: list[Event]) -> None:
        answer = self._answers.get(candidate.index)
        if answer is None:
            if not 0 <= candidate.index < 1000:  # whoever assembles the reply makes room for all choices below
                return
            answer = self._answers[candidate.index] = Answer(candidate.index)
        content = candidate.content
        if content is not None and content.parts:
            for at, part in enumerate(content.parts):
                if part.text is not None:
                    answer.say(part, events)
                else:
                    answer.add(whole_part(data, number, at), self._ids, events)
        if candidate.logprobs_result is not None and answer.texts:
            logprobs = read_logprobs(candidate.logprobs_result)
            if logprobs:
                events.append(Delta(answer.texts[-1][0], "", answer.number, logprobs=logprobs))
        if candidate.finish_reason:
            answer.finish = candidate.finish_reason
        if candidate.grounding_metadata is not None:
            answer.grounding = candidate.grounding_metadata
        if candidate.citation_metadata is not None:
            answer.cited = candidate.citation_metadata


def whole_part(data: bytes, candidate: int, part: int) -> Json:
    """A part of a piece with all that it has: only words are decoded at once, since nearly all pieces have nothing else."""
    piece = _decode(data)
    if isinstance(piece, list):
        piece = piece[0]
    found = as_object(as_array(as_object(piece).get("candidates"))[candidate])
    return as_object(as_array(as_object(found.get("content")).get("parts"))[part])


def read_piece(data: bytes) -> Piece:
    """A piece of whatever it holds. raises ValueError, RecursionError"""
    try:
        return _piece(data)
    except msgspec.ValidationError:
        return loose_piece(_decode(data))


def loose_piece(body: object) -> Piece:
    """A piece that has members of other types than they should be. raises ValueError where it is none at all"""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        raise ValueError("got no JSON object")
    if body.get("error") is not None:
        return Piece(error=body["error"] if isinstance(body["error"], dict) else str(body["error"]))
    if MEMBERS.isdisjoint(body):
        raise ValueError(f"got an object with {', '.join(list(body)[:5]) or 'nothing'}")
    feedback = body.get("promptFeedback")
    return Piece(
        [loose_candidate(as_object(item)) for item in as_array(body.get("candidates"))],
        loose_metadata(body.get("usageMetadata")),
        as_text(body.get("modelVersion")),
        as_text(body.get("responseId")),
        as_text(body.get("createTime")),
        feedback if isinstance(feedback, dict) else None,
    )


def loose_candidate(candidate: Json) -> Candidate:
    parts = []
    for item in as_array(as_object(candidate.get("content")).get("parts")):
        part = as_object(item)
        text = part.get("text")
        words = text if isinstance(text, str) else None
        parts.append(Words(words, part.get("thought") is True, as_text(part.get("thoughtSignature"))))
    reason, index = candidate.get("finishReason"), candidate.get("index")
    return Candidate(
        Content(parts),
        reason if isinstance(reason, str | int) else None,
        index if type(index) is int else 0,
        as_object(candidate.get("groundingMetadata")) or None,
        as_object(candidate.get("citationMetadata")) or None,
        as_object(candidate.get("logprobsResult")) or None,
    )
