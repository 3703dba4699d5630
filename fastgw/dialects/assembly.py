"""A whole reply as the events of a stream, and the events of a stream as a whole reply.

Needed where a provider answers in one piece what the caller wanted streamed, or the other way round, and where a cached reply is played
again.
"""

from fastgw.dialects.canonical import (
    Began,
    Broke,
    Choice,
    Delta,
    Ended,
    Event,
    Failure,
    Media,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)


def events_of(reply: Reply) -> list[Event]:
    """The events that a stream of this reply would have had, each part's words in one delta."""
    events: list[Event] = [Began(reply.id, reply.model, reply.created, reply.service_tier, reply.system_fingerprint)]
    for number, choice in enumerate(reply.choices):
        pending = choice.logprobs
        for index, part in enumerate(choice.parts):
            if isinstance(part, Text):
                events.append(PartBegan(index, Text(cache=part.cache, native=part.native), number))
                events.append(Delta(index, part.text, number, part.signature, citations=part.citations or None, logprobs=pending))
                pending = None
            elif isinstance(part, Thinking):
                began = Thinking("", "", part.redacted, part.id, part.encrypted, part.summary, part.dialect)
                events.append(PartBegan(index, began, number))
                if part.text or part.signature:
                    events.append(Delta(index, part.text, number, part.signature))
            elif isinstance(part, ToolCall):
                events.append(PartBegan(index, ToolCall(part.id, part.name, "", part.custom, part.signature, native=part.native), number))
                events.append(Delta(index, part.arguments, number))
            elif isinstance(part, Refusal):
                events.append(PartBegan(index, Refusal(native=part.native), number))
                events.append(Delta(index, part.text, number))
            else:
                events.append(PartBegan(index, part, number))
            events.append(PartEnded(index, number))
        events.append(Ended(choice.finish, number, choice.raw_finish, choice.stop_sequence))
    if reply.usage is not None:
        events.append(UsageStated(reply.usage))
    return events


class Assembler:
    """Takes events as they come; `reply` is what they have made by now, `failure` the error that ended them, `ended`: a choice is whole."""

    __slots__ = ("_text", "choices", "ended", "failure", "reply")

    def __init__(self) -> None:
        self.reply = Reply()
        self.failure: Failure | None = None
        self.ended = False
        self.choices: dict[int, tuple[Choice, dict[int, Part]]] = {}
        self._text: dict[tuple[int, int], list[str]] = {}

    def __repr__(self) -> str:
        return f"<Assembler of {len(self.choices)} choices>"

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Delta):
                self._extend(event)
            elif isinstance(event, PartBegan):
                choice, parts = self._choice(event.choice)
                parts[event.index] = event.part
                choice.parts.append(event.part)
            elif isinstance(event, Ended):
                choice, _ = self._choice(event.choice)
                choice.finish, choice.raw_finish, choice.stop_sequence = event.finish, event.raw_finish, event.stop_sequence
                self.ended = True
            elif isinstance(event, UsageStated):
                self.reply.usage = event.usage
            elif isinstance(event, Began):
                reply = self.reply
                reply.id, reply.model, reply.created = event.id, event.model, event.created
                reply.service_tier, reply.system_fingerprint = event.service_tier, event.system_fingerprint
            elif isinstance(event, Broke):
                self.failure = event.failure

    def finish(self) -> Reply:
        """The reply, with the pieces of its words joined."""
        for (choice, index), pieces in self._text.items():
            part = self.choices[choice][1][index]
            words = "".join(pieces)
            if isinstance(part, ToolCall):
                part.arguments += words
            elif isinstance(part, Media):
                part.data += words
            elif isinstance(part, Text | Thinking | Refusal):
                part.text += words
        self._text.clear()
        return self.reply

    def _choice(self, number: int) -> tuple[Choice, dict[int, Part]]:
        known = self.choices.get(number)
        if known is None:
            known = self.choices[number] = Choice(), {}
            while len(self.reply.choices) <= number:
                self.reply.choices.append(Choice())
            self.reply.choices[number] = known[0]
        return known

    def _extend(self, delta: Delta) -> None:
        choice, parts = self._choice(delta.choice)
        part = parts.get(delta.index)
        if part is None:
            return
        if delta.text:
            self._text.setdefault((delta.choice, delta.index), []).append(delta.text)
        if delta.signature and isinstance(part, Text | Thinking | ToolCall | Media):
            part.signature = delta.signature
        if delta.encrypted and isinstance(part, Thinking):
            part.encrypted = delta.encrypted
        if delta.citations and isinstance(part, Text):
            part.citations = part.citations + delta.citations
        if delta.transcript and isinstance(part, Media):
            part.transcript += delta.transcript
        if delta.logprobs:
            choice.logprobs = (choice.logprobs or []) + delta.logprobs


def usage_of(events: list[Event]) -> Usage | None:
    """The last usage that is stated in these events."""
    found = None
    for event in events:
        if isinstance(event, UsageStated):
            found = event.usage
    return found
