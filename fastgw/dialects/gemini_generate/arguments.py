"""Arguments and results of functions: objects on Gemini's wire, text in the canonical types; and the ids that calls have nowhere else."""

import re
import secrets

import msgspec

from fastgw.dialects.reading import Json

MADE = re.compile(r"call_\d{1,4}")  # ids that read_request made for calls of a history without any
KEEPS = re.compile(r"[A-Za-z0-9_-]{1,30}")  # so that call_..._99 fits into the 40 characters that OpenAI allows
_decode = msgspec.json.decode
_encode = msgspec.json.encode


def compact(value: object) -> str:
    """JSON without spaces. raises ValueError for what is nested too deeply"""
    try:
        return _encode(value).decode()
    except RecursionError as problem:
        raise ValueError("nested too deeply") from problem


def object_of(text: str) -> Json | None:
    """The object that a text is, {} for no text, None where it is none."""
    if not text:
        return {}
    try:
        found = _decode(text)
    except (ValueError, RecursionError):  # DecodeError is a ValueError
        return None
    return found if isinstance(found, dict) else None


def read_result(response: Json) -> tuple[str, bool]:
    """The words of a functionResponse's response object, and whether it reports an error.

    {"result": "..."} and {"error": "..."}, which Google's clients write, are their words; others are text of JSON.
    """
    if len(response) == 1:
        (name, value), = response.items()
        if name in ("result", "error"):
            plain = isinstance(value, str) and not value.lstrip().startswith("{")
            return (str(value) if plain else compact(response)), name == "error"
    return compact(response), False


def write_result(words: str, is_error: bool) -> Json:
    """The response object for a tool's words: see read_result."""
    whole = object_of(words) if words.lstrip().startswith("{") else None
    if is_error:
        return whole if whole is not None and list(whole) == ["error"] else {"error": words if whole is None else whole}
    return {"result": words} if whole is None else whole


class Ids:
    """Makes ids for the calls of one reply that has none: the same each time it is read, if it has an id of its own; never twice."""

    __slots__ = ("count", "stem")

    def __init__(self, reply_id: str = "") -> None:
        self.stem = reply_id if KEEPS.fullmatch(reply_id) else ""
        self.count = 0

    def __repr__(self) -> str:
        return f"<Ids {self.stem or 'at random'}, {self.count} made>"

    def make(self) -> str:
        """The next one."""
        self.stem = self.stem or secrets.token_hex(12)
        self.count += 1
        return f"call_{self.stem}_{self.count - 1}"
