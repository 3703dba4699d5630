"""Errors: read from bodies of any provider of this dialect, and written as OpenAI's clients expect them."""

import re
from types import MappingProxyType

from fastgw.dialects.canonical import Failure, FailureKind
from fastgw.dialects.reading import Json, as_array, as_object, as_text

STATUSES: MappingProxyType[int, FailureKind] = MappingProxyType({
    400: "invalid_request", 401: "authentication", 402: "billing", 403: "permission", 404: "not_found", 408: "timeout",
    413: "too_large", 422: "invalid_request", 429: "rate_limit", 498: "overloaded", 503: "overloaded", 504: "timeout", 524: "timeout",
    529: "overloaded",
})
# of errors in mid-stream that do not state one
USUAL: MappingProxyType[FailureKind, int] = MappingProxyType({
    "invalid_request": 400, "context_window": 400, "content_policy": 400, "authentication": 401, "billing": 402, "permission": 403,
    "not_found": 404, "too_large": 413, "rate_limit": 429, "overloaded": 503, "timeout": 504,
})
# Codes and types that say more than the status does.
CODES: MappingProxyType[str, FailureKind] = MappingProxyType({
    "context_length_exceeded": "context_window", "context_window_exceeded": "context_window", "string_above_max_length": "too_large",
    "content_filter": "content_policy", "content_policy_violation": "content_policy", "moderation_blocked": "content_policy",
    "ResponsibleAIPolicyViolation": "content_policy", "sensitive": "content_policy", "1301": "content_policy",
    "insufficient_quota": "billing", "billing_hard_limit_reached": "billing", "insufficient_balance": "billing",
    "invalid_api_key": "authentication", "model_not_found": "not_found", "DeploymentNotFound": "not_found",
    "rate_limit_exceeded": "rate_limit", "rate_limit_error": "rate_limit", "overloaded_error": "overloaded",
    "request_too_large": "too_large", "request_timeout": "timeout",
})
TYPES: MappingProxyType[FailureKind, str] = MappingProxyType({
    "rate_limit": "rate_limit_error", "billing": "insufficient_quota", "timeout": "server_error", "overloaded": "server_error",
    "server": "server_error",
})
# Codes by which OpenAI's clients tell these kinds from others, whatever the provider's own code is.
KNOWN: MappingProxyType[FailureKind, str] = MappingProxyType(
    {"context_window": "context_length_exceeded", "content_policy": "content_policy_violation"})
MOST_RAW_CHARACTERS = 1000
# vLLM, TGI, llama.cpp and others that have no code for it: "This model's maximum context length is 4096 tokens. However, you requested ..."
TOO_LONG = re.compile(r"maximum context length|exceeds? the (available |model's )?context (size|length|window)", re.I)


def read_failure(status: int, body: object) -> Failure:
    """What an error body says; it may be an object in any of a dozen shapes, an array of one (Gemini), text or nothing."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, str):
        return Failure(status, kind_of(status, ()), body)
    holder = as_object(body)
    stated = holder.get("error")
    if isinstance(stated, str):
        return Failure(status, kind_of(status, (as_text(holder.get("error_type")),)), as_text(holder.get("message")) or stated)
    return failure_of(as_object(stated) or as_object(holder.get("errors")) or holder, status)


def failure_of(stated: Json, status: int) -> Failure:
    """What an error object says. status: of the reply, or 0 where it came in mid-stream and the object itself may state one."""
    code = stated.get("code")
    kind = as_text(stated.get("type"))
    inner = as_text(as_object(stated.get("innererror") or stated.get("inner_error")).get("code"))
    if not status:
        number = stated.get("status_code", code)
        status = number if type(number) is int and 400 <= number <= 599 else USUAL.get(kind_of(0, (inner, as_text(code), kind)), 502)
    word = str(code) if type(code) is int and code != status else as_text(code)
    found = kind_of(status, (inner, word, kind))
    said = _message(stated, status)
    if found == "invalid_request" and TOO_LONG.search(said):
        found = "context_window"
    return Failure(status, found, said, word or ("" if kind in ("invalid_request_error", "error") else kind),
                   as_text(stated.get("param")))


def kind_of(status: int, words: tuple[str, ...]) -> FailureKind:
    """The kind of an error: by the words that say most, else by its status."""
    for word in words:
        found = CODES.get(word)
        if found is not None:
            return found
    return STATUSES.get(status, "server" if status >= 500 or status < 400 else "invalid_request")


def _message(stated: Json, status: int) -> str:
    message = stated.get("message") or stated.get("msg") or stated.get("detail")
    if isinstance(message, dict):  # Mistral: {"message": {"detail": [...]}}
        message = message.get("detail") or message.get("message")
    if isinstance(message, list):  # FastAPI: [{"loc": ["body", "messages"], "msg": "..."}]
        message = "; ".join(f"{as_text(item.get('msg'))} at {_place(item)}" for item in map(as_object, message))
    said = as_text(message) or f"the provider answered with status {status}"
    raw = as_text(as_object(stated.get("metadata")).get("raw"))  # OpenRouter: what its provider said
    return f"{said}: {raw[:MOST_RAW_CHARACTERS]}" if raw else said


def _place(item: Json) -> str:
    return ".".join(str(step) for step in as_array(item.get("loc")))


def write_failure(failure: Failure, request_id: str) -> Json:
    """The error object; the id goes in a field of the reply, not here."""
    return {"error": {"message": failure.message, "type": TYPES.get(failure.kind, "invalid_request_error"), "param": failure.param or None,
                      "code": KNOWN.get(failure.kind) or failure.code or None}}
