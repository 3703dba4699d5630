"""Errors: google.rpc.Status as JSON, {"error": {"code", "message", "status", "details"}}; streams of JSON arrays have it in an array."""

import re

from fastgw.dialects.canonical import Failure, FailureKind
from fastgw.dialects.gemini_generate.vocabulary import KINDS_BY_STATUS, NAMES, STATUSES
from fastgw.dialects.reading import Json, as_array, as_object, as_text

# Too long a prompt is an INVALID_ARGUMENT like any other: nothing but the message tells it.
TOO_LONG = re.compile(r"token count[^.]{0,40} exceeds|exceeds the maximum number of (?:input )?tokens", re.IGNORECASE)
DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def read_failure(status: int, body: object) -> Failure:
    """See Dialect."""
    if isinstance(body, list):
        body = body[0] if body else None
    stated = body.get("error") if isinstance(body, dict) else None
    if isinstance(stated, str):
        stated = {"message": stated}
    if not isinstance(stated, dict):
        message = body if isinstance(body, str) else f"the provider answered with status {status} and no error of Google's shape"
        return Failure(status if 400 <= status < 600 else 502, kind_of(status), message)
    code = stated.get("code")
    if isinstance(code, int) and 400 <= code < 600 and not 400 <= status < 600:
        status = code  # an error in a stream that began with 200
    name = as_text(stated.get("status"))
    kind, usual = STATUSES.get(name, (kind_of(status), status))
    if status == 402:  # prepaid credit that is used up is a RESOURCE_EXHAUSTED too
        kind = "billing"
    if not 400 <= status < 600:
        status = usual if 400 <= usual < 600 else 502
    message = as_text(stated.get("message")) or name or f"the provider answered with status {status}"
    failure = Failure(status, kind, message, name)
    for item in as_array(stated.get("details")):
        detail = as_object(item)
        if detail.get("reason") in ("API_KEY_INVALID", "API_KEY_EXPIRED"):  # an INVALID_ARGUMENT too
            failure.kind = "authentication"
        if "retryDelay" in detail:
            failure.retry_after_s = seconds(detail["retryDelay"])
        for violation in as_array(detail.get("fieldViolations")):
            failure.param = failure.param or as_text(as_object(violation).get("field"))
    if failure.kind == "invalid_request" and TOO_LONG.search(message):
        failure.kind = "context_window"
    return failure


def kind_of(status: int) -> FailureKind:
    """What a status alone says."""
    return KINDS_BY_STATUS.get(status, "invalid_request" if 400 <= status < 500 else "server")


def seconds(delay: object) -> float:
    """A google.protobuf.Duration, -1 where it is none: "34.07s", or {"seconds": 34, "nanos": 70000000}."""
    if isinstance(delay, str):
        found = DELAY.fullmatch(delay)
        return float(found[1]) if found is not None else -1.0
    whole = as_object(delay).get("seconds")
    if isinstance(whole, str) and whole.isdecimal() and len(whole) < 10:
        whole = int(whole)
    return float(whole) if isinstance(whole, int) else -1.0


def write_failure(failure: Failure, request_id: str) -> Json:
    """See Dialect. The same shape as the gateway's own errors."""
    details: list[Json] = [{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": failure.code or failure.kind, "domain": "fastgw",
        "metadata": {"request_id": request_id},
    }]
    if failure.retry_after_s >= 0:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{failure.retry_after_s:g}s"})
    return {"error": {"code": failure.status, "message": failure.message, "status": NAMES[failure.kind], "details": details}}
