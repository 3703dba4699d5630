"""Vertex AI's text embeddings by :predict (gemini-embedding-001, text-embedding-...); later models are asked by embedContent."""

from msgspec import Raw, Struct, json

from fastgw.dialects.canonical import Usage
from fastgw.dialects.gemini_generate import DIALECT
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, as_count, as_object
from fastgw.dialects.shapes.embedding import EmbedRequest, Vectors, expect_count, texts_of, word_of
from fastgw.dialects.shapes.gemini_embed import TASKS
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked

OWN = frozenset({"autoTruncate"})


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    shared: Json = {}
    task = word_of(request, TASKS, notes)
    if task:
        shared["task_type"] = task
    if request.title:
        shared["title"] = request.title
    parameters: Json = {}
    if request.dimensions is not None:
        parameters["outputDimensionality"] = request.dimensions
    carry(request.rest, parameters, OWN, notes)
    written: Json = {"instances": [{"content": text, **shared} for text in texts_of(request, asked)]}
    if parameters:
        written["parameters"] = parameters
    return Sent(encode(written))


class Embeddings(Struct):
    """What is said of one input."""

    values: Raw
    statistics: object = None


class Prediction(Struct):
    """One input's."""

    embeddings: Embeddings


class Predicted(Struct):
    """A reply."""

    predictions: list[Prediction]


_decoder = json.Decoder(Predicted)


def read_reply(body: bytes, content_type: str, request: EmbedRequest) -> Vectors:
    """See Provider. Each input has its own count of tokens, which older models state as a float."""
    found = [one.embeddings for one in _decoder.decode(body).predictions]
    counted = [as_object(one.statistics).get("token_count") for one in found]
    usage = Usage(sum(map(as_count, counted))) if any(count is not None for count in counted) else None
    return Vectors(vectors=expect_count([one.values for one in found], request), usage=usage)


PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
