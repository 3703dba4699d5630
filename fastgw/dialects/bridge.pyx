"""The body for a target: spliced where it speaks the caller's dialect, else translated; and the way back.

What is translated is Python's work (`translate`); this is where it meets the exchange: bytes in, bytes out, and the usage for the meter.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from fastgw._core.ring cimport FAILED
from fastgw._core.usage cimport Usage
from fastgw.dialects.splice cimport splice
from fastgw.dialects.table import open_translation
from fastgw.dialects.translate import Asked, NotOfDialect, problem_of
from fastgw.errors import INDEX, error
from fastgw.snapshot.types cimport Target, Way


cdef int fit(Exchange x) except -1:
    cdef Target target = x.target
    cdef int64_t most = target.price.price.max_output_tokens
    cdef int64_t limit = x.limit_set
    x.way = target.integration.way(x.operation)
    x.translation = x.stream = None
    if x.way.dialect is None:
        return splice(x)
    if limit >= 0 and most:
        limit = min(limit, most)
    x.asked_usage = False
    model = target.model or x.model or b""
    array = x.streams_array() and (x.query is None or b"alt=sse" not in x.query)
    x.translation = open_translation(x.operation.name, x.way.dialect, x.body, Asked(
        model.decode("utf-8", "replace"), x.wants_stream(), array, x.way.quirks, target.unsupported or "drop", target.integration.name,
        limit, most))
    x.sent_body = x.translation.body
    return 0


cdef bytes translate_reply(Exchange x, const char* p, Py_ssize_t n):
    cdef bytes out
    if x.status >= 400:
        return x.translation.error(x.status, PyBytes_FromStringAndSize(p, n), x.entry_id())
    try:
        out = x.translation.reply(PyBytes_FromStringAndSize(p, n))
    except NotOfDialect as problem:
        raise not_of_dialect(x, problem) from problem
    take_usage(x, x.translation.usage)
    return out


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
    return error("UpstreamTranslation", f"integration {x.target.integration.name!r}: expected a reply of {x.way.dialect}: {problem}")


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
