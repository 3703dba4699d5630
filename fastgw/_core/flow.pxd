"""The cuts between the lane, the exchange and the upstream: what each tells the others.

Client  the caller's connection: the lane's, or an ASGI server's
Flow    the exchange in the middle
Leg     one attempt upstream (in upstream.pxd)
"""
from libc.stdint cimport int64_t
from fastgw._core.http1 cimport Head

cdef enum BodyMode:            # what a Flow says to a request's head
    BODY_REFUSED = 0           # it has replied (or will); the body is of no interest
    BODY_WHOLE = 1             # give me the body in one piece
    BODY_STREAM = 2            # give me the body as it comes

cdef enum RequestFault:        # beside http1.HeadError: why a request could not be read
    FAULT_BODY_TOO_LARGE = -30
    FAULT_HEAD_TIMEOUT = -31
    FAULT_BODY_TIMEOUT = -32
    FAULT_PLAIN_HTTP = -33     # where TLS is spoken

cdef enum LegFailure:
    LEG_DNS = 1
    LEG_CONNECT = 2            # refused, unreachable
    LEG_TLS = 3                # handshake or certificate
    LEG_CONNECT_TIMEOUT = 4
    LEG_FIRST_BYTE_TIMEOUT = 5
    LEG_IDLE_TIMEOUT = 6       # between two pieces of the reply
    LEG_TOTAL_TIMEOUT = 7
    LEG_RESET = 8              # closed before the reply's head was whole
    LEG_TRUNCATED = 9          # closed in the middle of the reply's body
    LEG_BAD_REPLY = 10         # not HTTP, or broken framing
    LEG_HEAD_TOO_LARGE = 11
    LEG_BUSY = 12              # the pool's bound is reached and nothing became free in time
    LEG_PROXY = 13             # the forward proxy refused the tunnel
    LEG_UPGRADE = 14           # 101


cdef class Client:
    """The caller's connection, as an exchange sees it."""
    # `fields` are whole lines ("name: value" CRLF), without framing, which is the client's own business.
    cdef int reply(self, int status, const char* fields, Py_ssize_t fields_len, const char* body, Py_ssize_t n) except -1
    # length -1: unknown. The first piece of the body goes with the head.
    cdef int start(self, int status, const char* fields, Py_ssize_t fields_len, int64_t length,
                   const char* p, Py_ssize_t n, bint last) except -1
    cdef int write(self, const char* p, Py_ssize_t n, bint last) except -1
    cdef int done(self) except -1              # the exchange is closed: go on to the next request
    cdef int abort(self) except -1             # after start: cut the connection, so that the caller knows it is not whole
    cdef int pause(self) except -1             # stop reading the request's body
    cdef int resume(self) except -1
    cdef bint is_slow(self)                    # more than HIGH_WATER_BYTES are unsent
    cdef bint is_open(self)
    cdef tuple origin(self)                    # its address as text, and whether it speaks TLS; asked for by few requests


cdef class Flow:
    """One exchange after another of one client."""
    # from the client; base is where the head's offsets count from, valid during the call only
    cdef int request_head(self, const char* base, Head* head) except -1
    cdef int request_body(self, const char* p, Py_ssize_t n, bytes owned) except -1   # whole; owned: the same bytes as an object, or None
    cdef int request_piece(self, const char* p, Py_ssize_t n, bint last) except -1
    cdef int request_fault(self, int fault) except -1       # HeadError or RequestFault; replies, and the connection closes
    cdef int gone(self) except -1                           # the caller went away
    cdef int client_drained(self) except -1
    cdef int fault(self, object error) except -1            # our own bug: reply 500 if nothing was sent yet
    cdef bint is_idle(self)
    # from the leg
    cdef int leg_ready(self, object leg) except -1          # a connection that was asked for is there
    cdef int leg_failed(self, int failure, bint untouched) except -1   # untouched: reused, and not a byte of a reply came
    cdef int leg_drained(self) except -1
    cdef int reply_head(self, const char* base, Head* head, bint more) except -1      # more: reply_data follows at once
    cdef int reply_data(self, char* p, Py_ssize_t n, bint last) except -1


cdef class Application:
    """Makes the flows; the lane knows nothing else of what it carries."""
    cdef Flow open(self, Client client)
