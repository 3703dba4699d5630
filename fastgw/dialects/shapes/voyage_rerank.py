"""Voyage's /v1/rerank."""

from msgspec import Struct, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.embedding import usage_of
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.rerank import Rank, Ranks, RerankRequest, texts_of
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked

OWN = frozenset({"truncation"})


def write_request(request: RerankRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    written: Json = {"model": asked.model, "query": request.query, "documents": texts_of(request, asked)}
    if request.top is not None:
        written["top_k"] = request.top
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


class Ranked(Struct):
    """A reply."""

    data: list[Rank]
    model: str | None = None
    usage: object = None


_decoder = json.Decoder(Ranked)


def read_reply(body: bytes, content_type: str, request: RerankRequest) -> Ranks:
    """See Provider."""
    reply = _decoder.decode(body)
    return Ranks(results=reply.data, model=reply.model or "", usage=usage_of(reply.usage, "total_tokens"))


PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
