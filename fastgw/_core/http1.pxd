"""HTTP/1.1 heads and chunked bodies, strictly, in place, without allocation."""
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint8_t
from fastgw._core.span cimport Span

cdef enum:
    MAX_FIELDS = 200
    NEED_MORE = 0

cdef enum Method:
    GET = 1
    HEAD = 2
    POST = 3
    PUT = 4
    PATCH = 5
    DELETE = 6
    OPTIONS = 7

# A negative return of parse_request, parse_response and dechunk.
cdef enum HeadError:
    BAD_START_LINE = -1        # request line or status line is not what RFC 9112 section 3 or 4 says
    BAD_METHOD = -2            # a token, but none of Method (answer 501)
    BAD_VERSION = -3           # not HTTP/1.0 or HTTP/1.1 (answer 505)
    BAD_TARGET = -4            # not origin-form or "*"; control, space or non-ASCII byte in it
    BAD_FIELD = -5             # name not a token, control byte in a value, obs-fold, bare CR or LF, space before colon
    TOO_MANY_FIELDS = -6
    HEAD_TOO_LARGE = -7        # no end within the limit (answer 431)
    BAD_HOST = -8              # HTTP/1.1 request without exactly one Host, or an invalid one
    BAD_LENGTH = -9            # Content-Length not digits, repeated, or beyond 2**53
    BAD_CODING = -10           # Transfer-Encoding not exactly one "chunked", or beside Content-Length, or in HTTP/1.0
    BAD_CHUNK = -11            # broken chunk size, extension over 256 bytes, missing CRLF, bad trailer
    BAD_EXPECT = -12           # an expectation other than 100-continue (answer 417)

# What a field is to the gateway; by name, case-insensitive.
cdef enum FieldId:
    F_OTHER = 0
    F_HOST = 1
    F_CONTENT_LENGTH = 2
    F_TRANSFER_ENCODING = 3
    F_CONNECTION = 4
    F_CONTENT_TYPE = 5
    F_CONTENT_ENCODING = 6
    F_ACCEPT_ENCODING = 7
    F_EXPECT = 8
    F_HOP = 9                  # keep-alive, proxy-connection, te, trailer, upgrade, proxy-*, and what Connection names
    F_AUTHORIZATION = 10
    F_X_API_KEY = 11
    F_API_KEY = 12
    F_X_GOOG_API_KEY = 13
    F_X_PORTKEY_API_KEY = 14
    F_X_PORTKEY = 15           # any other x-portkey-*
    F_X_FASTGW = 16            # any x-fastgw-*
    F_COOKIE = 17
    F_SET_COOKIE = 18
    F_ORIGIN = 19
    F_TRACEPARENT = 20
    F_X_PORTKEY_TRACE_ID = 21
    F_X_FASTGW_INTEGRATION = 22
    F_ACCESS_CONTROL_METHOD = 23   # access-control-request-method
    F_ACCESS_CONTROL_HEADERS = 24  # access-control-request-headers
    F_ANTHROPIC_VERSION = 25
    F_RETRY_AFTER = 26
    F_ALT_SVC = 27
    F_STRICT_TRANSPORT = 28        # strict-transport-security
    F_X_FORWARDED = 29             # x-forwarded-*, forwarded, x-real-ip
    F_DATE = 30
    F_SERVER = 31
    F_ACCESS_CONTROL = 32          # any other access-control-*

cdef struct Field:
    uint32_t line              # offset of the field line
    uint32_t line_len          # its length with CRLF
    uint32_t name_len          # the name starts at `line`
    uint32_t value             # offset of the value, optional whitespace removed
    uint32_t value_len
    int id                     # FieldId

cdef struct Head:
    Py_ssize_t length          # bytes of the head, its empty line included
    int method                 # Method (requests)
    int minor                  # HTTP/1.minor
    int status                 # (responses)
    Span target                # (requests) path and query as received
    Span path                  # (requests) target up to "?"
    Span query                 # (requests) after "?"; absent where there is none
    int64_t content_length     # -1 where absent
    bint chunked
    bint keep_alive            # what the version and Connection say together
    bint expect_continue
    bint upgrade               # the peer asked for (or switched to) another protocol
    bint has_trailers_te       # TE: trailers
    int count
    Field fields[MAX_FIELDS]

# Parse one head at p. Return its length, NEED_MORE, or a HeadError. One empty line before a request is skipped and
# counted.
# Of an absolute-form target, `target` and `path` begin with the slash after the authority, which is the same as Host.
# A response without a body by its status (1xx, 204, 304) has content_length 0; that one to HEAD has none either, the
# caller knows.
cdef Py_ssize_t parse_request(const char* p, Py_ssize_t n, Head* out, Py_ssize_t limit) noexcept nogil
cdef Py_ssize_t parse_response(const char* p, Py_ssize_t n, Head* out, Py_ssize_t limit) noexcept nogil

cdef struct Chunked:
    int state
    int64_t left               # bytes left of the chunk in hand
    int64_t trailer_bytes
    int digits                 # of the chunk size in hand
    int extension_bytes        # of the chunk in hand
    bint done

# Compact the payload of p[0:n] to the front of p and return its length (or a HeadError); *consumed is what was read.
# It stops at the end of the message: done is set and consumed < n where another message follows.
cdef Py_ssize_t dechunk(Chunked* state, char* p, Py_ssize_t n, Py_ssize_t* consumed) noexcept nogil
cdef void start_chunked(Chunked* state) noexcept nogil
