"""The one table of what the admin API serves."""

from fastgw.control.api.analytics import Analytics
from fastgw.control.api.audit import Audit
from fastgw.control.api.budgets import Budgets
from fastgw.control.api.catalogue import Catalogue
from fastgw.control.api.channels import Channels
from fastgw.control.api.configs import Configs
from fastgw.control.api.demo import DemoTraffic
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.graphs import Graphs
from fastgw.control.api.integrations import Integrations
from fastgw.control.api.keys import Keys
from fastgw.control.api.logs import Logs
from fastgw.control.api.members import Members
from fastgw.control.api.models import Models
from fastgw.control.api.openapi import OpenApi
from fastgw.control.api.organisation import Organisations
from fastgw.control.api.prices import Prices
from fastgw.control.api.resource import Resource
from fastgw.control.api.shares import Shares
from fastgw.control.api.signin import SignIn
from fastgw.control.api.spent import SpendReport
from fastgw.control.api.status import Status
from fastgw.control.api.tokens import Tokens
from fastgw.control.api.users import Users
from fastgw.control.api.workspaces import Workspaces

RESOURCES: tuple[type[Resource], ...] = (
    Organisations, Workspaces, Members, Users, Tokens, Integrations, Shares, Keys, Configs, Models, Prices, Channels, Budgets,
)  # fmt: skip


def endpoints() -> list[Endpoint]:
    """Every endpoint, each path's together."""
    rows = [endpoint for resource in RESOURCES for endpoint in resource().endpoints()]
    others = (Audit(), Logs(), Analytics(), Graphs(), SpendReport(), Status(), DemoTraffic())
    reports = [row for one in others for row in one.endpoints()]
    return OpenApi([*SignIn().endpoints(), *Catalogue().endpoints(), *rows, *reports]).rows
