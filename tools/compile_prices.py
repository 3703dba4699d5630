"""Compile what is known of models: `genai-prices` for prices, models.dev for limits, details and what only it knows.

Run: python -m tools.compile_prices [PATH]

Two compact JSON files come out, both laid out in `fastgw.meter`: PATH (prices.json, see shelf.py) with what the request path needs, and
models.json beside it (see details.py) with the rest. Where the sources price a model differently is written to build/price-conflicts.txt.

The order in which a provider's shelves are asked is the order of trust: its own in genai-prices, then what models.dev says of this very
provider, then the makers whose models it sells. What models.dev says is left out where the provider's own shelf knows the model, and where
a maker asks the same for plain input and output, since genai-prices knows more kinds of price.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

from genai_prices.data import providers as PRICED
from genai_prices.types import ModelInfo
from msgspec import Raw, structs

from fastgw.meter.details import Conflict
from fastgw.meter.shelf import MODELS_DEV, Shelves
from fastgw.providers.row import Provider
from fastgw.providers.table import ROWS
from tools.conflicts import conflicts_of, is_same_offer, report, summary
from tools.detail_rows import deprecated_of, detail_rows
from tools.genai_rows import Json, Prices, is_rough, period_of, row_of, spans_of, stated_in
from tools.models_dev import Entry, ids_of, limits_of, member, prices_of, read_models_dev, text

ROOT = Path(__file__).parent.parent
DEFAULT_PATH = ROOT / "fastgw" / "meter" / "prices.json"
REPORT_PATH = ROOT / "build" / "price-conflicts.txt"

# Models that the source lists for a provider but its own API does not serve (Google's are sold by Vertex AI).
LEFT_OUT = {"google": ("claude", "anthropic")}


def shelf_of(models_dev_id: str) -> str:
    """What the shelf of a provider of models.dev is called."""
    return f"{MODELS_DEV}{models_dev_id}"


class Merge:
    """Both sources brought together.

    listed      what models.dev has
    ids         our name to its names at models.dev
    models      shelf of genai-prices and lower-case name to the model
    rows        shelf to rows of the table
    links       shelf of genai-prices to its models by their name at models.dev, where that is another
    conflicts   where they differ, by provider, model, kind of token and tier
    doubtful    prices of models.dev that are not believed
    """

    def __init__(self, today: date) -> None:
        self.today = today
        self.listed = read_models_dev()
        self.ids = {row.name: ids_of(row, self.listed) for row in ROWS}
        self.models: dict[tuple[str, str], ModelInfo] = {}
        self.rows: dict[str, list[list[Json]]] = {}
        self.links: dict[str, dict[str, str]] = {}
        self.conflicts: dict[tuple[str, str, str, int], Conflict] = {}
        self.doubtful: list[str] = []
        self._take_genai()
        self._shelves = Shelves({name: Raw(encoded(rows)) for name, rows in self.rows.items()})
        self._take_models_dev()

    def homes(self, shelf: str) -> tuple[str, ...]:
        """The names at models.dev of the provider that a shelf of genai-prices is about."""
        row = next((row for row in ROWS if row.catalog_ids[:1] == (shelf,)), None)
        return () if row is None else self.ids[row.name]

    def order(self, row: Provider) -> list[str]:
        """The shelves that are asked for a provider's models."""
        dev = [name for one in self.ids[row.name] if (name := shelf_of(one)) in self.rows]
        return [*row.catalog_ids[:1], *dev, *row.catalog_ids[1:]]

    def lists(self, row: Provider) -> list[str]:
        """The lists of models.dev that are asked for a provider's details: its own, then those of the makers whose models it sells."""
        makers = (home for name in row.catalog_ids for home in self.homes(name))
        return list(dict.fromkeys([*self.ids[row.name], *makers]))

    def details(self) -> dict[str, object]:
        """What stands in models.json."""
        return {
            "providers": {row.name: lists for row in ROWS if (lists := self.lists(row))},
            "rows": detail_rows(self.listed, self.used()),
            "links": self.links,
            "deprecated": deprecated_of(self.models),
            "conflicts": [structs.astuple(one) for one in self.conflicts.values()],
        }

    def used(self) -> list[str]:
        """The providers of models.dev that one of ours is called at."""
        return sorted({home for homes in self.ids.values() for home in homes})

    def _take_genai(self) -> None:
        used = {name for row in ROWS for name in row.catalog_ids}
        for provider in PRICED:
            if provider.id not in used:
                continue
            left_out = LEFT_OUT.get(provider.id, ())
            known = {name.lower(): limits_of(entry) for home in self.homes(provider.id) for name, entry in self.listed[home].items()}
            rows = self.rows[provider.id] = []
            for model in provider.models:
                if left_out and model.id.startswith(left_out):
                    continue
                self.models.setdefault((provider.id, model.id.lower()), model)
                rows.append(row_of(model, limits_known(model, known), self.today))

    def _take_models_dev(self) -> None:
        wanted: dict[str, dict[str, Entry]] = {}
        for row in ROWS:
            for home in self.ids[row.name]:
                for name, entry in self.listed[home].items():
                    if not self._knows(row, home, name, entry):
                        wanted.setdefault(home, {})[name] = entry
        for home, entries in wanted.items():
            self.rows[shelf_of(home)] = [dev_row(name, entry) for name, entry in entries.items()]
        self.doubtful = [
            f"{home}/{name}"
            for home in self.used()
            for name, entry in self.listed[home].items()
            if member(entry, "cost") and prices_of(name, entry) is None
        ]

    def _knows(self, row: Provider, home: str, name: str, entry: Entry) -> bool:
        """Whether genai-prices says enough of a model; differences are written down."""
        own, makers = row.catalog_ids[:1], row.catalog_ids[1:]
        found = self._shelves.find(own, name.lower())
        is_own = found is not None
        found = found or self._shelves.find(makers, name.lower())
        if found is None:
            return False
        shelf, known = found
        if is_own and known.model.lower() != name.lower():
            self._link(shelf, known.model, name, entry)
        theirs = prices_of(name, entry)
        if not theirs:
            return True
        prices = spans_of(self.models[shelf, known.model.lower()], self.today)[0][1]
        sources = (f"{shelf}/{known.model}", prices), (f"{shelf_of(home)}/{name}", theirs)
        is_known = is_own or (bool(stated_in(prices)) and is_same_offer(prices, theirs))
        for one in conflicts_of(row.name, name, *(sources if is_known else sources[::-1])):
            self.conflicts.setdefault((one.provider, one.model, one.kind, one.above_tokens), one)
        return is_known

    def _link(self, shelf: str, model: str, name: str, entry: Entry) -> None:
        """Of several names at models.dev that a rule matches, the latest model's stands for a row whose own name is not there."""
        entries = {theirs.lower(): one for home in self.homes(shelf) for theirs, one in self.listed[home].items()}
        links = self.links.setdefault(shelf, {})
        before = entries.get(links.get(model, "").lower(), {})
        if model.lower() not in entries and name.lower() in entries and text(before, "release_date") <= text(entry, "release_date"):
            links[model] = name


def limits_known(model: ModelInfo, known: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Limits of the model of that name, else the greatest of those that its rule matches, else the price table's."""
    found = [known[model.id.lower()]] if model.id.lower() in known else []
    found = found or [limits for name, limits in known.items() if model.is_match(name)]
    context = max((limits[0] for limits in found), default=0) or model.context_window or 0
    return context, max((limits[1] for limits in found), default=0)


def dev_row(name: str, entry: Entry) -> list[Json]:
    """The row of a model that only models.dev knows."""
    prices: Prices | None = prices_of(name, entry)
    period: Json = ["", []] if prices is None else period_of("", prices, is_free=not prices)
    row: list[Json] = [name, [period], *limits_of(entry), text(entry, "last_updated")]
    return [*row, None, True] if prices and is_rough(prices) else row


def encoded(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def check_rules(rows: Iterable[list[Json]]) -> None:
    """Fail at build time where a regular expression would fail at run time."""
    for pattern in re.findall(r'\["/", ("(?:[^"\\]|\\.)*")\]', json.dumps(list(rows))):
        re.compile(json.loads(pattern))


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)


def compile_prices(path: Path | str = DEFAULT_PATH, today: date | None = None, report_path: Path | None = None) -> Merge:
    """Write the table to `path`, its details beside it, and where the sources differ to `report_path`."""
    today = today or datetime.now(UTC).date()
    merge = Merge(today)
    for rows in merge.rows.values():
        check_rules(rows)
    packages = ("genai-prices", "models-dev") if merge.listed else ("genai-prices",)
    head = {"built": str(today), "sources": {name: metadata.version(name) for name in packages}}
    target = Path(path)
    replace(target.with_name("models.json"), encoded(head | merge.details()))
    replace(target, encoded(head | {"providers": {row.name: merge.order(row) for row in ROWS}, "rows": merge.rows}))
    if report_path is not None:
        conflicts = tuple(merge.conflicts.values())
        replace(report_path, report(conflicts, merge.doubtful).encode())
        print(f"{summary(conflicts, merge.doubtful)}: see {report_path}", file=sys.stderr)
    return merge


if __name__ == "__main__":
    compile_prices(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PATH, report_path=REPORT_PATH)
