"""Carry out operations of the admin API without HTTP: for the command line, and for the gateway itself."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from fastgw.control.access.principal import Principal
from fastgw.control.access.roles import SCOPES
from fastgw.control.api.call import Call
from fastgw.control.api.endpoint import Endpoint, success, write
from fastgw.control.api.table import endpoints
from fastgw.control.api.written import Document, decode, encode
from fastgw.control.ids import make_id
from fastgw.control.plane import Plane

NOTHING: Final[Mapping[str, str]] = {}


class Operator:
    """Whoever owns the machine; `name` is what the audit calls them."""

    def __init__(self, plane: Plane, organisation_id: str, name: str) -> None:
        self.plane = plane
        self.principal = Principal(kind="system", id=name, name=name, organisation_id=organisation_id, role="owner", scopes=SCOPES)

    def __repr__(self) -> str:
        return f"<Operator {self.principal.name}>"

    async def ask(
        self, method: str, path: str, body: Document | None = None, query: Mapping[str, str] = NOTHING, given_key: str = ""
    ) -> Document:
        """Return what the endpoint answers. raises ApiError"""
        endpoint, names = find_endpoint(method, path)
        scope: dict[str, object] = {"type": "http", "method": method, "path": path, "headers": [], "path_params": names}
        scope["query_string"] = urlencode(query).encode()
        # numbers and texts as they would come over the wire
        sent = None if body is None else decode(encode(body))
        call = Call(self.plane, Request(scope), self.principal, make_id(), "", sent)
        call.given_key = given_key
        if endpoint.uses == "write":
            response = await write(self.plane, endpoint, call, b"")
        else:
            async with self.plane.store.read() as call.connection:
                response = success(await endpoint.run(call), endpoint, call.request_id)
        answer = decode(bytes(response.body)) if response.body else {}
        assert isinstance(answer, dict)  # every endpoint answers an object or nothing
        return answer


def find_endpoint(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint of a path, and what its path names."""
    parts = path.split("/")
    for endpoint in endpoints():
        pattern = endpoint.path.split("/")
        pairs = list(zip(pattern, parts, strict=False))
        if endpoint.method == method and len(pattern) == len(parts) and all(one == other or "{" in one for one, other in pairs):
            return endpoint, {one.strip("{}").partition(":")[0]: other for one, other in pairs if "{" in one}
    raise LookupError(f"no endpoint {method} {path}")
