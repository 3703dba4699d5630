"""Jina's /v1/rerank, which ranks pictures too."""

from msgspec import Struct, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.embedding import usage_of
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.rerank import Rank, Ranks, RerankRequest, text_of
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked

OWN = frozenset({"truncate", "max_doc_length", "max_query_length"})


def write_request(request: RerankRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. It sends the documents back unless it is told not to."""
    documents: list[str | Json] = []
    for at, one in enumerate(request.documents):
        is_picture = isinstance(one, dict) and "image" in one
        documents.append(one if is_picture else text_of(one, request.fields, asked, f"documents[{at}]"))
    written: Json = {"model": asked.model, "query": request.query, "documents": documents, "return_documents": False}
    if request.top is not None:
        written["top_n"] = request.top
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


class Ranked(Struct):
    """A reply."""

    results: list[Rank]
    model: str | None = None
    usage: object = None


_decoder = json.Decoder(Ranked)


def read_reply(body: bytes, content_type: str, request: RerankRequest) -> Ranks:
    """See Provider."""
    reply = _decoder.decode(body)
    return Ranks(results=reply.results, model=reply.model or "", usage=usage_of(reply.usage, "total_tokens", "prompt_tokens"))


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
