"""A conversation as contents for Gemini: turns that alternate, results before words, the thoughts' signatures where they belong."""

from base64 import b64encode

from fastgw.dialects.canonical import (
    Media,
    Message,
    Native,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from fastgw.dialects.gemini_generate.arguments import MADE, object_of, write_result
from fastgw.dialects.gemini_generate.media import write_media
from fastgw.dialects.gemini_generate.spelling import NAME, SIGNERS
from fastgw.dialects.gemini_generate.thinking import LEVELS_SINCE, generation
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.errors import error

# Gemini 3 refuses a first call of a turn without its thought's signature. This stands for one that is not to be had, as
# ai.google.dev/gemini-api/docs/thought-signatures says of histories of other models; base64, as the member's bytes are in JSON.
UNSIGNED = b64encode(b"skip_thought_signature_validator").decode()


class History:
    """Writes the messages of a request; contents, system: what comes of them.

    Google's servers want a turn's results in one content of their own; words of the same message follow in the next.
    """

    __slots__ = ("contents", "is_own", "names", "needs_signatures", "notes", "quirks", "system", "takes_media_results")

    def __init__(self, request: Request, notes: Notes, quirks: frozenset[str]) -> None:
        self.notes = notes
        self.quirks = quirks
        self.is_own = request.dialect == NAME
        self.contents: list[Json] = []
        self.system: list[Json] = []
        self.names: dict[str, str] = {}
        self.needs_signatures = self.takes_media_results = generation(request.model) >= LEVELS_SINCE
        for at, message in enumerate(request.messages):
            self._message(message, f"messages[{at}]")
        if not self.contents and self.system:
            # Servers refuse a request without contents: instructions alone are what the model is to answer.
            self.contents = [{"role": "user", "parts": self.system}]
            self.system = []
        if self.needs_signatures:
            self._sign()

    def __repr__(self) -> str:
        return f"<History of {len(self.contents)} contents>"

    def _message(self, message: Message, path: str) -> None:
        if message.name:
            self.notes.drop(f"{path}.name")
        if message.role == "system" or message.role == "developer":
            self._instruct(message, path)
            return
        results: list[Json] = []
        words: list[Json] = []
        for at, part in enumerate(message.parts):
            where = f"{path}.content[{at}]"
            if type(part) is ToolResult:
                self._result(part, where, results, words)
            else:
                written = self._part(part, where)
                if written is not None:
                    words.append(written)
        if len(words) > 1:
            words = [part for part in words if part != {"text": ""}] or words[:1]
        if results:
            self._add("user", results, True)
        if words and not (results and words == [{"text": ""}]):
            self._add("model" if message.role == "assistant" else "user", words, False)

    def _add(self, role: str, parts: list[Json], results: bool) -> None:
        last = self.contents[-1] if self.contents else {}
        known = last.get("parts")
        if last.get("role") == role and isinstance(known, list) and ("functionResponse" in known[0]) is results:
            known += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _instruct(self, message: Message, path: str) -> None:
        for at, part in enumerate(message.parts):
            written = self._part(part, f"{path}.content[{at}]")
            if written is not None and written != {"text": ""}:
                self.system.append(written)

    def _part(self, part: Part, path: str) -> Json | None:
        kind = type(part)
        if isinstance(part, Text):
            written: Json = {"text": part.text}
            if part.signature:
                written["thoughtSignature"] = part.signature
        elif isinstance(part, ToolCall):
            written = self._call(part, path)
        elif isinstance(part, Thinking):
            if part.dialect not in SIGNERS:
                return None
            return {"text": part.text, "thought": True} | ({"thoughtSignature": part.signature} if part.signature else {})
        elif isinstance(part, Media):
            names = self.is_own or "vertex" in self.quirks
            for member, is_stated in (
                ("detail", part.detail in ("low", "high")), ("context", part.context), ("citations", part.citations),
                ("name", part.name and not names),
            ):
                if is_stated:
                    self.notes.drop(f"{path}.{member}")
            return write_media(part, self.notes, path, names)
        elif isinstance(part, Refusal):
            return {"text": part.text}
        elif isinstance(part, Native) and part.dialect == NAME:
            return part.value
        else:
            assert kind is Native or kind is ToolResult
            self.notes.drop(path)
            return None
        if part.native is not None and part.native.dialect == NAME:
            written |= part.native.value
        return written

    def _call(self, part: ToolCall, path: str) -> Json:
        self.names[part.id] = part.name
        arguments: Json | None = {"input": part.arguments} if part.custom else object_of(part.arguments)
        if arguments is None:
            where = "$." + self.notes.name(f"{path}.arguments")
            raise error("InvalidRequest", f"expected arguments that are a JSON object, got {part.arguments[:60]!r} at {where}", param=where)
        call: Json = {"name": part.name, "args": arguments}
        if part.id and not MADE.fullmatch(part.id):
            call["id"] = part.id
        return {"functionCall": call, "thoughtSignature": part.signature} if part.signature else {"functionCall": call}

    def _result(self, part: ToolResult, path: str, results: list[Json], words: list[Json]) -> None:
        """Add a result to the others; pictures in it too where the model takes them there, else to the words that follow."""
        name = part.name or self.names.get(part.call_id, "")
        if not name:  # its call was another provider's own, or has been cut off
            self.notes.drop(path)
            return
        texts: list[str] = []
        media: list[Json] = []
        for at, item in enumerate(part.parts):
            if isinstance(item, Text):
                texts.append(item.text)
            elif isinstance(item, Media):
                written = write_media(item, self.notes, f"{path}.content[{at}]", self.is_own or "vertex" in self.quirks)
                if written is not None:
                    media.append(written)
            else:
                self.notes.drop(f"{path}.content[{at}]")
        response: Json = {"name": name, "response": write_result("\n".join(texts), part.is_error)}
        if part.call_id and not MADE.fullmatch(part.call_id):
            response["id"] = part.call_id
        if media and self.takes_media_results:
            response["parts"] = media
        else:
            words += media
        native = part.native.value if part.native is not None and part.native.dialect == NAME else {}
        results.append({"functionResponse": response, **native})

    def _sign(self) -> None:
        """Give the first call of each of the model's turns a signature, if it has none. Of parallel calls only the first one has one."""
        for content in self.contents:
            if content["role"] == "model":
                parts = content["parts"]
                assert isinstance(parts, list)
                for at, part in enumerate(parts):
                    if "functionCall" in part:
                        if "thoughtSignature" not in part:
                            parts[at] = {**part, "thoughtSignature": UNSIGNED}
                        break
