"""Many sockets behind one file descriptor of the event loop."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "<sys/epoll.h>" nogil:
    enum: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP

cdef enum:
    SCRATCH_BYTES = 65536


cdef class Pollable:
    """Something with a file descriptor and, at times, a deadline."""
    cdef Poller poller
    cdef int fd                    # -1 once closed
    cdef int slot                  # its place in the poller; -1 where it has none
    cdef uint32_t interest         # epoll events asked for
    cdef int64_t deadline_ns       # monotonic; 0 none
    cdef int ready(self, uint32_t events) except -1
    cdef int expire(self) except -1          # the deadline has passed
    cdef int fault(self, object error) except -1     # ready or expire raised: our own bug; must not raise


cdef class Poller:
    cdef readonly object loop
    cdef int epoll_fd
    cdef char* scratch             # where all its sockets are read into; valid until the next read
    cdef object scratch_view       # the same as a memoryview
    cdef int64_t now_ns            # monotonic, read once a batch
    cdef int64_t wall_ahead_ns     # how much the wall clock was ahead of it then
    cdef list members              # by slot
    cdef list vacant               # free slots
    cdef list generations          # of each slot, so that an event for the slot's last owner is not taken for the next one's
    cdef object timer
    cdef readonly long long faults
    cdef void read_clocks(self) noexcept
    cdef inline int64_t wall_now_ns(self) noexcept:
        """The wall clock at the last reading of the monotonic one."""
        return self.now_ns + self.wall_ahead_ns
    cdef int add(self, Pollable member, uint32_t events) except -1
    cdef int change(self, Pollable member, uint32_t events) except -1
    cdef int remove(self, Pollable member) except -1
