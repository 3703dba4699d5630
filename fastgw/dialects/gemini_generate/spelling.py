"""Gemini's two spellings of member names: servers take camelCase and snake_case, and callers send both."""

from fastgw.dialects.reading import Json, an_object

NAME = "gemini_generate"
# Which proofs of thinking are Gemini's: other dialects that carry them (OpenAI's, as Google speaks it) call them by the first.
SIGNER = "gemini"
SIGNERS = frozenset((SIGNER, NAME))


def camel(value: object, path: str) -> Json:
    """An object with its members' names in camelCase; members of members stay as they are. raises InvalidRequest where it is none"""
    members = an_object(value, path)
    for name in members:
        if "_" in name:
            return {respelled(name): member for name, member in members.items()}
    return members


def respelled(name: str) -> str:
    """A name in camelCase: max_output_tokens is maxOutputTokens."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest) if first else name


def several(value: object) -> list[object]:
    """A repeated member: servers take one value for an array of it."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
