"""Vectors of texts and pictures: what the shapes of embeddings have in common.

Numbers are never read where both sides have them alike: a vector is the bytes of its JSON, an array of numbers or, in base64, of
float32 in little-endian order as OpenAI has it. From numbers to base64 each is rounded to float32, which is what providers compute in;
the way back is exact.
"""

import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from typing import NoReturn

import msgspec
from msgspec import Raw, Struct

from fastgw.dialects.canonical import Usage
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, a_text, an_array, an_object, as_count, wrong
from fastgw.dialects.shapes.translation import Found, encode, has_no
from fastgw.dialects.translate import Asked
from fastgw.errors import error

# What a text is for, by every provider's word for it, in lower case.
TASKS: Mapping[str, str] = {
    "query": "query", "search_query": "query", "retrieval.query": "query", "retrieval_query": "query",
    "document": "document", "search_document": "document", "retrieval.passage": "document", "retrieval_document": "document",
    "classification": "classification", "clustering": "clustering", "separation": "clustering",
    "similarity": "similarity", "text-matching": "similarity", "semantic_similarity": "similarity",
    "question_answering": "question", "fact_verification": "verification", "code_retrieval_query": "code", "code.query": "code",
}  # fmt: skip
MEANINGS = frozenset(TASKS.values())
_floats = msgspec.json.Decoder(list[float])
_text = msgspec.json.Decoder(str)


class Input(Struct, frozen=True):
    """One thing to embed: words, a picture (a data: URL, another URL, or base64), or both in one vector."""

    text: str = ""
    image: str = ""


class EmbedRequest(Struct, kw_only=True):
    """What is to be embedded, and how.

    task         one of MEANINGS, or a provider's own word; task_name: how the caller calls it
    title        of a document (Gemini)
    kinds        how the vectors are wanted: float, base64
    lone         the reply is one vector, not a list of them (Gemini's embedContent)
    rest         members that only some providers have, as the caller wrote them
    """

    inputs: list[Input]
    dimensions: int | None = None
    task: str = ""
    task_name: str = "input_type"
    title: str = ""
    kinds: tuple[str, ...] = ("float",)
    lone: bool = False
    rest: Json = {}


class Vectors(Found):
    """A vector for each input, in their order, each the JSON of an array of numbers or of a base64 string."""

    vectors: list[Raw]


def read_task(body: Json, *names: str) -> tuple[str, str]:
    """What the texts are for, by whichever provider's name and word the caller has; and that name."""
    for name in names:
        value = body.get(name)
        if value is not None:
            said = a_text(value, f"$.{name}")
            return TASKS.get(said.lower(), said), name
    return "", names[0]


def read_input(value: object, path: str) -> Input:
    """One input: a string, {"text"} or {"image"} or both (Jina's), a part of a message (OpenAI's), or {"content": parts} (Cohere's)."""
    if isinstance(value, str):
        return Input(value)
    if not isinstance(value, dict):
        wrong("a string or an object", value, path)
    if "content" in value:
        parts = [read_input(part, f"{path}.content[{at}]") for at, part in enumerate(an_array(value["content"], f"{path}.content"))]
        images = [part.image for part in parts if part.image]
        if len(images) > 1:
            raise error("InvalidRequest", f"expected at most one picture in an input, got {len(images)} at {path}", param=path)
        return Input("\n".join(part.text for part in parts if part.text), "".join(images))
    text, image = value.get("text"), value.get("image", value.get("image_url"))
    if isinstance(image, dict):
        image = image.get("url")
    if text is None and image is None:
        wrong("an object with text or image", value, path)
    return Input("" if text is None else a_text(text, f"{path}.text"), "" if image is None else a_text(image, f"{path}.image"))


def refuse_tokens(path: str) -> NoReturn:
    """raises InvalidRequest: token numbers mean something to the one tokenizer only that made them"""
    raise error("InvalidRequest", f"expected text, got token numbers at {path}: only OpenAI's own models can read them, so send the text",
                param=path)


def word_of(request: EmbedRequest, words: Mapping[str, str], notes: Notes, usual: str = "") -> str:
    """The provider's word for what the texts are for: usual where the caller says nothing; "" and noted where it has none."""
    if not request.task:
        return usual
    if request.task in words:
        return words[request.task]
    if request.task in MEANINGS:
        notes.drop(request.task_name)
        return usual
    return request.task


def texts_of(request: EmbedRequest, asked: Asked) -> list[str]:
    """The inputs as texts. raises UnsupportedParameter where one is a picture: no vector may be missing"""
    for at, one in enumerate(request.inputs):
        if one.image:
            has_no("pictures", asked, f"input[{at}]")
    return [one.text for one in request.inputs]


def only_input(request: EmbedRequest, asked: Asked) -> Input:
    """The input of a provider that takes one a call. raises InvalidRequest where there are more"""
    if len(request.inputs) != 1:
        raise error("InvalidRequest", f"expected one input, as {asked.model} of {asked.target or 'the target'} embeds one a call, got "
                    f"{len(request.inputs)} at $.input: send a request for each", param="input")
    return request.inputs[0]


def split_image(image: str) -> tuple[str, str]:
    """The media type and base64 of a picture; "" and the URL where it is somewhere else."""
    if not image.startswith("data:"):
        return ("", image) if "://" in image[:10] else ("image/png", image)
    head, _, content = image[5:].partition(",")
    return head.partition(";")[0], content


def as_numbers(vector: Raw) -> Raw:
    """A vector as an array of numbers."""
    if not is_base64(vector):
        if first_byte(vector) != b"[":
            raise ValueError("expected a vector as an array of numbers or as base64")
        return vector
    packed = a2b_base64(_text.decode(vector))
    if len(packed) % 4:
        raise ValueError(f"expected float32 numbers in base64, got {len(packed)} bytes")
    numbers = encode(struct.unpack(f"<{len(packed) // 4}f", packed))
    if b"null" in numbers:
        raise ValueError("expected finite numbers in base64")
    return Raw(numbers)


def as_base64(vector: Raw) -> Raw:
    """A vector as a string of base64."""
    if is_base64(vector):
        return vector
    numbers = _floats.decode(vector)
    return Raw(b'"%b"' % b2a_base64(struct.pack(f"<{len(numbers)}f", *numbers), newline=False))


def is_base64(vector: Raw) -> bool:
    return first_byte(vector) == b'"'


def first_byte(value: Raw) -> bytes:
    """What a JSON value begins with, which says what it is."""
    return bytes(memoryview(value)[:1])


def expect_count(vectors: list[Raw], request: EmbedRequest) -> list[Raw]:
    """The vectors, if there is one for each input."""
    if len(vectors) != len(request.inputs):
        raise ValueError(f"expected {len(request.inputs)} vectors, got {len(vectors)}")
    return vectors


def usage_of(stated: object, *names: str) -> Usage | None:
    """The tokens of the input, by the first of the names that is stated."""
    if isinstance(stated, dict):
        for name in names:
            if stated.get(name) is not None:
                return Usage(as_count(stated[name]))
    return None


def image_inputs(values: list[object], path: str) -> list[Input]:
    """Pictures that a caller lists by themselves."""
    return [Input(image=a_text(value, f"{path}[{at}]")) for at, value in enumerate(values)]


def objects(values: list[object], path: str) -> list[Json]:
    """An array of objects that a caller wrote."""
    return [an_object(value, f"{path}[{at}]") for at, value in enumerate(values)]
