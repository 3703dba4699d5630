"""Errors of Bedrock, as a reply's body and as exceptions in the middle of a stream."""

from fastgw.dialects.canonical import Failure, FailureKind
from fastgw.dialects.reading import as_object, as_text

# by AWS's name of the exception, in lower case and without that word; the status is that of the service model
KINDS: dict[str, tuple[int, FailureKind]] = {
    "validation": (400, "invalid_request"),
    "accessdenied": (403, "permission"),
    "unrecognizedclient": (403, "authentication"),
    "invalidsignature": (403, "authentication"),
    "incompletesignature": (400, "authentication"),
    "missingauthenticationtoken": (403, "authentication"),
    "expiredtoken": (403, "authentication"),
    "resourcenotfound": (404, "not_found"),
    "modeltimeout": (408, "timeout"),
    "modelerror": (424, "server"),
    "modelstreamerror": (424, "server"),
    "throttling": (429, "rate_limit"),
    "modelnotready": (429, "overloaded"),
    "servicequotaexceeded": (400, "rate_limit"),
    "internalserver": (500, "server"),
    "internalfailure": (500, "server"),
    "serviceunavailable": (503, "overloaded"),
}
BY_STATUS: dict[int, FailureKind] = {
    400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found", 408: "timeout", 413: "too_large",
    422: "invalid_request", 424: "server", 429: "rate_limit", 503: "overloaded", 504: "timeout", 529: "overloaded",
}
# AWS has one code for whatever is wrong with a request; callers need to know when it is its length
TOO_LONG = ("is too long", "too many input tokens", "context length", "exceeds the maximum number of tokens")


def read_failure(status: int, body: object) -> Failure:
    """An error reply. Its code stands in the field x-amzn-errortype, which is not seen here, and in some bodies as __type."""
    if not isinstance(body, dict):
        return Failure(status, kind_of(status), as_text(body) or f"Bedrock answered {status} without a reason")
    # the third is of what stands before Bedrock, or in its place
    message = as_text(body.get("message")) or as_text(body.get("Message")) or as_text(as_object(body.get("error")).get("message"))
    message = message or f"Bedrock answered {status} without a reason"
    code = as_text(body.get("__type") or body.get("code")).rpartition("#")[2].partition(":")[0]
    return failure(status, code, message)


def kind_of(status: int) -> FailureKind:
    """What a status alone says."""
    return BY_STATUS.get(status, "invalid_request" if 400 <= status < 500 else "server")


def exception(name: str, body: object) -> Failure:
    """An exception in mid-stream: its name in the framing, its message in the payload."""
    said = as_object(body)
    message = as_text(said.get("message")) or as_text(said.get("Message")) or as_text(said.get("originalMessage"))
    return failure(0, name[:1].upper() + name[1:], message or f"Bedrock broke the stream off with {name}")


def failure(status: int, code: str, message: str) -> Failure:
    """What kind of error it is; status 0 is that of the code."""
    stated, kind = KINDS.get(code.lower().removesuffix("exception").removesuffix("error"), (502, kind_of(status)))
    if kind == "invalid_request" and any(words in message.lower() for words in TOO_LONG):
        kind = "context_window"
    return Failure(status or stated, kind, message, code)
