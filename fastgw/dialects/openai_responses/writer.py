"""Canonical events as the event stream of a Response, and as the Response itself.

A part is a section of an item: words and refusals of a message, entries of a reasoning item, the arguments of a call. An item is open
until a part comes that is none of its own; a delta for a section that has ended opens it again, and its item is done once more at the end,
with all of its words. Positions that a citation does not state are known when its words are whole: then it is written.
"""

from collections.abc import Callable

import msgspec

from fastgw.dialects.assembly import events_of
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Delta,
    Ended,
    Event,
    Failure,
    FinishReason,
    Logprob,
    Media,
    Native,
    PartBegan,
    PartEnded,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.openai_responses.answer import frame_of, problem_of, response_of, seconds, seed, state_of
from fastgw.dialects.openai_responses.citation import write_citation, write_logprobs
from fastgw.dialects.openai_responses.content import PART_KEY
from fastgw.dialects.openai_responses.proof import NAME, SIGNER, proof_of, seal
from fastgw.dialects.openai_responses.sections import CALL, CUSTOM, REFUSAL, SUMMARY, TEXT, THOUGHT, Item, Kind, Section
from fastgw.dialects.reading import Json

_encode = msgspec.json.encode


class Writer:
    """See canonical.StreamWriter. is_silent: only `response` is wanted."""

    __slots__ = ("_began", "_failure", "_finish", "_frame", "_is_silent", "_items", "_number", "_open", "_out", "_pictures", "_plain",
                 "_request", "_sections", "_seed", "_usage")

    def __init__(self, request: Request, is_silent: bool = False) -> None:
        self._request = request
        self._is_silent = is_silent
        self._frame = frame_of(request)
        self._seed = seed()
        self._began: Json = {}
        self._out: list[bytes] = []
        self._number = 0
        self._items: list[Item] = []
        self._open: Item | None = None
        self._sections: dict[int, Section] = {}
        self._plain: dict[int, Section] = {}  # those whose words go out as they come
        self._pictures: dict[int, Media] = {}
        self._finish: FinishReason = "stop"
        self._usage: Usage | None = None
        self._failure: Failure | None = None

    def __repr__(self) -> str:
        return f"<Writer of {NAME}: {len(self._items)} items>"

    def write(self, events: list[Event]) -> bytes:
        out = self._out
        for event in events:
            if type(event) is Delta:
                section = self._plain.get(event.index)
                if (section is None or not event.text or event.choice or event.citations or event.logprobs or event.signature
                        or event.encrypted):
                    self._extend(event)
                    continue
                section.pieces.append(event.text)
                out.append(section.prefix + _encode(event.text) + section.suffix % self._number)
                self._number += 1
            elif self._failure is None:
                STEPS[type(event)](self, event)
        written = b"".join(out)
        out.clear()
        return written

    def finish(self) -> bytes:
        if self._failure is None:
            self._close_all()
            response = self._response()
            self._emit({"type": f"response.{response['status']}", "response": response})
        written = b"".join(self._out)
        self._out.clear()
        return written

    def response(self) -> Json:
        """The whole Response, when the last event has been written."""
        self._close_all()
        return self._response()

    def _response(self) -> Json:
        refused = any(section.kind is REFUSAL for item in self._items for section in item.sections)
        status, incomplete = state_of(self._finish, refused)
        problem: Json | None = {"code": "server_error", "message": "the model ended with an error"} if status == "failed" else None
        output = [item.final("completed") for item in self._items]
        if status == "incomplete" and output and output[-1].get("type") == "message":
            output[-1]["status"] = status
        return response_of(self._frame, self._began, status, output, self._usage, incomplete, problem)

    def _emit(self, event: Json) -> None:
        if self._is_silent:
            return
        event["sequence_number"] = self._number
        self._number += 1
        self._out.append(f"event: {event['type']}\ndata: ".encode() + _encode(event) + b"\n\n")

    def _begin(self, event: Began) -> None:
        if self._began:
            return
        self._began = {"id": event.id or f"resp_{self._seed}", "created_at": event.created or seconds(),
                       "model": event.model or self._request.model}
        if event.service_tier:
            self._frame["service_tier"] = event.service_tier
        if not self._is_silent:
            # the request's large members go out three times
            self._frame = {name: msgspec.Raw(_encode(value)) for name, value in self._frame.items()}
            response = response_of(self._frame, self._began, "in_progress", [], None)
            self._emit({"type": "response.created", "response": response})
            self._emit({"type": "response.in_progress", "response": response})

    def _begin_part(self, event: PartBegan) -> None:
        if not self._began:
            self._begin(Began())
        if event.choice:
            return  # a response is one answer
        begin = PARTS.get(type(event.part))
        if begin is not None:
            begin(self, event)

    def _begin_words(self, event: PartBegan) -> None:
        part = event.part
        assert isinstance(part, Text | Refusal)
        native = part.native if part.native is not None and part.native.dialect == NAME else None
        item = self._open
        if item is None or item.head["type"] != "message" or item.native is not native:
            beside: Json = {} if native is None else native.value
            head: Json = {"id": beside.get("id") or self._name("msg"), "type": "message", "role": "assistant"}
            if "phase" in beside:
                head["phase"] = beside["phase"]
            item = self._add(head, {"status": "in_progress", "content": []}, native)
        section = self._section(event.index, TEXT if isinstance(part, Text) else REFUSAL, item)
        self._begin_section(event.index, section)
        signature, citations = (part.signature, part.citations) if isinstance(part, Text) else ("", None)
        if part.text or signature or citations:
            self._extend(Delta(event.index, part.text, signature=signature, citations=citations))

    def _begin_thought(self, event: PartBegan) -> None:
        part = event.part
        assert isinstance(part, Thinking)
        item = self._open
        if item is None or item.thought is None or part.dialect != NAME or item.head["id"] != part.id:
            thought = Thinking("", part.signature, part.redacted, part.id, part.encrypted, part.summary, part.dialect)
            # an id of another dialect's need not be one item's
            head: Json = {"id": (part.dialect == NAME and part.id) or self._name("rs"), "type": "reasoning"}
            item = self._add(head, {"summary": [], "encrypted_content": proof_of(thought) or None}, thought=thought)
        elif part.encrypted and item.thought is not None:
            item.thought.encrypted = part.encrypted
        # the thoughts of other dialects are summaries to the clients of this one: they show those, and few show reasoning_text
        self._section(event.index, SUMMARY if part.summary or part.dialect != NAME else THOUGHT, item)
        if part.text:
            self._extend(Delta(event.index, part.text))

    def _begin_call(self, event: PartBegan) -> None:
        part = event.part
        assert isinstance(part, ToolCall)
        call_id = part.id or self._name("call")
        if part.signature:
            self._add_proof(seal(SIGNER, "call", part.signature, call_id))
        beside = part.native.value if part.native is not None and part.native.dialect == NAME else {}
        kind = CUSTOM if part.custom else CALL
        head: Json = {**beside, "id": beside.get("id") or self._name("ctc" if part.custom else "fc"),
                      "type": "custom_tool_call" if part.custom else "function_call", "call_id": call_id, "name": part.name}
        head.pop("status", None)
        item = self._add(head, {kind[2]: ""} if part.custom else {kind[2]: "", "status": "in_progress"})
        self._open = None  # calls may interleave: each is done when it says so
        section = self._section(event.index, kind, item)
        self._begin_section(event.index, section)
        if part.arguments:
            self._extend(Delta(event.index, part.arguments))

    def _begin_media(self, event: PartBegan) -> None:
        part = event.part
        assert isinstance(part, Media)
        self._pictures[event.index] = Media(part.kind, part.data, media_type=part.media_type, transcript=part.transcript)

    def _begin_native(self, event: PartBegan) -> None:
        part = event.part
        assert isinstance(part, Native)
        if part.dialect == NAME and PART_KEY not in part.value:
            self._close_open()
            self._add_whole(part.value)

    def _end_part(self, event: PartEnded) -> None:
        if event.choice:
            return
        picture = self._pictures.pop(event.index, None)
        if picture is not None:
            self._add_picture(event.index, picture)
            return
        section = self._sections.get(event.index)
        if section is None:
            return
        if section.kind is not CALL and section.kind is not CUSTOM:
            self._end(section, event.index)
        elif section.pieces:  # else its arguments may be late; if there are none, that shows at the end
            self._end(section, event.index)
            self._close(section.item)

    def _end_choice(self, event: Ended) -> None:
        if not event.choice:
            self._finish = event.finish

    def _state_usage(self, event: UsageStated) -> None:
        self._usage = event.usage

    def _break(self, event: Broke) -> None:
        """Both ends that a broken stream has: the error, which the official client raises, and the failed response, for others."""
        self._failure = event.failure
        self._plain.clear()
        if not self._began:
            self._began = {"id": f"resp_{self._seed}", "created_at": seconds(), "model": self._request.model}
        problem = problem_of(event.failure)
        self._emit({"type": "error", **problem, "param": event.failure.param or None,
                    "error": {"type": "server_error", **problem, "param": event.failure.param or None}})
        output = [item.final("incomplete") for item in self._items]
        self._emit({"type": "response.failed",
                    "response": response_of(self._frame, self._began, "failed", output, self._usage, None, problem)})

    def _extend(self, event: Delta) -> None:
        """A delta of any kind."""
        if event.choice or self._failure is not None:
            return
        picture = self._pictures.get(event.index)
        if picture is not None:
            picture.data += event.text
            picture.transcript += event.transcript
            return
        section = self._sections.get(event.index)
        if section is None or not (event.text or event.citations or event.logprobs or event.signature or event.encrypted):
            return
        if section.has_ended:
            section.has_ended = section.item.is_done = False
        self._prove(section, event)
        if event.text or event.logprobs:
            self._say(section, event.index, event.text, event.logprobs)
        for citation in event.citations or ():
            if citation.start < 0 and not (citation.native is not None and citation.dialect == NAME):
                section.held.append(citation)
            else:
                self._cite(section, write_citation(citation, 0))

    def _prove(self, section: Section, event: Delta) -> None:
        thought = section.item.thought
        if thought is None:
            section.signature = event.signature or section.signature
        else:
            thought.signature = event.signature or thought.signature
            thought.encrypted = event.encrypted or thought.encrypted

    def _say(self, section: Section, index: int, words: str, logprobs: list[Logprob] | None) -> None:
        self._begin_section(index, section)
        section.pieces.append(words)
        if logprobs and section.kind is TEXT:
            written = write_logprobs(logprobs)
            section.logprobs += written
            self._emit({"type": f"{section.kind[0]}.delta", **section.place(), "delta": words, "logprobs": written})
        elif not self._is_silent:
            self._out.append(section.prefix + _encode(words) + section.suffix % self._number)
            self._number += 1

    def _cite(self, section: Section, annotation: Json) -> None:
        self._emit({"type": "response.output_text.annotation.added", **section.place(), "annotation_index": len(section.citations),
                    "annotation": annotation})
        section.citations.append(annotation)

    def _begin_section(self, index: int, section: Section) -> None:
        if section.has_begun:
            return
        section.has_begun = True
        if not self._is_silent:
            self._plain[index] = section
            self._emit_part(section, "added")

    def _emit_part(self, section: Section, state: str) -> None:
        if section.kind[1]:
            name = "reasoning_summary_part" if section.kind is SUMMARY else "content_part"
            self._emit({"type": f"response.{name}.{state}", **section.place(), "part": section.part()})

    def _end(self, section: Section, index: int = -1) -> None:
        """The words of a section are whole."""
        self._plain.pop(index, None)
        if section.has_ended:
            return
        if section.kind is CALL and not section.pieces:
            self._say(section, index, "{}", None)  # no arguments are an empty object to those who parse them
            self._plain.pop(index, None)
        section.has_ended = True
        if not section.has_begun:
            return
        length = sum(map(len, section.pieces)) if section.held else 0
        for citation in section.held:
            self._cite(section, write_citation(citation, length))
        section.held = []
        if self._is_silent:
            return
        event: Json = {"type": f"{section.kind[0]}.done", **section.place(), section.kind[2]: section.words()}
        if section.kind is TEXT:
            event["logprobs"] = section.logprobs
        elif section.kind is CALL:
            event["name"] = section.item.head["name"]
        self._emit(event)
        self._emit_part(section, "done")

    def _name(self, prefix: str) -> str:
        """An id that no other item has, here or in another response; OpenAI takes at most 64 characters."""
        return f"{prefix}_{self._seed}{len(self._items):02x}"

    def _section(self, index: int, kind: Kind, item: Item) -> Section:
        section = self._sections[index] = Section(kind, item)
        item.sections.append(section)
        return section

    def _add(self, head: Json, state: Json, native: Native | None = None, thought: Thinking | None = None) -> Item:
        """Begin an item; the one before it is done."""
        self._close_open()
        item = Item(len(self._items), head, native, thought)
        self._items.append(item)
        self._open = item
        self._emit({"type": "response.output_item.added", "output_index": item.number, "item": {**head, **state}})
        return item

    def _add_whole(self, value: Json) -> None:
        """An item that comes in one piece."""
        item = self._add(value, {})
        item.is_done = True
        self._open = None
        self._emit({"type": "response.output_item.done", "output_index": item.number, "item": value})

    def _add_proof(self, proof: str) -> None:
        """A signature of something that is no thought, in a reasoning item of its own."""
        self._close_open()
        self._add_whole({"id": self._name("rs"), "type": "reasoning", "summary": [], "encrypted_content": proof})

    def _add_picture(self, index: int, media: Media) -> None:
        """A picture is what the tool for it would have made; of a sound there is only what it says."""
        if media.kind == "image" and media.data:
            self._close_open()
            self._add_whole({"id": self._name("ig"), "type": "image_generation_call", "status": "completed", "result": media.data,
                             "output_format": media.media_type.removeprefix("image/") or "png"})
        elif media.transcript:
            self._begin_words(PartBegan(index, Text(media.transcript)))
            self._end(self._sections[index], index)

    def _close_open(self) -> None:
        if self._open is not None:
            self._close(self._open)

    def _close(self, item: Item) -> None:
        """An item is done; signatures that came with it follow."""
        if item is self._open:
            self._open = None
        if item.is_done:
            return
        item.is_done = True
        for section in item.sections:
            self._end(section)
        last = item is self._items[-1] and state_of(self._finish, True)[0] == "incomplete"
        if not self._is_silent:
            self._emit({"type": "response.output_item.done", "output_index": item.number,
                        "item": item.final("incomplete" if last else "completed")})
        for section in item.sections:
            if section.signature:
                signature, section.signature = section.signature, ""
                call_id = item.head.get("call_id")
                self._add_proof(seal(SIGNER, "text", signature) if call_id is None else seal(SIGNER, "call", signature, str(call_id)))

    def _close_all(self) -> None:
        if not self._began:
            self._begin(Began())
        for index in list(self._pictures):
            self._add_picture(index, self._pictures.pop(index))
        for item in list(self._items):
            self._close(item)


def write_reply(reply: Reply, request: Request) -> Json:
    """See canonical.Dialect: the response that the stream of this reply would have ended with."""
    writer = Writer(request, is_silent=True)
    writer.write(events_of(reply))
    return writer.response()


PARTS: dict[type, Callable[[Writer, PartBegan], None]] = {
    Text: Writer._begin_words,
    Refusal: Writer._begin_words,
    Thinking: Writer._begin_thought,
    ToolCall: Writer._begin_call,
    Media: Writer._begin_media,
    Native: Writer._begin_native,
}
STEPS: dict[type, Callable[..., None]] = {
    Began: Writer._begin,
    PartBegan: Writer._begin_part,
    PartEnded: Writer._end_part,
    Ended: Writer._end_choice,
    UsageStated: Writer._state_usage,
    Broke: Writer._break,
}
