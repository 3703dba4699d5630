"""Errors, in the shape of each dialect."""
from __future__ import annotations

import msgspec

from fastgw.mock.connection import Reply

OPENAI, ANTHROPIC, GEMINI = range(3)

OPENAI_TYPES = {
    400: ("invalid_request_error", None), 401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"), 404: ("invalid_request_error", "not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}
GEMINI_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
MESSAGES = {
    429: "Rate limit reached, please try again in 1s.", 500: "The server had an error while processing your request.",
    503: "The model is overloaded. Please try again later.", 529: "Overloaded",
}


class Fault(Exception):
    """A request that gets an error."""

    def __init__(self, status: int, message: str = "", *, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message or MESSAGES.get(status, "The mock was asked to fail.")
        self.param = param


def fault_object(dialect: int, fault: Fault) -> dict[str, object]:
    """Say a fault in a dialect's words."""
    if dialect == ANTHROPIC:
        kind = ANTHROPIC_TYPES.get(fault.status, "api_error" if fault.status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": fault.message}, "request_id": "req_mock"}
    if dialect == GEMINI:
        status = GEMINI_STATUSES.get(fault.status, "UNKNOWN")
        return {"error": {"code": fault.status, "message": fault.message, "status": status}}
    kind, code = OPENAI_TYPES.get(
        fault.status, ("server_error" if fault.status >= 500 else "invalid_request_error", None)
    )
    return {"error": {"message": fault.message, "type": kind, "param": fault.param, "code": code}}


def fault_reply(dialect: int, fault: Fault) -> Reply:
    """Make the reply of a fault."""
    fields = b"content-type: application/json\r\n"
    if fault.status in (429, 503, 529):
        fields += b"retry-after: 1\r\n"
    return Reply(fault.status, fields, msgspec.json.encode(fault_object(dialect, fault)))
