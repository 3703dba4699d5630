"""Jina's /v1/embeddings: OpenAI's shape with tasks, and pictures among the inputs."""

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.embedding import EmbedRequest, Input, split_image, word_of
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.openai_embeddings import read_reply
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode, has_no
from fastgw.dialects.translate import Asked

TASKS = {
    "query": "retrieval.query", "document": "retrieval.passage", "classification": "classification", "clustering": "separation",
    "similarity": "text-matching", "code": "code.query",
}
OWN = frozenset({"late_chunking", "truncate", "normalized"})


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. Numbers are asked for, which is what it sends unless told otherwise."""
    written: Json = {"model": asked.model, "input": [input_of(one, at, asked) for at, one in enumerate(request.inputs)]}
    task = word_of(request, TASKS, notes)
    if task:
        written["task"] = task
    if request.dimensions is not None:
        written["dimensions"] = request.dimensions
    if request.title:
        notes.drop("title")
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


def input_of(one: Input, at: int, asked: Asked) -> str | Json:
    if not one.image:
        return one.text
    if one.text:
        has_no("text and a picture in one input", asked, f"input[{at}]")
    return {"image": split_image(one.image)[1]}


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
