"""Gemini's embedContent and batchEmbedContents, of callers and of providers.

Google AI is asked by batchEmbedContents, for one input too. Vertex AI (the quirk `vertex`) is asked for one by embedContent, and has what
is said beside the content in an object of its own.
"""

from msgspec import Raw, Struct, json

from fastgw.dialects.gemini_generate import DIALECT
from fastgw.dialects.gemini_generate.media import standard
from fastgw.dialects.gemini_generate.spelling import camel
from fastgw.dialects.gemini_generate.usage import loose_metadata, read_usage
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, array, as_object, integer, mapping, text
from fastgw.dialects.shapes.embedding import (
    EmbedRequest,
    Input,
    Vectors,
    as_numbers,
    expect_count,
    objects,
    read_task,
    split_image,
    word_of,
)
from fastgw.dialects.shapes.translation import Caller, Provider, Sent, an_object_of, carry, encode, rest_of
from fastgw.dialects.translate import Asked
from fastgw.errors import error

TASKS = {
    "query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT", "classification": "CLASSIFICATION", "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY", "question": "QUESTION_ANSWERING", "verification": "FACT_VERIFICATION",
    "code": "CODE_RETRIEVAL_QUERY",
}
READ = frozenset({"model", "content", "taskType", "title", "outputDimensionality"})


def read_request(body: bytes, content_type: bytes) -> EmbedRequest:
    """See Caller. What a batch says of each input must be the same, as other providers have one word for all."""
    members = an_object_of(body)
    if "requests" not in members:
        return read_one(members, "$")
    wanted = [read_one(one, f"$.requests[{at}]") for at, one in enumerate(objects(array(members, "requests", "$"), "$.requests"))]
    if not wanted:
        raise error("InvalidRequest", "expected at least one request, got an empty array at $.requests", param="$.requests")
    first = wanted[0]
    for at, one in enumerate(wanted):
        if (one.task, one.title, one.dimensions, one.rest) != (first.task, first.title, first.dimensions, first.rest):
            raise error("InvalidRequest", f"expected the same taskType, title and outputDimensionality in all requests, got another at "
                        f"$.requests[{at}]: the target has one for all its inputs", param=f"$.requests[{at}]")
    first.inputs = [one.inputs[0] for one in wanted]
    first.lone = False
    return first


def read_one(members: Json, path: str) -> EmbedRequest:
    members = camel(members, path)
    members = {**camel(members.pop("embedContentConfig", None) or {}, f"{path}.embedContentConfig"), **members}
    texts, images = [], []
    for at, part in enumerate(objects(array(mapping(members, "content", path) or {}, "parts", f"{path}.content"), f"{path}.content.parts")):
        blob = as_object(camel(part, path).get("inlineData"))
        if blob:
            blob = camel(blob, path)
            images.append(f"data:{text(blob, 'mimeType', path)};base64,{standard(text(blob, 'data', path))}")
        else:
            texts.append(text(part, "text", f"{path}.content.parts[{at}]"))
    if len(images) > 1 or not (texts or images):
        raise error("InvalidRequest", f"expected a content of text and at most one picture at {path}.content", param=f"{path}.content")
    task, name = read_task(members, "taskType")
    return EmbedRequest(
        inputs=[Input("\n".join(texts), "".join(images))], dimensions=integer(members, "outputDimensionality", path),
        task="" if task == "TASK_TYPE_UNSPECIFIED" else task, task_name=name, title=text(members, "title", path), lone=True,
        rest=rest_of(members, READ),
    )


def write_reply(found: Vectors, request: EmbedRequest) -> bytes:
    """See Caller."""
    values = [{"values": as_numbers(vector)} for vector in found.vectors]
    written: Json = {"embedding": values[0]} if request.lone else {"embeddings": values}
    if found.usage is not None:
        written["usageMetadata"] = {"promptTokenCount": found.usage.input_tokens, "totalTokenCount": found.usage.input_tokens}
    return encode(written)


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider."""
    shared: Json = {}
    task = word_of(request, TASKS, notes)
    if task:
        shared["taskType"] = task
    if request.title:
        shared["title"] = request.title
    if request.dimensions is not None:
        shared["outputDimensionality"] = request.dimensions
    carry(request.rest, shared, frozenset(), notes)
    if "vertex" in asked.quirks:
        beside: Json = {"embedContentConfig": shared} if shared else {}
        contents = [{"content": content_of(one), **beside} for one in request.inputs]
        return Sent(encode(contents[0])) if len(contents) == 1 else Sent(encode({"requests": contents}), path=batched)
    model = asked.model if asked.model.startswith("models/") else f"models/{asked.model}"
    requests = [{"model": model, "content": content_of(one), **shared} for one in request.inputs]
    return Sent(encode({"requests": requests}), path=batched)


def batched(path: str) -> str:
    return path.replace(":embedContent", ":batchEmbedContents")


def content_of(one: Input) -> Json:
    parts: list[Json] = [{"text": one.text}] if one.text or not one.image else []
    if one.image:
        media_type, content = split_image(one.image)
        parts.append({"inlineData": {"mimeType": media_type, "data": content}} if media_type else {"fileData": {"fileUri": content}})
    return {"parts": parts}


class Values(Struct):
    """One vector."""

    values: Raw


class Embedded(Struct, rename="camel"):
    """A reply to either."""

    embeddings: list[Values] = []
    embedding: Values | None = None
    usage_metadata: object = None


_decoder = json.Decoder(Embedded)


def read_reply(body: bytes, content_type: str, request: EmbedRequest) -> Vectors:
    """See Provider."""
    reply = _decoder.decode(body)
    found = reply.embeddings if reply.embedding is None else [reply.embedding]
    stated = loose_metadata(reply.usage_metadata)
    return Vectors(vectors=expect_count([one.values for one in found], request), usage=None if stated is None else read_usage(stated))


CALLER = Caller(read=read_request, write=write_reply, dialect=DIALECT)
PROVIDER = Provider(write=write_request, read=read_reply, dialect=DIALECT)
