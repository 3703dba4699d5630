"""The control plane as an ASGI application."""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from fastgw.control.api.endpoint import Endpoint, not_found, route
from fastgw.control.api.oauth import oauth_routes
from fastgw.control.api.table import endpoints
from fastgw.control.console import console_folder, console_routes
from fastgw.control.litellm.errors import failed
from fastgw.control.litellm.table import endpoints as litellm_endpoints
from fastgw.control.plane import Plane

PREFIX = "/api/v1"


def make_app(plane: Plane, lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None) -> Starlette:
    """Everything that is served, over one plane."""
    routes: list[BaseRoute] = [
        *(route(plane, rows, PREFIX) for rows in by_path(endpoints())),
        *(route(plane, rows, "", failed) for rows in by_path(litellm_endpoints())),
    ]
    routes += oauth_routes(plane)
    routes += console_routes(console_folder())
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: not_found})


def by_path(endpoints: Iterable[Endpoint]) -> list[list[Endpoint]]:
    """The endpoints of each path; what is spelt out comes before what takes any name."""
    paths: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, []).append(endpoint)
    return sorted(paths.values(), key=lambda rows: ["{" in part for part in rows[0].path.split("/")])
