"""The body for a target: spliced where it speaks the caller's dialect, else translated; and the way back.

What is translated is Python's work (`translate`); this is where it meets the exchange: bytes in, bytes out, and the usage for the meter.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t

from fastgw._core.buffer cimport append
from fastgw._core.ring cimport FAILED
from fastgw._core.scan cimport SCAN_OK, scan_request
from fastgw._core.usage cimport Usage
from fastgw.dialects.shapes.table import is_signed, open_shape
from fastgw.dialects.splice cimport splice
from fastgw.dialects.params import apply_params
from fastgw.dialects.canonical import Broke
from fastgw.dialects.framing import SPLITTERS
from fastgw.dialects.table import CALLERS, MARKS, dialect_of, open_translation
from fastgw.dialects.translate import Asked, NotOfDialect, problem_of, read_failure
from fastgw.errors import INDEX, error
from fastgw.snapshot.types cimport JSON_BODY, Target


cdef int fit(Exchange x, dict defaults, dict overrides, tuple drops) except -1:
    cdef Target target = x.target
    cdef int64_t most = target.price.price.max_output_tokens
    cdef int64_t limit = x.limit_set
    cdef str dialect
    x.way = target.integration.way(x.operation)
    x.translation = x.stream = x.foreign_fields = None
    if x.asked_body is not None:
        reshape(x, x.asked_body)        # what the target before had put in is not this one's
        x.asked_body = None
    if (defaults or overrides or drops) and x.operation.body == JSON_BODY:
        x.asked_body = x.body
        reshape(x, apply_params(x.body, defaults, overrides, drops))
    if x.way.own is not None and is_signed(x.body, x.way.signs):
        x.way = x.way.own
    dialect = x.way.dialect
    if dialect is None:
        mark = MARKS.get(x.operation.name) if x.operation.body == JSON_BODY else None
        if mark is None or mark not in x.body:
            return splice(x)
        dialect = CALLERS[x.operation.name]
    if limit >= 0 and most:
        limit = min(limit, most)
    x.asked_usage = False
    model = target.model or x.model or b""
    array = x.streams_array() and (x.query is None or b"alt=sse" not in x.query)
    forward = PyBytes_FromStringAndSize(x.forward.start, x.forward.size)
    asked = Asked(model.decode("utf-8", "replace"), x.wants_stream(), array, x.way.quirks, target.unsupported, target.integration.name,
                  limit, most, beta_of(forward), x.compliance or "")
    if x.way.is_shape:
        x.translation = open_shape(x.operation.name, dialect, x.body, x.content_type or b"", asked)
        x.foreign_fields = foreign_fields(forward, x.translation.request_content_type, x.translation.accept)
    else:
        x.translation = open_translation(x.operation.name, dialect, x.body, asked)
        # the fields of a caller who speaks the provider's dialect are the provider's own words
        x.foreign_fields = forward if x.way.dialect is None else foreign_fields(forward, "application/json", "*/*")
    x.sent_body = x.translation.body
    return 0


# of a caller's fields, those that mean the same to a provider of another dialect
UNIVERSAL = frozenset({b"user-agent", b"traceparent", b"tracestate", b"baggage"})


def foreign_fields(bytes forward, str content_type, str accept):
    """What goes to a provider of another dialect: beside what every HTTP API knows, a caller's fields are words of its own dialect."""
    kept = [line for line in forward.splitlines(True) if line.partition(b":")[0].strip().lower() in UNIVERSAL]
    return b"".join(kept) + f"content-type: {content_type}\r\naccept: {accept}\r\n".encode("latin-1")


def beta_of(bytes forward):
    """What the caller's field anthropic-beta says."""
    found = [line.partition(b":")[2].strip() for line in forward.splitlines() if line[:15].lower() == b"anthropic-beta:"]
    return b",".join(found).decode("latin-1")


cdef int reshape(Exchange x, bytes body) except -1:
    """Let another body take the place of the one in hand."""
    cdef int64_t most = x.scanned.max_tokens
    cdef int64_t choices = x.scanned.choices
    x.body = body
    if scan_request(PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body), &x.scanned) != SCAN_OK:
        raise error("InvalidRequest", "a member that the route puts into the body has another type than its name wants")
    x.scanned.max_tokens = most         # of all targets, as it was admitted
    x.scanned.choices = choices
    if x.operation.model_in_path:
        x.scanned.model.end = 0
    return 0


cdef str failure_kind(Exchange x, const char* p, Py_ssize_t n):
    cdef str name = CALLERS.get(x.operation.name, "openai_chat") if x.way.dialect is None or x.way.is_shape else x.way.dialect
    return read_failure(dialect_of(name), x.upstream_status, PyBytes_FromStringAndSize(p, n), x.error_code or "").kind


cdef object opening_failure(Exchange x, const char* p, Py_ssize_t n):
    dialect = dialect_of(CALLERS.get(x.operation.name, "openai_chat"))
    reader = dialect.stream_reader()
    for name, payload in SPLITTERS[dialect.stream_framing]().feed(PyBytes_FromStringAndSize(p, n)):
        for event in reader.read(name, payload):
            if isinstance(event, Broke):
                return event.failure
    return None


cdef bytes translate_reply(Exchange x, const char* p, Py_ssize_t n):
    cdef bytes out
    if x.status >= 400:
        return x.translation.error(x.status, PyBytes_FromStringAndSize(p, n), x.entry_id(), x.error_code or "")
    try:
        if x.way.is_shape:
            out = x.translation.reply(PyBytes_FromStringAndSize(p, n), x.reply_type or "")
            state_type(x)
        else:
            out = x.translation.reply(PyBytes_FromStringAndSize(p, n))
    except NotOfDialect as problem:
        raise not_of_dialect(x, problem) from problem
    take_usage(x, x.translation.usage)
    return out


cdef int state_type(Exchange x) except -1:
    """What type a reply has that may be sound as well as text is known when it is there."""
    cdef bytes line = f"content-type: {x.translation.content_type}\r\n".encode("latin-1")
    return append(&x.fields, PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line))


cdef bytes translate_piece(Exchange x, const char* p, Py_ssize_t n, bint last):
    cdef bytes out
    try:
        out = x.stream.feed(PyBytes_FromStringAndSize(p, n))
        if last:
            out += x.stream.finish()
    except NotOfDialect as problem:
        if x.stream.failure is not None:
            raise problem_of(x.stream.failure, x.target.integration.name) from problem
        raise not_of_dialect(x, problem) from problem
    x.usage_final = last and x.stream.failure is None
    take_usage(x, x.stream.usage)
    if x.stream.failure is not None and x.wants_stream():
        problem = problem_of(x.stream.failure, x.target.integration.name)
        if not x.started:
            raise problem
        x.broke = True
        x.outcome = FAILED
        x.error_index = INDEX[problem.code]
    return out


cdef object not_of_dialect(Exchange x, problem):
    return error("UpstreamTranslation", f"integration {x.target.integration.name!r}: expected a reply of {x.way.operation}: {problem}")


cdef int take_usage(Exchange x, found) except -1:
    """The canonical usage as the meter's."""
    cdef Usage* usage = &x.usage
    if found is None:
        return 0
    usage.input_tokens = found.input_tokens
    usage.output_tokens = found.output_tokens
    usage.cache_read_tokens = found.cache_read_tokens
    usage.cache_write_tokens = found.cache_write_tokens
    usage.cache_write_1h_tokens = found.cache_write_1h_tokens
    usage.reasoning_tokens = found.reasoning_tokens
    usage.audio_input_tokens = found.audio_input_tokens
    usage.audio_output_tokens = found.audio_output_tokens
    usage.seen = True
    usage.final = x.stream is None or x.usage_final
    x.usage_known = True
    return 0
