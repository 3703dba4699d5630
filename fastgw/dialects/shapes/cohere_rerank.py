"""Cohere's /v2/rerank, its own and Azure's, and the same models on Bedrock (the quirk `bedrock`), where the path names the model."""

from msgspec import Struct, json

from fastgw.dialects.cohere_chat import DIALECT
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, as_object
from fastgw.dialects.shapes.embedding import usage_of
from fastgw.dialects.shapes.rerank import Rank, Ranks, RerankRequest, texts_of
from fastgw.dialects.shapes.translation import Provider, Sent, carry, encode
from fastgw.dialects.translate import Asked

OWN = frozenset({"max_tokens_per_doc", "priority"})


def write_request(request: RerankRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    written: Json = {"api_version": 2} if "bedrock" in asked.quirks else {"model": asked.model}
    written |= {"query": request.query, "documents": texts_of(request, asked)}
    if request.top is not None:
        written["top_n"] = request.top
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


class Ranked(Struct):
    """A reply."""

    results: list[Rank]
    id: str | None = None
    meta: object = None


_decoder = json.Decoder(Ranked)


def read_reply(body: bytes, content_type: str, request: RerankRequest) -> Ranks:
    """See Provider. It bills by searches, so that a count of tokens is there for some models only."""
    reply = _decoder.decode(body)
    meta = as_object(reply.meta)
    usage = usage_of(meta.get("tokens"), "input_tokens") or usage_of(meta.get("billed_units"), "input_tokens")
    return Ranks(results=reply.results, id=reply.id or "", meta=meta or None, usage=usage)


PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
