"""Connections to providers: a pool an origin, a leg a connection."""
from libc.stdint cimport int64_t
from posix.uio cimport iovec
from fastgw._core.buffer cimport Buffer
from fastgw._core.flow cimport Flow
from fastgw._core.http1 cimport Chunked
from fastgw._core.poll cimport Poller
from fastgw._core.wire cimport Wire


cdef class Origin:
    cdef Poller poller
    cdef readonly str host
    cdef readonly int port
    cdef readonly object context       # ssl.SSLContext, or None for plain TCP
    cdef readonly str unix_path        # instead of host and port
    cdef object check                  # callable(address, host), raises ValueError where it must not be connected to; or None
    cdef readonly tuple proxy          # (host, port, proxy-authorization bytes or None), or None
    cdef readonly int limit
    cdef readonly int64_t connect_ns
    cdef readonly int64_t first_byte_ns
    cdef readonly int64_t idle_ns
    cdef readonly int64_t total_ns
    cdef readonly int open_count
    cdef readonly int busy_count
    cdef readonly bint closed
    cdef list idle
    cdef list opening                  # legs that are not connected yet
    cdef bint serving                  # connections are being opened for those who wait
    cdef object waiting                # deque of (flow, deadline)
    cdef object timer
    cdef list addresses
    cdef int64_t resolved_ns
    cdef object resolving
    cdef object session                # ssl.SSLSession of the last good connection
    cdef Leg take(self)                                # an idle leg, or None
    # ask for one: leg_ready or leg_failed will be called; connect_ns 0: the origin's own
    cdef int want(self, Flow flow, int64_t connect_ns) except -1
    cdef int forget(self, Flow flow) except -1         # it has no more need of one
    cdef int give_back(self, Leg leg) except -1
    cdef int lost(self, Leg leg) except -1
    cdef int open_for(self, Flow flow, int64_t connect_ns) except -1
    cdef int contain(self, Flow flow, object error) except -1


cdef class Leg(Wire):
    cdef Origin origin
    cdef Flow flow
    cdef int state
    cdef list addresses                # still to be tried
    cdef Buffer held                   # part of a head
    cdef int64_t left                  # of a body of known length
    cdef int framing
    cdef Chunked chunks
    cdef bint keep_alive
    cdef bint for_head                 # the request was HEAD: no body follows
    cdef bint upload_chunked
    cdef bint uploaded                 # the request is whole
    cdef bint touched                  # a byte of this reply has come
    cdef bint session_saved
    cdef bint is_idle                  # in the pool
    cdef int64_t connect_deadline_ns
    cdef readonly long long served     # replies, so far
    cdef int64_t total_deadline_ns
    cdef int64_t first_byte_ns         # limits of the exchange in hand
    cdef int64_t idle_ns
    cdef int64_t total_ns
    # Before send: how long the reply may take; 0: the origin's own.
    cdef void limit(self, int64_t first_byte_ns, int64_t idle_ns, int64_t total_ns) noexcept
    cdef int send(self, iovec* pieces, int count, bint for_head, bint whole, bint chunked) except -1
    cdef int send_piece(self, const char* p, Py_ssize_t n, bint last) except -1
    cdef int cancel(self) except -1
    cdef int pause(self) except -1
    cdef int resume(self) except -1
    cdef int arm(self, int64_t timeout_ns) except -1
    cdef int connect_next(self) except -1
    cdef int take_head(self, char* p, Py_ssize_t n) except -1
    cdef int take_body(self, char* p, Py_ssize_t n) except -1
    cdef int deliver(self, char* p, Py_ssize_t n, bint last, bint clean) except -1
    cdef int fail(self, int failure) except -1
    cdef int take_tunnel(self, char* p, Py_ssize_t n) except -1
    cdef int established(self) except -1
    cdef bint is_whole(self, int error) except -1
