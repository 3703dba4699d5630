"""The words of the Messages API that stand for words of the canonical types."""

from fastgw.dialects.canonical import FailureKind, FinishReason

NAME = "anthropic_messages"
BEDROCK_VERSION = "bedrock-2023-05-31"
VERTEX_VERSION = "vertex-2023-10-16"

FINISH_OF: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "compaction": "pause",
    "pause_turn": "pause",
    "model_context_window_exceeded": "context_window",
}
STOP_REASONS: dict[FinishReason, str] = {
    **{finish: word for word, finish in FINISH_OF.items()},
    "content_filter": "refusal",
    "error": "max_tokens",  # there is no word for it, and this one says that the answer is not whole
}

# The canonical types say of a tier what OpenAI says.
REQUEST_TIERS = {"standard_only": "default"}
REPLY_TIERS = {"standard": "default"}
TIERS_TO_ASK = {"auto": "auto", "default": "standard_only"}
TIERS_TO_STATE = {"default": "standard", "priority": "priority", "batch": "batch"}

# type of an error, what it is, and the status that goes with it where it comes within a stream
ERRORS: dict[str, tuple[FailureKind, int]] = {
    "invalid_request_error": ("invalid_request", 400),
    "authentication_error": ("authentication", 401),
    "billing_error": ("billing", 402),
    "permission_error": ("permission", 403),
    "not_found_error": ("not_found", 404),
    "request_too_large": ("too_large", 413),
    "rate_limit_error": ("rate_limit", 429),
    "api_error": ("server", 500),
    "timeout_error": ("timeout", 504),
    "overloaded_error": ("overloaded", 529),
}
ERROR_TYPES: dict[FailureKind, str] = {
    **{kind: word for word, (kind, _) in ERRORS.items()},
    "context_window": "invalid_request_error",
    "content_policy": "invalid_request_error",
}
