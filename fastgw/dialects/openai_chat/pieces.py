"""What a delta may hold, taken piece by piece into the parts of a choice: thoughts, words, calls, pictures, sounds, citations."""

from collections.abc import Callable

from msgspec import Struct

from fastgw.dialects.canonical import Delta, Event, Logprob, Media, Part, PartBegan, PartEnded, Refusal, Text, Thinking, ToolCall
from fastgw.dialects.openai_chat.citations import citations_in
from fastgw.dialects.openai_chat.parts import read_pictures
from fastgw.dialects.openai_chat.reply import called, chunk_part, made_id
from fastgw.dialects.openai_chat.thinking import ANTHROPIC, thought_of, words_of
from fastgw.dialects.openai_chat.tools import signature_of
from fastgw.dialects.reading import Json, as_array, as_count, as_object, as_text


class Call(Struct):
    """A tool call as far as it has come. part: its number, -1 until its name is known; held: arguments that came before the name."""

    id: str = ""
    part: int = -1
    held: str = ""
    signature: str = ""


class Turn:
    """One choice of a stream.

    open      number of the part that is open, -1 none; in_text: it is words; kind: its type, None where none is open
    words     number of the last part of words, -1 none; thought: of the last thought
    block     which block of thinking_blocks or reasoning_details the open thought is; spoke: it has words, and
              plain: they came in reasoning_content; proven: its signature has come
    calls     the calls in their order; slots: by the index that the provider gives them
    """

    __slots__ = (
        "block", "calls", "count", "ended", "in_text", "kind", "number", "open", "plain", "proven", "refused", "seed", "slots", "spoke",
        "thought", "words",
    )

    def __init__(self, number: int, seed: str) -> None:
        self.number = number
        self.seed = seed
        self.count = 0
        self.open = -1
        self.kind: type[Part] | None = None
        self.in_text = False
        self.ended = False
        self.words = -1
        self.thought = -1
        self.block: object = None
        self.spoke = False
        self.plain = False
        self.proven = False
        self.refused = False
        self.calls: list[Call] = []
        self.slots: dict[object, Call] = {}

    def __repr__(self) -> str:
        return f"<Turn {self.number} of {self.count} parts>"

    def begin(self, part: Part, events: list[Event]) -> int:
        """A part begins, and ends the one that was open."""
        self.close(events)
        number = self.open = self.count
        self.count += 1
        self.kind = type(part)
        self.in_text = self.kind is Text
        events.append(PartBegan(number, part, self.number))
        if self.in_text:
            self.words = number
        elif self.kind is Thinking:
            self.thought = number
            self.spoke = self.plain = self.proven = False
        return number

    def close(self, events: list[Event]) -> None:
        """The open part is whole."""
        if self.open >= 0:
            events.append(PartEnded(self.open, self.number))
            self.open = -1
            self.kind = None
            self.in_text = False

    def whole(self, part: Part, events: list[Event]) -> None:
        """A part that comes in one piece, its proof with it."""
        self.begin(part, events)
        self.close(events)
        if type(part) is Thinking:
            self.proven = True

    def say(self, words: str, events: list[Event]) -> None:
        """More words of the answer."""
        if not self.in_text:
            self.begin(Text(), events)
        events.append(Delta(self.open, words, self.number))

    def think(self, words: str, whose: str, summary: bool, events: list[Event]) -> None:
        """More words of a thought; whose: the dialect of the proof that will come, "" where none is known of."""
        if self.kind is not Thinking or self.proven:
            self.begin(Thinking(summary=summary, dialect=whose), events)
        if words:
            self.spoke = True
            events.append(Delta(self.open, words, self.number))

    def turn_to(self, block: object, events: list[Event]) -> None:
        """What follows is of this block of thoughts: that of another is whole."""
        if self.kind is Thinking and self.block is not None and block != self.block and type(block) is int:
            self.close(events)

    def prove(self, signature: str, whose: str, events: list[Event]) -> None:
        """The signature of the last thought."""
        if self.thought < 0 or self.proven:
            self.begin(Thinking(dialect=whose), events)
        events.append(Delta(self.thought, choice=self.number, signature=signature))
        self.proven = True

    def odds(self, logprobs: list[Logprob], events: list[Event]) -> None:
        """Log probabilities go with the last delta of words or a refusal; tokens may come before the characters that they end."""
        for event in reversed(events):
            if type(event) is Delta and event.choice == self.number and event.text and self.kind in (Text, Refusal):
                event.logprobs = logprobs
                return
        if self.kind is not Text and self.kind is not Refusal:
            self.begin(Text(), events)
        events.append(Delta(self.open, choice=self.number, logprobs=logprobs))

    def flush(self, events: list[Event]) -> None:
        """Calls whose name never came have none; what they brought is kept."""
        for call in self.calls:
            if call.part < 0:
                self.name(call, "", False, events)

    def name(self, call: Call, name: str, custom: bool, events: list[Event]) -> None:
        """A call's name is known: its part begins."""
        identity = call.id or made_id(self.seed, len(self.calls))
        call.part = self.begin(ToolCall(identity, name, custom=custom, signature=call.signature), events)
        if call.held:
            events.append(Delta(call.part, call.held, self.number))
            call.held = ""


def _thinking_blocks(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    """LiteLLM's blocks, in pieces beside reasoning_content, or ours: an empty one first, the whole with its proof last."""
    spoken = as_text(delta.get("reasoning_content")) or as_text(delta.get("reasoning"))
    for block in map(as_object, as_array(value)):
        whose = as_text(block.get("format")) or ANTHROPIC
        if block.get("type") == "redacted_thinking":
            turn.whole(Thinking(redacted=as_text(block.get("data")), dialect=whose), events)
            continue
        index, signature = block.get("index"), as_text(block.get("signature"))
        turn.turn_to(index, events)
        words = spoken
        if not words and not (signature and turn.spoke):
            words = words_of(block.get("thinking"))
        if words or not signature:
            turn.think(words, whose, False, events)
        spoken, turn.block = "", index
        if signature:
            turn.prove(signature, whose, events)
    if spoken:
        turn.think(spoken, "", False, events)


def _details(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    """OpenRouter's details; `reasoning` beside them repeats their words."""
    silent = True
    for detail in map(as_object, as_array(value)):
        thought = thought_of(detail)
        if thought is None:
            continue
        if thought.redacted or thought.encrypted:
            turn.whole(thought, events)
            continue
        turn.turn_to(detail.get("index"), events)
        if thought.text and turn.plain and turn.kind is Thinking:
            silent = False  # ours: what was said piece by piece is said whole, with whose it is
        elif thought.text:
            silent = False
            turn.think(thought.text, thought.dialect, thought.summary, events)
        turn.block = detail.get("index")
        if thought.signature:
            turn.prove(thought.signature, thought.dialect, events)
    if silent:
        spoken = as_text(delta.get("reasoning_content")) or as_text(delta.get("reasoning"))
        if spoken:
            turn.think(spoken, "", False, events)


def _reasoning(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    """Plain words of a thought, where nothing says more."""
    if isinstance(value, str) and not delta.get("reasoning_details") and not delta.get("thinking_blocks"):
        turn.think(value, "", False, events)
        turn.plain = True


def _other_reasoning(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    if not delta.get("reasoning_content"):
        _reasoning(turn, value, delta, events)


def _content(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    if isinstance(value, str):
        turn.say(value, events)
        return
    for chunk in map(as_object, as_array(value)):
        part = chunk_part(chunk)
        if isinstance(part, Text):
            turn.say(part.text, events)
        elif isinstance(part, Refusal):
            _refusal(turn, part.text, delta, events)
        elif isinstance(part, Thinking) and not part.redacted:
            if part.text:
                turn.think(part.text, part.dialect, False, events)
            if part.signature:
                turn.prove(part.signature, part.dialect, events)
        elif part is not None:
            turn.whole(part, events)


def _refusal(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    if isinstance(value, str):
        turn.refused = True
        if turn.kind is not Refusal:
            turn.begin(Refusal(), events)
        events.append(Delta(turn.open, value, turn.number))


def _tool_calls(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    for item in as_array(value):
        if isinstance(item, dict):
            _tool_call(turn, item, events)


def _tool_call(turn: Turn, item: Json, events: list[Event]) -> None:
    """A piece of a call. By its index it belongs to one that began, unless it states another id: some give all calls the index 0."""
    identity = as_text(item.get("id"))
    name, arguments, custom = called(item)
    index = item.get("index")
    call = turn.slots.get(index) if type(index) is int else None
    if call is None and type(index) is not int:
        call = next((known for known in turn.calls if identity and known.id == identity), None)
        if call is None and not identity and not name and turn.calls:
            call = turn.calls[-1]
    elif call is not None and name and identity and call.id and identity != call.id:
        call = None
    if call is None:
        call = Call(identity)
        turn.calls.append(call)
        if type(index) is int:
            turn.slots[index] = call
    signature = signature_of(item)
    if call.part < 0:
        call.id = identity or call.id
        call.signature = signature or call.signature
        if name:
            turn.name(call, name, custom, events)
        else:
            call.held += arguments
            return
    elif signature:
        events.append(Delta(call.part, choice=turn.number, signature=signature))
    if arguments:
        events.append(Delta(call.part, arguments, turn.number))


def _function_call(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    """The older way: one call, without an id."""
    if isinstance(value, dict) and not delta.get("tool_calls"):
        if as_text(value.get("name")) or as_text(value.get("arguments")):
            _tool_call(turn, {"index": 0, "function": value}, events)


def _citations(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    citations = citations_in(delta)
    if citations:
        if turn.words < 0:
            turn.begin(Text(), events)
        events.append(Delta(turn.words, choice=turn.number, citations=citations))


def _other_citations(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    if not delta.get("annotations"):
        _citations(turn, value, delta, events)


def _images(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    for picture in read_pictures(value):
        turn.whole(picture, events)


def _audio(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    """A sound in pieces; when it expires is known last and only a whole reply can say it."""
    if isinstance(value, dict):
        if turn.kind is not Media:
            if not value.get("id") and not value.get("data") and not value.get("transcript"):
                return
            turn.begin(Media("audio", audio_id=as_text(value.get("id")), expires_at=as_count(value.get("expires_at"))), events)
        words, sound = as_text(value.get("transcript")), as_text(value.get("data"))
        if words or sound:
            events.append(Delta(turn.open, sound, turn.number, transcript=words))


def _signed(turn: Turn, value: object, delta: Json, events: list[Event]) -> None:
    """Gemini's signature on the whole message belongs to the first call, or else to the last words."""
    signature = signature_of(delta)
    part = next((call.part for call in turn.calls if call.part >= 0), turn.words)
    if signature:
        if part < 0:
            part = turn.begin(Text(), events)
        events.append(Delta(part, choice=turn.number, signature=signature))


# In this order, since a chunk that holds a thought and words thought first.
TAKERS: tuple[tuple[str, Callable[[Turn, object, Json, list[Event]], None]], ...] = (
    ("thinking_blocks", _thinking_blocks),
    ("reasoning_details", _details),
    ("reasoning_content", _reasoning),
    ("reasoning", _other_reasoning),
    ("content", _content),
    ("refusal", _refusal),
    ("images", _images),
    ("audio", _audio),
    ("tool_calls", _tool_calls),
    ("function_call", _function_call),
    ("annotations", _citations),
    ("provider_specific_fields", _other_citations),
    ("extra_content", _signed),
)
