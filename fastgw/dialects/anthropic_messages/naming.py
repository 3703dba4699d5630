"""Names and ids of tools as the Messages API takes them, and the names of tools that stand for something else.

A name is 1 to 128 of a-z, A-Z, 0-9, _ and -. Other characters (Gemini's dots and colons) travel as _x2e_, their code in hexadecimal,
and are put back in what the model answers. Two kinds of tool have reserved names, by which the way back knows them:

fastgw_output_NAME   the answer in the form of a schema, where the platform has no structured outputs: its arguments are the answer's text
fastgw_text_NAME     a tool that takes free text (OpenAI's custom tools): the text is its one argument, `input`
"""

import re
from zlib import crc32

from fastgw.errors import error

MOST_NAME_CHARACTERS = 128
OUTPUT_PREFIX = "fastgw_output_"
TEXT_PREFIX = "fastgw_text_"

_fits = re.compile(r"[a-zA-Z0-9_-]+").fullmatch
_other_character = re.compile(r"[^a-zA-Z0-9_-]")
_escaped = re.compile(r"_x([0-9a-f]{2,6})_")


def written_name(name: str, path: str) -> str:
    """The name of a tool as Anthropic takes it. raises InvalidRequest where it is too long"""
    if not _fits(name):
        name = _other_character.sub(lambda found: f"_x{ord(found[0]):02x}_", name)
    if not 0 < len(name) <= MOST_NAME_CHARACTERS:
        said = f"expected a tool's name of 1 to {MOST_NAME_CHARACTERS} characters, got {len(name)} at {path}"
        raise error("InvalidRequest", said, param=path)
    return name


def read_name(name: str) -> str:
    """The name that the caller gave, of a name in a reply."""
    return _escaped.sub(_unescaped, name) if "_x" in name else name


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    character = chr(code) if code <= 0x10FFFF else "_"
    return found[0] if _fits(character) else character


def written_id(call_id: str) -> str:
    """An id that Anthropic takes; the same for the same id, and another for another."""
    if _fits(call_id):
        return call_id
    return f"{_other_character.sub('_', call_id)}_{crc32(call_id.encode('utf-8', 'surrogatepass')):08x}"
