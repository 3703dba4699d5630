"""OpenAI's /v1/embeddings, of callers and of providers: {"model", "input", "dimensions", "encoding_format"}.

Beside OpenAI's own members a caller may say what the texts are for, as `input_type`, `task` or `task_type`, in any provider's word for
it, and may give an input as {"text"} or {"image"} to models that embed pictures.
"""

from msgspec import Raw, Struct, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.reading import Json, integer, text, unknown, wrong
from fastgw.dialects.shapes.embedding import (
    EmbedRequest,
    Input,
    Vectors,
    as_base64,
    as_numbers,
    expect_count,
    read_input,
    read_task,
    refuse_tokens,
    texts_of,
    usage_of,
)
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.translation import Caller, Provider, Sent, an_object_of, carry, encode, rest_of
from fastgw.dialects.translate import Asked

READ = frozenset({"model", "input", "dimensions", "encoding_format", "input_type", "task", "task_type"})
OWN = frozenset({"user"})


def read_request(body: bytes, content_type: bytes) -> EmbedRequest:
    """See Caller."""
    members = an_object_of(body)
    encoding = text(members, "encoding_format", "$") or "float"
    if encoding not in ("float", "base64"):
        unknown("float or base64", encoding, "$.encoding_format")
    task, name = read_task(members, "input_type", "task", "task_type")
    return EmbedRequest(
        inputs=read_inputs(members.get("input")), dimensions=integer(members, "dimensions", "$"), task=task, task_name=name,
        kinds=(encoding,), rest=rest_of(members, READ),
    )


def read_inputs(value: object) -> list[Input]:
    if isinstance(value, str):
        return [Input(value)]
    if not isinstance(value, list) or not value:
        wrong("a string or an array of strings with something in it", value, "$.input")
    if isinstance(value[0], int | list):
        refuse_tokens("$.input")
    return [read_input(one, f"$.input[{at}]") for at, one in enumerate(value)]


def write_reply(found: Vectors, request: EmbedRequest) -> bytes:
    """See Caller. A provider that states no usage leaves it at 0, as the member must be there."""
    shown = as_base64 if request.kinds == ("base64",) else as_numbers
    tokens = found.usage.input_tokens if found.usage is not None else 0
    return encode({
        "object": "list",
        "data": [{"object": "embedding", "index": at, "embedding": shown(vector)} for at, vector in enumerate(found.vectors)],
        "model": found.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })


def write_request(request: EmbedRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. It has no word for what the texts are for."""
    written: Json = {"model": asked.model, "input": texts_of(request, asked)}
    if request.dimensions is not None:
        written["dimensions"] = request.dimensions
    if request.kinds == ("base64",):
        written["encoding_format"] = "base64"
    if request.task:
        notes.drop(request.task_name)
    if request.title:
        notes.drop("title")
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


class Item(Struct):
    """One vector. index: of its input, -1 where it is not stated."""

    embedding: Raw
    index: int = -1


class Listed(Struct):
    """A reply of OpenAI's, and of those who have its shape."""

    data: list[Item]
    model: str | None = None
    usage: object = None


_decoder = json.Decoder(Listed)


def read_reply(body: bytes, content_type: str, request: EmbedRequest) -> Vectors:
    """See Provider."""
    reply = _decoder.decode(body)
    items = reply.data
    if any(item.index not in (at, -1) for at, item in enumerate(items)):
        items = sorted(items, key=lambda item: item.index)
    vectors = expect_count([item.embedding for item in items], request)
    return Vectors(vectors=vectors, model=reply.model or "", usage=usage_of(reply.usage, "prompt_tokens", "total_tokens"))


CALLER = Caller(read=read_request, write=write_reply, dialect=DIALECT)
PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
