"""The compiled price table: its rows, and how a name finds one by equality or by the table's matching rules.

A name is looked for by equality first, then by the rules in their order. The file keeps each source's list of a provider as one
piece of JSON, which is decoded when that provider is first asked for. Nothing here needs the kernels: the table is built with it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

import msgspec

MODELS_DEV: Final = "models.dev/"  # begins the names of its shelves
NO_RULE: Final = msgspec.Raw(b"null")
COMPACT_DATE: Final = re.compile(r"(?<=[-@])(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")


class Period(msgspec.Struct, frozen=True, array_like=True):
    """A price from a day on; "" where the source states no first day. Without tiers it is unknown.

    tiers   rates as the kernel has them; what is left out at the end is -1
    """

    start: str
    tiers: tuple[tuple[int, ...], ...]
    request_nano_usd: int = 0


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One model of the compiled table.

    periods  the price in force when the table was built, then those announced for later days
    date     when the source last looked at the model; "" where it does not say: then the day on which the table was built
    rule     null where the name matches only itself, else [sign, text or rules]
    rough    the source prices kinds of token that a usage does not show
    """

    model: str
    periods: tuple[Period, ...]
    context_tokens: int = 0
    max_output_tokens: int = 0
    date: str = ""
    rule: msgspec.Raw = NO_RULE
    rough: bool = False


class Table(msgspec.Struct, frozen=True):
    """The compiled file.

    sources    package to version
    providers  our name to shelves, in the order of asking
    rows       shelf to its rows as JSON; a shelf of models.dev is called "models.dev/NAME", the others are of genai-prices
    """

    built: str
    sources: dict[str, str]
    providers: dict[str, tuple[str, ...]]
    rows: dict[str, msgspec.Raw]


Predicate = Callable[[str], bool]
ROWS: Final = msgspec.json.Decoder(tuple[Row, ...])


def map_file(path: Path, builder: str) -> mmap:
    """A compiled file as memory that all workers share; the build replaces such a file, it never writes into one.

    raises  FileNotFoundError where it was not built
    """
    try:
        with path.open("rb") as file:
            return mmap(file.fileno(), 0, access=ACCESS_READ)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"expected a table at {path}: build it with python -m {builder}") from error


def predicate_of(rule: Sequence[object]) -> Predicate:
    """Compile a rule to a predicate of a lower-case name."""
    sign, argument = rule
    if isinstance(argument, list):
        tests = [predicate_of(part) for part in argument]
        if sign == "|":
            return lambda name: any(test(name) for test in tests)
        return lambda name: all(test(name) for test in tests)
    text = str(argument)
    if sign == "=":
        return text.__eq__
    if sign == "^":
        return lambda name: name.startswith(text)
    if sign == "$":
        return lambda name: name.endswith(text)
    if sign == "~":
        return lambda name: text in name
    pattern = re.compile(text)
    return lambda name: pattern.search(name) is not None


def spellings(name: str) -> Iterator[str]:
    """A lower-case name, and with its compact date spelled out where it has one (20251211 as 2025-12-11)."""
    yield name
    if (dashed := COMPACT_DATE.sub(r"\1-\2-\3", name)) != name:
        yield dashed


class Shelf:
    """The rows that one source has of one provider."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.by_name: dict[str, Row] = {}
        self.tests: list[tuple[Predicate, Row]] = []
        for row in rows:
            # The first of two rows of one name wins, as it does in the order of the rules.
            self.by_name.setdefault(row.model.lower(), row)
            if row.rule is not NO_RULE and (rule := msgspec.json.decode(row.rule)) is not None:
                self.tests.append((predicate_of(rule), row))

    def find(self, name: str) -> Row | None:
        known = self.by_name.get(name)
        if known is not None:
            return known
        return next((row for test, row in self.tests if test(name)), None)

    def __repr__(self) -> str:
        return f"Shelf({len(self.by_name)} models)"


class Shelves:
    """The shelves of a table, each made ready when it is first asked for."""

    def __init__(self, rows: Mapping[str, msgspec.Raw]) -> None:
        self._rows = rows
        self._ready: dict[str, Shelf] = {}

    def __getitem__(self, name: str) -> Shelf:
        shelf = self._ready.get(name)
        if shelf is None:
            rows = ROWS.decode(self._rows[name]) if name in self._rows else ()
            shelf = self._ready[name] = Shelf(rows)
        return shelf

    def find(self, names: Sequence[str], model: str) -> tuple[str, Row] | None:
        """The first row of a lower-case name in these shelves, by each spelling in turn, with the shelf's name."""
        for spelling in spellings(model):
            for name in names:
                row = self[name].find(spelling)
                if row is not None:
                    return name, row
        return None

    def __repr__(self) -> str:
        return f"Shelves({len(self._ready)} of {len(self._rows)} ready)"
