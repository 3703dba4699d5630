"""What models there are: a search in the built-in table of prices, limits and abilities."""

import asyncio
from decimal import Decimal

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.known import unknown
from fastgw.control.api.resource import MOST_LISTED, USUAL_LISTED, read_cursor, write_cursor
from fastgw.control.api.written import Document, refused
from fastgw.meter.cards import Card, Cards
from fastgw.meter.catalog import Catalog
from fastgw.meter.details import Details
from fastgw.meter.listing import RATES, as_object
from fastgw.meter.search import NANO, Wanted, by_name, search
from fastgw.providers.table import ALIASES, PROVIDERS, find_provider


class Catalogue:
    """The endpoint of the search; cards are made once for each day's prices."""

    def __init__(self) -> None:
        self.catalog: Catalog | None = None
        self.cards: list[Card] = []

    def __repr__(self) -> str:
        return f"<Catalogue of {len(self.cards)} models>"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/catalog",
                run=self.find,
                summary="Search the models that are known, with their prices and limits",
                scope="models.list",
                uses="none",
                is_list=True,
                query=("limit", "cursor", "search", "provider", "modality"),
                tag="models",
            )
        ]

    async def find(self, call: Call) -> Answer:
        limit = call.integer("limit", USUAL_LISTED, 1, MOST_LISTED)
        name, provider = call.query.get("provider", ""), find_provider(call.query.get("provider", ""))
        if name and provider is None:
            raise refused([unknown("?provider", "a known provider", name, (*PROVIDERS, *ALIASES))])
        wanted = Wanted(
            words=tuple(call.query.get("search", "").split()),
            provider="" if provider is None else provider.name,
            modality=call.query.get("modality", ""),
        )
        found = await asyncio.to_thread(self.search, call.plane.catalog(), wanted)
        cursor = read_cursor(call.query.get("cursor", ""))
        after, _, model = cursor.partition("/")
        rest = [card for card in found if not cursor or by_name(card) > (after, model)]
        following = write_cursor(f"{rest[limit - 1].provider}/{rest[limit - 1].model.lower()}") if len(rest) > limit else None
        return Answer({"data": [shown(card) for card in rest[:limit]], "next": following, "total": len(found)})

    def search(self, catalog: Catalog, wanted: Wanted) -> list[Card]:
        if self.catalog is not catalog:
            self.cards, self.catalog = list(Cards(catalog, Details.load())), catalog
        return search(self.cards, wanted)


def shown(card: Card) -> Document:
    """A card as the API has it: prices as those that are written, dollars per million tokens; further tiers beside them."""
    tiers: list[Document] = [
        {"above_tokens": tier[0]} | {name: dollars(rate) for name, rate in zip(RATES, tier[1:], strict=True) if rate >= 0}
        for tier in card.row.tiers
    ]
    request: Document = {"request": dollars(card.row.request_nano_usd)} if card.row.request_nano_usd else {}
    price = {name: rate for name, rate in tiers[0].items() if name != "above_tokens"} | request if tiers else None
    return {"id": f"{card.provider}/{card.model}", **as_object(card), "price": price, "tiers": tiers[1:]}


def dollars(nano_usd: int) -> Decimal:
    return Decimal(nano_usd) / NANO
