"""What a configuration offers: its aliases, the integrations that serve a model, and a card for every name that callers see."""

from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import structs

from fastgw._core.price import PriceRow
from fastgw.meter.cards import Card, Cards
from fastgw.meter.catalog import Catalog
from fastgw.meter.details import Details
from fastgw.snapshot.config import Config
from fastgw.snapshot.load import price_row


def leaves(node: object) -> Iterator[tuple[str, str]]:
    """The (integration, model) that an alias leads to, in order; a target may hold targets itself."""
    for target in getattr(node, "targets", ()):
        yield from leaves(target)
    integration = getattr(node, "integration", None)
    if integration is not None:
        yield integration, getattr(node, "model", "")


class Offers:
    """The models of a configuration; cards are made when they are first asked for and kept."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._described: dict[tuple[str, str], Card | None] = {}

    @cached_property
    def cards(self) -> Cards:
        return Cards(self.catalog, Details.load())

    def aliases(self, words: Iterable[str] = ()) -> dict[str, list[str]]:
        """Where each alias leads, as "integration/model"; of those that have all words in their name or where they lead."""
        every = {name: [f"{integration}/{model}" for integration, model in leaves(row)] for name, row in self.config.models.items()}
        return {name: targets for name, targets in every.items() if all(word.lower() in f"{name} {targets}".lower() for word in words)}

    def served(self) -> list[Card]:
        """A card for each model of each integration, also for those of which only the configuration knows."""
        rows = self.config.integrations.values()
        found = {(row.provider, model) for row in rows for model in row.models or self.catalog.names(row.provider)}
        return [self.cards.find(provider, model) or Card(provider, model, PriceRow()) for provider, model in sorted(found)]

    def serving(self, provider: str, model: str) -> list[str]:
        """The integrations that serve a model of a provider: those that state it, and those that state none."""
        rows = self.config.integrations.items()
        return [name for name, row in rows if row.provider == provider and (not row.models or model in row.models)]

    def describe(self, name: str, owner: str) -> Card | None:
        """The card of a name that callers see, served by a provider; an alias has that of the first model there that it leads to.

        Only for names of the configuration and of the table: what was asked for is kept.
        """
        if (name, owner) not in self._described:
            self._described[name, owner] = self._card(name, owner)
        return self._described[name, owner]

    def _card(self, name: str, owner: str) -> Card | None:
        alias = self.config.models.get(name)
        if alias is None:
            return self.cards.find(owner, name)
        own = {name for name, row in self.config.integrations.items() if row.provider == owner}
        models = [model for integration, model in leaves(alias) if integration in own]
        known = self.cards.find(owner, models[0]) if models else None
        card = known or Card(owner, name, PriceRow())
        row = card.row
        if alias.price is not None:
            row = price_row(alias.price, "config", row.context_tokens, row.max_output_tokens)
        context, output = alias.context_tokens or row.context_tokens, alias.max_output_tokens or row.max_output_tokens
        row = PriceRow(row.tiers, row.request_nano_usd, context, output, row.source, row.date)
        return structs.replace(card, row=row)

    def __repr__(self) -> str:
        return f"Offers({len(self.config.models)} aliases, {len(self.config.integrations)} integrations)"
