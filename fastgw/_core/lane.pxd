"""The listener of the data plane and its connections."""
from libc.stdint cimport int64_t
from fastgw._core.buffer cimport Buffer
from fastgw._core.flow cimport Application, Client, Flow
from fastgw._core.http1 cimport Chunked, Head
from fastgw._core.poll cimport Pollable, Poller
from fastgw._core.wire cimport Wire


cdef class Lane:
    cdef readonly Poller poller
    cdef Application application
    cdef object tls                    # ssl.SSLContext or None
    cdef readonly int max_connections
    cdef readonly int64_t max_body_bytes
    cdef int64_t head_ns
    cdef int64_t body_ns
    cdef int64_t idle_ns
    cdef int64_t write_ns
    cdef readonly int open_count
    cdef readonly long long refused_count
    cdef readonly bint stopping
    cdef Listener listener
    cdef set connections
    cdef Head head                     # of the request being parsed; used by one call at a time


cdef class Listener(Pollable):
    cdef Lane lane
    cdef object socket


cdef class Connection(Wire):
    cdef Lane lane
    cdef LaneClient client
    cdef Flow flow
    cdef int state
    cdef Buffer held                   # input not yet understood, or of the next request
    cdef bytes body                    # being filled, of known length
    cdef Py_ssize_t filled
    cdef int64_t left                  # of a streamed body of known length
    cdef Chunked chunks
    cdef Buffer chunk_body
    cdef bint head_begun
    cdef bint processing
    cdef bint body_paused
    cdef bint body_missing             # not all of it came with the head
    cdef bint request_done
    cdef bint reply_begun
    cdef bint reply_done
    cdef bint reply_chunked
    cdef bint keep_alive
    cdef bint is_head
    cdef int minor
    cdef bint lingering                # our side has ended
    cdef bint is_cut                   # the reply is not whole, and the client must see that
    cdef bint greeted                  # the first bytes have come (TLS)
    cdef bint reply_until_close
    cdef Py_ssize_t last_backlog
    cdef Py_ssize_t process(self, char* p, Py_ssize_t n) except -1
    cdef Py_ssize_t take_head(self, char* p, Py_ssize_t n) except -1
    cdef Py_ssize_t take_body(self, char* p, Py_ssize_t n) except -1
    cdef int refuse(self, int fault) except -1
    cdef int refuse_unread(self, int fault) except -1
    cdef int go_on(self) except -1
    cdef bint is_clogged(self) noexcept
    cdef bint has_begun(self) noexcept
    cdef int say_goodbye(self) except -1
    cdef int disarm(self) except -1
    cdef int finish(self) except -1
    cdef int linger(self) except -1
    cdef int watch_backlog(self) except -1
    cdef int leave(self, bint reset) except -1
    cdef Py_ssize_t begin_body(self, char* p, Py_ssize_t n, Py_ssize_t length, int mode, int64_t size, bint chunked,
                               bint expects) except -1
    cdef int request_whole(self) except -1


cdef class LaneClient(Client):
    cdef Connection connection
    cdef int after_write(self, bint last) except -1
