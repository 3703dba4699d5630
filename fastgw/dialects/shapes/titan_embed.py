"""Amazon's Titan embeddings on Bedrock, /model/{model}/invoke: texts (titan-embed-text), or texts and pictures (titan-embed-image).

They embed one input a call; a request with more is refused, and not split, as a reply must be paid for whole or not at all.
"""

from msgspec import Raw, Struct, json

from fastgw.dialects.bedrock_converse import DIALECT
from fastgw.dialects.canonical import Usage
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.embedding import EmbedRequest, Vectors, only_input, split_image
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode, has_no
from fastgw.dialects.translate import Asked

PICTURES = "titan-embed-image"
OWN = frozenset({"normalize"})


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. It has no word for what a text is for."""
    one = only_input(request, asked)
    written: Json = {"inputText": one.text} if one.text or not one.image else {}
    if PICTURES in asked.model:
        if one.image:
            media_type, content = split_image(one.image)
            written["inputImage"] = content if media_type else has_no("pictures by URL", asked, "input[0]")
        if request.dimensions is not None:
            written["embeddingConfig"] = {"outputEmbeddingLength": request.dimensions}
    elif one.image:
        has_no("pictures", asked, "input[0]")
    elif request.dimensions is not None:
        written["dimensions"] = request.dimensions
    if request.task:
        notes.drop(request.task_name)
    if request.title:
        notes.drop("title")
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


class Embedded(Struct, rename="camel"):
    """A reply. input_text_token_count: none for a picture."""

    embedding: Raw
    input_text_token_count: int | None = None


_decoder = json.Decoder(Embedded)


def read_reply(body: bytes, content_type: str, request: EmbedRequest) -> Vectors:
    """See Provider."""
    reply = _decoder.decode(body)
    count = reply.input_text_token_count
    return Vectors(vectors=[reply.embedding], usage=None if count is None else Usage(count))


PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
