"""Answers out of the cache of replies, and into it.

The key is made of the canonical request, so that callers of different dialects share answers; what is kept is the canonical reply.
"""
import msgspec

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from fastgw._core.buffer cimport append
from fastgw.cache.capture import Capture
from fastgw.cache.entry import Entry, write
from fastgw.cache.key import body_key, request_key
from fastgw.cache.wish import PORTKEY_WORDS, STATUSES, read_wish, reply_fields, space_of, terms_of
from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.framing import SPLITTERS
from fastgw.dialects.table import CALLERS, caller_of, dialect_of
from fastgw.errors import GatewayError


cdef bint inquire(Exchange x, object cache, object settings, object caching, bytes mark, object called) except -1:
    cdef str name = x.operation.name
    fields = x.portkey or {}
    keep = fields.get("x-portkey-cache-ttl", "")
    wish = read_wish(
        cache_control(x), refresh=fields.get("x-portkey-cache-force-refresh", "false").lower() != "false",
        keeps_bodies=fields.get("x-portkey-debug", "").lower() != "false", keep_s=int(keep) if keep.isdigit() else None,
        namespace=fields.get("x-portkey-cache-namespace", ""))
    terms = terms_of(caching, name, wish, settings)
    if terms is None:
        return False
    alias = (x.model or b"").decode("utf-8", "replace")
    space = space_of(caching, wish, x.caller.workspace, x.caller.id, alias, mark)
    if name in CALLERS:
        try:
            request = dialect_of(CALLERS[name]).read_request(msgspec.json.decode(x.body), alias, x.wants_stream())
        except (GatewayError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False        # what is wrong with it is the provider's to say
        request.stream_array = x.streams_array() and (x.query is None or b"alt=sse" not in x.query)
        x.cache_request = request
        key = request_key(request, space)
    else:
        key = body_key(name, x.body, space)
    x.inquiry = cache.ask(key, terms, called)
    x.entry.cache = STATUSES.index(x.inquiry.status)
    return True


cdef str cache_control(Exchange x):
    for line in PyBytes_FromStringAndSize(x.forward.start, x.forward.size).splitlines():
        if line[:14].lower() == b"cache-control:":
            return line[14:].strip().decode("latin-1")
    return ""


cdef tuple hit_reply(Exchange x):
    entry = x.inquiry.entry
    if entry.reply is None:
        body, content_type = entry.body, "application/json"
    else:
        body = write(entry, caller_of(x.operation.name, x.compliance or ""), x.cache_request, events_of)
        content_type = "text/event-stream" if x.cache_request.stream and not x.cache_request.stream_array else "application/json"
    x.entry.cache = STATUSES.index("hit")
    x.entry.saved_nano_usd = x.inquiry.saved_nano_usd
    lines = f"content-type: {content_type}\r\nx-fastgw-provider: {entry.provider}\r\nx-fastgw-model: {entry.model}\r\n"
    return body, lines.encode("latin-1", "replace") + status_fields(x)


cdef bytes status_fields(Exchange x):
    """What the caller is told of the cache."""
    lines = reply_fields(x.inquiry.status, x.inquiry.age_ms)
    if x.portkey:
        lines += f"x-portkey-cache-status: {PORTKEY_WORDS[x.inquiry.status]}\r\n".encode()
    return lines


cdef int begin_capture(Exchange x, int status, Py_ssize_t most_bytes) except -1:
    cdef bytes lines = status_fields(x)
    append(&x.fields, PyBytes_AS_STRING(lines), PyBytes_GET_SIZE(lines))
    if status != 200 or x.is_encoded or not x.inquiry.may_keep:
        x.inquiry.close()       # who waits for it need not wait any longer
        return 0
    if x.operation.name in CALLERS and (x.stream is not None or (x.is_sse and x.translation is None)):
        dialect = dialect_of(x.way.dialect or CALLERS[x.operation.name])
        x.capture = Capture(Assembler(), most_bytes, SPLITTERS[dialect.stream_framing](), dialect.stream_reader())
    return 0


cdef int keep_answer(Exchange x, const char* p, Py_ssize_t n) except -1:
    reply = None
    body = b""
    if not x.inquiry.may_keep or x.upstream_status != 200:
        return 0
    if x.capture is not None:
        reply = x.capture.finish()
    elif x.operation.name not in CALLERS:
        body = PyBytes_FromStringAndSize(p, n) if x.translation is None or not x.is_sse else b""
    elif x.translation is not None:
        reply = x.translation.answer
    else:
        try:
            reply = dialect_of(CALLERS[x.operation.name]).read_reply(msgspec.json.decode(PyBytes_FromStringAndSize(p, n)))
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError, AttributeError):
            reply = None
    if reply is None and not body:
        x.inquiry.close()
        return 0
    model = x.target.model or x.model or b""
    x.inquiry.keep(Entry(
        operation=x.operation.name, integration=x.target.integration.name, provider=x.target.integration.provider.name,
        model=model.decode("utf-8", "replace"), cost_nano_usd=x.cost_nano_usd, reply=reply, body=body))
    return 0
