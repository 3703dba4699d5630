"""Content parts of messages: text, images, sounds, films and files, as a caller writes them and as a provider takes them."""

import re
from collections.abc import Callable
from types import MappingProxyType

from fastgw.dialects.canonical import Cache, Media, MediaKind, Native, Part, Refusal, Text, ToolResult
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat.quirks import NAME
from fastgw.dialects.openai_chat.thinking import thinking_chunk
from fastgw.dialects.reading import (
    Json,
    an_object,
    as_object,
    as_text,
    required_text,
    text,
    wrong,
)

DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,")
SOUNDS = MappingProxyType({"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "opus": "audio/opus", "ogg": "audio/ogg",
                           "aac": "audio/aac", "m4a": "audio/mp4", "webm": "audio/webm", "pcm16": "audio/pcm"})
FORMATS = MappingProxyType({media_type: name for name, media_type in SOUNDS.items()} | {"audio/mp3": "mp3", "audio/x-wav": "wav"})
EXTENSIONS = MappingProxyType({"application/pdf": "pdf", "text/plain": "txt", "text/html": "html", "text/csv": "csv"})
KINDS: MappingProxyType[str, MediaKind] = MappingProxyType({"image": "image", "audio": "audio", "video": "video"})


def read_parts(content: object, path: str) -> list[Part]:
    """The content of a message: a string, an array of parts, or null."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    if content is None:
        return []
    if not isinstance(content, list):
        wrong("a string or an array", content, path)
    return [read_part(an_object(item, f"{path}[{at}]"), f"{path}[{at}]") for at, item in enumerate(content)]


def read_part(part: Json, path: str) -> Part:
    """One part; of a kind that is not known it becomes Native."""
    kind = part.get("type")
    if not isinstance(kind, str):
        wrong("a string", kind, f"{path}.type")
    reader = READERS.get(kind)
    found = Native(NAME, part) if reader is None else reader(part, path)
    if isinstance(found, Text | Media):
        found.cache = read_cache(part)
    return found


def read_cache(holder: Json) -> Cache | None:
    """Anthropic's cache_control, or OpenAI's prompt_cache_breakpoint, on a part, message, tool or call."""
    control = holder.get("cache_control")
    if isinstance(control, dict):
        return Cache(as_text(control.get("ttl")))
    return Cache() if isinstance(holder.get("prompt_cache_breakpoint"), dict) else None


def from_url(kind: MediaKind, url: str) -> Media:
    """Media of a URL, or of what a data: URL holds."""
    found = DATA_URL.match(url) if url.startswith("data:") else None
    if found is None:
        return Media(kind, url=url)
    return Media(kind, data=url[found.end() :], media_type=found[1])


def to_url(media: Media, usual: str) -> str:
    """The URL of media, or a data: URL; usual: the media type where none is stated."""
    return media.url or f"data:{media.media_type or usual};base64,{media.data}"


def _text(part: Json, path: str) -> Part:
    return Text(required_text(part, "text", path))


def _refusal(part: Json, path: str) -> Part:
    return Refusal(required_text(part, "refusal", path))


def _pointed(part: Json, name: str, path: str) -> tuple[str, Json]:
    """The URL in a member that is {"url": ...}, or a bare string, as Mistral and sloppy clients have it."""
    value = part.get(name)
    if isinstance(value, str):
        return value, {}
    holder = an_object(value, f"{path}.{name}")
    return required_text(holder, "url", f"{path}.{name}"), holder


def _image(part: Json, path: str) -> Part:
    url, holder = _pointed(part, "image_url", path)
    media = from_url("image", url)
    media.detail = text(holder, "detail", f"{path}.image_url")
    return media


def _video(part: Json, path: str) -> Part:
    return from_url("video", _pointed(part, "video_url", path)[0])


def _audio_url(part: Json, path: str) -> Part:
    return from_url("audio", _pointed(part, "audio_url", path)[0])


def _audio(part: Json, path: str) -> Part:
    value = part.get("input_audio")
    if isinstance(value, str):
        return from_url("audio", value) if value.startswith(("data:", "http")) else Media("audio", data=value)
    holder = an_object(value, f"{path}.input_audio")
    format_ = text(holder, "format", f"{path}.input_audio")
    media = from_url("audio", required_text(holder, "data", f"{path}.input_audio"))
    if not media.media_type:
        media = Media("audio", data=media.url, media_type=SOUNDS.get(format_, f"audio/{format_}" if format_ else ""))
    return media


def _file(part: Json, path: str) -> Part:
    if "file" not in part and "file_id" in part:  # Mistral
        return Media("document", file_id=required_text(part, "file_id", path))
    holder = an_object(part.get("file"), f"{path}.file")
    name, file_id = text(holder, "filename", f"{path}.file"), text(holder, "file_id", f"{path}.file")
    data = text(holder, "file_data", f"{path}.file")
    if not data and not file_id:
        wrong("file_data or file_id", holder.get("file_data"), f"{path}.file.file_data")
    media = from_url("document", data) if data.startswith(("data:", "http://", "https://")) else Media("document", data=data)
    media.kind = KINDS.get(media.media_type.partition("/")[0], "document")
    media.name, media.file_id = name, file_id
    return media


def _document(part: Json, path: str) -> Part:
    media = from_url("document", _pointed(part, "document_url", path)[0])
    media.name = text(part, "document_name", path)
    return media


def _thinking(part: Json, path: str) -> Part:
    return thinking_chunk(part)


READERS: MappingProxyType[str, Callable[[Json, str], Part]] = MappingProxyType({
    "text": _text, "input_text": _text, "output_text": _text, "refusal": _refusal, "image_url": _image, "video_url": _video,
    "audio_url": _audio_url, "input_audio": _audio, "file": _file, "document_url": _document, "thinking": _thinking,
    "redacted_thinking": _thinking,
})


def write_parts(parts: list[Part], path: str, notes: Notes, quirks: frozenset[str], before: list[object] | None = None) -> object:
    """Parts as the content of a message: a string where there is only one text. Results of tools have messages of their own.

    before: written parts that stand in front of these
    """
    content: list[object] = before or []
    for at, part in enumerate(parts):
        if isinstance(part, ToolResult):
            continue
        written = write_part(part, quirks)
        if written is None or "text_content" in quirks and "text" not in written:
            notes.drop(f"{path}[{at}]")
        else:
            content.append(written)
    return plainest(content, "\n", quirks) if content else ""


def plainest(content: list[object], by: str, quirks: frozenset[str]) -> object:
    """Written parts as they are, or as a string: where there is but one plain text, and where the provider takes nothing else."""
    first = as_object(content[0])
    if len(content) == 1 and len(first) == 2 and "text" in first:
        return first["text"]
    return by.join(as_text(as_object(part).get("text")) for part in content) if "text_content" in quirks else content


def write_part(part: Part, quirks: frozenset[str]) -> Json | None:
    """One part, or None where this wire has nothing like it."""
    written: Json | None
    if isinstance(part, Text):
        written = {"type": "text", "text": part.text}
    elif isinstance(part, Media):
        written = MEDIA_WRITERS[part.kind](part, quirks)
    elif isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    elif isinstance(part, Native) and part.dialect == NAME:
        return part.value
    else:
        return None
    if written is not None and part.cache is not None:
        write_cache(part.cache, written, quirks)
    return written


def write_cache(cache: Cache, holder: Json, quirks: frozenset[str]) -> None:
    """Mark a part, message or tool for those who take a mark; others cache by themselves."""
    if "cache_control" in quirks:
        holder["cache_control"] = {"type": "ephemeral", "ttl": cache.ttl} if cache.ttl else {"type": "ephemeral"}
    elif "cache_breakpoint" in quirks:
        holder["prompt_cache_breakpoint"] = {"mode": "explicit"}


def _write_image(media: Media, quirks: frozenset[str]) -> Json | None:
    if media.url or media.data:
        image: Json = {"url": to_url(media, "image/png")}
        if media.detail:
            image["detail"] = media.detail
        return {"type": "image_url", "image_url": image}
    return _write_document(media, quirks)


def _write_audio(media: Media, quirks: frozenset[str]) -> Json | None:
    if media.data and "mistral" in quirks:
        return {"type": "input_audio", "input_audio": media.data}
    if media.data:
        # A parameter (";rate=16000") belongs to no format of this wire.
        plain = media.media_type.partition(";")[0].strip()
        format_ = FORMATS.get(plain, plain.removeprefix("audio/") or "wav")
        return {"type": "input_audio", "input_audio": {"data": media.data, "format": format_}}
    if media.url and "audio_url" in quirks:
        return {"type": "audio_url", "audio_url": {"url": media.url}}
    return _write_document(media, quirks) if media.file_id else None


def _write_video(media: Media, quirks: frozenset[str]) -> Json | None:
    if "video_url" in quirks and (media.url or media.data):
        return {"type": "video_url", "video_url": {"url": to_url(media, "video/mp4")}}
    return None


def _write_document(media: Media, quirks: frozenset[str]) -> Json | None:
    if media.text:
        return {"type": "text", "text": f"{media.name}\n\n{media.text}" if media.name else media.text}
    if media.file_id and not media.data:
        return {"type": "file", "file_id": media.file_id} if "mistral" in quirks else {"type": "file", "file": {"file_id": media.file_id}}
    if "mistral" in quirks and (media.url or media.data):
        named: Json = {"document_name": media.name} if media.name else {}
        return {"type": "document_url", "document_url": to_url(media, "application/pdf"), **named}
    if media.data or media.url and "file_url" in quirks:
        name = media.name or f"document.{EXTENSIONS.get(media.media_type, 'pdf')}"
        return {"type": "file", "file": {"filename": name, "file_data": to_url(media, "application/pdf")}}
    return None


MEDIA_WRITERS: MappingProxyType[MediaKind, Callable[[Media, frozenset[str]], Json | None]] = MappingProxyType({
    "image": _write_image, "audio": _write_audio, "video": _write_video, "document": _write_document,
})


def read_pictures(value: object) -> list[Media]:
    """Images that a model made, as OpenRouter has them in message.images."""
    pictures = []
    for item in value if isinstance(value, list) else []:
        holder = as_object(item).get("image_url")
        url = holder if isinstance(holder, str) else as_text(as_object(holder).get("url"))
        if url:
            pictures.append(from_url("image", url))
    return pictures


def write_picture(media: Media, index: int) -> Json:
    """An image of a model's, as an entry of message.images. index: for clients that put streamed lists together by it."""
    return {"type": "image_url", "image_url": {"url": to_url(media, "image/png")}, "index": index}


