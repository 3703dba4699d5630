"""Cohere's /v2/embed, of callers and of providers, and the same models on Bedrock (the quirk `bedrock`), where the path names the model."""

from msgspec import Raw, Struct, json

from fastgw.dialects.canonical import Usage
from fastgw.dialects.cohere_chat import DIALECT as COHERE
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat import DIALECT as OPENAI
from fastgw.dialects.reading import Json, array, as_count, as_object, integer, texts, unknown
from fastgw.dialects.shapes.embedding import (
    EmbedRequest,
    Input,
    Vectors,
    as_base64,
    as_numbers,
    expect_count,
    first_byte,
    image_inputs,
    read_input,
    read_task,
    word_of,
)
from fastgw.dialects.shapes.translation import Caller, Provider, Sent, an_object_of, carry, encode, rest_of
from fastgw.dialects.translate import Asked
from fastgw.errors import error

TASKS = {"query": "search_query", "document": "search_document", "classification": "classification", "clustering": "clustering"}
USUAL = "search_document"  # embed-v3 and later want to be told; what callers of other shapes embed most are documents
READ = frozenset({"model", "texts", "images", "inputs", "input_type", "embedding_types", "output_dimension"})
OWN = frozenset({"truncate", "max_tokens", "priority"})


def read_request(body: bytes, content_type: bytes) -> EmbedRequest:
    """See Caller."""
    members = an_object_of(body)
    inputs = [Input(text) for text in texts(members, "texts", "$")] + image_inputs(array(members, "images", "$"), "$.images")
    inputs += [read_input(one, f"$.inputs[{at}]") for at, one in enumerate(array(members, "inputs", "$"))]
    if not inputs:
        raise error("InvalidRequest", "expected texts, images or inputs, got none of them", param="texts")
    task, name = read_task(members, "input_type")
    kinds = texts(members, "embedding_types", "$") or ["float"]
    for at, kind in enumerate(kinds):
        if kind not in ("float", "base64"):
            unknown("float or base64, as the target is not Cohere's", kind, f"$.embedding_types[{at}]")
    return EmbedRequest(inputs=inputs, dimensions=integer(members, "output_dimension", "$"), task="" if task == "image" else task,
                        task_name=name, kinds=tuple(kinds), rest=rest_of(members, READ))


def write_reply(found: Vectors, request: EmbedRequest) -> bytes:
    """See Caller."""
    shown = {"float": as_numbers, "base64": as_base64}
    meta: Json = {"api_version": {"version": "2"}}
    if found.usage is not None:
        meta["billed_units"] = {"input_tokens": found.usage.input_tokens}
    return encode({
        "id": found.id,
        "embeddings": {kind: [shown[kind](vector) for vector in found.vectors] for kind in request.kinds},
        "texts": [one.text for one in request.inputs if one.text],
        "meta": meta,
        "response_type": "embeddings_by_type",
    })


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. Numbers are asked for, whatever the caller wants: its base64 is not documented to be of float32."""
    on_bedrock = "bedrock" in asked.quirks
    written: Json = {} if on_bedrock else {"model": asked.model}
    images = [one.image for one in request.inputs if one.image and not one.text]
    if not any(one.image for one in request.inputs):
        written["texts"] = [one.text for one in request.inputs]
    elif len(images) == len(request.inputs):
        written["images"] = images
    else:
        written["inputs"] = [{"content": parts_of(one)} for one in request.inputs]
    written["input_type"] = "image" if "images" in written else word_of(request, TASKS, notes, USUAL)
    written["embedding_types"] = ["float"]
    if request.dimensions is not None:
        written["output_dimension"] = request.dimensions
    if request.title:
        notes.drop("title")
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


def parts_of(one: Input) -> list[Json]:
    parts: list[Json] = [{"type": "text", "text": one.text}] if one.text else []
    return [*parts, {"type": "image_url", "image_url": {"url": one.image}}] if one.image else parts


class Embedded(Struct):
    """A reply. embeddings: by type, or of embed-v3 on Bedrock where no type was asked for, a list."""

    embeddings: Raw
    id: str | None = None
    meta: object = None


class ByType(Struct, rename={"float_": "float"}):
    """The vectors that are read."""

    float_: list[Raw] | None = None
    base64: list[Raw] | None = None


_decoder = json.Decoder(Embedded)
_typed = json.Decoder(ByType)
_listed = json.Decoder(list[Raw])


def read_reply(body: bytes, content_type: str, request: EmbedRequest) -> Vectors:
    """See Provider. On Bedrock the count of tokens stands in a field of the reply's head, and is not seen here."""
    reply = _decoder.decode(body)
    if first_byte(reply.embeddings) == b"[":
        vectors = _listed.decode(reply.embeddings)
    else:
        typed = _typed.decode(reply.embeddings)
        vectors = typed.float_ or typed.base64 or []
    billed = as_object(as_object(reply.meta).get("billed_units"))
    usage = Usage(as_count(billed.get("input_tokens")) + as_count(billed.get("image_tokens"))) if billed else None
    return Vectors(vectors=expect_count(vectors, request), id=reply.id or "", usage=usage)


CALLER = Caller(read=read_request, write=write_reply, dialect=OPENAI)
PROVIDER = Provider(write=write_request, read=read_reply, dialect=COHERE)
