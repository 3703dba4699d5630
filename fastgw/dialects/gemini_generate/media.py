"""Pictures, sounds, films and documents as Gemini has them: inlineData (base64) and fileData (a URI)."""

from base64 import b64encode

from fastgw.dialects.canonical import Media, MediaKind, Native
from fastgw.dialects.gemini_generate.spelling import NAME
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, as_text

FILES = "https://generativelanguage.googleapis.com/v1beta/"  # before the name of an uploaded file, files/...
ALPHABET = str.maketrans("-_", "+/")

# Types that Gemini takes, by file extension, and by how their base64 begins.
TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "bmp": "image/bmp",
    "heic": "image/heic", "heif": "image/heif", "avif": "image/avif", "svg": "image/svg+xml", "wav": "audio/wav", "mp3": "audio/mp3",
    "aac": "audio/aac", "ogg": "audio/ogg", "oga": "audio/ogg", "flac": "audio/flac", "m4a": "audio/m4a", "aiff": "audio/aiff",
    "opus": "audio/opus", "pcm": "audio/pcm", "mp4": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg", "mov": "video/quicktime",
    "avi": "video/x-msvideo", "webm": "video/webm", "wmv": "video/x-ms-wmv", "flv": "video/x-flv", "3gp": "video/3gpp",
    "mkv": "video/x-matroska", "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "html": "text/html", "css": "text/css",
    "csv": "text/csv", "xml": "text/xml", "rtf": "text/rtf", "json": "application/json", "py": "text/x-python",
    "js": "text/javascript",
}
MAGIC = {
    "iVBORw0K": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "JVBERi": "application/pdf", "SUQz": "audio/mp3",
    "T2dnUw": "audio/ogg", "ZkxhQw": "audio/flac",
}
USUAL: dict[MediaKind, str] = {"image": "image/jpeg", "audio": "audio/wav", "video": "video/mp4", "document": "application/pdf"}


def kind_of(media_type: str) -> MediaKind:
    """What a media type is of; whatever is neither picture, sound nor film is a document."""
    if media_type.startswith("image/"):
        return "image"
    if media_type.startswith("audio/"):
        return "audio"
    return "video" if media_type.startswith("video/") else "document"


def read_media(part: Json, blob: Json, signature: str, rest: Json) -> Media:
    """The Media of an inlineData or fileData; rest: the part's other members (videoMetadata)."""
    media_type = as_text(blob.get("mimeType"))
    media = Media(kind_of(media_type), media_type=media_type, name=as_text(blob.get("displayName")), signature=signature)
    if "inlineData" in part:
        media.data = standard(as_text(blob.get("data")))
    else:
        media.url = as_text(blob.get("fileUri"))
        if not media_type and ("youtube.com/" in media.url or "youtu.be/" in media.url):
            media.kind = "video"
        elif not media_type:
            media.kind = kind_of(TYPES.get(extension(media.url), ""))
    if rest:
        media.native = Native(NAME, rest)
    return media


def standard(data: str) -> str:
    """Base64 in the alphabet that all others take, with its padding: servers here take both, and the official client sends the other."""
    if "-" in data or "_" in data:
        data = data.translate(ALPHABET)
    return data + "=" * (-len(data) % 4)


def write_media(media: Media, notes: Notes, path: str, names: bool = True) -> Json | None:
    """The part of a Media, None (and noted) where Gemini cannot have it. names: the target takes displayName"""
    blob: Json
    native = media.native.value if media.native is not None and media.native.dialect == NAME else {}
    url = media.url
    if url.startswith("data:"):
        head, _, data = url[5:].partition(",")
        media_type, *parameters = head.split(";")
        if "base64" not in parameters:
            notes.drop(path)
            return None
        blob = {"mimeType": media.media_type or media_type or USUAL[media.kind], "data": data}
        part: Json = {"inlineData": blob}
    elif media.data or media.text:
        blob = {"mimeType": media.media_type or guessed(media), "data": media.data or b64encode(media.text.encode()).decode()}
        part = {"inlineData": blob}
    else:
        uri = url or media.file_id
        if uri.startswith("files/"):
            uri = FILES + uri
        if not uri.startswith(("https://", "http://", "gs://")):
            notes.drop(path)
            return None
        media_type = media.media_type or TYPES.get(extension(uri), "")
        # an uploaded file's type is known to the server
        blob = {"mimeType": media_type or USUAL[media.kind]} if media_type or not uri.startswith(FILES) else {}
        blob["fileUri"] = uri
        part = {"fileData": blob}
    if media.name and names:
        blob["displayName"] = media.name
    if media.signature:
        part["thoughtSignature"] = media.signature
    return {**native, **part}


def guessed(media: Media) -> str:
    """The media type of bytes without one."""
    if media.text:
        return "text/plain"
    for beginning, media_type in MAGIC.items():
        if media.data.startswith(beginning):
            return media_type
    return TYPES.get(extension(media.name), USUAL[media.kind])


def extension(uri: str) -> str:
    """What stands after the last dot of the last step of a URI's path."""
    return uri.partition("?")[0].partition("#")[0].rpartition("/")[2].rpartition(".")[2].lower()
