"""Errors of the admin API as LiteLLM words them."""

import re
from typing import Final

from starlette.responses import Response

from fastgw.control.api.endpoint import JSON
from fastgw.control.api.problem import ApiError
from fastgw.control.api.written import encode

# code of ours: its status and type there, where they are not those of the status
KINDS: Final = {"invalid_field": (400, "bad_request_error"), "bad_json": (400, "bad_request_error")}
TYPES: Final = {
    400: "bad_request_error", 401: "auth_error", 403: "auth_error", 404: "not_found_error", 409: "bad_request_error",
    500: "internal_server_error", 503: "no_db_connection",
}  # fmt: skip
# what members are called there
FIELDS: Final = {
    "name": "key_alias", "workspace": "team_id", "user": "user_id", "budgets": "max_budget", "expires_at": "duration", "slug": "team_id",
    "rate": "rpm_limit", "max_parallel": "max_parallel_requests", "email": "user_email", "role": "user_role", "annotations": "metadata",
}  # fmt: skip
PATH: Final = re.compile(r"\$\.([a-z_]+)((?:[.\[][^\s,]*)?)")


def failed(error: ApiError, request_id: str) -> Response:
    """A request that is not carried out."""
    status, kind = KINDS.get(error.code, (error.status, TYPES.get(error.status, "bad_request_error")))
    field = PATH.fullmatch(error.path)
    told = {
        "message": PATH.sub(lambda match: FIELDS.get(match[1], match[1]), error.message),
        "type": kind,
        "param": None if field is None else FIELDS.get(field[1], field[1]),
        "code": str(status),
    }
    fields = {"x-fastgw-request-id": request_id, "cache-control": "no-store", **error.fields}
    return Response(encode({"error": told}), status, fields, JSON)
