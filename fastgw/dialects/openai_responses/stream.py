"""A provider's event stream of a Response as canonical events; `writer` is the way back.

A part begins with its content_part (or summary part, or call), or with its first delta where the provider left that out; its words come
from the deltas, or from the done event where there were none. What is known of an item only at its end (annotations nobody streamed, the
encrypted thought) is said then. Events of built-in tools are passed over: their items come whole, as Native.
"""

from collections.abc import Callable

import msgspec

from fastgw.dialects.assembly import events_of
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Choice,
    Delta,
    Ended,
    Event,
    Failure,
    Native,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
    UsageStated,
)
from fastgw.dialects.openai_chat.failure import failure_of
from fastgw.dialects.openai_responses.citation import read_citation, read_logprobs
from fastgw.dialects.openai_responses.items import BESIDE_CALL, BESIDE_WORDS, beside
from fastgw.dialects.openai_responses.proof import NAME, Proof, begun_by, thoughts_of, unseal
from fastgw.dialects.openai_responses.reply import Output, finish_of, read_call, read_part, read_usage
from fastgw.dialects.reading import Json, as_array, as_count, as_object, as_text, event_reader

NOTHING = msgspec.Raw(b"null")
CALLS = ("function_call", "custom_tool_call")
Make = Callable[[Json, Native], Part]
Place = tuple[int, int]  # of a part: its item, and its index there; ~index for an entry of a summary


class Heard(msgspec.Struct):
    """The members of an event that this reads; what is large is decoded when it is wanted."""

    type: str = ""
    delta: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    logprobs: list[object] | None = None
    item: msgspec.Raw = NOTHING
    part: msgspec.Raw = NOTHING
    annotation: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING
    text: str = ""
    refusal: str = ""
    arguments: str = ""
    input: str = ""


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
hear = event_reader(Heard)
_decode = msgspec.json.decode


class Slot:
    """A part that has begun: its index, whether any words came, how many citations did, whether it has ended."""

    __slots__ = ("citations", "ended", "index", "words")

    def __init__(self, index: int) -> None:
        self.index = index
        self.words = False
        self.citations = 0
        self.ended = False

    def __repr__(self) -> str:
        return f"<Slot {self.index}>"


class Reader:
    """See canonical.StreamReader."""

    __slots__ = ("_began", "_calls", "_count", "_done", "_items", "_kinds", "_last_text", "_of_item", "_output", "_over",
                 "_slots")

    def __init__(self) -> None:
        self._slots: dict[Place, Slot] = {}
        self._items: dict[int, tuple[Json, Native]] = {}  # as they were added, and what is beside their words
        self._of_item: dict[int, list[Slot]] = {}
        self._done: dict[int, str] = {}  # items that are whole, with their ids
        self._kinds: set[type] = set()
        self._calls: dict[str, int] = {}  # indexes of calls by their ids
        self._last_text: int | None = None
        self._output = Output("")
        self._count = 0
        self._began = False
        self._over = False

    def __repr__(self) -> str:
        return f"<Reader of openai_responses, {self._count} parts>"

    def read(self, event: str, data: bytes) -> list[Event]:
        if self._over:
            return []
        try:
            heard = hear(data)
        except UNREADABLE as problem:
            return self._odd(event, data, problem)
        if heard.type == "response.output_text.delta":
            slot = self._slots.get((heard.output_index, heard.content_index))
            if slot is not None and not heard.logprobs:
                slot.words = True
                return [Delta(slot.index, heard.delta)]
        heard.type = heard.type or event
        step = STEPS.get(heard.type)
        if step is None:
            return self._odd(heard.type, data, ValueError("it has no type"))
        events: list[Event] = []
        try:
            step(self, heard, events)
        except UNREADABLE as problem:  # a member that was only passed over before
            return events + self._odd(heard.type, data, problem)
        return events

    def finish(self) -> list[Event]:
        return [] if self._over else self._broke("the stream ended before its response was completed")

    def _odd(self, kind: str, data: bytes, problem: Exception) -> list[Event]:
        """What is no event that this reads: an error, with or without a type; the end that some servers write; an event of another kind."""
        if data.strip() == b"[DONE]":
            return []
        try:
            decoded = _decode(data)
        except UNREADABLE:
            decoded = None
        if isinstance(decoded, dict):
            kind = as_text(decoded.get("type")) or kind
            if kind == "error" or (decoded.get("error") and kind not in STEPS):
                return self._fail(failure_of(as_object(decoded.get("error")) or decoded, 0))
            if kind and kind not in STEPS:
                return []
        return self._broke(f"expected an event of a response, got {data[:200]!r}: {problem}")

    def _broke(self, message: str) -> list[Event]:
        return self._fail(Failure(502, "server", message))

    def _fail(self, failure: Failure) -> list[Event]:
        self._over = True
        return [Broke(failure)]

    def _created(self, heard: Heard, events: list[Event]) -> None:
        if not self._began:
            self._begin_reply(as_object(_decode(heard.response)), events)

    def _begin_reply(self, response: Json, events: list[Event]) -> None:
        self._began = True
        self._output.response_id = as_text(response.get("id"))
        events.append(Began(self._output.response_id, as_text(response.get("model")), as_count(response.get("created_at")),
                            as_text(response.get("service_tier"))))

    def _added(self, heard: Heard, events: list[Event]) -> None:
        item = as_object(_decode(heard.item))
        if item.get("type") not in CALLS:
            self._items[heard.output_index] = item, beside(item, BESIDE_WORDS)
            return
        call = read_call(item, self._output.response_id)
        call.signature = self._output.pending.pop(call.id, "")
        self._output.calls[call.id] = call
        self._items[heard.output_index] = item, call.native or beside(item, BESIDE_CALL)
        self._begin((heard.output_index, 0), call, events)

    def _part_added(self, heard: Heard, events: list[Event]) -> None:
        kind = as_object(_decode(heard.part)).get("type")
        make = PARTS.get(kind) if isinstance(kind, str) else None
        if make is not None:
            self._slot_at((heard.output_index, heard.content_index), make, events)

    def _summary_added(self, heard: Heard, events: list[Event]) -> None:
        self._slot_at((heard.output_index, ~heard.summary_index), _summary, events)

    def _said(self, heard: Heard, events: list[Event]) -> None:
        """More words of a part of a message or of a thought."""
        slot = self._slot(heard, events)
        if heard.delta:
            slot.words = True
            events.append(Delta(slot.index, heard.delta, logprobs=read_logprobs(heard.logprobs) or None))

    def _said_all(self, heard: Heard, events: list[Event]) -> None:
        """All words of a part: news only where there were no deltas."""
        slot = self._slot(heard, events)
        words = heard.text or heard.refusal
        if words and not slot.words:
            slot.words = True
            events.append(Delta(slot.index, words, logprobs=read_logprobs(heard.logprobs) or None))

    def _argued(self, heard: Heard, events: list[Event]) -> None:
        """More arguments of a call. A call that nobody announced waits until its item is whole."""
        slot = self._slots.get((heard.output_index, 0))
        if slot is not None and heard.delta:
            slot.words = True
            events.append(Delta(slot.index, heard.delta))

    def _annotated(self, heard: Heard, events: list[Event]) -> None:
        slot = self._slot(heard, events)
        slot.citations += 1
        events.append(Delta(slot.index, citations=[read_citation(_decode(heard.annotation))]))

    def _item_done(self, heard: Heard, events: list[Event]) -> None:
        at = heard.output_index
        if at in self._done:
            return
        item = as_object(_decode(heard.item))
        self._done[at] = as_text(item.get("id"))
        kind = item.get("type")
        slots = self._of_item.get(at)
        if slots is None:
            self._whole(item, events)
            return
        known = self._items.get(at)
        if known is None:
            return  # words without an item
        # the parts hold this Native: what it says is no longer in progress
        known[1].value.update(beside(item, BESIDE_CALL if kind in CALLS else BESIDE_WORDS).value)
        if kind == "message":
            self._rest(item, at, known[1], events)
        elif kind == "reasoning":
            _prove(item, slots[-1].index, events)
        elif kind in CALLS and not slots[0].words:
            words = as_text(item.get("input" if kind == "custom_tool_call" else "arguments"))
            if words:
                events.append(Delta(slots[0].index, words))
        for slot in slots:
            self._end(slot, events)

    def _rest(self, item: Json, at: int, native: Native, events: list[Event]) -> None:
        """What a message has at its end and no event has said: parts, words, annotations."""
        for number, entry in enumerate(as_array(item.get("content"))):
            content = as_object(entry)
            slot = self._slots.get((at, number))
            if slot is None:
                self._parts([read_part(content, native)], events)
                continue
            words = as_text(content.get("text")) or as_text(content.get("refusal"))
            if words and not slot.words:
                events.append(Delta(slot.index, words))
            annotations = as_array(content.get("annotations"))[slot.citations :]
            if annotations:
                events.append(Delta(slot.index, citations=[read_citation(annotation) for annotation in annotations]))

    def _ended(self, heard: Heard, events: list[Event]) -> None:
        response = as_object(_decode(heard.response))
        if not self._began:
            self._begin_reply(response, events)
        for slot in self._slots.values():
            self._end(slot, events)
        ids = {*self._done.values(), *(as_text(self._items[at][0].get("id")) for at in self._of_item if at in self._items)}
        for at, entry in enumerate(as_array(response.get("output"))):
            item = as_object(entry)
            item_id = as_text(item.get("id"))
            # no event told of it, or none that it is done; some providers count from elsewhere, so its id says more
            if at not in self._done and at not in self._of_item and not (item_id and item_id in ids):
                self._whole(item, events)
        finish, raw = finish_of(response, self._kinds)
        events.append(Ended(finish, 0, raw))
        usage = read_usage(response.get("usage"))
        if usage is not None:
            events.append(UsageStated(usage))
        self._over = True

    def _failed(self, heard: Heard, events: list[Event]) -> None:
        response = as_object(_decode(heard.response))
        usage = read_usage(response.get("usage"))
        if usage is not None:
            events.append(UsageStated(usage))
        stated = as_object(response.get("error")) or {"message": "the response was ended without a reason"}
        events += self._fail(failure_of(stated, 0))

    def _slot(self, heard: Heard, events: list[Event]) -> Slot:
        """The slot of the part that an event is about."""
        make = SPEAKERS[heard.type]
        return self._slot_at((heard.output_index, ~heard.summary_index if make is _summary else heard.content_index), make, events)

    def _slot_at(self, place: Place, make: Make, events: list[Event]) -> Slot:
        """The slot of a part, which begins now where it has not."""
        slot = self._slots.get(place)
        if slot is None:
            item, native = self._items.get(place[0]) or ({}, Native(NAME, {}))
            # an entry of a reasoning item ends when the next begins, and the last with the item: it gets the proof
            for other in self._of_item.get(place[0], ()):
                self._end(other, events)
            slot = self._begin(place, make(item, native), events)
        return slot

    def _begin(self, place: Place, part: Part, events: list[Event]) -> Slot:
        slot = self._slots[place] = Slot(self._count)
        self._of_item.setdefault(place[0], []).append(slot)
        self._announce(part, events)
        return slot

    def _announce(self, part: Part, events: list[Event]) -> None:
        if not self._began:
            self._begin_reply({}, events)
        if isinstance(part, Text):
            self._last_text = self._count
        elif isinstance(part, ToolCall):
            self._calls[part.id] = self._count
        events.append(PartBegan(self._count, part))
        self._kinds.add(type(part))
        self._count += 1

    def _end(self, slot: Slot, events: list[Event]) -> None:
        if not slot.ended:
            slot.ended = True
            events.append(PartEnded(slot.index))

    def _whole(self, item: Json, events: list[Event]) -> None:
        """An item that nothing was said of before it was whole."""
        output = self._output
        output.parts = []
        if item.get("type") == "reasoning":
            thoughts, proof = thoughts_of(item)
            output.parts.extend(thoughts)
            if proof is not None:
                self._sign(proof, events)
        else:
            output.add(item)
        self._parts(output.parts, events)

    def _sign(self, proof: Proof, events: list[Event]) -> None:
        """A signature of words or of a call, which are other parts."""
        index = self._calls.get(proof.call_id) if proof.kind == "call" else self._last_text
        if index is not None:
            events.append(Delta(index, signature=proof.content))
        elif proof.kind == "call":
            self._output.pending[proof.call_id] = proof.content

    def _parts(self, parts: list[Part], events: list[Event]) -> None:
        first = self._count
        for event in events_of(Reply(choices=[Choice(parts)])):
            if isinstance(event, PartBegan):
                self._announce(event.part, events)
            elif isinstance(event, Delta | PartEnded):
                event.index += first
                events.append(event)


def _prove(item: Json, index: int, events: list[Event]) -> None:
    """The proof of a thought comes with the end of its item."""
    encrypted = as_text(item.get("encrypted_content"))
    proof = unseal(encrypted)
    if proof is not None:
        thought = begun_by(proof, "")
        events.append(Delta(index, signature=thought.signature, encrypted=thought.encrypted))
    elif encrypted:
        events.append(Delta(index, encrypted=encrypted))



def _words(item: Json, native: Native) -> Part:
    return Text(native=native)


def _refused(item: Json, native: Native) -> Part:
    return Refusal(native=native)


def _thought(item: Json, summary: bool) -> Thinking:
    proof = unseal(as_text(item.get("encrypted_content")))
    return Thinking(id=as_text(item.get("id")), summary=summary, dialect=NAME) if proof is None else begun_by(proof, "")


def _summary(item: Json, native: Native) -> Part:
    return _thought(item, True)


def _raw(item: Json, native: Native) -> Part:
    return _thought(item, False)


PARTS: dict[str, Make] = {"output_text": _words, "refusal": _refused, "reasoning_text": _raw}
SPEAKERS: dict[str, Make] = {
    "response.output_text.delta": _words, "response.output_text.done": _words, "response.output_text.annotation.added": _words,
    "response.refusal.delta": _refused, "response.refusal.done": _refused,
    "response.reasoning_text.delta": _raw, "response.reasoning_text.done": _raw,
    "response.reasoning_summary_text.delta": _summary, "response.reasoning_summary_text.done": _summary,
}
STEPS: dict[str, Callable[[Reader, Heard, list[Event]], None]] = {
    "response.created": Reader._created,
    "response.queued": Reader._created,
    "response.in_progress": Reader._created,
    "response.output_item.added": Reader._added,
    "response.content_part.added": Reader._part_added,
    "response.reasoning_summary_part.added": Reader._summary_added,
    "response.output_text.delta": Reader._said,
    "response.output_text.done": Reader._said_all,
    "response.output_text.annotation.added": Reader._annotated,
    "response.refusal.delta": Reader._said,
    "response.refusal.done": Reader._said_all,
    "response.reasoning_text.delta": Reader._said,
    "response.reasoning_text.done": Reader._said_all,
    "response.reasoning_summary_text.delta": Reader._said,
    "response.reasoning_summary_text.done": Reader._said_all,
    "response.function_call_arguments.delta": Reader._argued,
    "response.custom_tool_call_input.delta": Reader._argued,
    "response.output_item.done": Reader._item_done,
    "response.completed": Reader._ended,
    "response.incomplete": Reader._ended,
    "response.failed": Reader._failed,
    "response.cancelled": Reader._failed,
}
