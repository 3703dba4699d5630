"""Read the content of a client's messages into parts; each kind of block is a row of a table, and an unknown one stays as it is."""

from collections.abc import Callable

import msgspec

from fastgw.dialects.anthropic_messages import signature as proofs
from fastgw.dialects.anthropic_messages.vocabulary import NAME
from fastgw.dialects.canonical import Cache, Citation, Media, MediaKind, Native, Part, Text, Thinking, ToolCall, ToolResult
from fastgw.dialects.reading import Json, a_text, an_array, an_object, as_text, flag, required_text, text, wrong

_encode = msgspec.json.encode
_CACHE = Cache()


def read_content(content: object, path: str, within: bool = False) -> list[Part]:
    """The parts of a message, or `within` a tool's result: a string, or an array of blocks.

    Proofs of other providers go back to the parts that they belong to. Blocks that are unknown, or stand where none may, stay native.
    """
    if isinstance(content, str):
        return [Text(content)]
    if not isinstance(content, list):
        wrong("a string or an array", content, path)
    parts: list[Part] = []
    signatures: dict[str, str] = {}
    for number, item in enumerate(content):
        where = f"{path}[{number}]"
        block = an_object(item, where)
        kind = block.get("type")
        if kind == "thinking" and not within:
            _read_thinking(block, where, parts, signatures)
            continue
        if not isinstance(kind, str):
            wrong("a string", kind, f"{where}.type")
        read = None if within and kind not in _WITHIN else _READ.get(kind)
        parts.append(Native(NAME, block) if read is None else read(block, where))
    if signatures:
        for part in parts:
            if isinstance(part, ToolCall):
                part.signature = signatures.get(part.id, "")
    return parts


def read_cache(block: Json, path: str) -> Cache | None:
    """The cache_control of a block or a tool."""
    stated = block.get("cache_control")
    if stated is None:
        return None
    ttl = text(an_object(stated, f"{path}.cache_control"), "ttl", f"{path}.cache_control")
    return Cache(ttl) if ttl else _CACHE


def rest(block: Json, known: frozenset[str]) -> Native | None:
    """The members that no field of the part has; None where there are none."""
    left = {name: value for name, value in block.items() if name not in known}
    return Native(NAME, left) if left else None


def read_citation(value: Json, supported: int = -1) -> Citation:
    """A citation, which in this dialect supports the whole of its block; `supported` is the length of that, -1 unknown."""
    index = value.get("document_index")
    return Citation(
        0 if supported >= 0 else -1,
        supported,
        as_text(value.get("url")) or as_text(value.get("source")),
        as_text(value.get("title")) or as_text(value.get("document_title")),
        as_text(value.get("cited_text")),
        index if isinstance(index, int) else -1,
        as_text(value.get("file_id")),
        NAME,
        value,
    )


def _read_thinking(block: Json, path: str, parts: list[Part], signatures: dict[str, str]) -> None:
    words = text(block, "thinking", path)
    signature = text(block, "signature", path)
    if not signature.startswith(proofs.MARK):
        parts.append(Thinking(words, signature, dialect=NAME))
        return
    of_part = proofs.read_part(signature)
    if of_part is None:
        parts.append(proofs.read_thought(words, signature))
        return
    call_id, proof = of_part
    if call_id:
        signatures[call_id] = proof
    elif parts and isinstance(parts[-1], Text | Media):
        parts[-1].signature = proof


def _read_redacted(block: Json, path: str) -> Part:
    opaque = required_text(block, "data", path)
    return proofs.read_redacted(opaque) if opaque.startswith(proofs.MARK) else Thinking(redacted=opaque, dialect=NAME)


def _read_text(block: Json, path: str) -> Part:
    words = required_text(block, "text", path)
    if len(block) == 2:
        return Text(words)
    citations: list[Citation] = []
    stated = block.get("citations")
    if stated is not None:
        where = f"{path}.citations"
        cited = [an_object(item, f"{where}[{number}]") for number, item in enumerate(an_array(stated, where))]
        citations = [read_citation(item, len(words)) for item in cited]
    return Text(words, citations, read_cache(block, path))


_IMAGE = frozenset({"type", "source", "cache_control"})
_DOCUMENT = _IMAGE | {"title", "context", "citations"}


def _read_image(block: Json, path: str) -> Part:
    return _read_media("image", block, path)


def _read_document(block: Json, path: str) -> Part:
    read = _read_media("document", block, path)
    if isinstance(read, Media):
        read.name = text(block, "title", path)
        read.context = text(block, "context", path)
        citations = block.get("citations")
        read.citations = citations is not None and bool(flag(an_object(citations, f"{path}.citations"), "enabled", f"{path}.citations"))
    return read


def _read_media(kind: MediaKind, block: Json, path: str) -> Part:
    where = f"{path}.source"
    source = an_object(block.get("source"), where)
    form = required_text(source, "type", where)
    media = Media(kind, cache=read_cache(block, path), native=rest(block, _DOCUMENT if kind == "document" else _IMAGE))
    if form == "base64":
        media.data = required_text(source, "data", where)
        media.media_type = text(source, "media_type", where)
    elif form == "url":
        media.url = required_text(source, "url", where)
    elif form == "file":
        media.file_id = required_text(source, "file_id", where)
    elif form == "text":
        media.text = required_text(source, "data", where)
        media.media_type = text(source, "media_type", where)
    else:
        return Native(NAME, block)  # a document that is made of blocks
    return media


_TOOL_USE = frozenset({"type", "id", "name", "input", "cache_control"})
_TOOL_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})


def _read_tool_use(block: Json, path: str) -> Part:
    stated = block.get("input")
    given = {} if stated is None else an_object(stated, f"{path}.input")
    call = ToolCall(required_text(block, "id", path), required_text(block, "name", path), _encode(given).decode())
    if len(block) > 4:
        call.cache = read_cache(block, path)
        call.native = rest(block, _TOOL_USE)
    return call


def _read_tool_result(block: Json, path: str) -> Part:
    content = block.get("content")
    return ToolResult(
        a_text(block.get("tool_use_id"), f"{path}.tool_use_id"),
        "",
        [] if content is None else read_content(content, f"{path}.content", within=True),
        bool(flag(block, "is_error", path)),
        False,
        read_cache(block, path),
        rest(block, _TOOL_RESULT),
    )


_WITHIN = frozenset({"text", "image", "document"})  # of what is read, that may stand in a tool's result
_READ: dict[str, Callable[[Json, str], Part]] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "tool_use": _read_tool_use,
    "tool_result": _read_tool_result,
    "redacted_thinking": _read_redacted,
}
