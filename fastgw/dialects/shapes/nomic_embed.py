"""Nomic's /v1/embedding/text."""

from msgspec import Raw, Struct, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.embedding import EmbedRequest, Vectors, expect_count, texts_of, usage_of, word_of
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked

TASKS = {"query": "search_query", "document": "search_document", "classification": "classification", "clustering": "clustering"}
OWN = frozenset({"long_text_mode", "max_tokens_per_text"})


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. Without a task it takes texts for documents, as the others do."""
    written: Json = {"model": asked.model, "texts": texts_of(request, asked)}
    task = word_of(request, TASKS, notes)
    if task:
        written["task_type"] = task
    if request.dimensions is not None:
        written["dimensionality"] = request.dimensions
    if request.title:
        notes.drop("title")
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


class Embedded(Struct):
    """A reply."""

    embeddings: list[Raw]
    model: str | None = None
    usage: object = None


_decoder = json.Decoder(Embedded)


def read_reply(body: bytes, content_type: str, request: EmbedRequest) -> Vectors:
    """See Provider."""
    reply = _decoder.decode(body)
    return Vectors(vectors=expect_count(reply.embeddings, request), model=reply.model or "",
                   usage=usage_of(reply.usage, "prompt_tokens", "total_tokens"))


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
