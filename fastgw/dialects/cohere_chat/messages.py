"""A conversation as Cohere has it: results of tools are messages of their own, documents stand beside the messages."""

from base64 import b64decode
from binascii import Error

from fastgw.dialects.canonical import Media, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json

NAME = "cohere_chat"
TEXTUAL = ("text/", "application/json", "application/xml")


class MessageWriter:
    """Writes the messages of one request. messages, documents: what was written."""

    __slots__ = ("_documents_seen", "_notes", "documents", "messages")

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._documents_seen = 0
        self.messages: list[Json] = []
        self.documents: list[Json] = []

    def __repr__(self) -> str:
        return f"<MessageWriter of {len(self.messages)} messages>"

    def write(self, messages: list[Message]) -> None:
        """Add the messages; those that hold nothing are left out."""
        for number, message in enumerate(messages):
            path = f"messages[{number}]"
            if message.role == "assistant":
                self._assistant(message, path)
            else:
                self._other(message, "user" if message.role == "user" else "system", path)

    def _assistant(self, message: Message, path: str) -> None:
        content: list[Json] = []
        calls: list[Json] = []
        thoughts: list[str] = []
        for number, part in enumerate(message.parts):
            if isinstance(part, Text | Refusal):
                if part.text:
                    content.append({"type": "text", "text": part.text})
            elif isinstance(part, ToolCall):
                calls.append({"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}})
            elif isinstance(part, Thinking):
                if part.dialect == NAME and part.text:
                    thoughts.append(part.text)
            else:
                self._notes.drop(f"{path}.content[{number}]")
        written: Json = {"role": "assistant"}
        if calls:
            written["tool_calls"] = calls
            if thoughts:
                written["tool_plan"] = "".join(thoughts)  # what a model thinks before it calls tools
        else:
            content[:0] = [{"type": "thinking", "thinking": thought} for thought in thoughts]
        if content:
            written["content"] = plain(content)
        if len(written) > 1:
            self.messages.append(written)

    def _other(self, message: Message, role: str, path: str) -> None:
        content: list[Json] = []
        for number, part in enumerate(message.parts):
            if isinstance(part, ToolResult):
                self.messages.append(self._result(part, f"{path}.content[{number}]"))
            elif isinstance(part, Text):
                content.append({"type": "text", "text": part.text})
            elif not self._media(part, content if role == "user" else None):
                self._notes.drop(f"{path}.content[{number}]")
        if content:
            self.messages.append({"role": role, "content": plain(content)})

    def _media(self, part: Part, content: list[Json] | None) -> bool:
        """Add an image to the content, a document to the documents; False where neither is possible."""
        if not isinstance(part, Media) or content is None:
            return False
        if part.kind == "document":
            document = document_of(part, self._documents_seen)
            self._documents_seen += 1
            if document is not None:
                self.documents.append(document)
            return document is not None
        url = f"data:{part.media_type or 'image/png'};base64,{part.data}" if part.data else part.url
        if part.kind != "image" or not url:
            return False
        image: Json = {"url": url}
        if part.detail in ("low", "high", "auto"):
            image["detail"] = part.detail
        content.append({"type": "image_url", "image_url": image})
        return True

    def _result(self, result: ToolResult, path: str) -> Json:
        content: list[Json] = []
        for number, part in enumerate(result.parts):
            document = document_of(part, -1) if isinstance(part, Media) and part.kind == "document" else None
            if isinstance(part, Text):
                content.append({"type": "text", "text": part.text})
            elif document is not None:
                content.append({"type": "document", "document": document})
            else:
                self._notes.drop(f"{path}.content[{number}]")
        return {"role": "tool", "tool_call_id": result.call_id, "content": plain(content) if content else ""}


def plain(content: list[Json]) -> object:
    """One text by itself, else the parts."""
    return content[0]["text"] if len(content) == 1 and content[0]["type"] == "text" else content


def document_of(media: Media, number: int) -> Json | None:
    """A document of text, with an id by its number among all of the request, from which its citations find it; None of another kind."""
    words = media.text
    if not words and media.data and media.media_type.startswith(TEXTUAL):
        try:
            words = b64decode(media.data).decode()
        except (Error, ValueError):
            return None
    if not words:
        return None
    fields = {"title": media.name, "context": media.context, "text": words}
    document: Json = {"data": {name: value for name, value in fields.items() if value}}
    return document if number < 0 else {"id": f"doc:{number}"} | document
