"""What goes wrong in the admin API, with the code that scripts may rely on; one place turns it into a reply."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

# code: status, and what it means
CODES: Final[dict[str, tuple[int, str]]] = {
    "bad_json": (400, "the body is not JSON"),
    "invalid_field": (422, "a member or a parameter is wrong; `path` says which"),
    "not_signed_in": (401, "neither a cookie nor a token says who calls, or it holds no longer"),
    "wrong_credentials": (401, "e-mail and password do not go together"),
    "csrf": (403, "a request of a browser lacks the x-csrf-token that /me states"),
    "forbidden": (403, "the caller lacks the scope that the message names"),
    "not_found": (404, "there is no such thing, or the caller may not see it"),
    "method": (405, "the path has other methods"),
    "conflict": (409, "it was changed meanwhile; `current` and `yours` show both"),
    "exists": (409, "another one has that name"),
    "in_use": (409, "others refer to it"),
    "last_owner": (409, "an organisation keeps at least one active owner"),
    "managed_by_file": (409, "it stands in the configuration file, which is to be changed instead"),
    "idempotency_mismatch": (422, "the Idempotency-Key was used for another request"),
    "too_large": (413, "the body is longer than is read"),
    "too_many_logins": (429, "too many failed attempts; `retry-after` says when to try again"),
    "query_too_long": (422, "the log holds too much to answer in time; a shorter range or other filters help"),
    "internal": (500, "a fault of the gateway; its log has more under the request's id"),
    "unavailable": (503, "the store cannot be reached or written"),
}


class Fault(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a body."""

    path: str
    expected: str
    found: str
    hint: str = ""


class ApiError(Exception):
    """A request that is not carried out."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        path: str = "",
        faults: Sequence[Fault] = (),
        fields: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.faults = tuple(faults)
        self.fields = dict(fields or {})
        self.more = more

    @property
    def status(self) -> int:
        return CODES[self.code][0]

    def body(self, request_id: str) -> dict[str, object]:
        """The reply's body."""
        error: dict[str, object] = {"code": self.code, "message": self.message, "request_id": request_id, **self.more}
        if self.path:
            error["path"] = self.path
        return {"error": error, "problems": self.faults} if self.faults else {"error": error}


def invalid(path: str, expected: str, found: str) -> ApiError:
    """One member or parameter that is wrong."""
    return ApiError("invalid_field", f"expected {expected}, found {found} at {path}", path=path, faults=[Fault(path, expected, found)])


def missing(kind: str, name: str) -> ApiError:
    return ApiError("not_found", f"there is no {kind} {name!r} that you may see")
