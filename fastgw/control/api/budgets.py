"""Budgets: limits by a name, for scripts that give many keys the same ones."""

from typing import Annotated

from msgspec import Meta

from fastgw.control.api.limits import Owned
from fastgw.control.api.resource import Resource
from fastgw.control.store.tables import BUDGETS
from fastgw.snapshot.routes import TargetName


class BudgetWritten(Owned, frozen=True, kw_only=True):
    """What is written of a budget: limits that count nothing by themselves."""

    name: Annotated[TargetName, Meta(description="what it is referred to by")]


class Budgets(Resource):
    name, noun, table, scopes, by = "budgets", "budget", BUDGETS, "policies", "name"
    written = BudgetWritten
    frozen, whole = ("name",), ("annotations",)
