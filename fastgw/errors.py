"""The errors of the gateway: one tree, split by whose fault it is, and one table of their codes."""


class GatewayError(Exception):
    """What a caller is told instead of a reply.

    code        stable, for programs; the rows of docs/errors.md
    status      HTTP status
    retryable   the same request may succeed later
    kinds       the error's type in the OpenAI, Anthropic and Gemini dialect
    param       the JSON path of the field that is wrong, or None
    fields      response fields that go with it, as (name, value) pairs
    """

    code = "internal"
    status = 500
    retryable = False
    kinds = ("server_error", "api_error", "INTERNAL")

    def __init__(self, message: str, *, param: str | None = None, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.fields = fields


class CallerError(GatewayError):
    """The request cannot be served as it is."""


class UpstreamError(GatewayError):
    """The provider, or the way to it, failed."""


class GatewayFault(GatewayError):
    """The gateway itself failed or is not able to serve."""


INVALID = ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT")
DENIED = ("invalid_request_error", "permission_error", "PERMISSION_DENIED")
UNKNOWN_KEY = ("invalid_request_error", "authentication_error", "UNAUTHENTICATED")
ABSENT = ("invalid_request_error", "not_found_error", "NOT_FOUND")
LIMITED = ("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED")
UNPAID = ("insufficient_quota", "billing_error", "FAILED_PRECONDITION")
UPSTREAM = ("upstream_error", "api_error", "UNAVAILABLE")
SLOW = ("upstream_error", "timeout_error", "DEADLINE_EXCEEDED")
OVERLOADED = ("server_error", "overloaded_error", "UNAVAILABLE")
BROKEN = ("server_error", "api_error", "INTERNAL")

# class name, parent, code, status, retryable, kinds, what it means (the row of docs/errors.md)
_ROWS = (
    ("InvalidRequest", CallerError, "invalid_request", 400, False, INVALID,
     "the body is not JSON, or a field the gateway reads is wrong; the message says which and where"),
    ("MalformedHttp", CallerError, "malformed_http", 400, False, INVALID, "the request is not well-formed HTTP/1.1; the connection closes"),
    ("UnsupportedEncoding", CallerError, "unsupported_encoding", 415, False, INVALID,
     "the body of a JSON request has a Content-Encoding: send it uncompressed"),
    ("BodyTooLarge", CallerError, "body_too_large", 413, False, INVALID, "the body is larger than max_body_bytes"),
    ("HeadTooLarge", CallerError, "head_too_large", 431, False, INVALID, "the head is larger than 64 KiB or has more than 200 fields"),
    ("RequestTimeout", CallerError, "request_timeout", 408, True, INVALID, "the head or the body did not arrive in time"),
    ("ExpectationFailed", CallerError, "expectation_failed", 417, False, INVALID, "Expect says something other than 100-continue"),
    ("MethodNotAllowed", CallerError, "method_not_allowed", 405, False, INVALID, "the path exists, but not with this method"),
    ("MethodUnknown", CallerError, "method_unknown", 501, False, INVALID, "the method is none the gateway knows"),
    ("VersionUnknown", CallerError, "http_version_unknown", 505, False, INVALID, "neither HTTP/1.0 nor HTTP/1.1"),
    ("UpgradeRefused", CallerError, "upgrade_not_supported", 501, False, INVALID, "a request to switch protocols (WebSocket)"),
    ("UnknownPath", CallerError, "unknown_path", 404, False, ABSENT, "no surface has this path"),
    ("MissingKey", CallerError, "missing_key", 401, False, UNKNOWN_KEY, "the request carries no key"),
    ("InvalidKey", CallerError, "invalid_key", 401, False, UNKNOWN_KEY, "the key is not known here"),
    ("KeyDisabled", CallerError, "key_disabled", 403, False, DENIED, "the key was disabled"),
    ("KeyExpired", CallerError, "key_expired", 412, False, UNPAID, "the key's expires_at has passed"),
    ("BudgetExhausted", CallerError, "budget_exhausted", 412, False, UNPAID,
     "a budget of the key or its workspace does not pay for this request; the message says which, and when it renews"),
    ("PriceUnknown", CallerError, "price_unknown", 412, False, UNPAID,
     "a budget applies, the model has no known price, and the workspace says unknown_price = \"refuse\""),
    ("RateLimited", CallerError, "rate_limited", 429, True, LIMITED, "more requests a minute than the key or its workspace may make"),
    ("TokenRateLimited", CallerError, "token_rate_limited", 429, True, LIMITED, "more tokens a minute than the key or its workspace may use"),
    ("TooManyParallel", CallerError, "too_many_parallel", 429, True, LIMITED, "more requests at once than max_parallel"),
    ("ModelNotAllowed", CallerError, "model_not_allowed", 403, False, DENIED, "the key or its workspace may not use this model"),
    ("ModelNotFound", CallerError, "model_not_found", 404, False, ABSENT, "no alias and no integration serves this model"),
    ("IntegrationNotAllowed", CallerError, "integration_not_allowed", 403, False, DENIED,
     "the integration that is named does not exist or may not be used by this key"),
    ("IntegrationMissing", CallerError, "integration_missing", 404, False, ABSENT,
     "the path is passed through, but neither the key nor x-fastgw-integration says where to"),
    ("UpstreamUnreachable", UpstreamError, "upstream_unreachable", 502, True, UPSTREAM, "no connection to the provider could be made"),
    ("UpstreamTls", UpstreamError, "upstream_tls", 502, False, UPSTREAM, "the provider's certificate or TLS handshake failed"),
    ("UpstreamCredential", UpstreamError, "upstream_credential", 502, False, UPSTREAM,
     "the provider refused the integration's credential (its reply is withheld, since it may quote the key)"),
    ("UpstreamTimeout", UpstreamError, "upstream_timeout", 504, True, SLOW, "the provider did not answer, or stopped answering, in time"),
    ("UpstreamReset", UpstreamError, "upstream_reset", 502, True, UPSTREAM, "the provider closed the connection before its reply was whole"),
    ("UpstreamBadReply", UpstreamError, "upstream_bad_reply", 502, True, UPSTREAM, "the provider's reply is not well-formed HTTP"),
    ("UpstreamBusy", UpstreamError, "upstream_busy", 503, True, OVERLOADED,
     "all max_connections to the provider are in use and none became free in time"),
    ("UpstreamStatus", UpstreamError, "upstream_status", 502, True, UPSTREAM,
     "the provider answered with an error, which was passed on as it is (in records only)"),
    ("InternalFault", GatewayFault, "internal", 500, True, BROKEN, "a fault of the gateway; it is in the log under the request's id"),
    ("LedgerFull", GatewayFault, "ledger_full", 503, True, OVERLOADED, "more requests at once than the ledger has places for"),
    ("Unavailable", GatewayFault, "unavailable", 503, True, OVERLOADED, "this part of the gateway is not running"),
    ("ClientGone", CallerError, "client_gone", 499, False, INVALID, "the caller closed the connection first (in records only)"),
)

TABLE: dict[str, type[GatewayError]] = {}
MEANINGS: dict[str, str] = {}
for _name, _parent, _code, _status, _retryable, _kinds, _meaning in _ROWS:
    TABLE[_name] = type(_name, (_parent,), {
        "__doc__": _meaning, "code": _code, "status": _status, "retryable": _retryable, "kinds": _kinds, "__module__": __name__})
    MEANINGS[_code] = _meaning

# A record holds the index of the code in this tuple; 0 is no error. Rows are added at the end.
CODES: tuple[str, ...] = ("", *(row[2] for row in _ROWS))
INDEX: dict[str, int] = {code: index for index, code in enumerate(CODES)}


def error(name: str, message: str, *, param: str | None = None, fields: tuple[tuple[str, str], ...] = ()) -> GatewayError:
    """Make the error of that class name."""
    return TABLE[name](message, param=param, fields=fields)
