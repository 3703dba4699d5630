"""Voyage's /v1/embeddings: OpenAI's shape with other names. Pictures have a path of their own there, which is not asked."""

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.embedding import EmbedRequest, texts_of, word_of
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.openai_embeddings import read_reply
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked

TASKS = {"query": "query", "document": "document"}
OWN = frozenset({"truncation", "output_dtype"})


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. Its base64 is of float32, as OpenAI's."""
    written: Json = {"model": asked.model, "input": texts_of(request, asked)}
    task = word_of(request, TASKS, notes)
    if task:
        written["input_type"] = task
    if request.dimensions is not None:
        written["output_dimension"] = request.dimensions
    if request.kinds == ("base64",) and "output_dtype" not in request.rest:
        written["encoding_format"] = "base64"
    if request.title:
        notes.drop("title")
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
