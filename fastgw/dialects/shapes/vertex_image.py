"""Imagen by :predict, of Vertex AI and of Google AI alike."""

from msgspec import Struct, json

from fastgw.dialects.gemini_generate import DIALECT
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.image import FORMATS, ImageRequest, Picture, Pictures, nearest_ratio
from fastgw.dialects.shapes.translation import Provider, Sent, Withheld, carry, encode
from fastgw.dialects.translate import Asked

RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")
LARGE_PIXELS = 2048
OWN = frozenset({"negativePrompt", "seed", "personGeneration", "addWatermark", "enhancePrompt", "language", "safetySetting",
                 "guidanceScale"})


def write_request(request: ImageRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    parameters: Json = {"sampleCount": request.count}
    ratio = nearest_ratio(request, RATIOS, notes)
    if ratio:
        parameters["aspectRatio"] = ratio
    if max(request.width, request.height) >= LARGE_PIXELS:
        parameters["sampleImageSize"] = "2K"
    options: Json = {}
    if request.format:
        options["mimeType"] = FORMATS[request.format]
    if request.compression is not None:
        options["compressionQuality"] = request.compression
    if options:
        parameters["outputOptions"] = options
    carry(request.rest, parameters, OWN, notes)
    return Sent(encode({"instances": [{"prompt": request.prompt}], "parameters": parameters}))


class Prediction(Struct, rename="camel"):
    """One picture, or why there is none."""

    bytes_base64_encoded: str | None = None
    mime_type: str = "image/png"
    prompt: str | None = None
    rai_filtered_reason: str | None = None


class Predicted(Struct):
    """A reply; without predictions where all were filtered."""

    predictions: list[Prediction] = []


_decoder = json.Decoder(Predicted)


def read_reply(body: bytes, content_type: str, request: ImageRequest) -> Pictures:
    """See Provider. Those that were filtered are left out; it states no tokens."""
    predictions = _decoder.decode(body).predictions
    pictures = [Picture(one.bytes_base64_encoded, one.mime_type, one.prompt or "") for one in predictions if one.bytes_base64_encoded]
    if not pictures:
        raise Withheld(next((one.rai_filtered_reason for one in predictions if one.rai_filtered_reason), "all pictures were filtered"))
    return Pictures(pictures=pictures)


PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
