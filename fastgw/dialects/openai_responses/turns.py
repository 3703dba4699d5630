"""Messages as the items of a provider's input: the way back of `items`."""

from fastgw.dialects.canonical import Media, Message, Native, Part, Refusal, Request, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_responses.content import PART_KEY, write_breakpoint, write_media, write_text
from fastgw.dialects.openai_responses.proof import NAME
from fastgw.dialects.reading import Json

Quirks = frozenset[str]


class Input:
    """The items of one request, as they are written."""

    __slots__ = ("_content", "_native", "_thoughts", "custom", "items", "keeps_files", "marks_cache", "notes", "own")

    def __init__(self, request: Request, notes: Notes, quirks: Quirks) -> None:
        self.items: list[object] = []
        self.notes = notes
        self.own = request.dialect == NAME
        self.keeps_files = request.dialect.startswith("openai")
        self.marks_cache = self.own or "cache_breakpoints" in quirks
        self.custom: set[str] = set()
        self._content: list[object] = []  # of the message that is being written
        self._native: Native | None = None
        self._thoughts: list[Thinking] = []  # of the reasoning item that is being written

    def __repr__(self) -> str:
        return f"<Input: {len(self.items)} items>"

    def message(self, message: Message, path: str, calls_last: bool) -> None:
        """Write one message, which `path` names in notes."""
        if message.name:
            self.notes.drop(f"{path}.name")
        if message.role == "assistant":
            self._turn(message, path, calls_last)
        else:
            self._said(message, path)

    def _said(self, message: Message, path: str) -> None:
        """What a user said, results of tools among it, or the developer."""
        for at, part in enumerate(message.parts):
            where = f"{path}.content[{at}]"
            kind = type(part)
            if kind is Text or kind is Media:
                self._add(part, where, "input_text")
            elif isinstance(part, ToolResult):
                self._flush(message)
                self.items.append(self._result(part, where))
            elif not isinstance(part, Native) or part.dialect != NAME:
                self.notes.drop(where)
            elif PART_KEY in part.value:
                self._content.append(part.value[PART_KEY])
            else:
                self._flush(message)
                self.items.append(part.value)
        self._flush(message)

    def _turn(self, message: Message, path: str, calls_last: bool) -> None:
        """What the model did in one turn."""
        order = list(enumerate(message.parts))
        if calls_last:
            order.sort(key=lambda numbered: type(numbered[1]) is ToolCall)
        for at, part in order:
            if isinstance(part, Thinking):
                self._flush(message)
                self._think(part)
                continue
            self._flush_thoughts()
            if isinstance(part, Text | Refusal):
                if part.native is not self._native:
                    self._flush(message)
                    self._native = part.native
                self._add(part, f"{path}.content[{at}]", "output_text")
            elif isinstance(part, Native) and part.dialect == NAME and PART_KEY in part.value:
                self._content.append(part.value[PART_KEY])
            else:
                self._flush(message)
                self._act(part, f"{path}.content[{at}]")
        self._flush_thoughts()
        self._flush(message)

    def _act(self, part: Part, path: str) -> None:
        if isinstance(part, ToolCall):
            self._call(part, path)
        elif isinstance(part, Native) and part.dialect == NAME:
            self.items.append(part.value)
        elif isinstance(part, Media) and part.kind == "image" and part.native is not None and part.native.dialect == NAME:
            self.items.append({"type": "image_generation_call", "result": part.data, **part.native.value})
        else:
            self.notes.drop(path)

    def _add(self, part: Part, path: str, kind: str) -> None:
        """Add a part to the message that is being written."""
        written = self._part(part, path, kind)
        if written is not None:
            self._content.append(written)

    def _part(self, part: Part, path: str, kind: str) -> Json | None:
        if isinstance(part, Media):
            written = write_media(part, self.keeps_files)
            if written is None:
                self.notes.drop(path)
                return None
            if part.citations:
                self.notes.drop(f"{path}.citations")
            if part.context:
                self.notes.drop(f"{path}.context")
        elif isinstance(part, Text | Refusal):
            written = write_text(part, kind)
        else:
            self.notes.drop(path)
            return None
        if not isinstance(part, Refusal) and part.cache is not None:
            if self.marks_cache and kind == "input_text":
                write_breakpoint(written, part.cache)
            else:
                self.notes.drop(f"{path}.cache_control")
        return written

    def _flush(self, message: Message) -> None:
        """Write the message whose parts have been added."""
        content, native = self._content, self._native
        self._content, self._native = [], None
        if not content and native is None and message.parts:
            return
        item: Json = {"role": message.role, "content": content}
        only = content[0] if len(content) == 1 else None
        if native is not None and native.value:
            item = {"type": "message", **item, **native.value}
        elif isinstance(only, dict) and "text" in only and len(only) == 2:
            item["content"] = only["text"]  # the short form, which every provider of this dialect was recorded with
        elif not content:
            item["content"] = ""
        if message.id and message.role != "assistant":
            item["id"] = message.id
        self.items.append(item)

    def _call(self, call: ToolCall, path: str) -> None:
        if call.cache is not None:
            self.notes.drop(f"{path}.cache_control")
        beside = {} if call.native is None or call.native.dialect != NAME else call.native.value
        if call.custom:
            self.custom.add(call.id)
            self.items.append({"type": "custom_tool_call", "call_id": call.id, "name": call.name, "input": call.arguments, **beside})
        else:
            self.items.append({"type": "function_call", "call_id": call.id, "name": call.name,
                               "arguments": call.arguments or "{}", **beside})

    def _result(self, result: ToolResult, path: str) -> Json:
        if result.is_error:
            self.notes.drop(f"{path}.is_error")
        output: object
        if len(result.parts) == 1 and isinstance(only := result.parts[0], Text) and only.cache is None:
            output = only.text
        elif result.parts:
            written = [self._part(part, f"{path}.content[{at}]", "input_text") for at, part in enumerate(result.parts)]
            output = [part for part in written if part is not None]
        else:
            output = ""
        if result.cache is not None:
            self.notes.drop(f"{path}.cache_control")
        kind = "custom_tool_call_output" if result.custom or result.call_id in self.custom else "function_call_output"
        beside = {} if result.native is None or result.native.dialect != NAME else result.native.value
        return {"type": kind, "call_id": result.call_id, "output": output, **beside}

    def _think(self, thought: Thinking) -> None:
        """Hold a thought of this dialect's until those of the same item have come."""
        if thought.dialect != NAME:
            return
        if self._thoughts and not (thought.id and thought.id == self._thoughts[-1].id):
            self._flush_thoughts()
        self._thoughts.append(thought)

    def _flush_thoughts(self) -> None:
        """Write the item of the thoughts that are held.

        Of a caller of another dialect a summary alone is left out: it means nothing to a provider that has kept nothing, and the id is
        refused there.
        """
        thoughts, self._thoughts = self._thoughts, []
        raw = [thought for thought in thoughts if thought.text and not thought.summary]
        encrypted = next((thought.encrypted for thought in reversed(thoughts) if thought.encrypted), "")
        if not thoughts or not (self.own or raw or encrypted):
            return
        item: Json = {"type": "reasoning", "summary": [
            {"type": "summary_text", "text": thought.text} for thought in thoughts if thought.summary]}
        if thoughts[0].id:
            item["id"] = thoughts[0].id
        if raw:
            item["content"] = [{"type": "reasoning_text", "text": thought.text} for thought in raw]
        if encrypted:
            item["encrypted_content"] = encrypted
        self.items.append(item)
