"""Look up what a provider's model costs and how much it takes, by name and by the price table's matching rules.

The table is the compiled prices.json beside this file. Names of providers are those of the config. A name is looked for
by equality first, then by the rules in their order, then with a compact date spelled out (20251211 as 2025-12-11).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

import msgspec

from fastgw._core.price import PriceRow

PATH = Path(__file__).with_name("prices.json")
CACHED_NAMES = 4096  # callers choose the names, so what is remembered of them is bounded
COMPACT_DATE = re.compile(r"(?<=[-@])(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")


class Period(msgspec.Struct, frozen=True, array_like=True):
    """A price from a day on; "" where the source states no first day. Without tiers it is unknown."""

    start: str
    tiers: tuple[tuple[int, ...], ...]
    request_nano_usd: int


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One model of the compiled table.

    rule     None where the name matches only itself, else [sign, text or rules]
    periods  the price in force when the table was built, then those announced for later days
    rough    the source prices kinds of token that a usage does not show
    """

    model: str
    rule: msgspec.Raw
    periods: tuple[Period, ...]
    context_tokens: int
    max_output_tokens: int
    rough: bool


class Table(msgspec.Struct, frozen=True):
    """The compiled file."""

    built: str
    sources: dict[str, str]
    providers: dict[str, tuple[str, ...]]
    rows: dict[str, tuple[Row, ...]]


class Match(msgspec.Struct, frozen=True):
    """One result of a search."""

    provider: str
    model: str
    row: PriceRow


Predicate = Callable[[str], bool]


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


class Shelf:
    """The rows of one of the table's providers, made ready when first asked for."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.by_name: dict[str, Row] = {}
        self.tests: list[tuple[Predicate, Row]] = []
        for row in rows:
            # The first of two rows of one name wins, as it does in the order of the rules.
            self.by_name.setdefault(row.model.lower(), row)
            rule = msgspec.json.decode(row.rule)
            if rule is not None:
                self.tests.append((predicate_of(rule), row))

    def find(self, name: str) -> Row | None:
        known = self.by_name.get(name)
        if known is not None:
            return known
        return next((row for test, row in self.tests if test(name)), None)

    def __repr__(self) -> str:
        return f"Shelf({len(self.by_name)} models)"


class Catalog:
    """Prices and limits by provider and model, with the config's own rows before the table's."""

    def __init__(self, table: Table, today: date | None = None) -> None:
        self.table = table
        self.today = str(today or datetime.now(UTC).date())
        self._shelves: dict[str, Shelf] = {}
        self._overrides: dict[tuple[str, str], PriceRow] = {}
        self._find = lru_cache(CACHED_NAMES)(self._search)

    @classmethod
    def load(cls, path: Path = PATH, today: date | None = None) -> "Catalog":
        """Read the compiled table; prices are those of `today` (UTC), so load again to see a later day's.

        raises  FileNotFoundError where the table was not built
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"expected a price table at {path}: build it with python -m tools.compile_prices"
            ) from error
        return cls(msgspec.json.decode(content, type=Table), today)

    def copy(self, today: date | None = None) -> "Catalog":
        """The same table without overrides, as of today: for each configuration its own."""
        catalog = Catalog(self.table, today)
        catalog._shelves = self._shelves
        return catalog

    def find(self, provider: str, model: str) -> PriceRow | None:
        """The row of a model; None where it is unknown. A row may have an unknown price and known limits."""
        return self._find(provider, model)

    def serves(self, provider: str, model: str) -> bool:
        """Whether the table or the config knows this model of the provider."""
        return self._find(provider, model) is not None

    def names(self, provider: str) -> list[str]:
        """The models that the table has of a provider, in the table's order."""
        return [row.model for table in self.table.providers.get(provider, ()) for row in self.table.rows.get(table, ())]

    def override(self, provider: str, model: str, row: PriceRow) -> None:
        """Put a row before the table's; limits that it leaves at 0 stay the table's."""
        known = self.find(provider, model)
        if known is not None and not (row.context_tokens and row.max_output_tokens):
            row = PriceRow(
                row.tiers,
                row.request_nano_usd,
                row.context_tokens or known.context_tokens,
                row.max_output_tokens or known.max_output_tokens,
                row.source,
                row.date,
            )
        self._overrides[provider, model.lower()] = row
        self._find.cache_clear()

    def matches(self, word: str) -> Iterator[Match]:
        """All models whose name contains the word, by provider and name, for a search."""
        word = word.lower()
        names = {key for key in self._overrides if word in key[1]}
        for provider, tables in self.table.providers.items():
            rows = (row for table in tables for row in self.table.rows.get(table, ()))
            names.update((provider, row.model.lower()) for row in rows if word in row.model.lower())
        for provider, model in sorted(names):
            row = self.find(provider, model)
            if row is not None:
                yield Match(provider, model, row)

    def _search(self, provider: str, model: str) -> PriceRow | None:
        name = model.lower()
        override = self._overrides.get((provider, name))
        if override is not None:
            return override
        dashed = COMPACT_DATE.sub(r"\1-\2-\3", name)
        for spelling in dict.fromkeys((name, dashed)):
            for table in self.table.providers.get(provider, ()):
                row = self._shelf(table).find(spelling)
                if row is not None:
                    return self._priced(table, row)
        return None

    def _shelf(self, table: str) -> Shelf:
        if table not in self._shelves:
            self._shelves[table] = Shelf(self.table.rows.get(table, ()))
        return self._shelves[table]

    def _priced(self, table: str, row: Row) -> PriceRow:
        period = row.periods[0]
        for later in row.periods[1:]:
            if later.start <= self.today:
                period = later
        sources = " ".join(f"{name} {version}" for name, version in self.table.sources.items())
        return PriceRow(
            period.tiers,
            period.request_nano_usd,
            row.context_tokens,
            row.max_output_tokens,
            f"{table}/{row.model} of {sources}{' (rough)' if row.rough else ''}",
            max(period.start, self.table.built),
        )

    def __repr__(self) -> str:
        return f"Catalog(built {self.table.built}, {len(self._overrides)} overrides)"
