"""Parse HTTP/1.1 heads and chunked bodies strictly, in place, without allocation.

Input      bytes of one connection from the first byte of a message on; the caller passes all bytes so far each time.
Output     a Head of offsets into those bytes, or NEED_MORE, or a HeadError as soon as it is certain.
Ownership  nothing is kept: a Head is valid as long as the bytes it was parsed from stay where they are.
Limits     200 fields; the head is bounded by `limit`; chunk extensions 256 bytes; trailers 16 KiB.
Complexity linear in the bytes given; a head that comes in k pieces is read k times, which `limit` bounds.

Rules: RFC 9110 (fields, methods) and RFC 9112 (framing). What two parsers could read differently is refused, not
repaired: a gateway that forwards an ambiguous message is how requests are smuggled (RFC 9112 section 11.2).

This file is longer than most: it is one grammar, and its parts are never used apart.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

from fastgw._core.span cimport Span

cdef enum:
    # Classes of bytes, one bit each.
    TOKEN = 1                      # RFC 9110 section 5.6.2
    VALUE = 2                      # field value: VCHAR, obs-text, SP, HTAB
    PATH = 4                       # target up to "?": VCHAR without "#" (the origin-form has no fragment) and "?"
    QUERY = 8                      # target after "?": VCHAR without "#"
    NAME = 16                      # a host that is a name or an IPv4 address
    ADDRESS = 32                   # inside the brackets of an IPv6 address

    MAX_KNOWN_LENGTH = 32
    MAX_KNOWN_OF_LENGTH = 5
    MAX_CONNECTION_OPTIONS = 32    # each is compared with every field, so their number must be bounded
    MAX_LENGTH_DIGITS = 16
    MAX_EXTENSION_BYTES = 256
    MAX_TRAILER_BYTES = 16384

cdef int64_t MAX_BODY_BYTES = 1 << 53     # above it JavaScript and JSON numbers are no longer exact

cdef struct Known:
    char name[MAX_KNOWN_LENGTH]
    int id

cdef struct Seen:                  # what the fields said so far
    bint is_request
    int hosts
    int lengths
    int codings
    int options                    # Connection options that name a field
    bint close
    bint keep_alive
    bint upgrade_option
    bint upgrade_field
    Span authority                 # of an absolute-form target
    Span host

cdef uint8_t[256] CLASS
cdef Known[MAX_KNOWN_LENGTH][MAX_KNOWN_OF_LENGTH] KNOWN    # by length of the name; id 0 ends a row

FIELD_NAMES = (
    (b"host", F_HOST), (b"content-length", F_CONTENT_LENGTH), (b"transfer-encoding", F_TRANSFER_ENCODING),
    (b"connection", F_CONNECTION), (b"content-type", F_CONTENT_TYPE), (b"content-encoding", F_CONTENT_ENCODING),
    (b"accept-encoding", F_ACCEPT_ENCODING), (b"expect", F_EXPECT),
    (b"keep-alive", F_HOP), (b"te", F_HOP), (b"trailer", F_HOP), (b"upgrade", F_HOP),
    (b"authorization", F_AUTHORIZATION), (b"api-key", F_API_KEY), (b"cookie", F_COOKIE), (b"set-cookie", F_SET_COOKIE),
    (b"origin", F_ORIGIN), (b"traceparent", F_TRACEPARENT), (b"anthropic-version", F_ANTHROPIC_VERSION),
    (b"retry-after", F_RETRY_AFTER), (b"alt-svc", F_ALT_SVC), (b"strict-transport-security", F_STRICT_TRANSPORT),
    (b"forwarded", F_X_FORWARDED), (b"date", F_DATE), (b"server", F_SERVER),
)


cdef int fill_tables() except -1:
    """Fill CLASS and KNOWN, once, at import."""
    cdef int byte
    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for byte in letters + b"!#$%&'*+-.^_`|~":
        CLASS[byte] |= TOKEN
    for byte in range(0x21, 0x7F):
        CLASS[byte] |= VALUE
        if byte != ord("#"):
            CLASS[byte] |= QUERY if byte == ord("?") else QUERY | PATH
    for byte in [*b" \t", *range(0x80, 0x100)]:
        CLASS[byte] |= VALUE
    for byte in letters + b"-._~":
        CLASS[byte] |= NAME
    for byte in b"0123456789abcdefABCDEF:.":
        CLASS[byte] |= ADDRESS
    cdef int row
    for name, number in FIELD_NAMES:
        row = 0
        while KNOWN[len(name)][row].id:
            row += 1
        assert row < MAX_KNOWN_OF_LENGTH - 1, "a row of KNOWN must keep its last place empty"
        memcpy(KNOWN[len(name)][row].name, <const char*>name, len(name))
        KNOWN[len(name)][row].id = number


fill_tables()


cdef inline bint same(const uint8_t* p, const char* lower, Py_ssize_t n) noexcept nogil:
    """Compare n token bytes at p, whatever their case, with a lower-case word of letters, digits and hyphens."""
    # Setting bit 5 makes letters small; no other token byte turns into a letter, digit or hyphen by it.
    cdef uint64_t left, right
    cdef Py_ssize_t i = 0
    while i + 8 <= n:
        memcpy(&left, p + i, 8)
        memcpy(&right, lower + i, 8)
        if (left | <uint64_t>0x2020202020202020) != right:
            return False
        i += 8
    while i < n:
        if (p[i] | 0x20) != <uint8_t>lower[i]:
            return False
        i += 1
    return True


cdef inline bint same_names(const uint8_t* a, const uint8_t* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint8_t small
    for i in range(n):
        if a[i] != b[i]:
            small = a[i] | 0x20
            if small != (b[i] | 0x20) or small < c'a' or small > c'z':
                return False
    return True


cdef inline Py_ssize_t skip_class(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, uint8_t kind) noexcept nogil:
    while at < end and CLASS[p[at]] & kind:
        at += 1
    return at


cdef inline Py_ssize_t skip_value(const uint8_t* p, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Return the first offset that is no byte of a value: eight bytes at a time while none is a control byte."""
    cdef uint64_t word, delete
    cdef Py_ssize_t stop
    while at + 8 <= end:
        memcpy(&word, p + at, 8)
        delete = word ^ <uint64_t>0x7F7F7F7F7F7F7F7F
        if (((word - <uint64_t>0x2020202020202020) & ~word) | ((delete - <uint64_t>0x0101010101010101) & ~delete)) \
                & <uint64_t>0x8080808080808080:
            stop = skip_class(p, at, at + 8, VALUE)    # a tab may be all there was
            if stop < at + 8:
                return stop
        at += 8
    return skip_class(p, at, end, VALUE)


cdef inline Py_ssize_t skip_line_end(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, int error) noexcept nogil:
    """Return the offset after CRLF at `at`, NEED_MORE, or the error where something else stands there."""
    if at < end and p[at] != c'\r':
        return error
    if at + 1 >= end:
        return NEED_MORE
    return at + 2 if p[at + 1] == c'\n' else error


cdef int64_t parse_digits(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Read 1 to 16 decimal digits, at most 2**53; -1 where they are not that."""
    cdef int64_t number = 0
    cdef Py_ssize_t i
    if n < 1 or n > MAX_LENGTH_DIGITS:
        return -1
    for i in range(n):
        if p[i] < c'0' or p[i] > c'9':
            return -1
        number = number * 10 + (p[i] - c'0')
    return number if number <= MAX_BODY_BYTES else -1


cdef bint is_host(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """A name, an IPv4 address or an IPv6 address in brackets, with an optional port: the sane part of RFC 3986."""
    cdef Py_ssize_t at
    cdef int64_t port
    if n > 0 and p[0] == c'[':
        at = skip_class(p, 1, n, ADDRESS)
        if at < 3 or at > 46 or at == n or p[at] != c']':
            return False
        at += 1
    else:
        at = skip_class(p, 0, n, NAME)
        if at == 0 or at > 255:
            return False
    if at == n:
        return True
    if p[at] != c':' or n - at > 6:
        return False
    port = parse_digits(p + at + 1, n - at - 1)
    return 0 <= port <= 65535


cdef inline int match_method(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Methods are case-sensitive (RFC 9110 section 9.1); 0 where it is none of ours."""
    if n == 4:
        return POST if memcmp(p, b"POST", 4) == 0 else HEAD if memcmp(p, b"HEAD", 4) == 0 else 0
    if n == 3:
        return GET if memcmp(p, b"GET", 3) == 0 else PUT if memcmp(p, b"PUT", 3) == 0 else 0
    if n == 5:
        return PATCH if memcmp(p, b"PATCH", 5) == 0 else 0
    if n == 6:
        return DELETE if memcmp(p, b"DELETE", 6) == 0 else 0
    if n == 7:
        return OPTIONS if memcmp(p, b"OPTIONS", 7) == 0 else 0
    return 0


cdef Py_ssize_t parse_version(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, int* minor) noexcept nogil:
    """Read "HTTP/1.0" or "HTTP/1.1"; return the offset after it."""
    cdef const char* form = b"HTTP/d.d"
    cdef int i
    for i in range(8):
        if at + i >= end:
            return NEED_MORE
        if form[i] == c'd':
            if p[at + i] < c'0' or p[at + i] > c'9':
                return BAD_START_LINE
        elif p[at + i] != <uint8_t>form[i]:
            return BAD_START_LINE
    if p[at + 5] != c'1' or p[at + 7] > c'1':
        return BAD_VERSION
    minor[0] = p[at + 7] - c'0'
    return at + 8


cdef Py_ssize_t match_scheme(const uint8_t* p, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Read "http://" or "https://", whatever its case; return the offset after it."""
    cdef const char* form = b"https://"
    cdef int i
    for i in range(8):
        if at >= end:
            return NEED_MORE
        if i == 4 and p[at] == c':':
            continue
        if (p[at] | 0x20 if i < 5 else p[at]) != <uint8_t>form[i]:
            return BAD_TARGET
        at += 1
    return at


cdef Py_ssize_t parse_authority(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, Span* authority) noexcept nogil:
    """Read scheme and authority of an absolute-form target; return the offset of the slash that begins its path."""
    at = match_scheme(p, at, end)
    if at <= 0:
        return at
    authority.start = at
    while at < end and p[at] != c'/' and CLASS[p[at]] & PATH:
        at += 1
    if at == end:
        return NEED_MORE
    authority.end = at
    # User information, as in "http://good@evil/", ends here too: "@" is in no host.
    if p[at] != c'/' or not is_host(p + authority.start, at - authority.start):
        return BAD_TARGET
    return at


cdef Py_ssize_t parse_target(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, Head* out,
                             Span* authority) noexcept nogil:
    """Read a target (RFC 9112 section 3.2) and the space after it; CONNECT and its authority-form are not served."""
    if at == end:
        return NEED_MORE
    if p[at] == c'*' and out.method == OPTIONS:
        out.target.start = out.path.start = at
        at += 1
        out.target.end = out.path.end = at
    else:
        if p[at] != c'/':
            at = parse_authority(p, at, end, authority)
            if at <= 0:
                return at
        out.target.start = out.path.start = at
        at = skip_class(p, at, end, PATH)
        out.path.end = at
        if at < end and p[at] == c'?':
            out.query.start = at + 1
            at = skip_class(p, at + 1, end, QUERY)
            out.query.end = at
        out.target.end = at
    if at == end:
        return NEED_MORE
    return at + 1 if p[at] == c' ' else BAD_TARGET


cdef Py_ssize_t parse_request_line(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, Head* out,
                                   Span* authority) noexcept nogil:
    cdef Py_ssize_t start
    # RFC 9112 section 2.2: clients that put CRLF after a body leave one empty line. More is no client's habit.
    if at < end and p[at] == c'\r':
        at = skip_line_end(p, at, end, BAD_START_LINE)
        if at <= 0:
            return at
    start = at
    at = skip_class(p, at, end, TOKEN)
    if at == end:
        return NEED_MORE
    if at == start or p[at] != c' ':
        return BAD_START_LINE
    out.method = match_method(p + start, at - start)
    if out.method == 0:
        return BAD_METHOD
    at = parse_target(p, at + 1, end, out, authority)
    if at <= 0:
        return at
    at = parse_version(p, at, end, &out.minor)
    if at <= 0:
        return at
    return skip_line_end(p, at, end, BAD_START_LINE)


cdef Py_ssize_t parse_status_line(const uint8_t* p, Py_ssize_t end, Head* out) noexcept nogil:
    cdef Py_ssize_t at = parse_version(p, 0, end, &out.minor)
    cdef int i
    if at <= 0:
        return at
    if at < end and p[at] != c' ':
        return BAD_START_LINE
    for i in range(3):
        at += 1
        if at >= end:
            return NEED_MORE
        if p[at] < c'0' or p[at] > c'9':
            return BAD_START_LINE
        out.status = out.status * 10 + (p[at] - c'0')
        if out.status == 0:
            return BAD_START_LINE
    at += 1
    if at < end and p[at] == c' ':     # some servers leave out the space where there is no reason phrase
        at = skip_value(p, at, end)
    return skip_line_end(p, at, end, BAD_START_LINE)


cdef int x_field_id(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Identify a name that begins with "x-"."""
    if n == 9 and same(p, b"x-api-key", 9):
        return F_X_API_KEY
    if n == 14 and same(p, b"x-goog-api-key", 14):
        return F_X_GOOG_API_KEY
    if n > 10 and same(p, b"x-portkey-", 10):
        if n == 17 and same(p + 10, b"api-key", 7):
            return F_X_PORTKEY_API_KEY
        return F_X_PORTKEY_TRACE_ID if n == 18 and same(p + 10, b"trace-id", 8) else F_X_PORTKEY
    if n > 9 and same(p, b"x-fastgw-", 9):
        return F_X_FASTGW_INTEGRATION if n == 20 and same(p + 9, b"integration", 11) else F_X_FASTGW
    if (n > 12 and same(p, b"x-forwarded-", 12)) or (n == 9 and same(p, b"x-real-ip", 9)):
        return F_X_FORWARDED
    return F_OTHER


cdef int field_id(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Say what a field is by its name: the few prefixes first, then the row of its length."""
    cdef uint8_t first = p[0] | 0x20
    cdef const Known* known
    if first == c'x' and n > 2 and p[1] == c'-':
        return x_field_id(p, n)
    if first == c'p' and n > 6 and same(p, b"proxy-", 6):
        return F_HOP
    if first == c'a' and n > 15 and same(p, b"access-control-", 15):
        if n == 29 and same(p + 15, b"request-method", 14):
            return F_ACCESS_CONTROL_METHOD
        return F_ACCESS_CONTROL_HEADERS if n == 30 and same(p + 15, b"request-headers", 15) else F_ACCESS_CONTROL
    if n >= MAX_KNOWN_LENGTH:
        return F_OTHER
    known = KNOWN[n]
    while known.id:
        if <uint8_t>known.name[0] == first and same(p, known.name, n):
            return known.id
        known += 1
    return F_OTHER


cdef Py_ssize_t parse_field(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, Field* out) noexcept nogil:
    """Read one field line; return the offset after its CRLF."""
    cdef Py_ssize_t start = at, stop
    at = skip_class(p, at, end, TOKEN)
    if at == end:
        return NEED_MORE
    if at == start or p[at] != c':':       # a space first is obs-fold, one before the colon hides a name
        return BAD_FIELD
    out.line = <uint32_t>start
    out.name_len = <uint32_t>(at - start)
    at += 1
    while at < end and (p[at] == c' ' or p[at] == c'\t'):
        at += 1
    out.value = <uint32_t>at
    stop = skip_value(p, at, end)
    at = skip_line_end(p, stop, end, BAD_FIELD)
    if at <= 0:
        return at
    out.line_len = <uint32_t>(at - start)
    while stop > out.value and (p[stop - 1] == c' ' or p[stop - 1] == c'\t'):
        stop -= 1
    out.value_len = <uint32_t>(stop - out.value)
    out.id = field_id(p + start, out.name_len)
    return at


cdef bint read_element(const uint8_t* p, Py_ssize_t* at, Py_ssize_t end, Span* out) noexcept nogil:
    """Take the next element of a comma-separated list, blanks around it removed; it may be empty. False at the end."""
    if at[0] >= end:
        return False
    while at[0] < end and (p[at[0]] == c' ' or p[at[0]] == c'\t'):
        at[0] += 1
    out.start = at[0]
    while at[0] < end and p[at[0]] != c',':
        at[0] += 1
    out.end = at[0]
    at[0] += 1
    while out.end > out.start and (p[out.end - 1] == c' ' or p[out.end - 1] == c'\t'):
        out.end -= 1
    return True


cdef inline bint is_word(const uint8_t* p, const Span* span, const char* lower, Py_ssize_t n) noexcept nogil:
    return span.end - span.start == n and same(p + span.start, lower, n)


cdef int read_connection(const uint8_t* p, const Field* field, Seen* seen) noexcept nogil:
    """Take in the options of one Connection field (RFC 9110 section 7.6.1)."""
    cdef Py_ssize_t at = field.value
    cdef Py_ssize_t end = at + field.value_len
    cdef Span option
    while read_element(p, &at, end, &option):
        if skip_class(p, option.start, option.end, TOKEN) != option.end:
            return BAD_FIELD
        if is_word(p, &option, b"close", 5):
            seen.close = True
        elif is_word(p, &option, b"keep-alive", 10):
            seen.keep_alive = True
        elif option.end > option.start:
            if is_word(p, &option, b"upgrade", 7):
                seen.upgrade_option = True
            seen.options += 1
            if seen.options > MAX_CONNECTION_OPTIONS:
                return BAD_FIELD
    return 0


cdef void read_hop(const uint8_t* p, const Field* field, Head* out, Seen* seen) noexcept nogil:
    """Take in Upgrade and TE, which stop here but say something."""
    cdef Py_ssize_t at = field.value
    cdef Py_ssize_t end = at + field.value_len
    cdef Span coding
    if field.name_len == 7 and same(p + field.line, b"upgrade", 7):
        seen.upgrade_field = True
    elif field.name_len == 2:
        while read_element(p, &at, end, &coding):
            if is_word(p, &coding, b"trailers", 8):
                out.has_trailers_te = True


cdef int read_length(const uint8_t* p, const Field* field, Head* out, Seen* seen) noexcept nogil:
    cdef int64_t length = parse_digits(p + field.value, field.value_len)
    seen.lengths += 1
    if length < 0:
        return BAD_LENGTH
    if seen.is_request:
        # A zero in front is an octal number to some parsers.
        if seen.lengths > 1 or (field.value_len > 1 and p[field.value] == c'0'):
            return BAD_LENGTH
    elif seen.lengths > 1 and length != out.content_length:
        return BAD_LENGTH
    out.content_length = length
    return 0


cdef int read_field(const uint8_t* p, const Field* field, Head* out, Seen* seen) noexcept nogil:
    """Take in a field that says how the message is framed or what becomes of the connection; 0 or a HeadError."""
    cdef const uint8_t* value = p + field.value
    if field.id == F_CONTENT_LENGTH:
        return read_length(p, field, out, seen)
    if field.id == F_TRANSFER_ENCODING:
        seen.codings += 1
        # Parsers differ in whether white space behind it (a tab, to llhttp) makes it another coding.
        out.chunked = seen.codings == 1 and field.value_len == 7 and same(value, b"chunked", 7) and value[7] == c'\r'
        return 0 if out.chunked else BAD_CODING
    if field.id == F_CONNECTION:
        return read_connection(p, field, seen)
    if field.id == F_HOP:
        read_hop(p, field, out, seen)
        return 0
    if not seen.is_request:
        return 0
    if field.id == F_HOST:
        seen.hosts += 1
        seen.host.start = field.value
        seen.host.end = field.value + field.value_len
        return 0 if seen.hosts == 1 and is_host(value, field.value_len) else BAD_HOST
    if field.id == F_EXPECT:
        if field.value_len != 12 or not same(value, b"100-continue", 12):
            return BAD_EXPECT
        out.expect_continue = out.minor == 1    # RFC 9110 section 10.1.1: an HTTP/1.0 peer does not mean it
    return 0


cdef Py_ssize_t parse_fields(const uint8_t* p, Py_ssize_t at, Py_ssize_t end, Head* out, Seen* seen) noexcept nogil:
    """Read field lines up to and with the empty line."""
    cdef Field* field
    cdef int error
    while True:
        if at == end:
            return NEED_MORE
        if p[at] == c'\r':
            return skip_line_end(p, at, end, BAD_FIELD)
        if out.count == MAX_FIELDS:
            return TOO_MANY_FIELDS
        field = &out.fields[out.count]
        at = parse_field(p, at, end, field)
        if at <= 0:
            return at
        out.count += 1
        if field.id != F_OTHER and field.id <= F_HOP:
            error = read_field(p, field, out, seen)
            if error:
                return error


cdef void mark_hops(const uint8_t* p, Head* out) noexcept nogil:
    """Give F_HOP to the fields that Connection names; framing and Host stay what they are, whoever names them."""
    cdef Py_ssize_t at, end
    cdef Span option
    cdef Field* field
    cdef int i, j
    for i in range(out.count):
        if out.fields[i].id != F_CONNECTION:
            continue
        at = out.fields[i].value
        end = at + out.fields[i].value_len
        while read_element(p, &at, end, &option):
            for j in range(out.count):
                field = &out.fields[j]
                if (field.id == F_OTHER or field.id > F_CONNECTION) and field.name_len == option.end - option.start \
                        and same_names(p + field.line, p + option.start, field.name_len):
                    field.id = F_HOP


cdef int conclude(const uint8_t* p, Head* out, Seen* seen) noexcept nogil:
    """Check what only the whole head shows; 0 or a HeadError."""
    if out.chunked and (seen.lengths or out.minor == 0):
        return BAD_CODING
    if seen.is_request:
        if seen.hosts == 0 and out.minor == 1:
            return BAD_HOST
        # RFC 9112 section 3.2.2 lets the target win; a server behind us might let Host win.
        if seen.authority.end and seen.hosts:
            if seen.authority.end - seen.authority.start != seen.host.end - seen.host.start or not same_names(
                    p + seen.authority.start, p + seen.host.start, seen.host.end - seen.host.start):
                return BAD_HOST
        out.upgrade = out.minor == 1 and seen.upgrade_option and seen.upgrade_field
    if seen.options:
        mark_hops(p, out)
    out.keep_alive = not seen.close and (out.minor == 1 or seen.keep_alive)
    return 0


cdef void conclude_response(Head* out) noexcept nogil:
    """Settle the length of a reply's body (RFC 9112 section 6.3); that a reply to HEAD has none, the caller knows."""
    cdef bint contradicts
    if out.status < 200 or out.status == 204 or out.status == 304:
        # A body announced here may or may not follow; nothing after it on the connection could be trusted.
        contradicts = out.status != 304 and (out.chunked or out.content_length > 0)
        out.upgrade = out.status == 101
        out.keep_alive = out.keep_alive and not contradicts
        out.chunked = False
        out.content_length = 0
    elif out.content_length < 0 and not out.chunked:
        out.keep_alive = False


cdef void start_head(Head* out, Seen* seen, bint is_request) noexcept nogil:
    out.length = out.method = out.minor = out.status = out.count = 0
    out.target.start = out.target.end = 0
    out.path = out.query = out.target
    out.content_length = -1
    out.chunked = out.keep_alive = out.expect_continue = out.upgrade = out.has_trailers_te = False
    seen.is_request = is_request
    seen.hosts = seen.lengths = seen.codings = seen.options = 0
    seen.close = seen.keep_alive = seen.upgrade_option = seen.upgrade_field = False
    seen.authority = seen.host = out.target


cdef inline Py_ssize_t finish_head(const uint8_t* p, Py_ssize_t at, Py_ssize_t n, Py_ssize_t limit, Head* out,
                                   Seen* seen) noexcept nogil:
    cdef Py_ssize_t end = n if n < limit else limit
    cdef int error
    if at > 0:
        at = parse_fields(p, at, end, out, seen)
    if at == NEED_MORE and n >= limit:
        return HEAD_TOO_LARGE
    if at <= 0:
        return at
    error = conclude(p, out, seen)
    if error:
        return error
    out.length = at
    return at


cdef Py_ssize_t parse_request(const char* p, Py_ssize_t n, Head* out, Py_ssize_t limit) noexcept nogil:
    cdef const uint8_t* bytes_at = <const uint8_t*>p
    cdef Seen seen
    cdef Py_ssize_t at
    start_head(out, &seen, True)
    at = parse_request_line(bytes_at, 0, n if n < limit else limit, out, &seen.authority)
    return finish_head(bytes_at, at, n, limit, out, &seen)


cdef Py_ssize_t parse_response(const char* p, Py_ssize_t n, Head* out, Py_ssize_t limit) noexcept nogil:
    cdef const uint8_t* bytes_at = <const uint8_t*>p
    cdef Seen seen
    cdef Py_ssize_t at
    start_head(out, &seen, False)
    at = parse_status_line(bytes_at, n if n < limit else limit, out)
    at = finish_head(bytes_at, at, n, limit, out, &seen)
    if at > 0:
        conclude_response(out)
    return at


cdef enum ChunkState:
    CHUNK_SIZE = 0
    CHUNK_EXTENSION = 1
    CHUNK_SIZE_LF = 2
    CHUNK_BODY = 3
    CHUNK_BODY_CR = 4
    CHUNK_BODY_LF = 5
    TRAILER_START = 6
    TRAILER_NAME = 7
    TRAILER_VALUE = 8
    TRAILER_LF = 9
    LAST_LF = 10
    CHUNK_BROKEN = 11


cdef void start_chunked(Chunked* state) noexcept nogil:
    state.state = CHUNK_SIZE
    state.left = state.trailer_bytes = 0
    state.digits = state.extension_bytes = 0
    state.done = False


cdef inline int size_step(Chunked* state, uint8_t byte) noexcept nogil:
    """Take one byte of a chunk's first line; return the state after it."""
    cdef uint8_t small = byte | 0x20
    cdef int digit = -1
    if state.state == CHUNK_SIZE:
        if c'0' <= byte <= c'9':
            digit = byte - c'0'
        elif c'a' <= small <= c'f':
            digit = small - c'a' + 10
        if digit >= 0:
            state.digits += 1
            if state.digits > 16 or state.left > (MAX_BODY_BYTES - digit) >> 4:
                return CHUNK_BROKEN
            state.left = state.left * 16 + digit
            return CHUNK_SIZE
        if state.digits == 0 or (byte != c';' and byte != c'\r'):
            return CHUNK_BROKEN
    if byte == c'\r':
        return CHUNK_SIZE_LF
    state.extension_bytes += 1
    return CHUNK_EXTENSION if CLASS[byte] & VALUE and state.extension_bytes <= MAX_EXTENSION_BYTES else CHUNK_BROKEN


cdef inline int trailer_step(Chunked* state, uint8_t byte) noexcept nogil:
    """Take one byte after the last chunk; return the state after it."""
    state.trailer_bytes += 1
    if state.trailer_bytes > MAX_TRAILER_BYTES:
        return CHUNK_BROKEN
    if state.state == TRAILER_START:
        if byte == c'\r':
            return LAST_LF
        return TRAILER_NAME if CLASS[byte] & TOKEN else CHUNK_BROKEN
    if state.state == TRAILER_NAME:
        return TRAILER_VALUE if byte == c':' else TRAILER_NAME if CLASS[byte] & TOKEN else CHUNK_BROKEN
    if state.state == TRAILER_VALUE:
        return TRAILER_LF if byte == c'\r' else TRAILER_VALUE if CLASS[byte] & VALUE else CHUNK_BROKEN
    if byte != c'\n':
        return CHUNK_BROKEN
    state.done = state.state == LAST_LF
    return TRAILER_START


cdef inline int frame_step(Chunked* state, uint8_t byte) noexcept nogil:
    """Take one byte that is no payload; return the state after it."""
    if state.state <= CHUNK_EXTENSION:
        return size_step(state, byte)
    if state.state >= TRAILER_START:
        return trailer_step(state, byte)
    if state.state == CHUNK_BODY_CR:
        return CHUNK_BODY_LF if byte == c'\r' else CHUNK_BROKEN
    if byte != c'\n':
        return CHUNK_BROKEN
    if state.state == CHUNK_SIZE_LF:
        return CHUNK_BODY if state.left else TRAILER_START
    state.digits = state.extension_bytes = 0
    return CHUNK_SIZE


cdef Py_ssize_t dechunk(Chunked* state, char* p, Py_ssize_t n, Py_ssize_t* consumed) noexcept nogil:
    cdef Py_ssize_t at = 0, kept = 0, piece
    while at < n and not state.done and state.state != CHUNK_BROKEN:
        if state.state == CHUNK_BODY:
            piece = n - at if n - at < state.left else <Py_ssize_t>state.left
            if kept != at:
                memmove(p + kept, p + at, piece)
            at += piece
            kept += piece
            state.left -= piece
            if state.left == 0:
                state.state = CHUNK_BODY_CR
        else:
            state.state = frame_step(state, <uint8_t>p[at])
            at += 1
    consumed[0] = at
    return BAD_CHUNK if state.state == CHUNK_BROKEN else kept


# The Python face, for tests and benches.

# A function, since a pair written out where it stands is ten times the code.
cdef tuple pair(str name, int number):
    return (name, number)


CODES = dict((
    pair("NEED_MORE", NEED_MORE), pair("BAD_START_LINE", BAD_START_LINE), pair("BAD_METHOD", BAD_METHOD), pair("BAD_VERSION", BAD_VERSION),
    pair("BAD_TARGET", BAD_TARGET), pair("BAD_FIELD", BAD_FIELD), pair("TOO_MANY_FIELDS", TOO_MANY_FIELDS),
    pair("HEAD_TOO_LARGE", HEAD_TOO_LARGE), pair("BAD_HOST", BAD_HOST), pair("BAD_LENGTH", BAD_LENGTH), pair("BAD_CODING", BAD_CODING),
    pair("BAD_CHUNK", BAD_CHUNK), pair("BAD_EXPECT", BAD_EXPECT),
))
FIELD_IDS = dict((
    pair("OTHER", F_OTHER), pair("HOST", F_HOST), pair("CONTENT_LENGTH", F_CONTENT_LENGTH), pair("TRANSFER_ENCODING", F_TRANSFER_ENCODING),
    pair("CONNECTION", F_CONNECTION), pair("CONTENT_TYPE", F_CONTENT_TYPE), pair("CONTENT_ENCODING", F_CONTENT_ENCODING),
    pair("ACCEPT_ENCODING", F_ACCEPT_ENCODING), pair("EXPECT", F_EXPECT), pair("HOP", F_HOP), pair("AUTHORIZATION", F_AUTHORIZATION),
    pair("X_API_KEY", F_X_API_KEY), pair("API_KEY", F_API_KEY), pair("X_GOOG_API_KEY", F_X_GOOG_API_KEY),
    pair("X_PORTKEY_API_KEY", F_X_PORTKEY_API_KEY), pair("X_PORTKEY", F_X_PORTKEY), pair("X_FASTGW", F_X_FASTGW), pair("COOKIE", F_COOKIE),
    pair("SET_COOKIE", F_SET_COOKIE), pair("ORIGIN", F_ORIGIN), pair("TRACEPARENT", F_TRACEPARENT),
    pair("X_PORTKEY_TRACE_ID", F_X_PORTKEY_TRACE_ID), pair("X_FASTGW_INTEGRATION", F_X_FASTGW_INTEGRATION),
    pair("ACCESS_CONTROL_METHOD", F_ACCESS_CONTROL_METHOD), pair("ACCESS_CONTROL_HEADERS", F_ACCESS_CONTROL_HEADERS),
    pair("ANTHROPIC_VERSION", F_ANTHROPIC_VERSION), pair("RETRY_AFTER", F_RETRY_AFTER), pair("ALT_SVC", F_ALT_SVC),
    pair("STRICT_TRANSPORT", F_STRICT_TRANSPORT), pair("X_FORWARDED", F_X_FORWARDED), pair("DATE", F_DATE), pair("SERVER", F_SERVER),
    pair("ACCESS_CONTROL", F_ACCESS_CONTROL),
))
METHODS = {
    0: "", GET: "GET", HEAD: "HEAD", POST: "POST", PUT: "PUT", PATCH: "PATCH", DELETE: "DELETE", OPTIONS: "OPTIONS",
}


cdef class ParsedHead:
    """A Head with its spans cut out."""
    cdef readonly Py_ssize_t length
    cdef readonly str method
    cdef readonly int minor, status
    cdef readonly bytes target, path, query
    cdef readonly int64_t content_length
    cdef readonly bint chunked, keep_alive, expect_continue, upgrade, has_trailers_te
    cdef readonly list fields, lines

    def __repr__(self):
        return (f"<ParsedHead {self.method or self.status} HTTP/1.{self.minor} {self.target!r} length={self.length} "
                f"content_length={self.content_length} chunked={self.chunked} keep_alive={self.keep_alive} "
                f"{self.fields}>")


cdef ParsedHead cut_head(bytes head, const Head* found):
    cdef ParsedHead out = ParsedHead()
    cdef int i
    out.length, out.content_length = found.length, found.content_length
    out.method, out.minor, out.status = METHODS[found.method], found.minor, found.status
    out.target = head[found.target.start:found.target.end]
    out.path = head[found.path.start:found.path.end]
    out.query = head[found.query.start:found.query.end] if found.query.end else None
    out.chunked, out.keep_alive, out.expect_continue = found.chunked, found.keep_alive, found.expect_continue
    out.upgrade, out.has_trailers_te = found.upgrade, found.has_trailers_te
    out.fields = []
    out.lines = []
    for i in range(found.count):
        field = found.fields[i]
        name = head[field.line:field.line + field.name_len]
        out.fields.append((name, head[field.value:field.value + field.value_len], field.id))
        out.lines.append(head[field.line:field.line + field.line_len])
    return out


def parse_request_head(bytes head not None, Py_ssize_t limit=65536):
    """Parse a request's head; a code of CODES where there is none."""
    cdef Head found
    cdef Py_ssize_t result = parse_request(head, len(head), &found, limit)
    return cut_head(head, &found) if result > 0 else result


def parse_response_head(bytes head not None, Py_ssize_t limit=65536):
    """Parse a response's head; a code of CODES where there is none."""
    cdef Head found
    cdef Py_ssize_t result = parse_response(head, len(head), &found, limit)
    return cut_head(head, &found) if result > 0 else result


cdef class Dechunker:
    """A chunked body, piece by piece."""
    cdef Chunked state

    def __cinit__(self):
        start_chunked(&self.state)

    def __repr__(self):
        return f"<Dechunker state={self.state.state} left={self.state.left} done={bool(self.state.done)}>"

    def feed(self, bytes piece not None):
        """Return (payload, consumed, done); the payload is a code of CODES where the body is broken."""
        cdef bytearray room = bytearray(piece)
        cdef Py_ssize_t consumed = 0
        cdef Py_ssize_t result = dechunk(&self.state, room, len(room), &consumed)
        return bytes(room[:result]) if result >= 0 else result, consumed, bool(self.state.done)


def _bench_request(bytes head not None, Py_ssize_t rounds):
    """Parse the same request head so many times; return the sum of the lengths."""
    cdef Head found
    cdef const char* p = head
    cdef Py_ssize_t n = len(head), total = 0
    with nogil:
        for _ in range(rounds):
            total += parse_request(p, n, &found, 65536)
    return total


def _bench_response(bytes head not None, Py_ssize_t rounds):
    """Parse the same response head so many times; return the sum of the lengths."""
    cdef Head found
    cdef const char* p = head
    cdef Py_ssize_t n = len(head), total = 0
    with nogil:
        for _ in range(rounds):
            total += parse_response(p, n, &found, 65536)
    return total


def _bench_dechunk(bytes body not None, Py_ssize_t rounds):
    """Copy and decode the same body so many times; return the sum of the payloads' lengths."""
    cdef Chunked state
    cdef bytearray room = bytearray(body)
    cdef char* p = room
    cdef const char* source = body
    cdef Py_ssize_t n = len(body), total = 0, consumed = 0
    with nogil:
        for _ in range(rounds):
            memcpy(p, source, n)
            start_chunked(&state)
            total += dechunk(&state, p, n, &consumed)
    return total
