"""All that is known of a model on one card: its price and limits, and what stands beside them."""

from collections.abc import Iterator

from msgspec import Struct

from fastgw._core.price import PriceRow
from fastgw.meter.catalog import Catalog
from fastgw.meter.details import Detail, Details


class Card(Struct, frozen=True):
    """One model of a provider.

    row      price and limits, with the source and the date of the price
    detail   None where models.dev does not have the model
    """

    provider: str
    model: str
    row: PriceRow
    detail: Detail | None = None
    is_deprecated: bool = False

    @property
    def title(self) -> str:
        """What people call it."""
        return (self.detail.title if self.detail else "") or self.model

    @property
    def source(self) -> str:
        """Who says what it costs: "genai-prices 0.2.3", or "config"."""
        return self.row.source.rpartition(" of ")[2]


class Cards:
    """The cards of all models."""

    def __init__(self, catalog: Catalog, details: Details) -> None:
        self.catalog = catalog
        self.details = details

    def find(self, provider: str, model: str) -> Card | None:
        """The card of a model by any name that finds it; None where nothing is known of it."""
        row = self.catalog.find(provider, model)
        shelf, listed = self.catalog.place(provider, model) or ("", "")
        links = self.details.table.links.get(shelf, {})
        detail = self.details.find(provider, filter(None, (model, listed, links.get(listed, ""))))
        if row is None and detail is None:
            return None
        deprecated = self.details.table.deprecated.get(shelf, frozenset())
        is_deprecated = listed.lower() in deprecated or (detail is not None and detail.status == "deprecated")
        return Card(provider, model, row or PriceRow(), detail, is_deprecated)

    def of(self, provider: str) -> Iterator[Card]:
        """The cards of a provider's models, in the table's order."""
        for model in self.catalog.names(provider):
            card = self.find(provider, model)
            if card is not None:
                yield card

    def __iter__(self) -> Iterator[Card]:
        for provider in self.catalog.table.providers:
            yield from self.of(provider)

    def __repr__(self) -> str:
        return f"Cards({self.catalog!r}, {self.details!r})"
