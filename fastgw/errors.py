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

# class name, parent, code, status, retryable, kinds, what it means, what to do (the row of docs/errors.md)
_ROWS = (
    ("InvalidRequest", CallerError, "invalid_request", 400, False, INVALID,
     "the body is not JSON, or a field the gateway reads is wrong; the message says which and where",
     "correct the field that the message names"),
    ("MalformedHttp", CallerError, "malformed_http", 400, False, INVALID,
     "the request is not well-formed HTTP/1.1; the connection closes",
     "find out what between the client and the gateway writes such a request; ordinary clients do not"),
    ("UnsupportedEncoding", CallerError, "unsupported_encoding", 415, False, INVALID,
     "the body of a JSON request has a Content-Encoding: send it uncompressed",
     "send the body uncompressed"),
    ("BodyTooLarge", CallerError, "body_too_large", 413, False, INVALID,
     "the body is larger than max_body_bytes",
     "send less, or raise `max_body_bytes` in `[gateway]`"),
    ("HeadTooLarge", CallerError, "head_too_large", 431, False, INVALID,
     "the head is larger than 64 KiB or has more than 200 fields",
     "send fewer or shorter fields, cookies above all"),
    ("RequestTimeout", CallerError, "request_timeout", 408, True, INVALID,
     "the head or the body did not arrive in time",
     "send it again; on a slow line raise `timeouts.head_ms` or `timeouts.body_ms` in `[gateway]`"),
    ("ExpectationFailed", CallerError, "expectation_failed", 417, False, INVALID,
     "Expect says something other than 100-continue",
     "leave the field Expect out"),
    ("MethodNotAllowed", CallerError, "method_not_allowed", 405, False, INVALID,
     "the path exists, but not with this method",
     "use a method that the field `allow` names"),
    ("MethodUnknown", CallerError, "method_unknown", 501, False, INVALID,
     "the method is none the gateway knows",
     "use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"),
    ("VersionUnknown", CallerError, "http_version_unknown", 505, False, INVALID,
     "neither HTTP/1.0 nor HTTP/1.1",
     "use HTTP/1.1"),
    ("UpgradeRefused", CallerError, "upgrade_not_supported", 501, False, INVALID,
     "a request to switch protocols (WebSocket)",
     "use the API over plain HTTP"),
    ("UnknownPath", CallerError, "unknown_path", 404, False, ABSENT,
     "no surface has this path",
     "correct the path or the client's base URL; [http.md](http.md) lists the paths"),
    ("MissingKey", CallerError, "missing_key", 401, False, UNKNOWN_KEY,
     "the request carries no key",
     "send the key as [http.md](http.md) says, mostly `authorization: Bearer KEY`"),
    ("InvalidKey", CallerError, "invalid_key", 401, False, UNKNOWN_KEY,
     "the key is not known here",
     "correct the key; if it is in the configuration, see with /readyz whether a newer configuration was refused"),
    ("KeyDisabled", CallerError, "key_disabled", 403, False, DENIED,
     "the key, or the user whose it is, was disabled",
     "use another key, set `enabled = true`, or enable the user"),
    ("KeyExpired", CallerError, "key_expired", 412, False, UNPAID,
     "the key's expires_at has passed",
     "use another key, or move its `expires_at`"),
    ("BudgetExhausted", CallerError, "budget_exhausted", 412, False, UNPAID,
     "a budget of the key, its workspace or an integration there does not pay for this request; the message says which, and when it renews",
     "ask for less output, wait for the window's end, or raise the budget"),
    ("PriceUnknown", CallerError, "price_unknown", 412, False, UNPAID,
     "a budget applies, the model has no known price or no reply will state the cost (a batch, a path that is only passed on), and the "
     "workspace says unknown_price = \"refuse\"",
     "state the price under `[prices]` or in the alias, or set `unknown_price = \"allow\"` in the workspace"),
    ("RateLimited", CallerError, "rate_limited", 429, True, LIMITED,
     "more requests a minute than the key, its workspace or an integration there may make",
     "wait as long as `retry-after` says"),
    ("TokenRateLimited", CallerError, "token_rate_limited", 429, True, LIMITED,
     "more tokens a minute than the key, its workspace or an integration there may use",
     "wait as long as `retry-after` says, or ask for less"),
    ("TooManyParallel", CallerError, "too_many_parallel", 429, True, LIMITED,
     "more requests at once than max_parallel",
     "wait until one of the others has ended"),
    ("ModelNotAllowed", CallerError, "model_not_allowed", 403, False, DENIED,
     "the key or its workspace may not use this model",
     "use one that GET /v1/models lists, or add it to `models`"),
    ("ModelNotFound", CallerError, "model_not_found", 404, False, ABSENT,
     "no alias and no integration serves this model",
     "use one that GET /v1/models lists, or add an alias under `[models]`"),
    ("IntegrationNotAllowed", CallerError, "integration_not_allowed", 403, False, DENIED,
     "the integration that is named does not exist or may not be used by this key",
     "correct x-fastgw-integration, or add the integration to the key's or workspace's `integrations`"),
    ("IntegrationMissing", CallerError, "integration_missing", 404, False, ABSENT,
     "the path is passed through, but neither the key nor x-fastgw-integration says where to",
     "send x-fastgw-integration, or set `integration` in the key"),
    ("UpstreamUnreachable", UpstreamError, "upstream_unreachable", 502, True, UPSTREAM,
     "no connection to the provider could be made",
     "see that `base_url` is right and the provider is up"),
    ("UpstreamTls", UpstreamError, "upstream_tls", 502, False, UPSTREAM,
     "the provider's certificate or TLS handshake failed",
     "see that `base_url` is right; name the authority with `ca_file` if it is your own"),
    ("UpstreamCredential", UpstreamError, "upstream_credential", 502, False, UPSTREAM,
     "the provider refused the integration's credential (its reply is withheld, since it may quote the key)",
     "correct `api_key` of the integration that the message names"),
    ("UpstreamTimeout", UpstreamError, "upstream_timeout", 504, True, SLOW,
     "the provider did not answer, or stopped answering, in time",
     "send it again; raise `timeouts` of the integration if the provider is known to be slow"),
    ("UpstreamReset", UpstreamError, "upstream_reset", 502, True, UPSTREAM,
     "the provider closed the connection before its reply was whole",
     "send it again; whether the provider did the work is not known"),
    ("UpstreamBadReply", UpstreamError, "upstream_bad_reply", 502, True, UPSTREAM,
     "the provider's reply is not well-formed HTTP",
     "see that `base_url` leads to an HTTP/1.1 API"),
    ("UpstreamBusy", UpstreamError, "upstream_busy", 503, True, OVERLOADED,
     "all max_connections to the provider are in use and none became free in time",
     "send it again; raise `max_connections` of the integration if it happens often"),
    ("UpstreamStatus", UpstreamError, "upstream_status", 502, True, UPSTREAM,
     "the provider answered with an error, which was passed on as it is (in records only)",
     "see `upstream_status` in the record, and what the provider's documentation says of it"),
    ("InternalFault", GatewayFault, "internal", 500, True, BROKEN,
     "a fault of the gateway; it is in the log under the request's id",
     "look up the request's id in the log and report it"),
    ("LedgerFull", GatewayFault, "ledger_full", 503, True, OVERLOADED,
     "more requests at once than the ledger has places for",
     "send it again; add workers if it happens often"),
    ("Unavailable", GatewayFault, "unavailable", 503, True, OVERLOADED,
     "this part of the gateway is not running",
     "send it again in a moment"),
    ("ClientGone", CallerError, "client_gone", 499, False, INVALID,
     "the caller closed the connection first (in records only)",
     "nothing; what the provider had done by then is charged"),
    ("UnsupportedParameter", CallerError, "unsupported_parameter", 400, False, INVALID,
     "the target's dialect has nothing like a field of the request, and the target says unsupported = \"error\"",
     "leave the field out, call a target of the request's own dialect, or set `unsupported = \"drop\"` for the target"),
    ("UpstreamTranslation", UpstreamError, "upstream_translation", 502, True, UPSTREAM,
     "the provider's reply is not one of the dialect that it is asked in",
     "see that `provider` and `base_url` of the integration belong together"),
    ("NoTarget", CallerError, "no_target", 400, False, INVALID,
     "a condition of the route, or a highest price that the request names, leaves no target for it",
     "change what the message names, or give the route a default"),
    ("KeyUnusable", CallerError, "key_unusable", 403, False, DENIED,
     "the key is known, but names something that is not here (a workspace, a config), or its entry is damaged; the message says which",
     "publish what the message names, or issue the key again; a key that is new together with its workspace works within a second"),
)

TABLE: dict[str, type[GatewayError]] = {}
MEANINGS: dict[str, str] = {}
ADVICE: dict[str, str] = {}
for _name, _parent, _code, _status, _retryable, _kinds, _meaning, _advice in _ROWS:
    TABLE[_name] = type(_name, (_parent,), {
        "__doc__": _meaning, "code": _code, "status": _status, "retryable": _retryable, "kinds": _kinds, "__module__": __name__})
    MEANINGS[_code] = _meaning
    ADVICE[_code] = _advice

# A record holds the index of the code in this tuple; 0 is no error. Rows are added at the end.
CODES: tuple[str, ...] = ("", *(row[2] for row in _ROWS))
INDEX: dict[str, int] = {code: index for index, code in enumerate(CODES)}


def error(name: str, message: str, *, param: str | None = None, fields: tuple[tuple[str, str], ...] = ()) -> GatewayError:
    """Make the error of that class name."""
    return TABLE[name](message, param=param, fields=fields)
