"""Prices: what a provider's model costs, instead of what the built-in table says."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from fastgw.control.api.call import Call
from fastgw.control.api.filed import filed_rows
from fastgw.control.api.known import unknown
from fastgw.control.api.resource import Resource, Shown, Stored
from fastgw.control.api.written import Document, refused
from fastgw.control.store.tables import PRICES
from fastgw.providers.table import ALIASES, PROVIDERS, find_provider
from fastgw.snapshot.config import Price
from fastgw.snapshot.section import UpstreamModel


class PriceWritten(Price, frozen=True, kw_only=True):
    """What administrators write of a price: dollars per million tokens."""

    provider: Annotated[str, Meta(description="a row of docs/providers.md")]
    model: Annotated[UpstreamModel, Meta(description="the provider's name of the model")]


class PriceShown(Shown, kw_only=True):
    """What is answered beside it. name: "PROVIDER/MODEL", which paths know it by"""

    name: str
    source: Literal["store", "file"]


class Prices(Resource):
    name, noun, table, scopes, by, spelt = "prices", "price", PRICES, "prices", "name", ":path"
    written, shown = PriceWritten, PriceShown
    touches, frozen = ("config",), ("provider", "model")

    def filed(self, call: Call) -> list[Document]:
        file = call.plane.file
        rows = filed_rows(call, self.by, {} if file is None else file.prices)
        return [row | {"provider": name[0], "model": name[2]} for row in rows for name in (str(row["name"]).partition("/"),)]

    async def complete(self, call: Call, document: Document, before: Stored | None) -> Document:
        """Providers go by the names of their rows, so that two spellings are not two prices."""
        row = find_provider(str(document.get("provider", "")))
        return document if row is None else document | {"provider": row.name}

    async def columns(self, call: Call, written: PriceWritten, before: Stored | None) -> dict[str, object]:
        if written.provider not in PROVIDERS:
            raise refused([unknown("$.provider", "a known provider", written.provider, (*PROVIDERS, *ALIASES))])
        # names of models are the same in whatever case
        return {"name": f"{written.provider}/{written.model.lower()}"}

    async def find(self, call: Call, verb: str, name: str | None = None) -> Stored:
        provider, slash, model = (call.path[self.noun] if name is None else name).partition("/")
        row = find_provider(provider)
        return await super().find(call, verb, f"{provider if row is None else row.name}{slash}{model.lower()}")

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        return [{"name": row["name"], "source": "store"} for row in rows]
