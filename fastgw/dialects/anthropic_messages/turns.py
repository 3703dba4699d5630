"""Write the conversation as turns of a user and an assistant, and its system prompt.

Messages of one role that follow each other are one turn; in a user's turn the results of tools come first. Every system and developer
message of another dialect is moved to the system prompt, in order; those among an Anthropic client's messages stay in their place. A
conversation of another dialect that does not begin with a user gets a first turn that says so: the API demands one. An assistant's last
turn stays (the model goes on with it), without white space at its end. Texts of nothing but white space are left out: the API refuses them.
"""

import msgspec

from fastgw.dialects.anthropic_messages.naming import TEXT_PREFIX, written_id, written_name
from fastgw.dialects.anthropic_messages.sources import write_media
from fastgw.dialects.anthropic_messages.tools import write_cache
from fastgw.dialects.anthropic_messages.vocabulary import NAME
from fastgw.dialects.canonical import Media, Message, Native, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.errors import error

BEGINNING = "(The conversation begins.)"

_decode = msgspec.json.decode


class Turn:
    """What one role says. results: of tools; blocks: all else."""

    __slots__ = ("blocks", "results", "role")

    def __init__(self, role: str) -> None:
        self.role = role
        self.results: list[Json] = []
        self.blocks: list[Json] = []

    def __repr__(self) -> str:
        return f"<Turn of {self.role}: {len(self.results)} results, {len(self.blocks)} blocks>"


class Turns:
    """Takes the messages of a request; `messages` and `system` are what becomes of them.

    own      the request is of an Anthropic client
    hosted   the platform takes images and documents in base64 only
    called   names of the tools that the assistant called, as they are written
    """

    __slots__ = ("_hosted", "_notes", "_own", "_system", "_turns", "called")

    def __init__(self, own: bool, hosted: bool, notes: Notes) -> None:
        self._own = own
        self._hosted = hosted
        self._notes = notes
        self._system: list[Json] = []
        self._turns: list[Turn] = []
        self.called: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<Turns: {len(self._turns)}>"

    def take(self, messages: list[Message], before: int = 0) -> None:
        """Take the messages, of which so many stood before the caller's own.

        raises  InvalidRequest where the arguments of a call are no JSON object
        """
        for at, message in enumerate(messages, -before):
            where = f"messages[{at + before}]"
            if message.name:
                self._notes.drop(f"{where}.name")
            if message.role in ("system", "developer") and (not self._own or at < 0):
                self._take_system(message, where)
                continue
            turn = Turn(message.role)
            for number, part in enumerate(message.parts):
                self._write(part, turn, f"{where}.content[{number}]")
            if not turn.blocks and not turn.results:
                continue
            last = self._turns[-1] if self._turns else None
            if last is not None and last.role == turn.role != "system":
                last.results += turn.results
                last.blocks += turn.blocks
            else:
                self._turns.append(turn)

    def instruct(self, words: str) -> None:
        """Add words at the end of the system prompt."""
        self._system.append({"type": "text", "text": words})

    def system(self) -> str | list[Json]:
        """The system prompt, empty where there is none."""
        return _shortened(self._system)

    def messages(self) -> list[Json]:
        """The turns as the API has them."""
        turns = self._turns
        if turns and turns[-1].role == "assistant" and turns[-1].blocks:
            last = turns[-1].blocks.pop()
            words = last.get("text")
            turns[-1].blocks.append({**last, "text": words.rstrip()} if isinstance(words, str) else last)
        written: list[Json] = [{"role": turn.role, "content": _shortened(turn.results + turn.blocks)} for turn in turns]
        if not self._own and (not turns or turns[0].role != "user"):
            written.insert(0, {"role": "user", "content": BEGINNING})
        return written

    def resumes_without_thought(self) -> bool:
        """Whether the model is to go on with a turn of the assistant (its last, or its calls with their results) that has no thought first.

        A model that thinks within a budget refuses that: "a final assistant message must start with a thinking block".
        """
        turns = self._turns
        last = turns[-1] if turns else None
        if last is not None and last.results:
            last = turns[-2] if len(turns) > 1 else None
        if last is None or last.role != "assistant" or not last.blocks:
            return False
        return last.blocks[0].get("type") not in ("thinking", "redacted_thinking")

    def _take_system(self, message: Message, where: str) -> None:
        for number, part in enumerate(message.parts):
            if isinstance(part, Text):
                if _has_words(part.text):
                    self._system.append(write_cache({"type": "text", "text": part.text}, part.cache))
            elif isinstance(part, Native) and part.dialect == NAME:
                self._system.append(part.value)
            else:
                self._notes.drop(f"{where}.content[{number}]")

    def _write(self, part: Part, turn: Turn, where: str) -> None:
        if isinstance(part, Text):
            if _has_words(part.text):
                turn.blocks.append(_write_text(part))
        elif isinstance(part, ToolResult):
            turn.results.append(self._write_result(part, where))
        elif isinstance(part, ToolCall):
            block = _write_call(part, where, self._notes)
            self.called[str(block["name"])] = None
            turn.blocks.append(block)
        elif isinstance(part, Thinking):
            if part.dialect == NAME and part.redacted:
                turn.blocks.append({"type": "redacted_thinking", "data": part.redacted})
            elif part.dialect == NAME and part.signature:
                turn.blocks.append({"type": "thinking", "thinking": part.text, "signature": part.signature})
        elif isinstance(part, Refusal):
            if _has_words(part.text):
                turn.blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, Native) and part.dialect == NAME:
            turn.blocks.append(part.value)
        else:
            written = None
            if isinstance(part, Media) and turn.role == "user":
                written = write_media(part, self._own, self._hosted, self._notes, where)
            if written is None:
                self._notes.drop(where)
            else:
                turn.blocks.append(written)

    def _write_result(self, result: ToolResult, where: str) -> Json:
        content = Turn("user")
        for number, part in enumerate(result.parts):
            self._write(part, content, f"{where}.content[{number}]")
        written: Json = {"type": "tool_result", "tool_use_id": written_id(result.call_id)}
        if content.blocks:
            written["content"] = _shortened(content.blocks)
        if result.is_error:
            written["is_error"] = True
        if result.native is not None and result.native.dialect == NAME:
            written.update(result.native.value)
        return write_cache(written, result.cache)


def _shortened(blocks: list[Json]) -> str | list[Json]:
    """One plain text is written as a string, which every server of this API understands."""
    if len(blocks) == 1 and len(blocks[0]) == 2 and blocks[0].get("type") == "text":
        words = blocks[0]["text"]
        if isinstance(words, str):
            return words
    return blocks


def _has_words(text: str) -> bool:
    return bool(text) and not text.isspace()


def _write_text(part: Text) -> Json:
    block: Json = {"type": "text", "text": part.text}
    if part.citations:
        cited = [citation.native for citation in part.citations if citation.dialect == NAME and is_proven(citation.native)]
        if cited:
            block["citations"] = cited
    return write_cache(block, part.cache)


def is_proven(citation: Json | None) -> bool:
    """Whether the API takes the citation back: one of a page carries the index that the API made, which those made here have not."""
    return citation is not None and citation.get("encrypted_index") != ""


def _write_call(call: ToolCall, where: str, notes: Notes) -> Json:
    name = written_name(TEXT_PREFIX + call.name if call.custom else call.name, f"$.{where}.name")
    block: Json = {"type": "tool_use", "id": written_id(call.id), "name": name, "input": _input_of(call, where, notes)}
    if call.native is not None and call.native.dialect == NAME:
        block.update(call.native.value)
    return write_cache(block, call.cache)


def _input_of(call: ToolCall, where: str, notes: Notes) -> Json:
    if call.custom:
        return {"input": call.arguments}
    if not call.arguments.strip():
        return {}
    try:
        decoded = _decode(call.arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        path = "$." + notes.name(f"{where}.arguments")
        raise error("InvalidRequest", f"expected the text of a JSON object, got none at {path}: {problem}", param=path) from problem
    if not isinstance(decoded, dict):
        path = "$." + notes.name(f"{where}.arguments")
        raise error("InvalidRequest", f"expected the text of a JSON object, got another value at {path}", param=path)
    return decoded
