"""What is known of models beside price and limits: what they take and give, what they can do, since when there is one.

The compiled models.json beside this file, which the request path never reads. A model is looked for under the names it is given, in
turn, in each list that models.dev has of its provider; a list is decoded when that provider is first asked for.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from fastgw.meter.shelf import map_file, spellings

PATH: Final = Path(__file__).with_name("models.json")
MODALITIES: Final = MappingProxyType({"t": "text", "i": "image", "a": "audio", "v": "video", "p": "pdf"})
ABILITIES: Final = MappingProxyType({"t": "tools", "r": "reasoning", "s": "structured_output", "a": "attachment"})


class Detail(msgspec.Struct, frozen=True, array_like=True):
    """One model of models.dev.

    title      what people call it; "" where that is its name
    takes, gives   letters of MODALITIES
    can        letters of ABILITIES; what is not there is not stated
    released, updated, knowledge   days or months as the source has them; "" unknown, updated "" on the day of its release
    status     "", "alpha", "beta" or "deprecated"
    """

    model: str
    title: str = ""
    takes: str = ""
    gives: str = ""
    can: str = ""
    released: str = ""
    updated: str = ""
    knowledge: str = ""
    status: str = ""

    @property
    def inputs(self) -> list[str]:
        return [MODALITIES[letter] for letter in self.takes]

    @property
    def outputs(self) -> list[str]:
        return [MODALITIES[letter] for letter in self.gives]

    @property
    def abilities(self) -> list[str]:
        return [ABILITIES[letter] for letter in self.can]


class Conflict(msgspec.Struct, frozen=True, array_like=True):
    """A price on which the sources are more than 1 % apart; the first is charged.

    used, other    the sources, as SHELF/MODEL
    kind           which tokens: input, output, cache_read, ...
    above_tokens   for requests with more input than this
    used_nano_usd, other_nano_usd   per million tokens
    """

    provider: str
    model: str
    used: str
    other: str
    kind: str
    above_tokens: int
    used_nano_usd: int
    other_nano_usd: int


class DetailTable(msgspec.Struct, frozen=True):
    """The compiled file.

    sources     package to version
    providers   our name to its lists at models.dev, in the order of asking
    rows        list to its details as JSON
    links       shelf of the price table to its models by their name at models.dev, where that is another
    deprecated  shelf of the price table to the models that it calls so, in lower case
    """

    built: str
    sources: dict[str, str]
    providers: dict[str, tuple[str, ...]]
    rows: dict[str, msgspec.Raw]
    links: dict[str, dict[str, str]]
    deprecated: dict[str, frozenset[str]]
    conflicts: msgspec.Raw


DETAILS: Final = msgspec.json.Decoder(tuple[Detail, ...])
CONFLICTS: Final = msgspec.json.Decoder(tuple[Conflict, ...])


class Details:
    """The details of models by provider and name."""

    def __init__(self, table: DetailTable) -> None:
        self.table = table
        self._lists: dict[str, Mapping[str, Detail]] = {}

    @classmethod
    def load(cls, path: Path = PATH) -> "Details":
        """Read the compiled table.

        raises  FileNotFoundError where it was not built
        """
        return cls(msgspec.json.decode(map_file(path, "tools.compile_prices"), type=DetailTable))

    def find(self, provider: str, names: Iterable[str]) -> Detail | None:
        """The detail of the first of these names that one of the provider's lists has."""
        lists = self.table.providers.get(provider, ())
        for name in names:
            for spelling in spellings(name.lower()):
                for one in lists:
                    found = self._list(one).get(spelling)
                    if found is not None:
                        return found
        return None

    def conflicts(self) -> tuple[Conflict, ...]:
        """Where the sources of prices differ by more than 1 %."""
        return CONFLICTS.decode(self.table.conflicts)

    def _list(self, name: str) -> Mapping[str, Detail]:
        if name not in self._lists:
            rows = DETAILS.decode(self.table.rows[name]) if name in self.table.rows else ()
            self._lists[name] = {row.model.lower(): row for row in reversed(rows)}
        return self._lists[name]

    def __repr__(self) -> str:
        return f"Details(built {self.table.built}, {len(self._lists)} of {len(self.table.rows)} lists ready)"
