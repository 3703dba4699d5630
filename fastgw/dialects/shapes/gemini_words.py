"""What the shapes that go by Gemini's generateContent have in common: the request's body, and the media and words of a reply."""

from fastgw.dialects.canonical import Media, Reply, Text
from fastgw.dialects.gemini_generate.reply import read_reply
from fastgw.dialects.reading import Json, an_object
from fastgw.dialects.shapes.translation import Withheld, decode, encode


def write_body(parts: list[Json], settings: Json) -> bytes:
    """The body for one turn."""
    return encode({"contents": [{"role": "user", "parts": parts}], "generationConfig": settings})


def read_body(body: bytes) -> Reply:
    """A reply. raises ValueError"""
    decoded = decode(body)
    if not isinstance(decoded, dict):
        raise ValueError("expected a JSON object")
    return read_reply(an_object(decoded, "$"))


def media_of(reply: Reply) -> list[Media]:
    """The pictures or sounds of a reply. raises Withheld where there are none, as its policy has it"""
    found = [part for choice in reply.choices for part in choice.parts if isinstance(part, Media) and part.data]
    if not found:
        for choice in reply.choices:
            if choice.finish in ("content_filter", "refusal"):
                raise Withheld(choice.raw_finish)
    return found


def words_of(reply: Reply) -> str:
    """The words of a reply."""
    return "".join(part.text for choice in reply.choices for part in choice.parts if isinstance(part, Text))
