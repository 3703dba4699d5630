"""Pictures of words: what the shapes have in common, and that of callers, OpenAI's /v1/images/generations."""

import math
import re
import time
from collections.abc import Iterable

from msgspec import Struct

from fastgw.dialects.canonical import Usage
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.reading import Json, flag, integer, required_text, text, unknown
from fastgw.dialects.shapes.translation import JSON, SSE, Caller, Found, an_object_of, encode, events, rest_of

READ = frozenset({"model", "prompt", "n", "size", "response_format", "output_format", "output_compression", "stream", "partial_images"})
SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
FORMATS = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
NEAR = 0.05  # a ratio as much beside the one asked for is that one to the eye: 1792x1024 is 16:9


class ImageRequest(Struct, kw_only=True):
    """What is to be seen. width, height: pixels, 0 where the provider may choose; format: "" likewise; compression: 0 to 100."""

    prompt: str
    count: int = 1
    width: int = 0
    height: int = 0
    format: str = ""
    compression: int | None = None
    by_url: bool = False
    stream: bool = False
    rest: Json = {}


class Picture(Struct):
    """One picture. content: base64; prompt: the words that the provider made of the caller's."""

    content: str
    media_type: str = "image/png"
    prompt: str = ""


class Pictures(Found):
    """What was made."""

    pictures: list[Picture]


def read_request(body: bytes, content_type: bytes) -> ImageRequest:
    """See Caller."""
    members = an_object_of(body)
    size = text(members, "size", "$")
    found = SIZE.fullmatch(size)
    if found is None and size not in ("", "auto"):
        unknown("WIDTHxHEIGHT or auto", size, "$.size")
    format_ = text(members, "output_format", "$")
    if format_ and format_ not in FORMATS:
        unknown("png, jpeg or webp", format_, "$.output_format")
    return ImageRequest(
        prompt=required_text(members, "prompt", "$"), count=integer(members, "n", "$") or 1, width=int(found[1]) if found else 0,
        height=int(found[2]) if found else 0, format=format_, compression=integer(members, "output_compression", "$"),
        by_url=text(members, "response_format", "$") == "url", stream=flag(members, "stream", "$") or False, rest=rest_of(members, READ),
    )


def nearest_ratio(request: ImageRequest, ratios: Iterable[str], notes: Notes) -> str:
    """Of the ratios that a provider has, "16:9", the one most like the size that is asked for; "" where none is asked for."""
    if not request.width:
        return ""
    asked = request.width / request.height

    def distance(ratio: str) -> float:
        width, _, height = ratio.partition(":")
        return abs(math.log(asked * int(height) / int(width)))

    found = min(ratios, key=distance)
    if distance(found) > NEAR:
        notes.drop("size")
    return found


def one_picture(request: ImageRequest, notes: Notes) -> None:
    """The provider makes one a call."""
    if request.count > 1:
        notes.drop("n")


def write_reply(found: Pictures, request: ImageRequest) -> bytes:
    """See Caller. Who asks for URLs gets data: URLs, as the gateway keeps no pictures."""
    if not found.pictures:
        raise ValueError("expected a picture, got none")
    created = int(time.time())
    if request.stream:
        return events(*(
            {"type": "image_generation.completed", "b64_json": one.content, "created_at": created, "output_format": format_of(one),
             "size": f"{request.width}x{request.height}" if request.width else "auto", "quality": "auto", "background": "auto",
             "usage": write_usage(found.usage or Usage())}
            for one in found.pictures))
    shown: list[Json] = []
    for one in found.pictures:
        shown.append({"url": f"data:{one.media_type};base64,{one.content}"} if request.by_url else {"b64_json": one.content})
        if one.prompt:
            shown[-1]["revised_prompt"] = one.prompt
    written: Json = {"created": created, "data": shown, "output_format": format_of(found.pictures[0])}
    if found.usage is not None:
        written["usage"] = write_usage(found.usage)
    return encode(written)


def format_of(picture: Picture) -> str:
    return picture.media_type.partition("/")[2]


def write_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {"text_tokens": usage.input_tokens, "image_tokens": 0},
    }


def content_type(request: ImageRequest) -> str:
    """See Caller."""
    return SSE if request.stream else JSON


CALLER = Caller(read=read_request, write=write_reply, content_type=content_type, dialect=DIALECT)
