"""Parts of a message or of a tool's output: input_text, input_image, input_file, input_audio, output_text, refusal; both ways.

A part of a kind that is not known here is Native({"content_part": part}), so that it is not taken for an item of the input.
"""

from collections.abc import Callable

from fastgw.dialects.canonical import Cache, Media, Native, Part, Refusal, Text
from fastgw.dialects.openai_responses.citation import read_citation, write_citation
from fastgw.dialects.openai_responses.proof import NAME
from fastgw.dialects.reading import Json, an_object, array, mapping, required_text, text, unknown, wrong

AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
PART_KEY = "content_part"


def read_content(value: object, path: str, native: Native | None = None) -> list[Part]:
    """A string, or a list of parts of any kind. `native` goes to the words, to say which item they are of."""
    if isinstance(value, str):
        return [Text(value, native=native)]
    if not isinstance(value, list):
        wrong("a string or an array", value, path)
    parts: list[Part] = []
    for at, entry in enumerate(value):
        where = f"{path}[{at}]"
        part = an_object(entry, where)
        kind = required_text(part, "type", where)
        read = READERS.get(kind)
        parts.append(Native(NAME, {PART_KEY: part}) if read is None else read(part, where, native))
    return parts


def read_cache(part: Json, path: str) -> Cache | None:
    """A breakpoint; the least time to live that both dialects know and that is no shorter."""
    stated = mapping(part, "prompt_cache_breakpoint", path)
    if stated is None:
        return None
    return Cache("1h" if text(stated, "ttl", f"{path}.prompt_cache_breakpoint") else "")


def _read_text(part: Json, path: str, native: Native | None) -> Part:
    annotations = array(part, "annotations", path)
    return Text(
        required_text(part, "text", path),
        [read_citation(annotation) for annotation in annotations] if annotations else [],
        read_cache(part, path) if "prompt_cache_breakpoint" in part else None,
        native=native,
    )


def _read_refusal(part: Json, path: str, native: Native | None) -> Part:
    return Refusal(required_text(part, "refusal", path), native)


def _read_image(part: Json, path: str, native: Native | None) -> Part:
    media = Media("image", detail=text(part, "detail", path), cache=read_cache(part, path))
    media.file_id = text(part, "file_id", path)
    _read_address(media, text(part, "image_url", path))
    if not (media.file_id or media.url or media.data):
        unknown("image_url or file_id", None, path)
    return media


def _read_file(part: Json, path: str, native: Native | None) -> Part:
    media = Media("document", name=text(part, "filename", path), detail=text(part, "detail", path), cache=read_cache(part, path))
    media.file_id = text(part, "file_id", path)
    media.url = text(part, "file_url", path)
    _read_address(media, text(part, "file_data", path), is_data=True)
    if not (media.file_id or media.url or media.data):
        unknown("file_data, file_url or file_id", None, path)
    return media


def _read_audio(part: Json, path: str, native: Native | None) -> Part:
    sound = an_object(part.get("input_audio"), f"{path}.input_audio")
    stated = required_text(sound, "format", f"{path}.input_audio")
    return Media("audio", required_text(sound, "data", f"{path}.input_audio"), media_type=AUDIO_TYPES.get(stated, f"audio/{stated}"))


def _read_address(media: Media, address: str, is_data: bool = False) -> None:
    """A data URL is taken apart; anything else is a URL, or data where that is all it can be."""
    if address.startswith("data:"):
        head, comma, payload = address[5:].partition(",")
        if comma and head.endswith(";base64"):
            media.data, media.media_type = payload, head.removesuffix(";base64")
            return
    if is_data:
        media.data = address
    else:
        media.url = address


READERS: dict[str, Callable[[Json, str, Native | None], Part]] = {
    "input_text": _read_text,
    "output_text": _read_text,
    "refusal": _read_refusal,
    "input_image": _read_image,
    "input_file": _read_file,
    "input_audio": _read_audio,
}


def write_text(part: Text | Refusal, kind: str) -> Json:
    """Words as a part of that kind; those of a model with their annotations, where they have any."""
    if type(part) is Refusal:
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, Text)
    written: Json = {"type": kind, "text": part.text}
    if part.citations and kind == "output_text":
        written["annotations"] = [write_citation(citation, len(part.text)) for citation in part.citations]
    return written


def write_breakpoint(written: Json, cache: Cache) -> None:
    """Mark the end of what may be cached."""
    written["prompt_cache_breakpoint"] = {"mode": "explicit", "ttl": "12h"} if cache.ttl == "1h" else {"mode": "explicit"}


def write_media(media: Media, keeps_files: bool) -> Json | None:
    """An image, a sound or a file; None where there is nothing like it, or where it is a file that only another provider has.

    keeps_files   ids of files are OpenAI's own
    """
    if media.file_id and not keeps_files and not (media.data or media.url):
        return None
    if media.kind == "image":
        return _write_image(media)
    if media.kind == "document":
        return _write_file(media)
    stated = AUDIO_FORMATS.get(media.media_type.partition(";")[0])
    if media.kind == "audio" and media.data and stated is not None:
        return {"type": "input_audio", "input_audio": {"data": media.data, "format": stated}}
    return None


def _write_image(media: Media) -> Json:
    written: Json = {"type": "input_image"}
    if media.data:
        written["image_url"] = f"data:{media.media_type or 'image/png'};base64,{media.data}"
    elif media.url:
        written["image_url"] = media.url
    else:
        written["file_id"] = media.file_id
    if media.detail:
        written["detail"] = media.detail
    return written


def _write_file(media: Media) -> Json:
    if media.text:
        # a document of plain words: the API takes files in base64 only, so its words go as words, under their title
        words = f"{media.name}\n\n{media.text}" if media.name else media.text
        return {"type": "input_text", "text": words}
    written: Json = {"type": "input_file"}
    if media.data:
        written["filename"] = media.name or "document" + (".pdf" if media.media_type == "application/pdf" else "")
        written["file_data"] = f"data:{media.media_type};base64,{media.data}" if media.media_type else media.data
    elif media.url:
        written["file_url"] = media.url
    else:
        written["file_id"] = media.file_id
    if media.name:
        written["filename"] = media.name
    if media.detail:
        written["detail"] = media.detail
    return written

