"""Items of an output and their sections, as a writer fills them."""

import msgspec

from fastgw.dialects.canonical import Citation, Native, Thinking
from fastgw.dialects.openai_responses.proof import proof_of
from fastgw.dialects.reading import Json

_encode = msgspec.json.encode
# By the kind of a section: the event of its words, the member that counts sections in an item, the member that has all words at the end.
TEXT, REFUSAL, SUMMARY, THOUGHT, CALL, CUSTOM = KINDS = (
    ("response.output_text", "content_index", "text"),
    ("response.refusal", "content_index", "refusal"),
    ("response.reasoning_summary_text", "summary_index", "text"),
    ("response.reasoning_text", "content_index", "text"),
    ("response.function_call_arguments", "", "arguments"),
    ("response.custom_tool_call_input", "", "input"),
)
Kind = tuple[str, str, str]


class Item:
    """An item of the output. head: what it has beside its sections; thought: of a reasoning item, with its proof as far as it is known."""

    __slots__ = ("head", "is_done", "native", "number", "sections", "thought")

    def __init__(self, number: int, head: Json, native: Native | None = None, thought: Thinking | None = None) -> None:
        self.number = number
        self.head = head
        self.native = native
        self.thought = thought
        self.sections: list[Section] = []
        self.is_done = False

    def __repr__(self) -> str:
        return f"<Item {self.number}: {self.head['type']}>"

    def final(self, status: str) -> Json:
        """The whole item."""
        kind = self.head["type"]
        if kind == "message":
            return {**self.head, "status": status, "content": [section.part() for section in self.sections]}
        if self.thought is not None:
            entries = [(section, section.part()) for section in self.sections if section.has_begun]
            final: Json = {**self.head, "summary": [entry for section, entry in entries if section.kind is SUMMARY]}
            if any(section.kind is THOUGHT for section, _ in entries):
                final["content"] = [entry for section, entry in entries if section.kind is THOUGHT]
            return {**final, "encrypted_content": proof_of(self.thought) or None}
        if not self.sections:
            return self.head
        call = self.sections[0]
        final = {**self.head, call.kind[2]: call.words()}
        if call.kind is CALL:
            final["status"] = "completed"
        return final


class Section:
    """A part of an item. prefix, suffix: of the event that a delta of it is, around the words and the number."""

    __slots__ = ("at", "citations", "has_begun", "has_ended", "held", "item", "kind", "logprobs", "pieces", "prefix", "signature", "suffix")

    def __init__(self, kind: Kind, item: Item) -> None:
        self.kind = kind
        self.item = item
        self.at = sum(1 for other in item.sections if other.kind[1] == kind[1])
        self.pieces: list[str] = []
        self.citations: list[Json] = []
        self.held: list[Citation] = []
        self.logprobs: list[Json] = []
        self.signature = ""
        self.has_begun = False
        self.has_ended = False
        head = _encode({"type": f"{kind[0]}.delta", **self.place()})
        self.prefix = b"event: " + kind[0].encode() + b".delta\ndata: " + head[:-1] + b',"delta":'
        self.suffix = b',"logprobs":[],"sequence_number":%d}\n\n' if kind is TEXT else b',"sequence_number":%d}\n\n'

    def __repr__(self) -> str:
        return f"<Section {self.at} of item {self.item.number}: {self.kind[0]}>"

    def place(self) -> Json:
        """Where it is, as events say it."""
        place: Json = {"item_id": self.item.head["id"], "output_index": self.item.number}
        if self.kind[1]:
            place[self.kind[1]] = self.at
        return place

    def words(self) -> str:
        """All words so far."""
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""

    def part(self) -> Json:
        """It, as a part of its item."""
        if self.kind is TEXT:
            return {"type": "output_text", "text": self.words(), "annotations": self.citations, "logprobs": self.logprobs}
        if self.kind is REFUSAL:
            return {"type": "refusal", "refusal": self.words()}
        return {"type": "summary_text" if self.kind is SUMMARY else "reasoning_text", "text": self.words()}
