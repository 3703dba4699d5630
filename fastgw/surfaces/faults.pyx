"""What went wrong, in words: from the codes of the lane and the upstream to errors."""
from fastgw._core.flow cimport (
    FAULT_BODY_TIMEOUT, FAULT_BODY_TOO_LARGE, FAULT_HEAD_TIMEOUT, FAULT_PLAIN_HTTP, LEG_BAD_REPLY, LEG_BUSY, LEG_CONNECT,
    LEG_CONNECT_TIMEOUT, LEG_DNS, LEG_FIRST_BYTE_TIMEOUT, LEG_HEAD_TOO_LARGE, LEG_IDLE_TIMEOUT, LEG_PROXY, LEG_RESET, LEG_TLS,
    LEG_TOTAL_TIMEOUT, LEG_TRUNCATED, LEG_UPGRADE)
from fastgw._core.http1 cimport BAD_EXPECT, BAD_METHOD, BAD_VERSION, HEAD_TOO_LARGE, TOO_MANY_FIELDS
from fastgw.errors import error
from fastgw.exchange cimport Exchange
from fastgw.surfaces.control cimport CONTROL

MALFORMED = {
    -1: "a broken request line", -4: "a target that is neither a path nor \"*\"", -5: "a broken header field",
    -8: "no Host field, more than one, or an invalid one", -9: "an invalid Content-Length",
    -10: "a Transfer-Encoding other than \"chunked\" alone", -11: "a broken chunk",
    FAULT_PLAIN_HTTP: "plain HTTP where TLS is spoken; use https://",
}
LEG_ERRORS = {
    LEG_DNS: ("UpstreamUnreachable", "the host name of its base_url cannot be resolved"),
    LEG_CONNECT: ("UpstreamUnreachable", "the connection was refused; is base_url right, and is the provider up?"),
    LEG_TLS: ("UpstreamTls", "the TLS handshake failed: the certificate is not trusted or the protocol broke; see ca_file"),
    LEG_CONNECT_TIMEOUT: ("UpstreamUnreachable", "no connection within connect_ms"),
    LEG_FIRST_BYTE_TIMEOUT: ("UpstreamTimeout", "no reply within first_byte_ms"),
    LEG_IDLE_TIMEOUT: ("UpstreamTimeout", "the reply stopped for longer than idle_ms"),
    LEG_TOTAL_TIMEOUT: ("UpstreamTimeout", "the reply took longer than total_ms"),
    LEG_RESET: ("UpstreamReset", "the provider closed the connection before it had replied"),
    LEG_TRUNCATED: ("UpstreamReset", "the provider closed the connection in the middle of its reply"),
    LEG_BAD_REPLY: ("UpstreamBadReply", "the reply is not well-formed HTTP/1.1"),
    LEG_HEAD_TOO_LARGE: ("UpstreamBadReply", "the head of the reply is larger than 64 KiB or has more than 200 fields"),
    LEG_BUSY: ("UpstreamBusy", "all max_connections are in use and none became free within connect_ms"),
    LEG_PROXY: ("UpstreamUnreachable", "the forward proxy did not open a tunnel"),
    LEG_UPGRADE: ("UpstreamBadReply", "the provider switched protocols without being asked"),
}


cdef object request_error(int fault):
    """The error for a request that could not be read."""
    if fault == BAD_METHOD:
        return error("MethodUnknown", "expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
    if fault == BAD_VERSION:
        return error("VersionUnknown", "expected HTTP/1.0 or HTTP/1.1")
    if fault == HEAD_TOO_LARGE or fault == TOO_MANY_FIELDS:
        return error("HeadTooLarge", "expected a head of at most 64 KiB and 200 fields")
    if fault == BAD_EXPECT:
        return error("ExpectationFailed", "expected no expectation but 100-continue")
    if fault == FAULT_BODY_TOO_LARGE:
        return error("BodyTooLarge", "the body is larger than max_body_bytes allows; send less, or raise it in [gateway]")
    if fault == FAULT_HEAD_TIMEOUT or fault == FAULT_BODY_TIMEOUT:
        what = "head" if fault == FAULT_HEAD_TIMEOUT else "body"
        return error("RequestTimeout", f"the {what} of the request did not arrive in time")
    return error("MalformedHttp", "expected a well-formed HTTP/1.1 request, got " + MALFORMED.get(fault, "something else"))


cdef object leg_error(Exchange x, int failure):
    """The error for an attempt that failed; a drain that does not answer is no provider."""
    if x.operation is CONTROL:
        return error("Unavailable", "the control plane does not answer; it is started again when it has died, and what providers are "
                     "asked for goes on as before")
    if x.caller is None:
        return error("Unavailable", "metrics are served by the drain, which does not answer; it is started again when it has died")
    name, said = LEG_ERRORS[failure]
    return error(name, f"integration {x.target.integration.name!r}: {said}")
