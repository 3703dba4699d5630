"""Gemini's words for why a reply ended and what went wrong, and what they mean to other dialects."""

from fastgw.dialects.canonical import FailureKind, FinishReason

# google.ai.generativelanguage.v1beta Candidate.FinishReason and its like on Vertex, in the order of their numbers as far as these agree.
FINISHES: dict[str, FinishReason] = {
    "FINISH_REASON_UNSPECIFIED": "stop",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "OTHER": "error",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "IMAGE_OTHER": "error",
    "NO_IMAGE": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
}
UNASKED = "UNEXPECTED_TOOL_CALL"
NUMBERED = tuple(FINISHES)[:6]  # those that a server asked for numbers ($alt=json;enum-encoding=int) is sure to mean by them
REASONS: dict[FinishReason, str] = {
    "stop": "STOP", "stop_sequence": "STOP", "tool_calls": "STOP", "pause": "STOP", "length": "MAX_TOKENS", "context_window": "MAX_TOKENS",
    "content_filter": "SAFETY", "refusal": "SAFETY", "error": "OTHER",
}

# google.rpc.Code by name: what it means, and the HTTP status that goes with it (google/rpc/code.proto).
STATUSES: dict[str, tuple[FailureKind, int]] = {
    "INVALID_ARGUMENT": ("invalid_request", 400),
    "OUT_OF_RANGE": ("invalid_request", 400),
    # "free tier is not available in your country, enable billing" (ai.google.dev/gemini-api/docs/troubleshooting)
    "FAILED_PRECONDITION": ("billing", 400),
    "UNAUTHENTICATED": ("authentication", 401),
    "PERMISSION_DENIED": ("permission", 403),
    "NOT_FOUND": ("not_found", 404),
    "ABORTED": ("server", 409),
    "ALREADY_EXISTS": ("invalid_request", 409),
    "RESOURCE_EXHAUSTED": ("rate_limit", 429),
    "CANCELLED": ("server", 499),
    "INTERNAL": ("server", 500),
    "UNKNOWN": ("server", 500),
    "DATA_LOSS": ("server", 500),
    "UNIMPLEMENTED": ("invalid_request", 501),
    "UNAVAILABLE": ("overloaded", 503),
    "DEADLINE_EXCEEDED": ("timeout", 504),
}
NAMES: dict[FailureKind, str] = {
    "invalid_request": "INVALID_ARGUMENT", "authentication": "UNAUTHENTICATED", "permission": "PERMISSION_DENIED", "not_found": "NOT_FOUND",
    "rate_limit": "RESOURCE_EXHAUSTED", "billing": "FAILED_PRECONDITION", "too_large": "INVALID_ARGUMENT", "timeout": "DEADLINE_EXCEEDED",
    "context_window": "INVALID_ARGUMENT", "content_policy": "INVALID_ARGUMENT", "overloaded": "UNAVAILABLE", "server": "INTERNAL",
}
KINDS_BY_STATUS: dict[int, FailureKind] = {
    400: "invalid_request", 401: "authentication", 402: "billing", 403: "permission", 404: "not_found", 408: "timeout", 413: "too_large",
    422: "invalid_request", 429: "rate_limit", 499: "server", 503: "overloaded", 504: "timeout", 529: "overloaded",
}


def finish_of(reason: object, calls: bool) -> tuple[FinishReason, str]:
    """The canonical finish and the provider's own word; calls: the reply asks for tools."""
    if isinstance(reason, int) and 0 <= reason < len(NUMBERED):
        reason = NUMBERED[reason]
    word = reason if isinstance(reason, str) else str(reason or "")
    finish = FINISHES.get(word, "stop" if not word else "error")
    # the caller has the call, whether or not Google thinks that it was asked for, and by whatever word a server like Google's ends it
    return ("tool_calls" if calls and (finish == "stop" or word == UNASKED or word not in FINISHES) else finish), word


def reason_of(finish: FinishReason, raw: str) -> str:
    """The finishReason: the provider's own word where it is one of Gemini's and says the same."""
    if FINISHES.get(raw) == ("stop" if finish == "tool_calls" else finish) or raw == UNASKED and finish == "tool_calls":
        return raw
    return REASONS[finish]
