"""Pictures by Gemini's generateContent, which makes one a call."""

from fastgw.dialects.gemini_generate import DIALECT
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.gemini_words import media_of, read_body, words_of, write_body
from fastgw.dialects.shapes.image import FORMATS, ImageRequest, Picture, Pictures, nearest_ratio, one_picture
from fastgw.dialects.shapes.translation import Provider, Sent, carry
from fastgw.dialects.translate import Asked

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
# Names of sizes by their longer side in pixels, the largest first; what is smaller is every model's usual.
SIZES = ((3840, "4K"), (2048, "2K"))
OWN = frozenset({"seed"})


def write_request(request: ImageRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. The format can be chosen on Vertex AI only (the quirk `vertex`)."""
    settings: Json = {"responseModalities": ["IMAGE"]}
    shape: Json = {}
    ratio = nearest_ratio(request, RATIOS, notes)
    if ratio:
        shape["aspectRatio"] = ratio
    for pixels, name in SIZES:
        if max(request.width, request.height) >= pixels:
            shape["imageSize"] = name
            break
    if "vertex" in asked.quirks and request.format:
        shape["imageOutputOptions"] = {"mimeType": FORMATS[request.format]}
        if request.compression is not None:
            shape["imageOutputOptions"] = {"mimeType": FORMATS[request.format], "compressionQuality": request.compression}
    else:
        if request.format:
            notes.drop("output_format")
        if request.compression is not None:
            notes.drop("output_compression")
    if shape:
        settings["imageConfig"] = shape
    one_picture(request, notes)
    carry(request.rest, settings, OWN, notes)
    return Sent(write_body([{"text": request.prompt}], settings))


def read_reply(body: bytes, content_type: str, request: ImageRequest) -> Pictures:
    """See Provider."""
    reply = read_body(body)
    pictures = [Picture(one.data, one.media_type) for one in media_of(reply)]
    if not pictures:
        raise ValueError(f"expected a picture, got the words {words_of(reply)[:200]!r}")
    return Pictures(pictures=pictures, model=reply.model, usage=reply.usage)


PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
