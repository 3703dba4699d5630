"""The mock's connections and what they send."""
from libc.stdint cimport int64_t
from fastgw._core.http1 cimport Chunked, Head


cdef class Reply:
    cdef readonly int status
    cdef readonly bytes fields         # whole lines, without framing and without the empty line
    cdef readonly bytes body           # None where there are events
    cdef readonly tuple events         # payloads of a stream, one chunk each
    cdef readonly bint is_shared       # the same request gets the same reply: may be kept
    cdef public int row                # of the table of paths; -1 is not counted
    cdef public double latency_s       # these three: -1 leaves it to the options
    cdef public double ttft_s
    cdef public double gap_s
    cdef public int cut                # end the stream after so many events; -1 never
    cdef public bint hangs             # never sent
    cdef bytes _wire                   # the whole reply for the common client, made once
    cdef bytes head(self, bint closes, bint is_framed)
    cdef bytes wire(self)


cdef class Desk:
    cdef object answer, fail, random, loop, connections
    cdef double latency_s, ttft_s, gap_s, error_rate
    cdef dict kept                     # target -> {body -> Reply}
    cdef int kept_count
    cdef long long[::1] counters
    cdef Reply find(self, bytes target, bytes body, const char* base, Head* head)


cdef class Connection:
    cdef Desk desk
    cdef object transport, write, view, timer
    cdef char* landing
    cdef Py_ssize_t start, end         # unread bytes in landing
    cdef int state
    cdef bint is_running, is_paused, is_held, is_gone, keeps_alive
    cdef Head head
    cdef Chunked chunked
    cdef bytes head_copy               # the head while its body is still coming
    cdef bytes body                    # of known length, being filled
    cdef Py_ssize_t filled
    cdef bytearray pieces              # of unknown length
    cdef Reply reply
    cdef tuple frames
    cdef Py_ssize_t next_frame
    cdef double begun_s
    cdef int run(self) except -1
    cdef bint read_head(self) except -1
    cdef bint read_chunks(self) except -1
    cdef int refuse(self, int status, bytes why) except -1
    cdef int dispatch(self, const char* base, bytes body) except -1
    cdef int send_head(self) except -1
    cdef int pump(self) except -1
    cdef int finish(self) except -1
