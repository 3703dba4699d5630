"""What the mock says: the same words in the same order, one a token."""
import itertools

from fastgw.mock.asked import Json, Object

WORDS = ("Hello", "!", " How", " can", " I", " help", " you", " today", "?", " Just")
SENTENCE = (" ask", " me", " anything", ",", " and", " I", " shall", " answer", " so", ".")


def say(count: int) -> list[str]:
    """Return `count` pieces of text."""
    return list(itertools.islice(itertools.chain(WORDS, itertools.cycle(SENTENCE)), count))


def example_of(schema: Json) -> Json:
    """Make a value that fits a JSON schema's types, properties and first enum values."""
    if not isinstance(schema, dict):
        return "mock"
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    kind = schema.get("type")
    name = (kind[0] if kind else "") if isinstance(kind, list) else kind
    if isinstance(name, str):
        name = name.lower()
    if name == "object" or "properties" in schema:
        properties = schema.get("properties")
        return {key: example_of(value) for key, value in properties.items()} if isinstance(properties, dict) else {}
    if name == "array":
        return [example_of(schema.get("items"))]
    plain: Object = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(name, "mock") if isinstance(name, str) else "mock"


def pieces_of(text: str, size: int = 12) -> list[str]:
    """Cut a text into pieces, as a stream does."""
    return [text[at : at + size] for at in range(0, len(text), size)]
