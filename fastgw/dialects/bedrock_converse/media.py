"""Images, sounds, films and documents as blocks of Converse: the format by name, the bytes or a place in S3."""

import re
from base64 import b64encode

from fastgw.dialects.canonical import Media

EXTENSIONS = {
    "image": ("png", "jpeg", "gif", "webp"),
    "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    "video": ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"),
    "audio": ("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "m4a", "mpeg", "mpga", "pcm", "webm"),
}
BY_TYPE = {
    "image/png": ("image", "png"), "image/jpeg": ("image", "jpeg"), "image/jpg": ("image", "jpeg"), "image/gif": ("image", "gif"),
    "image/webp": ("image", "webp"),
    "application/pdf": ("document", "pdf"), "text/csv": ("document", "csv"), "text/html": ("document", "html"),
    "text/markdown": ("document", "md"), "text/plain": ("document", "txt"), "application/json": ("document", "txt"),
    "application/msword": ("document", "doc"), "application/vnd.ms-excel": ("document", "xls"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("document", "docx"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("document", "xlsx"),
    "video/mp4": ("video", "mp4"), "video/quicktime": ("video", "mov"), "video/webm": ("video", "webm"), "video/mpeg": ("video", "mpeg"),
    "video/x-matroska": ("video", "mkv"), "video/x-flv": ("video", "flv"), "video/x-ms-wmv": ("video", "wmv"),
    "video/3gpp": ("video", "three_gp"),
    "audio/mpeg": ("audio", "mp3"), "audio/mp3": ("audio", "mp3"), "audio/wav": ("audio", "wav"), "audio/x-wav": ("audio", "wav"),
    "audio/ogg": ("audio", "ogg"), "audio/flac": ("audio", "flac"), "audio/aac": ("audio", "aac"), "audio/opus": ("audio", "opus"),
    "audio/mp4": ("audio", "mp4"), "audio/webm": ("audio", "webm"),
}
TYPES = {pair: media_type for media_type, pair in reversed(BY_TYPE.items())}
# how base64 of these begins
MAGIC = (
    ("iVBORw0KGgo", "image", "png"), ("/9j/", "image", "jpeg"), ("R0lGOD", "image", "gif"), ("UklGR", "image", "webp"),
    ("JVBERi0", "document", "pdf"),
)
UNFIT = re.compile(r"[^A-Za-z0-9\s\-()\[\]]")
MOST_NAME_CHARACTERS = 180  # of 200, so that a number fits behind it


class Blocks:
    """Writes the media of one request; documents get names that Bedrock takes, the same for the same request, each once."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: set[str] = set()

    def __repr__(self) -> str:
        return f"<Blocks with {len(self._names)} documents>"

    def write(self, media: Media) -> dict[str, object] | None:
        """The content block; None where Bedrock cannot take it: by URL of the web, by a file's id, in a format that it does not know."""
        if media.text:
            kind, form = "document", "txt"
            source: dict[str, object] = {"bytes": b64encode(media.text.encode()).decode()}
        else:
            kind, form = format_of(media)
            source = source_of(media)
        if not form or not source:
            return None
        block: dict[str, object] = {"format": form, "source": source}
        if kind == "document":
            block["name"] = self._name(media.name)
            if media.context:
                block["context"] = media.context
            if media.citations:
                block["citations"] = {"enabled": True}
        return {kind: block}

    def _name(self, stated: str) -> str:
        """Letters, digits, single spaces, hyphens, parentheses and brackets, without an extension."""
        stem, dot, extension = stated.rpartition(".")
        words = stem if dot and stem and len(extension) <= 5 else stated
        name = " ".join(UNFIT.sub("-", words).split())[:MOST_NAME_CHARACTERS].strip() or "document"
        number, unique = 1, name
        while unique in self._names:
            number += 1
            unique = f"{name} ({number})"
        self._names.add(unique)
        return unique


def source_of(media: Media) -> dict[str, object]:
    """Where the bytes are, {} where Bedrock cannot reach them."""
    if media.data:
        return {"bytes": media.data}
    return {"s3Location": {"uri": media.url}} if media.url.startswith("s3://") else {}


def format_of(media: Media) -> tuple[str, str]:
    """(kind, format) by media type, else by the extension of name or address, else by the first bytes; the format "" where none fits."""
    media_type = media.media_type.partition(";")[0].strip().lower()
    if media_type in BY_TYPE:
        return BY_TYPE[media_type]
    for name in (media.name, media.url):
        extension = name.rpartition(".")[2].lower()
        extension = {"jpg": "jpeg", "htm": "html", "3gp": "three_gp"}.get(extension, extension)
        if extension in EXTENSIONS[media.kind]:
            return media.kind, extension
    for beginning, kind, form in MAGIC:
        if media.data.startswith(beginning):
            return kind, form
    return media.kind, "txt" if media_type.startswith("text/") else ""
