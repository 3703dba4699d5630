"""Write images and documents as the blocks that the Messages API takes, from what other dialects know of them."""

import binascii
from base64 import b64decode, b64encode
from urllib.parse import unquote_to_bytes

from fastgw.dialects.anthropic_messages.tools import write_cache
from fastgw.dialects.anthropic_messages.vocabulary import NAME
from fastgw.dialects.canonical import Media
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json

PDF = "application/pdf"
# how base64 of a kind begins
BEGINNINGS = {"iVBOR": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp", "JVBER": PDF}
TEXTUAL = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript"})


def write_media(part: Media, own: bool, hosted: bool, notes: Notes, where: str) -> Json | None:
    """The block of an image or a document; None for what this API has no block for."""
    if part.kind not in ("image", "document"):
        return None
    source = _source_of(part, own, hosted)
    if source is None:
        return None
    block: Json = {"type": part.kind, "source": source}
    if part.kind == "document":
        if part.name:
            block["title"] = part.name
        if part.context:
            block["context"] = part.context
        if part.citations:
            block["citations"] = {"enabled": True}
    if part.detail and part.detail != "auto":
        notes.drop(f"{where}.detail")
    if part.native is not None and part.native.dialect == NAME:
        block.update(part.native.value)
    return write_cache(block, part.cache)


def _source_of(part: Media, own: bool, hosted: bool) -> Json | None:
    if part.data:
        return _source_of_bytes(part, part.media_type, part.data, own)
    if part.text:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    if part.url.startswith("data:"):
        media_type, data = _parse_url(part.url)
        return _source_of_bytes(part, media_type, data, own)
    if hosted:
        return None
    if part.url:
        return {"type": "url", "url": part.url}
    # ids of another provider's files mean nothing here
    return {"type": "file", "file_id": part.file_id} if part.file_id and own else None


def _source_of_bytes(part: Media, media_type: str, data: str, own: bool) -> Json | None:
    if own:
        return {"type": "base64", "media_type": media_type, "data": data}
    media_type = media_type.partition(";")[0].strip().lower()
    if media_type == "image/jpg":
        media_type = "image/jpeg"
    elif media_type in ("", "application/octet-stream", "image/*"):
        media_type = next((kind for begins, kind in BEGINNINGS.items() if data.startswith(begins)), media_type)
    if part.kind == "document" and media_type in ("", "application/octet-stream") and part.name.lower().endswith(".pdf"):
        media_type = PDF
    if part.kind == "image":
        return {"type": "base64", "media_type": media_type, "data": data} if media_type.startswith("image/") else None
    if media_type == PDF:
        return {"type": "base64", "media_type": PDF, "data": data}
    if media_type.startswith("text/") or media_type in TEXTUAL:
        try:
            return {"type": "text", "media_type": "text/plain", "data": b64decode(data).decode()}
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def _parse_url(url: str) -> tuple[str, str]:
    """(media type, base64) of a data: URL. Source: RFC 2397"""
    head, _, data = url[5:].partition(",")
    if head.endswith(";base64"):
        return head[:-7], data
    return head, b64encode(unquote_to_bytes(data)).decode()
