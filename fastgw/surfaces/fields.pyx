"""Which fields pass the gateway, and which it adds; requests and replies.

The caller's credential never goes up: every field that can carry one is dropped, whichever was used. The provider's never comes
down: so are those fields of replies. Hop-by-hop fields end here on both sides (RFC 9110, 7.6.1), and cookies: one connection serves
many callers.
"""
from time import time

import msgspec

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from posix.uio cimport iovec

from fastgw._core.buffer cimport append, append_decimal, render_decimal
from fastgw._core.http1 cimport (
    F_ACCEPT_ENCODING, F_ACCESS_CONTROL, F_ACCESS_CONTROL_HEADERS, F_ACCESS_CONTROL_METHOD, F_ALT_SVC, F_ANTHROPIC_VERSION, F_API_KEY,
    F_AUTHORIZATION, F_CONNECTION, F_CONTENT_ENCODING, F_CONTENT_LENGTH, F_CONTENT_TYPE, F_COOKIE, F_EXPECT, F_HOP, F_HOST, F_ORIGIN,
    F_SET_COOKIE, F_SERVER, F_STRICT_TRANSPORT, F_TRACEPARENT, F_TRANSFER_ENCODING, F_X_API_KEY, F_X_FASTGW, F_X_FASTGW_INTEGRATION,
    F_X_FORWARDED, F_X_GOOG_API_KEY, F_X_PORTKEY, F_X_PORTKEY_API_KEY, F_X_PORTKEY_TRACE_ID, DELETE, GET, HEAD, Field)
from fastgw._core.usage cimport FORM_JSON, FORM_SSE, open_tap
from fastgw.errors import error
from fastgw.providers.address import fill_model
from fastgw.route.retry import retry_after
from fastgw.snapshot.types cimport FORM_BODY, JSON_BODY, Integration, Target
from fastgw.surfaces.control cimport CONTROL
from fastgw.surfaces.story cimport explanation

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t n)

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    extern void *memmem(const void *, size_t, const void *, size_t);
    #endif
    #include <string.h>
    """
    void* memmem(const void* all, size_t size, const void* part, size_t length) nogil

cdef enum:
    FIELD_IDS = 64
    MOST_DROPPED_BYTES = 2048  # of names in x-fastgw-dropped

cdef bint[FIELD_IDS] DROP_UP
cdef bint[FIELD_IDS] DROP_DOWN
for _id in (F_HOST, F_CONTENT_LENGTH, F_TRANSFER_ENCODING, F_CONNECTION, F_HOP, F_EXPECT, F_AUTHORIZATION, F_X_API_KEY, F_API_KEY,
            F_X_GOOG_API_KEY, F_X_PORTKEY_API_KEY, F_X_PORTKEY, F_X_PORTKEY_TRACE_ID, F_X_FASTGW, F_X_FASTGW_INTEGRATION, F_COOKIE,
            F_ORIGIN, F_X_FORWARDED, F_ACCESS_CONTROL, F_ACCESS_CONTROL_HEADERS, F_ACCESS_CONTROL_METHOD, F_ACCEPT_ENCODING):
    DROP_UP[_id] = True
for _id in (F_CONTENT_LENGTH, F_TRANSFER_ENCODING, F_CONNECTION, F_HOP, F_AUTHORIZATION, F_X_API_KEY, F_API_KEY, F_X_GOOG_API_KEY,
            F_X_PORTKEY_API_KEY, F_X_PORTKEY, F_X_PORTKEY_TRACE_ID, F_X_FASTGW, F_X_FASTGW_INTEGRATION, F_SET_COOKIE, F_ALT_SVC,
            F_STRICT_TRANSPORT, F_SERVER, F_ACCESS_CONTROL, F_COOKIE, F_HOST):
    DROP_DOWN[_id] = True

cdef tuple METHOD_NAMES = (b"", b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
cdef const char* HEX = b"0123456789abcdef"


cdef bint has_word(const char* p, Py_ssize_t n, const char* word, Py_ssize_t length) noexcept nogil:
    """Whether a value contains a word of lower-case letters, in any case."""
    cdef Py_ssize_t i
    for i in range(n - length + 1):
        if (p[i] | 32) == word[0] and strncasecmp(p + i, word, length) == 0:
            return True
    return False


cdef inline bytes value_of(const char* base, Field* field):
    return PyBytes_FromStringAndSize(base + field.value, field.value_len)


cdef int read_request_fields(Exchange x, const char* base, Head* head) except -1:
    cdef int i
    cdef Field* field
    cdef const char* run = NULL        # lines that stand together go in one copy
    cdef Py_ssize_t run_len = 0
    for i in range(head.count):
        field = &head.fields[i]
        if field.id == F_CONTENT_TYPE:
            x.content_type = value_of(base, field)
        elif field.id == F_X_FASTGW_INTEGRATION:
            x.wanted_integration = value_of(base, field)
        elif field.id == F_ORIGIN:
            x.origin = value_of(base, field)
        elif field.id == F_ANTHROPIC_VERSION:
            x.has_default_fields = True
        elif field.id == F_X_FASTGW:
            read_wish(x, base, field)
        elif field.id == F_X_PORTKEY:
            read_portkey(x, base, field)
        elif field.id == F_TRACEPARENT:
            read_traceparent(x, base + field.value, field.value_len)
        elif field.id == F_CONTENT_ENCODING and x.operation.body == JSON_BODY and field.value_len != 0:
            coding = value_of(base, field).decode("latin-1")
            raise error("UnsupportedEncoding", f"expected a JSON body without Content-Encoding, got {coding!r}")
        if DROP_UP[field.id] and not (field.id == F_ACCEPT_ENCODING and not x.operation.decodes_reply):
            continue
        if run != NULL and run + run_len == base + field.line:
            run_len += field.line_len
            continue
        if run != NULL:
            append(&x.forward, run, run_len)
        run = base + field.line
        run_len = field.line_len
    if run != NULL:
        append(&x.forward, run, run_len)
    return 0


cdef int read_wish(Exchange x, const char* base, Field* field) except -1:
    """What the caller wishes of routing."""
    cdef const char* name = base + field.line
    if field.name_len == 13 and strncasecmp(name, b"x-fastgw-sort", 13) == 0:
        x.sort = value_of(base, field).decode("latin-1")
    elif field.name_len == 18 and strncasecmp(name, b"x-fastgw-max-price", 18) == 0:
        x.max_price = value_of(base, field).decode("latin-1")
    elif field.name_len == 16 and strncasecmp(name, b"x-fastgw-explain", 16) == 0:
        x.explains = value_of(base, field).lower() not in (b"", b"0", b"false", b"no")
    return 0


cdef int read_portkey(Exchange x, const char* base, Field* field) except -1:
    """What is said in Portkey's fields, for those who read them later."""
    cdef str name = PyBytes_FromStringAndSize(base + field.line, field.name_len).lower().decode("latin-1")
    cdef bytes value = value_of(base, field)
    if x.portkey is None:
        x.portkey = {}
    # a field that comes twice is one (RFC 9110, 5.3)
    before = x.portkey.get(name)
    x.portkey[name] = value.decode("latin-1") if before is None else before + ", " + value.decode("latin-1")
    if name == "x-portkey-metadata":
        x.metadata = read_metadata(value)
    return 0


def read_metadata(bytes text):
    """The object of x-portkey-metadata. raises InvalidRequest"""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise error("InvalidRequest", "expected a JSON object in the field x-portkey-metadata, got something else",
                    param="x-portkey-metadata")
    return found


cdef int read_retry_after(Exchange x, const char* base, Head* head) except -1:
    """How long an error reply asks to wait."""
    named = {}
    cdef int i
    cdef Field* field
    for i in range(head.count):
        field = &head.fields[i]
        if field.name_len in (11, 14, 19):
            named.setdefault(PyBytes_FromStringAndSize(base + field.line, field.name_len).lower().decode("latin-1"),
                             value_of(base, field).decode("latin-1"))
    x.retry_after_ns = retry_after(named.get, time())
    return 0


cdef int read_traceparent(Exchange x, const char* p, Py_ssize_t n) except -1:
    """Keep the trace id of 00-<32 hex>-<16 hex>-<2 hex> (W3C Trace Context, 3.2)."""
    cdef int i, high, low
    cdef uint8_t[16] trace
    if n < 55 or p[2] != c'-' or p[35] != c'-' or nibble(p[0]) < 0 or nibble(p[1]) < 0 or (p[0] == c'f' and p[1] == c'f'):
        return 0
    for i in range(16):
        high = nibble(p[3 + 2 * i])
        low = nibble(p[4 + 2 * i])
        if high < 0 or low < 0:
            return 0
        trace[i] = <uint8_t>(high << 4 | low)
    memcpy(x.entry.trace, trace, 16)
    return 0


cdef inline int nibble(char c) noexcept:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    return -1


cdef int render_head(Exchange x) except -1:
    cdef Target target = x.target
    cdef Integration integration = target.integration
    cdef bytes start = None
    cdef bint is_plain = (x.query is None and not x.operation.model_in_path and x.operation.body == JSON_BODY
                          and (x.way is None or x.way.path is None))
    # a path that is the same for every request of this operation is rendered once a target
    if is_plain:
        start = <bytes>target.heads[x.operation.index]
    if start is None:
        x.sent_target = upstream_target(x)
        start = b"%b %b HTTP/1.1\r\n%b" % (METHOD_NAMES[x.method], x.sent_target, integration.fields)
        if x.operation.decodes_reply:
            start += b"accept-encoding: identity\r\n"
        # a signature is made of the path, so that it is wanted each time
        if is_plain and integration.signer is None and x.path in FIXED_PATHS:
            target.heads[x.operation.index] = start
    x.sent_head = start
    if integration.own_names:
        drop_own(x, integration.own_names)
    return 0


cdef int drop_own(Exchange x, frozenset names) except -1:
    """Leave out what the caller sent of the fields that the configuration sets: whoever runs the gateway has the say."""
    kept = [line for line in PyBytes_FromStringAndSize(x.forward.start, x.forward.size).splitlines(True)
            if line.partition(b":")[0].strip().lower() not in names]
    cdef bytes rest = b"".join(kept)
    x.forward.size = 0
    append(&x.forward, PyBytes_AS_STRING(rest), PyBytes_GET_SIZE(rest))
    return 0


cdef bint tells_secret(tuple secrets, const char* p, Py_ssize_t n):
    """Whether a stretch of a reply's head holds a credential of the integration."""
    for secret in secrets:
        if memmem(p, n, PyBytes_AS_STRING(secret), PyBytes_GET_SIZE(secret)) != NULL:
            return True
    return False


# operations whose path does not vary, so that their heads may be kept by operation
FIXED_PATHS = frozenset({
    b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings", b"/v1/responses", b"/v1/moderations", b"/v1/messages",
    b"/v1/images/generations", b"/v1/audio/speech",
})


cdef bytes upstream_target(Exchange x):
    """The request target at the provider: its prefix in the place of the caller's, the model renamed where the path names it."""
    cdef Integration integration = x.target.integration
    cdef bytes path = x.path
    cdef bytes template
    cdef bytes prefix = integration.prefix
    cdef bytes query = x.query
    cdef bytes model = x.target.model or x.model or b""
    if integration.model_in_prefix:
        prefix = prefix.replace(b"{model}", quoted(model))
    if x.way is not None and x.way.path is not None:
        template = x.way.stream_path if x.wants_stream() else x.way.path
        if x.way.is_shape:
            template = x.translation.path(template.decode()).encode()
        try:
            template = fill_model(template.decode(), model.decode("utf-8", "replace")).encode()
        except ValueError as problem:
            raise error("InvalidRequest", f"{problem}, got {model.decode('utf-8', 'replace')[:200]!r}", param="model") from problem
        if x.translation is not None:
            return template     # what a caller of another dialect has in its query means nothing here
        template = template.partition(b"?")[0]      # a caller of this one says itself how it wants a stream
        return template if query is None else template + b"?" + query
    if x.operation.name == "bedrock":
        if x.target.model and x.target.model != x.model:
            path = b"/model/" + quoted(model) + path[path.find(b"/", 7):]
    elif x.operation.model_in_path and x.target.model:
        colon = path.rfind(b":")
        slash = path.find(b"/models/") + 8
        path = path[:slash] + quoted(model) + path[colon:]
    if integration.cut and path.startswith(integration.cut):
        path = path[len(integration.cut):]
    elif integration.cut:
        # one of the provider's own, beside what its prefix stands for
        prefix = prefix.removesuffix(integration.provider.prefix.encode())
    path = (prefix if x.way is None or x.way.prefix is None else x.way.prefix) + path
    if integration.query:
        query = integration.query if query is None else query + b"&" + integration.query
    return path if query is None else path + b"?" + query


def quoted(bytes name):
    """A name as a path segment."""
    from urllib.parse import quote
    return quote(name, safe="-._~").encode()


cdef int compose_request(Exchange x, iovec* pieces, char* length) except -1:
    cdef Py_ssize_t at = 0
    cdef int count = 2
    pieces[0].iov_base = PyBytes_AS_STRING(x.sent_head)
    pieces[0].iov_len = PyBytes_GET_SIZE(x.sent_head)
    pieces[1].iov_base = x.forward.start
    pieces[1].iov_len = x.forward.size
    if x.translation is not None:
        pieces[1].iov_base = PyBytes_AS_STRING(x.foreign_fields)
        pieces[1].iov_len = PyBytes_GET_SIZE(x.foreign_fields)
    if x.forwarded is not None:
        # some of them pass as it is: none goes twice
        x.foreign_fields = without_named(x) + x.forwarded
        pieces[1].iov_base = PyBytes_AS_STRING(x.foreign_fields)
        pieces[1].iov_len = PyBytes_GET_SIZE(x.foreign_fields)
    if x.target.integration.signer is not None:
        x.signed_fields = sign(x)
        pieces[count].iov_base = PyBytes_AS_STRING(x.signed_fields)
        pieces[count].iov_len = PyBytes_GET_SIZE(x.signed_fields)
        count += 1
    if (x.way is not None and x.way.dialect is not None or not x.has_default_fields) and x.target.integration.default_fields:
        pieces[count].iov_base = PyBytes_AS_STRING(x.target.integration.default_fields)
        pieces[count].iov_len = PyBytes_GET_SIZE(x.target.integration.default_fields)
        count += 1
    if x.body_chunked and x.streams_body:
        memcpy(length, b"transfer-encoding: chunked\r\n\r\n", 30)
        at = 30
    elif x.streams_body and x.body_length == 0 and x.method in (GET, HEAD, DELETE):
        memcpy(length, b"\r\n", 2)
        at = 2
    else:
        memcpy(length, b"content-length: ", 16)
        at = 16 + render_decimal(length + 16, x.body_length if x.streams_body else PyBytes_GET_SIZE(x.sent_body))
        memcpy(length + at, b"\r\n\r\n", 4)
        at += 4
    pieces[count].iov_base = length
    pieces[count].iov_len = at
    count += 1
    if not x.streams_body:
        pieces[count].iov_base = PyBytes_AS_STRING(x.sent_body)
        pieces[count].iov_len = PyBytes_GET_SIZE(x.sent_body)
        count += 1
    return count


cdef bytes without_named(Exchange x):
    """The fields that pass, but for those of the same names as the ones that go on because the caller said so."""
    cdef bytes passing = x.foreign_fields if x.translation is not None else PyBytes_FromStringAndSize(x.forward.start, x.forward.size)
    names = {line.partition(b":")[0].strip().lower() for line in x.forwarded.splitlines()}
    return b"".join([line for line in passing.splitlines(True) if line.partition(b":")[0].strip().lower() not in names])


cdef bytes sign(Exchange x):
    """The credential of this one request."""
    cdef Integration integration = x.target.integration
    if x.streams_body and x.body_length and integration.signer.signs_body:
        raise error("InvalidRequest", f"integration {integration.name!r} signs the body of a request, which {x.path.decode('latin-1')} "
                    "streams: ask the provider itself")
    return integration.signer.fields(METHOD_NAMES[x.method], x.sent_target, integration.host, x.sent_body or b"", time())


cdef int read_reply_fields(Exchange x, const char* base, Head* head) except -1:
    cdef int i
    cdef Field* field
    cdef const char* run = NULL
    cdef Py_ssize_t run_len = 0
    cdef bytes more
    cdef tuple secrets = x.target.integration.secrets
    cdef bint leaks = False
    if secrets and head.count:
        # one look at the whole head; its fields one by one only where something is in it
        field = &head.fields[head.count - 1]
        leaks = tells_secret(secrets, base + head.fields[0].line, field.line + field.line_len - head.fields[0].line)
    x.fields.size = 0
    x.is_sse = x.is_json = x.is_encoded = False
    for i in range(head.count):
        field = &head.fields[i]
        if field.id == F_CONTENT_TYPE:
            x.is_sse = has_word(base + field.value, min(field.value_len, 17), b"text/event-stream", 17)
            x.is_json = has_word(base + field.value, field.value_len, b"json", 4)
            if x.translation is not None:
                x.reply_type = value_of(base, field).decode("latin-1")
                x.is_sse = x.is_sse or has_word(base + field.value, field.value_len, b"vnd.amazon.eventstream", 22) \
                    or has_word(base + field.value, field.value_len, b"ndjson", 6)
                continue
        elif field.id == F_CONTENT_ENCODING and field.value_len:
            x.is_encoded = value_of(base, field).lower() != b"identity"
        elif x.translation is not None and field.name_len == 16 and strncasecmp(base + field.line, b"x-amzn-errortype", 16) == 0:
            x.error_code = value_of(base, field).decode("latin-1").partition(":")[0]
        if DROP_DOWN[field.id] and not (field.id == F_SET_COOKIE and x.operation is CONTROL):
            continue
        if leaks and tells_secret(secrets, base + field.line, field.line_len):
            continue
        if run != NULL and run + run_len == base + field.line:
            run_len += field.line_len
            continue
        if run != NULL:
            append(&x.fields, run, run_len)
        run = base + field.line
        run_len = field.line_len
    if run != NULL:
        append(&x.fields, run, run_len)
    add_identity(x)
    if x.caller is None:
        return 0            # of the gateway's own: no provider, no attempts
    append(&x.fields, PyBytes_AS_STRING(x.target.reply_fields), PyBytes_GET_SIZE(x.target.reply_fields))
    append(&x.fields, b"x-fastgw-attempts: ", 19)
    append_decimal(&x.fields, x.attempt + 1)
    append(&x.fields, b"\r\n", 2)
    if head.status >= 400:
        read_retry_after(x, base, head)
    if x.explains and x.walk is not None:
        more = explanation(x)
        append(&x.fields, PyBytes_AS_STRING(more), PyBytes_GET_SIZE(more))
    if x.limit_set >= 0:
        append(&x.fields, b"x-fastgw-max-tokens: ", 21)
        append_decimal(&x.fields, x.limit_set)
        append(&x.fields, b"\r\n", 2)
    if x.translation is not None:
        return become_callers(x, head.status)
    if x.operation.metered and not x.is_encoded and head.status < 400 and (x.is_sse or x.is_json):
        if x.is_sse:
            x.tap = open_tap(x.way.usage, FORM_SSE, x.asked_usage)
        elif x.reply_length > x.snapshot.buffer_reply_bytes or x.streams_array():
            x.tap = open_tap(x.way.usage, FORM_JSON, False)
    return 0


cdef int become_callers(Exchange x, int status) except -1:
    """From here on the reply is one of the caller's dialect: its type, and what the request lost on the way."""
    cdef bytes more
    if x.is_encoded:
        raise error("UpstreamTranslation", f"integration {x.target.integration.name!r}: expected a reply without Content-Encoding")
    if status < 400 and x.is_sse and not x.way.is_shape:
        x.stream = x.translation.stream()
    if status >= 400:
        more = b"content-type: application/json\r\n"
    elif x.way.is_shape:
        more = b""          # it is stated when the reply is there
    else:
        more = b"content-type: %b\r\n" % x.translation.content_type.encode()
    if x.translation.dropped:
        # a name comes from the caller's body: only what may stand in a field
        names = ", ".join(x.translation.dropped)[:MOST_DROPPED_BYTES]
        more += b"x-fastgw-dropped: %b\r\n" % "".join(c if " " <= c <= "~" else "?" for c in names).encode()
    append(&x.fields, PyBytes_AS_STRING(more), PyBytes_GET_SIZE(more))
    x.is_sse = status < 400 and not x.way.is_shape and x.translation.content_type == "text/event-stream"
    x.is_json = not x.is_sse
    x.reply_length = -1
    return 0


cdef int add_identity(Exchange x) except -1:
    """x-fastgw-request-id, x-portkey-trace-id, and what a browser's origin needs."""
    cdef char text[36]
    cdef bytes more
    hex_id(x, text)
    append(&x.fields, b"x-fastgw-request-id: ", 21)
    append(&x.fields, text, 36)
    append(&x.fields, b"\r\nx-portkey-trace-id: ", 22)
    if x.trace_id is None:
        append(&x.fields, text, 36)
    else:
        append(&x.fields, PyBytes_AS_STRING(x.trace_id), PyBytes_GET_SIZE(x.trace_id))
    append(&x.fields, b"\r\n", 2)
    if x.origin is not None and x.snapshot is not None and x.snapshot.cors is not None:
        more = x.snapshot.cors.reply_fields(x.origin.decode("latin-1"))
        append(&x.fields, PyBytes_AS_STRING(more), PyBytes_GET_SIZE(more))
    return 0


cdef int add_cost(Exchange x) except -1:
    """x-fastgw-cost-usd: dollars, to the nano-dollar."""
    cdef char digits[9]
    cdef int64_t rest
    cdef int i, kept = 9
    if x.cost_nano_usd < 0 or not (x.usage_known or x.usage_estimated):
        return 0
    append(&x.fields, b"x-fastgw-cost-usd: ", 19)
    append_decimal(&x.fields, x.cost_nano_usd // 1000000000)
    rest = x.cost_nano_usd % 1000000000
    for i in range(9):
        digits[8 - i] = 48 + <char>(rest % 10)
        rest //= 10
    while kept > 0 and digits[kept - 1] == 48:
        kept -= 1
    if kept:
        append(&x.fields, b".", 1)
        append(&x.fields, digits, kept)
    append(&x.fields, b"\r\n", 2)
    return 0


cdef int hex_id(Exchange x, char* text) except -1:
    cdef int i, at = 0
    for i in range(16):
        if i == 4 or i == 6 or i == 8 or i == 10:
            text[at] = c'-'
            at += 1
        text[at] = HEX[x.entry.id[i] >> 4]
        text[at + 1] = HEX[x.entry.id[i] & 15]
        at += 2
    return 0


cdef bytes request_id(Exchange x):
    cdef char text[36]
    hex_id(x, text)
    return PyBytes_FromStringAndSize(text, 36)
