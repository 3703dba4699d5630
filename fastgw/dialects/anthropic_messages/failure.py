"""Read an error of Anthropic or of a platform that serves its models, and write one for an Anthropic client."""

import re

from fastgw.dialects.anthropic_messages.vocabulary import ERROR_TYPES, ERRORS
from fastgw.dialects.canonical import TOO_LONG, Failure, FailureKind
from fastgw.dialects.reading import Json, as_text

_BY_STATUS: dict[int, FailureKind] = {
    400: "invalid_request", 401: "authentication", 402: "billing", 403: "permission", 404: "not_found", 408: "timeout", 413: "too_large",
    422: "invalid_request", 429: "rate_limit", 503: "overloaded", 504: "timeout", 529: "overloaded",
}
# What the API says in words only: there is no type for any of these.
_BY_WORDS: tuple[tuple[re.Pattern[str], FailureKind], ...] = (
    (re.compile(r"(prompt|input) is too long|exceed context (limit|window)|exceeds? the (model's )?context", re.I), "context_window"),
    (re.compile(r"credit balance is too low|spend limit", re.I), "billing"),
    (re.compile(r"content filtering policy|blocked under Anthropic's Usage Policy", re.I), "content_policy"),
)
# the names of AWS's exceptions, as they come within a stream, and their statuses
EXCEPTIONS: dict[str, tuple[FailureKind, int]] = {
    "throttlingException": ("rate_limit", 429),
    "validationException": ("invalid_request", 400),
    "accessDeniedException": ("permission", 403),
    "resourceNotFoundException": ("not_found", 404),
    "modelTimeoutException": ("timeout", 408),
    "serviceUnavailableException": ("overloaded", 503),
    "serviceQuotaExceededException": ("rate_limit", 429),
}
OWN_WORDS = (TOO_LONG, "input length and `max_tokens` exceed context limit")
_param = re.compile(r"([a-z_]+(?:\.[a-z_0-9]+)*): ").match


def read_failure(status: int, body: object) -> Failure:
    """An error body: Anthropic's, AWS's ({"message"}), Google's ({"error": {"status", "message"}}), or any text."""
    if isinstance(body, list) and body:
        body = body[0]  # Google's way within a stream
    if not isinstance(body, dict):
        said = body.strip() if isinstance(body, str) else ""
        return Failure(status, kind_of(status, "", said), said or f"the provider answered with status {status}")
    error = body.get("error")
    if isinstance(error, dict):
        code = as_text(error.get("type")) or as_text(error.get("status"))
        message = as_text(error.get("message"))
    else:
        code = as_text(body.get("__type"))
        message = as_text(error) or as_text(body.get("message")) or as_text(body.get("Message"))
    param = _param(message)
    return Failure(
        status,
        kind_of(status, code, message),
        message or f"the provider answered with status {status}",
        code,
        param[1] if param is not None else "",
    )


def kind_of(status: int, code: str, message: str) -> FailureKind:
    """What kind of failure it is, by its type and status, and where these say no more than "wrong" by its words."""
    known = ERRORS.get(code)
    kind = known[0] if known is not None else _BY_STATUS.get(status, "server" if status >= 500 else "invalid_request")
    if kind in ("invalid_request", "too_large", "permission"):
        kind = next((meant for words, meant in _BY_WORDS if words.search(message)), kind)
    return kind


def read_streamed(error: object) -> Failure:
    """The error of an error event, with the status that it would have had as a reply."""
    code = as_text(error.get("type")) if isinstance(error, dict) else ""
    return read_failure(ERRORS.get(code, ("server", 500))[1], {"error": error})


def write_failure(failure: Failure, request_id: str) -> Json:
    """An error body as the clients expect it."""
    return {"type": "error", "error": error_of(failure), "request_id": request_id}


def error_of(failure: Failure) -> Json:
    """The error in an error body or event."""
    error: Json = {"type": ERROR_TYPES[failure.kind], "message": message_of(failure)}
    if failure.code:
        error["code"] = failure.code
    return error


def message_of(failure: Failure) -> str:
    """What the provider said; of another's context that is too long, after the words by which clients know it."""
    if failure.kind == "context_window" and not failure.message.startswith(OWN_WORDS):
        return f"{TOO_LONG}: {failure.message}"
    return failure.message
