"""Ranks of documents: what the shapes of /rerank have in common, and that of callers, which is Cohere's v2 and Jina's alike.

    {"model", "query", "documents": ["...", {"text": "..."}], "top_n", "return_documents", "rank_fields"}
    {"id", "model", "results": [{"index", "relevance_score", "document"}], "meta", "usage"}

The documents of a reply are the caller's own, so that no provider need send them back.
"""

import os

from msgspec import Struct

from fastgw.dialects.canonical import Usage
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.reading import Json, a_text, array, flag, integer, required_text, texts, wrong
from fastgw.dialects.shapes.translation import Caller, Found, an_object_of, encode, has_no, rest_of
from fastgw.dialects.translate import Asked
from fastgw.errors import error

READ = frozenset({"model", "query", "documents", "top_n", "top_k", "return_documents", "rank_fields"})


class RerankRequest(Struct, kw_only=True):
    """What is to be ranked. documents: as the caller wrote them, texts or objects; fields: of an object, those that are read."""

    query: str
    documents: list[str | Json]
    fields: list[str] = []
    top: int | None = None
    show: bool = False
    rest: Json = {}


class Rank(Struct):
    """How relevant a document is. index: of the request."""

    index: int
    relevance_score: float


class Ranks(Found):
    """The most relevant first. meta: what Cohere bills by."""

    results: list[Rank]
    meta: Json | None = None


def read_request(body: bytes, content_type: bytes) -> RerankRequest:
    """See Caller. Voyage's top_k is understood too."""
    members = an_object_of(body)
    documents: list[str | Json] = []
    for at, value in enumerate(array(members, "documents", "$")):
        documents.append(value if isinstance(value, str | dict) else wrong("a string or an object", value, f"$.documents[{at}]"))
    if not documents:
        raise error("InvalidRequest", "expected at least one document at $.documents", param="documents")
    return RerankRequest(
        query=required_text(members, "query", "$"), documents=documents, fields=texts(members, "rank_fields", "$"),
        top=integer(members, "top_n", "$") or integer(members, "top_k", "$"), show=flag(members, "return_documents", "$") or False,
        rest=rest_of(members, READ),
    )


def texts_of(request: RerankRequest, asked: Asked) -> list[str]:
    """The documents as texts, for providers that rank nothing else. raises UnsupportedParameter for a picture"""
    return [text_of(one, request.fields, asked, f"documents[{at}]") for at, one in enumerate(request.documents)]


def text_of(document: str | Json, fields: list[str], asked: Asked, path: str) -> str:
    """The text of an object, else its members (those named as rank_fields) a line each, as Cohere wants structured documents."""
    if isinstance(document, str):
        return document
    if "text" in document and not fields:
        return a_text(document["text"], f"$.{path}.text")
    if "image" in document:
        has_no("pictures", asked, path)
    return "\n".join(f"{name}: {line_of(document[name])}" for name in fields or document if name in document)


def line_of(value: object) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def write_reply(found: Ranks, request: RerankRequest) -> bytes:
    """See Caller."""
    results: list[Json] = []
    for rank in found.results:
        if not 0 <= rank.index < len(request.documents):
            raise ValueError(f"expected indexes of {len(request.documents)} documents, got {rank.index}")
        result: Json = {"index": rank.index, "relevance_score": rank.relevance_score}
        if request.show:
            document = request.documents[rank.index]
            result["document"] = {"text": document} if isinstance(document, str) else document
        results.append(result)
    written: Json = {"id": found.id or f"rerank-{os.urandom(12).hex()}", "model": found.model, "results": results}
    written["meta"] = found.meta or meta_of(found.usage)
    if found.usage is not None:
        written["usage"] = {"prompt_tokens": found.usage.input_tokens, "total_tokens": found.usage.input_tokens}
    return encode(written)


def meta_of(usage: Usage | None) -> Json:
    meta: Json = {"api_version": {"version": "2"}}
    if usage is not None:
        meta["tokens"] = {"input_tokens": usage.input_tokens}
    return meta


CALLER = Caller(read=read_request, write=write_reply, dialect=DIALECT)
