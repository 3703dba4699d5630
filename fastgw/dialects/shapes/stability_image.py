"""Stability's stable-image (v2beta), a form in and a picture out, and its models on Bedrock (the quirk `bedrock`), in JSON.

The path of the provider's own API names an engine (core, ultra, sd3); a model of the family sd3 is named in the form too.
"""

from base64 import b64encode

from msgspec import Struct, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.image import ImageRequest, Picture, Pictures, nearest_ratio, one_picture
from fastgw.dialects.shapes.multipart import write_form
from fastgw.dialects.shapes.translation import JSON, Provider, Sent, Withheld, carry, encode
from fastgw.dialects.translate import Asked

RATIOS = ("1:1", "16:9", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
ENGINES = ("core", "ultra", "sd3")
OWN = frozenset({"negative_prompt", "seed", "style_preset", "cfg_scale", "aspect_ratio"})
MEDIA_TYPES = {"iVBORw": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp"}  # by how their base64 begins


def write_request(request: ImageRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. Pixels are its own matter: of the size asked for it takes the ratio."""
    on_bedrock = "bedrock" in asked.quirks
    written: Json = {"prompt": request.prompt}
    ratio = nearest_ratio(request, RATIOS, notes)
    if ratio:
        written["aspect_ratio"] = ratio
    if request.format:
        written["output_format"] = request.format
    if request.compression is not None:
        notes.drop("output_compression")
    one_picture(request, notes)
    carry(request.rest, written, OWN, notes)
    if on_bedrock:
        return Sent(encode(written))
    engine = asked.model.removeprefix("stable-image-")
    if engine.startswith("sd3") and engine != "sd3":
        written["model"] = engine
        engine = "sd3"
    body, content_type = write_form(written, {})
    # as JSON it says why a picture is not there; else that stands in the reply's head alone
    return Sent(body, content_type, JSON, lambda path: path.replace("{model}", engine) if engine in ENGINES else path)


class Made(Struct):
    """A reply in JSON: Stability's own has `image` and `finish_reason`, Bedrock's `images` and `finish_reasons`."""

    image: str | None = None
    images: list[str] | None = None
    finish_reason: str | None = None
    finish_reasons: list[str | None] | None = None


_decoder = json.Decoder(Made)


def read_reply(body: bytes, content_type: str, request: ImageRequest) -> Pictures:
    """See Provider. The picture itself comes where it was not asked for JSON."""
    if content_type.startswith("image/"):
        return Pictures(pictures=[Picture(b64encode(body).decode(), content_type.partition(";")[0])])
    made = _decoder.decode(body)
    for reason in [made.finish_reason, *(made.finish_reasons or [])]:
        if reason not in (None, "SUCCESS"):
            raise Withheld(reason)
    contents = made.images or ([] if made.image is None else [made.image])
    return Pictures(pictures=[Picture(one, media_type_of(one)) for one in contents])


def media_type_of(content: str) -> str:
    return next((found for beginning, found in MEDIA_TYPES.items() if content.startswith(beginning)), "image/png")


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
