"""Models: names that callers use, and where each leads."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta
from sqlalchemy import ColumnElement

from fastgw.control.api.call import Call
from fastgw.control.api.filed import filed_rows
from fastgw.control.api.known import known_in
from fastgw.control.api.problem import Fault
from fastgw.control.api.resource import Resource, Shown, Stored, within_or_shared
from fastgw.control.api.sharing import refuse_listed
from fastgw.control.api.written import Document, path_in, refused
from fastgw.control.store.tables import MODELS
from fastgw.route.check import objections_to
from fastgw.snapshot.config import Model, Name
from fastgw.snapshot.names import nearest


class ModelWritten(Model, frozen=True, kw_only=True):
    """What administrators write of a model: all that the configuration file knows."""

    name: Annotated[Name, Meta(description="what callers call it")]


class ModelShown(Shown, kw_only=True):
    """What is answered beside it."""

    source: Literal["store", "file"]


class Models(Resource):
    name, noun, table, scopes, by, spelt = "models", "model", MODELS, "models", "name", ":path"
    written, shown = ModelWritten, ModelShown
    touches, frozen, whole = ("config",), ("name",), ("default_params", "override_params")

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        return within_or_shared(MODELS, call, f"{self.scopes}.{verb}")

    def filed(self, call: Call) -> list[Document]:
        file = call.plane.file
        return filed_rows(call, self.by, {} if file is None else file.models)

    async def columns(self, call: Call, written: ModelWritten, before: Stored | None) -> dict[str, object]:
        stated = {name: one.integration.models for name, one in (await known_in(call)).integrations.items()}
        place = self.place({"name": written.name})
        faults = [
            Fault(path_in(one.place, place), one.expected, one.found, nearest(one.name, one.known) if one.name else "")
            for one in objections_to(written, place, stated)
        ]
        if faults:
            raise refused(faults)
        return {"name": written.name}

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        return [{"source": "store"} for _ in rows]

    async def removing(self, call: Call, row: Stored) -> None:
        await refuse_listed(call, "models", row["name"], "model")
