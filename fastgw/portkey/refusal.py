"""What a caller that speaks Portkey is told instead of a reply: the words, the JSON and the statuses of its gateway.

Other callers are answered in the dialect of their path (surfaces/respond). A refusal of ours keeps its code in `x-fastgw-error`.
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

import msgspec

from fastgw.clock import http_date
from fastgw.errors import INVALID, CallerError, GatewayError

_encode = msgspec.json.encode


class Refused(CallerError):
    """A config or a header field is not as Portkey defines it.

    errors   one line for each member that is wrong: "path: targets,0,retry, message: Required"
    reason   for programs: one of Portkey's codes of saved-only mode, or ""; field: what it is about
    detail   what Portkey's own words leave out, or ""
    """

    code = "invalid_request"
    status = 400
    kinds = INVALID

    def __init__(self, message: str, errors: Iterable[str] = (), *, reason: str = "", field: str = "", detail: str = "") -> None:
        super().__init__(message, param=field or None)
        self.errors = tuple(errors)
        self.reason = reason
        self.detail = detail


NO_PROVIDER: Final = "Either x-portkey-config or x-portkey-provider header is required"
NO_TARGET: Final = (
    "Either x-portkey-provider needs to be passed. Or the x-portkey-config header should have a valid config with provider details in it."
)
BAD_PROVIDER: Final = "Invalid provider passed"
BAD_HOST: Final = "Invalid custom host"
BAD_CONFIG: Final = "Invalid config passed"
NOT_JSON: Final = "Invalid config passed. You need to pass a valid json"
OLD_CONFIG: Final = "This version of config is not supported in this route. Please migrate to the latest version"
UNKNOWN_CONFIG: Final = "Invalid config id passed"
OVERRIDE: Final = "Cannot override default config set for this API key."
NO_MATCH: Final = "Query router did not resolve to any valid target"
FORWARDS_ITSELF: Final = "forward_headers must not contain the 'x-portkey-forward-headers' header"

# Portkey's words for saved-only mode: its code, the field that is refused, what it says.
BLOCKED: Final = MappingProxyType(
    {
        "config": ("inline_config_blocked", "x-portkey-config", "Inline configs are not allowed. Use a saved config."),
        "provider": ("inline_provider_blocked", "x-portkey-provider", "Inline providers are not allowed. Use a saved provider."),
        "custom_host": ("inline_custom_host_blocked", "x-portkey-custom-host", "Inline custom hosts are not allowed."),
        "provider_url": ("inline_provider_url_blocked", "x-portkey-huggingface-base-url", "Inline provider URLs are not allowed."),
        "forward_headers": ("inline_forward_headers_blocked", "x-portkey-forward-headers", "Inline forward headers are not allowed."),
    }
)

# Our code to (status, form, type or code, message); a message of "" is ours.
FAILURE, ERROR = "failure", "error"
WORDS: Final = MappingProxyType(
    {
        "missing_key": (401, FAILURE, "03", "Invalid API Key"),
        "invalid_key": (401, FAILURE, "03", "Invalid API Key"),
        "key_disabled": (401, FAILURE, "033", "Unable to validate key"),
        "key_expired": (401, FAILURE, "01", "Portkey API Key Expired"),
        "budget_exhausted": (412, FAILURE, "04", "Portkey API Key Usage Limit Exceeded"),
        "price_unknown": (412, ERROR, "usage_limits_policy_exhaust_error", ""),
        "rate_limited": (429, ERROR, "api_key_rate_limit_error", ""),
        "token_rate_limited": (429, ERROR, "api_key_rate_limit_error", ""),
        "too_many_parallel": (429, ERROR, "api_key_rate_limit_error", ""),
        "model_not_allowed": (412, ERROR, "model_not_allowed_error", ""),
        "upstream_timeout": (408, ERROR, "timeout_error", ""),
        "upstream_unreachable": (503, ERROR, "upstream_error", ""),
    }
)


def blocked(what: str) -> Refused:
    """The refusal of saved-only mode for a row of BLOCKED."""
    reason, field, message = BLOCKED[what]
    return Refused(message, reason=reason, field=field)


def body_of(error: GatewayError) -> tuple[int, dict[str, object]]:
    """The status and the JSON of an error in Portkey's dialect; what it has no words for keeps ours, in its form."""
    if isinstance(error, Refused):
        body: dict[str, object] = {"status": "failure", "message": error.message}
        if error.errors:
            body["errors"] = list(error.errors)
        if error.reason:
            body["error"] = {"code": error.reason, "message": error.message, "field": error.param}
        elif error.detail:
            body["error"] = {"code": error.code, "message": error.detail}
        return error.status, body
    status, form, kind, message = WORDS.get(error.code, (error.status, ERROR, error.kinds[0], ""))
    if form == FAILURE:
        text = f"Portkey Error: {message}. Error Code: {kind}"
        # Its own words come first, as programs look for them; ours say what is to be done.
        return status, {"status": "failure", "message": text, "error": {"message": text, "code": kind, "detail": error.message}}
    code = None if error.code in WORDS else error.code
    return status, {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}


def refuse(error: GatewayError) -> tuple[int, bytes, bytes]:
    """Return (status, field lines, body), as surfaces/respond does for the other dialects.

    A fault of the gateway is marked: Portkey's clients do not repeat what is, and no fallback follows it.
    """
    status, body = body_of(error)
    lines = [f"content-type: application/json\r\ndate: {http_date()}\r\nx-fastgw-error: {error.code}\r\n"]
    if error.retryable is False:
        lines.append("x-should-retry: false\r\n")
    if status >= 500:
        lines.append("x-portkey-gateway-exception: true\r\n")
    lines.extend(f"{name}: {value}\r\n" for name, value in error.fields)
    return status, "".join(lines).encode("latin-1", "replace"), _encode(body)
