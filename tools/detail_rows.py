"""Write what models.dev says of models beside their price, as compact rows: what they take and give, what they can, since when."""

from collections.abc import Mapping, Sequence

from genai_prices.types import ModelInfo

from fastgw.meter.details import ABILITIES, MODALITIES
from tools.models_dev import Entries, Entry, text, words

Row = list[str]

# Its words for what ABILITIES has letters for.
STATED = {"tool_call": "tools", "reasoning": "reasoning", "structured_output": "structured_output", "attachment": "attachment"}


def letters(letter_of: Mapping[str, str], found: Sequence[str]) -> str:
    """Words as letters, in the order of the alphabet that stands for them."""
    return "".join(letter for letter, word in letter_of.items() if word in found)


def detail_row(name: str, entry: Entry) -> Row:
    """The row of a model; its members as `fastgw.meter.details.Detail` has them, without the empty ones at the end."""
    can = [word for stated, word in STATED.items() if entry.get(stated) is True]
    title, released, updated = text(entry, "name"), text(entry, "release_date"), text(entry, "last_updated")
    row = [
        name,
        "" if title == name else title,
        letters(MODALITIES, words(entry, "input")),
        letters(MODALITIES, words(entry, "output")),
        letters(ABILITIES, can),
        released,
        "" if updated == released else updated,
        text(entry, "knowledge"),
        text(entry, "status"),
    ]
    while not row[-1]:
        row.pop()
    return row


def detail_rows(listed: Mapping[str, Entries], used: Sequence[str]) -> dict[str, list[Row]]:
    """The rows of each provider of models.dev that one of ours is called at."""
    return {name: [detail_row(model, entry) for model, entry in listed[name].items()] for name in used}


def deprecated_of(models: Mapping[tuple[str, str], ModelInfo]) -> dict[str, list[str]]:
    """The models that genai-prices calls deprecated, in lower case, by shelf."""
    found: dict[str, list[str]] = {}
    for (shelf, name), model in models.items():
        if model.deprecated:
            found.setdefault(shelf, []).append(name)
    return found
