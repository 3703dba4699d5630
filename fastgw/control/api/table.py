"""The one table of what the admin API serves."""

from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.resource import Resource
from fastgw.control.api.signin import SignIn
from fastgw.control.api.workspaces import Workspaces

RESOURCES: tuple[type[Resource], ...] = (Workspaces,)


def endpoints() -> list[Endpoint]:
    """Every endpoint, each path's together."""
    rows = [endpoint for resource in RESOURCES for endpoint in resource().endpoints()]
    return [*SignIn().endpoints(), *rows]
