"""One TCP connection, plain or TLS, read into shared memory and written without copying where the kernel takes all."""
from libc.stdint cimport int64_t, uint32_t
from posix.uio cimport iovec
from fastgw._core.poll cimport Pollable, Poller

cdef enum:
    HIGH_WATER_BYTES = 262144      # unsent bytes beyond which whoever feeds this wire should pause
    LOW_WATER_BYTES = 65536        # and below which it may go on


cdef class Wire(Pollable):
    cdef bint reading              # wants to read
    cdef bint eof_is_news          # while not reading, tell of the peer's close all the same
    cdef bint broken               # a write failed: nothing more goes out, and the poller will tell
    cdef bint closing              # close once the backlog is out
    cdef list backlog              # bytes not yet taken by the kernel
    cdef Py_ssize_t backlog_at     # offset into the first of them
    cdef Py_ssize_t backlog_bytes
    cdef bint over_high_water
    cdef object tls                # ssl.SSLObject, or None
    cdef object tls_in             # ssl.MemoryBIO
    cdef object tls_out
    cdef bint tls_ready            # handshake done

    cdef int attach(self, Poller poller, int fd, uint32_t events) except -1
    cdef int start_tls(self, object context, bint server_side, object server_hostname, object session) except -1
    cdef int pause_reading(self) except -1
    cdef int resume_reading(self) except -1
    cdef int write(self, const char* p, Py_ssize_t n) except -1
    cdef int writev(self, iovec* pieces, int count) except -1
    cdef int close_after_writing(self) except -1
    cdef int close_now(self, bint reset) except -1

    # What a subclass says to these:
    cdef char* landing(self, Py_ssize_t* room) except NULL   # where the next read shall go
    cdef int received(self, char* p, Py_ssize_t n) except -1
    cdef int ended(self, int error) except -1     # EOF (0) or errno; the wire is still open until close_now
    cdef int drained(self) except -1              # the backlog is below low water again
    cdef int secured(self) except -1              # the TLS handshake is done
    cdef int flushed(self) except -1              # nothing is left to send (told only where a backlog had been)

    cdef int _set_interest(self) except -1
    cdef int _flush(self) except -1
    cdef int _keep(self, iovec* pieces, int count, Py_ssize_t sent) except -1
    cdef int _read(self) except -1
    cdef int _read_tls(self, Py_ssize_t n) except -1
    cdef int _send_raw(self, bytes sealed) except -1
    cdef int _pump_tls(self) except -1
